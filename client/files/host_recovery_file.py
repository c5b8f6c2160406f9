"""A host's recovery file (SNUG-9): `snug host --keep` writes it, `snug host --return` reads it.

The file is written again whenever the hosts' keys change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from snugroom.client.files.sealed_file import SealedFileError, open_file, seal_file
from snugroom.client.session import Session
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import SnugError

KIND: Final = "host's way back"


class RecoveryFile:
    """The file that a host returns by. It follows the hosts' keys, because earlier keys bring nobody back."""

    def __init__(self, path: Path, phrase: str, content: HostRecoveryData | None = None) -> None:
        """`content` is what the file contains; None if it is still to be written."""
        self.path = path
        self._phrase = phrase
        self._content = content

    def outdated(self, session: Session) -> HostRecoveryData | None:
        """Return the data to write, with which the host of `session` returns now; None if nothing changed."""
        kept = session.kept()
        return None if kept == self._content else kept

    def write(self, kept: HostRecoveryData) -> None:
        """Write these data, which takes about a second; SealedFileError if that fails."""
        self._content = kept
        seal_file(self.path, self._phrase, KIND, kept.encode())


def read(path: Path, passphrase: str) -> HostRecoveryData:
    """Return the saved data; SealedFileError if the file is not valid or the passphrase does not open it."""
    try:
        return HostRecoveryData.decode(open_file(path, passphrase, KIND))
    except SnugError as error:
        raise SealedFileError(f"{path} can't be used: {error}") from None
