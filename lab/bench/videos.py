"""`snug bench page --videos N`: the CPU time of a page that shows N videos and plays all their sound.

A server, N members that send the test card and subscribe to nothing (one of them hosts), and Chromium without
a GPU. Its page joins with the browser's test camera and microphone, which is measured first. Then it turns
its camera off, and what N videos cost remains. All of the browser's processes count. Usable means that each
video shows most of the frames that are sent, and that the page's main thread is free again soon.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.client.media import codec
from snugroom.client.session import events as ev
from snugroom.lab import machine
from snugroom.lab.bench.entrances import hosted
from snugroom.lab.bench.page import BenchError, browser, tab_of, value
from snugroom.lab.bench.reporting import reported
from snugroom.lab.crowd.card import EncodedCard
from snugroom.lab.crowd.member import Member
from snugroom.lab.demo.meeting import until

if TYPE_CHECKING:
    from playwright.async_api import Page

#: The most videos that a page shows at once, and the most that it shows if the person has not chosen many.
MOST: Final = 25
PAGE: Final = 9
#: Width and height of the videos that are sent. Members whose tiles are small receive a small layer.
LARGE: Final = (640, 360)
SMALL: Final = (320, 180)
SECONDS: Final = 10.0
#: Seconds of video before each measurement.
WARM: Final = 5.0
#: Usable: the least share of the sent frames that each video shows, and the most ms for which a task on the
#: page's main thread waits (99th percentile; Web Vitals call a response within 200 ms good).
SHOWN_MIN: Final = 0.8
DELAY_MAX: Final = 200.0
_LIMIT: Final = 90.0
_WHOLE_TIME: Final = 300.0
_WINDOW: Final = {"width": 1600, "height": 900}
#: The name of the threads on which browsers run workers: the first 15 characters.
_WORKER: Final = "DedicatedWorker"
_MANY: Final = "localStorage.setItem('snug-call', JSON.stringify({ manyVideos: true }))"
#: Notes, every 50 ms, by how many ms the main thread is late.
_DELAYS: Final = """
(() => {
  const delays = window.benchDelays = [];
  let due = performance.now() + 50;
  setInterval(() => {
    const now = performance.now();
    delays.push(Math.max(0, now - due));
    due = now + 50;
  }, 50);
})();
"""
_FRAMES: Final = """
[...document.querySelectorAll(".tile video:not(.mirrored)")].filter((video) => video.videoWidth > 0)
  .map((video) => video.getVideoPlaybackQuality().totalVideoFrames)
