"""Joining with a ratchet tree that comes beside the Welcome: the signed tree hash decides on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snugroom.crypto import primitives
from snugroom.crypto.errors import MalformedError, MissingKeyError, SnugError, ValidationError
from snugroom.crypto.mls import Group, KeyPackageBundle, Stage
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.tree import NodeIn, RatchetTree, read_tree
from snugroom.crypto.primitives import suite_of
from tests.mls.world import NOW, SUITE, Room, add_of


def outside(room: Room, limit: int = 0) -> tuple[Stage, KeyPackageBundle]:
    bundle = room.bundle("new")
    return room.commit([add_of(bundle)], tree_inside_max=limit), bundle


def join(stage: Stage, bundle: KeyPackageBundle, tree: bytes | None) -> Group:
    assert stage.welcome is not None
    return Group.join(stage.welcome, bundle, now=NOW, ratchet_tree=tree)


def test_a_welcome_has_no_tree_above_the_limit() -> None:
    room = Room(3)
    size = len(room[0].ratchet_tree())
    stage, bundle = outside(room, size + 1_000)
    assert stage.tree is None
    room.enter(stage, bundle)
    stage, bundle = outside(room, size)
    assert stage.tree == room[0].ratchet_tree()
    with pytest.raises(MissingKeyError, match="ratchet tree"):
        join(stage, bundle, None)
    joined = join(stage, bundle, stage.tree)
    assert joined.epoch_authenticator == room[0].epoch_authenticator


def changed(tree: bytes, change: Callable[[list[NodeIn | None]], object]) -> bytes:
    """The same tree with other nodes."""
    nodes = list(decode(tree, read_tree))
    change(nodes)
    return RatchetTree.unverified(suite_of(SUITE), nodes).encode()


def swapped(nodes: list[NodeIn | None]) -> None:
    nodes[2], nodes[4] = nodes[4], nodes[2]


def foreign(nodes: list[NodeIn | None]) -> None:
    nodes[4] = Room(1).bundle("Mallory").key_package.leaf_node


def shorter(nodes: list[NodeIn | None]) -> None:
    del nodes[-2:]


def longer(nodes: list[NodeIn | None]) -> None:
    nodes += [None] * (3 + len(nodes) % 2) + [Room(1).bundle("Mallory").key_package.leaf_node]
    if len(nodes) % 2 == 0:
        nodes.insert(-1, None)


@pytest.mark.parametrize("change", [swapped, foreign, shorter, longer])
def test_a_wrong_tree_is_refused_before_any_signature_of_its_leaves(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[list[NodeIn | None]], object]
) -> None:
    room = Room(5)
    stage, bundle = outside(room)
    assert stage.tree is not None
    wrong = changed(stage.tree, change)
    verified: list[bytes] = []
    real = primitives.verify

    def verify(public: bytes, data: bytes, signature: bytes) -> None:
        verified.append(public)
        real(public, data, signature)

    monkeypatch.setattr(primitives, "verify", verify)
    with pytest.raises(ValidationError, match=r"MLS-12\.4\.3\.1-8"):
        join(stage, bundle, wrong)
    assert len(verified) == 1, "the GroupInfo's, whose signer is the same"
    # the newcomer's keys are still there, for the right tree
    assert join(stage, bundle, stage.tree).epoch == room[0].epoch


def test_a_tree_of_another_epoch_is_refused() -> None:
    room = Room(5)
    before = room[0].ratchet_tree()
    stage, bundle = outside(room)
    room.commit(by=2)
    for tree in (before, room[0].ratchet_tree()):
        with pytest.raises(SnugError, match=r"MLS-12\.4\.3\.1-8"):
            join(stage, bundle, tree)
    assert join(stage, bundle, stage.tree).epoch == room[0].epoch - 1


def test_bytes_that_are_no_tree_are_refused() -> None:
    stage, bundle = outside(Room(3))
    assert stage.tree is not None
    for wrong in (b"", b"\0", stage.tree[:-1], stage.tree + b"\0", bytes(100_000)):
        with pytest.raises(MalformedError):
            join(stage, bundle, wrong)


def test_a_tree_beside_a_welcome_that_has_one_counts_for_nothing() -> None:
    room = Room(3)
    bundle = room.bundle("new")
    stage = room.commit([add_of(bundle)])
    assert join(stage, bundle, b"no tree").epoch_authenticator == room[0].epoch_authenticator
