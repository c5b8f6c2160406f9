"""Builds a release of the tag that is checked out: `make release`. The outputs are in ``dist/VERSION``.

    python packaging/build/release.py [FOLDER]
    python packaging/build/release.py --check

`--check` only says whether a release can be built here, before anything is installed for it.

The outputs are the wheel, the sdist, the bill of materials, the page's hash, and SHA256SUMS of these four.
Two builds of one tag with the same Python and hatchling are the same, byte for byte (tests/release).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from sbom import bill  # type: ignore[import-not-found]  # beside this script

ROOT: Final = Path(__file__).resolve().parents[2]


class ReleaseError(Exception):
    """No release can be built of what is here; the text is a sentence."""


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ReleaseError(f"{command[0]} is needed, and is not installed") from None
    if done.returncode != 0:
        raise ReleaseError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def check(version: str) -> None:
    """Raise ReleaseError unless the tag of this version is checked out, and nothing else."""
    tag = f"v{version}"
    # without Git's folder, the commands of Git would speak of a repository around this one
    if not (ROOT / ".git").exists() or tag not in _output("git", "tag", "--points-at", "HEAD").split():
        raise ReleaseError(
            f"a release is built of its tag, and {tag} is not checked out: git checkout {tag}, or tag one "
            "as CONTRIBUTING.md says. To install Snug from these sources, run make wheel"
        )
    # files that git does not know would be in the sdist as well
    if changed := _output("git", "status", "--porcelain"):
        raise ReleaseError(f"the files differ from the tag {tag}; a new clone has none of these:\n{changed}")


def check_notes(page_hash: str) -> None:
    """Raise ReleaseError unless the release notes name the page."""
    if page_hash not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        raise ReleaseError(f"CHANGELOG.md does not name the page {page_hash}: run make note before the tag")


def build(out: Path) -> list[Path]:
    """Build everything into a new folder; return the files, SHA256SUMS last."""
    version = _version()
    check(version)
    _output(sys.executable, "client/web/node.py")
    manifest = ROOT / "server/page/bundle/manifest.json"
    page_hash = json.loads(manifest.read_text(encoding="utf-8"))["hash"]
    check_notes(page_hash)
    made = _output("git", "log", "-1", "--format=%ct")
    os.environ["SOURCE_DATE_EPOCH"] = made
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for kind in ("wheel", "sdist"):
        _output(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out))
    name = f"snugroom-{version}"
    (out / f"{name}.cdx.json").write_text(bill(ROOT, page_hash, int(made)), encoding="utf-8")
    (out / f"{name}.page-hash").write_text(f"{page_hash}\n", encoding="utf-8")
    files = sorted(out.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    return [*files, out / "SHA256SUMS"]


def main() -> int:
    version = _version()
    try:
        if sys.argv[1:] == ["--check"]:
            check(version)
            return 0
        files = build(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "dist" / version)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for file in files:
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
