"""Four words that are the same for all, whatever a member or the server does; and what changed since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.features.comparing import HOLD_MAX, PHASE, SIDS_MAX, Comparing, _Request
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.emoji import EMOJI
from snugroom.crypto.proof.verification import CodeRun, code_emoji, commitments_digest, short_code
from snugroom.server.wire import messages as wire
from tests.session.world import Participant, World, seeds

NAMES = ("Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gül", "Hana", "Ines", "Jon", "Kim", "Lea")
OURS = {"code_fork", "code_cheat", "code_aborted", "code_different"}


def part(who: Participant) -> Comparing:
    feature = who.room.feature(Comparing)
    assert isinstance(feature, Comparing)
    return feature


def codes(who: Participant) -> list[ev.ShortCode]:
    return [e for e in who.told if isinstance(e, ev.ShortCode)]


def comparisons(who: Participant) -> list[ev.Comparison]:
    return [e for e in who.told if isinstance(e, ev.Comparison)]


def texts(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Alarm | ev.Status) and e.kind == kind]


def ours(who: Participant) -> list[str]:
    return [kind for kind in who.alarms if kind in OURS]


def have_code(w: World, people: Sequence[Participant], most: float = 20.0) -> None:
    """All are shown one code, of one epoch, for the same people."""
    w.until(lambda: all(codes(p) for p in people), most, "a code for everybody")
    assert len({codes(p)[-1] for p in people}) == 1


def same(w: World, *people: Participant) -> None:
    for p in people:
        w.do(p, ev.Compared(True))


def keeps_back(who: Participant, kind: type[content.Content]) -> list[content.Content]:
    """From now on this member's program says nothing of that kind; what it would have said."""
    feature = part(who)
    kept: list[content.Content] = []
    real = feature._say

    def say(what: content.AnyContent) -> None:
        if isinstance(what, kind):
            kept.append(what)
        else:
            real(what)

    feature._say = say  # type: ignore[method-assign]
    return kept


def open_run(who: Participant, sid: bytes, now: float) -> None:
    """A member's own program says OPEN, whatever it thinks of that itself."""
    m, feature = who.room.m, part(who)
    feature._request = _Request(now, sid=sid, sent_at=now)
    leaves = [leaf for leaf, _, _ in m.members()]
    what = content.CodeOpen(sid, m.group.epoch, m.journal.chain, leaves)
    feature._mine[H(who.room.relay(what))] = what


# -- agreement ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 5, 8, 12])
def test_all_members_are_shown_the_same_four_words(count: int) -> None:
    w = World(count)
    people = w.meeting(*NAMES[:count])
    w.do(people[-1], ev.Compare())  # no host has to
    have_code(w, people, 5)
    code = codes(people[0])[0]
    assert code.epoch == people[0].epoch
    assert [m.name for m in code.members] == list(NAMES[:count])
    assert len(code.words) == len(code.emoji) == 4
    assert set(zip(code.emoji, code.words, strict=True)) <= set(EMOJI)
    w.run(20)
    assert [(len(codes(p)), ours(p)) for p in people] == [(1, [])] * count


def test_every_run_has_another_code() -> None:
    w = World(50)
    people = w.meeting("Ada", "Bo")
    for turn in range(1, 5):
        w.do(people[turn % 2], ev.Compare())
        w.until(lambda: all(len(codes(p)) == turn for p in people), 25)
        assert codes(people[0])[-1] == codes(people[1])[-1]
    shown = [code.words for code in codes(people[0])]
    assert len(set(shown)) == 4


def test_two_who_ask_at_once_get_one_code() -> None:
    for seed in seeds(range(12)):
        w = World(100 + seed, latency=0.2)
        people = w.meeting("Ada", "Bo", "Cem", "Dana")
        for p in people[1:]:
            w.do(p, ev.Compare())
            w.run(w.random.uniform(0, 0.15))
        have_code(w, people)
        w.run(25)
        assert [(len(codes(p)), ours(p), texts(p, "no_code")) for p in people] == [(1, [], [])] * 4


def test_of_two_runs_the_lower_leafs_is_made() -> None:
    w = World(77)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(1)
    keeps_back(people[0], content.CodeCommit)
    for opener, wins in ((2, 2), (1, 1), (3, 1)):
        open_run(people[opener], bytes([9 - opener] * 16), w.now)
        w.do(people[opener], ev.Tick())
        w.run(0.5)
        runs = [part(p)._running for p in people]
        assert [r.opener for r in runs if r is not None] == [wins] * 4


