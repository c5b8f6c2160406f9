"""An HTTP listener for the operator only, on a loopback address and apart from the port of the meetings."""

from __future__ import annotations

import socket

from aiohttp import web

from snugroom.server import config, http


class Loopback:
    """Base class of the operator's listeners. Stopping one twice is harmless."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._runner: web.AppRunner | None = None
        self._hosts: frozenset[str] = frozenset()

    async def _listen(self, app: web.Application) -> str:
        """Serve `app`, and return ``http://HOST:PORT``. Raises OSError if the port is taken."""
        self._runner = await http.run(app, shutdown_timeout=0.5)
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._address, self._port))
            await web.SockSite(self._runner, listening).start()
        except OSError:
            listening.close()
            await self.stop()
            raise
        port = listening.getsockname()[1]
        url = config.url(self._address, port)
        # DNS rebinding: a page whose host name resolves to this address sends its own host name
        self._hosts = frozenset(
            {url.removeprefix("http://"), f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        )
        return url

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
