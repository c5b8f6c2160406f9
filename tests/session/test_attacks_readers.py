"""The server has a member write for somebody who was removed, or who came in later: messages wait."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.forked import HEARTBEAT_ALARMS, Forked, held, texts
from tests.session.seeds import seeds

# -- everything that is encrypted for the room obeys freshness ---------------------------------------------


def withheld_removal(w: Forked) -> tuple[Participant, Participant, Participant]:
    """Ada removes Mallory; the server keeps that, and all that Ada says, from Bo, in a strict meeting."""
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory", strict=True)
    w.run(6)
    w.fork([bo, mallory])
    w.do(ada, ev.Remove(2))
    w.until(lambda: ada.roster == ["Ada", "Bo"], 5)
    return ada, bo, mallory


def test_what_a_member_writes_waits_when_a_removal_is_withheld_from_it() -> None:
    w = Forked(920)
    _, bo, mallory = withheld_removal(w)
    took = w.until(lambda: "stale" in bo.alarms, 20, "Bo is told why")
    assert took < 16
    assert "hears no host" in texts(bo, "stale")[0]
    w.run(15.5 - took)
    for act in (
        ev.Say("Mallory is gone, is she?"),
        ev.SendImage("", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\4\0\0\0\4" + bytes(64)),
        ev.SendFile("", "plans.txt", "text/plain", b"plans"),
    ):
        w.do(bo, act)
    took = w.until(lambda: len(held(bo)) == 3, 5)
    assert took < 4
    w.run(20)
    assert mallory.said == []
    assert not [e for e in mallory.told if isinstance(e, ev.Image | ev.FileOffered | ev.FileDone)]
    assert held(bo)[0] == "Mallory is gone, is she?"
    w.do(bo, ev.SendHeld())
    w.until(lambda: mallory.said == [("Bo", "Mallory is gone, is she?")], 5, "it is Bo's to decide")


def test_a_file_that_is_under_way_waits_too() -> None:
    w = Forked(921)
    _, bo, mallory = withheld_removal(w)
    w.run(3)
    w.do(bo, ev.SendFile("", "plans.txt", "text/plain", bytes(61_440 * 130)))
    w.run(30)
    assert mallory.of(ev.FileOffered) != []
    assert mallory.of(ev.FileDone) == []


def test_no_code_is_made_with_members_who_may_be_gone() -> None:
    w = Forked(922)
    _, bo, mallory = withheld_removal(w)
    w.run(20)
    with pytest.raises(ValueError, match="paused for safety"):
        w.do(bo, ev.Compare())
    w.do(mallory, ev.Override())
    w.do(mallory, ev.Compare())
    w.run(12)
    assert bo.of(ev.ShortCode) == mallory.of(ev.ShortCode) == []


def test_held_messages_go_out_when_freshness_is_back() -> None:
    w = World(923)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Broadcasted))
    w.run(20)
    w.do(bo, ev.Say("does anybody hear me?"))
    w.until(lambda: held(bo) != [], 5)
    assert bo.of(ev.Held)[-1].messages[0].why
    w.run(20)
    assert ada.said == cem.said == []
    w.down_filter = lambda who, message: True
    w.until(lambda: ada.said == cem.said == [("Bo", "does anybody hear me?")], 20)
    w.until(lambda: held(bo) == [], 1)


# -- nobody reads messages from before they joined ----------------------------------------------------------


def test_a_withheld_echo_gives_a_newcomer_no_old_message() -> None:
    w = World(930)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(2)
    w.down_filter = lambda who, message: not (who is ada and isinstance(message, wire.Relayed))
    w.do(ada, ev.Say("before Cem came"))
    w.until(lambda: bo.said == [("Ada", "before Cem came")], 5)
    w.down_filter = lambda who, message: True
    w.run(20)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]), 10)
    w.cut(ada.links[ev.ROOM])
    w.until(lambda: held(ada) == ["before Cem came"], 20, "Ada is asked")
    w.run(30)
    assert cem.said == []
    assert "Cem" in ada.of(ev.Held)[-1].messages[0].why
    w.do(ada, ev.SendHeld())
    w.until(lambda: cem.said == [("Ada", "before Cem came")], 5, "it is Ada's to decide")
    assert bo.said == [("Ada", "before Cem came")], "and shown once"


def test_an_old_message_goes_out_again_to_those_who_were_there() -> None:
    w = World(931)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(2)
    w.down_filter = lambda who, message: not isinstance(message, wire.Relayed)
    w.do(ada, ev.Say("lost on the way"))
    w.run(2)
    w.down_filter = lambda who, message: True
    w.do(cem, ev.Leave())
    w.until(lambda: w.agreed([ada, bo]), 10)
    w.cut(ada.links[ev.ROOM])
    w.until(lambda: bo.said == [("Ada", "lost on the way")], 20)
    assert ada.of(ev.Held) == []


def test_honest_trouble_holds_nothing_for_long() -> None:
    for seed in seeds((2, 7)):  # with others, the server dies with a commit that one member alone has
        w = World(940 + seed, latency=0.1)
        people = w.meeting("Ada", "Bo", "Cem")
        for i in range(6):
            w.run(w.random.uniform(1, 6))
            if w.random.random() < 0.3:
                w.kill_server()
                w.run(w.random.uniform(0, 12))
                w.start_server()
            else:
                for who in w.random.sample(people, 2):
                    for link in list(who.links.values()):
                        w.cut(link)
            w.do(people[i % 3], ev.Say(f"word {i}"))
            if i == 3:
                w.do(people[0], ev.Lock(True))
        w.run(20)
        for who in people:
            assert not set(who.alarms) & (HEARTBEAT_ALARMS | {"pending", "unasked", "rejoining"}), who.alarms
            assert held(who) == []
            heard = {text for _, text in who.said} | {f"word {i}" for i in range(6) if people[i % 3] is who}
            assert heard == {f"word {i}" for i in range(6)}