def test_an_opening_that_is_under_way_outlives_the_run_that_another_one_ends() -> None:
    for seed in seeds(range(8)):
        w = World(350 + seed)
        people = w.meeting("Ada", "Bo", "Cem", "Dana")
        w.run(1)
        keeps_back(people[0], content.CodeCommit)
        for openers in ((3,), (2, 1)):
            for opener in openers:
                open_run(people[opener], bytes([9 - opener] * 16), w.now)
                w.do(people[opener], ev.Tick())
            w.run(0.5)
        runs = [part(p)._running for p in people]
        assert [r.opener for r in runs if r is not None] == [1] * 4, f"seed {seed}"


def test_a_code_needs_somebody_else_and_is_asked_for_once() -> None:
    w = World(51)
    ada = w.host("Ada")
    w.until(lambda: bool(ada.code))
    with pytest.raises(ValueError, match="nobody here"):
        w.do(ada, ev.Compare())
    with pytest.raises(ValueError, match="no code to compare"):
        w.do(ada, ev.Compared(True))
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    for _ in range(5):
        w.do(ada, ev.Compare())
    have_code(w, [ada, bo])
    w.run(30)
    assert len(codes(bo)) == 1


def test_the_share_is_gone_when_the_run_is_over() -> None:
    w = World(52)
    people = w.meeting("Ada", "Bo")
    w.do(people[0], ev.Compare())
    have_code(w, people)
    for p in people:
        feature = part(p)
        assert (feature._running, feature._mine, feature._unsent) == (None, {}, [])


# -- members who lie -----------------------------------------------------------------------------------------


def test_the_last_to_show_can_only_abort_and_is_named() -> None:
    """Mallory sees all other shares, knows the code before anybody, and does not like it."""
    w = World(53)
    ada, bo, mallory = people = w.meeting("Ada", "Bo", "Mallory")
    kept = keeps_back(mallory, content.CodeReveal)
    runs: list[CodeRun] = []
    w.do(ada, ev.Compare())
    w.until(lambda: bool(part(mallory)._running), 5)
    runs.append(part(mallory)._running.run)  # type: ignore[union-attr]
    w.until(lambda: len(runs[0]._reveals) == 2 and bool(kept), 5, "Mallory has what it takes")
    own = kept[0]
    assert isinstance(own, content.CodeReveal)
    shares = {leaf: share for leaf, (_, share) in runs[0]._reveals.items()} | {2: own.share}
    ground = runs[0]._context
    secret = short_code(
        commitments_digest(runs[0]._commitments), shares, ground.authenticator, ground.tree_hash
    )
    assert not codes(ada), "what Mallory knows already nobody else does"
    w.run(PHASE + 3)
    for p in (ada, bo):
        assert ours(p) == ["code_aborted"]
        assert "for Mallory did not show" in texts(p, "code_aborted")[0]
        assert not codes(p)
    # the next run draws everything anew
    part(mallory)._say = Comparing._say.__get__(part(mallory))  # type: ignore[method-assign]
    w.do(bo, ev.Compare())
    have_code(w, people)
    assert codes(ada)[0].words != tuple(word for _, word in code_emoji(secret))


def test_a_change_of_keys_is_no_way_out_either() -> None:
    w = World(54)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    keeps_back(mallory, content.CodeReveal)
    part(mallory).holds_commits = lambda now: False  # type: ignore[method-assign]
    w.do(ada, ev.Compare())
    w.until(lambda: all((r := part(p)._running) is not None and r.out for p in (ada, bo)), 5)
    mallory.room.queue(HealIntent(mallory.room.m.group.epoch), w.now)
    w.do(mallory, ev.Tick())
    w.run(2)
    for p in (ada, bo):
        (text,) = texts(p, "code_aborted")
        assert "Mallory did not show" in text
        assert "Mallory changed the meeting's keys" in text
    w.run(30)
    assert not codes(ada), "and it is not opened again as if nothing had been"


