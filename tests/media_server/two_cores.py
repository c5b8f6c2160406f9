"""Two forwarding cores that share a room, joined by lists of what crosses between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from snugroom.server.sfu.core import Effect, Forget, SendRtcp, SendRtp
from snugroom.server.sfu.core.effects import SendRates, SendWants
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import ROOM, Core
from tests.media_server.peer import rtp

#: The name of a core's bridge to the other core.
BRIDGE = "bridge"


@dataclass
class End:
    """One core: `out` is what goes to the other one, `got` the packets that its own members get.

    `data`: RTCP and resent packets for its own members.
    """

    core: Core
    out: list[bytes | Effect[str]] = field(default_factory=list)
    got: dict[str, list[bytes]] = field(default_factory=dict)
    effects: list[Effect[str]] = field(default_factory=list)

    def packet(self, track_owner: str, packet: bytes, now: float) -> None:
        """A member's own packet."""
        ssrc = int.from_bytes(packet[8:12], "big")
        track = self.core.subscriptions.find(track_owner, ssrc)
        assert track is not None
        fanouts, effects = self.core.on_rtp(track, packet, now)
        for fanout in fanouts:
            if fanout.crosses:
                self.out += [packet for _ in fanout.receivers]
            else:
                for peer in fanout.receivers:
                    self.got.setdefault(peer, []).append(packet)
        self.take(effects)

    def take(self, effects: Iterable[Effect[str]]) -> None:
        for effect in effects:
            if effect.to == BRIDGE:
                if not isinstance(effect, Forget):
                    self.out.append(effect)
            else:
                self.effects.append(effect)

    def hear(self, thing: bytes | Effect[str], now: float) -> None:
        """The packets that the other core has sent."""
        bridges = self.core.bridges
        if isinstance(thing, SendRtp):
            thing = thing.packet
        if isinstance(thing, bytes):
            track = bridges.find(BRIDGE, int.from_bytes(thing[8:12], "big"))
            if track is not None:
                self.packet(track.owner, thing, now)
        elif isinstance(thing, SendWants):
            bridges.on_wants(BRIDGE, dict(thing.wants))
        elif isinstance(thing, SendRates):
            bridges.on_rates(BRIDGE, thing.rates, now)
        elif isinstance(thing, SendRtcp):
            self.take(bridges.on_rtcp(BRIDGE, rtcp.parse(thing.data), now))


class TwoCores:
    """Members of one room on two cores: `left` and `right`."""

    def __init__(self, limits: MediaLimits | None = None) -> None:
        self.left, self.right = (End(Core(limits or MediaLimits())) for _ in range(2))
        self.now = 0.0
        #: Whether what crosses arrives.
        self.joined = True
        #: All that has crossed, by the end that sent it.
        self.crossed: dict[int, list[bytes | Effect[str]]] = {id(self.left): [], id(self.right): []}

    def other(self, end: End) -> End:
        return self.right if end is self.left else self.left

    def join(self, end: End, name: str, *streams: Stream, ready: bool = True, feedback: bool = False) -> None:
        """Let a member join at `end`, and tell the other core, as the first process does."""
        end.core.subscriptions.join(ROOM, name, streams, self.now, feedback=feedback, rtx=feedback)
        if ready:
            end.take(end.core.subscriptions.ready(name, True, self.now))
        other = self.other(end)
        other.take(other.core.bridges.join(ROOM, BRIDGE, name, streams, self.now))

    def leave(self, end: End, name: str) -> None:
        """Remove a member of `end` on both cores."""
        end.take(end.core.subscriptions.leave(name, self.now))
        other = self.other(end)
        other.take(other.core.bridges.leave(name, self.now))

    def cross(self) -> None:
        """Deliver what has been sent, until nothing is left."""
        while self.left.out or self.right.out:
            for end in (self.left, self.right):
                sent, end.out = end.out, []
                self.crossed[id(end)] += sent
                for thing in sent if self.joined else ():
                    self.other(end).hear(thing, self.now)

    def tick(self, seconds: float = 0.02, step: float = 0.02) -> None:
        """Let time pass."""
        for _ in range(max(1, round(seconds / step))):
            self.now += step
            for end in (self.left, self.right):
                end.take(end.core.tick(self.now))
            self.cross()

    def send(self, end: End, name: str, stream: Stream, sequence: int, **more: int) -> bytes:
        """A packet of a member, delivered everywhere."""
        packet = rtp(stream.ssrc, sequence, kind=stream.kind, **more)  # type: ignore[arg-type]
        end.packet(name, packet, self.now)
        self.cross()
        return packet

    def packets(self, end: End) -> list[bytes]:
        """The packets that have crossed from `end`, resent ones too."""
        sent = (each.packet if isinstance(each, SendRtp) else each for each in self.crossed[id(end)])
        return [each for each in sent if isinstance(each, bytes)]


def numbers(packets: Iterable[bytes]) -> list[int]:
    return [int.from_bytes(packet[2:4], "big") for packet in packets]
