"""The secret tree: order, loss, replay, bounds, and deletion of used keys (RFC 9420 section 9)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.errors import (
    AuthenticationError,
    MissingKeyError,
    ReplayError,
    StateError,
    ValidationError,
)
from snugroom.crypto.mls import ApplicationMessage, CommitError, Limits, Remove
from snugroom.crypto.mls.framing import open_sender_data
from snugroom.crypto.mls.labels import derive_tree_secret
from snugroom.crypto.mls.messages import PrivateMessage, Sender, SenderType, decode_message, encode_message
from snugroom.crypto.mls.proposals import Commit
from snugroom.crypto.mls.secrets import MAX_GENERATION, MessageKey, RatchetKind, SecretTree, sender_data_key
from snugroom.crypto.primitives import SUITES
from tests.mls.world import SUITE, Room, forge, state_of

APPLICATION, HANDSHAKE = RatchetKind.APPLICATION, RatchetKind.HANDSHAKE
ROW = SUITES[SUITE]


def new_tree(size: int = 4, **options: int) -> SecretTree:
    return SecretTree(ROW, size, b"e" * 32, **options)


def use(key: MessageKey) -> tuple[bytes, bytes]:
    taken = bytes(key.key), key.nonce
    key.consume()
    return taken


@given(st.permutations(range(12)))
def test_any_order_opens_every_message_once(order: list[int]) -> None:
    sender, receiver = new_tree(), new_tree()
    sent = [use(sender.next(1, APPLICATION)) for _ in order]
    assert len(set(sent)) == len(order)
    for generation in order:
        assert use(receiver.peek(1, APPLICATION, generation)) == sent[generation]
        with pytest.raises(ReplayError):
            receiver.peek(1, APPLICATION, generation)


def test_ratchets_are_each_senders_and_each_kinds_own() -> None:
    tree = new_tree()
    keys = {use(tree.next(leaf, kind)) for leaf in range(4) for kind in RatchetKind}
    assert len(keys) == 8


def test_looking_changes_nothing() -> None:
    tree = new_tree()
    far = tree.peek(0, APPLICATION, 100)
    near = tree.peek(0, APPLICATION, 0)
    assert bytes(tree.peek(0, APPLICATION, 100).key) == bytes(far.key)
    assert use(near) == (bytes(new_tree().peek(0, APPLICATION, 0).key), near.nonce)
    assert use(tree.peek(0, APPLICATION, 1))


def test_the_gap_is_bounded() -> None:
    tree = new_tree(max_gap=200)
    assert tree.peek(0, APPLICATION, 200)
    with pytest.raises(ValidationError, match="SNUG-17"):
        tree.peek(0, APPLICATION, 201)
    with pytest.raises(ValidationError, match="SNUG-17"):
        tree.peek(0, APPLICATION, MAX_GENERATION)
    use(tree.peek(0, APPLICATION, 150))
    assert tree.peek(0, APPLICATION, 351)


def test_the_window_of_skipped_keys_is_bounded() -> None:
    tree = new_tree(max_gap=200, window=10)
    use(tree.peek(0, APPLICATION, 100))
    for generation in range(90):
        with pytest.raises(ReplayError, match="too old"):
            tree.peek(0, APPLICATION, generation)
    for generation in range(90, 100):
        use(tree.peek(0, APPLICATION, generation))


def test_used_keys_are_overwritten() -> None:
    tree = new_tree()
    tree.peek(0, APPLICATION, 0)
    ratchet = tree._ratchets[0, APPLICATION]
    secret = ratchet._secret
    assert any(secret)
    peeked = tree.peek(0, APPLICATION, 3)
    key, ahead = peeked.key, tree.peek(0, APPLICATION, 4).key
    assert any(key)
    assert any(ahead)
    peeked.consume()
    late, (skipped, _) = tree.peek(0, APPLICATION, 1), ratchet._skipped[1]
    late.consume()
    assert not any(secret)
    assert not any(key)
    assert not any(skipped)
    ratchet.wipe()
    assert not any(ratchet._secret)
    assert not any(ahead)


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The generations whose keys are derived from now on."""
    made: list[int] = []

    def derive(suite: Any, secret: Any, label: str, generation: int, length: int) -> bytes:
        made.append(generation)
        return derive_tree_secret(suite, secret, label, generation, length)

    monkeypatch.setattr("snugroom.crypto.mls.secrets.derive_tree_secret", derive)
    return made


