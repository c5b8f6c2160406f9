"""`make demo` and `make test` set up what they need in either order, twice, and leave each other alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: The target that sets up each of the two commands.
TARGETS = {"demo": "setup-demo", "test": "setup"}


def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    assert Path(found).exists(), "make installs uv into .uv if it is not on the path"
    return found


class Clone:
    """A copy of the sources without anything that was installed or built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() or (ROOT / name).is_symlink():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)

    def make(self, target: str) -> str:
        """What it printed."""
        # the page's own build has its tests
        environment = {**os.environ, "SNUG_SKIP_PAGE": "1", "UV_LINK_MODE": "hardlink"}
        for name in ("MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV"):
            environment.pop(name, None)
        done = subprocess.run(
            ["make", target, f"UV={uv()}"],
            cwd=self.folder, env=environment, check=False, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has(self, module: str) -> bool:
        python = self.folder / ".venv" / "bin" / "python"
        return (
            subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode
            == 0
        )

    def runs(self) -> bool:
        snug = self.folder / ".venv" / "bin" / "snug"
        return subprocess.run([snug, "--help"], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("order", [("demo", "test"), ("test", "demo")], ids=" then ".join)
def test_both_commands_set_up_what_they_need_in_either_order(order: tuple[str, str], tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    for place, command in enumerate(order):
        assert "Installing" in clone.make(TARGETS[command])
        assert clone.runs()
        # the demo brings no tests' packages, and takes none away
        assert clone.has("pytest") == ("test" in order[: place + 1])
    for command in order:
        assert "Installing" not in clone.make(TARGETS[command]), "nothing is left to do"
    assert clone.runs()
    assert clone.has("pytest")
