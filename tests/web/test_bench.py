"""`snug bench page` as a person starts it, and its summary of the measurements."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from snugroom.client.web import node
from snugroom.lab.bench import page as bench
from snugroom.lab.bench import videos
from snugroom.lab.bench.transfer import Answer
from snugroom.server import page
from tests.web.test_page import loaded_first

#: Bytes of one answer's headers.
HEADERS_MAX = 1600


@pytest.fixture(scope="module")
def bundle() -> page.Bundle:
    node.build()
    return page.load()


async def test_every_part_is_measured(bundle: page.Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert await bench.run(True, loads=1, guests=1) == 0
    measured = json.loads(capsys.readouterr().out)
    assert [part["part"] for part in measured["parts"]] == [mark for mark, _ in bench.PARTS]
    assert all(part["ms"] > 0 for part in measured["parts"])
    assert sum(part["ms"] for part in measured["parts"]) == pytest.approx(
        measured["link_to_picture_ms"], abs=1
    )
    assert measured["plain_paint_ms"] > 0
    assert 0 < measured["first_paint_ms"] <= measured["start_view_ms"]
    # what is loaded after the room, or looked at to be hashed, isn't counted
    sizes = {name: len(file.answer("br, gzip")[1]) for name, file in bundle.files.items()}
    counted = measured["files"]
    assert loaded_first(bundle) | {"where.json"} <= counted.keys()
    assert not [name for name in counted if name.startswith(("de-", "zh-", "later", "lecture", "scan"))]
    assert measured["bytes"] == sum(counted.values()) < measured["bytes_all"]
    # over https, with Brotli; each file once, with its headers
    for name in loaded_first(bundle):
        assert 0 < counted[name] - sizes[name] < HEADERS_MAX, (name, counted[name], sizes[name])
    assert 0 < measured["bytes_headers"] < HEADERS_MAX * len(counted)
    assert 0 < measured["bytes_start"] < measured["bytes"] - sizes["worker.js"]
    # Chromium accepts Brotli over http on this machine as well
    assert measured["bytes_http"] == pytest.approx(measured["bytes"], rel=0.02)
    assert measured["bytes"] < measured["bytes_gzip"] < 1.2 * measured["bytes"]


def test_the_summary_is_made_of_medians_of_one_run(bundle: page.Bundle) -> None:
    began = 1_700_000_000_000.0
    answers = [
        Answer("index.html", 300, 500, began + 1),
        Answer("main.js", 200, 40_000, began + 20),
        Answer("worker.js", 200, 90_000, began + 160),
        # again, because it has changed on the way
        Answer("main.js", 150, 0, began + 300),
        Answer("later-ABCDEFGH.js", 200, 9_000, began + 900),
    ]
    guests = [
        bench.Visit(
            {"ready": 100.0, "knocked": 150.0, "inside": 400.0, "picture": 1000.0 + late}, answers, began
        )
        for late in (0.0, 50.0, 9000.0)
    ]
    paints = {
        "page": [(90.0, 200.0), (110.0, 210.0), (400.0, 900.0)],
        "plain": [(50.0, 50.0), (55.0, 55.0), (60.0, 60.0)],
    }
    measured = bench.summary(bundle, paints, guests, guests[0], {"first_picture_ms": 600.0})
    assert measured["files"] == {"index.html": 800, "main.js": 40_350, "worker.js": 90_200}
    assert (measured["bytes"], measured["bytes_headers"]) == (131_350, 850)
    # without the worker and what comes after it
    assert (measured["bytes_start"], measured["bytes_http"]) == (41_000, 131_350)
    assert (measured["first_paint_ms"], measured["first_paint_worst_ms"]) == (110.0, 400.0)
    assert (measured["first_paint_x"], measured["start_view_ms"]) == (2.0, 210.0)
    assert measured["link_to_picture_ms"] == 1050.0
    assert (measured["knock_to_picture_ms"], measured["knock_to_picture_x"]) == (900.0, 1.5)
    assert [part["ms"] for part in measured["parts"]] == [100.0, 50.0, 250.0, 650.0]


async def test_without_a_browser_it_says_what_to_install(
    bundle: page.Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "python3").symlink_to(shutil.which("python3") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await bench.run(False, loads=1, guests=1) == 1
    assert "there is no Chromium on the path: install it" in capsys.readouterr().err


async def test_a_page_with_videos_is_measured(
    bundle: page.Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await videos.run(True, 2, (160, 120), seconds=1.0, warm=0.5) == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["videos"], measured["width"]) == (2, 160)
    for name in ("with_camera", "watching"):
        phase = measured[name]
        assert 0 < phase["worker_share"] < phase["browser_share"]
        assert 0 < phase["least_frames_per_s"] <= phase["frames_per_s"]
        assert phase["delay_p99_ms"] >= 0
    videos._show(measured)
    assert "A page with 2 videos of 160x120" in capsys.readouterr().out


PHASE = {
    "browser_share": 0.9,
    "worker_share": 0.1,
    "frames_per_s": 15.0,
    "least_frames_per_s": 12.0,
    "delay_p99_ms": 200.0,
}


@pytest.mark.parametrize("worse", [{"least_frames_per_s": 11.9}, {"delay_p99_ms": 200.1}])
@pytest.mark.parametrize("phase", ["with_camera", "watching"])
def test_usable_is_every_video_and_a_free_main_thread_in_both_phases(
    phase: str, worse: dict[str, float]
) -> None:
    phases = {"with_camera": PHASE, "watching": PHASE}
    assert videos.summary(25, videos.SMALL, phases)["usable"]
    assert not videos.summary(25, videos.SMALL, {**phases, phase: PHASE | worse})["usable"]
