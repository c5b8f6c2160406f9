"""A test whose event loop is busy ends by its time limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

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


def test_a_busy_loop_ends_by_the_limit(tmp_path: Path) -> None:
    (tmp_path / "test_busy.py").write_text(BUSY)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-p", "tests.conftest"]
    done = subprocess.run(
        [*command, "-o", "asyncio_mode=auto", "-o", "timeout=2", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "2 failed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("CancelledError: Timeout (>2.0s)") >= 2
