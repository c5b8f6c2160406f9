"""Generated files that both languages read are current."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snugroom.client.tools import typescript
from tests.web.write_shared import SHARED, shared


@pytest.mark.parametrize(("name", "text"), shared().items(), ids=shared().keys())
def test_vectors(name: str, text: Callable[[], str]) -> None:
    assert (SHARED / f"{name}.json").read_text("utf-8") == text(), "python -m tests.web.write_shared"


def test_the_page_s_types_and_tables() -> None:
    for path, text in typescript.files().items():
        assert path.read_text("utf-8") == text, (
            f"{path.name} is stale: python -m snugroom.client.tools.typescript"
        )
