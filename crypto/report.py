"""Reports that can't be fabricated: a message, the leaf that signed it, the host's admission of that leaf.

Protocol section 13. A report shows, of each accused message, what its sender signed (FramedContentTBS, RFC
9420 6.1: the content, the group, the epoch and its GroupContext, which carries the meeting's policy) and a
host's signature over the sender's key, the group and the invite that was used::

    admission = sign_host("snug 1 admission" | len16(group_id) | signature_key 32 | invite 2)

The host key is the one that stands in the meeting's link: whoever judges a report has to have it from the
host. A member can't sign for another, an outsider has no admission, an operator has neither. Only meetings
whose policy says so from the beginning (`Policy.reports`) can be reported, and what is signed there says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from crypto import one_form
from crypto.errors import AuthenticationError, MalformedError, SnugCryptoError
from crypto.fields import exactly, prefixed, uint
from crypto.kdf import SigningKey, verify
from crypto.mls.codec import Reader, decode, u16
from crypto.mls.labels import verify_with_label
from crypto.mls.messages import ContentType, FramedContent, GroupContext, SenderType, WireFormat
from crypto.mls.nodes import MLS10
from crypto.room_state import POLICY_EXTENSION, Policy

#: In the place of an invite's index: this member opened the meeting, and was let in by nobody.
NO_INVITE: Final = 0xFFFF
#: Messages in one report.
MESSAGES_MAX: Final = 64
#: Bytes of a report's file.
FILE_MAX: Final = 32 * 2**20
FORMAT: Final = "snug report 1"
_LABEL: Final = "FramedContentTBS"

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Accused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message as its sender signed it, and the sender's admission. As read it proves nothing yet."""

    tbs: bytes
    signature: Signature
    signature_key: Key
    invite: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    admission: Signature


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The accused messages, nobody else's words, and the host key that the report claims."""

    format: Literal["snug report 1"]
    host_public: Key
    messages: Annotated[list[Accused], msgspec.Meta(min_length=1, max_length=MESSAGES_MAX)]


@dataclass(frozen=True)
class Proven:
    """What holds once a message has verified: the holder of `signature_key` wrote `data`.

    `data` is the application data (one JSON object, protocol section 7); `invite` is None for who opened the
    meeting. `epoch` and `claims_host` stand in what the writer has signed, and are its word alone: nobody
    else vouches for the context in a report.
    """

    signature_key: bytes
    host_public: bytes
    group_id: bytes
    epoch: int
    invite: int | None
    claims_host: bool
    data: bytes


def admission_message(group_id: bytes, signature_key: bytes, invite: int) -> bytes:
    """What a host signs for each member. MalformedError on wrong sizes."""
    exactly(signature_key, 32, "a signature key")
    return b"snug 1 admission" + prefixed(group_id, 2) + signature_key + uint(invite, 2)


def admit(host_key: SigningKey, group_id: bytes, signature_key: bytes, invite: int) -> bytes:
    """A host's signature (64 bytes) that it let this key in by that invite."""
    return host_key.sign(admission_message(group_id, signature_key, invite))


def check_admission(
    host_public: bytes, group_id: bytes, signature_key: bytes, invite: int, admission: bytes
) -> None:
    """AuthenticationError unless the host signed just that; MalformedError on wrong sizes."""
    try:
        verify(host_public, admission_message(group_id, signature_key, invite), admission)
    except AuthenticationError:
        raise AuthenticationError("the host did not sign that this key was let in by that invite") from None


def encode(report: Report) -> bytes:
    """The file: one JSON object in its one form, UTF-8, with a line end."""
    return one_form.encode(report)


def decode_report(data: bytes) -> Report:
    """MalformedError for anything but what `encode` makes."""
    return one_form.decode(data, Report, "report", FILE_MAX)


def verify_report(report: Report, host_public: bytes) -> list[Proven]:
    """All of a report, or nothing: errors as of `verify_message`."""
    if report.host_public != host_public:
        raise AuthenticationError("the report claims to be of another host's meeting")
    return [verify_message(accused, host_public) for accused in report.messages]


def verify_message(accused: Accused, host_public: bytes) -> Proven:
    """Check one message against the meeting's host key, which must come from the host itself.

    MalformedError for what is no signed message; AuthenticationError, with a sentence, for what isn't proven.
    """
    content, context = _read_signed(accused.tbs)
    try:
        verify_with_label(accused.signature_key, _LABEL, accused.tbs, accused.signature)
    except SnugCryptoError:
        raise AuthenticationError("the message is not signed by that key, or was changed since") from None
    if content.group_id != context.group_id or content.epoch != context.epoch:
        raise AuthenticationError("the message and its context are of two meetings or epochs")
    policy = _policy(context)
    if policy.host_public != host_public:
        raise AuthenticationError("the message is of another host's meeting")
    if not policy.reports:
        raise AuthenticationError("the message is of a meeting that keeps no signatures for reports")
    check_admission(host_public, content.group_id, accused.signature_key, accused.invite, accused.admission)
    assert isinstance(content.content, bytes)
    return Proven(
        signature_key=accused.signature_key,
        host_public=host_public,
        group_id=content.group_id,
        epoch=content.epoch,
        invite=None if accused.invite == NO_INVITE else accused.invite,
        claims_host=accused.signature_key in policy.hosts,
        data=content.content,
    )


def _read_signed(tbs: bytes) -> tuple[FramedContent, GroupContext]:
    def read(reader: Reader) -> tuple[FramedContent, GroupContext]:
        if reader.take(4) != u16(MLS10) + u16(WireFormat.PRIVATE_MESSAGE):
            raise MalformedError("what was signed is no private message of MLS 1.0")
        return FramedContent.read(reader), GroupContext.read(reader)

    content, context = decode(tbs, read)
    if content.content_type != ContentType.APPLICATION or content.sender.kind != SenderType.MEMBER:
        raise MalformedError("what was signed is no member's message")
    return content, context


def _policy(context: GroupContext) -> Policy:
    found = [e.data for e in context.extensions if e.extension_type == POLICY_EXTENSION]
    if len(found) != 1:
        raise MalformedError("what was signed names no policy of a meeting")
    return Policy.decode(found[0])
