"""One received stream, from RTP packets to authenticated frames: a pure core.

Packets are put in order (`reorder`), whole frames opened, and only what has opened is given out: no
decoder is ever handed anything else. VP8 is given out from a key frame on, and after a hole only
from the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from client.media.codec import is_key_frame
from client.media.reorder import Ask, Frame, Lost, Reorder, ReorderEffect
from client.media.rtp import PAYLOAD_TYPE, RtpPacket
from crypto.errors import MissingKeyError, ReplayError, SnugCryptoError
from crypto.media_keys import FutureEpochError, FutureFrames, base_stream
from crypto.media_signatures import UnverifiedFrameError
from server.wire.messages import MediaKind

#: Seconds between requests for a key frame while none comes; the last one goes on.
KEY_WAITS: Final = (0.3, 0.3, 0.3, 0.6, 1.2, 2.4, 5.0)
#: What a member in doubt has sent waits to be signed: for a list a second and the way of one that was lost;
#: frames at 60 a second for so long, and some more.
UNVERIFIED_TIME: Final = 2.5
UNVERIFIED_FRAMES: Final = 192


class Opened(Protocol):
    """An authenticated frame and the leaf that sealed it."""

    @property
    def leaf(self) -> int: ...
    @property
    def frame(self) -> bytes: ...
    @property
    def stream(self) -> int:
        """The stream number: each layer of a stream of pictures has its own."""
        ...

    @property
    def epoch(self) -> int: ...
    @property
    def counter(self) -> int:
        """Rises with each frame that this sender seals in this epoch."""
        ...


class FrameCrypto(Protocol):
    """Sealing and opening of whole frames, by whoever holds the epoch's keys."""

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        """The frame as it may leave; None: not now, and nothing leaves. `layer`: 0 is the smallest."""
        ...

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        """The frame, authenticated and of the leaf that announced `ssrc` (SNUG-20).

        FutureEpochError (UnverifiedFrameError is one): hold it and try again. Any other SnugCryptoError:
        never.
        """
        ...


@dataclass(frozen=True, slots=True)
class Deliver:
    """An authenticated frame, next in order. `key`: a VP8 key frame (audio: always)."""

    leaf: int
    frame: bytes
    timestamp: int
    arrived: float
    key: bool


@dataclass(frozen=True, slots=True)
class Conceal:
    """`frames` frames of sound are missing here."""

    frames: int


@dataclass(frozen=True, slots=True)
class AskKey:
    """Ask for a key frame (PLI)."""


ReceiveEffect = Deliver | Conceal | AskKey | Ask


@dataclass(frozen=True, slots=True)
class _Held:
    """A frame that waits, since when, and in which order they came."""

    order: int
    since: float
    frame: Frame


