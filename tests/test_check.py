"""`make check` runs something of every module, but for those that `tests/tiers.toml` names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiers import Tiers, files

ROOT = Path(__file__).parents[1]
SOURCES = ("client", "crypto", "lab", "server", "wire")


@pytest.mark.timeout(900)  # measured, the tests of `make check` take twice as long
def test_every_module_has_a_function_that_it_runs(tmp_path: Path) -> None:
    tiers = Tiers.load()
    report = tmp_path / "coverage.json"
    settings = tmp_path / "coveragerc"
    settings.write_text(f"[run]\ndata_file = {tmp_path / 'coverage'}\n")
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "--tier", "check", *files(tiers.check)]
    measured = [f"--cov={folder}" for folder in SOURCES]
    done = subprocess.run(
        [*command, *measured, f"--cov-config={settings}", f"--cov-report=json:{report}"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    modules = json.loads(report.read_text(encoding="utf-8"))["files"]
    idle = {name for name, module in modules.items() if not runs(module["functions"])}
    assert len(modules) > 250
    listed = set(tiers.not_in_check)
    assert idle == listed, f"idle: {sorted(idle - listed)}; listed, and not idle: {sorted(listed - idle)}"


def runs(functions: dict[str, dict[str, list[int]]]) -> bool:
    """Whether a line of one of the functions ran; a module without functions runs when it is imported."""
    inside = [lines["executed_lines"] for name, lines in functions.items() if name]
    return not inside or any(inside)
