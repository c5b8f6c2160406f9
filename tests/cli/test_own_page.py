"""`snug page`'s own origin: its name, its addresses, whom it answers, its link, its question to a server."""

from __future__ import annotations

import contextlib
import hmac
import json
import re
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from aiohttp import web

from snugroom.client.cli import own_page
from snugroom.client.cli.own_page import OwnPage, kept_name, new_name
from snugroom.server import page

LINK: Final = "https://meet.example/#2abc"
#: What a browser sends with the page's own requests, with a request of another site, and with a click there.
OWN: Final = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
OTHER: Final = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
CLICK: Final = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the name."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "snug" / "page-name"


def small() -> page.Bundle:
    return page.Bundle({"index.html": page.File("index.html", b"<!doctype html>", "0" * 64, b"")}, "0" * 64)


class Place:
    """A page that listens, and a program on this machine that asks it."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        before, _, self.fragment = address.partition("#")
        self.host = before.removeprefix("http://").removesuffix("/")
        self.port = int(self.host.partition(":")[2])
        self._http = http

    def mac(self, purpose: str, nonce: str = "") -> str:
        """What the page, which knows the key in its address, computes."""
        key = self.fragment.partition("-")[2].encode()
        return hmac.digest(key, f"snug {purpose}\nhttp://{self.host}\n{nonce}".encode(), "sha256").hex()

    async def ask(
        self,
        path: str,
        told: Mapping[str, str] = OWN,
        body: str | None = None,
        *,
        host: str | None = None,
        at: str = "127.0.0.1",
    ) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer; the browser's resolver is left out."""
        async with self._http.request(
            "GET" if body is None else "POST",
            f"http://{at}:{self.port}{path}",
            data=body,
            headers={"Host": host or self.host, **told},
        ) as answer:
            return answer.status, await answer.text(), dict(answer.headers)


@contextlib.asynccontextmanager
async def listening(
    origin: str | None = None, link: str | None = None, port: int = 0
) -> AsyncIterator[Place]:
    further = "https://other.example" if origin and origin.startswith("https") else "http://127.0.0.1:1"
    own = OwnPage(small(), origin, link, servers=[] if origin is None else [further])
    address = await own.start(port)
    try:
        async with aiohttp.ClientSession() as http:
            yield Place(address, http)
    finally:
        await own.close()


# -- the name --------------------------------------------------------------------------------------


def test_the_name_stays_and_only_its_user_can_read_it(state: Path) -> None:
    name = kept_name()
    assert re.fullmatch("[a-z2-7]{26}", name)
    assert kept_name() == name
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert [path.name for path in state.parent.iterdir()] == ["page-name"]


def test_a_name_that_others_could_know_is_replaced(state: Path, tmp_path: Path) -> None:
    name = kept_name()
    state.chmod(0o644)
    assert kept_name() != name
    state.write_text("www")
    assert kept_name() != "www"
    other = tmp_path / "elsewhere"
    other.write_text(name)
    other.chmod(0o600)
    state.unlink()
    state.symlink_to(other)
    assert kept_name() != name


def test_without_a_place_to_keep_it_there_is_a_name_for_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    assert kept_name() != kept_name()
    assert len(new_name()) == 26


