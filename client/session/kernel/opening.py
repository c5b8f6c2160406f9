"""The room admin's signature that opens a slot's gate alone (protocol section 3, G1 and G3)."""

from __future__ import annotations

from snugroom.client.session.kernel.ports import Room
from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import SnugCryptoError
from snugroom.server.wire import messages as wire


def sign_opening(room: Room, slot: int, gate: bytes, chain: bytes) -> bytes | None:
    """Return our signature (64 bytes) for a slot, its gate and the chain after it; None if we are no host."""
    if room.host_seed is None:
        return None
    room_admin = room.host_seed.room_admin_key(room.membership.group.group_id)
    return room_admin.sign(invite.open_message(room.number, slot, gate, chain))


def valid_opening(room: Room, message: wire.Committed) -> bytes | None:
    """Return the signature that came with a slot, to pass on with its blob; None without a valid one."""
    gate, opening = envelope.gate(message.blob), message.opening
    if opening is None:
        return None
    try:
        admin = room.room_admin_public
        invite.verify_opening(admin, room.number, message.slot, gate, message.chain, opening)
    except SnugCryptoError:
        return None
    return opening
