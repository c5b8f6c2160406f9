"""The send plan of a fan-out: all that stays the same from packet to packet, side by side in arrays."""

from __future__ import annotations

import array
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.io import mmsg, srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.wire import rtp
from snugroom.wire.limits import RTP_MAX

#: The largest packet that is sent: with a transport-wide number, and as RTX with its first number in front.
SENT_MAX: Final = RTP_MAX + rtp.TWCC_GROWTH_MAX + 2
#: A sealed packet, rounded up to cache lines.
STRIDE: Final = (SENT_MAX + 16 + 63) // 64 * 64
#: Packets that wait to be sent, at most.
SLOTS: Final = 512
#: From this number of receivers on, arrays are cheaper than a loop.
VECTORIZE_MIN: Final = 7


class Receiver(Protocol):
    """The destination of packets and its session for sealing; both are set for receivers of a fan-out."""

    @property
    def outbound(self) -> srtp.SrtpSession | None: ...
    @property
    def address(self) -> Address | None: ...
    @property
    def twcc_row(self) -> int:
        """Row of this receiver in `PacketIo.twcc_sequence`."""


class Columns:
    """Fields of the slots' packets, each a column over all slots, to write many packets at once."""

    def __init__(self, outbox: memoryview) -> None:
        self.bytes: NDArray[np.uint8] = np.frombuffer(outbox, np.uint8).reshape(SLOTS, STRIDE)
        self._outbox = outbox
        self.sequence = self._column(">u2", 2)
        self.timestamp = self._column(">u4", 4)
        self.ssrc = self._column(">u4", 8)
        self.number = self._column(">u2", rtp.TWCC_AT)
        self._others: dict[int, NDArray[Any]] = {}

    def _column(self, kind: str, offset: int) -> NDArray[Any]:
        return np.ndarray((SLOTS,), kind, self._outbox, offset, (STRIDE,))

    def at(self, offset: int) -> NDArray[Any]:
        """Return the column of the 16 bits at this offset of each packet."""
        column = self._others.get(offset)
        if column is None:
            column = self._others[offset] = self._column(">u2", offset)
        return column


class OffsetColumns(NamedTuple):
    """Offsets of many receivers, as columns."""

    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    picture_id: NDArray[np.uint16]
    tl0: NDArray[np.uint8]

    @classmethod
    def of(cls, offsets: tuple[rewriter.Offsets, ...]) -> OffsetColumns:
        return cls(
            np.array([s.sequence & 0xFFFF for s in offsets], np.uint16),
            np.array([s.timestamp for s in offsets], np.uint32),
            np.array([s.picture_id for s in offsets], np.uint16),
            np.array([s.tl0 for s in offsets], np.uint8),
        )


class SendPlan:
    """Prepared data for sending to some receivers, at most `SLOTS`. Keeps their sessions alive."""

    __slots__ = (
        "batch", "count", "names", "offset_columns", "offsets", "pointers", "rows", "sessions", "ssrc",
        "tags",
    )  # fmt: skip

    def __init__(
        self,
        receivers: tuple[Receiver, ...],
        offsets: tuple[rewriter.Offsets, ...] | None,
        ssrc: int,
        twcc: bool,
        family: int,
    ) -> None:
        self.count = len(receivers)
        self.sessions = [receiver.outbound for receiver in receivers]
        self.pointers = [session.pointer for session in self.sessions if session is not None]
        self.tags = [session.profile.tag for session in self.sessions if session is not None]
        addresses = [receiver.address for receiver in receivers if receiver.address is not None]
        self.names = b"".join(mmsg.pack_address(address, family) for address in addresses)
        self.batch: GsoBatch | None = None
        #: Rows of the receivers' transport-wide numbers; None if the packets carry none.
        self.rows = np.array([receiver.twcc_row for receiver in receivers], np.intp) if twcc else None
        self.offsets = offsets
        self.ssrc = ssrc
        #: The offsets as columns: of sequence number, timestamp, PictureID and TL0PICIDX.
        self.offset_columns = (
            None if offsets is None or self.count < VECTORIZE_MIN else OffsetColumns.of(offsets)
        )
        assert len(self.pointers) == len(addresses) == self.count


class GsoBatch:
    """Consecutive packets of one size to the same receivers: `used` of at most `capacity`.

    Receiver i of the plan has message `message` + i, and the slots from `slot` + i * `capacity` on.
    """

    __slots__ = ("capacity", "lengths", "message", "plan", "size", "slot", "used")

    def __init__(self, plan: SendPlan, size: int, message: int, slot: int, capacity: int) -> None:
        self.plan = plan
        self.size = size
        self.message = message
        self.slot = slot
        self.capacity = capacity
        self.used = 0
        self.lengths = array.array("Q", [size + tag for tag in plan.tags])
