"""Commits that put a newcomer in the place of an absent member (SNUG-7, 12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from snugroom.crypto.agreed.commit_view import CommitView, ProposalView
from snugroom.crypto.agreed.room_state import Mode
from tests.policy.commits import (
    ADA,
    BO,
    CEM,
    DANA,
    MEMBERS,
    NOBODY,
    OPEN,
    POLICY,
    REVOKED,
    TICKET,
    USED_OPEN,
    USED_SINGLE,
    add,
    commit,
    farewell,
    gce,
    leaf,
    psk,
    remove,
)

#: Another leaf of Cem's, who came by an invite for one person.
AGAIN = leaf("Cem again", "Cem")


def replaced(
    removal: ProposalView,
    *more: ProposalView,
    by: int = ADA,
    who: Any = AGAIN,
    invite: int = USED_SINGLE,
    absent: bool = True,
    ticket: bytes | None = None,
    **view: Any,
) -> CommitView:
    """A commit that removes a member for absence, and adds a newcomer."""
    added = replace(add("Cem again", by, who=AGAIN), added=who, ticket=ticket)
    context = {"invites": (invite,), "absent": absent}
    return commit(by, removal, psk(by), added, *more, context=context, **view)


def valid_replacements() -> Iterator[tuple[str, CommitView]]:
    yield "a replacement by the absent member's own invite", replaced(remove(CEM))
    yield "a replacement by another invite", replaced(remove(CEM), invite=OPEN)
    bo = leaf("Bo again", "bo.")
    yield "a replacement under a name that looks alike", replaced(remove(BO), who=bo, invite=USED_OPEN)


def wrong_replacements() -> Iterator[tuple[str, CommitView]]:
    """Those that break SNUG-7."""
    yield "a replacement by who is no host", replaced(remove(CEM, BO), by=BO)
    yield "a replacement while locked", replaced(remove(CEM), policy=replace(POLICY, mode=Mode.LOCKED))
    yield "a replacement of two", replaced(remove(CEM), remove(DANA))
    yield "a replacement, and one more", replaced(remove(CEM), add("Finn"))
    context = {"invites": (OPEN,), "absent": True}
    yield (
        "a replacement by two, without PSK",
        commit(ADA, remove(CEM), add(), add(who=AGAIN), context=context),
    )
    yield (
        "a replacement of two, without PSK",
        commit(ADA, remove(CEM), remove(BO), add(who=AGAIN), context=context),
    )
    yield "a replacement and a policy", replaced(remove(CEM), gce())
    yield "a replacement of who leaves", replaced(farewell(CEM))
    yield "a replacement of nobody", replaced(remove(NOBODY))
    yield "a replacement of no leaf", replaced(replace(remove(CEM), removed=None))
    yield "a replacement by nobody", replaced(remove(CEM), who=None)
    yield "a replacement with a ticket", replaced(remove(CEM), ticket=TICKET.encode())
    yield "a replacement of a member with another name", replaced(remove(BO))
    unread = leaf(CEM, identity=b"")
    yield "a replacement of an unreadable name", replaced(remove(CEM), members=MEMBERS | {CEM: unread})
    hosts = tuple(sorted(MEMBERS[m].signature_key for m in (ADA, CEM)))
    yield "a replacement of a host", replaced(remove(CEM), policy=replace(POLICY, hosts=hosts))


def snug_12_replacements() -> Iterator[tuple[str, CommitView]]:
    bo = leaf("Bo again", "Bo")
    yield "a replacement by somebody else's single one", replaced(remove(BO), who=bo)
    yield "a replacement by a revoked one", replaced(remove(CEM), invite=REVOKED)
    yield "an eviction, and its single one again", replaced(remove(CEM), absent=False)
