"""The search that is made in two servers, an ordinary meeting of processes, and who can import it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp import web
from aiortc import RTCPeerConnection
from numpy.typing import NDArray
from rich.console import Console

import snugroom.lab.demo.contrast
import snugroom.lab.demo.meeting
from snugroom.client.media.codec import HEIGHT, WIDTH, RawFrame, Vp8Decoder, Vp8Encoder
from snugroom.client.media.record import Recorder, Taken
from snugroom.client.media.sources import TestCard, pitch_of_identity, planes
from snugroom.client.session.catalogue.sentence import LANGUAGES
from snugroom.lab.demo.both import result
from snugroom.lab.demo.contrast import hold, together
from snugroom.lab.demo.meeting import Meeting, until
from snugroom.lab.demo.memory import Copy, copy_all
from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.demo.proof import FRAMES_MAX, frames_in
from snugroom.lab.demo.show import HumanShow, JsonShow
from snugroom.lab.demo.traces import (
    ROWS,
    Contrast,
    Person,
    Traces,
    failures,
    look,
    rows_of,
    seconds_of,
)
from snugroom.lab.ordinary.member import Member
from snugroom.lab.ordinary.server import Member as Kept
from snugroom.lab.ordinary.server import Server
from tests.demo.test_demo import finished, start
from tests.media_client.recordings import counter_in
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
SIZE = (320, 180)
NAMES = ("Ada Brandt", "Bo Ekman")
LINES = ("Shall we start with the soup?", "Leek soup it is, then dumplings.")


def decoded(name: str, identity: int, count: int = 3, size: tuple[int, int] = SIZE) -> list[RawFrame]:
    """Frames of a test card as a receiver has them."""
    card, encoder, decoder = (
        TestCard(name, identity, width=size[0], height=size[1]),
        Vp8Encoder(*size),
        Vp8Decoder(),
    )
    frames = []
    for index in range(count):
        encoded = encoder.encode(card.video(index / 15), index * 6_000)
        assert encoded is not None
        frame = decoder.decode(encoded)
        assert frame is not None
        frames.append(frame)
    return frames


def beeps(identity: int, blocks: int = 60) -> NDArray[np.int16]:
    card = TestCard("Ada", identity, width=320, height=180)
    return np.concatenate([card.audio(index) for index in range(blocks)])


def noise(size: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def luma(frame: RawFrame, stride: int = 0) -> bytes:
    """The brightness of a frame as a decoder keeps it, with bytes between rows."""
    return b"".join(row.tobytes() + bytes(stride) for row in planes(frame)[0])


ADA, BO = (
    Person(name, line, decoded(name.split()[0], identity), pitch_of_identity(identity))
    for identity, (name, line) in enumerate(zip(NAMES, LINES, strict=True))
)


def test_everything_of_one_and_nothing_of_the_other_is_found() -> None:
    memory = [
        noise(5_000) + b"Ada Brandt" + noise(100),
        noise(777) + LINES[0].encode().hex().encode(),
        noise(4_321) + luma(ADA.frames[1], stride=32) + noise(9),
        noise(1_001) + beeps(0).tobytes(),
    ]
    found = look(memory, b"nothing", 1_000, [ADA, BO])
    only = frozenset({"Ada Brandt"})
    assert (found.names, found.chat, found.frames, found.audio) == (only, only, only, only)
    assert found.rows >= ROWS
    assert found.searched == 1_007
    assert found.sought == 3
    assert not found.nothing


def test_nothing_is_found_in_noise_and_in_plain_data() -> None:
    flat = [bytes([value]) * 100_000 for value in (60, 130, 235)]
    ramp = np.arange(200_000, dtype=np.int16).tobytes()
    found = look([noise(3_000_000), ramp, *flat], b"", 0, [ADA, BO])
    assert found.nothing


def test_the_log_counts_as_memory() -> None:
    assert look([noise(100)], b"Bo Ekman came in", 0, [ADA, BO]).names == {"Bo Ekman"}


def test_a_frame_with_one_row_missing_is_no_frame_and_still_a_trace() -> None:
    rows = rows_of(ADA.frames[0])
    assert len(rows) >= ROWS
    person = Person(ADA.name, ADA.said, ADA.frames[:1], ADA.pitch)
    whole = luma(ADA.frames[0])
    assert look([whole], b"", 0, [person]).frames == {ADA.name}
    gap = sorted(rows)[0]
    found = look([whole.replace(gap, noise(len(gap)))], b"", 0, [person])
    assert found.frames == frozenset()
    assert 0 < found.rows < len(rows)
    assert not found.nothing


def test_a_frame_is_of_one_person() -> None:
    """The clock and the counter look the same on every card: only rows with the name differ."""
    twin = Person("Ada Ekman", LINES[1], ADA.frames, BO.pitch)
    assert look([luma(ADA.frames[0])], b"", 0, [ADA, twin]).frames == frozenset()
    assert look([luma(ADA.frames[0])], b"", 0, [ADA, BO]).frames == {ADA.name}


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2)], ids=str)
def test_frames_of_robots_have_enough_rows_of_their_own(size: tuple[int, int]) -> None:
    """In both sizes that demos have: otherwise nothing would be sought, and so nothing found."""
    people = [
        Person(name, line, decoded(name.split()[0], identity, 20, size), 400.0)
        for identity, (name, line) in enumerate(zip(NAMES, LINES, strict=True))
    ]
    found = look([luma(people[0].frames[-1])], b"", 0, people)
    assert found.sought >= 18
    assert found.frames == {people[0].name}


def test_a_flat_frame_proves_nothing() -> None:
    assert rows_of(np.full((270, 320), 90, np.uint8)) == frozenset()


@pytest.mark.parametrize(
    ("samples", "heard"),
    [
        (beeps(1), True),
        (np.repeat(beeps(1), 2), True),
        (beeps(2), False),
        (beeps(1, 20), False),
        ((beeps(1) // 5_000).astype(np.int16), False),
        ((beeps(1) + 12_000 * np.sin(np.arange(57_600) * 0.11)).astype(np.int16), False),
    ],
    ids=["mono", "stereo", "another pitch", "less than a second", "too quiet", "half something else"],
)
@pytest.mark.parametrize("before", [0, 1_001], ids=["even", "odd"])
def test_a_second_of_sound_has_its_pitch(samples: NDArray[np.int16], heard: bool, before: int) -> None:
    found = seconds_of([noise(before) + samples.tobytes()], {"Bo": pitch_of_identity(1)})
    assert found == ({"Bo"} if heard else set())


EVERYBODY = frozenset(NAMES)
NOTHING = Traces(2_000_000, frozenset(), frozenset(), frozenset(), 0, frozenset(), 30)
EVERYTHING = Traces(3_000_000, EVERYBODY, EVERYBODY, EVERYBODY, 99, EVERYBODY, 30)


def test_the_verdict_wants_nothing_in_one_and_everything_in_the_other() -> None:
    assert failures(Contrast(NAMES, NOTHING, EVERYTHING)) == []
    one_row = Traces(1, frozenset(), frozenset(), frozenset(), 1, frozenset(), 30)
    for snug in (EVERYTHING, one_row):
        told = failures(Contrast(NAMES, snug, EVERYTHING))
        assert [each.key for each in told] == ["terminal.contrast_snug_has"]
    blind = replace(NOTHING, sought=0)
    told = failures(Contrast(NAMES, blind, EVERYTHING))
    assert [each.key for each in told] == ["terminal.contrast_nothing_sought"]
    wanting = failures(Contrast(NAMES, NOTHING, NOTHING))
    assert [each.key for each in wanting] == ["terminal.contrast_proves_nothing"] * 4
    assert len(set(wanting)) == 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_servers_are_shown_side_by_side(language: str) -> None:
    out = io.StringIO()
    show = HumanShow(Console(file=out, width=120))
    show.contrast(Contrast(NAMES, NOTHING, EVERYTHING), language)  # type: ignore[arg-type]
    lines = out.getvalue().splitlines()
    told = {"en": "not found", "de": "nicht gefunden", "zh-Hans": "没有找到", "zh-Hant": "沒有找到"}[language]
    rows = [line for line in lines if told in line]
    assert len(rows) == 4
    assert all(line.index(told) < line.index("2", line.index(told)) for line in rows)


def test_a_memory_that_was_not_read_is_not_told_as_clean() -> None:
    out = io.StringIO()
    HumanShow(Console(file=out, width=120)).contrast(Contrast(NAMES, None, EVERYTHING), "en")
    assert "not searched" in out.getvalue()
    assert "not found" not in out.getvalue()
    out = io.StringIO()
    show = HumanShow(Console(file=out, width=120))
    show.contrast(Contrast(NAMES, replace(NOTHING, sought=0), EVERYTHING), "en")
    assert (out.getvalue().count("not searched"), out.getvalue().count("not found")) == (1, 3)
    lines = io.StringIO()
    JsonShow(lines).contrast(Contrast(NAMES, None, EVERYTHING), "en")
    told = json.loads(lines.getvalue())
    assert (told["snug"], told["ordinary"]["names"]) == (None, sorted(NAMES))


async def test_an_ordinary_server_keeps_the_last_ten_seconds_of_sound() -> None:
    kept = Kept("Ada", web.WebSocketResponse(), RTCPeerConnection())
    for number in range(1, 731):
        frame = av.AudioFrame.from_ndarray(np.full((1, 2 * 960), number, np.int16), "s16", "stereo")
        kept.keep(frame)
    assert sorted(set(kept.sound.tolist())) == list(range(231, 731))
    # whoever looks for a second of it finds each in one piece
    assert kept.sound[: 230 * 960 : 960].tolist() == list(range(501, 731))
    assert kept.sound[230 * 960 :: 960].tolist() == list(range(231, 501))


async def test_an_ordinary_server_decodes_and_keeps_what_it_forwards() -> None:
    """In this process, and the search looks through the server's objects instead of all memory."""
    server = Server()
    members = [Member(name, identity, SIZE) for identity, name in enumerate(NAMES)]
    try:
        url = await server.start()
        for member in members:
            await member.join(url, 1)
        for member, line in zip(members, LINES, strict=True):
            await member.say(line)
        await until(lambda: together(members), PATIENCE)
        pitches = {each.name: pitch_of_identity(each.identity) for each in members}
        await until(
            lambda: seconds_of([each.sound.tobytes() for each in server.members], pitches) == set(NAMES),
            PATIENCE,
        )
        kept = [each for each in server.members if each.frame is not None]
        regions = [
            luma(each.frame.to_ndarray().astype(np.uint8, copy=False))
            for each in kept
            if each.frame is not None
        ]
        regions += [each.sound.tobytes() for each in kept]
        regions.append(repr([(each.name, server.chat) for each in kept]).encode())
        people = [
            Person(each.name, line, each.frames(), pitch_of_identity(each.identity))
            for each, line in zip(members, LINES, strict=True)
        ]
    finally:
        await asyncio.gather(*(member.close() for member in members))
        await server.close()
    assert failures(Contrast(NAMES, None, look(regions, b"", 0, people))) == []


