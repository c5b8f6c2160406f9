"""The room of the cases, and commits in it that are valid or wrong in one place.

In this room Ada (leaf 0) is the host; Bo, Cem and Dana are not; slot 100 is about to be taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from snugroom.crypto.agreed.commit_view import CommitView, LeafView, ProposalView
from snugroom.crypto.agreed.ledger import Away, Ledger, Rejoined
from snugroom.crypto.agreed.policy import LINK_PSK_ID
from snugroom.crypto.agreed.room_state import (
    POLICY_EXTENSION,
    SINGLE_USE,
    CommitContext,
    HostReturn,
    Identity,
    Mode,
    Policy,
    PolicyServer,
    RejoinTicket,
    host_return_message,
)
from snugroom.crypto.kdf import SigningKey
from tests.loose import loosely

ADA, BO, CEM, DANA, NOBODY = 0, 1, 2, 3, 9
SLOT = 100
#: Invites: an open one, one of a single use, and both again as they stand in the ledger.
OPEN, SINGLE, USED_OPEN, USED_SINGLE, REVOKED = 7, SINGLE_USE | 7, 0, SINGLE_USE | 1, 5


def h(*parts: object) -> bytes:
    """32 bytes that differ from all others."""
    return hashlib.sha256(ascii(parts).encode()).digest()


def rejoin_key(who: int | str) -> SigningKey:
    return SigningKey(h("rejoin", who))


def leaf(who: int | str, name: str = "", **other: Any) -> LeafView:
    facts: dict[str, Any] = {
        "signature_key": h("signature", who),
        "identity": Identity(name).encode(),
        "encryption_key": h("encryption", who),
        "capabilities": b"\x01\x02capabilities",
        "extensions": b"",
        "rejoin_key": rejoin_key(who).public,
    }
    return LeafView(**(facts | other))


#: The signature key of a host who comes back.
AGAIN = h("signature", "ada again")
HOST_KEY = SigningKey(h("host seed"))
RETURN_KEY = SigningKey(h("returns"))
MEMBERS = {ADA: leaf(ADA, "Ada"), BO: leaf(BO, "Bo"), CEM: leaf(CEM, "Cem"), DANA: leaf(DANA, "Dana")}
POLICY = Policy(
    4,
    (MEMBERS[ADA].signature_key,),
    HOST_KEY.public,
    mode=Mode.ASK,
    title="Weekly",
    servers=(PolicyServer("https://two.example", h("admin")),),
    return_public=RETURN_KEY.public,
    room_admin_public=h("room admin"),
    later_keys=(h("later key"),),
)
REQUIRED = (0x0003, bytes.fromhex("02f0010000"))
ROOM, CHAIN, GROUP_ID = h("room")[:16], h("chain"), h("group")[:16]
#: Fay and Gil were removed for absence; nobody has taken their names.
FAY, GIL = 7, 8
GONE = {FAY: leaf(FAY, "Fay"), GIL: leaf(GIL, "Gil")}


def away(who: int, **other: Any) -> Away:
    """The way back of Fay or Gil."""
    old = GONE[who]
    return replace(Away(old.signature_key, old.rejoin_key, old.identity, USED_OPEN, 50), **other)


LEDGER = Ledger(
    used=frozenset({USED_OPEN, USED_SINGLE}),
    revoked=frozenset({REVOKED}),
    keys=frozenset({m.signature_key for m in (MEMBERS | GONE).values()} | {h("signature", "gone")}),
    invites=((BO, USED_OPEN), (CEM, USED_SINGLE), (DANA, USED_OPEN)),
    rejoins=(Rejoined(90, h("signature", CEM), h("nonce", 90)[:16]),),
    hosted=SLOT - 17,
    away=tuple(sorted((away(FAY), away(GIL)), key=lambda each: each.signature_key)),
)
GROUND = CommitView(
    private=True,
    sender=BO,
    proposals=(),
    path_leaf=None,
    authenticated_data=b"",
    members=MEMBERS,
    policy=POLICY,
    extensions=(REQUIRED, (POLICY_EXTENSION, POLICY.encode())),
    group_id=GROUP_ID,
    suite=0x0001,
    room=ROOM,
    slot=SLOT,
    chain=CHAIN,
    ledger=LEDGER,
)


# -- making commits --------------------------------------------------------------------------------


def commit(
    sender: int | None, *proposals: ProposalView, context: dict[str, Any] | None = None, **other: Any
) -> CommitView:
    """A commit with a fresh path; `context` changes what it says of itself, `other` what is so."""
    old = None if sender is None else MEMBERS.get(sender)
    path = (
        None if old is None else replace(old, encryption_key=h("fresh", sender), rejoin_key=h("new", sender))
    )
    view = replace(GROUND, **({"sender": sender, "proposals": proposals, "path_leaf": path} | other))
    if "authenticated_data" in other:
        return view
    said = CommitContext(view.room, view.slot, view.chain, view.ledger.digest())
    return replace(view, authenticated_data=replace(said, **(context or {})).encode())


def psk(sender: int = ADA, **other: Any) -> ProposalView:
    return replace(ProposalView("psk", sender, psk_external=True, psk_id=LINK_PSK_ID), **other)


def add(name: str = "Eve", sender: int = ADA, *, who: LeafView | None = None, **other: Any) -> ProposalView:
    return replace(ProposalView("add", sender, added=who or leaf(name, name)), **other)


def remove(removed: int, sender: int = ADA, **other: Any) -> ProposalView:
    return replace(ProposalView("remove", sender, removed=removed), **other)


def farewell(who: int) -> ProposalView:
    """A Remove that its target has proposed of itself."""
    return ProposalView("remove", who, by_reference=True, removed=who)


def gce(sender: int = ADA, *, of: Policy = POLICY, **changes: Any) -> ProposalView:
    """A policy that follows `of`."""
    return raw_gce(
        REQUIRED,
        (POLICY_EXTENSION, loosely(replace(of, **({"version": of.version + 1} | changes)))),
        sender=sender,
    )


def raw_gce(*extensions: tuple[int, bytes], sender: int = ADA) -> ProposalView:
    return ProposalView("gce", sender, extensions=extensions)


TICKET = RejoinTicket(GROUP_ID, 97, h("chain", 97), h("nonce", "new")[:16], by=BO)


def back(
    who: int,
    sender: int = BO,
    *,
    ticket: bytes | None = None,
    at: RejoinTicket = TICKET,
    signers: Sequence[SigningKey] | None = None,
    signed: dict[str, Any] | None = None,
    **leaf_other: Any,
) -> ProposalView:
    """The Add of a member whose state is lost; `signed` changes what its keys have signed."""
    changed = {"encryption_key": h("anew", who), "rejoin_key": h("rejoin anew", who)}
    new, init_key = replace((MEMBERS | GONE)[who], **(changed | leaf_other)), h("init", who)
    about: dict[str, Any] = {
        "init_key": init_key,
        "encryption_key": new.encryption_key,
        "rejoin_key": new.rejoin_key,
    }
    tickets = {key: value for key, value in (signed or {}).items() if key not in about}
    keys = {key: value for key, value in (signed or {}).items() if key in about}
    covered = {name: key if len(key) == 32 else bytes(32) for name, key in (about | keys).items()}
    made = replace(at, **tickets).signed((rejoin_key(who),) if signers is None else signers, **covered)
    whole = loosely(replace(at, signatures=made.signatures))
    return ProposalView(
        "add", sender, added=new, init_key=init_key, ticket=whole if ticket is None else ticket
    )


def rejoin(
    sender: int = BO,
    who: int = CEM,
    *,
    context: dict[str, Any] | None = None,
    view: dict[str, Any] | None = None,
    **other: Any,
) -> CommitView:
    return commit(
        sender,
        remove(who, sender),
        psk(sender),
        back(who, sender, **other),
        context=context,
        **(view or {}),
    )


def comeback(
    sender: int = BO,
    who: int = FAY,
    *,
    context: dict[str, Any] | None = None,
    view: dict[str, Any] | None = None,
    **other: Any,
) -> CommitView:
    """Fay or Gil comes back after a removal for absence."""
    return commit(sender, psk(sender), back(who, sender, **other), context=context, **(view or {}))


def withdrawal(*keys: bytes, sender: int = ADA, proposals: Sequence[ProposalView] = ()) -> CommitView:
    """A host ends the ways back of those."""
    return commit(sender, *proposals, context={"withdrawn": keys})


def admission(
    name: str = "Eve", *, invite: int | None = OPEN, view: dict[str, Any] | None = None, **other: Any
) -> CommitView:
    """The host lets somebody in."""
    context = {"invites": () if invite is None else (invite,)}
    return commit(ADA, psk(), add(name, **other), context=context, **(view or {}))


def batch(*adds: ProposalView | str, invites: Sequence[int] | None = None, **view: Any) -> CommitView:
    """The host lets several in with one commit and one PSK, each by the open invite if none is named."""
    named = (OPEN,) * len(adds) if invites is None else tuple(invites)
    added = (add(each) if isinstance(each, str) else each for each in adds)
    return commit(ADA, psk(), *added, context={"invites": named}, **view)


def rejoins(count: int, *, slot: int = 95, who: int = CEM, stuck: bool = False) -> Ledger:
    """The ledger after that many rejoins of one leaf, the last of them at `slot`."""
    key = h("signature", who)
    taken = (Rejoined(slot - n, key, h("nonce", n)[:16], stuck) for n in reversed(range(count)))
    return replace(LEDGER, rejoins=tuple(taken))


def crowd(size: int) -> dict[int, LeafView]:
    """That many members: the four of the other cases, and others."""
    return MEMBERS | {n: leaf(n, f"Member {n}") for n in range(len(MEMBERS), size)}


def full_ledger(keys: int) -> Ledger:
    """A ledger with that many signature keys."""
    more = (h("signature", "once", n) for n in range(keys - len(LEDGER.keys)))
    return replace(LEDGER, keys=LEDGER.keys | frozenset(more))


def returning(
    *,
    key: SigningKey = RETURN_KEY,
    sender: int = DANA,
    package: bytes = h("package", "ada again"),
    group_id: bytes = GROUP_ID,
    at: int = SLOT - 1,
    removed: int | None = ADA,
    were: tuple[bytes, ...] = POLICY.hosts,
    name: str = "Ada",
    hosts: tuple[bytes, ...] | None = None,
    title: str = POLICY.title,
    mode: Mode = POLICY.mode,
    view: dict[str, Any] | None = None,
) -> CommitView:
    """Ada has crashed and comes back: Dana, who is no host, commits it."""
    new, old = leaf("ada again", name), replace(POLICY, mode=mode, hosts=were)
    left = () if removed is None else (remove(removed, sender),)
    gone = set() if removed is None else {MEMBERS[removed].signature_key}
    kept = set(were) - gone
    named = tuple(sorted(kept | {new.signature_key})) if hosts is None else tuple(sorted(hosts))
    message = host_return_message(group_id, package, at)
    # what is signed is for the package that it names; the commit carries the real one
    return commit(
        sender,
        *left,
        psk(sender),
        add(sender=sender, who=new, package=h("package", "ada again")),
        gce(sender, of=old, hosts=named, title=title),
        context={"host_return": HostReturn(at, key.sign(message))},
        **({"policy": old, "extensions": (REQUIRED, (POLICY_EXTENSION, old.encode()))} | (view or {})),
    )
