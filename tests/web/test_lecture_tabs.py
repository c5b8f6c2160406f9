"""Students of a lecture close a tab, or their browser dies: no member's screen turns red (decision 0062)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from playwright.async_api import Error, Page

from snugroom.client.session import events as ev
from snugroom.client.session.monitor.silence import GONE
from snugroom.lab.demo.lecture import Lecture
from snugroom.lab.demo.robot import Robot
from snugroom.server import page as pages
from tests.patience import PATIENCE
from tests.web.browsers import Chromium, ChromiumTab, chromium
from tests.web.storybook import see

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Seconds until the host is told that somebody is gone, and as long again on a busy machine.
_GONE_TIME = 2 * GONE[0] + 2 * PATIENCE
#: Times that a tab is closed until one has said so, and seconds for each: less than silence takes to be told.
_CLOSINGS, _SAID = 5, 5.0


async def come_in(browser: Chromium, address: str, name: str | None) -> Page:
    """A page in the room. Without a name: it comes back by itself, as the one who has closed it."""
    tab = await browser.tab()
    assert isinstance(tab, ChromiumTab)
    await tab.goto(address)
    if name is not None:
        await tab.page.fill("input[autocomplete=name]", name)
        await tab.page.click("button[type=submit].primary")
    await tab.page.wait_for_selector(".room", timeout=120_000)
    return tab.page


def shown(lecture: Lecture) -> list[dict[str, Any]]:
    """The open lines of all robots; those of attacks stay until somebody dismisses them."""
    told: list[dict[str, Any]] = lecture.troupe.view()["incidents"]
    return told


async def nobody_sees_red(lecture: Lecture, screen: Page) -> None:
    assert [line for line in shown(lecture) if line["severity"] == "attack"] == []
    assert await screen.locator(".incident.attack").count() == 0


async def until_told(lecture: Lecture, kind: str, seconds: float = 3 * PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not any(line["kind"] == kind for line in shown(lecture)):  # noqa: ASYNC110 - told by a session
            await asyncio.sleep(0.2)


def states(lecture: Lecture) -> list[ev.StateTold]:
    """The states that members have told the host: the list grows from now on."""
    told: list[ev.StateTold] = []
    host = lecture.troupe._host
    before = host._on_event

    def note(robot: Robot, event: ev.Event) -> None:
        if isinstance(event, ev.StateTold):
            told.append(event)
        before(robot, event)

    host._on_event = note
    return told


async def until_said(told: list[ev.StateTold], name: str, away: bool, seconds: float = 3 * PATIENCE) -> None:
    """Wait until the last that this member has told is that it is away, or here."""
    async with asyncio.timeout(seconds):
        while [each.away for each in told if each.name == name][-1:] != [away]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def close(student: Page, told: list[ev.StateTold], lecture: Lecture, browser: Chromium) -> None:
    """Close the tab until it has said so. The page waits a second for that: too little on a busy machine."""
    for _ in range(_CLOSINGS):
        await student.close()
        with contextlib.suppress(TimeoutError):
            return await until_said(told, "Stu", away=True, seconds=_SAID)
        student = await come_in(browser, lecture.link, None)
        async with asyncio.timeout(PATIENCE):  # a member that has said nothing may have been told as silent
            while shown(lecture):  # noqa: ASYNC110 - told by a session
                await asyncio.sleep(0.2)
    pytest.fail(f"none of {_CLOSINGS} closed tabs has said that it is closed")


@pytest.mark.timeout(1200)  # two browsers beside a lecture
async def test_a_closed_tab_and_a_killed_one_turn_nothing_red() -> None:
    if not (pages.PROJECTOR / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    async with Lecture(0) as lecture, chromium() as theirs, chromium() as ours:
        told = states(lecture)
        screen = await come_in(ours, lecture.link, "Olive")
        student = await come_in(theirs, lecture.link, "Stu")
        await until_said(told, "Stu", away=False)  # before, a page can't say anything

        # a closed tab says that it is closed: the student is away, and can come back
        await close(student, told, lecture, theirs)
        await see(screen, "document.querySelector('.tile[data-away=true]') !== null")
        await nobody_sees_red(lecture, screen)
        assert shown(lecture) == []
        student = await come_in(theirs, lecture.link, None)
        await until_said(told, "Stu", away=False)
        assert shown(lecture) == []

        # the browser's process for a tab dies: nothing says so, and silence is a calm line
        with contextlib.suppress(Error):
            await student.goto("chrome://crash")
        await until_told(lecture, "silent")
        await nobody_sees_red(lecture, screen)
        await until_told(lecture, "gone", _GONE_TIME)
        await nobody_sees_red(lecture, screen)
        assert {line["severity"] for line in shown(lecture)} == {"calm"}
        # the meeting goes on for the others
        lecture.troupe._say("Is everybody else still there?")
        await see(screen, "document.querySelector('.room') !== null")
        assert await screen.locator(".incident.attack, .incident.attention").count() == 0
