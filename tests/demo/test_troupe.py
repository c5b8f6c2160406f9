"""The lecture without a browser: acts of its server against the running meeting, and who comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from snugroom.client.session.incidents import SEVERITIES
from snugroom.lab.attacks.operator import OperatorError
from snugroom.lab.demo.acts import ACTS, LATER, LectureServer
from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.demo.troupe import NAMES, Troupe
from tests.patience import PATIENCE
from tests.web.visitor import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
#: Acts that end a meeting, tear it apart, or cannot be undone in it.
NEVER = ("end", "kick", "shut_out", "refuse", "partition", "withhold", "commit_flood", "open_doors", "record")


@asynccontextmanager
async def gathered() -> AsyncIterator[Troupe]:
    """The robots of a lecture, in their room, and its servers."""
    async with LectureServer() as server, LectureServer() as following:
        made = Troupe(server, following)
        try:
            await made.gather()
            yield made
        finally:
            await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def troupe() -> AsyncIterator[Troupe]:
    async with gathered() as made:
        yield made


async def eventually(troupe: Troupe, seen: Any, seconds: float = 3 * PATIENCE) -> Any:
    """The value of `seen(view)`, once it is true."""
    async with asyncio.timeout(seconds):
        while not (value := seen(troupe.view())):  # noqa: ASYNC110 - robots are told by their sessions
            await asyncio.sleep(0.1)
    return value


async def over(troupe: Troupe) -> None:
    """The server has ended the act."""
    await eventually(troupe, lambda view: view["act"] is not None and view["act"]["left"] <= 0)
    async with asyncio.timeout(PATIENCE):
        while troupe._playing:  # noqa: ASYNC110 - it is told over a pipe
            await asyncio.sleep(0.05)


async def goes_on(troupe: Troupe, words: str) -> None:
    """The host's messages reach everybody, and everybody still hears and sees everybody."""
    robots = [each.robot for each in troupe._onlookers.values()]
    before = {(a.name, b.name, kind): b.stream(a.name, kind).opened for a, b, kind in _pairs(robots)}
    troupe._say(words)
    await eventually(
        troupe,
        lambda _: (
            all((NAMES[0], words) in each.heard for each in robots[1:])
            and all(b.stream(a.name, k).opened > before[a.name, b.name, k] + 3 for a, b, k in _pairs(robots))
        ),
    )


async def at_rest(troupe: Troupe) -> None:
    """Dismiss all lines, until nobody is told anything more of what is over: tests run in any order."""
    async with asyncio.timeout(PATIENCE):
        while troupe.view()["incidents"]:
            troupe.dismiss()
            await asyncio.sleep(2)


def _pairs(robots: Any) -> Any:
    return [(a, b, kind) for a in robots for b in robots if a is not b for kind in ("audio", "video")]


def _worst(incidents: Any) -> str | None:
    return max((each["severity"] for each in incidents), key=SEVERITIES.index, default=None)


def _told_first(text: Any) -> Any:
    """Return the sentence that a counted one repeats: two tests forge, in any order."""
    return text["args"]["alarm"] if text["key"] == "room.repeated" else text


@pytest.mark.parametrize("name", list(ACTS))
async def test_an_act_is_told_with_its_severity_and_ends(troupe: Troupe, name: str) -> None:
    """In the meeting in which everybody is. Within the time that the projector shows."""
    act = ACTS[name]
    await at_rest(troupe)
    await troupe.act(name)
    with pytest.raises(RefusedError, match="busy"):
        await troupe.act(name)
    if act.severity is None:
        await over(troupe)
        # seconds later nobody has been told either
        await eventually(troupe, lambda view: view["act"]["told"] < LATER / 2)
        assert troupe.view()["incidents"] == []
    else:
        # One member's word is no proof against the server: the victim hears of a second one's later, and the
        # others hear of the victim's alone.
        told = await eventually(
            troupe, lambda view: act.severity == _worst(view["incidents"]) and view["incidents"]
        )
        assert all(_told_first(each["text"])["key"].startswith("alarm.") for each in told), told
        lesser = {each["kind"] for each in told if each["severity"] != act.severity}
        # the victim may also be told, calmly, that words went by
        assert lesser <= {"reordered", "missed"}, "no other line has two severities"
        await over(troupe)
        assert _worst(troupe.view()["incidents"]) in (act.severity, None)
    report = troupe.view()["act"]
    assert report["act"] == name
    await goes_on(troupe, f"Is everybody there after {name}?")
    if act.severity == "attention":  # its cause is over: the line goes by itself
        await eventually(troupe, lambda view: view["incidents"] == [])
    await at_rest(troupe)
    assert {each.name for each in troupe._host.members} == set(NAMES)  # they came in any order


