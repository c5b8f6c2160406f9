"""Several ways for packets to come and go, behind the interface of one: UDP over IPv4 and IPv6, and TCP.

Who is sent to is on the way that their address belongs to. Where there has been one way only, which is the
rule, nothing is looked at.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Container, Sequence
from typing import Any, cast

from server.media.fan import Fan
from server.media.ice import Address
from server.media.numbers import Numbers
from server.media.path import BatchPath, Handler, Path, PlainPath, choose
from server.media.tcp import Tcp

#: Addresses of a kind have one length: (host, port), of TCP (host, port, number), (host, port, flow, scope).
_TCP, _V4, _V6 = 3, 2, 4


class Ways:
    """`server.media.path.Path` over sockets of UDP and, once `tcp` is set, connections of TCP."""

    def __init__(self, udp: Sequence[socket.socket], batch: int) -> None:
        self._udp = [choose(sock, batch) for sock in udp]
        self._sockets = {_V6 if sock.family == socket.AF_INET6 else _V4: sock for sock in udp}
        self._paths = dict(zip(self._sockets, self._udp, strict=True))
        self._only = self._udp[0] if len(self._udp) == 1 else None
        self._tcp: Tcp | None = None
        self._parts: dict[int, tuple[Fan[Any], list[tuple[int, Fan[Any]]]]] = {}
        self._now = 0.0
        #: Of all of them: who changes the way goes on counting.
        self.numbers = Numbers()
        for path in self._udp:
            path.numbers = self.numbers

    def take(self, tcp: Tcp) -> None:
        """Connections of TCP are a way too."""
        self._tcp = tcp
        # sealing for them is sealing, and `sendto` is all that it needs of a socket
        path = self._paths[_TCP] = PlainPath(cast(socket.socket, tcp))
        path.numbers = self.numbers

    @property
    def path(self) -> Path:
        """What packets go through: the only way itself, where there will never be another."""
        return self._udp[0] if len(self._paths) == 1 else cast(Path, self)

    # -- as a path -----------------------------------------------------------------------------

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

    def fan_out(self, packet: bytes, fan: Fan[Any], *, burst: bool = False) -> None:
        if self._only is not None and (self._tcp is None or not self._tcp.ever):
            self._only.fan_out(packet, fan, burst=burst)
            return
        known = self._parts.get(id(fan))
        if known is not None:
            parts = known[1]
        else:
            parts = _parted(fan)
            if not fan.once:  # kept with the object itself, so that nothing else can have its id meanwhile
                self._parts[id(fan)] = fan, parts
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

    # -- beside it -----------------------------------------------------------------------------

    def send(self, datagram: bytes, address: Address) -> None:
        """One datagram as it is. OSError if it can't go."""
        if len(address) == _TCP:
            if self._tcp is None:
                raise ConnectionError("the connection is gone")
            self._tcp.sendto(datagram, address)
        else:
            self._sockets[len(address)].sendto(datagram, address)

    def sweep(self, now: float, known: Container[Address]) -> None:
        """Once a second, with the addresses that are somebody's."""
        if self._tcp is not None:
            self._tcp.sweep(now, known)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """No socket any more, and `loop` reads none."""
        if self._tcp is not None:
            self._tcp.close()
        for sock in self._sockets.values():
            loop.remove_reader(sock.fileno())
            sock.close()

    @property
    def counts(self) -> dict[str, int]:
        """Of TCP, since the start, and how many connections there are."""
        return {} if self._tcp is None else {**self._tcp.counts, "tcp_connections": self._tcp.connections}

    @property
    def buffers(self) -> int:
        """Bytes of the buffers for datagrams, and of what waits for slow readers."""
        paths = [path for path in self._paths.values() if isinstance(path, PlainPath | BatchPath)]
        return sum(path.buffers for path in paths) + (0 if self._tcp is None else self._tcp.buffers)

    @property
    def by_heart(self) -> int:
        """Addresses known by heart."""
        return sum(path.by_heart for path in self._udp if isinstance(path, PlainPath | BatchPath))


def _parted(fan: Fan[Any]) -> list[tuple[int, Fan[Any]]]:
    kinds: dict[int, list[int]] = {}
    for i, receiver in enumerate(fan.receivers):
        kinds.setdefault(len(receiver.address), []).append(i)
    parts = []
    for kind, chosen in kinds.items():
        receivers = [fan.receivers[i] for i in chosen]
        shifts = None if fan.shifts is None else [fan.shifts[i] for i in chosen]
        parts.append((kind, Fan(receivers, shifts, fan.ssrc, wide=fan.wide, once=fan.once)))
    return parts
