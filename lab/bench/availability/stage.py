"""A simulated meeting on which a scene acts. Each act is noted in the tale, with its actor."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.options import Options
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.lab.bench.availability.recorder import Recorder
from snugroom.lab.simulation.liars import Liar
from snugroom.lab.simulation.meddling import Meddled, Swallow, Way
from snugroom.lab.simulation.patches import Patches
from snugroom.lab.simulation.servers import OTHERS, listed
from snugroom.lab.simulation.tale import SERVER, Person, Tale
from snugroom.lab.simulation.world import ORIGIN, Participant, seeded
from snugroom.wire import messages as wire

NETWORK: Final = "the network"
#: Its name makes a member hostile.
HOSTILE: Final = "Mallory"
#: Seconds from the last arrival until a scene begins: all have confirmed each other.
QUIET: Final = 20.0
_AWAY: Final = ev.SetState(mic=False, camera=False, away=True)


@dataclass(frozen=True)
class Word:
    """A message, and the members that it is for."""

    author: Participant
    text: str
    at: float
    audience: tuple[Participant, ...]


class Stage:
    """A meeting of these people, the first its host, all inside. Use it as a context.

    `further`: how many further servers its host names, and whether it has a `mirror` there;
    `strict`: whether the meeting is.
    """

    def __init__(
        self,
        names: Sequence[str] = ("Ada", "Bo", "Cem", "Dana"),
        *,
        seed: int = 1,
        further: int = 0,
        mirror: bool = False,
        strict: bool = False,
    ) -> None:
        self.w = Meddled(seed)
        self.tale = Tale(self.w.now)
        self.words: list[Word] = []
        self._patches = ExitStack()
        self.origins: tuple[str, ...] = (ORIGIN, *OTHERS[:further])
        host = self.w.host(names[0], options=Options(keep=True, mirror=mirror, strict=strict))
        self._add(names[0], host)
        for name in names[1:]:
            self._add(name, self.w.guest(self.w.link_of(host), name, options=Options(keep=True)))
            everybody = [p.who for p in self.tale.people.values()]
            self.w.until(lambda everybody=everybody: self.w.agreed(everybody), why=f"{name} is in")  # type: ignore[misc]
        if further:
            listed(self.w, host, *OTHERS[:further])
        if mirror:
            self.w.until(lambda: self.w.at(OTHERS[0], ev.SECOND, ev.THIRD) == {*names}, 20, "the mirror")
        for person in self.tale.people.values():
            person.in_step_at = self.w.now
        self.w.run(QUIET)
        #: When the scene began, and when the act came from which on the others are looked for.
        self.began = self.w.now
        self.acted_at: float | None = None
        self.recorder = Recorder(self.w, self.tale, lambda: self.origins)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    # -- people ----------------------------------------------------------------------------------------

    def _add(self, label: str, who: Participant) -> Person:
        honest = not label.startswith(HOSTILE)
        person = Person(label, who, honest, who.session._me.name)
        self.tale.people[label] = person
        return person

    def person(self, label: str) -> Person:
        """Return somebody: of a person whose program has begun anew, the present program."""
        again = self.tale.people.get(f"{label} again")
        return self.tale.people[label] if again is None else self.person(again.label)

    def who(self, label: str) -> Participant:
        """Return the same as a participant."""
        return self.person(label).who

    def there(self) -> list[Person]:
        """Return the honest members whose programs run, and that should be there."""
        return [p for p in self.tale.honest() if p.wanted and p.who.alive]

    def command(self, label: str, command: ev.Command) -> bool:
        """Give a command; return whether the program accepted it."""
        if self.person(label).room is None:
            return False
        try:
            self.w.do(self.who(label), command)
        except ValueError:
            return False
        return True

    def liar(self, label: str = HOSTILE) -> Liar:
        """Return what makes this member sign lies."""
        return Liar(self._patches.enter_context(Patches()), self.w, self.who(label))

    def joins(self, name: str) -> None:
        """Somebody new comes, with the newest link."""
        link = self.w.link_of(self.tale.people[next(iter(self.tale.people))].who)
        self._add(name, self.w.guest(link, name, options=Options(keep=True)))

    def leaves(self, label: str) -> None:
        """Somebody leaves, and says so."""
        if self.command(label, ev.Leave()):
            self.person(label).wanted = False

    def closes(self, label: str) -> None:
        """Somebody closes the page: it says that it is away, and is gone for good."""
        self.command(label, _AWAY)
        self.w.run(2 * self.w.latency)
        self.crashes(label)

    def removes(self, host: str, label: str) -> None:
        """A host removes somebody. Exposure counts from here."""
        gone, by = self.person(label), self.person(host)
        self.recorder.removals[label] = self.w.now, by
        gone.wanted, gone.removed_at = False, self.w.now
        gone.removed_by.add(host)
        room = by.room
        assert room is not None
        leaf = next(
            n for n, _, _ in room.membership.members() if room.membership.signature_key(n) == gone.key
        )
        self.command(host, ev.Remove(leaf))

    def says(self, label: str) -> None:
        """Somebody writes a message that nobody else writes."""
        person = self.person(label)
        text = f"{label} {len(self.words)}"
        audience = tuple(p.who for p in self.there() if p is not person and p.in_step_at is not None)
        if self.command(label, ev.Say(text)):
            self.words.append(Word(person.who, text, self.w.now, audience))

    # -- faults ----------------------------------------------------------------------------------------

    def cut(self, label: str, *origins: str, by: str = NETWORK) -> None:
        """Somebody is cut off from these servers, or from all."""
        person = self.person(label)
        self.tale.record(self.w.now, by, "cuts off", person.label)
        person.disturbed_at = self.w.now
        for origin in origins or (ORIGIN, *OTHERS):
            self.w.unreachable.add((person.label, origin))
            for link in list(person.who.links.values()):
                if link.hub is self.w.hubs[origin]:
                    self.w.cut(link)

    def breaks(self, label: str, by: str = NETWORK) -> None:
        """Somebody's connections break, and new ones can be made at once."""
        person = self.person(label)
        self.tale.record(self.w.now, by, "cuts off", person.label)
        person.disturbed_at = self.w.now
        for link in list(person.who.links.values()):
            self.w.cut(link)

    def mend(self, label: str, *origins: str) -> None:
        """These servers, or all, are there for somebody again."""
        person = self.person(label)
        person.disturbed_at = self.w.now
        self.w.unreachable -= {(person.label, origin) for origin in origins or (ORIGIN, *OTHERS)}

    def stalls(self, label: str, origin: str, way: Way, seconds: float, by: str = NETWORK) -> None:
        """Packets between somebody and a server are lost in one direction for so long."""
        person = self.person(label)
        self.tale.record(self.w.now, by, f"loses packets {way} of", person.label)
        person.disturbed_at = self.w.now + seconds
        self.w.stall(person.label, origin, way, seconds)

    def crashes(self, label: str) -> None:
        """Somebody's program ends without a word."""
        person = self.person(label)
        self.tale.record(self.w.now, label, "crashes")
        person.wanted, person.crashed, person.disturbed_at = False, True, self.w.now
        self.w.kill(person.who)

    def returns(self, label: str) -> None:
        """Somebody's program begins anew, with what its device has kept."""
        before = self.person(label)
        kept = _kept_by(before.who)
        if kept is None:
            return
        rng = seeded(self.w.random.getrandbits(32))
        session = Session.come_back(kept, options=Options(keep=True), now=self.w.now, rng=rng)
        self._begins_anew(before, session)

    def returns_as_host(self, label: str) -> None:
        """A host's program begins anew, with its recovery file."""
        before = self.person(label)
        kept = before.who.session.kept()
        if kept is not None:
            rng = seeded(self.w.random.getrandbits(32))
            session = Session.rejoin_as_host(kept, options=Options(keep=True), now=self.w.now, rng=rng)
            self._begins_anew(before, session)

    def _begins_anew(self, before: Person, session: Session) -> None:
        self.tale.record(self.w.now, before.label, "returns")
        again = f"{before.label} again"
        self.recorder.began_anew(self._add(again, self.w.add(again, session)))

    def server_fails(self, origin: str = ORIGIN, by: str = NETWORK) -> None:
        """A server is gone."""
        self.tale.record(self.w.now, by, "restarts the server", origin)
        for person in self.tale.people.values():
            person.disturbed_at = self.w.now
        self.w.fails(origin)

    def server_is_back(self, origin: str = ORIGIN) -> None:
        """A server is there again, as another process."""
        for person in self.tale.people.values():
            person.disturbed_at = self.w.now
        self.w.restart(origin)

    # -- operators -------------------------------------------------------------------------------------

    def swallow(
        self,
        label: str,
        way: Way,
        *kinds: type[wire.Message],
        author: str = "",
        origin: str = "",
        late: float = 0.0,
    ) -> None:
        """The operator of a server, or of all, keeps messages back from now on, for good or for so long."""
        person = self.person(label)
        what = ", ".join(kind.__name__ for kind in kinds)
        self.tale.record(
            self.w.now, SERVER, f"{'delays' if late else 'swallows'} {way} {what} of", person.label
        )
        self.w.swallows.append(Swallow(person.label, way, kinds, author, origin, late))

    def relent(self) -> None:
        """The operators swallow nothing any more."""
        self.w.swallows.clear()

    # -- time ------------------------------------------------------------------------------------------

    def wait_for_heartbeat(self, label: str) -> None:
        """Let time pass until all have somebody's next heartbeat."""
        since = self.w.now
        self.w.until(lambda: self.w.beat_at.get(label, 0.0) > since, 10, f"a heartbeat of {label}")
        self.w.run(4 * self.w.latency)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.w.run(seconds)

    # -- results ---------------------------------------------------------------------------------------

    def lost_words(self) -> list[tuple[str, str]]:
        """Return (text, reader) of messages that a reader has not got, and of which nobody was told.

        It is told if an alarm to the author quotes the message, if the author's program shows it among those
        that wait, or if the reader was told later that messages have gone by.
        """
        return [
            (word.text, reader.label)
            for word in self.words
            for reader in word.audience
            if reader.alive
            and not any(text == word.text for _, text in reader.said)
            and not self._is_told(word, reader)
        ]

    def _is_told(self, word: Word, reader: Participant) -> bool:
        alarms = [str(e.text) for e in word.author.told if isinstance(e, ev.Alarm)]
        held = word.author.of(ev.Held)
        if any(f"\u201c{word.text}\u201d" in text for text in alarms):
            return True
        if held and any(message.text == word.text for message in held[-1].messages):
            return True
        return any(
            isinstance(event, ev.Alarm) and event.kind == "missed" and at >= word.at
            for event, at in zip(reader.told, reader.told_at, strict=True)
        )


def _kept_by(who: Participant) -> MemberRecoveryData | None:
    """Return what somebody's device has now; None if nothing."""
    return next((e.data for e in reversed(who.performed) if isinstance(e, ev.Keep)), None)
