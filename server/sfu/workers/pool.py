"""Media workers: several processes with an SFU each, so that media uses more than one core.

`Workers` has the interface of a single `Sfu`. The first media of a room pins the room to the worker with the
fewest peers, and the room stays there while it has media. A large room gets further workers
(`server.sfu.workers.spread`), which exchange its packets over links. Requests go to workers over pipes
(`server.sfu.workers.pipe`), in order. The server waits for no worker, and no worker can delay another.
`Workers` replaces a worker that dies, that reads no more requests, or that is silent for `SILENCE_MAX` s.
The members on that worker lose their media, and `on_lost` reports them. They stay pinned to its successor, so
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
from snugroom.server.sfu.io.worker_link import socket_pair
from snugroom.server.sfu.limits import MediaError
from snugroom.server.sfu.workers import pipe
from snugroom.server.sfu.workers.child import START_TIME, WorkerError, WorkerProcess
from snugroom.server.sfu.workers.pipe import Heartbeat, Inspection, Joined
from snugroom.server.sfu.workers.slot import Message, PendingJoin, WorkerSlot
from snugroom.server.sfu.workers.spare import Spare
from snugroom.server.sfu.workers.spread import Spread, Told
from snugroom.wire.messages import Media, Transport

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
        self._spread = Spread(setup.limits.room_part)
        #: Pairs of workers with a link.
        self._linked: set[frozenset[int]] = set()
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
            self._spread.expire(now)
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
        slot.heartbeat, slot.rate, slot.share = None, 0.0, 0.0
        self._linked = {pair for pair in self._linked if slot.number not in pair}
        for answer in slot.inspections.values():
            answer.cancel()
        slot.inspections.clear()
        unsent = {message.ticket for message in slot.queued if isinstance(message, pipe.Join)}
        waiting: set[tuple[bytes, bytes]] = set()
        again: list[Message] = []
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
        losses, told = self._spread.end(slot.number, waiting, now)
        self._tell(told)
        for room, lost in losses:
            slot.peers -= len(lost)
            self._report_lost(room, lost)

    def _report_lost(self, room: bytes, lost: list[bytes]) -> None:
        try:
            self.on_lost(room, lost)
        except Exception as error:  # continue: other rooms need the report, and the slot a new worker
            log.error("reporting a lost worker raised %s", type(error).__name__)

    def _tell(self, told: Told) -> None:
        """Tell workers about members on other workers, and link them."""
        for number, message in told:
            if isinstance(message, pipe.Remote):
                self._link(self.slots[number], self.slots[message.worker])
            self.slots[number].send(message)

    def _link(self, one: WorkerSlot, other: WorkerSlot) -> None:
        """Link two workers that have no link."""
        pair = frozenset((one.number, other.number))
        if pair in self._linked or one.child is None or other.child is None:
            return
        try:
            ends = socket_pair()
        except OSError as error:
            log.error("media workers can't be linked: %s", error.strerror)
            return
        try:
            one.child.connect(other.number, ends[0])
            other.child.connect(one.number, ends[1])
            self._linked.add(pair)
        except OSError as error:  # a worker that ends, or is stuck, and is replaced
            log.error("media workers can't be linked: %s", error.strerror)
        finally:
            for sock in (*ends[0], *ends[1]):
                sock.close()

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
                join = pending.join
                self._tell(self._spread.accept(join.room, join.handle, join.media.streams))
                pending.answer.set_result(message.transport)
            else:
                pending.answer.set_exception(MediaError(message.code, "the media worker has refused it"))
        elif isinstance(message, Heartbeat):
            slot.heard(message, now)
        elif isinstance(message, Inspection):
            answer = slot.inspections.pop(message.ticket, None)
            if answer is not None and not answer.done():
                answer.set_result(message)

    # -- the media server ----------------------------------------------------------------------

    def join(self, room: bytes, handle: bytes, media: Media) -> asyncio.Future[Transport]:
        """As `Sfu.join`, but the future gets the answer or the MediaError.

        Raises MediaError at once if the room's worker is too busy.
        """
        slot = self.slots[self._spread.choose(room, handle, self.slots)]
        if slot.busy():
            raise MediaError("busy", "the media worker of this room is overloaded")
        slot.peers += self._spread.join(room, handle, slot.number)
        self._tickets += 1
        answer: asyncio.Future[Transport] = asyncio.get_running_loop().create_future()
        join = pipe.Join(self._tickets, room, handle, media)
        slot.pending_joins[join.ticket] = PendingJoin(join, answer)
        slot.send(join)
        return answer

    def subscribe(self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: list[int]) -> None:
        """As `Sfu.subscribe`."""
        number = self._spread.slot_of(room, handle)
        if number is not None:
            self.slots[number].send(pipe.Subscribe(room, handle, ssrcs, max_layers))

    def leave(self, room: bytes, handle: bytes) -> None:
        """As `Sfu.leave`. The last connection to leave ends the room's pin."""
        left = self._spread.leave(room, handle)
        if left is None:
            return
        slot = self.slots[left[0]]
        slot.peers -= 1
        slot.forget(room, handle)
        if slot.up:
            slot.send(pipe.Leave(room, handle))
        self._tell(left[1])

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
