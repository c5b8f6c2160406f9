"""Streams that cross between workers: the members of a large room are on several workers.

A *bridge* is a room's path to one other worker. Each worker has the tracks of all members of the room. The
tracks of members that are on another worker are *remote*: their packets come over a bridge, already opened
and checked. Everything behind that is as for local tracks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic

from snugroom.server.sfu.core.effects import P, Want
from snugroom.server.sfu.core.fanout import Fanout

#: Packets from one to the next that keeps a paused receiver's rollover counter; a power of two. Workers that
#: want nothing of a stream get these packets too, for the paused receivers that they have.
ROC_KEEPALIVE: Final = 4096


class Crossing(Generic[P]):
    """The bridges that get a local stream, and those that do not want it now."""

    __slots__ = ("_idle", "_keepalive", "_wanting", "wants")

    def __init__(self, bridges: Iterable[P]) -> None:
        self.wants: dict[P, Want] = {}
        self._idle = dict.fromkeys(bridges)
        self._update()

    def _update(self) -> None:
        self._wanting = (Fanout(tuple(self.wants), crosses=True),) if self.wants else ()
        idle = (Fanout(tuple(self._idle), crosses=True),) if self._idle else ()
        self._keepalive = self._wanting + idle

    def fanouts(self, sequence: int) -> tuple[Fanout[P], ...]:
        """Return the fan-outs to other workers of the packet with this sequence number."""
        return self._wanting if sequence % ROC_KEEPALIVE else self._keepalive

    def add(self, bridge: P) -> None:
        """Add a bridge, which wants nothing yet."""
        if bridge not in self.wants:
            self._idle[bridge] = None
            self._update()

    def remove(self, bridge: P) -> None:
        """Remove a bridge."""
        self.wants.pop(bridge, None)
        self._idle.pop(bridge, None)
        self._update()

    def set(self, bridge: P, want: Want | None) -> None:
        """Set what a known bridge wants; None: nothing."""
        if want is None:
            if self.wants.pop(bridge, None) is None:
                return
            self._idle[bridge] = None
        else:
            known = bridge in self.wants
            self.wants[bridge] = want
            if known:
                return
            self._idle.pop(bridge, None)
        self._update()

    @property
    def receivers(self) -> int:
        """The number of receivers on other workers."""
        return sum(want.receivers for want in self.wants.values())

    @property
    def rate(self) -> float:
        """The bit rate that the best receiver on other workers can take; 0 without one."""
        return float(max((want.rate for want in self.wants.values()), default=0))
