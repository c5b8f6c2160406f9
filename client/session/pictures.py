"""Pictures in the chat: small files of four kinds, told from what they are and not from what they are called.

Nothing here decodes a picture: what others send is checked for its first bytes and its size, and handed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from client.session import content
from client.session import events as ev
from client.session.aspect import Aspect
from client.session.talk import Seen
from crypto import mls

if TYPE_CHECKING:
    from client.session.room import RoomSession

Mime = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
#: What a file of each kind is called behind its name.
SUFFIX: Final[dict[str, str]] = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
}
#: Seconds between two pictures of ours: what a server holds for catching up is shared with the chat.
EVERY: Final = 3.0


def mime_of(data: bytes) -> Mime | None:
    """PNG, JPEG, WebP or GIF by their first bytes; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return None


class Pictures(Aspect):
    """Sends ours, and shows others' once each."""

    def __init__(self, room: RoomSession) -> None:
        super().__init__(room)
        self._seen = Seen()
        self._sent_at: float | None = None

    def carry_over(self, old: RoomSession) -> None:
        before = old.aspect(Pictures)
        self._seen, self._sent_at = before._seen, before._sent_at

    def send(self, data: bytes, now: float) -> None:
        """ValueError for what is no picture, too large, or too soon after the last one."""
        mime = mime_of(data)
        if mime is None:
            raise ValueError("a picture is a PNG, JPEG, WebP or GIF file")
        if len(data) > content.PICTURE_MAX:
            raise ValueError(
                f"a picture has at most {content.PICTURE_MAX:,} bytes, and this has {len(data):,}"
            )
        if self._sent_at is not None and now - self._sent_at < EVERY:
            raise ValueError(f"one picture every {EVERY:.0f} seconds: try again in a moment")
        self._sent_at = now
        self.room.post(content.Picture(self.room.rng(16), mime, data), now)

    def heard(self, received: mls.ApplicationMessage, what: content.AnyContent, now: float) -> bool:
        if not isinstance(what, content.Picture):
            return False
        m = self.room.m
        mark = content.mark(what, m.signature_key(received.sender) or b"")
        if mark not in self._seen:
            self._seen.add(mark)
            mime = mime_of(what.data)
            if mime is not None and mime == what.mime:  # what lies about its kind is shown to nobody
                name = m.name(received.sender)
                digits = mark.hex()[: content.MARK_DIGITS]
                self.room.tell(ev.Picture(received.sender, name, digits, mime, what.data))
        return True
