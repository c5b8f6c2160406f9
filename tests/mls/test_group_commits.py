"""Commits of a group: PSKs, reinit, rejoins, trees that shrink, and misuse."""

from __future__ import annotations

import copy
import pickle
import random
import re
from collections.abc import Callable
from functools import partial

import pytest

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    MissingKeyError,
    ReplayError,
    StateError,
    UnsupportedError,
    ValidationError,
)
from snugroom.crypto.mls import (
    Add,
    ApplicationMessage,
    CandidateCommit,
    Capabilities,
    CommitError,
    Extension,
    Group,
    KeyPackageIn,
    Lifetime,
    Limits,
    PreSharedKey,
    PskUsage,
    ReInit,
    Remove,
    ResumptionPsk,
    generate_signature_key,
    welcome_for,
)
from snugroom.crypto.mls.codec import opaque
from snugroom.crypto.mls.framing import verify_content
from snugroom.crypto.mls.labels import verify_with_label
from snugroom.crypto.mls.messages import (
    ContentType,
    PublicMessage,
    Welcome,
    WireFormat,
    decode_message,
    kind_of,
)
from snugroom.crypto.mls.nodes import GREASE, find_extension
from snugroom.crypto.mls.proposals import Commit
from tests.mls.test_group import KNOWING, POLICY
from tests.mls.world import NOW, SUITE, Room, add_of, new_bundle, rng, sign_framed, state_of


@pytest.mark.parametrize("count", [1, 3])
def test_pre_shared_keys_count(count: int) -> None:
    room = Room(2, psks={b"%d" % number: b"secret %d" % number for number in range(count)})
    stage = room.commit([PreSharedKey.external(b"%d" % number, rng) for number in range(count)])
    assert len(stage.proposals) == count
    room.add("new")


def test_a_wrong_pre_shared_key_is_noticed() -> None:
    room = Room(2)
    stage = room[0].stage([PreSharedKey.external(b"id", rng)], psks={b"id": b"right"})
    with pytest.raises(CommitError, match=r"MLS-12\.4\.2-3"):
        room[1].process(stage.message, psks={b"id": b"wrong"})


def test_resumption_psks_of_earlier_epochs_as_far_as_they_are_kept() -> None:
    room = Room(2, limits=Limits(resumption_epochs=2))
    for _ in range(3):
        room.commit()
    now = room[0].epoch

    def of(epoch: int) -> PreSharedKey:
        return PreSharedKey(ResumptionPsk(PskUsage.APPLICATION, b"room", epoch, rng(32)))

    for epoch in (now, now - 1, now - 2):
        assert room[1].process(room[0].stage([of(epoch)]).message)
    with pytest.raises(ValidationError, match=r"MLS-12\.4\.2-1"):
        room[0].stage([of(now - 3)])
    with pytest.raises(ValidationError, match=r"MLS-12\.4\.2-1"):
        room[0].stage([PreSharedKey(ResumptionPsk(PskUsage.APPLICATION, b"other", now, rng(32)))])
    bundle = room.bundle("returning")
    stage = room[0].stage([add_of(bundle), of(now)])
    assert stage.welcome is not None
    key = state_of(room[0]).resumption_psks[now]
    joined = Group.join(stage.welcome, bundle, resumption_psks={(b"room", now): key})
    assert joined.epoch_authenticator == stage.group.epoch_authenticator


def test_commits_without_a_path_where_none_is_needed() -> None:
    room = Room(3)
    before = room[0].member(0)
    room.add("new", force_path=False)
    assert room[0].member(0) == before
    room.psks = {b"id": b"secret"}
    room.commit([PreSharedKey.external(b"id", rng)], force_path=False, by=3)
    for place in range(4):
        room.commit(by=place, force_path=False)
    after = room[0].member(0)
    assert after is not None
    assert after != before


def test_a_reinit_ends_the_group() -> None:
    room = Room(3)
    room.commit([ReInit(b"next", 1, SUITE, ())], by=1)
    for group in room.groups:
        assert group.ended
        uses: list[Callable[[], object]] = [
            partial(group.protect, b""),
            group.stage,
            partial(group.propose, Remove(1)),
            group.make_update,
        ]
        for use in uses:
            with pytest.raises(StateError, match="ReInit"):
                use()


def test_a_rejoin_in_one_commit_takes_the_old_place() -> None:
    private, _ = generate_signature_key(SUITE, rng)
    room = Room(2)
    old = room.bundle("ada", signature_private=private)
    room.enter(room.commit([add_of(old)]), old)
    again = room.bundle("ada", signature_private=private)
    with pytest.raises(ValidationError, match=r"MLS-12\.2-6"):
        room[0].stage([add_of(again)])
    stage = room.commit([Remove(2), add_of(again)], by=1)
    assert (stage.removed, stage.added) == ((2,), (2,))
    room.enter(stage, again)


