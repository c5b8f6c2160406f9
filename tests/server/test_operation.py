"""The operator's side: readiness, a log that blocks nobody, clean ends, and no word about versions."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from snugroom.wire.messages import Closing, Refused, Relay, Relayed
from tests.patience import PATIENCE
from tests.server.people import blob, room_door
from tests.server.wire_clients import Place, visiting

ROOT = Path(__file__).parents[2]
SERVER = (sys.executable, "-m", "snugroom.server")


class Process:
    """`snug-server` as an operator starts it. Nobody reads its standard error before `end`."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    @property
    def pid(self) -> int:
        return self.process.pid

    def workers(self) -> list[int]:
        """The process ids of the media workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    async def end(self) -> tuple[int, str]:
        """Exit status, and standard error."""
        async with asyncio.timeout(PATIENCE):
            _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()

    async def ready(self, place: Place) -> tuple[int, list[str]]:
        """Status and reasons of ``/readyz``."""
        async with place.http.get(self.url + "/readyz") as response:
            answer = await response.json()
            assert answer["ready"] is (response.status == 200)
            return response.status, answer["reasons"]

    async def becomes(self, place: Place, *reasons: str) -> None:
        """Wait until ``/readyz`` names exactly these reasons."""
        async with asyncio.timeout(PATIENCE):
            expected = (503 if reasons else 200, list(reasons))
            while await self.ready(place) != expected:  # noqa: ASYNC110 - only the server knows
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path, settings: str = "", *arguments: str, before: Callable[[], None] | None = None
) -> AsyncIterator[Process]:
    """`snug-server` with these settings. `before` is called in the new process."""
    file = tmp_path / "snug.toml"
    file.write_text('listen = "127.0.0.1:0"\n' + settings)
    process = await asyncio.create_subprocess_exec(
        *(*SERVER, "--config", str(file), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=4096,  # so much of it is read ahead
        preexec_fn=before,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("listening on "), line
        yield Process(process, line.split()[-1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _answer(url: str, request: bytes) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        sock.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := sock.recv(65_536):
                answer += part
        return answer


# -- one server for many questions ---------------------------------------------------------------------------


async def test_malformed_requests_freeze_nothing_and_leave_no_byte_in_the_log(tmp_path: Path) -> None:
    """Nobody reads standard error. At the level `debug` each of them is a line, and more than can wait."""
    junk = b"canary-garbage"
    async with serving(tmp_path, "", "--log-level", "debug") as server, visiting(server.url) as place:
        member = await (await place.guest()).member()
        for number in range(1500):
            method = (junk + b" / HTTP/1.1", b"GET /" + junk + b" HTTP/9", b"\x16\x03\x01" + junk)[number % 3]
            answer = await asyncio.to_thread(_answer, server.url, method + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.")
            assert b"Server" not in answer
        await member.say(Relay(blob("still here")))
        await member.until(Relayed)
        assert await server.ready(place) == (200, [])
        server.process.send_signal(signal.SIGTERM)
        status, log = await server.end()
    assert status == 0
    assert re.search(r"^\d+ log lines dropped$", log, re.MULTILINE)
    assert junk.decode() not in log
    assert " ERROR " not in log


async def test_malformed_requests_are_no_news(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, visiting(server.url) as place:
        for request in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nbad\x01name: 1\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
        ):
            assert (await asyncio.to_thread(_answer, server.url, request)).startswith(b"HTTP/1.0 400")
        answers = []
        for path in ("/", "/healthz", "/readyz", "/nowhere", "/ws"):
            async with place.http.get(server.url + path) as response:
                answers.append(response.headers)
        async with place.http.ws_connect(server.url + "/ws") as ws:
            answers.append(ws._response.headers)
        assert not [headers for headers in answers if "Server" in headers]
        server.process.send_signal(signal.SIGINT)
        status, log = await server.end()
    known = "the page is missing", "files may be open"
    assert (status, [line for line in log.splitlines() if not any(each in line for each in known)]) == (0, [])


@pytest.mark.parametrize("inspectable", [False, True])
async def test_no_other_program_reads_its_memory(tmp_path: Path, inspectable: bool) -> None:
    option = ("--inspectable",) if inspectable else ()
    async with serving(tmp_path, "workers = 2\n", *option, before=_without_ptrace) as server:
        for pid in (server.pid, *server.workers()):
            async with asyncio.timeout(PATIENCE):
                while await _reads(pid) is not inspectable:  # a spare worker has just begun
                    pass
            assert _limits(pid)["Max core file size"] == ("0", "0")


async def _reads(pid: int) -> bool:
    """Whether another process of this user may read that one's memory."""
    reader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"open('/proc/{pid}/mem', 'rb')"),
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_without_ptrace,
    )
    _, errors = await reader.communicate()
    assert not errors or b"PermissionError" in errors
    return not errors


