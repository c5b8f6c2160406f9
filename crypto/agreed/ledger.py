"""History of a meeting that all members agree on (docs/reference/protocol.md, section 5).

The encoding is canonical: equal ledgers have equal bytes, and any other encoding is malformed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Final

from snugroom.crypto.errors import MalformedError
from snugroom.wire.layout import U2, U4, U8, Bool, Bytes16, Bytes32, Items, Layout, Named

#: Number of slots during which a ticket is fresh, and over which rejoins of one leaf are counted.
REJOIN_SLOTS: Final = 64
REJOINS_MAX: Final = 16
LEDGER_KEYS_MAX: Final = 4096

_Invites = Annotated[frozenset[U2], Items(2, most=0xFFFF, rising=True)]
_LeafInvite = Annotated[tuple[U4, U2], Named("leaf", "invite")]


@dataclass(frozen=True)
class Rejoined(Layout, name="rejoin"):
    """Record of one rejoin."""

    slot: U8
    signature_key: Bytes32
    nonce: Bytes16
    stuck: Bool = False  # True: the member could not read a commit; does not count against the limit


@dataclass(frozen=True)
class Ledger(Layout, name="ledger", start=b"\1"):
    """History of a meeting that later validation depends on: newcomers need it to reach the same verdicts.

    Used and revoked invites, all signature keys ever seen, the invite of each leaf, recent rejoins.
    """

    used: _Invites = frozenset()
    revoked: _Invites = frozenset()
    keys: Annotated[frozenset[Bytes32], Items(2, most=0xFFFF, rising=True)] = frozenset()
    #: (leaf, invite).
    invites: Annotated[tuple[_LeafInvite, ...], Items(2, most=0xFFFF, rising="leaf")] = ()
    rejoins: Annotated[tuple[Rejoined, ...], Items(1, most=REJOIN_SLOTS, rising="slot")] = ()
    returned: U8 = 0  # slot of the last host return (SNUG-9), 0: never
    hosted: U8 = 0  # slot of the last commit by a host
    #: Somebody who is no host any more holds the current host seed: it proves nothing until the keys change.
    rotation_due: Bool = False

    def check(self) -> None:
        """Raise MalformedError for more than a meeting can hold.

        Our own may become a little larger: a newcomer may get a full one, and admissions go on.
        """
        if max(map(len, (self.used, self.revoked, self.keys, self.invites))) > LEDGER_KEYS_MAX:
            raise MalformedError("ledger: more than a meeting can hold")

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
