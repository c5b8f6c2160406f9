"""Icons of views that come later are in no view that is there before them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snugroom.client.tools.typescript_sentences import loaded
from tests.docs.test_docs import ROOT

SOURCE = (ROOT / "client" / "web" / "src").resolve()
LATER = set(
    re.findall(r'^  "([a-z\d-]+)":', (SOURCE / "app" / "iconShapesLater.ts").read_text("utf-8"), re.MULTILINE)
)


def named(files: set[Path]) -> set[str]:
    """The icons of later views that these files name."""
    return {name for file in files for name in LATER if f'"{name}"' in file.read_text(encoding="utf-8")}


@pytest.mark.parametrize("page", ["app", "landlord", "projector", "phone"])
def test_no_page_needs_them_from_the_start(page: str) -> None:
    files = loaded(SOURCE / page / "main.tsx")
    assert SOURCE / "app" / "iconShapesLater.ts" not in files
    assert named(files) == set()


def test_later_views_need_each() -> None:
    files = loaded(SOURCE / "app" / "views" / "room" / "later.ts")
    own = {file for file in files if file.name != "iconShapesLater.ts"}
    assert SOURCE / "app" / "iconShapesLater.ts" in files
    assert named(own) == LATER
