"""Images in the chat: small files of four types, recognised by their content and not by their name.

Nothing here decodes an image: the headers and the size are checked, and the data is passed on.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.features.image_size import image_size
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.outbox import SeenDigests
from snugroom.client.session.kernel.ports import Room
from snugroom.crypto import mls

Mime = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
#: The file name suffix of each type.
SUFFIX: Final[dict[str, str]] = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
}
#: Seconds between two images of ours: they share the server's store for catching up with the chat.
EVERY: Final = 3.0


def mime_of(data: bytes) -> Mime | None:
    """Return the MIME type of PNG, JPEG, WebP or GIF data by its first bytes; None for other data."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return None


class Images(Feature):
    """Sends our images, and shows each image of the others once."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._seen = SeenDigests()
        self._sent_at: float | None = None

    def carry_over(self, old: Room) -> None:
        before = old.feature(Images)
        self._seen, self._sent_at = before._seen, before._sent_at

    def send(self, data: bytes, now: float) -> None:
        """Send an image; CommandError if it is no image, too large, or too soon after the last one."""
        size = image_size(data)
        mime = mime_of(data)
        if mime is None or size is None:
            raise CommandError(sentence("room.not_an_image"))
        if len(data) > content.IMAGE_MAX:
            raise CommandError(sentence("room.image_size", most=content.IMAGE_MAX, size=len(data)))
        if math.prod(size) > content.IMAGE_PIXELS_MAX:
            raise CommandError(sentence("room.image_pixels", width=size[0], height=size[1]))
        if self._sent_at is not None and now - self._sent_at < EVERY:
            raise CommandError(sentence("room.image_soon", seconds=round(EVERY)))
        self._sent_at = now
        self.room.post(content.Image(self.room.rng(16), mime, data), now)

    def contents(self) -> Contents:
        return {content.Image: self._image_received}

    def _image_received(self, received: mls.ApplicationMessage, what: content.Image, now: float) -> None:
        m = self.room.membership
        mark = content.message_id(what, m.signature_key(received.sender) or b"")
        if mark not in self._seen:
            self._seen.add(mark)
            mime, size = mime_of(what.data), image_size(what.data)
            if mime is None or mime != what.mime or size is None:
                return  # not an image of that type: nothing to show
            name = m.name(received.sender)
            if math.prod(size) > content.IMAGE_PIXELS_MAX:
                self.room.tell(sentences.status("image_pixels", name=name, width=size[0], height=size[1]))
            else:
                digits = mark.hex()[: content.MESSAGE_ID_DIGITS]
                self.room.tell(ev.Image(received.sender, name, digits, mime, what.data))
