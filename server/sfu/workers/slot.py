"""The place of one media worker: its process, and the requests that wait for it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from snugroom.server.sfu.workers import pipe
from snugroom.server.sfu.workers.child import WorkerProcess
from snugroom.server.sfu.workers.pipe import Heartbeat, Inspection
from snugroom.wire.messages import Transport

log = logging.getLogger(__name__)

#: Bytes queued for a worker. Above `BUSY` it accepts no more media; above `STUCK` it is replaced.
BUSY: Final = 4 * 2**20
STUCK: Final = 32 * 2**20
#: Messages queued until a worker has started. Above this number it accepts no more media.
QUEUED_MAX: Final = 8192
#: The weight of the last second in a worker's share of a core.
_SMOOTHING: Final = 0.25

Message = pipe.Join | pipe.Subscribe | pipe.Leave | pipe.Remote


@dataclass(slots=True)
class PendingJoin:
    """A join without an answer. `retried`: an earlier worker has ended before it answered this join."""

    join: pipe.Join
    answer: asyncio.Future[Transport]
    retried: bool = False


class WorkerSlot:
    """The place of one worker, and the process that runs in it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.port = 0
        self.up = False
        self.child: WorkerProcess | None = None
        #: Joins without an answer, by ticket.
        self.pending_joins: dict[int, PendingJoin] = {}
        self.inspections: dict[int, asyncio.Future[Inspection]] = {}
        #: Messages to send as soon as a worker runs.
        self.queued: list[Message] = []
        self.heartbeat: Heartbeat | None = None
        self.heartbeat_at = 0.0
        self.peers = 0
        #: Packets sent a second, between the last two heartbeats.
        self.rate = 0.0
        #: Share of a core that the worker uses, smoothed.
        self.share = 0.0
        self.exits = 0

    def heard(self, heartbeat: Heartbeat, now: float) -> None:
        """Take the worker's heartbeat."""
        before, passed = self.heartbeat, now - self.heartbeat_at
        if before is not None and passed > 0:
            sent = heartbeat.totals.get("forwarded", 0) - before.totals.get("forwarded", 0)
            self.rate = max(0.0, sent / passed)
            self.share += ((heartbeat.cpu - before.cpu) / passed - self.share) * _SMOOTHING
        self.heartbeat, self.heartbeat_at = heartbeat, now

    def send(self, message: Message) -> None:
        """Send `message` now, or when a worker runs again."""
        if self.up and self.child is not None:
            self.child.send(message)
            if self.child.waiting > STUCK:
                log.error("media worker %d does not read its messages", self.number)
                self.kill()
        elif len(self.queued) < QUEUED_MAX or isinstance(message, pipe.Join):
            self.queued.append(message)

    def busy(self) -> bool:
        """Return whether the worker should accept no more media."""
        waiting = self.child.waiting if self.up and self.child is not None else 0
        return waiting > BUSY or len(self.queued) >= QUEUED_MAX

    def forget(self, room: bytes, handle: bytes) -> None:
        """Drop the queued messages and the joins of a connection that has left."""
        self.queued = [m for m in self.queued if (m.room, m.handle) != (room, handle)]
        for ticket, pending in list(self.pending_joins.items()):
            if (pending.join.room, pending.join.handle) == (room, handle):
                del self.pending_joins[ticket]
                pending.answer.cancel()

    def kill(self) -> None:
        """Kill the process, whatever its state."""
        if self.child is not None:
            self.child.kill()
