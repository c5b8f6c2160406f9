"""The size of an image in pixels, from the headers of PNG, JPEG, WebP and GIF. Nothing here decodes an image.

A file of a few kilobytes can claim gigabytes of pixels, and viewers allocate them before they find out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

Size = tuple[int, int]
#: JPEG markers without a segment behind them (ITU-T T.81, table B.1): TEM and RST0 to RST7.
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
#: JPEG markers of a frame header, SOF0 to SOF15: DHT, JPG and DAC lie between them.
_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_size(data: bytes) -> Size | None:
    """Return width and height, the largest that any of the headers claims; None without a readable header."""
    sizes: Iterator[Size] = iter(())
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        sizes = _png(data)
    elif data.startswith(b"\xff\xd8"):
        sizes = _jpeg(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        sizes = _webp(data)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        sizes = _gif(data)
    found = max(sizes, key=math.prod, default=(0, 0))
    return found if math.prod(found) else None


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size])


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _png(data: bytes) -> Iterator[Size]:
    if len(data) >= 24 and data[12:16] == b"IHDR":
        yield _big(data, 16, 4), _big(data, 20, 4)


def _jpeg(data: bytes) -> Iterator[Size]:
    at = 2
    # decoders skip everything up to the next marker, and fill bytes before it
    while (at := data.find(b"\xff", at)) >= 0 and at + 9 <= len(data):
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _ALONE:
            at += 1
            continue
        if marker in (0xD9, 0xDA):
            return
        if marker in _FRAME:
            yield _big(data, at + 7, 2), _big(data, at + 5, 2)
        at += 2 + _big(data, at + 2, 2)


def _webp(data: bytes) -> Iterator[Size]:
    at = 12
    while at + 18 <= len(data):
        kind, body = data[at : at + 4], at + 8
        if kind == b"VP8X":
            yield _little(data, body + 4, 3) + 1, _little(data, body + 7, 3) + 1
        elif kind == b"VP8 ":
            yield _little(data, body + 6, 2) & 0x3FFF, _little(data, body + 8, 2) & 0x3FFF
        elif kind == b"VP8L":
            bits = _little(data, body + 1, 4)
            yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        size = _little(data, at + 4, 4)
        at = body + size + size % 2


def _gif(data: bytes) -> Iterator[Size]:
    if len(data) < 13:
        return
    yield _little(data, 6, 2), _little(data, 8, 2)
    at = 13 + _gif_colours(data[10])
    while at + 10 <= len(data):
        if data[at] == 0x2C:
            # viewers enlarge the canvas for a frame that is larger
            yield (
                _little(data, at + 1, 2) + _little(data, at + 5, 2),
                _little(data, at + 3, 2) + _little(data, at + 7, 2),
            )
            at = _gif_blocks(data, at + 11 + _gif_colours(data[at + 9]))
        elif data[at] == 0x21:
            at = _gif_blocks(data, at + 2)
        else:
            return


def _gif_colours(flags: int) -> int:
    """Return the bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_blocks(data: bytes, at: int) -> int:
    """Return the position after the sub-blocks that begin at `at`."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1
