"""Attributes that are replaced for a while, as `pytest.MonkeyPatch` does it for tests."""

from __future__ import annotations

from typing import Any, Protocol, Self


class Patch(Protocol):
    """Replaces attributes, and puts them back: `Patches`, or a test's `pytest.MonkeyPatch`."""

    def setattr(self, target: Any, name: Any, value: object, /) -> None:
        """Replace an attribute."""


class Patches:
    """A context: at its end all attributes are what they were."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, object]] = []

    def setattr(self, target: Any, name: Any, value: object, /) -> None:
        """Replace an attribute."""
        self._before.append((target, name, getattr(target, name)))
        setattr(target, name, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for target, name, value in reversed(self._before):
            setattr(target, name, value)
        self._before.clear()
