"""The stage of a meeting under attack: its people, its time, and the judgement of liveness."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from snugroom.client.session import events as ev
from snugroom.lab.simulation.tale import Person, Tale, ViolationError, Words
from snugroom.lab.simulation.world import Participant
from tests.adversary.hostile import Hostile, Theft
from tests.adversary.inventions import Inventor
from tests.adversary.network import HostileNetwork
from tests.adversary.safety import Safety, keys, secret

#: Seconds after the end of an attack until everybody is in step or knows why not.
RECOVERY: Final = 30.0
#: Seconds out of step after which a person must know why, whatever goes on.
STARVED: Final = 40.0
#: Seconds between two messages of everybody, while a removed member listens.
CONVERSE: Final = 10.0
EVERYBODY: Final = "everybody"
HOSTILE: Final = ("Mallory", "Oscar")
#: Says whether a violation is known.
Ignore = Callable[[ViolationError, "Stage"], bool]


class Stage:
    """A meeting of `people` in this order, the first its host; `HOSTILE` names are hostile."""

    def __init__(
        self,
        people: Sequence[str] = ("Ada", "Bo", "Cem", "Mallory"),
        *,
        seed: int = 1,
        ignore: Ignore = lambda violation, stage: False,
    ) -> None:
        self.w = HostileNetwork(seed)
        self.tale = Tale(self.w.now)
        self.tale.refusals = self.w.refused
        self.inventor = Inventor(self.w)
        self.chance = random.Random(seed)
        self.hostile: dict[str, Hostile] = {}
        self.thefts: dict[str, Theft] = {}
        #: Violations that were ignored, because they are known.
        self.known: list[ViolationError] = []
        self._ignore = ignore
        self.safety = Safety(self.w, self.tale, self.fail)
        self.stopped = False
        self._conversed_at = self.w.now
        for name in people:
            who = self.w.guest(self.link(), name) if self.tale.people else self.w.host(name, admission="all")
            self.add(name, who, honest=name not in HOSTILE)
            everybody = [p.who for p in self.tale.people.values()]
            self.w.until(lambda: self.w.agreed(everybody), why=f"{name} is in")

    def add(self, label: str, who: Participant, *, honest: bool, admitted: bool = True) -> Person:
        """Note a new participant."""
        person = self.tale.people[label] = Person(label, who, honest, who.session._me.name, admitted=admitted)
        if not honest and not label.startswith("thief"):
            victims = [p.who for p in self.tale.honest()]
            self.hostile[label] = Hostile(self.w, person, self.chance, victims)
        return person

    # -- facts -------------------------------------------------------------------------------------

    def person(self, label: str) -> Person:
        """Return a person."""
        return self.tale.people[label]

    def people(self, whom: str) -> Iterator[Person]:
        """Return a person, or everybody that is honest."""
        if whom == EVERYBODY:
            yield from self.tale.honest()
        elif whom in self.tale.people:
            yield self.tale.people[whom]

    def honest_host(self) -> Person | None:
        """Return an honest host that is in the room."""
        return next((p for p in self.tale.honest() if p.is_host and p.wanted), None)

    def is_host(self, viewer: Person, person: Person) -> bool:
        """Whether somebody is a host in another's view."""
        return viewer.room is not None and person.key in viewer.room.membership.policy.hosts

    def names_of_hosts(self) -> set[str]:
        """Return the labels of those whose programs work as hosts."""
        return {p.label for p in self.tale.people.values() if p.room and p.who.session._host is not None}

    def link(self) -> str:
        """Return the newest link of an honest host that is in the room; empty without one."""
        host = self.honest_host()
        made = () if host is None else (e for e in reversed(host.who.told) if isinstance(e, ev.InviteMade))
        return next((e.link for e in made), "")

    def record(self, by: str, what: str, whom: str = "") -> None:
        """Note an act in the tale."""
        self.tale.record(self.w.now, by, what, whom)

    def fail(self, rule: str, about: str, text: str) -> None:
        """Raise a violation, unless it is known."""
        violation = ViolationError(rule, about, text)
        if not self._ignore(violation, self):
            raise violation
        self.known.append(violation)

    # -- what goes on by itself ----------------------------------------------------------------------

    def command(self, by: Person | None, command: ev.Command, what: str, whom: str = "") -> bool:
        """Carry out a command; return whether the program accepted it."""
        if by is None or by.room is None or not by.wanted:
            return False
        try:
            self.w.do(by.who, command)
        except ValueError:
            return False
        self.record(by.label, what, whom)
        return True

    def write(self, person: Person) -> None:
        """Write a message that nobody else writes."""
        text = f"{person.label} {len(self.tale.words)}"
        if person.room is None or not person.honest:
            return
        here = (self.tale.of_key(key) for key in keys(person.room))
        audience = frozenset(p.label for p in here if p is not None)
        self.tale.words[text] = Words(person.label, self.w.now, audience | {person.label})
        if not self.command(person, ev.Say(text), "writes", text):
            del self.tale.words[text]

    def make_sound(self, person: Person) -> None:
        """Seal a frame, if the program permits it."""
        if person.room is not None and person.honest:
            data = person.room.frames.seal("audio", 0, b"\x00sound", self.w.clock(person.who))
            if data is not None:
                self.safety.frame(person, data)

    def converse(self) -> None:
        """While somebody listens who should be gone, everybody goes on talking and writing."""
        if self.w.now - self._conversed_at >= CONVERSE and self.safety.spies():
            self._conversed_at = self.w.now
            for person in self.tale.honest():
                self.write(person)
                self.make_sound(person)

    # -- time ---------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.w.now + seconds
        while self.w.now < end:
            self.w.run(min(1.0, end - self.w.now))
            self.check()

    def check(self) -> None:
        """Judge everything, and note who is in step with the others."""
        for person in self.largest_group():
            if person.in_step_at is None and person.label.endswith(" again"):
                person.wanted = True
            person.in_step_at = self.w.now
        self.safety.check()
        self.answer_knocks()
        self.converse()
        for person in self.expected():
            at = person.in_step_at
            if at is not None and self.w.now - at > STARVED and not self.safety.explained(person, at):
                self.fail("starved", self.whereabouts(person), f"{person.label} {self.whereabouts(person)}")

    def answer_knocks(self) -> None:
        """Hosts whose programs ask them admit those whom they know."""
        for host in self.tale.honest():
            for knocked in [e for e in host.who.told[host.answered :] if isinstance(e, ev.Knocked)]:
                if host.is_host and any(p.honest for p in self.tale.named(knocked.name)):
                    with suppress(ValueError):  # the program has admitted them by itself
                        self.w.do(host.who, ev.Admit(knocked.knock))
            host.answered = len(host.who.told)

    # -- the end of the attack, and liveness --------------------------------------------------------------

    def in_step(self, person: Person) -> bool:
        """Whether somebody is a member, and in step with the server."""
        room = person.room
        return room is not None and not room.needs_rejoin and room.sync.is_synced(self.w.clock(person.who))

    def largest_group(self) -> list[Person]:
        """Return the honest persons that are in step with each other: of several groups the largest."""
        groups: dict[bytes, list[Person]] = {}
        for person in self.tale.honest():
            if self.in_step(person):
                groups.setdefault(secret(person.who.room), []).append(person)
        return max(groups.values(), key=lambda g: (len(g), any(p.is_host for p in g)), default=[])

    def expected(self) -> list[Person]:
        """Return those who should be in the meeting."""
        host = self.honest_host() is not None
        return [
            p
            for p in self.tale.honest()
            if p.wanted and p.who.alive and p.who.ended is None and (p.in_step_at is not None or host)
        ]

    def together(self, people: list[Person]) -> bool:
        """Whether these are in one group, in step."""
        return all(self.in_step(p) for p in people) and len({secret(p.who.room) for p in people}) <= 1

    def stop(self, *, deliver: bool = True, cut: bool = False) -> None:
        """The attack ends: the server is honest, hostile members are silent."""
        if self.stopped:
            return
        self.stopped = True
        self.record("everybody hostile", "stops")
        self.w.stop_meddling(deliver=deliver)
        for hostile in self.hostile.values():
            for client in hostile.clients:
                client.persistent = False
                for link in list(client.links.values()):
                    self.w.cut(link)
            self.w.kill(hostile.who)
        for thief in [p for p in self.tale.people.values() if p.label.startswith("thief")]:
            self.w.kill(thief.who)
        if cut:
            for person in self.tale.honest():
                for link in list(person.who.links.values()):
                    self.w.cut(link)
        began = self.w.now
        while self.w.now - began < RECOVERY and not self.together(self.expected()):
            self.wait(0.5)
        self.judge_liveness()

    def judge_liveness(self) -> None:
        """Everybody who should be in the meeting is in it, in one group and in step, or was told why not."""
        most = self.largest_group()
        for person in self.expected():
            since = self.tale.began if person.in_step_at is None else person.in_step_at
            if person not in most and not self.safety.explained(person, since):
                where = self.whereabouts(person)
                self.fail("liveness", where, f"{person.label} {where}, and was not told why")

    def whereabouts(self, person: Person) -> str:
        """Return a word on where somebody is."""
        if person.who.session._guest is not None:
            return "waits in the lobby"
        if not self.in_step(person):
            return "is out of step"
        return "is in another group"
