"""Heartbeats: a member's periodic signed report of its state, its sent and its received frames.

docs/reference/protocol.md, section 7. The signature is the SignWithLabel of MLS under the label "snug 1
beat", over room number (16 bytes) | all fields before the signature. Verification needs the heartbeat, the
room number and the leaf's signature key.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from operator import attrgetter
from typing import Annotated, Final, NamedTuple

from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import exactly, uint
from snugroom.crypto.kdf import SIGNATURE_SIZE, H
from snugroom.crypto.mls.labels import verify_with_label
from snugroom.wire.layout import (
    U4,
    U6,
    U8,
    Bool,
    Bytes8,
    Bytes32,
    Enum,
    Items,
    Layout,
    Named,
    Signature,
    Uint,
    decoder,
)

LABEL: Final = "snug 1 beat"
#: Number of kept relays that a window covers.
WINDOW: Final = 8
#: `prev` of the first heartbeat.
NO_HEARTBEAT: Final = bytes(32)
STREAMS_MAX: Final = 8
GOT_MAX: Final = 1000
#: Acts that wait for their slot, of which one heartbeat carries this many.
PENDING_MAX: Final = 8

_Counter = Annotated[
    tuple[Annotated[int, Uint(1, most=STREAMS_MAX - 1)], U6],
    Named("stream", "frames"),
]
#: (stream number, frames).
Counters = Annotated[tuple[_Counter, ...], Items(1, most=STREAMS_MAX, rising="stream")]
#: (label, data) -> signature, as `Group.sign` of crypto.mls does.
Sign = Callable[[str, bytes], bytes]


class Got(NamedTuple):
    """Traffic received from one other member: its last heartbeat, and the frames decrypted per stream."""

    leaf: U4
    seq: U4  # 0: no heartbeat received yet
    frames: Counters


class Act(IntEnum):
    """A host's act that takes a slot, or what a member says of itself."""

    REMOVE = 1  # the member at `leaf`; for the acts that concern nobody in the tree, `leaf` is 0
    LOCK = 2
    UNLOCK = 3
    HOST = 4
    NO_HOST = 5
    ADMIT = 6
    REJOIN = 7  # at the sender's own leaf
    GO_ON = 8  # any member's: its person goes on without the hosts that are not heard; `leaf` is 0


@dataclass(frozen=True, slots=True, order=True)
class PendingAct(Layout, name="pending"):
    """An act of the sender that the server has not given a slot for some seconds."""

    act: Annotated[Act, Enum()]
    leaf: U4


@dataclass(frozen=True, slots=True)
class Heartbeat(Layout, name="heartbeat", start=b"\1"):
    """One member's signed report of its state. Frame counters start at slot `since`."""

    leaf: U4
    handle: Bytes8  # of the member's connection
    since: U8  # slot at which this membership began; sequence numbers and counters start there
    seq: U4  # starts at 1
    prev: Bytes32  # `digest` of the previous heartbeat; NO_HEARTBEAT for the first
    at: U8  # Unix seconds by the member's own clock
    epoch: U8
    slot: U8  # last slot that the member has validated
    chain: Bytes32  # chain value after that slot
    authenticator: Bytes32  # H(epoch_authenticator)
    incarnation: Bytes8  # of the server process
    server: Bytes8  # `server_mark` of the key that the server has shown to the member
    relay: U8  # last kept relay that the member can vouch for; 0: none
    window: Bytes32  # over the relays up to `relay` (see the function `window`)
    words: U8  # number of the last word (message, image or file) that the member will not resend by itself
    sent: Counters
    want: Bool  # True: the member subscribes to all streams; False: to fewer or none
    got: Annotated[tuple[Got, ...], Items(2, most=GOT_MAX, rising="leaf")]
    pending: Annotated[tuple[PendingAct, ...], Items(1, most=PENDING_MAX, rising=True)] = ()
    signature: Signature = field(default=b"", repr=False)
    #: The body once it is known: there is one encoding. `replace` does not copy it.
    _body: bytes = field(default=b"", init=False, repr=False, compare=False)

    def body(self) -> bytes:
        """Return the bytes signed after the room number. MalformedError for values that have no encoding."""
        if not self._body:
            object.__setattr__(self, "_body", self.encode_before("signature"))
        return self._body

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
        heartbeat: Heartbeat = decoder(cls)(data)
        object.__setattr__(heartbeat, "_body", data[:-SIGNATURE_SIZE])
        return heartbeat

    def check(self) -> None:
        """Raise MalformedError if numbers contradict each other."""
        if self.seq < 1 or self.slot < self.since:
            raise MalformedError("heartbeat: its slot is before its membership began")

    def signed(self, number: bytes, sign: Sign) -> Heartbeat:
        """Return a copy signed for the room with this number (16 bytes)."""
        return replace(self, signature=sign(LABEL, exactly(number, 16, "a room's number") + self.body()))

    def verify(self, number: bytes, key: bytes) -> None:
        """Verify the signature for the room with this number (16 bytes).

        AuthenticationError unless `key`, a leaf's signature key, made it.
        """
        verify_with_label(key, LABEL, exactly(number, 16, "a room's number") + self.body(), self.signature)


def server_mark(prev: bytes, server_key: bytes) -> bytes:
    """Return a hash (8 bytes) by which members confirm that a server shows them one key (32 bytes).

    `prev` is that of the heartbeat (32 bytes): nobody knows it beforehand. A server that looks for two keys
    with one hash finds them for one heartbeat, and the next one has another `prev`.
    """
    return H(
        b"snug 1 server key",
        exactly(prev, 32, "a heartbeat's hash"),
        exactly(server_key, 32, "a server's key"),
    )[:8]


def window(incarnation: bytes, relay: int, digests: Iterable[bytes]) -> bytes:
    """Return a hash (32 bytes) by which members confirm that they received the same relays in the same order.

    `digests` are H(blob) of the last WINDOW kept relays up to number `relay` of that server incarnation, or
    of all of them if there are fewer.
    """
    return H(b"snug 1 window", exactly(incarnation, 8, "an incarnation"), uint(relay, 8), *digests)
