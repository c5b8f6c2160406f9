"""A host's lobby, brought up to date with the room after every input."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.kernel.admissions import Admissions
from snugroom.client.session.kernel.meeting_invites import MeetingInvites
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.agreed.room_state import Mode


def serve(
    host: HostLobby, room: RoomSession, invites: MeetingInvites, admissions: Admissions, now: float
) -> list[ev.Event]:
    """Answer newcomers, and close the invites that are over; return the links that were made."""
    made: list[ev.Event | None] = []
    if room.host_keys is not None and room.host_keys is not host.keys:
        host.take_keys(room.host_keys, now)
        made.append(invites.keys_changed(room))
    admissions.answer_newcomers(room, host, now)
    for index in room.membership.ledger.revoked | invites.book.taken_back:
        host.revoke(index)
    if room.membership.policy.mode is Mode.LOCKED:
        host.lock(now)
    made += [invites.replace_open(room), *invites.make_waiting(room)]
    return [event for event in made if event is not None]


def about_invites(
    what: ev.NewInvite | ev.ListInvites | ev.Revoke,
    host: HostLobby,
    room: RoomSession,
    invites: MeetingInvites,
) -> ev.Event | None:
    """Carry out a host's command; return its result, None if it follows later. ValueError if impossible."""
    match what:
        case ev.NewInvite():
            return invites.request(room, what)
        case ev.ListInvites():
            return ev.Invites(invites.book.rows(room.membership))
        case ev.Revoke(index):
            return invites.revoke(room, index, in_lobby=host.knows(index))
