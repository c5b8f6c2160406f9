"""The page about dependencies has every package that Snug needs directly, and no other."""

from __future__ import annotations

import json
import re
import tomllib

from tests.docs.test_docs import ROOT

PAGE = ROOT / "docs/explanation/dependencies.md"


def direct() -> set[str]:
    """The names of all direct packages, of both languages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    node = json.loads((ROOT / "client/web/package.json").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *(each for group in project["dependency-groups"].values() for each in group),
    ]
    return {
        *(re.split(r"[<>=!~;\[ ]", each)[0] for each in wanted),
        *node["dependencies"],
        *node["devDependencies"],
    }


def test_the_page_names_each_and_no_other() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    firsts = (re.sub(r"\(.*\)", "", row.split("|")[1]) for row in rows)  # without the extra's name
    named = {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}
    assert named == direct()
