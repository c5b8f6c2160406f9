"""The other workers, as one worker sees them: links, the bridges of rooms, and the members behind them."""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from snugroom.server.sfu.core import Forwarding, Track
from snugroom.server.sfu.egress import Egress
from snugroom.server.sfu.io import worker_link
from snugroom.server.sfu.io.worker_link import LinkError, WorkerLink
from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.server.sfu.link import Bridge, Endpoint, RemoteMember
from snugroom.wire import rtcp, rtp
from snugroom.wire.limits import RTP_MAX
from snugroom.wire.messages import Stream

log = logging.getLogger(__name__)

_SSRC: Final = slice(8, 12)


class Siblings:
    """Links to other workers. Without rooms on several workers there are none, and nothing is done."""

    def __init__(
        self,
        core: Forwarding[Endpoint],
        egress: Egress,
        counts: collections.Counter[str],
        limits: MediaLimits,
        forward: Callable[[Track[Endpoint], bytes], None],
        clock: Callable[[], float],
    ) -> None:
        self._core = core
        self._egress = egress
        self._counts = counts
        self._forward = forward
        self._clock = clock
        #: Seconds that video may wait in a link (sound: `worker_link.SOUND_PATIENCE` times that).
        self._patience = limits.lag_max
        #: By the number of the other worker.
        self.links: dict[int, WorkerLink] = {}
        self._bridges: dict[tuple[int, int], Bridge] = {}
        self._members: dict[tuple[bytes, bytes], RemoteMember] = {}
        self._buffer = bytearray()
        self._reading = 0
        self._now = 0.0
        #: How long the oldest message of the last `drain` had waited, in seconds; 0 if nothing is left.
        self.lag = 0.0

    # -- links -----------------------------------------------------------------------------

    def connect(self, worker: int, link: WorkerLink) -> WorkerLink | None:
        """Use `link` for a worker from now on. Return the one before, which nobody uses any more."""
        before = self.links.get(worker)
        self.links[worker] = link
        for (number, _), bridge in self._bridges.items():
            if number == worker:
                bridge.link = link
        self._buffer = self._buffer or bytearray(worker_link.MESSAGE_MAX)
        return before

    def drain(self, now: float) -> int:
        """Read all links; return the number of messages."""
        self._now = now
        self.lag = 0.0
        count = 0
        buffer = memoryview(self._buffer)
        for worker, link in self.links.items():
            if link.closed:
                continue
            self._reading = worker
            try:
                count += link.receive(buffer, now, self._patience, self._on_record)
            except LinkError as error:  # never seen: both ends are the same code
                self._counts["link_errors"] += 1
                log.error("a link between workers ends: %s", error)
                link.closed = True
            self.lag = max(self.lag, link.lag)
        return count

    def take_closed(self) -> list[WorkerLink]:
        """Return the links that have ended since the last call, and forget them."""
        ended = {worker: link for worker, link in self.links.items() if link.closed}
        for worker, link in ended.items():
            self._keep_counts(link)
            del self.links[worker]
            for bridge in self._bridges.values():
                if bridge.link is link:
                    bridge.link = None
        return list(ended.values())

    def flush(self) -> None:
        """Send what waits."""
        if self.links:
            now = self._clock()
            for link in self.links.values():
                link.flush(now)

    def wipe(self) -> None:
        """Overwrite the last packets in the buffer."""
        if self._buffer:
            self._buffer[:] = bytes(len(self._buffer))

    def _keep_counts(self, link: WorkerLink) -> None:
        for name, count in self._counts_of([link]).items():
            self._counts[name] += count

    @staticmethod
    def _counts_of(links: Iterable[WorkerLink]) -> dict[str, int]:
        counts = {"crossed": 0, "link_full": 0, "link_late": 0}
        for link in links:
            counts["crossed"] += link.crossed
            counts["link_full"] += link.full
            counts["link_late"] += link.late
        return counts

    @property
    def counts(self) -> dict[str, int]:
        """Counters since the start: records sent, and dropped since a link was full or a message late."""
        if not self.links and "crossed" not in self._counts:
            return {}
        return {name: self._counts[name] + n for name, n in self._counts_of(self.links.values()).items()}

    @property
    def buffers(self) -> int:
        """Bytes of the buffer, which holds the last message until another comes, or `wipe`."""
        return len(self._buffer)

    # -- members ---------------------------------------------------------------------------

    def join(
        self,
        key: tuple[bytes, bytes],
        worker: int,
        number: int,
        streams: Sequence[Stream],
        now: float,
    ) -> None:
        """Add a member of another worker, or change its streams. `number`: the room's number on the link."""
        member = self._members.get(key)
        if member is not None and member.place != (worker, number):
            self.leave(key, now)
            member = None
        if member is None:
            member = RemoteMember(key, (worker, number))
        bridge = self._bridges.get(member.place)
        if bridge is None:
            bridge = Bridge(number, self.links.get(worker))
        try:
            effects = self._core.bridges.join(key[0], bridge, member, streams, now)
        except MediaError as error:
            # Its own worker has accepted it: members here don't receive these streams.
            self._counts["remote_refused"] += 1
            log.error("a member of another worker is refused: %s", error.code)
            return
        self._bridges[member.place] = bridge
        self._members[key] = member
        self._egress.perform(effects)
        self._egress.changed()

    def leave(self, key: tuple[bytes, bytes], now: float) -> None:
        """Remove a member of another worker, whose packets are dropped from now on. Ignores unknown ones."""
        member = self._members.pop(key, None)
        if member is None:
            return
        self._egress.perform(self._core.bridges.leave(member, now))
        self._egress.changed()
        if not any(other.place == member.place for other in self._members.values()):
            del self._bridges[member.place]

    @property
    def members(self) -> int:
        """The number of members on other workers."""
        return len(self._members)

    # -- records ---------------------------------------------------------------------------

    def _on_record(self, number: int, kind: int, data: bytes) -> None:
        """Handle a record. An error that it causes does not affect other rooms."""
        bridge = self._bridges.get((self._reading, number))
        if bridge is None:
            self._counts["link_strays"] += 1  # of a room that has just ended here
            return
        try:
            if kind == worker_link.RTP:
                self._rtp(bridge, data)
            else:
                self._control(bridge, kind, data)
        except Exception as error:  # no error may end other meetings
            self._counts["errors"] += 1
            log.error("a record of another worker raised %s", type(error).__name__)

    def _rtp(self, bridge: Bridge, packet: bytes) -> None:
        track = None
        if rtp.HEADER < len(packet) <= RTP_MAX:
            track = self._core.bridges.find(bridge, int.from_bytes(packet[_SSRC], "big"))
        if track is None:
            self._counts["link_strays"] += 1  # of a member that has just left
        else:
            self._forward(track, packet)

    def _control(self, bridge: Bridge, kind: int, data: bytes) -> None:
        bridges, now = self._core.bridges, self._now
        if kind == worker_link.RTCP:
            self._egress.perform(bridges.on_rtcp(bridge, rtcp.parse(data), now))
        elif kind == worker_link.WANTS:
            bridges.on_wants(bridge, worker_link.unpack_wants(data))
        elif kind == worker_link.RATES:
            bridges.on_rates(bridge, worker_link.unpack_rates(data), now)
