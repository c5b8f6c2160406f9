"""The results of a commit that the group has adopted: the next ledger, and the change to report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from snugroom.client.session.kernel.verdict import Added, Change, Gone
from snugroom.crypto import mls
from snugroom.crypto.agreed.commit_view import CommitView
from snugroom.crypto.agreed.ledger import Away, Ledger, Rejoined
from snugroom.crypto.agreed.rejoins import replacement
from snugroom.crypto.agreed.room_state import Identity, Policy, RejoinTicket


class Adoption:
    """One commit, between the state before it and the state after it."""

    def __init__(self, view: CommitView, after: Mapping[int, mls.LeafNode], policy: Policy) -> None:
        """`view` has the state before the commit; `after` (the leaf nodes) and `policy` are of its epoch."""
        self._view = view
        self._after = after
        self._policy = policy
        self._returned = view.context.host_return is not None
        self._rotated = policy.return_public != view.policy.return_public
        self._ticket: RejoinTicket | None = None
        if view.rejoins:
            self._ticket = RejoinTicket.decode(view.of("add")[0].ticket or b"")
        removals = [(p.removed, p.by_reference) for p in view.of("remove") if p.removed is not None]
        self.removed = [leaf for leaf, _ in removals]
        #: The removed leaves whose members have left.
        self.left = frozenset(leaf for leaf, by_reference in removals if by_reference)
        #: The way back by which a member has come in again after an absence.
        self._away = view.away_member
        back = self._ticket is not None or self._returned
        #: The removed leaves whose members neither left nor came back at another leaf.
        self.evicted = frozenset() if back else frozenset(self.removed) - self.left
        keys = [p.added.signature_key for p in view.of("add") if p.added is not None]
        self._added = [leaf for leaf, node in after.items() if node.signature_key in keys]
        self._invites = dict(zip(keys, view.context.invites, strict=False))  # by signature key

    def ledger(self) -> Ledger:
        """Return the ledger after the commit."""
        view = self._view
        return view.ledger.after(
            view.slot,
            removed={leaf: leaf in self.evicted and not view.context.absent for leaf in self.removed},
            added={leaf: (key, self._invites.get(key)) for leaf, key in self._keys_added()},
            rejoined=self._rejoined(),
            host_returned=self._returned,
            host_lost=not self._returned and self._host_lost(),
            rotated=self._rotated,
            by_host=view.by_host,
            away=self._removed_for_absence(),
            withdrawn=view.context.withdrawn,
        )

    def _removed_for_absence(self) -> Iterator[Away]:
        """Yield the ways back that the commit gives; a host comes back by the return key (SNUG-9)."""
        view = self._view
        for leaf in self.removed if view.context.absent else ():
            old = view.members[leaf]
            if old.signature_key not in view.policy.hosts:
                invite = view.ledger.invite_of(leaf)
                yield Away(old.signature_key, old.rejoin_key, old.identity, invite, view.slot)

    def _keys_added(self) -> Iterator[tuple[int, bytes]]:
        return ((leaf, self._after[leaf].signature_key) for leaf in self._added)

    def _rejoined(self) -> Rejoined | None:
        ticket, added = self._ticket, self._view.of("add")
        if ticket is None or added[0].added is None:
            return None
        return Rejoined(self._view.slot, added[0].added.signature_key, ticket.nonce, ticket.stuck)

    def _host_lost(self) -> bool:
        """Whether a host has left, was removed, or has lost the role."""
        view = self._view
        gone = set() if self._ticket is not None else {self._key_before(leaf) for leaf in self.removed}
        hosts = set(view.policy.hosts)
        return bool(hosts & gone or hosts - set(self._policy.hosts))

    def _key_before(self, leaf: int) -> bytes:
        return self._view.members[leaf].signature_key

    def change(self, ledger: Ledger) -> Change:
        """Return the change that the room reports; `ledger` is that after the commit."""
        view = self._view
        rejoined = self._ticket if self._away is None else None
        return Change(
            by=view.sender if view.sender is not None else -1,
            added=tuple(
                Added(leaf, _name(self._after[leaf].credential.identity), ledger.invite_of(leaf))
                for leaf in self._added
            ),
            removed=tuple(
                Gone(leaf, _name(view.members[leaf].identity), self._key_before(leaf))
                for leaf in self.removed
            ),
            rejoined=rejoined is not None,
            policy_before=view.policy,
            policy_after=self._policy,
            left=self.evicted if view.context.absent else self.left,
            returned=self._returned,
            rotated=self._rotated,
            stuck_slot=rejoined.slot + 1 if rejoined is not None and rejoined.stuck else None,
            back=self._away is not None,
            replaced=replacement(view) is not None,
            withdrawn=tuple(
                _name(each.identity)
                for each in view.ledger.away
                if each.signature_key in view.context.withdrawn
            ),
        )


def _name(identity: bytes) -> str:
    return Identity.decode(identity).name
