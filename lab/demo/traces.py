"""Traces of a meeting in a server's memory: names, chat, video frames, a second of audio. Pure.

The same rules apply to every server. Text is found in every form of `memory.forms`. Video is found by bytes
of a decoded frame: a receiver's decoder gives the same ones as a server's. Audio is found by its pitch,
because an Opus decoder's samples also depend on where it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from snugroom.client.media.codec import FRAME_SAMPLES, SAMPLE_RATE, RawFrame
from snugroom.client.media.sources import planes
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.lab.demo.memory import find, forms

#: Kinds of traces, by the names of `Traces`.
KINDS: Final = ("names", "chat", "frames", "audio")
#: Rows of a frame's brightness that are looked for, at least: those with detail.
ROWS: Final = 16
#: Rows that no other participant's frames have, at least: names differ, clocks and counters do not.
_OWN_ROWS: Final = 4
#: Bytes that a part of a row has at least, and different ones among them. Flat rows could be anything.
_LEAST: Final = 48
_DIFFERENT: Final = 6
#: Different bytes among the first four of such a part: a flat beginning is everywhere, and slows the search.
_HEAD: Final = 3
#: Blocks of 20 ms that make a second, and how many of them must have the tone: the card beeps for 0.6 s.
_SECOND: Final = SAMPLE_RATE // FRAME_SAMPLES
_BEEPING: Final = 25
#: Share of the power of a block that a tone has, and the least root mean square of its samples.
_SHARE: Final = 0.8
_LOUD: Final = 1_000.0
#: Blocks that are looked at together.
_BATCH: Final = 2_048


@dataclass(frozen=True)
class Person:
    """A participant, as the others know it.

    `frames`: decoded video frames of it, as its receivers have them. `pitch`: of its beep, Hz.
    """

    name: str
    said: str
    frames: Sequence[RawFrame]
    pitch: float


@dataclass(frozen=True)
class Traces:
    """The findings of a search: names of participants. `searched`: bytes.

    `names`, `chat`: whose name, and whose message, was found. `frames`: of whom at least one frame was found
    with all its rows. `rows`: number of rows found of any frame. `audio`: of whom a second was found.
    `sought`: the number of frames that were sought, of the participant with the fewest.
    """

    searched: int
    names: frozenset[str]
    chat: frozenset[str]
    frames: frozenset[str]
    rows: int
    audio: frozenset[str]
    sought: int

    @property
    def nothing(self) -> bool:
        """Whether nothing at all was found, not even one row of a frame."""
        return not (self.names or self.chat or self.frames or self.rows or self.audio)


@dataclass(frozen=True)
class Contrast:
    """The traces of one meeting in both servers. None: that memory was not searched."""

    names: tuple[str, ...]
    snug: Traces | None
    ordinary: Traces | None
    trouble: tuple[Sentence, ...] = ()

    @property
    def rows(self) -> list[tuple[str, int | None, int | None]]:
        """Return what was sought, and of how many participants Snug's and the ordinary server have it.

        None: it was not sought there.
        """
        return [(kind, _count(self.snug, kind), _count(self.ordinary, kind)) for kind in KINDS]


def _count(traces: Traces | None, kind: str) -> int | None:
    if traces is None or (kind == "frames" and not traces.sought):
        return None
    found: frozenset[str] = getattr(traces, kind)
    return len(found)


def failures(contrast: Contrast) -> list[Sentence]:
    """Return a sentence for each claim that does not hold; empty if all do.

    Snug's server must have nothing. The ordinary one must have something of everybody: otherwise the search
    proves nothing.
    """
    found: list[Sentence] = list(contrast.trouble)
    if contrast.snug is not None and not contrast.snug.nothing:
        found.append(sentence("terminal.contrast_snug_has"))
    if contrast.snug is not None and not contrast.snug.sought:
        found.append(sentence("terminal.contrast_nothing_sought"))
    if contrast.ordinary is None:
        return found
    for kind, _, count in contrast.rows:
        if count != len(contrast.names):
            found.append(sentence("terminal.contrast_proves_nothing", what=name_of(kind)))
    return found


def name_of(kind: str) -> Sentence:
    """Return the name of what was sought."""
    return sentence(f"terminal.contrast_{kind}")


def look(regions: Sequence[bytes], log: bytes, searched: int, people: Sequence[Person]) -> Traces:
    """Search memory and log. Takes seconds; call it in a thread."""
    texts = {each.name: (forms(each.name.encode()), forms(each.said.encode())) for each in people}
    every = {each.name: [rows_of(frame) for frame in each.frames] for each in people}
    rows = {
        name: _own(frames, [every[other] for other in every if other != name])
        for name, frames in every.items()
    }
    needles = {form for pair in texts.values() for each in pair for form in each}
    needles |= {row for frames in rows.values() for frame in frames for row in frame}
    there = find([*regions, log], needles)
    return Traces(
        searched=searched + len(log),
        names=frozenset(name for name, (own, _) in texts.items() if own & there),
        chat=frozenset(name for name, (_, said) in texts.items() if said & there),
        frames=frozenset(name for name, frames in rows.items() if any(frame <= there for frame in frames)),
        rows=len({row for frames in rows.values() for frame in frames for row in frame} & there),
        audio=seconds_of(regions, {each.name: each.pitch for each in people}),
        sought=min(map(len, rows.values())),
    )


def rows_of(frame: RawFrame) -> frozenset[bytes]:
    """Return the most detailed half of each row of a frame's brightness that has detail.

    Empty if the frame has fewer than `ROWS` such rows: nothing would prove that it was found.
    """
    luma = planes(frame)[0]
    half = luma.shape[1] // 2
    changes = (np.diff(luma, axis=1) != 0).cumsum(axis=1)
    starts = (changes[:, half - 1 :] - changes[:, : 1 - half]).argmax(axis=1)
    parts = (_marked(luma[row, start : start + half].tobytes()) for row, start in enumerate(starts))
    found = frozenset(part for part in parts if len(part) >= _LEAST and len(set(part)) >= _DIFFERENT)
    return found if len(found) >= ROWS else frozenset()


def _marked(part: bytes) -> bytes:
    """Return a part of a row without its flat beginning."""
    at = next((at for at in range(len(part) - 3) if len(set(part[at : at + 4])) >= _HEAD), len(part))
    return part[at:]


def _own(
    frames: Sequence[frozenset[bytes]], others: Sequence[Sequence[frozenset[bytes]]]
) -> list[frozenset[bytes]]:
    """Return the frames that have enough rows of their own, which no other participant's frames have."""
    foreign = frozenset().union(*(frame for each in others for frame in each))
    return [frame for frame in frames if len(frame - foreign) >= _OWN_ROWS]


