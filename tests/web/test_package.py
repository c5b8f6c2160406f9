"""The wheel contains the page as it is served, the sdist also its sources."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from snugroom.server import page

ROOT: Final = Path(__file__).resolve().parents[2]


def build(kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    [made] = out.iterdir()
    return made


def test_the_wheel_carries_the_page_and_nothing_that_it_is_built_of(bundle: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(build("wheel", tmp_path / "out")) as archive:
        archive.extractall(site)  # noqa: S202 - made here, just now
    assert page.load(site / "snugroom" / "server" / "page" / "bundle").hash == page.load().hash
    for name in ("landlord", "projector", "phone"):
        assert (site / "snugroom" / "server" / "page" / name / "index.html").is_file()
    assert not (site / "snugroom" / "client" / "web").exists()
    start = "import sys; from snugroom.command import main; sys.exit(main())"
    told = subprocess.run(
        [sys.executable, "-P", "-c", start, "page", "--hash"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (told.returncode, told.stdout.strip()) == (0, page.load().hash), told.stderr


def test_the_sdist_carries_the_page_and_its_sources(bundle: Path, tmp_path: Path) -> None:
    """An installation from it needs no npm registry, and can build the page all the same."""
    with tarfile.open(build("sdist", tmp_path / "out")) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    for name in page.load().files:
        assert f"server/page/bundle/{name}" in names
    for name in ("node.py", "build.mjs", "package-lock.json", "src/app/main.tsx", "src/worker/main.ts"):
        assert f"client/web/{name}" in names
    assert any(name.startswith("client/web/patches/") for name in names)
    assert not any("node_modules" in name for name in names)
