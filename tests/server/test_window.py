"""The landlord's window: off by default, only for this machine and holders of the token, and read-only."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from snugroom.server import config, memory_search, page
from snugroom.server.app import Server
from snugroom.server.config import ConfigError, Settings
from snugroom.server.disclosure import audit, view, window
from snugroom.server.disclosure.window import Window, snapshot
from snugroom.wire.messages import Streams, Transport
from tests.media_server.peer import Peer, rtp
from tests.server.people import NUMBER
from tests.server.test_process import fails, running
from tests.server.wire_clients import CLIENT_ADDRESS, Guest, Place, quiet, visiting

FILES = {"index.html": b"<!doctype html><title>a window</title>", "main.js": b"0;"}


@pytest.fixture(autouse=True)
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of two files, so that no Node is needed here, and a search to the end of the tests' memory."""
    monkeypatch.setattr(memory_search, "READ_MAX", 1 << 40)
    sums = {}
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
        sums[name] = hashlib.sha256(data).hexdigest()
    manifest = {"hash": page.hash_of(sums), "files": sums, "brotli": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(page, "WINDOW", tmp_path)


@dataclass
class Looking:
    """A server with two members and media, and its window, open."""

    server: Server
    place: Place
    members: list[Guest]
    url: str
    token: str
    http: aiohttp.ClientSession

    async def get(self, path: str, *, token: str | None = None, host: str | None = None) -> tuple[int, str]:
        headers = {"X-Snug-Token": self.token if token is None else token}
        if host is not None:
            headers["Host"] = host
        async with self.http.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def json(self, path: str) -> Any:
        status, text = await self.get(path)
        assert status == 200, text
        return json.loads(text)


@asynccontextmanager
async def looking() -> AsyncIterator[Looking]:
    server = Server(quiet(page=False), in_process=True)
    url = await server.start()
    looked = Window(server, "127.0.0.1:0")
    peers = [Peer((1111, "audio"), (1112, "video")), Peer((2222, "audio"))]
    try:
        address, _, token = (await looked.start()).partition("/#")
        async with visiting(url, server) as place, aiohttp.ClientSession() as http:
            members = [await (await place.guest()).member() for _ in peers]
            for who, peer in zip(members, peers, strict=True):
                await who.say(peer.media)
                await peer.connect(await who.until(Transport))
                await who.until(Streams)
            for sequence in range(6):  # two packets a frame, as their timestamps say
                data = rtp(1112, 100 + sequence, bytes([sequence]) * 300)
                stamped = data[:4] + (9000 + sequence // 2 * 3000).to_bytes(4, "big") + data[8:]
                peers[0].send_rtp(stamped)
            await peers[1].until(lambda: len(peers[1].rtp) == 6)
            yield Looking(server, place, members, address, token, http)
    finally:
        for peer in peers:
            peer.close()
        await looked.stop()
        await looked.stop()  # harmless
        await server.stop()


async def test_it_shows_the_very_objects() -> None:
    async with looking() as at:
        before = view.disclosure(at.server, identifiers=True)
        shown = await at.json("/now")
        held = view.disclosure(at.server, identifiers=True)
        # what goes on meanwhile: time, and addresses of datagrams are forgotten
        assert before.pop("uptime") <= shown["disclosure"].pop("uptime") <= held.pop("uptime")
        for one in (before, shown["disclosure"], held):
            for seat in one["rooms"][0]["seats"]:
                del seat["age"]
        assert shown["disclosure"].keys() == held.keys()
        for name, value in shown["disclosure"].items():
            assert value in (before[name], held[name]), name
        assert [room["number"] for room in held["rooms"]] == [NUMBER.hex()]
        assert {person["address"] for person in shown["disclosure"]["people"]} == {CLIENT_ADDRESS}
        sight = next(s for s in shown["streams"] if s["kind"] == "video")
        assert (sight["handle"], sight["room"]) == (at.members[0].handle.hex(), NUMBER.hex())
        assert (sight["ssrc"], sight["packets"], sight["receivers"]) == (1112, 6, 1)
        assert sight["sizes"] == [len(rtp(1112, 0, bytes(300)))] * 6
        assert any("remembers nothing" in said for said in shown["sentences"])
        # and the next look is another: nothing was kept
        await at.members[1].ws.close()
        while len((await at.json("/now"))["disclosure"]["people"]) != 1:
            pass


async def test_a_frame_is_what_was_relayed() -> None:
    async with looking() as at:
        packets = [bytes.fromhex(packet) for packet in (await at.json("/frame?ssrc=1112"))["packets"]]
        # the last whole one: the third may still be coming
        assert [int.from_bytes(packet[2:4], "big") for packet in packets] == [102, 103]
        assert all(bytes([2 + i]) * 300 in packet for i, packet in enumerate(packets))
        assert (await at.json("/frame?ssrc=4040"))["packets"] == []
        assert (await at.json("/frame?ssrc=2222"))["packets"] == []
        for wrong in ("/frame", "/frame?ssrc=", "/frame?ssrc=x"):
            assert (await at.get(wrong))[0] == 400


async def test_only_who_has_the_token_is_answered() -> None:
    async with looking() as at:
        assert len(at.token) >= 22
        for path in ("/now", "/frame?ssrc=1112", "/find"):
            for token in ("", "x", at.token[:-1], at.token + "x", "é" * 22):
                status, text = await at.get(path, token=token)
                assert (status, "token and all" in text) == (403, True)
                assert CLIENT_ADDRESS not in text
            # not in the address either, where it would be written down
            assert (await at.get(f"{path}{'&' if '?' in path else '?'}token={at.token}", token=""))[0] == 403
        # the page itself says nothing of anybody
        for path in ("/", "/main.js", "/where.json", "/manifest.json"):
            status, text = await at.get(path, token="")
            assert status == 200
            assert CLIENT_ADDRESS not in text
            assert at.members[0].handle.hex() not in text


def _request(*texts: bytes) -> dict[str, Any]:
    """The page's request for these bytes: none of them as they are."""
    mask = bytes(range(64, 96))
    masked = (bytes(b ^ mask[i % 32] for i, b in enumerate(text)) for text in texts)
    return {"mask": b64encode(mask).decode(), "forms": [{"masked": b64encode(m).decode()} for m in masked]}


async def test_it_finds_what_the_server_knows_and_nothing_else() -> None:
    async with looking() as at:
        headers = {"X-Snug-Token": at.token}
        nobody = bytes(200 - byte // 4 for byte in os.urandom(20))
        async with at.http.post(at.url + "/find", json=_request(NUMBER, nobody), headers=headers) as answer:
            told = await answer.json()
            assert answer.headers["Cache-Control"] == "no-store"
        assert told["hits"][0]["elsewhere"] > 0
        assert (told["processes"], told["silent"], told["complete"]) == (1, 0, True)
        assert told["read"] > 1 << 20
        bad: list[Any] = [{}, {"mask": "", "forms": []}, {**_request(NUMBER), "more": 1}, _request(b"ab"), []]
        for wrong in bad:
            async with at.http.post(at.url + "/find", json=wrong, headers=headers) as answer:
                assert answer.status == 400, wrong
        async with at.http.post(at.url + "/find", json=_request(NUMBER), headers={}) as answer:
            assert answer.status == 403
        # one at a time, however many ask
        both = await asyncio.gather(
            *(at.http.post(at.url + "/find", json=_request(NUMBER), headers=headers) for _ in range(3))
        )
        assert sorted(answer.status for answer in both) == [200, 409, 409]


async def test_another_name_for_this_machine_opens_nothing() -> None:
    """DNS rebinding: a page of another site asks under its own name, whatever address that has by now."""
    async with looking() as at:
        port = at.url.rpartition(":")[2]
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}"):
            for path in ("/", "/now", "/main.js"):
                assert (await at.get(path, host=host))[0] == 403, (host, path)
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert (await at.get("/now", host=host))[0] == 200


async def test_it_can_only_be_read() -> None:
    async with looking() as at:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with at.http.request(method, at.url + "/now", headers={"X-Snug-Token": at.token}) as answer:
                assert answer.status == 405
        async with at.http.get(at.url + "/now", headers={"X-Snug-Token": at.token}) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Access-Control-Allow-Origin" not in answer.headers
        async with at.http.get(at.url + "/") as answer:
            assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Frame-Options"] == "DENY"


async def test_nothing_is_noted_for_it() -> None:
    """Looked at or not: the audit finds nothing undeclared, and the server holds no more than before."""
    gc.collect()
    before = audit.live_objects()
    async with looking() as at:
        await at.json("/now")
        await at.json("/frame?ssrc=1112")
        found = audit.audit(at.server, before)
        assert found.undeclared == set()
        assert found.misplaced == set()
        assert "snugroom.server.disclosure.window.Window" in found.classes
        once = {name: len(values) for name, values in found.found.items() if "window" in name}
        for _ in range(20):
            await at.json("/now")
        again = {k: len(v) for k, v in audit.audit(at.server, before).found.items() if "window" in k}
        del (
            once["snugroom.server.disclosure.window.Window._runner"],
            again["snugroom.server.disclosure.window.Window._runner"],
        )  # aiohttp's own
        assert once == again


def test_it_listens_on_this_machine_alone() -> None:
    assert window.loopback_address("127.0.0.1:0") == ("127.0.0.1", 0)
    assert window.loopback_address("127.0.0.2:81") == ("127.0.0.2", 81)
    assert window.loopback_address("localhost:81") == ("127.0.0.1", 81)
    assert window.loopback_address("[::1]:81") == ("::1", 81)
    for wrong in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80", "meet.example:80", "8080", "127.0.0.1"):
        with pytest.raises(ConfigError):
            window.loopback_address(wrong)
    with pytest.raises(ConfigError, match=r"listens on a loopback address, and not on 0\.0\.0\.0"):
        window.loopback_address("0.0.0.0:80")


async def test_it_is_off_unless_asked_for() -> None:
    assert Settings().window is None
    assert config.checked({"window": "127.0.0.1:0"}).window == "127.0.0.1:0"
    async with running() as process:
        assert process.process.stdout is not None
        async with aiohttp.ClientSession() as http:
            for path in ("/now", "/frame", "/window"):
                async with http.get(process.url + path) as answer:
                    assert answer.status == 404
        status, _ = await process.end()
        assert status == 0
        assert await process.process.stdout.read() == b""


async def test_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    for arguments in (
        ["--window", "0.0.0.0:0"],
        ["--config", str(tmp_path / "snug.toml")],
    ):
        (tmp_path / "snug.toml").write_text('listen = "127.0.0.1:0"\nwindow = "0.0.0.0:0"\n')
        status, errors = await fails(*arguments)
        assert status == 2
        assert "snug-server: the window shows private data" in errors
        assert errors.endswith("it listens on a loopback address, and not on 0.0.0.0\n")
        assert errors.count("\n") == 1


@pytest.mark.skipif(
    not (Path(page.__file__).parent / "landlord" / "manifest.json").exists(), reason="there is no window here"
)
async def test_a_process_with_a_window() -> None:
    async with running("--listen", "127.0.0.1:0", "--window") as process:
        line = await process.line()
        assert line.startswith("window http://127.0.0.1:")
        url, _, token = line.removeprefix("window ").partition("/#")
        assert not url.startswith(process.url)
        async with aiohttp.ClientSession() as http:
            async with http.get(url + "/now", headers={"X-Snug-Token": token}) as answer:
                shown = await answer.json()
            async with http.get(url + "/") as answer:
                assert "main.js" in await answer.text()
            # no process of the server holds what only this one does; all of them were searched
            wanted = _request(b"Ed25519, for receipts", os.urandom(16).hex().encode())
            async with http.post(url + "/find", json=wanted, headers={"X-Snug-Token": token}) as answer:
                found = await answer.json()
        assert [hits["elsewhere"] > 0 for hits in found["hits"]] == [True, False]
        assert (found["processes"], found["silent"], found["complete"]) == (2, 0, True)
        assert shown["hostile"] is None
        assert (shown["disclosure"]["connections"], shown["streams"]) == (0, [])
        # no hostile thing is in its process
        process.process.send_signal(signal.SIGUSR1)
        assert (await process.line()).startswith("disclosure ")
        status, _ = await process.end()
        assert status == 0
        with pytest.raises(aiohttp.ClientConnectionError):
            async with aiohttp.ClientSession() as http, http.get(url + "/"):
                pass


async def test_without_a_media_server_there_are_no_streams() -> None:
    class Silent:
        def totals(self) -> dict[str, int]:
            return {}

    server = Server(quiet(page=False), media=Silent())  # type: ignore[arg-type]
    await server.start()
    try:
        assert (await snapshot(server))["streams"] == []
    finally:
        await server.stop()
