"""No word is lost in silence: what did not come is counted, and told with the names of its authors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.words import AGAIN, COUNTED_MAX, GRACE
from snugroom.lab.simulation.liars import Liar
from snugroom.lab.simulation.patches import Patches
from snugroom.lab.simulation.servers import OTHERS, Servers
from snugroom.lab.simulation.world import ORIGIN, Participant, World, heal
from tests.session.test_places import moving, talk
from tests.session.test_recovery import come_back


def missed(who: Participant) -> list[str]:
    """Return the lines that told somebody of words that did not come."""
    return [str(e.text) for e in who.of(ev.Alarm) if e.kind == "missed"]


def cut_off(w: Servers, who: Participant) -> None:
    w.unreachable |= {(who.label, origin) for origin in (ORIGIN, *OTHERS)}
    for link in list(who.links.values()):
        w.cut(link)


def say(w: World, whos: Sequence[Participant], times: int) -> None:
    for n in range(times):
        for who in whos:
            w.do(who, ev.Say(f"{who.label} {n} of {w.now:.0f}"))
            w.run(0.5)


def move(w: Servers, host: Participant) -> None:
    """The keys change, so that nothing is sent again; all go on elsewhere, and the first server dies."""
    heal(w, host)
    w.run(2)
    w.do(host, ev.Move())
    w.run(5)
    w.fails(ORIGIN)


def away_over_a_move(seed: int, *names: str) -> tuple[Servers, list[Participant]]:
    """The last of these is cut off, the others go on at the next server, and the last can come back."""
    w, people = moving(seed, *names)
    *others, last = people
    w.run(10)
    cut_off(w, last)
    say(w, others, 3)
    move(w, people[0])
    w.unreachable.clear()
    return w, people


def test_a_member_that_was_away_over_a_move_is_told_how_many_words_it_missed_from_whom() -> None:
    w, (ada, bo, cem) = away_over_a_move(4100, "Ada", "Bo", "Cem")
    w.until(lambda: bool(missed(cem)), 60, "it is told")
    assert missed(cem) == [
        "6 messages of the chat were said while your program was elsewhere, and have not come: "
        "3 from “Ada” and 3 from “Bo”. Ask what you missed."
    ]
    w.run(2 * AGAIN)
    assert len(missed(cem)) == 1, "once"
    assert missed(ada) == missed(bo) == []
    talk(w, ada, [bo, cem], "and on")
    w.run(30)
    assert len(missed(cem)) == 1


def test_nobody_is_told_of_words_that_came() -> None:
    w, people = moving(4101, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    say(w, people, 2)
    cut_off(w, cem)
    say(w, (ada, bo), 3)
    w.unreachable.clear()
    w.run(20)
    w.do(ada, ev.Move())
    say(w, people, 3)
    w.run(30)
    w.fails(OTHERS[0])
    say(w, people, 3)
    w.run(60)
    for who in people:
        others = {each for p in people for each in p.said if each[0] != who.label}
        assert others == {each for each in who.said if each[0] != who.label}
        assert missed(who) == []


def test_a_newcomer_is_not_told_of_words_from_before_it_came() -> None:
    w = World(4102)
    ada, bo = w.meeting("Ada", "Bo")
    say(w, (ada, bo), 3)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(30)
    say(w, (ada, bo, cem), 2)
    w.run(30)
    assert [missed(who) for who in (ada, bo, cem)] == [[], [], []]


def test_the_words_of_a_member_that_came_later_are_counted_from_its_first() -> None:
    w, people = moving(4103, "Ada", "Bo", "Cem")
    cem = people[2]
    dana = w.guest(w.link_of(people[0]), "Dana")
    w.until(lambda: "Dana" in cem.roster)
    cut_off(w, cem)  # it has heard nothing of Dana
    w.until(lambda: dana.session.inside, 10)
    w.run(5)
    say(w, (dana,), 2)
    move(w, people[0])
    w.unreachable.clear()
    w.until(lambda: bool(missed(cem)), 60, "it is told")
    assert "2 from “Dana”" in missed(cem)[0]


def test_a_false_count_is_told_once_a_minute_and_bounded() -> None:
    w = World(4104)
    people = w.meeting("Ada", "Bo", "Cem")
    bo, cem = people[1:]
    w.run(10)
    with Patches() as patches:
        lies = iter(range(10**7, 10**9, 5000))
        Liar(patches, w, bo).lie = lambda beat: replace(beat, words=next(lies))
        w.run(GRACE + 10)
        assert len(missed(cem)) == 1
        assert f"{COUNTED_MAX} from “Bo”" in missed(cem)[0]
        w.run(AGAIN - 20)
        assert len(missed(cem)) == 1
    talk(w, cem, [people[0]], "and nobody else waits for them")


def test_a_host_that_is_back_by_its_file_reads_what_waited_for_it() -> None:
    w = World(4105)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem", strict=True)
    kept = ada.session.kept()
    assert kept is not None
    w.kill(ada)
    w.run(16)  # nobody confirms for the host: words wait
    w.do(bo, ev.Say("for Ada"))
    w.run(5)
    assert bo.of(ev.Held)[-1].messages[0].text == "for Ada"
    back = come_back(w, kept)
    w.until(lambda: w.agreed([back, bo, cem]), 60)
    w.run(10)
    assert ("Bo", "for Ada") in back.said
    assert ("Bo", "for Ada") in cem.said
    assert bo.of(ev.Held)[-1].messages == ()
    (away,) = [e.text for e in back.of(ev.Alarm) if e.kind == "missed"]
    assert away.startswith("Messages may have been said in the chat while your program was away")
    assert not any("came in after" in str(message.why) for e in bo.of(ev.Held) for message in e.messages)


def test_words_are_counted_on_after_a_rejoin() -> None:
    w, (ada, bo, cem) = moving(4106, "Ada", "Bo", "Cem")
    say(w, (ada, bo), 3)
    w.run(10)
    for n, who in enumerate((bo, cem), 1):
        who.room.needs_rejoin = True
        w.until(lambda n=n: sum(e.rejoined for e in ada.of(ev.Roster)) == n, 60)  # type: ignore[misc]
        w.until(lambda: w.agreed([ada, bo, cem]), 60)
    say(w, (ada, bo), 1)
    w.run(30)
    assert [missed(who) for who in (ada, bo, cem)] == [[], [], []]
    cut_off(w, cem)
    say(w, (bo,), 2)
    move(w, ada)
    w.unreachable.clear()
    w.until(lambda: bool(missed(cem)), 60, "it is told")
    assert "2 from “Bo”" in missed(cem)[0]


def test_words_that_a_member_missed_before_it_fell_out_of_step_are_told_after_its_rejoin() -> None:
    w, (ada, bo, cem) = moving(4107, "Ada", "Bo", "Cem")
    say(w, (ada, bo), 1)
    w.run(10)
    cut_off(w, cem)
    say(w, (ada, bo), 2)
    move(w, ada)
    cem.room.needs_rejoin = True
    w.unreachable.clear()
    w.until(lambda: w.agreed([ada, bo, cem]) and cem.session.inside, 60)
    w.until(lambda: bool(missed(cem)), 60, "it is told")
    assert "2 from “Ada” and 2 from “Bo”" in missed(cem)[-1]
