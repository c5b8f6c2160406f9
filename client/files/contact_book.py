"""The contact book on disk: sealed with a passphrase, read before a meeting and written at each change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from snugroom.client.files.sealed_file import MODERATE, Cost, DamagedFileError, SealedFile
from snugroom.client.session.entry.contacts import Contacts
from snugroom.crypto.errors import MalformedError

KIND: Final = "contacts"


class Book:
    """An open contact book. `contacts` is the state last read or written; change it with `update`."""

    def __init__(self, file: SealedFile) -> None:
        """DamagedFileError if the file's content is not a contact book."""
        self._file = file
        self.contacts = _decode(file, file.payload)

    @classmethod
    def create(cls, path: Path, passphrase: str, *, cost: Cost = MODERATE) -> Book:
        """Create a book with a new identity; a SealedFileError if it can't be written."""
        return cls(SealedFile.create(path, passphrase, KIND, Contacts.new().encode(), cost=cost))

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Book:
        """Open an existing book; a SealedFileError if it can't be read."""
        return cls(SealedFile.open(path, passphrase, KIND))

    def update(self, change: Callable[[Contacts], object]) -> None:
        """Read the file again, apply `change`, and write the result.

        Another program may have written the file since it was opened. Exceptions of `change` propagate, and
        nothing is written; a SealedFileError if the file can't be read or written.
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