def test_a_bad_message_far_ahead_costs_its_derivations_once(derived: list[int]) -> None:
    """Any member can name any generation of anybody; the signature is checked after the key is derived."""
    tree, order = new_tree(max_gap=200), list(range(200, -1, -1))
    for generation in [*order, *order]:
        tree.peek(0, APPLICATION, generation)
    assert len(derived) == 3 * 201, "key, nonce and next secret of each generation"
    use(tree.peek(0, APPLICATION, 0))
    for _ in range(50):
        tree.peek(0, APPLICATION, 201)
    assert len(derived) == 3 * 202
    assert use(tree.peek(0, APPLICATION, 201)) == use(new_tree(max_gap=201).peek(0, APPLICATION, 201))


def test_a_leaf_that_is_not_there_has_no_keys() -> None:
    for leaf in (-1, 4, 2**31):
        with pytest.raises(MissingKeyError):
            new_tree().peek(leaf, APPLICATION, 0)


def test_an_exhausted_ratchet_gives_no_more_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snugroom.crypto.mls.secrets.MAX_GENERATION", 2)
    tree = new_tree()
    for _ in range(3):
        tree.next(0, APPLICATION)
    with pytest.raises(MissingKeyError, match="exhausted"):
        tree.next(0, APPLICATION)


def test_a_past_tree_keeps_others_application_keys_only() -> None:
    tree, reference = new_tree(), new_tree()
    use(tree.peek(1, HANDSHAKE, 0))
    tree.only_application(0)
    assert use(tree.peek(1, APPLICATION, 0)) == use(reference.peek(1, APPLICATION, 0))
    assert use(tree.peek(2, APPLICATION, 0)) == use(reference.peek(2, APPLICATION, 0))
    for leaf, kind in ((0, APPLICATION), (0, HANDSHAKE), (1, HANDSHAKE), (2, HANDSHAKE), (3, HANDSHAKE)):
        with pytest.raises(MissingKeyError):
            tree.peek(leaf, kind, 0)
    assert use(tree.peek(3, APPLICATION, 0)) == use(reference.peek(3, APPLICATION, 0))


def test_a_wiped_tree_has_nothing() -> None:
    tree = new_tree()
    use(tree.peek(0, APPLICATION, 3))
    tree.wipe()
    for leaf in range(4):
        with pytest.raises(MissingKeyError):
            tree.peek(leaf, APPLICATION, 0)


# --- in a group ---


def test_out_of_order_and_lost_messages_in_a_group() -> None:
    room = Room(2)
    messages = [room[0].protect(b"%d" % number) for number in range(20)]
    for number in (19, 0, 7, 18, 3):
        heard = room[1].process(messages[number])
        assert isinstance(heard, ApplicationMessage)
        assert (heard.data, heard.generation) == (b"%d" % number, number)
    with pytest.raises(ReplayError):
        room[1].process(messages[7])


def test_the_groups_bounds_are_its_limits() -> None:
    room = Room(2, limits=Limits(max_gap=5, window=3))
    messages = [room[0].protect(b"x") for _ in range(8)]
    with pytest.raises(ValidationError, match="SNUG-17"):
        room[1].process(messages[6])
    room[1].process(messages[5])
    with pytest.raises(ReplayError):
        room[1].process(messages[1])
    for generation in (2, 3, 4):
        room[1].process(messages[generation])


