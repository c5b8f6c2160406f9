"""Opening the room at the server, and the room admin's signature for that (protocol section 3, G1 and G3).

The signature opens a slot's gate alone. It names the room's number, which depends on the room admin's key
(G8). Hosts change that key. The signatures of earlier keys still tell which slots were hosts', but a server
takes those of its room's key alone.
"""

from __future__ import annotations

import contextlib

from snugroom.client.session.kernel.journal import Entry
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import SigningKey
from snugroom.wire import messages as wire
from snugroom.wire import signed


def open_room(
    room: Room, connection: RoomConnection, signed: Entry | None, at: int | None, now: float
) -> None:
    """Open the room at the slot `signed` by the room admin; None: by a host's signature, or by none.

    `at` is the server's slot, None while the room is not open.
    """
    journal = room.membership.journal
    connection.opened_at, connection.opened_slot = now, at
    hosts = room_admin(room) is not None
    best = (journal.oldest if at is None else journal.newest) if hosts else signed
    entry = best or journal.oldest
    gate = invite.gate(entry.room_pass)
    signature = None
    if best is not None:
        signature = sign_opening(room, entry.slot, gate, entry.chain) or entry.opening
    room.send(wire.Open(entry.slot, gate, entry.chain, signature))


def signed_entry(room: Room, *, newest: bool) -> Entry | None:
    """Return the earliest (or newest) slot that we can replay from, with a signature for this room."""
    entries = room.membership.journal.signed(newest=newest)
    return next((entry for entry in entries if opening_to_pass_on(room, entry)), None)


def room_admin(room: Room) -> SigningKey | None:
    """Return the key under which the server holds the room; None unless we are a host that has it."""
    return room.here.admin_key


def sign_opening(room: Room, slot: int, gate: bytes, chain: bytes) -> bytes | None:
    """Return our signature (64 bytes) for a slot, its gate and the chain after it; None without the key."""
    key = room_admin(room)
    if key is None:
        return None
    return key.sign(signed.Opening(room.here.number_under(key.public), slot, gate, chain).encode())


def valid_opening(room: Room, message: wire.Committed) -> bytes | None:
    """Return the signature that came with a slot, by any key of the room so far; None without a valid one."""
    gate, opening = envelope.gate(message.blob), message.opening
    if opening is None:
        return None
    admins = room.room_admin_keys.all if room.here.is_home else [room.here.room_admin_public]
    for admin in reversed(admins):
        if _is_by(admin, room, message.slot, gate, message.chain, opening):
            return opening
    return None


def opening_to_pass_on(room: Room, entry: Entry) -> bytes | None:
    """Return the signature of a host's slot that the server takes now; None if we have none."""
    if entry.opening is None or entry.blob is None:
        return None
    if is_current(room, entry):
        return entry.opening
    return sign_opening(room, entry.slot, envelope.gate(entry.blob), entry.chain)


def is_current(room: Room, entry: Entry) -> bool:
    """Return whether the key under which the server holds the room has signed this slot."""
    if entry.opening is None or entry.blob is None:
        return False
    gate = envelope.gate(entry.blob)
    return _is_by(room.here.room_admin_public, room, entry.slot, gate, entry.chain, entry.opening)


def _is_by(admin: bytes, room: Room, slot: int, gate: bytes, chain: bytes, opening: bytes) -> bool:
    number = room.here.number_under(admin)
    _, chain = room.here.signed_by_server(slot, chain)
    with contextlib.suppress(SnugError):
        invite.verify_opening(admin, number, slot, gate, chain, opening)
        return True
    return False
