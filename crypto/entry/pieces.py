"""The parts of an answer that grow with the room: ratchet tree and ledger, in pieces beside the answer.

docs/reference/protocol.md, section 4. In a small room the Welcome contains the tree, and the answer the
ledger. In a larger room, the answer lists the hashes of pieces instead, and has their key, sealed to the
newcomer's KeyPackage. All newcomers of a commit share its pieces. A newcomer takes a piece if its hash is in
the list, so nobody else can add, replace or reorder one. The tree hash that a host has signed decides on the
tree (RFC 9420 section 12.4.3.1).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Annotated, Final

from snugroom.crypto import kdf, mls
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import exactly, padded, uint, unpadded
from snugroom.crypto.kdf import H, Rng
from snugroom.wire.layout import Bytes, Bytes32, Fixed, Items, Layout, Rest

#: The largest tree that a Welcome contains, and the largest ledger in an answer, in bytes: with both, an
#: answer's blob has at most 32,768 bytes.
TREE_INSIDE_MAX: Final = 24_576
LEDGER_INSIDE_MAX: Final = 6_144
#: Pieces of one answer: about 1 MB, which is a room of 1,000 members whose names are as long as they may be.
PIECES_MAX: Final = 16
#: Size of a piece's blob, and the smallest size of the last one.
PIECE_BLOB: Final = 65_536
LAST_BLOB_MIN: Final = 32_768

#: Answers of one newcomer that wait for pieces at once.
ANSWERS_MAX: Final = 16

_LABEL: Final = "snug 1 tree key"
_AAD: Final = b"snug 1 tree piece"
#: A key sealed with HPKE to a KeyPackage: KEM output, ciphertext, tag.
_SEALED_KEY: Final = 32 + kdf.KEY_SIZE + 16
#: Bytes of the tree and the ledger in one piece.
_IN_PIECE: Final = PIECE_BLOB - lobby.PIECE_OVERHEAD - kdf.SEAL_OVERHEAD - 4


@dataclass(frozen=True, slots=True)
class TreeAndLedger(Layout, name="tree and ledger"):
    """The data in pieces: an encoded ratchet tree (empty: it is in the Welcome) and a ledger."""

    tree: Annotated[bytes, Bytes(4)]
    ledger: Annotated[bytes, Rest()]


@dataclass(frozen=True, slots=True)
class PieceList(Layout, name="list of pieces"):
    """The pieces of an answer: their key, sealed to the newcomer, and their hashes in order."""

    sealed_key: Annotated[bytes, Fixed(_SEALED_KEY)]
    hashes: Annotated[tuple[Bytes32, ...], Items(1, most=PIECES_MAX, least=1, unique=True)]


@dataclass(frozen=True, slots=True)
class SealedPieces:
    """Tree and ledger of one epoch, sealed once for all newcomers of its commit."""

    pieces: tuple[lobby.Piece, ...]
    key: bytes = field(repr=False)

    @classmethod
    def make(cls, tree: bytes, ledger: bytes, *, rng: Rng = os.urandom) -> SealedPieces:
        """Seal an encoded ratchet tree (empty: it is in the Welcome) and a ledger.

        MalformedError if they are too large for `PIECES_MAX` pieces.
        """
        data = TreeAndLedger(tree, ledger).encode()
        count = ceil(len(data) / _IN_PIECE)
        if count > PIECES_MAX:
            raise MalformedError(f"a room whose tree and ledger have {len(data)} bytes is too large")
        key = exactly(rng(kdf.KEY_SIZE), kdf.KEY_SIZE, "a key of pieces")
        sealed = []
        for index in range(count):
            part = data[index * _IN_PIECE : (index + 1) * _IN_PIECE]
            size = PIECE_BLOB
            if index == count - 1 and len(part) <= _IN_PIECE - (PIECE_BLOB - LAST_BLOB_MIN):
                size = LAST_BLOB_MIN
            plain = padded(part, size - lobby.PIECE_OVERHEAD - kdf.SEAL_OVERHEAD)
            sealed.append(lobby.Piece(kdf.seal(key, plain, _aad(index), rng=rng)))
        return cls(tuple(sealed), key)

    def list_for(self, package: mls.KeyPackage, *, rng: Rng = os.urandom) -> bytes:
        """Return the list for the answer to the owner of that KeyPackage (`Answer.pieces`)."""
        hashes = tuple(H(piece.sealed) for piece in self.pieces)
        return PieceList(package.seal(_LABEL, b"".join(hashes), self.key, rng), hashes).encode()


def _aad(index: int) -> bytes:
    return _AAD + uint(index, 1)


class Assembly(kdf.NotCopyable):
    """A newcomer's answer whose pieces are still to come."""

    def __init__(self, answer: Answer, bundle: mls.KeyPackageBundle) -> None:
        """Read `answer.pieces`. MalformedError if it is no such list, or AuthenticationError if it is not for
        the KeyPackage of `bundle`."""
        pieces = PieceList.decode(answer.pieces)
        key = bundle.open(_LABEL, b"".join(pieces.hashes), pieces.sealed_key)
        self.answer = answer
        self._hashes = pieces.hashes
        self._key = exactly(key, kdf.KEY_SIZE, "a key of pieces")
        self._parts: dict[int, bytes] = {}

    @property
    def missing(self) -> int:
        """The number of pieces that have not come."""
        return len(self._hashes) - len(self._parts)

    def add(self, piece: lobby.Piece) -> bool:
        """Take a piece; return whether it belongs to the answer and is new.

        MalformedError or AuthenticationError if the answer lists it although it holds nothing.
        """
        found = H(piece.sealed)
        if found not in self._hashes:
            return False
        index = self._hashes.index(found)
        if index in self._parts:
            return False
        self._parts[index] = unpadded(kdf.unseal(self._key, piece.sealed, _aad(index)))
        return True

    def finish(self) -> tuple[Answer, bytes | None]:
        """Return the answer with its ledger, and the tree (None: it is in the Welcome).

        MalformedError if the pieces together are not a tree and a ledger.
        """
        data = TreeAndLedger.decode(b"".join(self._parts[index] for index in range(len(self._hashes))))
        return replace(self.answer, ledger=data.ledger, pieces=b""), data.tree or None


#: Receives the complete answer, and the tree unless the Welcome has it.
Done = Callable[[Answer, bytes | None], None]


class Assemblies:
    """The answers of one newcomer that wait for pieces: at most `ANSWERS_MAX`, the oldest go first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Assembly, Done]] = []

    def take(self, answer: Answer, bundle: mls.KeyPackageBundle, done: Done) -> None:
        """Call `done` with the answer once it is complete, which may be at once.

        An answer that comes again keeps the pieces that are here. Raises like `Assembly`.
        """
        if not answer.pieces:
            done(answer, None)
        elif all(known.answer.pieces != answer.pieces for known, _ in self._waiting):
            self._waiting.append((Assembly(answer, bundle), done))
            del self._waiting[:-ANSWERS_MAX]

    def piece(self, piece: lobby.Piece) -> bool:
        """Give a piece to the answer that lists it; return whether it was missing. Raises like `Assembly`."""
        for each in self._waiting:
            assembly, done = each
            if assembly.add(piece):
                if not assembly.missing:
                    self._waiting.remove(each)
                    done(*assembly.finish())
                return True
        return False
