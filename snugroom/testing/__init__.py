"""Real servers and meetings for the tests of other projects (docs/how-to/test-with-snug.md).

The names in `__all__` are stable (docs/reference/python-api.md). pytest finds the fixtures of
`snugroom.testing.plugin` by itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from snugroom.testing.network import Network
    from snugroom.testing.server import Attack, AttackError, Server

__all__ = ["Attack", "AttackError", "Network", "Server"]

_MODULES: Final = {"Network": "network"}


def __getattr__(name: str) -> Any:
    """Import the public names when somebody asks for one: pytest imports this package whenever it starts."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'server')}"), name)
