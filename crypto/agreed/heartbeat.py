"""Heartbeats: a member's periodic signed report of its state, its sent and its received frames.

docs/reference/protocol.md, section 7. A heartbeat is a concatenation of fields, with one valid encoding per
value::

    1 | leaf 4 | handle 8 | since 8 | seq 4 | prev 32 | at 8 | epoch 8 | slot 8 | chain 32 |
    H(epoch_authenticator) 32 | incarnation 8 | relay 8 | window 32 |
    count 1, sent (stream 1 | frames 6) by stream | want 1 |
    count 2, got (leaf 4 | seq 4 | count 1, (stream 1 | frames 6) by stream) by leaf |
    count 1, pending (act 1 | leaf 4) in order | signature 64

The signature is the SignWithLabel of MLS under the label "snug 1 beat", over room number (16 bytes) | all
fields before the signature. Verification needs the heartbeat, the room number and the leaf's signature key.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from operator import attrgetter
from struct import Struct
from typing import Final, NamedTuple

from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import Reader, exactly, uint
from snugroom.crypto.kdf import SIGNATURE_SIZE, H
from snugroom.crypto.mls.labels import verify_with_label

LABEL: Final = "snug 1 beat"
VERSION: Final = 1
#: Number of kept relays that a window covers.
WINDOW: Final = 8
#: `prev` of the first heartbeat.
NO_HEARTBEAT: Final = bytes(32)
STREAMS_MAX: Final = 8
#: Bytes of a stream number and its frame counter.
_COUNTER_SIZE: Final = 7
GOT_MAX: Final = 1000
#: Of one entry in `got`: leaf, seq, and how many counters follow.
_GOT: Final = Struct(">IIB")
#: Acts that wait for their slot, of which one heartbeat carries this many.
PENDING_MAX: Final = 8

#: (stream number, frames).
Counters = tuple[tuple[int, int], ...]
#: (label, data) -> signature, as `Group.sign` of crypto.mls does.
Sign = Callable[[str, bytes], bytes]


class Got(NamedTuple):
    """Traffic received from one other member: its last heartbeat, and the frames decrypted per stream."""

    leaf: int
    seq: int  # 0: no heartbeat received yet
    frames: Counters


class Act(IntEnum):
    """A host's act that takes a slot, or a member's request to be let in again."""

    REMOVE = 1  # the member at `leaf`; for the acts that concern nobody in the tree, `leaf` is 0
    LOCK = 2
    UNLOCK = 3
    HOST = 4
    NO_HOST = 5
    ADMIT = 6
    REJOIN = 7  # at the sender's own leaf


@dataclass(frozen=True, slots=True, order=True)
class PendingAct:
    """An act of the sender that the server has not given a slot for some seconds."""

    act: Act
    leaf: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One member's signed report of its state. Frame counters start at slot `since`."""

    leaf: int
    handle: bytes  # of the member's connection, 8 bytes
    since: int  # slot at which this membership began; sequence numbers and counters start there
    seq: int  # starts at 1
    prev: bytes  # `digest` of the previous heartbeat, 32 bytes; NO_HEARTBEAT for the first
    at: int  # Unix seconds by the member's own clock
    epoch: int
    slot: int  # last slot that the member has validated
    chain: bytes  # chain value after that slot, 32 bytes
    authenticator: bytes  # H(epoch_authenticator), 32 bytes
    incarnation: bytes  # of the server process, 8 bytes
    relay: int  # last kept relay that the member can vouch for; 0: none
    window: bytes  # over the relays up to `relay` (see the function `window`), 32 bytes
    sent: Counters
    want: bool  # True: the member subscribes to all streams; False: to fewer or none
    got: tuple[Got, ...]
    pending: tuple[PendingAct, ...] = ()
    signature: bytes = field(default=b"", repr=False)
    #: The body once it is known: there is one encoding. `replace` does not copy it.
    _body: bytes = field(default=b"", init=False, repr=False, compare=False)

    def body(self) -> bytes:
        """Return the bytes signed after the room number. MalformedError for values that have no encoding."""
        if not self._body:
            object.__setattr__(self, "_body", self._encoded())
        return self._body

    def _encoded(self) -> bytes:
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
                uint(len(self.pending), 1),
                *(uint(p.act, 1) + uint(p.leaf, 4) for p in self.pending),
            )
        )

    @property
    def digest(self) -> bytes:
        """H(body), 32 bytes: the `prev` of the next heartbeat."""
        return H(self.body())

    def acknowledged(self, leaf: int) -> int:
        """Return the number of the leaf's last heartbeat that had arrived; 0 for none."""
        at = bisect_left(self.got, leaf, key=attrgetter("leaf"))
        return self.got[at].seq if at < len(self.got) and self.got[at].leaf == leaf else 0

    def encode(self) -> bytes:
        """Return body and signature. MalformedError if the heartbeat is unsigned."""
        return self.body() + exactly(self.signature, SIGNATURE_SIZE, "a beat's signature")

    @classmethod
    def decode(cls, data: bytes) -> Heartbeat:
        """Decode a heartbeat of this version. MalformedError for anything but its one valid encoding."""
        reader = Reader(data)
        if reader.uint(1) != VERSION:
            raise MalformedError("the beat has an unknown version")
        heartbeat = cls(
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
            got=_read_got(reader),
            pending=tuple(
                PendingAct(_read_act(reader), reader.uint(4))
                for _ in range(_at_most(reader.uint(1), PENDING_MAX))
            ),
            signature=reader.take(SIGNATURE_SIZE),
        )
        reader.end()
        if heartbeat.seq < 1 or heartbeat.slot < heartbeat.since:
            raise MalformedError("the beat's slot is before its membership began")
        _rising(p.act << 32 | p.leaf for p in heartbeat.pending)
        object.__setattr__(heartbeat, "_body", data[:-SIGNATURE_SIZE])
        return heartbeat

    def signed(self, number: bytes, sign: Sign) -> Heartbeat:
        """Return a copy signed for the room with this number (16 bytes)."""
        return replace(self, signature=sign(LABEL, exactly(number, 16, "a room's number") + self.body()))

    def verify(self, number: bytes, key: bytes) -> None:
        """Verify the signature for the room with this number (16 bytes).

        AuthenticationError unless `key`, a leaf's signature key, made it.
        """
        verify_with_label(key, LABEL, exactly(number, 16, "a room's number") + self.body(), self.signature)


