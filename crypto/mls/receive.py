"""Opening and verifying a received message (RFC 9420 sections 6.1 to 6.3).

A message that is not authentic changes nothing. An authentic PrivateMessage consumes its key.
"""

from __future__ import annotations

from snugroom.crypto.errors import MalformedError, MissingKeyError, StateError, ValidationError
from snugroom.crypto.mls import framing, messages
from snugroom.crypto.mls import validate_commit as rules
from snugroom.crypto.mls.nodes import external_senders
from snugroom.crypto.mls.outcomes import ApplicationMessage
from snugroom.crypto.mls.state import EpochState, PastEpoch


def open_message(state: EpochState, message: bytes) -> ApplicationMessage | framing.VerifiedContent:
    """Open an MLSMessage: application data, or the verified content of a proposal or commit.

    See `Group.process` for the errors.
    """
    decoded = messages.decode_message(message)
    if isinstance(decoded, messages.PrivateMessage):
        return _open_private(state, decoded)
    if isinstance(decoded, messages.PublicMessage):
        return _open_public(state, decoded)
    raise MalformedError("the message is neither a PublicMessage nor a PrivateMessage")


def _open_private(
    state: EpochState, message: messages.PrivateMessage
) -> ApplicationMessage | framing.VerifiedContent:
    epoch = _epoch_of(state, message)
    sender = framing.open_sender_data(state.suite, message, epoch.sender_data_secret)
    leaf = rules.sender_is_member(epoch.tree, sender.leaf)
    if sender.leaf == state.own_leaf:
        raise StateError("this message is our own")
    if sender.leaf in epoch.departed:
        raise ValidationError("SNUG-17", f"leaf {sender.leaf} has been removed since")
    content, key = framing.unprotect_private(state.suite, message, sender, epoch.secret_tree)
    verified = framing.verify_content(content, epoch.context.encoded, leaf.signature_key)
    key.consume()
    data = content.framed.content
    if isinstance(data, bytes):
        return ApplicationMessage(
            sender.leaf,
            message.epoch,
            sender.generation,
            message.authenticated_data,
            data,
            framing.to_be_signed(content.wire_format, content.framed, epoch.context.encoded),
            content.signature,
        )
    return verified


def _epoch_of(state: EpochState, message: messages.PrivateMessage) -> PastEpoch:
    """Return the keys of a message's epoch; those of past epochs open application data only."""
    _check_group(state, message.group_id)
    if message.epoch == state.context.epoch:
        return PastEpoch(state.context, state.tree, state.secrets.sender_data, state.secret_tree)
    for past in state.past:
        if past.context.epoch == message.epoch and message.content_type == messages.ContentType.APPLICATION:
            return past
    raise MissingKeyError(f"a message of epoch {message.epoch}; we are in {state.context.epoch}")


def _check_group(state: EpochState, group_id: bytes) -> None:
    if group_id != state.group_id:
        raise MissingKeyError("a message of another group")


def _open_public(state: EpochState, message: messages.PublicMessage) -> framing.VerifiedContent:
    framed = message.content.framed
    _check_group(state, framed.group_id)
    if framed.epoch != state.context.epoch:
        raise MissingKeyError(f"a message of epoch {framed.epoch}; we are in {state.context.epoch}")
    context = state.context.encoded
    content = framing.unprotect_public(state.suite, message, context, state.secrets.membership_key)
    verified = framing.verify_content(content, context, _signature_key(state, framed))
    if framed.sender.leaf == state.own_leaf:
        raise StateError("this message is our own")
    return verified


def _signature_key(state: EpochState, framed: messages.FramedContent) -> bytes:
    """Return the signature key that a PublicMessage must verify under (section 6.1)."""
    match framed.sender.kind:
        case messages.SenderType.MEMBER:
            return rules.sender_is_member(state.tree, framed.sender.index).signature_key
        case messages.SenderType.EXTERNAL:
            rules.external_sends_proposals(framed)
            senders = external_senders(state.context.extensions)
            return rules.external_sender_listed(senders, framed.sender.index).signature_key
        case messages.SenderType.NEW_MEMBER_PROPOSAL:
            return rules.newcomer_proposes_add(framed).key_package.leaf_node.signature_key
        case messages.SenderType.NEW_MEMBER_COMMIT:
            return rules.newcomer_commits_with_path(framed).leaf_node.signature_key
