"""Acts against membership over time: a server that refuses, swallows and holds what nobody can prove."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from snugroom.wire.messages import Committed, Post, Posted, Refused, Relay, Relayed, Shown, Stale
from tests.hostile.stage import Stage, playing
from tests.server.people import blob, commit, show


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with playing() as stage:
        yield stage


async def test_a_refusal_that_nobody_asked_for(stage: Stage) -> None:
    ada, bob, cem = await stage.members(3)
    stage.begin("refuse", victims=[2])
    got = await bob.until(Refused)
    assert (got.code, got.about, got.fatal) == ("gone", "catch_up", False)
    stage.end("refuse")
    stage.begin("refuse")
    for guest in (ada, bob, cem):
        assert (await guest.until(Refused)).about == "catch_up"
    assert stage.did("refuse")[0] == "refused what nobody asked for"


async def test_commits_that_are_swallowed_or_answered_as_late(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("swallow", sender=1, most=1)
    await ada.say(commit(1, "swallowed"))
    await ada.say(Relay(blob("still here")))
    assert (await ada.until(Relayed)).blob == blob("still here")
    stage.end("swallow")
    stage.begin("swallow", sender=1, how="stale")
    await ada.say(commit(1, "too late, says the server"))
    got = await ada.until(Stale)
    assert (got.asked, got.slot) == (1, 0)
    await bob.say(commit(1, "of another"))
    assert (await ada.until(Committed)).blob == commit(1, "of another").blob, "nobody else's is swallowed"


async def test_a_pass_that_is_swallowed_once(stage: Stage) -> None:
    ada = await stage.member()
    await ada.say(commit(1, "next"))
    await ada.until(Committed)
    stage.begin("swallow", what="passes", most=1)
    await ada.say(show(1))
    await ada.say(show(1))
    assert (await ada.until(Shown)).slot == 1
    assert stage.did("swallow") == ["swallowed one of the passes"]


async def test_posts_that_are_held_come_when_the_act_ends(stage: Stage) -> None:
    host, guest = await stage.guest(), await stage.guest()
    await host.enter_lobby()
    await guest.enter_lobby()
    stage.begin("alter_lobby", how="hold", sender=2, smallest=1024, most=1)
    for text in ("a knock", "the knock again"):
        await guest.say(Post(None, blob(text, 1024)))
    assert (await host.until(Posted)).blob == blob("the knock again", 1024)
    stage.end("alter_lobby")
    assert (await host.until(Posted)).blob == blob("a knock", 1024)
