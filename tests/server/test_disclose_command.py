"""The disclosure as text, and its command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any

import pytest

from snugroom.server.disclosure import command, view
from snugroom.server.disclosure.text import brief, sentences
from tests.patience import PATIENCE
from tests.server.test_disclose import ROOT, meeting
from tests.server.test_process import running
from tests.server.wire_clients import eventually, visiting

# -- read aloud ------------------------------------------------------------------------------------------


async def test_it_can_be_read_aloud() -> None:
    async with meeting() as held:
        held.clock.now += 7300
        said = sentences(view.disclosure(held.server))
    assert 8 <= len(said) <= 14
    assert all(line.endswith(".") and len(line) < 260 for line in said)
    text = " ".join(said)
    assert "running for 2 hours" in text
    assert "4 connections from 1 address: 2 in 1 room, 1 in 1 lobby, 1 at a door" in text
    assert "3 sealed blobs of 3.1 kB" in text
    assert "2 audio streams and 2 video streams" in text
    assert "last 2 sealed packets" in text
    assert "does not know names" in text


# -- the command -----------------------------------------------------------------------------------------


async def _command(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "snugroom.server",
        "disclose",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_running_server_is_asked() -> None:
    async with running() as server, visiting(server.url) as place:
        ada = await (await place.guest()).member()
        pid = str(server.process.pid)
        assert server.process.pid in command.servers()
        status, text, _ = await _command(pid, "--audit")
        disclosed = json.loads(text)
        assert status == 0
        assert disclosed["connections"] == 1
        assert disclosed["audit"]["undeclared"] == disclosed["audit"]["misplaced"] == []
        assert disclosed["audit"]["objects"] > 20
        assert ada.handle.hex() not in text
        status, text, _ = await _command(pid, "--identifiers")
        assert ada.handle.hex() in text
        status, text, _ = await _command(pid, "--read", "--audit")
        assert status == 0
        assert "nothing was left out" in text
        assert (await server.end(signal.SIGTERM))[0] == 0
        status, text, error = await _command(pid)
        assert (status, text) == (2, "")
        assert error == f"snug-server: no server answers as process {pid}\n"


async def test_without_a_number_the_only_one_is_asked_or_all_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as one, running() as two:
        pids = {one.process.pid, two.process.pid}
        assert pids <= set(command.servers())
        for count, says in (
            (0, "no server is running here"),
            (2, "several servers are running; name one of"),
        ):
            monkeypatch.setattr(command, "servers", lambda: sorted(pids)[:count])
            assert command.main([]) == 2
            assert says in capsys.readouterr().err
        monkeypatch.setattr(command, "servers", lambda: [one.process.pid])
        assert await asyncio.to_thread(command.main, []) == 0
        assert json.loads(capsys.readouterr().out)["connections"] == 0


async def test_another_user_is_told_nothing_and_believed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with meeting() as held:
        disclosure_socket = command.DisclosureSocket(held.server, 4_000_000_001)
        await disclosure_socket.start()
        try:
            asked = asyncio.to_thread(command.ask, 4_000_000_001)
            assert (await asked)["connections"] == 4
            other = os.geteuid() + 1
            monkeypatch.setattr(command, "_user_of", lambda sock: other)
            # the server sees somebody who is not its own user
            reader, writer = await asyncio.open_unix_connection(disclosure_socket._name)
            writer.write(b"{}\n")
            answer = b""
            async with asyncio.timeout(PATIENCE):
                with contextlib.suppress(ConnectionError):  # closed with something unread
                    answer = await reader.read()
            writer.close()
            assert answer == b""
            # and whoever asks sees that it isn't theirs
            with pytest.raises(command.DiscloseError, match="another user"):
                await asyncio.to_thread(command.ask, 4_000_000_001)
            # its own user is answered still; by then the connections of the others are closed
            monkeypatch.undo()
            assert (await asyncio.to_thread(command.ask, 4_000_000_001))["connections"] == 4
        finally:
            disclosure_socket.stop()


async def test_bad_questions_get_no_word_and_do_no_harm() -> None:
    async with meeting() as held:
        disclosure_socket = command.DisclosureSocket(held.server, 4_000_000_002)
        await disclosure_socket.start()
        try:
            for question in (b"", b"\n", b"x" * 100_000 + b"\n", b"[" * 250 + b"\n", b"\xff\n"):
                reader, writer = await asyncio.open_unix_connection(disclosure_socket._name)
                writer.write(question)
                writer.write_eof()
                async with asyncio.timeout(PATIENCE):
                    with contextlib.suppress(ConnectionError):  # closed with something unread
                        assert await reader.read() == b""
                writer.close()
            # what is no object asks for nothing special
            reader, writer = await asyncio.open_unix_connection(disclosure_socket._name)
            writer.write(b'["identifiers"]\n')
            async with asyncio.timeout(PATIENCE):
                assert "people" not in json.loads(await reader.read())
            writer.close()
            # many who say nothing: the next is turned away, and let in when they have gone
            idle = [await asyncio.open_unix_connection(disclosure_socket._name) for _ in range(8)]
            await eventually(lambda: disclosure_socket._busy == 4)
            with pytest.raises(command.DiscloseError, match="too busy"):
                await asyncio.to_thread(command.ask, 4_000_000_002)
            for _, writer in idle:
                writer.close()
            await eventually(lambda: disclosure_socket._busy == 0)
            assert (await asyncio.to_thread(command.ask, 4_000_000_002))["connections"] == 4
        finally:
            disclosure_socket.stop()


async def test_a_taken_name_does_not_keep_a_server_from_starting() -> None:
    async with meeting() as held:
        disclosure_socket, second = (
            command.DisclosureSocket(held.server, 4_000_000_003),
            command.DisclosureSocket(held.server, 4_000_000_003),
        )
        await disclosure_socket.start()
        try:
            with pytest.raises(OSError, match="in use"):
                await second.start()
            second.stop()
        finally:
            disclosure_socket.stop()


def test_the_disclosure_is_short_and_names_every_field() -> None:
    def room(blobs: int) -> dict[str, Any]:
        return {
            "slot": blobs,
            "commits": [{"slot": n, "bytes": 512, "age": 1.5} for n in range(blobs)],
            "relays": [{"relay": n, "bytes": 1024} for n in range(blobs)],
            "streams": {"audio": 2, "video": blobs},
        }

    one = brief({"rooms": [room(64)], "own_keys": ["a key"], "lobbies": []})
    assert one == {
        "rooms": [
            {
                "slot": 64,
                "commits": {"count": 64, "slot": [0, 63], "bytes": 32768, "age": 1.5},
                "relays": {"count": 64, "relay": [0, 63], "bytes": 65536},
                "streams": {"audio": 2, "video": 64},
            }
        ],
        "own_keys": ["a key"],
        "lobbies": [],
    }
    many = brief({"rooms": [room(n) for n in range(1000)]})
    assert many["rooms"] == {
        "count": 1000,
        "slot": [0, 999],
        "commits": {"count": 499500, "slot": [0, 998], "bytes": 499500 * 512, "age": 1.5},
        "relays": {"count": 499500, "relay": [0, 998], "bytes": 499500 * 1024},
        "streams": {"audio": 2, "video": [0, 999]},
    }
    assert brief({"relays": []}) == {"relays": {"count": 0}}
