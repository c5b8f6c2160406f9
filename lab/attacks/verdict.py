"""The facts of a scene and its verdict. The verdict uses facts alone, and an untried act is no success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from snugroom.client.session.incidents import Incident, Severity
from snugroom.lab.attacks.naming import blamed, false_alarm, mentioned, tale_of

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
#: Kinds of notifications that a busy machine alone can leave. `tests/lab/test_busy.py` finds them.
LOADED: Final = frozenset(
    {
        "away", "gone", "maybe_lost", "media_lost", "media_unreachable", "missed", "not_reaching", "pending",
        "silent", "stale", "unheard", "unverified_media", "withheld",
    }
)  # fmt: skip
#: The parties that a scene's notifications have to name: the same for all that are told, or for each by name.
Names = tuple[str, ...] | Mapping[str, tuple[str, ...]]
#: They blame nobody.
NOBODY: Final[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Documented:
    """The result that docs/reference/lab.md and the README document for a scene.

    `by`: kinds of alarms, statuses or endings that prove the act to a person; any of them counts, if it names
    `names`: members, `SERVER` as a fact, or `PERHAPS_SERVER` as a possible cause; `NOBODY`: it blames nobody.
    `within`: seconds until all concerned members are notified. Members may also be notified of an impossible
    act; if `within` is given, they must be. `severity`: that of the worst line on an honest member's screen;
    "none": no line.
    """

    verdict: Verdict
    severity: Trace
    by: frozenset[str] = frozenset()
    within: float | None = None
    names: Names = NOBODY

    def names_to(self, name: str) -> frozenset[str]:
        """Return whom the notifications of this member have to name."""
        return frozenset(self.names.get(name, ()) if isinstance(self.names, Mapping) else self.names)

    def proof(self) -> str:
        """Return in words which notifications prove it, and whom they name."""
        if not self.by:
            return ""
        kinds = " or ".join(f"`{kind}`" for kind in sorted(self.by))
        if not self.names:
            return f"{kinds}, which blames nobody"
        if not isinstance(self.names, Mapping):
            return f"{kinds}, which names {' and '.join(self.names)}"
        each = (f"to {name}: {' and '.join(whom)}" for name, whom in self.names.items())
        return f"{kinds}, which names, {'; '.join(each)}"

    def __str__(self) -> str:
        if self.within is None:
            return self.verdict
        what = "detected" if self.verdict == "detected" else f"{self.verdict}, and told"
        return f"{what} within {self.within:g} s"


def impossible(*by: str, severity: Trace, within: float | None = None, names: Names = NOBODY) -> Documented:
    """The act does not reach its goal. If `by` is given, members are also notified of the attempt."""
    return Documented("impossible", severity, frozenset(by), within if by else None, names)


def detected(*by: str, severity: Trace, within: float, names: Names) -> Documented:
    """The act has an effect, and all concerned members are notified within `within` seconds."""
    return Documented("detected", severity, frozenset(by), within, names)


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
    """All facts that a verdict uses. `lines`: the incidents on each honest member's screen since the act.

    `people`: everybody that was there or knocked; `hostile`: those of them that were hostile, and the server.
    """

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
    people: frozenset[str] = frozenset()
    hostile: frozenset[str] = frozenset()

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
    """Return the seconds until the last concerned member had a proof; None if one of them never had.

    Where only notifications that a busy machine leaves as well can be a proof, they are none if the machine
    was busy: if others were told the same, or a member was told it about others.
    """
    watchers = tuple(facts.seen) if facts.outcome.watchers is None else facts.outcome.watchers
    latest = 0.0
    for name in watchers:
        first = _proof(documented, facts, name)
        if first is None:
            return None
        latest = max(latest, first)
    return None if documented.by <= LOADED and _is_busy(documented, facts, watchers) else latest


def _proof(documented: Documented, facts: Facts, watcher: str) -> float | None:
    """Return when a member has been told what happened, and by whom."""
    wanted, named = documented.names_to(watcher), set[str]()
    for seen in sorted(facts.seen.get(watcher, ()), key=lambda each: each.after):
        if seen.kind in documented.by and (wanted or not blamed(seen.text)):
            named |= mentioned(seen.text, wanted)
            if wanted <= named:
                return seen.after
    return None


def _is_busy(documented: Documented, facts: Facts, watchers: tuple[str, ...]) -> bool:
    """Whether the kinds that are to prove the act came to others too, or about others."""
    each_its_own = isinstance(documented.names, Mapping)
    concerned = tuple(documented.names) if each_its_own else watchers
    for name, notes in facts.seen.items():
        texts = [each.text for each in notes if each.kind in documented.by]
        others = facts.people - documented.names_to(name) - {name}
        if texts and name not in concerned:
            return True
        if each_its_own and any(mentioned(text, others) & others for text in texts):
            return True
    return False


def _harms(facts: Facts) -> list[str]:
    harms = list(facts.outcome.harms)
    if facts.frames_opened and not facts.outcome.reads:
        harms.append(f"the intruder opened {facts.frames_opened} frames")
    if facts.false_frames:
        harms.append(f"{facts.false_frames} frames were shown as somebody's who did not send them")
    if facts.false_words:
        harms.append(f"words were shown that nobody said: {facts.false_words[0]}")
    for name, notes in facts.seen.items():
        tale = tale_of(facts.people, facts.hostile)
        false = [each.text for each in notes if each.how == "alarm" and false_alarm(tale, name, each.text)]
        harms += [f"{name} was told what is not so: {text}" for text in false[:1]]
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
