"""A long-term identity: an X25519 key, shown to chosen people only, with deniable proofs.

docs/reference/protocol.md, section 9.

A proof is an HMAC under a key that both ends of a Diffie-Hellman exchange can compute. It convinces the
receiver, who knows that it did not make the proof itself. It convinces no third party, because the receiver
could have made it. There are two kinds of proof, each made to a key that the receiver holds and has signed:

- **at the knock**, to the card key of a host;
- **in the room**, to another member's box. Its key combines two exchanges: identity with box, and our box
  with box. Making it requires the identity key *and* the box key of the leaf, so that a member cannot vouch
  for another member's leaf. The vouch is sealed to the box and must travel unsigned: a signature would turn
  it into a proof to third parties.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from snugroom.crypto import hpke
from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.fields import exactly
from snugroom.crypto.kdf import KDF, KEY_SIZE, H, NotCopyable, Rng, mac, same
from snugroom.wire.layout import U4, Bytes, Bytes32, Layout

#: Digits of a fingerprint: 132 bits, read aloud in eight groups of five.
DIGITS: Final = 40
#: Bytes of an identity in a knock: public key and proof.
KNOCK_PROOF_SIZE: Final = 64
#: Bytes of a sealed vouch: `enc`, then leaf, public key and proof under HPKE.
VOUCH_SIZE: Final = hpke.KEY_SIZE + 4 + 64 + hpke.TAG_SIZE
_SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM
_PRIME: Final = 2**255 - 19


def check_public(public: bytes) -> bytes:
    """Return the public key (32 bytes, X25519) if it is valid.

    MalformedError if it has another size, is of small order (anybody could then make every proof), or is not
    canonical: one key must not have two fingerprints.
    """
    exactly(public, KEY_SIZE, "an identity's public key")
    if int.from_bytes(public, "little") >= _PRIME:
        raise MalformedError("the identity's public key is not in canonical form")
    _exchange(bytes(KEY_SIZE), public)
    return public


def fingerprint(public: bytes) -> str:
    """Return 40 digits of H("snug 1 fingerprint" | public), without spaces. Raises as `check_public` does."""
    digest = H(b"snug 1 fingerprint", check_public(public))
    return f"{int.from_bytes(digest, 'big') % 10**DIGITS:0{DIGITS}d}"


def _exchange(private: bytes, public: bytes) -> bytes:
    """X25519 (RFC 7748). MalformedError on the all-zero result of section 6.1."""
    key = X25519PrivateKey.from_private_bytes(exactly(private, KEY_SIZE, "an X25519 private key"))
    peer = X25519PublicKey.from_public_bytes(exactly(public, KEY_SIZE, "an X25519 public key"))
    try:
        return key.exchange(peer)
    except ValueError:  # `cryptography` raises this for an all-zero result
        raise MalformedError("the X25519 public key is of small order") from None


class IdentityKey(NotCopyable):
    """The user's own identity key pair. Its repr shows only the public half."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        """MalformedError unless `private` has 32 bytes."""
        self._private = exactly(private, KEY_SIZE, "an identity's private key")
        #: The public half, 32 bytes.
        self.public: bytes = hpke.public_key(private)

    @classmethod
    def generate(cls, rng: Rng = os.urandom) -> IdentityKey:
        """Generate a new identity key."""
        return cls(rng(KEY_SIZE))

    @property
    def private(self) -> bytes:
        """The secret half, 32 bytes: only for storage in the sealed book."""
        return self._private

    def __repr__(self) -> str:
        return f"IdentityKey(public={self.public.hex()})"

    # -- at the knock ----------------------------------------------------------------------------

    def knock_proof(self, card_public: bytes, enc: bytes, key_package: bytes) -> bytes:
        """Return `public 32 | proof 32` for the card's host, bound to this knock and its KeyPackage.

        MalformedError if `card_public` (32 bytes) is of small order.
        """
        shared = _exchange(self._private, card_public)
        proof = _knock_mac(shared, self.public, card_public, enc, key_package)
        return ShownIdentity(self.public, proof).encode()

    # -- in the room -----------------------------------------------------------------------------

    def vouch(self, context: VouchContext, box_private: bytes, *, rng: Rng = os.urandom) -> bytes:
        """Prove to the member at `context.to_leaf` only that `context.leaf` is ours: `VOUCH_SIZE` bytes.

        `box_private` (32 bytes): private half of `context.box`. MalformedError if a box is of small order.
        """
        proof = _vouch_mac(
            _exchange(self._private, context.to_box),
            _exchange(box_private, context.to_box),
            self.public,
            context,
        )
        return _seal_vouch(context, self.public, proof, rng)


