"""``python -m tests.adversary.survey [--examples N] [--seed N] [--new]``: what it finds, and how soon.

Nothing is ignored and nothing stops it: each kind of violation is listed with the example in which it came
first, the number of examples with it, and the shortest tale of them.
"""

from __future__ import annotations

import argparse
import time
import traceback
from dataclasses import dataclass
from typing import ClassVar

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from snugroom.lab.simulation.tale import ViolationError
from tests.adversary import known
from tests.adversary.machine import Adversary
from tests.adversary.search import only_new_examples, searching
from tests.adversary.stage import Stage


@dataclass
class Finding:
    """All examples of one kind of violation."""

    first: int
    count: int
    powers: set[str]
    text: str
    tale: str


class Surveyed(Adversary):
    """Never fails, and takes notes."""

    findings: ClassVar[dict[tuple[str, str], Finding]] = {}
    examples: ClassVar[int] = 0
    only_new: ClassVar[bool] = False

    current: ClassVar[Surveyed | None] = None
    seen: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self) -> None:
        super().__init__()
        Surveyed.examples += 1
        Surveyed.current = self
        Surveyed.seen = set()

    @staticmethod
    def ignore(violation: ViolationError, stage: Stage) -> bool:
        """Count a violation, once an example."""
        kind = (violation.rule, violation.about)
        if Surveyed.only_new and known.ignored(violation, stage):
            return True
        if kind in Surveyed.seen:
            return True
        Surveyed.seen.add(kind)
        script = [] if Surveyed.current is None else Surveyed.current.script
        tale = stage.tale.told() + "\n    " + "\n    ".join(script)
        found = Surveyed.findings.setdefault(kind, Finding(Surveyed.examples, 0, set(), violation.text, tale))
        found.count += 1
        if found.count == 1:
            print(f"example {Surveyed.examples}: {violation}", flush=True)
        if Surveyed.current is not None:
            found.powers.add("+".join(sorted(Surveyed.current.powers)) or "nobody")
        if len(tale) < len(found.tale):
            found.tale, found.text = tale, violation.text
        return True


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.adversary.survey")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--new", action="store_true", help="leave out what known.py lists")
    parser.add_argument("--answered", nargs="*", default=[], help="entries of known.py that don't count")
    options = parser.parse_args(arguments)
    for name in options.answered:
        del known.KNOWN[name]
    Surveyed.only_new = options.new
    chosen = searching(options.examples, options.steps)
    began = time.monotonic()
    try:
        with only_new_examples():
            run_state_machine_as_test(seed(options.seed)(Surveyed), settings=chosen)
    except Exception:  # a program that breaks is a finding as well
        traceback.print_exc()
    took = time.monotonic() - began
    print(f"{Surveyed.examples} examples in {took:.0f} s")
    for (rule, about), found in sorted(Surveyed.findings.items(), key=lambda item: item[1].first):
        print(
            f"\n== {rule}: {about}: first in example {found.first}, in {found.count} of them,"
            f" with {sorted(found.powers)}"
        )
        print(f"   {found.text}\n{found.tale}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
