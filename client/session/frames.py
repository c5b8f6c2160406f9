"""A member's media frames: sealed and opened under the epoch's keys, with all that may be said against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crypto import policy, shim
from crypto.media_keys import FutureEpochError, OpenedFrame, base_stream, open_frame, seal_frame
from crypto.shim import Kind

if TYPE_CHECKING:
    from client.session.room import RoomSession


def why_silent(room: RoomSession, now: float) -> str | None:
    """Why no media of ours may leave now, as a sentence for a person; None: it may."""
    if room.ended is not None:
        return room.ended.text
    if room.stuck_at is not None or room.needs_rejoin:
        return "We fell out of step with the others."
    reasons = (aspect.may_send(now) for aspect in room.having("may_send"))
    return next((reason for reason in reasons if reason is not None), None)


def seal(room: RoomSession, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
    """SFrame behind the shim; None while nothing may leave."""
    if why_silent(room, now) is not None:
        return None
    data = seal_frame(room.m.media, kind, stream, frame, now)
    _, sealed = shim.split(kind, data)
    for aspect in room.having("sealed"):
        aspect.sealed(stream, sealed, now)
    return data


def open_(room: RoomSession, ssrc: int, kind: Kind, data: bytes, now: float) -> OpenedFrame:
    """SFrame, and SNUG-20 before anything is opened.

    FutureEpochError where keys, announcement or what an aspect waits for may still be on their way; any
    other SnugCryptoError: never.
    """
    announcers = room.announced.announcers(ssrc)
    if not announcers:
        raise FutureEpochError("a stream that nobody has announced yet")
    _, sealed = shim.split(kind, data)
    leaf, stream = room.m.media.sender(sealed, now)
    # whichever layer it is of: who announced the pictures may seal them in any size
    policy.snug_20(announcers=announcers, key_leaf=leaf, stream=base_stream(stream)[0])
    for aspect in room.having("opening"):
        aspect.opening(ssrc, leaf, stream, sealed, now)
    opened = open_frame(room.m.media, kind, data, now)
    for aspect in room.having("opened"):
        aspect.opened(ssrc, leaf, stream, sealed, now)
    return opened
