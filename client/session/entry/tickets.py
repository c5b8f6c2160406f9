"""Tickets of members that ask to be let in again."""

from __future__ import annotations

from typing import NamedTuple

from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.views import leaf_view, ticket_of
from snugroom.crypto import mls
from snugroom.crypto.agreed.names import look_alike
from snugroom.crypto.agreed.rejoins import ticket_is_signed
from snugroom.crypto.agreed.room_state import Identity, RejoinTicket
from snugroom.crypto.errors import MalformedError, ValidationError


class Known(NamedTuple):
    """A member that a ticket lets in again: in place of its leaf, or after a removal for absence."""

    name: str
    rejoin_key: bytes
    name_taken: bool  # a present member has the absent one's name, or one that looks like it (SNUG-11)


def ticket_from(m: Membership, package: mls.KeyPackage) -> RejoinTicket | None:
    """Return the ticket in a member's KeyPackage; None if it is not for this group and history.

    None too for a ticket of a slot that we have not reached. ValidationError("SNUG-8") if the rejoin key of
    the member's leaf, or of the ledger's entry for an absent member, has not signed it.
    """
    leaf = leaf_view(package.leaf_node)
    old = known_member(m, leaf.signature_key)
    try:
        ticket = RejoinTicket.decode(ticket_of(package) or b"")
    except MalformedError:
        return None
    if old is None or ticket.group_id != m.group.group_id or ticket.slot > m.journal.slot:
        return None
    if not ticket_is_signed(ticket, old.rejoin_key, leaf, package.init_key):
        raise ValidationError("SNUG-8", "the ticket is not signed with the leaf's current rejoin key")
    return ticket


def known_member(m: Membership, signature_key: bytes) -> Known | None:
    """Return the member with that signature key, present or absent; None if a ticket lets nobody in by it."""
    for leaf in m.leaves():
        if leaf.signature_key == signature_key:
            name = Identity.decode(leaf.credential.identity).name
            return Known(name, leaf_view(leaf).rejoin_key, name_taken=False)
    away = m.ledger.away_member(signature_key)
    if away is None:
        return None
    name = Identity.decode(away.identity).name
    taken = any(look_alike(name, other) for _, other, _ in m.members())
    return Known(name, away.rejoin_key, taken)