def _limits(pid: int) -> dict[str, tuple[str, str]]:
    """The soft and hard limits of a process."""
    text = Path(f"/proc/{pid}/limits").read_text()
    found = re.findall(r"^(\w[\w ]+\w) {2,}(\d+|unlimited) +(\d+|unlimited)", text, re.MULTILINE)
    return {name: (soft, hard) for name, soft, hard in found}


def _without_ptrace() -> None:
    """Give up root's right to read all memory, for the program that this process becomes."""
    drop_bound, sys_ptrace = 24, 19
    ctypes.CDLL(None).prctl(drop_bound, sys_ptrace, 0, 0, 0)


# -- readiness -----------------------------------------------------------------------------------------------


async def test_it_is_ready_only_while_its_media_workers_answer(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, "workers = 2\n", "--metrics", "127.0.0.1:0") as server,
        visiting(server.url) as place,
    ):
        assert server.process.stdout is not None
        metrics = (await server.process.stdout.readline()).decode().split()[-1]
        assert await server.ready(place) == (200, [])
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            await server.becomes(place, "media workers that do not answer: 1 of 2")
            async with place.http.get(server.url + "/healthz") as response:
                assert response.status == 200
            async with place.http.get(metrics) as response:
                assert "\nsnug_ready 0\n" in await response.text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGCONT)
        await server.becomes(place)


async def test_a_server_that_stops_says_so_and_opens_no_new_room(tmp_path: Path) -> None:
    async with serving(tmp_path, "drain_time = 60.0\n") as server, visiting(server.url) as place:
        ada, bo, late = await place.guest(), await place.guest(), await place.guest()
        await ada.member()
        server.process.send_signal(signal.SIGTERM)
        await server.becomes(place, "stopping")
        # the meeting goes on, and its members may come back
        await bo.member()
        await bo.say(Relay(blob("still here")))
        await ada.until(Relayed)
        other = SigningKey(bytes(32))
        await late.say(room_door(late.challenge.origin, late.challenge.nonce, room_admin=other))
        refused = await late.dropped("stopping")
        assert isinstance(refused, Refused)
        for who in (ada, bo):
            await who.ws.close()
        assert (await server.end())[0] == 0


async def test_drain_time_has_an_end(tmp_path: Path) -> None:
    async with serving(tmp_path, "drain_time = 0.3\n") as server, visiting(server.url) as place:
        ada = await (await place.guest()).member()
        server.process.send_signal(signal.SIGTERM)
        assert isinstance(await ada.dropped("stopping"), Closing)
        assert (await server.end())[0] == 0


# -- ends ----------------------------------------------------------------------------------------------------


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, "drain_time = 86400.0\n") as server, visiting(server.url) as place:
        await (await place.guest()).member()
        server.process.send_signal(signal.SIGINT)
        await server.becomes(place, "stopping")
        server.process.send_signal(signal.SIGINT)
        status, log = await server.end()
        assert status == -signal.SIGINT
        assert "Traceback" not in log


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.3, 0.6])
async def test_an_interrupt_while_it_starts_is_quiet(tmp_path: Path, delay: float) -> None:
    """Wherever it comes, once Python itself has started, and Snug has started that again."""
    code = (
        "import os, runpy; os.write(1, b'begun\\n'); "
        "runpy.run_module('snugroom.server', run_name='__main__', alter_sys=True)"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, "--listen", "127.0.0.1:0", "--workers", "2"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert [await process.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
    await asyncio.sleep(delay)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE):
        _, errors = await process.communicate()
    assert process.returncode in (0, -signal.SIGINT)
    assert b"Traceback" not in errors


async def test_disclose_into_a_pipe_that_ends(tmp_path: Path) -> None:
    def ask() -> tuple[int, bytes]:
        command = [*SERVER, "disclose", str(server.pid), "--whole"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
            assert asked.stdout is not None
            asked.stdout.close()  # `| head` does this in time
            assert asked.stderr is not None
            return asked.wait(PATIENCE), asked.stderr.read()

    async with serving(tmp_path) as server:
        assert await asyncio.to_thread(ask) == (141, b"")


async def test_an_audit_of_a_server_with_every_setting(tmp_path: Path) -> None:
    """No field of the settings is missing in the table, whatever the operator sets."""
    secret = tmp_path / "secret"
    secret.write_text("between two servers\n")
    settings = f"""
origin = "https://snug.test"
allowed_origins = ["https://other.test"]
window = "127.0.0.1:0"
metrics = "127.0.0.1:0"
media_address = "127.0.0.1"
media_bind = "127.0.0.1"
media_also = ["127.0.0.2"]
workers = 2
[[turn]]
urls = ["turn:relay.test"]
secret_file = "{secret}"
"""
    async with serving(tmp_path, settings) as server, visiting(server.url) as place:
        await (await place.guest()).member()
        asked = await asyncio.create_subprocess_exec(
            *(*SERVER, "disclose", str(server.pid), "--audit"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asked.communicate()
    found = json.loads(out)["audit"]
    assert (found["undeclared"], found["misplaced"]) == ([], [])
    assert found["objects"] > 100
    assert asked.returncode == 0
