"""Commits that no honest member makes."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.membership import Membership, room_pass
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.room_state import CommitContext, RejoinTicket
from snugroom.crypto.agreed.slot_author import Place, SlotPayload
from snugroom.crypto.entry.invite import gate
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.mls import labels, treekem
from snugroom.lab.simulation.patches import Patch
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire


def post_commit(w: World, who: Participant, blob: bytes) -> None:
    """Take the next slot with any blob."""
    slot = who.room.membership.journal.slot + 1
    w._ascend(who.links[ev.ROOM], wire.encode(wire.Commit(slot, blob)))


def fresh_leaf(m: Membership) -> list[mls.Extension]:
    """The extensions that a commit gives its author's leaf: another rejoin key, which its program keeps."""
    out = m.rejoin_keys.for_commit()
    m.rejoin_keys.sent(out)
    return m._leaf_extensions(out.rejoin_key)


def forged(
    who: Participant, proposals: list[mls.Proposal], at: bytes | None = None, /, **context: object
) -> bytes:
    """The blob of a correctly signed commit that no honest client would make; `at`: another gate."""
    m = who.room.membership
    prior_state = m.prior_state()
    facts = {
        "room": m.room,
        "slot": prior_state.slot,
        "chain": prior_state.chain,
        "ledger": m.ledger.digest(),
        **context,
    }
    stage = m.group.stage(
        proposals,
        authenticated_data=CommitContext(**facts).encode(),
        force_path=True,
        psks=m._psks,
        leaf_extensions=fresh_leaf(m),
    )
    blob: bytes = m.cover_commit([stage.message], at or gate(room_pass(stage.group, m.room)))
    stage.drop()
    return blob


def private_commit(w: World, who: Participant, slot: int, chain: bytes) -> tuple[wire.Commit, bytes]:
    """A signed blob that is no commit, for any slot after any chain, and the only pass that fits its gate."""
    m = who.room.membership
    own_pass = w.rng(32)
    payload = SlotPayload.signed(
        envelope.pack([b"noise"]),
        m.own_leaf,
        Place(m.room, slot, chain),
        gate(own_pass),
        m.sign,
    )
    return wire.Commit(slot, m._cover("commit", payload.encode(), gate(own_pass))), own_pass


def package_with(
    who: Participant, ticket: RejoinTicket, now: float, signers: Sequence[SigningKey] | None = None
) -> mls.KeyPackageBundle:
    """A KeyPackage of a member with a ticket that it signs with its current rejoin key, or with `signers`."""
    keys = who.room.membership.rejoin_keys.all() if signers is None else signers
    return who.session._me.package(now, SigningKey.generate(), ticket, keys)


def spoil_path(patch: Patch, committer: Participant, victim: Participant) -> None:
    """The committer encrypts every path secret wrongly for the victim, and rightly for others."""
    real = labels.encrypt_with_label
    bad = {
        n.encryption_key
        for _, n in committer.room.membership.group._live.tree.leaves()
        if n.signature_key == victim.room.membership.signature_key(victim.room.membership.own_leaf)
    }

    def spoiled(suite, public, label, context, plaintext, rng):  # type: ignore[no-untyped-def]
        if public in bad:
            plaintext = bytes(len(plaintext))
        return real(suite, public, label, context, plaintext, rng)

    patch.setattr(treekem, "encrypt_with_label", spoiled)
