"""The packages of `make test` have fixed versions: a release of another project cannot make it fail."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.docs.structure import ROOT

EXACT = re.compile(r"([a-z0-9-]+)==[0-9][0-9.]*")


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_each_package_has_one_version() -> None:
    data = _project()
    groups = [each for group in data["dependency-groups"].values() for each in group]
    named = [*data["project"]["dependencies"], *groups]
    fixed = [*data["tool"]["uv"]["constraint-dependencies"], *(text for text in named if "==" in text)]
    exact = [found[1] for text in fixed if (found := EXACT.fullmatch(text))]
    assert len(exact) == len(fixed) > 30
    assert sorted(exact) == sorted({re.split(r"[^a-z0-9-]", text)[0] for text in named})
