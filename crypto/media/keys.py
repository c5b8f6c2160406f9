"""Media keys: from the MLS exporter to one key per stream of each sender, and their change with each epoch.

RFC 9605 section 5.2 defines the base key, ``MLS-Exporter("SFrame 1.0 Base Key", "", 16)``, for suite 0x0004.
The key id is Snug's own (docs/reference/protocol.md, section 10)::

    KID = tag << 4 | epoch mod 16

The RFC has the member's index above the epoch bits. Here a *tag* encodes (leaf, stream) by a permutation that
changes with every epoch, so that the server cannot follow a leaf by its number. With n = 8 * w, where w is
the next power of two of the leaf count (at least 8), tag(leaf, stream) is the rank of the block AES-256(tags,
leaf * 8 + stream) among the n blocks AES-256(tags, 0) .. AES-256(tags, n - 1). Numbers are 128-bit big-endian
blocks; results are compared as byte strings; `tags` is a secret of the epoch, X("tags").

Times are monotonic seconds, passed by the caller. Use one `MediaKeys` from one thread at a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from typing import Final, Generic, TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from snugroom.crypto.errors import AuthenticationError, MalformedError, MissingKeyError, StateError
from snugroom.crypto.fields import exactly
from snugroom.crypto.kdf import NotCopyable
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.sframe import FrameKey, Header, Opener, Sealer, Suite, extract

SUITE: Final = Suite.AES_128_GCM_SHA256_128
#: The exporter's label and length for the base key (context: empty), RFC 9605 section 5.2.
BASE_KEY_LABEL: Final = "SFrame 1.0 Base Key"
BASE_KEY_SIZE: Final = 16
TAGS_SIZE: Final = 32
EPOCH_BITS: Final = 4
STREAMS: Final = 8
LEAVES_MIN: Final = 8
LEAVES_MAX: Final = 1 << 16
#: After an Add, senders keep using the old epoch for this many seconds, unless the server says before that
#: all members have the new one (`ready`).
ADD_SWITCH: Final = 0.5
#: Receivers keep an old epoch for this many seconds after its senders have stopped using it.
OLD_EPOCH: Final = 2.0
#: Frames of up to this many epochs ahead are worth holding.
FUTURE_EPOCHS: Final = 4
FUTURE_FRAMES: Final = 64
FUTURE_TIME: Final = 1.0
#: Bytes of waiting frames of one stream: seconds of the largest video. Anybody may have made them.
FUTURE_BYTES: Final = 4 * 2**20

_EPOCHS: Final = 1 << EPOCH_BITS
_T = TypeVar("_T")


class Stream(IntEnum):
    """A member's streams. The member announces each under one SSRC.

    A simulcast video stream is one of these. Each of its layers is sealed under its own stream number
    (`layer_stream`), which gives it its own nonces and replay window.
    """

    AUDIO = 0
    VIDEO = 1
    SCREEN_AUDIO = 2
    SCREEN_VIDEO = 3


_AUDIO: Final = frozenset({Stream.AUDIO, Stream.SCREEN_AUDIO})
#: Stream numbers under which a video stream is sealed, from the smallest layer to the largest.
_LAYERS: Final[dict[int, tuple[int, ...]]] = {Stream.VIDEO: (1, 4, 5), Stream.SCREEN_VIDEO: (3, 6, 7)}
_BASE: Final = {number: (base, at) for base, row in _LAYERS.items() for at, number in enumerate(row)}


def layer_stream(base: int, layer: int) -> int:
    """Return the stream number under which `layer` (0: the smallest) of stream `base` is sealed.

    StateError if the stream or layer does not exist: audio has only layer 0.
    """
    layers = _LAYERS.get(base, (base,) if base in _AUDIO else ())
    if not 0 <= layer < len(layers):
        raise StateError(f"no layer {layer} of stream {base}")
    return layers[layer]


def base_stream(stream: int) -> tuple[int, int]:
    """Return (announced stream, layer) for the stream number of a sealed frame, 0 to 7."""
    return _BASE.get(stream, (stream, 0))


class FutureEpochError(MissingKeyError):
    """The frame is from an epoch that this member will enter soon: hold it (`FutureFrames`), then retry."""


class EpochKeys:
    """All media keys of one epoch, derived on demand."""

    __slots__ = ("_order", "_secret", "_tags", "epoch", "leaf_count")

    def __init__(self, epoch: int, secret: bytes, order: list[int], leaf_count: int) -> None:
        """Internal: use `derive`."""
        self.epoch = epoch
        self.leaf_count = leaf_count
        self._secret: bytes | None = secret
        self._order = order
        self._tags = [0] * len(order)
        for tag, place in enumerate(order):
            self._tags[place] = tag

    @classmethod
    def derive(cls, *, epoch: int, base_key: bytes, tags: bytes, leaf_count: int) -> EpochKeys:
        """Derive from the exporter's `base_key` (16 bytes) and `tags` (32 bytes), and the tree's number of
        leaves, including blank ones (1 to 65,536).

        MalformedError on wrong sizes.
        """
        exactly(base_key, BASE_KEY_SIZE, "an SFrame base key")
        exactly(tags, TAGS_SIZE, "the secret of the tags")
        if not 1 <= leaf_count <= LEAVES_MAX or epoch < 0:
            raise MalformedError(f"no tree has {leaf_count} leaves, or no epoch is {epoch}")
        size = max(LEAVES_MIN, 1 << (leaf_count - 1).bit_length()) * STREAMS
        # CTR mode over zeros computes AES(0), AES(1), ... in one call; outputs of a permutation never collide
        encryptor = Cipher(algorithms.AES(tags), modes.CTR(bytes(16))).encryptor()
        blocks = encryptor.update(bytes(16 * size))
        order = sorted(range(size), key=lambda place: blocks[16 * place : 16 * place + 16])
        return cls(epoch, extract(SUITE, base_key), order, leaf_count)

    def kid(self, leaf: int, stream: int) -> int:
        """Return the key id of a leaf's stream. StateError if the leaf or stream does not exist."""
        if not (0 <= leaf < self.leaf_count and 0 <= stream < STREAMS):
            raise StateError(f"no leaf {leaf} in a tree of {self.leaf_count}, or no stream {stream}")
        return self._tags[leaf * STREAMS + stream] << EPOCH_BITS | self.epoch % _EPOCHS

    def leaf_and_stream(self, kid: int) -> tuple[int, int]:
        """Return (leaf, stream) of a key id of this epoch. MissingKeyError if the key id is unassigned."""
        tag = kid >> EPOCH_BITS
        if kid % _EPOCHS == self.epoch % _EPOCHS and tag < len(self._order):
            leaf, stream = divmod(self._order[tag], STREAMS)
            if leaf < self.leaf_count:
                return leaf, stream
        raise MissingKeyError(f"key id {kid} belongs to no member in epoch {self.epoch}")

    def key(self, kid: int) -> FrameKey:
        """Return the cipher of a key id. StateError once wiped."""
        if self._secret is None:
            raise StateError(f"the media keys of epoch {self.epoch} are gone")
        return FrameKey(SUITE, self._secret, kid)

    def wipe(self) -> None:
        """Delete the secret; `kid` and `leaf_and_stream` still work."""
        self._secret = None

    def __repr__(self) -> str:
        return f"EpochKeys(epoch={self.epoch}, leaf_count={self.leaf_count})"