def test_frames_of_a_recording_end_where_the_memory_was_copied(tmp_path: Path) -> None:
    """Otherwise a long wait for visitors would let the search look for frames that came later."""
    recorder = Recorder(tmp_path, zero=100.0)
    card, encoder = TestCard("Ada", 0, width=320, height=180), Vp8Encoder(*SIZE)
    for index in range(90):
        at = 101.0 + index / 15
        frame = encoder.encode(card.video(index / 15), index * 6_000)
        assert frame is not None
        taken = Taken(7, "video", frame, index * 6_000, at)
        recorder.write(0, "Ada", frozenset({"video"}), taken)
    recorder.close()
    (file,) = tmp_path.glob("*.webm")
    assert len(frames_in(file, 1_000.0)) == FRAMES_MAX
    early = frames_in(file, 3.0)
    assert 25 <= len(early) <= 35
    counters = [counter_in(frame) for frame in early]
    assert counters == list(range(len(early)))


async def test_an_ordinary_server_holds_everything_of_its_meeting(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_copy(pids: Iterable[int]) -> Copy:
        memory = copy_all(pids)
        time.sleep(5)  # members keep four seconds of frames otherwise
        return memory

    monkeypatch.setattr(snugroom.lab.demo.contrast, "copy_all", slow_copy)
    traces, trouble = await hold(NAMES, LINES, SIZE, 3.0)
    assert trouble == ()
    assert traces is not None
    assert failures(Contrast(NAMES, None, traces)) == []


async def test_the_search_for_snugs_meeting_finds_it_where_members_decode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The check of what is sought in Snug's server: the process of the robots has all of it but old sound."""

    def slow_copy(_: Iterable[int]) -> Copy:
        time.sleep(2)  # the copy of a large process: pictures go on meanwhile
        return copy_all([os.getpid()])

    monkeypatch.setattr(snugroom.lab.demo.meeting, "copy_all", slow_copy)
    meeting = Meeting(NAMES, 4.0, tmp_path, JsonShow(io.StringIO()))
    await meeting.run()
    found = await asyncio.to_thread(meeting.traces)
    assert found is not None
    assert found.names == found.chat == found.frames == set(NAMES)
    assert 10 < found.sought <= FRAMES_MAX  # a busy machine makes fewer in four seconds


async def test_the_demo_makes_the_same_search_in_both() -> None:
    process = await start("demo", "--ordinary", "--participants", "2", "--seconds", "4", "--json")
    status, out, err = await finished(process, PATIENCE * 2)
    told = {line["event"]: line for line in map(json.loads, out.splitlines())}
    assert (status, err, told["demo"]["failures"]) == (0, "", [])
    snug, ordinary = told["contrast"]["snug"], told["contrast"]["ordinary"]
    assert snug["searched_bytes"] > 10_000_000
    assert snug["frames_sought"] > 10
    assert (snug["names"], snug["chat"], snug["frames"], snug["rows"], snug["audio"]) == ([], [], [], 0, [])
    names = sorted(told["demo"]["participants"])
    assert ordinary["names"] == ordinary["chat"] == ordinary["frames"] == ordinary["audio"] == names


def test_neither_the_server_nor_a_participant_loads_it() -> None:
    code = (
        "import sys, snugroom, snugroom.server.__main__, snugroom.command\n"
        "import snugroom.lab.demo\n"
        "snugroom.Participant\n"
        "loaded = {name for name in sys.modules if 'aiortc' in name or 'tools.ordinary' in name}\n"
        "sys.exit(f'loaded: {sorted(loaded)}' if loaded else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_projector_shows_how_many_were_found() -> None:
    lines = io.StringIO()
    print('{"event": "step", "text": "x"}\nno JSON', file=lines)
    JsonShow(lines).contrast(Contrast(NAMES, None, EVERYTHING), "en")
    shown = result(lines.getvalue().encode(), 2)
    assert shown["all"] == 2
    assert [row["what"] for row in shown["rows"]] == ["names", "chat", "frames", "audio"]
    assert {(row["snug"], row["ordinary"]) for row in shown["rows"]} == {(None, 2)}
    lines = io.StringIO()
    JsonShow(lines).contrast(Contrast(NAMES, replace(NOTHING, sought=0), EVERYTHING), "en")
    rows = {row["what"]: row["snug"] for row in result(lines.getvalue().encode(), 2)["rows"]}
    assert rows == {"names": 0, "chat": 0, "frames": None, "audio": 0}, "no frame was sought"
    lines = io.StringIO()
    JsonShow(lines).contrast(Contrast(NAMES, replace(NOTHING, rows=3), EVERYTHING), "en")
    rows = {row["what"]: row["snug"] for row in result(lines.getvalue().encode(), 2)["rows"]}
    assert rows == {"names": 0, "chat": 0, "frames": 1, "audio": 0}, "a part of a frame leaked"
    with pytest.raises(RefusedError, match="late"):
        result(b'{"event": "step", "text": "x"}\n', 2)
