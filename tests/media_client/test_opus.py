"""Opus with in-band FEC: one size and one mode, and a lost packet is recovered from the next."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from snugroom.client.media import check, opus
from snugroom.client.media.codec import (
    FRAME_SAMPLES,
    SAMPLE_RATE,
    CodecError,
    OpusDecoder,
    OpusEncoder,
    Sound,
)
from snugroom.client.media.record import Recorder, Taken
from snugroom.client.media.sources import TestCard, silence
from tests.media_client import recordings

AUDIO = frozenset({"audio"})


def talk(index: int, rng: np.random.Generator) -> Sound:
    """Something like speech: a voice of 120 to 180 Hz with a formant, in syllables with pauses."""
    t = (np.arange(FRAME_SAMPLES) + index * FRAME_SAMPLES) / SAMPLE_RATE
    loud = max(0.0, np.sin(index / 5)) ** 0.5 * (index % 100 < 80)
    pitch = 150 + 30 * np.sin(index / 17)
    voice = sum(np.sin(2 * np.pi * n * pitch * t) / (1 + abs(n * pitch - 700) / 400) for n in range(1, 20))
    sound: Sound = ((np.asarray(voice) * 2_500 + rng.normal(size=FRAME_SAMPLES) * 60) * loud).astype(np.int16)
    return sound


def thousand() -> list[Sound]:
    """1,000 frames: speech, beeps, noise and silence, by turns and in long runs."""
    rng, low, high = np.random.default_rng(1), TestCard("x", 0), TestCard("x", 19)
    noise = (rng.normal(size=(100, FRAME_SAMPLES)) * 3_000).astype(np.int16)
    mixed = [sound for i in range(50) for sound in (talk(i, rng), low.audio(i), silence(), high.audio(i))]
    runs = [talk(i, rng) for i in range(200)] + [silence()] * 200
    runs += (
        [low.audio(i) for i in range(100)]
        + [high.audio(i) for i in range(100)]
        + list(noise)
        + [silence()] * 100
    )
    return mixed + runs


def test_a_thousand_packets_have_one_size_and_one_mode() -> None:
    """A size that varies tells the server who speaks; FFmpeg's own decoder stumbles over a change of mode."""
    encoder = OpusEncoder()
    packets = [encoder.encode(sound) for sound in thousand()]
    assert len(packets) == 1_000
    assert {len(packet) for packet in packets} == {encoder.size}
    assert len({packet[0] >> 3 for packet in packets}) == 1  # RFC 6716 3.1: mode, bandwidth, frame size


def likeness(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    """The best correlation of two sounds of 20 ms, moved against each other by at most 7 ms."""
    x, y = a.astype(float), b.astype(float)
    best = 0.0
    for shift in range(0, 336, 4):
        u, v = x[shift:], y[: len(y) - shift]
        best = max(best, float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v) + 1e-9)))
    return best


def native() -> opus.FecDecoder:
    library = opus.load()
    assert library is not None, "PyAV's wheel has libopus"
    return opus.FecDecoder(library)


def test_a_lost_packet_is_found_in_the_one_behind_it() -> None:
    encoder, rng = OpusEncoder(), np.random.default_rng(2)
    sounds = [talk(i, rng) for i in range(200)]
    packets = [encoder.encode(sound) for sound in sounds]
    reference, decoder, plain = native(), native(), native()
    whole = [reference.decode(packet) for packet in packets]
    found, made_up = [], []
    for i, packet in enumerate(packets[:-1]):
        if i % 5 == 4 and np.abs(whole[i].astype(int)).mean() > 800:
            again = decoder.recover(packets[i + 1])
            assert again is not None
            assert again.shape == (FRAME_SAMPLES,)
            found.append(likeness(whole[i], again))
            made_up.append(likeness(whole[i], plain.conceal()))
        else:
            decoder.decode(packet)
            plain.decode(packet)
    assert len(found) > 10
    assert np.median(found) > 0.8
    assert np.median(found) > np.median(made_up)


def test_silence_carries_no_copy_and_what_is_no_opus_none_either() -> None:
    encoder, decoder = OpusEncoder(), native()
    packets = [encoder.encode(silence()) for _ in range(10)]
    decoder.decode(packets[0])
    assert decoder.recover(packets[2]) is None
    assert decoder.recover(b"") is None
    for size in (1, 2, 30, 400):
        for _ in range(50):
            try:
                decoder.recover(os.urandom(size))
                decoder.decode(os.urandom(size))
            except CodecError:
                continue
    with pytest.raises(CodecError):
        decoder.decode(b"")
    assert decoder.decode(packets[3]).shape == (FRAME_SAMPLES,)
    assert decoder.conceal().shape == (FRAME_SAMPLES,)


def test_without_the_library_ffmpeg_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(opus.sound_decoder(), opus.FecDecoder)
    monkeypatch.setattr(opus, "_names", lambda: ["libopus.so.of.nowhere"])
    opus.load.cache_clear()
    try:
        decoder = opus.sound_decoder()
        assert isinstance(decoder, OpusDecoder)
        packet = OpusEncoder().encode(silence())
        assert decoder.recover(packet) is None
        assert decoder.decode(packet).shape == (FRAME_SAMPLES,)
    finally:
        opus.load.cache_clear()


def test_a_recording_plays_without_a_click_in_ffmpegs_own_decoder(tmp_path: Path) -> None:
    encoder, card = OpusEncoder(), TestCard("Ada", 7)
    recorder = Recorder(tmp_path, zero=0.0)
    for i in range(250):
        sound = silence() if 100 <= i < 150 else card.audio(i)
        recorder.write(0, "Ada", AUDIO, Taken(5, "audio", encoder.encode(sound), i * 960, i * 0.02))  # type: ignore[arg-type]  # a literal
    (path,) = recorder.close()
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == "opus"  # not libopus
    tones = recordings.pitch_of(path)
    assert check.identity_of_pitch(tones[0][0]) == 7
    assert tones[0][1] > 0.95
    heard = recordings.read_audio(path)
    assert np.abs(heard[round(2.2 * SAMPLE_RATE) : round(2.8 * SAMPLE_RATE)]).max() < 0.01
