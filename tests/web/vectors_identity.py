"""Shared vectors of identities (crypto/proof/identity.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from snugroom.crypto import fields, hpke
from snugroom.crypto.proof import identity
from snugroom.crypto.proof.identity import IdentityKey, VouchContext
from tests.web.cases import ODD_KEYS, SUITE, Cases, Seed, filled


def _ends(given: Sequence[Any]) -> VouchContext:
    group, leaf, key, box, to_leaf, to_key, to_box = given
    return VouchContext(group, leaf, to_leaf, key, to_key, box, to_box)


def _knock_proofs(cases: Cases, ada: bytes, bo: bytes) -> None:
    """Identities that knocks show."""
    card = filled("card")
    enc = filled("enc")
    shown = cases.do("show", ada, hpke.public_key(card), enc, b"package")
    cases.do("show", ada, bytes(32), enc, b"package")
    for given in (
        (shown, card, enc, b"package"),
        (shown, bo, enc, b"package"),
        (shown, card, filled("another enc"), b"package"),
        (shown, card, enc, b"packagf"),
        (shown[:-1] + b"\0", card, enc, b"package"),
        (shown[:-1], card, enc, b"package"),
        (bytes(64), card, enc, b"package"),
        (b"\xff" * 64, card, enc, b"package"),
    ):
        cases.do("check_shown", *given)


def _vouches_heard(cases: Cases, sealed: bytes, ends: list[Any]) -> None:
    """A vouch, heard by the right member and by others."""
    bo, box = filled("bo's box"), filled("ada's box")
    cases.do("heard", sealed, bo, ends[5], b"group", ends)
    heard: list[tuple[Any, ...]] = [
        (sealed, box, ends[5], b"group", ends),
        (sealed, bo, ends[2], b"group", ends),
        (sealed, bo, ends[5], b"groups", ends),
        (sealed[:-1], bo, ends[5], b"group", ends),
        (bytes(len(sealed)), bo, ends[5], b"group", ends),
        *(
            (sealed, bo, ends[5], b"group", [other if i == at else each for i, each in enumerate(ends)])
            for at, other in enumerate(
                (b"groups", 3, filled("x"), hpke.public_key(filled("x")), 3, filled("x"))
            )
        ),
        (sealed, bo, ends[5], b"group", [bytes(32) if i == 3 else each for i, each in enumerate(ends)]),
    ]
    for given in heard:
        cases.do("heard", *given)


def _forged_vouches(cases: Cases, public: bytes, ends: list[Any]) -> None:
    """A proof of one leaf under the name of another, and keys that prove nothing."""
    bo, box = filled("bo's box"), filled("ada's box")
    # what was proven of one leaf, said of another
    proof = identity._vouch_mac(
        identity._exchange(bo, public),
        identity._exchange(bo, hpke.public_key(box)),
        public,
        _ends(ends),
    )
    for leaf in (1, 2):
        body = fields.uint(leaf, 4) + public + proof
        other_leaf = hpke.seal(SUITE, ends[6], b"snug 1 id vouchgroup", ends[5], body, rng=Seed("leaf").rng())
        cases.do("heard", other_leaf.enc + other_leaf.ciphertext, bo, ends[5], b"group", ends)
    for claimed, leaf in ((bytes(32), 1), (b"\xff" * 32, 1), (hpke.public_key(box), 1), (public, 2)):
        body = fields.uint(leaf, 4) + claimed + bytes(32)
        forged = hpke.seal(SUITE, ends[6], b"snug 1 id vouchgroup", ends[5], body, rng=Seed("forged").rng())
        cases.do("heard", forged.enc + forged.ciphertext, bo, ends[5], b"group", ends)


def identity_cases() -> Any:
    """crypto/proof/identity.py."""
    cases = Cases(
        check_public=identity.check_public,
        fingerprint=identity.fingerprint,
        public=lambda private: IdentityKey(private).public,
        show=lambda private, *rest: IdentityKey(private).knock_proof(*rest),
        check_shown=identity.verify_knock_proof,
        ends=lambda *given: _ends(given).encode(),
        vouch=lambda private, ends, box, rng: IdentityKey(private).vouch(_ends(ends), box, rng=rng),
        heard=lambda sealed, box, key, group, ends: identity.open_vouch(sealed, box, key, group).verify(
            _ends(ends), box
        ),
    )
    ada, bo = filled("ada"), filled("bo's box")
    public = cases.do("public", ada)
    cases.do("public", ada[1:])
    for key in (public, hpke.public_key(bo), *ODD_KEYS):
        cases.do("check_public", key)
        cases.do("fingerprint", key)
    _knock_proofs(cases, ada, bo)
    box = filled("ada's box")
    ends: list[Any] = [
        b"group",
        1,
        filled("ada signs"),
        hpke.public_key(box),
        2,
        filled("bo signs"),
        hpke.public_key(bo),
    ]
    cases.do("ends", *ends)
    for at in (2, 3, 5, 6):
        cases.do("ends", *(each[1:] if i == at else each for i, each in enumerate(ends)))
    sealed = cases.do("vouch", ada, ends, box, Seed("vouch"))
    for at, other in ((3, filled("another")), (6, bytes(32))):
        cases.do(
            "vouch", ada, [other if i == at else each for i, each in enumerate(ends)], box, Seed("vouch")
        )
    _vouches_heard(cases, sealed, ends)
    _forged_vouches(cases, public, ends)
    return cases


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"identity": identity_cases}
