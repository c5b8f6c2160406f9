"""The observations of a crowd, as ``snug crowd --json`` prints them, and as a text for people."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from snugroom.client.headless.text import plain

Kind = Literal["audio", "video", "chat"]
#: For each kind, the names of the senders from whom something came.
Heard = dict[str, set[str]]
#: Pairs listed in `Summary.unheard`. The counts are complete.
UNHEARD_MAX: Final = 100


@dataclass(frozen=True)
class JoinTimes:
    """Seconds from the first connection until a participant was in the room."""

    p50: float
    p90: float
    max: float


@dataclass(frozen=True)
class HeardPairs:
    """How many pairs of a listener and a speaker there are, `of` all, in which the listener got something."""

    stream: Kind
    pairs: int
    of: int


@dataclass(frozen=True)
class Unheard:
    """A pair in which nothing came."""

    stream: Kind
    by: str
    speaker: str


@dataclass(frozen=True)
class AlarmCount:
    """Alarms of one kind, and the number of participants that had them."""

    kind: str
    count: int
    participants: int


@dataclass(frozen=True)
class EndCount:
    """Participants for which the meeting was over before the crowd left, by the reason."""

    reason: str
    participants: int


@dataclass(frozen=True)
class Summary:
    """The whole. `inside`: in the room at the end.

    `cpu_joining` and `cpu`: percent of a core that this process used during the joins, and during the stay.
    """

    asked: int
    joined: int
    inside: int
    join_seconds: JoinTimes | None
    seconds: float
    heard: tuple[HeardPairs, ...]
    unheard: tuple[Unheard, ...]
    alarms: tuple[AlarmCount, ...]
    ended: tuple[EndCount, ...]
    cpu_joining: float
    cpu: float

    def as_json(self) -> str:
        """Return the object of `--json`, on one line."""
        return json.dumps({"event": "crowd", "text": self.headline(), **asdict(self)}, ensure_ascii=True)

    def headline(self) -> str:
        """Return the result in one sentence."""
        return f"{self.inside} of {self.asked} participants are in the room after {self.seconds:.0f} s."

    def show(self, console: Console) -> None:
        """Print the text for people."""
        console.print(self.headline())
        if self.join_seconds is not None:
            times = self.join_seconds
            console.print(
                f"Time to join: {times.p50:.2f} s (median), {times.p90:.2f} s (90%), {times.max:.2f} s (all)"
            )
        for heard in self.heard:
            console.print(f"{_TITLES[heard.stream]}: {heard.pairs} of {heard.of} pairs")
        for unheard in self.unheard:
            console.print(
                Text(f"  {plain(unheard.by)} got no {unheard.stream} from {plain(unheard.speaker)}")
            )
        if self.alarms:
            table = Table("alarm", "times", "participants")
            for alarm in self.alarms:
                table.add_row(alarm.kind, str(alarm.count), str(alarm.participants))
            console.print(table)
        else:
            console.print("Alarms: none")
        for ended in self.ended:
            console.print(Text(f"Over too early for {ended.participants}: {ended.reason}"))
        console.print(
            f"This process used {self.cpu_joining:.0f}% of a core during the joins, "
            f"and {self.cpu:.0f}% after them: above 80%, it may be the limit itself."
        )


_TITLES: Final[dict[Kind, str]] = {
    "audio": "Heard audio of each other",
    "video": "Got video of each other",
    "chat": "Read each other's messages",
}


def join_times(seconds: Iterable[float]) -> JoinTimes | None:
    """Return the percentiles (nearest rank), None without a value."""
    ordered = sorted(seconds)
    if not ordered:
        return None

    def rank(share: float) -> float:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 3)

    return JoinTimes(rank(0.5), rank(0.9), rank(1.0))


def pairs(
    heard: Mapping[str, Heard], speakers: Mapping[Kind, Sequence[str]]
) -> tuple[tuple[HeardPairs, ...], tuple[Unheard, ...]]:
    """Compare what each listener heard (by its name) with the names that spoke, by kind."""
    counts: list[HeardPairs] = []
    missing: list[Unheard] = []
    for kind, names in speakers.items():
        wanted = [(by, speaker) for by in heard for speaker in names if by != speaker]
        lacking = [Unheard(kind, by, who) for by, who in wanted if who not in heard[by].get(kind, ())]
        counts.append(HeardPairs(kind, len(wanted) - len(lacking), len(wanted)))
        missing += lacking
    return tuple(counts), tuple(missing[:UNHEARD_MAX])


def alarm_counts(alarms: Iterable[Counter[str]]) -> tuple[AlarmCount, ...]:
    """Add up the alarms of all participants, the most frequent kind first."""
    times: Counter[str] = Counter()
    participants: Counter[str] = Counter()
    for each in alarms:
        times.update(each)
        participants.update(each.keys())
    return tuple(AlarmCount(kind, count, participants[kind]) for kind, count in times.most_common())
