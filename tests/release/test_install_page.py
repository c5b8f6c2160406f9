"""The install page, executed from nothing: its commands, in order, by somebody without Git and uv."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Final

import pytest

from snugroom.installed import VERSION
from tests.cli.processes import free_port
from tests.docs.commands import commands
from tests.docs.test_commands import table
from tests.test_make import ROOT, Clone

PAGE: Final = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
ADDRESS: Final = "127.0.0.1:8080"
#: How far a size on a page may be from the one that is measured: file systems and versions differ.
TOLERANCE: Final = 0.15


def said(pattern: str, text: str = PAGE) -> int:
    """The one number that a page says."""
    (number,) = re.findall(pattern, text)
    return int(number)


def megabytes(folder: Path) -> float:
    """Return what `du -sm` says."""
    found = {
        (each.st_dev, each.st_ino): each.st_blocks for path in folder.rglob("*") for each in [path.lstat()]
    }
    return sum(found.values()) * 512 / 2**20


class Newcomer:
    """A home, sources that Git does not know, and a path with Python and the system's programs."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        bin_ = folder / "bin"
        bin_.mkdir()
        (bin_ / "python3").symlink_to(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
        kept = {
            name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy") or "CERT" in name
        }
        self.environment = kept | {"HOME": str(folder), "PATH": f"{bin_}:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def types(self, lines: list[str]) -> str:
        """The output of a shell for these lines."""
        done = subprocess.run(
            ["sh", "-euc", "\n".join(lines)], cwd=self.home, env=self.environment,
            check=False, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def steps() -> list[str]:
    """The page's commands from the sources to the first run."""
    group = next(
        each for each in table()["covered"] if each["by"].startswith("tests/release/test_install_page.py")
    )
    part = PAGE.partition("## Build the package")[2].partition("## From a registry")[0]
    return [each.text for each in commands("install", part) if each.text in group["commands"]]


@pytest.mark.timeout(900)
def test_a_newcomer_builds_installs_and_runs_it(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path)
    clone, *lines = steps()
    assert clone == "git clone URL snug"
    Clone(tmp_path / "snug")
    assert lines[-2:] == ["snug --version", "snug-server"]
    told = newcomer.types(lines[:-1])
    sources, venv = tmp_path / "snug", tmp_path / "snug-venv"
    (wheel,) = (sources / "dist").glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert wheel.with_name(f"{wheel.name}.sha256").read_text() == f"{digest}  {wheel.name}\n"
    for line in (f"{digest}  dist/{wheel.name}", f"    uv tool install dist/{wheel.name}", f"snug {VERSION}"):
        assert line in told.splitlines()
    names = zipfile.ZipFile(wheel).namelist()
    assert [
        name for name in names if name.endswith("/.built") or "/tests/" in name or "/client/web/" in name
    ] == []
    assert not {".venv", ".uv", "build"} & {each.name for each in sources.iterdir()}, (
        "only what building needs"
    )

    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [venv / "bin/snug-server", "--listen", address], cwd=tmp_path, env=newcomer.environment,
        stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        try:
            assert f"listening on http://{address}" in server.stdout.readline()
            assert f"listening on http://{ADDRESS}" in PAGE
            with urllib.request.urlopen(f"http://{address}/") as answer:
                assert b"<title>Snug</title>" in answer.read()
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0

    for wanted, there in (
        (said(r"about (\d+) MB of disk"), megabytes(sources)),
        (said(r"the package, (\d+) MB"), wheel.stat().st_size / 10**6),
        (said(r"\| `snugroom` \|.*\| (\d+) MB \|") + said(r"pip has (\d+) MB more"), megabytes(venv)),
    ):
        assert there == pytest.approx(wanted, rel=TOLERANCE)


def test_make_says_the_sizes_that_it_installs() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert said(r"runs with \(about (\d+) MB", text) == said(r"\| `snugroom` \|.*\| (\d+) MB \|")
    assert megabytes(ROOT / ".venv") == pytest.approx(
        said(r"tests run with \(about (\d+) MB", text), rel=TOLERANCE
    )


def test_a_release_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path)
    Clone(tmp_path / "snug")
    done = subprocess.run(
        ["make", "release"], cwd=tmp_path / "snug", env=newcomer.environment,
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"git checkout v{VERSION}" in done.stderr
    assert "run make wheel" in done.stderr
    assert not (tmp_path / "snug/.venv").exists()
