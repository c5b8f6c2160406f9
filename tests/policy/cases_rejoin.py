"""Commits that let a member rejoin in place of its old leaf: valid ones, and those that break SNUG-8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from snugroom.crypto.agreed.commit_view import CommitView, ProposalView
from snugroom.crypto.agreed.ledger import LEDGER_KEYS_MAX, REJOINS_MAX, Ledger
from snugroom.crypto.agreed.room_state import ANY_HOST, Identity, Mode
from snugroom.crypto.kdf import SigningKey
from tests.policy.commits import (
    ADA,
    BO,
    CEM,
    DANA,
    FAY,
    GIL,
    GONE,
    LEDGER,
    MEMBERS,
    NOBODY,
    OPEN,
    POLICY,
    REVOKED,
    SLOT,
    TICKET,
    away,
    back,
    comeback,
    commit,
    crowd,
    farewell,
    full_ledger,
    gce,
    h,
    leaf,
    psk,
    rejoin,
    rejoin_key,
    rejoins,
    remove,
    withdrawal,
)


def valid_rejoins() -> Iterator[tuple[str, CommitView]]:
    yield "rejoin", rejoin()
    yield "rejoin, by the host", rejoin(ADA, at=replace(TICKET, by=ANY_HOST))
    yield "rejoin, by the host, who was asked for", rejoin(ADA, at=replace(TICKET, by=ADA))
    yield "rejoin of the host", rejoin(BO, ADA)
    yield "rejoin, while the room is locked", rejoin(view={"policy": replace(POLICY, mode=Mode.LOCKED)})
    yield "rejoin, stuck", rejoin(at=replace(TICKET, stuck=True))
    yield "rejoin, newest ticket", rejoin(at=replace(TICKET, slot=SLOT - 1))
    yield "rejoin, oldest ticket", rejoin(at=replace(TICKET, slot=SLOT - 64))
    yield "rejoin, other capabilities", rejoin(capabilities=b"\x02\x01", extensions=b"more")
    most = REJOINS_MAX
    yield "rejoin, the last for a while", rejoin(view={"ledger": rejoins(most - 1)})
    yield (
        "rejoin, stuck, one more",
        rejoin(at=replace(TICKET, slot=SLOT - 2, stuck=True), view={"ledger": rejoins(most)}),
    )
    yield "rejoin, many before, stuck on others' commits", rejoin(view={"ledger": rejoins(most, stuck=True)})
    yield (
        "rejoin, many before, the first of them long ago",
        rejoin(view={"ledger": rejoins(most, slot=SLOT - 65 + most)}),
    )
    yield "rejoin, many of somebody else", rejoin(view={"ledger": rejoins(most, who=DANA)})
    yield "rejoin, ledger full", rejoin(view={"ledger": full_ledger(LEDGER_KEYS_MAX)})
    yield "rejoin, room full", rejoin(view={"members": crowd(1000)})
    yield "rejoin, a ticket whose chain few can know", rejoin(at=replace(TICKET, chain=bytes(32)))
    others = (rejoin_key(DANA), rejoin_key(ADA))
    yield "rejoin, the last of three signatures", rejoin(signers=(*others, rejoin_key(CEM)))
    yield "rejoin, once more, before its own commit", rejoin(rejoin_key=MEMBERS[CEM].rejoin_key)


def valid_comebacks() -> Iterator[tuple[str, CommitView]]:
    """After a removal for absence."""
    yield "comeback", comeback()
    yield "comeback, by the host", comeback(ADA, at=replace(TICKET, by=ANY_HOST))
    yield "comeback, while the room is locked", comeback(view={"policy": replace(POLICY, mode=Mode.LOCKED)})
    yield "comeback, newest ticket", comeback(at=replace(TICKET, slot=SLOT - 1))
    yield "comeback, a ticket of long ago", comeback(at=replace(TICKET, slot=1))
    yield (
        "comeback, the oldest ticket without another rejoin key",
        comeback(at=replace(TICKET, slot=SLOT - 64), rejoin_key=GONE[FAY].rejoin_key),
    )
    yield "comeback, the last for a while", comeback(view={"ledger": rejoins(REJOINS_MAX - 1, who=FAY)})
    yield (
        "comeback, stuck, one more",
        comeback(
            at=replace(TICKET, slot=SLOT - 2, stuck=True), view={"ledger": rejoins(REJOINS_MAX, who=FAY)}
        ),
    )
    yield "comeback, beside a name that is like that of another who is away", comeback(who=GIL)
    yield "comeback, the last place", comeback(view={"members": crowd(999)})
    yield "comeback, ledger full", comeback(view={"ledger": full_ledger(LEDGER_KEYS_MAX)})
    yield "comeback, of whom a revoked invite has admitted", comeback(view={"ledger": _away(invite=REVOKED)})


def _away(**other: Any) -> Ledger:
    """The ledger in which Fay's way back differs from that of the other cases."""
    return replace(LEDGER, away=(away(FAY, **other),))


