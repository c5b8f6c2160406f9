"""To whom one packet goes, and what each receiver gets of it: what the core decides and the path performs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from server.media.vp8 import Shift

R = TypeVar("R")


class Fan(Generic[R]):
    """Receivers of one packet, or of many that follow each other. It never changes: others are another fan.

    `shifts`, one a receiver: their numbers are rewritten, and the packet goes under `ssrc`; None: it goes as
    it is. `wide`: each gets a transport-wide sequence number of its own, in a packet made ready for
    it (`rtp.widened`). `once`: it won't come again. `plan` is the path's, what it knows by heart of a fan
    that does.
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
