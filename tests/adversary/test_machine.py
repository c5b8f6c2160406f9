"""A short search, the same in every run: `make adversary` searches for hours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from snugroom.lab.simulation.tale import ViolationError
from tests.adversary.search import play, shrunk

ROOT = Path(__file__).parents[2]


def test_a_short_search_finds_nothing_new(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.adversary.search", "--rounds", "2", "--examples", "8"]
    done = subprocess.run(
        [*command, "--seed", "3", "--keep", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("8 meetings") == 2


def test_a_find_is_shrunk_to_the_steps_that_it_needs() -> None:
    begin, fails = "m = begin(('Ada', 'Bo'))", "m.fail('secrecy', 'it', 'text')"
    script = [begin, "m.says('Ada')", "m.wait(1.0)", fails, "m.says('Bo')"]
    error, _ = play(script)
    assert isinstance(error, ViolationError)
    assert shrunk(script, ("secrecy", "it")) == [begin, fails]
