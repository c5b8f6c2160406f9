"""All rooms' streams and their receivers: packets in, fan-outs and effects out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.allocation import BandwidthAllocation
from snugroom.server.sfu.core.bridges import Bridges
from snugroom.server.sfu.core.crossing import ROC_KEEPALIVE
from snugroom.server.sfu.core.effects import Effect, P, SendRtcp, SendRtp
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.pacer import PacketKind
from snugroom.server.sfu.core.pacing import Pacing, QueuedPacket
from snugroom.server.sfu.core.peers import Peer
from snugroom.server.sfu.core.reports import Reports
from snugroom.server.sfu.core.shedding import Shedding
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.core.tracks import Subscription, Track
from snugroom.server.sfu.core.twcc_sequence import TwccFeedback
from snugroom.server.sfu.limits import OWN_SSRC, MediaLimits
from snugroom.wire import rtcp, rtp, twcc

_Fanouts = tuple[Fanout[P], ...]


class Forwarding(Generic[P]):
    """Forwards packets and RTCP to the receivers that `subscriptions` selects."""

    def __init__(self, limits: MediaLimits = MediaLimits()) -> None:  # noqa: B008 - frozen
        self.subscriptions: Subscriptions[P] = Subscriptions(limits)
        self._traffic = self.subscriptions.traffic
        self._pacing = Pacing(self.subscriptions)
        self._limits = limits
        self._peers = self.subscriptions.peers
        self._repairing = self.subscriptions.repairing
        self._allocation = BandwidthAllocation(self.subscriptions, self._pacing)
        self._reports = Reports(self.subscriptions, limits)
        self.bridges: Bridges[P] = Bridges(self.subscriptions, self._reports, limits)
        self.shedding = Shedding(self.subscriptions, limits.lag_max)
        self.counts = self.subscriptions.counts

    # -- RTP: the hot path -----------------------------------------------------------------

    def on_rtp(self, track: Track[P], packet: bytes, now: float) -> tuple[_Fanouts[P], Sequence[Effect[P]]]:
        """Forward a packet of `track`, authenticated and checked; return its fan-outs and effects."""
        size = len(packet)
        allowance = track.allowance + (now - track.allowed_at) * track.bytes_rate
        if allowance > track.bytes_rate:
            allowance = track.bytes_rate
        track.allowed_at = now
        cost = size if size > track.packet_cost_min else track.packet_cost_min
        if allowance < cost:
            track.allowance = allowance
            self.counts["over_rate"] += 1
            return (), ()
        track.allowance = allowance - cost
        video = track.kind == "video"
        traffic = self._traffic
        if not traffic.may_publish(track.publishing, size, now, video=video):
            return (), ()
        # A packet that may not be sent is kept all the same: receivers may request it later.
        out = size * len(track.receivers)
        sequence = packet[2] << 8 | packet[3]
        if track.shed and sequence % ROC_KEEPALIVE:
            self.counts["shed_video" if video else "shed_audio"] += 1
            sends = False
        else:
            sends = not out or traffic.may_send(track.traffic, out, now, video=video)
        high = track.high
        if high is None or track.base is None:
            return self._first(track, packet, sequence, now, sends)
        step = (sequence - high) & 0xFFFF
        if step >= 0x8000 or step == 0:
            return self._late(track, packet, high + step - (0x10000 if step else 0), now, sends)
        if track.source is not None and not self._layer(track, packet, high + step, now):
            return (), ()
        track.high = high + step
        track.received += 1
        track.octets += size
        track.cache[sequence & track.mask] = packet
        stamp = packet[4:8]
        if stamp != track.stamp:  # the first packet of a frame is enough
            track.stamp = stamp
            track.arrived = now
            track.measure_jitter(int(now * track.clock) - int.from_bytes(stamp, "big"))
        effects = () if step == 1 else self._gap(track, high, step, now)
        if not sends:
            return self._crossing(track, sequence), effects
        fanouts = track.fanouts
        if fanouts is None:
            fanouts = self._build_fanouts(track)
        if track.paused and not track.high % ROC_KEEPALIVE:
            fanouts += (Fanout(tuple(track.paused), once=True),)
        if track.crossing is not None:
            fanouts = track.crossing.fanouts(sequence) + fanouts
        if track.paced:
            effects = [*effects, *self._pacing.pace(track, track.paced, packet, now)]
        return fanouts, effects

    @staticmethod
    def _crossing(track: Track[P], sequence: int) -> _Fanouts[P]:
        """Return the fan-outs to other workers, which this worker's limits and lag do not concern."""
        return () if track.crossing is None else track.crossing.fanouts(sequence)

    def _build_fanouts(self, track: Track[P]) -> _Fanouts[P]:
        """Compute the stream's fan-outs: receivers with transport-wide numbers, and the others."""
        receivers = list(track.receivers)
        track.paced = ()
        if track.kind == "video":
            track.paced = tuple(peer for peer in receivers if self._peers[peer].pacer is not None)
            receivers = [peer for peer in receivers if self._peers[peer].pacer is None]
        track.fanouts = self._split_fanouts(track, receivers)
        return track.fanouts

    def _split_fanouts(self, track: Track[P], receivers: list[P], *, once: bool = False) -> _Fanouts[P]:
        fanouts = []
        for with_twcc in (False, True):
            chosen = [peer for peer in receivers if self._peers[peer].uses_twcc(track) is with_twcc]
            if chosen:
                source = track.source
                if source is None:
                    fanouts.append(Fanout(chosen, twcc=with_twcc, once=once))
                    continue
                offsets = [source.subscriptions[peer].stream_rewriter.offsets for peer in chosen]
                fanouts.append(Fanout(chosen, offsets, source.ssrc, twcc=with_twcc, once=once))
        return tuple(fanouts)

    def _layer(self, track: Track[P], packet: bytes, number: int, now: float) -> bool:
        """Take a new packet of a layer, and switch receivers at a key frame.

        Return False if the packet cannot be rewritten.
        """
        found = rewriter.layer_descriptor(packet)
        if found is None and self._unreadable(packet):
            return False
        new = rewriter.position_of(packet, number, found, now)
        if track.pending_subscriptions and found is not None and found.key:
            for subscription in list(track.pending_subscriptions):
                self.subscriptions.switch(track, subscription, new)
            track.pending_subscriptions.clear()
        track.latest = rewriter.furthest_position(track.latest, new)
        return True

    def _unreadable(self, packet: bytes) -> bool:
        """Whether a packet without a descriptor is not padding either, and so cannot be rewritten."""
        if rtp.is_padding(packet, rtp.payload_start(packet)):
            return False
        self.counts["layers_refused"] += 1
        return True

    def _first(
        self, track: Track[P], packet: bytes, sequence: int, now: float, sends: bool
    ) -> tuple[_Fanouts[P], Sequence[Effect[P]]]:
        if track.high is None:
            high = sequence
        else:
            step = (sequence - track.high) & 0xFFFF
            if not 0 < step < 0x8000:
                self.counts["stale"] += 1
                return (), ()
            high = track.high + step
        effects: list[Effect[P]] = []
        if track.source is not None:
            # A layer has appeared, and this is probably its first key frame.
            track.arrived = now
            for subscription in track.source.subscriptions.values():
                self.subscriptions.request_layer(subscription, now)
            if not self._layer(track, packet, high, now):
                return (), ()
            if track.pending_subscriptions:
                effects = self.subscriptions.request_key_frame(track, now)
        track.high = track.base = high
        track.received = 1
        track.octets += len(packet)
        track.stamp, track.arrived = packet[4:8], now
        track.cache[sequence & track.mask] = packet
        if track.source is None:
            for peer in track.receivers:
                track.receivers[peer] = track.high - 1
        fanouts, crossing = self._build_fanouts(track), self._crossing(track, sequence)
        if not sends:
            return crossing, effects
        if track.paced:
            effects += self._pacing.pace(track, track.paced, packet, now)
        return crossing + fanouts, effects

    def _late(
        self, track: Track[P], packet: bytes, number: int, now: float, sends: bool
    ) -> tuple[_Fanouts[P], Sequence[Effect[P]]]:
        """Forward a packet that was overtaken or resent."""
        high = track.high
        assert high is not None
        if (
            number == high
            or (track.floor is not None and number <= track.floor)
            # A held packet has arrived before, although its own SRTP index or that of its RTX was new. With
            # RTX, a packet too old for the cache may have arrived before too: receivers must not get two
            # packets with one index.
            or track.cached(number) is not None
            or (track.rtx is not None and (high - number > track.mask or number <= track.expired))
        ):
            self.counts["stale"] += 1
            return (), ()
        if (
            track.source is not None
            and rewriter.layer_descriptor(packet) is None
            and self._unreadable(packet)
        ):
            return (), ()
        if track.base is not None and number >= track.base:
            track.received += 1
        track.octets += len(packet)
        track.missing.pop(number, None)
        if high - number <= track.mask and number > track.expired:
            track.cache[number & track.mask] = packet
        crossing = self._crossing(track, number)
        if not sends:
            return crossing, ()
        # A receiver gets no packet from before it began to receive: its SRTP session counts from the first
        # packet.
        due = [peer for peer, begin in track.receivers.items() if number > begin]
        paced = tuple(peer for peer in due if track.kind == "video" and self._peers[peer].pacer is not None)
        fanouts = self._split_fanouts(track, [peer for peer in due if peer not in paced], once=True)
        effects = self._pacing.pace(track, paced, packet, now, late=True) if paced else ()
        return crossing + fanouts, effects

    def _gap(self, track: Track[P], high: int, step: int, now: float) -> Sequence[Effect[P]]:
        if track.resuming(now):
            assert track.high is not None
            for peer in track.receivers:  # late packets of before are not for them
                track.receivers[peer] = track.high - 1
            return ()
        lost = step - 1
        if track.bridge is None:  # each loss counts once, where the publisher is
            self.counts["lost"] += lost
        if lost > self._limits.gap or not track.nack_budget.take(now, lost):
            # The numbers jump, or there is one gap after another: a key frame replaces the missing packets.
            track.missing.clear()
            return self.subscriptions.request_key_frame(track, now)
        numbers = range(high + 1, high + step)
        if self._limits.nack_delays:
            due = now + self._limits.nack_delays[0]
            track.missing.update((number, (due, 1)) for number in numbers)
            while len(track.missing) > 2 * self._limits.gap:
                del track.missing[next(iter(track.missing))]
            self._repairing[track] = None
        return [self._nack(track, numbers)]

    def _nack(self, track: Track[P], numbers: Iterable[int]) -> SendRtcp[P]:
        sequences = [number & 0xFFFF for number in numbers]
        if track.bridge is not None:
            return SendRtcp(track.bridge, rtcp.nack(OWN_SSRC, track.ssrc, sequences))
        self.counts["asked"] += len(sequences)
        return SendRtcp(track.owner, rtcp.nack(OWN_SSRC, track.ssrc, sequences))

    # -- RTCP ------------------------------------------------------------------------------

    def on_rtcp(self, peer: P, items: Iterable[rtcp.Item | TwccFeedback], now: float) -> list[Effect[P]]:
        """Process an authenticated peer's reports and requests, only for its own and received streams."""
        known = self._peers.get(peer)
        if known is None:
            return []
        effects: list[Effect[P]] = []
        asked: set[int] = set()
        blocks: list[rtcp.ReportBlock] = []
        for item in items:
            if isinstance(item, rtcp.SenderReport):
                if (track := known.tracks.get(item.ssrc)) is not None:
                    effects += self._reports.sender_report(track, item, now)
            elif isinstance(item, rtcp.Remb):
                known.remb, known.remb_at = item.bitrate, now
                known.budget.on_remb(item.bitrate, now)
            elif isinstance(item, TwccFeedback):
                known.budget.on_feedback(item, now)
            elif isinstance(item, twcc.Report) or (received := known.receives.get(item.ssrc)) is None:
                pass  # the shell matches reports with sent packets; items for other streams are ignored
            elif isinstance(item, rtcp.KeyFrameRequest):
                if item.ssrc not in asked:
                    asked.add(item.ssrc)
                    effects += self._on_key_frame_request(known, received, now)
            elif isinstance(item, rtcp.Nack):
                effects += self._resend(peer, known, received, item, now)
            elif not _gap_is_ours(known, received, item.ssrc, now):
                blocks.append(item)
                if isinstance(received, Track):
                    self._reports.estimate(peer, received, item)
        known.budget.on_receiver_report(blocks, now)
        return effects

    def _on_key_frame_request(
        self, known: Peer[P], received: Track[P] | Subscription[P], now: float
    ) -> list[Effect[P]]:
        track = received if isinstance(received, Track) else received.track or received.pending_track
        if track is None or track.shed:
            return []
        # A receiver that has to ask because of a gap that the server made is not charged for it.
        free = _gap_is_ours(known, received, track.ssrc, now)
        if not free and not self.subscriptions.may_request_key_frame(known, track, now):
            return []
        return self.subscriptions.request_key_frame(track, now)

    def _resend(
        self, peer: P, known: Peer[P], received: Track[P] | Subscription[P], request: rtcp.Nack, now: float
    ) -> list[Effect[P]]:
        self.counts["nacks"] += 1
        if isinstance(received, Track) and received.shed:
            return []
        effects: list[Effect[P]] = []
        track = received if isinstance(received, Track) else received.source.tracks[0]
        rtx = known.rtx_of(track) if known.rtx else None
        for sequence in request.sequences:
            if not known.resend_budget.take(now):
                self.counts["refused_nacks"] += 1
                break
            if isinstance(received, Subscription):
                packet = received.find_packet(sequence)
            elif (high := received.high) is None:
                break
            else:
                number = high - ((high - sequence) & 0xFFFF)
                packet = received.cached(number) if number > received.receivers[peer] else None
            if packet is None:
                continue
            if not self._traffic.may_send(known.room.traffic, len(packet), now, video=track.kind == "video"):
                break
            self.counts["resent"] += 1
            effect = SendRtp(peer, packet) if rtx is None else known.as_rtx(peer, packet, rtx)
            if known.pacer is None:
                effects.append(effect)
            else:
                known.pacer.push(QueuedPacket(effect), len(packet), PacketKind.RESENT, now)
        return effects if known.pacer is None else self._pacing.release_due(peer, known, now)

    # -- timers ----------------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect[P]]:
        """Send due NACKs and delayed PLIs, allocate bandwidth, and report to publishers."""
        effects: list[Effect[P]] = []
        for track in list(self._repairing):
            if track.missing:
                effects += self._nack_missing(track, now)
            if track.pli_due and now - track.last_pli >= self._limits.pli_interval:
                effects += self.subscriptions.request_key_frame(track, now)
            if not track.missing and not track.pli_due:
                del self._repairing[track]
        effects += self._allocation.tick(now) + self._reports.tick(now)
        return effects + self.bridges.tick(now)

    @property
    def waits(self) -> bool:
        """Whether a packet, or a request to a publisher, is due sooner than allocations and reports."""
        return bool(self._repairing or self._pacing.busy)

    def _nack_missing(self, track: Track[P], now: float) -> list[Effect[P]]:
        delays = self._limits.nack_delays
        due_numbers: list[int] = []
        for number, (due, tries) in list(track.missing.items()):
            if due > now:
                continue
            if not track.nack_budget.take(now):
                del track.missing[number]
                continue
            due_numbers.append(number)
            if tries < len(delays):
                track.missing[number] = (now + delays[tries], tries + 1)
            else:
                del track.missing[number]
        return [
            self._nack(track, sorted(due_numbers)[start : start + rtcp.NACK_MAX])
            for start in range(0, len(due_numbers), rtcp.NACK_MAX)
        ]


def _gap_is_ours(known: Peer[P], received: Track[P] | Subscription[P], ssrc: int, now: float) -> bool:
    """Whether the server did not send a part of this stream on purpose, now or a moment ago."""
    return now < known.resumed.get(ssrc, now) or (isinstance(received, Track) and received.shed)
