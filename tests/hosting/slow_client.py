"""Begins many requests over TLS and ends none of them. Arguments: a name, a number.

Prints when all are begun, and when the server has closed all.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time


async def main(name: str, number: int) -> None:
    async def one() -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(name, 443, ssl=ssl.create_default_context())
        writer.write(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\nX-Slow: ")
        kept.append(writer)
        return reader

    kept: list[asyncio.StreamWriter] = []
    readers = await asyncio.gather(*(one() for _ in range(number)))
    print("open", flush=True)
    begin = time.monotonic()
    await asyncio.gather(*(reader.read() for reader in readers), return_exceptions=True)
    print(f"all cut after {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
