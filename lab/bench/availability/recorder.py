"""A look, every quarter of a second, at who can speak, who hears it, and what people are told.

**Speaking share.** A member counts at a moment if it is honest, has come in, has not left, was not removed
by a command of an honest person, its program runs, and it reaches a server of the meeting; after it has
been cut off from all of them, or its program has begun anew, it counts again `BACK` seconds later. Its
audience are the other members that count then. A member without an audience doesn't count. The beliefs
of programs play no part in this: a member that others' programs have removed for its absence counts.

No program brings members together that reach no common server. Of those that reach any, only the largest
group counts whose members all reach one server: if several are as large, one with a host, then one of which
most are there. If no group is more than half of them, nobody counts. A member that was outside of the group
counts again `BACK` seconds after it is inside. A group may have to go to another server first: that time
counts.

At each look, each member that counts seals a frame of sound under its real keys, if it may seal sound and
messages (`pause_reason` and `hold_reason` are None) and is in step with its server. A member of its
audience hears it if it is connected to the same room at the same server, and its real keys open the frame,
at once or within `PATIENCE` seconds: media engines hold frames of an epoch that they are about to enter for
so long. The moment counts for the speaker by the share of its audience that hears it, and not at all if it
may not seal. The speaking share is the mean over all moments of all members that count.

**Exposure.** The seconds, since the command `Remove` was given, in which any honest member seals
sound or messages in an epoch in whose tree the removed member still is: a server that helps it gives it all
that is sent there. It ends with the scene.

**Lines.** The most lines that stand on one honest member's screen at one moment (`Incidents`). Nobody
dismisses any.

**False alarms.** Alarms of honest members that are untrue by what really happened (`accusations`). Most name
an honest party, a member or a server, as the one that did something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from snugroom.client.session import events as ev
from snugroom.crypto.errors import SnugError, StateError
from snugroom.crypto.media.keys import FUTURE_TIME, FutureEpochError, open_frame, seal_frame
from snugroom.lab.simulation.accusations import is_false
from snugroom.lab.simulation.meddling import Meddled
from snugroom.lab.simulation.tale import Person, Tale

#: Seconds between two looks.
STEP: Final = 0.25
#: Seconds after which a member counts again that was cut off, or whose program has begun anew.
BACK: Final = 10.0
#: Seconds for which a receiver holds a frame of an epoch that it is about to enter.
PATIENCE: Final = FUTURE_TIME
#: Seconds for which everybody has to hear everybody, to count as together.
STEADY: Final = 5.0


@dataclass
class Look:
    """One moment. `spoken`: the sum of the shares of their audience that hear the speakers."""

    at: float
    speakers: int = 0
    spoken: float = 0.0
    pairs: int = 0
    heard: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether everybody that counts heard everybody else that does."""
        return self.heard == self.pairs


@dataclass(frozen=True)
class Frame:
    """A frame on its way to one listener, which can open it until `until`."""

    sealed: Look
    listener: Person
    data: bytes = field(repr=False)
    weight: float
    until: float


