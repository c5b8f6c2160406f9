"""The form of shared vectors: operations, their arguments and their results.

Errors stand with their kind and words. Bytes are {"hex"}, or {"repeat"} where they are many of one kind, and
where randomness goes in stands {"rng": seed}: SHA-256 in counter mode, the same on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from enum import IntEnum
from typing import Any, Final

from snugroom.crypto import hpke
from snugroom.crypto.entry.invite import HostKeys, HostSeed
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H, Rng

ORIGIN: Final = "https://meet.example"
OTHER: Final = "http://127.0.0.1:8080"
DAY: Final = 20_000
NOW: Final = DAY * 86_400 + 3_600
SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM


@dataclass(frozen=True)
class Seed:
    """The seed of an operation's randomness."""

    seed: str

    def rng(self) -> Rng:
        """The same bytes as `seeded` in the page's tests."""
        drawn = 0

        def draw(count: int) -> bytes:
            nonlocal drawn
            blocks = b""
            while len(blocks) < count:
                blocks += H(self.seed.encode(), drawn.to_bytes(4, "big"))
                drawn += 1
            return blocks[:count]

        return draw


def filled(what: str, size: int = 32) -> bytes:
    """Bytes of that size that differ for each `what`."""
    return Seed(what).rng()(size)


def plain(value: Any) -> Any:
    """The value in the form of the JSON file."""
    match value:
        case bytes() if len(value) > 64 and len(set(value)) == 1:
            return {"repeat": [value[0], len(value)]}
        case bytes():
            return {"hex": value.hex()}
        case Seed():
            return {"rng": value.seed}
        case IntEnum():
            return int(value)
        case frozenset():
            return [plain(each) for each in sorted(value)]
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {key: plain(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | plain(
            {f: getattr(value, f) for f in value.__dataclass_fields__ if f != "exporter"}
        )
    return value


class Cases(list[Any]):
    """A list of cases: operations by name, their arguments and their results."""

    def __init__(self, **operations: Callable[..., Any]) -> None:
        super().__init__()
        self._operations = operations

    def do(self, name: str, *given: Any) -> Any:
        """Do an operation and keep its result. Returns the result, None for an error."""
        drawn = [each.rng() if isinstance(each, Seed) else each for each in given]
        try:
            value = self._operations[name](*drawn)
        except SnugError as error:
            self.append([name, plain(given), {"error": type(error).__name__, "text": str(error)}])
            return None
        self.append([name, plain(given), plain(value)])
        return value

    def cuts(self, name: str, data: bytes, *more: Any) -> None:
        """Try encoded data as it is, cut short, with more behind it, and changed in one byte."""
        self.do(name, data, *more)
        for wrong in (b"", data[:-1], data[: len(data) // 2], data + b"\0"):
            self.do(name, wrong, *more)
        for at in range(0, len(data), 1 + len(data) // 80):
            self.do(name, data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :], *more)


PRIME: Final = 2**255 - 19
#: X25519's points of small order, and how they can be written.
NO_KEYS: Final = (
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (PRIME - 1).to_bytes(32, "little"),
    PRIME.to_bytes(32, "little"),
    (PRIME + 1).to_bytes(32, "little"),
)
ODD_KEYS: Final = (
    *NO_KEYS,
    *(key[:31] + bytes([key[31] | 0x80]) for key in NO_KEYS),
    (PRIME + 2).to_bytes(32, "little"),
    b"\xff" * 32,
    b"\2" + bytes(31),
    bytes(31),
    bytes(33),
)


SAFE: Final = 2**53 - 1


def outcome_of(attempt: Callable[[], object]) -> object:
    """The result of an attempt: a value that JSON knows, or the kind of error."""
    try:
        value = attempt()
    except SnugError as error:
        return {"error": type(error).__name__}
    return value.hex() if isinstance(value, bytes) else value


HOST: Final = HostSeed(filled("host seed"))
HOST_KEYS: Final = HostKeys((HOST, HostSeed(filled("second host seed"))))


SECRET: Final = filled("secret", 16)
