"""The server as a process: ``python -m snugroom.lab.ordinary``, until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal

from snugroom.lab.ordinary.server import Server


async def main() -> None:
    """Print the address and serve."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = Server()
    print(f"listening on {await server.start()}", flush=True)
    await stop.wait()
    await server.close()


if __name__ == "__main__":
    asyncio.run(main())
