"""Scenes on live meetings; and a client that skips a check gets a worse verdict than the documented one.

Members run in this process, the hostile server in its own: what is broken here is broken for members alone.
"""

from __future__ import annotations

import pytest

from snugroom.client.session.kernel.frames import Frames
from snugroom.crypto.agreed import policy
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.sframe import ReplayWindow
from snugroom.lab.attacks.command import chosen_scenes
from snugroom.lab.attacks.runner import Result, run_one


async def play(name: str) -> Result:
    (scene,) = chosen_scenes([name])
    return await run_one(scene)


async def test_a_bad_commit_is_impossible_and_told() -> None:
    result = await play("bad_commit")
    assert (result.judgement.verdict, result.judgement.worse) == ("impossible", False), result.judgement
    assert result.facts.deeds["inject"] == 1
    told = [note for note in result.facts.seen["Ada"] if note.kind == "void_commit"]
    assert "Cem" in told[0].text


async def test_without_snug_7_the_same_act_does_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    others = tuple(check for check in policy.COMMIT_CHECKS if check is not policy.snug_7)
    monkeypatch.setattr(policy, "COMMIT_CHECKS", others)
    result = await play("bad_commit")
    assert result.judgement.worse
    assert result.judgement.verdict == "harmed", result.judgement
    assert result.facts.lost == ["Bo"]


async def test_without_a_replay_window_frames_are_shown_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplayWindow, "check", lambda self, counter: None)
    result = await play("replayed_frames")
    assert result.judgement.worse
    assert result.judgement.verdict == "harmed", result.judgement
    assert result.facts.false_frames > 10


async def test_members_that_do_not_seal_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Frames.seal
    calls = 0

    def now_and_then(self: Frames, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
        nonlocal calls
        calls += 1
        # one frame in twenty is enough
        return frame if calls % 20 == 0 else real(self, kind, stream, frame, now)

    monkeypatch.setattr(Frames, "seal", now_and_then)
    result = await play("recorded_for_later")
    assert result.judgement.worse
    assert result.judgement.verdict == "harmed", result.judgement
    assert result.facts.frames_opened > 5
