"""Members of a meeting as a process: ``python -m snugroom.lab.ordinary.members URL NAME NAME ...``.

It prints a line when all members are connected. Each line of its input is a JSON text, which the first member
writes to everybody; it prints a line when all members have it. It ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from typing import Final

from snugroom.client.media.codec import HEIGHT, WIDTH
from snugroom.lab.ordinary.member import Member

#: The first words of the lines that it prints.
TOGETHER: Final = "together at "
SAID: Final = "said "
_COME_IN_TIME: Final = 30.0
_SAY_TIME: Final = 10.0
_LOOK: Final = 0.05
#: Nobody looks at the video: it is here to be decoded by the server.
_SIZE: Final = (WIDTH // 4, HEIGHT // 4)


async def main(url: str, names: Sequence[str]) -> None:
    """Hold the meeting until the input ends, or SIGTERM."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, reader.feed_eof)
    members = [Member(name, identity, _SIZE) for identity, name in enumerate(names)]
    try:
        async with asyncio.timeout(_COME_IN_TIME):
            for member in members:
                await member.join(url, len(members) - 1)
        print(f"{TOGETHER}{url}", flush=True)
        while line := await reader.readline():
            text = json.loads(line)
            await members[0].say(text)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SAY_TIME):
                    while not all((names[0], text) in each.chat for each in members):  # noqa: ASYNC110
                        await asyncio.sleep(_LOOK)
                print(f"{SAID}{json.dumps(text)}", flush=True)
    finally:
        await asyncio.gather(*(member.close() for member in members))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
