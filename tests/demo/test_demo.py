"""`snug demo` and `snug bench join` as a person starts them, and demos with a planted fault."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import snugroom.lab.demo
import snugroom.lab.demo.meeting
import snugroom.lab.demo.robot
from snugroom.client.connection import SessionCrypto
from snugroom.client.media.sources import TestCard
from snugroom.client.session import events as ev
from snugroom.crypto.errors import AuthenticationError
from snugroom.crypto.media.keys import OpenedFrame
from snugroom.lab.bench import join
from snugroom.lab.bench.join import PARTS, Marks, summary
from snugroom.lab.demo.facts import Facts, verdict
from snugroom.lab.demo.meeting import Meeting
from snugroom.lab.demo.memory import Copy, copy_all
from snugroom.lab.demo.robot import Robot, Witness
from snugroom.wire.messages import MediaKind

ROOT = Path(__file__).parents[2]
EVERYBODY = "Everybody hears and sees everybody."


async def test_a_meeting_goes_on_when_its_server_is_killed_in_mid_sentence() -> None:
    process = await start("demo", "--json", "--participants", "3", "--seconds", "4", "--kill-server")
    status, out, err = await finished(process, 240)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, ""), lines[-1]["failures"]
    assert 0 < lines[-1]["moved_after"] < 60
    heard = [line for line in lines if line["event"] == "chat" and line["text"].endswith("a sen-")]
    assert {line["participant"] for line in heard} == {"Bo Ekman", "Cem Aydin"}
    steps = [line["text"] for line in lines if line["event"] == "step"]
    assert any("is killed" in step for step in steps)
    assert "Everybody hears and sees everybody again." in steps


async def start(*arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "snugroom.command",
        *arguments,
        cwd=ROOT,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finished(process: asyncio.subprocess.Process, seconds: float) -> tuple[int, str, str]:
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_three_meet_and_all_of_it_holds() -> None:
    process = await start("demo", "--participants", "3", "--seconds", "4", "--json")
    status, out, err = await finished(process, 210)
    lines: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    last = lines[-1]
    assert (status, err, last["failures"]) == (0, "", [])
    assert last["event"] == "demo"
    assert last["ok"] is True
    names = last["participants"]
    assert len(names) == len(set(names)) == 3

    pairs = {(p["from"], p["to"]): p for p in last["pairs"]}
    assert set(pairs) == {(a, b) for a in names for b in names if a != b}
    for pair in pairs.values():
        for kind in ("audio", "video"):
            assert pair[kind]["proved"]
            assert pair[kind]["failed"] == 0
            assert pair[kind]["opened"] >= pair[kind]["decoded"] > 0
    pitches = {p["from"]: round(p["audio"]["heard_hz"], -1) for p in pairs.values()}
    assert len(set(pitches.values())) == 3

    # the code in the last line is the one that each of them showed last
    shown = {line["participant"]: line["digits"] for line in lines if line["event"] == "code"}
    assert shown == dict.fromkeys(names, last["code"])
    for name in names:
        told = {line["from"] for line in lines if line["event"] == "chat" and line["participant"] == name}
        assert told == set(names) - {name}
        ends = [line["reason"] for line in lines if line["event"] == "end" and line["participant"] == name]
        assert ends == ["ended"]
    assert not [line for line in lines if line["event"] == "alarm"]

    assert last["server"]["rooms"][0]["connections"] == 3
    assert last["server"]["files_open_for_writing"] == 0
    assert last["server"]["media"]["forwarded"] > 0
    if last["search"] is None:
        assert last["search_refused"]
    else:
        assert last["searched_bytes"] > 10_000_000
        assert last["search"]["known_found"] == last["search"]["known"] == 3
        assert last["search"]["sought"]["name"] == 3
        # the media's own process was searched too: it keeps the last packets for retransmission
        assert last["search"]["sealed_found"] > 0
        assert last["search"]["sought"]["frame before sealing"] > 0
    (server,) = [line for line in lines if line["event"] == "server"]
    assert gone(server["pid"])


async def test_a_person_is_told_in_plain_lines_when_piped_and_a_visitor_is_not_removed() -> None:
    """The meeting goes on while a visitor is in it, and all that was to hold of the others does."""
    process = await start("demo", "--participants", "2", "--seconds", "5")
    lines = process.stdout
    assert lines is not None
    told = ""

    async def until(pattern: str) -> re.Match[str]:
        nonlocal told
        async with asyncio.timeout(90):
            while not (found := re.search(pattern, told)):
                line = await lines.readline()
                assert line, f"the demo ended without {pattern}: {told}"
                told += line.decode()
        return found

    link = await until(r"Come in yourself, with a browser: (http://127\.0\.0\.1:\d+/#2\S+)\n")
    guest = await start("join", link[1], "--name", "Zoe Visitor", "--json", stdin=asyncio.subprocess.PIPE)
    assert guest.stdin is not None
    await until("The meeting goes on")
    guest.stdin.write(b'{"leave": true}\n')
    status, out, _ = await finished(guest, 60)
    events = [json.loads(line) for line in out.splitlines()]
    alarms = [event for event in events if event["event"] == "alarm"]
    assert (status, events[-1]["reason"], alarms) == (0, "left", [])
    assert any(len(event.get("members", ())) == 3 for event in events if event["event"] == "roster")

    status, out, err = await finished(process, 120)
    told += out
    assert (status, err) == (0, "")
    assert "\x1b" not in told
    for sentence in ("Bo came in. Ada let them in.", "All of it held.", "Who heard and saw whom"):
        assert sentence in told
    # piped there is nobody who could come in: the address and its code are told, and nothing waits
    assert "\u2588\u2580\u2580\u2580\u2580\u2580\u2588" in told
    assert "press Enter" not in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_demo_leaves_nothing_behind(number: signal.Signals) -> None:
    process = await start("demo", "--participants", "2", "--seconds", "600", "--json")
    assert process.stdout is not None
    pid = 0
    try:
        async with asyncio.timeout(60):
            while (line := json.loads(await process.stdout.readline())).get("text") != EVERYBODY:
                if line["event"] == "server":
                    pid = line["pid"]
        assert not gone(pid)
    finally:
        process.send_signal(number)
    status, out, err = await finished(process, 90)
    assert (status, err) == (128 + number, "")
    assert "Interrupted" in out
    assert gone(pid)


async def test_the_join_bench_measures_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert await join.run(True, guests=3, rooms=(1,)) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["guests"] == 3
    assert [part["part"] for part in measured["parts"]] == [mark for mark, _ in PARTS]
    assert all(part["ms"] >= 0 for part in measured["parts"])
    assert measured["least_ms"] <= measured["knock_to_first_frame_ms"] <= measured["most_ms"]
    assert measured["knock_to_first_frame_ms"] <= min(
        measured["first_sound_ms"], measured["first_picture_ms"]
    )


def test_the_summary_of_a_join_is_made_of_medians() -> None:
    guests = []
    for slow in (0.0, 1.0, 30.0):
        times = iter(
            [10.0, 10.1, 10.2 + slow, 10.3 + slow, 10.4 + slow, 11.0 + slow, 11.0 + slow, 11.5 + slow]
        )
        marks = Marks(lambda times=times: next(times))  # type: ignore[misc] # mypy can't infer a default's type
        for name in ("knock", "committed", "joined", "entered", "transport", "first", "audio", "video"):
            assert not marks.complete
            marks.note(name)
        assert marks.complete
        guests.append(marks)
    measured = summary(guests)
    assert measured["knock_to_first_frame_ms"] == 2_000
    assert (measured["least_ms"], measured["most_ms"]) == (1_000, 31_000)
    assert (measured["first_sound_ms"], measured["first_picture_ms"]) == (2_000, 2_500)
    parts = {part["part"]: part for part in measured["parts"]}
    assert parts["joined"]["ms"] == pytest.approx(1_100)
    assert parts["joined"]["share"] == pytest.approx(0.55)
    assert parts["first"]["ms"] == pytest.approx(600)


# -- something is wrong --------------------------------------------------------------------------


class Quiet:
    """A show without spectators; `at_progress` is called once, in mid-meeting."""

    def __init__(self) -> None:
        self.pid = 0
        self.kill_the_server = False

    def server(self, url: str, pid: int) -> None:
        self.pid = pid

    def page(self, link: str) -> None: ...
    def event(self, robot: Robot, event: ev.Event) -> None: ...
    def said(self, robot: Robot, text: str) -> None: ...
    def step(self, text: str) -> None: ...
    def close(self) -> None: ...

    def progress(self, robots: list[Robot], done: float, seconds: float) -> None:
        if self.kill_the_server:
            self.kill_the_server = False
            os.kill(self.pid, signal.SIGKILL)


async def held(names: tuple[str, ...], directory: Path, show: Quiet | None = None) -> Facts:
    async with asyncio.timeout(60):
        return await Meeting(names, 3.0, directory, show or Quiet()).run()


class Deaf(Witness):
    """Refuses every frame of leaf 1."""

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> OpenedFrame:
        opened = super().open(ssrc, kind, data)
        if opened.leaf == 1:
            raise AuthenticationError("refused by the test")
        return opened


async def test_unopened_frames_and_a_wrong_test_card_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Witness] = []

    def witness(inner: SessionCrypto) -> Witness:
        made.append(Deaf(inner) if not made else Witness(inner))
        return made[-1]

    def card(name: str, leaf: int, *, width: int, height: int) -> TestCard:
        return TestCard(name, leaf + 5 if leaf == 0 else leaf, width=width, height=height)

    def slow_copy(pids: Iterable[int]) -> Copy:
        memory = copy_all(pids)
        time.sleep(1)  # a robot keeps eight frames otherwise
        return memory

    monkeypatch.setattr(snugroom.lab.demo.robot, "_KEPT", 8)
    monkeypatch.setattr(snugroom.lab.demo.meeting, "copy_all", slow_copy)
    monkeypatch.setattr(snugroom.lab.demo.robot, "Witness", witness)  # the host's is made first
    monkeypatch.setattr(snugroom.lab.demo.robot, "TestCard", card)
    monkeypatch.setattr(snugroom.lab.demo.meeting, "_MEDIA_TIME", 1.0)
    facts = await held(("Ada Brandt", "Bo Ekman"), tmp_path)
    failures = verdict(facts)
    refused = failures.pop()
    assert refused.endswith("frames that came to Ada Brandt did not authenticate.")
    assert failures == [
        "What Bo Ekman recorded of Ada Brandt does not have the pitch of Ada Brandt's test card.",
        "What Bo Ekman recorded of Ada Brandt does not have the colour of Ada Brandt's test card.",
        "Ada Brandt did not hear Bo Ekman.",
        "Ada Brandt did not see Bo Ekman.",
    ]
    assert facts.search is None or facts.search.sealed_found > 0  # None: memory is unreadable here


async def test_a_server_that_dies_is_told(tmp_path: Path) -> None:
    show = Quiet()
    show.kill_the_server = True
    failures = verdict(await held(("Ada Brandt", "Bo Ekman"), tmp_path, show))
    assert "The meeting ended before its time." in failures
    assert "The server did not stop as asked: exit status None." in failures
    assert gone(show.pid)


async def test_a_lie_about_the_code_makes_the_demo_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Robot._event

    def event(self: Robot, event: ev.Event) -> None:
        real(self, event)
        if isinstance(event, ev.Code) and self.name == "Bo Ekman":
            self.code = ev.Code(event.epoch, "7" * 40)

    monkeypatch.setattr(Robot, "_event", event)
    monkeypatch.setattr(snugroom.lab.demo.meeting, "_SETTLE_TIME", 0.5)
    assert await snugroom.lab.demo.run(2, 3.0, True) == 7
