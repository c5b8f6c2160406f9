"""The test card and the check that reads it back; files of several kinds as a source."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container.output import OutputContainer
from av.video.stream import VideoStream

from snugroom.client.media import check
from snugroom.client.media.codec import FRAME_SAMPLES, SAMPLE_RATE, RawFrame, Vp8Decoder, Vp8Encoder
from snugroom.client.media.files import FileSource, SourceError
from snugroom.client.media.font import render
from snugroom.client.media.sources import (
    IDENTITIES,
    TestCard,
    blank,
    colour_of_identity,
    pitch_of_identity,
    planes,
)
from tests.media_client import recordings

# -- the test card -------------------------------------------------------------------------


@pytest.mark.parametrize("identity", range(IDENTITIES))
def test_each_identity_is_told_by_ear_and_by_eye(identity: int) -> None:
    card = TestCard("Ada", identity)
    sound = np.concatenate([card.audio(i) for i in range(100)]) / 32_768
    (tone, *rest) = check.tones_in(sound)
    assert abs(tone.hz - pitch_of_identity(identity)) < 3
    assert tone.strength > 0.9
    assert not rest
    assert check.identity_of_pitch(tone.hz) == identity
    assert check.identity_of_colour(check.colour_in(card.video(0.0))) == identity


def test_pitches_and_colours_are_well_apart() -> None:
    pitches = [pitch_of_identity(i) for i in range(IDENTITIES)]
    assert (pitches[0], round(pitches[-1])) == (400.0, 2_000)
    assert min(b / a for a, b in itertools.pairwise(pitches)) > 1.08
    colours = [colour_of_identity(i)[1:] for i in range(IDENTITIES)]
    assert min(np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in itertools.combinations(colours, 2)) > 20


def test_the_beep_lasts_sixty_percent_of_each_second() -> None:
    card = TestCard("Ada", 5)
    loud = [bool(np.abs(card.audio(i)).max() > 1_000) for i in range(100)]
    assert loud == ([True] * 30 + [False] * 20) * 2


def test_the_counter_is_readable_after_the_codec_and_at_another_size() -> None:
    card, encoder, decoder = TestCard("Ada", 1), Vp8Encoder(), Vp8Decoder()
    for expected in range(40):
        frame = encoder.encode(card.video(expected / 15), expected * 6_000)
        assert frame is not None
        shown = decoder.decode(frame)
        assert shown is not None
        assert recordings.counter_in(shown) == expected
    small = TestCard("Ada", 1, width=320, height=180).video(0.0)
    assert recordings.counter_in(small) == 0
    assert check.identity_of_colour(check.colour_in(small)) == 1


def test_other_video_is_not_taken_for_a_test_card() -> None:
    assert recordings.counter_in(blank(luma=125)) is None
    assert recordings.counter_in(blank()) is None
    assert check.identity_of_colour(check.colour_in(blank())) is None
    assert check.tones_in(np.zeros(48_000)) == []
    assert check.identity_of_pitch(100.0) is None
    rng = np.random.default_rng(1)
    assert all(tone.strength < 0.05 for tone in check.tones_in(rng.normal(size=96_000)))


def test_name_and_clock_are_drawn_and_move() -> None:
    card = TestCard("Ada", 0)
    first, second = planes(card.video(0.0))[0], planes(card.video(61.5))[0]
    assert not np.array_equal(first, second)
    other = planes(TestCard("Bob", 0).video(0.0))[0]
    changed = np.argwhere(first != other)
    assert 40 <= changed[:, 0].min() <= changed[:, 0].max() < 110  # the name's lines, and nothing else


@pytest.mark.parametrize("name", ["", "A" * 64, "Zoë 漢字 \x00\n", "~ !"])
def test_any_name_can_be_drawn(name: str) -> None:
    TestCard(name, 0).video(0.0)


def test_the_font_has_a_box_for_what_it_lacks() -> None:
    assert render("漢", 1).tolist() == render("\x07", 1).tolist()
    assert render("A", 1).tolist() != render("漢", 1).tolist()
    assert render("ab", 3).shape == (21, 36)


# -- files ---------------------------------------------------------------------------------


def make_file(
    path: Path,
    *,
    seconds: float = 2.0,
    audio: bool = True,
    video: bool = True,
    size: tuple[int, int] = (320, 240),
    rate: int = 44_100,
) -> Path:
    """Every second begins with 0.2 s of white and of 1 kHz; else black and silence."""
    with av.open(str(path), "w") as container:
        assert isinstance(container, OutputContainer)
        webm = path.suffix == ".webm"
        matroska = webm or path.suffix == ".mkv"
        pictures: VideoStream | None = None
        sounds: AudioStream | None = None
        if video:
            stream = container.add_stream("libvpx" if webm else "mpeg4", rate=25)
            assert isinstance(stream, VideoStream)
            pictures = stream
            pictures.width, pictures.height = size
            pictures.pix_fmt = "yuv420p"
            pictures.bit_rate = 1_000_000
            pictures.options = {"deadline": "realtime", "cpu-used": "-8"} if webm else {}
        if audio:
            codec = "pcm_s16le" if path.suffix == ".wav" else "libopus" if matroska else "aac"
            rate = 48_000 if matroska else rate
            track = container.add_stream(codec, rate=rate)
            assert isinstance(track, AudioStream)
            sounds = track
            sounds.codec_context.layout = "stereo"
            resampler = av.AudioResampler(
                format=sounds.codec_context.format.name,
                layout="stereo",
                rate=rate,
                frame_size=sounds.codec_context.frame_size or 960,
            )
        for n in range(int(seconds * 25)):
            lit = n % 25 < 5
            if pictures:
                frame = av.VideoFrame.from_ndarray(blank(*size, luma=235 if lit else 16), format="yuv420p")
                frame.pts, frame.time_base = n, Fraction(1, 25)
                container.mux(pictures.encode(frame))
            if sounds:
                t = (np.arange(rate // 25) + n * (rate // 25)) / rate
                wave = (np.sin(2 * np.pi * 1_000 * t) * 12_000 * lit).astype(np.int16)
                sound = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), "s16", "stereo")
                sound.sample_rate, sound.pts, sound.time_base = rate, n * (rate // 25), Fraction(1, rate)
                for piece in resampler.resample(sound):
                    container.mux(sounds.encode(piece))
        if pictures:
            container.mux(pictures.encode(None))
        if sounds:
            for piece in resampler.resample(None):
                container.mux(sounds.encode(piece))
            container.mux(sounds.encode(None))
    return path


def play(source: FileSource, seconds: float) -> tuple[list[float], list[float]]:
    """Where sound and where light sets in, in seconds of media time."""
    loud: list[tuple[float, bool]] = []
    lit: list[tuple[float, bool]] = []
    for i in range(int(seconds * 50)):
        loud.append((i / 50, bool(np.abs(source.audio(i)).max() > 4_000)))
        luma = planes(source.video(i / 50))[0]
        lit.append((i / 50, bool(luma[180, 320] > 120)))

    def onsets(values: list[tuple[float, bool]]) -> list[float]:
        before = [(0.0, False), *values]
        return [t for (_, a), (t, b) in itertools.pairwise(before) if b and not a]

    return onsets(loud), onsets(lit)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.mkv", "clip.mov"])
def test_a_file_loops_with_sound_and_video_in_step(tmp_path: Path, name: str) -> None:
    source = FileSource(make_file(tmp_path / name))
    assert (source.has_audio, source.has_video) == (True, True)
    loud, lit = play(source, 7.5)
    assert len(loud) == len(lit) == 8
    # sound and light set in together, in the fourth run as in the first
    assert all(abs(a - b) <= 0.061 for a, b in zip(loud, lit, strict=True))
    assert [round(t) for t in lit] == list(range(8))
    source.close()


def test_sound_is_resampled_without_gaps(tmp_path: Path) -> None:
    source = FileSource(make_file(tmp_path / "clip.wav", video=False, seconds=1))
    assert not source.has_video
    sound = np.concatenate([source.audio(i) for i in range(10)])  # 0.2 s of tone
    assert sound.shape == (10 * FRAME_SAMPLES,)
    (tone, *_) = check.tones_in(sound / 32_768)
    assert abs(tone.hz - 1_000) < 3
    assert tone.strength > 0.97
    crossings = np.count_nonzero(np.diff(np.signbit(sound[480:-480])))
    assert abs(crossings - 2_000 * (len(sound) - 960) / SAMPLE_RATE) < 4


def test_a_file_without_sound_is_silent(tmp_path: Path) -> None:
    source = FileSource(make_file(tmp_path / "clip.mkv", audio=False))
    assert (source.has_audio, source.has_video) == (False, True)
    assert not source.audio(0).any()
    assert planes(source.video(0.1))[0].max() > 200


@pytest.mark.parametrize(
    ("size", "box"), [((320, 240), (80, 0)), ((640, 180), (0, 90)), ((180, 320), (219, 0))]
)
def test_video_keeps_its_aspect_ratio(tmp_path: Path, size: tuple[int, int], box: tuple[int, int]) -> None:
    source = FileSource(make_file(tmp_path / "clip.mkv", size=size, seconds=0.4, audio=False))
    raw_frame = source.video(0.1)
    assert raw_frame.shape == (540, 640)
    luma, u, v = planes(raw_frame)
    left, top = box
    assert luma[180, 320] > 200
    assert luma[top + 6, 320] > 200
    assert luma[180, left + 6] > 200
    if left:
        assert luma[180, : left - 6].max() < 40
        assert luma[180, -left + 6 :].max() < 40
    if top:
        assert luma[: top - 6].max() < 40
    assert abs(int(np.median(u)) - 128) < 3
    assert abs(int(np.median(v)) - 128) < 3


def test_a_still_picture_stays(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    with av.open(str(path), "w", format="image2") as container:
        assert isinstance(container, OutputContainer)
        stream = container.add_stream("png", rate=1)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 255, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = FileSource(path)
    shown: list[RawFrame] = [source.video(t) for t in (0.0, 1.0, 100.0)]
    assert all(planes(p)[0][180, 320] > 200 for p in shown)
    assert not source.audio(0).any()


def test_times_may_jump_ahead(tmp_path: Path) -> None:
    source = FileSource(make_file(tmp_path / "clip.mkv"))
    source.audio(0)
    assert np.abs(source.audio(250)).max() > 4_000  # 5.0 s: the third run through two seconds
    assert planes(source.video(5.1))[0][180, 320] > 120


def test_a_file_without_media_is_an_error(tmp_path: Path) -> None:
    text = tmp_path / "noise.bin"
    text.write_bytes(b"\xfenot a film at all\x00" * 100)
    for path in (text, tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(SourceError, match=path.name):
            FileSource(path)


def test_a_file_cut_in_the_middle_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_file(tmp_path / "whole.mkv", seconds=3).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2] + bytes(200))
    loud, lit = play(FileSource(cut), 4)
    assert loud
    assert lit
