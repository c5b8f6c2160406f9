"""Shared vectors of pieces (crypto/entry/pieces.py), and of joins with a tree beside the Welcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from snugroom.crypto import hpke, kdf, mls
from snugroom.crypto.entry import lobby, pieces
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.entry.pieces import Assembly, SealedPieces
from snugroom.crypto.fields import padded, uint
from snugroom.crypto.kdf import H, Rng
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.tree import NodeIn, RatchetTree, read_tree
from snugroom.crypto.primitives import signature_public, suite_of
from tests.web.cases import Cases, Seed, filled

MLS_SUITE: Final = mls.CipherSuite.X25519_AES128GCM_SHA256_ED25519
LINK: Final = b"snug 1 link"
PSKS: Final = {LINK: filled("link psk")}
MEMBERS: Final = 6


def _bundle(name: str, *, grease: bool = False) -> mls.KeyPackageBundle:
    return mls.create_key_package(
        MLS_SUITE,
        signature_private=filled(f"signature of {name}"),
        credential=mls.Credential.basic(name.encode()),
        lifetime=mls.Lifetime(0, 1_000),
        grease=grease,
        rng=Seed(f"package of {name}").rng(),
    )


def _with_init(private: bytes) -> mls.KeyPackageBundle:
    """A KeyPackage of whose keys only the init key counts."""
    made = _bundle("Ada")
    package = replace(made.key_package, init_key=hpke.public_key(private))
    return mls.KeyPackageBundle(
        package, init_private=private, encryption_private=bytes(32), signature_private=bytes(32)
    )


def _make(tree: bytes, ledger: bytes, rng: Rng) -> Any:
    return [[len(p.sealed), H(p.sealed)] for p in SealedPieces.make(tree, ledger, rng=rng).pieces]


def _list_for(tree: bytes, ledger: bytes, rng: Rng, init_private: bytes, list_rng: Rng) -> Any:
    made = SealedPieces.make(tree, ledger, rng=rng)
    return made.list_for(_with_init(init_private).key_package, rng=list_rng)


def _assemble(listed: bytes, init_private: bytes, sealed: list[bytes]) -> Any:
    """Whether each piece was missing, and what they come to."""
    answer = Answer(b"w", bytes(16), bytes(32), bytes(32), bytes(64), 1, bytes(32), 1, b"", pieces=listed)
    assembly = Assembly(answer, _with_init(init_private))
    told: list[Any] = [[assembly.add(lobby.Piece(each)), assembly.missing] for each in sealed]
    if assembly.missing == 0:
        whole, tree = assembly.finish()
        told += [whole.ledger, tree]
    return told


def _join(
    package: bytes,
    init_private: bytes,
    encryption_private: bytes,
    signature_private: bytes,
    welcome: bytes,
    tree: bytes | None,
) -> Any:
    bundle = mls.KeyPackageBundle(
        mls.KeyPackageIn.decode(package).verify(),
        init_private=init_private,
        encryption_private=encryption_private,
        signature_private=signature_private,
    )
    group = mls.Group.join(welcome, bundle, psks=PSKS, ratchet_tree=tree, rng=Seed("join").rng())
    return [group.epoch, group.own_leaf, group.welcomed_by, group.epoch_authenticator, len(group.members())]


def _joins(cases: Cases) -> None:
    """A newcomer with the right tree, and with wrong ones."""
    names = [f"Member {number}" for number in range(MEMBERS)]
    host = mls.Group.create(_bundle("Ada"), b"group", rng=Seed("group").rng())
    host.adopt(host.stage([mls.Add(_bundle(name).key_package) for name in names]))
    before = host.ratchet_tree()
    own = _bundle("Zoe", grease=True)
    link = mls.PreSharedKey.external(LINK, Seed("psk").rng())
    inside, outside = (
        host.stage([link, mls.Add(own.key_package)], psks=PSKS, tree_inside_max=limit) for limit in (None, 0)
    )
    assert inside.welcome is not None
    assert outside.welcome is not None
    tree = outside.tree
    assert tree is not None
    given = (
        own.encoded,
        own.init_private,
        own.encryption_private,
        filled("signature of Zoe"),
    )
    assert signature_public(given[-1]) == own.key_package.leaf_node.signature_key
    cases.do("join", *given, outside.welcome, tree)
    cases.do("join", *given, outside.welcome, None)
    cases.do("join", *given, inside.welcome, None)
    cases.do("join", *given, inside.welcome, tree)
    for wrong in (before, *_changed(tree)):
        cases.do("join", *given, outside.welcome, wrong)


def _changed(tree: bytes) -> list[bytes]:
    nodes = list(decode(tree, read_tree))

    def encoded(changed: list[NodeIn | None]) -> bytes:
        return RatchetTree.unverified(suite_of(MLS_SUITE), changed).encode()

    swapped = [nodes[4] if i == 2 else nodes[2] if i == 4 else node for i, node in enumerate(nodes)]
    foreign = [_bundle("Mallory").key_package.leaf_node if i == 4 else node for i, node in enumerate(nodes)]
    without = [None if i == 4 else node for i, node in enumerate(nodes)]
    return [encoded(swapped), encoded(foreign), encoded(without)]


def pieces_cases() -> Any:
    """crypto/entry/pieces.py, and crypto/mls/welcome.py."""
    cases = Cases(make=_make, list_for=_list_for, assemble=_assemble, join=_join)
    two = 2 * pieces._IN_PIECE
    ledger, init = filled("ledger", 50), filled("init")
    for size in (0, 1, 32_000, 33_000, two - 54, two - 53, two, 16 * pieces._IN_PIECE):
        cases.do("make", bytes(size), ledger, Seed("make"))
    tree = b"tree" + filled("tree", 200)
    listed = cases.do("list_for", tree, ledger, Seed("make"), init, Seed("list"))
    cases.do("list_for", bytes(two), ledger, Seed("make"), init, Seed("list"))
    key = filled("key of pieces")

    def list_of(sealed: list[bytes], count: int | None = None) -> bytes:
        hashes = b"".join(map(H, sealed))
        to = _with_init(init).key_package.seal("snug 1 tree key", hashes, key, Seed("list").rng())
        return to + uint(len(sealed) if count is None else count, 1) + hashes

    def piece(index: int, part: bytes, size: int = 100) -> bytes:
        return kdf.seal(
            key, padded(part, size), b"snug 1 tree piece" + uint(index, 1), rng=Seed("piece").rng()
        )

    data = uint(len(tree), 4) + tree + ledger
    parts = [piece(index, data[at : at + 90]) for index, at in enumerate(range(0, len(data), 90))]
    for order in (
        parts,
        parts[::-1],
        [*parts[:2], *parts],
        [filled("garbage", 80), *parts, parts[0]],
        parts[1:],
    ):
        cases.do("assemble", list_of(parts), init, order)
    cases.do("assemble", list_of([*parts[1::-1], *parts[2:]]), init, parts)  # in each other's places
    cases.do("assemble", list_of([piece(0, b"\0\0\0\0" + ledger)]), init, [piece(0, b"\0\0\0\0" + ledger)])
    cases.do("assemble", list_of([piece(0, b"\0\0\0\5tree")]), init, [piece(0, b"\0\0\0\5tree")])
    cases.do("assemble", list_of([b"listed"]), init, [b"listed"])
    cases.do("assemble", list_of(parts), filled("another init"), parts)
    many = [bytes([number]) for number in range(17)]
    for wrong in (
        list_of([]),
        list_of(many),
        list_of([parts[0], parts[0]]),
        list_of(parts, 1),
        list_of(parts, 9),
    ):
        cases.do("assemble", wrong, init, parts)
    for cut in (0, 79, 80, 81, len(listed) - 1):
        cases.do("assemble", listed[:cut], init, [])
    cases.do("assemble", listed + b"\0", init, [])
    cases.do("assemble", listed[:-1] + bytes([listed[-1] ^ 1]), init, [])
    _joins(cases)
    return cases


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"pieces": pieces_cases}
