"""A participant's files: evidence and reports written, images and files read and saved.

Existing files are not overwritten, except this run's evidence. Data from other members never chooses a name.
"""

from __future__ import annotations

import contextlib
import mimetypes
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from snugroom.client.files import flags
from snugroom.client.headless.output import Output
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.features.images import SUFFIX

#: Number of names tried if a name is taken: FILE, FILE.1, FILE.2 ...
_NAMES: Final = 100
#: Limits of saved images and files in one run: their number, and their bytes together.
SAVED_MAX: Final = 1000
SAVED_BYTES: Final = 64 * 2**20
_MESSAGE_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


class SavedFiles:
    """File access for a session, which has none. Others' images go to `folder`; None saves none."""

    def __init__(self, output: Output, folder: Path | None = None) -> None:
        self._output = output
        self._folder = folder
        self._put = 0
        self._bytes = 0
        self._full = False
        self._ours: dict[str, Path] = {}  # requested path -> path of the evidence, rewritten as it grows

    def save(self, save: ev.Save) -> None:
        """Write a file that only its owner can read, and report its path; an alarm if that fails."""
        try:
            if save.what == "evidence" and save.path in self._ours:
                path = self._ours[save.path]
                _write_anew(path, save.data)
            else:
                path = _write_new(Path(save.path), save.data)
                if save.what == "evidence":
                    self._ours[save.path] = path
        except OSError as error:
            self._alarm(save.what, file=save.path, why=error.strerror or str(error))
            return
        self._output.note(
            "saved", sentence(f"terminal.saved_{save.what}", file=str(path)), what=save.what, path=str(path)
        )

    def image(self, image: ev.Image) -> ev.Image:
        """Save another member's image, if the user asked for it; return the event with its path."""
        if self._folder is None or not _MESSAGE_ID.match(image.id):
            return image
        name = f"{image.leaf}-{image.id}{SUFFIX[image.mime]}"
        path = self._put_away(name, image.data, "received_picture")
        return image if path is None else replace(image, path=str(path))

    def _put_away(self, name: str, data: bytes, what: str) -> Path | None:
        assert self._folder is not None
        if self._put >= SAVED_MAX or self._bytes + len(data) > SAVED_BYTES:
            if not self._full:
                self._full = True
                self._alarm("too_many")
            return None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = _write_new(self._folder / name, data)
        except OSError as error:
            self._alarm(what, why=error.strerror or str(error))
            return None
        self._put += 1
        self._bytes += len(data)
        return path

    def file(self, leaf: int, done: ev.FileDone) -> ev.FileDone:
        """Save another member's file, like an image; return the event with its path."""
        if self._folder is None or not _MESSAGE_ID.match(done.id):
            return done
        path = self._put_away(f"{leaf}-{done.id}.file", done.data, "received")
        return done if path is None else replace(done, path=str(path))

    def read(self, image: ev.SendImage) -> ev.SendImage:
        """Return the event with the file's content; CommandError if the file can't be read.

        A file that is too large is cut one byte beyond the limit, and the session refuses it.
        """
        return replace(image, data=_read(image.path, content.IMAGE_MAX))

    def read_file(self, file: ev.SendFile) -> ev.SendFile:
        """Return the event with a file's content, MIME type and name (without the folder: others see it)."""
        mime = mimetypes.guess_type(file.path)[0] or "application/octet-stream"
        return replace(file, name=Path(file.path).name, mime=mime, data=_read(file.path, content.FILE_MAX))

    def _alarm(self, key: str, **args: str) -> None:
        self._output.event(sentences.alarm(f"file.{key}", **args))


def _read(path: str, most: int) -> bytes:
    """Read at most one byte more than `most`, so that the session can refuse a file that is too large."""
    try:
        with Path(path).open("rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise CommandError(sentence("terminal.unreadable", file=path, why=why or str(error))) from None


def _write_new(path: Path, data: bytes) -> Path:
    """Write to `path`, or to the first free name of FILE.1, FILE.2 ...; OSError if none can be written."""
    for number in range(_NAMES):
        place = path if number == 0 else path.with_name(f"{path.name}.{number}")
        with contextlib.suppress(FileExistsError):
            _whole(place, data)
            return place
    raise FileExistsError(17, "there are too many files of that name")


def _whole(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, flags.NEW, 0o600), "wb") as file:
        file.write(data)


def _write_anew(path: Path, data: bytes) -> None:
    """Replace a file that this program wrote before, atomically."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    _whole(beside, data)
    beside.replace(path)
