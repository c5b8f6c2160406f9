"""Media signatures: a sender signs lists of the hashes of its sealed frames.

All members share an epoch's SFrame base key, so a member that colludes with the server could seal frames in
another member's name (docs/reference/protocol.md, section 10). Each leaf generates an Ed25519 *media key* per
epoch. The leaf's signature key certifies the media key, and the media key signs the leaf's frames, about
twice a second::

    list        = leaf, stream, number, key, certificate, runs | signature
    signature   = sign_media_key("snug 1 signatures" | scope | the list's fields before it)
    certificate = SignWithLabel by the leaf (RFC 9420 section 5.1.2), label "snug 1 media key"
    hash        = H(SFrame ciphertext, header included)[:12]

A list names frames of one announced stream, in all its layers, so that it can go to the receivers of that
stream alone. The lists of each stream are numbered from 0 in each epoch. A sender lists every sealed frame
exactly once, in counter order per key id: a frame that a list skips is not the sender's. Some time after the
epoch's end, the secret half of the media key is disclosed to all members, and its signatures prove nothing
from then on.

Frames are played at once, and compared when the list arrives (`FrameVerifier`). After the first doubt about a
leaf, its frames are compared before they are played.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from snugroom.crypto.errors import MalformedError, StateError
from snugroom.crypto.fields import exactly
from snugroom.crypto.kdf import SIGNATURE_SIZE, H, NotCopyable, SigningKey
from snugroom.crypto.media.keys import FutureEpochError, Stream
from snugroom.wire.layout import U1, U4, U8, Bytes, Bytes16, Bytes32, Fixed, Items, Layout, Signature

#: Bytes of a frame's hash in a list: only a second preimage helps a forger (decision 78).
DIGEST_SIZE: Final = 12
SCOPE_SIZE: Final = 16 + 8 + 32
#: Seconds between two lists of one sender: minimum and maximum. It grows with the membership.
INTERVAL: Final = 0.5
INTERVAL_MAX: Final = 1.0
MEMBERS_A_SECOND: Final = 50
#: Maximum number of frames and of runs in one list.
FRAMES_MAX: Final = 1024
RUNS_MAX: Final = 64
LISTS_MAX: Final = 1 << 32
_STREAMS: Final = frozenset(Stream)
#: Seconds around a reconnect of this client during which lists may have been missed.
EXCUSED: Final = 2.0

#: Label under which a leaf certifies its media key.
MEDIA_KEY_LABEL: Final = "snug 1 media key"
LIST_LABEL: Final = b"snug 1 signatures"


class UnverifiedFrameError(FutureEpochError):
    """A frame of a leaf in doubt that no list has named yet: hold it and retry when the next list arrives."""


def interval(members: int) -> float:
    """Return the seconds between two lists of one sender in a room with that many members."""
    return min(INTERVAL_MAX, max(INTERVAL, members / MEMBERS_A_SECOND))


def digest(frame: bytes) -> bytes:
    """Return the hash (12 bytes) of a frame in lists: over SFrame header and ciphertext only."""
    return H(frame)[:DIGEST_SIZE]


@dataclass(frozen=True, slots=True)
class Scope(Layout, name="scope"):
    """One epoch of one room."""

    room: Bytes16
    epoch_slot: U8
    epoch: Bytes32  # H of the epoch authenticator


@dataclass(frozen=True, slots=True)
class Certified(Layout, name="certified"):
    """The data that a leaf signs for its media key."""

    scope: Annotated[bytes, Fixed(SCOPE_SIZE)]
    leaf: U4
    key: Bytes32


def scope(room: bytes, epoch_slot: int, epoch_authenticator: bytes) -> bytes:
    """Return the value (56 bytes) that binds certificates and lists to one epoch of one room."""
    return Scope(room, epoch_slot, H(epoch_authenticator)).encode()


def certified(scope_: bytes, leaf: int, key: bytes) -> bytes:
    """Return the data that the leaf signs under MEDIA_KEY_LABEL (`Membership.sign`) for a media key."""
    return Certified(scope_, leaf, key).encode()


# -- the list ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run(Layout, name="run"):
    """Frames of one key id with consecutive counters; `digests` are 12 bytes each."""

    kid: U4
    first: U4
    digests: Annotated[bytes, Bytes(2, most=FRAMES_MAX, unit=DIGEST_SIZE)] = field(repr=False)

    def __len__(self) -> int:
        return len(self.digests) // DIGEST_SIZE

    @property
    def last(self) -> int:
        """The highest counter."""
        return self.first + len(self) - 1

    def of(self, counter: int) -> bytes:
        """Return the hash of the frame with that counter, which must be in the run."""
        at = (counter - self.first) * DIGEST_SIZE
        return self.digests[at : at + DIGEST_SIZE]


@dataclass(frozen=True, slots=True)
class FrameList(Layout, name="list of frames", start=b"\1"):
    """One sender's list in decoded form. It is unverified until `FrameVerifier.receive` accepts it.

    `stream`: the announced stream whose frames it names, a `Stream`.
    """

    leaf: U4
    stream: U1
    number: U4
    key: Bytes32
    certificate: Signature = field(repr=False)
    runs: Annotated[tuple[Run, ...], Items(1, most=255)]
    signature: Signature = field(default=b"", repr=False)

    @property
    def body(self) -> bytes:
        """The signed bytes, without label and scope. MalformedError if a value does not fit."""
        return self.encode_before("signature")

    def signed(self, scope_: bytes, key: SigningKey) -> bytes:
        """Return the complete encoding, signed with the media key."""
        body = self.body
        return body + key.sign(LIST_LABEL + scope_ + body)

    def check(self) -> None:
        """Raise MalformedError on an unknown stream, wrong order, empty runs, or too many frames or runs."""
        if self.stream not in _STREAMS:
            raise MalformedError(f"media signatures of stream {self.stream}, which nobody announces")
        total, before = 0, None
        for run in self.runs:
            total += len(run)
            after = before is None or (run.kid, run.first) > (before.kid, before.last + 1)
            if not run.digests or not after or run.last >= 1 << 32:
                raise MalformedError("the frames of the list are not in order")
            before = run
        if not 0 < len(self.runs) <= RUNS_MAX or total > FRAMES_MAX:
            raise MalformedError(f"a list of {len(self.runs)} runs and {total} frames")


@dataclass(frozen=True, slots=True)
class SignedList:
    """The encoding of a list, and the SSRC under which the stream that it names is announced, if it is."""

    ssrc: int | None
    data: bytes = field(repr=False)


class Signer(NotCopyable):
    """Lists and signs one leaf's frames of one epoch. Its repr shows no secret."""

    __slots__ = ("_certificate", "_key", "_leaf", "_next", "_pending", "_scope", "oldest")

    def __init__(self, leaf: int, scope_: bytes, key: SigningKey, certificate: bytes) -> None:
        """`certificate`: the leaf's signature (64 bytes) over `certified(scope_, leaf, key.public)`."""
        self._leaf = leaf
        self._scope = exactly(scope_, SCOPE_SIZE, "a scope")
        self._key = key
        self._certificate = exactly(certificate, SIGNATURE_SIZE, "a certificate")
        # (stream, SSRC) -> key id -> counter -> hash
        self._pending: dict[tuple[int, int | None], dict[int, dict[int, bytes]]] = {}
        self._next: dict[int, int] = {}  # stream -> number of its next list
        #: Time at which the oldest pending frame was sealed; None if none is pending.
        self.oldest: float | None = None

    @property
    def used(self) -> bool:
        """Whether this key has signed a list."""
        return bool(self._next)

    @property
    def secret(self) -> bytes:
        """The key's secret half (32 bytes), for disclosure long after the end of its epoch."""
        return self._key.seed

    def add(self, stream: int, ssrc: int | None, kid: int, counter: int, frame: bytes, now: float) -> None:
        """Add a sealed frame (header and ciphertext) of an announced stream to the pending frames.

        `ssrc`: the SSRC under which the stream is announced now, None if it is not. A list names frames of
        one SSRC, so that frames from before a change of SSRC reach those who received them.
        """
        self._pending.setdefault((stream, ssrc), {}).setdefault(kid, {})[counter] = digest(frame)
        if self.oldest is None:
            self.oldest = now

    def take(self) -> list[SignedList]:
        """Return signed lists of all pending frames, and clear them."""
        pending, self._pending = self._pending, {}
        self.oldest = None
        lists = []
        for (stream, ssrc), frames in pending.items():
            for portion in _portions(_runs(frames)):
                number = self._next.get(stream, 0)
                if number >= LISTS_MAX:
                    raise StateError("this media key has signed all the lists that it may")
                made = FrameList(self._leaf, stream, number, self._key.public, self._certificate, portion)
                self._next[stream] = number + 1
                lists.append(SignedList(ssrc, made.signed(self._scope, self._key)))
        return lists

    def __repr__(self) -> str:
        return f"Signer(leaf={self._leaf}, key={self._key.public.hex()})"


def _runs(pending: Mapping[int, Mapping[int, bytes]]) -> Iterator[Run]:
    for kid, frames in sorted(pending.items()):
        start: int | None = None
        held: list[bytes] = []
        for counter in sorted(frames):
            if start is not None and (counter != start + len(held) or len(held) == FRAMES_MAX):
                yield Run(kid, start, b"".join(held))
                start, held = None, []
            start = counter if start is None else start
            held.append(frames[counter])
        if start is not None:
            yield Run(kid, start, b"".join(held))


def _portions(runs: Iterable[Run]) -> Iterable[tuple[Run, ...]]:
    portion: list[Run] = []
    total = 0
    for run in runs:
        # a run that was split because of its length fills a list: two adjacent ones are never in one
        if portion and (total + len(run) > FRAMES_MAX or len(portion) == RUNS_MAX):
            yield tuple(portion)
            portion, total = [], 0
        portion.append(run)
        total += len(run)
    if portion:
        yield tuple(portion)
