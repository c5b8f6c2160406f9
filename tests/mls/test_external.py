"""Messages from outside a group: external commits and proposals are understood (policy refuses them)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.mls import (
    Add,
    CandidateCommit,
    Extension,
    ExternalSender,
    GroupContextExtensions,
    ReceivedProposal,
    Remove,
    generate_signature_key,
)
from snugroom.crypto.mls.codec import vector
from snugroom.crypto.mls.messages import PublicMessage, Sender, SenderType, decode_message, encode_message
from snugroom.crypto.mls.nodes import Credential, ExtensionType, external_senders
from snugroom.lab.attacks.newcomer import join_from_outside
from tests.mls.world import SUITE, Room, add_of, new_bundle, rng, sign_framed


def test_a_newcomer_joins_by_an_external_commit() -> None:
    room = Room(3)
    commit, joined = join_from_outside(room[0].group_info(), new_bundle("newcomer"), rng=rng)
    for group in room.groups:
        candidate = group.process(commit)
        assert isinstance(candidate, CandidateCommit)
        assert (candidate.external, candidate.sender, candidate.added) == (True, None, (3,))
        assert candidate.path_leaf is not None
        assert not candidate.private
        assert candidate.path_leaf.credential.identity == b"newcomer"
        group.adopt(candidate)
    room.groups.append(joined)
    room.check()
    for place in range(4):
        room.commit(by=place)


@pytest.mark.parametrize("size", [2, 4])
def test_a_member_replaces_its_own_leaf_from_outside(size: int) -> None:
    private, _ = generate_signature_key(SUITE, rng)
    room = Room(size - 1)
    old = room.bundle("ada", signature_private=private)
    lost = room.enter(room.commit([add_of(old)]), old)
    room.groups.remove(lost)
    again = new_bundle("ada", signature_private=private)
    commit, joined = join_from_outside(room[0].group_info(), again, resync=size - 1, rng=rng)
    told = lost.process(commit)
    assert isinstance(told, CandidateCommit)
    assert told.removes_us
    for group in room.groups:
        candidate = group.process(commit)
        assert isinstance(candidate, CandidateCommit)
        assert (candidate.removed, candidate.added) == ((size - 1,), (size - 1,))
        group.adopt(candidate)
    room.groups.append(joined)
    room.check()
    room.commit(by=size - 1)


def test_an_external_commit_extends_a_full_tree() -> None:
    room = Room(4)
    commit, joined = join_from_outside(room[1].group_info(), new_bundle("fifth"), rng=rng)
    for group in room.groups:
        candidate = group.process(commit)
        assert isinstance(candidate, CandidateCommit)
        group.adopt(candidate)
    room.groups.append(joined)
    room.check()
    assert joined.leaf_count == 8


def test_an_external_commit_must_be_signed_by_its_leaf() -> None:
    room = Room(2)
    commit, _ = join_from_outside(room[0].group_info(), new_bundle("newcomer"), rng=rng)
    decoded = decode_message(commit)
    assert isinstance(decoded, PublicMessage)
    forged = replace(decoded.content, signature=bytes(64))
    with pytest.raises(AuthenticationError):
        room[1].process(encode_message(PublicMessage(forged, None)))


def with_external_sender() -> tuple[Room, bytes]:
    private, public = generate_signature_key(SUITE, rng)
    sender = ExternalSender(public, Credential.basic(b"service"))
    listed = Extension(ExtensionType.EXTERNAL_SENDERS, vector([sender.encode()]))
    room = Room(3, extensions=(listed,))
    assert external_senders(room[0].extensions) == (sender,)
    return room, private


def test_an_external_sender_proposes_and_a_member_commits() -> None:
    room, private = with_external_sender()
    for content in (Remove(2), add_of(new_bundle("new"))):
        signed = sign_framed(
            room[0],
            content,
            sender=Sender(SenderType.EXTERNAL, 0),
            private=False,
            signature_private=private,
        )
        for group in room.groups:
            received = group.process(encode_message(PublicMessage(signed, None)))
            assert isinstance(received, ReceivedProposal)
            assert received.sender is None
    stage = room.commit(include_stored=True)
    assert [item.sender for item in stage.proposals] == [None, None]
    assert (stage.removed, stage.added) == ((2,), (2,))


def test_an_external_senders_signature_counts() -> None:
    room, _ = with_external_sender()
    signed = sign_framed(room[0], Remove(2), sender=Sender(SenderType.EXTERNAL, 0), private=False)
    with pytest.raises(AuthenticationError):
        room[1].process(encode_message(PublicMessage(signed, None)))


def test_external_senders_that_cannot_be_read_are_refused() -> None:
    room = Room(2)
    with pytest.raises(MalformedError):
        room[0].stage([GroupContextExtensions((Extension(ExtensionType.EXTERNAL_SENDERS, b"\xff"),))])


def test_a_newcomer_proposes_itself() -> None:
    room = Room(2)
    bundle = new_bundle("newcomer")
    signed = sign_framed(
        room[0],
        Add(bundle.key_package),
        sender=Sender(SenderType.NEW_MEMBER_PROPOSAL),
        private=False,
        signature_private=bundle.signature_private,
    )
    for group in room.groups:
        received = group.process(encode_message(PublicMessage(signed, None)))
        assert isinstance(received, ReceivedProposal)
        assert received.sender is None
    stage = room.commit(include_stored=True)
    room.enter(stage, bundle)
