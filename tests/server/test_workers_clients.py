"""After a media worker is killed, participants reconnect by themselves: sound and video, both ways."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from snugroom.client.connection import Connection, SessionCrypto
from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.sources import TestCard
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.server.app import Server
from snugroom.server.sfu.workers.pool import Workers
from tests.server.wire_clients import quiet

PATIENCE = float(os.environ.get("SNUG_TEST_PATIENCE", "60"))


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


class Participant:
    """One whole client, its test card and all."""

    def __init__(self, session: Session) -> None:
        self.events: list[ev.Event] = []
        self.connection = Connection(session, make_engine=self._engine, on_event=self.events.append)
        self.running = asyncio.create_task(self.connection.run())

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine:
        return MediaEngine(
            crypto=crypto,
            source=TestCard(str(session.own_leaf), session.own_leaf or 0, width=160, height=96),
            size=(160, 96),
            decode=False,
            on_lost=self.connection.media_lost,
        )

    def opened(self) -> dict[str, int]:
        """Frames of the other's that have been authenticated, by kind."""
        counts = {"audio": 0, "video": 0}
        for stats in self.connection.stats():
            counts[stats.kind] += stats.opened
        return counts

    def gets_more_than(self, before: dict[str, int]) -> bool:
        return all(self.opened()[kind] > count + 10 for kind, count in before.items())

    def alarms(self) -> list[str]:
        return [event.kind for event in self.events if isinstance(event, ev.Alarm)]

    async def end(self) -> None:
        if not self.running.done():
            self.connection.feed(ev.Leave())
        await asyncio.wait([self.running], timeout=5.0)
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@asynccontextmanager
async def meeting(workers: int) -> AsyncIterator[tuple[Server, list[Participant]]]:
    """Two participants who see and hear each other, at a server of their own."""
    server = Server(quiet(page=False, workers=workers))
    url = await server.start()
    people: list[Participant] = []
    try:
        origin = canonical_origin(url)
        host = Participant(Session.host(origin=origin, name="Ada", admission="all", now=time.time()))
        people.append(host)
        await until(lambda: any(isinstance(e, ev.InviteMade) for e in host.events), "no invite")
        link = next(e.link for e in host.events if isinstance(e, ev.InviteMade))
        people.append(Participant(Session.join(link, name="Bo", now=time.time())))
        await goes_on(people, [{"audio": 0, "video": 0}] * 2)
        yield server, people
    finally:
        for person in people:
            await person.end()
        await server.stop()


async def goes_on(people: list[Participant], before: list[dict[str, int]]) -> None:
    await until(
        lambda: all(p.gets_more_than(b) for p, b in zip(people, before, strict=True)),
        f"no more frames than {before}",
    )


async def test_participants_come_back_by_themselves() -> None:
    async with meeting(workers=2) as (server, people):
        made = server.signaling.media
        assert isinstance(made, Workers)
        for turn in range(2):
            [hit] = [slot for slot in made.slots if slot.peers]
            assert hit.child is not None
            before = [person.opened() for person in people]
            os.kill(hit.child.pid, signal.SIGKILL)
            began = time.monotonic()
            await goes_on(people, before)
            print(f"back after {time.monotonic() - began:.2f} s")
            assert made.replaced == turn + 1
        # the first sight of it was the server's word: their own timers would have said so after 30 s
        for person in people:
            assert person.alarms() == ["media_lost", "media_lost"], person.alarms()
            assert not [e for e in person.events if isinstance(e, ev.Status) and e.kind == "away"]


async def test_a_connection_that_is_given_up_costs_no_alarm() -> None:
    """The server closes the media link of the old connection, while the client is about to have another."""
    async with meeting(workers=1) as (_, people):
        engines = [person.connection.engine for person in people]
        links = [engine._link for engine in engines if engine is not None]
        for person in people:
            person.connection.feed(ev.NetworkChanged(certain=True))
        await until(
            lambda: (
                not {id(engine._link) for engine in engines if engine is not None}
                & {id(link) for link in (*links, None)}
            ),
            "no new links",
        )
        await goes_on(people, [person.opened() for person in people])
        assert [person.alarms() for person in people] == [[], []]
