"""Join a group from outside, by an external commit (RFC 9420 section 12.4.3.2).

No honest client does that: `mallory` does, and so do the tests of a group that receives such a commit.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls import ExternalInit, Group, KeyPackageBundle, Limits, Remove, messages
from snugroom.crypto.mls.apply import AppliedProposals
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.commit import EXTERNAL_INIT_LABEL, next_epoch, provisional_context
from snugroom.crypto.mls.framing import sign_content
from snugroom.crypto.mls.nodes import ExtensionType, find_extension
from snugroom.crypto.mls.proposals import Commit, ProposalOrRef
from snugroom.crypto.mls.schedule import epoch_secrets, interim_transcript_hash
from snugroom.crypto.mls.secrets import SecretTree
from snugroom.crypto.mls.state import EpochState
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from snugroom.crypto.mls.treekem import create_path
from snugroom.crypto.primitives import hpke_send_export, suite_of

NEWCOMER: Final = messages.Sender(messages.SenderType.NEW_MEMBER_COMMIT)


def join_from_outside(
    group_info: bytes,
    bundle: KeyPackageBundle,
    *,
    resync: int | None = None,
    extra: Sequence[ProposalOrRef] = (),
    authenticated_data: bytes = b"",
    rng: Rng = os.urandom,
) -> tuple[bytes, Group]:
    """Return the external commit, and the newcomer's group. `resync`: the own leaf that we replace."""
    info = messages.decode_message(group_info)
    assert isinstance(info, messages.GroupInfo)
    suite = suite_of(bundle.suite)
    tree_data = find_extension(info.extensions, ExtensionType.RATCHET_TREE)
    external = find_extension(info.extensions, ExtensionType.EXTERNAL_PUB)
    assert tree_data is not None
    assert external is not None
    tree = RatchetTree.verified(suite, decode(tree_data, read_tree), info.context.group_id)
    # The extension holds the key after a length of one byte.
    kem_output, init_secret = hpke_send_export(suite, external[1:], EXTERNAL_INIT_LABEL, suite.nh, rng)
    items: list[ProposalOrRef] = [ExternalInit(kem_output), *extra]
    applied = AppliedProposals(tree, info.context.extensions)
    if resync is not None:
        items.append(Remove(resync))
        tree.remove(resync)
        tree.truncate()
    old = _state(info, tree, tree.blank_leaf(), bundle)
    new = create_path(
        tree,
        old.own_leaf,
        bundle.key_package.leaf_node,
        group_id=info.context.group_id,
        signature_private=bundle.signature_private,
        context=lambda tree_hash: provisional_context(old, applied, tree_hash).encoded,
        excluding=(),
        rng=rng,
    )
    commit = Commit(tuple(items), new.path)
    framed = messages.FramedContent(
        info.context.group_id, info.context.epoch, NEWCOMER, authenticated_data, commit
    )
    signed = sign_content(
        messages.WireFormat.PUBLIC_MESSAGE, framed, info.context.encoded, bundle.signature_private
    )
    following = next_epoch(
        old,
        applied,
        dict(new.private_keys),
        signed,
        commit_secret=new.commit_secret,
        psks=(),
        init_secret=init_secret,
    )
    tagged = replace(signed, confirmation_tag=following.state.confirmation_tag)
    return messages.encode_message(messages.PublicMessage(tagged, None)), Group(following.state, rng)


def _state(info: messages.GroupInfo, tree: RatchetTree, leaf: int, bundle: KeyPackageBundle) -> EpochState:
    """Return the epoch as far as a newcomer knows it: without the epoch's secrets."""
    suite, context = suite_of(bundle.suite), info.context
    return EpochState(
        suite=suite,
        limits=Limits(),
        context=context,
        tree=tree,
        own_leaf=leaf,
        signature_private=bundle.signature_private,
        private_keys={},
        secrets=epoch_secrets(suite, b"unknown to the newcomer")[0],
        secret_tree=SecretTree(suite, 1, b""),
        confirmation_tag=info.confirmation_tag,
        interim_transcript_hash=interim_transcript_hash(
            suite, context.confirmed_transcript_hash, info.confirmation_tag
        ),
    )