@dataclass(frozen=True, slots=True)
class OpenedFrame:
    """A decrypted frame, and the owner of the key that sealed it.

    Any member could have used that key: media signatures prove the sender (docs/reference/protocol.md,
    section 10).
    """

    leaf: int
    stream: int
    epoch: int
    counter: int
    frame: bytes = field(repr=False)


@dataclass(slots=True, eq=False)
class _InstalledEpoch:
    """An epoch whose keys this member holds."""

    keys: EpochKeys
    own_leaf: int
    send_from: float
    until: float = inf
    refused: set[int] = field(default_factory=set)
    sealers: dict[int, Sealer] = field(default_factory=dict)
    openers: dict[int, Opener] = field(default_factory=dict)


class MediaKeys(NotCopyable):
    """One member's media keys of all epochs, and when each may be used.

    docs/reference/protocol.md, section 10.

    At a removal, senders switch to the new epoch at once. Receivers drop the removed leaf at once, and other
    senders' frames of the old epoch after 2 s. At an Add, senders switch after 500 ms, or when the epoch is
    `ready`, and receivers keep the old epoch for 2 s after these 500 ms. The key id contains the epoch's low
    bits; a new epoch displaces an older one with equal bits (RFC 9605 section 5.2).
    """

    __slots__ = ("_by_bits", "_floor", "_newest")

    def __init__(self) -> None:
        self._by_bits: dict[int, _InstalledEpoch] = {}
        self._newest = -1
        self._floor = -1

    @property
    def epoch(self) -> int | None:
        """The newest epoch installed, or None before the first."""
        return self._newest if self._newest >= 0 else None

    def install(
        self, keys: EpochKeys, *, own_leaf: int, removed: frozenset[int], is_removal: bool, now: float
    ) -> None:
        """Enter a new epoch. `removed`: the leaves that this change removed, including that of a rejoining
        member. The change counts as a removal if `removed` is not empty or `is_removal` is true.

        StateError if `keys` are not from a later epoch than all before (the same keys installed twice would
        reuse counters), or if `own_leaf` is not in the tree.
        """
        if keys.epoch <= self._newest:
            raise StateError(f"epoch {keys.epoch} can't follow epoch {self._newest}")
        if not 0 <= own_leaf < keys.leaf_count:
            raise StateError(f"no leaf {own_leaf} in a tree of {keys.leaf_count}")
        self._prune(now)
        switch = now if is_removal or removed else now + ADD_SWITCH
        for held in self._by_bits.values():
            held.refused |= removed
            held.until = min(held.until, switch + OLD_EPOCH)
        self._drop(self._by_bits.pop(keys.epoch % _EPOCHS, None))
        self._by_bits[keys.epoch % _EPOCHS] = _InstalledEpoch(keys, own_leaf, switch)
        self._newest = keys.epoch

    def ready(self, epoch: int, now: float) -> None:
        """Send in this epoch from now on, not only `ADD_SWITCH` after its beginning.

        The server says that all members have it. That is a hint: if some have not, frames wait at theirs.
        """
        for held in self._by_bits.values():
            if held.keys.epoch == epoch:
                held.send_from = min(held.send_from, now)

    def sending_epoch(self, now: float) -> int | None:
        """Return the epoch that `seal` uses now, or None without keys. When it changes, send a key frame."""
        held = self._sending(now)
        return None if held is None else held.keys.epoch

    def _sending(self, now: float) -> _InstalledEpoch | None:
        # never return to an older epoch, even if the clock goes back
        usable = [held for held in self._by_bits.values() if held.keys.epoch >= self._floor]
        due = [held for held in usable if held.send_from <= now]
        if due:
            return max(due, key=lambda held: held.keys.epoch)
        # A newcomer has no older epoch and does not wait. If sixteen quick changes have displaced the epoch
        # in use, the oldest remaining epoch is the closest.
        return min(usable, key=lambda held: held.keys.epoch, default=None)

    def seal(self, stream: int, metadata: bytes, frame: bytes, now: float) -> bytes:
        """Seal a frame of one of our streams and return the SFrame ciphertext.

        MissingKeyError before the first epoch and after `wipe`; StateError if the stream does not exist, or
        if its key has reached its frame limit.
        """
        self._prune(now)
        held = self._sending(now)
        if held is None:
            raise MissingKeyError("there are no media keys: none were installed, or they were wiped")
        sealer = held.sealers.get(stream)
        if sealer is None:
            sealer = held.sealers[stream] = Sealer(held.keys.key(held.keys.kid(held.own_leaf, stream)))
        self._floor = held.keys.epoch
        return sealer.seal(metadata, frame)

    def open(self, metadata: bytes, data: bytes, now: float) -> OpenedFrame:
        """Open another member's frame.

        FutureEpochError if its epoch is still to come; MissingKeyError if its epoch is over or was never
        held, its leaf has been removed, or its key id is unassigned; AuthenticationError if its tag is wrong,
        or if it is our own frame sent back; ReplayError; MalformedError. Until a frame has authenticated,
        only the passing of time changes state.
        """
        header = Header.decode(data)
        held, leaf, stream = self._sender(header, now)
        opener = held.openers.get(header.kid)
        if opener is None:
            opener = Opener(held.keys.key(header.kid))
        counter, frame = opener.open(metadata, data, header)
        held.openers[header.kid] = opener
        return OpenedFrame(leaf, stream, held.keys.epoch, counter, frame)

    def sender(self, data: bytes, now: float) -> tuple[int, int]:
        """Return the (leaf, stream) that a frame's key id names, before any authentication.

        Raises the errors of `open` that precede decryption.
        """
        _, leaf, stream = self._sender(Header.decode(data), now)
        return leaf, stream

    def _sender(self, header: Header, now: float) -> tuple[_InstalledEpoch, int, int]:
        self._prune(now)
        bits = header.kid % _EPOCHS
        held = self._by_bits.get(bits)
        if held is None:
            if self._by_bits and 0 < (bits - self._newest) % _EPOCHS <= FUTURE_EPOCHS:
                raise FutureEpochError("the frame is of an epoch that we have not entered yet")
            raise MissingKeyError("the frame is of an epoch whose keys are not here")
        leaf, stream = held.keys.leaf_and_stream(header.kid)
        if leaf in held.refused:
            raise MissingKeyError(f"a frame of leaf {leaf}, which has been removed")
        if leaf == held.own_leaf:
            raise AuthenticationError(
                "the frame is under our own key: members don't receive their own frames"
            )
        return held, leaf, stream

    def wipe(self) -> None:
        """Delete all keys. Afterwards, only epochs later than all installed ones can be installed."""
        for held in self._by_bits.values():
            self._drop(held)
        self._by_bits.clear()

    def _prune(self, now: float) -> None:
        over = [bits for bits, held in self._by_bits.items() if held.until <= now]
        for bits in over:
            self._drop(self._by_bits.pop(bits))

    @staticmethod
    def _drop(held: _InstalledEpoch | None) -> None:
        if held is not None:
            held.keys.wipe()
            held.sealers.clear()
            held.openers.clear()


