"""Places: their keys have nothing in common, and members recognise their history in each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.entry import places
from snugroom.crypto.entry.invite import chain_next, gate, room_number
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import H

MOVE_KEY = H(b"move key")
ONE, OTHER = "https://one.example", "https://two.example"


def number(origin: str, attempt: int, move_key: bytes = MOVE_KEY) -> bytes:
    return room_number(places.place_door_key(move_key, origin, attempt).public, H(origin.encode()))


def history(own: bytes, blobs: list[bytes], first: int = 3) -> tuple[places.PlaceHistory, list[bytes]]:
    """A place's view of a history that begins at slot `first`, and the chain values of ours."""
    chains = [H(b"chain")]
    found = places.PlaceHistory(own, [(first, chains[0], bytes(32))])
    for slot, blob in enumerate(blobs, first + 1):
        chains.append(chain_next(chains[-1], slot, blob))
        found.append(slot, chains[-1], H(blob))
    return found, chains


def test_no_value_of_a_place_is_one_of_another() -> None:
    numbers = [
        number(ONE, 0),
        number(ONE, 1),
        number(OTHER, 0),
        number(ONE, 0, H(b"another move key")),
    ]
    seen = [
        [
            n,
            places.place_pass(bytes(32), n),
            gate(places.place_pass(bytes(32), n)),
            places.place_chain(bytes(32), n),
        ]
        for n in numbers
    ]
    assert len({value for values in seen for value in (*values, bytes(32))}) == 4 * len(numbers) + 1


def test_a_member_has_another_key_at_each_server() -> None:
    keys = {places.opener_key(H(seed), origin).public for seed in (b"a", b"b") for origin in (ONE, OTHER)}
    assert len(keys) == 4


def test_what_is_no_key_number_or_origin_is_refused() -> None:
    for wrong in ((MOVE_KEY[1:], ONE, 0), (MOVE_KEY, "https://One.example", 0), (MOVE_KEY, ONE, 65_536)):
        with pytest.raises(MalformedError):
            places.place_door_key(*wrong)
    for seed, origin in ((bytes(31), ONE), (bytes(32), "https://One.example")):
        with pytest.raises(MalformedError):
            places.opener_key(seed, origin)
    for function in (places.place_pass, places.place_chain):
        with pytest.raises(MalformedError):
            function(bytes(31), bytes(16))
        with pytest.raises(MalformedError):
            function(bytes(32), bytes(32))


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=80), st.data())
def test_a_history_is_recognised_wherever_the_place_was_opened(
    blobs: list[bytes], data: st.DataObject
) -> None:
    own = number(ONE, 0)
    found, chains = history(own, blobs)
    opened = data.draw(st.integers(0, len(blobs)))
    values = [places.place_chain(chains[opened], own)]
    for at in range(opened, len(blobs)):
        values.append(chain_next(values[-1], at + 4, blobs[at]))
    for at, value in enumerate(values, opened):
        kept = opened > at - places.OPENED_MAX and at > len(blobs) - places.OPENED_MAX
        assert found.has(at + 3, value) is kept
        assert not found.has(at + 4, value)
        if at > opened and kept and at - 1 > len(blobs) - places.OPENED_MAX:
            assert found.follows(at + 3, value, H(blobs[at - 1]))
            assert not found.follows(at + 3, value, H(blobs[at - 1] + b"x"))


def test_another_history_another_place_and_the_values_of_our_own_place_are_not_recognised() -> None:
    own = number(ONE, 0)
    found, chains = history(own, [b"a", b"b"])
    forked = chain_next(places.place_chain(chains[1], own), 5, b"another")
    for slot, value in ((5, forked), (5, chains[2]), (5, places.place_chain(chains[2], number(OTHER, 0)))):
        assert not found.has(slot, value)
    assert not found.follows(6, forked, H(b"another"))
    assert found.follows(6, chain_next(places.place_chain(chains[2], own), 6, b"another"), H(b"another"))
