"""Each content type has one owner, which processes it; others may overhear it."""

from __future__ import annotations

from typing import cast

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.states import States
from snugroom.client.session.kernel.feature import Contents, Feature, Handler, content_table
from snugroom.client.session.kernel.ports import Room
from snugroom.lab.simulation.world import World
from tests.session.contents import overheard

NOWHERE = cast(Room, None)


def owned(*but: type[content.Content]) -> dict[type[content.Content], Handler]:
    """A handler for every content type but those."""
    return {kind: _handler for kind in content.TYPES if kind not in but}


def _handler(*_received: object) -> None:
    return None


class Owner(Feature):
    def contents(self) -> Contents:
        return {content.Say: _handler}


class Listener(Feature):
    def overheard(self) -> Contents:
        return {content.Say: self._heard}

    def _heard(self, *_received: object) -> None:
        return None


def test_a_content_type_without_an_owner_is_refused() -> None:
    with pytest.raises(LookupError, match=r"exactly one owner: Say$"):
        content_table(owned(content.Say), ())
    with pytest.raises(LookupError, match=r"exactly one owner: Say$"):
        content_table(owned(content.Say), [Listener(NOWHERE)])  # those who overhear own nothing
    content_table(owned(content.Say), [Owner(NOWHERE)])


def test_a_content_type_with_two_owners_is_refused() -> None:
    with pytest.raises(LookupError, match=r"exactly one owner: Say$"):
        content_table(owned(), [Owner(NOWHERE)])


def test_the_owner_comes_before_those_who_overhear() -> None:
    listener = Listener(NOWHERE)
    table = content_table(owned(content.Say), [listener, Owner(NOWHERE)])
    assert table[content.Say] == [_handler, listener._heard]
    assert table[content.Page] == [_handler]


def test_a_member_s_content_reaches_its_owner_alone() -> None:
    w = World(4200)
    ada, bo = w.meeting("Ada", "Bo")
    told = overheard(bo, content.State)
    w.do(ada, ev.Say("hello"))
    w.run(1)
    assert bo.said == [("Ada", "hello")]
    assert told == []
    w.do(ada, ev.SetState(True, False, hand=True))
    w.until(lambda: bool(told))
    assert bo.room.feature(States).microphones()[told[0][0]].is_open
