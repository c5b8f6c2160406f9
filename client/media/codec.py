"""Opus and VP8 with FFmpeg (PyAV): one object for each direction of each stream.

Opus has a constant bitrate and no DTX, so that packets of speech, beeps and silence have the same size
(docs/reference/protocol.md section 10). A `RawFrame` is one uncompressed video frame, planar YUV 4:2:0. A
`Sound` is 20 ms of audio: int16, mono, 48 kHz. In a large room, packets contain 60 ms.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from snugroom.wire.limits import AUDIO_PARTS, AUDIO_SIZE

#: int16, shape (960,): 20 ms, mono, 48 kHz.
Sound = NDArray[np.int16]
#: uint8, shape (height * 3 // 2, width): the planes Y, U and V of 4:2:0 in FFmpeg's order.
RawFrame = NDArray[np.uint8]

SAMPLE_RATE: Final = 48_000
FRAME_SAMPLES: Final = 960
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE
#: Samples of a packet in a large room.
LONG_SAMPLES: Final = AUDIO_PARTS * FRAME_SAMPLES
AUDIO_BITRATE: Final = 8 * AUDIO_SIZE * SAMPLE_RATE // FRAME_SAMPLES
VIDEO_BITRATE: Final = 500_000
VIDEO_RATE: Final = 15
WIDTH: Final = 640
HEIGHT: Final = 360
#: Maximum growth of the time budget from one frame to the next; libvpx treats a growth of 10% as a jump.
_MORE_MAX: Final = 1.08
#: Maximum pixels of a video frame: decoders allocate all, and no encoder of this protocol produces more.
PIXELS_MAX: Final = 4_096 * 2_304


class CodecError(Exception):
    """FFmpeg refuses to encode or decode the input."""


class SoundEncoder(Protocol):
    """An encoder for own audio."""

    def encode(self, sound: Sound) -> bytes:
        """Return the packet of 20 ms, or of 60 ms in a large room."""
        ...


class VideoEncoder(Protocol):
    """An encoder for own video: one layer, at most at the bitrate that it was made for."""

    def encode(
        self, raw_frame: RawFrame, timestamp: int, *, key: bool = False, bitrate: int | None = None
    ) -> bytes | None:
        """Return one VP8 frame, with `key` a key frame; None if the encoder skipped it to keep its rate."""
        ...


class MakeVideoEncoder(Protocol):
    """Makes an encoder for video of this size, pixels; `bitrate`: the most bits a second."""

    def __call__(self, width: int, height: int, *, bitrate: int) -> VideoEncoder: ...


class SoundDecoder(Protocol):
    """A decoder for one received Opus stream. It receives authenticated frames only."""

    def decode(self, frame: bytes) -> Sound: ...
    def conceal(self) -> Sound: ...
    def recover(self, following: bytes) -> Sound | None:
        """Return a missing packet from its copy in the `following` packet; None without a copy."""
        ...


class VideoDecoder(Protocol):
    """A decoder for one received VP8 stream. It receives authenticated frames only."""

    def decode(self, frame: bytes) -> RawFrame | None: ...


def is_key_frame(frame: bytes) -> bool:
    """Return whether a VP8 frame is decodable without other frames (RFC 6386 9.1)."""
    return len(frame) >= 10 and not frame[0] & 1 and frame[3:6] == b"\x9d\x01\x2a"


def key_frame_size(frame: bytes) -> tuple[int, int]:
    """Return the width and height in a VP8 key frame's header, pixels (RFC 6386 9.1)."""
    if not is_key_frame(frame):
        raise CodecError("not a VP8 key frame")
    width, height = int.from_bytes(frame[6:8], "little"), int.from_bytes(frame[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF


def opus_samples(packet: bytes) -> int:
    """Return the samples of an Opus packet, at 48 kHz (RFC 6716 3.1 and 3.2)."""
    if not packet:
        raise CodecError("an Opus packet without sound")
    mode, code = packet[0] >> 3, packet[0] & 3
    if mode < 12:
        frame = (480, 960, 1920, 2880)[mode & 3]
    else:
        frame = (480, 960)[mode & 1] if mode < 16 else 120 << (mode & 3)
    if code == 3:
        return frame * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return frame * (2 if code else 1)


class OpusEncoder:
    """RFC 6716: constant bitrate, 20 or 60 ms, mono, no DTX, in-band FEC. Packets of a length have one size.

    20 ms have `size` bytes, and 60 ms three times as many. Each packet of speech also carries a coarse copy
    of the packet before it (RFC 6716 2.1.7), within its size.
    """

    def __init__(self, bitrate: int = AUDIO_BITRATE) -> None:
        self.size = bitrate // 8 // 50
        self._bitrate = bitrate
        self._encoders: dict[int, _OpusContext] = {}  # by the number of samples of a packet

    def encode(self, sound: Sound) -> bytes:
        """Return one packet of 20 or 60 ms; CodecError for any other amount of audio."""
        samples = len(sound)
        if sound.shape not in ((FRAME_SAMPLES,), (LONG_SAMPLES,)):
            raise CodecError(
                f"Opus takes {FRAME_SAMPLES} or {LONG_SAMPLES} samples at a time, not {sound.shape}"
            )
        if samples not in self._encoders:
            # FFmpeg can't change the length: another encoder begins, without the sound before
            self._encoders = {samples: _OpusContext(self._bitrate, samples)}
        return self._encoders[samples].encode(sound)


class _OpusContext:
    """An encoder for packets of one length."""

    def __init__(self, bitrate: int, samples: int) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        context.format = "s16"
        context.bit_rate = bitrate
        context.time_base = Fraction(1, SAMPLE_RATE)
        context.options = {
            "vbr": "off",
            "dtx": "0",
            "fec": "1",
            # with an expected loss libopus stays in SILK mode, the only mode with FEC
            "packet_loss": "10",
            "frame_duration": str(1_000 * samples // SAMPLE_RATE),
            "application": "audio",
            # from level 7 libopus analyses the audio and switches mode and bandwidth: FFmpeg's native
            # decoder, which plays recordings, produces a glitch at each switch of mode
            "compression_level": "5",
        }
        self._context = context
        self._position = 0
        self._samples = samples
        self._size = bitrate // 8 * samples // SAMPLE_RATE

    def encode(self, sound: Sound) -> bytes:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound, dtype=np.int16).reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = self._position
        self._position += self._samples
        packet = b"".join(bytes(p) for p in self._context.encode(frame))
        if len(packet) != self._size:
            # a size that varies reveals speech: sending nothing is better
            raise CodecError(f"an Opus packet of {len(packet)} bytes instead of {self._size}")
        return packet


class OpusDecoder:
    """RFC 6716 to mono. A missing packet is concealed by fading out the last audio."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        self._context = context
        self._last: Sound = np.zeros(FRAME_SAMPLES, np.int16)

    def decode(self, frame: bytes) -> Sound:
        """Return the audio of one packet; CodecError if it is not Opus."""
        try:
            frames = self._context.decode(av.Packet(frame))
        except av.FFmpegError as error:
            raise CodecError(f"not decodable as Opus: {error}") from None
        if not frames:
            raise CodecError("an Opus packet without sound")
        self._last = np.concatenate([f.to_ndarray()[0] for f in frames]).astype(np.int16, copy=False)
        return self._last

    def conceal(self) -> Sound:
        """Return a substitute for a missing packet."""
        fade = np.linspace(1.0, 0.5, len(self._last))
        self._last = (self._last * fade / 2).astype(np.int16)
        return self._last

    def recover(self, following: bytes) -> Sound | None:
        """Return None: FFmpeg's decoder does not support FEC."""
        return None


class Vp8Encoder:
    """RFC 6386, real time: no lag, error resilience, key frames only on request (and the first frame)."""

    def __init__(
        self,
        width: int = WIDTH,
        height: int = HEIGHT,
        rate: int = VIDEO_RATE,
        bitrate: int = VIDEO_BITRATE,
    ) -> None:
        context = av.CodecContext.create("libvpx", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.bit_rate = bitrate
        context.framerate = Fraction(rate)
        context.time_base = Fraction(1, 90_000)
        context.gop_size = 100_000
        context.qmin, context.qmax = 4, 56
        context.thread_count = 1
        context.options = {
            "deadline": "realtime",
            "cpu-used": "-8",
            "error-resilient": "1",
            "lag-in-frames": "0",
            "static-thresh": "1",
            # constant bitrate, with a buffer of half a second
            "minrate": str(bitrate),
            "maxrate": str(bitrate),
            "bufsize": str(bitrate // 2),
            "undershoot-pct": "95",
            # a key frame may have three times the size of other frames
            "max-intra-rate": "300",
        }
        self._context = context
        self._bitrate = bitrate
        self._usual = 90_000 // rate
        self._last: int | None = None
        self._clock = 0.0
        self._spent = float(self._usual)

    def encode(
        self, raw_frame: RawFrame, timestamp: int, *, key: bool = False, bitrate: int | None = None
    ) -> bytes | None:
        """Return one frame, or None if the encoder skipped it to keep its rate.

        `timestamp` is in 1/90000 s and rises. `bitrate`, in bits a second, applies to this frame; it is
        limited to the bitrate of the constructor.
        """
        frame = av.VideoFrame.from_ndarray(raw_frame, format="yuv420p")
        # PyAV can't change the rate of a running encoder. libvpx budgets bits by a frame's duration, so a
        # slower clock makes it spend less.
        slower = 1.0 if bitrate is None else min(1.0, bitrate / self._bitrate)
        passed = self._usual if self._last is None else timestamp - self._last
        # the duration grows slowly: after a jump libvpx spends thirty times the bits
        spent = min(max(1.0, passed * slower), _MORE_MAX * self._spent)
        self._spent = spent
        frame.pts, frame.duration = round(self._clock), round(spent)
        self._clock += spent
        self._last = max(timestamp, self._last or 0)
        frame.time_base = Fraction(1, 90_000)
        if key:
            frame.pict_type = PictureType.I
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise CodecError(f"VP8 would not encode: {error}") from None
        return b"".join(bytes(p) for p in packets) or None


def scaled(raw_frame: RawFrame, width: int, height: int) -> RawFrame:
    """Return the video frame in another size, in pixels; both even."""
    if raw_frame.shape == (height * 3 // 2, width):
        return raw_frame
    frame = av.VideoFrame.from_ndarray(raw_frame, format="yuv420p")
    smaller = frame.reformat(width, height, interpolation="AREA").to_ndarray()
    return smaller.astype(np.uint8, copy=False)


class Vp8Decoder:
    """RFC 6386. Frames must arrive in order and begin with a key frame; `receiving` limits their size."""

    def __init__(self) -> None:
        context = av.CodecContext.create("vp8", "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        self._context = context

    def decode(self, frame: bytes) -> RawFrame | None:
        """Return the decoded video frame, or None for a frame that shows nothing; CodecError if not VP8."""
        try:
            frames = self._context.decode(av.Packet(frame))
        except av.FFmpegError as error:
            raise CodecError(f"not decodable as VP8: {error}") from None
        return frames[-1].to_ndarray(format="yuv420p").astype(np.uint8, copy=False) if frames else None
