"""What Python says of examples is what the catalogue has for them, and no maker of sentences is left out."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Sentence, render
from tests.web.vectors_words import PATH, vectors


def _argument(raw: Any) -> Any:
    if isinstance(raw, dict):
        return Sentence(raw["key"], {name: _argument(value) for name, value in raw.get("args", {}).items()})
    return [_argument(each) for each in raw] if isinstance(raw, list) else raw


def test_the_catalogue_has_what_is_said_here() -> None:
    made = vectors()
    assert json.loads(PATH.read_text()) == made
    for row in made["rows"]:
        args = {name: _argument(value) for name, value in row["args"].items()}
        assert render(row["key"], args, "en") == row["text"], row["key"]


def test_every_maker_of_sentences_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    makers = [
        name
        for name, made in inspect.getmembers(sentences, inspect.isfunction)
        if made.__module__ == sentences.__name__
    ]
    called: set[str] = set()
    for name in makers:
        made = getattr(sentences, name)

        def noted(*args: object, _name: str = name, _made: object = made, **more: object) -> object:
            called.add(_name)
            return _made(*args, **more)  # type: ignore[operator]

        monkeypatch.setattr(sentences, name, noted)
    vectors()
    assert set(makers) <= called
