"""Media workers: several processes with an SFU each, so that media uses more than one core.

`Workers` has the interface of a single `Sfu`. The first media of a room pins the room to the worker with the
fewest peers, and the room stays there while it has media. Requests go to workers over pipes
(`server.sfu.workers.pipe`), in order. The server waits for no worker, and no worker can delay another.
`Workers` replaces a worker that dies, that reads no more requests, or that is silent for `SILENCE_MAX` s.
The rooms of that worker lose their media, and `on_lost` reports them. They stay pinned to its successor, so
that a room that kills its worker does not move on to the other workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from snugroom.server.memory_search import Found, Wanted
from snugroom.server.sfu.facts import MediaFacts, StreamFacts
from snugroom.server.sfu.io.sockets import BindError
from snugroom.server.sfu.limits import MediaError
from snugroom.server.sfu.workers import pipe
from snugroom.server.sfu.workers.child import START_TIME, WorkerError, WorkerProcess
from snugroom.server.sfu.workers.pipe import Heartbeat, Inspection, Joined
from snugroom.server.sfu.workers.spare import Spare
from snugroom.server.wire.messages import Media, Transport

log = logging.getLogger(__name__)

#: Maximum seconds until the sockets of a process that was ready are open.
SPARE_TIME: Final = 3.0
#: Seconds between two looks at a worker, and after which this process itself has been held up.
LOOK: Final = 1.0
HELD_UP: Final = 3.0
#: Seconds of silence after which a worker counts as dead.
SILENCE_MAX: Final = 10.0
#: Seconds of silence after which the server is not ready for new meetings.
UNANSWERED: Final = 3.0
#: Seconds before a worker is started again, by the number of earlier ends; the last value then stays.
BACK_OFF: Final = (0.0, 0.5, 2.0, 8.0, 30.0)
#: Seconds of running after which the earlier ends of a worker do not count.
STEADY: Final = 120.0
#: Bytes queued for a worker. Above `BUSY` it accepts no more media; above `STUCK` it is replaced.
BUSY: Final = 4 * 2**20
STUCK: Final = 32 * 2**20
#: Messages queued until a worker has started. Above this number it accepts no more media.
QUEUED_MAX: Final = 8192
#: Seconds for which a room that has lost its media stays pinned.
PIN_TIME: Final = 10.0
#: Seconds to wait for a worker's facts, for its audit, and for the search of its memory.
INSPECT_TIME: Final = 2.0
AUDIT_TIME: Final = 8.0
SEARCH_TIME: Final = 60.0
CLOSE_TIME: Final = 1.0


@dataclass(frozen=True, slots=True)
class MediaView:
    """The facts of the SFU, or of all workers together.

    `workers` is the number of workers, and `silent` of them gave no answer. `heartbeats` has the heartbeat of
    each worker by its number, `files` the files open for writing in each worker, and `audited` their audits.
    """

    totals: dict[str, int]
    held: MediaFacts | None = None
    streams: tuple[StreamFacts, ...] = ()
    workers: int = 0
    silent: int = 0
    files: tuple[int, ...] = ()
    heartbeats: dict[int, Heartbeat] = field(default_factory=dict)
    audited: tuple[pipe.AuditResult, ...] = ()


def _summed(facts: Iterable[MediaFacts]) -> MediaFacts | None:
    """Combine the facts of several SFUs: add numbers, and merge tables. None if there are no facts."""
    whole: dict[str, Any] = {}
    for each in facts:
        for name in (f.name for f in dataclasses.fields(each)):
            value, before = getattr(each, name), whole.get(name)
            whole[name] = (
                value if before is None else before | value if isinstance(value, dict) else before + value
            )
    return MediaFacts(**whole) if whole else None


@dataclass(slots=True)
class _PendingJoin:
    """A join without an answer. `retried`: an earlier worker has ended before it answered this join."""

    join: pipe.Join
    answer: asyncio.Future[Transport]
    retried: bool = False


@dataclass(slots=True)
class _Pin:
    """The slot of a room's media. A room without handles stays pinned `until` a time of the loop's clock."""

    slot: WorkerSlot
    handles: set[bytes] = field(default_factory=set)
    until: float = 0.0


class WorkerSlot:
    """The place of one worker, and the process that runs in it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.port = 0
        self.up = False
        self.child: WorkerProcess | None = None
        #: Joins without an answer, by ticket.
        self.pending_joins: dict[int, _PendingJoin] = {}
        self.inspections: dict[int, asyncio.Future[Inspection]] = {}
        #: Messages to send as soon as a worker runs.
        self.queued: list[pipe.Join | pipe.Subscribe | pipe.Leave] = []
        self.heartbeat: Heartbeat | None = None
        self.heartbeat_at = 0.0
        self.peers = 0
        #: Packets sent a second, between the last two heartbeats.
        self.rate = 0.0
        self.exits = 0

    def send(self, message: pipe.Join | pipe.Subscribe | pipe.Leave) -> None:
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