def test_a_share_that_was_not_promised_is_named() -> None:
    w = World(55)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    kept = keeps_back(mallory, content.CodeReveal)
    w.do(ada, ev.Compare())
    w.until(lambda: bool(kept), 5)
    own = kept[0]
    assert isinstance(own, content.CodeReveal)
    mallory.room.relay(content.CodeReveal(own.sid, own.digest, bytes(32)))
    w.run(PHASE + 5)
    for p in (ada, bo):
        assert ours(p) == ["code_cheat"]
        assert "Mallory did not keep" in texts(p, "code_cheat")[0]
        assert not codes(p)


def test_two_stories_of_a_commitment_are_a_fork() -> None:
    """Mallory commits twice, and a server that helps shows one to Ada and the other to Bo."""
    w = World(56)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    kept = keeps_back(mallory, content.CodeCommit)
    hidden: dict[str, bytes] = {}
    real = w.down_filter

    def split(who: Participant, message: object) -> bool:
        if isinstance(message, wire.Relayed) and H(message.blob) == hidden.get(who.label):
            return False
        return real(who, message)

    w.down_filter = split
    w.do(ada, ev.Compare())
    w.until(lambda: bool(kept), 5)
    own = kept[0]
    assert isinstance(own, content.CodeCommit)
    hidden["Bo"] = H(mallory.room.relay(own))
    hidden["Ada"] = H(mallory.room.relay(content.CodeCommit(own.sid, bytes(32))))
    w.run(PHASE + 5)
    assert ours(ada) == ours(bo) == ["code_fork"]
    assert "Bo was told other things" in texts(ada, "code_fork")[0]
    assert not codes(ada)
    assert not codes(bo)


def test_a_server_that_keeps_one_members_shares_back_is_seen() -> None:
    w = World(57)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    real = w.down_filter
    shown = False

    def drop(who: Participant, message: object) -> bool:
        return not (shown and who is not bo and isinstance(message, wire.Relayed)) and real(who, message)

    w.down_filter = drop
    w.do(ada, ev.Compare())
    while not any((r := part(p)._running) is not None and r.showing for p in (ada, bo, cem)):
        w.run(0.001)
    shown = True
    w.run(PHASE + 3)
    assert ours(ada) == ours(cem) == ["code_aborted"]
    assert not codes(ada)
    assert not codes(cem)


def test_a_hundred_runs_of_one_opener_are_one_every_five_seconds() -> None:
    w = World(58)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    keeps_back(mallory, content.CodeCommit)  # so that none comes to anything
    begun: list[float] = []
    real = part(ada)._begin

    def begin(opener: int, what: content.CodeOpen, again: bool, now: float) -> None:
        if opener == mallory.room.m.own_leaf:
            begun.append(now)
        real(opener, what, again, now)

    part(ada)._begin = begin  # type: ignore[method-assign]
    start = w.now
    for i in range(100):
        open_run(mallory, (99 - i).to_bytes(16, "big"), w.now)  # each would win over the one before
        w.do(mallory, ev.Tick())
        w.run(0.5)
    assert 2 <= len(begun) <= (w.now - start) / 5 + 1
    assert all(later - earlier >= 5 for earlier, later in pairwise(begun))
    assert not ours(ada)
    assert not texts(bo, "no_code"), "who did not ask hears nothing of it"
    assert len(part(ada)._sids) <= SIDS_MAX
    assert len(part(ada)._opened) <= 3


def test_an_id_is_used_once() -> None:
    """Else what belongs to an old run could be taken for a word of the new one, and its author blamed."""
    w = World(59)
    ada, _, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.do(ada, ev.Compare())
    w.until(lambda: part(cem)._running is not None, 5)
    sid = part(cem)._running.run.sid  # type: ignore[union-attr]
    have_code(w, people)
    w.run(12)
    open_run(cem, sid, w.now)
    w.do(cem, ev.Tick())
    w.run(1)
    assert [part(p)._running for p in people] == [None] * 3
    w.run(PHASE + 3)
    assert [(len(codes(p)), ours(p)) for p in people] == [(1, [])] * 3


