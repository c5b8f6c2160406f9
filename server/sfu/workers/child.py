"""The parent's side of a media worker: the process (`server.sfu.workers.worker`), and the pipe to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from snugroom.installed import IMPORT_FROM
from snugroom.server import memory, process
from snugroom.server.sfu.io.worker_link import LINK
from snugroom.server.sfu.workers.pipe import PARENT_SIGNALS, FromWorker, Pipe, Ready, Setup

_DECODER: Final = msgspec.msgpack.Decoder(FromWorker)
_MODULE: Final = "snugroom.server.sfu.workers"
#: numpy's library would start threads, which do nothing here and make glibc's allocator take locks.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}
#: Maximum seconds from the start of a process until its code is loaded, and until its sockets are open.
START_TIME: Final = 60.0


class WorkerError(Exception):
    """A media worker cannot be started. The text is one clause with the reason, without an address."""


class WorkerProcess:
    """One worker. It loads its code and waits for `set_up`. `on_message` gets all messages but `Ready`.

    A worker sends a heartbeat every second as soon as its code is `loaded`.
    """

    def __init__(self) -> None:
        self.on_message: Callable[[msgspec.Struct], None] = lambda message: None
        #: Set when the pipe has ended.
        self.gone = asyncio.Event()
        self.loaded = False
        self._heard_at = asyncio.get_running_loop().time()
        self._pipe: Pipe[FromWorker] = Pipe(_DECODER, self._on_message, self.gone.set)
        self._process: asyncio.subprocess.Process | None = None
        #: Links to other workers go over this socket.
        self._links: socket.socket | None = None
        self._ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(cls) -> WorkerProcess:
        """Start a new process. OSError if the system cannot start one."""
        child = cls()
        ours, theirs = socket.socketpair()
        child._links, links = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child._links.setblocking(False)
        # The signals stay blocked in the new process until it ignores them.
        signal.pthread_sigmask(signal.SIG_BLOCK, PARENT_SIGNALS)
        try:
            with theirs, links:
                # The worker loads the same modules as this process, wherever that was started from.
                path = os.pathsep.join([str(IMPORT_FROM), *(entry for entry in sys.path if entry)])
                child._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    _MODULE,
                    str(theirs.fileno()),
                    str(links.fileno()),
                    *(() if process.memory_is_locked_away() else ("inspectable",)),
                    pass_fds=[theirs.fileno(), links.fileno()],
                    env=os.environ | {"PYTHONPATH": path} | _ONE_THREAD | memory.wiping(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            await asyncio.get_running_loop().create_unix_connection(lambda: child._pipe, sock=ours)
        except BaseException:
            ours.close()
            child._links.close()
            child.kill()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_SIGNALS)
        return child

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process is not None and self._process.returncode is None

    @property
    def waiting(self) -> int:
        """Bytes that the worker has not taken yet."""
        return self._pipe.waiting

    def send(self, message: msgspec.Struct) -> None:
        """Send a message to the worker; does nothing once the worker has ended."""
        self._pipe.send(message)

    def connect(self, worker: int, sockets: Sequence[socket.socket]) -> None:
        """Give the worker its end of a link to the worker `worker`. OSError if it does not take it."""
        assert self._links is not None
        socket.send_fds(self._links, [LINK.pack(worker)], [sock.fileno() for sock in sockets])

    def silence(self) -> float:
        """Return the seconds since the last message of the worker, or since its start."""
        return asyncio.get_running_loop().time() - self._heard_at

    def excuse(self) -> None:
        """Begin to count silence anew: this process could not listen."""
        self._heard_at = asyncio.get_running_loop().time()

    def patience(self, silent: float) -> float:
        """Return the seconds of silence after which the worker is dead: `silent`, once it is loaded."""
        return silent if self.loaded else START_TIME

    def fault(self) -> str:
        """Say what is wrong with a worker that has ended or is silent."""
        if not self.gone.is_set():
            return f"has been silent for {self.silence():.0f} s"
        status = None if self._process is None else self._process.returncode
        if status is not None and status < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-status).name}"
        return "has ended" if status is None else f"has ended with status {status}"

    async def set_up(self, setup: Setup, seconds: float) -> Ready | None:
        """Return the worker's answer; None if it ends, or does not answer in `seconds`."""
        self._pipe.send(setup)
        ended = asyncio.ensure_future(self.gone.wait())
        waited: set[asyncio.Future[Any]] = {self._ready, ended}
        try:
            await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        return self._ready.result() if self._ready.done() else None

    def kill(self) -> None:
        """Kill the worker, whatever it is doing."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self, seconds: float) -> None:
        """Close the pipe, and wait until the worker ends by itself; kill it after `seconds`."""
        self._pipe.close()
        if self._links is not None:
            self._links.close()
        if self._process is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def _on_message(self, message: msgspec.Struct) -> None:
        self.loaded = True
        self._heard_at = asyncio.get_running_loop().time()
        if not isinstance(message, Ready):
            self.on_message(message)
        elif not self._ready.done():
            self._ready.set_result(message)
