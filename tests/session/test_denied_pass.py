"""A server that acknowledges a member's pass, and then denies that it was shown (protocol section 5)."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import Refused, decode_client, encode
from tests.session.test_ahead import MEDIA

#: The most passes that a member shows in ten seconds.
SHOWN_MAX = 30


class Denying(World):
    """The first server takes every pass, and refuses messages of one type for want of a pass.

    `denies`: that type. `labels`: whose. `passes`: those that these members have shown there.
    """

    denies: type[wire.Relay | wire.Media | wire.Commit] | None = None
    labels: frozenset[str] = frozenset()
    passes = 0

    def _arrive(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if link.who.label not in self.labels or link.endpoint != ev.ROOM or link.hub is not self.hub:
            super()._arrive(link, frame)
            return
        self.passes += isinstance(message, wire.Show)
        if self.denies is not None and isinstance(message, self.denies):
            about = str(self.denies.__struct_config__.tag)
            self._deliver(link, encode(Refused("pass", "show the pass of the current slot first", about)))
            return
        super()._arrive(link, frame)


class DenyingServers(Denying, Servers):
    """The same, where the meeting can go on elsewhere."""


def meeting(w: World, *names: str) -> list[Participant]:
    people = w.meeting(*names)
    w.until(lambda: all(p.room.is_synced(w.now) for p in people))
    return people


def lines(who: Participant) -> list[str]:
    return [each.cause for each in who.incidents.open]


@pytest.mark.parametrize("what", [wire.Relay, wire.Media])
def test_a_pass_that_is_taken_and_denied_is_not_shown_without_end(
    what: type[wire.Relay | wire.Media],
) -> None:
    w = Denying(7601)
    ada, bo = meeting(w, "Ada", "Bo")
    w.denies, w.labels = what, frozenset({"Bo"})
    w.do(bo, ev.Say("Does this come through?") if what is wire.Relay else MEDIA)
    w.run(10)
    assert 1 < w.passes < SHOWN_MAX
    assert {*lines(bo)} & {"server", "dropped"}
    w.run(20)
    assert lines(bo) == ["dropped"], "one line for one cause, and evidence"
    (away,) = [s.text for s in bo.of(ev.Status) if s.kind == "away"]
    assert "denies" in away
    assert [s for s in bo.of(ev.Status) if s.kind == "back"] == [], "it denies still"
    w.denies = None
    w.until(lambda: ("Bo", "Does this come through?") in ada.said or what is wire.Media, 30)
    w.until(lambda: lines(bo) == [], 30)
    passes = w.passes
    w.run(20)
    assert w.passes == passes


def test_a_commit_that_a_server_wants_and_denies_is_not_handed_over_without_end() -> None:
    w = Denying(7602)
    people = meeting(w, "Ada", "Bo")
    w.denies, w.labels = wire.Commit, frozenset({"Ada", "Bo"})
    w.kill_server()
    w.run(1)
    w.start_server()
    w.passes = 0
    w.run(10)
    assert 1 < w.passes < 2 * SHOWN_MAX
    w.denies = None
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 40)


def test_who_is_denied_looks_at_the_next_server() -> None:
    w = DenyingServers(7603)
    ada, bo = meeting(w, "Ada", "Bo")
    listed(w, ada, *OTHERS)
    w.denies, w.labels = wire.Relay, frozenset({"Ada", "Bo"})
    w.do(bo, ev.Say("Does this come through?"))
    w.do(ada, ev.Say("Nor this?"))
    w.until(lambda: ("Bo", "Does this come through?") in ada.said, 10)
    assert w.at(OTHERS[0]) == {"Ada", "Bo"}
