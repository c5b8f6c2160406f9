"""Whether a server answers plain HTTP: a server that refuses only WebSockets is not down."""

from __future__ import annotations

from typing import Final

import aiohttp

from snugroom.client.failures import NOBODY_BEHIND

#: Seconds for the answer.
ANSWER_TIME: Final = 2.0


async def answers(url: str) -> bool:
    """Return whether a server, or the node with this URL, answers a HEAD request, as in `doors.ts`."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIME)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http,
            http.head(f"{url}/", allow_redirects=False) as answer,
        ):
            return answer.status not in NOBODY_BEHIND
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
