"""A person's unspent tokens, for opening rooms: a private file, in the clear.

Whoever reads it can open rooms with them, and nothing else. They name nobody. A token leaves the file before
it is shown to a server: after a crash it is lost, and never shown twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from snugroom.client.files.sealed_file import SealedFileError, locked, replace
from snugroom.crypto.entry.permission import Token, spendable

_SIZE_MAX: Final = 4 * 2**20
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token, and the server that it is for."""

    origin: str
    week: Annotated[int, msgspec.Meta(ge=0)]
    key: Bytes32
    input: Bytes32
    output: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


def default_path() -> Path:
    """Return the place of the file if no other is named."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local/state") / "snug" / "tokens"


class TokenFile:
    """The file at `path`. Methods read it anew; SealedFileError if that fails, or if it is no such file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self, now: float) -> list[Kept]:
        """Return the tokens that can still be spent at `now`, Unix seconds."""
        try:
            with self.path.open("rb") as file:
                whole = file.read(_SIZE_MAX)
            kept = msgspec.json.decode(whole, type=list[Kept])
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SealedFileError(f"{self.path} can't be read: {error.strerror or error}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise SealedFileError(
                f"{self.path} is no file of tokens. Move it away, or name another."
            ) from None
        return [each for each in kept if spendable(each.week, now)]

    def add(self, origin: str, tokens: Sequence[Token], now: float) -> None:
        """Keep further tokens; drop those whose time is over."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SealedFileError(f"{self.path.parent} can't be made: {error.strerror or error}.") from None
        with locked(self.path):
            more = [Kept(origin, each.week, each.key, each.input, each.output) for each in tokens]
            replace(self.path, msgspec.json.encode([*self.all(now), *more]))

    def take(self, origin: str, keys: Mapping[int, bytes], now: float) -> Token | None:
        """Remove and return a token for this server, under one of these keys by week. None without one."""
        if not self.path.exists():
            return None
        with locked(self.path):
            kept = self.all(now)
            for each in kept:
                if each.origin == origin and keys.get(each.week) == each.key:
                    kept.remove(each)
                    replace(self.path, msgspec.json.encode(kept))
                    return Token(each.week, each.key, each.input, each.output)
        return None
