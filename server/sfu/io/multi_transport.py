"""Several transports behind the interface of one `PacketIo`: UDP over IPv4 and IPv6, and TCP.

The receiver's address selects the transport. While there has been one transport only, which is the normal
case, no address is examined.
"""

from __future__ import annotations

import socket
from collections.abc import Container, Sequence
from typing import Any, cast

from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.packet_io import (
    BatchPacketIo,
    DatagramHandler,
    PacketIo,
    PlainPacketIo,
    make_packet_io,
)
from snugroom.server.sfu.io.tcp import Tcp

#: The length of an address gives its kind: UDP/IPv4 (host, port), TCP (host, port, number), UDP/IPv6 (host,
#: port, flow, scope).
_TCP, _V4, _V6 = 3, 2, 4


class MultiTransport:
    """`server.sfu.io.packet_io.PacketIo` over UDP sockets and, after `add_tcp`, TCP connections."""

    def __init__(self, udp: Sequence[socket.socket], batch: int) -> None:
        self._udp = [make_packet_io(sock, batch) for sock in udp]
        self._by_descriptor: dict[int | None, PacketIo] = dict(
            zip((sock.fileno() for sock in udp), self._udp, strict=True)
        )
        self._sockets = {_V6 if sock.family == socket.AF_INET6 else _V4: sock for sock in udp}
        self._packet_ios = dict(zip(self._sockets, self._udp, strict=True))
        self._only_udp = self._udp[0] if len(self._udp) == 1 else None
        self._tcp: Tcp | None = None
        self._split_fanouts: dict[int, tuple[Fanout[Any], list[tuple[int, Fanout[Any]]]]] = {}
        self._now = 0.0
        self.lag = 0.0
        #: Shared by all transports, so that a receiver's count continues when it changes the transport.
        self.twcc_sequence = TwccSequence()
        for packet_io in self._udp:
            packet_io.twcc_sequence = self.twcc_sequence

    def add_tcp(self, tcp: Tcp) -> None:
        """Add TCP connections as a transport."""
        self._tcp = tcp
        # Packets are sealed as for UDP, and `PlainPacketIo` needs only `sendto` of its socket.
        packet_io = self._packet_ios[_TCP] = PlainPacketIo(cast(socket.socket, tcp))
        packet_io.twcc_sequence = self.twcc_sequence

    @property
    def packet_io(self) -> PacketIo:
        """The packet I/O to use: that of UDP itself, if there will never be another transport."""
        return self._udp[0] if len(self._packet_ios) == 1 else cast(PacketIo, self)

    # -- the interface of `PacketIo` ---------------------------------------------------------------

    @property
    def sent(self) -> int:
        return sum(packet_io.sent for packet_io in self._packet_ios.values())

    @property
    def unsent(self) -> int:
        return sum(packet_io.unsent for packet_io in self._packet_ios.values())

    @property
    def octets(self) -> int:
        return sum(packet_io.octets for packet_io in self._packet_ios.values())

    def drain(self, limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        """Drain the UDP socket with this `descriptor`; or all, if there is none, or if a socket held more.

        `lag` is then that of all sockets.
        """
        own = self._only_udp or (None if self.lag > 0.0 else self._by_descriptor.get(descriptor))
        count, self.lag = 0, 0.0
        for packet_io in self._udp if own is None else (own,):
            count += packet_io.drain(limit, handle)
            self.lag = max(self.lag, packet_io.lag)
        return count

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, value: float) -> None:
        self._now = value
        for packet_io in self._packet_ios.values():
            packet_io.now = value

    def fan_out(self, packet: bytes, fanout: Fanout[Any], *, burst: bool = False) -> None:
        if self._only_udp is not None and (self._tcp is None or not self._tcp.ever):
            self._only_udp.fan_out(packet, fanout, burst=burst)
            return
        known = self._split_fanouts.get(id(fanout))
        if known is not None:
            parts = known[1]
        else:
            parts = _split_by_transport(fanout)
            if not fanout.once:  # the fan-out is kept too, so that no other object gets its id
                self._split_fanouts[id(fanout)] = fanout, parts
        for kind, part in parts:
            self._packet_ios[kind].fan_out(packet, part, burst=burst)

    def flush(self) -> None:
        for packet_io in self._udp:
            packet_io.flush()
        if self._tcp is not None:
            self._tcp.flush()

    def changed(self) -> None:
        self._split_fanouts.clear()
        for packet_io in self._packet_ios.values():
            packet_io.changed()

    def wipe(self) -> None:
        for packet_io in self._packet_ios.values():
            packet_io.wipe()
        if self._tcp is not None:
            self._tcp.wipe()

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

    def close(self) -> None:
        """Close all sockets, which nobody may be reading."""
        if self._tcp is not None:
            self._tcp.close()
        for sock in self._sockets.values():
            sock.close()

    @property
    def counts(self) -> dict[str, int]:
        """Counters of TCP since the start, and the present number of connections."""
        return {} if self._tcp is None else {**self._tcp.counts, "tcp_connections": self._tcp.connections}

    @property
    def buffers(self) -> int:
        """Bytes of the datagram buffers, and of the data that waits for slow readers."""
        each = [
            packet_io
            for packet_io in self._packet_ios.values()
            if isinstance(packet_io, PlainPacketIo | BatchPacketIo)
        ]
        return sum(packet_io.buffers for packet_io in each) + (0 if self._tcp is None else self._tcp.buffers)

    @property
    def cached_addresses(self) -> int:
        """The number of cached addresses."""
        return sum(
            packet_io.cached_addresses
            for packet_io in self._udp
            if isinstance(packet_io, PlainPacketIo | BatchPacketIo)
        )


def _split_by_transport(fanout: Fanout[Any]) -> list[tuple[int, Fanout[Any]]]:
    kinds: dict[int, list[int]] = {}
    for i, receiver in enumerate(fanout.receivers):
        kinds.setdefault(len(receiver.address), []).append(i)
    parts = []
    for kind, chosen in kinds.items():
        receivers = [fanout.receivers[i] for i in chosen]
        offsets = None if fanout.offsets is None else [fanout.offsets[i] for i in chosen]
        parts.append((kind, Fanout(receivers, offsets, fanout.ssrc, twcc=fanout.twcc, once=fanout.once)))
    return parts
