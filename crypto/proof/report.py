"""Unforgeable reports: a message, the leaf that signed it, and the host's admission of that leaf.

docs/reference/protocol.md, section 13. For each reported message, a report contains the bytes that the sender
signed (FramedContentTBS, RFC 9420 6.1: content, group, epoch, and the GroupContext with the meeting's
policy), and a host's signature over the sender's key, the group and the invite used::

    admission = sign_host("snug 1 admission" | len16(group_id) | signature_key 32 | invite 2)

The host key is the one in the meeting's link: the verifier of a report must get it from the host. A member
cannot sign for another member, an outsider has no admission, and a server operator has neither. Only meetings
whose policy enables it from the start (`Policy.reports`) can be reported, and the signed GroupContext
includes that policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, Policy
from snugroom.crypto.errors import AuthenticationError, MalformedError, SnugError
from snugroom.crypto.kdf import SigningKey, verify
from snugroom.crypto.mls.codec import Reader, decode, u16
from snugroom.crypto.mls.labels import verify_with_label
from snugroom.crypto.mls.messages import ContentType, FramedContent, GroupContext, SenderType, WireFormat
from snugroom.crypto.mls.nodes import MLS10
from snugroom.crypto.proof import canonical_json
from snugroom.wire.layout import U2, Bytes, Bytes32, Layout

#: Placeholder invite index: the member opened the meeting and used no invite.
NO_INVITE: Final = 0xFFFF
#: Maximum number of messages in one report.
MESSAGES_MAX: Final = 64
#: Maximum size of a report file in bytes.
FILE_MAX: Final = 32 * 2**20
FORMAT: Final = "snug report 1"
_LABEL: Final = "FramedContentTBS"

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class ReportedMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message as its sender signed it, and the sender's admission. Unverified until `verify_message`."""

    tbs: bytes
    signature: Signature
    signature_key: Key
    invite: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    admission: Signature


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reported messages, no messages of other members, and the host key that the report claims."""

    format: Literal["snug report 1"]
    host_public: Key
    messages: Annotated[list[ReportedMessage], msgspec.Meta(min_length=1, max_length=MESSAGES_MAX)]


@dataclass(frozen=True)
class VerifiedMessage:
    """Verified facts about a message: the holder of `signature_key` wrote `data`.

    `data` is the application data (one JSON object, docs/reference/protocol.md, section 7); `invite` is None
    for the member who opened the meeting. `epoch` and `claims_host` come from the writer's signed data and
    are the writer's claims only: nothing else in a report authenticates the context.
    """

    signature_key: bytes
    host_public: bytes
    group_id: bytes
    epoch: int
    invite: int | None
    claims_host: bool
    data: bytes


@dataclass(frozen=True)
class Admission(Layout, name="admission", start=b"snug 1 admission"):
    """The byte string that a host signs for each member."""

    group_id: Annotated[bytes, Bytes(2)]
    signature_key: Bytes32
    invite: U2


def admission_message(group_id: bytes, signature_key: bytes, invite: int) -> bytes:
    """Return the message that a host signs for each member. MalformedError on wrong sizes."""
    return Admission(group_id, signature_key, invite).encode()


def sign_admission(host_key: SigningKey, group_id: bytes, signature_key: bytes, invite: int) -> bytes:
    """Return a host's signature (64 bytes) that it admitted this key with that invite."""
    return host_key.sign(admission_message(group_id, signature_key, invite))


def verify_admission(
    host_public: bytes, group_id: bytes, signature_key: bytes, invite: int, admission: bytes
) -> None:
    """Raise AuthenticationError unless the host signed exactly this; MalformedError on wrong sizes."""
    try:
        verify(host_public, admission_message(group_id, signature_key, invite), admission)
    except AuthenticationError:
        raise AuthenticationError("the host did not sign that this key was let in by that invite") from None


def encode(report: Report) -> bytes:
    """Encode the file: one canonical JSON object in UTF-8, with a final newline."""
    return canonical_json.encode(report)


def decode_report(data: bytes) -> Report:
    """Decode a report file. MalformedError for anything that `encode` does not produce."""
    return canonical_json.decode(data, Report, "report", FILE_MAX)


def verify_report(report: Report, host_public: bytes) -> list[VerifiedMessage]:
    """Verify all messages of a report. Raises as `verify_message` does if any check fails.

    MalformedError if a message is listed twice: readers count messages. A message that its sender has sealed
    again in another epoch is the same message: its data has a random id.
    """
    if report.host_public != host_public:
        raise AuthenticationError("the report claims to be of another host's meeting")
    verified = [verify_message(message, host_public) for message in report.messages]
    if len({(message.signature_key, message.data) for message in verified}) < len(verified):
        raise MalformedError("the report lists a message twice")
    return verified


def verify_message(message: ReportedMessage, host_public: bytes) -> VerifiedMessage:
    """Verify one message against the meeting's host key, which must come from the host itself.

    MalformedError if the input is not a signed message; AuthenticationError, with the reason, if a proof
    fails.
    """
    content, context = _read_signed(message.tbs)
    try:
        verify_with_label(message.signature_key, _LABEL, message.tbs, message.signature)
    except SnugError:
        raise AuthenticationError("the message is not signed by that key, or was changed since") from None
    if content.group_id != context.group_id or content.epoch != context.epoch:
        raise AuthenticationError("the message and its context are of two meetings or epochs")
    policy = _policy(context)
    if policy.host_public != host_public:
        raise AuthenticationError("the message is of another host's meeting")
    if not policy.reports:
        raise AuthenticationError("the message is of a meeting that keeps no signatures for reports")
    verify_admission(host_public, content.group_id, message.signature_key, message.invite, message.admission)
    assert isinstance(content.content, bytes)
    return VerifiedMessage(
        signature_key=message.signature_key,
        host_public=host_public,
        group_id=content.group_id,
        epoch=content.epoch,
        invite=None if message.invite == NO_INVITE else message.invite,
        claims_host=message.signature_key in policy.hosts,
        data=content.content,
    )


def _read_signed(tbs: bytes) -> tuple[FramedContent, GroupContext]:
    def read(reader: Reader) -> tuple[FramedContent, GroupContext]:
        if reader.take(4) != u16(MLS10) + u16(WireFormat.PRIVATE_MESSAGE):
            raise MalformedError("the signed content is not a PrivateMessage of MLS 1.0")
        return FramedContent.read(reader), GroupContext.read(reader)

    content, context = decode(tbs, read)
    if content.content_type != ContentType.APPLICATION or content.sender.kind != SenderType.MEMBER:
        raise MalformedError("the signed content is not a member's message")
    return content, context


def _policy(context: GroupContext) -> Policy:
    found = [e.data for e in context.extensions if e.extension_type == POLICY_EXTENSION]
    if len(found) != 1:
        raise MalformedError("the signed content has no policy of a meeting")
    return Policy.decode(found[0])
