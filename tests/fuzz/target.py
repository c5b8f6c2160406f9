"""Fuzz targets, and the run of one: seeded and bounded. A run reports its rate and its slowest input.

An input is bytes. A target makes of them whatever it tries: a packet, the body of one that is sealed with the
right key, or the next act of somebody in a world that goes on from input to input.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from snugroom.server.process import resident_memory

CORPUS: Final = Path(__file__).parent / "corpus"
#: Inputs from one look at the innocent, and at what has grown, to the next.
LOOK: Final = 2_000
#: Seconds of CPU that no input may take; the machine may have been busy, so a slow one is tried again.
SLOWEST: Final = 0.25
#: Growth of the process from the first tenth of the inputs to the end, bytes: beyond it something is kept.
GROWTH: Final = 48 * 2**20


class Run(Protocol):
    """A target at work."""

    def feed(self, data: bytes) -> None:
        """One input. Any exception is a find."""

    def look(self) -> None:
        """Are others served still, and is all that is held bounded? AssertionError if not."""

    def close(self) -> None:
        """The end."""


Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """`seeds` are good inputs; `mutate` makes others of them (None: `havoc`)."""

    name: str
    make: Callable[[], Run]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutate | None = None
    #: Of the inputs asked for: what costs a thousand times as much gets fewer in the short run.
    share: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """`slowest`: seconds of one input. `grown`: bytes."""

    name: str
    runs: int
    seconds: float
    slowest: float
    grown: int

    def __str__(self) -> str:
        rate = self.runs / max(self.seconds, 1e-9)
        return (
            f"{self.name:16} {self.runs:>9,} inputs {self.seconds:7.1f} s {rate:>9,.0f}/s"
            f"   slowest {1e3 * self.slowest:6.1f} ms   grown {self.grown / 2**20:5.1f} MB"
        )


class FindError(AssertionError):
    """An input that broke something; it is in `data`, and its number in the text."""

    def __init__(self, target: str, number: int, data: bytes, why: BaseException) -> None:
        super().__init__(f"{target}: input {number} raised {type(why).__name__}: {why} [{data.hex()}]")
        self.data = data


class Plain:
    """A parser: nothing is kept from input to input."""

    def __init__(self, feed: Callable[[bytes], None]) -> None:
        self.feed = feed

    def look(self) -> None:
        """Nobody else is here."""

    def close(self) -> None:
        """Nothing is held."""


_NUMBERS: Final = (0, 1, 2, 3, 4, 7, 8, 12, 16, 31, 32, 63, 64, 127, 128, 192, 200, 206, 254, 255)


def havoc(data: bytes, rng: random.Random) -> bytes:
    """One to five changes of the kinds that break parsers."""
    out = bytearray(data)
    for _ in range(1 + int(rng.random() ** 2 * 5)):
        what = int(rng.random() * 10)
        size = len(out)
        at = int(rng.random() * size)
        if what < 2 and size:
            out[at] ^= 1 << int(rng.random() * 8)
        elif what == 2 and size:
            out[at] = int(rng.random() * 256)
        elif what == 3 and size:
            out[at] = _NUMBERS[int(rng.random() * len(_NUMBERS))]
        elif what == 4 and size > 1:
            at = min(at, size - 2)
            out[at : at + 2] = (int(rng.random() * 65536) if at & 1 else at).to_bytes(2, "big")
        elif what == 5:
            del out[at:]
        elif what == 6:
            del out[at : at + 1 + int(rng.random() * 8)]
        elif what == 7:
            out[at:at] = rng.randbytes(1 + int(rng.random() * 8))
        elif what == 8 and size:
            out[at:at] = out[at : at + 1 + int(rng.random() * 40)]
        else:
            out += rng.randbytes(int(rng.random() * 24))
    return bytes(out[:2048])


def saved(name: str) -> list[bytes]:
    """Inputs kept in the repository: those that once broke something, and some that coverage chose."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def fuzz(target: Target, runs: int, seed: int = 0) -> Outcome:
    """Feed `runs` inputs, saved ones and seeds first; FindError tells the first that breaks something."""
    rng = random.Random(f"{target.name} {seed}")
    first = [*saved(target.name), *target.seeds()]
    mutate = target.mutate or havoc
    run = target.make()
    slowest, number, data = 0.0, 0, b""
    grown_from = 0
    begin = time.perf_counter()
    try:
        for number in range(runs):
            data = (
                first[number] if number < len(first) else mutate(first[int(rng.random() * len(first))], rng)
            )
            before = time.thread_time()  # the machine may have more to do than this
            run.feed(data)
            took = time.thread_time() - before
            if took > slowest:
                slowest = took
            if number % LOOK == LOOK - 1:
                run.look()
            if number == runs // 10:
                grown_from = resident_memory()
        run.look()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise FindError(target.name, number, data, error) from error
    finally:
        run.close()
    seconds = time.perf_counter() - begin
    return Outcome(target.name, runs, seconds, slowest, resident_memory() - grown_from)
