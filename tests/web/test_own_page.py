"""The page's edges in real browsers: other programs and sites on its machine, hostile servers and members."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from playwright.async_api import Error as PlaywrightError

from snugroom.client.connection import SessionCrypto
from snugroom.client.media.codec import is_key_frame
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.crypto.media.keys import OpenedFrame
from snugroom.lab.attacks.operator import OperatorError
from snugroom.lab.attacks.stage import room_of, staged
from snugroom.server import page
from snugroom.wire.messages import MediaKind
from tests.cli.processes import free_port, running
from tests.web import browsers
from tests.web.bidi import BidiError
from tests.web.browsers import Browser, Chromium, Name
from tests.web.storybook import WIDE, Book
from tests.web.test_page import own_page
from tests.web.visitor import Visitor, meeting_server, until

IN_BROWSERS: Final = pytest.mark.asyncio(loop_scope="session")
WORKER: Final = """
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(
  new Response("<title>stolen</title>", { headers: { "Content-Type": "text/html" } })));
"""
REGISTER: Final = (
    "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => 1)"
)


@contextlib.asynccontextmanager
async def program(port: int, pages: dict[str, tuple[str, str]]) -> AsyncIterator[str]:
    """Another program on this machine: paths with their types and contents. Its URL."""
    app = web.Application()
    for path, (kind, text) in pages.items():
        app.router.add_get(path, _answering(kind, text))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _answering(kind: str, text: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return answer


# -- other programs and sites on this machine ------------------------------------------------------------


@IN_BROWSERS
async def test_a_program_that_had_the_port_before_does_not_own_the_page(
    fresh: Browser, bundle: Path, tmp_path: Path
) -> None:
    port = free_port()
    pages = {"/": ("text/html", "<title>before</title>"), "/sw.js": ("text/javascript", WORKER)}
    tab = await fresh.tab()
    async with program(port, pages) as url:
        for origin in (url, f"http://localhost:{port}"):
            await tab.goto(f"{origin}/")
            assert await tab.js(REGISTER) == 1
    await tab.goto(f"{url}/")
    assert await tab.js("document.title") == "stolen", "its worker lives on at its own origin"
    with meeting_server(tmp_path) as (_, server), running("host", "--server", server, "--json") as host:
        link = (await asyncio.to_thread(host.wait, "invite"))["link"]
        with own_page(link, port=port) as (_, address):
            bo = await Visitor.at(fresh, address, "Bo")
            await bo.reads("Before you knock")
            await bo.reads("This page comes from your own machine")
            assert await bo.tab.js("navigator.serviceWorker.controller === null") is True
            assert await bo.tab.js("isSecureContext") is True
            await bo.clean()


@IN_BROWSERS
async def test_another_site_cannot_tell_that_the_page_is_served(fresh: Browser, bundle: Path) -> None:
    """It gets the same from every path, existing or not, and from a host that has the right name or not."""
    looks = """Promise.all(URLS.map(async (url) => {
      const outcome = (make) => new Promise((done) => { const e = make(); e.onload = () => done("load");
        e.onerror = () => done("error"); document.body.append(e); });
      return [
        await fetch(url, { mode: "no-cors" }).then(() => "answer", () => "error"),
        await fetch(url).then(() => "answer", () => "error"),
        await outcome(() => Object.assign(new Image(), { src: url })),
        await outcome(() => Object.assign(document.createElement("script"), { src: url })),
        await outcome(() => Object.assign(document.createElement("link"), { rel: "stylesheet", href: url })),
      ].join(" ");
    })).then((all) => [...new Set(all)])"""
    async with program(0, {"/": ("text/html", "<body></body>")}) as site:
        with own_page("--server", "https://meet.example") as (_, address):
            origin = address.partition("/#")[0]
            port = origin.rpartition(":")[2]
            origins = [origin, f"http://127.0.0.1:{port}", f"http://localhost:{port}"]
            urls = [one + path for one in origins for path in ("/", "/where.json", "/main.js", "/nothing")]
            tab = await fresh.tab()
            await tab.goto(f"{site}/")
            assert await tab.js(looks.replace("URLS", json.dumps(urls))) == ["error error error error error"]


# -- the link ----------------------------------------------------------------------------------------------


@IN_BROWSERS
async def test_an_address_gives_its_link_once(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    with meeting_server(tmp_path) as (_, url), running("host", "--server", url, "--json") as host:
        link = (await asyncio.to_thread(host.wait, "invite"))["link"]
        with own_page(link) as (_, address):
            assert link.split("#")[1] not in address
            first = await Visitor.at(fresh, address, "Bo")
            await first.reads("Before you knock")
            assert await first.tab.js("location.href") == f"{address.split('#')[0]}"
            second = await Visitor.at(fresh, address, "Cem")
            await second.reads("This address has been used: it gives the link once.")
            await second.reads("If nobody here has used it, another program has the link")


@IN_BROWSERS
async def test_the_link_leaves_the_address_although_the_server_answers_nothing_else(
    fresh: Browser, bundle: Path
) -> None:
    files, stop = page.load().files, asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        name = request.path.removeprefix("/") or "index.html"
        if name not in ("index.html", "address.js"):
            await stop.wait()
        if name not in files:
            raise web.HTTPNotFound
        return web.Response(body=files[name].data, headers=page.headers_of(name, []))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tab = await fresh.tab()
    opening = asyncio.ensure_future(tab.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/#2secret"))

    async def clean() -> bool:
        with contextlib.suppress(PlaywrightError, BidiError):  # between two documents
            return bool(await tab.js("location.port !== '' && location.href.endsWith('/')"))
        return False

    try:
        await until(clean, "the link is there")
    finally:
        stop.set()
        await asyncio.gather(opening, return_exceptions=True)
        await runner.cleanup()


def found(folder: Path, secret: str) -> list[str]:
    """The files below a folder that contain the text in either of a browser's encodings."""
    needles = (secret.encode(), secret.encode("utf-16-le"))
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and any(n in path.read_bytes() for n in needles)
    ]


