"""A TCP proxy before the server, which keeps every byte of both directions."""

from __future__ import annotations

import asyncio
import contextlib


def unmasked(stream: bytes) -> list[bytes]:
    """The bytes of a WebSocket client (RFC 6455 section 5.2): the request's head, then the frames' payloads.

    Clients mask their frames, so in the stream itself nothing could be found.
    """
    head, separator, rest = stream.partition(b"\r\n\r\n")
    pieces = [head]
    while separator and len(rest) >= 2:
        size, at = rest[1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(rest[2 : 2 + width], "big"), 2 + width
        if rest[1] & 0x80:
            mask, at = rest[at : at + 4], at + 4
        else:
            mask = bytes(4)
        payload = rest[at : at + size]
        key = (mask * (size // 4 + 1))[: len(payload)]
        pieces.append(
            (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")
        )
        rest = rest[at + size :]
    return pieces


class Proxy:
    """Listens on a port of its own; connections go to `target`, (host, port), once that is set."""

    def __init__(self) -> None:
        self.target = ("", 0)
        self.url = ""
        #: One for each connection: what clients sent, and what the server sent.
        self.up: list[bytearray] = []
        self.down: list[bytearray] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        up, down = bytearray(), bytearray()
        self.up.append(up)
        self.down.append(down)
        await asyncio.gather(_carry(reader, far_writer, up), _carry(far_reader, writer, down))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            kept += data
            writer.write(data)
            await writer.drain()
    writer.close()
