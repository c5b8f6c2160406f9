"""Builds the wheel of these sources: `make wheel`.

    python3 packaging/build/wheel.py [FOLDER]

It takes any sources: a clone, one with changes, or an unpacked archive without Git. Wheel and hash go to
``dist``. Building needs PyPI and npm: hatchling, the page's packages, and Node if there is none.
uv builds if it is on the path; otherwise pip does, in an environment that is removed afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON_AT_LEAST = (3, 11)


class BuildError(Exception):
    """The wheel cannot be built; the text says what to do."""


def run(*command: str | Path) -> None:
    """Run a command, which tells its own errors."""
    if subprocess.run(command, cwd=str(ROOT), check=False).returncode != 0:  # noqa: S603
        raise BuildError(f"`{' '.join(map(str, command[:4]))} ...` failed: see above")


def build(out: Path) -> Path:
    """Build the wheel into the folder; return its path."""
    if sys.version_info < PYTHON_AT_LEAST:
        told = ".".join(map(str, PYTHON_AT_LEAST))
        raise BuildError(f"Python {told} or newer is needed: make wheel PYTHON=/path/to/python3")
    with tempfile.TemporaryDirectory(prefix="snug-wheel-") as made:
        if (uv := shutil.which("uv")) is not None:
            run(uv, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", made)
        else:
            python = Path(made) / "venv" / "bin" / "python"
            try:
                run(sys.executable, "-m", "venv", python.parents[1])
            except BuildError:
                raise BuildError("this Python makes no venv: on Debian, apt install python3-venv") from None
            run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", made, ".")
        (wheel,) = Path(made).glob("*.whl")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(wheel, out))


def main() -> int:
    """Build, and say what to do with the wheel."""
    out = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "dist"
    print("Building the wheel; this takes about a minute, most of it for the page.", flush=True)
    try:
        wheel = build(out)
    except BuildError as error:
        print(f"wheel: {error}", file=sys.stderr)
        return 1
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wheel.with_name(f"{wheel.name}.sha256").write_text(f"{digest}  {wheel.name}\n", encoding="utf-8")
    shown = os.path.relpath(wheel)
    print(f"{digest}  {shown}\n\nInstall it with one of:\n")
    print(f"    uv tool install {shown}\n    pipx install {shown}")
    print(f"    python3 -m venv ~/snug && ~/snug/bin/pip install {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