async def test_the_server_refuses_every_other_act(troupe: Troupe) -> None:
    for name in NEVER:
        assert name not in ACTS
        with pytest.raises(RefusedError, match="unknown"):
            await troupe.act(name)
        with pytest.raises(OperatorError, match="has to be named at the start"):
            await troupe.server.begin_for(5.0, name, {})
    played = {act.name for act in ACTS.values()}
    assert played.isdisjoint(NEVER)
    with pytest.raises(OperatorError):
        await troupe.server.number_of(bytes(8))


async def test_somebody_comes_and_is_removed(troupe: Troupe) -> None:
    await troupe.let_in("Dana")
    view = troupe.view()
    assert view["guests"] == ["Dana"]
    people = [each["name"] for each in view["member"]["people"]]
    assert people[-1] == "Dana"
    assert sorted(people) == [*NAMES, "Dana"], "the first ones came in any order"
    tree = view["member"]["tree"]
    assert tree[-1]["what"] == {"key": "tree.added", "args": {"names": ["Dana"]}}
    assert sorted(node["name"] for node in tree[-1]["nodes"] if node and node["name"]) == [*NAMES, "Dana"]
    assert tree[-1]["nodes"][3]["held"], "the root is the host's too"
    for name, why in (
        ("Dana", "taken"),
        ("DANA", "taken"),
        ("a:b", "name"),
        ("", "name"),
        ("x" * 65, "name"),
    ):
        with pytest.raises(RefusedError, match=why):
            await troupe.let_in(name)
    links: list[str] = []
    troupe.on_link = links.append
    old = troupe._host.invite
    await troupe.remove()
    assert links[-1:] == [troupe._host.invite] != [old]
    view = troupe.view()
    assert view["guests"] == []
    assert view["member"]["tree"][-1]["what"]["key"] == "tree.removed"
    root = [each["nodes"][3]["key"] for each in view["member"]["tree"][-2:]]
    assert root[0] != root[1], "every key that Dana held is new, or gone"
    with pytest.raises(RefusedError, match="nobody"):
        await troupe.remove()


async def test_a_server_of_a_lecture_says_so_in_its_window(troupe: Troupe) -> None:
    url, _, token = troupe.window.partition("#")
    async with aiohttp.ClientSession(headers={"X-Snug-Token": token}) as http:

        async def hostile() -> dict[str, Any]:
            async with http.get(url + "now") as answer:
                told: dict[str, Any] = (await answer.json())["hostile"]
            return told

        async def numbered() -> bool:
            return sorted((await hostile())["numbers"].values()) == [1, 2, 3]

        assert (await hostile())["acts"] == sorted({act.name for act in ACTS.values()})
        # a member may have just lost its connection, by another test's act
        await until(numbered, "not all members have numbers")


async def test_the_meeting_moves_and_acts_go_on_there() -> None:
    async with gathered() as troupe:
        await troupe.kill()
        with pytest.raises(RefusedError, match="killed"):
            await troupe.kill()
        assert troupe.view()["killed"]
        assert troupe.server is troupe._servers[1]
        await goes_on(troupe, "Is everybody there, at the next server?")
        await eventually(troupe, lambda view: view["incidents"] == [])
        await troupe.act("forge")
        told = await eventually(troupe, lambda view: view["incidents"])
        assert {each["severity"] for each in told} == {"attack"}
        await over(troupe)
        await goes_on(troupe, "And after that?")


async def test_a_lecture_that_ends_during_an_act_leaves_nothing_running() -> None:
    async with gathered() as troupe:
        await troupe.act("replay")
        assert [task for task in asyncio.all_tasks() if "._talk" in repr(task)]
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if "._talk" in repr(task)]


async def test_an_act_waits_for_its_victim_which_may_just_be_connecting_again(
    troupe: Troupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    if troupe.view()["act"] is not None:
        await over(troupe)
    number_of, asked = LectureServer.number_of, 0

    async def at_the_third_time(server: LectureServer, handle: bytes) -> int:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise OperatorError("The server does not know that member.")
        return await number_of(server, handle)

    monkeypatch.setattr(LectureServer, "number_of", at_the_third_time)
    await troupe.act("forge")
    assert asked == 3
    await over(troupe)
    await eventually(troupe, lambda view: view["incidents"])
