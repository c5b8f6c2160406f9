"""Imports between modules, and lengths of files and functions: for `test_structure.py`."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Also `import type`: a reader follows it too.
_FROM: Final = re.compile(r"""\b(?:import|export)\b[^;'"]*?from\s*["'](\.[^"']+)["']""")

#: File to the files that it imports, as paths from the root.
Graph = dict[str, set[str]]


def sources(suffixes: Iterable[str], tops: Iterable[str]) -> Iterator[Path]:
    """Yield the files with one of the suffixes below the folders, without installed packages."""
    for top in tops:
        for folder, below, names in os.walk(ROOT / top):
            below[:] = sorted(set(below) - {"node_modules"})
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(tuple(suffixes)))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    # not kept: with a thousand trees in memory, the garbage collector takes longer than the parser
    return ast.parse(path.read_text(encoding="utf-8"))


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements below a node: walking through their expressions too takes five times as long."""
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for below in getattr(node, part, ()):
            if isinstance(below, ast.stmt):
                yield below
            yield from statements(below)


def _module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return name if name.partition(".")[0] == "snugroom" else f"snugroom.{name}"


def python() -> Graph:
    """Return the imports between the modules of the package, imports for type checking included."""
    modules = {
        _module(path): path
        # of `snugroom`, its own files: the links in it are not followed
        for path in sources([".py"], ("client", "crypto", "lab", "server", "wire", "snugroom"))
    }
    graph: Graph = {}
    for name, path in modules.items():
        needed: set[str] = set()
        for node in statements(parsed(path)):
            if isinstance(node, ast.Import):
                needed |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                # `from package import module` needs the module, and other names need the package
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                needed |= {found if found in modules else node.module for found in inner}
        graph[shown(path)] = {shown(modules[found]) for found in needed & modules.keys() - {name}}
    return graph


def typescript() -> Graph:
    """Return the imports between the files of the page."""
    graph: Graph = {}
    for path in sources([".ts", ".tsx"], ("client/web/src",)):
        targets = graph.setdefault(shown(path), set())
        for name in _FROM.findall(path.read_text(encoding="utf-8")):
            there = (path.parent / name).resolve()
            candidates = (there, *(Path(f"{there}{end}") for end in (".ts", ".tsx", "/index.ts")))
            targets |= {shown(file) for file in candidates if file.is_file() and file != path}
    return graph


def cycle(graph: Graph) -> list[str]:
    """Return the files of one cycle, the first again at the end; empty without one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a Python file, and how many lines each has without its docstring."""
    for node in statements(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= (first.end_lineno or 0) - first.lineno + 1
            yield node.name, lines
