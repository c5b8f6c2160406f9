"""The codes that people compare to know that they are in the same meeting, with nobody between them
(docs/protocol.md, section 8).

The *long* code is 40 decimal digits, from a value that only the members of this epoch can compute and the
hash of all that led to it. 40 digits are 132 bits: a committer who wanted two groups to show the same code,
and could choose keys on both sides, would need about 2^66 trials; with 30 digits 2^50 would do.

The *short* code is four emoji, 24 bits. So few bits can only be compared if nobody can try again and again
until they suit: all members first commit to a random share, and show their shares when everybody has
committed. Who sits in two groups at once has one chance in 2^24 a run, and can't know before all others have
shown; to hold back one's own share then is all that is left, and everybody sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.emoji import EMOJI
from crypto.fields import exactly, uint
from crypto.kdf import HASH_SIZE, KEY_SIZE, H, NotCopyable, same

DIGITS: Final = 40
_GROUP: Final = 5
#: Bytes of a run's id, and of a member's share.
SID_SIZE: Final = 16
SHARE_SIZE: Final = 32
#: Signs of a short code, and the bits that each stands for.
SIGNS: Final = 4
_BITS: Final = 6


def long_code(epoch_authenticator: bytes, confirmed_transcript_hash: bytes) -> str:
    """40 digits of ``H("snug 1 code" | epoch_authenticator | confirmed_transcript_hash)``, without spaces.

    Both values (RFC 9420 sections 8.7 and 8.2) have 32 bytes, else MalformedError; only in epoch 0 the
    transcript hash is empty. The 256-bit hash is taken modulo 10^40; some codes are thereby likelier than
    others by 10^40 / 2^256, which is less than 2^-123.
    """
    digest = H(
        b"snug 1 code",
        exactly(epoch_authenticator, 32, "an epoch authenticator"),
        confirmed_transcript_hash and exactly(confirmed_transcript_hash, 32, "a transcript hash"),
    )
    return f"{int.from_bytes(digest, 'big') % 10**DIGITS:0{DIGITS}d}"


def spoken(code: str) -> str:
    """The code as people read it out: eight groups of five digits, a space between."""
    return " ".join(code[i : i + _GROUP] for i in range(0, len(code), _GROUP))


# -- the short code --------------------------------------------------------------------------------------


class Ground(NamedTuple):
    """What a run is about; members who differ in any of it can't show each other the same code."""

    sid: bytes  # 16, random, the opener's
    group_id: bytes
    chain: bytes  # 32, when the run was opened
    authenticator: bytes  # 32, RFC 9420 section 8.7
    tree_hash: bytes  # 32


def commitment(ground: Ground, leaf: int, signature_key: bytes, share: bytes) -> bytes:
    """c_i, 32 bytes: ``H("snug 1 sc" | sid | group | chain | authenticator | leaf 4 | sigkey | r_i)``.

    The group id is the only field of no fixed size. MalformedError on other sizes than 16 for the sid, and 32
    for chain, authenticator, signature key and share.
    """
    return H(
        b"snug 1 sc",
        exactly(ground.sid, SID_SIZE, "the id of a run"),
        ground.group_id,
        exactly(ground.chain, HASH_SIZE, "a chain value"),
        exactly(ground.authenticator, HASH_SIZE, "an epoch authenticator"),
        uint(leaf, 4),
        exactly(signature_key, KEY_SIZE, "a signature key"),
        exactly(share, SHARE_SIZE, "a share"),
    )


def commitments_digest(commitments: Mapping[int, bytes]) -> bytes:
    """V, 32 bytes: ``H(c in leaf order)``, of all members' commitments by leaf."""
    return H(*(exactly(commitments[leaf], HASH_SIZE, "a commitment") for leaf in sorted(commitments)))


