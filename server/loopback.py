"""A listener of its own for the operator alone: on a loopback address, apart from the meetings' port."""

from __future__ import annotations

import socket

from aiohttp import web

from server import config


class Loopback:
    """Base of what is served there. Stopping twice is harmless."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._runner: web.AppRunner | None = None
        self._hosts: frozenset[str] = frozenset()

    async def _listen(self, app: web.Application) -> str:
        """Serve `app`; ``http://HOST:PORT``. OSError if the port is taken."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
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
        # another site's page that has its name point here sends its own name
        self._hosts = frozenset(
            {url.removeprefix("http://"), f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        )
        return url

    async def stop(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