def test_the_defaults_are_those_of_the_profile() -> None:
    room = Room(2)
    messages = [room[0].protect(b"x") for _ in range(203)]
    with pytest.raises(ValidationError, match="SNUG-17"):
        room[1].process(messages[201])
    room[1].process(messages[200])
    room[1].process(messages[202])


def resealed(room: Room, message: bytes, change: Any) -> bytes:
    """A PrivateMessage whose ciphertext another member (who has the group's keys) has replaced."""
    state = state_of(room[0])
    decoded = decode_message(message)
    assert isinstance(decoded, PrivateMessage)
    sender = open_sender_data(state.suite, decoded, state.secrets.sender_data)
    ciphertext = change(decoded.ciphertext)
    key, nonce = sender_data_key(state.suite, state.secrets.sender_data, ciphertext)
    plain = sender.leaf.to_bytes(4, "big") + sender.generation.to_bytes(4, "big") + sender.reuse_guard
    head = encode_message(decoded)[4:]
    aad = head[: 1 + len(decoded.group_id) + 8 + 1]
    sealed = state.suite.seal(key, nonce, plain, aad)
    return encode_message(
        PrivateMessage(
            decoded.group_id,
            decoded.epoch,
            decoded.content_type,
            decoded.authenticated_data,
            sealed,
            ciphertext,
        )
    )


def test_an_unauthentic_message_uses_up_nothing() -> None:
    room = Room(3)
    good = room[0].protect(b"mine")
    broken = resealed(room, good, lambda c: bytes([c[0] ^ 1]) + c[1:])
    # another member writes under our keys, and signs with its own
    forged = forge_as(room, 0)
    for bad in (broken, forged):
        with pytest.raises(AuthenticationError):
            room[1].process(bad)
    heard = room[1].process(good)
    assert isinstance(heard, ApplicationMessage)
    assert heard.data == b"mine"


def forge_as(room: Room, leaf: int) -> bytes:
    """Member 2 speaks as another: it knows everybody's ratchets, and nobody else's signature key."""
    return forge(room[2], b"not me", sender=Sender(SenderType.MEMBER, leaf))


def test_a_forged_commit_uses_up_nothing_and_wedges_nobody() -> None:
    room = Room(3)
    forged = forge(room[2], Commit(()), sender=Sender(SenderType.MEMBER, 0))
    before = room[1].epoch_authenticator
    with pytest.raises(AuthenticationError):
        room[1].process(forged)
    assert room[1].epoch_authenticator == before
    room.groups.pop()  # the forger has used up member 0's key in its own copy of the tree
    room.commit()


def test_a_bad_commit_uses_up_its_generation_and_the_epoch_goes_on() -> None:
    room = Room(3)
    bad = forge(room[0], Commit((Remove(7),)))
    with pytest.raises(CommitError):
        room[1].process(bad)
    with pytest.raises(ReplayError):
        room[1].process(bad)
    room.commit()
    room.commit(by=2)


def test_a_second_stage_in_one_epoch_has_keys_of_its_own() -> None:
    room = Room(2)
    generations = []
    state = state_of(room[1])
    for message in (room[0].stage().message, room[0].stage().message, room[0].propose(Remove(1))):
        decoded = decode_message(message)
        assert isinstance(decoded, PrivateMessage)
        generations.append(open_sender_data(state.suite, decoded, state.secrets.sender_data).generation)
    assert generations == [0, 1, 2]


def test_reuse_guards_differ() -> None:
    room = Room(2)
    state = state_of(room[1])
    guards = set()
    for _ in range(20):
        decoded = decode_message(room[0].protect(b"x"))
        assert isinstance(decoded, PrivateMessage)
        guards.add(open_sender_data(state.suite, decoded, state.secrets.sender_data).reuse_guard)
    assert len(guards) == 20


# --- deletion ---


