"""Recordings: names that can't escape the folder, sound and video aligned, files that stay whole."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.media import check
from snugroom.client.media.codec import OpusEncoder, Vp8Encoder, scaled
from snugroom.client.media.record import KEY_WAIT, Recorder, Taken, Timeline, file_stem
from snugroom.client.media.sources import TestCard
from snugroom.wire.messages import MediaKind
from tests.media_client import recordings

BOTH: frozenset[MediaKind] = frozenset({"audio", "video"})
SOUND: frozenset[MediaKind] = frozenset({"audio"})


class Feed:
    """A participant's frames as they would come off the wire, `late` seconds after they were sent."""

    def __init__(self, identity: int = 3, *, audio_ssrc: int = 1, video_ssrc: int = 2) -> None:
        self.card = TestCard("Ada", identity)
        self.opus, self.vp8 = OpusEncoder(), Vp8Encoder()
        self.ssrc: dict[MediaKind, int] = {"audio": audio_ssrc, "video": video_ssrc}

    def audio(self, index: int, *, late: float = 0.0, origin: int = 0xFFFFF000) -> Taken:
        stamp = (origin + index * 960) & 0xFFFFFFFF
        frame = self.opus.encode(self.card.audio(index))
        return Taken(self.ssrc["audio"], "audio", frame, stamp, index * 0.02 + late)

    def video(self, index: int, *, late: float = 0.0, key: bool = False, origin: int = 777) -> Taken:
        frame = self.vp8.encode(self.card.video(index / 15), index * 6_000, key=key or index == 0)
        assert frame is not None
        return Taken(self.ssrc["video"], "video", frame, origin + index * 6_000, index / 15 + late)

    def both(self, seconds: float, *, audio_late: float = 0.0, video_late: float = 0.0) -> list[Taken]:
        taken = [self.audio(i, late=audio_late) for i in range(int(seconds * 50))]
        taken += [self.video(i, late=video_late) for i in range(int(seconds * 15))]
        return sorted(taken, key=lambda t: t.arrived)


def test_a_participant_is_one_file_with_sound_and_video(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new" / "folder", zero=0.0)
    for taken in Feed(3).both(4):
        recorder.write(2, "Ada", BOTH, taken)
    (path,) = recorder.close()
    assert path == tmp_path / "new" / "folder" / "Ada-2.webm"
    (tone, *_) = recordings.pitch_of(path)
    assert check.identity_of_pitch(tone[0]) == 3
    assert tone[1] > 0.95
    colour = recordings.patch_colour_of(path)
    assert colour is not None
    assert check.identity_of_colour(colour) == 3
    raw_frames = recordings.read_video(path)
    assert [recordings.counter_in(raw_frame) for _, raw_frame in raw_frames] == list(range(60))
    assert all(abs(t - i / 15) < 0.02 for i, (t, _) in enumerate(raw_frames))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_reports_align_what_arrives_apart(tmp_path: Path) -> None:
    """Pictures come 0.4 s after the sound of the same moment; the sender's reports put that right."""
    recorder = Recorder(tmp_path, zero=0.0)
    feed = Feed()
    for n, taken in enumerate(feed.both(3, audio_late=0.02, video_late=0.42)):
        recorder.write(1, "Ada", BOTH, taken)
        if n == 0:
            recorder.report(1, "Ada", 1, 5_000.0, 0xFFFFF000)
            recorder.report(1, "Ada", 2, 5_000.0, 777)
    (path,) = recorder.close()
    streams = recordings.streams_of(path)
    assert streams.audio_start == pytest.approx(0.02, abs=0.01)
    assert streams.video_start == pytest.approx(0.02, abs=0.01)
    assert streams.video_frames == 45


def test_without_reports_arrival_decides(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=0.0)
    for taken in Feed().both(3, audio_late=0.02, video_late=0.32):
        recorder.write(1, "Ada", BOTH, taken)
    (path,) = recorder.close()
    streams = recordings.streams_of(path)
    assert streams.audio_start == pytest.approx(0.02, abs=0.01)
    assert streams.video_start == pytest.approx(0.32, abs=0.01)


def test_all_files_share_time_zero(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=-2.0)
    for taken in Feed().both(2):
        recorder.write(1, "Ada", BOTH, taken)
    for taken in Feed().both(2):
        later = Taken(taken.ssrc, taken.kind, taken.frame, taken.timestamp, taken.arrived + 3)
        recorder.write(2, "Bob", BOTH, later)
    first, second = recorder.close()
    assert recordings.streams_of(first).audio_start == pytest.approx(2.0, abs=0.01)
    assert recordings.streams_of(second).audio_start == pytest.approx(5.0, abs=0.01)


def test_holes_stay_holes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=0.0)
    feed = Feed()
    for i in [*range(100), *range(150, 250)]:
        recorder.write(1, "Ada", SOUND, feed.audio(i))
    (path,) = recorder.close()
    streams = recordings.streams_of(path)
    assert streams.audio_end == pytest.approx(5.0, abs=0.05)


