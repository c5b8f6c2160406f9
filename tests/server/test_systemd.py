"""The server as a service of systemd: it says when it is ready, that it lives, and that it stops."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from snugroom.server.systemd import Service
from tests.patience import PATIENCE
from tests.server.test_process import running


@pytest.fixture
def listening(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.setblocking(False)
    return sock


async def heard(sock: socket.socket) -> str:
    async with asyncio.timeout(PATIENCE):
        return (await asyncio.get_running_loop().sock_recv(sock, 100)).decode()


async def test_the_process_says_ready_alive_and_stopping(listening: socket.socket) -> None:
    with listening:
        variables = {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "200000"}
        async with running(**variables) as server:
            assert await heard(listening) == "READY=1"
            # the watchdog's signs of life come again and again
            assert [await heard(listening) for _ in range(3)] == ["WATCHDOG=1"] * 3
            assert (await server.end()) == (0, "")
            last = ""
            while last != "STOPPING=1":
                last = await heard(listening)


async def test_a_service_that_stops_gives_no_sign_of_life(listening: socket.socket) -> None:
    with listening:
        service = Service({"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "20000"})
        service.ready()
        assert await heard(listening) == "READY=1"
        assert await heard(listening) == "WATCHDOG=1"
        service.stopping()
        assert await heard(listening) == "STOPPING=1"
        async with asyncio.timeout(PATIENCE):  # the task that gave signs of life has ended
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
async def test_outside_of_systemd_nothing_happens(environ: dict[str, str]) -> None:
    service = Service(environ)
    assert bool(service) == bool(environ.get("NOTIFY_SOCKET"))
    service.ready()
    service.stopping()
