"""``python -m tests.fuzz.run [--runs N] [--seed N] [--keep DIR] [NAME...]``: a million inputs each.

Prints each target's rate, its slowest input and what the process has grown by. Exit status 1 if there was a
find, or an input that took too long, or a process that grew. A find is written to DIR; it belongs into
tests/fuzz/corpus/NAME once what it broke has been mended.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from tests.fuzz.everything import TARGETS
from tests.fuzz.target import GROWTH, SLOWEST, FindError, fuzz


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz.run")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}; all without")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in TARGETS]
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    wrong = 0
    for name in options.names or TARGETS:
        try:
            outcome = fuzz(TARGETS[name], options.runs, options.seed)
        except FindError as find:
            wrong += 1
            options.keep.mkdir(parents=True, exist_ok=True)
            file = options.keep / f"{name}-{hashlib.sha256(find.data).hexdigest()[:12]}"
            file.write_bytes(find.data)
            print(f"{find}\n  kept as {file}", flush=True)
            continue
        print(outcome, flush=True)
        if outcome.slowest > SLOWEST or outcome.grown > GROWTH:
            wrong += 1
            print(f"  {name}: too slow, or it grows", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
