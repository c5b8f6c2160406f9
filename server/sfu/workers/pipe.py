"""Messages between the first process and a media worker, over a pair of Unix sockets.

Each message is msgpack after its length (4 bytes, big-endian). The first process sends `ToWorker`, the worker
`FromWorker`; both keep their order. The end of the sockets is the end of the other process.
"""

from __future__ import annotations

import asyncio
import signal
import struct
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from snugroom.server.memory_search import Found, Wanted
from snugroom.server.sfu.facts import MediaFacts, StreamFacts
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire.messages import Media, Stream, Transport

#: The most bytes of a message: enough for the streams of thousands of peers.
MESSAGE_MAX: Final = 64 * 2**20
#: Signals that are meant for the first process, whichever process receives them.
PARENT_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGUSR1})
_LENGTH: Final = struct.Struct("!L")

#: Fields of `Setup` that are for the worker and not for its SFU.
OWN: Final = {"level", "forget_time"}

T = TypeVar("T", bound=msgspec.Struct)


class Setup(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first message: the arguments of the worker's SFU, answered by `Ready`.

    `beside`: as in `Sfu`; `level`: the log level; `forget_time`: as in `Settings`.
    """

    address: str
    port: int
    bind: str
    also: list[str]
    beside: str | None = None
    tcp: bool
    limits: MediaLimits
    forget_time: float = 30.0
    level: str = "WARNING"

    def options(self) -> dict[str, Any]:
        """Return the arguments of `Sfu`."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name not in OWN}


class Join(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.join`; answered by `Joined` with the same ticket."""

    ticket: int
    room: bytes
    handle: bytes
    media: Media


class Subscribe(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.subscribe`."""

    room: bytes
    handle: bytes
    ssrcs: list[int] | None
    max_layers: list[int]


class Leave(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.leave`."""

    room: bytes
    handle: bytes


class Remote(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.join_remote`: a member that is on another worker. `Leave` removes it."""

    room: bytes
    handle: bytes
    worker: int
    number: int
    streams: list[Stream]


class Inspect(msgspec.Struct, frozen=True, tag=True):
    """Ask for the state (`held`), streams (`streams`), audit of all objects (`audit`): see `Inspection`."""

    ticket: int
    held: bool = False
    streams: bool = False
    audit: bool = False


class LastFrame(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.last_frame`; answered by `Inspection`."""

    ticket: int
    ssrc: int


class Search(msgspec.Struct, frozen=True, tag=True):
    """Search the worker's memory (`server.memory_search`); answered by `Inspection`."""

    ticket: int
    wanted: Wanted


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The sockets are open at `port`; or opening `what` failed with the system's error number `error`."""

    port: int
    error: int = 0
    what: str = ""


class Joined(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Join`; without `transport` the join is refused, and `code` is the reason."""

    ticket: int
    transport: Transport | None = None
    code: str = ""


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """Sent every second: `Sfu.totals` (empty before `Ready`), CPU seconds, resident memory in bytes.

    `forgetting`: traces of a member that has left may still be in memory.
    """

    totals: dict[str, int]
    cpu: float
    memory: int
    forgetting: bool = False


class AuditResult(msgspec.Struct, frozen=True):
    """The findings of `server.disclosure.audit` in the worker's memory."""

    objects: int
    undeclared: list[str]
    misplaced: list[str]


class Inspection(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Inspect`, `LastFrame` and `Search`. `files`: files open for writing (-1: unknown)."""

    ticket: int
    heartbeat: Heartbeat
    files: int = 0
    held: MediaFacts | None = None
    streams: list[StreamFacts] = []
    packets: list[bytes] = []
    audited: AuditResult | None = None
    searched: Found | None = None


ToWorker = Setup | Join | Subscribe | Leave | Remote | Inspect | LastFrame | Search
FromWorker = Ready | Joined | Heartbeat | Inspection


class Pipe(asyncio.Protocol, Generic[T]):
    """One end. `on_message` gets each message.

    `on_end` is called once, when the other end is gone or has sent an invalid message.
    """

    def __init__(
        self, decoder: msgspec.msgpack.Decoder[T], on_message: Callable[[T], None], on_end: Callable[[], None]
    ) -> None:
        self._decoder = decoder
        self._on_message = on_message
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes that the other end has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def send(self, message: msgspec.Struct) -> None:
        """Queue a message; does nothing once the pipe has ended."""
        if self._transport is not None and not self._transport.is_closing():
            data = msgspec.msgpack.encode(message)
            self._transport.write(_LENGTH.pack(len(data)) + data)

    def close(self) -> None:
        """End the pipe from this side, after sending the queued messages."""
        if self._transport is not None:
            self._transport.close()

    # -- asyncio's callbacks -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # Never held back: the sender checks `waiting`.
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        at = 0
        while len(self._received) - at >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._received, at)
            end = at + _LENGTH.size + size
            if size > MESSAGE_MAX:
                self._abort()
                return
            if len(self._received) < end:
                break
            try:
                message = self._decoder.decode(memoryview(self._received)[at + _LENGTH.size : end].tobytes())
            except msgspec.MsgspecError:
                self._abort()
                return
            at = end
            self._on_message(message)
        del self._received[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
