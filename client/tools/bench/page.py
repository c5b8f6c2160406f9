"""`snug bench page`: the bytes of the meeting page in a browser, and the time until it shows the room.

A server in a separate process with a robot as the host, and Chromium, which Playwright drives. Each load uses
a new profile with an empty cache. First paint is compared with a page of a few words, loaded in the same run.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from rich.console import Console
from rich.table import Table

from snugroom.client.media.codec import HEIGHT, WIDTH
from snugroom.client.session import Session
from snugroom.client.tools.bench import join
from snugroom.client.tools.bench.reporting import reported
from snugroom.client.tools.demo.meeting import until
from snugroom.client.tools.demo.process import ServerError, ServerProcess
from snugroom.client.tools.demo.robot import Robot
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.server import page

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

LOADS: Final = 9
GUESTS: Final = 5
#: Number of headless guests, for comparison.
HEADLESS_GUESTS: Final = 3
#: Goals: bytes until a guest is in the room, and ms until the first paint.
BYTES_GOAL: Final = 120_000
PAINT_GOAL: Final = 200.0
_WHOLE_TIME: Final = 180.0
_ONE_TIME: Final = 30.0
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS: Final = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # without this, Chromium gathers no address if `lo` is the only interface that is up
    "--allow-loopback-in-peer-connection",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)

#: Parts between the link and the first video, in order: (mark at the end of the part, description).
PARTS: Final = (
    ("ready", "the page is loaded, has read the link, and asks for a name"),
    ("knocked", "the name is typed and the button pressed, by a script"),
    ("inside", "the host lets in; the guest joins, and sees the room"),
    ("picture", "the media connection, the change of keys (500 ms), a picture decoded and shown"),
)

#: Notes when elements are first seen, in ms since the navigation began. The page itself has no part in it.
_WATCH: Final = """
(() => {
  const marks = window.benchMarks = {};
  const look = () => {
    if (document.querySelector("h1")) marks.view ??= performance.now();
    if (document.querySelector("form input")) marks.ready ??= performance.now();
    const tiles = [...document.querySelectorAll(".tile.camera")];
    if (tiles.length > 1) marks.inside ??= performance.now();
    for (const video of document.querySelectorAll(".tile video:not(.mirrored)"))
      if (video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 0)
        marks.picture ??= performance.now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
#: The files that make up the page. `fetch` requests are excluded: with them the page computes its own hash.
_LOADED: Final = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter(({ initiatorType }) => initiatorType !== "fetch")
  .map(({ name }) => new URL(name).pathname.slice(1) || "index.html")
"""
_PLAIN: Final = "<!doctype html><meta charset=utf-8><title>plain</title><h1>A few words</h1>"


class BenchError(Exception):
    """The measurement is impossible here. The message says why, and what to do."""


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise BenchError(
            "there is no Chromium on the path: install it (on Debian: `apt-get install chromium`)"
        )
    return found


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    try:
        from playwright.async_api import Error, async_playwright
    except ImportError:
        raise BenchError("Chromium is driven by Playwright: `pip install playwright`") from None
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=_chromium(), headless=True, args=[*_FLAGS]
            )
            try:
                yield browser
            finally:
                await browser.close()
    except Error as error:
        raise BenchError(f"Chromium: {error.message.splitlines()[0]}") from error


@asynccontextmanager
async def _new(browser: Browser) -> AsyncIterator[Page]:
    """A page in a profile with an empty cache."""
    context = await browser.new_context(permissions=["camera", "microphone"], locale="en-GB")
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def _painted(browser: Browser, url: str) -> tuple[float, float]:
    """Return the ms from the navigation to the first contentful paint, and to a view with a heading."""
    async with _new(browser) as tab:
        await tab.add_init_script(_WATCH)
        await tab.goto(url)
        return await _value(tab, _PAINT), await _value(tab, "benchMarks.view ?? null")


async def _value(tab: Page, expression: str) -> float:
    """Return the value once it is not null. Polls, because the page's policy forbids a script that waits."""
    async with asyncio.timeout(_ONE_TIME):
        while (value := await tab.evaluate(expression)) is None:  # noqa: ASYNC110 - the browser has the state
            await asyncio.sleep(0.02)
    number: float = value
    return number


@asynccontextmanager
async def _plain() -> AsyncIterator[str]:
    """A server with a page of a few words, to measure the browser's own cost."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=_PLAIN, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bound: tuple[str, int] = runner.addresses[0]
        yield f"http://127.0.0.1:{bound[1]}/"
    finally:
        await runner.cleanup()


async def _guest(browser: Browser, link: str, name: str) -> tuple[dict[str, float], set[str]]:
    """Follow a link until the first video; return the moments (ms) and the files loaded until then."""
    async with _new(browser) as tab:
        await tab.add_init_script(_WATCH)
        await tab.goto(link)
        await tab.get_by_label("Your name").fill(name)
        await tab.get_by_role("button", name="Knock").click()
        knocked: float = await tab.evaluate("performance.now()")
        await _value(tab, "benchMarks.picture ?? null")
        marks: dict[str, float] = await tab.evaluate("benchMarks")
        marks["knocked"] = knocked
        # the worker loads its own parts, and not every browser lists it as a resource of the page
        loaded = {"worker.js", *await tab.evaluate(_LOADED)}
        await tab.get_by_role("button", name="Leave").click()
        return marks, loaded


async def _measure(loads: int, number_of_guests: int) -> dict[str, Any]:
    bundle = page.load()
    async with ServerProcess() as server, _plain() as plain, _browser() as browser:
        origin = canonical_origin(server.url)
        host = Robot(
            "Host",
            lambda now: Session.host(origin=origin, name="Host", admission="all", now=now),
            directory=None,
            size=(WIDTH, HEIGHT),
            on_event=lambda _, __: None,
        )
        hosting = asyncio.get_running_loop().create_task(host.run())
        try:
            if not await until(lambda: host.invite is not None, _ONE_TIME) or host.invite is None:
                raise ServerError("the host could not open the room")
            paints: dict[str, list[tuple[float, float]]] = {"page": [], "plain": []}
            await _painted(browser, plain)  # not counted: the browser's own first load
            for _ in range(loads):
                paints["plain"].append(await _painted(browser, plain))
                paints["page"].append(await _painted(browser, server.url))
            guests = []
            for number in range(1, number_of_guests + 1):
                guests.append(await _guest(browser, host.invite, f"Guest {number}"))
                await until(lambda: len(host.members) == 1, _ONE_TIME)
        finally:
            hosting.cancel()
            await asyncio.gather(hosting, return_exceptions=True)
    _, marks = await join.measure(HEADLESS_GUESTS)
    headless = join.summary(marks)
    return summary(bundle, paints, guests, headless)


def summary(
    bundle: page.Bundle,
    paints: Mapping[str, list[tuple[float, float]]],
    guests: list[tuple[dict[str, float], set[str]]],
    headless: Mapping[str, Any],
) -> dict[str, Any]:
    """Return medians in ms, and gzip sizes in bytes. `x`: ratio to the comparison of the same run."""
    moments = [marks for marks, _ in guests]

    def median(mark: str, since: str | None = None) -> float:
        return round(statistics.median(m[mark] - (0.0 if since is None else m[since]) for m in moments), 1)

    loaded = {
        name: len(bundle.files[name].packed)
        for name in sorted({name for _, names in guests for name in names} & bundle.files.keys())
    }
    first, plain = (statistics.median(paint for paint, _ in paints[which]) for which in ("page", "plain"))
    parts = [
        {"part": mark, "what": what, "ms": median(mark, before)}
        for (mark, what), before in zip(PARTS, [None, *(mark for mark, _ in PARTS)], strict=False)
    ]
    picture = median("picture", "knocked")
    return {
        "bench": "page",
        "bytes": sum(loaded.values()),
        # the worker is loaded when somebody opens a room or knocks
        "bytes_start": sum(size for name, size in loaded.items() if name != "worker.js"),
        "files": loaded,
        "bytes_all": sum(len(file.packed) for file in bundle.files.values()),
        "bytes_goal": BYTES_GOAL,
        "first_paint_ms": round(first, 1),
        "first_paint_worst_ms": round(max(paint for paint, _ in paints["page"]), 1),
        "plain_paint_ms": round(plain, 1),
        "first_paint_x": round(first / plain, 2),
        "first_paint_goal_ms": PAINT_GOAL,
        "start_view_ms": round(statistics.median(view for _, view in paints["page"]), 1),
        "link_to_picture_ms": median("picture"),
        "knock_to_picture_ms": picture,
        "headless_knock_to_picture_ms": headless["first_picture_ms"],
        "knock_to_picture_x": round(picture / headless["first_picture_ms"], 2),
        "parts": parts,
    }


async def run(json_output: bool, loads: int = LOADS, guests: int = GUESTS) -> int:
    """Measure, and print tables or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    return await reported(
        _measure(loads, guests), _WHOLE_TIME, json_output, _show, BenchError, page.PageError
    )


def _show(measured: Mapping[str, Any]) -> None:
    console = Console()
    files = Table("file", "bytes, gzipped", title="What comes until one is in the room, in English")
    files.columns[1].justify = "right"
    for name, size in measured["files"].items():
        files.add_row(name, f"{size:,}")
    files.add_section()
    files.add_row("together", f"{measured['bytes']:,}")
    console.print(files)
    goal = measured["bytes_goal"]
    console.print(
        f"{measured['bytes'] / goal:.2f} of the {goal:,} that are aimed at, of which "
        f"{measured['bytes_start']:,} come before somebody opens a room or knocks; "
        f"with what is loaded on demand {measured['bytes_all']:,}"
    )
    worst = measured["first_paint_worst_ms"]
    console.print(
        f"first paint: {measured['first_paint_ms']:.0f} ms (at worst {worst:.0f}), "
        f"{measured['first_paint_x']:.2f} times a page of a few words ({measured['plain_paint_ms']:.0f} ms); "
        f"aimed at {measured['first_paint_goal_ms']:.0f}; "
        f"the start with all that can be pressed after {measured['start_view_ms']:.0f} ms"
    )
    table = Table("until", "what", "ms", title="From the link to the first picture of somebody (medians)")
    table.columns[2].justify = "right"
    for part in measured["parts"]:
        table.add_row(part["part"], part["what"], f"{part['ms']:.0f}")
    table.add_section()
    table.add_row("", "together", f"{measured['link_to_picture_ms']:.0f}")
    console.print(table)
    console.print(
        f"from the knock to the first picture: {measured['knock_to_picture_ms']:.0f} ms, "
        f"{measured['knock_to_picture_x']:.2f} times the headless participant's "
        f"({measured['headless_knock_to_picture_ms']:.0f} ms, in the same run)"
    )
