"""The built page, for tests of what it is released in."""

from __future__ import annotations

from tests.web.conftest import bundle

__all__ = ["bundle"]
