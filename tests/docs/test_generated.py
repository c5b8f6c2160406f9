"""The generated parts of the reference are current and complete."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from snugroom.lab.attacks.scenes import SCENES
from snugroom.server.config import Settings
from tests.docs import generate, python_api
from tests.docs.test_docs import rows


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_page_is_not_stale(name: str) -> None:
    assert (generate.REFERENCE / name).read_text(encoding="utf-8") == generate.page(name), (
        f"{name} is stale: python -m tests.docs.generate"
    )


@pytest.mark.parametrize("name", generate.FILES)
def test_a_file_is_not_stale(name: str) -> None:
    assert (generate.REFERENCE / name).read_text(encoding="utf-8") == generate.FILES[name](), (
        f"{name} is stale: python -m tests.docs.generate"
    )


@pytest.mark.parametrize("name", generate.TABLES)
def test_tables_and_layouts_are_not_stale(name: str) -> None:
    assert (generate.ROOT / name).read_text(encoding="utf-8") == generate.with_tables(name), (
        f"{name} is stale: python -m tests.docs.generate"
    )


def test_every_scene_is_in_both_tables() -> None:
    for name in ("docs/explanation/threat-model.md", "README.md"):
        text = (generate.ROOT / name).read_text(encoding="utf-8")
        found = re.findall(r"^\|.*`(\w+)` \| (?:impossible|detected|succeeds)", text, re.MULTILINE)
        assert sorted(found) == sorted(scene.id for scene in SCENES), f"{name}: each once"


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [("", Settings), *((f"{name}.", kind) for name, kind in generate.TABLES_OF_SETTINGS.items())],
)
def test_every_setting_is_documented_with_its_default(prefix: str, kind: type[msgspec.Struct]) -> None:
    table = rows(generate.settings())
    defaults = kind()
    wrong = []
    for name in kind.__struct_fields__:
        default = getattr(defaults, name)
        told = (
            "the tables below"
            if isinstance(default, msgspec.Struct)
            else "none"
            if default is None
            else f"`{json.dumps(default)}`"
        )
        cells = [cell.strip() for cell in table.get(prefix + name, "").strip("|").split("|")]
        if len(cells) != 4 or cells[2] != told or not cells[3]:
            wrong.append((prefix + name, told))
    assert wrong == []


def test_no_setting_is_documented_that_does_not_exist() -> None:
    tables = generate.TABLES_OF_SETTINGS.items()
    known = {*Settings.__struct_fields__}
    known |= {f"{table}.{name}" for table, kind in tables for name in kind.__struct_fields__}
    assert set(rows(generate.settings())) == known


def test_a_setting_without_a_description_is_an_error() -> None:
    class Two(msgspec.Struct):
        """Two settings.

        Where
            one: the first.
        """

        one: int = 1
        two: int = 2

    with pytest.raises(ValueError, match="two"):
        list(generate._settings_of(Two, "", "##"))


def test_every_option_is_documented() -> None:
    told = generate.command_line()
    for heading, options in (
        ("snug host", ["--return FILE", "--admit ask\\|all", "--for 30s"]),
        ("snug join", ["LINK", "--identity BOOK"]),
        ("snug contacts rename", ["CONTACT", "NAME", "--passphrase-file FILE"]),
        ("snug bench room", ["--rates N,N"]),
        ("snug lab leakage", ["--out FILE"]),
        ("snug-server", ["--window [HOST:PORT]", "--workers N"]),
        ("snug-server disclose", ["[PID]", "--audit"]),
    ):
        part = told.split(f"## `{heading}`\n")[1].split("\n## ")[0]
        assert set(options) <= set(rows(part)), heading


def test_every_public_name_of_the_python_api_has_a_description() -> None:
    told = python_api.page()
    for package, names in python_api.public().items():
        assert names == sorted(names), package
        for name in names:
            assert re.search(rf"^### `{name}`\n\n\S|^### `{name}`\n\n    \S.+\n\n\S", told, re.MULTILINE), (
                name
            )
    bare = re.findall(r"^- `[^`]+`(?:: *$|\n+(?=[-#]))", told, re.MULTILINE)
    assert bare == [], "a name without a description"
    assert told.count("\n- `") > 30
    for name in ("snug_network", "snug_server", "snug_server_process"):
        assert f"- `{name}`: A" in told or f"- `{name}`: The" in told