async def test_a_browsers_profile_keeps_a_servers_link_and_not_that_of_ones_own_page(
    name: Name, bundle: Path, tmp_path: Path
) -> None:
    """The first half shows that the search finds, and what a browser keeps of links to servers."""
    config, profile = tmp_path / "server", tmp_path / "profile"
    config.mkdir()
    with (
        meeting_server(config) as (_, url),
        running("host", "--server", url, "--json", "--invite", "Bo") as host,
    ):
        first, second = (await asyncio.to_thread(_links, host))[:2]
        with own_page(second) as (_, address):
            start = browsers.chromium_profile if name == "chromium" else browsers.firefox_profile
            async with start(profile) as browser:
                for place in (first, address):
                    visitor = await Visitor.at(browser, place, "Bo")
                    await visitor.reads("Before you knock")
                    assert await visitor.tab.js("location.hash") == ""
                # browsers write their history a little later
                await asyncio.sleep(3.0)
    secrets_of = [link.split("#")[1] for link in (first, second)]
    assert await asyncio.to_thread(found, profile, secrets_of[0]), (
        "a browser keeps the address of a server's link"
    )
    assert await asyncio.to_thread(found, profile, secrets_of[1]) == []
    assert await asyncio.to_thread(found, profile, address.split("#")[0]), "and that of one's own page"


def _links(host: Any) -> list[str]:
    host.wait("invite", lambda event: event["label"] == "Bo")
    return [event["link"] for event in host.events("invite")]


# -- a hostile server ---------------------------------------------------------------------------------------


@IN_BROWSERS
@pytest.mark.parametrize("host", ["127.0.0.1", f"{'a2' * 13}.localhost"])
async def test_no_server_can_say_that_it_is_ones_own_machine(fresh: Browser, bundle: Path, host: str) -> None:
    """The page as it is, a claim, and an address that looks like one's own, as through a tunnel."""

    async def claim(_: web.Request) -> web.Response:
        return web.json_response({"origin": None, "own": True, "lecture": False, "peers": []})

    async def proof(_: web.Request) -> web.Response:
        return web.Response(text="0" * 64)

    app = web.Application()
    app.add_routes([web.get("/where.json", claim), web.post("/proof", proof)])
    app.add_routes(page.routes(page.load(), where={}))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        address = f"http://{host}:{runner.addresses[0][1]}/#own-{'k' * 22}"
        bo = await Visitor.at(fresh, address, "Bo")
        await bo.reads("no proof that your machine serves it" if "localhost" in host else "could change it")
        assert not await bo.tab.js("probe.says('comes from your own machine')")
        await bo.tab.js("void document.querySelector('.about summary').click()")
        await bo.reads("snug verify-page")
    finally:
        await runner.cleanup()


@IN_BROWSERS
async def test_a_server_that_shuts_one_out_is_told_of_although_no_page_of_it_is_open(
    chromium: Chromium, bundle: Path
) -> None:
    """The scene `shut_out` of the lab, behind `snug page`; test_stalled_networks.py has how soon."""
    async with chromium.fresh() as browser, staged(["Ada", "Bo"]) as stage:
        ada = stage.open("Ada")
        await stage.need(lambda: bool(ada.links), "no link")
        with own_page(stage.link) as (_, address):
            bo = await Visitor.at(browser, address, "Bo")
            await bo.knock()
            await bo.reads("2 people here")

            async def shut_out() -> bool:
                with contextlib.suppress(OperatorError):  # Bo's page may just be connecting again
                    await stage.act("shut_out", victim=2)
                    return True
                return False

            await until(shut_out, "the server has a connection of Bo's")
            await bo.reads("Either the server keeps you out, or the network on the way")
            assert not await bo.tab.js("probe.says('the server may be down')")
            await stage.operator.end("shut_out")


