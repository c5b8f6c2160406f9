"""MLS vectors of the lower chapters: codec, cryptography, schedule, secret tree, transcripts, framing."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from snugroom.crypto.errors import SnugError, StateError
from snugroom.crypto.mls import labels, schedule
from snugroom.crypto.mls.codec import Reader, decode, varint
from snugroom.crypto.mls.framing import (
    open_sender_data,
    protect_private,
    protect_public,
    sign_content,
    unprotect_private,
    unprotect_public,
    verify_content,
)
from snugroom.crypto.mls.keypackage import KeyPackageIn
from snugroom.crypto.mls.messages import (
    AuthenticatedContent,
    Content,
    FramedContent,
    GroupContext,
    GroupInfo,
    GroupSecrets,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    Welcome,
    WireFormat,
    decode_message,
    encode_content,
    encode_message,
    read_content,
)
from snugroom.crypto.mls.messages import ContentType as Kind
from snugroom.crypto.mls.proposals import Commit, ExternalPsk, ProposalType, encode_proposal, read_proposal
from snugroom.crypto.mls.secrets import RatchetKind, SecretTree, sender_data_key
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from snugroom.crypto.mls.treemath import full_leaf_count
from snugroom.crypto.mls.welcome import find_secrets, open_info, open_secrets, verify_info
from snugroom.crypto.primitives import SUITES, Suite
from tests.vectors.mls_family import MismatchError, expect, must_fail, suite_of_entry

unhex = bytes.fromhex


def deserialization(entry: dict[str, Any]) -> None:
    header = unhex(entry["vlbytes_header"])
    expect("length", decode(header, Reader.varint), entry["length"])
    expect("header", varint(entry["length"]), header)


def crypto_basics(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    v = entry["ref_hash"]
    expect("ref_hash", labels.ref_hash(suite, v["label"], unhex(v["value"])), unhex(v["out"]))

    v = entry["expand_with_label"]
    expanded = labels.expand_with_label(
        suite, unhex(v["secret"]), v["label"], unhex(v["context"]), v["length"]
    )
    expect("expand_with_label", expanded, unhex(v["out"]))

    v = entry["derive_secret"]
    expect("derive_secret", labels.derive_secret(suite, unhex(v["secret"]), v["label"]), unhex(v["out"]))

    v = entry["derive_tree_secret"]
    derived = labels.derive_tree_secret(suite, unhex(v["secret"]), v["label"], v["generation"], v["length"])
    expect("derive_tree_secret", derived, unhex(v["out"]))

    v = entry["sign_with_label"]
    public, content = unhex(v["pub"]), unhex(v["content"])
    labels.verify_with_label(public, v["label"], content, unhex(v["signature"]))
    ours = labels.sign_with_label(unhex(v["priv"]), v["label"], content)
    labels.verify_with_label(public, v["label"], content, ours)

    v = entry["encrypt_with_label"]
    private, public = unhex(v["priv"]), unhex(v["pub"])
    context, plaintext = unhex(v["context"]), unhex(v["plaintext"])
    theirs = unhex(v["kem_output"]), unhex(v["ciphertext"])
    sealed = labels.encrypt_with_label(suite, public, v["label"], context, plaintext, os.urandom)
    for kem_output, ciphertext in (theirs, sealed):
        opened = labels.decrypt_with_label(suite, private, v["label"], context, kem_output, ciphertext)
        expect("decrypt_with_label", opened, plaintext)


def key_schedule(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    init = unhex(entry["initial_init_secret"])
    for number, v in enumerate(entry["epochs"]):
        context = GroupContext(
            suite.identifier,
            unhex(entry["group_id"]),
            number,
            unhex(v["tree_hash"]),
            unhex(v["confirmed_transcript_hash"]),
        ).encoded
        expect("group_context", context, unhex(v["group_context"]))
        joiner = schedule.joiner_secret(suite, init, unhex(v["commit_secret"]), context)
        expect("joiner_secret", joiner, unhex(v["joiner_secret"]))
        psk = unhex(v["psk_secret"]) if v.get("psk_secret") is not None else suite.zero
        member = schedule.member_secret(suite, joiner, psk)
        expect("welcome_secret", labels.derive_secret(suite, member, "welcome"), unhex(v["welcome_secret"]))
        epoch = schedule.epoch_secret(suite, member, context)
        secrets, encryption = schedule.epoch_secrets(suite, epoch)
        for name, got in (
            ("init_secret", secrets.init),
            ("sender_data_secret", secrets.sender_data),
            ("encryption_secret", encryption),
            ("exporter_secret", secrets.exporter),
            ("epoch_authenticator", secrets.epoch_authenticator),
            ("external_secret", secrets.external),
            ("confirmation_key", secrets.confirmation_key),
            ("membership_key", secrets.membership_key),
            ("resumption_psk", secrets.resumption_psk),
            ("external_pub", secrets.external_public),
        ):
            expect(f"epoch {number}: {name}", got, unhex(v[name]))
        e = v["exporter"]
        exported = secrets.export(e["label"], unhex(e["context"]), e["length"])
        expect(f"epoch {number}: exporter", exported, unhex(e["secret"]))
        init = secrets.init


def psk_secret(entry: dict[str, Any]) -> None:
    psks = [(ExternalPsk(unhex(v["psk_id"]), unhex(v["psk_nonce"])), unhex(v["psk"])) for v in entry["psks"]]
    expect("psk_secret", schedule.psk_secret(suite_of_entry(entry), psks), unhex(entry["psk_secret"]))


def secret_tree(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    v = entry["sender_data"]
    key, nonce = sender_data_key(suite, unhex(v["sender_data_secret"]), unhex(v["ciphertext"]))
    expect("sender_data key", key, unhex(v["key"]))
    expect("sender_data nonce", nonce, unhex(v["nonce"]))
    leaves = entry["leaves"]
    size = full_leaf_count(len(leaves))
    tree = SecretTree(suite, size, unhex(entry["encryption_secret"]), max_gap=2**16)
    for leaf, generations in enumerate(leaves):
        for v in generations:
            for kind in RatchetKind:
                found = tree.peek(leaf, kind, v["generation"])
                where = f"leaf {leaf}, generation {v['generation']}: {kind.value}"
                expect(f"{where} key", bytes(found.key), unhex(v[f"{kind.value}_key"]))
                expect(f"{where} nonce", found.nonce, unhex(v[f"{kind.value}_nonce"]))
                found.consume()


def transcript_hashes(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    content = decode(unhex(entry["authenticated_content"]), AuthenticatedContent.read)
    if not isinstance(content.framed.content, Commit) or content.confirmation_tag is None:
        raise MismatchError("the content is not a commit")
    before = unhex(entry["interim_transcript_hash_before"])
    confirmed = schedule.confirmed_transcript_hash(suite, before, content)
    expect("confirmed", confirmed, unhex(entry["confirmed_transcript_hash_after"]))
    if not suite.mac_matches(unhex(entry["confirmation_key"]), confirmed, content.confirmation_tag):
        raise MismatchError("the confirmation tag does not verify")
    interim = schedule.interim_transcript_hash(suite, confirmed, content.confirmation_tag)
    expect("interim", interim, unhex(entry["interim_transcript_hash_after"]))


def message_protection(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    for name, kind in (
        ("proposal", Kind.PROPOSAL),
        ("commit", Kind.COMMIT),
        ("application", Kind.APPLICATION),
    ):
        raw = unhex(entry[name])
        if kind == Kind.APPLICATION:
            _protect_both_ways(suite, entry, name, raw)
        else:
            content = decode(raw, partial(read_content, kind=kind))
            _protect_both_ways(suite, entry, name, content)


def _protect_both_ways(suite: Suite, entry: dict[str, Any], name: str, content: Content) -> None:
    """Unprotect what is given, and what we protect ourselves, as public and as private message."""
    context = GroupContext(
        suite.identifier,
        unhex(entry["group_id"]),
        entry["epoch"],
        unhex(entry["tree_hash"]),
        unhex(entry["confirmed_transcript_hash"]),
    ).encoded
    private, public = unhex(entry["signature_priv"]), unhex(entry["signature_pub"])
    membership_key = unhex(entry["membership_key"])
    sender_data = unhex(entry["sender_data_secret"])
    application = isinstance(content, bytes)
    framed = FramedContent(
        unhex(entry["group_id"]), entry["epoch"], Sender(SenderType.MEMBER, 1), b"ad", content
    )

    def tagged(wire_format: WireFormat) -> AuthenticatedContent:
        signed = sign_content(wire_format, framed, context, private)
        tag = suite.mac(b"key", b"any") if isinstance(content, Commit) else None
        return AuthenticatedContent(wire_format, framed, signed.signature, tag)

    def fresh_tree() -> SecretTree:
        return SecretTree(suite, 2, unhex(entry["encryption_secret"]), max_gap=2**16)

    if application:
        must_fail(
            "application data in a PublicMessage", StateError, lambda: tagged(WireFormat.PUBLIC_MESSAGE)
        )
    else:
        ours = encode_message(
            protect_public(suite, tagged(WireFormat.PUBLIC_MESSAGE), context, membership_key)
        )
        for message in (unhex(entry[f"{name}_pub"]), ours):
            decoded = decode_message(message)
            if not isinstance(decoded, PublicMessage):
                raise MismatchError(f"{name}_pub is not a PublicMessage")
            opened = unprotect_public(suite, decoded, context, membership_key)
            verify_content(opened, context, public)
            expect(f"{name}_pub", encode_content(opened.framed.content), encode_content(content))
            must_fail(
                "a wrong membership key",
                SnugError,
                partial(unprotect_public, suite, decoded, context, b"wrong"),
            )

    made = protect_private(
        suite, tagged(WireFormat.PRIVATE_MESSAGE), fresh_tree(), sender_data, rng=os.urandom
    )
    for message in (unhex(entry[f"{name}_priv"]), encode_message(made)):
        decoded = decode_message(message)
        if not isinstance(decoded, PrivateMessage):
            raise MismatchError(f"{name}_priv is not a PrivateMessage")
        sender = open_sender_data(suite, decoded, sender_data)
        expect(f"{name}_priv sender", sender.leaf, 1)
        opened, key = unprotect_private(suite, decoded, sender, fresh_tree())
        verify_content(opened, context, public)
        key.consume()
        expect(f"{name}_priv", encode_content(opened.framed.content), encode_content(content))


def welcome(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    message = decode_message(unhex(entry["welcome"]))
    package = decode_message(unhex(entry["key_package"]))
    if not isinstance(message, Welcome) or not isinstance(package, KeyPackageIn):
        raise MismatchError("welcome and key_package are other messages")
    sealed = find_secrets(message, package.verify(suite.identifier)).sealed
    secrets = open_secrets(suite, message, sealed, unhex(entry["init_priv"]))
    member = schedule.member_secret(suite, secrets.joiner_secret, schedule.psk_secret(suite, ()))
    info = open_info(suite, message, member)
    verify_info(info, unhex(entry["signer_pub"]))
    epoch = schedule.epoch_secret(suite, member, info.context.encoded)
    epoch_secrets, _ = schedule.epoch_secrets(suite, epoch)
    tag = epoch_secrets.confirmation_tag(info.context.confirmed_transcript_hash)
    expect("confirmation_tag", tag, info.confirmation_tag)


def messages(entry: dict[str, Any]) -> None:
    kinds: dict[str, type] = {
        "mls_welcome": Welcome,
        "mls_group_info": GroupInfo,
        "mls_key_package": KeyPackageIn,
        "public_message_application": PublicMessage,
        "public_message_proposal": PublicMessage,
        "public_message_commit": PublicMessage,
        "private_message": PrivateMessage,
    }
    for name, kind in kinds.items():
        raw = unhex(entry[name])
        message = decode_message(raw)
        expect(f"{name}'s type", type(message), kind)
        expect(name, encode_message(message), raw)
        if isinstance(message, PublicMessage):
            carried = message.content.framed.content_type.name.lower()
            expect(f"{name}'s content", f"public_message_{carried}", name)

    for proposal_type, name in (
        (ProposalType.ADD, "add_proposal"),
        (ProposalType.UPDATE, "update_proposal"),
        (ProposalType.REMOVE, "remove_proposal"),
        (ProposalType.PSK, "pre_shared_key_proposal"),
        (ProposalType.REINIT, "re_init_proposal"),
        (ProposalType.EXTERNAL_INIT, "external_init_proposal"),
        (ProposalType.GROUP_CONTEXT_EXTENSIONS, "group_context_extensions_proposal"),
    ):
        # the vectors hold the body alone, without the type in front
        raw = proposal_type.to_bytes(2, "big") + unhex(entry[name])
        expect(name, encode_proposal(decode(raw, read_proposal)), raw)

    raw = unhex(entry["commit"])
    expect("commit", decode(raw, Commit.read).encode(), raw)
    raw = unhex(entry["group_secrets"])
    expect("group_secrets", decode(raw, GroupSecrets.read).encode(), raw)
    raw = unhex(entry["ratchet_tree"])
    tree = RatchetTree.unverified(SUITES[1], decode(raw, read_tree))
    expect("ratchet_tree", tree.encode(), raw)


FAMILIES = {
    "deserialization": deserialization,
    "crypto-basics": crypto_basics,
    "key-schedule": key_schedule,
    "psk-secret": psk_secret,
    "secret-tree": secret_tree,
    "transcript-hashes": transcript_hashes,
    "message-protection": message_protection,
    "welcome": welcome,
    "messages": messages,
}
