"""Every command on every page is run by a test, or listed with a reason; and all of them parse."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.docs.commands import GENERATED, Command, commands, inline, named_wrongly, problems
from tests.docs.test_docs import PAGES, ROOT
from tests.hosting import pages

TABLE = Path(__file__).with_name("commands.toml")
#: These pages are executed as wholes (tests/hosting/test_pages.py); in them, a reason stands above the block.
EXECUTED = {str(pages.path(name).relative_to(ROOT)) for name in pages.existing()}
FOUND: list[Command] = [
    command
    for path in PAGES
    if (name := str(path.relative_to(ROOT))) not in GENERATED
    for command in commands(name, path.read_text(encoding="utf-8"))
]


@cache
def table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def listed() -> list[str]:
    return [text for kind in table().values() for group in kind for text in group["commands"]]


def test_each_command_is_run_or_has_a_reason() -> None:
    known = set(listed())
    unknown = [each for each in FOUND if each.page not in EXECUTED and each.text not in known]
    assert unknown == [], f"add each to {TABLE.name}, or let a test run it"
    assert len(FOUND) > 200


def test_the_table_has_no_command_that_no_page_has() -> None:
    assert set(listed()) - {each.text for each in FOUND if each.page not in EXECUTED} == set()


def test_each_reason_is_a_sentence() -> None:
    assert set(table()) == {"run", "covered", "not_run"}
    for group in table()["not_run"]:
        assert len(group["reason"].split()) > 4
        assert group["reason"].endswith(".")


@pytest.mark.parametrize(
    ("kind", "key", "folder"), [("run", "test", "tests/docs/test_commands_run.py::"), ("covered", "by", "")]
)
def test_each_test_of_the_table_exists(kind: str, key: str, folder: str) -> None:
    for group in table()[kind]:
        name, _, function = (folder + group[key]).partition("::")
        module = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        defined = {
            node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert not function or function in defined, group[key]


def test_each_command_parses() -> None:
    assert [(each, wrong) for each in FOUND for wrong in problems(each.text)] == []


def test_commands_in_sentences_exist() -> None:
    named = [(path, text) for path in PAGES for text in inline(path.read_text(encoding="utf-8"))]
    assert len(named) > 300
    assert [
        (str(path.relative_to(ROOT)), wrong) for path, text in named for wrong in named_wrongly(text)
    ] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "    snug-server --listen x    # a comment\n    make demo\n",
            ["snug-server --listen x", "make demo"],
        ),
        ("```sh\nnginx -t \\\n  -q\n```\n", ["nginx -t -q"]),
        ("```text\nsnug host\n```\n", []),
        ("    $ snug-server\n    listening\n    $ snug lab\n", ["snug-server", "snug lab"]),
        ("    /lock  /end\n", ["/lock /end"]),
        ("    docker run snug\n", ["docker run snug"]),
        ("    listen = 1\n", []),
        ("```toml\n# /etc/x\nlisten = 1\n```\n", []),
        ("```sh\n# /etc/x\nlisten\n```\n", []),
        ("Text `snug host`\nand words.\n    snug host\n", []),
    ],
)
def test_commands_are_found(text: str, found: list[str]) -> None:
    assert [each.text for each in commands("page", text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "snug hots --name Ada",
        "snug host --nmae Ada",
        "snug join",
        "until snug-server doctor --from-inside; do sleep 1; done",
        "snug lab serve silence,whisper",
        "snug lab bad_comit",
        "make demos",
        "make -C snug releases",
        ".venv/bin/python -m pytest -q tests/nothing",
        ".venv/bin/python -m tests.docs.nothing",
        ".venv/bin/python -m tests.model.run nothing",
        ".venv/bin/python client/web/node.py chekc",
        "cp /usr/src/snug/packaging/caddy/Nothing /etc",
        "/lokc",
        "/lock /remove Nobody",
    ],
)
def test_a_stale_command_is_found(text: str) -> None:
    assert len(problems(text)) == 1


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("snug host", True),
        ("snug join LINK --name X", True),
        ("snug bench ... --json", True),
        ("snug bench ... --jsno", False),
        ("snug evidence verify --json", True),
        ("snug bench transfer", False),
        ("snug --json", False),
        ("snug-server disclose --whole", True),
        ("snug-server --nothing", False),
        ("make nothing", False),
    ],
)
def test_a_stale_name_is_found(text: str, right: bool) -> None:
    assert (named_wrongly(text) == []) == right
