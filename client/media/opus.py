"""Direct calls to libopus for in-band FEC (RFC 6716 2.1.7) and packet loss concealment.

FFmpeg's decoders support neither. PyAV's wheel contains the library. Without it and without a system library,
FFmpeg decodes the audio and missing audio fades out. Only this module makes C calls (cffi, ABI mode).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from cffi import FFI

from snugroom.client.media import codec

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

#: Samples of the longest possible packet, 120 ms (RFC 6716 3.1).
_SAMPLES_MAX: Final = 6 * codec.FRAME_SAMPLES


def _names() -> list[str]:
    """Return candidate names of the library: beside PyAV first, then the system's names."""
    root = Path(av.__file__).parent
    beside = [root.parent / "av.libs", root / ".dylibs"]
    found = [str(path) for folder in beside for path in sorted(folder.glob("libopus*"))]
    return [*found, "libopus.so.0", "libopus.0.dylib"]


@functools.cache
def load() -> Any | None:
    """Return the library, or None if it is missing or older than 1.5, which can't detect FEC."""
    for name in _names():
        try:
            library = ffi.dlopen(name)
            if library.opus_decode and library.opus_packet_has_lbrr:
                return library
        except (OSError, AttributeError):
            continue
    return None


class FecDecoder:
    """RFC 6716 to mono at 48 kHz. It follows every change of mode and bandwidth."""

    def __init__(self, library: Any) -> None:
        error = ffi.new("int *")
        state = library.opus_decoder_create(codec.SAMPLE_RATE, 1, error)
        if error[0]:
            raise codec.CodecError(f"libopus would not begin: {error[0]}")
        self._library = library
        self._state = ffi.gc(state, library.opus_decoder_destroy)
        self._pcm = ffi.new("int16_t[]", _SAMPLES_MAX)
        self._samples = codec.FRAME_SAMPLES  # of the last packet: a missing one is as long

    def decode(self, frame: bytes) -> codec.Sound:
        """Return the audio of one packet; CodecError if it is not Opus."""
        if not frame:
            raise codec.CodecError("an Opus packet without sound")
        sound = self._decode(frame, _SAMPLES_MAX, fec=False)
        self._samples = len(sound)
        return sound

    def conceal(self) -> codec.Sound:
        """Return a substitute for a missing packet, as long as the last one."""
        return self._decode(b"", self._samples, fec=False)

    def recover(self, following: bytes) -> codec.Sound | None:
        """Return the packet before `following`: its end decoded from the copy in it, the rest concealed.

        Return None without a change of state if there is no copy: encoders add copies only to audio that they
        classify as speech. Decode `following` afterwards.
        """
        if not following or self._library.opus_packet_has_lbrr(following, len(following)) <= 0:
            return None
        try:
            return self._decode(following, self._samples, fec=True)
        except codec.CodecError:
            return None

    def _decode(self, data: bytes, samples: int, *, fec: bool) -> codec.Sound:
        count = self._library.opus_decode(
            self._state, data or ffi.NULL, len(data), self._pcm, samples, int(fec)
        )
        if count <= 0:
            raise codec.CodecError(f"not decodable as Opus: error {count}")
        return np.frombuffer(ffi.buffer(self._pcm, 2 * count), np.int16).copy()


def sound_decoder() -> codec.SoundDecoder:
    """Return the best decoder available on this machine."""
    library = load()
    return codec.OpusDecoder() if library is None else FecDecoder(library)
