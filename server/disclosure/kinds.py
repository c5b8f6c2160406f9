"""The kinds of bytes and texts in the server's objects, and reasons for attributes outside the disclosure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from snugroom.wire import limits

_LABEL: Final = re.compile(r"[a-z_][a-z0-9_:,' -]{0,79}\Z")
_BUS: Final = re.compile(r"(settled|session\.[0-9]{1,2}|place\.[0-9a-f]{32})\Z")
_ICE: Final = re.compile(r"[A-Za-z0-9+/]{4,64}(:[A-Za-z0-9+/]{4,64})?\Z")
_ADDRESS: Final = re.compile(r"[0-9a-fA-F:.]{2,45}(%[\w.-]{1,20})?\Z")


def _bytes(*sizes: int) -> Callable[[bytes | str], bool]:
    return lambda value: not isinstance(value, str) and len(value) in sizes


def _text(pattern: re.Pattern[str]) -> Callable[[bytes | str], bool]:
    return lambda value: isinstance(value, str) and pattern.match(value) is not None


#: Kinds of bytes and texts, each with a function that recognises its values.
KINDS: Final[dict[str, Callable[[bytes | str], bool]]] = {
    "blob": _bytes(*limits.BUCKETS),
    "list": _bytes(*limits.LIST_SIZES),
    "packet": lambda value: not isinstance(value, str),
    "frame": lambda value: not isinstance(value, str),
    "handle": _bytes(limits.HANDLE_SIZE),
    "incarnation": _bytes(limits.HANDLE_SIZE),
    "number": _bytes(limits.NUMBER_SIZE),
    # names at the bus of several nodes: leases, sessions, and their keys as text
    "bus": lambda v: _BUS.match(v) is not None if isinstance(v, str) else len(v) in (0, 8, 16),
    "secret": lambda value: not isinstance(value, str),
    "lobby": _bytes(limits.KEY_SIZE),
    "key": _bytes(limits.KEY_SIZE),
    "own_key": _bytes(limits.KEY_SIZE),
    "nonce": _bytes(limits.NONCE_SIZE),
    "voucher": _bytes(20),
    "chain": _bytes(0, limits.HASH_SIZE),
    "gate": _bytes(limits.HASH_SIZE),
    "fingerprint": _bytes(limits.FINGERPRINT_SIZE),
    "signature": _bytes(limits.SIGNATURE_SIZE),
    "prefix": _bytes(0, 4, 6, 8),
    "hash": _bytes(16),
    "address": lambda v: isinstance(v, str) and (v == "" or _ADDRESS.match(v) is not None),
    "sockaddr": lambda value: not isinstance(value, str) and (not value or len(value) % 4 == 0),
    "ice": lambda v: _ICE.match(v if isinstance(v, str) else v.decode("ascii", "replace")) is not None,
    "srtp": lambda value: not isinstance(value, str) and len(value) <= 30,
    "stamp": lambda value: not isinstance(value, str) and len(value) <= 4,
    "counts": lambda value: not isinstance(value, str),  # memory of arrays of numbers
    "label": _text(_LABEL),
    "setting": lambda value: isinstance(value, str),
    "page": lambda value: True,  # files that are the same for every visitor
    "http": lambda value: True,  # foreign: data that aiohttp and asyncio keep for one connection
    "tls": lambda value: True,
    "library": lambda value: False,  # names of functions and the like, only inside a foreign object
}

#: Places of attributes that say nothing about any meeting.
LIMITS: Final = "- a limit"
MACHINERY: Final = "- machinery"
SETTINGS: Final = "- the operator's own settings"
PAGE: Final = "- the page, the same for everybody"
COUNT: Final = "- a count of bytes or packets, within what is counted there"


def every(names: str, entry: str) -> dict[str, str]:
    """Return a table in which all these attributes, separated by spaces, have the same entry."""
    return dict.fromkeys(names.split(), entry)
