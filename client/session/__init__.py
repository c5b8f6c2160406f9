"""One participant's meeting as a pure core: inputs in, effects out; no socket, no clock.

`Session` is the whole; `RoomSession` is a member's side of a room, `HostLobby` and `GuestLobby` are the two
sides of a lobby.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snugroom.client.session.kernel.session import Session

__all__ = ["Session"]


def __getattr__(name: str) -> type[Session]:
    """Import `Session` when it is used first: a command that only needs a sentence starts without it."""
    if name != "Session":
        raise AttributeError(name)
    from snugroom.client.session.kernel.session import Session

    return Session
