"""The public vectors pass, and a vector that can't be run is a failure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.run import MLS_FAMILIES, ROOT, files_of, main, mls_family, run_file

VECTORS = Path(os.environ.get("SNUG_VECTORS", ROOT / ".." / "shared" / "vectors")).resolve()
FILES = files_of([VECTORS]) if VECTORS.is_dir() else []
MLS_FILES = [path for path in FILES if mls_family(path) is not None]

needs_vectors = pytest.mark.skipif(
    not FILES, reason=f"the public vectors are not at {VECTORS}; set SNUG_VECTORS to where they are"
)


@needs_vectors
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_public_vectors_pass(path: Path) -> None:
    family, result = run_file(path)
    assert result.failed == [], family
    assert result.passed > 0
    assert result.skipped == []


@needs_vectors
def test_every_family_has_a_file() -> None:
    assert {mls_family(path) for path in MLS_FILES} == set(MLS_FAMILIES)


@needs_vectors
def test_the_command_line_ends_with_the_count() -> None:
    command = [sys.executable, "tests/vectors/run.py", *map(str, MLS_FILES[:4])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+ passed, 0 failed", done.stdout.splitlines()[-1])


# --- a vector that is changed anywhere that counts fails ---


def hex_fields(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the hex strings of an entry are."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from hex_fields(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:2]):
            yield from hex_fields(inner, (*path, index))
    elif isinstance(value, str) and len(value) >= 16 and re.fullmatch(r"(?:[0-9a-f]{2})+", value):
        yield path


def changed(entry: Any, path: tuple[str | int, ...]) -> Any:
    """A copy with the last byte of one field changed."""
    copied = json.loads(json.dumps(entry))
    at = copied
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = at[path[-1]][:-2] + f"{int(at[path[-1]][-2:], 16) ^ 1:02x}"
    return copied


# the messages family checks syntax alone, and two others have no secrets; identifiers may be anything as well
FREE = {"messages", "tree-math", "deserialization"}
UNUSED = {"identity", "label", "psk_id"}


@needs_vectors
@pytest.mark.parametrize(
    "path", [p for p in MLS_FILES if mls_family(p) not in FREE], ids=lambda path: path.name
)
def test_a_changed_vector_fails(path: Path, tmp_path: Path) -> None:
    entry = json.loads(path.read_text())[-1]
    fields = [field for field in hex_fields(entry) if not UNUSED & set(map(str, field))]
    passed = []
    for number, field in enumerate(fields[:40]):
        target = tmp_path / f"{number}-{path.name}"
        target.write_text(json.dumps([changed(entry, field)]))
        _, result = run_file(target)
        assert result.passed + len(result.failed) == 1
        if result.passed:
            passed.append(field)
    assert len(passed) <= len(fields) // 10, f"changing these went unnoticed: {passed}"


@needs_vectors
def test_another_suite_is_skipped_and_never_passed(tmp_path: Path) -> None:
    path = next(p for p in MLS_FILES if mls_family(p) == "crypto-basics")
    entries = json.loads(path.read_text())
    entries[0]["cipher_suite"] = 2
    target = tmp_path / path.name
    target.write_text(json.dumps(entries))
    _, result = run_file(target)
    assert (result.passed, result.failed, len(result.skipped)) == (len(entries) - 1, [], 1)
    target.write_text(json.dumps(entries[:1]))
    assert main([str(target)]) == 1


# --- what can't be run ---


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("tree-math.json", "{", "unreadable"),
        ("tree-math.json", "[]", "not a list"),
        ("tree-math.json", "{}", "KeyError"),
        ("tree-math.json", "[1]", "TypeError"),
        ("psk_secret.json", '[{"cipher_suite": 1}]', "KeyError"),
        ("mystery.json", "[]", "no family"),
    ],
)
def test_a_vector_that_cannot_be_run_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, complaint: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert main([str(path)]) == 1
    shown = capsys.readouterr().out
    assert complaint in shown
    assert shown.splitlines()[-1] == "0 passed, 1 failed"


def test_a_missing_file_is_a_failure_and_no_file_at_all_as_well(tmp_path: Path) -> None:
    assert main([str(tmp_path / "absent.json")]) == 1
    assert main([str(tmp_path)]) == 1
    assert main([]) == 2


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("tree-math.json", "tree-math"),
        ("tree_math.json", "tree-math"),
        ("1-treekem.json", "treekem"),
        ("TreeKEM-suite3.json", "treekem"),
        ("psk_secret.json", "psk-secret"),
        ("passive-client-random.json", "passive-client"),
        ("passive-client-welcome.json", "passive-client"),
        ("mls-message-protection-2.json", "message-protection"),
        ("messages.json", "messages"),
        ("welcome.json", "welcome"),
        ("other.json", None),
    ],
)
def test_the_family_is_told_from_the_name(name: str, family: str | None) -> None:
    assert mls_family(Path(name)) == family
