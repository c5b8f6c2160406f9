"""Our help for crashed hosts and members out of step: in our lobby as a host, or while no host is active."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.entry.helper import ATTENDANTS_MAX, MembersLobby, RejoinHelper
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import Invite
from snugroom.crypto.kdf import Rng


class Readmission:
    """Attends the lobby while it is our turn, and has the room commit the requests that come there."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        #: The lobby that we attend as a member; None while we don't.
        self.members: MembersLobby | None = None
        self._helper: RejoinHelper | None = None

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
        if self.members is not None:
            self.members.tick(now)
        if place is not None:
            for wanted in helper.tick(room, room.rank, place.post, now):
                room.queue(wanted, now)
        return left

    def message_posted(
        self, day: int, said: lobby.RecoveryMessage, room: RoomSession, now: float
    ) -> ev.Knocked | None:
        """Process a request, or another member's offer; return the question for our person, if any."""
        return self._helping(room).message_posted(day, said, room, room.rank, now)

    def decide(self, number: int, admit: bool, room: RoomSession, now: float) -> None:
        """Let a host come back, or refuse it; ValueError if none asks under that number."""
        self._helping(room).decide(number, admit, now)

    def answer(
        self, number: int, answer: lobby.Answer, room: RoomSession, place: HostLobby | MembersLobby
    ) -> None:
        """Answer a request, in that lobby: our commit of it has come back."""
        self._helping(room).answer(number, answer, place.post)

    def close(self) -> list[ev.Effect]:
        """Leave the lobby; return the effects of that."""
        if self.members is None:
            return []
        left, self.members = self.members, None
        left.close()
        return left.effects

    def _helping(self, room: RoomSession) -> RejoinHelper:
        if self._helper is None:
            self._helper = RejoinHelper(room.door_key.seed, rng=self._rng)
        return self._helper
