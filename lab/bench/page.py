"""`snug bench page`: the bytes of the meeting page in a browser, and the time until it shows the room.

A server in a separate process with a robot as the host, and Chromium, which Playwright drives. Each load uses
a new profile with an empty cache. First paint is compared with a page of a few words, loaded in the same run.

Bytes are those of every answer to page and worker, headers included, until the room is shown. The goal is for
https, where browsers accept Brotli: one more guest comes through a proxy with TLS. Times are without TLS.
Over http, browsers accept gzip alone, except Chromium on this machine: that figure is computed.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from rich.console import Console
from rich.table import Table

from snugroom.client.media.codec import HEIGHT, WIDTH
from snugroom.client.session import Session
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.bench import join
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.reporting import reported
from snugroom.lab.bench.transfer import Answer, Transfers, https
from snugroom.lab.demo.meeting import until
from snugroom.lab.demo.robot import Robot
from snugroom.lab.process import ServerError, ServerProcess
from snugroom.server import page

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

LOADS: Final = 9
GUESTS: Final = 5
#: Number of headless guests, for comparison.
HEADLESS_GUESTS: Final = 3
#: Goals: bytes transferred over https until a guest is in the room, and ms until the first paint.
BYTES_GOAL: Final = 190_000
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
    ("picture", "the media connection, the change of keys, a picture decoded and shown"),
)

#: Notes when elements are first seen, in ms since the navigation began. The page itself has no part in it.
_WATCH: Final = """
(() => {
  const marks = window.benchMarks = {};
  // the first click is that on the button that knocks
  addEventListener("click", () => { marks.knocked ??= performance.now(); }, true);
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
async def browser(*flags: str) -> AsyncIterator[Browser]:
    """Chromium with test devices. BenchError if it is not there, or fails."""
    from playwright.async_api import Error, async_playwright

    try:
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(
                executable_path=_chromium(), headless=True, args=[*_FLAGS, *flags]
            )
            try:
                yield chromium
            finally:
                await chromium.close()
    except Error as error:
        raise BenchError(f"Chromium: {error.message.splitlines()[0]}") from error


@asynccontextmanager
async def tab_of(chromium: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page in a profile with an empty cache. `options`: others of Playwright's `new_context`."""
    context = await chromium.new_context(permissions=["camera", "microphone"], locale="en-GB", **options)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def _painted(chromium: Browser, url: str) -> tuple[float, float]:
    """Return the ms from the navigation to the first contentful paint, and to a view with a heading."""
    async with tab_of(chromium) as tab:
        await tab.add_init_script(_WATCH)
        await tab.goto(url)
        return await value(tab, _PAINT), await value(tab, "benchMarks.view ?? null")


async def value(tab: Page, expression: str, seconds: float = _ONE_TIME) -> float:
    """Return the value once it is not null. Polls, because the page's policy forbids a script that waits."""
    async with asyncio.timeout(seconds):
        while (found := await tab.evaluate(expression)) is None:  # noqa: ASYNC110 - the browser has the state
            await asyncio.sleep(0.02)
    number: float = found
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


@dataclass(frozen=True)
class Visit:
    """One guest's way from the link to the first video: moments of `PARTS` (ms), and answers until inside."""

    marks: Mapping[str, float]
    answers: list[Answer]
    #: When the navigation began, in ms since 1970.
    origin: float

    def before(self, mark: str) -> list[Answer]:
        """Return the answers to requests that began before that moment."""
        return [each for each in self.answers if each.began <= self.origin + self.marks[mark]]


async def _guest(chromium: Browser, link: str, name: str) -> Visit:
    """Follow a link until the first video."""
    async with tab_of(chromium) as tab:
        transfers = Transfers(tab.context)
        await tab.add_init_script(_WATCH)
        await tab.goto(link)
        await tab.get_by_label("Your name").fill(name)
        await tab.get_by_role("button", name="Knock").click()
        await value(tab, "benchMarks.picture ?? null")
        marks: dict[str, float] = await tab.evaluate("benchMarks")
        origin: float = await tab.evaluate("performance.timeOrigin")
        answers = await transfers.until(origin + marks["inside"])
        await tab.get_by_role("button", name="Leave").click()
        return Visit(marks, answers, origin)


@asynccontextmanager
async def _hosted(origin: str, url: str) -> AsyncIterator[Robot]:
    """A robot that hosts at the server at `url`, which calls itself `origin`, and admits everybody."""
    host = Robot(
        "Host",
        lambda now: Session.host(origin=origin, name="Host", admission="all", now=now),
        directory=None,
        size=(WIDTH, HEIGHT),
        on_event=lambda _, __: None,
        addresses={origin: url},
    )
    hosting = asyncio.get_running_loop().create_task(host.run())
    try:
        if not await until(lambda: host.invite is not None, _ONE_TIME):
            raise ServerError("the host could not open the room")
        yield host
    finally:
        hosting.cancel()
        await asyncio.gather(hosting, return_exceptions=True)


async def _over_https() -> Visit:
    """Return the visit of one guest through a proxy with TLS."""
    async with https() as proxy, BenchServer(settings={"origin": f'"{proxy.origin}"'}) as server:
        address = urlsplit(server.url)
        assert address.hostname is not None
        assert address.port is not None
        proxy.target = (address.hostname, address.port)
        trusting = f"--ignore-certificate-errors-spki-list={proxy.key_hash}"
        async with browser(trusting) as chromium, _hosted(proxy.origin, server.url) as host:
            assert host.invite is not None
            return await _guest(chromium, host.invite, "Guest")


async def _measure(loads: int, number_of_guests: int) -> dict[str, Any]:
    bundle = page.load()
    secure = await _over_https()
    async with ServerProcess() as server, _plain() as plain, browser() as chromium:
        origin = canonical_origin(server.url)
        async with _hosted(origin, server.url) as host:
            assert host.invite is not None
            paints: dict[str, list[tuple[float, float]]] = {"page": [], "plain": []}
            await _painted(chromium, plain)  # not counted: the browser's own first load
            for _ in range(loads):
                paints["plain"].append(await _painted(chromium, plain))
                paints["page"].append(await _painted(chromium, server.url))
            guests = []
            for number in range(1, number_of_guests + 1):
                guests.append(await _guest(chromium, host.invite, f"Guest {number}"))
                await until(lambda: len(host.members) == 1, _ONE_TIME)
    _, marks = await join.measure(HEADLESS_GUESTS)
    return summary(bundle, paints, guests, secure, join.summary(marks))


def _more_with_gzip(bundle: page.Bundle, names: Iterable[str]) -> int:
    """Return the bytes by which these files are larger with gzip than with Brotli."""
    files = [bundle.files[name] for name in names if name in bundle.files]
    return sum(len(file.packed) - len(file.answer("br, gzip")[1]) for file in files)


def _total(answers: Iterable[Answer]) -> int:
    return sum(each.headers + each.body for each in answers)


def summary(
    bundle: page.Bundle,
    paints: Mapping[str, list[tuple[float, float]]],
    guests: list[Visit],
    secure: Visit,
    headless: Mapping[str, Any],
) -> dict[str, Any]:
    """Return medians in ms, and bytes as transferred. `x`: ratio to the comparison of the same run."""
    moments = [visit.marks for visit in guests]

    def median(mark: str, since: str | None = None) -> float:
        return round(statistics.median(m[mark] - (0.0 if since is None else m[since]) for m in moments), 1)

    inside = secure.before("inside")
    files: dict[str, int] = {}
    for each in inside:
        files[each.name] = files.get(each.name, 0) + each.headers + each.body
    first, plain = (statistics.median(paint for paint, _ in paints[which]) for which in ("page", "plain"))
    parts = [
        {"part": mark, "what": what, "ms": median(mark, before)}
        for (mark, what), before in zip(PARTS, [None, *(mark for mark, _ in PARTS)], strict=False)
    ]
    picture = median("picture", "knocked")
    return {
        "bench": "page",
        "bytes": _total(inside),
        "bytes_headers": sum(each.headers for each in inside),
        # the worker is loaded when somebody opens a room or knocks
        "bytes_start": _total(takewhile(lambda each: each.name != "worker.js", inside)),
        "bytes_http": max(_total(visit.before("inside")) for visit in guests),
        "bytes_gzip": _total(inside) + _more_with_gzip(bundle, files.keys()),
        "files": files,
        "bytes_all": sum(len(file.answer("br, gzip")[1]) for file in bundle.files.values()),
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
    files = Table("file", "bytes", title="Transferred over https until one is in the room, in English")
    files.columns[1].justify = "right"
    for name, size in measured["files"].items():
        files.add_row(name, f"{size:,}")
    files.add_section()
    files.add_row("together", f"{measured['bytes']:,}")
    console.print(files)
    goal = measured["bytes_goal"]
    console.print(
        f"{measured['bytes'] / goal:.2f} of the goal of {goal:,}: {measured['bytes_headers']:,} are headers, "
        f"and {measured['bytes_start']:,} before somebody opens a room or knocks; "
        f"without Brotli it would be {measured['bytes_gzip']:,}; all files have {measured['bytes_all']:,}"
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
