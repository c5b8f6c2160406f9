"""Whether a server answers plain HTTP: a server that refuses only WebSockets is not down."""

from __future__ import annotations

from typing import Final

import aiohttp

from snugroom.client.failures import NOBODY_BEHIND

#: Seconds for the answer.
ANSWER_TIME: Final = 2.0


async def answers(origin: str) -> bool:
    """Return whether the server answers a HEAD request, as `client/web/src/worker/doors.ts` asks for it."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIME)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http,
            http.head(f"{origin}/", allow_redirects=False) as answer,
        ):
            return answer.status not in NOBODY_BEHIND
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
