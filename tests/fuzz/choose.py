"""``python -m tests.fuzz.choose [--runs N] [NAME...]``: a small corpus, chosen by the lines that they reach.

For targets that keep nothing from input to input. Chosen ones are written to tests/fuzz/corpus/NAME: `fuzz`
feeds them first, and makes others of them.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from types import FrameType
from typing import Any

from tests.fuzz.everything import TARGETS
from tests.fuzz.target import CORPUS, Plain, Target, havoc

_OURS = ("/server/", "/client/", "/crypto/")


class Lines:
    """Which lines of ours one call has passed, and from which to which."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, int]] = set()
        self._before = 0

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in _OURS):
            return None
        if event == "line":
            self.seen.add((frame.f_code.co_filename, self._before, frame.f_lineno))
            self._before = frame.f_lineno
        return self


def passed(run: Plain, data: bytes) -> set[tuple[str, int, int]]:
    """The lines that `feed` runs for this input."""
    lines = Lines()
    sys.settrace(lines)
    try:
        run.feed(data)
    finally:
        sys.settrace(None)
    return lines.seen


def choose(target: Target, runs: int, seed: int = 0) -> list[bytes]:
    """Of so many inputs those that went where none before them did; made of the seeds and of each other."""
    run = target.make()
    assert isinstance(run, Plain)
    rng = random.Random(f"{target.name} {seed}")
    mutate = target.mutate or havoc
    known: set[tuple[str, int, int]] = set()
    seeds = list(target.seeds())
    for data in seeds:
        known |= passed(run, data)
    chosen: list[bytes] = []
    for _ in range(runs):
        data = mutate(rng.choice(seeds + chosen), rng)[:600]
        new = passed(run, data) - known
        if new:
            known |= new
            chosen.append(data)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.fuzz.choose")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=20_000)
    options = parser.parse_args()
    for name, target in TARGETS.items():
        if (options.names and name not in options.names) or not isinstance(target.make(), Plain):
            continue
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        chosen = choose(target, options.runs)
        for data in chosen:
            (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
        print(f"{name:16} {len(chosen)} inputs, {sum(map(len, chosen))} bytes")


if __name__ == "__main__":
    main()