def seconds_of(regions: Iterable[bytes], pitches: Mapping[str, float]) -> frozenset[str]:
    """Return the names whose beep is in memory for a second: 16-bit samples, mono or stereo, 48 kHz."""
    names = list(pitches)
    waves = _waves([pitches[name] / channels for name in names for channels in (1, 2)])
    found: set[str] = set()
    for region in regions:
        for odd in (0, 1):  # a sample may begin at any byte
            count = (len(region) - odd) // (2 * FRAME_SAMPLES)
            if count < _BEEPING:
                continue
            samples = np.frombuffer(region, np.int16, count * FRAME_SAMPLES, odd)
            beeps = _beeps(samples.reshape(count, FRAME_SAMPLES), waves)
            for at, name in enumerate(names):
                mono, stereo = beeps[:, 2 * at], beeps[:, 2 * at + 1]
                if _dense(mono, _SECOND, _BEEPING) or _dense(stereo, 2 * _SECOND, 2 * _BEEPING):
                    found.add(name)
    return frozenset(found)


def _waves(pitches: Sequence[float]) -> NDArray[np.float32]:
    """Return a column of cosine and one of sine for each pitch, orthonormal."""
    t = np.arange(FRAME_SAMPLES) / SAMPLE_RATE
    columns = []
    for pitch in pitches:
        pair = np.stack((np.cos(2 * np.pi * pitch * t), np.sin(2 * np.pi * pitch * t)), axis=1)
        columns.append(np.linalg.qr(pair)[0])
    return np.concatenate(columns, axis=1).astype(np.float32)


def _beeps(samples: NDArray[np.int16], waves: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return, for each block and pitch, whether the block is that tone."""
    found = []
    for at in range(0, len(samples), _BATCH):
        blocks = samples[at : at + _BATCH].astype(np.float32)
        power = np.einsum("ij,ij->i", blocks, blocks, dtype=np.float64)
        tones = ((blocks @ waves).astype(np.float64) ** 2).reshape(len(blocks), -1, 2).sum(axis=2)
        loud = power >= _LOUD**2 * FRAME_SAMPLES
        found.append((tones >= _SHARE * power[:, None]) & loud[:, None])
    return np.concatenate(found)


def _dense(beeps: NDArray[np.bool_], window: int, least: int) -> bool:
    """Return whether any run of `window` blocks has at least `least` beeps."""
    if beeps.sum() < least:
        return False
    sums = np.concatenate(([0], beeps.cumsum()))
    last = np.minimum(np.arange(len(sums)) + window, len(sums) - 1)
    return bool((sums[last] - sums).max() >= least)
