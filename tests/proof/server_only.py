"""`snug-server`, started from a tree that holds only server/ and wire/ of this project.

This project is installed into the environment that tests run in, so a copy of the folder isn't enough: the
interpreter starts without `site` (no .pth file, no PYTHONPATH, no current directory), and sees the standard
library, the copy, and links to the other installed packages.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]

_START = """
import sys
tree, packages = sys.argv[1:3]
del sys.argv[1:3]
sys.path[:] = [tree, *sys.path, packages]
"""

# afterwards it says what it was made of: the names and files of all modules
_SERVE = """
import json, runpy
try:
    runpy.run_module("snugroom.server", run_name="__main__", alter_sys=True)
finally:
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    print("modules " + json.dumps(files), flush=True)
"""


class Tree:
    """The tree, made in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tree"
        self._packages = folder / "packages"
        package = self.path / "snugroom"
        package.mkdir(parents=True)
        self._packages.mkdir()
        for name in ("__init__.py", "installed.py"):
            shutil.copy(ROOT / "snugroom" / name, package)
        for name in ("server", "wire"):
            shutil.copytree(
                ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            for entry in Path(place).iterdir():
                if not entry.name.startswith("snug") and entry.suffix != ".pth":
                    (self._packages / entry.name).symlink_to(entry)

    def python(self, code: str, *arguments: str) -> list[str]:
        """The command that runs some code in there."""
        start = _START + code
        isolated = [sys.executable, "-I", "-S", "-B", "-c", start]
        return [*isolated, str(self.path), str(self._packages), *arguments]

    def server(self, *arguments: str) -> list[str]:
        """The command that serves from there."""
        return self.python(_SERVE, *arguments)
