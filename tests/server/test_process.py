"""``snug-server`` as a process: start, signals, exit statuses, and logs without personal data."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from snugroom.wire.messages import (
    Arrived,
    Closing,
    Committed,
    Opened,
    Refused,
    Relay,
    Relayed,
    Streams,
    Transport,
)
from tests.cli import processes
from tests.patience import PATIENCE
from tests.server.people import (
    CLIENT_NONCE,
    DOOR,
    NUMBER,
    ROOM_ADMIN,
    blob,
    commit,
    media,
    opening,
    room_door,
    show,
)
from tests.server.wire_clients import CLIENT_ADDRESS, Place, visiting

ROOT = Path(__file__).parents[2]


#: asyncio's debug mode says on a busy machine that a step took more than 0.1 s; the server, that few files
#: may be open.
_SLOW = re.compile(r" WARNING (asyncio: .*/asyncio/base_events\.py:\d+|\w+: \d+ files may be open, .*)$")


class Process:
    """A running ``snug-server``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def end(self, number: int = signal.SIGTERM, told: bool = False) -> tuple[int, str]:
        """Ask it to stop; exit status and standard error."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            _, stderr = await self.process.communicate()
        assert self.process.returncode is not None
        lines = stderr.decode().splitlines(keepends=True)
        return self.process.returncode, "".join(line for line in lines if told or not _SLOW.search(line))


@asynccontextmanager
async def running(*arguments: str, stdin: int | None = None, **environ: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "dev",  # asyncio's debug mode, all warnings
        "-m",
        "snugroom.server",
        *(arguments or ("--listen", "127.0.0.1:0")),
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "", **environ},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(process)
    try:
        line = await running.line()
        assert re.match("listening on https?://127.0.0.1:", line), line
        running.url = line.removeprefix("listening on ")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def fails(*arguments: str) -> tuple[int, str]:
    """Exit status and standard error of one that doesn't start."""
    if "--until-eof" not in arguments:
        ended = await asyncio.to_thread(processes.run, *arguments, module="snugroom.server")
        return ended.returncode, ended.stderr
    # its standard input is no pipe
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "snugroom.server", *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        _, stderr = await process.communicate()
    assert process.returncode is not None
    return process.returncode, stderr.decode()


async def test_signals_tell_everybody_and_exit_0() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        async with running() as server, visiting(server.url) as place:
            member = await (await place.guest()).member()
            outside = await place.guest()
            ending = asyncio.create_task(server.end(number))
            for who in (member, outside):
                assert isinstance(await who.dropped("stopping"), Closing)
            assert await ending == (0, "")


async def test_the_end_of_its_input_stops_it_as_a_signal_does() -> None:
    theirs, ours = os.pipe()
    async with running("--listen", "127.0.0.1:0", "--until-eof", stdin=theirs) as server:
        os.close(theirs)
        async with visiting(server.url) as place:
            member = await (await place.guest()).member()
            os.write(ours, b"no end\n")
            await member.say(commit(1))
            await member.expect(Committed)
            async with place.http.get(f"{place.url}/readyz") as answer:
                assert answer.status == 200, "it does not stop"
            os.close(ours)
            assert isinstance(await member.dropped("stopping"), Closing)
        async with asyncio.timeout(PATIENCE):
            assert await server.process.wait() == 0


async def test_a_deaf_member_does_not_keep_it_from_stopping() -> None:
    async with running() as server, visiting(server.url) as place:
        deaf = await (await place.guest()).member()
        deaf.transport().pause_reading()
        other = await (await place.guest()).member()
        for _ in range(20):
            await other.say(Relay(blob("x", 262144)))
        await other.until(Relayed)
        assert await server.end() == (0, "")


async def test_killed_and_started_again_it_is_reopened_where_it_was() -> None:
    async with running() as server, visiting(server.url) as place:
        ada = await (await place.guest()).member()
        await ada.say(commit(1))
        taken = await ada.expect(Committed)
        port = server.url.rpartition(":")[2]
        server.process.kill()
        await ada.ended()
        await server.process.wait()
    async with running("--listen", f"127.0.0.1:{port}") as server, visiting(server.url) as place:
        again, bob = await place.guest(), await place.guest()
        assert (await again.enter_room()).incarnation
        await bob.enter_room()
        await again.say(opening(1, taken.chain))
        assert (await bob.until(Opened)).chain == taken.chain
        assert (await server.end()) == (0, "")


async def test_where_fewer_files_may_be_open_than_connections_need_it_says_so(tmp_path: Path) -> None:
    settings = tmp_path / "snug.toml"
    settings.write_text('listen = "127.0.0.1:0"\nmax_connections = 10000000\n')
    async with running("--config", str(settings)) as server:
        status, log = await server.end(told=True)
    assert status == 0
    assert "max_connections = 10000000 needs 20001088: raise LimitNOFILE" in log


