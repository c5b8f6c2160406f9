"""Harm that strangers can do with plain HTTP: answers that nobody reads, over TLS of the server's own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from snugroom.server import page
from snugroom.server.app import Server
from snugroom.server.disclosure import audit
from snugroom.server.http import PIECE
from snugroom.server.rooms.backpressure import REQUEST_BYTES
from snugroom.server.rooms.memory import CONNECTION, TLS
from snugroom.server.rooms.visits import CLIENT_SHARE
from tests.exhaustion.rooms import Innocent
from tests.exhaustion.storms import PROXY, STRANGER, behind_proxy, by_proxy, coming_from
from tests.patience import PATIENCE
from tests.server.test_tls import trusting, write
from tests.server.wire_clients import Calls, Place, eventually, running, serving

#: The largest file of the page, and more bytes of one answer than the server keeps for a reader: what TCP and
#: TLS of asyncio hold, and the piece that is written next.
LARGE: Final = "/blur.wasm"
WAITING: Final = 3 * PIECE + 1024
READERS: Final = 40


@contextlib.asynccontextmanager
async def unread(
    place: Place, count: int, words: bytes, tls: ssl.SSLContext | None = None, address: str = STRANGER
) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Connections that send `words`, and read no answer."""
    host, _, port = place.url.rpartition("/")[2].rpartition(":")
    writers = []
    for _ in range(count):
        sock = socket.socket()
        # otherwise the kernel of this machine takes the whole file for a reader that takes nothing
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.bind((address, 0))
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        name = host if tls else None
        _, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a StreamWriter's transport can
        writers.append(writer)
        writer.write(words)
    try:
        yield writers
    finally:
        for writer in writers:
            writer.transport.abort()


