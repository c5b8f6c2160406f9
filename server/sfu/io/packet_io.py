"""Packet I/O on one socket, in two kinds: in batches where the kernel can, or one by one.

Both kinds drain the socket into a handler, and seal one packet for many receivers in place. `BatchPacketIo`
reads with one recvmmsg and writes with one sendmmsg. It caches its send plan for a fan-out that stays
the same from packet to packet. It hands consecutive packets of one size to the kernel as one message
(UDP_SEGMENT), as the packets of a video frame allow. It writes the fields that differ between receivers
(`server.sfu.core.fanout`) for all receivers at once, column by column.
"""

from __future__ import annotations

import array
import contextlib
import errno
import socket
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.server.sfu.io import mmsg, srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.send_plan import (
    SLOTS,
    STRIDE,
    VECTORIZE_MIN,
    Columns,
    GsoBatch,
    SendPlan,
)
from snugroom.server.sfu.limits import DATAGRAM_MAX
from snugroom.wire import rtp
from snugroom.wire.vp8 import read_descriptor

#: The handler of a datagram: gets libsrtp's view of the buffer, ours, the size, and the source address.
DatagramHandler = Callable[[Any, memoryview, int, Address], None]

#: Packets to one receiver in one message (generic segmentation offload, UDP_SEGMENT).
_SEGMENTS_MAX: Final = 8
#: The most cached source addresses, of any sender.
_ADDRESSES_MAX: Final = 4096
#: The kernel's reasons not to cut a message into datagrams.
_UNSEGMENTED: Final = (errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP)
#: No datagram waits longer than this (seconds): the buffer would be full.
_LAG_MAX: Final = 5.0
_NO_SIZES: Final = array.array("H")


def _lag(came: float) -> float:
    """Return the seconds since the Unix time `came`, 0 if the clock was set in between."""
    lag = time.time() - came
    return lag if 0.0 < lag < _LAG_MAX else 0.0


