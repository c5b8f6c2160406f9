"""Protecting and unprotecting messages (RFC 9420 sections 6.1 to 6.3).

Unprotecting turns a message into an unverified `AuthenticatedContent`; `verify_content` turns that into a
`VerifiedContent`. The caller consumes keys after verification, never before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snugroom.crypto.errors import AuthenticationError, MalformedError, StateError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls import validate_commit as rules
from snugroom.crypto.mls.codec import Reader, decode, opaque, u8, u16, u32, u64, varint
from snugroom.crypto.mls.labels import sign_with_label, verify_with_label
from snugroom.crypto.mls.messages import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    encode_content,
    read_auth,
    read_content,
)
from snugroom.crypto.mls.nodes import MLS10
from snugroom.crypto.mls.secrets import MessageKey, RatchetKind, SecretTree, sender_data_key
from snugroom.crypto.primitives import Buffer, Suite

_LABEL = "FramedContentTBS"
_GUARD = 4

#: From the size in bytes of a whole MLSMessage to the size it is to be padded to (at least as large).
PadTo = Callable[[int], int]


def to_be_signed(wire_format: WireFormat, framed: FramedContent, context: bytes) -> bytes:
    """Return FramedContentTBS (section 6.1); `context` is the encoded GroupContext of the epoch."""
    head = u16(MLS10) + u16(wire_format) + framed.encoded
    inside = framed.sender.kind in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT)
    return head + context if inside else head


def sign_content(
    wire_format: WireFormat, framed: FramedContent, context: bytes, signature_private: Buffer
) -> AuthenticatedContent:
    """Return the signed content; a commit still lacks its confirmation tag.

    Raises `StateError` for application data outside a PrivateMessage (section 6).
    """
    if framed.content_type == ContentType.APPLICATION and wire_format != WireFormat.PRIVATE_MESSAGE:
        raise StateError("application data goes into a PrivateMessage only")
    signature = sign_with_label(signature_private, _LABEL, to_be_signed(wire_format, framed, context))
    return AuthenticatedContent(wire_format, framed, signature)


@dataclass(frozen=True)
class VerifiedContent:
    """Content whose signature has verified under its sender's key."""

    content: AuthenticatedContent

    @property
    def framed(self) -> FramedContent:
        return self.content.framed


def verify_content(content: AuthenticatedContent, context: bytes, signature_key: bytes) -> VerifiedContent:
    """Check the signature (section 6.1). Raises `AuthenticationError`."""
    signed = to_be_signed(content.wire_format, content.framed, context)
    verify_with_label(signature_key, _LABEL, signed, content.signature)
    return VerifiedContent(content)


# --- PublicMessage, section 6.2 ---


def _membership_mac_input(content: AuthenticatedContent, context: bytes) -> bytes:
    return to_be_signed(content.wire_format, content.framed, context) + content.encode_auth()


def protect_public(
    suite: Suite, content: AuthenticatedContent, context: bytes, membership_key: Buffer
) -> PublicMessage:
    """Return a PublicMessage, with a membership tag if the sender is a member."""
    if content.framed.sender.kind != SenderType.MEMBER:
        return PublicMessage(content, None)
    return PublicMessage(content, suite.mac(membership_key, _membership_mac_input(content, context)))


def unprotect_public(
    suite: Suite, message: PublicMessage, context: bytes, membership_key: Buffer
) -> AuthenticatedContent:
    """Check the membership tag of a member's message. Raises `AuthenticationError` or `ValidationError`."""
    content = message.content
    rules.application_is_private(content.framed)
    if message.membership_tag is not None:
        expected = _membership_mac_input(content, context)
        if not suite.mac_matches(membership_key, expected, message.membership_tag):
            raise AuthenticationError("a membership tag does not verify")
    return content


# --- PrivateMessage, section 6.3 ---


def ratchet_kind(content_type: ContentType) -> RatchetKind:
    """Return the kind of ratchet that protects this content type."""
    application = content_type == ContentType.APPLICATION
    return RatchetKind.APPLICATION if application else RatchetKind.HANDSHAKE


def _sender_data_aad(group_id: bytes, epoch: int, kind: ContentType) -> bytes:
    return opaque(group_id) + u64(epoch) + u8(kind)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(nonce, guard, strict=False)) + nonce[_GUARD:]