def get(path: str = LARGE, method: str = "GET", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n{more}\r\n".encode()


def waiting(server: Server) -> int:
    """Bytes in the memory of all connections, as their transports count them."""
    return sum(limiter.unread for limiter in server.signaling.byte_limiters.values())


async def test_answers_that_nobody_reads_cost_little_and_others_go_on(tmp_path: Path) -> None:
    size = len(page.load().files[LARGE[1:]].data)
    files = write(tmp_path)
    settings = behind_proxy(
        tls=files, handshake_time=PATIENCE, page_time=600.0, memory_bytes=CLIENT_SHARE * 4 * WAITING
    )
    server = Server(settings, media=Calls())
    tls = trusting(files)
    async with running(server, tls) as place:
        innocent = await Innocent.at(place)
        before = server.signaling.memory
        assert before >= 2 * (CONNECTION + TLS)
        # ten in a row, a part of the file, or the same again: it makes no difference
        words = get(more="Range: bytes=0-2000000\r\n") * 10
        async with unread(place, READERS, words, tls):
            visits = server.signaling.admission.entrance.visits
            await eventually(lambda: server.signaling.refusals["unread"] >= READERS // 4)
            # 2.6 MB each would be 105 MB: it is what four may leave unread, and counts against the memory
            assert visits.unread <= 5 * WAITING < READERS * size / 100
            # TLS lets go of a connection that was cut in the next turn of the loop
            await eventually(lambda: waiting(server) <= 5 * WAITING)
            assert server.signaling.memory - before >= visits.unread > 2 * PIECE
            await innocent.talk()
            async with place.http.get(f"{place.url}{LARGE}", headers={"Accept-Encoding": "identity"}) as got:
                assert len(await got.read()) == size
            assert await innocent_opens(place)
            found = audit.audit(server)
            assert {"snugroom.server.http._Pieces", "snugroom.server.rooms.visits.Visit"} <= found.classes
            parts = (".http.", ".visits.", ".backpressure.", ".entrance.", ".answers.")
            assert [
                each for each in found.undeclared | found.misplaced if any(p in each for p in parts)
            ] == []
        await eventually(lambda: visits.unread == 0 and server.greeting <= 1)


async def innocent_opens(place: Place) -> bool:
    guest = await place.guest()
    await guest.ws.close()
    return True


async def test_headers_that_nobody_reads_and_requests_without_end_are_bounded() -> None:
    async with serving(behind_proxy(handshake_time=PATIENCE)) as place:
        innocent = await Innocent.at(place)
        head = get(method="HEAD")
        words = head * (REQUEST_BYTES // len(head))
        async with unread(place, 1, words) as [writer]:
            await eventually(lambda: waiting(place.server) > PIECE)
            for _ in range(30):
                await innocent.talk()
            assert waiting(place.server) <= PIECE + 4096, "the next answer has not begun"
            # nobody takes more requests, or the connection is cut
            writer.write(words * 20)
            for _ in range(30):
                await innocent.talk()
            assert waiting(place.server) <= PIECE + 4096
            limiters = place.server.signaling.byte_limiters.values()
            assert sum(limiter.unclaimed for limiter in limiters) <= 2 * REQUEST_BYTES
        await eventually(lambda: place.server.signaling.admission.entrance.visits.unread == 0)


async def test_a_reader_that_stands_still_is_cut_and_a_slow_one_is_not() -> None:
    size = len(page.load().files[LARGE[1:]].data)
    async with serving(behind_proxy(handshake_time=PATIENCE, page_time=0.4)) as place:
        async with unread(place, 3, get()):
            await eventually(lambda: place.server.greeting == 3)
            await eventually(lambda: place.server.greeting == 0)
        async with coming_from(STRANGER, place) as slow:
            async with slow.http.get(f"{place.url}{LARGE}", headers={"Accept-Encoding": "identity"}) as got:
                came = 0
                while part := await got.content.readany():
                    came += len(part)
                    await asyncio.sleep(0.001)
            assert came == size


async def test_a_crowd_behind_one_address_loads_the_page_beside_strangers() -> None:
    """50 people with six connections each; and a client with all of its own cannot come in again."""
    async with serving(behind_proxy(connections_per_client=160, handshake_time=PATIENCE)) as place:
        files = [f"/{name}" for name in page.load().files if name != "index.html"]

        async def person(number: int) -> None:
            connector = aiohttp.TCPConnector(local_addr=("127.0.7.7", 0), limit=6)
            async with aiohttp.ClientSession(connector=connector) as http:

                async def load(path: str) -> None:
                    async with http.get(place.url + path) as got:
                        assert got.status == 200
                        await got.read()

                await asyncio.gather(*(load(files[(number + each) % len(files)]) for each in range(6)))

        async with unread(place, 320, get()), unread(place, 1, get()) as [refused]:
            await asyncio.gather(*(person(number) for number in range(50)))
            assert place.server.signaling.refusals["visits"] >= 1
            assert refused is not None
        assert place.server.signaling.refusals["unread"] == 0


@pytest.mark.parametrize("header", [None, by_proxy("198.51.100.7")])
async def test_requests_through_a_proxy_count_for_their_client(header: dict[str, str] | None) -> None:
    async with (
        serving(behind_proxy(connections_per_client=1, handshake_time=PATIENCE)) as place,
        coming_from(PROXY, place) as proxy,
    ):
        more = "".join(f"{name}: {value}\r\n" for name, value in (header or {}).items())
        async with unread(place, 2, get(more=more), address=PROXY):
            await eventually(lambda: place.server.signaling.admission.entrance.visits.unread > PIECE)
            async with proxy.http.get(place.url + "/healthz", headers=header) as got:
                # nobody knows whose requests without the header are
                assert got.status == (429 if header else 200)
                assert header is None or int(got.headers["Retry-After"]) > 0
            async with proxy.http.get(place.url + "/healthz", headers=by_proxy("198.51.100.8")) as got:
                assert got.status == 200


async def test_a_body_that_no_path_takes_is_neither_unpacked_nor_read_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(behind_proxy(handshake_time=PATIENCE)) as place, coming_from(STRANGER, place) as http:
        headers = {"Content-Encoding": "gzip"}
        for _ in range(2):
            async with http.http.get(place.url + "/healthz", headers=headers, data=b"not packed") as got:
                assert got.status == 200
        assert place.server.http_log.malformed == 0
        assert not caplog.records, "a stranger has written into the log"
        with contextlib.suppress(aiohttp.ClientError):
            async with http.http.get(place.url + "/healthz", data=bytes(2**20)) as got:
                await got.read()
        await eventually(lambda: place.server.signaling.refusals["pieces"] == 1)
