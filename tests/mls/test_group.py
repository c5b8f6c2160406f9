"""A group's life: joins, messages, staged commits, leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

import snugroom.crypto.mls.welcome as welcome_module
from snugroom.crypto.errors import (
    AuthenticationError,
    MissingKeyError,
    SnugError,
    StateError,
    ValidationError,
)
from snugroom.crypto.mls import (
    ApplicationMessage,
    CandidateCommit,
    Capabilities,
    CipherSuite,
    CommitError,
    Extension,
    Group,
    GroupContextExtensions,
    LeafNodeSource,
    PreSharedKey,
    ReceivedProposal,
    Remove,
    RequiredCapabilities,
    required_capabilities,
)
from snugroom.crypto.mls.nodes import find_extension
from tests.mls.world import NOW, Room, add_of, new_bundle, rng

POLICY = 0xF001
KNOWING = Capabilities(extensions=(POLICY,))


@pytest.fixture(params=list(CipherSuite), ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> CipherSuite:
    return CipherSuite(request.param)


# --- entering ---


def test_a_group_of_one_is_in_epoch_0(suite: CipherSuite) -> None:
    group = Room(1, suite=suite)[0]
    assert (group.epoch, group.group_id, group.suite) == (0, b"room", suite)
    assert (group.own_leaf, group.leaf_count, len(group.members())) == (0, 1, 1)
    assert (group.extensions, group.confirmed_transcript_hash, group.ended) == ((), b"", False)
    leaf = group.member(0)
    assert leaf is not None
    assert (leaf.credential.identity, leaf.source) == (b"member 0", LeafNodeSource.KEY_PACKAGE)
    assert group.member(1) is None
    assert group.member(-1) is None


@pytest.mark.parametrize("size", [2, 3, 5, 8, 9])
def test_members_join_agree_and_hear_each_other(suite: CipherSuite, size: int) -> None:
    room = Room(size, suite=suite)
    for group in room.groups:
        message = group.protect(b"hello", authenticated_data=b"public")
        for other in room.groups:
            if other is not group:
                heard = other.process(message)
                assert heard == ApplicationMessage(group.own_leaf, group.epoch, 0, b"public", b"hello")


def test_several_join_by_one_welcome() -> None:
    room = Room(2)
    bundles = [room.bundle(f"new {number}") for number in range(3)]
    stage = room.commit([add_of(bundle) for bundle in bundles], by=1)
    assert stage.added == (2, 3, 4)
    for bundle in bundles:
        room.enter(stage, bundle)
    for place in range(5):
        room.commit(by=place)


def test_joining_with_the_tree_beside_the_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(3)
    original = welcome_module.info_extensions
    monkeypatch.setattr(welcome_module, "info_extensions", lambda *a, **o: original(*a, **o)[1:])
    bundle = room.bundle("new")
    stage = room.commit([add_of(bundle)])
    assert stage.welcome is not None
    with pytest.raises(MissingKeyError, match="ratchet tree"):
        Group.join(stage.welcome, bundle, now=NOW)
    joined = Group.join(stage.welcome, bundle, now=NOW, ratchet_tree=room[0].ratchet_tree())
    assert joined.epoch_authenticator == room[0].epoch_authenticator


def test_the_tree_is_shown_with_the_keys_that_a_member_holds() -> None:
    room = Room(3)
    room.commit(by=0)
    before = room[0].tree_view()
    # four leaves: two parents and the root between them, and a blank leaf at the end
    assert [node is not None and node.identity is not None for node in before] == [
        True, False, True, False, True, False, False,
    ]  # fmt: skip
    assert before[6] is None
    assert [member.leaf for member in room[0].members()] == [0, 1, 2]
    # both hold the root; each holds its own leaf, and nobody else's
    held = [
        [i for i, node in enumerate(room[n].tree_view()) if node is not None and node.held] for n in (0, 2)
    ]
    assert 0 in held[0]
    assert 4 in held[1]
    assert 3 in held[0]
    assert 3 in held[1]
    assert not {0, 2} & set(held[1])
    assert [node and node.encryption_key for node in room[2].tree_view()] == [
        node and node.encryption_key for node in before
    ]
    room.commit(by=1)
    after = room[0].tree_view()
    fresh = [
        i
        for i, (a, b) in enumerate(zip(before, after, strict=True))
        if a and b and a.encryption_key != b.encryption_key
    ]
    assert fresh == [1, 2, 3]


def test_a_key_package_serves_once() -> None:
    room = Room(1)
    bundle = room.bundle("new")
    stage = room.commit([add_of(bundle)])
    room.enter(stage, bundle)
    assert bundle.used
    assert stage.welcome is not None
    with pytest.raises(StateError, match="has been used"):
        Group.join(stage.welcome, bundle)
    with pytest.raises(StateError, match="has been used"):
        Group.create(bundle, b"another")
    with pytest.raises(StateError):
        _ = bundle.encryption_private


def test_a_used_bundle_holds_no_key() -> None:
    bundle = new_bundle("x")
    secrets = bundle._init_private, bundle._encryption_private
    assert all(map(any, secrets))
    Group.create(bundle, b"room", rng=rng)
    assert not any(map(any, secrets))


def test_a_failed_join_leaves_the_bundle_for_the_right_welcome() -> None:
    room = Room(1)
    bundle = room.bundle("new")
    room.psks = {b"link": b"secret"}
    stage = room.commit([add_of(bundle), PreSharedKey.external(b"link", rng)])
    assert stage.welcome is not None
    for psks in ({}, {b"other": b"secret"}):
        with pytest.raises(ValidationError, match=r"MLS-12\.4\.3\.1-3"):
            Group.join(stage.welcome, bundle, psks=psks)
    with pytest.raises(AuthenticationError):
        Group.join(stage.welcome, bundle, psks={b"link": b"wrong"})
    room.enter(stage, bundle)


def test_a_tampered_welcome_is_refused_at_every_byte() -> None:
    room = Room(1)
    bundle = room.bundle("new")
    welcome = room.commit([add_of(bundle)]).welcome
    assert welcome is not None
    for position in range(0, len(welcome), 7):
        changed = bytearray(welcome)
        changed[position] ^= 0x41
        with pytest.raises(SnugError):
            Group.join(bytes(changed), bundle)
    assert Group.join(welcome, bundle).epoch == 1


def test_a_group_whose_extensions_we_lack_is_neither_created_nor_joined() -> None:
    with pytest.raises(ValidationError, match=r"MLS-13\.4-2"):
        Room(1, extensions=[Extension(POLICY, b"")])
    with pytest.raises(ValidationError, match=r"MLS-7\.3-2"):
        Room(1, extensions=[RequiredCapabilities(extensions=(POLICY,)).extension()])


def test_the_snug_profile_of_extensions() -> None:
    required = RequiredCapabilities(extensions=(POLICY,))
    extensions = [required.extension(), Extension(POLICY, b"version 1")]
    room = Room(3, extensions=extensions, capabilities=KNOWING)
    assert required_capabilities(room[2].extensions) == required
    changed = (required.extension(), Extension(POLICY, b"version 2"))
    room.commit([GroupContextExtensions(changed)], by=1)
    assert all(find_extension(group.extensions, POLICY) == b"version 2" for group in room.groups)
    with pytest.raises(ValidationError, match=r"MLS-7\.3-2"):
        room[0].stage([add_of(new_bundle("without"))])
    room.add("with")


# --- committing in stages ---


def test_a_stage_changes_nothing_until_it_is_adopted() -> None:
    room = Room(2)
    alice = room[0]
    before = (alice.epoch, alice.epoch_authenticator, alice.tree_hash, alice.export("x", b"", 32))
    stage = alice.stage()
    assert (alice.epoch, alice.epoch_authenticator, alice.tree_hash, alice.export("x", b"", 32)) == before
    assert stage.epoch == before[0] + 1
    following = stage.group.export("snug 1 pass", b"room", 32)
    room.deliver(stage, alice)
    assert alice.export("snug 1 pass", b"room", 32) == following
    assert room[1].export("snug 1 pass", b"room", 32) == following


def test_a_candidate_can_be_read_and_not_used() -> None:
    room = Room(2)
    stage = room[0].stage()
    candidate = room[1].process(stage.message)
    assert isinstance(candidate, CandidateCommit)
    for group in (stage.group, candidate.group):
        assert isinstance(group, Group)
        assert len(group.members()) == 2
        assert group.epoch_authenticator == stage.group.epoch_authenticator
        uses: list[Callable[[], object]] = [
            partial(group.protect, b""),
            group.stage,
            partial(group.propose, Remove(1)),
            partial(group.process, stage.message),
            partial(group.adopt, stage),
            partial(group.discard, b""),
            group.group_info,
        ]
        for use in uses:
            with pytest.raises(StateError, match="candidate"):
                use()


def test_a_dropped_stage_is_spent() -> None:
    room = Room(2)
    stage = room[0].stage()
    group = stage.group
    stage.drop()
    stage.drop()
    assert stage.dropped
    assert group.wiped
    with pytest.raises(StateError, match="dropped"):
        room[0].adopt(stage)
    with pytest.raises(StateError, match="spent"):
        _ = stage.group
    with pytest.raises(StateError, match="gone"):
        group.export("x", b"", 32)
    room.commit()


def test_a_stage_is_adopted_once_and_in_its_own_epoch() -> None:
    room = Room(3)
    first, second = room[0].stage(), room[0].stage()
    theirs = room[1].stage()
    room.deliver(first, room[0])
    assert (second.dropped, theirs.dropped) == (True, True)
    for stage, group in ((first, room[0]), (second, room[0]), (theirs, room[1])):
        with pytest.raises(StateError):
            group.adopt(stage)
    others = Room(2)
    with pytest.raises(StateError, match="does not follow"):
        others[0].adopt(room[0].stage())


def test_the_winner_of_two_commits_is_followed_and_the_loser_tries_again() -> None:
    room = Room(3)
    mine, theirs = room[0].stage([Remove(2)]), room[1].stage()
    candidate = room[0].process(theirs.message)
    assert isinstance(candidate, CandidateCommit)
    room[0].adopt(candidate)
    assert mine.dropped
    room[1].adopt(theirs)
    last = room[2].process(theirs.message)
    assert isinstance(last, CandidateCommit)
    room[2].adopt(last)
    room.check()
    room.commit([Remove(2)])
    assert len(room.groups) == 2


def test_a_candidate_that_is_left_alone_leaves_the_group_alone() -> None:
    room = Room(3)
    refused = room[1].stage([Remove(0)])
    for group in (room[0], room[2]):
        candidate = group.process(refused.message)
        assert isinstance(candidate, CandidateCommit)
    room[0].protect(b"still here")
    room.commit(by=2)
    assert len(room.groups) == 3


def test_our_own_message_is_told_apart() -> None:
    room = Room(2)
    alice = room[0]
    messages = [alice.protect(b"x"), alice.stage().message, alice.propose(Remove(1))]
    messages += [alice.stage(private=False).message, alice.propose(Remove(1), private=False)]
    for message in messages:
        with pytest.raises(StateError, match="our own"):
            alice.process(message)
    late = alice.protect(b"late")
    room.commit()
    with pytest.raises(StateError, match="our own"):
        alice.process(late)


# --- proposals ---


@pytest.mark.parametrize("private", [True, False])
def test_commits_by_value(private: bool) -> None:
    room = Room(4)
    room.commit([Remove(2)], by=1, private=private)
    room.add("new", private=private)
    assert room[0].member(2) is not None
    room.commit(by=2, private=private, authenticated_data=b"slot 7")


@pytest.mark.parametrize("private", [True, False])
def test_commits_by_reference(private: bool) -> None:
    room = Room(4)
    update = room[2].make_update()
    message = room[2].propose(update, private=private, authenticated_data=b"why")
    for group in (room[0], room[1], room[3]):
        received = group.process(message)
        assert isinstance(received, ReceivedProposal)
        assert (received.sender, received.authenticated_data) == (2, b"why")
        assert list(group.stored_proposals) == [received.reference]
    leaving = room[3].propose(Remove(3), private=private)
    room.tell(leaving, room[3])
    stage = room.commit(by=1, include_stored=True, private=private)
    assert all(item.by_reference for item in stage.proposals)
    assert [item.sender for item in stage.proposals] == [2, 3]
    assert len(room.groups) == 3
    leaf = room[0].member(2)
    assert leaf is not None
    assert (leaf.source, leaf.encryption_key) == (LeafNodeSource.UPDATE, update.leaf_node.encryption_key)
    assert not room[0].stored_proposals
    for place in range(3):
        room.commit(by=place)


def test_stored_proposals_are_chosen_as_the_rfc_advises() -> None:
    room = Room(4)
    updates = [room[1].propose(room[1].make_update()) for _ in range(2)]
    for message in (*updates, room[2].propose(room[2].make_update()), room[3].propose(Remove(2))):
        author = 1 if message in updates else None
        for place, group in enumerate(room.groups):
            if place != author:
                try:
                    group.process(message)
                except StateError:
                    author = place
    room.tell(room[0].propose(room[0].make_update()), room[0])
    room.tell(room[3].propose(Remove(0)), room[3])
    room.tell(room[3].propose(PreSharedKey.external(b"id", rng)), room[3])
    room.psks = {b"id": b"secret"}
    stage = room.commit(include_stored=True)
    kinds = [item.proposal.proposal_type.name for item in stage.proposals]
    assert sorted(kinds) == ["PSK", "REMOVE", "UPDATE"]
    assert stage.removed == (2,)
    assert len(room.groups) == 3


def test_a_proposal_that_policy_refuses_is_discarded() -> None:
    room = Room(3)
    message = room[1].propose(Remove(0))
    received = room[2].process(message)
    assert isinstance(received, ReceivedProposal)
    room[2].discard(received.reference)
    room[2].discard(received.reference)
    assert not room[2].stored_proposals
    with pytest.raises(ValidationError, match=r"MLS-12\.4-2"):
        room[2].stage(include_stored=[received.reference])
    # what others kept, they can still commit; who forgot it can't follow, and can say whose commit it was
    with pytest.raises(CommitError, match=r"MLS-12\.4-2") as caught:
        room[2].process(room[1].stage(include_stored=[received.reference]).message)
    assert caught.value.sender == 1


def test_proposals_end_with_their_epoch() -> None:
    room = Room(3)
    message = room[1].propose(Remove(2))
    room.tell(message, room[1])
    room.commit()
    assert not any(group.stored_proposals for group in room.groups)
    with pytest.raises(MissingKeyError):
        room[0].process(message)
