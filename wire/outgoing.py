"""The one place in which HTTP clients are made. None of them follows a redirect (protocol section 2).

Otherwise a server would choose the next address that this machine asks, such as one inside its own network.
aiohttp follows redirects of WebSockets too, and has no option against that.
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp

#: Statuses that lead a client to another address.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class RedirectedError(aiohttp.ClientError):
    """The server answered with a redirect, which was not followed.

    `status`: such as 301. `location`: what the server named, in its own words.
    """

    def __init__(self, status: int, location: str = "") -> None:
        self.status = status
        self.location = location
        super().__init__(f"it redirects to another address (status {status}): give that address itself")


async def _refuse_redirects(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    answer = await handler(request)
    if answer.status in _REDIRECTS:
        answer.close()
        raise RedirectedError(answer.status, answer.headers.get("Location", ""))
    return answer


def http_session(**options: Any) -> aiohttp.ClientSession:
    """Return an HTTP client that raises RedirectedError where a server redirects, of WebSockets too.

    `options` are those of aiohttp's ClientSession. Proxies of the environment are not used.
    """
    return aiohttp.ClientSession(middlewares=(_refuse_redirects,), trust_env=False, **options)
