"""The facts of a scene and its verdict. The verdict uses facts alone, and an untried act is no success."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from snugroom.client.session.incidents import Incident, Severity

#: Verdicts. `harmed`: something happened that must never happen. `unplayed`: the act was not done.
Verdict = Literal["impossible", "detected", "succeeds", "harmed", "unplayed"]
_RANK: Final[dict[Verdict, int]] = {
    "impossible": 0,
    "detected": 1,
    "succeeds": 2,
    "harmed": 3,
    "unplayed": 3,
}

#: What an act leaves on the screens of honest members, from nothing to a red line.
Trace = Literal["none", Severity]
TRACES: Final[tuple[Trace, ...]] = ("none", *get_args(Severity))
#: Causes of lines that a busy machine alone can leave, and so any scene.
BUSY: Final = frozenset({"silent", "stale", "media"})


@dataclass(frozen=True)
class Documented:
    """The result that docs/reference/lab.md and the README document for a scene.

    `by`: kinds of alarms, statuses or endings that notify a person; any of them counts. `within`: seconds
    until all concerned members are notified. Members may also be notified of an impossible act; if `within`
    is given, they must be. `severity`: that of the worst line on an honest member's screen; "none": no line.
    """

    verdict: Verdict
    severity: Trace
    by: frozenset[str] = frozenset()
    within: float | None = None

    def __str__(self) -> str:
        if self.within is None:
            return self.verdict
        what = "detected" if self.verdict == "detected" else f"{self.verdict}, and told"
        return f"{what} within {self.within:g} s"


def impossible(*by: str, severity: Trace, within: float | None = None) -> Documented:
    """The act does not reach its goal. If `by` is given, members are also notified of the attempt."""
    return Documented("impossible", severity, frozenset(by), within if by else None)


def detected(*by: str, severity: Trace, within: float) -> Documented:
    """The act has an effect, and all concerned members are notified within `within` seconds."""
    return Documented("detected", severity, frozenset(by), within)


def succeeds(*, severity: Trace) -> Documented:
    """The act succeeds, and nothing prevents it. The documentation says so plainly."""
    return Documented("succeeds", severity)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a play: whether the act reached its goal, and a sentence about the predicted result.

    `watchers`: members to be notified (None: all honest members). `harms`: events that must never happen and
    did. `loses`: honest members may be out of the meeting, because that is the act's purpose. `reads`: the
    intruder reads frames because a host admitted it. `attempts`: number of attempts without an act of the
    server.
    """

    worked: bool
    what: str
    watchers: tuple[str, ...] | None = None
    harms: tuple[str, ...] = ()
    loses: bool = False
    reads: bool = False
    attempts: int = 0


@dataclass(frozen=True)
class Seen:
    """A notification that a member received, `after` seconds after the act began."""

    after: float
    how: str
    kind: str
    text: str


@dataclass
class Facts:
    """All facts that a verdict uses. `lines`: the incidents on each honest member's screen since the act."""

    outcome: Outcome
    deeds: dict[str, int]
    seen: dict[str, list[Seen]]
    frames_tried: int = 0
    frames_opened: int = 0
    false_frames: int = 0
    false_words: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lines: dict[str, list[Incident]] = field(default_factory=dict)
    seconds: float = 0.0

    def severity(self, by: frozenset[str] = frozenset()) -> Trace:
        """Return the severity of the worst line that a member saw.

        Lines that a busy machine can leave count only if their kind is in `by`.
        """
        counted = (
            line
            for lines in self.lines.values()
            for line in lines
            if line.severity == "attack" or line.cause not in BUSY or line.kind in by
        )
        return max((line.severity for line in counted), key=TRACES.index, default="none")


@dataclass(frozen=True)
class Judgement:
    """A verdict and its reason. `after`: seconds until the last concerned member was notified."""

    verdict: Verdict
    why: str
    after: float | None
    worse: bool
    better: bool = False


def told_after(documented: Documented, facts: Facts) -> float | None:
    """Return the seconds until the last concerned member was notified; None if one of them never was."""
    watchers = facts.outcome.watchers
    latest = 0.0
    for name in facts.seen if watchers is None else watchers:
        first = min((s.after for s in facts.seen.get(name, ()) if s.kind in documented.by), default=None)
        if first is None:
            return None
        latest = max(latest, first)
    return latest


def _harms(facts: Facts) -> list[str]:
    harms = list(facts.outcome.harms)
    if facts.frames_opened and not facts.outcome.reads:
        harms.append(f"the intruder opened {facts.frames_opened} frames")
    if facts.false_frames:
        harms.append(f"{facts.false_frames} frames were shown as somebody's who did not send them")
    if facts.false_words:
        harms.append(f"words were shown that nobody said: {facts.false_words[0]}")
    if facts.lost and not facts.outcome.loses:
        harms.append(f"lost to the meeting: {', '.join(facts.lost)}")
    return harms


def _false_lines(documented: Documented, facts: Facts) -> str | None:
    """Return what is wrong with the lines on the screens; None if they are as documented."""
    worst = facts.severity(documented.by)
    if worst != documented.severity:
        return f"The worst line on a screen was of severity {worst}, not {documented.severity}."
    for name, lines in facts.lines.items():
        red = [line for line in lines if line.severity == "attack"]
        other = [line.cause for line in red if line.cause not in documented.by]
        if other:
            return f"{name} saw a red line about another act: {other[0]}."
        if len(red) > 1:
            return f"{name} saw {len(red)} red lines."
    return None


def judge(documented: Documented, facts: Facts) -> Judgement:
    """Return the verdict on the facts, and whether it is worse than documented."""
    outcome = facts.outcome
    after = told_after(documented, facts) if documented.by else None
    harms = _harms(facts)
    if not sum(facts.deeds.values()) + outcome.attempts:
        return Judgement("unplayed", "The act was never done.", after, worse=True)
    if harms:
        return Judgement("harmed", f"{outcome.what} And {'; '.join(harms)}.", after, worse=True)
    verdict: Verdict = "impossible"
    if outcome.worked:
        verdict = "succeeds" if after is None else "detected"
    if documented.verdict == "impossible" and outcome.worked:
        return Judgement(verdict, f"It got what it is for. Expected was: {outcome.what}", after, worse=True)
    if documented.within is not None and after is None:
        why = f"Not everybody whom it concerns was told. Expected was: {outcome.what}"
        return Judgement(verdict, why, after, worse=True)
    if documented.within is not None and after is not None and after > documented.within:
        why = f"{outcome.what} It took {after:.1f} s until everybody had been told."
        return Judgement(verdict, why, after, worse=True)
    wrong = _false_lines(documented, facts)
    if wrong is not None:
        return Judgement(verdict, f"{outcome.what} {wrong}", after, worse=True)
    rank = _RANK[verdict] - _RANK[documented.verdict]
    return Judgement(verdict, outcome.what, after, worse=rank > 0, better=rank < 0)
