"""One participant's meeting as a pure core: inputs in, effects out; no socket, no clock.

`Session` is the whole; `RoomSession` is a member's side of a room, `HostLobby` and `GuestLobby` are the two
sides of a lobby.
"""

from snugroom.client.session.kernel.session import Session

__all__ = ["Session"]
