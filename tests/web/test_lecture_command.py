"""`snug demo --lecture` without a browser: the command, its prompts, and the processes that play scenes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from snugroom.client.session.catalogue.sentence import table
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.demo import lecture
from snugroom.lab.demo.theatre import outcome, play, question
from snugroom.server import page as pages
from tests.patience import PATIENCE
from tests.web.children import alive, appear, children

ROOT = Path(__file__).parents[2]


async def test_a_scene_that_is_left_is_gone() -> None:
    async with play("kicked") as lines:
        waiting = asyncio.ensure_future(anext(lines))
        (player,) = await appear(os.getpid(), "lab", 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert not children(os.getpid(), "lab")
    assert not alive(player)


def test_every_scene_has_a_question_and_an_outcome() -> None:
    wanted = {f"{part}.{scene.id}" for scene in SCENES for part in ("ask", "outcome")}
    assert set(table("scenes")) == wanted
    for scene in SCENES:
        assert len(set(outcome(scene.id).values())) == 4


def test_questions_do_not_give_the_answer_away() -> None:
    for scene in SCENES:
        asked = question(scene)["en"]
        assert 20 < len(asked) < len(scene.prediction) + 40, scene.id
        assert asked.endswith(".")
        for word in ("impossible", "is told", "are told", "void", "nothing hinders", "detected"):
            assert word not in asked, (scene.id, asked)
        for word in ("erfahren", "erfährt", "ungültig"):
            assert word not in question(scene)["de"], (scene.id, asked)
    assert len({question(scene)["en"] for scene in SCENES}) == len(SCENES)


async def test_the_command_prints_both_addresses_and_ends_when_told(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "snugroom.command", "demo", "--lecture", "--no-open",
        "--pcap", str(tmp_path / "lecture.pcap"), "--lan", "127.0.0.1", "--lang", "en",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            projector = (await process.stdout.readline()).decode()
            member = (await process.stdout.readline()).decode()
            window = (await process.stdout.readline()).decode()
            following = (await process.stdout.readline()).decode()
            link = (await process.stdout.readline()).decode()
        assert re.fullmatch(r"The projector: http://127\.0\.0\.1:\d+/#[\w-]{22}\n", projector)
        assert re.fullmatch(
            r"A member's page: http://[a-z2-7]{26}\.localhost:\d+/\?lecture=[\w-]{22}#once-[\w-]{22}\n",
            member,
        )
        assert re.fullmatch(r"The landlord's window: http://127\.0\.0\.1:\d+/#[\w-]{22}\n", window)
        assert re.fullmatch(
            r"The window of the next server, for later: http://127\.0\.0\.1:\d+/#[\w-]{22}\n", following
        )
        assert re.fullmatch(r"The room's link: http://127\.0\.0\.1:\d+/#2[\w-]{60,}\n", link)
        phones = (await process.stdout.readline()).decode()
        assert re.fullmatch(r"For phones: http://127\.0\.0\.1:\d+/[a-z2-9]{6}/\n", phones)
        servers = children(process.pid, "snugroom.lab.hostile")
        assert len(servers) == 2
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            rest = (await process.stdout.read()).decode()
            assert await process.wait() == 0
        assert "The servers record." in rest
        assert f"For Wireshark: {tmp_path / 'lecture.pcap'}\n" in rest
        assert (tmp_path / "lecture.pcap").read_bytes()[:4] == bytes.fromhex("d4c3b2a1")
        assert not any(map(alive, servers))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_without_the_pages_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages.load, "__defaults__", (tmp_path,))
    assert await lecture.run(lecture.Options(open_browser=False)) == 1
    assert "the page has not been built: run `make page`" in capsys.readouterr().err
