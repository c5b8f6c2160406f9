"""Random commits by random members of mixed groups: after each one everybody agrees.

Blank nodes, unmerged leaves, growing and shrinking trees come up by themselves. The seed is in the test's
name, so a failure repeats.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.interop.meeting import Meeting
from tests.interop.peer import Changes, Manner, Peer
from tests.interop.rs_peer import RsPeer
from tests.interop.ts_peer import TsProcess

COMMITS = 45
MOST = 9
Make = Callable[[str], Peer]


def makers(ts: TsProcess) -> Mapping[str, Make]:
    return {"ts-mls": ts.member, "mls-rs": RsPeer}


def churn(rng: random.Random, make: Sequence[Make]) -> Meeting:
    """`COMMITS` commits: adds of one to three, removals of one or two, empty ones."""
    names = (f"member {n}" for n in itertools.count())

    def newcomer() -> Peer:
        return rng.choice(make)(next(names))

    meeting = Meeting(make[0](next(names)))
    while meeting.commits < COMMITS:
        by = rng.choice(meeting.members)
        others = [p for p in meeting.members if p is not by]
        kind = rng.choice(
            ["add", "add", "remove", "empty"] if len(meeting.members) < MOST else ["remove", "empty"]
        )
        if kind == "add":
            changes = Changes(adds=[newcomer() for _ in range(rng.choice([1, 1, 2, 3]))])
        elif kind == "remove" and others:
            changes = Changes(removes=rng.sample(others, min(len(others), rng.choice([1, 1, 2]))))
        else:
            changes = Changes()
        meeting.commit(by, changes, Manner(private=rng.random() < 0.7, force_path=rng.random() < 0.7))
        if rng.random() < 0.4:
            meeting.say(rng.choice(meeting.members), rng.randbytes(rng.randrange(600)))
    return meeting


@pytest.mark.parametrize("seed", [1, 2])
def test_the_two_judges(ts: TsProcess, seed: int) -> None:
    churn(random.Random(seed), list(makers(ts).values()))
