"""History of a meeting that all members agree on (docs/reference/protocol.md, section 5).

The encoding is canonical: equal ledgers have equal bytes, and any other encoding is malformed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from snugroom.crypto.errors import MalformedError
from snugroom.wire.layout import U2, U4, U8, Bool, Bytes, Bytes16, Bytes32, Items, Layout, Named, Option

#: Number of slots during which a ticket is fresh, and over which rejoins of one leaf are counted.
REJOIN_SLOTS: Final = 64
REJOINS_MAX: Final = 16
LEDGER_KEYS_MAX: Final = 4096
#: Members that were removed for absence and can come back: a newer one pushes out the oldest.
AWAY_MAX: Final = 64

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
class Away(Layout, name="absent member"):
    """The way back of a member that a host removed for absence: a ticket by this rejoin key (SNUG-8)."""

    signature_key: Bytes32
    rejoin_key: Bytes32  # that its leaf had
    identity: Annotated[bytes, Bytes(1)]  # bytes of its basic credential
    invite: Annotated[U2 | None, Option()]  # that admitted it
    slot: U8  # of the removal


@dataclass(frozen=True)
class Ledger(Layout, name="ledger", start=b"\1"):
    """History of a meeting that later validation depends on: newcomers need it to reach the same verdicts.

    Used and revoked invites, all signature keys ever seen, the invite of each leaf, recent rejoins, absent
    members.
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
    away: Annotated[tuple[Away, ...], Items(1, most=AWAY_MAX, rising="signature_key")] = ()

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

    def away_member(self, signature_key: bytes) -> Away | None:
        """Return the way back of the absent member with that key; None if it has none."""
        return next((each for each in self.away if each.signature_key == signature_key), None)

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
        away: Iterable[Away] = (),  # removed for absence
        withdrawn: Iterable[bytes] = (),  # signature keys whose ways back a host has ended
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
        over = set(withdrawn)
        for leaf, (key, invite) in added.items():
            over.add(key)
            entry = self.away_member(key)
            if entry is not None:
                carried = entry.invite
            if invite is not None:
                used.add(invite)
            named = invite if invite is not None else carried
            if named is not None:
                by_leaf[leaf] = named
        recent = tuple(r for r in self.rejoins if slot - r.slot < REJOIN_SLOTS)
        if rejoined is not None:
            recent = (*recent, rejoined)
        shut = revoked - self.revoked  # by this commit: a host that shuts an invite sees no absent member
        kept = (e for e in self.away if e.signature_key not in over and e.invite not in shut)
        return Ledger(
            frozenset(used),
            frozenset(revoked),
            self.keys | {key for key, _ in added.values()},
            tuple(sorted(by_leaf.items())),
            recent,
            slot if host_returned else self.returned,
            slot if by_host else self.hosted,
            (self.rotation_due or host_lost) and not rotated,
            _newest((*kept, *away)),
        )


def _newest(away: Iterable[Away]) -> tuple[Away, ...]:
    newest = sorted(away, key=lambda each: (each.slot, each.signature_key))[-AWAY_MAX:]
    return tuple(sorted(newest, key=lambda each: each.signature_key))
