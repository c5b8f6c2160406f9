"""The leakage lab finds a planted leak, and finds nothing in a client without one."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from snugroom.client.media.codec import FRAME_SAMPLES, SAMPLE_RATE, OpusEncoder, Sound
from snugroom.client.media.outgoing import Outgoing
from snugroom.lab.leakage import run
from snugroom.lab.leakage import seen as s
from snugroom.lab.leakage.guess import Guess, _fast_auc, auc, guess
from snugroom.lab.leakage.plan import SEGMENT, draw
from snugroom.lab.leakage.questions import QUESTIONS, Answer, Result, _lives, _windows, ask
from snugroom.lab.leakage.report import as_json, as_page, as_table, found
from snugroom.lab.leakage.speech import Microphone, speech
from snugroom.lab.leakage.worker import Held
from snugroom.wire.messages import Stream
from tests.patience import PATIENCE

BY_NAME = {question.name: question for question in QUESTIONS}


# -- the guessing ----------------------------------------------------------------------------------------


def test_the_auc_is_what_it_is() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.0, 0, 1, 1, 1])
    assert _fast_auc(truth, np.array([1.0, 2, 3, 4, 5])) == 1.0
    assert _fast_auc(truth, np.array([3.0, 3, 3, 3, 3])) == 0.5
    assert _fast_auc(truth, -truth) == 0.0
    for _ in range(20):
        many = (rng.random(80) < 0.4).astype(np.float64)
        scores = rng.integers(0, 9, 80).astype(np.float64)  # with ties
        assert _fast_auc(many, scores) == pytest.approx(auc(many, scores))


def test_the_guess_finds_an_effect_and_no_noise() -> None:
    rng = np.random.default_rng(8)  # a 95% interval misses the truth for one seed in twenty
    meetings = np.repeat(np.arange(12), 20)
    truth = (rng.random(240) < 0.5).astype(np.float64)
    noise = rng.normal(size=(240, 8))
    nothing = guess(noise, truth, meetings)
    assert nothing.low < 0.5 < nothing.high
    assert nothing.high - nothing.low < 0.3
    linear = guess(
        np.column_stack([noise, truth + rng.normal(size=240) / 2]).astype(np.float64), truth, meetings
    )
    assert linear.low > 0.8
    # what only a tree sees: neither high nor low, but in between
    between = np.where(truth == 1, rng.normal(size=240) * 0.2, rng.choice([-1.0, 1.0], 240))
    assert guess(np.column_stack([noise, between]), truth, meetings).low > 0.8


def test_knowing_the_meeting_again_does_not_help() -> None:
    rng = np.random.default_rng(5)
    # each meeting has one answer, and a mark of its own: who trained on it would always be right
    meetings = np.repeat(np.arange(12), 20)
    truth = np.repeat((np.arange(12) % 2).astype(np.float64), 20)
    marks = np.repeat(rng.normal(size=(12, 4)), 20, axis=0)
    assert guess(marks, truth, meetings).auc < 0.9


def test_too_little_is_said_to_be_too_little() -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError, match="too few"):
        guess(rng.normal(size=(8, 2)), np.ones(8), np.arange(8))
    with pytest.raises(ValueError, match="too few"):
        guess(rng.normal(size=(8, 2)), np.array([0.0, 1.0] * 4), np.zeros(8, np.int64))


# -- plans and sounds ------------------------------------------------------------------------------------


def test_plans_are_balanced_and_repeat() -> None:
    plans = [draw(n, 15.0, 1) for n in range(60)]
    assert plans == [draw(n, 15.0, 1) for n in range(60)]
    assert plans != [draw(n, 15.0, 2) for n in range(60)]
    states = Counter(x.state for p in plans for part in p.parts for x in part.stretches)
    assert len(set(states.values())) == 1
    # features hold no time, place or name that gives an answer away
    for plan in plans:
        for k in range(6):
            assert len({part.stretches[k].state for part in plan.parts}) == 3
        for part in plan.parts:
            assert set(Counter(x.state for x in part.stretches).values()) == {2}
    for person in range(3):
        first = Counter(p.parts[person].stretches[0].state for p in plans)
        assert min(first.values()) > 8
        cameras = Counter(p.parts[person].has_camera for p in plans)
        assert 8 < cameras[True] < 35
    assert all([x.camera for x in part.stretches].count(True) == 3 for p in plans for part in p.parts)
    assert all(part.back_after is None for part in draw(1, 5, 1, returns=False).parts)


def _level(sound: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def test_the_microphone_speaks_and_hears_the_room() -> None:
    microphone = Microphone(4, width=64, height=48)
    quiet = np.concatenate([microphone.audio(i) for i in range(100)])
    microphone.speaking = True
    loud = np.concatenate([microphone.audio(i) for i in range(100)])
    assert 0 < _level(quiet) < 100
    assert _level(loud) > 20 * _level(quiet)
    assert np.abs(loud.astype(int)).max() < 32_768
    voice = speech(4.0, np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(voice)) ** 2
    hertz = np.fft.rfftfreq(len(voice), 1 / SAMPLE_RATE)
    share = spectrum[(hertz > 80) & (hertz < 4_000)].sum() / spectrum.sum()
    assert share > 0.9  # where voices are
    levels = [_level(voice[i : i + FRAME_SAMPLES] * 1e4) for i in range(0, len(voice) - 960, 960)]
    assert np.std(levels) > 0.3 * np.mean(levels)  # syllables, not a hum


# -- the client ------------------------------------------------------------------------------------------


async def test_sound_is_encoded_before_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment of sending must not depend on how long the encoder took, for that depends on the sound."""
    happened: list[str] = []

    class Encoder(OpusEncoder):
        def encode(self, sound: Sound) -> bytes:
            happened.append("encoded")
            return super().encode(sound)

    class Link:
        def send_rtp(self, packet: bytes) -> None:
            happened.append("sent")

        def send_rtcp(self, packet: bytes) -> None:
            pass

    class Plain:
        def seal(self, kind: str, frame: bytes, layer: int = 0) -> bytes:
            return frame

    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        happened.append("waited")
        await really(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    link = Link()
    sending = Outgoing(
        crypto=Plain(),  # type: ignore[arg-type]  # it only seals
        source=Microphone(1, width=64, height=48),
        streams=[Stream(7, "audio")],
        link=lambda: link,  # type: ignore[arg-type,return-value]  # it only sends
        muted=set(),
        size=(64, 48),
        rng=bytes,
        sound_encoder=Encoder,
    )
    async with asyncio.timeout(PATIENCE):
        while happened.count("sent") < 20:
            await really(0.01)
    await sending.close()
    assert "".join(x[0] for x in happened).startswith("ews" * 20)


# -- the whole of it -------------------------------------------------------------------------------------


def measure(folder: Path, real: int, planted: int) -> tuple[s.Seen, list[Held]]:
    """Hold small meetings at once; in `planted` of them Opus has a variable bitrate."""
    plans = [
        draw(n, 3 * SEGMENT, 3, starts_after=0.5 * (n // 2), planted=n >= real, returns=False)
        for n in range(real + planted)
    ]
    return asyncio.run(run.hold(plans, folder, lambda text: None))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[s.Seen, list[Held]]:
    """Two meetings: six whole clients in real time are enough for a busy machine."""
    return measure(tmp_path_factory.mktemp("leakage"), 1, 1)


@pytest.fixture(scope="module")
def six_meetings(tmp_path_factory: pytest.TempPathFactory) -> tuple[s.Seen, list[Held]]:
    return measure(tmp_path_factory.mktemp("leakage"), 4, 2)


def test_a_planted_leak_is_found_and_the_real_client_has_none(
    six_meetings: tuple[s.Seen, list[Held]],
) -> None:
    seen, held = six_meetings
    assert [meeting.failed for meeting in held] == [""] * 6
    planted = ask(BY_NAME["control"], seen, held).guess
    assert planted is not None
    assert planted.auc > 0.9
    real = ask(BY_NAME["who_speaks"], seen, held).guess
    assert real is not None
    assert real.items >= 40
    assert real.auc < 0.8  # the small number leaves it that much room; `snug lab leakage` asks for 0.55


def test_real_sound_has_one_size_in_every_state(measured: tuple[s.Seen, list[Held]]) -> None:
    seen, held = measured
    by_state: dict[tuple[bool, str], list[float]] = {}
    for who, _ in _lives(held):
        stream = seen.streams[who.ssrcs["audio"]]
        for begin, end, state, _ in _windows(who):
            here = (stream.at >= begin) & (stream.at < end)
            if here.sum() > 2:  # a busy machine sends few packets in some moments
                by_state.setdefault((who.planted, state), []).append(float(np.ptp(stream.size[here])))
    for state in ("speaking", "listening", "muted"):
        assert max(by_state[False, state]) <= 1  # SFrame's counter grows by a byte now and then
    assert max(by_state[True, "speaking"]) > 10


def _answer(name: str, value: float) -> Answer:
    return Answer(BY_NAME[name], Guess(value, value - 0.02, value + 0.02, 100, 10))


def test_a_leak_is_found_in_a_meeting(six_meetings: tuple[s.Seen, list[Held]]) -> None:
    seen, held = six_meetings
    assert found(ask(BY_NAME["camera"], seen, held))
    assert found(ask(BY_NAME["host"], seen, held))


def test_a_leak_is_reported() -> None:
    answers = [_answer(name, 0.8) for name in ("camera", "host", "chat_long")]
    result = Result(answers, 6, 0, 7.5, 20.0)
    assert not result.too_much
    page = as_page(result)
    assert page.count("It leaks") == 3
    assert "{" not in page
    assert max(len(line) for line in page.splitlines() if not line.startswith("|")) <= 110
    assert as_table(result).count("leaks") == 3
    assert [q["name"] for q in json.loads(as_json(result))["questions"]] == ["camera", "host", "chat_long"]


def test_the_notes_are_of_everybody_and_everything(measured: tuple[s.Seen, list[Held]]) -> None:
    seen, held = measured
    for who, _ in _lives(held):
        handle = who.handles[0]
        kinds = {frame[3] for frame in seen.frames[handle]}
        assert {"room_door", "entered", "show", "media", "relay", "broadcast"} <= kinds
        assert handle in seen.came
        assert handle in seen.went
        assert seen.rtcp[handle]
        assert ("video" in who.ssrcs) is who.has_camera
        assert all(ssrc in seen.streams for ssrc in who.ssrcs.values())
        written = [f for f in seen.frames[handle] if f[1] and f[3] == "relay"]
        assert len(written) >= len(who.chats) == 3
        for at, characters in who.chats:
            largest = max(f[2] for f in written if at - 0.01 <= f[0] < at + 2.0)
            assert largest > characters * 4 / 3


# -- the command -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "status"), [(0.51, 0), (0.56, 1)])
def test_too_much_is_a_failure(
    value: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def measure(*arguments: object, **more: object) -> Result:
        return Result([_answer("muted", value), _answer("camera", 1.0)], 10, 0, 15.0, 60.0)

    monkeypatch.setattr(run, "measure", measure)
    page = tmp_path / "leakage.md"
    assert run.main(["--out", str(page)]) == status
    out = capsys.readouterr().out
    assert ("TOO MUCH" in out) is bool(status)
    assert ("More leaks than may" in page.read_text()) is bool(status)
    assert run.main(["--json"]) == status
    assert json.loads(capsys.readouterr().out)["too_much"] == (["muted"] if status else [])


def test_a_missing_measurement_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Answer(BY_NAME["muted"], None).too_much  # without a measurement, no promise is kept
    assert run.main(["--meetings", "1"]) == 2

    async def measure(*arguments: object, **more: object) -> Result:
        raise run.LeakageError("The server did not start.")

    monkeypatch.setattr(run, "measure", measure)
    assert run.main([]) == 2
    assert "did not start" in capsys.readouterr().err


def test_the_published_page_is_of_this_program() -> None:
    page = (Path(__file__).parents[2] / "docs/explanation/leakage.md").read_text()
    cells = [row.split(" | ") for row in page.splitlines() if row.startswith("| ")]
    rows = {cell[0].removeprefix("| "): cell[1] for cell in cells}
    for question in QUESTIONS:
        number = float(rows[question.text].split()[0])
        assert question.limit is None or number < question.limit
        assert not question.planted or number > 0.9
    count = re.search(r"^- (\d+) meetings", page, re.MULTILINE)
    assert count is not None
    again = as_page(Result([], int(count[1]), 0, 15.0, 0.0))
    prose, same = (
        [line for line in text.splitlines() if line and not line.startswith("| ")] for text in (page, again)
    )
    assert prose == same
