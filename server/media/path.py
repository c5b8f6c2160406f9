"""The path of a packet through the socket, of two kinds: in batches where the kernel can, or one by one.

Both drain the socket into a handler and seal one packet for many receivers, in place. The batched one
reads with one recvmmsg and writes with one sendmmsg, and knows by heart what it needs of a fan of
receivers that stays the same from packet to packet.
"""

from __future__ import annotations

import array
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from server.media import mmsg, srtp
from server.media.ice import Address
from server.media.limits import DATAGRAM_MAX, RTP_MAX

#: What a datagram is given to: its buffer for libsrtp, the same for us, its size, and where it came from.
Handler = Callable[[Any, memoryview, int, Address], None]

#: A sealed packet, rounded up to cache lines.
_STRIDE: Final = (RTP_MAX + 16 + 63) // 64 * 64
_SLOTS: Final = 256
#: Addresses known by heart, of anybody who sends to the socket.
_NAMES_MAX: Final = 4096


class Receiver(Protocol):
    """Where to send, and the session to seal with; both are set for everybody who is sent to."""

    @property
    def outbound(self) -> srtp.SrtpSession | None: ...
    @property
    def address(self) -> Address | None: ...


class Path(Protocol):
    """`sent` and `unsent` count packets of `fan_out`."""

    sent: int
    unsent: int

    def drain(self, limit: int, handle: Handler) -> None:
        """Give at most about `limit` datagrams that have come to `handle`, which doesn't raise."""

    def fan_out(self, packet: bytes, receivers: Sequence[Receiver], *, steady: bool) -> None:
        """Seal and send `packet` (at most RTP_MAX bytes) for each; gone at `flush` at the latest.

        `steady`: this very object will come again, until `changed` is called.
        """

    def flush(self) -> None:
        """Nothing waits any longer."""

    def changed(self) -> None:
        """Somebody's address or session is another, or will be gone."""


