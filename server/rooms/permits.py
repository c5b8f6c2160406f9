"""The right to open rooms, for the hub: one room for each proof, permits for members, vouchers exchanged."""

from __future__ import annotations

from collections.abc import Iterable

from snugroom.server.rooms.effects import Drop, Effect, Forget, Send
from snugroom.server.rooms.permission import Permission, RoomPermission
from snugroom.server.rooms.room import Room
from snugroom.wire.messages import Closing, Exchange, Exchanged, Permit, Refused, RoomDoor


def admit(
    policy: Permission | None,
    door: RoomDoor,
    number: bytes,
    nonce: bytes,
    rooms: Iterable[Room],
    now: float,
) -> tuple[RoomPermission | None, list[Effect]] | Refused:
    """Return how the room `number` may be opened, and what that causes; or why it may not.

    One proof opens one room at a time. Otherwise one token would do for any number of rooms, because each
    change of a room's keys brings a permit. Of two rooms of one meeting, the later one stays.
    """
    if policy is None:
        return None, []
    permission = policy.admit(door, number, nonce, now)
    if isinstance(permission, Refused):
        return permission
    other = next((r for r in rooms if r.permission and r.permission.id == permission.id), None)
    if other is None:
        return permission, []
    if _rekeys(other) >= permission.rekeys:
        why = "this meeting's room is open under another number"
        return Refused("permission", why, "room_door", fatal=True)
    text = "this meeting goes on under a later number: connect again"
    return permission, [*other.close(Closing("unopened", text), now), Forget(other.number)]


def permits(policy: Permission | None, room: Room, handles: Iterable[bytes]) -> list[Effect]:
    """Send each of these connections what reopens their room."""
    if policy is None or room.permission is None or room.permission.probe:
        return []
    permission = RoomPermission(room.permission.id, _rekeys(room))
    permit = Permit(policy.permit(room.numbers[-1], permission))
    return [Send(handle, permit) for handle in handles]


def exchange(policy: Permission | None, handle: bytes, message: Exchange) -> list[Effect]:
    """Answer a voucher with tokens, or drop the connection."""
    if policy is None:
        why = "this server takes no vouchers: anyone may open a room"
        return [Drop(handle, Refused("voucher", why, "exchange", fatal=True))]
    answer = policy.exchange(message)
    return [Send(handle, answer) if isinstance(answer, Exchanged) else Drop(handle, answer)]


def _rekeys(room: Room) -> int:
    """Return how often the room admin key has changed since the meeting's room was first opened."""
    return (0 if room.permission is None else room.permission.rekeys) + len(room.numbers) - 1