def test_what_is_no_run_of_this_room_is_not_taken_up() -> None:
    w = World(60)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    m = mallory.room.m
    good = content.CodeOpen(bytes(16), m.group.epoch, m.journal.chain, [0, 1, 2])
    wrong = [
        content.CodeOpen(b"\1" * 16, m.group.epoch + 1, m.journal.chain, [0, 1, 2]),
        content.CodeOpen(b"\2" * 16, m.group.epoch, bytes(32), [0, 1, 2]),
        content.CodeOpen(b"\3" * 16, m.group.epoch, m.journal.chain, [0, 1]),
        content.CodeOpen(b"\4" * 16, m.group.epoch, m.journal.chain, [0, 1, 2, 3]),
        content.CodeOpen(b"\5" * 16, m.group.epoch, m.journal.chain, [2, 1, 0]),
        content.CodeCommit(b"\6" * 16, bytes(32)),
        content.CodeReveal(b"\7" * 16, bytes(32), bytes(32)),
    ]
    for what in wrong:
        mallory.room.relay(what)
        w.do(mallory, ev.Tick())
        w.run(6)
        assert part(ada)._running is part(bo)._running is None, what
    mallory.room.relay(good)
    w.do(mallory, ev.Tick())
    w.until(lambda: part(ada)._running is not None and part(bo)._running is not None, 2)


# -- people who come and go meanwhile ---------------------------------------------------------------------


def test_hosts_hold_their_commits_while_a_code_is_made_except_removals() -> None:
    w = World(61)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    kept = keeps_back(cem, content.CodeCommit)
    w.do(bo, ev.Compare())
    w.until(lambda: bool(kept) and part(ada)._running is not None, 5)
    dana = w.guest(w.link_of(ada), "Dana")
    epoch = ada.epoch
    w.run(5)
    assert ada.epoch == epoch, "Dana waits at the door"
    assert any(isinstance(e, ev.Knocked) and e.name == "Dana" for e in ada.told)
    w.until(lambda: w.agreed([ada, bo, cem, dana]), PHASE)
    w.do(bo, ev.Compare())
    w.until(lambda: len(kept) == 2, 10)
    w.do(ada, ev.Remove(cem.room.m.own_leaf))
    w.until(lambda: cem.ended is not None, 1, "a removal does not wait")
    have_code(w, [ada, bo, dana], 20)
    assert not ours(ada)
    assert not ours(bo)


def test_hosts_do_not_hold_their_commits_for_ever() -> None:
    """Members who open and don't commit, one after the other, the lower leaf each time."""
    w = World(62)
    people = w.meeting(*NAMES[:8])
    ada = people[0]
    for p in people[1:]:
        keeps_back(p, content.CodeCommit)
    w.run(1)
    start = w.now
    for turn, p in enumerate(reversed(people[1:])):
        open_run(p, bytes([turn] * 16), w.now)
        w.do(p, ev.Tick())
        w.run(0.5)
        assert part(ada)._running is not None, f"run {turn}"
        if turn == 0:
            w.guest(w.link_of(ada), "Zoe")
        w.run(PHASE - 1)
        if "Zoe" in ada.roster:
            break
        assert part(ada)._running is not None, "one run goes over into the next"
    assert HOLD_MAX - PHASE < w.now - start < HOLD_MAX + PHASE
    assert "Zoe" in ada.roster


def test_who_comes_in_meanwhile_starts_it_anew() -> None:
    """A commit that is under way when the OPEN comes is nobody's fault."""
    for seed in seeds(range(15)):
        w = World(200 + seed, latency=0.15)
        ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
        dana = w.guest(w.link_of(ada), "Dana")
        w.run(w.random.uniform(0.3, 1.2))
        w.do(bo, ev.Compare())
        w.until(lambda: w.agreed([*people, dana]), 30)
        w.until(lambda: all(codes(p) for p in people), 40, f"seed {seed}")
        w.run(10)
        assert len({codes(p)[-1] for p in people}) == 1
        assert [ours(p) for p in (*people, dana)] == [[]] * 4, f"seed {seed}"
        assert cem.ended is None


def test_who_leaves_meanwhile_does_not_stop_it() -> None:
    for seed in seeds(range(8)):
        w = World(230 + seed, latency=0.05)
        ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
        kept = keeps_back(cem, content.CodeCommit)
        w.do(bo, ev.Compare())
        w.until(lambda: bool(kept), 5)
        w.do(cem, ev.Leave())
        w.until(lambda: w.agreed([ada, bo]), 5, "a farewell does not wait")
        have_code(w, [ada, bo], 20)
        assert not ours(ada)
        assert not ours(bo)


