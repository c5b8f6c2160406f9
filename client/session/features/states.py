"""The state that members show: microphone, camera, screen, raised hand, recording; and reactions.

Each member reports its own, sealed like all messages: the server learns none of it. A state is sent again to
newcomers, as announcements are; a reaction is sent once, and shown only to present members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls

#: Minimum seconds between two states of ours: the last one is sent.
EVERY: Final = 1.0
#: Seconds between two members' states sent to a newcomer, as with announcements.
STEP: Final = 0.01
#: Minimum seconds between two reactions of ours.
REACTION_EVERY: Final = 0.5
#: Reactions of one member that are shown in ten seconds: more are noise.
REACTIONS_MAX: Final = 20


@dataclass(frozen=True)
class Microphone:
    """A shown microphone, and since when it is open or closed, Unix seconds; 0: from the beginning."""

    is_open: bool
    since: int


class States(Feature):
    """Sends our state, and reports the others'."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._own: content.State | None = None
        self._say_at: float | None = None
        self._said_at = float("-inf")
        self._heard: dict[int, content.State] = {}
        self._said_as: dict[int, tuple[int, int]] = {}  # leaf -> (epoch, generation) of its newest state
        #: Members whose programs have ended, by their own word, and since when.
        self.away: dict[int, float] = {}

    def carry_over(self, old: Room) -> None:
        self._own = old.feature(States)._own

    def set(self, state: content.State, now: float) -> None:
        """Show this state from now on."""
        before = self._own or content.State(False, False, False, False, False)
        state = msgspec.structs.replace(state, since=before.since)
        if state == self._own:
            return
        if state.mic != before.mic:
            state = msgspec.structs.replace(state, since=int(now))
        self._own = state
        soon = max(now, self._said_at + EVERY)
        self._say_at = now if state.away else soon  # a page that closes has no time
        self._say(now)
        self._tell(self.room.membership.own_leaf, state)

    def raise_hand(self, up: bool, now: float) -> None:
        """Keep the rest of our state, with the hand up or down."""
        own = self._own or content.State(False, False, False, False, False)
        self.set(msgspec.structs.replace(own, hand=up), now)

    def microphones(self) -> dict[int, Microphone]:
        """Return what members show of their microphones, by leaf; ours too."""
        own = {} if self._own is None else {self.room.membership.own_leaf: self._own}
        states = {**self._heard, **own}
        return {leaf: Microphone(state.mic, state.since) for leaf, state in states.items()}

    def goes(self, leaf: int, now: float) -> None:
        """Record that a member says that its program ends."""
        self.away.setdefault(leaf, now)

    def synced(self, now: float) -> None:
        self._say_at = now

    def adopted(self, change: Change, now: float) -> None:
        for leaf, _, _ in change.removed:
            self._heard.pop(leaf, None)
            self._said_as.pop(leaf, None)
            self.away.pop(leaf, None)
        if change.added:
            self._say_at = now + STEP * self.room.member_index

    def tick(self, now: float) -> None:
        self._say(now)

    def _say(self, now: float) -> None:
        if self._own is not None and self._say_at is not None and now >= self._say_at:
            if not self.room.speaks(now):
                return
            self._say_at, self._said_at = None, now
            self.room.relay(self._own)

    def contents(self) -> Contents:
        return {content.State: self._state_received}

    def _state_received(self, received: mls.ApplicationMessage, what: content.State, now: float) -> None:
        leaf, said_as = received.sender, (received.epoch, received.generation)
        if said_as >= self._said_as.get(leaf, (0, 0)):  # catching up brings older ones
            self._said_as[leaf] = said_as
            if self._heard.get(leaf) != what:
                self._heard[leaf] = what
                if what.away:
                    self.goes(leaf, now)
                else:
                    self.away.pop(leaf, None)
                self._tell(leaf, what)

    def _tell(self, leaf: int, state: content.State) -> None:
        name = self.room.membership.name(leaf)
        self.room.tell(
            ev.StateTold(
                leaf,
                name,
                state.mic,
                state.camera,
                state.screen,
                state.hand,
                state.recording,
                away=state.away,
            )
        )


class Reactions(Feature):
    """Reactions, our own and the others'."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._said_at = float("-inf")
        self._shown: dict[int, list[float]] = {}

    def react(self, what: content.Reaction, now: float) -> None:
        """Send a reaction; CommandError if nobody would see it, or too soon after the last one."""
        if not self.room.is_synced(now):
            raise CommandError(sentence("cannot.react_away"))
        held = self.room.hold_reason(now)
        if held is not None:
            raise CommandError(held)
        if now - self._said_at < REACTION_EVERY:
            raise CommandError(sentence("cannot.react_soon"))
        self._said_at = now
        self.room.relay(what)
        own = self.room.membership.own_leaf
        self.room.tell(ev.Reacted(own, self.room.membership.name(own), what.reaction))

    def contents(self) -> Contents:
        return {content.Reaction: self._reaction_received}

    def _reaction_received(
        self, received: mls.ApplicationMessage, what: content.Reaction, now: float
    ) -> None:
        recent = [at for at in self._shown.get(received.sender, []) if now - at < 10.0]
        if not self.room.catching_up and len(recent) < REACTIONS_MAX:
            self._shown[received.sender] = [*recent, now]
            name = self.room.membership.name(received.sender)
            self.room.tell(ev.Reacted(received.sender, name, what.reaction))
