"""One member claims changes that nobody has, comes in again, and claims more: it stops nobody for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.claims import ALONE, DOUBT, GONE_MAX, Claims
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.lab.simulation.liars import Liar, ahead, held_by, watch
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from tests.session.forked import Media, signed_by, texts

NAMES = ("Ada", "Bo", "Cem", "Dana")
#: A look at whether somebody may seal comes every 0.1 s, and each member sees a claim at another moment.
LOOKS = 0.3


def with_liar(patch: pytest.MonkeyPatch, seed: int, members: int) -> tuple[World, list[Participant], Liar]:
    w = World(seed)
    *honest, who = w.meeting(*NAMES[: members - 1], "Mallory")
    w.run(20)
    return w, honest, Liar(patch, w, who)


def test_whoever_lies_and_comes_in_again_and_lies_silences_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    w, honest, liar = with_liar(monkeypatch, 460, 4)
    liar.lie = ahead()
    silent: dict[str, float] = {}
    began = w.now
    while w.now - began < 90:
        liar.beat()
        watch(w, honest, 4.0, silent)
        assert liar.comes_in_again()
    assert liar.rejoins > 12
    for who in honest:
        assert 0 < silent[who.label] <= ALONE + LOOKS
        share = 1 - silent[who.label] / (w.now - began)
        assert share > 0.95
        (told,) = texts(who, "withheld")
        assert told.startswith("\u201cMallory\u201d reports that the meeting has moved on to change")
        assert "or \u201cMallory\u201d's program is wrong; a host can remove it" in told
    assert len(texts(honest[0], "double_beat")) == 0
    assert not any("rejoining" in who.alarms for who in honest)


def test_nor_does_it_gain_by_having_the_others_come_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that one member cannot read makes it rejoin: that it forgets nothing by that."""
    w, honest, liar = with_liar(monkeypatch, 461, 4)
    bo = honest[1]
    liar.lie = ahead()
    claimed = 0.0
    for _ in range(4):
        liar.beat()
        for _ in range(50):
            w.run(0.1)
            claimed += 0.1 * ("Mallory" in held_by(bo, w.now))
        before = bo.room
        before.give_up()
        w.until(lambda before=before: bo.room is not before and bo.room.speaks(w.now), 20)  # type: ignore[misc]
    assert 0 < claimed <= ALONE + LOOKS
    assert len(texts(bo, "withheld")) == 1
    in_step = "Your program is in step with the others again."
    assert {*texts(bo, "cleared")} == {in_step}, "no change has arrived, and the claim stands"


# -- and what still stops everybody ------------------------------------------------------------------------


def withheld_from(w: World, *victims: Participant) -> None:
    w.down_filter = lambda who, message: not (who in victims and isinstance(message, wire.Committed))


def test_an_eviction_that_is_withheld_stops_at_a_hosts_word_whoever_has_lied_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w, honest, liar = with_liar(monkeypatch, 463, 5)
    ada, bo, cem, dana = honest
    media = Media(w, [*honest, liar.who])
    liar.lie = ahead()
    liar.beat()
    w.run(30)
    assert held_by(bo, w.now) == ""

    def withhold(who: Participant, message: object) -> bool:
        """Bo hears of the change from the host alone."""
        if who is bo and isinstance(message, wire.Broadcasted):
            return signed_by(bo, message.blob) == 0
        return not (who in (bo, cem) and isinstance(message, wire.Committed))

    w.down_filter = withhold
    w.do(ada, ev.Remove(cem.session.own_leaf or 0))
    removed = w.now
    w.until(lambda: "Cem" not in dana.roster)
    w.until(lambda: "\u201cAda\u201d reports a change" in held_by(bo, w.now), 2)
    w.until(lambda: any("have signed that they have change" in text for text in texts(bo, "withheld")), 6)
    w.run(30)
    assert media.sealed_after(bo, removed + 1.5) == 0, "until it is let in again, and then without Cem"


def test_without_a_host_two_members_stop_us_and_one_does_for_a_moment() -> None:
    w = World(464)
    ada, bo, cem, dana, eve = people = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve")
    w.run(20)
    w.kill(ada)  # its confirmation holds for 15 s
    withheld_from(w, bo)
    heal(w, cem)
    began = w.now
    w.until(lambda: "report a change" in held_by(bo, w.now), 3)
    w.run(began + 7 - w.now)
    assert "report a change" in held_by(bo, w.now)
    assert "have signed" in texts(bo, "withheld")[-1]
    assert [dana.alarms, eve.alarms] == [[], []]
    assert len(people) == 5


def test_a_host_whose_change_is_withheld_stops_us_again_and_again() -> None:
    """What a host claims is not counted: an eviction may be among it."""
    w = World(465)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    for n in range(3):
        withheld_from(w, bo)
        heal(w, ada)
        w.until(lambda: "\u201cAda\u201d" in held_by(bo, w.now), 3)
        w.run(5)
        assert "\u201cAda\u201d" in held_by(bo, w.now)
        w.down_filter = lambda who, message: True
        w.cut(bo.links[ev.ROOM])
        w.until(lambda: held_by(bo, w.now) == "", 10)
        w.until(lambda n=n: texts(bo, "cleared") == ["The missing change has arrived."] * (n + 1), 3)  # type: ignore[misc]


