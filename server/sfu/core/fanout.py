"""The receivers of a packet, and how it is changed for each: the core decides, and the path performs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from snugroom.server.sfu.core.rewriter import Shift

R = TypeVar("R")


class Fan(Generic[R]):
    """The receivers of one packet, or of many consecutive ones.

    A fan never changes; other receivers are another fan.

    `shifts`, one for each receiver: the numbers are rewritten, and the packet is sent under `ssrc`; None: the
    packet stays as it is. `wide`: each receiver gets a transport-wide sequence number of its own, in a packet
    prepared for it (`rtp.widened`). `once`: the fan is used for one packet only. `plan`: the send plan that
    the path caches for a fan that is used again.
    """

    __slots__ = ("once", "plan", "receivers", "shifts", "ssrc", "wide")

    def __init__(
        self,
        receivers: Sequence[R],
        shifts: Sequence[Shift] | None = None,
        ssrc: int = 0,
        *,
        wide: bool = False,
        once: bool = False,
    ) -> None:
        self.receivers = tuple(receivers)
        self.shifts = None if shifts is None else tuple(shifts)
        self.ssrc = ssrc
        self.wide = wide
        self.once = once
        self.plan: Any = None

    def __repr__(self) -> str:
        return f"Fan({self.receivers!r}, {self.shifts!r}, {self.ssrc:#x}, wide={self.wide})"
