"""Beats: what a member signs every few seconds about where it stands, what it sends and what reaches it.

docs/protocol.md, section 7. A beat is a plain concatenation of fields, one encoding a value::

    1 | leaf 4 | handle 8 | since 8 | seq 4 | prev 32 | at 8 | epoch 8 | slot 8 | chain 32 |
    H(epoch_authenticator) 32 | incarnation 8 | relay 8 | window 32 |
    count 1, sent (stream 1 | frames 6) by stream | want 1 |
    count 2, got (leaf 4 | seq 4 | count 1, (stream 1 | frames 6) by stream) by leaf | signature 64

The signature is SignWithLabel of MLS under "snug 1 beat", over room number (16 bytes) | all but itself. Who
has the beat, the number and the leaf's signature key can check it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from crypto.errors import MalformedError
from crypto.fields import Reader, exactly, uint
from crypto.kdf import SIGNATURE_SIZE, H
from crypto.mls.labels import verify_with_label

LABEL: Final = "snug 1 beat"
VERSION: Final = 1
#: Kept relays that a window covers.
WINDOW: Final = 8
#: What stands for the beat before the first one.
NO_BEAT: Final = bytes(32)
STREAMS_MAX: Final = 8
GOT_MAX: Final = 1000

#: (stream number, frames).
Counters = tuple[tuple[int, int], ...]
#: (label, data) -> signature, as `Group.sign` of crypto.mls.
Sign = Callable[[str, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Got:
    """What has come of one other member: its last beat, and of each stream the frames that opened."""

    leaf: int
    seq: int  # 0: no beat yet
    frames: Counters


@dataclass(frozen=True, slots=True)
class Beat:
    """One member's signed word on where it stands. Numbers of frames count since `since`."""

    leaf: int
    handle: bytes  # its connection, 8 bytes
    since: int  # the slot at which this membership began: sequence and counters begin there
    seq: int  # from 1
    prev: bytes  # `digest` of the beat before, 32 bytes; NO_BEAT for the first
    at: int  # Unix seconds by its own clock
    epoch: int
    slot: int  # the last one that it has judged
    chain: bytes  # after that slot, 32 bytes
    authenticator: bytes  # H(epoch_authenticator), 32 bytes
    incarnation: bytes  # of the server's process, 8 bytes
    relay: int  # the last kept relay that it can vouch for; 0: none
    window: bytes  # over the relays up to that one (`window`), 32 bytes
    sent: Counters
    want: bool  # whether it asks for all streams; else for none
    got: tuple[Got, ...]
    signature: bytes = field(default=b"", repr=False)

    def body(self) -> bytes:
        """What is signed behind the room's number. MalformedError for values that have no encoding."""
        return b"".join(
            (
                uint(VERSION, 1),
                uint(self.leaf, 4),
                exactly(self.handle, 8, "a handle"),
                uint(self.since, 8),
                uint(self.seq, 4),
                exactly(self.prev, 32, "a beat's digest"),
                uint(self.at, 8),
                uint(self.epoch, 8),
                uint(self.slot, 8),
                exactly(self.chain, 32, "a chain value"),
                exactly(self.authenticator, 32, "an authenticator's hash"),
                exactly(self.incarnation, 8, "an incarnation"),
                uint(self.relay, 8),
                exactly(self.window, 32, "a window"),
                _counters(self.sent),
                uint(int(self.want), 1),
                uint(len(self.got), 2),
                *(uint(g.leaf, 4) + uint(g.seq, 4) + _counters(g.frames) for g in self.got),
            )
        )

    @property
    def digest(self) -> bytes:
        """H(body), 32 bytes: what the next beat's `prev` is."""
        return H(self.body())

    def encode(self) -> bytes:
        """Body and signature. MalformedError while it isn't signed."""
        return self.body() + exactly(self.signature, SIGNATURE_SIZE, "a beat's signature")

    @classmethod
    def decode(cls, data: bytes) -> Beat:
        """MalformedError for anything but the one encoding of a beat of this version."""
        reader = Reader(data)
        if reader.uint(1) != VERSION:
            raise MalformedError("a beat of another version")
        beat = cls(
            leaf=reader.uint(4),
            handle=reader.take(8),
            since=reader.uint(8),
            seq=reader.uint(4),
            prev=reader.take(32),
            at=reader.uint(8),
            epoch=reader.uint(8),
            slot=reader.uint(8),
            chain=reader.take(32),
            authenticator=reader.take(32),
            incarnation=reader.take(8),
            relay=reader.uint(8),
            window=reader.take(32),
            sent=_read_counters(reader),
            want=_read_flag(reader),
            got=tuple(
                Got(reader.uint(4), reader.uint(4), _read_counters(reader))
                for _ in range(_at_most(reader.uint(2), GOT_MAX))
            ),
            signature=reader.take(SIGNATURE_SIZE),
        )
        reader.end()
        if beat.seq < 1 or beat.slot < beat.since:
            raise MalformedError("a beat before its membership began")
        _rising(g.leaf for g in beat.got)
        return beat

    def signed(self, number: bytes, sign: Sign) -> Beat:
        """The same, signed for the room of that number (16 bytes)."""
        return replace(self, signature=sign(LABEL, exactly(number, 16, "a room's number") + self.body()))

    def verify(self, number: bytes, key: bytes) -> None:
        """AuthenticationError unless `key` (a leaf's signature key) signed it for that room (16 bytes)."""
        verify_with_label(key, LABEL, exactly(number, 16, "a room's number") + self.body(), self.signature)


def window(incarnation: bytes, relay: int, digests: Iterable[bytes]) -> bytes:
    """What two members compare to know that they were given the same in the same order, 32 bytes.

    `digests` are H(blob) of the kept relays up to number `relay` of that incarnation of the server: the last
    WINDOW of them, or all where there are fewer.
    """
    return H(b"snug 1 window", exactly(incarnation, 8, "an incarnation"), uint(relay, 8), *digests)


def _counters(counters: Counters) -> bytes:
    return uint(len(counters), 1) + b"".join(uint(stream, 1) + uint(n, 6) for stream, n in counters)


def _read_counters(reader: Reader) -> Counters:
    count = _at_most(reader.uint(1), STREAMS_MAX)
    counters = tuple((reader.uint(1), reader.uint(6)) for _ in range(count))
    _rising(stream for stream, _ in counters)
    if any(stream >= STREAMS_MAX for stream, _ in counters):
        raise MalformedError(f"a stream has a number below {STREAMS_MAX}")
    return counters


def _read_flag(reader: Reader) -> bool:
    value = reader.uint(1)
    if value > 1:
        raise MalformedError("a flag is 0 or 1")
    return value == 1


def _at_most(count: int, most: int) -> int:
    if count > most:
        raise MalformedError(f"{count} are more than {most}")
    return count


def _rising(numbers: Iterable[int]) -> None:
    last = -1
    for number in numbers:
        if number <= last:
            raise MalformedError("a list that is not in order")
        last = number
