"""Checks the models in `docs/model` with Spin: ``python -m tests.model.run`` (docs/explanation/model.md).

A model is a file for Spin. The comment at its beginning lists the checks, a line each:

    ends: TEXT                            no run goes round in circles
    run NAME...: TEXT                     all properties hold with these definitions, too
    mutant NAME breaks PROPERTY: TEXT     this definition takes a check away, and the property is violated
    limit NAME breaks PROPERTY: TEXT      the same for an act that the protocol does not prevent
    large NAME=VALUE...                   a larger size, for `--all`

A property of safety is a variable: ``bool NAME = true; /* its meaning */``. The model asserts it. One of
liveness is a formula: ``ltl NAME { FORMULA } /* its meaning */``. It is violated by a run that never ends, in
which each process that could take a step does (weak fairness).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "model"
TOOLS: Final = ("spin", "gcc")
#: Seconds that one check may take.
TIMEOUT: Final = 3600
#: Checks at a time.
WORKERS: Final = 2
#: Up to this many times 32 processes, weak fairness.
_FAIR: Final = 3
#: Megabytes of one check.
_MEMORY: Final = 4000

_PROPERTY: Final = re.compile(r"^bool (\w+) = true; +/\* (.+?) \*/$", re.MULTILINE)
_FORMULA: Final = re.compile(r"^ltl (\w+) \{ .+ \} +/\* (.+?) \*/$", re.MULTILINE)
_MUTANT: Final = re.compile(r"^ +(mutant|limit) (\w+) breaks (\w+): (.+?)(?: \*/)?$", re.MULTILINE)
_RUN: Final = re.compile(r"^ +run ([\w= ]+): ", re.MULTILINE)
_LARGE: Final = re.compile(r"^ +large ([\w= ]+?)(?: \*/)?$", re.MULTILINE)
_ENDS: Final = re.compile(r"^ +ends: ", re.MULTILINE)


class ModelError(Exception):
    """Spin or gcc failed, or the search was not complete."""


@dataclass(frozen=True)
class Check:
    """One run of Spin. It has to violate the property `breaks`, or none if that is empty."""

    model: str
    definitions: tuple[str, ...] = ()
    breaks: str = ""
    kind: str = ""  # "mutant" or "limit", for one that breaks a property
    cycles: bool = False
    text: str = ""
    #: The formula to check; empty: what the model asserts.
    formula: str = ""
    #: Search breadth-first, for the shortest way to a violation.
    shortest: bool = False


@dataclass(frozen=True)
class Result:
    """The errors that Spin has found. `violated` is a property, "a cycle", or empty."""

    violated: str
    states: int
    seconds: float
    steps: tuple[str, ...] = ()  # the way to the violation


@dataclass(frozen=True)
class Model:
    """A model's file, and the properties in it: name to meaning."""

    path: Path
    properties: dict[str, str]
    checks: tuple[Check, ...]
    large: tuple[Check, ...]

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read the file. ModelError unless each property has a mutant or limit, and they break no other."""
        source, name = path.read_text(encoding="utf-8"), path.stem
        header = source[: source.index("*/") + 2]
        block = source.partition("/* Properties. */")[2].partition("\n\n")[0]
        asserted, formulas = dict(_PROPERTY.findall(block)), dict(_FORMULA.findall(block))
        properties = asserted | formulas
        runs = [(), *(tuple(found.split()) for found in _RUN.findall(header))]

        def holds(definitions: tuple[str, ...]) -> list[Check]:
            safe = [Check(name, definitions)] if asserted else []
            return safe + [Check(name, definitions, formula=each) for each in formulas]

        checks = [check for run in runs for check in holds(run)]
        if _ENDS.search(header):
            checks += [Check(name, run, cycles=True) for run in runs]
        mutants = _MUTANT.findall(header)
        checks += [
            Check(name, (define,), breaks, kind, text=text, formula=breaks)
            if breaks in formulas
            else Check(name, (define,), breaks, kind, text=text, shortest=True)
            for kind, define, breaks, text in mutants
        ]
        broken = {breaks for _, _, breaks, _ in mutants}
        if broken != properties.keys():
            raise ModelError(
                f"{path.name}: mutants break {sorted(broken)}, properties are {sorted(properties)}"
            )
        large = [
            check
            for sizes in _LARGE.findall(header)
            for run in runs
            for check in holds((*run, *sizes.split()))
        ]
        return cls(path, properties, tuple(checks), tuple(large))


def models() -> list[Model]:
    """Return all models, in the order of their names."""
    return [Model.load(path) for path in sorted(FOLDER.glob("*.pml"))]


def missing_tools() -> list[str]:
    """Return the programs that are needed and not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def source_for(check: Check) -> str:
    """Return the model's source; for a check that breaks a property, without the assertions of all others."""
    source = (FOLDER / f"{check.model}.pml").read_text(encoding="utf-8")
    if check.breaks and not check.formula:
        source = re.sub(r"\bassert\((?!" + check.breaks + r"\))\w+\)", "skip", source)
    return source


