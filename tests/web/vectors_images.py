"""Shared vectors of the sizes that image headers claim (client/session/features/image_size.py)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from snugroom.client.session.features.image_size import image_size

#: Images without pixels, and the size that each claims; None without a readable header.
HEADERS: Final[tuple[tuple[bytes, tuple[int, int] | None], ...]] = (
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (16_000).to_bytes(4) * 2 + bytes(9), (16_000, 16_000)),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff" * 8 + bytes(9), (0xFFFFFFFF, 0xFFFFFFFF)),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17), None),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rtEXt" + (16_000).to_bytes(4) * 2, None),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1", None),
    # a thumbnail in a segment of its own is not the image
    (
        b"\xff\xd8\xff\xe1\0\x0d\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\0\xff\xc0\0\x0b\x08\0\x20\0\x30\x01\0\0\0",
        (48, 32),
    ),
    (b"\xff\xd8\xff\xc2\0\x0b\x08\xff\xff\xff\xff\x01\0\0\0", (65_535, 65_535)),
    (b"\xff\xd8garbage\xff\xff\xff\xd0\xff\x01\xff\xc1\0\x0b\x08\1\0\2\0\x01\0\0\0", (512, 256)),
    (b"\xff\xd8\xff\xc4\0\x0b\x08\1\0\2\0\x01\0\0\0" + bytes(9), None),
    (b"\xff\xd8\xff\xda\0\x0b\x08\1\0\2\0\xff\xc0\0\x0b\x08\1\0\2\0\x01\0\0\0", None),
    (b"\xff\xd8\xff\xc0\0\x0b\x08\0\0\2\0\x01\0\0\0", None),
    (b"\xff\xd8\xff\xe0\0\0\xff\xc0\0\x0b\x08\1\0\2\0\x01\0\0\0", (512, 256)),
    (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xfe\xff\xff", (0x1000000, 0xFFFFFF)),
    (b"RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\x40\xc1\xf0\x40", (320, 240)),
    (b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f" + bytes(5), (16_384, 16_384)),
    (
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0"
        + b"VP8 \x0b\0\0\0\x10\0\0\x9d\x01\x2a\x40\x01\xf0\0\0\0ALPH"
        + bytes(18),
        (320, 240),
    ),
    (b"RIFF\0\0\0\0WEBPICCP\xff\xff\xff\xff" + bytes(20), None),
    (b"GIF89a\x40\x01\xf0\0\0\0\0", (320, 240)),
    # a frame beyond the canvas, behind a colour table and a comment
    (
        b"GIF87a\x10\0\x10\0\x80\0\0"
        + bytes(6)
        + b"\x21\xfe\x03abc\x02de\0\x2c\x10\x27\x10\x27\x10\x27\x10\x27\0\x02\x01\0\0;",
        (20_000, 20_000),
    ),
    (
        b"GIF89a\x10\0\x10\0\0\0\0\x2c\0\0\0\0\x08\0\x08\0\x81"
        + bytes(12)
        + b"\x02\x01\x01\0\x2c\0\0\0\0\x20\0\x20\0\0\x02\0",
        (32, 32),
    ),
    (b"GIF89a\x40\x01", None),
    (b"<svg width='99999' height='99999'/>", None),
    (b"", None),
)


def _mutants(rng: random.Random) -> Iterator[bytes]:
    for data, _ in HEADERS:
        for _ in range(12):
            changed = bytearray(data) + rng.randbytes(rng.randrange(12))
            for _ in range(rng.randrange(1, 4)):
                if changed:
                    changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x2C, 0x21, 0x80, 0xC0, 0xFF))
            yield bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.2 else changed)


def sizes() -> list[tuple[str, list[int] | None]]:
    """Images in hex, each with the size that its headers claim."""
    all_data = [data for data, _ in HEADERS] + list(_mutants(random.Random(16)))
    found = ((data, image_size(data)) for data in all_data)
    return [(data.hex(), None if size is None else list(size)) for data, size in found]


FILES: Final[dict[str, Callable[[], Any]]] = {"image_sizes": sizes}