def test_a_newcomer_gets_its_path_secret_only_in_the_welcome() -> None:
    room = Room(2)
    message = room[0].stage([add_of(room.bundle("new"))], private=False).message
    decoded = decode_message(message)
    assert isinstance(decoded, PublicMessage)
    commit = decoded.content.framed.content
    assert isinstance(commit, Commit)
    assert commit.path is not None
    # below the root there is member 1; beside the root's left child nobody but the newcomer
    assert [len(node.encrypted_path_secret) for node in commit.path.nodes] == [1, 0]


def test_the_tree_shrinks_when_its_right_half_is_empty() -> None:
    room = Room(5)
    assert room[0].leaf_count == 8
    room.commit([Remove(4)])
    assert room[0].leaf_count == 4
    room.commit([Remove(2), Remove(3)], by=1)
    assert room[0].leaf_count == 2
    room.commit([Remove(1)])
    assert room[0].leaf_count == 1
    room.add("again")


def test_a_leaf_counts_in_its_place_and_group_only() -> None:
    room = Room(3)
    room.commit(by=1)
    leaf = room[0].member(1)
    assert leaf is not None
    assert leaf.verify(b"room", 1) == leaf
    for group_id, place in ((b"room", 2), (b"other", 1)):
        with pytest.raises(ValidationError, match=r"MLS-7\.3-1"):
            leaf.verify(group_id, place)


def test_a_signature_counts_in_its_epoch_only() -> None:
    room = Room(2)
    state = state_of(room[0])
    signed = sign_framed(room[0], b"data")
    key = room[0].members()[0].leaf_node.signature_key
    assert verify_content(signed, state.context.encoded, key).framed.content == b"data"
    room.commit(by=1)
    with pytest.raises(AuthenticationError):
        verify_content(signed, state_of(room[0]).context.encoded, key)


# --- leaving ---


def test_a_removed_member_hears_of_it_and_gets_nothing_of_the_next_epoch() -> None:
    room = Room(3)
    evicted = room[2]
    stage = room[0].stage([Remove(2)])
    candidate = evicted.process(stage.message)
    assert isinstance(candidate, CandidateCommit)
    assert (candidate.removes_us, candidate.group, candidate.removed) == (True, None, (2,))
    with pytest.raises(StateError, match="removes us"):
        evicted.adopt(candidate)
    room.groups.remove(evicted)
    room.deliver(stage, room[0])
    with pytest.raises(MissingKeyError):
        evicted.process(room[0].protect(b"without you"))
    evicted.wipe()
    evicted.wipe()
    assert evicted.wiped
    for use in (
        lambda: evicted.epoch,
        lambda: evicted.protect(b""),
        lambda: evicted.process(stage.message),
        lambda: evicted.export("x", b"", 32),
    ):
        with pytest.raises(StateError, match="gone"):
            use()


def test_messages_of_an_evicted_member_are_not_read_after_its_removal() -> None:
    room = Room(3)
    late = [group.protect(b"late") for group in room.groups]
    room.commit([Remove(2)])
    assert isinstance(room[0].process(late[1]), ApplicationMessage)
    with pytest.raises(ValidationError, match="SNUG-17"):
        room[0].process(late[2])


def test_an_evicted_member_stays_unheard_in_all_past_epochs() -> None:
    room = Room(3, limits=Limits(past_epochs=3))
    late = [group.protect(b"late") for group in room.groups]
    room.commit()
    room.commit([Remove(2)])
    assert isinstance(room[0].process(late[1]), ApplicationMessage)
    with pytest.raises(ValidationError, match="SNUG-17"):
        room[0].process(late[2])


def test_wiping_drops_stages() -> None:
    room = Room(2)
    stage = room[0].stage()
    room[0].wipe()
    assert stage.dropped


# --- late, replayed and foreign messages ---


def test_late_messages_of_the_last_epoch_and_no_earlier_one() -> None:
    room = Room(2)
    early, late = room[0].protect(b"early"), room[0].protect(b"late")
    handshake = room[0].propose(Remove(1))
    room.commit()
    assert isinstance(room[1].process(late), ApplicationMessage)
    with pytest.raises(ReplayError):
        room[1].process(late)
    with pytest.raises(MissingKeyError):
        room[1].process(handshake)
    room.commit()
    with pytest.raises(MissingKeyError):
        room[1].process(early)


def test_a_replay_is_refused_in_its_epoch_and_after_adoption() -> None:
    room = Room(2)
    message = room[0].protect(b"once")
    staged = room[1].stage()
    room[1].process(message)
    with pytest.raises(ReplayError):
        room[1].process(message)
    room.deliver(staged, room[1])
    with pytest.raises(ReplayError):
        room[1].process(message)


