"""The ratchet tree and the ledger of a large room, in pieces beside the answer."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from snugroom.crypto import kdf
from snugroom.crypto.entry import pieces
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.entry.lobby import BUCKETS, Piece, post, read, reply
from snugroom.crypto.entry.pieces import (
    ANSWERS_MAX,
    LEDGER_INSIDE_MAX,
    PIECE_BLOB,
    PIECES_MAX,
    TREE_INSIDE_MAX,
    Assemblies,
    Assembly,
    SealedPieces,
)
from snugroom.crypto.errors import AuthenticationError, MalformedError, StateError
from snugroom.crypto.fields import padded, uint
from snugroom.crypto.kdf import H
from snugroom.crypto.mls import KeyPackageBundle
from tests.crypto.lobby_people import ENVELOPE_KEY, an_answer, knocked
from tests.mls.world import new_bundle

LEDGER = b"ledger" * 100
#: Bytes of a tree that makes three pieces, the last of them a small one.
THREE = 2 * pieces._IN_PIECE + 10


def listed(sealed: SealedPieces, bundle: KeyPackageBundle) -> Answer:
    return replace(an_answer(), ledger=b"", pieces=sealed.list_for(bundle.key_package))


def three() -> tuple[SealedPieces, KeyPackageBundle, bytes]:
    tree = bytes(range(256)) * (THREE // 256)
    sealed, bundle = SealedPieces.make(tree, LEDGER), new_bundle("Ada")
    assert len(sealed.pieces) == 3
    return sealed, bundle, tree


def test_tree_and_ledger_come_in_any_order_and_each_piece_counts_once() -> None:
    sealed, bundle, tree = three()
    for order in itertools.permutations(sealed.pieces):
        assembly = Assembly(listed(sealed, bundle), bundle)
        for number, piece in enumerate(order):
            assert assembly.missing == 3 - number
            assert assembly.add(piece)
            assert not assembly.add(piece), "it is here"
        answer, got = assembly.finish()
        assert (got, answer.ledger, answer.pieces) == (tree, LEDGER, b"")
        assert replace(answer, ledger=b"ledger") == an_answer()


def test_blobs_have_sizes_of_buckets_and_an_answer_stays_small() -> None:
    for size, expected in (
        (1, [32_768]),
        (32_000, [32_768]),
        (60_000, [65_536]),
        (THREE, [65_536, 65_536, 32_768]),
        (PIECES_MAX * pieces._IN_PIECE - len(LEDGER) - 4, [65_536] * PIECES_MAX),
    ):
        sealed, bundle = SealedPieces.make(bytes(size), LEDGER), new_bundle("Ada")
        blobs = [post(ENVELOPE_KEY, piece) for piece in sealed.pieces]
        assert [len(blob) for blob in blobs] == expected
        assert [read(ENVELOPE_KEY, blob) for blob in blobs] == list(sealed.pieces)
        opened, pending = knocked(bundle.encoded)
        answer = replace(listed(sealed, bundle), welcome=bytes(1_000))
        sent = reply(opened, answer)
        assert len(post(ENVELOPE_KEY, sent)) <= 4096
        assert pending.open(sent) == answer


def test_an_answer_with_the_largest_tree_and_ledger_inside_fits_its_blob() -> None:
    opened, _ = knocked()
    rest = an_answer(bytes(TREE_INSIDE_MAX + 1_000))
    answer = replace(rest, ledger=bytes(LEDGER_INSIDE_MAX), before=bytes(8 * 64), places=bytes(144))
    assert len(post(ENVELOPE_KEY, reply(opened, answer))) == LAST


LAST = 32_768


def test_a_room_that_is_too_large_has_no_pieces() -> None:
    most = PIECES_MAX * pieces._IN_PIECE - len(LEDGER) - 4
    with pytest.raises(MalformedError, match="too large"):
        SealedPieces.make(bytes(most + 1), LEDGER)
    assert PIECE_BLOB in BUCKETS


def test_only_the_keypackages_owner_reads_the_pieces() -> None:
    """A former host that knocks with somebody's KeyPackage reads the answer, and not who is in the room."""
    sealed, bundle, _ = three()
    with pytest.raises(AuthenticationError):
        Assembly(listed(sealed, bundle), new_bundle("Mallory"))
    assert sealed.key not in listed(sealed, bundle).pieces


def test_a_foreign_piece_is_ignored_and_displaces_none() -> None:
    sealed, bundle, tree = three()
    foreign = SealedPieces.make(bytes(THREE), LEDGER)
    changed = Piece(sealed.pieces[0].sealed[:-1] + bytes([sealed.pieces[0].sealed[-1] ^ 1]))
    assembly = Assembly(listed(sealed, bundle), bundle)
    for piece in (*foreign.pieces, changed, Piece(b""), Piece(bytes(65_000))):
        assert not assembly.add(piece)
    assert assembly.missing == 3
    assert all(assembly.add(piece) for piece in sealed.pieces)
    assert assembly.finish()[1] == tree


def test_a_piece_counts_in_its_own_place() -> None:
    sealed, bundle, _ = three()
    swapped = replace(sealed, pieces=(sealed.pieces[1], sealed.pieces[0], sealed.pieces[2]))
    assembly = Assembly(listed(swapped, bundle), bundle)
    with pytest.raises(AuthenticationError):
        assembly.add(sealed.pieces[0])


