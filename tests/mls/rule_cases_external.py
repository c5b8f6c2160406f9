"""Attempts that break each rule on messages from outside a group. See `test_rules`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snugroom.crypto.mls import (
    Extension,
    ExternalInit,
    ExternalSender,
    LeafNodeSource,
    Remove,
    Update,
)
from snugroom.crypto.mls.codec import vector
from snugroom.crypto.mls.messages import (
    PublicMessage,
    Sender,
    SenderType,
    encode_message,
)
from snugroom.crypto.mls.nodes import ExtensionType
from snugroom.crypto.mls.proposals import Commit, ProposalOrRef, UpdatePath
from snugroom.lab.attacks.newcomer import NEWCOMER, join_from_outside
from tests.mls.rule_cases import GCE, NEW, PSK, Case, Off
from tests.mls.world import (
    Room,
    make_leaf,
    new_bundle,
    rng,
    sign_framed,
)


def outside(content: Callable[[Room], Any], kind: SenderType, index: int = 0) -> Callable[[Off], object]:
    """A PublicMessage from outside, to a room that has one external sender."""

    def attempt(off: Off) -> object:
        private = rng(32)
        leaf = make_leaf(private)
        sender = ExternalSender(leaf.signature_key, leaf.credential)
        listed = Extension(ExtensionType.EXTERNAL_SENDERS, vector([sender.encode()]))
        room = Room(2, extensions=(listed,))
        signed = sign_framed(
            room[0], content(room), sender=Sender(kind, index), private=False, signature_private=private
        )
        return room[1].process(encode_message(PublicMessage(signed, None)))

    return attempt


def newcomer(*items: ProposalOrRef, others: tuple[str, ...] = ()) -> Callable[[Off], object]:
    """An external commit with a path of its own leaf."""

    def attempt(off: Off) -> object:
        room = Room(3)
        private = rng(32)
        leaf = make_leaf(private, source=LeafNodeSource.COMMIT, group_id=b"room", leaf=3)
        signed = sign_framed(
            room[0],
            Commit(items, UpdatePath(leaf, ())),
            sender=NEWCOMER,
            private=False,
            signature_private=private,
        )
        return room[1].process(encode_message(PublicMessage(signed, None)))

    return attempt


def replacing_another(off: Off) -> object:
    room = Room(3)
    commit, _ = join_from_outside(room[0].group_info(), new_bundle("not member 2"), resync=2, rng=rng)
    return room[1].process(commit)


INIT = ExternalInit(bytes(range(32)))


AN_UPDATE = Update(make_leaf(bytes(32), source=LeafNodeSource.UPDATE))


OUTSIDE = [
    Case("MLS-6-2", f"{NEW}.external_sends_proposals", outside(lambda r: Commit(()), SenderType.EXTERNAL)),
    Case(
        "MLS-6-3",
        f"{NEW}.newcomer_proposes_add",
        outside(lambda r: Remove(0), SenderType.NEW_MEMBER_PROPOSAL),
    ),
    Case(
        "MLS-6-4",
        f"{NEW}.newcomer_commits_with_path",
        outside(lambda r: Commit(()), SenderType.NEW_MEMBER_COMMIT),
    ),
    Case(
        "MLS-6-4",
        f"{NEW}.newcomer_commits_with_path",
        outside(lambda r: Remove(0), SenderType.NEW_MEMBER_COMMIT),
    ),
    Case(
        "MLS-12.1.8-1",
        f"{NEW}.external_sender_listed",
        outside(lambda r: Remove(0), SenderType.EXTERNAL, 1),
    ),
    Case("MLS-12.1.8-2", f"{NEW}.external_may_propose", outside(lambda r: AN_UPDATE, SenderType.EXTERNAL)),
    Case("MLS-12.1.2-1", f"{NEW}.update_from_member", newcomer(INIT, AN_UPDATE)),
    Case("MLS-12.2-13", f"{NEW}.one_external_init", newcomer()),
    Case("MLS-12.2-13", f"{NEW}.one_external_init", newcomer(INIT, INIT)),
    Case("MLS-12.2-14", f"{NEW}.one_removal", newcomer(INIT, Remove(0), Remove(1))),
    Case("MLS-12.2-15", f"{NEW}.replaces_own_leaf", replacing_another),
    Case("MLS-12.2-16", f"{NEW}.nothing_else", newcomer(INIT, GCE)),
    Case("MLS-12.2-7", f"{NEW}.distinct_psks", newcomer(INIT, PSK, PSK)),
    Case("MLS-12.4.3.2-1", f"{NEW}.external_by_value", newcomer(INIT, bytes(32))),
]
