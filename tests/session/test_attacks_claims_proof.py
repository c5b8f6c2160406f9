"""Lists of `taken` from member to member would add nothing to a claim that binds a server (decision 102)."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.verdict import Void
from snugroom.crypto.entry import invite
from snugroom.crypto.kdf import H
from snugroom.lab.simulation.liars import held_by
from snugroom.lab.simulation.servers import OTHERS
from snugroom.lab.simulation.world import ORIGIN, Link, Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.forked import signed_by
from tests.session.test_mirror import mirrored


def exposure(seed: int, ahead: set[str], strict: bool) -> float:
    """Seconds for which Bo may still seal for Dana after the host has removed her.

    The server gives the change to those in `ahead` alone. It withholds the host's heartbeats from the others,
    and hands over those of the members in `ahead`, who claim the change.
    """
    w = World(seed)
    ada, bo, _, dana, _ = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve", strict=strict)
    w.run(20)

    def passes(who: Participant, message: object) -> bool:
        if who.label in ahead or who is ada:
            return True
        if isinstance(message, wire.Broadcasted):
            return signed_by(who, message.blob) != 0
        return not isinstance(message, wire.Committed)

    w.down_filter = passes
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: "Dana" not in ada.roster)
    seconds = 0.0
    for _ in range(350):
        w.run(0.1)
        seconds += 0.1 * (held_by(bo, w.now) == "" and "Dana" in bo.roster)
    return seconds


@pytest.mark.parametrize("strict", [True, False])
def test_a_server_gains_nothing_by_letting_one_members_claim_through(strict: bool) -> None:
    """A list could end the exposure at the claim. The server, which carries claims, does no worse without."""
    silent = exposure(2200, set(), strict)
    claimed = exposure(2200, {"Cem"}, strict)
    assert 8 < silent < (16 if strict else 30), "until the host's word has lapsed, or the server ends it"
    assert claimed <= silent


def test_where_the_server_does_not_carry_the_claims_the_hosts_own_comes_through() -> None:
    w, (ada, bo, cem, dana) = mirrored(2201, "Ada", "Bo", "Cem", "Dana", servers=OTHERS[:1])

    def passes(link: Link, message: object) -> bool:
        withheld = isinstance(message, wire.Committed | wire.Broadcasted)
        return not (withheld and link.who is bo and link.hub is w.hubs[ORIGIN])

    w.link_filter = passes
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: "Dana" not in cem.roster)
    w.until(lambda: "\u201cAda\u201d" in held_by(bo, w.now), 3, "a host's word needs no list")
    for _ in range(100):
        w.run(0.1)
        assert held_by(bo, w.now) or "Dana" not in bo.roster


def test_a_list_proves_no_change_that_a_member_has_made() -> None:
    """A server and one member make a list without a gap, of blobs that nobody has signed."""
    w = World(2202)
    _, bo = w.meeting("Ada", "Bo")
    [room] = w.hub._rooms.values()
    journal, number, key = bo.room.membership.journal, bo.room.number, bo.room.server_key
    assert key is not None
    before = journal.chain
    for slot in range(journal.slot + 1, journal.slot + 65):
        blob = w.rng(BUCKETS[0])
        taken = room._signatures.committed(number, before, wire.Commit(slot, blob))
        invite.verify_taken(key, number, taken.opening_id, slot, before, H(blob), taken.signature)
        before = invite.chain_next(before, slot, blob)
        assert isinstance(bo.room.membership.judge(blob), Void), "no member has made that"
