"""A photo from the page: others get a small image, upright, and without what the camera wrote into it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from snugroom.client.session.catalogue.content import IMAGE_MAX
from snugroom.client.session.features.image_size import image_size
from tests.cli.processes import Process, running
from tests.web.browsers import Browser
from tests.web.test_meeting import eventually, wait
from tests.web.visitor import Visitor, meeting_server, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Written by a camera that was turned: the first row of pixels is the right side (orientation 6, Exif 2.3).
_EXIF = (
    b"Exif\0\0MM\0*"
    + struct.pack(">IH", 8, 2)
    + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    + struct.pack(">HHI", 0x010F, 2, 20)
    + struct.pack(">I", 38)
    + struct.pack(">I", 0)
    + b"52.5163 N 13.3777 E\0"
)
_SEGMENT = b"\xff\xe1" + struct.pack(">H", 2 + len(_EXIF)) + _EXIF

#: A JPEG full of detail: the left half red, the right half blue; with the segment above.
_PHOTO = """async (name, width, height, segment) => {
  const canvas = new OffscreenCanvas(width, height), ink = canvas.getContext("2d");
  const dots = new Uint8ClampedArray(4 * width * height);
  let noise = 1;
  for (let i = 0; i < dots.length; i += 4) {
    noise = (Math.imul(noise, 1103515245) + 12345) & 0x7fffffff;
    const left = (i / 4) % width < width / 2, grain = noise >> 25;
    dots.set([(left ? 180 : 0) + grain, grain, (left ? 0 : 180) + grain, 255], i);
  }
  ink.putImageData(new ImageData(dots, width, height), 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  const jpeg = new Uint8Array(await blob.arrayBuffer());
  const parts = [jpeg.slice(0, 2), Uint8Array.from(segment), jpeg.slice(2)];
  return new File(parts, name, { type: "image/jpeg" });
}"""
_SEND = """async (...files) => {
  const data = new DataTransfer(), input = document.querySelector("input[type=file]");
  for (const file of files) data.items.add(file);
  input.files = data.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return files.map(({ size }) => size);
}"""

#: The colours in the middle of the upper and of the lower half, and of the left and of the right one.
_COLOURS = """async (bytes, mime) => {
  const picture = new Image();
  picture.src = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], { type: mime }));
  await picture.decode();
  const { width, height } = picture;
  const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  ink.drawImage(picture, 0, 0);
  const of = (x, y) => {
    const [red, , blue] = ink.getImageData(width * x, height * y, 1, 1).data;
    return red > blue ? "red" : "blue";
  };
  return [of(0.3, 0.2), of(0.7, 0.2), of(0.3, 0.8), of(0.7, 0.8)];
}"""


async def received(host: Process) -> tuple[bytes, str]:
    event = await eventually(lambda: wait(host, "image"))
    data = await asyncio.to_thread(Path(event["path"]).read_bytes)
    return data, event["mime"]


@contextlib.asynccontextmanager
async def chatting(fresh: Browser, folder: Path) -> AsyncIterator[tuple[Process, Visitor]]:
    """A host at the command line, which keeps images in that folder, and Bo at the page, the chat open."""
    arguments = ("--admit", "all", "--json", "--pictures", str(folder))
    with meeting_server(folder) as (_, url), running("host", "--server", url, *arguments) as host:
        link = (await asyncio.to_thread(host.wait, "invite"))["link"]
        bo = await Visitor.at(fresh, link, "Bo")
        await bo.knock()
        await bo.reads("2 people here")
        await bo.panel("chat", "Chat")
        yield host, bo


async def test_a_photo_is_made_small_and_tells_no_place(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    async with chatting(fresh, tmp_path) as (host, bo):
        photo = f"({_PHOTO})('photo.jpg', 1500, 1000, {json.dumps(list(_SEGMENT))})"
        [size] = await bo.tab.js(f"{photo}.then({_SEND})")
        assert size > 4 * IMAGE_MAX
        data, mime = await received(host)
        assert len(data) <= IMAGE_MAX
        assert b"Exif" not in data
        assert b"13.3777" not in data
        assert mime in ("image/webp", "image/jpeg")
        width, height = image_size(data) or (0, 0)
        assert height > width > 200, "upright, and large enough to see something"
        assert abs(height / width - 1.5) < 0.02
        colours = await bo.tab.js(f"({_COLOURS})({json.dumps(list(data))}, '{mime}')")
        assert colours == ["red", "red", "blue", "blue"], "turned as the camera said"

        # Bo sees what the others see, and can send the original as well
        shown = "document.querySelector('.chat-picture img')?.naturalHeight"
        assert await until(lambda: bo.tab.js(shown), "no image") == height
        await bo.press("Send the original as a file")
        file = await eventually(lambda: wait(host, "file_done"))
        assert _EXIF in await asyncio.to_thread(Path(file["path"]).read_bytes)

        # what is no image that the browser knows is a file, if Bo wants that
        count = len(host.events("file"))
        await bo.tab.js(f"({_SEND})(new File(['heic'], 'photo.heic', {{ type: 'image/heic' }}))")
        await bo.reads("photo.heic can't be shown as an image here.")
        assert len(host.events("file")) == count
        await bo.press("Send it as a file")
        await eventually(lambda: wait(host, "file", lambda e: e["filename"] == "photo.heic"))
        await bo.clean()


async def test_a_small_image_tells_no_place_either(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    async with chatting(fresh, tmp_path) as (host, bo):
        photo = f"({_PHOTO})('photo.jpg', 120, 90, {json.dumps(list(_SEGMENT))})"
        [size] = await bo.tab.js(f"{photo}.then({_SEND})")
        assert size < IMAGE_MAX
        data, _ = await received(host)
        assert image_size(data) == (90, 120)
        assert b"13.3777" not in data
        await bo.clean()
