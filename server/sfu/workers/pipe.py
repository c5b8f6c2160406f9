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

from snugroom.server.sfu.io.turn import TurnServer
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.sfu import MediaFacts, StreamFacts
from snugroom.server.wire.messages import Media, Transport

#: The most bytes of a message: enough for the streams of thousands of peers.
MESSAGE_MAX: Final = 64 * 2**20
#: Signals that are meant for the first process, whichever process receives them.
NOT_THEIRS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGUSR1})
_LENGTH: Final = struct.Struct("!L")

T = TypeVar("T", bound=msgspec.Struct)


class Setup(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first message: the arguments of the worker's SFU, answered by `Ready`. `level`: the log level."""

    address: str
    port: int
    bind: str
    also: list[str]
    tcp: bool
    turn: list[TurnServer]
    turn_time: float
    limits: MediaLimits
    level: str = "WARNING"

    def options(self) -> dict[str, Any]:
        """Return the arguments of `Sfu`."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "level"}


class Join(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.join`; answered by `Joined` with the same ticket."""

    ticket: int
    room: bytes
    handle: bytes
    media: Media


class Want(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.subscribe`."""

    room: bytes
    handle: bytes
    ssrcs: list[int] | None
    max_layers: list[int]


class Leave(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.leave`."""

    room: bytes
    handle: bytes


class Look(msgspec.Struct, frozen=True, tag=True):
    """Ask for the state (`held`), streams (`streams`), audit of all objects (`audit`): see `Looked`."""

    ticket: int
    held: bool = False
    streams: bool = False
    audit: bool = False


class Frame(msgspec.Struct, frozen=True, tag=True):
    """As `Sfu.last_frame`; answered by `Looked`."""

    ticket: int
    ssrc: int


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


class Beat(msgspec.Struct, frozen=True, tag=True):
    """Sent every second: `Sfu.totals`, CPU seconds since the start, resident memory in bytes."""

    totals: dict[str, int]
    cpu: float
    memory: int


class Audited(msgspec.Struct, frozen=True):
    """The findings of `server.disclosure.audit` in the worker's memory."""

    objects: int
    undeclared: list[str]
    misplaced: list[str]


class Looked(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Look` and `Frame`. `files`: files that the worker could write to (-1: unknown)."""

    ticket: int
    beat: Beat
    files: int = 0
    held: MediaFacts | None = None
    streams: list[StreamFacts] = []
    packets: list[bytes] = []
    audited: Audited | None = None


ToWorker = Setup | Join | Want | Leave | Look | Frame
FromWorker = Ready | Joined | Beat | Looked


class Pipe(asyncio.Protocol, Generic[T]):
    """One end. `heard` gets each message.

    `ended` is called once, when the other end is gone or has sent an invalid message.
    """

    def __init__(
        self, decoder: msgspec.msgpack.Decoder[T], heard: Callable[[T], None], ended: Callable[[], None]
    ) -> None:
        self._decoder = decoder
        self._heard = heard
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._come = bytearray()

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
        self._come += data
        at = 0
        while len(self._come) - at >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._come, at)
            end = at + _LENGTH.size + size
            if size > MESSAGE_MAX:
                self._abort()
                return
            if len(self._come) < end:
                break
            try:
                message = self._decoder.decode(memoryview(self._come)[at + _LENGTH.size : end].tobytes())
            except msgspec.MsgspecError:
                self._abort()
                return
            at = end
            self._heard(message)
        del self._come[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