def reachable(start: object) -> Iterator[bytes]:
    """Every bytes and bytearray that the garbage collector can reach from an object."""
    seen: set[int] = set()
    todo: list[object] = [start]
    while todo:
        here = todo.pop()
        if id(here) in seen or isinstance(here, type):
            continue
        seen.add(id(here))
        if isinstance(here, bytes | bytearray):
            yield bytes(here)
        if not hasattr(here, "__loader__"):  # not into modules
            todo.extend(r for r in gc.get_referents(here) if not _of_a_module(r))


def _of_a_module(found: object) -> bool:
    return isinstance(found, dict) and "__builtins__" in found


def holds(start: object, secret: bytes) -> bool:
    return any(secret in data for data in reachable(start))


def test_the_key_of_a_message_is_gone_after_it_was_sent_and_after_it_was_read() -> None:
    room = Room(2)
    for group in room.groups:
        peeked = state_of(group).secret_tree.peek(0, APPLICATION, 0)
        key = bytes(peeked.key)
        del peeked
        reference = state_of(group).secret_tree.peek(0, APPLICATION, 0)
        assert bytes(reference.key) == key
        del reference
    first, second = room[0].protect(b"first"), room[0].protect(b"second")
    assert not holds(room[0], key)
    room[1].process(second)
    assert holds(room[1], key), "the skipped key must be here for the first message"
    room[1].process(first)
    assert not holds(room[1], key)


def test_ratchet_and_tree_secrets_are_gone_once_used() -> None:
    room = Room(2)
    tree = state_of(room[1]).secret_tree
    root = bytes(next(iter(tree._nodes.values())))
    room[1].process(room[0].protect(b"x"))
    assert not holds(room[1], root)
    ratchet = bytes(tree._ratchets[0, APPLICATION]._secret)
    room[1].process(room[0].protect(b"x"))
    assert not holds(room[1], ratchet)


def test_an_epochs_secrets_are_gone_after_the_next() -> None:
    room = Room(2)
    old = [state_of(group) for group in room.groups]
    secrets = [
        (state.secrets.init, state.secrets.exporter, state.private_keys[2 * state.own_leaf]) for state in old
    ]
    assert all(holds(g, s) for g, mine in zip(room.groups, secrets, strict=True) for s in mine[:2])
    del old
    kept = [room.commit(by=by) for by in (0, 1)]
    for group, mine in zip(room.groups, secrets, strict=True):
        for secret in mine:
            assert not holds(group, secret)
            assert not holds(kept, secret)


def test_only_others_application_keys_of_the_last_epoch_are_kept() -> None:
    room = Room(2)
    late = room[0].protect(b"late")
    for group in room.groups:
        state_of(group).secret_tree.peek(0, HANDSHAKE, 0)
        state_of(group).secret_tree.peek(1, HANDSHAKE, 0)
    gone = []
    for group in room.groups:
        ratchets = state_of(group).secret_tree._ratchets
        own = [(group.own_leaf, kind) for kind in RatchetKind]
        gone.append([bytes(ratchets[place]._secret) for place in (*own, (1 - group.own_leaf, HANDSHAKE))])
    room.commit()
    for group, mine in zip(room.groups, gone, strict=True):
        assert not any(holds(group, secret) for secret in mine)
    assert isinstance(room[1].process(late), ApplicationMessage)


def test_a_dropped_candidate_is_wiped() -> None:
    room = Room(2)
    stage = room[0].stage()
    state = state_of(stage.group)
    secret = state.secrets.exporter
    assert holds(stage, secret)
    root = next(iter(state.secret_tree._nodes.values()))
    stage.drop()
    assert not any(root)
    assert not state.private_keys
    assert not holds(stage, secret)


def test_a_wiped_group_holds_nothing() -> None:
    room = Room(2)
    room[1].process(room[0].protect(b"x"))
    room.commit()
    state = state_of(room[1])
    secrets = [state.secrets.exporter, state.secrets.init, *state.private_keys.values()]
    del state
    room[1].wipe()
    assert not any(holds(room[1], secret) for secret in secrets)
    with pytest.raises(StateError):
        room[1].protect(b"x")
