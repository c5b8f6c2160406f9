"""The page as an app: what browsers need to install it, and the copy that a device keeps of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from snugroom.server import page
from tests.cli.processes import free_port, running
from tests.web.app_icons import ICONS, SOURCES, drawing
from tests.web.browsers import Browser, Chromium
from tests.web.test_comeback import goes
from tests.web.test_meeting import wait
from tests.web.test_page import INSTALLED, changed, copy_of, serving
from tests.web.visitor import HOSTING, Visitor, two_servers, until

IN_BROWSERS = pytest.mark.asyncio(loop_scope="session")


def size_of(png: bytes) -> tuple[int, int]:
    """The width and the height of a PNG image (RFC 2083 4.1.1)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_bundle_has_what_browsers_install(bundle: Path) -> None:
    files = page.load().files
    manifest = json.loads(files["app.webmanifest"].data)
    assert page.headers_of("app.webmanifest", [])["Content-Type"] == "application/manifest+json"
    assert (manifest["name"], manifest["display"]) == ("Snug", "standalone")
    assert {manifest["start_url"], manifest["scope"], manifest["id"]} == {"./"}, "at any origin"
    assert all(icon["src"] in files for icon in manifest["icons"])
    sizes = {icon["src"]: icon["sizes"] for icon in manifest["icons"]}
    for icon in ICONS:
        file = files[icon.name]
        assert page.headers_of(file.name, [])["Content-Type"] == "image/png"
        assert size_of(file.data) == (icon.size, icon.size)
        assert sizes[icon.name] == f"{icon.size}x{icon.size}"
        assert len(file.data) < 8_000
    html = files["index.html"].data.decode()
    assert '<link rel="manifest" href="app.webmanifest"' in html
    tokens = (SOURCES / "app/style/tokens.css").read_text(encoding="utf-8")
    ground = tokens.split("--back: light-dark(")[1].split(")")[0]
    light, dark = ground.split(", ")
    for colour, theme in ((light, "light"), (dark, "dark")):
        assert f'<meta name="theme-color" content="{colour}" media="(prefers-color-scheme: {theme})"' in html
    assert manifest["theme_color"] == manifest["background_color"] == dark


def test_the_service_worker_is_one_file(bundle: Path) -> None:
    """A service worker that imports others runs in no browser that wants a classic script."""
    script = page.load().files["service.js"].data.decode()
    assert "import" not in script
    assert "export" not in script


#: Whether a PNG file and the drawing on this ground differ by more than the edges of another release's lines.
_DIFFER = """async ([kept, drawing, size, ground]) => {
  const pixels = async (url, ground) => {
    const image = new Image(size, size);
    image.src = url;
    await image.decode();
    const ink = new OffscreenCanvas(size, size).getContext("2d");
    ink.fillStyle = ground;
    ink.fillRect(0, 0, size, size);
    ink.drawImage(image, 0, 0, size, size);
    return ink.getImageData(0, 0, size, size).data;
  };
  const drawn = `data:image/svg+xml,${encodeURIComponent(drawing)}`;
  const [a, b] = [await pixels(`data:image/png;base64,${kept}`, "transparent"), await pixels(drawn, ground)];
  const unlike = a.filter((value, at) => Math.abs(value - b[at]) > 32);
  return a.length !== b.length || unlike.length > a.length / 200;
}"""


@IN_BROWSERS
async def test_the_icons_show_what_the_drawing_shows(chromium: Chromium) -> None:
    blank = await chromium.browser.new_page()
    try:
        for icon in ICONS:
            kept = (SOURCES / icon.name).read_bytes()
            assert size_of(kept) == (icon.size, icon.size)
            asked = [base64.b64encode(kept).decode(), *drawing(icon)]
            advice = f"{icon.name}: run `python -m tests.web.app_icons`"
            assert not await blank.evaluate(_DIFFER, asked), advice
            other = [asked[0], *drawing(icon._replace(maskable=not icon.maskable))]
            assert await blank.evaluate(_DIFFER, other)
    finally:
        await blank.close()


async def heading(who: Visitor) -> Any:
    """The heading of the view, or null while the browser goes to another page."""
    try:
        return await who.tab.js("document.querySelector('h1')?.innerText")
    except Exception:
        return None


async def reload(who: Visitor) -> None:
    await who.tab.js("void setTimeout(() => location.reload())")