class PacketIo(Protocol):
    """The interface of packet I/O.

    `sent` and `unsent` count packets of `fan_out`, `octets` the bytes of all of them in the clear. The caller
    sets `now`, the time of sending. `lag`: how long the oldest datagram of the last drain had waited in the
    socket, in seconds; 0 if the drain has probably emptied the socket.
    """

    sent: int
    unsent: int
    octets: int
    now: float
    lag: float
    twcc_sequence: TwccSequence

    def drain(self, limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        """Pass at most about `limit` received datagrams to `handle`, which does not raise; return a count.

        `descriptor`: of several sockets, only the one with this descriptor has to be read.
        """

    def fan_out(self, packet: bytes, fanout: Fanout[Any], *, burst: bool = False) -> None:
        """Seal and send `packet` (checked; at most `SENT_MAX` bytes) for each `Receiver` of `fanout`.

        The packet leaves at `flush` at the latest. `burst`: the same fan-out will probably be used again.
        """

    def flush(self) -> None:
        """Send everything that waits."""

    def changed(self) -> None:
        """Discard all caches: an address or a session has changed, or is about to go."""

    def wipe(self) -> None:
        """Overwrite the last datagrams and addresses in the buffers. Call it after `flush`."""


class PlainPacketIo:
    """Packet I/O with recvfrom and sendto, which every system has."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._inbox = srtp.Buffer(DATAGRAM_MAX)
        self._outbox = srtp.Buffer(STRIDE)
        self._length = srtp.new_length()
        self.sent = self.unsent = self.octets = 0
        self.now = self.lag = 0.0
        self.twcc_sequence = TwccSequence()
        with contextlib.suppress(OSError, AttributeError):  # it may stand for TCP connections
            sock.setsockopt(socket.SOL_SOCKET, mmsg.SO_TIMESTAMPNS, 1)

    def drain(self, limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        data, view = self._inbox.data, self._inbox.view
        self.lag = 0.0
        came = time.time()
        try:
            size, control, _, source = self._socket.recvmsg_into([view], socket.CMSG_SPACE(mmsg.STAMP.size))
        except OSError:  # nothing has come, or an ICMP error for an earlier packet
            return 0
        for _, kind, stamp in control:
            if kind == mmsg.SO_TIMESTAMPNS:
                seconds, nanoseconds = mmsg.STAMP.unpack(stamp)
                came = seconds + nanoseconds / 1e9
        handle(data, view, size, source)
        receive = self._socket.recvfrom_into
        for count in range(1, limit):
            try:
                size, source = receive(view)
            except BlockingIOError:
                return count
            except OSError:
                continue
            handle(data, view, size, source)
        self.lag = _lag(came)
        return limit

    def fan_out(self, packet: bytes, fanout: Fanout[Any], *, burst: bool = False) -> None:
        length, data, view = self._length, self._outbox.data, self._outbox.view
        size, number_in = len(packet), packet[2] << 8 | packet[3]
        found = None if fanout.offsets is None else read_descriptor(packet, rtp.payload_start(packet))
        for i, receiver in enumerate(fanout.receivers):
            session, address = receiver.outbound, receiver.address
            assert session is not None
            assert address is not None
            view[:size] = packet
            self.octets += size
            if fanout.offsets is not None:
                rewriter.rewrite(view, 0, number_in, fanout.ssrc, found, fanout.offsets[i])
            if fanout.twcc:
                number = self.twcc_sequence.assign(receiver.twcc_row, size, self.now)
                view[rtp.TWCC_AT : rtp.TWCC_AT + 2] = number.to_bytes(2, "big")
            length[0] = size
            if srtp.protect(session.pointer, data, length):
                self.unsent += 1
                continue
            try:
                self._socket.sendto(view[: length[0]], address)
                self.sent += 1
            except OSError:  # the buffer is full, or there is no route; networks lose packets too
                self.unsent += 1

    def flush(self) -> None:
        pass

    def changed(self) -> None:
        pass

    def wipe(self) -> None:
        self._inbox.wipe()
        self._outbox.wipe()

    @property
    def buffers(self) -> int:
        """Bytes of the datagram buffers, which hold the last datagrams until others come, or `wipe`."""
        return len(self._inbox.view) + len(self._outbox.view)

    @property
    def cached_addresses(self) -> int:
        """The number of cached addresses: none."""
        return 0


class BatchPacketIo:
    """Packet I/O with recvmmsg and sendmmsg, and UDP_SEGMENT where the kernel has it."""

    def __init__(self, sock: socket.socket, libc: Any, batch: int) -> None:
        self._socket = sock
        #: Packets to one receiver in one message, 1 without UDP_SEGMENT.
        self.segments_max = _SEGMENTS_MAX if mmsg.can_segment(sock) else 1
        self._descriptor = sock.fileno()
        self._family = sock.family
        batch = max(1, min(batch, mmsg.MESSAGES_MAX))
        # The kernel gets addresses inside these buffers, so they live as long as this object.
        inbox = self._inbox = srtp.Buffer(batch * DATAGRAM_MAX)
        outbox = self._outbox = srtp.Buffer(SLOTS * STRIDE)
        self._incoming = mmsg.Vector(libc, inbox.address, DATAGRAM_MAX, batch, self._family, stamped=True)
        self._outgoing = mmsg.Vector(libc, outbox.address, STRIDE, SLOTS, self._family)
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
        self._slots = [
            (outbox.at(i * STRIDE), outbox.view[i * STRIDE : (i + 1) * STRIDE]) for i in range(SLOTS)
        ]
        self._data = [data for data, _ in self._slots]
        self._columns = Columns(outbox.view)
        lengths = self._lengths = srtp.Lengths(SLOTS)
        self._length_at = [lengths.at(i) for i in range(SLOTS)]
        self._sizes = np.frombuffer(lengths.view, np.intc)
        self._slots_used = self._messages_used = 0
        self._batches: list[GsoBatch] = []
        self._length = srtp.new_length()
        self._addresses: dict[bytes, Address] = {}
        #: Fan-outs that hold a plan; a plan is void after the next change.
        self._plans: list[Fanout[Any]] = []
        self.sent = self.unsent = self.octets = 0
        self.now = self.lag = 0.0
        self.twcc_sequence = TwccSequence()
        sock.setsockopt(socket.SOL_SOCKET, mmsg.SO_TIMESTAMPNS, 1)

    def drain(self, limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        limit = min(limit, self._incoming.count)
        count = self._incoming.receive(self._descriptor, limit)
        self.lag = _lag(self._incoming.oldest()) if count == limit else 0.0
        addresses = self._addresses
        for message, data, view, raw in self._inboxes[:count]:
            name = raw.tobytes()
            source = addresses.get(name)
            if source is None:
                if len(addresses) >= _ADDRESSES_MAX:
                    addresses.clear()
                source = addresses[name] = mmsg.unpack_address(name, self._family)
            handle(data, view, message.msg_len, source)
        return count

    def fan_out(self, packet: bytes, fanout: Fanout[Any], *, burst: bool = False) -> None:
        plans: list[SendPlan] | None = fanout.plan
        if plans is None:
            plans = []
            for at in range(0, len(fanout.receivers), SLOTS):
                part = slice(at, at + SLOTS)
                offsets = None if fanout.offsets is None else fanout.offsets[part]
                plans.append(
                    SendPlan(fanout.receivers[part], offsets, fanout.ssrc, fanout.twcc, self._family)
                )
            if not fanout.once:
                fanout.plan = plans
                self._plans.append(fanout)
        for plan in plans:
            self._seal(packet, plan, burst and not fanout.once)

    def _seal(self, packet: bytes, plan: SendPlan, burst: bool) -> None:
        size = len(packet)
        batch = plan.batch
        if batch is None or size > batch.size:
            batch = self._begin(plan, size, burst)
        part, lengths = batch.used, batch.lengths
        batch.used = part + 1
        if size < batch.size:  # only the last packet may be shorter
            lengths = array.array("Q", [size + tag for tag in plan.tags])
            plan.batch = None
        elif batch.used == batch.capacity:
            plan.batch = None
        chosen = slice(batch.slot + part, batch.slot + plan.count * batch.capacity, batch.capacity)
        self._outgoing.lengths[chosen] = lengths
        self.octets += size * plan.count
        if plan.count < VECTORIZE_MIN:
            self._seal_few(packet, size, plan, batch, chosen)
        else:
            self._seal_many(packet, size, plan, batch, chosen)

    def _seal_few(self, packet: bytes, size: int, plan: SendPlan, batch: GsoBatch, chosen: slice) -> None:
        length, protect, offsets, rows = self._length, srtp.protect, plan.offsets, plan.rows
        found = None if offsets is None else read_descriptor(packet, rtp.payload_start(packet))
        for i, (data, view) in enumerate(self._slots[chosen]):
            view[:size] = packet
            if offsets is not None:
                rewriter.rewrite(view, 0, packet[2] << 8 | packet[3], plan.ssrc, found, offsets[i])
            if rows is not None:
                number = self.twcc_sequence.assign(rows[i], size, self.now)
                view[rtp.TWCC_AT : rtp.TWCC_AT + 2] = number.to_bytes(2, "big")
            length[0] = size
            pointer = plan.pointers[i]
            if protect(pointer, data, length):
                self._block_message(batch, pointer)

    def _seal_many(self, packet: bytes, size: int, plan: SendPlan, batch: GsoBatch, chosen: slice) -> None:
        columns = self._columns
        columns.bytes[chosen, :size] = np.frombuffer(packet, np.uint8)
        if (offset_columns := plan.offset_columns) is not None:
            found = read_descriptor(packet, rtp.payload_start(packet))
            columns.sequence[chosen] = offset_columns.sequence + np.uint16(packet[2] << 8 | packet[3])
            columns.timestamp[chosen] = offset_columns.timestamp + np.uint32(
                int.from_bytes(packet[4:8], "big")
            )
            columns.ssrc[chosen] = plan.ssrc
            if found is not None:  # padding has no descriptor
                picture_ids = offset_columns.picture_id + np.uint16(found.picture_id)
                columns.at(found.picture_at)[chosen] = picture_ids | np.uint16(0x8000)
                if found.tl0_at:
                    columns.bytes[chosen, found.tl0_at] = offset_columns.tl0 + np.uint8(found.tl0)
        if plan.rows is not None:
            columns.number[chosen] = self.twcc_sequence.assign_each(plan.rows, size, self.now)
        self._sizes[chosen] = size
        failed = list(map(srtp.protect, plan.pointers, self._data[chosen], self._length_at[chosen]))
        if any(failed):
            for pointer, why in zip(plan.pointers, failed, strict=True):
                if why:
                    self._block_message(batch, pointer)

    def _begin(self, plan: SendPlan, size: int, burst: bool) -> GsoBatch:
        count = plan.count
        capacity = min(self.segments_max, SLOTS // count) if burst else 1
        if self._slots_used + count * capacity > SLOTS:
            self.flush()
        first, slot = self._messages_used, self._slots_used
        batch = GsoBatch(plan, size, first, slot, capacity)
        self._messages_used += count
        self._slots_used += count * capacity
        self._batches.append(batch)
        plan.batch = batch if capacity > 1 else None
        outgoing = self._outgoing
        outgoing.names[first * self._name_size : (first + count) * self._name_size] = plan.names
        outgoing.gather(first, count, slot, capacity)
        return batch

    def _block_message(self, batch: GsoBatch, pointer: Any) -> None:
        """Block the message of a packet that could not be sealed: it holds clear text and must not leave."""
        at = (batch.message + batch.plan.pointers.index(pointer)) * self._name_size
        self._outgoing.names[at : at + 2] = mmsg.NOWHERE

    def flush(self) -> None:
        if not self._batches:
            return
        outgoing = self._outgoing
        total = 0
        for batch in self._batches:
            batch.plan.batch = None
            total += batch.plan.count * batch.used
            sizes = array.array("H", batch.lengths) if batch.used > 1 else _NO_SIZES
            outgoing.segment(batch.message, batch.plan.count, batch.used, sizes)
        failed = outgoing.send(self._descriptor, self._messages_used)
        lost = sum(self._retry(message, why) for message, why in failed)
        self.sent += total - lost
        self.unsent += lost
        self._batches = []
        self._slots_used = self._messages_used = 0

    def _retry(self, message: int, why: int) -> int:
        """Send the parts of a refused message one by one, if the kernel refused to cut it.

        Returns how many packets are lost. A device that cannot segment (EIO) is not asked again; a narrow
        path (EINVAL, EMSGSIZE) concerns one receiver only.
        """
        batch = next(r for r in self._batches if r.message <= message < r.message + r.plan.count)
        name = self._outgoing.names[message * self._name_size : (message + 1) * self._name_size].tobytes()
        if batch.used == 1 or why not in _UNSEGMENTED or name.startswith(mmsg.NOWHERE):
            return batch.used
        if why in (errno.EIO, errno.EOPNOTSUPP):
            self.segments_max = 1
        lost = 0
        first = batch.slot + (message - batch.message) * batch.capacity
        address = mmsg.unpack_address(name, self._family)
        for i in range(first, first + batch.used):
            try:
                self._socket.sendto(self._slots[i][1][: self._outgoing.lengths[i]], address)
            except OSError:
                lost += 1
        return lost

    def changed(self) -> None:
        for fanout in self._plans:
            fanout.plan = None
        self._plans.clear()
        self._addresses.clear()

    def wipe(self) -> None:
        self._inbox.wipe()
        self._outbox.wipe()
        self._incoming.wipe_names()
        self._outgoing.wipe_names()

    @property
    def buffers(self) -> int:
        """Bytes of the datagram buffers, which hold the last datagrams until others come, or `wipe`."""
        return len(self._inbox.view) + len(self._outbox.view)

    @property
    def cached_addresses(self) -> int:
        """The number of cached addresses, of all senders of the last second."""
        return len(self._addresses)


def make_packet_io(sock: socket.socket, batch: int) -> PacketIo:
    """Return the best one for this socket. It reads at most `batch` datagrams at once; 0: `PlainPacketIo`."""
    libc = mmsg.load() if batch else None
    return PlainPacketIo(sock) if libc is None else BatchPacketIo(sock, libc, batch)
