"""The link between two workers: packets of rooms that are on both, in batches, over Unix sockets.

A link has two pairs of sockets (SOCK_SEQPACKET): one for sound and control, one for video. A full pair takes
nothing more, so video is dropped before sound. Sending never waits. The receiver drops what has waited too
long, video sooner than sound. Each message is the time of sending and then records: the number of a room, a
kind, and data. A link carries no address and no key.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

from snugroom.server.sfu.core.effects import Want

#: Bytes that a pair of sockets may hold, and from which a batch is sent at once; the largest message.
BUFFER: Final = 212_992
_BATCH: Final = 32_768
MESSAGE_MAX: Final = 65_536
#: Sound may wait so many times as long as video: later than that, nobody can use it. What workers tell each
#: other is repeated.
SOUND_PATIENCE: Final = 10.0
#: Messages read in one turn from one socket.
_MESSAGES_MAX: Final = 8
#: Entries of one `pack_wants` or `pack_rates`.
ENTRIES_MAX: Final = 4096

RTP, RTCP, WANTS, RATES = range(4)
#: What comes with the sockets of a new link: the number of the other worker.
LINK: Final = struct.Struct("!H")
_TIME: Final = struct.Struct("!d")
_RECORD: Final = struct.Struct("!LBH")
_WANT: Final = struct.Struct("!LLH")
_RATE: Final = struct.Struct("!LL")
_WORD: Final = 0xFFFFFFFF

#: Gets the number of a room, the kind, and the data of a record. It does not raise.
RecordHandler = Callable[[int, int, bytes], None]


class LinkError(ValueError):
    """A message is malformed."""


def pack_wants(wants: Sequence[tuple[int, Want]]) -> bytes:
    """Return the data of a `WANTS` record: at most `ENTRIES_MAX` streams."""
    return b"".join(
        _WANT.pack(ssrc, min(want.rate, _WORD), min(want.receivers, 0xFFFF))
        for ssrc, want in wants[:ENTRIES_MAX]
    )


def unpack_wants(data: bytes) -> dict[int, Want]:
    """Read the data of a `WANTS` record. LinkError if malformed."""
    if len(data) % _WANT.size:
        raise LinkError("wants of a wrong length")
    return {ssrc: Want(rate, receivers) for ssrc, rate, receivers in _WANT.iter_unpack(data)}


def pack_rates(rates: Sequence[tuple[int, int]]) -> bytes:
    """Return the data of a `RATES` record: at most `ENTRIES_MAX` streams."""
    return b"".join(_RATE.pack(ssrc, min(rate, _WORD)) for ssrc, rate in rates[:ENTRIES_MAX])


def unpack_rates(data: bytes) -> list[tuple[int, int]]:
    """Read the data of a `RATES` record. LinkError if malformed."""
    if len(data) % _RATE.size:
        raise LinkError("rates of a wrong length")
    return [(ssrc, rate) for ssrc, rate in _RATE.iter_unpack(data)]


def socket_pair() -> tuple[tuple[socket.socket, ...], tuple[socket.socket, ...]]:
    """Return the sockets of both ends of a new link, for `WorkerLink`. OSError if there are too many."""
    pairs: list[tuple[socket.socket, socket.socket]] = []
    try:
        while len(pairs) < 2:
            pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    except OSError:
        for pair in pairs:
            for sock in pair:
                sock.close()
        raise
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


class _Lane:
    """One of the two sockets, and the batch that waits for `send`."""

    __slots__ = ("batch", "records", "sock")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self.sock = sock
        self.batch = bytearray()
        self.records = 0


class WorkerLink:
    """One end. `crossed` counts sent records, `full` those that found the link full.

    `late` counts received messages that had waited too long. `lag`: how long the oldest message of
    the last `receive` had waited, in seconds; 0 if nothing is left. `closed`: the other end is gone.
    """

    def __init__(self, sound: socket.socket, video: socket.socket) -> None:
        self._sound, self._video = _Lane(sound), _Lane(video)
        self._now = 0.0
        self.crossed = self.full = self.late = 0
        self.lag = 0.0
        self.closed = False

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors to wait for."""
        return self._sound.sock.fileno(), self._video.sock.fileno()

    def add(self, number: int, kind: int, data: bytes, *, video: bool = False) -> None:
        """Add a record. It leaves at `flush` at the latest, or is dropped."""
        lane = self._video if video else self._sound
        if len(lane.batch) + len(data) > _BATCH:
            self._send(lane, self._now)
        batch = lane.batch
        batch += _RECORD.pack(number, kind, len(data))
        batch += data
        lane.records += 1

    def flush(self, now: float) -> None:
        """Send what waits. `now`: the time on the clock that both ends share."""
        self._now = now
        if self._sound.records:
            self._send(self._sound, now)
        if self._video.records:
            self._send(self._video, now)

    def _send(self, lane: _Lane, now: float) -> None:
        records, lane.records = lane.records, 0
        if not records:
            return
        batch, lane.batch = lane.batch, bytearray()
        try:
            lane.sock.sendmsg([_TIME.pack(now), batch])
            self.crossed += records
        except OSError:  # the other worker is late, or gone
            self.full += records

    def receive(self, buffer: memoryview, now: float, patience: float, handle: RecordHandler) -> int:
        """Read what has come, with `buffer` of `MESSAGE_MAX` bytes, and return the number of messages.

        Video that has waited for more than `patience` seconds is dropped, sound after `SOUND_PATIENCE` times
        that. LinkError at a malformed message.
        """
        self._now = now
        self.lag = 0.0
        count = self._receive(self._sound, buffer, now, SOUND_PATIENCE * patience, handle)
        return count + self._receive(self._video, buffer, now, patience, handle)

    def _receive(
        self, lane: _Lane, buffer: memoryview, now: float, patience: float, handle: RecordHandler
    ) -> int:
        oldest = 0.0
        for count in range(_MESSAGES_MAX):
            try:
                size = lane.sock.recv_into(buffer)
            except BlockingIOError:
                return count
            except OSError:
                size = 0
            if not size:
                self.closed = True
                return count
            if size < _TIME.size:
                raise LinkError("a message without a time")
            waited = now - _TIME.unpack_from(buffer)[0]
            oldest = max(oldest, waited)
            if waited > patience:
                self.late += 1
                continue
            _split(buffer[:size], handle)
        self.lag = max(self.lag, oldest)
        return _MESSAGES_MAX

    def close(self) -> None:
        """Close the sockets, which nobody may be reading."""
        self.closed = True
        for lane in (self._sound, self._video):
            with contextlib.suppress(OSError):
                lane.sock.close()


def _split(message: memoryview, handle: RecordHandler) -> None:
    at, size = _TIME.size, len(message)
    while at < size:
        begin = at + _RECORD.size
        if begin > size:
            raise LinkError("a record cut short")
        number, kind, length = _RECORD.unpack_from(message, at)
        at = begin + length
        if at > size:
            raise LinkError("data cut short")
        handle(number, kind, bytes(message[begin:at]))
