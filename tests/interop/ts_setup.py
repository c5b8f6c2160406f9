"""The page's packages (`client/web`), for tests: installed once, and bundled with tests' own programs.

Needs the npm registry the first time only. Failing is an error and never a skip: an interop suite
that quietly does not run proves nothing.
"""

from __future__ import annotations

from pathlib import Path

from snugroom.client.web.node import WEB, Node, SetupError, ensure_installed, find_node, run

__all__ = ["WEB", "Node", "SetupError", "bundle", "ensure_installed", "find_node"]

ROOT = Path(__file__).parents[2]
_BUNDLE = ROOT / "tests" / "web" / "peers" / "bundle.mjs"


def bundle(node: Node, entry: Path, out: Path) -> None:
    """Make one file of a test's program and of what it imports of the page. Raises SetupError."""
    run(node, [node.node, str(_BUNDLE), str(entry), str(out)])