def test_video_begins_with_a_key_frame(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=0.0)
    feed = Feed()
    for i in range(90):
        recorder.write(1, "Ada", BOTH, feed.audio(i))
    for i in range(1, 30):
        taken = feed.video(i, key=i == 10)
        if i == 1:
            continue  # the encoder's own first key frame is lost
        recorder.write(1, "Ada", BOTH, taken)
    (path,) = recorder.close()
    assert recordings.streams_of(path).video_frames == 20
    assert len(recordings.read_video(path)) == 20


def test_a_participant_without_video_in_time_is_recorded_all_the_same(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=0.0)
    feed = Feed()
    for i in range(int(KEY_WAIT * 50) + 100):
        recorder.write(1, "Ada", BOTH, feed.audio(i))
    assert (tmp_path / "Ada-1.webm").exists()
    for i in range(75, 105):
        recorder.write(1, "Ada", BOTH, feed.video(i, key=i == 75))
    (path,) = recorder.close()
    assert recordings.streams_of(path).video_frames == 30
    assert recordings.streams_of(path).video_start == pytest.approx(5.0, abs=0.02)


def test_a_stream_that_nobody_announced_begins_another_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=0.0)
    feed = Feed()
    for i in range(200):
        recorder.write(1, "Ada", SOUND, feed.audio(i))
    for i in range(60, 90):
        recorder.write(1, "Ada", BOTH, feed.video(i, key=i == 60))
        recorder.write(1, "Ada", BOTH, feed.audio(140 + i))
    recorder.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Ada-1-2.webm", "Ada-1.webm"]
    assert recordings.streams_of(tmp_path / "Ada-1-2.webm").video_frames == 30


def test_one_who_comes_back_goes_on_in_the_same_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, zero=0.0)
    first, again = Feed(), Feed(audio_ssrc=11, video_ssrc=12)
    for taken in first.both(2):
        recorder.write(1, "Ada", BOTH, taken)
    for taken in again.both(2):
        later = Taken(taken.ssrc, taken.kind, taken.frame, taken.timestamp + 12_345, taken.arrived + 6)
        recorder.write(1, "Ada", BOTH, later)
    (path,) = recorder.close()
    streams = recordings.streams_of(path)
    assert streams.audio_end == pytest.approx(8.0, abs=0.05)
    assert streams.video_frames == 60


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "Ada-1.webm").write_bytes(b"precious")
    outside = tmp_path / "outside"
    (tmp_path / "Ada-1-2.webm").symlink_to(outside)
    recorder = Recorder(tmp_path, zero=0.0)
    for taken in Feed().both(1):
        recorder.write(1, "Ada", BOTH, taken)
    assert [p.name for p in recorder.close()] == ["Ada-1-3.webm"]
    assert (tmp_path / "Ada-1.webm").read_bytes() == b"precious"
    assert not outside.exists()