def perform(check: Check) -> Result:
    """Run Spin. ModelError if the search is not complete."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="snug-model-") as folder:
        (Path(folder) / "model.pml").write_text(source_for(check), encoding="utf-8")
        spin = ["spin", *(f"-D{definition}" for definition in check.definitions)]
        _call([*spin, "-a", "model.pml"], folder)
        search = "-DNP" if check.cycles else "-DBFS" if check.shortest else "-DSAFETY"
        search = f"-DNFAIR={_FAIR}" if check.formula else search
        flags = [
            "-O0" if check.breaks else "-O1",
            "-w",
            search,
            "-DNOREDUCE",
            "-DCOLLAPSE",
            f"-DMEMLIM={_MEMORY}",
            *([] if check.formula else ["-DNOCLAIM"]),
        ]
        _call(["gcc", *flags, "-o", "pan", "pan.c"], folder)
        # -E: an atomic step whose guard fails in the middle is no deadlock.
        depth = [] if check.shortest else ["-m6000000"]
        cycles = ["-l"] if check.cycles else ["-a", "-f", "-N", check.formula] if check.formula else []
        report = _call(["./pan", "-E", *cycles, *depth], folder)
        violated, states = _read(report, check)
        steps = _call([*spin, "-t", "model.pml"], folder) if violated and not check.cycles else ""
    if violated and not (check.shortest or check.cycles or check.formula):
        return perform(replace(check, shortest=True))
    found = tuple(line.strip()[5:] for line in steps.splitlines() if line.strip().startswith("step "))
    return Result(violated, states, time.monotonic() - began, found)


def _read(report: str, check: Check) -> tuple[str, int]:
    """Return the violated property, and the number of states."""
    states = re.search(r"^ *([\d.e+]+) states, stored", report, re.MULTILINE)
    errors = re.search(r"errors: (\d+)", report)
    # The search needed more memory than `_MEMORY`, or was deeper than the stack.
    cut = "Search not completed" in report or "max search depth too small" in report
    if states is None or errors is None or (errors[1] == "0" and cut):
        raise ModelError(f"{check.model}: the search is not complete\n{report}")
    violated = ""
    if int(errors[1]):
        asserted = re.search(r"assertion violated \(?(\w+)", report)
        circles = check.formula if "acceptance cycle" in report else "a cycle" if check.cycles else ""
        violated = asserted[1] if asserted else circles or "unknown"
    return violated, int(float(states[1]))


def _call(command: Sequence[str], folder: str) -> str:
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=TIMEOUT, errors="replace"
    )
    if done.returncode not in (0, 1) or (done.returncode and command[0] != "./pan"):
        raise ModelError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def verdict(check: Check, result: Result) -> tuple[bool, str]:
    """Return whether the result is as it has to be, and a line about it."""
    size = f"{result.states:>10,} states {result.seconds:6.1f} s"
    what = " ".join(check.definitions)
    if not check.breaks:
        name = f"{check.formula} holds" if check.formula else "all properties hold"
        name = "every run ends" if check.cycles else name
        if result.violated:
            return False, f"{check.model:<10} {what:<26} {size}  VIOLATED: {result.violated}"
        return True, f"{check.model:<10} {what:<26} {size}  {name}"
    after = f"{check.breaks} is violated after {len(result.steps)} steps"
    if result.violated != check.breaks:
        return False, f"{check.model:<10} {check.kind} {what:<19} {size}  NOT CAUGHT: {check.breaks} holds"
    told = "is caught" if check.kind == "mutant" else "is a limit"
    return True, f"{check.model:<10} {check.kind} {what:<19} {size}  {told}: {after}"


def run(checks: Sequence[Check]) -> bool:
    """Perform the checks, two at a time, and print a line for each; return whether all are as expected."""
    fine = True
    with ThreadPoolExecutor(WORKERS) as pool:
        for check, result in zip(checks, pool.map(perform, checks), strict=True):
            good, line = verdict(check, result)
            fine = fine and good
            print(line, flush=True)
            if not good:
                print(*(f"    {number:>3}. {step}" for number, step in enumerate(result.steps, 1)), sep="\n")
    return fine


def _chosen(arguments: argparse.Namespace) -> Iterator[Check]:
    for model in models():
        if not arguments.models or model.path.stem in arguments.models:
            yield from model.checks
            yield from model.large if arguments.all else ()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. 0: as it has to be, or skipped; 1: not."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.model.run", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("models", nargs="*", help="only these models (default: all)")
    parser.add_argument("--all", action="store_true", help="larger sizes, too: minutes, and gigabytes")
    parser.add_argument("--required", action="store_true", help="fail if spin or gcc is missing")
    parser.add_argument("--trail", metavar="MUTANT", help="print the way to the violation, a step a line")
    arguments = parser.parse_args(argv)
    missing = missing_tools()
    if missing:
        print(f"The models are not checked: cannot find {' and '.join(missing)} (apt-get install spin gcc).")
        return 1 if arguments.required else 0
    chosen = list(_chosen(arguments))
    if arguments.trail:
        chosen = [check for check in chosen if check.breaks and check.definitions == (arguments.trail,)]
        for check in chosen:
            print(*perform(check).steps, sep="\n")
        return 0 if chosen else 1
    began = time.monotonic()
    fine = run(chosen)
    print(
        f"{len(chosen)} checks in {time.monotonic() - began:.0f} s: {'all as expected' if fine else 'FAILED'}"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
