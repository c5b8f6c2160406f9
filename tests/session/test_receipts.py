"""Receipts: what they prove against a server, and what no member and no server gains by more of them."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from snugroom.client.session import events as ev
from snugroom.client.session.monitor.heartbeats import CONTRADICTING, RECORDED, Record
from snugroom.crypto.proof.evidence import Receipt
from snugroom.lab.simulation.servers import Servers
from snugroom.lab.simulation.world import ORIGIN, Participant, World, heal
from snugroom.server.rooms.room_signatures import RoomSignatures
from snugroom.wire import messages as wire
from tests.session.forked import monitor


def contradicted(*people: Participant) -> list[int]:
    """The slots for which receipts of one server key and one opening have different blobs."""
    signed = defaultdict(set)
    for who in people:
        for r in monitor(who).record.receipts:
            signed[r.server_key, r.opening_id, r.slot].add(r.chain)
    return sorted(slot for (_, _, slot), chains in signed.items() if len(chains) > 1)


def receipt(slot: int, blob: int = 0, opening_id: bytes = bytes(8)) -> Receipt:
    return Receipt(bytes(16), bytes(32), opening_id, slot, bytes(32), bytes([blob]) * 32, bytes(64))


def test_one_room_shown_as_two_is_proven_by_a_member_of_each() -> None:
    w = Servers(11)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    slot = ada.room.membership.journal.slot
    assert contradicted(*people) == []
    w.split(ORIGIN, [cem, dana])
    heal(w, ada)
    heal(w, cem)
    w.run(2)
    assert contradicted(ada, cem) == contradicted(bo, dana) == [slot + 1]
    assert contradicted(ada, bo) == []


def test_another_blob_for_a_slot_is_kept_with_ours() -> None:
    w = World(12)
    _, bo = w.meeting("Ada", "Bo")
    heal(w, bo)
    w.run(1)
    journal, number = bo.room.membership.journal, bo.room.number
    [room] = w.hub._rooms.values()
    slot = journal.slot
    before = journal.chains[slot - 1]

    def hand(signatures: RoomSignatures, slot: int, before: bytes) -> None:
        committed = signatures.committed(number, before, wire.Commit(slot, w.rng(512)))
        w._deliver(bo.links[ev.ROOM], wire.encode(committed))

    receipts = monitor(bo).record.receipts
    hand(RoomSignatures(w.hub._sign, w.rng), slot, before)
    w.run(0.5)
    assert monitor(bo).record.receipts == receipts, "an honest server signs that if it opened the room anew"
    hand(room._signatures, slot, before)
    w.run(0.5)
    assert contradicted(bo) == [slot]
    assert "two_stories" in bo.alarms


def test_a_server_cannot_push_a_contradiction_out() -> None:
    record = Record()
    for slot in range(RECORDED):
        record.add_receipt(receipt(slot), ours=True)
    for slot in (5, 6, 5):
        record.add_receipt(receipt(slot, 1), ours=False)
    again = msgspec.structs.replace(receipt(5, 1), signature=b"other" + bytes(59))
    record.add_receipt(again, ours=False)
    assert again not in record.receipts
    kept = [receipt(5), receipt(5, 1), receipt(6), receipt(6, 1)]
    for slot in range(RECORDED, 3 * RECORDED):
        record.add_receipt(receipt(slot), ours=True)
        record.add_receipt(receipt(slot, 1), ours=False)
        record.add_receipt(receipt(slot, 2, b"reopened"), ours=False)
    assert record.receipts[:4] == kept
    assert len(record.receipts) == RECORDED
    assert record.receipts[-1].slot == 3 * RECORDED - 1
    assert sum(r.blob == bytes([1]) * 32 for r in record.receipts) == CONTRADICTING // 2
