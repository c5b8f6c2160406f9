"""A member's media frames: seal and open them under the epoch's keys, with all checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snugroom.crypto.agreed import policy
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame, base_stream, open_frame, seal_frame

if TYPE_CHECKING:
    from snugroom.client.session.kernel.room import RoomSession


def pause_reason(room: RoomSession, now: float) -> str | None:
    """Return the reason that our media may not be sent now, as a sentence for a person; None: it may."""
    if room.ended is not None:
        return room.ended.text
    if room.stuck_at is not None or room.needs_rejoin:
        return "We fell out of step with the others."
    reasons = (feature.pause_reason(now) for feature in room.features_with("pause_reason"))
    return next((reason for reason in reasons if reason is not None), None)


def seal(room: RoomSession, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
    """Seal a frame by SFrame and put the clear header in front; None while no media may be sent."""
    if pause_reason(room, now) is not None:
        return None
    data = seal_frame(room.m.media, kind, stream, frame, now)
    _, sealed = clear_header.split(kind, data)
    for feature in room.features_with("frame_sealed"):
        feature.frame_sealed(stream, sealed, now)
    return data


def open_(room: RoomSession, ssrc: int, kind: Kind, data: bytes, now: float) -> OpenedFrame:
    """Check SNUG-20, then open a frame by SFrame.

    FutureEpochError if keys, the announcement or data that a feature waits for may still arrive; other
    subclasses of SnugCryptoError are final.
    """
    announcers = room.announcements.announcers(ssrc)
    if not announcers:
        raise FutureEpochError("a stream that nobody has announced yet")
    _, sealed = clear_header.split(kind, data)
    leaf, stream = room.m.media.sender(sealed, now)
    # The layer does not matter: the announcer of a video stream may seal any layer of it.
    policy.snug_20(announcers=announcers, key_leaf=leaf, stream=base_stream(stream)[0])
    for feature in room.features_with("check_frame"):
        feature.check_frame(ssrc, leaf, stream, sealed, now)
    opened = open_frame(room.m.media, kind, data, now)
    for feature in room.features_with("frame_opened"):
        feature.frame_opened(ssrc, leaf, stream, sealed, now)
    return opened
