"""The blur of the background: what it fetches, what it lets through, and what its worker can reach."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from snugroom.server import page
from tests.cli.processes import server
from tests.web.browsers import Browser
from tests.web.test_page import changed, serving
from tests.web.visitor import Visitor, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Files that are fetched when somebody turns blur on.
FILES: Final = {"blur.js", "blur.wasm", "blur.tflite"}
SWITCH: Final = "Blur my background"

#: A camera that sees black and white stripes, and before them a drawing, which the model takes for no person.
CAMERA: Final = """
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const canvas = document.createElement("canvas");
  const [width, height] = [canvas.width, canvas.height] = [640, 360];
  const ink = canvas.getContext("2d");
  let n = 0;
  const draw = () => {
    for (let x = 0; x < width; x += 8) {
      ink.fillStyle = x % 16 ? "#fff" : "#000"; ink.fillRect(x, 0, 8, height);
    }
    ink.fillStyle = "#346"; ink.beginPath(); ink.ellipse(320, 380, 150, 170, 0, 0, 7); ink.fill();
    ink.fillStyle = "#c98"; ink.fillRect(295, 190, 50, 60);
    ink.beginPath(); ink.ellipse(320, 140, 60, 80, 0, 0, 7); ink.fill();
    ink.fillStyle = "#321"; ink.beginPath(); ink.ellipse(320, 90, 64, 45, 0, 0, 7); ink.fill();
    for (const x of [297, 343]) { ink.beginPath(); ink.ellipse(x, 135, 7, 5, 0, 0, 7); ink.fill(); }
    ink.fillStyle = "#a55"; ink.fillRect(300, 180, 40, 6);
    ink.fillStyle = "#888"; ink.fillRect((n++ * 8) % width, height - 8, 8, 8);
  };
  draw();
  const timer = setInterval(draw, 50), tracks = canvas.captureStream(20).getVideoTracks();
  window.cameras = [...(window.cameras ?? []), ...tracks];
  return new MediaStream(wanted.video ? tracks : []);
};
// each track that is shown or sent is looked at: how much of the stripes is left in its corner, 0 to 1
window.stripes = [];
window.workers = 0;
const { Worker: Made } = window;
window.Worker = class extends Made {
  constructor(url, options) { super(url, options); if (String(url) === "blur.js") workers++; }
  terminate() { super.terminate(); workers--; }
};
// counted anew from the moment at which the person turns the switch
addEventListener("change", () => void (stripes.length = 0), true);
setInterval(() => {
  const video = document.querySelector(".own-picture video");
  if (!video?.srcObject?.active || video.hidden || !(video.videoWidth > 0)) return;
  const canvas = new OffscreenCanvas(128, 1), ink = canvas.getContext("2d");
  ink.drawImage(video, 0, 40, 128, 1, 0, 0, 128, 1);
  const light = [...ink.getImageData(0, 0, 128, 1).data].filter((_, at) => at % 4 === 1);
  const steps = light.slice(8).map((each, at) => Math.abs(each - light[at]));
  stripes.push(steps.reduce((sum, step) => sum + step, 0) / steps.length / 255);
}, 50);
"""
ASKED: Final = "performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1))"


async def at_prejoin(browser: Browser, url: str) -> Visitor:
    """A visitor in the view before the room, with that camera."""
    ada = await Visitor.at(browser, url, "Ada", None, CAMERA)
    await ada.press("Open a room")
    await until(lambda: ada.tab.js("stripes.at(-1) > 0.5"), "the camera is not shown")
    return ada


async def blurred(ada: Visitor) -> None:
    """Turn blur on, and wait for frames."""
    await ada.choose(SWITCH)
    await until(lambda: ada.tab.js("stripes.length > 5"), "nothing blurred is shown")


async def test_no_frame_passes_as_the_camera_took_it(shown: Browser, bundle: Path) -> None:
    with server() as (_, url):
        async with shown.fresh() as browser:
            ada = await at_prejoin(browser, url)
            assert not FILES & set(await ada.tab.js(ASKED))
            await blurred(ada)
            assert set(await ada.tab.js(ASKED)) >= FILES - {"blur.js"}
            assert max(await ada.tab.js("stripes")) < 0.1
            await ada.reads("Done on this device.")
            assert await ada.tab.js("workers") == 1
            await ada.press("Turn the camera off")
            await until(lambda: ada.tab.js("workers === 0"), "the worker stays")
            assert await ada.tab.js("cameras.map(({ readyState }) => readyState)") == ["ended"]
            assert await ada.tab.js("probe.violations") == []


async def test_a_changed_or_missing_file_turns_the_camera_off(shown: Browser, bundle: Path) -> None:
    made = page.load()
    less = {name: file for name, file in made.files.items() if name != "blur.tflite"}
    for other in (
        changed(made, "blur.js", b"\n//"),
        changed(made, "blur.wasm", b"\0"),
        page.Bundle(less, made.hash),
    ):
        async with serving(other, "http://127.0.0.1:9") as url, shown.fresh() as browser:
            ada = await at_prejoin(browser, url)
            await ada.choose(SWITCH)
            await ada.reads("Your background can't be blurred now, so your camera is off.")
            await ada.reads("Your camera is off.")
            assert await ada.tab.js("[stripes.length, workers]") == [0, 0]
            assert await ada.tab.js("cameras.map(({ readyState }) => readyState)") == ["ended"]
            await ada.choose(SWITCH)
            await ada.press("Turn the camera on")
            await until(lambda: ada.tab.js("stripes.length > 5"), "the camera does not come back")


#: Keeps the page's policy of trusted types: there can be one.
KEEP_POLICY: Final = """
const { createPolicy } = TrustedTypePolicyFactory.prototype;
TrustedTypePolicyFactory.prototype.createPolicy = function (...rest) {
  return (window.policy = createPolicy.apply(this, rest));
};
window.answer = (name) => new Promise((done) => {
  const worker = new Worker(policy.createScriptURL(name), { type: "module" });
  worker.addEventListener("message", ({ data }) => data.probe && (worker.terminate(), done(data.probe)));
});
"""
#: Reports the abilities of a worker's script.
PROBE: Final = b"""
;(async () => {
  const attempt = (work) => Promise.resolve().then(work).then(() => true, () => false);
  const socket = () => new Promise((onopen, onerror) =>
    Object.assign(new WebSocket("ws://127.0.0.1:9"), { onopen, onerror }));
  self.postMessage({ probe: {
    compiles: await attempt(() => WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))),
    evaluates: await attempt(() => (0, eval)("1")),
    fetches: await attempt(() => fetch("where.json")),
    imports: await attempt(() => import("./address.js")),
    connects: await attempt(socket),
  } });
})();
"""


async def test_only_the_worker_of_the_blur_compiles_and_it_reaches_nothing(
    shown: Browser, bundle: Path
) -> None:
    made = changed(changed(page.load(), "blur.js", PROBE), "worker.js", PROBE)
    async with serving(made) as url, shown.fresh() as browser:
        tab = await browser.tab()
        await tab.before(KEEP_POLICY)
        await tab.goto(url)
        await until(lambda: tab.js("window.policy !== undefined"), "no page")
        refused = dict.fromkeys(["compiles", "evaluates", "fetches", "imports", "connects"], False)
        assert await tab.js("answer('blur.js')") == refused | {"compiles": True}
        told = await tab.js("answer('worker.js')")
        assert (told["compiles"], told["evaluates"], told["fetches"]) == (False, False, True)
        empty = "WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))"
        assert await tab.js(f"{empty}.then(() => 'compiled', ({{ name }}) => name)") == "CompileError"
