"""Our own requests to be let in again: made once for a membership, and taken up when it needs them again."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel import entering
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.meeting_invites import MeetingInvites
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.kdf import Rng


class Reentry:
    """Keeps the requests while a membership lasts: a late answer opens with the keys made for it."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._asks: RejoinLobby | None = None
        self._helper: int | None = None  # the leaf of the member who let us in last

    def ask(self, me: Me, room: RoomSession, invites: MeetingInvites, now: float) -> RejoinLobby:
        """Ask the members of `room` to let us in again, in their lobby."""
        room.membership.rejoin_keys.begin_request()
        if self._asks is None or not self._asks.is_for(room):
            self._asks = entering.rejoin_lobby(
                me, room, invites.own, invites.psks, first=self._helper, now=now, rng=self._rng
            )
        else:
            self._asks.begin_again(now)
        self._asks.final = bool(room.absent_by)
        return self._asks

    def reason(self, room: RoomSession, now: float) -> ev.Alarm:
        """Return the alarm that says why we ask."""
        if room.absent_by:
            return sentences.alarm("rejoining.absent", who=room.absent_by)
        if room.needs_rejoin:
            return sentences.alarm("rejoining")
        slot, mine = room.server_slot or 0, room.membership.journal.slot
        if slot == mine and room.is_shut_out(now) and not room.sync.elsewhere:
            return sentences.alarm("rejoining")  # it has been told that it is outside
        return sentences.alarm("rejoining.outrun" if slot < mine else "rejoining.server")

    def goes_on(self, guest: RejoinLobby, room: RoomSession, now: float) -> bool:
        """Return whether the membership goes on without an answer."""
        if room.needs_rejoin and not room.is_replaced and guest.nobody_is_ahead(room, now):
            guest.ask_once_more(now)
            room.resume(now)
        return not room.seeks_readmission

    def entered(self, guest: object) -> None:
        """Forget the requests: we are in by an answer."""
        if isinstance(guest, RejoinLobby) and guest.helped_by is not None:
            self._helper = guest.helped_by
        self._asks = None