def test_a_list_that_is_none_is_refused() -> None:
    sealed, bundle, _ = three()
    answer = listed(sealed, bundle)
    hashes = [H(piece.sealed) for piece in sealed.pieces]

    def of(*found: bytes, count: int | None = None) -> bytes:
        key = bundle.key_package.seal("snug 1 tree key", b"".join(found), sealed.key)
        return key + uint(len(found) if count is None else count, 1) + b"".join(found)

    assert Assembly(replace(answer, pieces=of(*hashes)), bundle).missing == 3
    many = [H(bytes([n])) for n in range(PIECES_MAX + 1)]
    assert Assembly(replace(answer, pieces=of(*many[1:])), bundle).missing == PIECES_MAX
    for bad in (of(), of(*many), of(hashes[0], hashes[0]), of(*hashes, count=2), of(*hashes, count=4)):
        with pytest.raises(MalformedError):
            Assembly(replace(answer, pieces=bad), bundle)
    for cut in (0, 1, 79, 80, 81, 100, len(answer.pieces) - 1):
        with pytest.raises(MalformedError):
            Assembly(replace(answer, pieces=answer.pieces[:cut]), bundle)
    # a list that somebody has changed: its key was sealed with the other one
    other = answer.pieces[:-32] + H(b"another")
    with pytest.raises(AuthenticationError):
        Assembly(replace(answer, pieces=other), bundle)
    short = bundle.key_package.seal("snug 1 tree key", hashes[0], bytes(32)) + uint(1, 1) + hashes[0]
    assert Assembly(replace(answer, pieces=short), bundle).missing == 1


def test_pieces_that_hold_nothing_are_an_error() -> None:
    key, bundle = bytes(32), new_bundle("Ada")

    def assembly_of(plain: bytes) -> tuple[Assembly, Piece]:
        piece = Piece(kdf.seal(key, plain, b"snug 1 tree piece\0"))
        return Assembly(listed(SealedPieces((piece,), key), bundle), bundle), piece

    for plain in (bytes(3), padded(b"x", 9) + b"\1"):
        assembly, piece = assembly_of(plain)
        with pytest.raises(MalformedError):
            assembly.add(piece)
    for data in (b"\0\0\0\5tree", b"\0\0"):
        assembly, piece = assembly_of(padded(data, 100))
        assert assembly.add(piece)
        with pytest.raises(MalformedError):
            assembly.finish()


def test_the_tree_may_be_in_the_welcome_and_the_ledger_in_pieces() -> None:
    bundle = new_bundle("Ada")
    sealed = SealedPieces.make(b"", bytes(100_000))
    assembly = Assembly(listed(sealed, bundle), bundle)
    assert [assembly.add(piece) for piece in sealed.pieces] == [True, True]
    answer, tree = assembly.finish()
    assert tree is None
    assert answer.ledger == bytes(100_000)


def test_labels_of_others_are_refused() -> None:
    bundle = new_bundle("Ada")
    with pytest.raises(StateError):
        bundle.key_package.seal("Welcome", b"", b"x")
    with pytest.raises(StateError):
        bundle.open("Welcome", b"", bytes(80))
    bundle.wipe()
    with pytest.raises(StateError):
        bundle.open("snug 1 tree key", b"", bytes(80))


# -- several answers ----------------------------------------------------------------------------------


class Newcomer:
    """Notes the answers that are complete."""

    def __init__(self) -> None:
        self.done: list[tuple[Answer, bytes | None]] = []
        self.answers = Assemblies()

    def take(self, answer: Answer, bundle: KeyPackageBundle) -> None:
        self.answers.take(answer, bundle, lambda whole, tree: self.done.append((whole, tree)))


def test_a_small_rooms_answer_is_complete_at_once() -> None:
    newcomer = Newcomer()
    newcomer.take(an_answer(), new_bundle("Ada"))
    assert newcomer.done == [(an_answer(), None)]


def test_an_answer_that_comes_again_keeps_its_pieces() -> None:
    sealed, bundle, tree = three()
    newcomer, answer = Newcomer(), listed(sealed, bundle)
    for piece in sealed.pieces:
        newcomer.take(answer, bundle)
        assert not newcomer.done
        assert newcomer.answers.piece(piece)
        assert not newcomer.answers.piece(piece)
    [(_, got)] = newcomer.done
    assert got == tree


def test_answers_that_wait_are_bounded_and_each_gets_its_own_pieces() -> None:
    bundle, newcomer = new_bundle("Ada"), Newcomer()
    made = [SealedPieces.make(b"", bytes([n])) for n in range(ANSWERS_MAX + 1)]
    for sealed in made:
        newcomer.take(listed(sealed, bundle), bundle)
    assert not newcomer.answers.piece(made[0].pieces[0]), "the oldest has been forgotten"
    for number in range(ANSWERS_MAX, 0, -1):
        assert newcomer.answers.piece(made[number].pieces[0])
    assert [answer.ledger for answer, _ in newcomer.done] == [bytes([n]) for n in range(ANSWERS_MAX, 0, -1)]