class Workers:
    """`count` media workers, configured by `setup`.

    With port 0 in `setup` each worker takes a free port; otherwise worker n has that port + n. `on_lost` gets
    the number of a room that has lost its media, and the affected handles. They may join again at once.
    """

    def __init__(self, count: int, setup: pipe.Setup) -> None:
        self.slots = [WorkerSlot(number) for number in range(count)]
        self.on_lost: Callable[[bytes, list[bytes]], None] = lambda room, handles: None
        #: Number of replaced workers.
        self.replaced = 0
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        self._setup = msgspec.structs.replace(setup, level=level)
        self._pins: dict[bytes, _Pin] = {}
        self._tickets = 0
        self._supervisors: list[asyncio.Task[None]] = []
        self.spare = Spare(SILENCE_MAX)

    @property
    def silent(self) -> float:
        """As `SILENCE_MAX`; tests set a shorter time."""
        return self.spare.silent

    @silent.setter
    def silent(self, seconds: float) -> None:
        self.spare.silent = seconds

    # -- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all workers, and open their sockets. Raises BindError or WorkerError if one of them fails."""
        launches = [asyncio.ensure_future(self._launch(slot)) for slot in self.slots]
        try:
            await asyncio.gather(*launches, return_exceptions=True)  # wait for all, so that all can be ended
            for launch in launches:
                launch.result()
        except BaseException:
            await self.close()
            raise
        self.spare.start()
        self._supervisors = [asyncio.create_task(self._supervise(slot)) for slot in self.slots]
        log.info("%d media workers", len(self.slots))

    async def close(self) -> None:
        """End all workers, which close the connections to their peers.

        Takes a bounded time. Harmless if called twice.
        """
        for task in self._supervisors:
            task.cancel()
        await asyncio.gather(*self._supervisors, return_exceptions=True)
        self._supervisors = []
        for slot in self.slots:
            slot.up = False
        ends = [slot.child.end(CLOSE_TIME) for slot in self.slots if slot.child is not None]
        await asyncio.gather(self.spare.close(), *ends)
        for slot in self.slots:
            for pending in slot.pending_joins.values():
                pending.answer.cancel()
            slot.pending_joins.clear()

    async def _launch(self, slot: WorkerSlot) -> None:
        """Start a process for `slot`, and wait until its sockets are open.

        Raises BindError or WorkerError if that fails; the process has been killed then.
        """
        first = self._setup.port
        # keep a port that was open once: a firewall may allow no other
        port = slot.port or (first and first + slot.number)
        setup = msgspec.structs.replace(self._setup, port=port)
        ready = None
        if (child := self.spare.take()) is not None:
            self._occupy(slot, child)
            ready = await child.set_up(setup, SPARE_TIME)
            if ready is None:
                log.error("the spare media worker did not answer: another one starts")
                child.kill()
                await child.end(CLOSE_TIME)
        if ready is None:
            try:
                child = await WorkerProcess.start()
            except OSError as error:
                raise WorkerError(f"the system starts no process for it: {error.strerror}") from None
            self._occupy(slot, child)
            ready = await child.set_up(setup, START_TIME)
        assert child is not None
        if ready is None:
            if late := not child.gone.is_set():
                child.kill()  # (one that has ended must not be killed: asyncio then loses its status)
            await child.end(CLOSE_TIME)
            raise WorkerError(
                f"it was not ready within {START_TIME:.0f} s: this machine is too busy, or too slow"
                if late
                else f"it {child.fault()} while it started: its own messages are above"
            )
        if ready.error:
            child.kill()
            slot.port = 0  # take another free port, if none is configured
            raise BindError(OSError(ready.error, os.strerror(ready.error)), ready.what)
        slot.port, slot.up = ready.port, True
        slot.heartbeat_at = asyncio.get_running_loop().time()
        queued, slot.queued = slot.queued, []
        for message in queued:
            child.send(message)

    def _occupy(self, slot: WorkerSlot, child: WorkerProcess) -> None:
        slot.child = child
        child.on_message = lambda message: self._on_message(slot, message)

    async def _supervise(self, slot: WorkerSlot) -> None:
        """Keep a worker running in `slot`, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            fault = ""
            if slot.up and slot.child is not None:
                fault = await self._watch(slot, slot.child)
            self._on_exit(slot, loop.time())
            if slot.child is not None:
                await slot.child.end(CLOSE_TIME)  # its port is free only afterwards
            slot.exits = 0 if loop.time() - began > STEADY else slot.exits
            delay = BACK_OFF[min(slot.exits, len(BACK_OFF) - 1)]
            slot.exits += 1
            self.replaced += 1
            if not fault:
                fault = "has no process" if slot.child is None else slot.child.fault()
            log.error("media worker %d %s: a new one starts in %.1f s", slot.number, fault, delay)
            await asyncio.sleep(delay)
            try:
                await self._launch(slot)
            except BindError as error:
                log.error("media worker %d can't open its port: %s", slot.number, error.strerror)
            except WorkerError as error:
                log.error("media worker %d can't be started: %s", slot.number, error)

    async def _watch(self, slot: WorkerSlot, child: WorkerProcess) -> str:
        """Return when the worker has ended, or what is wrong with it if it was silent and has been killed."""
        loop = asyncio.get_running_loop()
        while not child.gone.is_set():
            before = loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await child.gone.wait()
            now = loop.time()
            self._expire_pins(now)
            if now - before > HELD_UP:
                child.excuse()  # its messages wait while this process was stopped
            elif child.silence() > child.patience(self.silent):
                fault = child.fault()
                child.kill()
                return fault
        return ""

    def _on_exit(self, slot: WorkerSlot, now: float) -> None:
        """Handle the end of `slot`'s process: report lost media, and queue unanswered joins again."""
        slot.up = False
        slot.heartbeat, slot.rate = None, 0.0
        for answer in slot.inspections.values():
            answer.cancel()
        slot.inspections.clear()
        unsent = {message.ticket for message in slot.queued if isinstance(message, pipe.Join)}
        waiting: set[tuple[bytes, bytes]] = set()
        again: list[pipe.Join | pipe.Subscribe | pipe.Leave] = []
        for ticket, pending in list(slot.pending_joins.items()):
            if pending.retried and ticket not in unsent:
                # a second worker has ended with this join: it may be the cause
                del slot.pending_joins[ticket]
                if not pending.answer.done():
                    pending.answer.set_exception(MediaError("lost", "the media worker has ended"))
                continue
            waiting.add((pending.join.room, pending.join.handle))
            if ticket not in unsent:
                pending.retried = True
                again.append(pending.join)
        slot.queued = again + slot.queued
        for room, pin in list(self._pins.items()):
            if pin.slot is slot:
                lost = sorted(h for h in pin.handles if (room, h) not in waiting)
                pin.handles.difference_update(lost)
                slot.peers -= len(lost)
                if not pin.handles:
                    pin.until = now + PIN_TIME
                if lost:
                    self._report_lost(room, lost)

    def _report_lost(self, room: bytes, lost: list[bytes]) -> None:
        try:
            self.on_lost(room, lost)
        except Exception as error:  # continue: other rooms need the report, and the slot a new worker
            log.error("reporting a lost worker raised %s", type(error).__name__)

    def _expire_pins(self, now: float) -> None:
        for room, pin in list(self._pins.items()):
            if not pin.handles and now >= pin.until:
                del self._pins[room]

    def unanswered(self) -> int:
        """Return the number of workers that are not running, or have not been heard of for `UNANSWERED` s."""
        now = asyncio.get_running_loop().time()
        return sum(not slot.up or now - slot.heartbeat_at > UNANSWERED for slot in self.slots)

    # -- messages from workers -----------------------------------------------------------------

    def _on_message(self, slot: WorkerSlot, message: msgspec.Struct) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(message, Joined):
            pending = slot.pending_joins.pop(message.ticket, None)
            if pending is None or pending.answer.done():
                pass  # the connection has left in the meantime
            elif message.transport is not None:
                pending.answer.set_result(message.transport)
            else:
                pending.answer.set_exception(MediaError(message.code, "the media worker has refused it"))
        elif isinstance(message, Heartbeat):
            if slot.heartbeat is not None and now > slot.heartbeat_at:
                sent = message.totals.get("forwarded", 0) - slot.heartbeat.totals.get("forwarded", 0)
                slot.rate = max(0.0, sent / (now - slot.heartbeat_at))
            slot.heartbeat, slot.heartbeat_at = message, now
        elif isinstance(message, Inspection):
            answer = slot.inspections.pop(message.ticket, None)
            if answer is not None and not answer.done():
                answer.set_result(message)

    # -- the media server ----------------------------------------------------------------------

    def join(self, room: bytes, handle: bytes, media: Media) -> asyncio.Future[Transport]:
        """As `Sfu.join`, but the future gets the answer or the MediaError.

        Raises MediaError at once if the room's worker is too busy.
        """
        pin = self._pins.get(room)
        slot = self._least_loaded() if pin is None else pin.slot
        if slot.busy():
            raise MediaError("busy", "the media worker of this room is overloaded")
        if pin is None:
            pin = self._pins[room] = _Pin(slot)
        slot.peers += handle not in pin.handles
        pin.handles.add(handle)
        self._tickets += 1
        answer: asyncio.Future[Transport] = asyncio.get_running_loop().create_future()
        join = pipe.Join(self._tickets, room, handle, media)
        slot.pending_joins[join.ticket] = _PendingJoin(join, answer)
        slot.send(join)
        return answer

    def subscribe(self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: list[int]) -> None:
        """As `Sfu.subscribe`."""
        pin = self._pins.get(room)
        if pin is not None and handle in pin.handles:
            pin.slot.send(pipe.Subscribe(room, handle, ssrcs, max_layers))

    def leave(self, room: bytes, handle: bytes) -> None:
        """As `Sfu.leave`. The last connection to leave ends the room's pin."""
        pin = self._pins.get(room)
        if pin is None or handle not in pin.handles:
            return
        pin.handles.discard(handle)
        pin.slot.peers -= 1
        pin.slot.forget(room, handle)
        if pin.slot.up:
            pin.slot.send(pipe.Leave(room, handle))
        if not pin.handles:
            del self._pins[room]

    def _least_loaded(self) -> WorkerSlot:
        """Return the slot for a new room: running, with the fewest peers, then with the lowest rate."""
        return min(self.slots, key=lambda slot: (not slot.up, slot.peers, slot.rate, slot.number))

    # -- facts ---------------------------------------------------------------------------------

    def totals(self) -> dict[str, int]:
        """As `Sfu.totals`, for all workers together, from their last heartbeats (one a second)."""
        totals: Counter[str] = Counter()
        for slot in self.slots:
            totals.update(slot.heartbeat.totals if slot.heartbeat is not None else {})
        return dict(totals)

    async def inspect(self, *, held: bool = False, streams: bool = False, audit: bool = False) -> MediaView:
        """Ask all workers what they hold.

        Takes a bounded time. `silent` in the result counts the workers that gave no answer.
        """
        found = await self._request(
            lambda ticket: pipe.Inspect(ticket, held, streams, audit), AUDIT_TIME if audit else INSPECT_TIME
        )
        totals: Counter[str] = Counter()
        for inspected in found.values():
            totals.update(inspected.heartbeat.totals)
        return MediaView(
            totals=dict(totals),
            held=_summed(inspected.held for inspected in found.values() if inspected.held is not None),
            streams=tuple(facts for inspected in found.values() for facts in inspected.streams),
            workers=len(self.slots),
            silent=len(self.slots) - len(found),
            files=tuple(inspected.files for inspected in found.values()),
            heartbeats={number: inspected.heartbeat for number, inspected in found.items()},
            audited=tuple(inspected.audited for inspected in found.values() if inspected.audited is not None),
        )

    async def last_frame(self, ssrc: int) -> list[bytes]:
        """As `Sfu.last_frame`, from the worker that has the stream."""
        found = await self._request(lambda ticket: pipe.LastFrame(ticket, ssrc), INSPECT_TIME)
        return next((inspected.packets for inspected in found.values() if inspected.packets), [])

    async def search(self, wanted: Wanted) -> list[Found]:
        """Search the memory of all workers. A worker without an answer in time is not in the result."""
        found = await self._request(lambda ticket: pipe.Search(ticket, wanted), SEARCH_TIME)
        return [inspected.searched for inspected in found.values() if inspected.searched is not None]

    async def _request(
        self, question: Callable[[int], pipe.Inspect | pipe.LastFrame | pipe.Search], seconds: float
    ) -> dict[int, Inspection]:
        """Return the answers that arrive within `seconds`, by the worker's number."""
        loop = asyncio.get_running_loop()
        inspections: dict[int, asyncio.Future[Inspection]] = {}
        for slot in self.slots:
            if slot.up and slot.child is not None:
                self._tickets += 1
                inspections[slot.number] = slot.inspections[self._tickets] = loop.create_future()
                slot.child.send(question(self._tickets))
        if inspections:
            await asyncio.wait(inspections.values(), timeout=seconds)
        for slot in self.slots:
            for ticket, answer in list(slot.inspections.items()):
                if answer is inspections.get(slot.number):
                    del slot.inspections[ticket]
        return {
            n: answer.result()
            for n, answer in inspections.items()
            if answer.done() and not answer.cancelled()
        }
