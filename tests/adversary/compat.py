"""What differs before and after the answers to the known findings: goes with the last entry of `known.py`."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.kdf import SigningKey
from snugroom.server.wire import messages as wire
from snugroom.server.wire.limits import BUCKETS
from tests.session import dishonest
from tests.session.world import Participant, World


def current_seed(kept: HostRecoveryData) -> invite.HostSeed:
    """Return the newest host seed in a recovery file."""
    keys = getattr(kept, "host_keys", None)
    return kept.host_seed if keys is None else keys.current


def room_admin(room: RoomSession) -> bytes:
    """Return the room admin key under which the server holds the room."""
    found: bytes = getattr(room.sync, "room_admin_public", None) or room.room_admin_public
    return found


def private_commit(w: World, who: Participant, slot: int, chain: bytes) -> tuple[wire.Commit, bytes]:
    """Return noise for a slot, and the only pass that fits its gate."""
    if hasattr(dishonest, "private_commit"):
        made: tuple[wire.Commit, bytes] = dishonest.private_commit(w, who, slot, chain)
        return made
    own = w.rng(32)
    return wire.Commit(slot, w.rng(BUCKETS[0]), invite.gate(own)), own


def false_regate(
    admin: SigningKey, number: bytes, slot: int, gate: bytes, nonce: bytes
) -> wire.ClientMessage | None:
    """Return a message that replaces the room's gate; None where the protocol has none."""
    if not hasattr(wire, "Regate"):
        return None
    text = invite.regate_message(number, slot, gate, nonce)
    return wire.Regate(slot, gate, admin.sign(text))


def opening_text(number: bytes, slot: int, gate: bytes, chain: bytes, nonce: bytes) -> bytes:
    """Return the text that a room admin signs to open a room."""
    values: tuple[Any, ...] = (number, slot, gate, chain, nonce)
    count = len(signature(invite.open_message).parameters)
    text: bytes = invite.open_message(*values[:count])
    return text


def showing(passes: Sequence[bytes]) -> list[wire.ClientMessage]:
    """Return the messages that show these passes."""
    if "room_passes" in wire.Show.__struct_fields__:
        return [wire.Show(list(passes))]  # type: ignore[arg-type]
    return [wire.Show(each) for each in passes]
