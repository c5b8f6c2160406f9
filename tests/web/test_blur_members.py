"""What another member gets of a camera whose background is blurred: the browser's own camera, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.web import browsers
from tests.web.browsers import Chromium
from tests.web.visitor import Visitor, meeting_server, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDTH, HEIGHT, FRAMES = 640, 360, 20
SWITCH: Final = "Blur my background"
#: How much of the stripes is left: in a video as the camera took it, and in one that is blurred.
SHARP, BLURRED = 0.3, 0.1

#: Keeps the page's workers, so that a test can break the one of the blur.
KEEP_WORKERS: Final = """
window.made = [];
const { Worker: Made } = window;
window.Worker = class extends Made {
  constructor(url, options) { super(url, options); if (String(url) === "blur.js") made.push(this); }
};
"""
#: Measures how much of the stripes is left (0 to 1) in each frame of another member that the browser shows.
LOOK: Final = """
window.stripes = [];
const seen = new WeakSet(), canvas = new OffscreenCanvas(128, 1);
const ink = canvas.getContext("2d", { willReadFrequently: true });
const look = (video) => {
  const scale = video.videoWidth / 640;
  if (scale > 0) {
    ink.drawImage(video, 0, 40 * scale, 128 * scale, 1, 0, 0, 128, 1);
    const light = [...ink.getImageData(0, 0, 128, 1).data].filter((_, at) => at % 4 === 1);
    const steps = light.slice(8).map((each, at) => Math.abs(each - light[at]));
    stripes.push(steps.reduce((sum, step) => sum + step, 0) / steps.length / 255);
  }
  video.requestVideoFrameCallback(() => look(video));
};
setInterval(() => {
  for (const tile of document.querySelectorAll(".tile.camera")) {
    const video = tile.querySelector("video");
    if (video === null || seen.has(video)) continue;
    if (tile.querySelector(".tile-name bdi")?.textContent !== "Ada") continue;
    seen.add(video);
    video.requestVideoFrameCallback(() => look(video));
  }
}, 20);
"""


def camera(path: Path) -> Path:
    """Write a camera's file: black and white stripes of 8 pixels, and something that moves."""
    stripes = np.where(np.arange(WIDTH) // 8 % 2, 235, 16).astype(np.uint8)
    gray = np.full(WIDTH * HEIGHT // 2, 128, np.uint8).tobytes()
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F20:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMES):
            light = np.tile(stripes, (HEIGHT, 1))
            light[HEIGHT - 16 :, number * 16 : number * 16 + 64] = 128
            file.write(b"FRAME\n" + light.tobytes() + gray)
    return path


async def test_another_member_gets_blurred_frames_alone_and_none_when_the_worker_fails(
    chromium: Chromium, bundle: Path, tmp_path: Path
) -> None:
    file = camera(tmp_path / "camera.y4m")
    with meeting_server(tmp_path) as (_, url):
        async with (
            browsers.chromium(f"--use-file-for-fake-video-capture={file}") as filming,
            chromium.fresh() as watching,
        ):
            ada = await Visitor.at(filming, url, "Ada", None, KEEP_WORKERS)
            await ada.press("Open a room")
            await ada.choose(SWITCH)
            await ada.reads("Done on this device.")
            await ada.press("Back")
            link = await ada.open_room()
            bo = await Visitor.at(watching, link, "Bo", ("#808080", 600.0), LOOK)
            await bo.knock()
            await bo.here("Ada")
            await until(lambda: bo.tab.js("stripes.length > 40"), "no video")
            assert max(await bo.tab.js("stripes")) < BLURRED

            # a program that can't be compiled: the worker throws
            await ada.press("More")
            await ada.press("Settings")
            await ada.tab.js(
                "void made.at(-1).postMessage({ wasm: new ArrayBuffer(8), model: new ArrayBuffer(8) })"
            )
            await ada.reads("Your background can't be blurred now, so your camera is off.")
            await bo.reads("Camera off")
            assert max(await bo.tab.js("stripes")) < BLURRED

            # the same camera as it is, by the person's wish: the stripes would have been seen
            await ada.choose(SWITCH)
            await ada.press("Close")
            await ada.press("Turn your camera on")
            await until(lambda: bo.tab.js(f"stripes.at(-1) > {SHARP}"), "the stripes are not seen")
            assert await ada.tab.js("probe.violations") == []
            await bo.clean()