# -- frames with their clear header ------------------------------------------------------------


def seal_frame(keys: MediaKeys, kind: clear_header.Kind, stream: int, frame: bytes, now: float) -> bytes:
    """Seal one encoded frame for the packetizer: the clear header, then the SFrame ciphertext.

    Raises as `MediaKeys.seal` does, MalformedError on an empty VP8 frame, and StateError if the stream is not
    of that kind.
    """
    if (stream in _AUDIO) != (kind == "audio"):
        raise StateError(f"stream {stream} carries no {kind}")
    header = clear_header.header_for(kind, frame)
    return header + keys.seal(stream, clear_header.metadata(kind, header), frame, now)


def open_frame(keys: MediaKeys, kind: clear_header.Kind, data: bytes, now: float) -> OpenedFrame:
    """Open a frame from the depacketizer that `seal_frame` has made.

    Raises as `MediaKeys.open` does, and MalformedError if the clear header is unknown or contradicts the
    frame, or if the stream is not of that kind.
    """
    header, rest = clear_header.split(kind, data)
    opened = keys.open(clear_header.metadata(kind, header), rest, now)
    if (opened.stream in _AUDIO) != (kind == "audio"):
        raise MalformedError(f"leaf {opened.leaf} sends {kind} as stream {opened.stream}")
    if clear_header.header_for(kind, opened.frame) != header:
        raise MalformedError(f"leaf {opened.leaf}'s clear header contradicts the frame behind it")
    return opened