def valid_withdrawals() -> Iterator[tuple[str, CommitView]]:
    yield "withdrawal", withdrawal(GONE[FAY].signature_key)
    yield "withdrawal of two", withdrawal(*(each.signature_key for each in LEDGER.away))


def withdrawals() -> Iterator[tuple[str, CommitView]]:
    """Those that break SNUG-7."""
    key = GONE[FAY].signature_key
    yield "withdrawal by a member", withdrawal(key, sender=BO)
    yield "withdrawal of a member's", withdrawal(MEMBERS[BO].signature_key)
    yield "withdrawal of nobody's, beside a right one", withdrawal(*sorted((key, h("nobody"))))
    yield "withdrawal beside a removal", withdrawal(key, proposals=[remove(BO)])
    yield "withdrawal beside a removal for absence", _beside(key, remove(BO), {"absent": True})
    yield "withdrawal beside a farewell", withdrawal(key, proposals=[farewell(CEM)])
    yield (
        "withdrawal beside its owner's comeback",
        comeback(ADA, at=replace(TICKET, by=ADA), context={"withdrawn": (key,)}),
    )


def _beside(key: bytes, proposal: ProposalView, context: dict[str, Any]) -> CommitView:
    return commit(ADA, proposal, context={"withdrawn": (key,), **context})


def _comebacks() -> Iterator[tuple[str, CommitView]]:
    yield "comeback without PSK", commit(BO, back(FAY))
    yield "comeback with two PSKs", commit(BO, psk(BO), psk(BO), back(FAY))
    yield "comeback beside a policy", commit(BO, gce(BO), back(FAY))
    yield (
        "comeback beside a policy, by the host",
        commit(ADA, psk(), back(FAY, ADA, at=replace(TICKET, by=ANY_HOST)), gce()),
    )
    yield "comeback in a member's place", commit(BO, remove(CEM, BO), psk(BO), back(FAY))
    yield "comeback under another name", comeback(identity=Identity("Fai").encode())
    yield "comeback, a ticket that is none", comeback(ticket=b"")
    yield "comeback, a ticket for a host", comeback(at=replace(TICKET, by=ANY_HOST))
    yield "comeback, a ticket for another member", comeback(at=replace(TICKET, by=DANA))
    yield "comeback, a ticket of another group", comeback(at=replace(TICKET, group_id=h("other group")[:16]))
    yield "comeback, a ticket of this slot", comeback(at=replace(TICKET, slot=SLOT))
    yield (
        "comeback, a ticket too old without another rejoin key",
        comeback(at=replace(TICKET, slot=SLOT - 65), rejoin_key=GONE[FAY].rejoin_key),
    )
    yield "comeback, a ticket twice", comeback(at=replace(TICKET, nonce=LEDGER.rejoins[0].nonce))
    yield "comeback, a ticket without a signature", comeback(signers=())
    yield "comeback, a ticket signed with an earlier rejoin key", comeback(signers=(rejoin_key("before"),))
    yield "comeback, a ticket signed with another's rejoin key", comeback(signers=(rejoin_key(GIL),))
    yield "comeback, after another absence", comeback(view={"ledger": _away(rejoin_key=h("later"))})
    yield "comeback, a ticket signed for another rejoin key", comeback(signed={"rejoin_key": h("another")})
    yield "comeback, once too often", comeback(view={"ledger": rejoins(REJOINS_MAX, who=FAY)})


def comebacks_of_strangers() -> Iterator[tuple[str, CommitView]]:
    """Of those who have no way back, or whose name is taken: they break SNUG-11."""
    at = replace(TICKET, by=ANY_HOST)
    both = (back(FAY, ADA, at=at), back(GIL, ADA, at=at))
    yield "comeback of two at once, by the host", commit(ADA, psk(), *both, context={"invites": (OPEN, OPEN)})
    bare = replace(back(FAY, ADA), ticket=None)
    yield "comeback without a ticket, by the host", commit(ADA, psk(), bare, context={"invites": (OPEN,)})
    yield (
        "comeback of who was evicted",
        commit(ADA, psk(), back(FAY, ADA, at=at), ledger=replace(LEDGER, away=())),
    )
    taken = MEMBERS | {CEM: leaf(CEM, "Fay")}
    yield "comeback, while somebody has the name", comeback(view={"members": taken})
    taken = MEMBERS | {CEM: leaf(CEM, "F\u0430y")}
    yield "comeback, while somebody's name looks alike", comeback(view={"members": taken})


