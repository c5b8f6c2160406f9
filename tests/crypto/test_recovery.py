"""Messages of members and a returning host in the lobby (protocol section 6), byte by byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed.room_state import host_return_message
from snugroom.crypto.entry import answers, lobby, recovery
from snugroom.crypto.entry.invite import HostKeys, HostSeed
from snugroom.crypto.entry.recovery import (
    HelperOffer,
    HelperQuery,
    HostRecoveryData,
    HostReturnRequest,
    Message,
    RecoveryReply,
    RejoinRequest,
)
from snugroom.crypto.errors import AuthenticationError, MalformedError, UnsupportedError, ValidationError
from snugroom.crypto.fields import padded, uint
from snugroom.crypto.kdf import H, seal, verify

KEY = recovery.recovery_key(bytes(range(32)))
SEED = HostSeed(bytes([7]) * 32)
GROUP = bytes([9]) * 16
ANSWER = answers.Answer(
    b"welcome", bytes(16), bytes(32), bytes(32), bytes(64), 3, bytes(32), 4, b"ledger", b""
)
REFUSAL = answers.Refusal("no")

b16, b32 = (st.binary(min_size=n, max_size=n) for n in (16, 32))
slots = st.integers(0, 2**53 - 1)
packages = st.binary(min_size=1, max_size=300)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(HelperQuery, b16),
    st.builds(HelperOffer, b16, slots, b32),
    st.builds(HostReturnRequest, b32, slots, st.binary(min_size=64, max_size=64), packages),
    st.builds(RejoinRequest, b32, packages),
    st.builds(RecoveryReply, st.binary(min_size=8, max_size=8), b32, st.binary(max_size=300)),
)


def inside(raw: bytes, key: bytes = KEY) -> lobby.RecoveryMessage:
    """Any bytes, well sealed."""
    return lobby.RecoveryMessage(seal(key, padded(raw, 2048), b"snug 1 inside"))


@given(messages)
def test_messages_round_trip_and_have_one_size(message: Message) -> None:
    said = recovery.seal(KEY, message)
    assert recovery.open(KEY, said) == message
    assert len(said.sealed) == len(recovery.seal(KEY, HelperQuery(bytes(16))).sealed)
    with pytest.raises(AuthenticationError):
        recovery.open(recovery.recovery_key(bytes(32)), said)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", MalformedError),
        (uint(1, 1) + bytes(15), MalformedError),
        (uint(1, 1) + bytes(17), MalformedError),
        (uint(2, 1) + bytes(151), MalformedError),
        (uint(3, 1) + bytes(104), MalformedError),
        (uint(4, 1) + bytes(39), MalformedError),
        (uint(5, 1) + bytes(32), MalformedError),
        (uint(6, 1) + bytes(99), UnsupportedError),
    ],
)
def test_bytes_that_are_no_recovery_message_are_refused(raw: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        recovery.open(KEY, inside(raw))


@pytest.mark.parametrize("head", [uint(3, 1) + bytes(104), uint(5, 1) + bytes(32)])
def test_a_key_package_has_its_size(head: bytes) -> None:
    body = padded(head + bytes(lobby.KEY_PACKAGE_MAX + 1), 16384)
    with pytest.raises(MalformedError, match="1 to 8192 bytes"):
        recovery.open(KEY, lobby.RecoveryMessage(seal(KEY, body, b"snug 1 inside")))


def test_a_return_is_signed_by_the_return_key_for_one_group_slot_and_package() -> None:
    asked, private = recovery.make_host_return_request(SEED, GROUP, 12, b"package")
    assert (len(private), asked.slot, asked.key_package, asked.proof.slot) == (32, 12, b"package", 12)
    verify(SEED.return_public, host_return_message(GROUP, H(b"package"), 12), asked.proof.signature)
    for other in (
        host_return_message(bytes(16), H(b"package"), 12),
        host_return_message(GROUP, H(b"another"), 12),
        host_return_message(GROUP, H(b"package"), 13),
    ):
        with pytest.raises(AuthenticationError):
            verify(SEED.return_public, other, asked.proof.signature)


def test_an_answer_is_for_who_asked_and_for_what_was_asked() -> None:
    asked, private = recovery.make_host_return_request(SEED, GROUP, 12, b"package")
    again = RejoinRequest(asked.reply_public, b"package")
    assert asked.id != again.id
    for request in (asked, again):
        back = recovery.make_recovery_reply(request, ANSWER)
        assert back.id == request.id
        assert back.open(request, private) == ANSWER
        with pytest.raises(AuthenticationError):
            back.open(request, bytes([1]) * 32)
    with pytest.raises(AuthenticationError):
        recovery.make_recovery_reply(asked, ANSWER).open(again, private)
    with pytest.raises(MalformedError, match="must be an answer"):
        recovery.make_recovery_reply(asked, REFUSAL).open(asked, private)  # type: ignore[arg-type]


def test_a_hosts_recovery_data_has_one_form() -> None:
    kept = HostRecoveryData(
        HostKeys((SEED,)), bytes([1]) * 32, bytes([2]) * 16, GROUP, "https://meet.example", "Ada"
    )
    raw = replace(kept, servers=("https://b.example",)).encode()
    assert HostRecoveryData.decode(raw) == replace(kept, servers=("https://b.example",))
    raw = kept.encode()
    assert HostRecoveryData.decode(raw) == kept
    assert kept.door_key.seed == kept.door_seed
    assert not any(secret.hex() in repr(kept) for secret in (SEED.seed, kept.door_seed, kept.secret))
    for bad in (b"", raw[:-1], raw + b"\0", b"\2" + raw[1:], raw.replace(b"https://meet", b"HTTPS://meet")):
        with pytest.raises(MalformedError):
            HostRecoveryData.decode(bad)
    with pytest.raises(ValidationError):
        HostRecoveryData.decode(
            HostRecoveryData(
                HostKeys((SEED,)), bytes(32), bytes(16), GROUP, "https://meet.example", " "
            ).encode()
        )
