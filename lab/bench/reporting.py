"""Output of benches: a table, or one JSON object."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from snugroom.lab.process import ServerError


async def reported(
    measuring: Coroutine[Any, Any, dict[str, Any]],
    seconds: float,
    json_output: bool,
    show: Callable[[dict[str, Any]], None],
    *failures: type[Exception],
) -> int:
    """Measure for at most `seconds`, and print the result or error; return the exit status (see `run`)."""
    expected: tuple[type[Exception], ...] = (ServerError, TimeoutError, OSError, *failures)
    try:
        async with asyncio.timeout(seconds):
            measured = await measuring
    except expected as error:
        print(f"the measurement failed: {str(error) or 'it took too long'}", file=sys.stderr)
        return 1
    if json_output:
        print(json.dumps(measured))
    else:
        show(measured)
    return 0
