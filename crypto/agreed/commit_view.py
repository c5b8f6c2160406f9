"""The facts of a commit that the rules of `policy` compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from snugroom.crypto.agreed.ledger import Away, Ledger
from snugroom.crypto.agreed.room_state import CommitContext, Policy
from snugroom.crypto.errors import MalformedError, ValidationError

MLS10: Final = 1

ProposalKind = Literal["add", "update", "remove", "psk", "reinit", "external_init", "gce", "other"]


@dataclass(frozen=True)
class LeafView:
    """The properties of a leaf that the rules compare."""

    signature_key: bytes
    identity: bytes  # bytes of the basic credential
    encryption_key: bytes
    capabilities: bytes  # encoded
    extensions: bytes  # encoded, without the rejoin key
    rejoin_key: bytes  # contents of extension 0xF003; empty if the leaf has none


@dataclass(frozen=True)
class ProposalView:
    """One proposal of a commit, with the fields of its kind."""

    kind: ProposalKind
    sender: int | None  # leaf; None: a non-member
    by_reference: bool = False
    added: LeafView | None = None
    package: bytes = b""  # of an Add: H(KeyPackage), 32 bytes
    init_key: bytes = b""  # of an added KeyPackage
    ticket: bytes | None = None  # rejoin extension of an added KeyPackage
    suite: int = 0x0001  # of an added KeyPackage
    version: int = MLS10
    removed: int | None = None
    psk_external: bool = False
    psk_id: bytes = b""
    extensions: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True)
class CommitView:
    """A commit whose signature has verified, with all facts that its validation needs."""

    private: bool
    sender: int | None  # leaf; None: an external committer
    proposals: tuple[ProposalView, ...]
    path_leaf: LeafView | None
    authenticated_data: bytes
    # this member's state before the commit
    members: Mapping[int, LeafView]
    policy: Policy
    extensions: tuple[tuple[int, bytes], ...]  # of the GroupContext
    group_id: bytes
    suite: int
    room: bytes
    slot: int
    chain: bytes
    ledger: Ledger

    def of(self, kind: ProposalKind) -> tuple[ProposalView, ...]:
        """Return the proposals of one kind."""
        return tuple(p for p in self.proposals if p.kind == kind)

    @property
    def context(self) -> CommitContext:
        """Decoded authenticated_data; ValidationError("SNUG-1") if malformed."""
        try:
            return CommitContext.decode(self.authenticated_data)
        except MalformedError as error:
            raise ValidationError("SNUG-1", str(error)) from None

    @property
    def by_host(self) -> bool:
        """Whether the committer is a host under the old policy."""
        leaf = None if self.sender is None else self.members.get(self.sender)
        return leaf is not None and leaf.signature_key in self.policy.hosts

    @property
    def rejoin_leaf(self) -> int | None:
        """The rejoining leaf if the commit has the shape of a rejoin, otherwise None. Authorises nothing."""
        adds, removes = self.of("add"), self.of("remove")
        if len(adds) == 1 and len(removes) == 1 and adds[0].ticket is not None:
            return removes[0].removed
        return None

    @property
    def away_member(self) -> Away | None:
        """The ledger's entry of a member that this commit lets in after its absence, otherwise None.

        Judged by the commit's shape and the signature key alone: it authorises nothing.
        """
        adds = self.of("add")
        if len(adds) != 1 or adds[0].ticket is None or adds[0].added is None or self.of("remove"):
            return None
        return self.ledger.away_member(adds[0].added.signature_key)

    @property
    def rejoins(self) -> bool:
        """Whether the commit has the shape of a rejoin, in place of a leaf or after an absence."""
        return self.rejoin_leaf is not None or self.away_member is not None
