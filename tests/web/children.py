"""Child processes of this one, found by a word on their command lines."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from tests.patience import PATIENCE


def alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def children(parent: int, word: str) -> list[int]:
    """The children of `parent` with that word on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if int(status[1]) == parent and word.encode() in words:
                found.append(int(folder.name))
    return found


async def appear(parent: int, word: str, count: int) -> list[int]:
    """Wait for that many children: a child has its command line only some time after its start."""
    async with asyncio.timeout(PATIENCE):
        while len(found := children(parent, word)) != count:  # noqa: ASYNC110 - what is waited for is in /proc
            await asyncio.sleep(0.05)
    return found
