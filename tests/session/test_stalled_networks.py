"""A network that cuts connections, and lets some new ones stall, is not taken for the server's act.

A lost SYN is sent again 1 s, 3 s and 7 s after the first. Both clients give a connection up after 5 s,
and then ask the server over HTTP whether it is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.monitor.drop import EXCUSES, STALLS
from snugroom.lab.simulation.servers import CONNECT_TIME
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire.messages import Closing, Refused, RoomDoor, decode_client, encode
from tests.session.seeds import seeds

#: The words about a server that keeps us out, as a fact or at least as a reproach.
FACTS = {
    f"dropped.{what}" for what in ("serves", "refuses", "restarted", "unprobed", "contradicts", "forgotten")
}
#: Seconds within which a server that lets connections to the room stall is told of.
BOUND = 75.0


class Stalling(World):
    """`share` of all new connections stall; those that `stalls` names as well, always, for `CONNECT_TIME`."""

    def __init__(self, seed: int, share: float = 0.0, **more: object) -> None:
        super().__init__(seed, **more)  # type: ignore[arg-type]  # those of World
        self.share = share
        self.stalls: Callable[[Participant, ev.Endpoint], bool] = lambda who, endpoint: False

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        if self.stalls(who, endpoint):
            self._after(CONNECT_TIME, lambda: self._lose(who, endpoint, True))
        elif self.random.random() >= self.share:
            super()._connect(who, endpoint)
        elif (stall := self.random.choice((1.0, 3.0, 7.0))) < CONNECT_TIME:
            self._after(stall, lambda: super(Stalling, self)._connect(who, endpoint))
        else:
            answered = self.random.random() >= self.share
            self._after(CONNECT_TIME, lambda: self._lose(who, endpoint, answered))

    def _lose(self, who: Participant, endpoint: ev.Endpoint, answered: bool) -> None:
        if who.alive and endpoint not in who.links:
            self._feed(who, ev.Lost(endpoint, "no answer", answered))


def said(who: Participant) -> list[str]:
    """The keys of what was said of the server, beginning with `dropped`."""
    texts = [a.text for a in who.of(ev.Alarm) if a.kind == "dropped"]
    whats = [text.args.get("what") for text in texts if isinstance(text, Sentence)]
    return [what.key for what in whats if isinstance(what, Sentence)]


def meeting(w: World, *names: str) -> list[Participant]:
    people = w.meeting(*names)
    w.until(lambda: all(p.room.is_synced(w.now) for p in people))
    w.run(2)
    return people


def cut_now_and_then(w: World, people: list[Participant], cuts: int) -> None:
    for _ in range(cuts):
        for who in people:
            for link in list(who.links.values()):
                w.cut(link)
        w.run(w.random.uniform(20.0, 40.0))


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("seed", seeds(range(6)))
def test_an_honest_server_behind_a_network_that_stalls_is_not_accused(seed: int, share: float) -> None:
    w = Stalling(7100 + seed)
    people = meeting(w, "Ada", "Bo")
    w.share = share
    cut_now_and_then(w, people, 7)
    w.share = 0.0
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 30)
    told = Counter(key for who in people for key in said(who))
    assert not told.keys() & FACTS, told
    assert all(who.ended is None for who in people)


def test_a_server_that_lets_the_room_stall_and_serves_others_is_told_of_with_both_causes() -> None:
    w = Stalling(7200)
    _, bo = meeting(w, "Ada", "Bo")
    w.stalls = lambda who, endpoint: who is bo and endpoint == ev.ROOM
    w.cut(bo.links[ev.ROOM])
    took = w.until(lambda: said(bo) != [], BOUND)
    assert took > 20, "some connections fail on any network"
    assert said(bo) == ["dropped.unclear"]
    (alarm,) = [a.text for a in bo.of(ev.Alarm) if a.kind == "dropped"]
    assert f"{STALLS} connections" in alarm
    assert "Either the server keeps you out, or the network" in alarm
    w.run(90)
    assert said(bo) == ["dropped.unclear"], "once"
    assert bo.ended is None, "nothing shows that the server ends it: it is tried again"
    w.stalls = lambda who, endpoint: False
    w.until(lambda: bo.room.is_synced(w.now), 20)


def test_a_stall_of_everything_is_told_as_a_server_out_of_reach() -> None:
    w = Stalling(7201)
    _, bo = meeting(w, "Ada", "Bo")

    def nothing(who: Participant, endpoint: ev.Endpoint) -> None:
        w._after(CONNECT_TIME, lambda: w._lose(who, endpoint, False))

    w._connect = nothing  # type: ignore[method-assign]
    w.cut(bo.links[ev.ROOM])
    w.run(100)
    assert said(bo) == []
    away = [s.text.key for s in bo.of(ev.Status) if s.kind == "away" and isinstance(s.text, Sentence)]
    assert away[-1:] == ["status.away.unreachable"]


class Refusing(World):
    """Ends each connection to the room of `victims` with `last`, and a close frame after it, or `without`."""

    last: Closing | Refused | None = None
    without = False
    victims: tuple[Participant, ...] = ()

    def _ascend(self, link: Link, frame: bytes) -> None:
        if (
            link.who in self.victims
            and isinstance(decode_client(frame), RoomDoor)
            and link.endpoint == ev.ROOM
        ):
            if self.last is not None:
                self._deliver(link, encode(self.last))
            self._at(max(link.last_down, self.now), lambda: self.cut(link, by_server=not self.without))
            return
        super()._ascend(link, frame)


@pytest.mark.parametrize("code", sorted(EXCUSES - {"full", "permission"}))
def test_a_reason_that_a_network_or_a_crowd_can_give_a_server_accuses_it_of_nothing(code: str) -> None:
    """Such as no door message in time, where the network loses what we send and not what we get."""
    w = Refusing(7304)
    _, bo = meeting(w, "Ada", "Bo")
    w.victims, w.last = (bo,), Refused(code, "as an honest server says it", "room_door", fatal=True)
    w.cut(bo.links[ev.ROOM])
    w.run(8)
    assert said(bo) == []
    w.run(60)
    assert said(bo) == ["dropped.unclear"], "and in the end, both causes"


@pytest.mark.parametrize(
    "last",
    [
        None,
        Closing("removed", "by the host"),
        Refused("door", "the signature is wrong", "room_door", fatal=True),
    ],
)
def test_a_refusal_that_only_the_server_can_make_is_told_as_a_fact(last: Closing | Refused | None) -> None:
    w = Refusing(7400)
    _, bo = meeting(w, "Ada", "Bo")
    w.victims, w.last, w.without = (bo,), last, last is not None
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: said(bo) == ["dropped.serves"], 10)
