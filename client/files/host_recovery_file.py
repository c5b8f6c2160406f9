"""A host's recovery file: `snug host --keep` writes it and `snug host --return` reads it (SNUG-9)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from snugroom.client.files.sealed_file import SealedFileError, open_file, seal_file
from snugroom.client.session import Session
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import SnugCryptoError

KIND: Final = "host's way back"


def keep(session: Session, path: Path, passphrase: str) -> None:
    """Write the data with which the host of `session` can return; SealedFileError if that fails."""
    kept = session.kept()
    if kept is None:
        raise SealedFileError("Only a host has something to come back by.")
    seal_file(path, passphrase, KIND, kept.encode())


def read(path: Path, passphrase: str) -> HostRecoveryData:
    """Return the saved data; SealedFileError if the file is not valid or the passphrase does not open it."""
    try:
        return HostRecoveryData.decode(open_file(path, passphrase, KIND))
    except SnugCryptoError as error:
        raise SealedFileError(f"{path} can't be used: {error}") from None
