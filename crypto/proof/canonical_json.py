"""Canonical JSON for files that third parties verify: each value has exactly one valid encoding."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from snugroom.crypto.errors import MalformedError

_T = TypeVar("_T", bound=msgspec.Struct)


def encode(value: msgspec.Struct) -> bytes:
    """Encode as UTF-8 JSON with one field per line and a final newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def decode(data: bytes, kind: type[_T], name: str, most: int) -> _T:
    """Decode the output of `encode`. MalformedError on other input or above `most` bytes, naming `name`."""
    if len(data) > most:
        raise MalformedError(f"a file of {name} has at most {most} bytes")
    try:
        value = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"this is no {name} that can be read: {str(error)[:120]}") from None
    if encode(value) != data:
        raise MalformedError(f"this {name} is not in the form in which it is written: it was changed")
    return value
