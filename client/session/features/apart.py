"""Members whose heartbeats go on naming another room than ours: they do not hear us (protocol section 12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds between the first and the last heartbeat that name a room at another server, or another room at
#: ours, before that is told: two heartbeats, or three.
ELSEWHERE: Final = 4.0
HERE_APART: Final = 9.0


class Apart:
    """Those of one membership."""

    def __init__(self) -> None:
        self._room: bytes | None = None  # the incarnation of ours, and since when we are there
        self._came_at = 0.0
        #: By leaf and incarnation: since when, and whether that was told.
        self._apart: dict[tuple[int, bytes], tuple[float, bool]] = {}

    def tick(self, room: Room, origins: Mapping[bytes, str], now: float) -> None:
        """Tell of them. `origins`: of the rooms that we have seen, by incarnation."""
        if room.incarnation is None:
            return
        if room.incarnation != self._room:
            self._room, self._came_at = room.incarnation, now
        before, self._apart = self._apart, {}
        due: dict[str, list[int]] = {}  # by origin; empty where we have never been
        for leaf, (incarnation, heard_at) in sorted(room.feature(Monitor).incarnations.items()):
            if incarnation == room.incarnation or heard_at <= self._came_at:
                continue
            since, told = before.get((leaf, incarnation), (heard_at, False))
            origin = origins.get(incarnation, "")
            known = origin not in ("", room.here.origin)
            if not told and heard_at - since > (ELSEWHERE if known else HERE_APART):
                told = True
                due.setdefault(origin if known else "", []).append(leaf)
            self._apart[leaf, incarnation] = since, told
        for origin in sorted(due):
            _tell(room, due[origin], origin)


def _tell(room: Room, leaves: list[int], origin: str) -> None:
    m = room.membership
    names = [m.name(leaf) for leaf in leaves]
    if not origin:
        room.tell(sentences.alarm("reordered.apart", who=names))
    else:
        key = "elsewhere.host" if m.is_host(m.own_leaf) else "elsewhere"
        room.tell(sentences.status(key, who=names, origin=origin))