def test_a_commit_is_processed_once() -> None:
    room = Room(2)
    stage = room[0].stage()
    assert room[1].process(stage.message)
    with pytest.raises(ReplayError):
        room[1].process(stage.message)


def test_messages_of_other_groups_and_epochs_are_told_apart() -> None:
    room, other = Room(2), Room(2)
    ahead = other[0].stage(private=False)
    other.deliver(ahead, other[0])
    for message in (other[0].protect(b"x"), other[0].stage(private=False).message):
        with pytest.raises(MissingKeyError, match="epoch"):
            room[0].process(message)
    renamed = Group.create(room.bundle("x"), b"another room", rng=rng)
    for message in (renamed.protect(b"x"), renamed.stage(private=False).message):
        with pytest.raises(MissingKeyError, match="group"):
            room[0].process(message)


def test_a_message_of_another_suite_is_not_understood() -> None:
    with pytest.raises(UnsupportedError):
        generate_signature_key(7, rng)  # type: ignore[arg-type] # what a caller without types may do
    with pytest.raises(UnsupportedError):
        new_bundle("x", suite=2)  # type: ignore[arg-type] # likewise


# --- state that must not be copied ---


def test_nothing_live_can_be_copied_or_saved() -> None:
    room = Room(2)
    stage = room[0].stage()
    candidate = room[1].process(stage.message)
    state = state_of(room[0])
    for live in (room[0], stage, candidate, stage.group, state, state.secret_tree, room.bundle("x")):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(StateError, match="can't be copied"):
                attempt(live)


# --- capabilities, lifetimes, GREASE ---


def test_grease_is_sent_everywhere_and_means_nothing() -> None:
    package = new_bundle("greased").key_package
    capabilities = package.leaf_node.capabilities
    for values in (
        capabilities.cipher_suites,
        capabilities.extensions,
        capabilities.proposals,
        capabilities.credentials,
        [extension.extension_type for extension in package.extensions],
        [extension.extension_type for extension in package.leaf_node.extensions],
    ):
        assert set(values) & set(GREASE)
    assert not set(GREASE) & set(capabilities.versions)
    assert capabilities.without_grease() == Capabilities()
    assert len(GREASE) == 15
    assert (GREASE[0], GREASE[-1]) == (0x0A0A, 0xEAEA)
    plain = new_bundle("plain", grease=False)
    assert plain.key_package.leaf_node.capabilities == Capabilities()
    room = Room(2)
    stage = room.commit([add_of(plain)])
    room.enter(stage, plain)


def test_a_lifetime_is_judged_when_somebody_asks() -> None:
    bundle = new_bundle("old", lifetime=Lifetime(0, 10))
    package = KeyPackageIn.decode(bundle.encoded).verify(SUITE)
    with pytest.raises(ValidationError, match=r"MLS-7\.3-5"):
        KeyPackageIn.decode(bundle.encoded).verify(SUITE, NOW)
    with pytest.raises(ValidationError, match=r"MLS-7\.3-5"):
        package.verify(SUITE, NOW)
    assert package.verify(SUITE, 10) is package
    room = Room(2)
    stage = room[0].stage([Add(package)])
    with pytest.raises(CommitError, match=r"MLS-7\.3-5"):
        room[1].process(stage.message, now=NOW)
    again = room[0].stage([Add(package)])
    assert room[1].process(again.message)
    assert again.welcome is not None
    with pytest.raises(ValidationError, match=r"MLS-7\.3-5"):
        Group.join(again.welcome, bundle, now=NOW)
    assert Group.join(again.welcome, bundle).epoch == 2


def test_a_leaf_that_contradicts_its_own_capabilities_is_not_made() -> None:
    with pytest.raises(ValidationError, match=r"MLS-7\.3-6"):
        new_bundle("x", leaf_extensions=(Extension(POLICY, b""),))
    with pytest.raises(ValidationError, match=r"MLS-10-1"):
        new_bundle("x", extensions=(Extension(POLICY, b""),))
    bundle = new_bundle("x", capabilities=KNOWING, leaf_extensions=(Extension(POLICY, b"data"),))
    assert find_extension(bundle.key_package.leaf_node.extensions, POLICY) == b"data"
    assert bundle.suite == SUITE
    assert len(bundle.reference) == 32


# --- padding and sizes ---


