"""History of a meeting that all members agree on (docs/reference/protocol.md, section 5).

The encoding is canonical: equal ledgers have equal bytes, and any other encoding is malformed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import Reader, prefixed, uint

#: Number of slots during which a ticket is fresh, and over which rejoins of one leaf are counted.
REJOIN_SLOTS: Final = 64
REJOINS_MAX: Final = 16
LEDGER_KEYS_MAX: Final = 4096


@dataclass(frozen=True)
class Rejoined:
    """Record of one rejoin."""

    slot: int
    signature_key: bytes
    nonce: bytes
    stuck: bool = False  # True: the member could not read a commit; does not count against the limit


@dataclass(frozen=True)
class Ledger:
    """History of a meeting that later validation depends on: newcomers need it to reach the same verdicts.

    Used and revoked invites, all signature keys ever seen, the invite of each leaf, recent rejoins.
    """

    used: frozenset[int] = frozenset()
    revoked: frozenset[int] = frozenset()
    keys: frozenset[bytes] = frozenset()
    invites: tuple[tuple[int, int], ...] = ()  # (leaf, invite), sorted by leaf
    rejoins: tuple[Rejoined, ...] = field(default=())
    returned: int = 0  # slot of the last host return (SNUG-9), 0: never
    hosted: int = 0  # slot of the last commit by a host
    #: Somebody who is no host any more holds the current host seed: it proves nothing until the keys change.
    rotation_due: bool = False

    def encode(self) -> bytes:
        return b"".join(
            (
                uint(1, 1),
                prefixed(b"".join(uint(i, 2) for i in sorted(self.used)), 2),
                prefixed(b"".join(uint(i, 2) for i in sorted(self.revoked)), 2),
                uint(len(self.keys), 2),
                *sorted(self.keys),
                uint(len(self.invites), 2),
                *(uint(leaf, 4) + uint(invite, 2) for leaf, invite in self.invites),
                uint(len(self.rejoins), 1),
                *(uint(r.slot, 8) + r.signature_key + r.nonce + uint(r.stuck, 1) for r in self.rejoins),
                uint(self.returned, 8),
                uint(self.hosted, 8),
                uint(self.rotation_due, 1),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Ledger:
        r = Reader(data)
        if r.uint(1) != 1:
            raise MalformedError("ledger: the format must be 1")
        used, revoked = (_u16s(r.prefixed(2)) for _ in range(2))
        keys = frozenset(r.take(32) for _ in range(r.uint(2)))
        invites = tuple((r.uint(4), r.uint(2)) for _ in range(r.uint(2)))
        rejoins = tuple(
            Rejoined(r.uint(8), r.take(32), r.take(16), bool(r.uint(1))) for _ in range(r.uint(1))
        )
        returned, hosted, due = r.uint(8), r.uint(8), r.uint(1)
        r.end()
        if due > 1:
            raise MalformedError("ledger: a flag must be 0 or 1")
        if (
            max(len(used), len(revoked), len(keys), len(invites)) > LEDGER_KEYS_MAX
            or len(rejoins) > REJOIN_SLOTS
        ):
            raise MalformedError("ledger: more than a meeting can hold")
        leaves, slots = [leaf for leaf, _ in invites], [r.slot for r in rejoins]
        ledger = cls(used, revoked, keys, invites, rejoins, returned, hosted, bool(due))
        if leaves != sorted(set(leaves)) or slots != sorted(set(slots)) or ledger.encode() != data:
            raise MalformedError("ledger: not in canonical order")
        return ledger

    def digest(self) -> bytes:
        """H(ledger), 32 bytes."""
        return hashlib.sha256(self.encode()).digest()

    def invite_of(self, leaf: int) -> int | None:
        return dict(self.invites).get(leaf)

    def after(
        self,
        slot: int,
        *,
        removed: dict[int, bool],  # leaf -> whether its invite is revoked too
        added: dict[int, tuple[bytes, int | None]],  # leaf -> (signature key, invite)
        rejoined: Rejoined | None = None,
        host_returned: bool = False,
        host_lost: bool = False,
        rotated: bool = False,
        by_host: bool = False,
    ) -> Ledger:
        """Return the ledger after a commit that was adopted at `slot`."""
        by_leaf = dict(self.invites)
        revoked, used = set(self.revoked), set(self.used)
        carried: int | None = None
        for leaf, revoke in removed.items():
            invite = by_leaf.pop(leaf, None)
            if invite is not None and revoke:
                revoked.add(invite)
            if rejoined is not None:
                carried = invite  # a rejoining member keeps its original invite
        for leaf, (_, invite) in added.items():
            if invite is not None:
                used.add(invite)
            named = invite if invite is not None else carried
            if named is not None:
                by_leaf[leaf] = named
        recent = tuple(r for r in self.rejoins if slot - r.slot < REJOIN_SLOTS)
        if rejoined is not None:
            recent = (*recent, rejoined)
        return Ledger(
            frozenset(used),
            frozenset(revoked),
            self.keys | {key for key, _ in added.values()},
            tuple(sorted(by_leaf.items())),
            recent,
            slot if host_returned else self.returned,
            slot if by_host else self.hosted,
            (self.rotation_due or host_lost) and not rotated,
        )


def _u16s(data: bytes) -> frozenset[int]:
    if len(data) % 2:
        raise MalformedError("ledger: a number is cut off")
    return frozenset(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
