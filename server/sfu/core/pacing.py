"""Pacing for receivers on a narrow path: packets wait, so that a key frame does not delay the audio.

Receivers on a wide path are not paced. There may be many of them, and they cost nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, NamedTuple

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.effects import Effect, P, SendRtp
from snugroom.server.sfu.core.pacer import Pacer, PacketKind
from snugroom.server.sfu.core.peers import Peer
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.core.tracks import Subscription, Track
from snugroom.wire.rtp import payload_start
from snugroom.wire.vp8 import read_descriptor

#: Bits a second below which a receiver is paced, and above which pacing ends.
_NARROW: Final = 4_000_000.0
_WIDE: Final = 5_000_000.0


class QueuedPacket(NamedTuple, Generic[P]):
    """A packet that waits: its effect, and for layered video its subscription and its position."""

    effect: SendRtp[P]
    subscription: Subscription[P] | None = None
    position: rewriter.StreamPosition | None = None


class Pacing(Generic[P]):
    """Paces the receivers on narrow paths."""

    def __init__(self, subscriptions: Subscriptions[P]) -> None:
        self._subscriptions = subscriptions
        #: Receivers with a running probe, or with a pacer that may hold packets.
        self.busy: dict[P, None] = {}

    def update(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        """Begin or end pacing of a receiver by its bandwidth estimate."""
        target = known.budget.target
        assert target is not None
        if known.pacer is not None:
            known.pacer.target(target)
            if target <= _WIDE:
                return []
            # The path has become wide: nothing waits any longer.
            effects = self._mark_sent(known.pacer.drain())
            known.pacer = None
            self._apply_pacing(peer, known)
            return effects
        if target < _NARROW:
            known.pacer = Pacer(target)
            self.busy[peer] = None
            self._apply_pacing(peer, known)
        return []

    @staticmethod
    def _apply_pacing(peer: P, known: Peer[P]) -> None:
        for received in known.receives.values():
            track = received.track if isinstance(received, Subscription) else received
            if isinstance(received, Subscription):
                received.sent = None if track is None or known.pacer is None else track.latest
                received.paced = known.pacer is not None
            if track is not None:
                track.fanouts = None

    def pace(
        self, track: Track[P], peers: Sequence[P], packet: bytes, now: float, *, late: bool = False
    ) -> list[Effect[P]]:
        """Queue a video packet for paced receivers. `late`: later packets have gone before it."""
        effects: list[Effect[P]] = []
        source = track.source
        found = (
            read_descriptor(packet, payload_start(packet))
            if source is None
            else rewriter.layer_descriptor(packet)
        )
        stamp, start = int.from_bytes(packet[4:8], "big"), found is not None and found.key
        for peer in peers:
            known = self._subscriptions.peers[peer]
            pacer, twcc = known.pacer, known.uses_twcc(track)
            assert pacer is not None
            if source is None:
                queued: QueuedPacket[P] = QueuedPacket(SendRtp(peer, packet, twcc=twcc))
            else:
                subscription = source.subscriptions[peer]
                out = bytearray(packet)
                rewriter.rewrite(
                    out,
                    0,
                    packet[2] << 8 | packet[3],
                    source.ssrc,
                    found,
                    subscription.stream_rewriter.offsets,
                )
                queued = QueuedPacket(
                    SendRtp(peer, bytes(out), twcc=twcc), subscription, None if late else track.latest
                )
            pacer.push(queued, len(packet), PacketKind.VIDEO, now, track.ssrc, stamp, start)
            effects += self.release_due(peer, known, now)
        return effects

    def release_due(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        """Return the packets that are due, and ask for a key frame where packets were dropped."""
        pacer = known.pacer
        if pacer is None:
            return []
        effects = self._mark_sent(pacer.due(now))
        for ssrc in pacer.lost():
            self._subscriptions.counts["dropped_late"] += 1
            track = known.room.tracks.get(ssrc)
            if track is None:
                continue
            subscription = None if track.source is None else track.source.subscriptions.get(peer)
            if subscription is not None and subscription.track is track:
                self._subscriptions.stop_layer(subscription)
                effects += self._subscriptions.request_layer(subscription, now)
            effects += self._subscriptions.request_key_frame(track, now)
        return effects

    @staticmethod
    def _mark_sent(queued: Sequence[QueuedPacket[P]]) -> list[Effect[P]]:
        for each in queued:
            if each.subscription is not None and each.position is not None:
                each.subscription.sent = each.position
        return [each.effect for each in queued]