def test_a_disk_that_fails_ends_that_recording_only(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "gone", zero=0.0)
    (tmp_path / "gone").rmdir()
    for taken in Feed().both(2):
        recorder.write(1, "Ada", BOTH, taken)
    assert recorder.errors == [("Ada", "No such file or directory")]
    (tmp_path / "gone").mkdir()
    for taken in Feed().both(1):
        recorder.write(2, "Bob", BOTH, taken)
    assert [p.name for p in recorder.close()] == ["Bob-2.webm"]


@given(st.text(max_size=80), st.integers(0, 2**31))
def test_no_name_leaves_the_folder(name: str, leaf: int) -> None:
    stem = file_stem(name, leaf)
    assert (Path("/folder") / f"{stem}.webm").resolve().parent == Path("/folder")
    assert "/" not in stem
    assert "\\" not in stem
    assert ":" not in stem
    assert not stem.startswith((".", "-", " ")) or (stem[0] == "-" and name.lstrip().startswith("-"))
    assert len(os.fsencode(stem)) < 200


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Ada", "Ada-2"),
        ("../../etc/passwd", "______etc_passwd-2"),
        ("", "participant-2"),
        ("   ", "participant-2"),
        ("Zoë O'Hara", "Zoë O_Hara-2"),
        ("a\x00b\nc", "a_b_c-2"),
        ("漢字", "漢字-2"),
    ],
)
def test_names_become_file_names(name: str, stem: str) -> None:
    assert file_stem(name, 2) == stem


def test_timestamps_wrap_and_jump() -> None:
    timeline = Timeline()
    feed = Feed()
    taken = [feed.audio(i, late=0.1) for i in range(10)]
    timeline.settle(taken)
    places = [timeline.place(t) for t in taken]
    assert [round(b - a, 6) for a, b in itertools.pairwise(places)] == [0.02] * 9  # over the wrap
    jumped = Taken(1, "audio", b"x", 5, 10.0)
    assert timeline.place(jumped) == 10.0
    assert timeline.place(Taken(1, "audio", b"x", 965, 10.5)) == pytest.approx(10.02)


def test_a_recording_that_is_killed_stays_readable(tmp_path: Path) -> None:
    script = """
import sys, time
from snugroom.client.media.record import Recorder
from tests.media_client.test_record import BOTH, Feed
recorder = Recorder(sys.argv[1], zero=0.0)
for taken in Feed(3).both(6):
    recorder.write(1, "Ada", BOTH, taken)
print("written", flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"written\n"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    path = tmp_path / "Ada-1.webm"
    streams = recordings.streams_of(path)
    assert streams.audio_end is not None
    assert streams.audio_end > 4.0
    assert streams.video_frames >= 60
    assert check.identity_of_pitch(recordings.pitch_of(path)[0][0]) == 3


def test_video_that_changes_its_size_is_recorded_on(tmp_path: Path) -> None:
    """Another layer has another size, from a key frame on: one file, in which every frame can be read."""
    card, recorder = TestCard("Ada", 7), Recorder(tmp_path, zero=0.0)
    small, large = Vp8Encoder(320, 180), Vp8Encoder()
    for i in range(60):
        whole = card.video(i / 15)
        encoder, raw_frame = (large, whole) if i // 15 % 2 else (small, scaled(whole, 320, 180))
        frame = encoder.encode(raw_frame, i * 6_000, key=i % 15 == 0)
        assert frame is not None
        recorder.write(0, "Ada", frozenset({"video"}), Taken(6, "video", frame, i * 6_000, i / 15))
    (path,) = recorder.close()
    raw_frames = recordings.read_video(path)
    assert [raw_frame.shape for _, raw_frame in raw_frames] == ([(270, 320)] * 15 + [(540, 640)] * 15) * 2
    counters = [recordings.counter_in(raw_frame) for _, raw_frame in raw_frames]
    assert None not in counters
    assert counters == sorted(counters, key=lambda c: c or 0)
    colour = recordings.patch_colour_of(path)
    assert colour is not None
    assert check.identity_of_colour(colour) == 7
