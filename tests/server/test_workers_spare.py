"""The spare media worker, and what a start that fails says."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import pytest

from snugroom.server.app import Server, StartError
from snugroom.server.sfu.workers import child, spare
from snugroom.server.sfu.workers import pool as workers
from snugroom.server.sfu.workers.pool import Workers
from tests.media_server.peer import Peer
from tests.patience import PATIENCE
from tests.server.wire_clients import quiet
from tests.server.worker_pools import pid, pool, until


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first spare starts with the workers."""
    monkeypatch.setattr(spare, "DELAY", 0.0)


async def spare_of(made: Workers, other_than: int = 0) -> int:
    """The process id of a spare that is ready."""
    kept = made.spare
    await until(lambda: kept.child is not None and kept.child.loaded and kept.child.pid != other_than)
    assert kept.child is not None
    return kept.child.pid


async def test_a_spare_that_ends_or_hangs_is_replaced() -> None:
    async with pool(1) as made:
        made.silent = 2.5
        first = await spare_of(made)
        os.kill(first, signal.SIGKILL)
        second = await spare_of(made, first)
        os.kill(second, signal.SIGSTOP)
        third = await spare_of(made, second)
        assert made.spare.replaced == 2
        assert made.replaced == 0
        # and it is used
        os.kill(pid(made.slots[0]), signal.SIGKILL)
        await until(lambda: made.replaced == 1 and made.slots[0].up)
        assert pid(made.slots[0]) == third


async def test_a_worker_comes_back_although_the_spare_hangs() -> None:
    """A killed worker is seen at once, and nothing waits for a spare that doesn't answer."""
    async with pool(1) as made:
        peer = Peer()
        try:
            stuck = await spare_of(made)
            os.kill(stuck, signal.SIGSTOP)
            began = time.monotonic()
            os.kill(pid(made.slots[0]), signal.SIGKILL)
            await until(lambda: made.replaced == 1)
            async with asyncio.timeout(PATIENCE):
                await made.join(b"r" * 16, b"h" * 8, peer.media)
            print(f"back after {time.monotonic() - began:.2f} s")
            assert pid(made.slots[0]) != stuck
        finally:
            peer.close()


async def test_a_spare_that_is_just_silent_is_left_alone() -> None:
    async with pool(1) as made:
        await spare_of(made)
        kept = made.spare.child
        assert kept is not None
        kept._heard_at -= 3.1
        assert made.spare.take() is None
        kept._heard_at += 3.1
        assert made.spare.take() is kept
        await kept.end(1.0)


async def test_a_slow_start_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "START_TIME", 0.001)
    server = Server(quiet(page=False))
    with pytest.raises(
        StartError, match=r"worker can't be started: it was not ready within 0 s: this machine is"
    ):
        await server.start()
    await server.stop()


async def test_a_worker_that_cannot_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_MODULE", "snugroom.no_such_module")
    server = Server(quiet(page=False))
    with pytest.raises(StartError, match="it has ended with status 1 while it started: its own messages are"):
        await server.start()
    await server.stop()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    server = Server(quiet(page=False))
    with pytest.raises(StartError, match="the system starts no process for it: No such file"):
        await server.start()
    await server.stop()
