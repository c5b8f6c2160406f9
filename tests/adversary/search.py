"""``python -m tests.adversary.search [--minutes N] [--hours N] [--seed N]``: search until something breaks.

Each round has another seed and prints it. A violation is shrunk and printed as a script of `Meeting`'s steps,
with the tale of what happened, and kept in a file. It belongs into `findings.py`, as a test of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import run_state_machine_as_test

from tests.adversary.machine import Adversary

#: Examples of one round.
ROUND = 50


def searching(examples: int, steps: int, *, shrink: bool = True) -> settings:
    """Return the settings of a search."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


@contextlib.contextmanager
def only_new_examples() -> Iterator[None]:
    """Keep hypothesis from trying variants of each example.

    That finds little here: meetings are long, and most steps need others before them.
    """
    with patch.object(ConjectureRunner, "generate_mutations_from", lambda runner, data: None):
        yield


def search(number: int, steps: int) -> str | None:
    """Search with one seed; return the script and the tale of a find."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), only_new_examples():
        try:
            run_state_machine_as_test(
                seed(number)(type("Adversary", (Adversary,), {})), settings=searching(ROUND, steps)
            )
        except Exception as error:
            notes = "\n".join(getattr(error, "__notes__", []))
            return f"{''.join(traceback.format_exception(error))}\n{notes}\n{printed.getvalue()}"
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.adversary.search")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--steps", type=int, default=40, help="at most, of one meeting")
    parser.add_argument("--keep", type=Path, default=Path("adversary-finds"))
    options = parser.parse_args(arguments)
    until = time.monotonic() + 60 * (options.minutes + 60 * options.hours or 10)
    number, finds = options.seed, 0
    while time.monotonic() < until:
        began = time.monotonic()
        found = search(number, options.steps)
        print(f"seed {number}: {ROUND} meetings in {time.monotonic() - began:.0f} s", flush=True)
        if found is not None:
            finds += 1
            options.keep.mkdir(parents=True, exist_ok=True)
            file = options.keep / f"{number}.txt"
            file.write_text(found, encoding="utf-8")
            print(f"{found}\n  kept as {file}", flush=True)
        number += 1
    return 1 if finds else 0


if __name__ == "__main__":
    raise SystemExit(main())