# -- at the knock ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownIdentity(Layout, name="shown identity"):
    """An identity in a knock."""

    public: Bytes32
    proof: Bytes32


def verify_knock_proof(knock_proof: bytes, card_private: bytes, enc: bytes, key_package: bytes) -> bytes:
    """Verify the identity in a knock and return its public key.

    MalformedError if the key is invalid, AuthenticationError if the newcomer does not hold the private key.
    """
    shown = ShownIdentity.decode(knock_proof)
    public = check_public(shown.public)
    shared = _exchange(card_private, public)
    expected = _knock_mac(shared, public, hpke.public_key(card_private), enc, key_package)
    if not same(shown.proof, expected):
        raise AuthenticationError("the knock does not hold the identity that it shows")
    return public


def _knock_mac(shared: bytes, public: bytes, card_public: bytes, enc: bytes, key_package: bytes) -> bytes:
    key = KDF(shared, b"snug 1 id knock")
    return mac(key, public, card_public, enc, H(key_package))


# -- in the room ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VouchContext(Layout, name="ends of a vouch"):
    """The two ends of a vouch: leaves, their signature keys, announced boxes (public), and the group."""

    group_id: Annotated[bytes, Bytes(1)]
    leaf: U4
    to_leaf: U4
    signature_key: Bytes32
    to_signature_key: Bytes32
    box: Bytes32
    to_box: Bytes32


@dataclass(frozen=True, slots=True)
class OpenedVouch(Layout, name="vouch"):
    """A vouch to this member, opened but unverified: `leaf` claims the identity `public`."""

    leaf: U4
    public: Bytes32
    proof: Bytes32 = field(repr=False)

    def verify(self, context: VouchContext, box_private: bytes) -> bytes:
        """Verify the proof and return the identity's public key; `box_private` (32 bytes) is of `to_box`.

        AuthenticationError if its author does not hold both the identity and the box of that leaf, or if the
        proof is for other ends. MalformedError if a key is invalid.
        """
        check_public(self.public)
        expected = _vouch_mac(
            _exchange(box_private, self.public), _exchange(box_private, context.box), self.public, context
        )
        if self.leaf != context.leaf or not same(self.proof, expected):
            raise AuthenticationError("the vouch was not made by the holder of that identity and leaf")
        return self.public


def open_vouch(sealed: bytes, box_private: bytes, own_signature_key: bytes, group_id: bytes) -> OpenedVouch:
    """Open a vouch. Its contents are unproven until `verify`.

    AuthenticationError if it is sealed to another member, in another group or to another leaf of ours.
    MalformedError if it does not have `VOUCH_SIZE` bytes or its key is of small order.
    """
    exactly(sealed, VOUCH_SIZE, "a vouch")
    enc, ciphertext = sealed[: hpke.KEY_SIZE], sealed[hpke.KEY_SIZE :]
    opened = hpke.open(_SUITE, box_private, enc, _info(group_id), own_signature_key, ciphertext)
    return OpenedVouch.decode(opened.plaintext)


def _seal_vouch(context: VouchContext, public: bytes, proof: bytes, rng: Rng) -> bytes:
    plaintext = OpenedVouch(context.leaf, public, proof).encode()
    sealed = hpke.seal(
        _SUITE, context.to_box, _info(context.group_id), context.to_signature_key, plaintext, rng=rng
    )
    return sealed.enc + sealed.ciphertext


def _info(group_id: bytes) -> bytes:
    return b"snug 1 id vouch" + group_id


def _vouch_mac(by_identity: bytes, by_box: bytes, public: bytes, context: VouchContext) -> bytes:
    # the receiver can compute both exchanges with its own private key: this makes the proof deniable
    return mac(KDF(by_identity + by_box, b"snug 1 id"), public, context.encode())
