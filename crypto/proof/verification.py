"""Codes that people compare to confirm that they are in the same meeting, without a man in the middle
(docs/reference/protocol.md, section 8).

The *long* code has 40 decimal digits, from a secret that only members of this epoch can compute and from the
hash of the transcript. 40 digits are 132 bits: a committer that chooses keys on both sides needs about 2^66
trials to give two groups the same code. With 30 digits, 2^50 trials would be enough.

The *short* code is four emoji, 24 bits. A comparison of so few bits is secure only if nobody can retry until
the bits match. Therefore all members first commit to a random share, and reveal the shares after everybody
has committed. A member of two groups at once has a chance of 1 in 2^24 per run, and learns the result only
after all others have revealed. The remaining option is to withhold one's share, which everybody notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from snugroom.crypto.fields import exactly, uint
from snugroom.crypto.kdf import HASH_SIZE, KEY_SIZE, H, NotCopyable, same
from snugroom.crypto.proof.emoji import EMOJI

DIGITS: Final = 40
_GROUP: Final = 5
#: Bytes of a run id (`SID_SIZE`) and of a member's share (`SHARE_SIZE`).
SID_SIZE: Final = 16
SHARE_SIZE: Final = 32
#: Number of emoji in a short code, and bits per emoji.
EMOJI_COUNT: Final = 4
_BITS: Final = 6


def long_code(epoch_authenticator: bytes, confirmed_transcript_hash: bytes) -> str:
    """40 digits of ``H("snug 1 code" | epoch_authenticator | confirmed_transcript_hash)``, without spaces.

    Both values (RFC 9420 sections 8.7 and 8.2) have 32 bytes, otherwise MalformedError; in epoch 0 only, the
    transcript hash is empty. The 256-bit hash is reduced modulo 10^40. The resulting bias is 10^40 / 2^256,
    less than 2^-123.
    """
    digest = H(
        b"snug 1 code",
        exactly(epoch_authenticator, 32, "an epoch authenticator"),
        confirmed_transcript_hash and exactly(confirmed_transcript_hash, 32, "a transcript hash"),
    )
    return f"{int.from_bytes(digest, 'big') % 10**DIGITS:0{DIGITS}d}"


def grouped(code: str) -> str:
    """Format the code for reading aloud: eight groups of five digits, separated by spaces."""
    return " ".join(code[i : i + _GROUP] for i in range(0, len(code), _GROUP))


# -- the short code --------------------------------------------------------------------------------------


class CodeContext(NamedTuple):
    """Context of a run. Members with different values cannot get the same code."""

    sid: bytes  # 16 bytes, random, chosen by the opener of the run
    group_id: bytes
    chain: bytes  # 32 bytes, at the opening of the run
    authenticator: bytes  # 32 bytes, RFC 9420 section 8.7
    tree_hash: bytes  # 32 bytes


def commitment(context: CodeContext, leaf: int, signature_key: bytes, share: bytes) -> bytes:
    """Return c_i, 32 bytes: ``H("snug 1 sc" | sid | group | chain | authenticator | leaf 4 | sigkey | r_i)``.

    Only the group id has a variable size. MalformedError unless sid has 16 bytes, and chain, authenticator,
    signature key and share have 32.
    """
    return H(
        b"snug 1 sc",
        exactly(context.sid, SID_SIZE, "the id of a run"),
        context.group_id,
        exactly(context.chain, HASH_SIZE, "a chain value"),
        exactly(context.authenticator, HASH_SIZE, "an epoch authenticator"),
        uint(leaf, 4),
        exactly(signature_key, KEY_SIZE, "a signature key"),
        exactly(share, SHARE_SIZE, "a share"),
    )


def commitments_digest(commitments: Mapping[int, bytes]) -> bytes:
    """Return V, 32 bytes: ``H(c in leaf order)`` over the commitments of all members, given by leaf."""
    return H(*(exactly(commitments[leaf], HASH_SIZE, "a commitment") for leaf in sorted(commitments)))


def short_code(digest: bytes, shares: Mapping[int, bytes], authenticator: bytes, tree_hash: bytes) -> int:
    """Return the code, 24 bits: the first three bytes of ``HKDF-SHA256(salt V, ikm r in leaf order, info
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
    derived = HKDF(hashes.SHA256(), EMOJI_COUNT * _BITS // 8, salt, info).derive(material)
    return int.from_bytes(derived, "big")


def code_emoji(code: int) -> tuple[tuple[str, str], ...]:
    """Return the code's four (emoji, word) pairs, most significant six bits first."""
    return tuple(EMOJI[code >> _BITS * i & (1 << _BITS) - 1] for i in reversed(range(EMOJI_COUNT)))


class CodeFailure(NamedTuple):
    """Reason why a run failed, and the leaf that caused it.

    ``fork``: the leaf has, or claims to have, other commitments than this member. ``cheat``: the leaf
    revealed a share that does not match its commitment.
    """

    kind: Literal["fork", "cheat"]
    leaf: int


class CodeRun(NotCopyable):
    """One member's view of a run. It does no I/O and accepts messages from any sender in any order.

    Only the first commitment and the first reveal of each leaf count; messages from non-participants are
    ignored. It holds our share, which is secret until the reveal.
    """

    __slots__ = ("_checked", "_commitments", "_context", "_members", "_reveals", "_share", "own_leaf")

    def __init__(
        self, context: CodeContext, members: Mapping[int, bytes], own_leaf: int, share: bytes
    ) -> None:
        """`members`: signature keys (32 bytes) by leaf, including ours. MalformedError on wrong sizes."""
        self.own_leaf = own_leaf
        self._context = context
        self._members = dict(members)
        self._share = share
        self._commitments: dict[int, bytes] = {}
        self._reveals: dict[int, tuple[bytes, bytes]] = {}  # (V, share)
        self._checked: set[int] = set()
        self.own_commitment()  # raises on wrong sizes now, so that no later call does

    def __repr__(self) -> str:
        return f"CodeRun(sid={self.sid.hex()}, members={len(self._members)})"

    @property
    def sid(self) -> bytes:
        """The id of the run, 16 bytes."""
        return self._context.sid

    @property
    def leaves(self) -> list[int]:
        """The participating leaves, sorted."""
        return sorted(self._members)

    def own_commitment(self) -> bytes:
        """Return our commitment c, 32 bytes, to send to all members."""
        return commitment(self._context, self.own_leaf, self._members[self.own_leaf], self._share)

    def own_reveal(self) -> tuple[bytes, bytes]:
        """Return (V, our share), 32 bytes each. Send them only once `complete`."""
        return self.digest, self._share

    def committed(self, leaf: int, commitment: bytes) -> None:
        """Record a member's commitment. MalformedError unless it has 32 bytes."""
        if leaf in self._members:
            self._commitments.setdefault(leaf, exactly(commitment, HASH_SIZE, "a commitment"))

    def revealed(self, leaf: int, digest: bytes, share: bytes) -> None:
        """Record a member's share with its V. MalformedError unless both have 32 bytes.

        `judge` checks it once all commitments have arrived.
        """
        exactly(digest, HASH_SIZE, "a digest of commitments")
        exactly(share, SHARE_SIZE, "a share")
        if leaf in self._members:
            self._reveals.setdefault(leaf, (digest, share))

    @property
    def complete(self) -> bool:
        """Whether all participants have committed."""
        return len(self._commitments) == len(self._members)

    @property
    def digest(self) -> bytes:
        """V; only valid once `complete`."""
        return commitments_digest(self._commitments)

    @property
    def shown(self) -> bool:
        """Whether any member has revealed a share."""
        return bool(self._reveals)

    def waiting_for(self) -> list[int]:
        """Return the leaves whose next message is missing: commitments first, then shares."""
        there = self._reveals.keys() if self.complete else self._commitments.keys()
        return sorted(self._members.keys() - there)

    def judge(self) -> CodeFailure | None:
        """Check the revealed shares. Return the first failure, or None."""
        if not self.complete:
            return None
        digest = self.digest
        for leaf, (theirs, share) in self._reveals.items():
            if leaf in self._checked:
                continue
            # V first: if the leaf has other commitments, its share need not match the one received here
            if not same(theirs, digest):
                return CodeFailure("fork", leaf)
            if not same(commitment(self._context, leaf, self._members[leaf], share), self._commitments[leaf]):
                return CodeFailure("cheat", leaf)
            self._checked.add(leaf)
        return None

    @property
    def code(self) -> int | None:
        """The 24 bits, once all participants have revealed matching shares; otherwise None."""
        if self._checked != self._members.keys():
            return None
        shares = {leaf: share for leaf, (_, share) in self._reveals.items()}
        return short_code(self.digest, shares, self._context.authenticator, self._context.tree_hash)
