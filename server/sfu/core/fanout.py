"""The receivers of a packet, and its changes for each: the core decides, and the packet I/O performs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from snugroom.server.sfu.core.rewriter import Offsets

R = TypeVar("R")


class Fanout(Generic[R]):
    """The receivers of one packet, or of many consecutive ones.

    A fan-out never changes; other receivers are another fan-out.

    `offsets`, one for each receiver: the packet's numbers are rewritten, and it is sent under `ssrc`; None:
    the packet stays as it is. `twcc`: each receiver gets a transport-wide sequence number of its own, in a
    packet prepared for it (`rtp.with_twcc`). `once`: the fan-out is used for one packet only. `crosses`: the
    receivers are bridges to other workers. `plan`: the send plan that the packet I/O caches for a fan-out
    that is used again.
    """

    __slots__ = ("crosses", "offsets", "once", "plan", "receivers", "ssrc", "twcc")

    def __init__(
        self,
        receivers: Sequence[R],
        offsets: Sequence[Offsets] | None = None,
        ssrc: int = 0,
        *,
        twcc: bool = False,
        once: bool = False,
        crosses: bool = False,
    ) -> None:
        self.receivers = tuple(receivers)
        self.offsets = None if offsets is None else tuple(offsets)
        self.ssrc = ssrc
        self.twcc = twcc
        self.once = once
        self.crosses = crosses
        self.plan: Any = None

    def __repr__(self) -> str:
        return f"Fanout({self.receivers!r}, {self.offsets!r}, {self.ssrc:#x}, twcc={self.twcc})"
