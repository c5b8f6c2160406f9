"""Stories, which are views in prepared states: built, served on loopback, shown in Chromium.

A story is a fake `Model` (tests/web/stories/*.tsx). They are served under the policy of the product's page.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

from playwright.async_api import Browser, Page

from tests.interop.ts_setup import ensure_installed
from tests.web.browsers import chromium

HERE: Final = Path(__file__).parent / "stories"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")


class Screen(NamedTuple):
    """A size in CSS pixels."""

    name: str
    width: int
    height: int


PHONE: Final = Screen("phone", 390, 844)
WIDE: Final = Screen("wide", 1440, 900)
SCREENS: Final = (PHONE, WIDE)
#: A phone on its side: looked at by tests of its own, and in screenshots.
LANDSCAPE: Final = Screen("landscape", 844, 390)


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Builds the stories and serves them; their address."""
    with tempfile.TemporaryDirectory(prefix="snug-stories-") as out:
        subprocess.run([ensure_installed().node, str(HERE / "build.mjs"), out], check=True)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=out))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


async def asked(page: Page) -> list[Any]:
    """The views' requests to the store, without those that they make by themselves."""
    every: list[Any] = await page.evaluate("JSON.parse(JSON.stringify(window.asked))")
    return [one for one in every if one[0] not in ("refreshInvites", "measured")]


async def see(page: Page, expression: str, seconds: float = 90.0) -> Any:
    """The value of a JavaScript expression, once it is true.

    Playwright's own `wait_for_function` polls by `eval` in the page, which our policy forbids: it fails
    whenever the condition is not true at once.
    """
    value = None
    try:
        async with asyncio.timeout(seconds):
            while not (value := await page.evaluate(expression)):  # noqa: ASYNC110 - the page's inside
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{expression} is still {value!r}") from None
    return value


async def settled(page: Page) -> None:
    """Wait for the page's effects, which run in the frame after a change."""
    frame = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
    await page.evaluate(f"{frame}.then(() => {frame})")


#: JavaScript: the label of the element that has the focus, or its text.
_FOCUSED: Final = (
    "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.trim())"
)


async def focused(page: Page) -> str:
    """Return the label of the element that has the focus, or its text."""
    return str(await page.evaluate(_FOCUSED))


async def see_focus(page: Page, words: str) -> None:
    """Wait until the focus is on the element with that label or text: a view moves it in a later frame."""
    await see(page, f"{_FOCUSED} === {json.dumps(words)}")


async def submit(page: Page, button: str) -> None:
    """Press a form's button by the keyboard, once it is enabled.

    A click on one of these does not end now and then in Chromium under load: Playwright then waits for 30 s.
    """
    await page.press(f"{button}:enabled", "Enter")


class Book:
    """The stories, open in Chromium. Their pictures are `small` where only a test looks at them."""

    def __init__(self, browser: Browser, address: str, *, small: bool = True) -> None:
        self._browser = browser
        self._address = address
        self._wish = {"small": ""} if small else {}
        self._free: defaultdict[Screen, list[Page]] = defaultdict(list)

    @contextlib.asynccontextmanager
    async def page(self, screen: Screen, theme: Theme) -> AsyncIterator[Page]:
        """A page of that size; whatever goes wrong in it is raised at its end. Others use it afterwards."""
        if self._free[screen]:
            page = self._free[screen].pop()
        else:
            context = await self._browser.new_context(
                viewport={"width": screen.width, "height": screen.height},
                timezone_id="UTC",
                locale="en-GB",
                has_touch=screen in (PHONE, LANDSCAPE),
            )
            page = await context.new_page()
        wrong: list[str] = []
        listeners: dict[str, Callable[..., None]] = {
            "pageerror": lambda error: wrong.append(str(error)),
            "console": lambda line: wrong.append(line.text) if line.type == "error" else None,
        }
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await page.set_viewport_size({"width": screen.width, "height": screen.height})
        for event, listen in listeners.items():
            page.on(event, listen)  # type: ignore[call-overload]  # of each event by its name
        try:
            yield page
        except BaseException:
            await page.context.close()  # nobody else gets it as it is
            raise
        await page.goto("about:blank")
        for event, listen in listeners.items():
            page.remove_listener(event, listen)
        self._free[screen].append(page)
        if wrong:
            raise AssertionError("the page complained:\n" + "\n".join(wrong))

    async def names(self, part: str = "") -> list[str]:
        """The names of the stories that contain `part`."""
        async with self.page(WIDE, "light") as page:
            await page.goto(self._address)
            await page.evaluate("window.drawn")
            names: list[str] = await page.evaluate("window.stories")
        if len(set(names)) != len(names):
            raise AssertionError("two stories have one name")
        return [name for name in names if part in name]

    async def show(self, page: Page, story: str, *, language: str = "en") -> None:
        """Goes to a story, and waits until it is drawn."""
        wish = {"story": story, "language": language, **self._wish}
        await page.goto(f"{self._address}?{urlencode(wish)}")
        await page.evaluate("window.drawn")

    async def turn(self, page: Page, story: str, *, language: str = "en") -> None:
        """The same without a new page, where one story is on it already: faster for a test of all stories."""
        if page.url.startswith(self._address):
            await page.evaluate("([story, language]) => window.turn(story, language)", [story, language])
        else:
            await self.show(page, story, language=language)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Book]:
    """Builds, serves, and starts a browser, for people who look at them."""
    with served() as address:
        async with chromium() as made:
            yield Book(made.browser, address, small=False)