# -- hostile members ----------------------------------------------------------------------------------------


class Huge:
    """Seals key frames that claim 16383 x 16383 pixels."""

    def __init__(self, inner: SessionCrypto) -> None:
        self._inner = inner

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        if kind == "video" and is_key_frame(frame):
            frame = frame[:6] + b"\xff\x3f\xff\x3f" + frame[10:]
        return self._inner.seal(kind, frame, layer)

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> OpenedFrame:
        return self._inner.open(ssrc, kind, data)


def png(width: int, height: int) -> bytes:
    """A black PNG of one bit per pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + bytes([1, 0, 0, 0, 0])
    lines = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


#: Counts the addresses of blobs that are alive.
COUNT_BLOBS: Final = """
window.blobs = new Set();
const make = URL.createObjectURL.bind(URL), free = URL.revokeObjectURL.bind(URL);
URL.createObjectURL = (blob) => { const url = make(blob); blobs.add(url); return url; };
URL.revokeObjectURL = (url) => { blobs.delete(url); free(url); };
"""


#: Whether the decoder has received frames of one of two video streams, and none of the other.
FRAMES: Final = """Promise.all(probe.peers.map((peer) => peer.getStats())).then((all) => {
  const streams = all.flatMap((stats) => [...stats.values()])
    .filter((one) => one.type === "inbound-rtp" && one.kind === "video" && one.packetsReceived > 60);
  const frames = streams.map(({ framesReceived }) => framesReceived ?? 0).sort((a, b) => a - b);
  return frames.length === 2 && frames[0] === 0 && frames[1] > 20;
})"""


@IN_BROWSERS
async def test_what_members_send_takes_no_more_memory_than_it_may(chromium: Chromium, bundle: Path) -> None:
    async with chromium.fresh() as browser, staged(["Ada", "Bo", "Mallory"]) as stage:
        ada = stage.open("Ada")
        await stage.need(lambda: bool(ada.links), "no link")
        mallory = stage.knock("Mallory", honest=False, make_crypto=lambda _, crypto: Huge(crypto))
        await stage.need(lambda: ada.roster == {"Ada", "Mallory"}, "Mallory is not in")
        bo = await Visitor.at(
            browser, stage.operator.url + "/#" + stage.link.split("#")[1], "Bo", None, COUNT_BLOBS
        )
        await bo.knock()
        await bo.reads("3 people here")
        # the decoder gets Ada's frames, and none of Mallory's
        await until(lambda: bo.tab.js(FRAMES), "one stream gets to the decoder, and one does not")
        await bo.panel("chat", "Chat")
        room = room_of(mallory.session)
        for size in ((16_000, 16_000), (64, 48)):
            image = content.Image(secrets.token_bytes(16), "image/png", png(*size))
            room.post(image, mallory.connection.clock())
        mallory.do(ev.Tick())
        await bo.reads("An image from \u201cMallory\u201d is not shown: it claims 16,000 x 16,000 pixels")
        pictures = "[...document.querySelectorAll('.chat-picture img')].map((one) => one.naturalWidth).join()"
        await until(lambda: bo.tab.js(f"{pictures} === '64'"), "the small one is shown")
        # a file has no address before somebody wants it
        mallory.do(ev.SendFile("", "plan.txt", "text/plain", os.urandom(2000)))
        await bo.reads("plan.txt")
        await until(lambda: bo.tab.js("!!document.querySelector('.chat-file .button')"), "it has come")
        assert await bo.tab.js("blobs.size") == 1
        await bo.press("Save plan.txt")
        assert await bo.tab.js("blobs.size") == 2
        await bo.press("Leave")
        await bo.reads("You have left")
        await until(
            lambda: bo.tab.js("blobs.size <= 1"), "the image is freed; the saved file is a minute later"
        )


@IN_BROWSERS
async def test_piled_marks_cover_no_other_line(book: Book) -> None:
    """Hundreds of marks on one letter are painted within their own paragraph."""
    async with book.page(WIDE, "light") as page:
        await book.show(page, "room-chat-marks")
        neighbours = page.locator(
            ".chat-line:nth-child(odd), .chat-line .chat-head, .panel-head, .composer .note, .chat-file .note"
        )

        async def pictures() -> list[bytes]:
            return [await neighbours.nth(at).screenshot() for at in range(await neighbours.count())]

        piled = await pictures()
        assert len(piled) >= 9
        removed = await page.evaluate(
            """() => {
              let removed = 0;
              const lines = document.querySelector(".chat-lines");
              const walker = document.createTreeWalker(lines, NodeFilter.SHOW_TEXT);
              for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
                const plain = node.data.replaceAll(/\\p{M}/gu, "");
                removed += node.data.length - plain.length;
                node.data = plain;
              }
              return removed;
            }"""
        )
        assert removed == 1200
        assert piled == await pictures()