def test_an_opener_tries_twice_and_then_says_so() -> None:
    w = World(63)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    keeps_back(cem, content.CodeCommit)
    w.do(bo, ev.Compare())
    for _ in range(2):
        w.until(lambda: part(ada)._running is not None, 10)
        part(cem).holds_commits = lambda now: False  # type: ignore[method-assign]
        cem.room.queue(HealIntent(cem.room.m.group.epoch), w.now)
        w.do(cem, ev.Tick())
        w.until(lambda: part(ada)._running is None, 3)
    w.run(0.5)
    assert len(texts(bo, "no_code")) == 1
    assert "changed keys" in texts(bo, "no_code")[0]
    w.run(20)
    assert len(texts(bo, "no_code")) == 1
    assert not texts(ada, "no_code")
    assert not any(ours(p) or codes(p) for p in (ada, bo, cem))


# -- connections --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_a_connection_that_is_lost_meanwhile_blames_nobody(seed: int) -> None:
    w = World(seed, latency=0.08)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(w.random.uniform(0, 3))
    w.do(w.random.choice(people), ev.Compare())
    for _ in range(w.random.randrange(1, 4)):
        w.run(w.random.uniform(0, 0.25))
        unlucky = w.random.choice(people)
        if ev.ROOM in unlucky.links:
            w.cut(unlucky.links[ev.ROOM])
    w.run(30)
    assert w.agreed(people)
    assert [ours(p) for p in people] == [[]] * 3
    shown = {tuple(codes(p)) for p in people}
    assert len(shown) == 1
    if shown == {()}:
        assert sum(len(texts(p, "no_code")) for p in people) == 1, "who asked is told"


def test_a_server_that_restarts_meanwhile_blames_nobody() -> None:
    for seed in seeds(range(20)):
        w = World(300 + seed, latency=0.05)
        people = w.meeting("Ada", "Bo", "Cem")
        w.run(1)
        w.do(people[seed % 3], ev.Compare())
        w.run(w.random.uniform(0, 0.3))
        w.kill_server()
        w.run(w.random.uniform(0.1, 1.5))
        w.start_server()
        w.run(30)
        assert w.agreed(people)
        assert [ours(p) for p in people] == [[]] * 3, f"seed {seed}"
        assert len({tuple(codes(p)) for p in people}) == 1


def test_who_was_away_for_long_takes_no_part_in_what_is_over() -> None:
    w = World(64)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    w.down_filter = lambda who, message: who is not cem
    w.cut(cem.links[ev.ROOM])
    w.do(ada, ev.Compare())
    w.until(lambda: bool(texts(ada, "no_code")), PHASE + 5)
    assert "nothing came from Cem" in texts(ada, "no_code")[0]
    w.down_filter = lambda who, message: True
    if ev.ROOM in cem.links:
        w.cut(cem.links[ev.ROOM])
    w.run(PHASE + 10)
    assert w.agreed([ada, bo, cem])
    assert [ours(p) for p in (ada, bo, cem)] == [[]] * 3


def test_an_own_connection_that_broke_is_said_to_be_that() -> None:
    w = World(65)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.Compare())
    while (running := part(ada)._running) is None or not running.showing:
        w.run(0.002)
    w.kill_server()
    w.run(PHASE + 3)
    assert [ours(p) for p in (ada, bo)] == [["code_aborted"]] * 2
    assert "your own connection broke" in texts(ada, "code_aborted")[0]


# -- what has changed since --------------------------------------------------------------------------------


def new_since(who: Participant) -> list[str]:
    return [m.name for m in comparisons(who)[-1].members if m.new_since]


def compared(
    w: World, *names: str, how: Callable[[World, Participant], None] | None = None
) -> list[Participant]:
    people = w.meeting(*names)
    if how is None:
        w.do(people[0], ev.Compare())
        have_code(w, people)
        same(w, people[0])
    else:
        how(w, people[0])
    return people


