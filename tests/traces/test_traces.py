"""Ten meetings and all vectors are unchanged since before names and files changed."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from tests.traces import canonical, vectors
from tests.traces.meetings import SEEDS, Meeting
from tests.traces.record import recorded


@pytest.mark.parametrize("seed", SEEDS)
def test_a_meeting_is_as_it_was_recorded(seed: int) -> None:
    before, now = recorded()["meetings"][str(seed)], Meeting(seed).run().summary()
    assert now["seconds"] == before["seconds"], "the first second that differs is where to look"
    assert now == before


def test_vectors_are_as_they_were_recorded() -> None:
    assert vectors.hashes() == recorded()["vectors"]


def test_new_names_get_their_old_names_back(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"React": "Wave", "React.reaction": "React.hand", "React.reaction=yes": "React.reaction=left"}
    monkeypatch.setattr(canonical, "renamed", lambda: table)
    assert canonical.plain(ev.React("yes"), exact=True) == {"type": "Wave", "hand": "left"}
    assert canonical.plain(ev.Say("a=b"), exact=True) == {"type": "Say", "text": "a=b"}
    with pytest.raises(TypeError, match="object"):
        canonical.plain(object(), exact=True)