async def test_a_failed_start_gives_one_sentence_and_a_status(tmp_path: Path) -> None:
    settings = tmp_path / "snug.toml"
    settings.write_text("max_memebers = 3\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, expected, says in (
            (("--listen", f"127.0.0.1:{port}"), 3, "in use"),
            (("--listen", "127.0.0.1:0", "--metrics", f"127.0.0.1:{port}"), 3, "in use"),
            (("--listen", "nowhere"), 2, "HOST:PORT"),
            (("--listen", "127.0.0.1:0", "--until-eof"), 2, "the end of a pipe"),
            (("--config", str(settings)), 2, "max_memebers"),
            (("--config", str(tmp_path / "none")), 2, "can't be read"),
        ):
            status, text = await fails(*arguments)
            assert status == expected
            assert says in text
            assert text.startswith("snug-server: ")
            assert text.count("\n") == 1


async def test_a_config_file_is_obeyed(tmp_path: Path) -> None:
    settings = tmp_path / "snug.toml"
    settings.write_text('listen = "127.0.0.1:0"\nmax_members = 1\norigin = "https://snug.test"\n')
    async with running("--config", str(settings)) as server, visiting(server.url) as place:
        one, two = await place.guest(), await place.guest()
        assert one.challenge.origin == "https://snug.test"
        await one.member()
        await two.say(room_door(two.challenge.origin, two.challenge.nonce))
        await two.dropped("full")


async def misbehave(place: Place) -> None:
    """Everything that makes libraries log."""
    host, port = place.url.removeprefix("http://").split(":")
    for words in (b"\x16\x03\x01 this is no HTTP\r\n\r\n", b"GET /canary-url HTTP/9\r\n\r\n", b"GET /"):
        _, writer = await asyncio.open_connection(host, int(port), local_addr=(CLIENT_ADDRESS, 0))
        writer.write(words)
        await writer.drain()
        writer.transport.abort()
    for path in ("/canary-url?secret=canary", "/ws"):
        async with place.http.get(place.url + path, headers={"Cookie": "canary-cookie"}) as response:
            await response.read()
    try:
        await place.raw({"Origin": "http://canary-origin"})
    except aiohttp.WSServerHandshakeError as error:
        assert error.status == 403  # noqa: PT017  # the refusal is the point of the visit
    ws = await place.http.ws_connect(place.url + "/ws", protocols=["canary-protocol"])
    await ws.send_str('{"canary-field": 1}')
    await ws.receive()
    ws._response.close()
    guest = await place.guest()
    await guest.say(room_door("http://wrong", guest.challenge.nonce))
    await guest.dropped("door")


async def test_no_log_at_any_level_tells_who_or_where_or_what() -> None:
    async with (
        running("--listen", "127.0.0.1:0", "--log-level", "debug") as server,
        visiting(server.url) as place,
    ):
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        await ada.expect(Arrived)
        lobby = await place.guest()
        await lobby.enter_lobby()
        await ada.say(commit(1, "canary-commit"))
        for who in (ada, bob):
            await who.until(Committed)
            await who.say(show(1))
        await bob.say(Relay(blob("canary-relay")))
        await ada.until(Relayed)
        for who, ssrc in ((ada, 3735928559), (bob, 3735928560)):
            await who.say(media(ssrc, ufrag="canaryUfrag"))
            udp = (await who.until(Transport)).port
            await who.until(Streams)
        for junk in (b"", b"\x00canary", b"\x16\xfe\xfdcanary", b"\x80canary" + bytes(20)):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((CLIENT_ADDRESS, 0))
                sender.sendto(junk, ("127.0.0.1", udp))
        await ada.ws.send_str("canary-garbage")
        assert (await ada.until(Refused)).code == "message"
        await misbehave(place)
        server.process.send_signal(signal.SIGUSR1)
        disclosed = await server.line()
        bob.transport().abort()
        status, log = await server.end()
    assert status == 0
    # it did log, at the lowest level and from other people's loggers
    assert " DEBUG asyncio: " in log
    assert " aiohttp" in log
    assert " INFO snugroom.server.app: stopped" in log
    kept = json.loads(disclosed.removeprefix("disclosure "))
    assert kept["rooms"][0]["slot"] == 1
    secrets = [
        NUMBER,
        ada.handle,
        bob.handle,
        bytes(DOOR.verify_key),
        bytes(ROOM_ADMIN.verify_key),
        CLIENT_NONCE,
    ]
    secrets += [ada.challenge.nonce, ada.challenge.server_key, blob("canary-commit")[:64]]
    forms = [CLIENT_ADDRESS, "canary", "3735928559", "deadbeef", server.url]
    for secret in secrets:
        forms += [secret.hex(), base64.b64encode(secret).decode().rstrip("=")[:-1], repr(secret)[2:-1]]
    for text in (log, disclosed):
        for form in forms:
            assert form.lower() not in text.lower(), form
