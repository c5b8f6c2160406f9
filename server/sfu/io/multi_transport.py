"""Several transports behind the interface of one path: UDP over IPv4 and IPv6, and TCP.

The receiver's address selects the transport. While there has been one transport only, which is the normal
case, no address is examined.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Container, Sequence
from typing import Any, cast

from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.packet_io import BatchPath, Handler, Path, PlainPath, choose
from snugroom.server.sfu.io.tcp import Tcp

#: The length of an address gives its kind: UDP/IPv4 (host, port), TCP (host, port, number), UDP/IPv6 (host,
#: port, flow, scope).
_TCP, _V4, _V6 = 3, 2, 4


class Ways:
    """`server.sfu.io.packet_io.Path` over UDP sockets and, after `take`, TCP connections."""

    def __init__(self, udp: Sequence[socket.socket], batch: int) -> None:
        self._udp = [choose(sock, batch) for sock in udp]
        self._sockets = {_V6 if sock.family == socket.AF_INET6 else _V4: sock for sock in udp}
        self._paths = dict(zip(self._sockets, self._udp, strict=True))
        self._only = self._udp[0] if len(self._udp) == 1 else None
        self._tcp: Tcp | None = None
        self._parts: dict[int, tuple[Fanout[Any], list[tuple[int, Fanout[Any]]]]] = {}
        self._now = 0.0
        #: Shared by all paths, so that a receiver's count continues when it changes the transport.
        self.twcc_sequence = TwccSequence()
        for path in self._udp:
            path.twcc_sequence = self.twcc_sequence

    def take(self, tcp: Tcp) -> None:
        """Add TCP connections as a transport."""
        self._tcp = tcp
        # Packets are sealed as for UDP, and the path needs only `sendto` of its socket.
        path = self._paths[_TCP] = PlainPath(cast(socket.socket, tcp))
        path.twcc_sequence = self.twcc_sequence

    @property
    def path(self) -> Path:
        """The path for packets: the UDP path itself, if there will never be another one."""
        return self._udp[0] if len(self._paths) == 1 else cast(Path, self)

    # -- the interface of `Path` ---------------------------------------------------------------

    @property
    def sent(self) -> int:
        return sum(path.sent for path in self._paths.values())

    @property
    def unsent(self) -> int:
        return sum(path.unsent for path in self._paths.values())

    @property
    def octets(self) -> int:
        return sum(path.octets for path in self._paths.values())

    def drain(self, limit: int, handle: Handler) -> None:
        for path in self._udp:
            path.drain(limit, handle)

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, value: float) -> None:
        self._now = value
        for path in self._paths.values():
            path.now = value

    def fan_out(self, packet: bytes, fanout: Fanout[Any], *, burst: bool = False) -> None:
        if self._only is not None and (self._tcp is None or not self._tcp.ever):
            self._only.fan_out(packet, fanout, burst=burst)
            return
        known = self._parts.get(id(fanout))
        if known is not None:
            parts = known[1]
        else:
            parts = _parted(fanout)
            if not fanout.once:  # the fan-out is kept too, so that no other object gets its id
                self._parts[id(fanout)] = fanout, parts
        for kind, part in parts:
            self._paths[kind].fan_out(packet, part, burst=burst)

    def flush(self) -> None:
        for path in self._udp:
            path.flush()
        if self._tcp is not None:
            self._tcp.flush()

    def changed(self) -> None:
        self._parts.clear()
        for path in self._paths.values():
            path.changed()

    # -- other methods -------------------------------------------------------------------------

    def send(self, datagram: bytes, address: Address) -> None:
        """Send one datagram unchanged. OSError if it cannot be sent."""
        if len(address) == _TCP:
            if self._tcp is None:
                raise ConnectionError("the connection is gone")
            self._tcp.sendto(datagram, address)
        else:
            self._sockets[len(address)].sendto(datagram, address)

    def sweep(self, now: float, known: Container[Address]) -> None:
        """Sweep the TCP connections, once a second. `known`: the addresses that belong to peers."""
        if self._tcp is not None:
            self._tcp.sweep(now, known)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close all sockets, and stop `loop` from reading them."""
        if self._tcp is not None:
            self._tcp.close()
        for sock in self._sockets.values():
            loop.remove_reader(sock.fileno())
            sock.close()

    @property
    def counts(self) -> dict[str, int]:
        """Counters of TCP since the start, and the present number of connections."""
        return {} if self._tcp is None else {**self._tcp.counts, "tcp_connections": self._tcp.connections}

    @property
    def buffers(self) -> int:
        """Bytes of the datagram buffers, and of the data that waits for slow readers."""
        paths = [path for path in self._paths.values() if isinstance(path, PlainPath | BatchPath)]
        return sum(path.buffers for path in paths) + (0 if self._tcp is None else self._tcp.buffers)

    @property
    def by_heart(self) -> int:
        """The number of cached addresses."""
        return sum(path.by_heart for path in self._udp if isinstance(path, PlainPath | BatchPath))


def _parted(fanout: Fanout[Any]) -> list[tuple[int, Fanout[Any]]]:
    kinds: dict[int, list[int]] = {}
    for i, receiver in enumerate(fanout.receivers):
        kinds.setdefault(len(receiver.address), []).append(i)
    parts = []
    for kind, chosen in kinds.items():
        receivers = [fanout.receivers[i] for i in chosen]
        offsets = None if fanout.offsets is None else [fanout.offsets[i] for i in chosen]
        parts.append((kind, Fanout(receivers, offsets, fanout.ssrc, twcc=fanout.twcc, once=fanout.once)))
    return parts
