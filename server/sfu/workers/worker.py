"""A media worker: one SFU in its own process, controlled by the process that started it.

    python -m snugroom.server.sfu.workers DESCRIPTOR LINKS

DESCRIPTOR is the other end of a `server.sfu.workers.pipe`. LINKS is a socket over which links to other
workers come (`server.sfu.io.worker_link`).

The worker handles no WebSocket and no blob: rooms, handles and transport parameters come over the pipe, media
over its own UDP socket. It ends when the pipe ends, and in any case with its parent. Its parent handles the
signals that stop the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import signal
import socket
import time
from typing import Final

import msgspec

from snugroom.server import logs, memory, memory_search, process
from snugroom.server.disclosure import audit
from snugroom.server.sfu.io.sockets import BindError
from snugroom.server.sfu.io.worker_link import LINK, WorkerLink
from snugroom.server.sfu.sfu import MediaError, Sfu
from snugroom.server.sfu.workers import pipe
from snugroom.server.sfu.workers.pipe import AuditResult, Heartbeat, Inspection, Joined, Pipe, Ready, ToWorker

log = logging.getLogger("snugroom.server.sfu.workers.worker")

HEARTBEAT_INTERVAL: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


class Worker:
    """The shell around one SFU. `ended` is set when there is nothing more to do."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._sfu: Sfu | None = None
        self._starting: asyncio.Task[None] | None = None
        self._sending_heartbeats: asyncio.Task[None] | None = None
        self._forgetting = memory.Forgetting(60.0)
        self._searches: set[asyncio.Task[None]] = set()
        decoder = msgspec.msgpack.Decoder(ToWorker)
        self._pipe: Pipe[ToWorker] = Pipe(decoder, self._on_message, self.ended.set)

    async def run(self, sock: socket.socket, links: socket.socket) -> None:
        """Serve until the pipe ends."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._pipe, sock=sock)
        # From now on, before there is an SFU: the parent also watches a worker that is kept in reserve.
        self._sending_heartbeats = loop.create_task(self._send_heartbeats())
        links.setblocking(False)
        loop.add_reader(links.fileno(), self._on_link, links)
        await self.ended.wait()
        loop.remove_reader(links.fileno())
        for task in (self._starting, self._sending_heartbeats):
            if task is not None:
                task.cancel()
        if self._sfu is not None:
            self._sfu.close()

    # -- messages from the parent --------------------------------------------------------------

    def _on_message(self, message: msgspec.Struct) -> None:
        if isinstance(message, pipe.Setup):
            self._starting = asyncio.get_running_loop().create_task(self._start(message))
        elif self._sfu is not None:
            try:
                self._dispatch(self._sfu, message)
            except Exception as error:  # a fault of one room must not affect the others
                log.error("a request to a media worker raised %s", type(error).__name__)
                if isinstance(message, pipe.Join):
                    self._pipe.send(Joined(message.ticket, code="error"))

    async def _start(self, setup: pipe.Setup) -> None:
        logging.getLogger().setLevel(setup.level)
        self._forgetting = memory.Forgetting(setup.forget_time)
        sfu = Sfu(**setup.options())
        try:
            await sfu.start()
        except OSError as error:
            what = error.what if isinstance(error, BindError) else "a socket"
            self._pipe.send(Ready(0, error.errno or errno.EIO, what))
            return
        self._sfu = sfu
        self._pipe.send(Ready(sfu.port))

    def _dispatch(self, sfu: Sfu, message: msgspec.Struct) -> None:
        if isinstance(message, pipe.Join):
            try:
                transport = sfu.join(message.room, message.handle, message.media)
            except MediaError as error:
                self._pipe.send(Joined(message.ticket, code=error.code))
            else:
                self._pipe.send(Joined(message.ticket, transport))
        elif isinstance(message, pipe.Subscribe):
            sfu.subscribe(message.room, message.handle, message.ssrcs, message.max_layers)
        elif isinstance(message, pipe.Leave):
            sfu.leave(message.room, message.handle)
            self._forgetting.left(time.monotonic())
        elif isinstance(message, pipe.Remote):
            sfu.join_remote(message.room, message.handle, message.worker, message.number, message.streams)
        elif isinstance(message, pipe.Inspect):
            self._pipe.send(self._inspect(sfu, message))
        elif isinstance(message, pipe.LastFrame):
            packets = sfu.last_frame(message.ssrc)
            self._pipe.send(Inspection(message.ticket, self._heartbeat(sfu), packets=packets))
        elif isinstance(message, pipe.Search):
            search = asyncio.get_running_loop().create_task(self._search(sfu, message))
            self._searches.add(search)
            search.add_done_callback(self._searches.discard)

    def _on_link(self, links: socket.socket) -> None:
        """Take a link to another worker: its number, and two sockets."""
        try:
            data, descriptors, _, _ = socket.recv_fds(links, LINK.size, 2)
        except OSError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(links.fileno())  # the parent is gone
            return
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        if self._sfu is None or len(sockets) != 2 or len(data) != LINK.size:
            for sock in sockets:
                sock.close()
            return
        self._sfu.connect_worker(LINK.unpack(data)[0], WorkerLink(*sockets))

    # -- messages to the parent ----------------------------------------------------------------

    def _heartbeat(self, sfu: Sfu | None) -> Heartbeat:
        totals = {} if sfu is None else sfu.totals()
        return Heartbeat(totals, time.process_time(), process.resident_memory(), self._forgetting.pending)

    def _inspect(self, sfu: Sfu, request: pipe.Inspect) -> Inspection:
        audited: AuditResult | None = None
        if request.audit:
            found = audit.audit(self)
            audited = AuditResult(found.objects, sorted(found.undeclared), sorted(found.misplaced))
        return Inspection(
            request.ticket,
            self._heartbeat(sfu),
            files=process.files_open_for_writing(),
            held=sfu.held() if request.held else None,
            streams=sfu.streams() if request.streams else [],
            audited=audited,
        )

    async def _search(self, sfu: Sfu, request: pipe.Search) -> None:
        # without an answer, the search is not complete, and the window says so
        with contextlib.suppress(memory_search.UnreadableError):
            found = await asyncio.to_thread(memory_search.search, request.wanted)
            self._pipe.send(Inspection(request.ticket, self._heartbeat(sfu), searched=found))

    async def _send_heartbeats(self) -> None:
        while True:
            self._pipe.send(self._heartbeat(self._sfu))
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            try:
                memory.wipe_stack()  # strangers' addresses too
                if self._forgetting.due(time.monotonic()):
                    memory.forget()
            except Exception:
                log.exception("forgetting failed")
                self._forgetting.left(time.monotonic())  # try again


def _end_with_parent() -> None:
    """Linux: kill this process when its parent dies, even if it is too busy to see the pipe's end."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Serve at the pipe and the socket of links with these descriptors; return the exit status.

    With a third argument, other processes of this user may read the memory of this one.
    """
    process.lock_memory_away(inspectable=len(arguments) > 2)
    _end_with_parent()
    for number in pipe.PARENT_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, pipe.PARENT_SIGNALS)
    logs.install("warning")
    memory.freeze()

    async def run() -> None:
        with (
            socket.socket(fileno=int(arguments[0])) as sock,
            socket.socket(fileno=int(arguments[1])) as links,
        ):
            await Worker().run(sock, links)

    asyncio.run(run())
    return 0
