"""What a server can tell if it forwards 16 of a large room's microphones, as a host can choose. A simulation.

All members send as always, and all subscribe to the same streams (`client.session.features.audible`). Those
who speak are among them, and members who do not speak fill the rest. The server sees the set, at every tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snugroom.client.session.features.audible import SLOTS, TICK, audible
from snugroom.client.session.features.states import Microphone
from snugroom.lab.leakage.guess import Guess, Numbers, auc, guess

Bools = NDArray[np.bool_]
Rule = Literal["speakers", "lottery"]
_RULES: Final[tuple[Rule, ...]] = get_args(Rule)

#: Seconds of a meeting, and the tick at which it begins.
MEETING: Final = 600.0
_BEGIN: Final = 1_000
#: The AUC from which too much leaks.
LIMIT: Final = 0.55

_TICKS: Final = round(MEETING / TICK)
#: Seconds of a turn (median, spread of the logarithm), of a pause, and of an open microphone after a turn.
_TURN: Final = (6.0, 0.9)
_PAUSE: Final = 1.0
_OPEN: Final = 15.0
#: The chance that a turn goes back to the speaker before the last one, and that a microphone is always open.
_BACK: Final = 0.35
_ALWAYS: Final = 0.04
#: Ticks of each meeting that are guessed from all features.
_SAMPLED: Final = 10


@dataclass(frozen=True)
class Talk:
    """Who speaks and whose microphone is open at each tick: arrays of ticks times members."""

    speaks: Bools
    open: Bools


@dataclass(frozen=True)
class Leak:
    """What the set tells of meetings of `members` under a rule. AUCs are over all members.

    `speaks` and `open`: by who is in the set at that tick, alone. `spoke`: who has spoken at all, by the time
    in the set (an intersection of all sets). `guessed`: who speaks, from all features, by classifiers.
    `among`: the same among the members of the set. `unheard`: share of speech outside the set.
    """

    members: int
    rule: Rule
    speaks: float
    open: float
    spoke: float
    guessed: Guess
    among: Guess
    unheard: float

    @property
    def bound(self) -> float:
        """The least AUC of any rule that lets one speaker be heard."""
        return least_auc(self.members)


def least_auc(members: int, slots: int = SLOTS) -> float:
    """Return the AUC of who speaks that no choice of the other members in the set can lower.

    The speaker is in the set. Of the other members - 1, slots - 1 are, whichever they are: they tie with the
    speaker, and the others score lower.
    """
    return 1.0 if members <= 1 else max(0.5, 1 - (slots - 1) / (2 * (members - 1)))


def talk(members: int, source: np.random.Generator) -> Talk:
    """Draw a meeting: one speaks at a time, a few speak much, and many never do."""
    weights = 1 / np.arange(1, members + 1) ** 1.1
    source.shuffle(weights)
    weights /= weights.sum()
    speaks, opened = np.zeros((2, _TICKS, members), np.bool_)
    opened[:, source.random(members) < _ALWAYS] = True
    at, last, before = 0.0, -1, -1
    while at < MEETING:
        who = before if before >= 0 and source.random() < _BACK else int(source.choice(members, p=weights))
        seconds = source.lognormal(np.log(_TURN[0]), _TURN[1])
        first, end = int(at // TICK), int((at + seconds) // TICK) + 1
        speaks[first:end, who] = True
        opened[max(0, first - 1) : end + round(source.exponential(_OPEN) / TICK), who] = True
        if who != last:
            before, last = last, who
        at += seconds + source.exponential(_PAUSE)
    return Talk(speaks, opened)


def sets(meeting: Talk, rule: Rule, key: bytes) -> Bools:
    """Return who is in the set at each tick, as members with this key compute it.

    `lottery`: as if all microphones were closed: chance alone decides, and a speaker waits until it is drawn.
    """
    ticks, members = meeting.open.shape
    inside = np.zeros((ticks, members), np.bool_)
    microphones = dict.fromkeys(range(members), Microphone(False, 0))
    opened = np.zeros(members, np.bool_)
    begin = _BEGIN
    for tick in range(ticks):
        chosen, _ = audible(microphones, dict.fromkeys(range(members), False), key, begin + tick)
        inside[tick, list(chosen)] = True
        if rule == "speakers":
            for who in np.flatnonzero(meeting.open[tick] != opened).tolist():
                microphones[who] = Microphone(bool(meeting.open[tick, who]), round((begin + tick) * TICK))
        opened = meeting.open[tick]
    return inside


def features(inside: Bools) -> Numbers:
    """Return what the server knows of each member at each tick: ticks times members times features.

    In the set; the ticks since it came in or went out, and until that changes; how often it came so far, and
    in all; its share of the time so far, and in all. The server may look back when the meeting is over.
    """
    ticks, _ = inside.shape
    changed = np.zeros_like(inside)
    changed[1:] = inside[1:] != inside[:-1]
    numbers = np.arange(ticks)[:, None]
    since = numbers - np.maximum.accumulate(np.where(changed, numbers, 0), axis=0)
    ends = np.full_like(since, ticks)
    ends[:-1] = np.where(changed[1:], numbers[1:], ticks)
    until = np.minimum.accumulate(ends[::-1], axis=0)[::-1] - numbers
    entries = np.cumsum(changed & inside, axis=0)
    share = np.cumsum(inside, axis=0) / (numbers + 1)
    whole = np.ones_like(since)
    columns = [inside, since, until, entries, whole * entries[-1], share, whole * share[-1]]
    return np.stack(columns, axis=-1).astype(np.float64)


def _numbers(values: Any) -> Numbers:
    return np.asarray(values, np.float64)


def simulate(members: int, rule: Rule, *, meetings: int, seed: int = 1) -> Leak:
    """Hold that many meetings of that many members, and guess."""
    by_set: list[tuple[float, float, float, float]] = []
    rows, truth, numbers, in_set = [], [], [], []
    for number in range(meetings):
        source = np.random.default_rng((seed, members, number))
        meeting = talk(members, source)
        inside = sets(meeting, rule, source.bytes(32))
        now = _numbers(inside.ravel())
        by_set.append(
            (
                auc(_numbers(meeting.speaks.ravel()), now),
                auc(_numbers(meeting.open.ravel()), now),
                auc(_numbers(meeting.speaks.any(axis=0)), _numbers(inside.sum(axis=0))),
                1 - float((inside & meeting.speaks).sum() / meeting.speaks.sum()),
            )
        )
        sampled = source.choice(_TICKS, _SAMPLED, replace=False)
        rows.append(features(inside)[sampled].reshape(_SAMPLED * members, -1))
        truth.append(meeting.speaks[sampled].ravel())
        in_set.append(inside[sampled].ravel())
        numbers.append(np.full(_SAMPLED * members, number))
    known, said = np.concatenate(rows), np.concatenate(truth).astype(np.float64)
    which, chosen = np.concatenate(numbers), np.concatenate(in_set)
    speaks, opened, spoke, unheard = np.mean(by_set, axis=0).tolist()
    return Leak(
        members=members,
        rule=rule,
        speaks=speaks,
        open=opened,
        spoke=spoke,
        guessed=guess(known, said, which),
        among=guess(known[chosen], said[chosen], which[chosen]),
        unheard=unheard,
    )


#: Numbers of members, and of meetings, in the measurement.
SIZES: Final = (26, 40, 100)
MEETINGS: Final = 24


def simulate_all(meetings: int = MEETINGS) -> list[Leak]:
    """Simulate rooms of all sizes, under both rules."""
    return [simulate(members, rule, meetings=meetings) for members in SIZES for rule in _RULES]
