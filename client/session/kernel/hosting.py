"""A host's lobby, brought up to date with the room after every input."""

from __future__ import annotations

from dataclasses import replace

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.entry.lobby_connections import PostedMessage
from snugroom.client.session.kernel.admissions import Admissions
from snugroom.client.session.kernel.intents import RejoinIntent
from snugroom.client.session.kernel.meeting_invites import MeetingInvites
from snugroom.client.session.kernel.readmission import Readmission
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.agreed.room_state import Mode
from snugroom.wire.messages import ServerMessage


def in_lobby(
    host: HostLobby,
    room: RoomSession,
    readmission: Readmission,
    day: int,
    message: ServerMessage,
    now: float,
) -> ev.Event | None:
    """Process a message in a lobby where we are a host; return what the person is told, if anything."""
    match host.received(day, message, room, now):
        case ev.Knocked(knock) as knocked:
            if room.membership.policy.mode is Mode.WAVE_IN and not knocked.older and not knocked.silent:
                taken = knocked.looks_like is not None
                decide(host, room, readmission, ev.Refuse(knock) if taken else ev.Admit(knock), now)
            return knocked
        case RejoinIntent() as intent:
            room.queue(intent, now)
        case PostedMessage() as posted:
            return readmission.message_posted(day, posted, room, now)
    return None


def decide(
    host: HostLobby,
    room: RoomSession,
    readmission: Readmission,
    what: ev.Admit | ev.Refuse | ev.Replace,
    now: float,
) -> None:
    """Let a newcomer or a host in: the room commits it, and `Admissions` has the result; or refuse.

    CommandError if nobody waits under that number, or if a member's name keeps the newcomer out.
    """
    if readmission.is_host(what.knock):
        readmission.decide(what.knock, not isinstance(what, ev.Refuse), room, now)
        return
    match what:
        case ev.Admit(knock):
            room.queue(host.admit(knock, room, now), now)
        case ev.Replace(knock):
            room.queue(host.replace(knock, room, now), now)
        case ev.Refuse(knock):
            host.refuse(knock, now)


def decide_all(host: HostLobby, room: RoomSession, admit: bool, now: float) -> ev.AdmissionProgress:
    """Let in everybody who waits and gives no reason to look twice; or refuse everybody."""
    if not admit:
        return host.refuse_all(now)
    intents, progress = host.admit_all(now)
    for intent in intents:
        room.queue(intent, now)
    return progress


def serve(
    host: HostLobby, room: RoomSession, invites: MeetingInvites, admissions: Admissions, now: float
) -> list[ev.Event]:
    """Answer newcomers, and close the invites that are over; return what the person is told."""
    made: list[ev.Event | None] = []
    if room.host_keys is not None and room.host_keys is not host.keys:
        host.keys = room.host_keys
        made.append(invites.keys_changed(room))
    admissions.answer_newcomers(room, host, now)
    for index in room.membership.ledger.revoked | invites.book.taken_back:
        host.revoke(index)
    if room.membership.policy.mode is Mode.LOCKED:
        host.lock(now)
    made += host.reconsider(room, now)
    made += [
        invites.replace_open(room),
        _moved(room, invites, now),
        *invites.make_waiting(room),
        host.batch.progress(now),
    ]
    return [event for event in made if event is not None]


def _moved(room: RoomSession, invites: MeetingInvites, now: float) -> ev.InviteMade | None:
    """Return the open link anew after a move: newcomers by browser need the server that has the meeting."""
    at = room.here.origin
    if invites.open is None or at == invites.at or not room.is_synced(now):
        return None
    invites.at = at
    link = replace(invites.own, servers=tuple(room.membership.policy.origins)).link(at)
    return ev.InviteMade(link, invites.open)


def about_invites(
    what: ev.NewInvite | ev.ListInvites | ev.Revoke,
    host: HostLobby,
    room: RoomSession,
    invites: MeetingInvites,
) -> ev.Event | None:
    """Carry out a host's command; return its result, None if it follows later. CommandError if impossible."""
    match what:
        case ev.NewInvite():
            return invites.request(room, what)
        case ev.ListInvites():
            return ev.Invites(invites.book.rows(room.membership))
        case ev.Revoke(index):
            return invites.revoke(room, index, in_lobby=host.knows(index))
