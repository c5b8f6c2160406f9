"""Commits that let a member rejoin in place of its old leaf: valid ones, and those that break SNUG-8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from snugroom.crypto.agreed.commit_view import CommitView
from snugroom.crypto.agreed.ledger import LEDGER_KEYS_MAX, REJOINS_MAX
from snugroom.crypto.agreed.room_state import ANY_HOST, Identity, Mode
from snugroom.crypto.kdf import SigningKey
from tests.policy.commits import (
    ADA,
    BO,
    CEM,
    DANA,
    LEDGER,
    MEMBERS,
    NOBODY,
    POLICY,
    SLOT,
    TICKET,
    back,
    commit,
    crowd,
    farewell,
    full_ledger,
    gce,
    h,
    psk,
    rejoin,
    rejoin_key,
    rejoins,
    remove,
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


def snug_8() -> Iterator[tuple[str, CommitView]]:
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
