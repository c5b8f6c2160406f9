"""The shared vectors of the session are current."""

from __future__ import annotations

import json

from tests.web.vectors_session import PATH, vectors


def test_the_shared_vectors_are_what_is_reckoned_here() -> None:
    assert json.loads(PATH.read_text()) == json.loads(json.dumps(vectors()))
