"""Limits of traffic: what one member publishes, and what a room and the whole SFU send.

Video is dropped first: it leaves a part of every budget to sound. A dropped packet stays in the cache, so
that its receivers can request it when there is capacity again. A limit that is reached for longer lowers the
`share` of each receiver, from which its streams and layers are chosen, instead of dropping packets of all
videos.

The SFU's own limit must not let one room take the capacity of the others: when it is reached, rooms below an
equal part of it go on. Sizes are bytes, times seconds, bit rates bits a second.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Final

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.limits import MediaLimits

#: The burst that may come or go at once, in seconds of the rate.
PUBLISH_BURST: Final = 2.0
SEND_BURST: Final = 1.0
#: The part of each budget that only sound may use.
SOUND_PART: Final = 0.25
#: Seconds between two measurements, and the part of an equal share that no room is denied.
WINDOW: Final = 0.25
FAIR: Final = 0.9
#: Seconds between two changes of a share. Above `_FULL` of the limit it falls, below `_FREE` it rises.
_STEP: Final = 1.0
_FULL: Final = 0.95
_FREE: Final = 0.75
_LESS: Final = 0.75
_MORE: Final = 1.15
_SHARE_MIN: Final = 50_000.0


class ByteBudget(TokenBucket):
    """A token bucket of bytes, for `bitrate`, that keeps `SOUND_PART` of its size for sound."""

    __slots__ = ("_for_sound",)

    def __init__(self, bitrate: float, seconds: float, now: float) -> None:
        super().__init__(bitrate / 8, bitrate / 8 * seconds, now)
        self._for_sound = SOUND_PART * self._burst

    def fits(self, size: float, now: float, video: bool) -> bool:
        """Whether `size` bytes are there."""
        passed = now - self._at
        if passed > 0:
            tokens = self._tokens + passed * self._rate
            self._tokens = tokens if tokens < self._burst else self._burst
            self._at = now
        return self._tokens >= (size + self._for_sound if video else size)

    def use(self, size: float) -> None:
        """Take `size` bytes, after `fits`; also beyond what is there."""
        self._tokens -= size


class Load:
    """Measured traffic against a limit, and the share of each receiver that results."""

    __slots__ = ("_limit", "_since", "offered", "share")

    def __init__(self, limit: float, now: float) -> None:
        self._limit = limit
        #: Bytes that were to be sent since the last update, whether they could be or not.
        self.offered = 0
        self._since = now
        #: Maximum bit rate for one receiver.
        self.share = float("inf")

    def update(self, largest: float, ceiling: float, now: float) -> None:
        """Change the share. `largest`: the rate of the receiver that gets most; `ceiling`: no limit."""
        passed = now - self._since
        if passed < _STEP:
            return
        rate = 8 * self.offered / passed
        self.offered, self._since = 0, now
        if rate > _FULL * self._limit:
            self.share = max(_LESS * min(self.share, largest), _SHARE_MIN)
        elif rate < _FREE * self._limit and self.share < float("inf"):
            self.share *= _MORE
            if self.share > ceiling:
                self.share = float("inf")


class RoomTraffic:
    """The traffic of one room. `window`: bytes in the present window."""

    __slots__ = ("budget", "load", "window")

    def __init__(self, limits: MediaLimits, now: float) -> None:
        self.budget = ByteBudget(limits.room_bitrate, SEND_BURST, now)
        self.load = Load(limits.room_bitrate, now)
        self.window = 0


class Traffic:
    """The limits of one SFU. `counts` gets what they drop."""

    def __init__(self, limits: MediaLimits, counts: MutableMapping[str, int], now: float = 0.0) -> None:
        self._limits = limits
        #: The rate of a receiver that nothing limits.
        self.ceiling = float(limits.receiver_ceiling)
        self._counts = counts
        self._budget = ByteBudget(limits.total_bitrate, SEND_BURST, now)
        self._load = Load(limits.total_bitrate, now)
        #: Bytes that no room is denied in a window.
        self._fair = limits.total_bitrate / 8 * WINDOW

    def publisher(self, now: float) -> ByteBudget:
        """Return the budget of a member's own streams."""
        return ByteBudget(self._limits.member_bitrate, PUBLISH_BURST, now)

    def room(self, now: float) -> RoomTraffic:
        """Return the traffic of a new room."""
        return RoomTraffic(self._limits, now)

    def may_publish(self, budget: ByteBudget, size: int, now: float, *, video: bool) -> bool:
        """Whether a member may publish `size` bytes more; if so, they are taken."""
        if budget.fits(size, now, video):
            budget.use(size)
            return True
        self._counts["over_member_rate"] += 1
        return False

    def may_send(self, room: RoomTraffic, size: int, now: float, *, video: bool) -> bool:
        """Whether `size` bytes may be sent to members of a room; if so, they are taken."""
        room.load.offered += size
        self._load.offered += size
        budget, total = room.budget, self._budget
        if not budget.fits(size, now, video):
            self._counts["over_room_rate"] += 1
            return False
        if not total.fits(size, now, video) and room.window + size > self._fair:
            self._counts["over_total_rate"] += 1
            return False
        budget.use(size)
        total.use(size)
        room.window += size
        return True

    def tick(self, rooms: Iterable[tuple[RoomTraffic, float]], now: float) -> None:
        """Once in `WINDOW`: begin another window, and change shares.

        `rooms`: each room's traffic, and the rate of the receiver in it that gets most.
        """
        busy, largest, ceiling = 0, 0.0, self.ceiling
        for room, most in rooms:
            busy += room.window > 0
            room.window = 0
            room.load.update(most, ceiling, now)
            largest = max(largest, most)
        self._load.update(largest, ceiling, now)
        self._fair = FAIR * self._limits.total_bitrate / 8 * WINDOW / max(1, busy)

    def share(self, room: RoomTraffic) -> float:
        """Return the maximum bit rate for one receiver in this room; infinity if there is none."""
        return min(room.load.share, self._load.share)
