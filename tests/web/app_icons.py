"""The icons of the installed page, from client/web/src/icon.svg: `python -m tests.web.app_icons` writes them.

They are kept in git, because another browser or another zlib would draw or pack them otherwise, and the
page's hash covers them. `tests/web/test_install.py` compares what they show with the drawing.
"""

from __future__ import annotations

import asyncio
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from playwright.async_api import Browser

from tests.web.browsers import chromium

SOURCES: Final = Path(__file__).parents[2] / "client/web/src"


class Icon(NamedTuple):
    """A file, its width and height in pixels, and whether systems may cut it to a shape of theirs."""

    name: str
    size: int
    maskable: bool


ICONS: Final = (
    Icon("icon-192.png", 192, False),
    Icon("icon-512.png", 512, False),
    Icon("icon-maskable.png", 512, True),
)
#: Mixtures of the drawing's two colours in a file, and of its ground with nothing: 16 in all.
_MIXED: Final = 12
_CLEAR: Final = 4

_PIXELS: Final = """async ([text, size, ground]) => {
  const image = new Image(size, size);
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const ink = Object.assign(document.createElement("canvas"), { width: size, height: size }).getContext("2d");
  ink.fillStyle = ground;
  ink.fillRect(0, 0, size, size);
  ink.drawImage(image, 0, 0, size, size);
  return [...ink.getImageData(0, 0, size, size).data];
}"""


def _colours(text: str) -> tuple[str, str]:
    """The ground and the line of the drawing."""
    ground, line = re.findall(r"#([0-9a-f]{6})", text)
    return ground, line


def drawing(icon: Icon) -> tuple[str, int, str]:
    """Return the drawing's SVG text, the icon's size in pixels, and the colour below it for CSS."""
    text = (SOURCES / "icon.svg").read_text(encoding="utf-8")
    return text, icon.size, f"#{_colours(text)[0]}" if icon.maskable else "transparent"


async def draw(browser: Browser, icon: Icon) -> bytes:
    """Return the icon as a PNG file of 16 colours: a tenth of what the browser would write."""
    asked = drawing(icon)
    page = await browser.new_page()
    try:
        pixels: list[int] = await page.evaluate(_PIXELS, asked)
    finally:
        await page.close()
    return _packed(pixels, icon.size, *map(bytes.fromhex, _colours(asked[0])))


def _packed(pixels: Sequence[int], size: int, ground: bytes, line: bytes) -> bytes:
    """Return a PNG file (RFC 2083) of four bits a pixel, from RGBA bytes."""
    mixed = [
        [round(a + (b - a) * at / (_MIXED - 1)) for a, b in zip(ground, line, strict=True)]
        for at in range(_MIXED)
    ]
    palette = bytes(part for colour in [*mixed, *[ground] * _CLEAR] for part in colour)
    alpha = bytes([255] * _MIXED + [255 * at // _CLEAR for at in range(_CLEAR)])

    def index(at: int) -> int:
        clear = round(pixels[at + 3] / 255 * _CLEAR)
        if clear < _CLEAR:
            return _MIXED + clear
        return round((pixels[at] - ground[0]) / (line[0] - ground[0]) * (_MIXED - 1))

    def rows() -> Iterator[bytes]:
        for y in range(size):
            row = [index(4 * (y * size + x)) for x in range(size)]
            yield b"\0" + bytes(high << 4 | low for high, low in zip(row[::2], row[1::2], strict=True))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", size, size, 4, 3, 0, 0, 0)
    data = zlib.compress(b"".join(rows()), 9)
    parts = ((b"IHDR", head), (b"PLTE", palette), (b"tRNS", alpha), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, inside) for kind, inside in parts)


async def main() -> None:
    """Write them all."""
    async with chromium() as made:
        for icon in ICONS:
            (SOURCES / icon.name).write_bytes(await draw(made.browser, icon))


if __name__ == "__main__":
    asyncio.run(main())