class Receiver:
    """The receiving end of one SSRC. Counters are frames unless they say packets.

    `opened`: authenticated. `failed`: refused for good, by the keys or because the member that it claims to
    be of has not signed it. `unkeyed`: of an epoch whose keys this
    member doesn't have, before it came in mostly, or never announced. `skipped`: opened, but no use without
    a key frame. `lost`: given up by the reorder buffer. `key_frames`: opened key frames.
    """

    def __init__(
        self, ssrc: int, kind: MediaKind, open_frame: Callable[[int, MediaKind, bytes], Opened]
    ) -> None:
        self.ssrc = ssrc
        self.kind = kind
        self.leaf: int | None = None
        self.first_opened: float | None = None
        self.opened = self.failed = self.unkeyed = self.skipped = self.key_frames = 0
        self.reorder = Reorder(kind)
        self._open = open_frame
        self._future: FutureFrames[_Held] = FutureFrames()
        self._unverified: FutureFrames[_Held] = FutureFrames(most=UNVERIFIED_FRAMES, seconds=UNVERIFIED_TIME)
        self._dropped = (0, 0)
        self._order = 0
        # of the frame of each layer that was given out last: its epoch and counter
        self._places: dict[int, tuple[int, int]] = {}
        #: The stream number that pictures come under at the moment: each layer has its own.
        self._stream: int | None = None
        #: Seconds: the longest time between two pictures that were given out.
        self.frozen = 0.0
        self._shown: float | None = None
        self._need_key = kind == "video"
        self._key_asked = 0
        self._next_ask = 0.0

    @property
    def waiting(self) -> bool:
        """Whether `tick` has anything to do."""
        return (
            self.reorder.waiting
            or bool(len(self._future) or len(self._unverified))
            or (self._need_key and self.reorder.received > 0)
        )

    @property
    def lost(self) -> int:
        return self.reorder.lost

    @property
    def layer(self) -> int | None:
        """Which layer of the pictures comes at the moment, 0 the smallest; None for sound, and at first."""
        return None if self._stream is None else base_stream(self._stream)[1]

    def receive(self, packet: RtpPacket, now: float) -> list[ReceiveEffect]:
        """One RTP packet of this SSRC, as it came."""
        if packet.payload_type != PAYLOAD_TYPE[self.kind]:
            self.reorder.malformed += 1
            return []
        return self._consider(self.reorder.receive(packet, now), now) + self._ask_key(now)

    def tick(self, now: float) -> list[ReceiveEffect]:
        """Let time pass."""
        out = self._consider(self.reorder.tick(now), now)
        self._count_dropped(now)
        return out + self._ask_key(now)

    def keys_changed(self, now: float) -> list[ReceiveEffect]:
        """New keys are there, an announcement or signatures: try again what waited for them."""
        out: list[ReceiveEffect] = []
        held = self._future.release(now) + self._unverified.release(now)
        for again in sorted(held, key=lambda item: item.order):
            out += self._try(again.frame, now, again)
        self._count_dropped(now)
        return out + self._ask_key(now)

    def demand_key(self, now: float) -> list[ReceiveEffect]:
        """Whoever decodes has lost the thread: nothing more until a key frame comes."""
        if self.kind == "video":
            self._need_key = True
        return self._ask_key(now)

    # -- inside ------------------------------------------------------------------------------

    def _consider(self, effects: list[ReorderEffect], now: float) -> list[ReceiveEffect]:
        out: list[ReceiveEffect] = []
        for effect in effects:
            match effect:
                case Ask():
                    out.append(effect)
                case Lost() if self.kind == "audio":
                    out.append(Conceal(effect.frames))
                case Lost():
                    self._need_key = True
                case Frame():
                    out += self._try(effect, now)
        return out

    def _try(self, frame: Frame, now: float, held: _Held | None = None) -> list[ReceiveEffect]:
        try:
            opened = self._open(self.ssrc, self.kind, frame.data)
        except FutureEpochError as error:
            if held is None:
                self._order += 1
                held = _Held(self._order, now, frame)
            waiting = self._unverified if isinstance(error, UnverifiedFrameError) else self._future
            waiting.hold(held, held.since)
            self._count_dropped(now)
            return []
        except SnugCryptoError as error:
            if isinstance(error, MissingKeyError):
                self.unkeyed += 1
            else:
                self.failed += 1
            if self.kind == "audio":
                # before the first one there is nothing to hear a hole in
                return [Conceal(1)] if self.opened else []
            # a frame that has been here before leaves no hole
            self._need_key |= not isinstance(error, ReplayError)
            return []
        place = (opened.epoch, opened.counter)
        if place < self._places.get(opened.stream, (-1, -1)):
            # packets are numbered by whoever forwards them; the order in which they were sealed is not
            self.failed += 1
            self._need_key = self.kind == "video"
            return [Conceal(1)] if self.kind == "audio" else []
        self._places[opened.stream] = place
        self.opened += 1
        self.leaf = opened.leaf
        if self.first_opened is None:
            self.first_opened = now
        key = self.kind == "audio" or is_key_frame(opened.frame)
        if self.kind == "video":
            if opened.stream != self._stream and not key:
                # another layer, entered in the middle: it refers to pictures that never came
                self._need_key = True
            if key:
                self._stream = opened.stream
                self.key_frames += 1
                self._need_key = False
                self._key_asked = 0
                self._next_ask = 0.0
            elif self._need_key:
                self.skipped += 1
                return []
            if self._shown is not None:
                self.frozen = max(self.frozen, now - self._shown)
            self._shown = now
        return [Deliver(opened.leaf, opened.frame, frame.timestamp, frame.arrived, key)]

    def _count_dropped(self, now: float) -> None:
        for waiting in (self._future, self._unverified):
            waiting.expire(now)
        before, self._dropped = self._dropped, (self._future.dropped, self._unverified.dropped)
        if self._dropped != before:
            self.unkeyed += self._dropped[0] - before[0]
            self.failed += self._dropped[1] - before[1]
            self._need_key = self.kind == "video"

    def _ask_key(self, now: float) -> list[ReceiveEffect]:
        if not (self._need_key or self.reorder.stalled(now)):
            self._key_asked = 0
            return []
        if now < self._next_ask:
            return []
        self._next_ask = now + KEY_WAITS[min(self._key_asked, len(KEY_WAITS) - 1)]
        self._key_asked += 1
        return [AskKey()]
