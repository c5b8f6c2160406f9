"""The page of attacks names tests, scenes and models that exist, and every invariant has its row."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from snugroom.lab.attacks.scenes import SCENES
from tests.docs.structure import parsed, statements
from tests.docs.test_docs import ROOT, chapter, page

ATTACKS = "docs/reference/attacks.md"


@cache
def existing() -> frozenset[str]:
    """The names of all tests in Python, and the titles of those in TypeScript."""
    names = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in statements(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
    for path in (ROOT / "tests/web/unit").rglob("*.test.ts"):
        names |= set(re.findall(r'\b(?:test|it)\(\s*"([^"]+)"', path.read_text(encoding="utf-8")))
    return frozenset(names)


def named(text: str) -> set[str]:
    """The tests that a text names: functions in backquotes, titles in quotation marks at the end of a row."""
    tests = text.rpartition(" | ")[2]
    return set(re.findall(r"`(test_\w+)`", text)) | set(re.findall(r'"([^"]+)"', tests))


def rows(heading: str) -> list[str]:
    lines = chapter(page(ATTACKS), heading).splitlines()
    return [line for line in lines if line.startswith("| ")][1:]


def numbers(heading: str) -> list[str]:
    return [row.split("|")[1].strip() for row in rows(heading)]


def test_every_test_of_an_attack_exists() -> None:
    found = {name for line in page(ATTACKS).splitlines() for name in named(line)}
    assert len(found) > 90
    assert len(existing()) > 1500
    assert found - existing() == set()


@pytest.mark.parametrize(
    ("heading", "count"),
    [
        ("## Attacks on membership over time", 16),
        ("## The page's edges", 12),
        ("## Attacks on the server", 20),
        ("## Meetings that move", None),
        ("## Smaller findings", None),
        ("## Attacks that achieved nothing", None),
    ],
)
def test_every_attack_has_a_test(heading: str, count: int | None) -> None:
    assert all(named(row) for row in rows(heading))
    if count is not None:
        assert numbers(heading) == [str(n) for n in range(1, count + 1)]


def test_every_scene_and_model_exists() -> None:
    text = page(ATTACKS)
    scenes = set(re.findall(r"scene `(\w+)`", text))
    assert len(scenes) >= 9
    assert scenes <= {scene.id for scene in SCENES}
    models = {
        name
        for found in re.findall(r"models? ((?:`\w+`(?:, )?)+)", text)
        for name in re.findall(r"\w+", found)
    }
    assert models == {"sync", "admission", "rejoin", "hosts", "gates", "verdicts"}
    assert all((ROOT / f"docs/model/{name}.pml").is_file() for name in models)


def test_every_invariant_has_its_tests() -> None:
    told = re.findall(
        r"^\| (INV-\d+) \|", chapter(page("docs/reference/protocol.md"), "## 14. Invariants"), re.MULTILINE
    )
    assert told == [f"INV-{n}" for n in range(1, 11)]
    assert numbers("## The invariants") == told
    assert all(named(row) for row in rows("## The invariants"))


def test_every_file_of_attacks_on_sessions_is_on_the_page() -> None:
    """A file of tests whose attacks are not listed would be found by nobody."""
    text = page(ATTACKS)
    for path in (ROOT / "tests/session").glob("test_attacks_*.py"):
        functions = re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert any(f"`{name}`" in text for name in functions), path.name
