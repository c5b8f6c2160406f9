"""A room on two cores under random inputs, compared with rules that hold at any time."""

from __future__ import annotations

import contextlib
from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import ROOM, Core
from tests.media_server.two_cores import BRIDGE, End, TwoCores

MEMBERS = ("ada", "bob", "eve", "zoe")
SSRCS = st.integers(1, 6)


class AnyOrderOnTwoCores(RuleBasedStateMachine):
    """Members of one room, each on one of two cores. The link loses what it carries while it is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.both = TwoCores(MediaLimits(retired_ssrcs=3))
        self.ends: dict[str, End] = {}
        self.streams: dict[str, dict[int, Stream]] = {}
        self.wants: dict[str, set[int] | None] = {}
        self.is_ready: set[str] = set()
        #: (receiver, ssrc) -> numbers that its present SRTP session has sealed: none may come twice
        self.sealed: dict[tuple[str, int], set[int]] = defaultdict(set)
        #: (publisher, ssrc) -> numbers of its present SRTP session: libsrtp lets each in once
        self.opened: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.numbers: dict[int, int] = defaultdict(int)

    def gone(self, name: str) -> None:
        self.is_ready.discard(name)
        for numbers in (self.sealed, self.opened):
            for key in [key for key in numbers if key[0] == name]:
                del numbers[key]

    def forget(self, name: str) -> None:
        self.gone(name)
        for facts in (self.ends, self.streams, self.wants):
            facts.pop(name, None)

    def due(self, name: str, ssrc: int) -> set[str]:
        """Who may get a stream of `name`."""
        return {
            other
            for other in self.is_ready
            if other != name and (self.wants[other] is None or ssrc in (self.wants[other] or ()))
        }

    def take(self) -> None:
        """Check what the members have got."""
        owners = {ssrc: name for name, own in self.streams.items() for ssrc in own}
        for end in (self.both.left, self.both.right):
            for name, packets in end.got.items():
                for packet in packets:
                    number, ssrc = packet[2] << 8 | packet[3], int.from_bytes(packet[8:12], "big")
                    assert self.ends[name] is end
                    assert name in self.due(owners[ssrc], ssrc)
                    assert number not in self.sealed[name, ssrc]
                    self.sealed[name, ssrc].add(number)
            end.got.clear()
            assert all(effect.to in self.ends and self.ends[effect.to] is end for effect in end.effects)
            end.effects.clear()

    @rule(
        name=st.sampled_from(MEMBERS),
        right=st.booleans(),
        ssrcs=st.sets(SSRCS, max_size=3),
        kind=st.sampled_from(["audio", "video"]),
    )
    def join(self, name: str, right: bool, ssrcs: set[int], kind: str) -> None:
        end = self.ends.get(name, self.both.right if right else self.both.left)
        streams = [Stream(ssrc=ssrc, kind=kind) for ssrc in ssrcs]  # type: ignore[arg-type]
        taken = {ssrc for other, own in self.streams.items() if other != name for ssrc in own}
        if taken & ssrcs:  # the room refuses this, before any worker is asked
            return
        try:
            end.core.subscriptions.join(ROOM, name, streams, self.both.now)
        except MediaError:
            return
        self.ends[name] = end
        self.streams[name] = {stream.ssrc: stream for stream in streams}
        self.wants.setdefault(name, None)
        other = self.both.other(end)
        # the other worker may remember an SSRC that this one has forgotten: then nobody there gets the member
        with contextlib.suppress(MediaError):
            other.take(other.core.bridges.join(ROOM, BRIDGE, name, streams, self.both.now))
        self.both.tick()
        self.take()

    @rule(name=st.sampled_from(MEMBERS))
    def leave(self, name: str) -> None:
        if name in self.ends:
            end = self.ends[name]
            self.forget(name)
            self.both.leave(end, name)
            self.both.tick()
            self.take()

    @rule(name=st.sampled_from(MEMBERS), ready=st.booleans())
    def ready(self, name: str, ready: bool) -> None:
        if name not in self.ends:
            return
        end = self.ends[name]
        end.take(end.core.subscriptions.ready(name, ready, self.both.now, rekeyed=ready))
        self.gone(name)
        if ready:
            self.is_ready.add(name)
        self.both.cross()
        self.take()

    @rule(name=st.sampled_from(MEMBERS), ssrcs=st.none() | st.sets(SSRCS))
    def subscribe(self, name: str, ssrcs: set[int] | None) -> None:
        if name in self.ends:
            end = self.ends[name]
            self.wants[name] = ssrcs
            end.take(end.core.subscriptions.subscribe(name, ssrcs, self.both.now))
            self.both.cross()
            self.take()

    @precondition(lambda self: any(self.streams.values()))
    @rule(data=st.data(), step=st.integers(-3, 5), tick=st.booleans())
    def send(self, data: st.DataObject, step: int, tick: bool) -> None:
        name, ssrc = data.draw(st.sampled_from([(p, s) for p, own in self.streams.items() for s in own]))
        number = self.numbers[ssrc] = max(0, self.numbers[ssrc] + step)
        if number in self.opened[name, ssrc]:
            return
        self.opened[name, ssrc].add(number)
        self.both.send(self.ends[name], name, self.streams[name][ssrc], number)
        if tick:
            self.both.tick()
        self.take()

    @rule(name=st.sampled_from(MEMBERS), ssrc=SSRCS)
    def ask(self, name: str, ssrc: int) -> None:
        if name in self.ends:
            end = self.ends[name]
            end.take(end.core.hear(name, rtcp.KeyFrameRequest(ssrc), now=self.both.now))
            self.both.cross()
            self.take()

    @rule(seconds=st.sampled_from([0.02, 0.3, 1.5]))
    def wait(self, seconds: float) -> None:
        self.both.tick(seconds, seconds / 2)
        self.take()

    @rule()
    def cut_or_mend_the_link(self) -> None:
        self.both.joined = not self.both.joined

    @rule(right=st.booleans())
    def die(self, right: bool) -> None:
        """A worker ends: its members are lost, the others stay, and its successor is told about them."""
        end = self.both.right if right else self.both.left
        other = self.both.other(end)
        for name in [name for name, at in self.ends.items() if at is end]:
            self.forget(name)
            other.take(other.core.bridges.leave(name, self.both.now))
        end.core, end.out, end.effects = Core(MediaLimits(retired_ssrcs=3)), [], []
        for name, at in self.ends.items():
            if at is other:
                streams = list(self.streams[name].values())
                end.core.bridges.join(ROOM, BRIDGE, name, streams, self.both.now)
        self.both.tick()
        self.take()

    @invariant()
    def both_cores_know_who_is_where(self) -> None:
        for name, end in self.ends.items():
            for ssrc in self.streams[name]:
                track = end.core.subscriptions.find(name, ssrc)
                assert track is not None
                due = self.due(name, ssrc)
                assert set(track.receivers) == {other for other in due if self.ends[other] is end}
                remote = self.both.other(end).core.bridges.find(BRIDGE, ssrc)
                if remote is not None and remote.owner == name:
                    there = {other for other in due if self.ends[other] is not end}
                    assert set(remote.receivers) == there


AnyOrderOnTwoCores.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


TestAnyOrderOnTwoCores = AnyOrderOnTwoCores.TestCase
