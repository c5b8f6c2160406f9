"""A member signs arbitrary content: receivers raise one clear error and continue."""

from __future__ import annotations

from dataclasses import replace

import pytest

import snugroom.crypto.mls.welcome as welcome_module
from snugroom.crypto.errors import MalformedError, SnugError, StateError
from snugroom.crypto.mls import (
    ApplicationMessage,
    CandidateCommit,
    Group,
    GroupContextExtensions,
    Limits,
    Remove,
)
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.commit import send
from snugroom.crypto.mls.framing import protect_private
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.mls.messages import (
    GroupInfo,
    PublicMessage,
    Sender,
    SenderType,
    decode_message,
    encode_message,
)
from snugroom.crypto.mls.nodes import ExtensionType
from snugroom.crypto.mls.proposals import Commit
from tests.mls.world import NOW, Room, add_of, forge, new_bundle, rng, sign_framed, state_of


def commit_of(room: Room) -> tuple[bytes, bytes]:
    """(an encoded Commit with all sorts of contents, its confirmation tag)."""
    stage = room[0].stage([add_of(new_bundle("new")), Remove(3), GroupContextExtensions(())], private=False)
    decoded = decode_message(stage.message)
    assert isinstance(decoded, PublicMessage)
    content, tag = decoded.content.framed.content, decoded.content.confirmation_tag
    assert isinstance(content, Commit)
    assert tag is not None
    return content.encode(), tag


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_signed_commit_with_any_byte_changed_is_refused(flip: int) -> None:
    room = Room(5)
    encoded, tag = commit_of(room)
    before = room[1].tree_hash, room[1].epoch_authenticator
    tried = 0
    for position in range(0, len(encoded), 7):
        changed = bytearray(encoded)
        changed[position] ^= flip
        try:
            content = decode(bytes(changed), Commit.read)
        except SnugError:
            continue
        tried += 1
        with pytest.raises(SnugError):
            room[1].process(forge(room[0], content, private=False, tag=tag))
        assert (room[1].tree_hash, room[1].epoch_authenticator) == before
    assert tried > len(encoded) // 14
    room.commit(by=1)


def test_a_signed_commit_of_any_shorter_list_is_refused() -> None:
    room = Room(5)
    encoded, tag = commit_of(room)
    commit = decode(encoded, Commit.read)
    assert commit.path is not None
    for content in (
        replace(commit, proposals=commit.proposals[1:]),
        replace(commit, proposals=commit.proposals[:-1]),
        replace(commit, proposals=commit.proposals[::-1]),
        replace(commit, path=None),
        replace(commit, path=replace(commit.path, nodes=commit.path.nodes[::-1])),
        replace(commit, path=replace(commit.path, nodes=())),
        replace(commit, path=replace(commit.path, nodes=commit.path.nodes * 2)),
    ):
        with pytest.raises(SnugError):
            room[1].process(forge(room[0], content, tag=tag))
    room.groups.pop(0)  # it has used up keys that it shared with nobody
    for group in room.groups:
        assert len(group.members()) == 5


@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_a_welcome_with_any_byte_of_its_tree_changed_is_refused(
    monkeypatch: pytest.MonkeyPatch, flip: int
) -> None:
    """The inviter signs a GroupInfo with a changed tree, and the hash that the changed tree has."""
    room = Room(4)
    for place in range(4):
        room.commit(by=place)
    bundle = new_bundle("new")
    original = welcome_module.make_group_info
    private = state_of(room[0]).signature_private
    at = 0

    def changed(*arguments: object) -> GroupInfo:
        info = original(*arguments)  # type: ignore[arg-type] # passed through
        [tree] = [e for e in info.extensions if e.extension_type == ExtensionType.RATCHET_TREE]
        data = bytearray(tree.data)
        data[at] ^= flip
        others = [e for e in info.extensions if e is not tree]
        info = replace(info, extensions=(replace(tree, data=bytes(data)), *others))
        return replace(info, signature=sign_with_label(private, "GroupInfoTBS", info.to_be_signed()))

    monkeypatch.setattr(welcome_module, "make_group_info", changed)
    monkeypatch.setattr(welcome_module, "tree_hash_matches", lambda *arguments: None)
    size = len(room[0].ratchet_tree())
    for at in range(0, size, 13):  # noqa: B007 - `changed` reads it
        stage = room[0].stage([add_of(bundle)])
        assert stage.welcome is not None
        with pytest.raises(SnugError):
            Group.join(stage.welcome, bundle, now=NOW)
    assert not bundle.used


def test_padding_that_is_not_zero_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(2)
    good = room[0].protect(b"x", pad_to=lambda size: 512)
    assert isinstance(room[1].process(good), ApplicationMessage)
    state = state_of(room[0])
    seal = type(state.suite).seal

    def dirty(self: object, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        if plaintext.endswith(bytes(64)):
            plaintext = plaintext[:-1] + b"\x01"
        return seal(state.suite, key, nonce, plaintext, aad)

    with monkeypatch.context() as patch:
        patch.setattr(type(state.suite), "seal", dirty)
        bad = room[0].protect(b"x", pad_to=lambda size: 512)
    with pytest.raises(MalformedError, match="padding"):
        room[1].process(bad)
    assert isinstance(room[1].process(room[0].protect(b"y")), ApplicationMessage)


def test_the_sending_side_refuses_what_may_not_be_sent() -> None:
    room = Room(2)
    state = state_of(room[0])
    with pytest.raises(StateError, match="PrivateMessage"):
        sign_framed(room[0], b"data", private=False)
    outside = sign_framed(room[0], Remove(1), sender=Sender(SenderType.EXTERNAL, 0))
    with pytest.raises(StateError, match="only a member"):
        protect_private(state.suite, outside, state.secret_tree, b"", rng=rng)
    public = sign_framed(room[0], Remove(1), sender=Sender(SenderType.EXTERNAL, 0), private=False)
    decoded = decode_message(send(state, public, None, rng))
    assert isinstance(decoded, PublicMessage)
    assert decoded.membership_tag is None
    with pytest.raises(ValueError, match="blank"):
        state_of(Room(4)[0]).tree.parent_hash(5, 4)


def test_a_proposal_that_comes_twice_is_stored_once() -> None:
    room = Room(2, limits=Limits(stored_proposals=1))
    message = room[0].propose(Remove(1), private=False)
    assert room[1].process(message) == room[1].process(message)
    assert len(room[1].stored_proposals) == 1


def test_without_past_epochs_nothing_late_is_opened() -> None:
    room = Room(2, limits=Limits(past_epochs=0))
    late = room[0].protect(b"late")
    room.commit()
    with pytest.raises(SnugError, match="epoch"):
        room[1].process(late)


def test_a_commit_can_be_processed_by_many_and_adopted_by_few() -> None:
    room = Room(4)
    stage = room[3].stage()
    candidates = [group.process(stage.message) for group in room.groups[:3]]
    assert all(isinstance(candidate, CandidateCommit) for candidate in candidates)
    assert {group.epoch for group in room.groups} == {3}
    assert encode_message(decode_message(stage.message)) == stage.message
