"""Rooms of up to 1,000 members (SNUG-15), in memory: real leaves, real commits, and a newcomer at the end."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.crypto.agreed.ledger import LEDGER_KEYS_MAX, REJOIN_SLOTS, Ledger, Rejoined
from snugroom.crypto.agreed.policy import MEMBERS_MAX
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.pieces import PIECES_MAX, SealedPieces
from snugroom.crypto.fields import uint
from snugroom.lab.simulation.world import World
from tests.session.batches import newcomer, package
from tests.session.invites import alarms
from tests.session.large_rooms import Lobby, crowded, healed

#: Members before the newcomer comes, and the sizes of its answer and of its pieces.
SIZES: dict[int, tuple[int, list[int]]] = {
    50: (16_384, []),
    150: (2_048, [65_536]),
    500: (2_048, [65_536, 65_536, 32_768]),
    MEMBERS_MAX - 1: (2_048, [65_536] * 4 + [32_768]),
}


@pytest.mark.parametrize("members", SIZES)
def test_a_newcomer_comes_into_a_room_of_that_size(members: int) -> None:
    w = World(2440)
    [ada] = w.meeting("Ada")
    crowded(w, ada, members)
    seen = Lobby.of(w, ada)
    zoe = w.guest(w.link_of(ada), "Zoe")
    w.until(lambda: zoe.session.inside and zoe.code == ada.code, most=3)
    assert len(zoe.roster) == members + 1
    answer, pieces = SIZES[members]
    assert max(seen.sizes("Zoe", lobby.Reply)) == answer
    assert seen.sizes("Zoe", lobby.Piece) == pieces
    assert zoe.room.membership.ledger == ada.room.membership.ledger
    # whoever is in can take part in what follows
    w.do(ada, ev.Remove(1))
    w.until(lambda: "Member 0" not in zoe.roster)
    assert zoe.code == ada.code
    assert zoe.ended is None


def test_a_newcomer_comes_into_a_room_without_blank_nodes() -> None:
    """All members have renewed their paths: the tree is a third larger, with more parent hashes to check."""
    w = World(2442)
    [ada] = w.meeting("Ada")
    keys = crowded(w, ada, 300)
    size = len(ada.room.membership.group.ratchet_tree())
    healed(w, ada, keys)
    zoe = w.guest(w.link_of(ada), "Zoe")
    w.until(lambda: zoe.session.inside and zoe.code == ada.code, most=3)
    assert len(zoe.room.membership.group.ratchet_tree()) > 1.3 * size
    assert len(zoe.roster) == 301


def test_the_largest_tree_and_ledger_that_the_rules_allow_fit_in_the_pieces() -> None:
    w = World(2443)
    longest = max(len(package(w, "ä" * 32).leaf_node.encode()) for _ in range(50))
    parent_hash, node = 33, 2  # of a leaf that has made a commit; presence and kind of a node
    leaves = MEMBERS_MAX * (longest + parent_hash + node + 16)
    unmerged = 4 * MEMBERS_MAX * MEMBERS_MAX.bit_length()
    parents = MEMBERS_MAX * (node + 33 + 33 + 4) + unmerged
    numbers = frozenset(range(LEDGER_KEYS_MAX))
    ledger = Ledger(
        used=numbers,
        revoked=numbers,
        keys=frozenset(uint(number, 32) for number in numbers),
        invites=tuple((number, 0) for number in sorted(numbers)),
        rejoins=tuple(Rejoined(slot, bytes(32), bytes(16)) for slot in range(REJOIN_SLOTS)),
    )
    sealed = SealedPieces.make(bytes(leaves + parents), ledger.encode())
    assert len(sealed.pieces) < PIECES_MAX


def test_the_first_of_more_than_a_thousand_is_refused_with_the_reason() -> None:
    w = World(2441)
    [ada] = w.meeting("Ada")
    crowded(w, ada, MEMBERS_MAX)
    ada.room.queue(newcomer(w, "One too many"), w.now)
    w.until(lambda: bool(alarms(ada, "not_admitted")))
    assert f"more than {MEMBERS_MAX} members" in str(ada.of(ev.Alarm)[-1])
    assert len(ada.roster) == MEMBERS_MAX