# -- the table, alone --------------------------------------------------------------------------------------


class Tree:
    """The member at each leaf: all that the table asks of a room and of the list of its members."""

    def __init__(self, *keys: str) -> None:
        self.keys = {leaf: key.encode() for leaf, key in enumerate(keys)}
        self.hosts = {0}
        self.membership = self.journal = self
        self.chains: dict[int, bytes] = {}

    def signature_key(self, leaf: int) -> bytes | None:
        return self.keys.get(leaf)

    @property
    def others(self) -> dict[int, bool]:
        return {leaf: leaf in self.hosts for leaf in self.keys}

    def commit(
        self, table: Claims, now: float, *, out: int | None = None, into: int = -1, key: str = ""
    ) -> None:
        """One comes in, or again, at `into`; the member at `out` goes in the same commit."""
        removed = () if out is None else ((out, "", self.keys.pop(out)),)
        if key:
            self.keys[into] = key.encode()
        added = ((into, key, None),) if key else ()
        change = Change(0, added, removed, False, None, None, frozenset())  # type: ignore[arg-type]
        table.adopted(change, now)

    def says(self, table: Claims, leaf: int, slot: int, now: float) -> None:
        none = bytes(32)
        seen = (bytes(8), bytes(8), 0, none, 0)
        beat = Heartbeat(leaf, bytes(8), 0, 1, none, 0, 0, slot, none, none, *seen, (), True, ())
        table.add(beat, now)


def table_of(tree: Tree) -> Claims:
    return Claims(tree, tree)  # type: ignore[arg-type]


def stops(table: Claims, now: float) -> list[int]:
    strong, alone = table.stop(now, fresh=True)
    return sorted([*strong, *alone])


def test_a_key_that_comes_in_again_at_another_leaf_has_no_more_than_before() -> None:
    tree = Tree("host", "bo", "mallory")
    table = table_of(tree)
    tree.says(table, 2, 99, 100.0)
    assert stops(table, 102.9) == [2]
    tree.commit(table, 102.0, out=2, into=5, key="mallory")
    assert stops(table, 102.0) == []
    tree.says(table, 5, 99, 200.0)
    assert stops(table, 200.9) == [5]
    assert stops(table, 201.1) == [], "3 s in all"
    tree.says(table, 1, 99, 300.0)
    assert stops(table, 300.0 + DOUBT - 0.1) == [1, 5], "a second member says so"
    assert stops(table, 300.0 + DOUBT + 0.1) == []
    tree.commit(table, 400.0, out=1, into=1, key="bo")
    tree.says(table, 1, 99, 400.0)
    assert stops(table, 400.0) == [], "nor do the two of them get more by coming in again"


def test_who_leaves_and_is_admitted_anew_has_a_new_members_share_until_that_is_abused() -> None:
    tree = Tree("host", "bo")
    table, now, stopped = table_of(tree), 0.0, 0.0
    for n in range(40):
        tree.commit(table, now, into=2, key=f"mallory {n}")
        tree.says(table, 2, 99, now)
        for _ in range(40):
            stopped += 0.1 * bool(stops(table, now))
            now += 0.1
        tree.commit(table, now, out=2)
    assert 2 * ALONE < stopped <= GONE_MAX + ALONE
    assert table.all() == [], "nobody who is gone takes any memory"
    tree.says(table, 0, 99, now)
    assert stops(table, now) == [0], "a host still counts"


def test_a_member_with_another_history_or_with_two_words_stops_nobody_and_a_host_does() -> None:
    tree = Tree("host", "bo", "cem")
    table = table_of(tree)
    for leaf in tree.keys:
        tree.says(table, leaf, 99, 100.0)
    table.of(1).forked = table.of(0).contradicts = table.of(2).contradicts = True
    assert stops(table, 100.0) == [0]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9), st.booleans()), max_size=40))
def test_a_member_alone_never_has_more_than_its_share(said: list[tuple[int, int, bool]]) -> None:
    tree = Tree("host", "bo", "cem", "mallory")
    table, stopped = table_of(tree), {1: 0.0, 2: 0.0, 3: 0.0}
    for n, (leaf, slot, again) in enumerate(said):
        now = n * 1.0
        if again:
            tree.commit(table, now, out=leaf, into=leaf, key=tree.keys[leaf].decode())
        else:
            tree.says(table, leaf, 90 + slot, now)
        for tenth in range(10):
            strong, alone = table.stop(now + tenth / 10, fresh=True)
            for one in alone:
                stopped[one] += 0.1
            assert len(strong) != 1
    assert all(seconds <= ALONE + 0.15 for seconds in stopped.values())
    assert len(table.all()) <= 3