class Recorder:
    """Looks at a world from the moment when it is made, as long as the world runs."""

    def __init__(self, w: Meddled, tale: Tale, origins: Callable[[], Sequence[str]]) -> None:
        self.w = w
        self.tale = tale
        self._origins = origins
        self.looks: list[Look] = []
        self._frames: list[Frame] = []
        #: From when on each person counts, by label; those that are not there have always been here.
        self._counts_from: dict[str, float] = {}
        #: When each removal was commanded, by the label of the removed member, and by whom.
        self.removals: dict[str, tuple[float, Person]] = {}
        self.exposed: dict[str, float] = {}
        self.lines: list[str] = []
        self.false_alarms: list[tuple[str, str]] = []
        w._after(STEP, self._again)

    def _again(self) -> None:
        self.look()
        self.w._after(STEP, self._again)

    # -- who counts ----------------------------------------------------------------------------------

    def began_anew(self, person: Person) -> None:
        """A person's program begins, after its last one has crashed."""
        self._counts_from[person.label] = self.w.now + BACK
        person.in_step_at = self.w.now

    def speakers(self) -> list[Person]:
        """Return those that count now."""
        found, group = [], self._group()
        for person in self.tale.honest():
            here = person.wanted and person.who.alive and person.in_step_at is not None
            if here and person.label not in group:
                self._counts_from[person.label] = self.w.now + BACK
            if here and self.w.now >= self._counts_from.get(person.label, -inf):
                found.append(person)
        return found

    def _group(self) -> set[str]:
        """Return the labels of those that one server can bring together. Note who misses a server."""
        groups: dict[str, set[str]] = {origin: set() for origin in self._origins()}
        for person in self.tale.honest():
            reached = self.w.reached(person.label, [*groups])
            if len(reached) < len(groups):
                person.disturbed_at = self.w.now
            if person.wanted and person.who.alive:
                for origin in reached:
                    groups[origin].add(person.label)
        hosts = {person.label for person in self.tale.honest() if person.is_host}
        _, group = max(
            groups.items(),
            key=lambda each: (len(each[1]), not each[1].isdisjoint(hosts), len(each[1] & self.w.at(each[0]))),
        )
        return group if 2 * len(group) > len(set().union(*groups.values())) else set()

    def _note_in_step(self) -> None:
        """Note who is in step with the largest group of honest members that are."""
        groups: dict[bytes, list[Person]] = {}
        for person in self.tale.honest():
            room = person.room
            if room is not None and room.is_synced(self._clock(person)):
                groups.setdefault(room.membership.group.epoch_authenticator, []).append(person)
        for person in max(groups.values(), key=len, default=[]):
            person.in_step_at = self.w.now

    # -- one look ------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look once."""
        self._note_in_step()
        look = Look(self.w.now)
        speakers = self.speakers()
        for speaker in speakers:
            audience = [p for p in speakers if p is not speaker]
            if audience:
                self._speak(look, speaker, audience)
        self.looks.append(look)
        self._open()
        self._expose()
        self._read()

    def _speak(self, look: Look, speaker: Person, audience: Sequence[Person]) -> None:
        look.speakers += 1
        look.pairs += len(audience)
        room, now = speaker.room, self._clock(speaker)
        if room is None or not room.is_synced(now) or not self._seals_sound(speaker):
            return
        if room.hold_reason(now) is not None:
            return
        data = self._sealed(speaker)
        if data is not None:
            self._frames += [
                Frame(look, listener, data, 1 / len(audience), look.at + PATIENCE)
                for listener in audience
                if self._in_one_room(speaker, listener)
            ]

    def _sealed(self, speaker: Person) -> bytes | None:
        assert speaker.room is not None
        try:
            return seal_frame(
                speaker.room.membership.media, "audio", 0, b"\x00a frame of sound", self._clock(speaker)
            )
        except (SnugError, StateError):
            return None

    def _in_one_room(self, one: Person, other: Person) -> bool:
        links = [person.who.links.get(ev.ROOM) for person in (one, other)]
        rooms = [
            None if link is None or not link.up else link.hub._in_room.get(link.handle) for link in links
        ]
        return rooms[0] is not None and rooms[0] is rooms[1]

    def _open(self) -> None:
        """Have each listener try to open what is on its way to it."""
        waiting = []
        for frame in self._frames:
            room, now = frame.listener.room, self._clock(frame.listener)
            if room is None:
                continue
            try:
                open_frame(room.membership.media, "audio", frame.data, now)
            except FutureEpochError:
                if self.w.now < frame.until:
                    waiting.append(frame)
            except (SnugError, StateError):
                continue
            else:
                frame.sealed.heard += 1
                frame.sealed.spoken += frame.weight
        self._frames = waiting

    def _expose(self) -> None:
        """Add this look to the exposure to each removed member."""
        for label in self.removals:
            gone = self.tale.people[label].key
            if any(self._seals(p) and gone in _keys(p) for p in self.tale.honest() if p.label != label):
                self.exposed[label] = self.exposed.get(label, 0.0) + STEP

    def _seals_sound(self, person: Person) -> bool:
        room = person.room
        return room is not None and room.pause_reason(self._clock(person)) is None

    def _seals(self, person: Person) -> bool:
        """Whether a person's program seals anything that reaches a server.

        Sound has a connection of its own: an operator that ends the connection of messages may keep that.
        """
        room, now = person.room, self._clock(person)
        if room is None:
            return False
        return self._seals_sound(person) or (room.is_synced(now) and room.hold_reason(now) is None)

    def _read(self) -> None:
        """Note what stands on the screens, and judge what people have been told since the last look."""
        for person in self.tale.honest():
            incidents, events = person.who.incidents, person.who.told
            incidents.tick(self.w.now)
            if person.who.alive and len(incidents.shown) > len(self.lines):
                self.lines = [str(each.text) for each in incidents.shown]
            for event, at in list(zip(events, person.who.told_at, strict=True))[person.judged :]:
                person.judged += 1
                if isinstance(event, ev.Alarm) and is_false(self.tale, person, event, at):
                    self.false_alarms.append((person.label, str(event.text)))

    def _clock(self, person: Person) -> float:
        return self.w.now + person.who.clock

    # -- results -------------------------------------------------------------------------------------

    def share(self, until: float = inf) -> float:
        """Return the speaking share until a time, 0 to 1; 1 if nobody counted."""
        looks = [look for look in self.looks if look.at <= until]
        speakers = sum(look.speakers for look in looks)
        return sum(look.spoken for look in looks) / speakers if speakers else 1.0

    def together_after(self, since: float) -> float:
        """Return the seconds from a time until all hear all, for `STEADY` seconds; infinity: never."""
        looks = [look for look in self.looks if look.at >= since]
        need = round(STEADY / STEP)
        for at in range(len(looks) - need + 1):
            if all(look.is_whole and look.pairs for look in looks[at : at + need]):
                return looks[at].at - since
        return inf


def _keys(person: Person) -> set[bytes]:
    """Return the signature keys of all members in a person's present epoch."""
    room = person.room
    return set() if room is None else {leaf.signature_key for leaf in room.membership.leaves()}
