"""Debian's WebKitGTK by WebDriver (https://www.w3.org/TR/webdriver2/), on a screen of Xvfb."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.cli.processes import free_port
from tests.web.browsers import Browser, Name

_BINARIES: Final = "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"
_START: Final = 60.0
#: Milliseconds that a script may take.
_SCRIPT: Final = 120_000


def browser() -> str | None:
    """The executable of WebKitGTK's browser; None: it, its driver or Xvfb is not installed."""
    found = [str(path) for path in Path("/").glob(_BINARIES.removeprefix("/"))]
    return found[0] if found and shutil.which("WebKitWebDriver") and shutil.which("Xvfb") else None


class WebKitError(RuntimeError):
    """The driver refused a command, or a script threw."""


class WebKitTab:
    """The only tab: the interface of `tests.web.browsers.Tab`."""

    def __init__(self, http: aiohttp.ClientSession, session: str) -> None:
        self._http = http
        self._session = session

    async def command(self, method: str, path: str, **body: Any) -> Any:
        """The result of a command; WebKitError if it fails."""
        given = None if method != "POST" else body
        async with self._http.request(method, f"{self._session}/{path}", json=given) as answer:
            value = (await answer.json(content_type=None))["value"]
        if isinstance(value, dict) and "error" in value:
            raise WebKitError(f"{path}: {value['error']}: {value.get('message', '')[:400]}")
        return value

    async def before(self, script: str) -> None:
        """WebDriver has no script that runs before those of a page."""
        raise NotImplementedError

    async def goto(self, url: str) -> None:
        await self.command("POST", "url", url=url)

    async def js(self, expression: str) -> Any:
        script = (
            "const done = arguments[0];"
            f"(async () => JSON.stringify({{ value: await ({expression}) }}))()"
            ".then(done, (error) => done(JSON.stringify({ error: `${error} ${error.stack ?? ''}` })));"
        )
        found = await self.command("POST", "execute/async", script=script, args=[])
        told: dict[str, Any] = json.loads(found)
        if "error" in told:
            raise WebKitError(told["error"])
        return told.get("value")

    async def resize(self, width: int, height: int) -> None:
        """Give the page that size, in CSS pixels."""
        for _ in range(2):  # the frame of the window is known only once there is one
            inner = await self.js("[innerWidth, innerHeight]")
            rect = await self.command("GET", "window/rect")
            more = {"width": width - inner[0], "height": height - inner[1]}
            await self.command("POST", "window/rect", **{name: rect[name] + more[name] for name in more})

    async def shot(self, path: Path) -> None:
        taken = base64.b64decode(await self.command("GET", "screenshot"))
        await asyncio.to_thread(path.write_bytes, taken)

    async def close(self) -> None:
        """Leave the page; the window stays for the next test."""
        await self.goto("about:blank")

    def log(self) -> list[str]:
        """WebDriver tells nothing of the console."""
        return []


class WebKit:
    """See `tests.web.browsers.Browser`. It has one tab, and forgets nothing between two tests."""

    name: Name = "webkit"

    def __init__(self, tab: WebKitTab) -> None:
        self._tab = tab

    async def tab(self) -> WebKitTab:
        return self._tab

    def fresh(self) -> contextlib.AbstractAsyncContextManager[Browser]:
        """A profile of its own would be another process."""
        raise NotImplementedError


@contextlib.asynccontextmanager
async def _screen() -> AsyncIterator[str]:
    """A screen without a monitor; its DISPLAY."""
    told, tell = os.pipe()
    process = await asyncio.create_subprocess_exec(
        "Xvfb", "-displayfd", str(tell), "-screen", "0", "1600x1200x24", "-nolisten", "tcp",
        pass_fds=[tell], stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(tell)
    try:
        async with asyncio.timeout(_START):
            number = await asyncio.to_thread(os.read, told, 16)
        yield f":{number.decode().strip()}"
    finally:
        os.close(told)
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def start(binary: str) -> AsyncIterator[WebKit]:
    """A WebKitGTK with a profile of its own, which ends with it."""
    async with _screen() as display:
        port = free_port()
        environment = {**os.environ, "DISPLAY": display, "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1"}
        # its processes are in no sandbox: a machine of tests seldom lets bubblewrap make one
        environment["WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS"] = "1"
        driver = await asyncio.create_subprocess_exec("WebKitWebDriver", f"--port={port}", env=environment)
        address = f"http://127.0.0.1:{port}"
        try:
            async with aiohttp.ClientSession() as http:
                await _ready(http, address)
                options = {"binary": binary, "args": ["--automation"]}
                asked = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
                async with http.post(f"{address}/session", json=asked) as answer:
                    made = (await answer.json(content_type=None))["value"]
                if "sessionId" not in made:
                    raise WebKitError(str(made))
                tab = WebKitTab(http, f"{address}/session/{made['sessionId']}")
                await tab.command("POST", "timeouts", script=_SCRIPT)
                try:
                    yield WebKit(tab)
                finally:
                    async with http.delete(f"{address}/session/{made['sessionId']}"):
                        pass
        finally:
            driver.terminate()
            await driver.wait()


async def _ready(http: aiohttp.ClientSession, address: str) -> None:
    async with asyncio.timeout(_START):
        while True:
            try:
                async with http.get(f"{address}/status"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
