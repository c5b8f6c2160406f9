"""The sample project, outside the checkout and against the built wheel, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.test_make import uv
from tests.web.test_package import ROOT, build

SAMPLE: Final = ROOT / "docs" / "examples" / "sample-project"


class Site:
    """The sample project with an environment that has the wheel, and nothing of the checkout."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.project = folder / "sample-project"
        shutil.copytree(SAMPLE, self.project)
        self._venv = folder / "venv"
        self.run([uv(), "venv", "--quiet", str(self._venv)])
        python = str(self._venv / "bin" / "python")
        self.run([uv(), "pip", "install", "--quiet", "--python", python, f"{wheel}[test]", "mypy"])

    def run(self, command: Sequence[str]) -> str:
        """Run a command, which has to succeed; return its output."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))
        }
        done = subprocess.run(
            command, cwd=self.project, env=clean, check=False, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, *arguments: str) -> str:
        """Run this environment's Python; return its output."""
        return self.run([str(self._venv / "bin" / "python"), *arguments])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("sample")
    return Site(folder, build("wheel", folder / "wheel"))


def test_it_has_nothing_of_the_checkout(site: Site) -> None:
    told = site.python("-c", "import snugroom; print(snugroom.__file__)")
    assert "site-packages" in told
    assert str(ROOT) not in told


def test_its_tests_pass(site: Site) -> None:
    told = site.python("-m", "pytest", "-q")
    assert " passed" in told
    assert "snugroom" in site.python("-m", "pytest", "--version", "--version"), "pytest found the plugin"


def test_its_types_are_checked_strictly(site: Site) -> None:
    """And the check sees the kit's types: a wrong one is found."""
    assert "no issues found" in site.python("-m", "mypy", "--strict", ".")
    wrong = (
        "from snugroom import Participant\n\nasync def f(ada: Participant) -> None:\n    await ada.say(1)\n"
    )
    (site.project / "wrong.py").write_text(wrong)
    with pytest.raises(AssertionError, match='incompatible type "int"; expected "str"'):
        site.python("-m", "mypy", "--strict", "wrong.py")
