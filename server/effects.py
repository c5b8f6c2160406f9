"""What the cores want done: facts out, performed by `server.signaling`."""

from __future__ import annotations

from dataclasses import dataclass

from server.wire.messages import Closing, Media, Message, Refused


@dataclass(frozen=True, slots=True)
class Send:
    """Send `message` to the connection `handle`."""

    handle: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Drop:
    """Send `last` (a Closing, or a fatal Refused) to `handle` and close it; the core has forgotten it."""

    handle: bytes
    last: Closing | Refused


@dataclass(frozen=True, slots=True)
class MediaJoin:
    """`handle` of room `room` sends these streams, over these transport parameters (or changes them)."""

    room: bytes
    handle: bytes
    media: Media


@dataclass(frozen=True, slots=True)
class MediaWant:
    """`handle` wants these SSRCs forwarded, each with layers up to that of `tops` (empty: the largest).

    `ssrcs` None is all.
    """

    room: bytes
    handle: bytes
    ssrcs: tuple[int, ...] | None
    tops: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaLeave:
    """`handle` sends and receives no media any more."""

    room: bytes
    handle: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """The room `room` is gone, with everything that it held."""

    room: bytes


Effect = Send | Drop | MediaJoin | MediaWant | MediaLeave | Forget
