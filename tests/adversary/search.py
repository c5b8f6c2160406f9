"""``python -m tests.adversary.search [--minutes N] [--hours N] [--rounds N] [--seed N]``: search for finds.

Each round has another seed and prints it. A violation is shrunk to the steps that it needs, printed as a
script with the tale of what happened, and kept in a file. It belongs into `findings.py`, as a test. With
PYTHONHASHSEED=0, a seed gives the same meetings in every run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import run_state_machine_as_test

from snugroom.lab.simulation.tale import ViolationError
from tests.adversary import known
from tests.adversary.machine import Adversary
from tests.adversary.meeting import Meeting
from tests.adversary.stage import Stage


def searching(examples: int, steps: int) -> settings:
    """Return the settings of a search. Scripts are shrunk here, by whole steps: that takes seconds."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
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


class Recorded(Adversary):
    """Keeps the script of the last meeting."""

    last: list[str] = []  # noqa: RUF012 - replaced, never changed

    def __init__(self) -> None:
        super().__init__()
        Recorded.last = self.script


def play(script: Sequence[str]) -> tuple[BaseException | None, Stage | None]:
    """Play a script; return what broke, and the stage."""
    names: dict[str, object] = {"begin": partial(Meeting, ignore=known.ignored)}
    try:
        for line in script:
            exec(line, names)  # noqa: S102 - a script of our own
    except Exception as error:
        stage = names.get("m")
        return error, stage if isinstance(stage, Stage) else None
    return None, None


def kind_of(error: BaseException | None) -> tuple[object, ...]:
    """Return what two violations have in common that are the same find."""
    if isinstance(error, ViolationError):
        return error.rule, error.about
    return (type(error),)


def shrunk(script: Sequence[str], kind: tuple[object, ...]) -> list[str]:
    """Return the script without the steps that a find does not need."""
    lines = list(script)
    for _ in range(2):
        for at in range(len(lines) - 1, 0, -1):
            without = [*lines[:at], *lines[at + 1 :]]
            if kind_of(play(without)[0]) == kind:
                lines = without
    return lines


def search(number: int, examples: int, steps: int) -> str | None:
    """Search with one seed; return the script and the tale of a find."""
    with contextlib.redirect_stdout(io.StringIO()), only_new_examples():
        try:
            run_state_machine_as_test(seed(number)(Recorded), settings=searching(examples, steps))
        except Exception as caught:
            whole, trouble = Recorded.last, caught
        else:
            return None
    error, stage = play(whole)
    if kind_of(error) != kind_of(trouble):
        traces = "".join(traceback.format_exception(trouble))
        return "\n".join(["It does not come again:", *whole, traces])
    script = shrunk(whole, kind_of(error))
    error, stage = play(script)
    told = "" if stage is None else stage.tale.told()
    trace = "" if isinstance(error, ViolationError) else "".join(traceback.format_exception(error))
    return "\n".join([f"{error}", trace, *script, "", told])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.adversary.search")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, help="instead of a time")
    parser.add_argument("--examples", type=int, default=50, help="meetings of one round")
    parser.add_argument("--steps", type=int, default=40, help="at most, of one meeting")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--keep", type=Path, default=Path("adversary-finds"))
    options = parser.parse_args(arguments)
    until = time.monotonic() + 60 * (options.minutes + 60 * options.hours or 10)
    number, finds = options.seed, 0
    while time.monotonic() < until if options.rounds is None else number < options.seed + options.rounds:
        began = time.monotonic()
        found = search(number, options.examples, options.steps)
        print(f"seed {number}: {options.examples} meetings in {time.monotonic() - began:.0f} s", flush=True)
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
