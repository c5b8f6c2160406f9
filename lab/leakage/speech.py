"""Synthetic speech, and the synthetic sound of a quiet room. No person was recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snugroom.client.media.codec import FRAME_SAMPLES, HEIGHT, SAMPLE_RATE, WIDTH, RawFrame, Sound
from snugroom.client.media.sources import TestCard

#: First three formants of some vowels, in Hz.
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
_LEVEL = 0.25
#: Noise floor of an open microphone: 60 dB below full scale.
_FLOOR = 0.001


def speech(seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return syllables: a voice with formants and a moving pitch, hisses, short pauses. From -1 to 1."""
    total = round(seconds * SAMPLE_RATE)
    out = np.zeros(total)
    pitch = rng.uniform(90, 220)
    at = 0
    while at < total:
        size = min(round(rng.uniform(0.12, 0.3) * SAMPLE_RATE), total - at)
        t = np.arange(size) / SAMPLE_RATE
        tone = pitch * rng.uniform(0.85, 1.2) * (1 + 0.06 * np.sin(2 * np.pi * rng.uniform(1, 4) * t))
        phase = 2 * np.pi * np.cumsum(tone) / SAMPLE_RATE
        vowel = _VOWELS[rng.integers(len(_VOWELS))]
        voice = np.zeros(size)
        for harmonic in range(1, int(4000 / pitch)):
            gain = sum(1 / (1 + ((harmonic * pitch - formant) / 90) ** 2) for formant in vowel)
            voice += gain / harmonic**0.5 * np.sin(harmonic * phase)
        voice *= np.sin(np.pi * np.arange(size) / size) ** 0.5
        out[at : at + size] = voice / max(1e-9, np.abs(voice).max()) * rng.uniform(0.5, 1.0)
        at += size
        hiss = min(round(rng.uniform(0.03, 0.08) * SAMPLE_RATE), total - at)
        if hiss > 0 and rng.random() < 0.6:
            out[at : at + hiss] = np.diff(rng.normal(size=hiss + 1)) * 0.15
        at += hiss
        if rng.random() < 0.15:
            at += round(rng.uniform(0.05, 0.2) * SAMPLE_RATE)
    return out * _LEVEL


class Microphone:
    """A source of speech while `speaking` is set, and of room noise otherwise; its video is a test card."""

    has_audio = True
    has_video = True

    def __init__(self, seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> None:
        rng = np.random.default_rng(seed)
        length = round(8.0 * SAMPLE_RATE) // FRAME_SAMPLES * FRAME_SAMPLES
        hum = np.sin(np.arange(length) * 2 * np.pi * 50 / SAMPLE_RATE)
        floor = (rng.normal(size=length) + hum) * _FLOOR
        voice = speech(length / SAMPLE_RATE, rng) + floor
        self._quiet, self._loud = (
            (x * 32_767).clip(-32_768, 32_767).astype(np.int16) for x in (floor, voice)
        )
        self._card = TestCard("", seed, width=width, height=height)
        #: Read in the thread that fetches audio. A flag needs no lock.
        self.speaking = False

    def audio(self, index: int) -> Sound:
        """Return 20 ms of speech or of room noise."""
        sound = self._loud if self.speaking else self._quiet
        at = index * FRAME_SAMPLES % len(sound)
        return sound[at : at + FRAME_SAMPLES]

    def video(self, at: float) -> RawFrame:
        """Return the test card's next image."""
        return self._card.video(at)

    def close(self) -> None:
        """Do nothing: there are no resources to release."""
