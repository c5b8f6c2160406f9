"""Faults that a published MLS package had: ours has none of them.

Exporter without the context's hash; commits with a path that are never signed again; unsigned messages
accepted; replays accepted; an unknown PSK that becomes a public value; a restored state that reuses a key;
a forged commit that wedges the client.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest

from snugroom.crypto.errors import (
    AuthenticationError,
    ReplayError,
    SnugError,
    StateError,
    ValidationError,
)
from snugroom.crypto.mls import ApplicationMessage, CandidateCommit, Group, PreSharedKey, Proposal
from snugroom.crypto.mls.commit import send
from snugroom.crypto.mls.framing import verify_content
from snugroom.crypto.mls.labels import derive_secret, expand_with_label
from snugroom.crypto.mls.messages import PublicMessage, Sender, SenderType, decode_message, encode_message
from snugroom.crypto.mls.proposals import Commit
from tests.mls.world import Room, add_of, forge, rng, sign_framed, state_of


def test_the_exporter_hashes_its_context() -> None:
    group = Room(1)[0]
    state = state_of(group)
    suite = state.suite
    secret = derive_secret(suite, state.secrets.exporter, "label")
    for context in (b"", b"context"):
        wanted = expand_with_label(suite, secret, "exported", suite.hash(context), 32)
        assert group.export("label", context, 32) == wanted
        assert group.export("label", context, 32) != expand_with_label(suite, secret, "exported", context, 32)
    exported = {group.export(label, c, 32) for label in ("a", "b") for c in (b"", b"x")}
    assert len(exported) == 4
    assert [len(group.export("a", b"", n)) for n in (1, 32, 33, 8160)] == [1, 32, 33, 8160]
    with pytest.raises(ValueError, match="8160"):
        group.export("a", b"", 8161)


@pytest.mark.parametrize("private", [True, False])
def test_the_signature_of_a_commit_covers_its_path(private: bool) -> None:
    room = Room(3)
    message = room[0].stage(private=private).message
    candidate = room[1].process(message)
    assert isinstance(candidate, CandidateCommit)
    assert candidate.path_leaf is not None
    public = decode_message(room[0].stage(private=False).message)
    assert isinstance(public, PublicMessage)
    signer = room[0].member(0)
    assert signer is not None
    context = state_of(room[0]).context.encoded
    verify_content(public.content, context, signer.signature_key)
    content = public.content.framed.content
    assert isinstance(content, Commit)
    without = replace(public.content.framed, content=Commit(content.proposals, None))
    with pytest.raises(AuthenticationError):
        verify_content(replace(public.content, framed=without), context, signer.signature_key)


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63)])
def test_unsigned_messages_are_refused(private: bool, signature: bytes) -> None:
    room = Room(3)
    for content in (b"data", Commit(())):
        if isinstance(content, bytes) and not private:
            continue
        unsigned = replace(sign_framed(room[0], content, private=private), signature=signature)
        with pytest.raises(AuthenticationError):
            room[1].process(send(state_of(room[0]), unsigned, None, rng))
    room.commit()


@pytest.mark.parametrize("private", [True, False])
def test_bob_cannot_speak_as_alice(private: bool) -> None:
    room = Room(3)
    alice = Sender(SenderType.MEMBER, 0)
    with pytest.raises(AuthenticationError):
        room[2].process(forge(room[1], Commit(()), sender=alice, private=private))
    with pytest.raises(AuthenticationError):
        room[2].process(forge(room[1], b"data", sender=alice))


def test_a_member_cannot_do_without_the_membership_tag() -> None:
    room = Room(2)
    decoded = decode_message(room[0].stage(private=False).message)
    assert isinstance(decoded, PublicMessage)
    for tag in (b"", bytes(32), b"x"):
        with pytest.raises(AuthenticationError, match="membership"):
            room[1].process(encode_message(replace(decoded, membership_tag=tag)))


def test_replays_are_refused() -> None:
    room = Room(2)
    message = room[0].protect(b"once")
    assert isinstance(room[1].process(message), ApplicationMessage)
    for _ in range(3):
        with pytest.raises(ReplayError):
            room[1].process(message)


def test_an_unknown_psk_is_never_replaced_by_a_public_value() -> None:
    room = Room(2)
    bundle = room.bundle("new")
    proposals: list[Proposal] = [add_of(bundle), PreSharedKey.external(b"link", rng)]
    stage = room[0].stage(proposals, psks={b"link": b"the secret"})
    assert stage.welcome is not None
    for psks in ({}, {b"": b""}, {b"link": b""}, {b"link": bytes(32)}):
        with pytest.raises((ValidationError, AuthenticationError)):
            Group.join(stage.welcome, bundle, psks=psks)
    with pytest.raises(ValidationError, match=r"MLS-12\.4\.2-1"):
        room[0].stage(proposals)
    with pytest.raises(ValidationError, match=r"MLS-12\.4\.2-1"):
        room[1].process(stage.message)


def test_no_state_can_be_restored_so_no_key_is_used_again() -> None:
    room = Room(2)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(StateError):
            attempt(room[0])
    assert not {name for name in dir(Group) if "save" in name or "restore" in name or "load" in name}


@pytest.mark.parametrize("private", [True, False])
def test_a_forged_commit_does_not_wedge_the_client(private: bool) -> None:
    room = Room(3)
    good = room[0].stage(private=private)
    for position in range(0, len(good.message), 11):
        forged = bytearray(good.message)
        forged[position] ^= 1
        for group in (room[1], room[2]):
            with pytest.raises(SnugError):
                group.process(bytes(forged))
    room.deliver(good, room[0])
    room.commit(by=2)


def test_a_commit_with_a_wrong_confirmation_tag_does_not_wedge_the_client() -> None:
    room = Room(3)
    stage = room[0].stage(private=False)
    decoded = decode_message(stage.message)
    assert isinstance(decoded, PublicMessage)
    wrong = replace(decoded.content, confirmation_tag=bytes(32))
    forged = send(state_of(room[0]), wrong, None, rng)
    with pytest.raises(ValidationError, match=r"MLS-12\.4\.2-3"):
        room[1].process(forged)
    room.deliver(stage, room[0])
