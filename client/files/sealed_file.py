"""Files sealed with a passphrase: contact books and hosts' recovery files.

There is one format, authenticated as a whole::

    "snug sealed 1\\n" | len8(kind) | ops 4 | memory 8 | salt 16 | sealed | H(all before)
    sealed = seal(key, padded payload, all in front of it)

`key` is Argon2id (RFC 9106, version 1.3, one lane) of the passphrase in NFC, with the limits in the header.
The payload is padded to a multiple of 4,096 bytes, so that the file's size reveals little of its content. The
final hash distinguishes a damaged file from a wrong passphrase. It protects against accidents, the seal
against attackers.

A file is written under a temporary name, with mode 0600, and moved into place when it is complete. An
unreadable file is never overwritten.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.pwhash import argon2id

from snugroom.client.files import flags, folder_lock
from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.fields import Reader, exactly, padded, prefixed, uint, unpadded
from snugroom.crypto.kdf import KEY_SIZE, SEAL_OVERHEAD, H, Rng, same, seal, unseal

_MAGIC: Final = b"snug sealed 1\n"
_SALT: Final = argon2id.SALTBYTES
_PAD: Final = 4096
#: Maximum size of a file that is read, in bytes.
FILE_MAX: Final = 16 * 2**20
#: Limits on a file header's demands: bytes of memory, and passes.
MEMORY_MAX: Final = argon2id.MEMLIMIT_SENSITIVE
OPS_MAX: Final = 16
KIND_MAX: Final = 64
#: Seconds to wait while another program saves.
LOCK_TIME: Final = 2.0


class SealedFileError(Exception):
    """A sealed file can't be used; the text is a sentence for a person. Nothing was written."""


class WrongPassphraseError(SealedFileError):
    """The file is intact, but this passphrase does not open it."""


class DamagedFileError(SealedFileError):
    """The file's bytes have changed since they were written."""


class WrongKindError(SealedFileError):
    """The file is not a sealed file, or has another kind or version."""


class FileThereError(SealedFileError):
    """A file exists where a new one was to be created."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id's limits: `ops` passes over `memory` bytes."""

    ops: int
    memory: int


#: About a second and 256 MiB: libsodium's "moderate".
MODERATE: Final = Cost(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)


