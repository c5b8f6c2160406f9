"""MLS vectors of whole groups: a client joins and follows along."""

from __future__ import annotations

from typing import Any

from snugroom.crypto.mls import (
    CandidateCommit,
    Group,
    KeyPackageBundle,
    KeyPackageIn,
    Limits,
    ReceivedProposal,
)
from snugroom.crypto.mls.messages import decode_message
from snugroom.crypto.primitives import hpke_public, signature_public
from tests.vectors.mls_family import MismatchError, expect, suite_of_entry

unhex = bytes.fromhex


def passive_client(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    wire = decode_message(unhex(entry["key_package"]))
    if not isinstance(wire, KeyPackageIn):
        raise MismatchError("key_package is another message")
    package = wire.verify(suite.identifier)
    bundle = KeyPackageBundle(
        package,
        init_private=unhex(entry["init_priv"]),
        encryption_private=unhex(entry["encryption_priv"]),
        signature_private=unhex(entry["signature_priv"]),
    )
    expect("signature_priv", signature_public(bundle.signature_private), package.leaf_node.signature_key)
    expect("encryption_priv", hpke_public(bundle.encryption_private), package.leaf_node.encryption_key)
    expect("init_priv", hpke_public(bundle.init_private), package.init_key)
    psks = {unhex(v["psk_id"]): unhex(v["psk"]) for v in entry["external_psks"]}
    tree = entry.get("ratchet_tree")
    group = Group.join(
        unhex(entry["welcome"]),
        bundle,
        psks=psks,
        ratchet_tree=None if tree is None else unhex(tree),
        limits=Limits(resumption_epochs=2**32),
    )
    wanted = unhex(entry["initial_epoch_authenticator"])
    expect("initial epoch authenticator", group.epoch_authenticator, wanted)
    for number, v in enumerate(entry["epochs"]):
        for message in v["proposals"]:
            if not isinstance(group.process(unhex(message), psks=psks), ReceivedProposal):
                raise MismatchError(f"epoch {number}: what should be a proposal is not")
        commit = group.process(unhex(v["commit"]), psks=psks)
        if not isinstance(commit, CandidateCommit):
            raise MismatchError(f"epoch {number}: what should be a commit is not")
        group.adopt(commit)
        wanted = unhex(v["epoch_authenticator"])
        expect(f"epoch {number}: authenticator", group.epoch_authenticator, wanted)


FAMILIES = {"passive-client": passive_client}
