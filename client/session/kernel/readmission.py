"""Our help for crashed hosts and members out of step: in our lobby as a host, or while no host is active."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.entry.helper import ATTENDANTS_MAX, MembersLobby, RejoinHelper
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.entry.lobby_connections import PostedMessage
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.crypto.entry import answers, lobby
from snugroom.crypto.entry.invite import Invite
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import Rng

#: Intervals between beats after which only members of our own room can still count as heard.
HEARD_BEFORE: Final = 4
#: Seconds between two requests for a card of a host elsewhere.
ASK_EVERY: Final = 10.0


class Readmission:
    """Attends the lobby while it is our turn, and has the room commit the requests that come there."""

    def __init__(self, numbers: Iterator[int], rng: Rng) -> None:
        self._rng = rng
        self._numbers = numbers
        #: The lobby that we attend as a member; None while we don't.
        self.members: MembersLobby | None = None
        self._helper: RejoinHelper | None = None
        self._alone = False
        self._asked_at = 0.0
        self._nonce = b""  # of our last request for a card

    def attend(self, room: RoomSession, host: HostLobby | None, link: Invite, now: float) -> list[ev.Effect]:
        """Do what is due, in the host's lobby if there is one; return the effects of leaving the lobby."""
        left: list[ev.Effect] = []
        helper = self._helping(room)
        attend = host is None and room.sync.is_entered and room.rank < ATTENDANTS_MAX and room.hostless(now)
        if attend and self.members is None:
            self.members = MembersLobby(link, rng=self._rng)
        elif not attend:
            left = self.close()
        place = host or self.members
        if place is not None and room.is_synced(now):
            place.follow(room.here.origin)
        if self.members is not None:
            self.members.tick(now)
        self._alone = self._is_alone(room, now)
        if place is not None:
            for wanted in helper.tick(room, room.rank, place.post, now):
                room.queue(wanted, now)
            if self._alone and place.entered and now - self._asked_at >= ASK_EVERY:
                self._asked_at, self._nonce = now, self._rng(16)
                for day in place.entered:
                    place.post(day, lobby.CardRequest(self._nonce))
        return left

    def _is_alone(self, room: RoomSession, now: float) -> bool:
        """Return whether we have heard nobody for long, in rooms that were new when we entered them.

        The hosts' keys may have changed while we were away: after a restart of the server the others meet
        under another number. Or somebody departed at a further server, and they have another place there.
        """
        m, since = room.membership, room.sync.new_room_since
        if since is None or now - since < HEARD_BEFORE * interval(len(m.members())):
            return False
        others = [leaf for leaf, _, _ in m.members() if leaf != m.own_leaf]
        if others and not any(room.heard_recently(leaf, now) for leaf in others):
            return True
        room.sync.new_room_since = None
        return False

    def _card_posted(self, card: lobby.Card, room: RoomSession) -> None:
        """Ask to be let in again if another host has answered us, and we hear nobody in our room.

        It can be a former host's card: so we stay, and go on here if we hear somebody after all.
        """
        if not self._alone:
            return
        for key in room.membership.policy.link_keys:
            with contextlib.suppress(SnugError):
                card.verify(key, room.origin, {self._nonce})
                room.sync.elsewhere = True
                return

    def message_posted(
        self, day: int, posted: PostedMessage, room: RoomSession, now: float
    ) -> ev.Knocked | None:
        """Process a request, an offer or another host's card; return the question for our person, if any."""
        said = posted.message
        if isinstance(said, lobby.Card):
            self._card_posted(said, room)
        if not isinstance(said, lobby.RecoveryMessage):
            return None
        return self._helping(room).message_posted(day, said, posted.handle, room, now)

    def is_host(self, number: int) -> bool:
        """Return whether a returning host asks, or has asked, under that number."""
        return self._helper is not None and self._helper.is_host(number)

    def decide(self, number: int, admit: bool, room: RoomSession, now: float) -> None:
        """Let a host come back, or refuse it; CommandError if none asks under that number."""
        self._helping(room).decide(number, admit, now)

    def answer(
        self,
        number: int,
        answer: answers.Answer,
        pieces: tuple[lobby.Piece, ...],
        room: RoomSession,
        place: HostLobby | MembersLobby,
        now: float,
    ) -> None:
        """Answer a request, in that lobby: our commit of it has come back."""
        self._helping(room).answer(number, answer, pieces, place, now)

    def close(self) -> list[ev.Effect]:
        """Leave the lobby; return the effects of that."""
        if self.members is None:
            return []
        left, self.members = self.members, None
        left.close()
        return left.effects

    def _helping(self, room: RoomSession) -> RejoinHelper:
        if self._helper is None:
            self._helper = RejoinHelper(room.door_key.seed, numbers=self._numbers, rng=self._rng)
        return self._helper
