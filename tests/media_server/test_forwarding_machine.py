"""The forwarding core under random inputs, compared with rules that hold at any time."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from snugroom.server.sfu.core import SendRtp
from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import OTHER_ROOM, ROOM, Core

PEERS = ("ada", "bob", "eve", "zoe")


ROOMS = (ROOM, OTHER_ROOM)


class AnyOrder(RuleBasedStateMachine):
    """Against a model of who should receive what."""

    def __init__(self) -> None:
        super().__init__()
        self.core = Core(MediaLimits(retired_ssrcs=3, peers=3))
        self.now = 0.0
        self.rooms: dict[str, bytes] = {}
        self.streams: dict[str, dict[int, Stream]] = {}
        self.wants: dict[str, set[int] | None] = {}
        self.is_ready: set[str] = set()
        #: (receiver, ssrc) -> numbers that its present SRTP session has sealed: none may come twice
        self.sealed: dict[tuple[str, int], set[int]] = defaultdict(set)
        #: (publisher, ssrc) -> numbers of its present SRTP session: libsrtp lets each in once
        self.opened: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.numbers: dict[tuple[bytes, int], int] = defaultdict(int)

    def gone(self, peer: str) -> None:
        self.is_ready.discard(peer)
        for numbers in (self.sealed, self.opened):
            for key in [key for key in numbers if key[0] == peer]:
                del numbers[key]

    @rule(
        peer=st.sampled_from(PEERS),
        room=st.sampled_from(ROOMS),
        ssrcs=st.sets(st.integers(1, 6), max_size=3),
        kind=st.sampled_from(["audio", "video"]),
    )
    def join(self, peer: str, room: bytes, ssrcs: set[int], kind: str) -> None:
        streams = [Stream(ssrc=ssrc, kind=kind) for ssrc in ssrcs]  # type: ignore[arg-type]
        try:
            self.core.subscriptions.join(room, peer, streams, self.now)
        except MediaError:
            return
        assert self.rooms.setdefault(peer, room) == room
        self.streams[peer] = {s.ssrc: s for s in streams}
        self.wants.setdefault(peer, None)

    @rule(peer=st.sampled_from(PEERS))
    def leave(self, peer: str) -> None:
        self.core.subscriptions.leave(peer, self.now)
        self.gone(peer)
        for facts in (self.rooms, self.streams, self.wants):
            facts.pop(peer, None)

    @rule(peer=st.sampled_from(PEERS), ready=st.booleans())
    def ready(self, peer: str, ready: bool) -> None:
        self.core.subscriptions.ready(peer, ready, self.now, rekeyed=ready)
        self.gone(peer)
        if peer in self.rooms and ready:
            self.is_ready.add(peer)

    @rule(peer=st.sampled_from(PEERS), ssrcs=st.none() | st.sets(st.integers(1, 6)))
    def subscribe(self, peer: str, ssrcs: set[int] | None) -> None:
        self.core.subscriptions.subscribe(peer, ssrcs, self.now)
        if peer in self.rooms:
            self.wants[peer] = ssrcs

    @precondition(lambda self: any(self.streams.values()))
    @rule(data=st.data(), step=st.integers(-3, 5))
    def send(self, data: st.DataObject, step: int) -> None:
        peer, ssrc = data.draw(st.sampled_from([(p, s) for p, own in self.streams.items() for s in own]))
        stream, key = self.streams[peer][ssrc], (self.rooms[peer], ssrc)
        number = self.numbers[key] = max(0, self.numbers[key] + step)
        if number in self.opened[peer, ssrc]:
            return
        self.opened[peer, ssrc].add(number)
        sent = self.core.send(number, self.now, stream=stream, peer=peer)
        due = {
            other
            for other in self.is_ready
            if other != peer
            and self.rooms[other] == self.rooms[peer]
            and (self.wants[other] is None or ssrc in (self.wants[other] or ()))
        }
        assert set(sent.receivers) <= due
        for other in sent.receivers:
            assert number not in self.sealed[other, ssrc]
            self.sealed[other, ssrc].add(number)

    @rule(seconds=st.floats(0, 2))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for effect in self.core.tick(self.now):
            assert effect.to in self.rooms

    @rule(
        peer=st.sampled_from(PEERS),
        ssrc=st.integers(1, 6),
        sequences=st.lists(st.integers(0, 20), max_size=5),
    )
    def feedback(self, peer: str, ssrc: int, sequences: list[int]) -> None:
        items: list[rtcp.Item] = [rtcp.Nack(ssrc, tuple(sequences))]
        items += [rtcp.KeyFrameRequest(ssrc), rtcp.ReportBlock(ssrc, 30)]
        for effect in self.core.hear(peer, *items, now=self.now):
            room = self.rooms[peer]
            owner = next(p for p, own in self.streams.items() if ssrc in own and self.rooms[p] == room)
            assert effect.to == (peer if isinstance(effect, SendRtp) else owner)
            assert peer in self.is_ready

    @invariant()
    def everybody_is_where_they_should_be(self) -> None:
        for peer, own in self.streams.items():
            for ssrc in own:
                track = self.core.subscriptions.find(peer, ssrc)
                assert track is not None
                assert set(self.core.subscriptions.receivers(track)) == {
                    other
                    for other in self.is_ready
                    if other != peer
                    and self.rooms[other] == self.rooms[peer]
                    and (self.wants[other] is None or ssrc in (self.wants[other] or ()))
                }


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


TestAnyOrder = AnyOrder.TestCase