class SealedFile:
    """An open sealed file. It keeps the key, so that saving again needs no passphrase."""

    __slots__ = ("_header", "_key", "_kind", "_rng", "path", "payload")

    def __init__(self, path: Path, kind: str, header: bytes, key: bytes, payload: bytes, rng: Rng) -> None:
        self.path = path
        #: The content that was last read or written.
        self.payload = payload
        self._kind = kind
        self._header = header
        self._key = key
        self._rng = rng

    def __repr__(self) -> str:
        return f"SealedFile({str(self.path)!r}, {self._kind!r})"

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        kind: str,
        payload: bytes,
        *,
        cost: Cost = MODERATE,
        rng: Rng = os.urandom,
    ) -> SealedFile:
        """Create a file. FileThereError if it exists already; SealedFileError if it can't be written."""
        made = cls._fresh(path, passphrase, kind, payload, cost, rng)
        with locked(made.path):
            if made.path.exists():
                raise FileThereError(f"{path} is there already, and is left as it is.")
            made._write(payload)
        return made

    @classmethod
    def _fresh(
        cls, path: Path, passphrase: str, kind: str, payload: bytes, cost: Cost, rng: Rng
    ) -> SealedFile:
        header = b"".join(
            (
                _MAGIC,
                prefixed(_kind_bytes(kind), 1),
                uint(cost.ops, 4),
                uint(cost.memory, 8),
                exactly(rng(_SALT), _SALT, "a salt"),
            )
        )
        key = _stretch(passphrase, header[-_SALT:], cost)
        return cls(_real(path), kind, header, key, payload, rng)

    @classmethod
    def open(cls, path: Path, passphrase: str, kind: str, *, rng: Rng = os.urandom) -> SealedFile:
        """Open an existing file.

        WrongPassphraseError, DamagedFileError, WrongKindError as their names say; SealedFileError if the file
        does not exist or can't be read.
        """
        real = _real(path)
        header, sealed, cost = _split(_read(real), kind, path)
        key = _stretch(passphrase, header[-_SALT:], cost)
        return cls(real, kind, header, key, _unseal(key, header, sealed, path), rng)

    def update(self, change: Callable[[bytes], bytes]) -> bytes:
        """Read the file again, apply `change`, write the result, and return it.

        Programs that save the same file at the same time wait for each other, so that no change is lost. If
        the file can't be read, nothing is written: DamagedFileError, or WrongPassphraseError if the file was
        sealed anew since it was opened. Exceptions of `change` propagate, and nothing is written either.
        """
        with locked(self.path):
            header, sealed, _ = _split(_read(self.path), self._kind, self.path)
            if header != self._header:
                raise WrongPassphraseError(f"{self.path} has been sealed anew since it was opened.")
            payload = change(_unseal(self._key, header, sealed, self.path))
            self._write(payload)
        return payload

    def _write(self, payload: bytes) -> None:
        size = -(-(len(payload) + 4) // _PAD) * _PAD
        body = self._header + seal(self._key, padded(payload, size), self._header, rng=self._rng)
        whole = body + H(body)
        if len(whole) > FILE_MAX:
            raise SealedFileError(f"{len(payload)} bytes are too many for a sealed file.")
        replace(self.path, whole)
        self.payload = payload


def seal_file(
    path: Path,
    passphrase: str,
    kind: str,
    payload: bytes,
    *,
    cost: Cost = MODERATE,
    rng: Rng = os.urandom,
) -> None:
    """Write `payload` (any bytes) sealed. `kind` names its type, at most 64 ASCII characters.

    An existing file is replaced only if it has this kind and opens with this passphrase; otherwise the
    exceptions of `open_file` are raised, and the file stays. SealedFileError if it can't be written.
    """
    if _real(path).exists():
        SealedFile.open(path, passphrase, kind)
    made = SealedFile._fresh(path, passphrase, kind, payload, cost, rng)
    with locked(made.path):
        made._write(payload)


def open_file(path: Path, passphrase: str, kind: str) -> bytes:
    """Return the payload of `seal_file`; raises the exceptions of `SealedFile.open`."""
    return SealedFile.open(path, passphrase, kind).payload


# -- inside --------------------------------------------------------------------------------------


def _real(path: Path) -> Path:
    # a symbolic link stays a link: its target is replaced
    return Path(os.path.realpath(path))


def _kind_bytes(kind: str) -> bytes:
    if not (0 < len(kind) <= KIND_MAX and kind.isascii()):
        raise ValueError(f"a kind of file has 1 to {KIND_MAX} characters of ASCII")
    return kind.encode()


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    if not passphrase:
        raise SealedFileError("An empty passphrase protects nothing.")
    try:
        secret = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise SealedFileError("The passphrase is not Unicode.") from None
    return argon2id.kdf(KEY_SIZE, secret, salt, cost.ops, cost.memory)


def _split(whole: bytes, kind: str, path: Path) -> tuple[bytes, bytes, Cost]:
    """Return (header, sealed payload, limits) after all checks that need no passphrase."""
    if not whole.startswith(_MAGIC):
        raise WrongKindError(f"{path} is not a sealed file of Snug's.")
    body, checksum = whole[: -len(H())], whole[-len(H()) :]
    if not same(H(body), checksum):
        raise DamagedFileError(f"{path} is damaged: its bytes are not those that were written. Use a copy.")
    reader = Reader(body)
    try:
        reader.take(len(_MAGIC))
        there = reader.prefixed(1)
        cost = Cost(reader.uint(4), reader.uint(8))
        reader.take(_SALT)
        sealed = reader.rest()
    except MalformedError:
        raise DamagedFileError(f"{path} is damaged: it is cut short.") from None
    if there != _kind_bytes(kind):
        what = there.decode("ascii", "replace")
        raise WrongKindError(f"{path} holds {what!r}, and not {kind!r}.")
    if not (
        argon2id.OPSLIMIT_MIN <= cost.ops <= OPS_MAX
        and argon2id.MEMLIMIT_MIN <= cost.memory <= MEMORY_MAX
        and len(sealed) >= SEAL_OVERHEAD
    ):
        raise DamagedFileError(
            f"{path} asks for more than any file of Snug's does: it was not written by Snug."
        )
    return body[: -len(sealed)], sealed, cost


def _unseal(key: bytes, header: bytes, sealed: bytes, path: Path) -> bytes:
    try:
        return unpadded(unseal(key, sealed, header))
    except AuthenticationError:
        raise WrongPassphraseError(f"That passphrase does not open {path}.") from None
    except MalformedError:
        raise DamagedFileError(f"{path} is damaged.") from None


def _read(path: Path) -> bytes:
    try:
        with os.fdopen(os.open(path, flags.READ), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise WrongKindError(f"{path} is not a sealed file of Snug's.")
            whole = file.read(FILE_MAX + 1)
    except OSError as error:
        raise SealedFileError(f"{path} can't be read: {error.strerror or error}.") from None
    if len(whole) > FILE_MAX:
        raise WrongKindError(f"{path} is too large for a sealed file of Snug's.")
    return whole


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Exclude other programs that save in this folder; SealedFileError if the lock is held for LOCK_TIME.

    Every user with read access to a folder can lock it; an honest program holds the lock much shorter.
    """
    with contextlib.ExitStack() as held:
        until = time.monotonic() + LOCK_TIME
        while True:
            try:
                held.enter_context(folder_lock.hold(path.parent))
                break
            except BlockingIOError:
                pass
            except OSError as error:
                raise SealedFileError(f"{path.parent} can't be used: {error.strerror or error}.") from None
            if time.monotonic() >= until:
                raise SealedFileError(f"{path.parent} is being kept by another program: try again.")
            time.sleep(0.01)
        yield


def replace(path: Path, whole: bytes) -> None:
    """Replace the file atomically: a reader, or a power loss, finds either the old file or the new one."""
    beside = path.parent / f".{path.name}.{secrets.token_hex(6)}"
    try:
        number = os.open(beside, flags.NEW, 0o600)
        try:
            with os.fdopen(number, "wb") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), 0o600)  # independent of the umask
                file.write(whole)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        if flags.FOLDER is not None:
            folder = os.open(path.parent, flags.FOLDER)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise SealedFileError(f"{path} can't be written: {error.strerror or error}.") from None