class PlainPath:
    """recvfrom and sendto, everywhere."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._inbox = srtp.Buffer(DATAGRAM_MAX)
        self._outbox = srtp.Buffer(_STRIDE)
        self._length = srtp.new_length()
        self.sent = self.unsent = 0

    def drain(self, limit: int, handle: Handler) -> None:
        data, view = self._inbox.data, self._inbox.view
        receive = self._socket.recvfrom_into
        for _ in range(limit):
            try:
                size, source = receive(view)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error for something sent before
                continue
            handle(data, view, size, source)

    def fan_out(self, packet: bytes, receivers: Sequence[Receiver], *, steady: bool) -> None:
        length, data, view = self._length, self._outbox.data, self._outbox.view
        size = len(packet)
        for receiver in receivers:
            session, address = receiver.outbound, receiver.address
            assert session is not None
            assert address is not None
            view[:size] = packet
            length[0] = size
            if srtp.protect(session.pointer, data, length):
                self.unsent += 1
                continue
            try:
                self._socket.sendto(view[: length[0]], address)
                self.sent += 1
            except OSError:  # the buffer is full, or no route: a network may lose packets, and so may we
                self.unsent += 1

    def flush(self) -> None:
        pass

    def changed(self) -> None:
        pass


class _Plan:
    """What sending to some receivers takes, `_SLOTS` of them at most. Keeps the sessions alive."""

    __slots__ = ("count", "names", "pointers", "sessions", "tags")

    def __init__(self, receivers: Sequence[Receiver], family: int) -> None:
        self.count = len(receivers)
        sessions = [receiver.outbound for receiver in receivers]
        self.sessions = sessions
        self.pointers = [session.pointer for session in sessions if session is not None]
        self.tags = [session.profile.tag for session in sessions if session is not None]
        addresses = [receiver.address for receiver in receivers if receiver.address is not None]
        self.names = b"".join(mmsg.pack_address(address, family) for address in addresses)
        assert len(self.pointers) == len(addresses) == self.count


class BatchPath:
    """recvmmsg and sendmmsg."""

    def __init__(self, sock: socket.socket, libc: Any, batch: int) -> None:
        self._descriptor = sock.fileno()
        self._family = sock.family
        batch = max(1, min(batch, mmsg.MESSAGES_MAX))
        inbox = srtp.Buffer(batch * DATAGRAM_MAX)
        outbox = srtp.Buffer(_SLOTS * _STRIDE)
        self._outbox = outbox
        self._incoming = mmsg.Vector(libc, inbox.address, DATAGRAM_MAX, batch, self._family)
        self._outgoing = mmsg.Vector(libc, outbox.address, _STRIDE, _SLOTS, self._family)
        size = self._name_size = self._incoming.name_size
        self._inboxes = [
            (
                self._incoming.messages[i],
                inbox.at(i * DATAGRAM_MAX),
                inbox.view[i * DATAGRAM_MAX : (i + 1) * DATAGRAM_MAX],
                self._incoming.names[i * size : (i + 1) * size],
            )
            for i in range(batch)
        ]
        self._slots = [outbox.at(i * _STRIDE) for i in range(_SLOTS)]
        self._used = 0
        self._length = srtp.new_length()
        self._names: dict[bytes, Address] = {}
        self._plans: dict[int, tuple[Sequence[Receiver], list[_Plan]]] = {}
        self.sent = self.unsent = 0

    def drain(self, limit: int, handle: Handler) -> None:
        count = self._incoming.receive(self._descriptor)
        names = self._names
        for message, data, view, raw in self._inboxes[:count]:
            name = raw.tobytes()
            source = names.get(name)
            if source is None:
                if len(names) >= _NAMES_MAX:
                    names.clear()
                source = names[name] = mmsg.unpack_address(name, self._family)
            handle(data, view, message.msg_len, source)

    def fan_out(self, packet: bytes, receivers: Sequence[Receiver], *, steady: bool) -> None:
        known = self._plans.get(id(receivers)) if steady else None
        if known is not None:
            plans = known[1]
        else:
            parts = (receivers[at : at + _SLOTS] for at in range(0, len(receivers), _SLOTS))
            plans = [_Plan(part, self._family) for part in parts]
            if steady:  # kept with the object itself, so that nothing else can have its id meanwhile
                self._plans[id(receivers)] = receivers, plans
        for plan in plans:
            self._seal(packet, plan)

    def _seal(self, packet: bytes, plan: _Plan) -> None:
        count = plan.count
        if self._used + count > _SLOTS:
            self.flush()
        first = self._used
        end = self._used = first + count
        size = len(packet)
        self._outbox.view[first * _STRIDE : end * _STRIDE] = packet.ljust(_STRIDE, b"\0") * count
        self._outgoing.names[first * self._name_size : end * self._name_size] = plan.names
        self._outgoing.lengths[first:end] = array.array("Q", [size + tag for tag in plan.tags])
        length, protect = self._length, srtp.protect
        for pointer, slot in zip(plan.pointers, self._slots[first:end], strict=True):
            length[0] = size
            if protect(pointer, slot, length):
                self._spoil(slot)

    def _spoil(self, slot: Any) -> None:
        """What couldn't be sealed is clear text: it must not leave."""
        at = self._slots.index(slot)
        self._outgoing.lengths[at] = 0
        self._outgoing.names[at * self._name_size : at * self._name_size + 2] = mmsg.NOWHERE

    def flush(self) -> None:
        if self._used:
            sent = self._outgoing.send(self._descriptor, self._used)
            self.sent += sent
            self.unsent += self._used - sent
            self._used = 0

    def changed(self) -> None:
        self._plans.clear()


def choose(sock: socket.socket, batch: int) -> Path:
    """The best there is for this socket; `batch` datagrams at most are read at once, 0 chooses the plain."""
    libc = mmsg.load() if batch else None
    return PlainPath(sock) if libc is None else BatchPath(sock, libc, batch)
