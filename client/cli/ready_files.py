"""Files that tell another program that a meeting has begun: `--link-file` and `--ready-file`.

Both are complete when they appear, and only their owner can read them. Files of an earlier run are removed
before this program connects.
"""

from __future__ import annotations

import os
from pathlib import Path

from snugroom.client.files import flags
from snugroom.client.media.files import SourceError
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence


class ReadyFiles:
    """Writes the files, as events come. `link` gets a link, `ready` the process id; None: no such file."""

    def __init__(self, link: Path | None, ready: Path | None) -> None:
        self._link = link
        self._ready = ready
        self._index: int | None = None

    def clear(self) -> None:
        """Remove files of an earlier run. SourceError, with a sentence, if that is impossible."""
        for path in filter(None, (self._link, self._ready)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                why = error.strerror or str(error)
                raise SourceError(sentence("terminal.folder", folder=str(path.parent), why=why)) from None

    def told(self, event: ev.Event) -> ev.Alarm | None:
        """Take an event of a room that is open; return an alarm if a file could not be written.

        The link is the newest open invite's, or the first personal one's where there is no open invite.
        """
        try:
            if isinstance(event, ev.InviteMade) and self._link is not None:
                if self._index is None or event.index == 0 or event.replaces == self._index:
                    self._index = event.index
                    _write(self._link, event.link)
            elif isinstance(event, ev.Roster) and self._ready is not None:
                ready, self._ready = self._ready, None
                _write(ready, str(os.getpid()))
        except OSError as error:
            return sentences.alarm("file.ready", file=str(error.filename), why=error.strerror or str(error))
        return None


def _write(path: Path, text: str) -> None:
    """Write a file of one line that is complete when it appears."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, flags.NEW, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
    beside.replace(path)
