"""Identities: a proof convinces its receiver only, who could have made it."""

from __future__ import annotations

import copy
import os
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto import hpke
from snugroom.crypto.errors import AuthenticationError, MalformedError, SnugError, StateError
from snugroom.crypto.proof import identity
from snugroom.crypto.proof.identity import (
    IdentityKey,
    OpenedVouch,
    VouchContext,
    check_public,
    fingerprint,
    open_vouch,
    verify_knock_proof,
)

GROUP = bytes(range(16))
ADA = IdentityKey(b"\x11" * 32)
ADA_BOX, BO_BOX, CEM_BOX, MALLORY_BOX = (bytes([n]) * 32 for n in (1, 2, 3, 4))
ENDS = VouchContext(GROUP, 0, 1, b"a" * 32, b"b" * 32, hpke.public_key(ADA_BOX), hpke.public_key(BO_BOX))

#: Public keys with which every exchange gives zero (RFC 7748 section 6.1 asks to refuse that).
SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def to_bo(sealed: bytes) -> OpenedVouch:
    return open_vouch(sealed, BO_BOX, ENDS.to_signature_key, GROUP)


# -- keys -----------------------------------------------------------------------------------------


def test_a_key_shows_its_public_half_alone_and_is_not_copied() -> None:
    key = IdentityKey.generate()
    assert key.private.hex() not in repr(key)
    assert key.public.hex() in repr(key)
    assert hpke.public_key(key.private) == key.public
    with pytest.raises(StateError):
        copy.copy(key)
    with pytest.raises(MalformedError):
        IdentityKey(bytes(31))


@pytest.mark.parametrize("public", SMALL_ORDER, ids=lambda p: p.hex()[:8])
def test_points_of_small_order_are_nobodys(public: bytes) -> None:
    with pytest.raises(MalformedError):
        check_public(public)
    with pytest.raises(MalformedError):
        fingerprint(public)
    with pytest.raises(MalformedError):
        ADA.knock_proof(public, bytes(32), b"kp")
    with pytest.raises(MalformedError):
        ADA.vouch(replace(ENDS, to_box=public), ADA_BOX)


def test_a_key_has_one_form_and_so_one_fingerprint() -> None:
    assert check_public(ADA.public) == ADA.public
    with pytest.raises(MalformedError, match="canonical form"):
        check_public(ADA.public[:31] + bytes([ADA.public[31] | 0x80]))
    nine = bytes([9]) + bytes(31)
    check_public(nine)
    again = (2**255 - 19 + 9).to_bytes(32, "little")
    with pytest.raises(MalformedError, match="canonical form"):
        check_public(again)
    for size in (0, 31, 33):
        with pytest.raises(MalformedError):
            check_public(bytes(size))


def test_fingerprints_are_forty_digits_and_differ() -> None:
    assert fingerprint(ADA.public) == "1773889091453299882846143823763957260013"
    many = {fingerprint(IdentityKey.generate().public) for _ in range(50)}
    assert len(many) == 50
    assert all(len(f) == 40 and f.isdigit() for f in many)


# -- in the room ----------------------------------------------------------------------------------


def test_a_vouch_convinces_the_one_to_whom_it_is_made() -> None:
    sealed = ADA.vouch(ENDS, ADA_BOX)
    assert len(sealed) == identity.VOUCH_SIZE
    assert ADA.public not in sealed
    opened = to_bo(sealed)
    assert opened.leaf == 0
    assert opened.verify(ENDS, BO_BOX) == ADA.public
    assert opened.proof.hex() not in repr(opened)


def test_the_receiver_could_have_made_it_byte_for_byte() -> None:
    """Deniability: all that goes into a vouch can be had from Bo's side, without any secret of Ada's."""
    by_ada = ADA.vouch(ENDS, ADA_BOX, rng=random.Random(7).randbytes)

    def exchange(private: bytes, public: bytes) -> bytes:
        return identity._exchange(private, public)

    bo_knows = (exchange(BO_BOX, ADA.public), exchange(BO_BOX, ENDS.box))
    proof = identity._vouch_mac(*bo_knows, ADA.public, ENDS)
    by_bo = identity._seal_vouch(ENDS, ADA.public, proof, random.Random(7).randbytes)
    assert by_bo == by_ada, "with the same chance, the same bytes: nothing tells who made it"
    other = identity._seal_vouch(ENDS, ADA.public, proof, os.urandom)
    assert to_bo(other).verify(ENDS, BO_BOX) == ADA.public


