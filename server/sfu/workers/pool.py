"""Media workers: several processes with an SFU each, so that media uses more than one core.

`Workers` has the interface of a single `Sfu`. The first media of a room pins the room to the worker with the
fewest peers, and the room stays there while it has media. Requests go to workers over pipes
(`server.sfu.workers.pipe`), in order. The server waits for no worker, and no worker can delay another.
`Workers` replaces a worker that dies, that reads no more requests, or that is silent for `SILENT` seconds.
The rooms of that worker lose their media, and `on_lost` reports them. They stay pinned to its successor, so
that a room that kills its worker does not move on to the other workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from snugroom.server.sfu.io.sockets import BindError
from snugroom.server.sfu.limits import MediaError
from snugroom.server.sfu.sfu import MediaFacts, StreamFacts
from snugroom.server.sfu.workers import pipe
from snugroom.server.sfu.workers.child import Child
from snugroom.server.sfu.workers.pipe import Beat, Joined, Looked
from snugroom.server.wire.messages import Media, Transport

log = logging.getLogger(__name__)

#: Maximum seconds from the start of a worker until its socket is open.
START_TIME: Final = 20.0
#: Seconds of silence after which a worker counts as dead.
SILENT: Final = 10.0
#: Seconds before a worker is started again, by the number of earlier ends; the last value then stays.
BACK_OFF: Final = (0.0, 0.5, 2.0, 8.0, 30.0)
#: Seconds of running after which the earlier ends of a worker do not count.
STEADY: Final = 120.0
#: Bytes queued for a worker. Above `BUSY` it accepts no more media; above `STUCK` it is replaced.
BUSY: Final = 4 * 2**20
STUCK: Final = 32 * 2**20
#: Messages queued until a worker has started. Above this number it accepts no more media.
LATER_MAX: Final = 8192
#: Seconds for which a room that has lost its media stays pinned.
PLACE_KEPT: Final = 10.0
#: Seconds to wait for a worker's facts, and for its audit.
LOOK_TIME: Final = 2.0
AUDIT_TIME: Final = 8.0
CLOSE_TIME: Final = 1.0


@dataclass(frozen=True, slots=True)
class MediaView:
    """The facts of the SFU, or of all workers together.

    `workers` is the number of workers, and `silent` of them gave no answer. `beats` has the `Beat` of each
    worker by its number, `files` the files open for writing in each worker, and `audited` their audits.
    """

    totals: dict[str, int]
    held: MediaFacts | None = None
    streams: tuple[StreamFacts, ...] = ()
    workers: int = 0
    silent: int = 0
    files: tuple[int, ...] = ()
    beats: dict[int, Beat] = field(default_factory=dict)
    audited: tuple[pipe.Audited, ...] = ()


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
class _Asked:
    """A join without an answer. `again`: an earlier worker has ended before it answered this join."""

    join: pipe.Join
    answer: asyncio.Future[Transport]
    again: bool = False


@dataclass(slots=True)
class _Pin:
    """The slot of a room's media. A room without handles stays pinned `until` a time of the loop's clock."""

    slot: Slot
    handles: set[bytes] = field(default_factory=set)
    until: float = 0.0


class Slot:
    """The place of one worker, and the process that runs in it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.port = 0
        self.up = False
        self.child: Child | None = None
        #: Joins without an answer, by ticket.
        self.asked: dict[int, _Asked] = {}
        self.looks: dict[int, asyncio.Future[Looked]] = {}
        #: Messages to send as soon as a worker runs.
        self.later: list[pipe.Join | pipe.Want | pipe.Leave] = []
        self.beat: Beat | None = None
        self.heard_at = 0.0
        self.peers = 0
        #: Packets sent a second, between the last two heartbeats.
        self.rate = 0.0
        self.endings = 0

    def say(self, message: pipe.Join | pipe.Want | pipe.Leave) -> None:
        """Send `message` now, or when a worker runs again."""
        if self.up and self.child is not None:
            self.child.send(message)
            if self.child.waiting > STUCK:
                log.error("media worker %d takes nothing more", self.number)
                self.kill()
        elif len(self.later) < LATER_MAX or isinstance(message, pipe.Join):
            self.later.append(message)

    def busy(self) -> bool:
        """Return whether the worker should accept no more media."""
        waiting = self.child.waiting if self.up and self.child is not None else 0
        return waiting > BUSY or len(self.later) >= LATER_MAX

    def forget(self, room: bytes, handle: bytes) -> None:
        """Drop the queued messages and the joins of a connection that has left."""
        self.later = [m for m in self.later if (m.room, m.handle) != (room, handle)]
        for ticket, asked in list(self.asked.items()):
            if (asked.join.room, asked.join.handle) == (room, handle):
                del self.asked[ticket]
                asked.answer.cancel()

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
        self.slots = [Slot(number) for number in range(count)]
        self.on_lost: Callable[[bytes, list[bytes]], None] = lambda room, handles: None
        #: Number of replaced workers.
        self.replaced = 0
        #: As `SILENT`; tests set a shorter time.
        self.silent = SILENT
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        self._setup = msgspec.structs.replace(setup, level=level)
        self._pins: dict[bytes, _Pin] = {}
        self._tickets = 0
        self._keeping: list[asyncio.Task[None]] = []
        # a spare process for the next replacement: starting Python takes longer than the rest of a rejoin
        self._spare: Child | None = None
        self._sparing = False

    # -- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all workers, and open their sockets. Raises OSError (`BindError`) if one of them fails."""
        launches = [asyncio.ensure_future(self._launch(slot)) for slot in self.slots]
        try:
            await asyncio.gather(*launches, return_exceptions=True)  # wait for all, so that all can be ended
            for launch in launches:
                launch.result()
            await self._have_spare()
        except BaseException:
            await self.close()
            raise
        self._keeping = [asyncio.create_task(self._keep(slot)) for slot in self.slots]
        log.info("%d media workers", len(self.slots))

    async def close(self) -> None:
        """End all workers, which close the connections to their peers.

        Takes a bounded time. Harmless if called twice.
        """
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        self._keeping = []
        for slot in self.slots:
            slot.up = False
        children = [*(slot.child for slot in self.slots), self._spare]
        self._spare = None
        await asyncio.gather(*(child.end(CLOSE_TIME) for child in children if child is not None))
        for slot in self.slots:
            for asked in slot.asked.values():
                asked.answer.cancel()
            slot.asked.clear()

    async def _launch(self, slot: Slot) -> None:
        """Start a process for `slot`, and wait until its sockets are open.

        Raises OSError if that fails; the process has been killed then.
        """
        child, self._spare = self._spare, None
        if child is None or child.gone.is_set():
            child = await Child.start()
        slot.child = child
        child.heard = lambda message: self._heard(slot, message)
        first = self._setup.port
        # keep a port that was open once: a firewall may allow no other
        port = slot.port or (first and first + slot.number)
        ready = await child.set_up(msgspec.structs.replace(self._setup, port=port), START_TIME)
        if ready is None:
            child.kill()
            raise OSError(errno.ETIMEDOUT, "a media worker did not start")
        if ready.error:
            child.kill()
            slot.port = 0  # take another free port, if none is configured
            raise BindError(OSError(ready.error, os.strerror(ready.error)), ready.what)
        slot.port, slot.up = ready.port, True
        slot.heard_at = asyncio.get_running_loop().time()
        later, slot.later = slot.later, []
        for message in later:
            child.send(message)

    async def _have_spare(self) -> None:
        if self._spare is None and not self._sparing:
            self._sparing = True
            try:
                self._spare = await Child.start()
            finally:
                self._sparing = False

    async def _keep(self, slot: Slot) -> None:
        """Keep a worker running in `slot`, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            while slot.up and slot.child is not None and not slot.child.gone.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await slot.child.gone.wait()
                self._sweep(loop.time())
                if slot.up and loop.time() - slot.heard_at > self.silent:
                    log.error("media worker %d is silent", slot.number)
                    slot.kill()
                    break
            self._fell(slot, loop.time())
            if slot.child is not None:
                await slot.child.end(CLOSE_TIME)  # its port is free only afterwards
            slot.endings = 0 if loop.time() - began > STEADY else slot.endings
            delay = BACK_OFF[min(slot.endings, len(BACK_OFF) - 1)]
            slot.endings += 1
            self.replaced += 1
            log.error("media worker %d has ended: another one is started in %.1f s", slot.number, delay)
            await asyncio.sleep(delay)
            try:
                await self._launch(slot)
                await self._have_spare()
            except OSError as error:
                log.error("a media worker can't be started: error %d", error.errno or 0)

    def _fell(self, slot: Slot, now: float) -> None:
        """Handle the end of `slot`'s process: report lost media, and queue unanswered joins again."""
        slot.up = False
        slot.beat, slot.rate = None, 0.0
        for look in slot.looks.values():
            look.cancel()
        slot.looks.clear()
        unsent = {message.ticket for message in slot.later if isinstance(message, pipe.Join)}
        waiting: set[tuple[bytes, bytes]] = set()
        again: list[pipe.Join | pipe.Want | pipe.Leave] = []
        for ticket, asked in list(slot.asked.items()):
            if asked.again and ticket not in unsent:
                # a second worker has ended with this join: it may be the cause
                del slot.asked[ticket]
                if not asked.answer.done():
                    asked.answer.set_exception(MediaError("lost", "the media worker has ended"))
                continue
            waiting.add((asked.join.room, asked.join.handle))
            if ticket not in unsent:
                asked.again = True
                again.append(asked.join)
        slot.later = again + slot.later
        for room, pin in list(self._pins.items()):
            if pin.slot is slot:
                lost = sorted(h for h in pin.handles if (room, h) not in waiting)
                pin.handles.difference_update(lost)
                slot.peers -= len(lost)
                if not pin.handles:
                    pin.until = now + PLACE_KEPT
                if lost:
                    self._tell(room, lost)

    def _tell(self, room: bytes, lost: list[bytes]) -> None:
        try:
            self.on_lost(room, lost)
        except Exception as error:  # continue: other rooms need the report, and the slot a new worker
            log.error("telling of a lost worker raised %s", type(error).__name__)

    def _sweep(self, now: float) -> None:
        for room, pin in list(self._pins.items()):
            if not pin.handles and now >= pin.until:
                del self._pins[room]

    # -- messages from workers -----------------------------------------------------------------

    def _heard(self, slot: Slot, message: msgspec.Struct) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(message, Joined):
            asked = slot.asked.pop(message.ticket, None)
            if asked is None or asked.answer.done():
                pass  # the connection has left in the meantime
            elif message.transport is not None:
                asked.answer.set_result(message.transport)
            else:
                asked.answer.set_exception(MediaError(message.code, "the media worker has refused it"))
        elif isinstance(message, Beat):
            if slot.beat is not None and now > slot.heard_at:
                sent = message.totals.get("forwarded", 0) - slot.beat.totals.get("forwarded", 0)
                slot.rate = max(0.0, sent / (now - slot.heard_at))
            slot.beat, slot.heard_at = message, now
        elif isinstance(message, Looked):
            look = slot.looks.pop(message.ticket, None)
            if look is not None and not look.done():
                look.set_result(message)

    # -- the media server ----------------------------------------------------------------------

    def join(self, room: bytes, handle: bytes, media: Media) -> asyncio.Future[Transport]:
        """As `Sfu.join`, but the future gets the answer or the MediaError.

        Raises MediaError at once if the room's worker is too busy.
        """
        pin = self._pins.get(room)
        slot = self._least() if pin is None else pin.slot
        if slot.busy():
            raise MediaError("busy", "the media worker of this room has too much to do")
        if pin is None:
            pin = self._pins[room] = _Pin(slot)
        slot.peers += handle not in pin.handles
        pin.handles.add(handle)
        self._tickets += 1
        answer: asyncio.Future[Transport] = asyncio.get_running_loop().create_future()
        join = pipe.Join(self._tickets, room, handle, media)
        slot.asked[join.ticket] = _Asked(join, answer)
        slot.say(join)
        return answer

    def subscribe(self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: list[int]) -> None:
        """As `Sfu.subscribe`."""
        pin = self._pins.get(room)
        if pin is not None and handle in pin.handles:
            pin.slot.say(pipe.Want(room, handle, ssrcs, max_layers))

    def leave(self, room: bytes, handle: bytes) -> None:
        """As `Sfu.leave`. The last connection to leave ends the room's pin."""
        pin = self._pins.get(room)
        if pin is None or handle not in pin.handles:
            return
        pin.handles.discard(handle)
        pin.slot.peers -= 1
        pin.slot.forget(room, handle)
        if pin.slot.up:
            pin.slot.say(pipe.Leave(room, handle))
        if not pin.handles:
            del self._pins[room]

    def _least(self) -> Slot:
        """Return the slot for a new room: running, with the fewest peers, then with the lowest rate."""
        return min(self.slots, key=lambda slot: (not slot.up, slot.peers, slot.rate, slot.number))

    # -- facts ---------------------------------------------------------------------------------

    def totals(self) -> dict[str, int]:
        """As `Sfu.totals`, for all workers together, from their last heartbeats (one a second)."""
        totals: Counter[str] = Counter()
        for slot in self.slots:
            totals.update(slot.beat.totals if slot.beat is not None else {})
        return dict(totals)

    async def look(self, *, held: bool = False, streams: bool = False, audit: bool = False) -> MediaView:
        """Ask all workers what they hold.

        Takes a bounded time. `silent` in the result counts the workers that gave no answer.
        """
        found = await self._ask(
            lambda ticket: pipe.Look(ticket, held, streams, audit), AUDIT_TIME if audit else LOOK_TIME
        )
        totals: Counter[str] = Counter()
        for looked in found.values():
            totals.update(looked.beat.totals)
        return MediaView(
            totals=dict(totals),
            held=_summed(looked.held for looked in found.values() if looked.held is not None),
            streams=tuple(facts for looked in found.values() for facts in looked.streams),
            workers=len(self.slots),
            silent=len(self.slots) - len(found),
            files=tuple(looked.files for looked in found.values()),
            beats={number: looked.beat for number, looked in found.items()},
            audited=tuple(looked.audited for looked in found.values() if looked.audited is not None),
        )

    async def last_frame(self, ssrc: int) -> list[bytes]:
        """As `Sfu.last_frame`, from the worker that has the stream."""
        found = await self._ask(lambda ticket: pipe.Frame(ticket, ssrc), LOOK_TIME)
        return next((looked.packets for looked in found.values() if looked.packets), [])

    async def _ask(
        self, question: Callable[[int], pipe.Look | pipe.Frame], seconds: float
    ) -> dict[int, Looked]:
        """Return the answers that arrive within `seconds`, by the worker's number."""
        loop = asyncio.get_running_loop()
        looks: dict[int, asyncio.Future[Looked]] = {}
        for slot in self.slots:
            if slot.up and slot.child is not None:
                self._tickets += 1
                looks[slot.number] = slot.looks[self._tickets] = loop.create_future()
                slot.child.send(question(self._tickets))
        if looks:
            await asyncio.wait(looks.values(), timeout=seconds)
        for slot in self.slots:
            for ticket, look in list(slot.looks.items()):
                if look is looks.get(slot.number):
                    del slot.looks[ticket]
        return {n: look.result() for n, look in looks.items() if look.done() and not look.cancelled()}
