"""Firefox by WebDriver BiDi, without geckodriver, which Debian lacks: only the parts that the tests need.

https://w3c.github.io/webdriver-bidi/
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp

EXECUTABLE: Final = "/usr/bin/firefox-esr"
_START: Final = 60.0
_ANSWER: Final = 60.0

#: No requests to others, fake devices, loopback candidates, sound without a gesture.
PREFERENCES: Final[dict[str, Any]] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # a machine without a sound card has no running AudioContext otherwise
    "media.cubeb.force_mock_context": True,
    "media.block-autoplay-until-in-foreground": False,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.gmp-manager.updateEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.server": "",
    "app.update.auto": False,
    "app.normandy.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.region.update.enabled": False,
    "browser.topsites.contile.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "remote.active-protocols": 1,
    "layout.frame_rate": 20,
    # a tab in the background must behave like one in front
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
}


class BidiError(RuntimeError):
    """Firefox refused a command, or a script threw."""


class Bidi:
    """One session with one Firefox. `log` collects console lines and errors of all tabs."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.log: list[tuple[str, str]] = []

    async def read(self) -> None:
        """Wait until the connection ends."""
        async for frame in self._ws:
            message = json.loads(frame.data)
            future = self._waiting.pop(message.get("id", -1), None)
            if future is not None and not future.done():
                future.set_result(message)
            elif message.get("method") == "log.entryAdded":
                entry = message["params"]
                self.log.append((entry.get("source", {}).get("context", ""), entry.get("text") or ""))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BidiError("Firefox is gone"))

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; BidiError if it fails."""
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._ws.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(_ANSWER):
            answer = await future
        if answer.get("type") == "error":
            raise BidiError(f"{method}: {answer['error']}: {answer['message'][:400]}")
        result: dict[str, Any] = answer["result"]
        return result


class FirefoxTab:
    """One tab: the interface of `tests.web.browsers.Tab`."""

    def __init__(self, bidi: Bidi, context: str) -> None:
        self._bidi = bidi
        self.context = context

    async def before(self, script: str) -> None:
        """Run this in every document of the tab, before its own scripts."""
        await self._bidi.command(
            "script.addPreloadScript", functionDeclaration=f"() => {{ {script} }}", contexts=[self.context]
        )

    async def goto(self, url: str) -> None:
        await self._bidi.command("browsingContext.navigate", context=self.context, url=url, wait="complete")

    async def js(self, expression: str) -> Any:
        """The value of an expression, awaited, by way of JSON."""
        answer = await self._bidi.command(
            "script.evaluate",
            # caught in the page: BiDi does not report all kinds of errors, and the stack shows the place
            expression="(async () => { try { return JSON.stringify({ value: await ("
            + expression
            + ") }); } catch (e) { return JSON.stringify({ error: `${e} ${e.stack ?? ''}` }); } })()",
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise BidiError(answer["exceptionDetails"]["text"])
        result = json.loads(answer["result"]["value"])
        if "error" in result:
            raise BidiError(result["error"])
        return result.get("value")

    async def shot(self, path: Path) -> None:
        answer = await self._bidi.command("browsingContext.captureScreenshot", context=self.context)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))

    async def close(self) -> None:
        await self._bidi.command("browsingContext.close", context=self.context)

    def log(self) -> list[str]:
        """Console lines and errors so far."""
        return [text for context, text in self._bidi.log if context == self.context]


async def _address(process: asyncio.subprocess.Process) -> str:
    """Where it listens, from what it says when it starts."""
    assert process.stderr is not None
    said = []
    async for line in process.stderr:
        said.append(line.decode(errors="replace"))
        found = re.search(r"ws://[\w.:\[\]-]+", said[-1])
        if found:
            return found[0]
    raise BidiError("Firefox did not start: " + "".join(said[-5:]))


async def _drain(stream: asyncio.StreamReader) -> None:
    """Read the pipe, because a full one would stop Firefox."""
    while await stream.read(65_536):
        pass


@contextlib.asynccontextmanager
async def start(kept: Path | None = None, **preferences: Any) -> AsyncIterator[Bidi]:
    """A headless Firefox with a profile of its own: in the folder `kept`, or gone at the end."""
    with tempfile.TemporaryDirectory(prefix="snug-ff-", ignore_cleanup_errors=True) as passing:
        profile = passing if kept is None else str(kept)
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in (PREFERENCES | preferences).items()
        )
        await asyncio.to_thread(Path(profile, "user.js").write_text, "".join(lines))
        process = await asyncio.create_subprocess_exec(
            EXECUTABLE, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        tasks: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(_START):
                address = await _address(process)
            assert process.stderr is not None
            loop = asyncio.get_running_loop()
            tasks.append(loop.create_task(_drain(process.stderr)))
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(f"{address}/session", max_msg_size=0) as ws,
            ):
                bidi = Bidi(ws)
                tasks.append(loop.create_task(bidi.read()))
                await bidi.command("session.new", capabilities={})
                await bidi.command("session.subscribe", events=["log.entryAdded"])
                yield bidi
                with contextlib.suppress(BidiError, TimeoutError, ConnectionError):
                    await bidi.command("browser.close")
        finally:
            if process.returncode is None:
                try:
                    async with asyncio.timeout(5):
                        await process.wait()
                except TimeoutError:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def open_tab(bidi: Bidi, user: str = "default") -> FirefoxTab:
    """A tab of that user context: each has cookies and storage of its own."""
    answer = await bidi.command("browsingContext.create", type="tab", userContext=user)
    return FirefoxTab(bidi, answer["context"])
