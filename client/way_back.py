"""A host's way back: what `snug host --keep` writes and `snug host --return` reads (SNUG-9)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from client.sealed_file import SealedFileError, open_file, seal_file
from client.session import Session
from crypto.errors import SnugCryptoError
from crypto.returning import Kept

KIND: Final = "host's way back"


def keep(session: Session, path: Path, passphrase: str) -> None:
    """Write what the host of `session` can come back by; SealedFileError if that can't be done."""
    kept = session.kept()
    if kept is None:
        raise SealedFileError("Only a host has something to come back by.")
    seal_file(path, passphrase, KIND, kept.encode())


def read(path: Path, passphrase: str) -> Kept:
    """What was kept; SealedFileError if the file is none, or not opened by that passphrase."""
    try:
        return Kept.decode(open_file(path, passphrase, KIND))
    except SnugCryptoError as error:
        raise SealedFileError(f"{path} can't be used: {error}") from None
