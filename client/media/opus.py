"""libopus itself, for what FFmpeg's decoders can't do: in-band FEC (RFC 6716 2.1.7) and true concealment.

PyAV's wheel brings the library; where neither that nor the system has one, sound is decoded by FFmpeg and
what is missing is faded out. The C calls stand in this file alone (cffi, ABI mode).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from cffi import FFI

from client.media.codec import FRAME_SAMPLES, SAMPLE_RATE, CodecError, OpusDecoder, Sound, SoundDecoder

ffi: Final[Any] = FFI()
ffi.cdef(
    """
typedef struct OpusDecoder OpusDecoder;
OpusDecoder *opus_decoder_create(int32_t rate, int channels, int *error);
void opus_decoder_destroy(OpusDecoder *state);
int opus_decode(
    OpusDecoder *state, const unsigned char *data, int32_t length, int16_t *pcm, int samples, int fec
);
int opus_packet_has_lbrr(const unsigned char packet[], int32_t length);
"""
)

#: Samples of the longest packet there is, 120 ms (RFC 6716 3.1).
_SAMPLES_MAX: Final = 6 * FRAME_SAMPLES


def _names() -> list[str]:
    """Where the library may be: beside PyAV, else where the system looks."""
    root = Path(av.__file__).parent
    beside = [root.parent / "av.libs", root / ".dylibs"]
    found = [str(path) for folder in beside for path in sorted(folder.glob("libopus*"))]
    return [*found, "libopus.so.0", "libopus.0.dylib"]


@functools.cache
def load() -> Any | None:
    """The library, or None where there is none (or one before 1.5, which can't tell whether FEC is there)."""
    for name in _names():
        try:
            library = ffi.dlopen(name)
            if library.opus_decode and library.opus_packet_has_lbrr:
                return library
        except (OSError, AttributeError):
            continue
    return None


class FecDecoder:
    """RFC 6716 to mono at 48 kHz. Follows every change of mode and bandwidth."""

    def __init__(self, library: Any) -> None:
        error = ffi.new("int *")
        state = library.opus_decoder_create(SAMPLE_RATE, 1, error)
        if error[0]:
            raise CodecError(f"libopus would not begin: {error[0]}")
        self._library = library
        self._state = ffi.gc(state, library.opus_decoder_destroy)
        self._pcm = ffi.new("int16_t[]", _SAMPLES_MAX)

    def decode(self, frame: bytes) -> Sound:
        """The sound of one packet; CodecError if it is no Opus."""
        if not frame:
            raise CodecError("an Opus packet without sound")
        return self._decode(frame, _SAMPLES_MAX, fec=False)

    def conceal(self) -> Sound:
        """20 ms in place of a packet that never came."""
        return self._decode(b"", FRAME_SAMPLES, fec=False)

    def recover(self, following: bytes) -> Sound | None:
        """The 20 ms before packet `following`, by the copy in it; None, and nothing changes, if it has none.

        Encoders put one there for sound that they take for speech; `following` is to be decoded afterwards.
        """
        if not following or self._library.opus_packet_has_lbrr(following, len(following)) <= 0:
            return None
        try:
            return self._decode(following, FRAME_SAMPLES, fec=True)
        except CodecError:
            return None

    def _decode(self, data: bytes, samples: int, *, fec: bool) -> Sound:
        count = self._library.opus_decode(
            self._state, data or ffi.NULL, len(data), self._pcm, samples, int(fec)
        )
        if count <= 0:
            raise CodecError(f"not decodable as Opus: error {count}")
        return np.frombuffer(ffi.buffer(self._pcm, 2 * count), np.int16).copy()


def sound_decoder() -> SoundDecoder:
    """The best decoder there is on this machine."""
    library = load()
    return OpusDecoder() if library is None else FecDecoder(library)
