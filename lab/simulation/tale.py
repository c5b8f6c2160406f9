"""The true story of a meeting: who did what to whom. Only the harness knows it; programs guess."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from snugroom.client.session.kernel.room import RoomSession
from snugroom.lab.simulation.world import Participant

#: Actors that are no persons.
SERVER, STRANGERS = "the server", "strangers"
#: For this long after a cut, a crash or a leap of a clock, others may say that nothing comes from somebody.
DISTURBED = 120.0


class ViolationError(AssertionError):
    """A property that does not hold. `rule` names it, `about` the case: a finding is known by both."""

    def __init__(self, rule: str, about: str, text: str) -> None:
        super().__init__(f"{rule} ({about}): {text}")
        self.rule = rule
        self.about = about
        self.text = text


@dataclass
class Person:
    """A participant, and the facts about it that no program can know for sure."""

    label: str
    who: Participant
    honest: bool
    #: The name by which it appears; a hostile one may choose any.
    name: str
    #: Whether it should be in the meeting: it has not left, crashed, or been removed or ended by a host.
    wanted: bool = True
    #: Whether an honest host's program let it in, or founded the meeting with it.
    admitted: bool = True
    #: The persons who have ordered its removal, and the time of the first order.
    removed_by: set[str] = field(default_factory=set)
    removed_at: float = inf
    #: When a host that ordered it saw it gone.
    gone_at: float = inf
    crashed: bool = False
    disturbed_at: float = -inf
    #: When it was last in step with the largest group of honest persons; None: never.
    in_step_at: float | None = None
    #: Memberships that it had before a rejoin: a spy keeps them.
    rooms: list[RoomSession] = field(default_factory=list)
    #: How many of its events were judged.
    judged: int = 0
    #: How many of its events its person has looked at, for knocks.
    answered: int = 0
    #: Signature keys that it saw removed.
    saw_gone: set[bytes] = field(default_factory=set)

    @property
    def key(self) -> bytes:
        """The public signature key of its leaf, in every membership."""
        return self.who.session._me.public

    @property
    def room(self) -> RoomSession | None:
        """Its present membership, if it is there and not over."""
        room = self.who.session._room
        return None if room is None or self.who.ended is not None or not self.who.alive else room

    @property
    def is_host(self) -> bool:
        """Whether it is a host as far as it knows."""
        return self.room is not None and self.room.membership.is_host(self.room.membership.own_leaf)


@dataclass(frozen=True)
class Deed:
    """One act."""

    at: float
    by: str
    what: str
    whom: str = ""

    def __str__(self) -> str:
        return f"{self.at:8.2f} s  {self.by} {self.what} {self.whom}".rstrip()


@dataclass(frozen=True)
class Words:
    """A message that a person has said: who was in the author's room at that moment."""

    author: str
    at: float
    audience: frozenset[str]


class Tale:
    """All persons and their deeds, in order."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.people: dict[str, Person] = {}
        self.deeds: list[Deed] = []
        self.words: dict[str, Words] = {}
        self.ended_by: set[str] = set()
        #: Refusals that the honest hub has sent, as (label, text).
        self.refusals: set[tuple[str, str]] = set()

    def record(self, now: float, by: str, what: str, whom: str = "") -> None:
        """Note an act."""
        self.deeds.append(Deed(now - self.began, by, what, whom))

    def did(self, by: str, *what: str) -> bool:
        """Return whether somebody has done any of this; without `what`, anything."""
        return any(d.by == by and (not what or d.what.startswith(what)) for d in self.deeds)

    @property
    def hostile_server(self) -> bool:
        """Whether the server has done anything that an honest one does not."""
        return self.did(SERVER)

    @property
    def restarted(self) -> bool:
        """Whether the server has restarted, as honest ones do."""
        return self.did("the network", "restarts")

    def named(self, name: str) -> list[Person]:
        """Return the persons of that name."""
        return [p for p in self.people.values() if p.name == name]

    def of_key(self, key: bytes) -> Person | None:
        """Return the owner of a signature key."""
        return next(
            (p for p in self.people.values() if p.key == key and not p.label.startswith("thief")), None
        )

    def hostile(self, name: str) -> bool:
        """Whether one of that name is hostile, and has done something."""
        return any(not p.honest and self.did(p.label) for p in self.named(name))

    @property
    def hostile_members(self) -> bool:
        """Whether any member has done anything hostile."""
        return any(not p.honest and self.did(p.label) for p in self.people.values())

    def honest(self) -> list[Person]:
        """Return the honest persons."""
        return [p for p in self.people.values() if p.honest]

    def told(self) -> str:
        """Return the tale, a line for each deed."""
        return "\n".join(str(deed) for deed in self.deeds)
