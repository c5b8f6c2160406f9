"""No module imports itself through others, in either language; imports of types alone count too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.docs.test_docs import ROOT

Graph = dict[Path, set[Path]]
PAGE = ROOT / "client/web/src"
FROM = re.compile(r"""\b(?:import|export)\b[^;'"]*?from\s*["'](\.[^"']+)["']""")


def cycle(graph: Graph) -> list[str]:
    """Return the files of one cycle, the first again at the end; empty without one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(path) for path in error.args[1]]
    return []


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module may import, of modules and of objects in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def python() -> Graph:
    files = [p for top in ("client", "crypto", "server") for p in (ROOT / top).rglob("*.py")]
    modules = {
        ".".join(("snugroom", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): p
        for p in files
        if "node_modules" not in p.parts
    }
    graph: Graph = {}
    for name, path in modules.items():
        # `from package import module` needs the module, and names in `package.__init__` need the package.
        names = set(imported(ast.parse(path.read_text())))
        packages = {n.rpartition(".")[0] for n in names if n in modules}
        graph[path] = {modules[n] for n in names if n in modules and n != name and n not in packages}
    return graph


def typescript() -> Graph:
    graph: Graph = {}
    for path in (p for pattern in ("*.ts", "*.tsx") for p in PAGE.rglob(pattern)):
        graph[path] = set()
        for name in FROM.findall(path.read_text()):
            at = (path.parent / name).resolve()
            for candidate in (at, *(Path(f"{at}{end}") for end in (".ts", ".tsx", "/index.ts"))):
                if candidate.is_file() and candidate != path:
                    graph[path].add(candidate)
                    break
    return graph


def test_python_has_no_import_cycle() -> None:
    graph = python()
    assert sum(map(len, graph.values())) > 1000
    assert cycle(graph) == []


def test_typescript_has_no_import_cycle() -> None:
    graph = typescript()
    assert sum(map(len, graph.values())) > 600
    assert cycle(graph) == []


def test_a_cycle_is_found() -> None:
    a, b, c = Path("a"), Path("b"), Path("c")
    assert cycle({a: {b}, b: {c}, c: {a}}) != []
    assert cycle({a: {b, c}, b: {c}, c: set()}) == []
