"""Material for a class: the notebook runs, the slides load nothing, every question has an answer."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from typing import Any

import pytest

from snugroom.client.session.catalogue.sentence import LANGUAGES, Language
from snugroom.lab.slides import build
from tests.docs.test_docs import ROOT

NOTEBOOK = ROOT / "docs/examples/one-frame.ipynb"
#: The end of a file's name, by language.
ENDS: dict[Language, str] = {each: "" if each == "en" else f"-{each}" for each in LANGUAGES}
SLIDES = {language: ROOT / f"docs/tutorials/lecture-slides{end}.md" for language, end in ENDS.items()}
WORKSHEETS = {language: ROOT / f"docs/tutorials/lecture-worksheet{end}.md" for language, end in ENDS.items()}


def notebook() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return value


# -- the notebook ------------------------------------------------------------------------------


def test_the_notebook_has_the_format_of_notebooks() -> None:
    """nbformat 4.5: the keys that its schema requires, and no output of somebody's run."""
    whole = notebook()
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert set(whole) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert {"name", "display_name"} <= set(whole["metadata"]["kernelspec"])
    ids = [cell["id"] for cell in whole["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", each) for each in ids)
    for cell in whole["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            keys |= {"execution_count", "outputs"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
        else:
            assert cell["cell_type"] == "markdown"
        assert set(cell) == keys
        assert all(isinstance(line, str) for line in cell["source"])
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def run(cells: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Run code cells one after the other, as a notebook does; return the names and each cell's output."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for number, source in enumerate(cells, 1):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(source, f"cell {number}", "exec"), names)  # noqa: S102 - the notebook of this project
        printed.append(out.getvalue())
    return names, printed


def code_cells() -> list[str]:
    return ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]


def test_every_cell_runs_and_the_frame_is_opened_by_hand() -> None:
    names, printed = run(code_cells())
    assert names["opened"] == names["frame"]
    assert names["frame"] not in names["sealed"]
    assert list(names["outcomes"].values()) == [
        "AuthenticationError",
        "AuthenticationError",
        names["frame"],
        "ReplayError",
    ]
    assert "the same secret: True" in printed[0]
    at_ada, at_bo = re.findall(r"base key at \w+: +(\w+)", printed[1])
    assert at_ada == at_bo
    assert (names["ada"].epoch, names["bo"].epoch) == (2, 1)


def test_a_wrong_step_in_the_notebook_is_noticed() -> None:
    """The derivation by hand is compared with the project's own."""
    cells = [
        each.replace('b"SFrame 1.0 Secret salt "', 'b"SFrame 1.0 Secret pepper "') for each in code_cells()
    ]
    with pytest.raises(AssertionError):
        run(cells)


# -- the slides --------------------------------------------------------------------------------


def test_the_slides_are_one_file_that_loads_nothing() -> None:
    command = [sys.executable, "-m", "snugroom.lab.slides", str(SLIDES["en"])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    page = done.stdout
    assert page.count("<section>") == SLIDES["en"].read_text(encoding="utf-8").count("\n---\n") + 1
    assert re.search(r"<script|\bsrc=|\bhref=|url\(|@import|\bon\w+=", page) is None
    assert "default-src 'none'" in page
    assert "<title>A meeting that its server cannot read</title>" in page
    assert "<td>found</td><td>not found</td>" in page
    assert "<code>docs/examples/one-frame.ipynb</code>" in page


def shape(markdown: str) -> list[str]:
    """What is the same in each language: kinds of lines and code, in order."""
    text = re.sub(r"<!--.*?-->\n?", "", markdown)
    marks = re.findall(r"^(?:#+|---|-|\d+\.|>|\||    +)(?= )|^---$|`[^`]+`", text, re.MULTILINE)
    return [re.sub(r"-(?:de|zh-Han[st])\.md", ".md", mark) for mark in marks]


@pytest.mark.parametrize("language", LANGUAGES)
def test_slides_and_worksheets_are_the_same_in_each_language(language: Language) -> None:
    slides = SLIDES[language].read_text(encoding="utf-8")
    assert shape(slides) == shape(SLIDES["en"].read_text(encoding="utf-8"))
    page = build(slides)
    assert f'<html lang="{language}">' in page
    assert page.count("<section>") == 8
    worksheet = WORKSHEETS[language].read_text(encoding="utf-8")
    code = [re.sub(r"-(?:de|zh-Han[st])\.md", ".md", each) for each in re.findall("`[^`]+`", worksheet)]
    assert code == re.findall("`[^`]+`", WORKSHEETS["en"].read_text(encoding="utf-8"))


def test_what_a_slide_is_made_of() -> None:
    page = build(
        "# One & *two*\n\nSome **bold** and `a<b` and [a link](https://x.example).\n"
        "---\n## Next\n\n1. first\n   goes on\n2. second\n\n```sh\nls <here>\n```\n\n    indented\n\n> said\n"
    )
    for part in (
        "<h1>One &amp; <em>two</em></h1>",
        "<p>Some <strong>bold</strong> and <code>a&lt;b</code> and a link.</p>",
        "<ol><li>first goes on</li><li>second</li></ol>",
        "<pre><code>ls &lt;here&gt;\n</code></pre>",
        "<pre><code>indented</code></pre>",
        "<blockquote><p>said</p></blockquote>",
        "<small>2 / 2</small>",
    ):
        assert part in page, part
    assert "x.example" not in page


@pytest.mark.parametrize(("text", "why"), [("", "no slide"), ("# A\n---\nno heading\n", "slide 2")])
def test_slides_that_are_none_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        build(text)


# -- the worksheet -----------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_an_answer(language: Language) -> None:
    text = WORKSHEETS[language].read_text(encoding="utf-8")
    _, questions, answers = re.split(r"^## .*$", text, flags=re.MULTILINE)
    numbers = [re.findall(r"^(\d+)\. ", part, re.MULTILINE) for part in (questions, answers)]
    assert numbers[0] == numbers[1] == [str(number) for number in range(1, 11)]