async def test_a_port_that_somebody_else_had_costs_the_name(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser with an old tab may have asked that program for the page, by its name."""
    async with listening() as first:
        pass
    with socket.create_server(("127.0.0.1", first.port)):
        monkeypatch.setattr(own_page, "PORT", first.port)
        own = OwnPage(small(), None)
        address = await own.start()
        await own.close()
        assert f":{first.port}/" not in address
        assert first.host.partition(":")[0] not in address
        with pytest.raises(OSError, match="in use"):
            await OwnPage(small(), None).start(first.port)


async def test_nobody_else_can_have_the_other_loopback_address() -> None:
    """Browsers try both addresses for a name below `localhost`, and ::1 first."""
    async with listening() as place:
        assert (await place.ask("/", at="[::1]"))[0] == 200
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with pytest.raises(OSError, match="in use"):
                socket.create_server((host, place.port), family=family)
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        await OwnPage(small(), None).start(taken.getsockname()[1])


# -- whom it answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "evil.example", "x.localhost"])
async def test_another_host_is_told_nothing(host: str) -> None:
    async with listening("https://meet.example") as place:
        assert (await place.ask("/where.json"))[0] == 200
        for path in ("/", "/where.json", "/nothing"):
            status, text, _ = await place.ask(path, host=f"{host}:{place.port}")
            assert (status, text) == (421, "open the address that Snug printed\n")


@pytest.mark.parametrize("path", ["/", "/where.json", "/nothing", "/link"])
async def test_another_site_is_told_nothing_and_may_open_the_page(path: str) -> None:
    async with listening("https://meet.example") as place:
        for site in ("cross-site", "same-site"):
            assert (await place.ask(path, {**OTHER, "Sec-Fetch-Site": site}))[0] == 403
            framed = {**CLICK, "Sec-Fetch-Site": site, "Sec-Fetch-Dest": "iframe"}
            assert (await place.ask(path, framed))[0] == 403
        assert (await place.ask("/", CLICK))[0] == 200


async def test_every_answer_has_the_same_headers() -> None:
    async with listening("https://meet.example", LINK) as place:
        answers = [
            await place.ask("/"),
            await place.ask("/nothing"),
            await place.ask("/link"),
            await place.ask("/", host="evil.example"),
            await place.ask("/", OTHER),
            await place.ask("/link", body="wrong"),
        ]
        assert {status for status, _, _ in answers} == {200, 404, 405, 421, 403, 410}
        wanted = page.headers(
            page.sockets(each) for each in ("https://meet.example", "https://other.example")
        )
        for _, _, headers in answers:
            assert wanted.items() <= headers.items()


# -- the link ---------------------------------------------------------------------------------------


async def test_the_address_has_no_link_and_gives_it_once() -> None:
    async with listening("https://meet.example", LINK) as place:
        assert re.fullmatch(r"once-[\w-]{22}", place.fragment)
        shown = place.mac("link")
        for told in (OTHER, CLICK, {**OWN, "Sec-Fetch-Site": "none"}, {}):
            assert (await place.ask("/link", told, shown))[0] == 403
        for wrong in ("x" * 64, place.fragment.removeprefix("once-"), place.mac("page")):
            assert (await place.ask("/link", body=wrong))[0] == 410
        status, text, headers = await place.ask("/link", body=shown)
        assert (status, text, headers["Cache-Control"]) == (200, LINK, "no-store")
        assert (await place.ask("/link", body=shown))[0] == 410


async def test_without_a_link_there_is_nothing_to_hand_over() -> None:
    async with listening("https://meet.example") as place:
        assert re.fullmatch(r"own-[\w-]{22}", place.fragment)
        assert (await place.ask("/link", body=place.mac("link")))[0] == 410


@pytest.mark.parametrize("link", [None, LINK])
async def test_it_proves_to_the_page_that_it_printed_the_address(link: str | None) -> None:
    nonce = "0f" * 16
    async with listening("https://meet.example", link) as place:
        status, text, headers = await place.ask("/proof", body=nonce)
        assert (status, text, headers["Cache-Control"]) == (200, place.mac("page", nonce), "no-store")
        for wrong in ("", nonce[1:], nonce.upper(), nonce + "00", "\xff" * 32):
            assert (await place.ask("/proof", body=wrong))[0] == 400
        for told in (OTHER, CLICK, {}):
            assert (await place.ask("/proof", told, nonce))[0] == 403
        assert "own" not in json.loads((await place.ask("/where.json"))[1])


# -- the question -----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def answering(status: int) -> AsyncIterator[str]:
    """A server that answers every request with this status; its origin."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/"} if status == 302 else {})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("status", "there"), [(200, "true"), (403, "true"), (302, "true"), (503, "false")])
async def test_it_says_whether_its_server_answers(status: int, there: str) -> None:
    async with answering(status) as origin, listening(origin) as place:
        assert (await place.ask("/answers", body=origin))[:2] == (200, there)
        assert (await place.ask("/answers", body="https://other.example"))[0] == 403
        assert (await place.ask("/answers", body="http://127.0.0.1:1"))[:2] == (200, "false")
        assert (await place.ask("/answers", body="file:///etc/passwd"))[0] == 400
        assert (await place.ask("/answers", OTHER, origin))[0] == 403
    async with listening(origin) as place:
        assert (await place.ask("/answers", body=origin))[:2] == (200, "false")


async def test_without_a_server_of_its_own_it_asks_the_one_of_the_pasted_link() -> None:
    async with answering(200) as origin, listening() as place:
        assert (await place.ask("/answers", body=origin))[:2] == (200, "true")


def test_a_link_from_a_public_server_lets_the_page_connect_to_no_private_one() -> None:
    """The page itself judges no name, so its policy names no server that a meeting does not lead to."""
    servers = ["https://other.example", "http://192.168.1.5:8080", "https://127.0.0.1"]
    policy = OwnPage(small(), "https://meet.example", servers=servers)._headers["Content-Security-Policy"]
    assert "connect-src 'self' wss://meet.example wss://other.example;" in policy
    policy = OwnPage(small(), "http://127.0.0.1:1", servers=servers)._headers["Content-Security-Policy"]
    assert "ws://192.168.1.5:8080" in policy
