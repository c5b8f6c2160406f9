"""Whether a server answers plain HTTP: a server that refuses only WebSockets is not down."""

from __future__ import annotations

from typing import Final

import aiohttp

from snugroom.client.failures import NOBODY_BEHIND
from snugroom.client.proxy import Proxy, http_client
from snugroom.wire.outgoing import RedirectedError

#: Seconds for the answer; more through a proxy.
ANSWER_TIME: Final = 2.0


async def answers(url: str, proxy: Proxy | None = None, *, public_only: bool = False) -> bool:
    """Return whether a server, or the node with this URL, answers a HEAD request, as in `doors.ts`.

    `public_only`: as for `http_client`.
    """
    try:
        async with (
            http_client(proxy, total=ANSWER_TIME, public_only=public_only) as http,
            http.head(f"{url}/") as answer,
        ):
            return answer.status not in NOBODY_BEHIND
    except RedirectedError:
        return True
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
