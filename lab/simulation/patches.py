"""Attributes that are replaced for a while, as `pytest.MonkeyPatch` does it for tests."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Protocol
from unittest.mock import patch


class Patch(Protocol):
    """Replaces attributes, and puts them back: `Patches`, or a test's `pytest.MonkeyPatch`."""

    def setattr(self, target: Any, name: Any, value: object, /) -> None:
        """Replace an attribute."""


class Patches(ExitStack):
    """A context: at its end all attributes are what they were."""

    def setattr(self, target: Any, name: Any, value: object, /) -> None:
        """Replace an attribute."""
        self.enter_context(patch.object(target, name, value))
