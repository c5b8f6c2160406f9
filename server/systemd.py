"""Messages of a service to systemd: it is ready, it is alive, it stops (sd_notify(3)).

Outside of systemd, nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping


class Service:
    """This process as a service of systemd with ``Type=notify``, if the variables in `environ` say so.

    With ``WatchdogSec=`` the event loop itself says that it is alive: systemd restarts a server whose loop
    stands still.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = environ.get("NOTIFY_SOCKET", "")
        #: Seconds between signs of life; 0: nobody waits for them.
        self.interval = int(environ.get("WATCHDOG_USEC") or 0) / 1e6 / 2
        self._watchdog: asyncio.Task[None] | None = None

    def __bool__(self) -> bool:
        """Return whether systemd listens."""
        return bool(self._path)

    def ready(self) -> None:
        """Say that the server serves, and go on to say that it is alive."""
        self._send("READY=1")
        if self._path and self.interval:
            self._watchdog = asyncio.get_running_loop().create_task(self._live())

    def stopping(self) -> None:
        """Say that the server stops. Harmless if it was never ready."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._send("STOPPING=1")

    async def _live(self) -> None:
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.interval)

    def _send(self, state: str) -> None:
        if not self._path:
            return
        # a path that begins with @ is in the abstract namespace
        path = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.setblocking(False)
            sock.sendto(state.encode(), path)
