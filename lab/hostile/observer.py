"""A server that behaves honestly and records all metadata that an operator can see.

The records have no content, because the server has none. Of each media datagram they have the kernel's time
of arrival, the size, and the cleartext header (RTP or RTCP); of each WebSocket frame, the direction, the size
and the type of message. ``python -m snugroom.lab.hostile.observer FILE`` writes them when it stops
(SIGTERM or SIGINT), as JSON lines with one array each. Times are Unix seconds:

    ["in", at, handle, room]                        a connection has passed a door (room or lobby number, hex)
    ["out", at, handle]                             a connection has ended
    ["ws", at, handle, up, bytes, kind]             a frame; `up` is true towards the server
    ["rtp", at, handle, bytes, ssrc, sequence, timestamp, first, second]   `first`, `second`: header bytes
    ["rtcp", at, handle, bytes, ssrc, type]
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from snugroom.server import logs
from snugroom.server.app import Server
from snugroom.server.config import Settings
from snugroom.server.rooms.connection import SignalingConnection
from snugroom.server.rooms.effects import Effect, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.media_server import MediaServer
from snugroom.server.rooms.signaling import Signaling
from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.packet_io import DatagramHandler, PlainPacketIo
from snugroom.server.sfu.limits import DATAGRAM_MAX
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire.messages import Entered, WireError, decode_client

#: SO_TIMESTAMPNS: the kernel reports the time of arrival (Linux; struct timespec, CLOCK_REALTIME).
_TIMESTAMP = 35
_TIMESPEC = struct.Struct("@qq")
_HEADER = struct.Struct("!BBHLL")
_DRAIN = 64

Note = Callable[..., None]


class TimedPacketIo(PlainPacketIo):
    """A `PlainPacketIo` with the kernel's time of arrival of the current datagram in `at`, Unix seconds."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
        self.at = 0.0
        self._box = srtp.Buffer(DATAGRAM_MAX)

    def drain(self, limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        data, view = self._box.data, self._box.view
        for count in range(limit):
            try:
                size, extra, _, source = self._socket.recvmsg_into([view], 64)
            except BlockingIOError:
                return count
            except OSError:  # an ICMP error for an earlier outgoing datagram
                continue
            self.at = time.time()
            for level, kind, value in extra:
                if level == socket.SOL_SOCKET and kind == _TIMESTAMP:
                    seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
                    self.at = seconds + nanoseconds / 1e9
            handle(data, view, size, source)
        return limit


class RecordingSfu(Sfu):
    """An SFU that records incoming RTP and RTCP."""

    note: Note

    async def start(self) -> None:
        await super().start()
        assert self._socket is not None
        self._timed = TimedPacketIo(self._socket)
        self._egress.packet_io = self._timed

    def _handle(self, data: Any, view: memoryview, size: int, source: Address) -> None:
        if 127 < view[0] < 192 and size > 12 and (link := self._by_address.get(source)) is not None:
            first, second, sequence, stamp, ssrc = _HEADER.unpack_from(view)
            at, handle = self._timed.at, link.key[1].hex()
            if 191 < second < 224:
                self.note("rtcp", at, handle, size, stamp, second)  # RTCP has its SSRC in bytes 4 to 8
            else:
                self.note("rtp", at, handle, size, ssrc, sequence, stamp, first, second)
        super()._handle(data, view, size, source)


class RecordingSignaling(Signaling):
    """WebSockets that record every message, arrival and departure."""

    def __init__(
        self,
        note: Note,
        hub: Hub,
        media: MediaServer,
        settings: Settings,
        *,
        origins: Iterable[str],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(hub, media, settings, origins=origins, clock=clock)
        self._note = note

    def _frame(
        self, connection: SignalingConnection, handle: bytes, data: bytes | str, is_text: bool
    ) -> None:
        try:
            kind = str(type(decode_client(data)).__struct_config__.tag)
        except WireError:
            kind = "?"
        self._note("ws", time.time(), handle.hex(), True, len(data), kind)
        super()._frame(connection, handle, data, is_text)

    def _send(self, effect: Send, frame: bytes) -> list[Effect]:
        now, handle = time.time(), effect.handle.hex()
        if isinstance(effect.message, Entered):
            room = self.hub._in_room.get(effect.handle)
            number = self.hub._in_lobby.get(effect.handle, b"") if room is None else room.number
            self._note("in", now, handle, number.hex())
        self._note("ws", now, handle, False, len(frame), str(type(effect.message).__struct_config__.tag))
        return super()._send(effect, frame)

    def perform(self, effects: Iterable[Effect]) -> None:
        before = set(self._connections)
        super().perform(effects)
        for handle in before - set(self.hub._nonces):
            self._note("out", time.time(), handle.hex())


class Observer(Server):
    """An honest server, made of the recording parts."""

    def __init__(self, settings: Settings, note: Note) -> None:
        super().__init__(settings, in_process=True)
        self._note = note

    def _make_signaling(self, hub: Hub, media: MediaServer, origins: list[str]) -> Signaling:
        return RecordingSignaling(self._note, hub, media, self.settings, origins=origins, clock=self.clock)

    def _make_sfu(self, **options: Any) -> Sfu:
        # one UDP socket for all media, because `TimedPacketIo` takes timestamps from one socket
        sfu = RecordingSfu(**{**options, "also": (), "beside": None, "tcp": False})
        sfu.note = self._note
        return sfu


async def _observe(file: Path) -> None:
    notes: list[tuple[object, ...]] = []
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Observer(Settings(listen="127.0.0.1:0"), lambda *note: notes.append(note))
    try:
        print(f"listening on {await server.start()}", flush=True)
        await stop.wait()
    finally:
        await server.stop()
        with file.open("w", encoding="ascii") as out:
            for note in notes:
                out.write(json.dumps(note, separators=(",", ":")) + "\n")


def main() -> None:
    """Run the server until SIGTERM or SIGINT, and write the records."""
    logs.install("warning")
    asyncio.run(_observe(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
