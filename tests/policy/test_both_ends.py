"""The server checks the same bytes that the client signs, though neither imports the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import MalformedError
from snugroom.wire import limits, signed

b32 = st.binary(min_size=32, max_size=32)
room = st.binary(min_size=16, max_size=16)
slots = st.integers(0, 2**53 - 1)
origins = st.sampled_from(
    ["https://meet.example", "http://127.0.0.1:8080", "https://xn--bcher-kva.example:8443", "https://[::1]"]
)


@given(b32, b32)
def test_room_numbers(door: bytes, room_admin: bytes) -> None:
    assert signed.room_number(door, room_admin) == invite.room_number(door, room_admin)


@given(origins, room | b32, b32, b32)
def test_doors(origin: str, number: bytes, server: bytes, client: bytes) -> None:
    assert signed.door(origin, number, server, client) == invite.door_message(origin, number, server, client)


@given(room, slots, b32, b32)
def test_openings_and_receipts(number: bytes, slot: int, gate: bytes, chain: bytes) -> None:
    assert signed.open_room(number, slot, gate, chain) == invite.open_message(number, slot, gate, chain)
    assert signed.receipt(number, slot, chain) == invite.receipt_message(number, slot, chain)


@given(b32, slots, st.binary(max_size=2000))
def test_chains_and_gates(chain: bytes, slot: int, blob: bytes) -> None:
    assert signed.next_chain(chain, slot, blob) == invite.chain_next(chain, slot, blob)
    assert signed.gate(chain) == invite.gate(chain)
    covered = envelope.seal(chain, "commit", bytes(16), slot, b"payload", limits.BUCKETS, gate=chain)
    assert signed.gate_of(covered) == envelope.gate(covered) == chain


def test_no_two_kinds_of_message_can_be_taken_for_each_other() -> None:
    number, nonce, gate, chain = bytes(16), bytes(32), bytes(32), bytes(32)
    messages = [
        invite.open_message(number, 1, gate, chain),
        invite.receipt_message(number, 1, chain),
        invite.door_message("https://meet.example", number, nonce, nonce),
    ]
    assert len({message[:11] for message in messages}) == len(messages)


def test_an_origin_too_long_is_refused_at_both_ends() -> None:
    origin = "https://" + "o" * 65_536
    with pytest.raises(ValueError, match="origin"):
        signed.door(origin, bytes(16), bytes(32), bytes(32))
    with pytest.raises((ValueError, MalformedError)):
        invite.door_message(origin, bytes(16), bytes(32), bytes(32))
