"""The choice of media that a participant of the command line sends, receives and records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snugroom.client.media import codec
from snugroom.client.media.files import FileSource, SourceError
from snugroom.client.media.record import make_folder
from snugroom.client.media.sources import Source, TestCard
from snugroom.client.session.catalogue.sentence import sentence


@dataclass(frozen=True)
class MediaChoice:
    """The media to send, to subscribe to, and to record.

    `none`: no media at all, neither sent nor received. `decode`: whether received frames are decoded, or only
    authenticated and counted; None: if they are recorded, or if this participant sends as people do.
    """

    play: str = "testcard"
    audio: bool = True
    video: bool = True
    record: Path | None = None
    #: Maximum number of video streams subscribed to at a time; None: all.
    visible: int | None = None
    #: Number of simulcast layers of own video, 1 to 3.
    layers: int = 1
    #: Width and height of own video, pixels.
    size: tuple[int, int] = (codec.WIDTH, codec.HEIGHT)
    none: bool = False
    decode: bool | None = None

    @property
    def sends(self) -> bool:
        """Whether own audio or video is sent."""
        return not self.none and (self.audio or self.video)

    @property
    def decodes(self) -> bool:
        """Whether received frames are decoded."""
        return self.sends or self.record is not None if self.decode is None else self.decode

    def source(self, name: str, leaf: int) -> Source | None:
        """Return the source, None if nothing is sent; SourceError if the file can't be played."""
        if not self.sends:
            return None
        if self.play != "testcard":
            return FileSource(self.play)
        width, height = self.size
        return TestCard(name, leaf, width=width, height=height)

    def check(self) -> None:
        """Raise SourceError early, before the meeting, if the file can't be played, or nothing recorded."""
        if self.play != "testcard" and self.sends:
            FileSource(self.play).close()
        if self.record is not None:
            check_folder(self.record)


def check_folder(path: Path) -> None:
    """Raise SourceError, with a sentence, if no files can be made in that folder."""
    try:
        make_folder(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(sentence("terminal.folder", folder=str(path), why=why)) from None
