"""SNUG-8: a member comes back by a ticket, in place of its leaf or after a removal for absence.

Also the replacement of an absent member (SNUG-7, 12). docs/reference/protocol.md, sections 5 and 6. `policy`
lists the rules; `policy.snug_7` calls this one.
"""

from __future__ import annotations

from snugroom.crypto.agreed import room_state
from snugroom.crypto.agreed.commit_view import CommitView, LeafView
from snugroom.crypto.agreed.ledger import REJOIN_SLOTS, REJOINS_MAX
from snugroom.crypto.agreed.names import look_alike
from snugroom.crypto.errors import MalformedError, SnugError, ValidationError
from snugroom.crypto.kdf import verify


def snug_8(v: CommitView) -> None:
    """A rejoin: exactly {Remove(i), Add, PSK}, same key and credential, a fresh ticket of this group.

    The leaf's current rejoin key must have signed the ticket. After a rejoin, the member's other tickets are
    signed with the new leaf's key too, and count until that leaf has made a commit: before that, the member
    may not know that it is in again.

    Only the member that commits the ticket compares the ticket's chain: members that joined later do not know
    it, and the verdict must not depend on it. A member that is stuck on another member's commit has no rejoin
    limit: otherwise three bad commits would exclude it. A ticket names the leaf that may commit it: otherwise
    any member could use it up and withhold the Welcome.

    After a removal for absence there is no leaf to remove: the ledger's entry has the key that must have
    signed. The entry ends with its use, so the ticket may be old if its leaf has another rejoin key than the
    entry. Otherwise it may be one that let the member in before the ledger forgot its nonce.
    """
    away, (add, *_) = v.away_member, v.of("add")
    if len(v.of("psk")) != 1 or len(v.proposals) != (3 if away is None else 2):
        raise ValidationError("SNUG-8", "a rejoin is one Add, one PSK, and one Remove if there is a leaf")
    added, raw, old = add.added, add.ticket, away or _replaced(v)
    if added is None or raw is None or old is None:
        raise ValidationError("SNUG-8", "a rejoin replaces a member's leaf, and carries a ticket")
    if added.signature_key != old.signature_key or added.identity != old.identity:
        raise ValidationError("SNUG-8", "who rejoins has another key or name than the leaf had")
    if isinstance(old, LeafView) and added.encryption_key == old.encryption_key:
        raise ValidationError("SNUG-8", "who rejoins brings no fresh key")
    try:
        ticket = room_state.RejoinTicket.decode(raw)
    except MalformedError as error:
        raise ValidationError("SNUG-8", str(error)) from None
    if ticket.group_id != v.group_id:
        raise ValidationError("SNUG-8", "the ticket is of another group")
    if not v.by_host if ticket.by == room_state.ANY_HOST else ticket.by != v.sender:
        raise ValidationError("SNUG-8", "the ticket is for somebody else to commit")
    renewed = away is not None and added.rejoin_key != away.rejoin_key
    if ticket.slot >= v.slot or (v.slot - 1 - ticket.slot >= REJOIN_SLOTS and not renewed):
        raise ValidationError("SNUG-8", f"the ticket is of slot {ticket.slot}, too far from {v.slot}")
    recent = [r for r in v.ledger.rejoins if v.slot - r.slot < REJOIN_SLOTS]
    if any(r.nonce == ticket.nonce for r in recent):
        raise ValidationError("SNUG-8", "the ticket has been used")
    if not ticket_is_signed(ticket, old.rejoin_key, added, add.init_key):
        raise ValidationError("SNUG-8", "the ticket is not signed with the leaf's current rejoin key")
    if ticket.stuck and ticket.slot + 1 < v.slot:
        return  # another member's commit caused this, and could cause it repeatedly
    if sum(r.signature_key == old.signature_key and not r.stuck for r in recent) >= REJOINS_MAX:
        raise ValidationError("SNUG-8", f"more than {REJOINS_MAX} rejoins in {REJOIN_SLOTS} slots")


def _replaced(v: CommitView) -> LeafView | None:
    """Return the leaf that the commit's only Remove removes, if the Remove is by value."""
    (remove,) = v.of("remove")
    return None if remove.removed is None or remove.by_reference else v.members.get(remove.removed)


def ticket_is_signed(
    ticket: room_state.RejoinTicket, rejoin_key: bytes, new: LeafView, init_key: bytes
) -> bool:
    """Return whether `rejoin_key` (public) has signed a ticket for the leaf `new` and its init key."""
    keys = (init_key, new.encryption_key, new.rejoin_key)
    if any(len(key) != room_state.REJOIN_KEY_SIZE for key in keys):
        return False  # nobody signs for a leaf without keys
    message = ticket.message(*keys)
    return any(_is_signed(rejoin_key, message, signature) for signature in ticket.signatures)


def _is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        verify(public, message, signature)
    except SnugError:
        return False
    return True


def replacement(v: CommitView) -> int | None:
    """Return the leaf of an absent member that the commit replaces by a newcomer with its name, else None.

    The commit does nothing else. The names look alike, and the leaf is no host's: a host comes back by the
    return key (SNUG-9). Whether the newcomer is the same person is the committing host's judgement.
    """
    adds, removes = v.of("add"), v.of("remove")
    if not v.context.absent or len(adds) != 1 or len(removes) != 1 or len(v.proposals) != 3:
        return None
    (add,), (remove,) = adds, removes
    old = v.members.get(-1 if remove.removed is None else remove.removed)
    if old is None or remove.by_reference or old.signature_key in v.policy.hosts:
        return None
    if add.added is None or add.ticket is not None or not _same_name(old, add.added):
        return None
    return remove.removed


def _same_name(old: LeafView, new: LeafView) -> bool:
    try:
        names = [room_state.Identity.decode(leaf.identity).name for leaf in (old, new)]
    except MalformedError:
        return False
    return look_alike(*names)
