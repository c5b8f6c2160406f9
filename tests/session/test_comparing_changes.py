"""After a comparison, members hear of later changes; a comparison counts for the code that was shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.features.comparing import PHASE
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.lab.simulation.world import Participant, World
from tests.session.comparing import (
    codes,
    compared,
    comparisons,
    have_code,
    keeps_back,
    new_since,
    ours,
    part,
    same,
    texts,
)


@pytest.mark.parametrize(
    "how", [None, lambda w, who: w.do(who, ev.Compared(True, ""))], ids=["words", "digits"]
)
def test_a_member_who_compared_hears_of_later_changes_and_their_authors(
    how: Callable[[World, Participant], None] | None,
) -> None:
    w = World(66)
    if how is not None:
        people = w.meeting("Ada", "Bo", "Cem")
        w.run(11)
        how(w, people[0])
    else:
        people = compared(w, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    first = comparisons(ada)[-1]
    assert (first.same, first.changes, new_since(ada)) == (True, (), [])
    assert first.how == ("short" if how is None else "digits")
    assert not comparisons(bo), "Bo has not said anything yet"
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]))
    told = comparisons(ada)[-1]
    assert told.changes == ("\u201cDana\u201d came in (let in by \u201cAda\u201d, the shared link)",)
    assert told.news
    assert new_since(ada) == ["Dana"]
    assert told.text.startswith(
        "Since you compared codes: \u201cDana\u201d came in (let in by \u201cAda\u201d, the shared link). "
        "You have "
    )
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None)
    w.do(bo, ev.Remove(2))
    w.until(lambda: w.agreed([ada, bo, dana]))
    w.do(dana, ev.Leave())
    w.until(lambda: w.agreed([ada, bo]))
    told = comparisons(ada)[-1]
    assert told.changes[1:] == (
        "\u201cAda\u201d made \u201cBo\u201d a host",
        "\u201cCem\u201d was removed by \u201cBo\u201d",
        "\u201cDana\u201d left",
    )
    assert new_since(ada) == []
    assert told.compared == first.epoch < told.epoch


def test_an_epoch_without_joins_or_leaves_is_no_news() -> None:
    w = World(67)
    ada, bo = compared(w, "Ada", "Bo")
    bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)
    before = len(comparisons(ada))
    epoch = ada.epoch
    w.until(lambda: ada.epoch == epoch + 1, 5)
    assert len(comparisons(ada)) == before + 1
    told = comparisons(ada)[-1]
    assert (told.news, told.changes, told.text) == (
        False,
        (),
        "Since you compared codes, nobody has come in or left.",
    )


def test_a_member_who_rejoins_is_not_new_and_remembers() -> None:
    w = World(68)
    ada, bo, cem = people = compared(w, "Ada", "Bo", "Cem")
    same(w, bo)
    code = codes(bo)[-1]
    bo.room.needs_rejoin = True
    w.until(lambda: any(isinstance(e, ev.Roster) and e.rejoined for e in ada.told), 20)
    w.until(lambda: w.agreed(people), 10)
    assert new_since(ada) == []
    assert comparisons(ada)[-1].changes == ()
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]))
    assert new_since(bo) == ["Dana"], "Bo's program has kept what Bo compared"
    assert comparisons(bo)[-1].compared == code.epoch
    assert cem.ended is None


def test_a_member_who_joined_during_a_rejoin_is_new() -> None:
    w = World(69)
    ada, bo = people = compared(w, "Ada", "Bo")
    same(w, bo)
    w.down_filter = lambda who, message: who is not bo
    w.cut(bo.links[ev.ROOM])
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: "Dana" in ada.roster)
    bo.room.needs_rejoin = True
    w.down_filter = lambda who, message: True
    for link in list(bo.links.values()):
        w.cut(link)
    w.until(lambda: w.agreed([*people, dana]), 30)
    assert new_since(bo) == ["Dana"]
    assert comparisons(bo)[-1].changes == ("\u201cDana\u201d came in while you were out of step",)


def test_another_key_under_the_same_name_is_new() -> None:
    w = World(70)
    ada, bo = compared(w, "Ada", "Bo")
    w.do(bo, ev.Leave())
    w.until(lambda: ada.roster == ["Ada"], 5)
    other = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, other]))
    assert new_since(ada) == ["Bo"]


def test_different_codes_raise_an_alarm() -> None:
    w = World(71)
    ada, bo = people = compared(w, "Ada", "Bo")
    w.do(ada, ev.Compared(False))
    assert sentences.alarm("code_different") in ada.told
    told = comparisons(ada)[-1]
    assert (told.same, new_since(ada)) == (False, ["Ada", "Bo"])
    assert not ours(bo)
    dana = w.guest(w.link_of(ada), "Dana")
    before = len(comparisons(ada))
    w.until(lambda: w.agreed([*people, dana]))
    assert len(comparisons(ada)) == before, "there is nothing that changes could be told since"


def test_a_late_comparison_counts_for_the_members_of_its_code() -> None:
    w = World(72)
    ada, bo = people = w.meeting("Ada", "Bo")
    w.do(ada, ev.Compare())
    have_code(w, people)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]))
    same(w, bo)
    assert new_since(bo) == ["Dana"]
    assert comparisons(bo)[-1].changes == (
        "\u201cDana\u201d came in (let in by \u201cAda\u201d, the shared link)",
    )


def test_a_newer_code_is_not_compared_in_place_of_an_older_one() -> None:
    w = World(73)
    ada, bo = people = w.meeting("Ada", "Bo")
    w.do(ada, ev.Compare())
    have_code(w, people)
    w.run(10.5)
    w.do(bo, ev.Compare())
    w.until(lambda: len(codes(ada)) == 2, 20)
    with pytest.raises(ValueError, match="a new code"):
        w.do(ada, ev.Compared(True))
    w.run(3)
    w.do(ada, ev.Compared(True))
    assert comparisons(ada)[-1].same


def test_a_comparison_of_digits_names_the_digits_that_were_read() -> None:
    w = World(74)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(15)
    old = ada.code
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    with pytest.raises(ValueError, match="just come in"):
        w.do(ada, ev.Compared(True, ""))
    for nonsense in ("4", old[:9], "abcdefghij", "\u0661" * 10, "0" * 41):
        with pytest.raises(ValueError, match="digits"):
            w.do(ada, ev.Compared(True, nonsense))
    w.do(ada, ev.Compared(True, f"{old[:5]} {old[5:10]}"))
    assert new_since(ada) == ["Cem"]
    w.run(12)
    w.do(ada, ev.Compared(True, ""))
    assert new_since(ada) == []
    w.do(cem, ev.Compared(True, cem.code))
    assert new_since(cem) == []


def test_the_first_ten_digits_do_not_identify_a_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(78)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(15)
    read_out = ada.code
    made = read_out[:12] + ("0" if read_out[12] != "0" else "1") * 28
    monkeypatch.setattr("snugroom.client.session.kernel.membership.long_code", lambda *_: made)
    ghost = w.guest(w.link_of(ada), "Ghost")
    w.until(lambda: "Ghost" in ada.roster)
    with pytest.raises(ValueError, match="two recent codes"):
        w.do(ada, ev.Compared(True, read_out[:10]))
    w.do(ada, ev.Compared(True, read_out[:15]))
    assert new_since(ada) == ["Ghost"]
    assert ghost.ended is None
    assert bo.ended is None


def test_a_forced_rejoin_does_not_hide_an_aborted_run() -> None:
    """Mallory, a host, knows the code; the server makes Bo fall out of step; she lets Bo in anew at once."""
    w = World(79)
    mallory, ada, bo = w.meeting("Mallory", "Ada", "Bo")
    keeps_back(mallory, content.CodeReveal)
    part(mallory).holds_commits = lambda now: False  # type: ignore[method-assign]
    w.do(bo, ev.Compare())
    w.until(lambda: all((r := part(p)._running) is not None and r.out for p in (ada, bo)), 5)
    old = bo.room
    bo.room.needs_rejoin = True
    w.until(lambda: bo.room is not old, PHASE - 2)
    w.run(1)
    for p in (ada, bo):
        assert ours(p) == ["code_aborted"]
        assert "\u201cMallory\u201d did not show" in texts(p, "code_aborted")[0]


def test_a_requester_who_rejoins_hears_that_there_is_no_code() -> None:
    w = World(80)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    keeps_back(cem, content.CodeCommit)
    part(ada).holds_commits = lambda now: False  # type: ignore[method-assign]
    w.do(bo, ev.Compare())
    w.until(lambda: part(ada)._running is not None, 5)
    old = bo.room
    bo.room.needs_rejoin = True
    w.until(lambda: bo.room is not old, PHASE - 2)
    w.run(3)
    assert len(texts(bo, "no_code")) == 1
    assert ours(ada) == ours(bo) == []


def test_codes_can_be_shown_again() -> None:
    w = World(75)
    ada, bo = people = w.meeting("Ada", "Bo")
    w.do(ada, ev.ShowCode())
    assert not codes(ada)
    w.do(ada, ev.Compare())
    have_code(w, people)
    same(w, ada)
    bo.told.clear()
    before = len(ada.told)
    w.do(ada, ev.ShowCode())
    again = ada.told[before:]
    assert [type(e) for e in again] == [ev.Code, ev.ShortCode, ev.Comparison]
    assert again[1] == codes(ada)[0]
    assert isinstance(again[2], ev.Comparison)
    assert again[2].news, "who asks is told"
    assert not bo.told


def test_what_is_remembered_is_bounded() -> None:
    w = World(76)
    ada, bo = compared(w, "Ada", "Bo")
    memory = part(ada)._compared
    for i in range(1000):
        memory._changes.append((ada.epoch + 1, f"change {i}"))
    for _ in range(30):
        bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)
        epoch = ada.epoch
        w.until(lambda: min(ada.epoch, bo.epoch) > epoch, 5)
    assert len(memory._changes) == 200
    assert len(memory._digits) == 16
