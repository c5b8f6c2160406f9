"""The contact book on disk: sealed with a passphrase, read before a meeting and written at each change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from client.contacts import Contacts
from client.sealed_file import MODERATE, Cost, DamagedFileError, SealedFile
from crypto.errors import MalformedError

KIND: Final = "contacts"


class Book:
    """An open contact book. `contacts` is as it was last read or written; change it through `update`."""

    def __init__(self, file: SealedFile) -> None:
        """DamagedFileError if what is sealed in it is no contact book."""
        self._file = file
        self.contacts = _decode(file, file.payload)

    @classmethod
    def create(cls, path: Path, passphrase: str, *, cost: Cost = MODERATE) -> Book:
        """A new book with a new identity; SealedFileError of some kind if it can't be made."""
        return cls(SealedFile.create(path, passphrase, KIND, Contacts.new().encode(), cost=cost))

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Book:
        """An old one; SealedFileError of some kind if it can't be read."""
        return cls(SealedFile.open(path, passphrase, KIND))

    def update(self, change: Callable[[Contacts], object]) -> None:
        """Change what is in the file *now*, which another program may have written since, and write it.

        What `change` raises passes, and nothing is written; SealedFileError of some kind if the file can't be
        read or written any more.
        """

        def changed(payload: bytes) -> bytes:
            contacts = _decode(self._file, payload)
            change(contacts)
            return contacts.encode()

        self.contacts = _decode(self._file, self._file.update(changed))


def _decode(file: SealedFile, payload: bytes) -> Contacts:
    try:
        return Contacts.decode(payload)
    except MalformedError as error:
        raise DamagedFileError(
            f"{file.path} opens, and is no contact book of this version: {error}."
        ) from None
