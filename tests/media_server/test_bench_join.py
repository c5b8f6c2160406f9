"""`snug bench join` in occupied rooms: the parts of transport and of meeting."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from snugroom.client.connection import Connection
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.kernel.session import Admission
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.bench import arrive, join
from snugroom.lab.bench.crowd import CrowdProcess
from snugroom.lab.bench.flow import Audio, Video
from snugroom.lab.bench.light import LightError
from snugroom.lab.process import ServerProcess
from tests.patience import PATIENCE


async def test_rooms_of_several_sizes_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert await join.run(True, guests=2, rooms=(1, 3)) == 0
    measured = json.loads(capsys.readouterr().out)
    assert [room["members"] for room in measured["rooms"]] == [1, 3]
    assert measured["parts"] == measured["rooms"][0]["parts"]
    assert [room["members"] for room in measured["transport"]] == [1, 3]
    for room in measured["transport"]:
        assert list(room["parts"]) == [mark for mark, _ in arrive.PARTS]
        assert 0 < max(room["parts"].values()) <= room["most_ms"]
        assert room["newcomers"] == 4
        assert room["met"] == (room["ms"] < measured["goal"]["transport_ms"])
    assert measured["met"] == all(room["met"] for room in measured["transport"])
    join._show(measured)
    shown = capsys.readouterr().out
    assert "until dtls" in shown
    assert "the fastest guest" in shown


def test_the_parts_of_the_transport_are_medians() -> None:
    marks = [
        {"media": 1.0, "transport": 1.001, "stun": 1.003, "dtls": 1.006 + slow, "first": 1.010 + slow}
        for slow in (0.0, 0.001, 1.0)
    ]
    summed = arrive.summary(10, marks)
    assert summed["parts"] == {"transport": 1.0, "stun": 2.0, "dtls": 4.0, "first": 4.0}
    assert (summed["ms"], summed["most_ms"], summed["met"]) == (11.0, 1010.0, True)
    assert not arrive.summary(10, [mark | {"first": 2.0} for mark in marks])["met"]


async def test_a_newcomer_that_gets_nothing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrive, "_PATIENCE", 0.2)
    monkeypatch.setattr(Video, "due", lambda *_: [])
    monkeypatch.setattr(Audio, "due", lambda *_: [])
    with pytest.raises(LightError, match="no packet"):
        await arrive.measure((1,), 1)


@asynccontextmanager
async def hosted(admission: Admission) -> AsyncIterator[str]:
    """A meeting whose host lets in so; its link."""
    async with ServerProcess() as server:
        link: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def event(what: ev.Event) -> None:
            if isinstance(what, ev.InviteMade) and not link.done():
                link.set_result(what.link)

        host = Connection(
            Session.host(
                origin=canonical_origin(server.url), name="Host", admission=admission, now=time.time()
            ),
            make_engine=lambda *_: None,
            on_event=event,
        )
        hosting = asyncio.get_running_loop().create_task(host.run())
        try:
            async with asyncio.timeout(PATIENCE):
                yield await link
        finally:
            host.feed(ev.Leave())
            hosting.cancel()
            await asyncio.gather(hosting, return_exceptions=True)


@pytest.mark.parametrize(("admission", "inside", "seconds"), [("all", 3, 60.0), ("ask", 0, 3.0)])
async def test_a_crowd_says_how_many_of_it_are_in(admission: Admission, inside: int, seconds: float) -> None:
    async with hosted(admission) as link, CrowdProcess(link, 3, seconds, nice=0) as crowd:
        assert crowd.inside == inside
    assert crowd.ended == 0


async def test_a_crowd_waits_for_nobody_whose_meeting_has_ended() -> None:
    async with hosted("all") as link:
        pass
    async with asyncio.timeout(60), CrowdProcess(link, 2, 600.0, nice=0) as crowd:
        assert crowd.inside == 0


async def test_no_crowd_is_no_process() -> None:
    async with CrowdProcess("https://nowhere.example/#", 0, 1.0) as crowd:
        assert crowd.inside == 0
