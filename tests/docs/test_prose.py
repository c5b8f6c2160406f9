"""Documents, docstrings and comments name the subject of a sentence first (CONTRIBUTING.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.prose import ODD, sentences
from tests.docs.structure import sources
from tests.docs.test_docs import PAGES, ROOT

#: Odd sentences in a hundred. h11 has 0.35, trio 0.03, websockets none.
MOST = 0.4


def checked() -> list[Path]:
    catalogue = (ROOT / "client/session/catalogue/sentences").glob("*.toml")
    return [*PAGES, *catalogue, *sources([".py"], ("client", "crypto", "lab", "server", "wire", "tests"))]


def test_few_sentences_hide_their_subject() -> None:
    every = [(path, sentence) for path in checked() for sentence in sentences(path)]
    odd = [f"{path.relative_to(ROOT)}: {sentence}" for path, sentence in every if ODD.search(sentence)]
    assert len(every) > 8000
    assert 100 * len(odd) / len(every) <= MOST, "\n".join(odd)


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("Who knocks waits in the lobby.", True),
        ("What is refused, and why, is counted.", True),
        ("A former host is none any more.", True),
        ("Who is in the room?", False),
        ("The receiver's address selects the transport.", False),
    ],
)
def test_sentences_that_hide_their_subject_are_found(text: str, odd: bool, tmp_path: Path) -> None:
    for name, source in (
        ("a.md", f"# Title\n\n{text}\n"),
        ("a.py", f'"""{text}"""\n'),
        ("b.py", f"# {text}\n"),
    ):
        (tmp_path / name).write_text(source)
        found = list(sentences(tmp_path / name))
        assert any(ODD.search(sentence) for sentence in found) == odd, name
