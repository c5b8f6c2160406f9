"""Opens WebSockets of a server until it refuses one, and claims to be somebody else each time.

Arguments: a URL, a number. Prints one word for each in a line; keeps them until a line comes.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp


async def main(url: str, number: int) -> None:
    words = []
    async with aiohttp.ClientSession() as http:
        kept = []
        for attempt in range(number):
            claim = f"10.1.1.{attempt}"
            headers = {"X-Forwarded-For": claim, "Forwarded": f"for={claim}", "X-Real-IP": claim}
            try:
                socket = await http.ws_connect(url, headers=headers)
            except aiohttp.WSServerHandshakeError:
                words.append("refused")
                continue
            kept.append(socket)
            first = await socket.receive()
            challenge = first.type is aiohttp.WSMsgType.TEXT and '"challenge"' in first.data
            words.append("open" if challenge else "refused")
        print(*words, flush=True)
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