@IN_BROWSERS
async def test_an_installed_page_opens_without_its_server_and_asks_it_first(
    fresh: Browser, bundle: Path
) -> None:
    made = page.load()
    port = free_port()
    async with serving(made, port=port) as url:
        bo = await Visitor.at(fresh, url, "Bo")
        await bo.reads("Only the people in the room.")
        assert await bo.tab.js(INSTALLED) == [0, 0]
        # what browsers tell a page that a person has installed
        await bo.tab.js("void dispatchEvent(new Event('appinstalled'))")
        copy = await copy_of(bo)
        assert copy["name"] == f"snug-page-{made.hash}"
    await reload(bo)
    await until(lambda: _is(bo, "You are offline, or this server is"), "no page without the server")
    await bo.reads("does not answer")
    await bo.tab.js("void (window.before = true)")
    await bo.press("Try again")
    await until(lambda: _is_anew(bo), "nothing is tried again")
    await until(lambda: _is(bo, "You are offline, or this server is"), "no page without the server")
    # the server is back with another page, which the copy does not hide
    other = changed(made, "main.js", b"\n//another")
    async with serving(other, port=port):
        await bo.press("Try again")
        await until(lambda: _is(bo, "Only the people in the room."), "the server is not asked")
        assert (await bo.tab.js("fetch('main.js').then((file) => file.text())")).endswith("//another")
        # a copy of that one takes its place
        await bo.tab.js("void dispatchEvent(new Event('appinstalled'))")
        await until(lambda: _keeps(bo, other.hash), "the old copy is kept")
    async with another_program(port):
        await reload(bo)
        await until(lambda: _is(bo, "Something else"), "another program's page is hidden")
        await until(lambda: _left(bo), "the service worker stays where it has no business")


@contextlib.asynccontextmanager
async def another_program(port: int) -> AsyncIterator[None]:
    """Serve another program's page."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<h1>Something else</h1>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _left(who: Visitor) -> bool:
    return bool(await who.tab.js(INSTALLED) == [0, 0])


async def _is(who: Visitor, words: str) -> bool:
    return bool(await heading(who) == words)


async def _is_anew(who: Visitor) -> bool:
    """Whether the browser has loaded a page since `window.before` was set."""
    try:
        return not await who.tab.js("window.before")
    except Exception:  # it is on its way
        return False


async def _keeps(who: Visitor, digits: str) -> bool:
    return bool(await who.tab.js("caches.keys()") == [f"snug-page-{digits}"])


@IN_BROWSERS
async def test_a_damaged_copy_is_not_shown(chromium: Browser, bundle: Path) -> None:
    async with chromium.fresh() as browser:
        async with serving(page.load()) as url:
            bo = await Visitor.at(browser, url, "Bo")
            await bo.reads("Only the people in the room.")
            await bo.tab.js("void dispatchEvent(new Event('appinstalled'))")
            await copy_of(bo)
            await bo.tab.js(
                "caches.keys().then(([name]) => caches.open(name)).then((cache) => "
                "cache.put('main.js', new Response('document.title = \"evil\"')))"
            )
        with pytest.raises(Exception, match="ERR_"):
            await bo.tab.goto(url)


@pytest.mark.parametrize("which", ["chromium", "firefox"])
@IN_BROWSERS
async def test_a_reload_at_a_dead_server_leads_to_the_meeting_at_the_next(
    which: str, chromium: Browser, firefox: Browser, bundle: Path, tmp_path: Path
) -> None:
    started = chromium if which == "chromium" else firefox
    with (
        two_servers(tmp_path) as (killed, first, second),
        running(*HOSTING, "--server", first, "--server", second) as host,
        contextlib.ExitStack() as stack,
    ):
        link = (await wait(host, "invite"))["link"]
        stack.enter_context(running("join", link, "--name", "Bo", "--json"))
        # at a further server, more than half of the members let somebody back in (M4)
        async with started.fresh() as browser:
            ada = await Visitor.at(browser, link, "Ada")
            await ada.knock()
            await ada.here("Bo", "Cem")
            await copy_of(ada)
            killed.signal(signal.SIGKILL)
            await asyncio.to_thread(killed.status)
            await ada.panel("chat", "Chat")
            await ada.reads(f"The meeting goes on at {second}.")
            await goes(ada, "location.reload()")
            await ada.here("Bo", "Cem")
            await ada.say("from a page without a server")
            await wait(host, "chat", lambda e: e["text"] == "from a page without a server")
            await ada.clean()
            host.send({"end": True})
            await asyncio.to_thread(host.status)
