"""Effects: the actions that hub, rooms and lobbies return. `server.rooms.signaling` performs them."""

from __future__ import annotations

from dataclasses import dataclass

from snugroom.server.nodes.records import Request
from snugroom.wire.messages import Closing, Media, Message, MovedTo, Refused


@dataclass(frozen=True, slots=True)
class Send:
    """Send `message` to the connection `handle`."""

    handle: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Drop:
    """Send `last` (a Closing, a MovedTo, or a fatal Refused) to `handle` and close the connection.

    The core that returns this effect holds nothing of the connection any more.
    """

    handle: bytes
    last: Closing | Refused | MovedTo


@dataclass(frozen=True, slots=True)
class MediaJoin:
    """Connection `handle` of room `room` announces or changes its streams and transport parameters."""

    room: bytes
    handle: bytes
    media: Media


@dataclass(frozen=True, slots=True)
class MediaSubscribe:
    """Forward these SSRCs to `handle`, each in layers up to its entry in `max_layers`.

    An empty `max_layers` allows the largest layer. None for `ssrcs` means all streams.
    """

    room: bytes
    handle: bytes
    ssrcs: tuple[int, ...] | None
    max_layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaLeave:
    """End all media of `handle`, in both directions."""

    room: bytes
    handle: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget the room `room` and everything that it holds."""

    room: bytes


@dataclass(frozen=True, slots=True)
class AskBus:
    """Send `request` to the bus of the nodes; the answer goes to `Hub.bus_answered`."""

    request: Request


Effect = Send | Drop | MediaJoin | MediaSubscribe | MediaLeave | Forget | AskBus


def refuse(handle: bytes, code: str, text: str, about: str) -> list[Effect]:
    """Return the effect that sends one error to `handle`. The connection stays open."""
    return [Send(handle, Refused(code, text, about))]
