"""Runs of the short code: all members see the same four words, or learn who prevented it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.comparing import PHASE, SIDS_MAX, Comparing
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.emoji import EMOJI
from snugroom.crypto.proof.verification import CodeRun, code_emoji, commitments_digest, short_code
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.comparing import (
    NAMES,
    codes,
    have_code,
    keeps_back,
    open_run,
    ours,
    part,
    texts,
)
from tests.session.seeds import seeds

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


def test_a_newcomers_request_waits_until_somebody_has_answered_it() -> None:
    w = World(51)
    ada = w.host()
    w.run(3)
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    assert not bo.room.speaks(w.now)
    w.do(bo, ev.Compare())
    have_code(w, [ada, bo], 8)


def test_every_run_has_another_code() -> None:
    w = World(50)
    people = w.meeting("Ada", "Bo")
    for turn in range(1, 5):
        w.do(people[turn % 2], ev.Compare())
        w.until(lambda: all(len(codes(p)) == turn for p in people), 25)
        assert codes(people[0])[-1] == codes(people[1])[-1]
    shown = [code.words for code in codes(people[0])]
    assert len(set(shown)) == 4


def test_two_members_who_request_a_code_at_once_get_one_code() -> None:
    for seed in seeds(range(12)):
        w = World(100 + seed, latency=0.2)
        people = w.meeting("Ada", "Bo", "Cem", "Dana")
        for p in people[1:]:
            w.do(p, ev.Compare())
            w.run(w.random.uniform(0, 0.15))
        have_code(w, people)
        w.run(25)
        assert [(len(codes(p)), ours(p), texts(p, "no_code")) for p in people] == [(1, [], [])] * 4


def test_the_run_of_the_lower_leaf_wins() -> None:
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


def test_an_opening_on_its_way_survives_the_end_of_another_run() -> None:
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


def test_a_code_needs_another_member_and_is_requested_once() -> None:
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


def test_a_run_that_is_over_leaves_no_share() -> None:
    w = World(52)
    people = w.meeting("Ada", "Bo")
    w.do(people[0], ev.Compare())
    have_code(w, people)
    for p in people:
        feature = part(p)
        assert (feature._running, feature._mine, feature._unsent) == (None, {}, [])


# -- members who lie -----------------------------------------------------------------------------------------


def test_the_last_member_to_reveal_can_only_abort_and_is_named() -> None:
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
        assert "\u201cMallory\u201d did not show" in texts(p, "code_aborted")[0]
        assert not codes(p)
    # the next run draws everything anew
    part(mallory)._say = Comparing._say.__get__(part(mallory))  # type: ignore[method-assign]
    w.do(bo, ev.Compare())
    have_code(w, people)
    assert codes(ada)[0].words != tuple(word for _, word in code_emoji(secret))


def test_a_change_of_keys_does_not_hide_who_aborts() -> None:
    w = World(54)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    keeps_back(mallory, content.CodeReveal)
    part(mallory).holds_commits = lambda now: False  # type: ignore[method-assign]
    w.do(ada, ev.Compare())
    w.until(lambda: all((r := part(p)._running) is not None and r.out for p in (ada, bo)), 5)
    mallory.room.queue(HealIntent(mallory.room.membership.group.epoch), w.now)
    w.do(mallory, ev.Tick())
    w.run(2)
    for p in (ada, bo):
        (text,) = texts(p, "code_aborted")
        assert "\u201cMallory\u201d did not show" in text
        assert "\u201cMallory\u201d changed the meeting's keys" in text
    w.run(30)
    assert not codes(ada), "and it is not opened again as if nothing had been"


def test_a_share_that_differs_from_its_commitment_is_named() -> None:
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
        assert "\u201cMallory\u201d's program broke its promise" in texts(p, "code_cheat")[0]
        assert not codes(p)


def test_two_commitments_of_one_member_are_a_fork() -> None:
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
    assert "\u201cBo\u201d received other data" in texts(ada, "code_fork")[0]
    assert not codes(ada)
    assert not codes(bo)


def test_a_server_that_withholds_shares_aborts_the_run() -> None:
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


def test_one_opener_begins_at_most_one_run_every_five_seconds() -> None:
    w = World(58)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    keeps_back(mallory, content.CodeCommit)  # so that no run completes
    begun: list[float] = []
    real = part(ada)._begin

    def begin(opener: int, what: content.CodeOpen, again: bool, now: float) -> None:
        if opener == mallory.room.membership.own_leaf:
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


def test_the_id_of_a_run_is_used_once() -> None:
    """Otherwise a message of an old run could pass for one of the new run, and its author be blamed."""
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


def test_messages_of_no_run_of_this_room_are_ignored() -> None:
    w = World(60)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    m = mallory.room.membership
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
