"""Snug, installed from wheel and sdist beside a project with folders of the same names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_make import uv
from tests.web.test_package import build

OWN = ("client", "server", "crypto", "wire", "lab")


def run(folder: Path, *command: str | Path) -> str:
    """Run a command in the folder, without Node and npm in the path; return its output."""
    environment = {**os.environ, "PATH": "/nowhere"}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_runs_beside_a_project_that_has_folders_of_the_same_names(
    kind: str, bundle: Path, tmp_path: Path
) -> None:
    made = build(kind, tmp_path / "out")
    project = tmp_path / "project"
    for name in OWN:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(f"OWN = {name!r}\n")
    python = project / ".venv" / "bin" / "python"
    run(project, uv(), "venv", "--quiet", "--python", sys.executable, ".venv")
    run(project, uv(), "pip", "install", "--quiet", "--python", python, made)
    # the project's own modules are the ones that it imports, and Snug's have one name
    told = run(project, python, "-c", f"import {', '.join(OWN)}; print({', '.join(f'{n}.OWN' for n in OWN)})")
    assert told.split() == list(OWN)
    packages = run(project, python, "-c", "import snugroom.command, sys; print(*sys.path[-1:])").strip()
    ours = {entry.name for entry in Path(packages).iterdir() if "snug" in entry.name}
    assert {name.partition("-")[0] for name in ours} == {"snugroom"}
    assert not any((Path(packages) / name).exists() for name in OWN)
    lines = run(project, project / ".venv" / "bin" / "snug", "demo", "--seconds", "5", "--json").splitlines()
    result = json.loads(lines[-1])
    assert (result["event"], result["failures"]) == ("demo", []), result
