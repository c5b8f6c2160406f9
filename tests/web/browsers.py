"""Debian's Chromium (by Playwright) and Firefox (by BiDi), behind one small interface."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.patience import PATIENCE
from tests.web import bidi

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    # with an emulated GPU, composing costs more than drawing in software
    "--disable-gpu",
    # half of the usual pictures: encoding and drawing them is most of what a meeting costs
    "--use-fake-device-for-media-stream=fps=10",
    "--use-fake-ui-for-media-stream",
    # without this, Chromium gathers no address when only `lo` is up
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    # a tab in the background must behave like one in front
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)

Name = Literal["chromium", "firefox", "webkit"]
PERMISSIONS: Final = ("camera", "microphone", "screen-wake-lock")
#: The browsers that hold meetings. WebKitGTK has no WebRTC: tests/web/test_webkit.py.
NAMES: Final[tuple[Name, ...]] = ("chromium", "firefox")


class Tab(Protocol):
    """One tab of either browser."""

    async def before(self, script: str) -> None:
        """Run this in every document of the tab, before its own scripts."""

    async def goto(self, url: str) -> None: ...
    async def js(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited; it passes through JSON. Raises if it throws."""

    async def shot(self, path: Path) -> None: ...
    async def close(self) -> None: ...
    def log(self) -> list[str]:
        """Console lines and uncaught errors so far."""


class ChromiumTab:
    """See `Tab`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._log: list[str] = []
        page.on("console", lambda message: self._log.append(message.text))
        page.on("pageerror", lambda error: self._log.append(str(error)))

    async def before(self, script: str) -> None:
        await self.page.add_init_script(script)

    async def goto(self, url: str) -> None:
        await self.page.goto(url)

    async def js(self, expression: str) -> Any:
        return await self.page.evaluate(f"async () => (await ({expression}))")

    async def shot(self, path: Path) -> None:
        await self.page.screenshot(path=path)

    async def close(self) -> None:
        await self.page.close()

    def log(self) -> list[str]:
        return list(self._log)


class Browser(Protocol):
    """A started browser. Its tabs share cookies and storage."""

    name: Name

    async def tab(self) -> Tab: ...
    def fresh(self) -> contextlib.AbstractAsyncContextManager[Browser]:
        """The same browser with empty cookies and storage; its tabs are closed at the end."""


class Chromium:
    """See `Browser`; the arguments are Playwright's."""

    name: Name = "chromium"

    def __init__(self, browser: PlaywrightBrowser, context: BrowserContext) -> None:
        self.browser = browser
        self._context = context

    async def tab(self) -> Tab:
        return ChromiumTab(await self._context.new_page())

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[Browser]:
        async with await self.browser.new_context(permissions=PERMISSIONS) as context:
            yield Chromium(self.browser, context)


class Firefox:
    """See `Browser`; `user` is BiDi's user context."""

    name: Name = "firefox"

    def __init__(self, client: bidi.Bidi, user: str = "default") -> None:
        self._client = client
        self._user = user

    async def tab(self) -> Tab:
        return await bidi.open_tab(self._client, self._user)

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[Browser]:
        user = (await self._client.command("browser.createUserContext"))["userContext"]
        try:
            yield Firefox(self._client, user)
        finally:
            await self._client.command("browser.removeUserContext", userContext=user)


@contextlib.asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Chromium]:
    """A headless Chromium with a profile of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=[*FLAGS, *flags]
        )
        try:
            yield Chromium(browser, await browser.new_context(permissions=PERMISSIONS))
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def firefox(**preferences: Any) -> AsyncIterator[Firefox]:
    """A headless Firefox with a profile of its own."""
    async with bidi.start(**preferences) as client:
        yield Firefox(client)


@contextlib.asynccontextmanager
async def chromium_profile(folder: Path) -> AsyncIterator[Chromium]:
    """A headless Chromium with a profile that stays in `folder`."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, headless=True, args=[*FLAGS], permissions=[*PERMISSIONS]
        )
        try:
            # such a context has no browser: it opens tabs, and no fresh copies of itself
            yield Chromium(cast(PlaywrightBrowser, context.browser), context)
        finally:
            await context.close()


@contextlib.asynccontextmanager
async def firefox_profile(folder: Path) -> AsyncIterator[Firefox]:
    """A headless Firefox with a profile that stays in `folder`."""
    await asyncio.to_thread(folder.mkdir)
    async with bidi.start(folder) as client:
        yield Firefox(client)


async def until(tab: Tab, condition: str, seconds: float = PATIENCE) -> Any:
    """Wait until the expression is truthy: its value. AssertionError, with what it was, after that time."""
    value: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not (value := await tab.js(condition)):  # noqa: ASYNC110 - what is awaited is in the browser
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{condition} is still {value!r}; the log ends {tab.log()[-5:]}") from None
    return value


def source(colour: str, pitch: float, *, size: tuple[int, int] = (320, 180)) -> str:
    """A script that makes getUserMedia give video of one colour and a tone, so that tests recognise both.

    `colour` is CSS's; `pitch` in Hz; `size` in pixels. The page under test doesn't know: it asks for devices
    as ever.
    """
    width, height = size
    return f"""
    (() => {{
      if (!navigator.mediaDevices) return;
      const kinds = {{ video: () => {{
        const canvas = document.createElement("canvas");
        canvas.width = {width}; canvas.height = {height};
        const ink = canvas.getContext("2d");
        let n = 0;
        const draw = () => {{
          ink.fillStyle = {colour!r}; ink.fillRect(0, 0, {width}, {height});
          // something that moves, at the very edge, or there would be no frames
          ink.fillStyle = "#888"; ink.fillRect((n++ * 8) % {width}, {height - 8}, 8, 8);
        }};
        draw(); setInterval(draw, 100);
        return canvas.captureStream(10).getVideoTracks()[0];
      }}, audio: () => {{
        const context = new AudioContext({{ sampleRate: 48000 }});
        const tone = context.createOscillator(), volume = context.createGain();
        const out = context.createMediaStreamDestination();
        tone.frequency.value = {pitch}; volume.gain.value = 0.4;
        tone.connect(volume).connect(out); tone.start(); context.resume();
        return out.stream.getAudioTracks()[0];
      }} }};
      const fake = async (wanted) =>
        new MediaStream(["audio", "video"].filter((kind) => wanted[kind]).map((kind) => kinds[kind]()));
      navigator.mediaDevices.getUserMedia = fake;
    }})();
    """