def test_nobody_else_opens_it_or_can_check_it() -> None:
    sealed = ADA.vouch(ENDS, ADA_BOX)
    for box in (CEM_BOX, MALLORY_BOX, ADA_BOX):
        with pytest.raises(AuthenticationError):
            open_vouch(sealed, box, ENDS.to_signature_key, GROUP)
        with pytest.raises(AuthenticationError):  # not even told what is in it
            to_bo(sealed).verify(ENDS, box)


def test_a_vouch_to_bo_does_not_convince_cem() -> None:
    """Mallory in Bo's place: relays to Cem what it has of Ada, sealed anew, for its own leaf or for Ada's."""
    opened = to_bo(ADA.vouch(ENDS, ADA_BOX))
    to_cem = replace(ENDS, to_leaf=2, to_signature_key=b"c" * 32, to_box=hpke.public_key(CEM_BOX))
    mallory = replace(to_cem, leaf=1, signature_key=b"b" * 32, box=ENDS.to_box)
    for ends in (to_cem, mallory):
        again = identity._seal_vouch(ends, ADA.public, opened.proof, os.urandom)
        relayed = open_vouch(again, CEM_BOX, ends.to_signature_key, GROUP)
        with pytest.raises(AuthenticationError):
            relayed.verify(ends, CEM_BOX)


def test_a_box_that_was_announced_by_two_leads_nowhere() -> None:
    """Mallory announces Bo's box as its own, has Ada vouch to it, and hands Bo what came."""
    mallory = replace(ENDS, to_leaf=3, to_signature_key=b"m" * 32)
    sealed = ADA.vouch(mallory, ADA_BOX)
    with pytest.raises(AuthenticationError):
        to_bo(sealed)
    opened = open_vouch(sealed, BO_BOX, b"m" * 32, GROUP)
    again = identity._seal_vouch(ENDS, ADA.public, opened.proof, os.urandom)
    with pytest.raises(AuthenticationError):
        to_bo(again).verify(ENDS, BO_BOX)


def test_one_vouches_for_ones_own_leaf_only() -> None:
    """Ada says of Cem's leaf that it is hers: for that one needs Cem's box as well."""
    cems = replace(ENDS, leaf=2, signature_key=b"c" * 32, box=hpke.public_key(CEM_BOX))
    with pytest.raises(AuthenticationError):
        to_bo(ADA.vouch(cems, ADA_BOX)).verify(cems, BO_BOX)
    assert to_bo(ADA.vouch(cems, CEM_BOX)).verify(cems, BO_BOX) == ADA.public


def test_a_leaf_vouches_for_its_own_identity_only() -> None:
    """Mallory has a leaf and a box, and Ada's public key."""
    ends = replace(ENDS, leaf=3, signature_key=b"m" * 32, box=hpke.public_key(MALLORY_BOX))
    own = IdentityKey(b"\x44" * 32)
    sealed = identity._seal_vouch(ends, ADA.public, to_bo(own.vouch(ends, MALLORY_BOX)).proof, os.urandom)
    with pytest.raises(AuthenticationError):
        to_bo(sealed).verify(ends, BO_BOX)


class Thief(IdentityKey):
    """Has the victim's public key, and not the private one."""

    __slots__ = ()

    def __init__(self, victim: bytes) -> None:
        super().__init__(b"\x55" * 32)
        self.public = victim


def test_a_public_key_alone_proves_nothing() -> None:
    ends = replace(ENDS, leaf=3, signature_key=b"m" * 32, box=hpke.public_key(MALLORY_BOX))
    with pytest.raises(AuthenticationError):
        to_bo(Thief(ADA.public).vouch(ends, MALLORY_BOX)).verify(ends, BO_BOX)
    shown = Thief(ADA.public).knock_proof(hpke.public_key(CARD), ENC, b"package")
    with pytest.raises(AuthenticationError):
        verify_knock_proof(shown, CARD, ENC, b"package")