class FutureFrames(Generic[_T]):
    """Buffer for frames of a future epoch: by default 64 frames, for 1 s each, and FUTURE_BYTES in all."""

    def __init__(self, *, most: int = FUTURE_FRAMES, seconds: float = FUTURE_TIME) -> None:
        self._held: deque[tuple[float, _T, int]] = deque()
        self._most = most
        self._seconds = seconds
        self._bytes = 0
        #: Frames dropped because they waited too long or the buffer was full.
        self.dropped = 0

    def hold(self, item: _T, now: float, size: int) -> None:
        """Keep an item of `size` bytes; if the buffer is full, drop the oldest."""
        self.expire(now)
        self._held.append((now, item, size))
        self._bytes += size
        while len(self._held) > self._most or self._bytes > FUTURE_BYTES:
            self._drop_oldest()

    def release(self, now: float) -> list[_T]:
        """Remove and return all items that have not expired, oldest first."""
        self.expire(now)
        items = [item for _, item, _ in self._held]
        self._held.clear()
        self._bytes = 0
        return items

    def expire(self, now: float) -> None:
        """Drop items that have waited too long."""
        while self._held and self._held[0][0] + self._seconds <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, _, size = self._held.popleft()
        self._bytes -= size
        self.dropped += 1

    def __len__(self) -> int:
        return len(self._held)
