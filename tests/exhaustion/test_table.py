"""The table of threats is true: its tests, counters and settings exist."""

from __future__ import annotations

import functools
import re

import pytest

from snugroom.server.config import Settings
from snugroom.server.sfu.limits import MediaLimits
from tests.docs.test_docs import ROOT

TABLE = (ROOT / "docs/explanation/decisions/0034-hard-to-hurt.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| Threat"))
]


@functools.cache
def _sources(folder: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.py")))


@functools.cache
def _words(folder: str, pattern: str) -> frozenset[str]:
    return frozenset(re.findall(pattern, _sources(folder)))


@functools.cache
def _marked() -> frozenset[str]:
    """The tests of what is open, which fail."""
    return frozenset(
        re.search(r"def (\w+)", part).group(1)  # type: ignore[union-attr]  # a mark stands before a test
        for part in _sources("tests").split("pytest.mark.xfail(")[1:]
        if "strict=True" in part[:40]
    )


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_threat(row: list[str]) -> None:
    _, limit, counter, test = row
    for setting in re.findall(r"`(media\.)?([a-z]+_[a-z_]+)`", limit):
        known = MediaLimits if setting[0] else Settings
        assert setting[1] in known.__struct_fields__ or setting[1] in _sources("client/media")
    for name in re.findall(r"`([a-z_]+)(?:: [a-z]+)?`", counter):
        assert name in _words("server", r"\w+"), name
    for name in re.findall(r"`(\w+)`", test):
        assert name in _words("tests", r"\bdef (\w+)") or list(ROOT.glob(f"tests/**/{name}.py")), name
    # what is said to be open has a test that fails, and no other has
    assert ("open:" in limit) == bool(_marked() & set(re.findall(r"`(\w+)`", test)))
