"""A visitor in a browser at the real page: presses, types, sees and hears; and the page's own log.

The page under test knows nothing of this: `PROBE` runs before it, and looks from outside at what is played,
at the browser's own objects and at the policy's complaints.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from pathlib import Path
from typing import Final, TypeVar

from snugroom.client.media.sources import PATCH
from tests.cli.processes import Process, free_port, running
from tests.web.browsers import Browser, Tab, source
from tests.web.media_server import address

#: No step takes longer, however busy the machine; every wait ends as soon as what it waits for is there.
PATIENCE: Final = float(os.environ.get("SNUG_TEST_PATIENCE", "90"))
COLOUR_SLACK: Final = 45
PITCH_SLACK: Final = 20.0

#: The point where video is read: the middle of a test card's patch.
_ACROSS, _DOWN = (PATCH[0] + PATCH[2]) / 2, (PATCH[1] + PATCH[3]) / 2

PROBE: Final = (
    (Path(__file__).parent / "probe.js")
    .read_text(encoding="utf-8")
    .replace("ACROSS", str(_ACROSS))
    .replace("DOWN", str(_DOWN))
)

Colour = tuple[int, int, int]
T = TypeVar("T")


def near(seen: Collection[float] | None, wanted: Colour) -> bool:
    """Whether a colour came through a codec as that one."""
    return seen is not None and all(abs(a - b) <= COLOUR_SLACK for a, b in zip(seen, wanted, strict=True))


def rgb_of(yuv: tuple[float, float, float]) -> Colour:
    """The colour that a browser shows for BT.601 video of limited range."""
    y, u, v = (yuv[0] - 16) * 1.164, yuv[1] - 128, yuv[2] - 128
    parts = (y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u)
    return tuple(min(255, max(0, round(part))) for part in parts)  # type: ignore[return-value]


@contextlib.contextmanager
def meeting_server(
    folder: Path, port: int = 0, *more: str, hostile: str | None = None, settings: str = ""
) -> Iterator[tuple[Process, str]]:
    """A server's process and its URL; its media where Firefox finds it, which reaches no loopback.

    `hostile`: the acts that it may begin.
    """
    config = folder / "server.toml"
    told = address()
    config.write_text(f'media_address = "{told}"\nmedia_bind = "{told}"\n{settings}', encoding="utf-8")
    with running(
        *("--listen", f"127.0.0.1:{port}", "--config", str(config), *((hostile,) if hostile else ()), *more),
        module="snugroom.lab.hostile" if hostile else "snugroom.server",
    ) as process:
        line = process.wait_line(lambda line: line.startswith("listening on "))
        yield process, line.removeprefix("listening on ")
        process.signal(signal.SIGTERM)
        process.status()


#: A host at the command line that lets everybody in, without its servers.
HOSTING: Final = ("host", "--admit", "all", "--name", "Cem", "--json")


@contextlib.contextmanager
def two_servers(folder: Path, hostile: str | None = None) -> Iterator[tuple[Process, str, str]]:
    """Two servers that name each other as peers: the process of the first, hostile if so named; both URLs."""
    ports = free_port(), free_port()
    first, second = (f"http://127.0.0.1:{port}" for port in ports)
    folders = folder / "one", folder / "two"

    def peers(url: str) -> str:
        return f'peers = ["{url}"]\n'

    for each in folders:
        each.mkdir()
    with (
        meeting_server(folders[0], ports[0], hostile=hostile, settings=peers(second)) as (process, _),
        meeting_server(folders[1], ports[1], settings=peers(first)),
    ):
        yield process, first, second


async def until(look: Callable[[], Awaitable[T]], what: str, seconds: float = PATIENCE) -> T:
    """Wait until it gives something truthy; AssertionError, with the last that it gave, after that time."""
    end = time.monotonic() + seconds
    while not (value := await look()):
        assert time.monotonic() < end, f"{what}: {value!r}"
        await asyncio.sleep(0.1)
    return value


class Visitor:
    """A person at the page. Commands find things by their English names, as a person does."""

    def __init__(self, name: str, tab: Tab) -> None:
        self.name = name
        self.tab = tab

    @classmethod
    async def at(
        cls,
        browser: Browser,
        url: str,
        name: str,
        look: tuple[str, float] | None = ("#808080", 600.0),
        *scripts: str,
    ) -> Visitor:
        """Open the page in a new tab; `look` is the colour and the pitch of their camera and microphone."""
        tab = await browser.tab()
        english = "Object.defineProperty(navigator, 'languages', { get: () => ['en'] });"
        for script in (PROBE, english, *([] if look is None else [source(*look)]), *scripts):
            await tab.before(script)
        await tab.goto(url)
        return cls(name, tab)

    async def _do(self, call: str) -> None:
        await until(lambda: self.tab.js(call), f"{self.name} can't {call}; {await self.tab.js(_SHOWN)}")

    async def press(self, label: str) -> None:
        """A button, a menu's item or a link, once it is there."""
        await self._do(f"probe.press({json.dumps(label)})")

    async def type(self, label: str, text: str) -> None:
        """Into a field."""
        await self._do(f"probe.type({json.dumps(label)}, {json.dumps(text)})")

    async def choose(self, label: str) -> None:
        """A radio button, a switch or a check box."""
        await self._do(f"probe.choose({json.dumps(label)})")

    async def pick(self, label: str, option: str) -> None:
        """One of a list's options, by what it is called."""
        await self._do(f"probe.pick({json.dumps(label)}, {json.dumps(option)})")

    async def reads(self, text: str) -> None:
        """Wait until that is written somewhere on the page."""

        async def look() -> bool:
            return bool(await self.tab.js(f"probe.says({json.dumps(text)})"))

        try:
            await until(look, text)
        except AssertionError:
            raise AssertionError(
                f"{self.name} does not read {text!r}, but {await self.tab.js(_SHOWN)}; {self.tab.log()[-5:]}"
            ) from None

    # -- a meeting's steps -----------------------------------------------------------------------

    async def open_room(self, *, admission: str = "Anyone with the link", title: str = "") -> str:
        """From the start to the inside of a new room; its link."""
        await self.press("Open a room")
        await self.type("Your name", self.name)
        await self.type("Meeting name", title)
        await self.choose(admission)
        await self.press("Open the room")
        await self.press("Copy the invite link")
        link: str = await until(lambda: self.tab.js("probe.copied.at(-1)"), "nothing was copied")
        return link

    async def knock(self, greeting: str = "") -> None:
        """From before the door, at which the link has led."""
        await self.type("Your name", self.name)
        await self.type("Message to the host", greeting)
        await self.press("Knock")

    async def here(self, *names: str) -> None:
        """Wait until these are in the room with them, as their tiles say."""
        wanted = sorted([*names, f"{self.name} (you)"])
        listed = (
            "[...document.querySelectorAll('.tile.camera .tile-name bdi')].map((e) => e.textContent).sort()"
        )

        async def look() -> bool:
            return bool(await self.tab.js(listed) == wanted)

        try:
            await until(look, "here")
        except AssertionError:
            raise AssertionError(
                f"{self.name} sees {await self.tab.js(listed)}: {await self.tab.js(_SHOWN)}; "
                f"{self.tab.log()[-5:]}"
            ) from None

    async def panel(self, which: str, label: str) -> None:
        """Open that panel, if it isn't, and wait for its view: that file may come later than the room."""
        if not await self.tab.js(f"document.querySelector('.panel[data-panel={which}]') !== null"):
            await self.press(label)
        view = f".panel[data-panel={which}] .panel-body > :not([role=status]:only-child)"
        await until(lambda: self.tab.js(f"document.querySelector('{view}') !== null"), f"no {which}")

    async def say(self, text: str) -> None:
        await self.panel("chat", "Chat")
        await self.type("Write to everybody", text)
        await self.press("Send")

    async def digits(self) -> str:
        """The room's code, as it stands in the panel."""
        await self.panel("code", "The room's code")
        shown = "[...document.querySelectorAll('.code-digits span')].map((e) => e.textContent).join('')"
        digits: str = await until(lambda: self.tab.js(shown), "no code")
        return digits

    async def sees(self, name: str, colour: Colour) -> None:
        """Wait until that person's tile plays video of that colour."""

        async def look() -> bool:
            return near(await self.tab.js(f"probe.sees({json.dumps(name)})"), colour)

        try:
            await until(look, name)
        except AssertionError:
            seen = await self.tab.js(f"probe.sees({json.dumps(name)})")
            raise AssertionError(
                f"{self.name} sees {seen} of {name}, not {colour}; {await self.tab.js(_SHOWN)}"
            ) from None

    async def hears(self, pitch: float) -> None:
        """Wait until something that is played has that as its strongest pitch."""

        async def look() -> bool:
            return any(
                abs(hz - pitch) < PITCH_SLACK and level > 60
                for hz, level in await self.tab.js("probe.hears()")
            )

        try:
            await until(look, "hears")
        except AssertionError:
            raise AssertionError(
                f"{self.name} does not hear {pitch:.0f} Hz but {await self.tab.js('probe.hears()')}"
            ) from None

    async def clean(self) -> None:
        """AssertionError if the policy had to stop anything, or anything went wrong in the console."""
        assert await self.tab.js("probe.violations") == []
        said = [line for line in self.tab.log() if not _noise(line)]
        assert said == [], said


_SHOWN: Final = "document.body.innerText.slice(0, 900)"


def _noise(line: str) -> bool:
    """Browsers' own messages about the tests, or about connections that tests cut."""
    return any(word in line for word in ("WebSocket connection", "establish a connection", "was interrupted"))


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two colours, in U and V."""
    return math.hypot(one[0] - other[0], one[1] - other[1])
