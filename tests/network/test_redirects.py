"""No program follows an HTTP redirect: a server must not choose the next address that a machine asks."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from snugroom.client import failures
from snugroom.client.cli import served_page
from snugroom.client.connection import Clock, Connection
from snugroom.client.proxy import Proxy, http_client
from snugroom.client.reachable import answers
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.tokens import UnreachableError, exchange
from snugroom.crypto.entry.voucher import Voucher
from snugroom.server.doctor import probe_meeting, probe_web
from snugroom.server.page import Bundle
from snugroom.wire.outgoing import RedirectedError, http_session
from tests.network.forward_proxy import ForwardProxy, Kind

ROOT: Final = Path(__file__).parents[2]
STATUSES: Final = (301, 302, 303, 307, 308)
OUTGOING: Final = "wire/outgoing.py"


class Servers:
    """One that redirects all requests to the other, which counts them."""

    def __init__(self) -> None:
        self.url = self.target = ""
        self.status = 301
        self.asked: list[str] = []
        self.hits: list[str] = []

    async def redirect(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.Response(status=self.status, headers={"Location": self.target + request.path})

    async def hit(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(request.path)
        return web.json_response({"ok": True})


@contextlib.asynccontextmanager
async def listening(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    both = Servers()
    async with listening(both.hit) as both.target, listening(both.redirect) as both.url:
        yield both


@contextlib.contextmanager
def through(kind: Kind | None) -> Any:
    """A proxy of that kind; none for a direct connection."""
    if kind is None:
        yield None
    else:
        with ForwardProxy(kind) as proxy:
            yield Proxy(kind, "127.0.0.1", proxy.port)


async def refused(work: Awaitable[object]) -> int:
    with pytest.raises(RedirectedError) as caught:
        await work
    return caught.value.status


@pytest.mark.parametrize("kind", [None, "http", "socks5"])
async def test_neither_a_websocket_nor_a_request_is_led_elsewhere(
    servers: Servers, kind: Kind | None
) -> None:
    with through(kind) as proxy:
        for servers.status in STATUSES:
            async with http_client(proxy) as http:
                assert await refused(http.ws_connect(f"{servers.url}/ws")) == servers.status
                assert await refused(http.get(f"{servers.url}/get")) == servers.status
                assert await refused(http.post(f"{servers.url}/post", data=b"x")) == servers.status
                assert await refused(http.head(f"{servers.url}/head")) == servers.status
    assert set(servers.asked) == {"/ws", "/get", "/post", "/head"}
    assert len(servers.asked) == 4 * len(STATUSES)
    assert servers.hits == []


async def test_every_program_says_that_it_was_redirected(servers: Servers) -> None:
    servers.status = status = 307
    told: list[ev.Event] = []
    clock = Clock()
    session = Session.host(origin=servers.url, name="Ada", now=clock())
    connection = Connection(session, make_engine=lambda *_: None, on_event=told.append, clock=clock)
    running = connection.run()
    lost = await _first_loss(connection, running)
    sentence = failures.reason(RedirectedError(status))
    assert lost.why == sentence
    assert sentence.key == "terminal.redirects"
    assert str(status) in sentence
    assert lost.answered, "a server that redirects is not down"

    assert await answers(servers.url)
    with pytest.raises(UnreachableError) as caught:
        await exchange(servers.url, Voucher.__new__(Voucher))
    assert caught.value.why == sentence
    found = await served_page.fetch_all(servers.url, Bundle({}, ""))
    assert {answer.status for answers in found.values() for answer in answers.values()} == {status}
    assert any(
        "sends a browser to" in what for what in served_page.judge(servers.url, Bundle({}, ""), found).differs
    )

    async with http_session() as http:
        assert (await probe_web.page(http, servers.url)).status == status
        async with probe_meeting.visit(http, servers.url) as visit:
            assert visit.signaling.status == status
    assert {"/ws", "/", "/healthz", "/manifest.json"} <= set(servers.asked)
    assert servers.hits == []


async def _first_loss(connection: Connection, running: Any) -> ev.Lost:
    """Run until the first connection is lost; return how."""
    found: list[ev.Lost] = []
    feed = connection.feed

    def spy(what: ev.Input) -> None:
        if isinstance(what, ev.Lost) and not found:
            found.append(what)
            what = ev.Leave()
        feed(what)

    connection.feed = spy  # type: ignore[method-assign]
    await running
    return found[0]


# -- that there is no other way ---------------------------------------------------------------------

#: Calls that make an HTTP request without `http_session`.
MODULES: Final = {"urllib.request", "http.client", "urllib3", "requests", "httpx"}
NAMES: Final = {"ClientSession", "request", "BaseConnector"}


def ways(tree: ast.AST) -> list[str]:
    """Return what in a module makes HTTP requests by itself, or takes the refusal away."""
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [each.name for each in names if each.name in MODULES]
            case ast.ImportFrom(module=module, names=names):
                found += [f"{module}" for _ in [0] if module in MODULES]
                if module == "aiohttp":
                    found += [each.name for each in names if each.name in NAMES]
                found += [f"{module}.{n.name}" for n in names if f"{module}.{n.name}" in MODULES]
            case ast.Call(func=ast.Attribute(attr="Application")):
                pass  # a server's middlewares
            case ast.Call(func=function, keywords=keywords):
                if ast.unparse(function) in {f"aiohttp.{name}" for name in NAMES}:
                    found.append(ast.unparse(function))
                found += [k.arg for k in keywords if k.arg in ("middlewares", "allow_redirects")]
    return found


def test_http_clients_are_made_in_one_place() -> None:
    files = [
        path
        for folder in ("client", "server", "crypto", "wire", "lab", "snugroom/testing", "packaging")
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    ]
    found = {
        str(path.relative_to(ROOT)): each
        for path in files
        if (each := ways(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {OUTGOING: ["aiohttp.ClientSession", "middlewares"]}
    assert len(files) > 300


def test_the_look_finds_every_other_way() -> None:
    for code in (
        "import aiohttp\naiohttp.ClientSession()",
        "import aiohttp\nasync with aiohttp.request('GET', x): pass".replace("async ", ""),
        "from aiohttp import ClientSession",
        "import urllib.request",
        "from urllib import request",
        "from http.client import HTTPConnection",
        "http.ws_connect(url, middlewares=())",
        "http.get(url, allow_redirects=True)",
    ):
        assert ways(ast.parse(code)), code


def calls(text: str) -> list[str]:
    """Return the arguments of each call of the browser's `fetch`."""
    found = []
    for call in re.finditer(r"(?<![.\w#])fetch\((?!request: )", text):
        depth, end = 1, call.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[call.end() : end - 1])
    return found


def test_the_page_follows_none_either() -> None:
    """Browsers follow none for a WebSocket. What a person opens is the browser's matter."""
    source = ROOT / "client" / "web" / "src"
    found = [
        (str(path.relative_to(source)), call)
        for path in source.rglob("*.ts*")
        for call in calls(path.read_text(encoding="utf-8"))
    ]
    follow = [each for each in found if not re.search(r'redirect: "(error|manual)"', each[1])]
    assert follow == [("service/main.ts", "request")]
    assert len(found) > 12
