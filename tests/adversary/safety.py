"""Safety, at every step.

Who reads what, who is in the roster, who agrees with whom, and whether what people are told is true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.errors import SnugError, StateError
from snugroom.crypto.media.keys import open_frame
from snugroom.lab.simulation.tale import Person, Tale
from snugroom.lab.simulation.truth import ALARMS, ENDS, STATUSES, Meaning, Told
from snugroom.lab.simulation.world import Participant
from snugroom.wire import messages as wire
from tests.adversary.network import HostileNetwork

#: Seconds after a removal until nobody, not even with a server that withholds it, speaks to the removed.
REMOVAL_BOUND: Final = 30.0
#: Seconds until a host's pending act is reported to it, and some more for the steps between two looks.
PENDING_BOUND: Final = 8.0
#: More alarms of one kind within a minute are a flood.
FLOOD: Final = 20
FLOOD_SPAN: Final = 60.0
#: An alarm may come this many seconds before what it explains.
EARLIER: Final = 10.0


@dataclass
class Pending:
    """An act that a host has ordered, until it is done or reported."""

    by: Person
    whom: Person
    since: float


class Safety:
    """Judges every message that an honest person sends, and every state and sentence after each step."""

    def __init__(self, world: HostileNetwork, tale: Tale, fail: Callable[[str, str, str], None]) -> None:
        self.world = world
        self.tale = tale
        self.fail = fail
        self.pending: list[Pending] = []
        world.on_sent = self.sent

    # -- who reads what ----------------------------------------------------------------------------

    def sent(self, who: Participant, endpoint: ev.Endpoint, message: wire.Message) -> None:
        """An honest person's relay goes to the server, and so to all spies."""
        author = self.tale.people.get(who.label)
        if author is None or not author.honest or author.room is None or not isinstance(message, wire.Relay):
            return
        for spy in self.spies():
            for room in [*spy.rooms, spy.who.session._room]:
                text = None if room is None else reads(room, message.blob)
                if text is not None:
                    self.was_read(spy, author, text)

    def spies(self) -> list[Person]:
        """Return the hostile persons that are not simply members: those that hosts want gone."""
        return [p for p in self.tale.people.values() if not p.honest and p.removed_by]

    def was_read(self, spy: Person, author: Person, what: str) -> None:
        """A spy can read something that an honest person sends now."""
        now = self.world.now
        assert author.room is not None
        if spy.key not in keys(author.room):
            self.fail("secrecy", "not a member", f"{spy.label} reads {author.label}'s {what}")
        ordered = self.honest_orders(spy)
        if author.label in ordered:
            self.fail("secrecy", "own removal", f"{author.label} has removed {spy.label}, who reads {what}")
        if ordered and now - spy.gone_at > REMOVAL_BOUND and not self.outvoted(author):
            late = f"{now - spy.gone_at:.0f} s after the removal"
            self.fail("secrecy", "withheld removal", f"{spy.label} reads {author.label}'s {what} {late}")

    def honest_orders(self, spy: Person) -> set[str]:
        """Return the honest hosts that have ordered somebody's removal."""
        return {label for label in spy.removed_by if self.tale.people[label].honest}

    def outvoted(self, author: Person) -> bool:
        """Whether hostile members in a person's view are a quorum with it, and a host (threat model)."""
        assert author.room is not None
        m = author.room.membership
        here = [p for p in (self.tale.of_key(k) for k in keys(author.room)) if p is not None]
        hostile = [p for p in here if not p.honest]
        host = (
            author.is_host
            or any(p.key in m.policy.hosts for p in hostile)
            or not any(p.key in m.policy.hosts for p in here)
        )
        return host and 2 * (len(hostile) + 1) > len(here)

    def frame(self, author: Person, data: bytes) -> None:
        """An honest person has sealed a frame; the server gives it to all spies."""
        for spy in self.spies():
            for room in [*spy.rooms, spy.who.session._room]:
                if room is not None and opens(room, data, self.world.clock(spy.who)):
                    self.was_read(spy, author, "sound")

    # -- after each step ---------------------------------------------------------------------------

    def check(self) -> None:
        """Judge all states, and all that people have been told since the last step."""
        for person in self.tale.honest():
            self.judge_roster(person)
            self.judge_events(person)
            self.judge_flood(person)
        self.judge_agreement()
        self.judge_pending()

    def judge_roster(self, person: Person) -> None:
        """Nobody is a member here whom no host admitted, or who was removed."""
        if person.room is None:
            return
        for key in keys(person.room):
            owner = self.tale.of_key(key)
            if owner is None:
                self.fail("roster", "a stranger", f"{person.label} has a member that nobody knows")
                continue
            if not owner.admitted:
                self.fail("roster", "not admitted", f"{person.label} has {owner.label} as a member")
            if key in person.saw_gone:
                self.fail("roster", "removed", f"{owner.label} is back in {person.label}'s roster")
            for removed in owner.removed_by:
                if removed == person.label and owner.gone_at < self.world.now and not owner.honest:
                    self.fail("roster", "removed", f"{owner.label} is back in {person.label}'s roster")
        for thief in self.tale.people.values():
            alive = thief.label.startswith("thief") and thief.room is not None and not thief.admitted
            if alive and secret(thief.who.room) == secret(person.room):
                self.fail("roster", "a thief", f"{thief.label} sits at a leaf in {person.label}'s room")

    def judge_agreement(self) -> None:
        """Two honest members in one epoch have one roster, policy and ledger."""
        seen: dict[bytes, tuple[str, object]] = {}
        for person in self.tale.honest():
            if person.room is None:
                continue
            m = person.room.membership
            view = (m.members(), m.policy.encode(), m.ledger.digest(), m.own_leaf and 0)
            other, theirs = seen.setdefault(secret(person.room), (person.label, view))
            if theirs != view:
                self.fail("agreement", "one epoch", f"{person.label} and {other} differ")

    def judge_pending(self) -> None:
        """A host's removal is done or reported within some seconds."""
        now = self.world.now
        for pending in list(self.pending):
            host = pending.by
            if host.room is None or not host.wanted:
                self.pending.remove(pending)
            elif pending.whom.key not in keys(host.room):
                pending.whom.gone_at = min(pending.whom.gone_at, now)
                self.pending.remove(pending)
            elif now - pending.since > PENDING_BOUND:
                self.pending.remove(pending)
                if not self.explained(host, pending.since):
                    self.fail(
                        "pending",
                        "removal",
                        f"{host.label}'s removal of {pending.whom.label} is not done, nor reported",
                    )

    def explained(self, person: Person, since: float) -> bool:
        """Whether a person was told since then, truly, why something does not go as it should."""
        times = person.who.told_at
        return any(
            meaning.explains(told) and meaning.true(told)
            for event, at in zip(person.who.told, times, strict=True)
            if at >= since - (EARLIER if isinstance(event, ev.Alarm) else 0)
            and (found := self.meaning(person, event, at)) is not None
            for meaning, told in [found]
        )

    # -- what people are told ----------------------------------------------------------------------

    def meaning(self, person: Person, event: ev.Event, at: float) -> tuple[Meaning, Told] | None:
        """Return what an alarm or a status means; None for other events."""
        if not isinstance(event, ev.Alarm | ev.Status) or not isinstance(event.text, Sentence):
            return None
        group, _, key = event.text.key.partition(".")
        told = Told(self.tale, person, at, event.text.key, event.text.args)
        if group == "alarm":
            return ALARMS[key], told
        return (STATUSES[key], told) if key in STATUSES else None

    def judge_events(self, person: Person) -> None:
        """Every alarm, end and removal that a person was told is true, and every message was said."""
        times = person.who.told_at
        for event, at in list(zip(person.who.told, times, strict=True))[person.judged :]:
            person.judged += 1
            match event:
                case ev.Alarm():
                    found = self.meaning(person, event, at)
                    if found is not None and not found[0].true(found[1]):
                        key = found[1].key.partition(".")[2]
                        self.fail("truth", key, f"{person.label} was told: {event.text}")
                case ev.Ended():
                    self.judge_end(person, event, at)
                case ev.Roster():
                    self.judge_removals(person, event)
                case ev.Said():
                    self.judge_words(person, event)

    def judge_flood(self, person: Person) -> None:
        """Nobody is told the same thing again and again."""
        times = person.who.told_at
        recent = [
            event.kind
            for event, at in zip(person.who.told[-FLOOD * 4 :], times[-FLOOD * 4 :], strict=True)
            if isinstance(event, ev.Alarm) and self.world.now - at < FLOOD_SPAN
        ]
        for kind in set(recent):
            if recent.count(kind) > FLOOD:
                self.fail(
                    "flood", kind, f"{person.label} was told {kind} more than {FLOOD} times in a minute"
                )

    def judge_end(self, person: Person, ended: ev.Ended, at: float) -> None:
        """A meeting is over for a person only for the reason that it is told."""
        if ended.reason == "refused" or not isinstance(ended.text, Sentence):
            return
        true = ENDS.get(ended.text.key)
        if true is None or not true(Told(self.tale, person, at, ended.text.key, ended.text.args)):
            self.fail("truth", f"ended {ended.text.key}", f"{person.label} was told: {ended.text}")

    def judge_removals(self, person: Person, roster: ev.Roster) -> None:
        """A person was removed by nobody but who is named."""
        names = {m.leaf: m.name for m in roster.members}
        if person.room is not None:
            here = keys(person.room)
            person.saw_gone |= {
                p.key
                for m in roster.removed
                for p in self.tale.named(m.name)
                if p.key not in here and p.removed_by
            }
        if roster.rejoined or roster.by is None:
            return
        back = {m.name for m in roster.added}
        by = names.get(roster.by, "nobody")
        for gone in roster.removed:
            if gone.leaf in roster.left or gone.name in back:
                continue
            orders = set().union(*(p.removed_by for p in self.tale.named(gone.name)))
            if not any(p.label in orders for p in self.tale.named(by)):
                self.fail("truth", "removed by", f"{person.label} was told that {by} removed {gone.name}")

    def judge_words(self, person: Person, said: ev.Said) -> None:
        """A message was said by its author, once, and its reader was there."""
        words = self.tale.words.get(said.text)
        if words is None:
            if all(p.honest for p in self.tale.named(said.name)):
                self.fail("words", "never said", f"{said.name} never said {said.text}")
            return
        if said.name != self.tale.people[words.author].name:
            self.fail("words", "another's", f"{words.author}'s words in {said.name}'s name")
        if [text for _, text in person.who.said].count(said.text) > 1:
            self.fail("words", "twice", f"{person.label} was shown {said.text} twice")
        if person.label not in words.audience:
            self.fail("secrecy", "newcomer", f"{person.label} was not there when {words.author} said that")


def keys(room: RoomSession) -> set[bytes]:
    """Return the signature keys of all members of a room."""
    return {leaf.signature_key for leaf in room.membership.leaves()}


def secret(room: RoomSession) -> bytes:
    """Return the value that all members of one epoch share, and nobody else."""
    return room.membership.group.epoch_authenticator


def reads(room: RoomSession, blob: bytes) -> str | None:
    """Return what a blob says, if the keys of this membership open it and it is for people."""
    try:
        what = content.decode(room.membership.open_relay(blob).data)
    except (SnugError, StateError):
        return None
    if isinstance(what, content.Say):
        return what.text
    return type(what).__name__ if isinstance(what, content.Image | content.File) else None


def opens(room: RoomSession, data: bytes, now: float) -> bool:
    """Return whether the media keys of this membership open a frame of sound."""
    try:
        open_frame(room.membership.media, "audio", data, now)
    except (SnugError, StateError):
        return False
    return True