def window(incarnation: bytes, relay: int, digests: Iterable[bytes]) -> bytes:
    """Return a hash (32 bytes) by which members confirm that they received the same relays in the same order.

    `digests` are H(blob) of the last WINDOW kept relays up to number `relay` of that server incarnation, or
    of all of them if there are fewer.
    """
    return H(b"snug 1 window", exactly(incarnation, 8, "an incarnation"), uint(relay, 8), *digests)


def _counters(counters: Counters) -> bytes:
    return uint(len(counters), 1) + b"".join(uint(stream, 1) + uint(n, 6) for stream, n in counters)


def _read_got(reader: Reader) -> tuple[Got, ...]:
    """Read `count 2, got`. In a room of hundreds this takes most of a heartbeat's time."""
    got: list[Got] = []
    last = -1
    for _ in range(_at_most(reader.uint(2), GOT_MAX)):
        leaf, seq, streams = _GOT.unpack(reader.take(_GOT.size))
        if leaf <= last:
            raise MalformedError("the list is not in order")
        last = leaf
        got.append(Got(leaf, seq, _counters_of(reader, streams) if streams else ()))
    return tuple(got)


def _read_counters(reader: Reader) -> Counters:
    return _counters_of(reader, reader.uint(1))


def _counters_of(reader: Reader, count: int) -> Counters:
    size = _COUNTER_SIZE * _at_most(count, STREAMS_MAX)
    data = reader.take(size)
    streams = data[::_COUNTER_SIZE]
    _rising(streams)
    if size and streams[-1] >= STREAMS_MAX:
        raise MalformedError(f"a stream number must be below {STREAMS_MAX}")
    return tuple(
        (data[at], int.from_bytes(data[at + 1 : at + _COUNTER_SIZE], "big"))
        for at in range(0, size, _COUNTER_SIZE)
    )


def _read_flag(reader: Reader) -> bool:
    value = reader.uint(1)
    if value > 1:
        raise MalformedError("a flag must be 0 or 1")
    return value == 1


def _read_act(reader: Reader) -> Act:
    try:
        return Act(reader.uint(1))
    except ValueError:
        raise MalformedError("an unknown act") from None


def _at_most(count: int, most: int) -> int:
    if count > most:
        raise MalformedError(f"{count} are more than {most}")
    return count


def _rising(numbers: Iterable[int]) -> None:
    last = -1
    for number in numbers:
        if number <= last:
            raise MalformedError("the list is not in order")
        last = number