def _padding(fixed: int, unpadded: int, pad_to: PadTo | None) -> int:
    """Return the number of zero bytes that pad a message of `fixed` bytes and a vector of `unpadded` bytes.

    `pad_to` selects the total size. If a longer length header makes that size impossible, the next possible
    size is used.
    """
    if pad_to is None:
        return 0
    size = fixed + len(varint(unpadded)) + unpadded
    wanted = pad_to(size)
    if wanted < size:
        raise StateError(f"a message of {size} bytes can't be padded to {wanted}")
    padding = max(0, wanted - size - 3)
    while fixed + len(varint(unpadded + padding)) + unpadded + padding < wanted:
        padding += 1
    return padding


def protect_private(
    suite: Suite,
    content: AuthenticatedContent,
    secret_tree: SecretTree,
    sender_data_secret: Buffer,
    *,
    pad_to: PadTo | None = None,
    rng: Rng,
) -> PrivateMessage:
    """Encrypt under the next key of the sender's ratchet and consume that key.

    Raises `StateError` if the sender is not a member or the padding is impossible.
    """
    framed = content.framed
    if framed.sender.kind != SenderType.MEMBER:
        raise StateError("only a member can send a PrivateMessage")
    kind, leaf = framed.content_type, framed.sender.index
    head = _sender_data_aad(framed.group_id, framed.epoch, kind)
    aad = head + opaque(framed.authenticated_data)
    plaintext = encode_content(framed.content) + content.encode_auth()
    # 4: MLSMessage head; 1: length of the encrypted sender data: leaf, generation, guard (4 each), tag
    fixed = 4 + len(aad) + 1 + 8 + _GUARD + suite.nt
    plaintext += bytes(_padding(fixed, len(plaintext) + suite.nt, pad_to))
    key = secret_tree.next(leaf, ratchet_kind(kind))
    guard = rng(_GUARD)
    ciphertext = suite.seal(key.key, _guarded(key.nonce, guard), plaintext, aad)
    data_key, data_nonce = sender_data_key(suite, sender_data_secret, ciphertext)
    sender_data = u32(leaf) + u32(key.generation) + guard
    encrypted = suite.seal(data_key, data_nonce, sender_data, head)
    return PrivateMessage(
        framed.group_id, framed.epoch, kind, framed.authenticated_data, encrypted, ciphertext
    )


@dataclass(frozen=True)
class SenderData:
    """Sender and key generation of a PrivateMessage (section 6.3.2)."""

    leaf: int
    generation: int
    reuse_guard: bytes

    @classmethod
    def read(cls, reader: Reader) -> SenderData:
        return cls(reader.u32(), reader.u32(), reader.take(_GUARD))


def open_sender_data(suite: Suite, message: PrivateMessage, sender_data_secret: Buffer) -> SenderData:
    """Decrypt the sender data. Raises `AuthenticationError` or `MalformedError`."""
    key, nonce = sender_data_key(suite, sender_data_secret, message.ciphertext)
    aad = _sender_data_aad(message.group_id, message.epoch, message.content_type)
    return decode(suite.open(key, nonce, message.encrypted_sender_data, aad), SenderData.read)


def unprotect_private(
    suite: Suite, message: PrivateMessage, sender: SenderData, secret_tree: SecretTree
) -> tuple[AuthenticatedContent, MessageKey]:
    """Decrypt a PrivateMessage. The caller consumes the returned key once the content has been verified.

    Raises `AuthenticationError`, `MalformedError` (also for non-zero padding, section 6.3.1), and the errors
    of `SecretTree.peek`.
    """
    kind = message.content_type
    key = secret_tree.peek(sender.leaf, ratchet_kind(kind), sender.generation)
    aad = _sender_data_aad(message.group_id, message.epoch, kind) + opaque(message.authenticated_data)
    nonce = _guarded(key.nonce, sender.reuse_guard)
    reader = Reader(suite.open(key.key, nonce, message.ciphertext, aad))
    content = read_content(reader, kind)
    signature, confirmation_tag = read_auth(reader, kind)
    if any(reader.rest()):
        raise MalformedError("the padding of a PrivateMessage is not all zeros")
    sender_of = Sender(SenderType.MEMBER, sender.leaf)
    framed = FramedContent(message.group_id, message.epoch, sender_of, message.authenticated_data, content)
    return AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, signature, confirmation_tag), key