def short_code(digest: bytes, shares: Mapping[int, bytes], authenticator: bytes, tree_hash: bytes) -> int:
    """The code, 24 bits: the first three bytes of ``HKDF-SHA256(salt V, ikm r in leaf order, info
    "snug 1 sc code" | authenticator | tree hash)``. MalformedError on wrong sizes."""
    material = b"".join(exactly(shares[leaf], SHARE_SIZE, "a share") for leaf in sorted(shares))
    info = b"".join(
        (
            b"snug 1 sc code",
            exactly(authenticator, HASH_SIZE, "an epoch authenticator"),
            exactly(tree_hash, HASH_SIZE, "a tree hash"),
        )
    )
    salt = exactly(digest, HASH_SIZE, "a digest of commitments")
    derived = HKDF(hashes.SHA256(), SIGNS * _BITS // 8, salt, info).derive(material)
    return int.from_bytes(derived, "big")


def signs(code: int) -> tuple[tuple[str, str], ...]:
    """A code's four (emoji, word), the most significant six bits first."""
    return tuple(EMOJI[code >> _BITS * i & (1 << _BITS) - 1] for i in reversed(range(SIGNS)))


class Finding(NamedTuple):
    """Why a run came to a bad end, and by whose word.

    ``fork``: that leaf has other commitments than we, or says so. ``cheat``: it showed another share than it
    had committed to.
    """

    kind: Literal["fork", "cheat"]
    leaf: int


class CodeRun(NotCopyable):
    """One run as one member sees it: pure bookkeeping, whosever messages come, in whatever order.

    The first commitment and the first reveal of a leaf count; what comes from nobody who takes part counts
    for nothing. Holds our share, which is a secret until it is shown.
    """

    __slots__ = ("_checked", "_commitments", "_ground", "_members", "_reveals", "_share", "own_leaf")

    def __init__(self, ground: Ground, members: Mapping[int, bytes], own_leaf: int, share: bytes) -> None:
        """`members`: signature keys (32 bytes) by leaf, ours among them. MalformedError on wrong sizes."""
        self.own_leaf = own_leaf
        self._ground = ground
        self._members = dict(members)
        self._share = share
        self._commitments: dict[int, bytes] = {}
        self._reveals: dict[int, tuple[bytes, bytes]] = {}  # (V, share)
        self._checked: set[int] = set()
        self.own_commitment()  # sizes are wrong now or never

    def __repr__(self) -> str:
        return f"CodeRun(sid={self.sid.hex()}, members={len(self._members)})"

    @property
    def sid(self) -> bytes:
        """The run's id, 16 bytes."""
        return self._ground.sid

    @property
    def leaves(self) -> list[int]:
        """Who takes part."""
        return sorted(self._members)

    def own_commitment(self) -> bytes:
        """Our c, 32 bytes, to be told to all."""
        return commitment(self._ground, self.own_leaf, self._members[self.own_leaf], self._share)

    def own_reveal(self) -> tuple[bytes, bytes]:
        """(V, our share), 32 bytes each, to be shown once `complete`: never before."""
        return self.digest, self._share

    def committed(self, leaf: int, commitment: bytes) -> None:
        """A member's commitment has come; MalformedError unless it has 32 bytes."""
        if leaf in self._members:
            self._commitments.setdefault(leaf, exactly(commitment, HASH_SIZE, "a commitment"))

    def revealed(self, leaf: int, digest: bytes, share: bytes) -> None:
        """A member's share has come, with the V that it goes by; MalformedError unless both have 32 bytes.

        It is judged once all commitments are here.
        """
        exactly(digest, HASH_SIZE, "a digest of commitments")
        exactly(share, SHARE_SIZE, "a share")
        if leaf in self._members:
            self._reveals.setdefault(leaf, (digest, share))

    @property
    def complete(self) -> bool:
        """Whether everybody has committed."""
        return len(self._commitments) == len(self._members)

    @property
    def digest(self) -> bytes:
        """V; only meaningful once `complete`."""
        return commitments_digest(self._commitments)

    @property
    def shown(self) -> bool:
        """Whether anybody's share has come."""
        return bool(self._reveals)

    def waiting_for(self) -> list[int]:
        """The leaves whose next message is missing: commitments first, then shares."""
        there = self._reveals.keys() if self.complete else self._commitments.keys()
        return sorted(self._members.keys() - there)

    def judge(self) -> Finding | None:
        """The first thing wrong with what has been shown, if anything is."""
        if not self.complete:
            return None
        digest = self.digest
        for leaf, (theirs, share) in self._reveals.items():
            if leaf in self._checked:
                continue
            # V first: with other commitments of its own in mind, a share need not fit the one that we have
            if not same(theirs, digest):
                return Finding("fork", leaf)
            if not same(commitment(self._ground, leaf, self._members[leaf], share), self._commitments[leaf]):
                return Finding("cheat", leaf)
            self._checked.add(leaf)
        return None

    @property
    def code(self) -> int | None:
        """The 24 bits, once everybody has shown a share that fits."""
        if self._checked != self._members.keys():
            return None
        shares = {leaf: share for leaf, (_, share) in self._reveals.items()}
        return short_code(self.digest, shares, self._ground.authenticator, self._ground.tree_hash)
