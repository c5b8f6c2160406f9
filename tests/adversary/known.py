"""Findings that are known and not yet answered: each with its violations, and what must have happened.

The machine goes on where it meets one of them, to find others. An entry goes when its finding is answered:
`test_findings.py` plays each, and fails for an entry that is not needed any more. In the end the table is
empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.adversary.tale import SERVER, STRANGERS, Tale, ViolationError

if TYPE_CHECKING:
    from tests.adversary.stage import Stage

OUT: Final = ("liveness", "starved")


@dataclass(frozen=True)
class Known:
    """One finding. `shows` are its violations, as (rule, about); "*" is any."""

    shows: tuple[tuple[str, str], ...]
    when: Callable[[Tale], bool] = lambda tale: True

    def covers(self, violation: ViolationError, tale: Tale) -> bool:
        """Return whether a violation is this finding's."""
        fits = any(rule == violation.rule and about in ("*", violation.about) for rule, about in self.shows)
        return fits and self.when(tale)


def out(*shows: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the violations of a finding that leaves people out of step as well."""
    return (*((rule, "*") for rule in OUT), *shows)


def by_members(*what: str) -> Callable[[Tale], bool]:
    """Whether somebody hostile has done any of this."""
    return lambda tale: any(deed.what.startswith(what) for deed in tale.deeds)


def by_server(*what: str) -> Callable[[Tale], bool]:
    """Whether the server has done any of this."""
    return lambda tale: tale.did(SERVER, *what)


def seats_were_full(tale: Tale) -> bool:
    """Whether strangers or a member's connections have filled the room."""
    return tale.did(STRANGERS) or any(text == "the room is full" for _, text in tale.refusals)


REMOVED_BY: Final = (("truth", "ended room.removed_by"), ("truth", "removed by"))
#: What is said of an honest server, by members who get no seat or had none when the room opened again.
ACCUSED: Final = (
    ("truth", "dropped"),
    ("truth", "ended dropped.gave_up"),
    ("truth", "two_stories"),
    ("truth", "two_stories.by"),
)
RETURNED: Final = by_members("returns by the host seed")
PRESENT: Final = by_members("signs", "takes slots", "regates", "opens the room")

KNOWN: Final[dict[str, Known]] = {
    "refused_to_all": Known(out(), by_server("refuses", "invents")),
    "unanswered_show": Known(out(), by_server("drops", "holds")),
    "refused_to_one": Known((("truth", "rejoining"),), by_server()),
    "held_knock": Known(REMOVED_BY, by_server("delivers", "repeats")),
    "stale_answers": Known((("pending", "removal"),), by_server("answers_stale")),
    "swallowed_commits": Known((("pending", "removal"),), by_server()),
    "speaking_to_the_removed": Known((("secrecy", "own removal"),)),
    "withheld_removal": Known((("secrecy", "withheld removal"),), by_server()),
    "held_answer": Known((("secrecy", "withheld removal"),), by_server("holds")),
    "withheld_echo": Known((("secrecy", "newcomer"),), by_server()),
    "departed_host_returns": Known((("roster", "not admitted"),), RETURNED),
    "demoted_host_regates": Known(out(("pending", "removal")), by_members("regates")),
    "demoted_host_opens_ahead": Known(out(("pending", "removal")), by_members("opens the room")),
    "private_gates": Known(out(("flood", "void_commit"), ("pending", "removal")), PRESENT),
    "wrong_gate_without_a_host": Known(out(), PRESENT),
    "filled_seats": Known(out(*ACCUSED), seats_were_full),
    "wrong_clock": Known(out(), lambda tale: tale.did("the clock")),
    "stolen_leaf_key": Known(out(("roster", "a thief"), *REMOVED_BY), by_members("rejoins as")),
}


def ignored(violation: ViolationError, stage: Stage) -> bool:
    """Return whether a violation is known."""
    return any(known.covers(violation, stage.tale) for known in KNOWN.values())
