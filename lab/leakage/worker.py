"""A process that holds planned meetings: a job on standard input, and one JSON line per meeting on output."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from snugroom.client.session import Session
from snugroom.lab.leakage.actor import Actor
from snugroom.lab.leakage.plan import Lived, Plan

#: Seconds that a returning member stays.
_SECOND_STAY = 2.0


class Job(msgspec.Struct, frozen=True):
    """The work of one process. `at_once`: number of meetings at the same time."""

    origin: str
    at_once: int
    plans: list[Plan]


class Held(msgspec.Struct, frozen=True):
    """A meeting that was held. `failed`: the reason why it does not count, or empty."""

    number: int
    lives: list[Lived]
    failed: str = ""


def _join(plan: Plan, person: int, life: int, link: str) -> Actor:
    return Actor(plan, person, life, lambda now: Session.join(link, name=plan.parts[person].name, now=now))


async def hold(plan: Plan, origin: str) -> Held:
    """Hold one meeting: all act, the guests leave together and come back one by one, the host ends it."""
    await asyncio.sleep(plan.starts_after)
    host = Actor(
        plan,
        0,
        0,
        lambda now: Session.host(origin=origin, name=plan.parts[0].name, admission="all", now=now),
    )
    actors = [host]
    try:
        link = await asyncio.wait_for(host.link, 60.0)
        guests = [_join(plan, person, 0, link) for person in range(1, len(plan.parts))]
        actors += guests
        await asyncio.gather(*(actor.inside(len(plan.parts)) for actor in actors))
        await asyncio.gather(*(actor.act() for actor in actors))
        returning = [i for i, part in enumerate(plan.parts) if part.back_after is not None]
        if returning:
            await asyncio.gather(*(actors[person].leave() for person in returning))

            async def back(person: int) -> Actor:
                await asyncio.sleep(plan.parts[person].back_after or 0.0)
                again = _join(plan, person, 1, link)
                actors.append(again)
                return again

            again = await asyncio.gather(*(back(person) for person in returning))
            await asyncio.gather(*(actor.inside(len(plan.parts)) for actor in (host, *again)))
            await asyncio.sleep(_SECOND_STAY)
        failed = ""
    except TimeoutError:
        failed = "not everybody came in: " + "; ".join(p for a in actors for p in a.problems[:3])
    finally:
        for actor in actors:
            await actor.leave()
    return Held(plan.number, [actor.lived() for actor in actors], failed)


async def work(job: Job) -> None:
    """Hold all planned meetings, `at_once` at a time."""
    turn = asyncio.Semaphore(job.at_once)
    encoder = msgspec.json.Encoder()

    async def one(plan: Plan) -> None:
        async with turn:
            held = await hold(plan, job.origin)
        sys.stdout.buffer.write(encoder.encode(held) + b"\n")
        sys.stdout.buffer.flush()

    await asyncio.gather(*(one(plan) for plan in job.plans))


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(sys.stdin.buffer.read(), type=Job)))
