"""Commits that add several members."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from snugroom.crypto.agreed.commit_view import CommitView
from snugroom.crypto.agreed.ledger import LEDGER_KEYS_MAX
from snugroom.crypto.agreed.policy import ADDS_MAX
from tests.policy.commits import (
    ADA,
    BO,
    CEM,
    OPEN,
    REVOKED,
    SINGLE,
    TICKET,
    USED_OPEN,
    USED_SINGLE,
    add,
    back,
    batch,
    commit,
    crowd,
    full_ledger,
    gce,
    h,
    leaf,
    psk,
    remove,
)


def valid_batches() -> Iterator[tuple[str, CommitView]]:
    """Several Adds in one commit."""
    yield "add two", batch("Eve", "Finn")
    yield "add two, each by a single invite", batch("Eve", "Finn", invites=(SINGLE, SINGLE + 1))
    yield "add two, by all kinds of invites", batch("Eve", "Finn", invites=(SINGLE, USED_OPEN))
    yield "add as many as a commit may", batch(*_newcomers(ADDS_MAX))
    yield "add two, the last places", batch("Eve", "Finn", members=crowd(998))
    yield (
        "add two, the last keys of the ledger",
        batch("Eve", "Finn", ledger=full_ledger(LEDGER_KEYS_MAX - 2)),
    )
    yield (
        "remove one and add two, one of the removed one's name",
        commit(
            ADA,
            remove(BO),
            psk(),
            add("Eve", who=leaf("Bo again", "Bo")),
            add("Finn"),
            context={"invites": (OPEN, OPEN)},
        ),
    )
    yield (
        "policy and two",
        commit(ADA, gce(title="They come"), psk(), add(), add("Finn"), context={"invites": (OPEN, SINGLE)}),
    )
    yield "two with tickets and no Remove are ordinary ones", batch(add(ticket=TICKET.encode()), "Finn")


def _newcomers(count: int) -> list[str]:
    return [f"Guest {n}" for n in range(count)]


def snug_10_batches() -> Iterator[tuple[str, CommitView]]:
    """Batches with a wrong number of PSKs or of Adds."""
    two = (add("Eve"), add("Finn"))
    invites = {"invites": (OPEN, OPEN)}
    yield "two and no PSK", commit(ADA, *two, context=invites)
    yield "two, each with a PSK", commit(ADA, psk(), two[0], psk(), two[1], context=invites)
    yield "two with another PSK", commit(ADA, psk(psk_id=b"snug 1 lint"), *two, context=invites)
    yield "one more than a commit may add", batch(*_newcomers(ADDS_MAX + 1))


def snug_11_batches() -> Iterator[tuple[str, CommitView]]:
    """Added members whom one commit adds, compared with each other."""
    yield "one key twice", batch("Eve", add(who=replace(leaf("Eve", "Finn"), encryption_key=h("other"))))
    yield "one key at both ends of a batch", batch(*_newcomers(9), add(who=leaf("Guest 0", "Finn")))
    yield "two, the second with a key of who was here", batch("Eve", add(who=leaf("gone", "Finn")))
    yield "two of one name", batch("Eve", add(who=leaf("another", "Eve")))
    yield "two names, one in capitals", batch("Eve", "EVE")
    yield "two names, alike as written", batch("Bill", "BiIl")
    yield "two names, one with a Cyrillic letter", batch("Eve", "\u0415ve")
    yield "two names that look alike, at both ends of a batch", batch("Eve", *_newcomers(9), "E v e")
    yield "two, the second with a member's name", batch("Eve", "B0")
    yield "two, the first with a member's name", batch("Bo", "Eve")
    yield "two, the second with a name that is not allowed", batch("Eve", "Finn ")
    yield "two, the second without a leaf", batch("Eve", add(added=None))
    yield (
        "two of the removed one's name",
        commit(
            ADA,
            remove(BO),
            psk(),
            *(add(who=leaf(f"Bo {n}", "Bo")) for n in range(2)),
            context={"invites": (OPEN, OPEN)},
        ),
    )
    yield (
        "a rejoin beside somebody new",
        commit(ADA, remove(CEM), psk(), back(CEM, ADA), add(), context={"invites": (OPEN, OPEN)}),
    )


def snug_12_batches() -> Iterator[tuple[str, CommitView]]:
    """Batches with invites that do not admit all of the added members."""
    yield "two, and an invite for one", batch("Eve", "Finn", invites=(OPEN,))
    yield "two, and no invite", batch("Eve", "Finn", invites=())
    yield "two, and three invites", batch("Eve", "Finn", invites=(OPEN, OPEN, OPEN))
    yield "two, by one single invite", batch("Eve", "Finn", invites=(SINGLE, SINGLE))
    yield (
        "a single invite at both ends of a batch",
        batch("Eve", "Finn", "Gil", invites=(SINGLE, OPEN, SINGLE)),
    )
    yield "two, the second by a revoked one", batch("Eve", "Finn", invites=(OPEN, REVOKED))
    yield "two, the second by a single one that is used", batch("Eve", "Finn", invites=(OPEN, USED_SINGLE))
