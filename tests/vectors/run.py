"""Run public test vectors of MLS (RFC 9420) and SFrame (RFC 9605): `run.py PATH...`, files or folders.

The family is told from the file's name. Each file gets a line, each failure one with its index and reason;
the last line is `N passed, M failed`. The exit status is 0 only when something passed and nothing failed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.vectors import mls_groups, mls_primitives, mls_trees  # noqa: E402 - the path has to be set before
from tests.vectors.mls_family import Entry, run_entries  # noqa: E402
from tests.vectors.result import Result  # noqa: E402

MLS_FAMILIES: dict[str, Entry] = {
    **mls_primitives.FAMILIES,
    **mls_trees.FAMILIES,
    **mls_groups.FAMILIES,
}
SFRAME_KEYS = frozenset({"header", "aes_ctr_hmac", "sframe"})


def mls_family(path: Path) -> str | None:
    """`1-treekem.json`, `tree_math.json`, `passive-client-random.json` -> the family's name."""
    name = _letters(path.stem)
    known = sorted(MLS_FAMILIES, key=len, reverse=True)
    return next((family for family in known if _letters(family) in name), None)


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name.lower()))


def is_sframe(path: Path, data: object) -> bool:
    """By the file's name or its folder's, or by the sections of RFC 9605's file."""
    named = any("sframe" in part.lower() for part in (path.stem, path.parent.name))
    return named or (isinstance(data, dict) and not SFRAME_KEYS.isdisjoint(data))


def run_file(path: Path) -> tuple[str, Result]:
    """(family, result) of a file. A vector that can't be run is a failure."""
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return "unreadable", Result(failed=[f"{path.name}: {error}"])
    family = mls_family(path)
    if family is not None and "sframe" not in path.stem.lower():
        return family, run_entries(MLS_FAMILIES[family], data)
    if is_sframe(path, data):
        return "sframe", _sframe(path, data)
    return "unknown", Result(failed=[f"{path.name}: the name tells no family of vectors"])


def _sframe(path: Path, data: object) -> Result:
    from tests.vectors import sframe_family

    try:
        return sframe_family.run(data)
    except Exception as error:
        return Result(failed=[f"{path.name}: {type(error).__name__}: {error}"])


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, and folders' *.json, recursively, in order."""
    found = []
    for path in paths:
        found += sorted(path.rglob("*.json")) if path.is_dir() else [path]
    return found


def main(arguments: list[str]) -> int:
    if not arguments:
        print("usage: run.py PATH...", file=sys.stderr)
        return 2
    passed = failed = skipped = 0
    for path in files_of(map(Path, arguments)):
        family, result = run_file(path)
        counts = f"{result.passed} passed, {len(result.failed)} failed, {len(result.skipped)} skipped"
        print(f"{path}: {family}: {counts}")
        for text in result.failed:
            print(f"    FAILED {text}")
        for reason in sorted(set(result.skipped)):
            print(f"    skipped {result.skipped.count(reason)} x {reason}")
        passed, failed = passed + result.passed, failed + len(result.failed)
        skipped += len(result.skipped)
    if skipped:
        print(f"{skipped} skipped: they count neither as passed nor as failed")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
