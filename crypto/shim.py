"""What must stay clear in front of a sealed frame, so that codecs' packetizers can carry it.

Opus needs nothing. VP8's packetizers and browsers look at the frame header (RFC 6386 section 9.1): they are
given a constant fake one, of a 16x16 key frame or of a delta frame, which hides the real resolution and gives
a decoder without the key nothing to decode. The server can tell key frames from others, and no more.

The clear header is SFrame metadata, so it is authenticated with the frame.
"""

from __future__ import annotations

from typing import Final, Literal

from crypto.errors import MalformedError

Kind = Literal["audio", "video"]

KEY_HEADER: Final = bytes.fromhex("F0FFFF9D012A10001000")
DELTA_HEADER: Final = bytes.fromhex("F1FFFF")


def is_key_frame(frame: bytes) -> bool:
    """Whether a VP8 frame is a key frame (bit 0 of its first byte); MalformedError when it is empty."""
    if not frame:
        raise MalformedError("an empty VP8 frame")
    return not frame[0] & 1


def shim_for(kind: Kind, frame: bytes) -> bytes:
    """The clear header that goes in front of `frame` (not yet sealed): 0, 3 or 10 bytes."""
    if kind == "audio":
        return b""
    return KEY_HEADER if is_key_frame(frame) else DELTA_HEADER


def split(kind: Kind, data: bytes) -> tuple[bytes, bytes]:
    """(clear header, SFrame ciphertext). MalformedError unless the header is exactly one of ours."""
    if kind == "audio":
        return b"", data
    for header in (KEY_HEADER, DELTA_HEADER):
        if data.startswith(header):
            return header, data[len(header) :]
    raise MalformedError("a video frame without the constant clear header")


def metadata(kind: Kind, header: bytes) -> bytes:
    """What SFrame authenticates beside the frame: one byte for the kind, and the clear header."""
    return (b"a" if kind == "audio" else b"v") + header
