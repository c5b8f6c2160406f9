"""What the page is to say in English is what Python says now, and no maker of sentences is left out."""

from __future__ import annotations

import inspect
import json

import pytest

from snugroom.client.session.catalogue import sentences
from tests.web.vectors_words import PATH, vectors


def test_the_shared_vectors_are_what_is_said_here() -> None:
    assert json.loads(PATH.read_text()) == vectors()


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