@pytest.mark.parametrize(
    "change",
    [
        {"group_id": bytes(16)},
        {"leaf": 2},
        {"to_leaf": 2},
        {"signature_key": b"x" * 32},
        {"to_signature_key": b"x" * 32},
        {"box": hpke.public_key(CEM_BOX)},
        {"to_box": hpke.public_key(CEM_BOX)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_for_other_ends_it_is_nothing(change: dict[str, object]) -> None:
    opened = to_bo(ADA.vouch(ENDS, ADA_BOX))
    with pytest.raises(AuthenticationError):
        opened.verify(replace(ENDS, **change), BO_BOX)  # type: ignore[arg-type]  # of the field's own type
    with pytest.raises(AuthenticationError):
        open_vouch(ADA.vouch(ENDS, ADA_BOX), BO_BOX, b"x" * 32, GROUP)
    with pytest.raises(AuthenticationError):
        open_vouch(ADA.vouch(ENDS, ADA_BOX), BO_BOX, ENDS.to_signature_key, bytes(16))


def test_another_public_key_put_in_its_place_is_nothing() -> None:
    opened = to_bo(ADA.vouch(ENDS, ADA_BOX))
    swapped = OpenedVouch(opened.leaf, IdentityKey.generate().public, opened.proof)
    with pytest.raises(AuthenticationError):
        swapped.verify(ENDS, BO_BOX)
    with pytest.raises(MalformedError):
        OpenedVouch(opened.leaf, bytes(32), opened.proof).verify(ENDS, BO_BOX)


def test_no_bit_of_it_can_be_changed() -> None:
    sealed = ADA.vouch(ENDS, ADA_BOX)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(AuthenticationError):
            to_bo(changed).verify(ENDS, BO_BOX)


@given(st.binary(max_size=200))
def test_garbage_is_an_error_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(SnugError):
        to_bo(garbage)
    with pytest.raises(SnugError):
        to_bo(garbage.ljust(identity.VOUCH_SIZE, b"\1")[: identity.VOUCH_SIZE])


# -- at the knock -----------------------------------------------------------------------------------

CARD, ENC = b"\x21" * 32, b"e" * 32


def test_a_shown_identity_convinces_the_host_whose_card_it_is() -> None:
    shown = ADA.knock_proof(hpke.public_key(CARD), ENC, b"package")
    assert len(shown) == identity.KNOCK_PROOF_SIZE
    assert verify_knock_proof(shown, CARD, ENC, b"package") == ADA.public
    for card, enc, package in (
        (b"\x22" * 32, ENC, b"package"),
        (CARD, b"E" * 32, b"package"),
        (CARD, ENC, b"packagf"),
    ):
        with pytest.raises(AuthenticationError):
            verify_knock_proof(shown, card, enc, package)
    with pytest.raises(AuthenticationError):
        verify_knock_proof(IdentityKey.generate().public + shown[32:], CARD, ENC, b"package")
    with pytest.raises(AuthenticationError):
        verify_knock_proof(shown[:32] + bytes(32), CARD, ENC, b"package")
    with pytest.raises(MalformedError):
        verify_knock_proof(bytes(64), CARD, ENC, b"package")
    with pytest.raises(MalformedError):
        verify_knock_proof(shown[:-1], CARD, ENC, b"package")


def test_a_host_could_have_made_what_it_was_shown() -> None:
    shown = ADA.knock_proof(hpke.public_key(CARD), ENC, b"package")
    shared = identity._exchange(CARD, ADA.public)
    made = identity._knock_mac(shared, ADA.public, hpke.public_key(CARD), ENC, b"package")
    assert shown == ADA.public + made


def test_a_knocks_proof_is_no_vouch_and_the_other_way_round() -> None:
    """The same keys, another use: the labels keep them apart."""
    shown = ADA.knock_proof(ENDS.to_box, ENC, b"package")
    assert shown[32:] != to_bo(ADA.vouch(ENDS, ADA_BOX)).proof