def snug_8() -> Iterator[tuple[str, CommitView]]:
    yield from _comebacks()
    yield "no PSK", commit(BO, remove(CEM, BO), back(CEM))
    yield "two PSKs", commit(BO, remove(CEM, BO), psk(BO), psk(BO), back(CEM))
    yield "a policy instead of the PSK", commit(BO, remove(CEM, BO), gce(BO), back(CEM))
    yield (
        "a policy beside",
        commit(ADA, remove(CEM), psk(), back(CEM, ADA, at=replace(TICKET, by=ANY_HOST)), gce()),
    )
    yield "the Remove by reference", commit(BO, farewell(CEM), psk(BO), back(CEM))
    yield "of an empty leaf", commit(BO, remove(NOBODY, BO), psk(BO), back(CEM))
    yield "an Add without a leaf", commit(BO, remove(CEM, BO), psk(BO), replace(back(CEM), added=None))
    yield "another key", rejoin(signature_key=h("another"))
    yield "another name", rejoin(identity=Identity("Ada").encode())
    yield "in another's place", commit(BO, remove(DANA, BO), psk(BO), back(CEM))
    yield "the old encryption key", rejoin(encryption_key=MEMBERS[CEM].encryption_key)
    yield "a ticket that is none", rejoin(ticket=b"")
    yield "a ticket with something behind", rejoin(ticket=TICKET.encode() + b"\0")
    yield "a ticket with a flag of 2", rejoin(ticket=TICKET.encode()[:-2] + b"\x02\0")
    yield "a ticket with a signature too many", rejoin(signers=(rejoin_key(CEM),) * 9)
    yield "a ticket that lacks its signature", rejoin(ticket=TICKET.encode()[:-1] + b"\x01")
    yield from _unsigned_tickets()
    yield "for a host", rejoin(at=replace(TICKET, by=ANY_HOST))
    yield "for another member", rejoin(at=replace(TICKET, by=DANA))
    yield "for a member, by the host", rejoin(ADA)
    yield "another group", rejoin(at=replace(TICKET, group_id=h("other group")[:16]))
    yield "a ticket of this slot", rejoin(at=replace(TICKET, slot=SLOT))
    yield "a ticket too old", rejoin(at=replace(TICKET, slot=SLOT - 65))
    yield "a ticket twice", rejoin(at=replace(TICKET, nonce=LEDGER.rejoins[0].nonce))
    yield (
        "a ticket twice, at the end of its time",
        rejoin(at=replace(TICKET, nonce=h("nonce", 0)[:16]), view={"ledger": rejoins(1, slot=SLOT - 63)}),
    )
    yield "once too often", rejoin(view={"ledger": rejoins(REJOINS_MAX)})
    yield (
        "once too often, stuck, and nothing has come since the slot that it knows",
        rejoin(at=replace(TICKET, slot=SLOT - 1, stuck=True), view={"ledger": rejoins(REJOINS_MAX)}),
    )


def _unsigned_tickets() -> Iterator[tuple[str, CommitView]]:
    """Tickets that the leaf's current rejoin key has not signed, or not as they are."""
    yield "a ticket without a signature", rejoin(signers=())
    yield "a ticket signed with another's rejoin key", rejoin(signers=(rejoin_key(DANA),))
    yield (
        "a ticket signed with an earlier rejoin key",
        rejoin(signers=(SigningKey(h("rejoin", "before")),) * 3),
    )
    yield (
        "a ticket signed with its new rejoin key alone",
        rejoin(rejoin_key=SigningKey(h("thief")).public, signers=(SigningKey(h("thief")),)),
    )
    yield (
        "a ticket for a leaf whose rejoin key is no key",
        rejoin(view={"members": MEMBERS | {CEM: replace(MEMBERS[CEM], rejoin_key=bytes(32))}}),
    )
    for name, changes in (
        ("group", {"group_id": h("other group")[:16]}),
        ("slot", {"slot": TICKET.slot + 1}),
        ("chain", {"chain": h("another")}),
        ("nonce", {"nonce": h("another")[:16]}),
        ("committer", {"by": ANY_HOST}),
        ("flag", {"stuck": True}),
        ("init key", {"init_key": h("another")}),
        ("encryption key", {"encryption_key": h("another")}),
        ("rejoin key", {"rejoin_key": h("another")}),
    ):
        yield f"a ticket signed for another {name}", rejoin(signed=changes)
