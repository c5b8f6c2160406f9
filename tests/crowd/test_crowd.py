"""`snug crowd` against real servers on loopback."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from snugroom import Participant
from snugroom.client.session.features.absence import KEPT
from snugroom.lab.crowd import crowd as crowds
from snugroom.lab.crowd.crowd import Crowd, Plan
from snugroom.lab.crowd.summary import EndCount, HeardPairs, Summary
from snugroom.testing import Server
from snugroom.testing.plugin import snug_server
from tests.cli.processes import names, run, running, server
from tests.patience import PATIENCE

__all__ = ["snug_server"]

PLAN = Plan(link="", count=5, seconds=1.0, rate=20.0, size=(128, 96))


@asynccontextmanager
async def gathered(crowd: Crowd) -> AsyncIterator[asyncio.Task[Summary]]:
    """A crowd that runs; it leaves on exit."""
    task = asyncio.create_task(crowd.run())
    try:
        yield task
    finally:
        crowd.stop()
        await asyncio.wait([task], timeout=PATIENCE)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the condition covers several objects
            await asyncio.sleep(0.02)


async def both_are_in(ada: Participant) -> None:
    """They are inside, and not only admitted: they have said that they send nothing."""
    for number in (1, 2):
        await ada.event("state", name=f"Crowd {number}", mic=False, camera=False)


async def test_five_participants_hear_each_other_and_leave(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", media=None) as (ada,):
        told: list[int] = []
        plan = replace(PLAN, link=ada.link, media=True, talk=True, seconds=2.0)
        seen = await Crowd(plan, told.append).run()
        assert (seen.asked, seen.joined, seen.inside) == (5, 5, 5)
        assert seen.heard == tuple(HeardPairs(kind, 20, 20) for kind in ("audio", "video", "chat"))
        assert (seen.unheard, seen.alarms, seen.ended) == ((), (), ())
        assert seen.join_seconds is not None
        assert 0 < seen.join_seconds.p50 <= seen.join_seconds.p90 <= seen.join_seconds.max
        assert seen.cpu > 0
        assert told == sorted(told)
        assert told[-1] == 5
        for number in range(1, 6):
            await ada.event("chat", from_=f"Crowd {number}")
            await ada.event("state", name=f"Crowd {number}", mic=True, camera=True)
        # Each removal is a commit. Who has waited 3 s for its own is gone, and Ada removes it as absent.
        await ada.meets(within=KEPT + PATIENCE)
        # members that a slow machine keeps from their heartbeats are told of as stale
        assert [alarm for alarm in ada.alarms if alarm["kind"] != "stale"] == []


async def test_without_media_there_is_no_connection_for_it(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", media=None) as (ada,):
        crowd = Crowd(replace(PLAN, link=ada.link, count=2, seconds=60.0))
        async with gathered(crowd) as running_crowd:
            await both_are_in(ada)
            assert snug_server._server is not None
            assert snug_server._server.sfu.totals()["peers"] == 0
            crowd.stop()
            seen = await running_crowd
            assert (seen.inside, seen.heard) == (2, ())
        await ada.meets()


async def test_a_removed_participant_is_counted_with_the_reason(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", media=None) as (ada,):
        crowd = Crowd(replace(PLAN, link=ada.link, count=2, seconds=60.0))
        async with gathered(crowd) as running_crowd:
            await both_are_in(ada)
            leaf = next(member.leaf for member in ada.members if member.name == "Crowd 1")
            ada.send({"remove": leaf})
            await until(lambda: any(member.ended for member in crowd.members))
            crowd.stop()
            seen = await running_crowd
        assert (seen.joined, seen.inside, seen.ended) == (2, 1, (EndCount("removed", 1),))


async def test_joins_are_paced(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", media=None) as (ada,):
        crowd = Crowd(replace(PLAN, link=ada.link, rate=0.01))
        async with gathered(crowd):
            await ada.meets("Crowd 1")
            assert len(crowd.members) == 1


async def test_few_wait_for_the_host_at_a_time(snug_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "_KNOCKING_MAX", 2)
    async with Participant.host(snug_server.url, name="Ada", admit="ask", media=None) as ada:
        crowd = Crowd(replace(PLAN, link=ada.link))
        async with gathered(crowd):
            await ada.event("knock", name="Crowd 2")
            await asyncio.sleep(3 / PLAN.rate)
            assert [member.name for member in crowd.members] == ["Crowd 1", "Crowd 2"]
            await ada.admit("Crowd 1")
            await ada.event("knock", name="Crowd 3")


async def test_who_is_not_admitted_gives_up(snug_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "_JOIN_TIME", 0.5)
    async with Participant.host(snug_server.url, name="Ada", admit="ask", media=None) as ada:
        seen = await Crowd(replace(PLAN, link=ada.link, count=2)).run()
    assert (seen.joined, seen.inside, seen.join_seconds) == (0, 0, None)
    assert seen.ended == (EndCount("left", 2),)


async def test_a_crowd_goes_to_no_server_that_its_link_does_not_name(snug_server: Server) -> None:
    async with Server() as other, snug_server.meeting("Ada", media=None) as (ada,):
        crowd = Crowd(replace(PLAN, link=ada.link, count=1, seconds=60.0))
        async with gathered(crowd) as running_crowd:
            await ada.meets("Crowd 1")
            ada.send({"servers": [other.url]})
            await ada.event("policy", kind="servers")
            ada.send({"move": other.url})
            await until(lambda: crowd.members[0].ended is not None)
            assert crowd.members[0].connection._room_url == snug_server.url
            crowd.stop()
            seen = await running_crowd
        assert seen.ended == (EndCount("elsewhere", 1),)


# -- the command ---------------------------------------------------------------------------------


def test_ctrl_c_ends_a_crowd_with_its_summary_and_nobody_stays() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Ada", "--no-media", "--json") as ada,
    ):
        link = ada.wait("invite")["link"]
        with running("crowd", "-", "2", "--seconds", "10m", "--rate", "20", "--json") as crowd:
            crowd.send(link)
            for name in ("Crowd 1", "Crowd 2"):  # it is inside, and not only admitted
                ada.wait("state", lambda e, name=name: e["name"] == name)  # type: ignore[misc]
            since = len(ada.lines)
            crowd.signal(signal.SIGINT)
            assert crowd.status() == 130
            (line,) = crowd.lines
            seen = json.loads(line)
            assert (seen["event"], seen["joined"], seen["inside"], seen["ended"]) == ("crowd", 2, 2, [])
            assert crowd.errors == []
            ada.wait("roster", lambda e: names(e) == ["Ada"], since)


def test_a_server_that_is_not_there_is_status_3() -> None:
    with server() as (_, url), running("host", "--server", url, "--no-media", "--json") as ada:
        link = ada.wait("invite")["link"]
    done = run("crowd", link, "1", "--seconds", "0")
    assert done.returncode == 3
    assert "0 of 1 participants are in" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nowhere", "3"), "https://meet.example"),
        (("nowhere", "0"), "1 to 200"),
        (("nowhere", "201"), "1 to 200"),
        (("nowhere", "3", "--rate", "21"), "--rate"),
        (("nowhere", "3", "--rate", "nan"), "--rate"),
        (("nowhere", "3", "--seconds", "2h"), "--seconds"),
        (("nowhere", "some"), "some"),
    ],
    ids=["link", "nobody", "too many", "too fast", "no number", "too long", "word"],
)
def test_wrong_arguments_connect_to_nothing(arguments: tuple[str, ...], text: str) -> None:
    done = run("crowd", *arguments, "--json")
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    event = json.loads(line)
    assert (event["event"], event["status"]) == ("error", 2)
    assert text in event["text"]
