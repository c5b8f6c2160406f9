"""A member's media frames: seal and open them under the epoch's keys, with all checks."""

from __future__ import annotations

from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.feature import Hooks
from snugroom.client.session.kernel.ports import Room
from snugroom.crypto.agreed import policy
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame, base_stream, open_frame, seal_frame


class Frames:
    """The frames of one membership, our own and the others'."""

    def __init__(self, room: Room, hooks: Hooks) -> None:
        self._room = room
        self._hooks = hooks

    def pause_reason(self, now: float) -> str | None:
        """Return the reason that our media may not be sent now, as a sentence for a person; None: it may."""
        room = self._room
        if room.ended is not None:
            return room.ended.text
        if room.stuck_at is not None or room.seeks_readmission:
            return sentence("room.out_of_step")
        reasons = (feature.pause_reason(now) for feature in self._hooks.features_with("pause_reason"))
        return next((reason for reason in reasons if reason is not None), None)

    def seal(self, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
        """Seal a frame by SFrame and put the clear header in front; None while no media may be sent."""
        if self.pause_reason(now) is not None:
            return None
        data = seal_frame(self._room.membership.media, kind, stream, frame, now)
        _, sealed = clear_header.split(kind, data)
        for feature in self._hooks.features_with("frame_sealed"):
            feature.frame_sealed(stream, sealed, now)
        return data

    def open(self, ssrc: int, kind: Kind, data: bytes, now: float) -> OpenedFrame:
        """Check SNUG-20, then open a frame by SFrame.

        FutureEpochError if keys, the announcement or data that a feature waits for may still arrive; other
        subclasses of SnugError are final.
        """
        media = self._room.membership.media
        announcers = self._room.announcements.announcers(ssrc)
        if not announcers:
            raise FutureEpochError("a stream that nobody has announced yet")
        _, sealed = clear_header.split(kind, data)
        leaf, stream = media.sender(sealed, now)
        # The layer does not matter: the announcer of a video stream may seal any layer of it.
        policy.snug_20(announcers=announcers, key_leaf=leaf, stream=base_stream(stream)[0])
        for feature in self._hooks.features_with("check_frame"):
            feature.check_frame(ssrc, leaf, stream, sealed, now)
        opened = open_frame(media, kind, data, now)
        for feature in self._hooks.features_with("frame_opened"):
            feature.frame_opened(ssrc, leaf, stream, sealed, now)
        return opened
