"""The key schedule (RFC 9420 section 8): transcript hashes, PSK secret, epoch secrets, exporter.

Intermediate secrets (commit, joiner, epoch secret) are never stored: functions take and return them. The
secrets that an epoch stores are in `EpochSecrets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from snugroom.crypto.mls.codec import opaque, u16
from snugroom.crypto.mls.labels import derive_secret, expand_with_label
from snugroom.crypto.mls.messages import AuthenticatedContent
from snugroom.crypto.mls.proposals import PskId
from snugroom.crypto.primitives import Buffer, Suite, hpke_derive_key_pair


def confirmed_transcript_hash(suite: Suite, interim: bytes, commit: AuthenticatedContent) -> bytes:
    """Return the confirmed hash after `commit`, from the interim hash before it (section 8.2)."""
    signed = u16(commit.wire_format) + commit.framed.encoded + opaque(commit.signature)
    return suite.hash(interim + signed)


def interim_transcript_hash(suite: Suite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """Return the interim hash after a commit (section 8.2)."""
    return suite.hash(confirmed + opaque(confirmation_tag))


def psk_secret(suite: Suite, psks: Sequence[tuple[PskId, Buffer]]) -> bytes:
    """Chain all PSKs in order; return the zero secret if there are none (section 8.4)."""
    secret = suite.zero
    for index, (psk_id, psk) in enumerate(psks):
        label = psk_id.encode() + u16(index) + u16(len(psks))
        extracted = suite.extract(suite.zero, psk)
        psk_input = expand_with_label(suite, extracted, "derived psk", label, suite.nh)
        secret = suite.extract(psk_input, secret)
    return secret


def joiner_secret(suite: Suite, init_secret: Buffer, commit_secret: Buffer, context: bytes) -> bytes:
    """Derive from the last epoch's init secret and the commit secret, for the encoded new GroupContext."""
    extracted = suite.extract(init_secret, commit_secret)
    return expand_with_label(suite, extracted, "joiner", context, suite.nh)


def member_secret(suite: Suite, joiner: Buffer, psk: Buffer) -> bytes:
    """Return the secret between joiner and epoch secret, from which the Welcome's key derives too."""
    return suite.extract(joiner, psk)


def welcome_key(suite: Suite, member: Buffer) -> tuple[bytes, bytes]:
    """Return (key, nonce) of the GroupInfo inside a Welcome (section 12.4.3.1)."""
    secret = derive_secret(suite, member, "welcome")
    key = expand_with_label(suite, secret, "key", b"", suite.nk)
    return key, expand_with_label(suite, secret, "nonce", b"", suite.nn)


def epoch_secret(suite: Suite, member: Buffer, context: bytes) -> bytes:
    return expand_with_label(suite, member, "epoch", context, suite.nh)


@dataclass(frozen=True, repr=False)
class EpochSecrets:
    """The secrets that an epoch stores of its key schedule (section 8, table 4), Nh bytes each.

    The encryption secret is not among them: the secret tree takes and consumes it.
    """

    sender_data: bytes
    exporter: bytes
    external: bytes
    confirmation_key: bytes
    membership_key: bytes
    resumption_psk: bytes
    epoch_authenticator: bytes
    init: bytes

    suite: Suite = field(compare=False)

    @property
    def external_public(self) -> bytes:
        """The HPKE public key with which newcomers join by external commit."""
        return hpke_derive_key_pair(self.external)[1]

    @property
    def external_private(self) -> bytes:
        return hpke_derive_key_pair(self.external)[0]

    def confirmation_tag(self, confirmed: bytes) -> bytes:
        """Return the MAC over the confirmed transcript hash (section 6.1)."""
        return self.suite.mac(self.confirmation_key, confirmed)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (section 8.5): return `length` bytes."""
        secret = derive_secret(self.suite, self.exporter, label)
        return expand_with_label(self.suite, secret, "exported", self.suite.hash(context), length)


def epoch_secrets(suite: Suite, epoch: Buffer) -> tuple[EpochSecrets, bytes]:
    """Derive all secrets of an epoch secret: (stored secrets, encryption secret for the secret tree)."""
    secrets = EpochSecrets(
        sender_data=derive_secret(suite, epoch, "sender data"),
        exporter=derive_secret(suite, epoch, "exporter"),
        external=derive_secret(suite, epoch, "external"),
        confirmation_key=derive_secret(suite, epoch, "confirm"),
        membership_key=derive_secret(suite, epoch, "membership"),
        resumption_psk=derive_secret(suite, epoch, "resumption"),
        epoch_authenticator=derive_secret(suite, epoch, "authentication"),
        init=derive_secret(suite, epoch, "init"),
        suite=suite,
    )
    return secrets, derive_secret(suite, epoch, "encryption")