"""


def _processes() -> list[int]:
    """Return the processes of the browser that this process has started. BenchError if there is none."""

    def name(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return ""

    found = [pid for pid in machine.children(os.getpid()) if name(pid).startswith("chrom")]
    if not found:
        raise BenchError("the browser's processes were not found")
    return found


def _worker_seconds(processes: Sequence[int]) -> float:
    """Return the CPU seconds of all threads of these processes that run workers."""
    return sum(_of_thread(task) for pid in processes for task in _threads(pid))


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []  # the process is gone


def _of_thread(task: Path) -> float:
    try:
        if (task / "comm").read_text().startswith(_WORKER):
            return int((task / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        pass  # the thread is gone
    return 0.0


async def _phase(tab: Page, seconds: float) -> dict[str, Any]:
    """Measure for `seconds`: shares of a core, frames a second, and delays of the main thread."""
    processes = _processes()
    await tab.evaluate("benchDelays.length = 0")
    frames: list[int] = await tab.evaluate(_FRAMES)
    began, used, worked = time.monotonic(), machine.cpu_seconds(processes[0]), _worker_seconds(processes)
    await asyncio.sleep(seconds)
    after: list[int] = await tab.evaluate(_FRAMES)
    took = time.monotonic() - began
    used, worked = machine.cpu_seconds(processes[0]) - used, _worker_seconds(processes) - worked
    delays: list[float] = await tab.evaluate("benchDelays")
    if len(after) != len(frames) or len(delays) < 2:
        raise BenchError("the page did not show the same videos all the time")
    rates = sorted((last - first) / took for first, last in zip(frames, after, strict=True))
    return {
        "browser_share": round(used / took, 3),
        "worker_share": round(worked / took, 3),
        "frames_per_s": round(statistics.median(rates), 1),
        "least_frames_per_s": round(rates[0], 1),
        "delay_p99_ms": round(statistics.quantiles(delays, n=100)[-1], 1),
    }


@asynccontextmanager
async def _meeting(videos: int, size: tuple[int, int]) -> AsyncIterator[str]:
    """A meeting of so many members that send and receive nothing; its link. BenchError if not all come in."""
    card = await asyncio.to_thread(EncodedCard, "Card", width=size[0], height=size[1])
    async with hosted(videos, "all", card) as (_, host, link):
        members = [Member(link, f"Member {number}", card=card, proxy=None) for number in range(1, videos)]
        running = [asyncio.ensure_future(member.run()) for member in members]
        try:
            if not await until(lambda: all(member.inside for member in members), _LIMIT):
                raise BenchError("not all members came in")
            for connection in [host.connection, *(member.connection for member in members)]:
                connection.feed(ev.SelectStreams(()))
            yield link
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def measure(
    videos: int, size: tuple[int, int] | None = None, seconds: float = SECONDS, warm: float = WARM
) -> dict[str, Any]:
    """Measure `videos` videos (1 to MOST) of this width and height. BenchError, ServerError, TimeoutError."""
    size = size or (LARGE if videos <= PAGE else SMALL)
    async with (
        _meeting(videos, size) as link,
        browser() as chromium,
        tab_of(chromium, viewport=_WINDOW) as tab,
    ):
        await tab.add_init_script(_DELAYS)
        if videos > PAGE:
            await tab.add_init_script(_MANY)
        await tab.goto(link)
        await tab.get_by_label("Your name").fill("Viewer")
        await tab.get_by_role("button", name="Knock").click()
        await value(tab, f"{_FRAMES}.length >= {videos} || null", _LIMIT)
        await asyncio.sleep(warm)
        both = await _phase(tab, seconds)
        await tab.get_by_test_id("camera").click()
        await asyncio.sleep(warm)
        return summary(videos, size, {"with_camera": both, "watching": await _phase(tab, seconds)})


def summary(videos: int, size: tuple[int, int], phases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the output. Shares are of one core. `frames_sent_per_s` is what each member sends."""
    return {
        "bench": "page",
        "videos": videos,
        "width": size[0],
        "height": size[1],
        "frames_sent_per_s": codec.VIDEO_RATE,
        **phases,
        "shown_min": SHOWN_MIN,
        "delay_max_ms": DELAY_MAX,
        "usable": all(
            phase["least_frames_per_s"] >= SHOWN_MIN * codec.VIDEO_RATE and phase["delay_p99_ms"] <= DELAY_MAX
            for phase in phases.values()
        ),
    }


async def run(
    json_output: bool,
    videos: int,
    size: tuple[int, int] | None = None,
    seconds: float = SECONDS,
    warm: float = WARM,
) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    measuring = measure(videos, size, seconds, warm)
    return await reported(measuring, _WHOLE_TIME, json_output, _show, BenchError)


def _show(measured: Mapping[str, Any]) -> None:
    size = f"{measured['width']}x{measured['height']}"
    title = f"A page with {measured['videos']} videos of {size}, and their sound"
    heads = ("browser", "of it the worker", "frames a second", "least", "main thread late, p99")
    table = Table("", *heads, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, what in (("with_camera", "camera and microphone on"), ("watching", "camera off")):
        phase = measured[name]
        table.add_row(
            what,
            f"{phase['browser_share']:.0%} of a core",
            f"{phase['worker_share']:.0%}",
            f"{phase['frames_per_s']:.1f}",
            f"{phase['least_frames_per_s']:.1f}",
            f"{phase['delay_p99_ms']:.0f} ms",
        )
    console = Console()
    console.print(table)
    console.print(
        f"each member sends {measured['frames_sent_per_s']} frames a second; usable "
        f"(at least {measured['shown_min']:.0%} of them shown, the main thread at most "
        f"{measured['delay_max_ms']:.0f} ms late): {'yes' if measured['usable'] else 'NO'}"
    )