@pytest.mark.parametrize(
    "how", [None, lambda w, who: w.do(who, ev.Compared(True, ""))], ids=["words", "digits"]
)
def test_who_compared_is_told_what_changed_since_and_by_whom(
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
    assert told.changes == ("Dana came in (let in by Ada, the open invite)",)
    assert told.news
    assert new_since(ada) == ["Dana"]
    assert told.text.startswith(
        "Since you compared codes: Dana came in (let in by Ada, the open invite). Dana is"
    )
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None)
    w.do(bo, ev.Remove(2))
    w.until(lambda: w.agreed([ada, bo, dana]))
    w.do(dana, ev.Leave())
    w.until(lambda: w.agreed([ada, bo]))
    told = comparisons(ada)[-1]
    assert told.changes[1:] == ("Ada made Bo a host", "Cem was removed by Bo", "Dana left")
    assert new_since(ada) == []
    assert told.compared == first.epoch < told.epoch


def test_an_epoch_in_which_nobody_came_or_went_is_no_news() -> None:
    w = World(67)
    ada, bo = compared(w, "Ada", "Bo")
    bo.room.queue(HealIntent(bo.room.m.group.epoch), w.now)
    before = len(comparisons(ada))
    epoch = ada.epoch
    w.until(lambda: ada.epoch == epoch + 1, 5)
    assert len(comparisons(ada)) == before + 1
    told = comparisons(ada)[-1]
    assert (told.news, told.changes, told.text) == (
        False,
        (),
        "Since you compared codes nobody has come in or gone.",
    )


def test_who_rejoins_is_nobody_new_and_remembers() -> None:
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


def test_who_came_in_while_one_was_out_of_step_is_new() -> None:
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
    assert comparisons(bo)[-1].changes == ("Dana came in while you were out of step",)


def test_another_key_under_the_same_name_is_new() -> None:
    w = World(70)
    ada, bo = compared(w, "Ada", "Bo")
    w.do(bo, ev.Leave())
    w.until(lambda: ada.roster == ["Ada"], 5)
    other = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, other]))
    assert new_since(ada) == ["Bo"]


def test_codes_that_differ_are_an_alarm() -> None:
    w = World(71)
    ada, bo = people = compared(w, "Ada", "Bo")
    w.do(ada, ev.Compared(False))
    assert sentences.code_different() in ada.told
    told = comparisons(ada)[-1]
    assert (told.same, new_since(ada)) == (False, ["Ada", "Bo"])
    assert not ours(bo)
    dana = w.guest(w.link_of(ada), "Dana")
    before = len(comparisons(ada))
    w.until(lambda: w.agreed([*people, dana]))
    assert len(comparisons(ada)) == before, "there is nothing that changes could be told since"


def test_a_code_that_is_said_to_be_the_same_later_stands_for_whom_it_was_made() -> None:
    w = World(72)
    ada, bo = people = w.meeting("Ada", "Bo")
    w.do(ada, ev.Compare())
    have_code(w, people)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]))
    same(w, bo)
    assert new_since(bo) == ["Dana"]
    assert comparisons(bo)[-1].changes == ("Dana came in (let in by Ada, the open invite)",)


def test_a_code_that_takes_the_place_of_another_is_not_taken_for_it() -> None:
    w = World(73)
    ada, bo = people = w.meeting("Ada", "Bo")
    w.do(ada, ev.Compare())
    have_code(w, people)
    w.run(10.5)
    w.do(bo, ev.Compare())
    w.until(lambda: len(codes(ada)) == 2, 20)
    with pytest.raises(ValueError, match="just now"):
        w.do(ada, ev.Compared(True))
    w.run(3)
    w.do(ada, ev.Compared(True))
    assert comparisons(ada)[-1].same


def test_digits_are_those_that_were_read() -> None:
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


def test_a_code_that_was_made_to_begin_like_another_is_not_taken_for_it(
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
    with pytest.raises(ValueError, match="two codes"):
        w.do(ada, ev.Compared(True, read_out[:10]))
    w.do(ada, ev.Compared(True, read_out[:15]))
    assert new_since(ada) == ["Ghost"]
    assert ghost.ended is None
    assert bo.ended is None


def test_falling_out_of_step_is_no_way_to_try_out_codes_unseen() -> None:
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
        assert "for Mallory did not show" in texts(p, "code_aborted")[0]


def test_who_asked_and_comes_in_anew_is_told_that_there_is_no_code() -> None:
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
        bo.room.queue(HealIntent(bo.room.m.group.epoch), w.now)
        epoch = ada.epoch
        w.until(lambda: min(ada.epoch, bo.epoch) > epoch, 5)
    assert len(memory._changes) == 200
    assert len(memory._digits) == 16
