"""Opus and VP8: sizes that tell nothing of the sound, key frames on demand, refusal of garbage."""

from __future__ import annotations

import os

import numpy as np
import pytest

from snugroom.client.media.codec import (
    AUDIO_BITRATE,
    FRAME_SAMPLES,
    CodecError,
    OpusDecoder,
    OpusEncoder,
    RawFrame,
    Sound,
    Vp8Decoder,
    Vp8Encoder,
    is_key_frame,
    key_frame_size,
    scaled,
)
from snugroom.client.media.sources import TestCard, blank, planes, silence


def speech(index: int, rng: np.random.Generator) -> Sound:
    """Noise in syllables, about as uneven as speech."""
    level = 8_000 * max(0.0, np.sin(index / 4)) * rng.uniform(0.2, 1.0)
    sound: Sound = (rng.normal(size=FRAME_SAMPLES) * level).clip(-32_768, 32_767).astype(np.int16)
    return sound


def test_every_sound_has_the_same_size() -> None:
    rng = np.random.default_rng(1)
    card = TestCard("x", 3)
    encoder = OpusEncoder()
    sizes = {
        len(encoder.encode(sound))
        for i in range(100)
        for sound in (card.audio(i), silence(), speech(i, rng), card.audio(i + 37))
    }
    sizes |= {len(encoder.encode(silence())) for _ in range(200)}  # long enough for DTX to set in
    assert sizes == {encoder.size} == {AUDIO_BITRATE // 8 // 50}


def test_opus_takes_twenty_milliseconds() -> None:
    with pytest.raises(CodecError):
        OpusEncoder().encode(np.zeros(480, np.int16))


def test_sound_survives_and_a_hole_fades_out() -> None:
    encoder, decoder, card = OpusEncoder(), OpusDecoder(), TestCard("x", 8)
    sounds = [decoder.decode(encoder.encode(card.audio(i))) for i in range(20)]
    assert {s.shape for s in sounds} == {(FRAME_SAMPLES,)}
    level = np.abs(sounds[-1].astype(float)).max()
    assert level > 5_000
    holes = [np.abs(decoder.conceal().astype(float)).max() for _ in range(6)]
    assert 0 < holes[0] < level
    assert holes == sorted(holes, reverse=True)
    assert holes[-1] < level / 50


def test_frames_survive_and_key_frames_come_on_request() -> None:
    encoder, decoder, card = Vp8Encoder(), Vp8Decoder(), TestCard("Ada", 2)
    keys = []
    for i in range(30):
        raw_frame = card.video(i / 15)
        frame = encoder.encode(raw_frame, i * 6_000, key=i in (0, 12, 13))
        assert frame is not None
        keys.append(is_key_frame(frame))
        shown = decoder.decode(frame)
        assert shown is not None
        assert np.abs(shown.astype(int) - raw_frame).mean() < 6
    assert [i for i, key in enumerate(keys) if key] == [0, 12, 13]


def noisy(index: int, rng: np.random.Generator) -> RawFrame:
    """A frame that costs many bits: noise that moves."""
    raw_frame: RawFrame = rng.integers(115, 140, (540, 640)).astype(np.uint8)
    return raw_frame


@pytest.mark.parametrize("bitrate", [500_000, 300_000, 200_000])
def test_a_running_encoder_takes_another_rate(bitrate: int) -> None:
    encoder, rng = Vp8Encoder(), np.random.default_rng(1)
    raw_frames = [noisy(i, rng) for i in range(8)]
    sizes, keys = [], 0
    for i in range(150):
        # half of the time at its full rate: the change is what is tried
        frame = encoder.encode(raw_frames[i % 8], i * 6_000, bitrate=500_000 if i < 60 else bitrate)
        assert frame is not None
        keys += is_key_frame(frame)
        sizes.append(len(frame))
    spent = 8 * sum(sizes[75:]) / 5  # from a second after the change on
    assert spent == pytest.approx(bitrate, rel=0.2)
    assert keys == 1


def test_a_frame_after_a_pause_is_no_larger_than_others() -> None:
    encoder, rng = Vp8Encoder(), np.random.default_rng(1)
    sizes = []
    for i in range(60):
        at = i * 6_000 + (900_000 if i >= 30 else 0)  # ten seconds in which nothing was encoded
        frame = encoder.encode(noisy(i, rng), at, key=i == 30, bitrate=200_000)
        assert frame is not None
        sizes.append(len(frame))
    assert max(sizes[30:33]) < 4 * np.median(sizes[10:30])


def test_a_decoder_takes_a_change_of_size_at_a_key_frame() -> None:
    card, decoder = TestCard("Ada", 2), Vp8Decoder()
    small, large = Vp8Encoder(160, 90), Vp8Encoder()
    for i in range(12):
        whole = card.video(i / 15)
        encoder, raw_frame = (small, scaled(whole, 160, 90)) if i // 4 % 2 == 0 else (large, whole)
        frame = encoder.encode(raw_frame, i * 6_000, key=i % 4 == 0)
        assert frame is not None
        shown = decoder.decode(frame)
        assert shown is not None
        assert shown.shape == raw_frame.shape
        assert np.abs(shown.astype(int) - raw_frame).mean() < 8


def test_the_size_of_a_key_frame() -> None:
    frame = Vp8Encoder(320, 180).encode(blank(320, 180), 0, key=True)
    assert frame is not None
    assert key_frame_size(frame) == (320, 180)
    with pytest.raises(CodecError):
        key_frame_size(b"\x11" + frame[1:])


def test_time_that_stands_still_does_not_stop_the_encoder() -> None:
    encoder = Vp8Encoder()
    assert all(encoder.encode(blank(), 5) for _ in range(3))


@pytest.mark.parametrize("size", [1, 9, 30, 500])
def test_garbage_is_refused_and_harms_nothing(size: int) -> None:
    encoder, decoder = Vp8Encoder(), Vp8Decoder()
    for _ in range(20):
        try:
            decoder.decode(os.urandom(size))
        except CodecError:
            continue
    frame = encoder.encode(blank(), 0, key=True)
    assert frame is not None
    assert decoder.decode(frame) is not None


def test_a_frame_has_three_planes() -> None:
    y, u, v = planes(blank(64, 48))
    assert (y.shape, u.shape, v.shape) == ((48, 64), (24, 32), (24, 32))
    assert (y[0, 0], u[0, 0], v[0, 0]) == (16, 128, 128)
