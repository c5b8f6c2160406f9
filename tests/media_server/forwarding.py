"""The forwarding core with peers that are names, for tests."""

from __future__ import annotations

from collections.abc import Iterable

from snugroom.server.sfu.core import Effect, Forwarding, SendRtcp, SendRtp
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.peer import rtp

ROOM = b"r" * 16


OTHER_ROOM = b"o" * 16


VIDEO, AUDIO = Stream(ssrc=0xADB, kind="video"), Stream(ssrc=0xADA, kind="audio")


def meeting(
    *others: str, limits: MediaLimits | None = None, streams: Iterable[Stream] = (VIDEO, AUDIO)
) -> Core:
    """ada sends, the others receive; all are ready at time 0."""
    core = Core(limits or MediaLimits())
    core.subscriptions.join(ROOM, "ada", list(streams), 0.0)
    core.subscriptions.ready("ada", True, 0.0)
    for name in others:
        core.subscriptions.join(ROOM, name, [], 0.0)
        core.subscriptions.ready(name, True, 0.0)
    core.tick(0.0)  # the first report, empty
    return core


class Core(Forwarding[str]):
    """With shorter words for tests."""

    def send(
        self, sequence: int, now: float = 1.0, *, stream: Stream = VIDEO, peer: str = "ada", **more: int
    ) -> Sent:
        track = self.subscriptions.find(peer, stream.ssrc)
        assert track is not None
        packet = rtp(stream.ssrc, sequence, kind=stream.kind, **more)  # type: ignore[arg-type]
        fanouts, effects = self.on_rtp(track, packet, now)
        receivers = tuple(peer for fanout in fanouts for peer in fanout.receivers)
        return Sent(receivers, list(effects), packet)

    def hear(self, peer: str, *items: rtcp.Item, now: float = 1.0) -> list[Effect[str]]:
        return self.on_rtcp(peer, items, now)


class Sent:
    def __init__(self, receivers: tuple[str, ...], effects: list[Effect[str]], packet: bytes) -> None:
        self.receivers, self.effects, self.packet = receivers, effects, packet


def nacked(effects: Iterable[Effect[str]]) -> list[tuple[int, ...]]:
    """Sequence numbers of the NACKs to ada."""
    out = []
    for effect in effects:
        if isinstance(effect, SendRtcp) and effect.data[1] == rtcp.RTPFB:
            assert effect.to == "ada"
            (item,) = rtcp.parse(effect.data)
            assert isinstance(item, rtcp.Nack)
            out.append(item.sequences)
    return out


def plis(effects: Iterable[Effect[str]]) -> list[tuple[str, int]]:
    return [
        (effect.to, int.from_bytes(effect.data[8:12], "big"))
        for effect in effects
        if isinstance(effect, SendRtcp) and effect.data[:2] == b"\x81\xce"
    ]


def resent(effects: Iterable[Effect[str]]) -> list[tuple[str, int]]:
    return [(e.to, int.from_bytes(e.packet[2:4], "big")) for e in effects if isinstance(e, SendRtp)]
