"""The clear header before a sealed frame, which lets codec packetizers carry the frame.

Opus needs none. VP8 packetizers and browsers inspect the frame header (RFC 6386 section 9.1). They get a
constant fake header, of a 16x16 key frame or of a delta frame. It hides the real resolution, and a decoder
without the key has nothing to decode. The server can distinguish key frames from delta frames, and learns
nothing else.

The clear header is SFrame metadata, so it is authenticated with the frame.
"""

from __future__ import annotations

from typing import Final, Literal

from snugroom.crypto.errors import MalformedError

Kind = Literal["audio", "video"]

KEY_HEADER: Final = bytes.fromhex("F0FFFF9D012A10001000")
DELTA_HEADER: Final = bytes.fromhex("F1FFFF")


def is_key_frame(frame: bytes) -> bool:
    """Return whether a VP8 frame is a key frame (bit 0 of its first byte). MalformedError if it is empty."""
    if not frame:
        raise MalformedError("the VP8 frame is empty")
    return not frame[0] & 1


def header_for(kind: Kind, frame: bytes) -> bytes:
    """Return the clear header for the unsealed `frame`: 0, 3 or 10 bytes."""
    if kind == "audio":
        return b""
    return KEY_HEADER if is_key_frame(frame) else DELTA_HEADER


def split(kind: Kind, data: bytes) -> tuple[bytes, bytes]:
    """Return (clear header, SFrame ciphertext). MalformedError unless the header is one of the constants."""
    if kind == "audio":
        return b"", data
    for header in (KEY_HEADER, DELTA_HEADER):
        if data.startswith(header):
            return header, data[len(header) :]
    raise MalformedError("the video frame must have the constant clear header")


def metadata(kind: Kind, header: bytes) -> bytes:
    """Return the SFrame metadata: one byte for the kind, then the clear header."""
    return (b"a" if kind == "audio" else b"v") + header
