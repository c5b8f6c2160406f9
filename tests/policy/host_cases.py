"""Cases of hosts' returns (SNUG-9) and of the hosts' keys (SNUG-13), for `cases`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from snugroom.crypto.agreed.commit_view import CommitView, ProposalView
from snugroom.crypto.agreed.room_state import HostReturn, Policy
from snugroom.crypto.kdf import SigningKey
from tests.policy.commits import (
    ADA,
    AGAIN,
    BO,
    DANA,
    HOST_KEY,
    LEDGER,
    NOBODY,
    POLICY,
    RETURN_KEY,
    SLOT,
    TICKET,
    add,
    commit,
    farewell,
    gce,
    h,
    psk,
    rejoin,
    remove,
    returning,
)


def rotation(*, of: Policy = POLICY, **changes: Any) -> ProposalView:
    """All keys of the hosts change at once."""
    keys = {"return_public": h("new returns"), "room_admin_public": h("new admin")}
    later = {"later_keys": (*of.later_keys, h("new"))}
    return gce(of=of, **(keys | later | changes))


def new_keys() -> Iterator[tuple[str, CommitView]]:
    """Valid changes of the keys."""
    yield "policy: new keys", commit(ADA, rotation())
    yield "policy: new keys, and fewer hosts", commit(ADA, rotation(hosts=()))
    full = replace(POLICY, later_keys=tuple(h("later", n) for n in range(15)))
    yield (
        "policy: new keys, the sixteenth",
        commit(ADA, rotation(of=full, later_keys=(*full.later_keys[1:], h("new"))), policy=full),
    )


def other_keys() -> Iterator[tuple[str, CommitView]]:
    """Changes of the keys that leave one to somebody who lost the others, or end earlier links."""
    yield "a new return key alone", commit(ADA, gce(return_public=h("new")))
    yield "a new room admin key alone", commit(ADA, gce(room_admin_public=h("new")))
    yield "a new link key alone", commit(ADA, gce(later_keys=(*POLICY.later_keys, h("new"))))
    yield "new keys, and the same return key", commit(ADA, rotation(return_public=RETURN_KEY.public))
    yield "new keys, the old two exchanged", commit(ADA, rotation(return_public=POLICY.room_admin_public))
    yield "new keys, and the same room admin key", commit(ADA, rotation(room_admin_public=h("room admin")))
    yield "new keys, and no link key", commit(ADA, rotation(later_keys=POLICY.later_keys))
    yield "new keys, and two link keys", commit(ADA, rotation(later_keys=(*POLICY.later_keys, h(1), h(2))))
    yield "new keys, and another order", commit(ADA, rotation(later_keys=(h("new"), *POLICY.later_keys)))
    yield "new keys, and earlier links left out", commit(ADA, rotation(later_keys=(h("new"),)))


def snug_9() -> Iterator[tuple[str, CommitView]]:
    """Returns that break the rule."""
    garbage = HostReturn(SLOT - 1, h(1) * 2)
    for name, sender in (("a member's", BO), ("the host's", ADA)):
        yield name, commit(sender, context={"host_return": HostReturn(SLOT - 1, bytes(64))})
    yield "with an Add alone", commit(BO, psk(BO), add(sender=BO), context={"host_return": garbage})
    yield "with a rejoin", rejoin(context={"host_return": garbage})
    yield "signed by another", returning(key=SigningKey(h("another seed")))
    yield "signed for another KeyPackage", returning(package=h("another package"))
    yield "signed for another group", returning(group_id=h("another group")[:16])
    yield "signed seventeen slots ago", returning(at=SLOT - 17)
    yield "signed for a slot to come", returning(at=SLOT)
    yield (
        "signed before the last return",
        returning(view={"ledger": replace(LEDGER, returned=SLOT - 1)}, at=SLOT - 2),
    )
    yield "when a host has lost its powers", returning(view={"ledger": replace(LEDGER, rotation_due=True)})
    yield "while hosts commit", returning(view={"ledger": replace(LEDGER, hosted=SLOT - 16)})
    yield "signed by the key of cards", returning(key=HOST_KEY)
    yield "in place of no leaf of a host", returning(removed=None, hosts=(AGAIN, POLICY.hosts[0]))
    yield "in place of another than a host", returning(removed=BO, name="Bo")
    # its four proposals, and what else could stand in their places
    gone, link, added, changed = returning().proposals

    def instead(*proposals: ProposalView) -> CommitView:
        return replace(returning(), proposals=proposals)

    yield "in place of nobody", instead(replace(gone, removed=NOBODY), link, added, changed)
    yield "in place of no leaf", instead(replace(gone, removed=None), link, added, changed)
    yield "in place of a leaf that says its farewell", instead(farewell(ADA), link, added, changed)
    yield "in place of two leaves", instead(gone, remove(BO, DANA), link, added, changed)
    yield "with two Removes and no PSK", instead(gone, remove(BO, DANA), added, changed)
    yield "with two PSKs and no Remove", instead(link, psk(DANA), added, changed)
    yield "with a ticket", instead(gone, link, replace(added, ticket=TICKET.encode()), changed)
    yield "with two Adds", instead(gone, link, added, add("Eve", DANA), changed)
    yield "with two Adds and no PSK", instead(gone, added, add("Eve", DANA), changed)
    yield "with two PSKs", instead(gone, link, psk(DANA), added, changed)
    yield "that adds nobody", instead(gone, link, psk(DANA), changed)
    yield "that changes no policy", instead(gone, link, psk(DANA), added)
    yield "that changes the policy twice", instead(gone, changed, added, changed)
    yield "of no leaf", instead(gone, link, replace(added, added=None), changed)
    yield "under another name", returning(name="Eve")
    yield (
        "that makes somebody else a host too",
        returning(hosts=(AGAIN, h("signature", BO))),
    )
    yield (
        "that leaves the old key a host",
        returning(hosts=(AGAIN, h("signature", ADA))),
    )
    yield "that makes nobody a host", returning(hosts=())
    yield "that changes the title too", returning(title="Daily")
