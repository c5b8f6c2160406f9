"""The byte strings that members sign for a server, and the gate in a commit's blob."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import MalformedError
from snugroom.wire import limits, rights, signed
from snugroom.wire.layout import Layout

b32 = st.binary(min_size=32, max_size=32)
slots = st.integers(0, 2**53 - 1)


@given(b32, slots, st.binary(max_size=2000))
def test_a_gate_is_in_the_clear_and_in_the_chain(chain: bytes, slot: int, blob: bytes) -> None:
    covered = envelope.seal(chain, "commit", bytes(16), slot, b"payload", limits.BUCKETS, gate=chain)
    assert signed.gate_of(covered) == envelope.gate(covered) == chain
    digest = hashlib.sha256(blob).digest()
    assert (
        signed.chain_next(chain, slot, blob)
        == hashlib.sha256(chain + slot.to_bytes(8, "big") + digest).digest()
    )


def test_no_two_kinds_of_message_can_be_taken_for_each_other() -> None:
    number, nonce, gate, chain = bytes(16), bytes(32), bytes(32), bytes(32)
    messages = [
        signed.Opening(number, 1, gate, chain).encode(),
        signed.RoomOpened(number, bytes(8), 1, chain).encode(),
        signed.SlotTaken(number, bytes(8), 1, chain, chain).encode(),
        signed.Rekey(number, nonce).encode(),
        rights.Opens("https://meet.example", number, nonce).encode(),
        invite.door_message("https://meet.example", number, nonce, nonce),
    ]
    assert len({message[:12] for message in messages}) == len(messages)
    kinds = [kind for kind in Layout.__subclasses__() if kind.__module__.startswith("snugroom.")]
    starts = [kind.layout_start for kind in kinds if kind.layout_start]
    for one in starts:
        same = [other for other in starts if other is not one and other.startswith(one)]
        assert all(other == one or one == b"snug 1 open" for other in same)


def test_an_origin_too_long_is_refused_at_both_ends() -> None:
    origin = "https://" + "o" * 65_536
    for door in (signed.door, invite.door_message):
        with pytest.raises(MalformedError, match=r"origin|server address"):
            door(origin, bytes(16), bytes(32), bytes(32))
