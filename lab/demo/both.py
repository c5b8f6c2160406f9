"""``snug demo --ordinary`` for the projector: a process of its own, and its result.

The robots of the lecture are not concerned: they stay in their room.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Final

from snugroom.client.headless.status import Status
from snugroom.lab.demo import commands
from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.demo.traces import KINDS

_TIME: Final = 170.0
_SIDES: Final = ("snug", "ordinary")


async def both(participants: int = 3, seconds: float = 4.0) -> dict[str, Any]:
    """Hold both meetings; return `all`, and for each kind of trace of how many members each server had it.

    RefusedError if aiortc is missing, or if the meetings took too long or failed.
    """
    wanted = ("--participants", str(participants), "--seconds", str(seconds))
    async with commands.running("demo", "--ordinary", "--json", *wanted) as process:
        try:
            async with asyncio.timeout(_TIME):
                out, _ = await process.communicate()
        except TimeoutError:
            raise RefusedError("late") from None
    if process.returncode == Status.USAGE:
        raise RefusedError("package")
    return result(out, participants)


def result(out: bytes, participants: int) -> dict[str, Any]:
    """Return what the projector shows of the demo's output. RefusedError if it has no comparison."""
    for line in out.splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and told.get("event") == "contrast":
                counts = [{side: _count(told[side], kind) for side in _SIDES} for kind in KINDS]
                snug = told["snug"]
                if snug is not None and snug["rows"]:  # a part of a frame is a leak, too
                    counts[KINDS.index("frames")]["snug"] = max(1, len(snug["frames"]))
                rows = [{"what": kind, **count} for kind, count in zip(KINDS, counts, strict=True)]
                return {"all": participants, "rows": rows}
    raise RefusedError("late")


def _count(traces: dict[str, Any] | None, kind: str) -> int | None:
    if traces is None or (kind == "frames" and not traces["frames_sought"]):
        return None
    return len(traces[kind])
