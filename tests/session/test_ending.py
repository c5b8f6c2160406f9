"""A host ends the meeting: all hear of it, even if something else happens at the same moment."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire


@pytest.mark.parametrize("seed", range(8))
def test_an_end_that_races_with_a_commit_is_heard_by_all(seed: int) -> None:
    w = World(500 + seed, latency=0.2)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(2)
    people[1].room.queue(HealIntent(people[1].epoch), w.now)
    w.run(0.02 * seed)
    w.do(people[0], ev.EndMeeting())
    w.until(lambda: all(p.ended is not None for p in people), 5)
    assert [p.ended.text for p in people if p.ended] == ["You ended the meeting."] + 2 * [
        "\u201cAda\u201d ended the meeting."
    ]
    assert not any("false_end" in p.alarms for p in people)


def test_an_end_that_is_said_while_the_connection_is_broken() -> None:
    w = World(510)
    people = w.meeting("Ada", "Bo")
    w.run(2)
    w.cut(people[0].links[ev.ROOM])
    w.do(people[0], ev.EndMeeting())
    w.until(lambda: all(p.ended is not None for p in people), 5)
    assert people[1].ended is not None
    assert people[1].ended.reason == "ended"


def test_a_server_that_keeps_the_end_to_itself_does_not_keep_the_host() -> None:
    w = World(511)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(2)
    w.down_filter = lambda who, message: not isinstance(message, wire.Relayed)
    w.do(ada, ev.EndMeeting())
    w.until(lambda: ada.ended is not None, 8)
    assert ada.ended is not None
    assert ada.ended.text == sentence("room.ended_unheard")
    assert bo.ended is None


def test_a_member_who_is_no_host_cannot_end_the_meeting_and_is_named() -> None:
    w = World(512)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    with pytest.raises(ValueError, match="only a host"):
        w.do(bo, ev.EndMeeting())
    bo.room.relay(content.End(bo.room.membership.journal.chain))
    w.run(1)
    for other in (ada, cem):
        assert other.ended is None
        assert ["Bo" in e.text for e in told(other)] == [True]


def test_an_end_of_another_history_ends_nothing() -> None:
    w = World(513)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(1)
    ada.room.relay(content.End(bytes(32)))
    w.run(1)
    assert bo.ended is None
    assert len(told(bo)) == 1


def told(who: Participant) -> list[ev.Alarm]:
    return [e for e in who.told if isinstance(e, ev.Alarm) and e.kind == "false_end"]
