"""Random commits by random members of mixed groups: after each one everybody agrees.

Blank nodes, unmerged leaves, growing and shrinking trees come up by themselves. The seed is in the test's
name, so a failure repeats.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from snugroom.crypto.mls import RequiredCapabilities
from tests.interop.meeting import Meeting
from tests.interop.our_peer import OurPeer
from tests.interop.peer import Changes, Manner, Peer, Psk
from tests.interop.rs_peer import RsPeer
from tests.interop.ts_peer import PageProcess, TsProcess

COMMITS = 45
MOST = 9
POLICY = 0xF001
Make = Callable[[str], Peer]


def makers(ts: TsProcess) -> Mapping[str, Make]:
    return {"snug": OurPeer, "ts-mls": ts.member, "mls-rs": RsPeer}


@dataclass(frozen=True)
class Rules:
    """The events of a churn beyond adds, removals and empty commits."""

    policy: bool = False
    """External PSKs and GroupContextExtensions: whoever comes must know the policy extension."""
    updates: bool = True
    """Members of ours propose an Update of themselves now and then."""


def churn(rng: random.Random, make: Sequence[Make], rules: Rules = Rules()) -> Meeting:
    """`COMMITS` commits: adds of one to three, removals of one or two, empty ones, by-reference proposals."""
    names = (f"member {n}" for n in itertools.count())

    def newcomer() -> Peer:
        return rng.choice(make)(next(names))

    meeting = Meeting(make[0](next(names)), extensions=extensions(rng) if rules.policy else ())
    while meeting.commits < COMMITS:
        by = rng.choice(meeting.members)
        others = [p for p in meeting.members if p is not by]
        adds: list[Peer] = []
        removes: list[Peer] = []
        leaving: list[Peer] = []
        match rng.choice(
            ["add", "add", "remove", "empty"] if len(meeting.members) < MOST else ["remove", "empty"]
        ):
            case "add":
                adds = [newcomer() for _ in range(rng.choice([1, 1, 2, 3]))]
            case "remove":
                removes = rng.sample(others, min(len(others), rng.choice([1, 1, 2])))
            case "empty" if others and rng.random() < 0.5:
                leaving = propose(rng, meeting, others, rules)
        changes = Changes(
            adds=adds,
            removes=removes,
            psks=[Psk(b"link", b"s" * 32, rng.randbytes(32))] if rules.policy and rng.random() < 0.4 else [],
            extensions=extensions(rng) if rules.policy and rng.random() < 0.2 else None,
        )
        manner = Manner(private=rng.random() < 0.7, force_path=rng.random() < 0.7)
        meeting.commit(by, changes, manner, leaving=leaving)
        if rng.random() < 0.4:
            meeting.say(rng.choice(meeting.members), rng.randbytes(rng.randrange(600)))
    return meeting


def propose(rng: random.Random, meeting: Meeting, others: Sequence[Peer], rules: Rules) -> list[Peer]:
    """A by-reference proposal for the next commit, by none but `others`: who leaves by it."""
    proposer, private = rng.choice(others), rng.random() < 0.7
    if rules.updates and isinstance(proposer, OurPeer) and rng.random() < 0.5:
        meeting.propose(proposer, proposer.propose(proposer.group.make_update(), private=private))
        return []
    leaver = rng.choice(others)
    meeting.propose(proposer, proposer.propose_remove(leaver, private=private))
    return [leaver]


def extensions(rng: random.Random) -> list[tuple[int, bytes]]:
    """The extensions of each GroupContext in our protocol: required_capabilities and the policy."""
    return [
        (3, RequiredCapabilities(extensions=(POLICY,)).encode()),
        (POLICY, rng.randbytes(rng.randrange(100))),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_two_judges_by_themselves(ts: TsProcess, seed: int) -> None:
    churn(random.Random(seed), [makers(ts)[kind] for kind in ("ts-mls", "mls-rs")])


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_all_three_kinds(ts: TsProcess, seed: int) -> None:
    churn(random.Random(seed), list(makers(ts).values()))


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_page_among_all_kinds(ts: TsProcess, page: PageProcess, seed: int) -> None:
    churn(random.Random(seed), [page.member, *makers(ts).values()])


@pytest.mark.parametrize("seed", [10, 11])
def test_ours_and_the_page(page: PageProcess, seed: int) -> None:
    churn(random.Random(seed), [OurPeer, page.member])


def with_policy(process: TsProcess, suite: int, seed: int) -> None:
    def ours(name: str) -> Peer:
        return OurPeer(name, suite=suite, extensions=[POLICY])

    def theirs(name: str) -> Peer:
        return process.member(name, suite=suite, extensions=[POLICY])

    churn(random.Random(seed), [ours, theirs], Rules(policy=True))


@pytest.mark.parametrize("suite", [1, 3])
def test_ours_and_ts_mls_with_policy_and_psks(ts: TsProcess, suite: int) -> None:
    with_policy(ts, suite, 6)


@pytest.mark.parametrize("seed", [12, 13])
def test_ours_and_the_page_with_policy_and_psks(page: PageProcess, seed: int) -> None:
    with_policy(page, 1, seed)