@pytest.mark.parametrize("bucket", [256, 1024, 4096, 16384, 20_000])
def test_messages_are_padded_to_the_size_asked_for(bucket: int) -> None:
    room = Room(3)

    def pad_to(size: int) -> int:
        return -(-size // bucket) * bucket

    sizes = {len(room[0].protect(bytes(length), pad_to=pad_to)) for length in (0, 1, 50, 63, 64, 65)}
    assert sizes == {bucket}
    padded = [
        room[0].protect(b"data", pad_to=pad_to, authenticated_data=b"ad"),
        room[0].propose(room[0].make_update(), pad_to=pad_to),
        room[0].stage(pad_to=pad_to).message,
        room[0].stage([Remove(1)], pad_to=pad_to, authenticated_data=b"slot").message,
    ]
    assert all(len(message) % bucket == 0 for message in padded)
    for message in padded:
        assert room[2].process(message)


def test_padding_reaches_each_size_or_the_next_that_exists() -> None:
    group = Room(2)[0]
    least = len(group.protect(b""))
    for wanted in (*range(least, least + 200), *range(16_400, 16_500)):
        got = len(group.protect(b"", pad_to=lambda _, wanted=wanted: wanted))  # type: ignore[misc] # bound at once
        assert wanted <= got <= wanted + 2


def test_a_message_is_not_padded_to_less_than_it_is() -> None:
    room = Room(2)
    with pytest.raises(StateError, match="can't be padded"):
        room[0].protect(bytes(100), pad_to=lambda size: size - 1)
    message = room[0].protect(b"x")
    heard = room[1].process(message)
    assert isinstance(heard, ApplicationMessage)
    assert heard.generation == 0, "a refused message has used up a key"


# --- many ---


@pytest.mark.no_cover  # measured, it takes three times as long and covers nothing more
def test_a_churn_of_random_commits_keeps_everybody_together() -> None:
    dice = random.Random(9420)
    room = Room(4)
    for number in range(60):
        by = dice.randrange(len(room.groups))
        others = [g.own_leaf for g in room.groups if g is not room[by]]
        removals = [Remove(leaf) for leaf in dice.sample(others, dice.randint(0, min(2, len(others) // 3)))]
        bundles = [
            room.bundle(f"{number}.{index}")
            for index in range(dice.randint(0, 2) if len(room.groups) < 9 else 0)
        ]
        if dice.random() < 0.4:
            author = dice.choice([g for g in room.groups if g.own_leaf not in {r.removed for r in removals}])
            if author is not room[by]:
                room.tell(author.propose(author.make_update()), author)
        stage = room.commit(
            [*removals, *(add_of(bundle) for bundle in bundles)],
            by=by,
            include_stored=True,
            force_path=dice.random() < 0.7,
            private=dice.random() < 0.7,
        )
        for bundle in bundles:
            room.enter(stage, bundle)
    assert room[0].epoch == 63


def test_a_group_of_a_hundred() -> None:
    bundles = [new_bundle(f"member {number}") for number in range(1, 100)]
    room = Room(1)
    stage = room[0].stage([add_of(bundle) for bundle in bundles])
    room[0].adopt(stage)
    assert stage.welcome is not None
    for bundle in bundles[:1] + bundles[-1:]:
        room.enter(stage, bundle)
    room.commit(by=2)
    room.commit([Remove(50)], by=1)
    assert room[0].leaf_count == 128
    assert len(room[0].members()) == 99


def test_a_welcome_can_be_cut_down_for_each_newcomer() -> None:
    room = Room(2)
    bundles = [new_bundle(f"newcomer {number}") for number in range(3)]
    stage = room[0].stage([add_of(bundle) for bundle in bundles])
    assert stage.welcome is not None
    for bundle in bundles:
        own = welcome_for(stage.welcome, bundle.key_package)
        decoded = decode_message(own)
        assert isinstance(decoded, Welcome)
        assert [each.new_member for each in decoded.secrets] == [bundle.key_package.reference]
        joined = Group.join(own, bundle)
        assert joined.epoch_authenticator == stage.group.epoch_authenticator
    with pytest.raises(ValidationError, match=re.escape("MLS-12.4.3.1-1")):
        welcome_for(stage.welcome, new_bundle("another").key_package)
    with pytest.raises(MalformedError, match="not a Welcome"):
        welcome_for(stage.message, bundles[0].key_package)


def test_the_header_of_a_message_is_read_without_using_up_keys() -> None:
    room = Room(2)
    ada, bob = room[0], room[1]
    sent = ada.protect(b"hello")
    for _ in range(2):
        assert kind_of(sent) == (WireFormat.PRIVATE_MESSAGE, ContentType.APPLICATION)
    assert kind_of(ada.propose(Remove(1), private=False)) == (WireFormat.PUBLIC_MESSAGE, ContentType.PROPOSAL)
    assert kind_of(ada.group_info()) is None
    received = bob.process(sent)
    assert isinstance(received, ApplicationMessage)


def test_a_message_shows_what_its_sender_signed() -> None:
    room = Room(3).groups
    heard = room[1].process(room[0].protect(b"hello"))
    assert isinstance(heard, ApplicationMessage)
    key = next(m.leaf_node.signature_key for m in room[1].members() if m.leaf == heard.sender)
    verify_with_label(key, "FramedContentTBS", heard.tbs, heard.signature)
    assert opaque(b"hello") in heard.tbs
