"""Files that strangers check: one JSON object in the one form in which it is written, and no other."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from crypto.errors import MalformedError

_T = TypeVar("_T", bound=msgspec.Struct)


def encode(value: msgspec.Struct) -> bytes:
    """UTF-8, a field a line, with a line end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def decode(data: bytes, kind: type[_T], name: str, most: int) -> _T:
    """MalformedError for anything but what `encode` makes in at most `most` bytes; `name` says what it is."""
    if len(data) > most:
        raise MalformedError(f"a file of {name} has at most {most} bytes")
    try:
        value = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"this is no {name} that can be read: {str(error)[:120]}") from None
    if encode(value) != data:
        raise MalformedError(f"this {name} is not in the form in which it is written: it was changed")
    return value
