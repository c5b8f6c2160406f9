"""Members' signed words about slots and histories that are not ours, by signature key.

A heartbeat that names a slot beyond ours is its author's word alone: the server may withhold the change, or
the author lies. So it stops us for a moment, and for longer only with a second word. A member's used share
belongs to its signature key: neither its rejoin nor ours gives it back. A key is at one leaf of the tree
at most (RFC 9420, 7.3). A member that has left comes in again only under a key that is new to the meeting
(SNUG-11): a host lets it in, and so grants a new person's share. Keys that are gone are forgotten, but not
the time that they have cost (`GONE_MAX`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.crypto.agreed.heartbeat import Heartbeat

#: Seconds for which the claims of one member stop us, as long as nobody else says so: in all, for its key.
ALONE: Final = 3.0
#: Seconds for which a host's claim, or those of two members, stop us while all others are with us.
DOUBT: Final = 15.0
#: Seconds that members who are gone may have cost us: from then on a single member's claim stops us no more.
#: Where everybody is waved in, one person can come again and again.
GONE_MAX: Final = 30.0
#: Seconds after which the same member's word, that nobody has confirmed, is told again.
TOLD_AGAIN: Final = 600.0


@dataclass
class Claim:
    """A slot that we have not reached, the chain after it, the room at a server (8 bytes), and since when."""

    slot: int
    chain: bytes
    incarnation: bytes
    since: float
    told: bool = False  # in an alarm


@dataclass
class Signer:
    """The claims of one signature key. `leaf`: where its member is now."""

    leaf: int
    claim: Claim | None = None
    spent: float = 0.0  # seconds for which its earlier claims have stood
    #: Since when it claims what nobody has confirmed; it may have come in again meanwhile.
    unconfirmed: float | None = None
    forked: bool = False  # it has another history than ours, in this membership
    contradicts: bool = False  # two heartbeats of it cannot both be true (SNUG-19)
    claim_told: float = -inf
    fork_told: float = -inf

    def stood(self, now: float) -> float:
        """Return the seconds for which its claims have stood in all."""
        return self.spent + (0.0 if self.claim is None else now - self.claim.since)

    def end_claim(self, now: float) -> None:
        """End the claim that stands, if one does."""
        self.spent, self.claim = self.stood(now), None


class Stopping(NamedTuple):
    """The leaves whose claims stop us: with a host's or a second member's word, and alone."""

    strong: list[int]
    alone: list[int]


class Claims:
    """The members that have claimed something: no more than the tree has."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self._signers: dict[bytes, Signer] = {}
        self._gone = 0.0

    def known(self, leaf: int) -> Signer | None:
        """Return what the member at a leaf has signed; None if there is nothing to remember."""
        return self._signers.get(self._room.membership.signature_key(leaf) or b"")

    def of(self, leaf: int) -> Signer:
        """Return the same, to add to it."""
        key = self._room.membership.signature_key(leaf)
        assert key is not None  # its heartbeat was verified under it
        return self._signers.setdefault(key, Signer(leaf))

    def all(self) -> list[Signer]:
        """Return everybody who has claimed something."""
        return list(self._signers.values())

    def add(self, beat: Heartbeat, now: float) -> None:
        """A member is ahead of us, as it says. A claim that grows is still the same."""
        signer = self.of(beat.leaf)
        if signer.claim is None:
            signer.claim = Claim(beat.slot, beat.chain, beat.incarnation, now)
        claim = signer.claim
        claim.slot, claim.chain, claim.incarnation = beat.slot, beat.chain, beat.incarnation
        if signer.unconfirmed is None:
            signer.unconfirmed = now

    def adopted(self, change: Change, now: float) -> None:
        """Follow members to their new leaves; forget the keys that are out of the tree."""
        m = self._room.membership
        new = {m.signature_key(leaf): leaf for leaf, _, _ in change.added}
        for key, signer in list(self._signers.items()):
            if key in new:  # it has come in again, and so has our history
                signer.leaf, signer.forked = new[key], False
                signer.end_claim(now)
            elif m.signature_key(signer.leaf) != key:
                self._gone += min(signer.stood(now), DOUBT)
                del self._signers[key]

    def carry_over(self, old: Claims, now: float) -> None:
        """Take over what was signed before we came in again ourselves: a member can have caused that."""
        here = {self._room.membership.signature_key(leaf): leaf for leaf in self._members.others}
        self._gone = old._gone
        for key, signer in old._signers.items():
            if key in here:
                signer.leaf, signer.forked = here[key], False
                self._signers[key] = signer
            else:
                self._gone += min(signer.stood(now), DOUBT)

    # -- conclusions -------------------------------------------------------------------------------

    def standing(self) -> list[Signer]:
        """Return the members whose claims stand and count.

        Not those of members with another history, or whose heartbeats contradict each other. A host's count
        even then: waiting is the safe side.
        """
        return [
            signer
            for signer in self._signers.values()
            if signer.claim is not None
            and not signer.forked
            and (self._is_host(signer) or not signer.contradicts)
        ]

    def stop(self, now: float, *, fresh: bool) -> Stopping:
        """Return the leaves whose claims stop us now: with a host's or a second member's word; and alone.

        `fresh`: enough members have confirmed our epoch. Otherwise the first go on.
        """
        hosts: list[Signer] = []
        others: list[Signer] = []
        for signer in self.standing():
            (hosts if self._is_host(signer) else others).append(signer)
        strong = [s for s in hosts if s.claim is not None and (now - s.claim.since < DOUBT or not fresh)]
        if len(others) > 1 and any(now - (s.unconfirmed or 0.0) < DOUBT or not fresh for s in others):
            strong += others
        alone = [s for s in others if s not in strong and s.stood(now) < ALONE and self._gone < GONE_MAX]
        return Stopping([signer.leaf for signer in strong], [signer.leaf for signer in alone])

    def _is_host(self, signer: Signer) -> bool:
        return bool(self._members.others.get(signer.leaf))

    def past(self, now: float, slot: int, told: Callable[[Signer, Claim, bool | None], None]) -> None:
        """End the claims up to this slot, which we have. `told` gets whether each was true; None: unknown."""
        chains = self._room.membership.journal.chains
        for signer in self.all():
            claim = signer.claim
            if claim is None or claim.slot > slot:
                continue
            signer.end_claim(now)
            known = chains.get(claim.slot)
            if known == claim.chain:
                signer.unconfirmed = None
            told(signer, claim, None if known is None else known == claim.chain)
