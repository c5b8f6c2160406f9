"""`snug bench page`: what a browser pays for the meeting page, and how soon it shows who is in the room.

A server in a process of its own with a robot as the host, and Chromium, which Playwright drives. Every load
is a new profile's: nothing was kept. Paint is compared with a page of a few words, loaded in the same run.
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

from client.bench import join
from client.bench.reporting import reported
from client.demo.meeting import until
from client.demo.process import ServerError, ServerProcess
from client.demo.robot import Robot
from client.media.codec import HEIGHT, WIDTH
from client.session import Session
from crypto.invite import canonical_origin
from server import page

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

LOADS: Final = 9
GUESTS: Final = 5
#: Of the headless participant, for comparison.
HEADLESS_GUESTS: Final = 3
#: What is aimed at: bytes until one is in the room, and ms until something is painted.
BYTES_GOAL: Final = 120_000
PAINT_GOAL: Final = 200.0
_WHOLE_TIME: Final = 180.0
_ONE_TIME: Final = 30.0
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS: Final = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # with nothing but `lo` up, Chromium gathers no address otherwise
    "--allow-loopback-in-peer-connection",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)

#: What happens between the link and the first picture, in this order: (mark at its end, what it is).
PARTS: Final = (
    ("ready", "the page is loaded, has read the link, and asks for a name"),
    ("knocked", "the name is typed and the button pressed, by a script"),
    ("inside", "the host lets in; the guest joins, and sees the room"),
    ("picture", "the media connection, the change of keys (500 ms), a picture decoded and shown"),
)

#: Notes when things are first seen, in ms since the navigation began. The page knows nothing of it.
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
#: The files that it is made of; what it looks at again to tell its own hash is asked for by `fetch`.
_LOADED: Final = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter(({ initiatorType }) => initiatorType !== "fetch")
  .map(({ name }) => new URL(name).pathname.slice(1) || "index.html")
"""
_PLAIN: Final = "<!doctype html><meta charset=utf-8><title>plain</title><h1>A few words</h1>"


class BenchError(Exception):
    """It can't be measured here; the text says why, and what to do."""


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
    """A page of a profile in which nothing was kept."""
    context = await browser.new_context(permissions=["camera", "microphone"], locale="en-GB")
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def _painted(browser: Browser, url: str) -> tuple[float, float]:
    """ms from the navigation to the first contentful paint, and to a view with a heading."""
    async with _new(browser) as tab:
        await tab.add_init_script(_WATCH)
        await tab.goto(url)
        return await _value(tab, _PAINT), await _value(tab, "benchMarks.view ?? null")


async def _value(tab: Page, expression: str) -> float:
    """Once it has one. Asked for again and again: the page's policy forbids what would wait in it."""
    async with asyncio.timeout(_ONE_TIME):
        while (value := await tab.evaluate(expression)) is None:  # noqa: ASYNC110 - what is awaited is in there
            await asyncio.sleep(0.02)
    number: float = value
    return number


@asynccontextmanager
async def _plain() -> AsyncIterator[str]:
    """A server whose page is a few words: what the browser itself costs."""

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
    """From the link to the first picture: moments (ms), and the files that came until then."""
    async with _new(browser) as tab:
        await tab.add_init_script(_WATCH)
        await tab.goto(link)
        await tab.get_by_label("Your name").fill(name)
        await tab.get_by_role("button", name="Knock").click()
        knocked: float = await tab.evaluate("performance.now()")
        await _value(tab, "benchMarks.picture ?? null")
        marks: dict[str, float] = await tab.evaluate("benchMarks")
        marks["knocked"] = knocked
        # the worker asks for its own parts, and is no resource of the page in every browser
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
            await _painted(browser, plain)  # the browser's own first time
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
    """Medians in ms; bytes are those of gzip. `x` is the ratio to what was measured beside it in this run."""
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
        # the worker is asked for when somebody opens a room or knocks
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
    """Measure and print: tables, or one JSON object. Exit status: 0, or 1 when the measurement failed."""
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
