"""No module imports itself through others, and files and functions stay short enough to read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.docs.structure import cycle, functions, python, shown, sources, typescript

FILE_LINES: Final = 700
#: Without the docstring.
FUNCTION_LINES: Final = 60
ALL: Final = ("client", "crypto", "lab", "server", "wire", "snugroom", "tests")
#: How a file begins that nobody reads to change it.
GENERATED: Final = "// Written by `python -m snugroom.client.tools.typescript`"


def test_python_has_no_import_cycle() -> None:
    graph = python()
    assert sum(map(len, graph.values())) > 1000
    assert "crypto/errors.py" in graph["crypto/mls/errors.py"]
    assert cycle(graph) == []


def test_typescript_has_no_import_cycle() -> None:
    graph = typescript()
    assert sum(map(len, graph.values())) > 600
    assert "client/web/src/words/sentence.ts" in graph["client/web/src/words/index.ts"]
    assert cycle(graph) == []


def test_a_cycle_is_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_file_is_long() -> None:
    texts = {
        shown(path): path.read_text(encoding="utf-8")
        for path in sources([".py", ".ts", ".tsx", ".mjs", ".css"], ALL)
    }
    lengths = {name: text.count("\n") for name, text in texts.items() if not text.startswith(GENERATED)}
    assert len(lengths) > 600
    long = {name for name, lines in lengths.items() if lines > FILE_LINES}
    assert long == set()


def test_no_function_is_long() -> None:
    found = [(shown(path), *function) for path in sources([".py"], ALL) for function in functions(path)]
    assert len(found) > 5000
    assert {f"{path}::{name}" for path, name, lines in found if lines > FUNCTION_LINES} == set()


def test_a_docstring_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('def f() -> None:\n    """One.\n\n    Two.\n    """\n    g()\n')
    assert list(functions(tmp_path / "a.py")) == [("f", 2)]
