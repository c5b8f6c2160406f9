"""The guides for people in a meeting name signs and buttons as the page does."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.test_docs import ROOT

PAGES = ("use-the-page", "troubleshoot-a-meeting")


def catalogue() -> str:
    """All English sentences, each between line ends; a value in a sentence is `2`."""
    folder = ROOT / "client/session/catalogue/sentences"
    rows = [row for path in folder.glob("*.toml") for row in tomllib.loads(path.read_text("utf-8")).values()]
    return "\n".join(["", *(re.sub(r"\{[^}]*\}", "2", row["en"]) for row in rows), ""])


def labels(text: str) -> list[str]:
    """The words in italics."""
    without = re.sub(r"\*\*.+?\*\*", "", text, flags=re.DOTALL)
    return [
        " ".join(found.split())
        for found in re.findall(r"(?<![\w*])\*([^*\n|]+(?:\n[^*\n|]+)?)\*(?!\*)", without)
    ]


def begins(label: str, sentences: str) -> bool:
    """Whether a sentence of the page is the label, or begins with it and goes on after a mark."""
    return (
        re.search(rf"(?:^|(?<=[.!?] )){re.escape(label)}(?:$|(?<=[.:?]) | ·)", sentences, re.MULTILINE)
        is not None
    )


@pytest.mark.parametrize("name", PAGES)
def test_each_label_is_one_of_the_page(name: str) -> None:
    sentences = catalogue()
    found = labels((ROOT / f"docs/how-to/{name}.md").read_text(encoding="utf-8"))
    assert len(found) > 20
    assert [label for label in found if not begins(label, sentences)] == []


def test_another_label_is_found() -> None:
    sentences = catalogue()
    assert begins("Let in", sentences)
    assert begins("Hand up, no. 2", sentences)
    assert not begins("Let them all in", sentences)
    assert not begins("Let", sentences)
    assert labels("**No** *Let in* and *Turn\naway*, 2 * 3") == ["Let in", "Turn away"]
