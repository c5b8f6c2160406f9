"""A test whose event loop is busy ends by its time limit, and freed memory is given back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from snugroom.server.process import resident_memory
from tests.limits import MemoryBound, release

ROOT: Final = Path(__file__).parents[1]
#: Their loop is busy: the limit strikes in a callback, or in another task.
BUSY: Final = """
import asyncio, time

async def test_callbacks():
    loop = asyncio.get_running_loop()
    def work():
        loop.call_soon(work)
        time.sleep(0.05)
    loop.call_soon(work)
    await asyncio.Event().wait()

async def test_tasks():
    async def work():
        while True:
            await asyncio.sleep(0)
            time.sleep(0.05)
    async def again():
        while True:
            await asyncio.wait([asyncio.create_task(work())])
    asyncio.create_task(again())
    await asyncio.Event().wait()
"""

#: The second of two tests, in any order, finds that the memory was looked at after the first.
AFTER_EACH: Final = """
import pytest
from tests.conftest import MEMORY

seen = []

@pytest.mark.parametrize("number", [1, 2])
def test_memory(number):
    seen.append(MEMORY.least)
    assert [least is None for least in seen] == [True, False][:len(seen)]
"""


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run these tests in a process with the hooks of `tests.conftest`."""
    (folder / "test_made.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(folder), "-p", "tests.conftest"]
    return subprocess.run(
        [*command, "-o", "asyncio_mode=auto", "-o", "timeout=2", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_busy_loop_ends_by_the_limit(tmp_path: Path) -> None:
    done = run(tmp_path, BUSY)
    assert "2 failed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("CancelledError: Timeout (>2.0s)") >= 2


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's allocator only")
def test_freed_memory_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    libc.free.argtypes = (ctypes.c_void_p,)
    release()
    before = resident_memory()
    blocks = [libc.malloc(60_000) for _ in range(2000)]
    for block in blocks:
        ctypes.memset(block, 1, 60_000)
    for block in blocks[:-1]:  # the last one keeps the others from going by themselves
        libc.free(block)
    assert resident_memory() - before > 100_000_000
    release()
    assert resident_memory() - before < 40_000_000
    libc.free(blocks[-1])


def test_memory_is_looked_at_after_each_test(tmp_path: Path) -> None:
    done = run(tmp_path, AFTER_EACH)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_a_process_that_has_grown_is_asked_to_give_back() -> None:
    sizes = iter([500, 690, 400, 600, 601, 450, 650, 651, 460])
    asked: list[int] = []
    memory = MemoryBound(200, lambda: next(sizes), lambda: asked.append(1))
    counts = []
    for _ in range(7):
        memory.check()
        counts.append(len(asked))
    assert counts == [0, 0, 0, 0, 1, 1, 2]
