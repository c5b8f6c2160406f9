"""Attempts that break each rule on trees and Welcomes. See `test_rules`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import snugroom.crypto.mls.validate
import snugroom.crypto.mls.welcome
from snugroom.crypto.mls import Capabilities, Extension, Group, PreSharedKey, PskUsage
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.mls.messages import GroupInfo
from snugroom.crypto.mls.nodes import GREASE, ParentNode
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from snugroom.crypto.primitives import hpke_generate
from tests.mls.rule_cases import NEW, PSK, TWICE, Case, Off, nothing, resumption, switched_off
from tests.mls.world import (
    NOW,
    OTHER_SUITE,
    Room,
    add_of,
    new_bundle,
    rng,
    state_of,
)

# --- trees ---


def tree_with(change: Callable[[RatchetTree], None]) -> Callable[[Off], object]:
    """Change the shape of a tree of eight leaves with all parents set, and check it."""

    def attempt(off: Off) -> object:
        room = Room(8)
        for place in (1, 2, 4, 6):
            room.commit(by=place)
        tree = state_of(room[0]).tree.copy()
        snugroom.crypto.mls.validate.tree_structure(tree)
        change(tree)
        snugroom.crypto.mls.validate.tree_structure(tree)
        return None

    return attempt


def unmerged(index: int, *leaves: int) -> Callable[[RatchetTree], None]:
    def change(tree: RatchetTree) -> None:
        node = tree.parent_node(index)
        assert node is not None
        tree.set_node(index, ParentNode(node.encryption_key, node.parent_hash, leaves))

    return change


def another_parent_key(tree: RatchetTree) -> None:
    node = tree.parent_node(3)
    assert node is not None
    tree.set_node(3, ParentNode(hpke_generate(rng)[1], node.parent_hash))


def same_parent_keys(tree: RatchetTree) -> None:
    one = tree.parent_node(1)
    assert one is not None
    tree.set_node(5, one)


CHECK_PARENTS = "tree.RatchetTree.check_parent_hashes"
TREES = [
    Case("MLS-7.1-1", "validate.unmerged_sorted", tree_with(unmerged(7, 2, 1))),
    Case("MLS-7.1-1", "validate.unmerged_sorted", tree_with(unmerged(7, 1, 1))),
    Case("MLS-12.4.3-1", "validate.unmerged_are_members", tree_with(unmerged(1, 5))),
    Case("MLS-12.4.3-1", "validate.unmerged_are_members", tree_with(unmerged(7, 99))),
    Case("MLS-12.4.3-2", "validate.unmerged_all_the_way", tree_with(unmerged(7, 3))),
    Case("MLS-12.4.3-3", "validate.unique_parent_keys", tree_with(same_parent_keys)),
    Case("MLS-7.9.2-1", CHECK_PARENTS, tree_with(another_parent_key)),
    # the hashes are right, but a leaf that vouches for a parent is said to be unmerged at it
    Case("MLS-7.9.2-1", CHECK_PARENTS, tree_with(unmerged(13, 6))),
]


# --- welcomes ---


def welcomed(
    change: Callable[[GroupInfo], GroupInfo] = lambda info: info, **options: Any
) -> Callable[[Off], object]:
    """Join by a Welcome whose GroupInfo is changed before it is signed."""

    def attempt(off: Off) -> object:
        room = Room(2)
        bundle = new_bundle("newcomer")
        original = snugroom.crypto.mls.welcome.make_group_info

        def changed(*arguments: Any) -> GroupInfo:
            info = change(original(*arguments))
            private = state_of(room[0]).signature_private
            return replace(info, signature=sign_with_label(private, "GroupInfoTBS", info.to_be_signed()))

        with switched_off(("welcome.make_group_info", changed)):
            stage = room[0].stage([add_of(bundle)])
        assert stage.welcome is not None
        return Group.join(stage.welcome, bundle, **{"now": NOW, **options})

    return attempt


def in_context(**changes: Any) -> Callable[[GroupInfo], GroupInfo]:
    return lambda info: replace(info, context=replace(info.context, **changes))


def for_another(off: Off) -> object:
    room = Room(1)
    stage = room[0].stage([add_of(new_bundle("invited"))])
    assert stage.welcome is not None
    return Group.join(stage.welcome, new_bundle("somebody else"))


def of_other_suite(off: Off) -> object:
    room = Room(1)
    stage = room[0].stage([add_of(new_bundle("invited"))])
    assert stage.welcome is not None
    return Group.join(stage.welcome, new_bundle("somebody else", suite=OTHER_SUITE))


def with_psk(psk: PreSharedKey, *others: str) -> Callable[[Off], object]:
    def attempt(off: Off) -> object:
        room = Room(2)
        bundle = new_bundle("newcomer")
        with switched_off(*((other, nothing) for other in others)):
            stage = room[0].stage([add_of(bundle), psk], psks={b"id": b"secret"})
        assert stage.welcome is not None
        return Group.join(stage.welcome, bundle)

    return attempt


def leaf_elsewhere(off: Off) -> object:
    return snugroom.crypto.mls.welcome.find_own_leaf(state_of(Room(2)[0]).tree, new_bundle("x").key_package)


def grease_in_context(off: Off) -> object:
    capable = Capabilities(extensions=(GREASE[0],))
    room = Room(1, capabilities=capable, extensions=(Extension(GREASE[0], b""),))
    return room.add("newcomer")


def tampered_tree(off: Off) -> object:
    """The tree beside a Welcome loses a parent, and the hash of it is let through."""
    room = Room(4)
    bundle = new_bundle("newcomer")
    stage = room[0].stage([add_of(bundle)])
    nodes = list(decode(stage.group.ratchet_tree(), read_tree))
    nodes[1] = ParentNode(hpke_generate(rng)[1])
    tree = RatchetTree.unverified(state_of(room[0]).suite, nodes).encode()
    original = snugroom.crypto.mls.welcome.info_extensions
    assert stage.welcome is not None
    with switched_off(
        ("welcome.info_extensions", lambda *a, **o: original(*a, **o)[1:]),
        ("welcome.tree_hash_matches", nothing),
    ):
        welcome = room[0].stage([add_of(bundle)]).welcome
        assert welcome is not None
        return Group.join(welcome, bundle, ratchet_tree=tree)


WELCOMES = [
    Case("MLS-12.4.3.1-1", "welcome.find_secrets", for_another),
    Case("MLS-12.4.3.1-2", "welcome.of_our_suite", of_other_suite),
    Case("MLS-12.4.3.1-3", "welcome.psk_known", with_psk(PSK), lambda secret: b"public"),
    Case(
        "MLS-12.4.3.1-4",
        "welcome.joins_no_successor",
        with_psk(resumption(PskUsage.BRANCH), f"{NEW}.psk_not_branch"),
    ),
    Case(
        "MLS-12.4.3.1-4",
        "welcome.joins_no_successor",
        with_psk(resumption(PskUsage.REINIT), f"{NEW}.psk_not_reinit"),
    ),
    Case("MLS-12.4.3.1-5", "welcome.signer_leaf", welcomed(lambda i: replace(i, signer=9))),
    Case("MLS-12.4.3.1-6", "welcome.group_is_new", welcomed(known_groups={b"room"})),
    Case("MLS-12.4.3.1-7", "welcome.of_our_context", welcomed(in_context(cipher_suite=3))),
    Case("MLS-12.4.3.1-7", "welcome.of_our_context", welcomed(in_context(version=2))),
    Case("MLS-12.4.3.1-8", "welcome.tree_hash_matches", welcomed(in_context(tree_hash=bytes(32)))),
    Case("MLS-12.4.3.1-9", "welcome.find_own_leaf", leaf_elsewhere),
    Case(
        "MLS-12.4.3.1-10",
        "welcome.tag_matches",
        welcomed(lambda i: replace(i, confirmation_tag=bytes(32))),
    ),
    Case(
        "MLS-13.4-1",
        "validate.unique_extensions",
        welcomed(lambda i: replace(i, extensions=(*i.extensions, *TWICE))),
    ),
    Case("MLS-7.3-5", "validate.lifetime_now", welcomed(now=NOW * 2)),
    Case("MLS-13.4-3", "welcome.we_support", grease_in_context),
    Case("MLS-7.9.2-1", CHECK_PARENTS, tampered_tree),
]
