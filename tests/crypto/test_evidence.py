"""Evidence: a stranger can check it, and nobody can change or invent it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT, Got, Heartbeat, server_mark
from snugroom.crypto.errors import AuthenticationError, MalformedError, SnugError
from snugroom.crypto.kdf import H, SigningKey
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import (
    Evidence,
    Exhibit,
    NamedLeaf,
    Probe,
    ProbeReceipt,
    Receipt,
    ServerEvent,
    SignedHeartbeat,
)
from snugroom.wire import signed
from tests.mls.world import Room, state_of

NUMBER, PROBED = H(b"room")[:16], H(b"probed")[:16]
SERVER, OTHER_SERVER = SigningKey(H(b"server")), SigningKey(H(b"another"))
KEYS = [SigningKey(H(b"member", bytes([n]))) for n in range(3)]
BEFORE, BLOB, OPENING_ID = H(b"six"), H(b"blob"), b"opening1"
CHAIN = signed.ChainLink(BEFORE, 7, BLOB).value


def sign(key: SigningKey) -> Any:
    return lambda label, data: sign_with_label(key.seed, label, data)


def beat(
    who: int,
    *,
    seq: int = 1,
    at: int = 1000,
    slot: int = 7,
    chain: bytes = CHAIN,
    server_key: bytes = SERVER.public,
    incarnation: bytes = bytes(8),
) -> SignedHeartbeat:
    made = Heartbeat(
        leaf=who,
        handle=bytes(8),
        since=0,
        seq=seq,
        prev=NO_HEARTBEAT,
        at=at,
        epoch=5,
        slot=slot,
        chain=chain,
        authenticator=H(b"a"),
        incarnation=incarnation,
        server=server_mark(NO_HEARTBEAT, server_key),
        relay=0,
        window=bytes(32),
        words=0,
        sent=((0, 50),),
        want=True,
        got=(Got(1 + who, 1, ((0, 49),)),),
    ).signed(NUMBER, sign(KEYS[who]))
    return SignedHeartbeat(KEYS[who].public, made.encode())


def receipt(
    slot: int,
    blob: bytes = BLOB,
    server: SigningKey = SERVER,
    number: bytes = NUMBER,
    opening_id: bytes = OPENING_ID,
) -> Receipt:
    """`blob` is H(blob)."""
    text = signed.SlotTaken(number, opening_id, slot, BEFORE, blob).encode()
    return Receipt(number, server.public, opening_id, slot, BEFORE, blob, server.sign(text))


def probed(
    beats: list[SignedHeartbeat],
    receipts: list[Receipt],
    *,
    server: SigningKey = SERVER,
    number: bytes = PROBED,
) -> Probe:
    chain = evidence.probe_chain(NUMBER, beats, receipts)
    signature = server.sign(signed.RoomOpened(number, OPENING_ID, 0, chain).encode())
    receipt = ProbeReceipt(number, server.public, OPENING_ID, signature)
    return Probe(1004, "The server serves others.", receipt)


def exhibit(who: int = 0, **changed: Any) -> Exhibit:
    beats = changed.get("beats", [beat(0), beat(1), beat(2, at=1002)])
    receipts = changed.get("receipts", [receipt(6, H(b"six")), receipt(7)])
    facts: dict[str, Any] = {
        "at": 1005,
        "origin": "https://meet.example",
        "number": NUMBER,
        "server_key": SERVER.public,
        "dropped_at": 1003,
        "beats": beats,
        "receipts": receipts,
        "last_words": [ServerEvent(1003, "idle", "nothing came for a while")],
        "probe": probed(beats, receipts),
        "leaves": [],
        "key": KEYS[who].public,
        "signature": bytes(64),
    }
    return Exhibit(**(facts | changed)).signed(sign(KEYS[who]))


def of(*exhibits: Exhibit) -> Evidence:
    return Evidence(evidence.FORMAT, list(exhibits))


def test_a_drop_as_a_stranger_finds_it() -> None:
    found = evidence.verify_evidence(evidence.decode_evidence(evidence.encode(of(exhibit()))))
    assert [(m.key, m.count, m.at, m.slot, m.chain) for m in found.members] == [
        (KEYS[2].public, 1, 1002, 7, CHAIN),
        *((key, 1, 1000, 7, CHAIN) for key in sorted((KEYS[0].public, KEYS[1].public))),
    ]
    assert all(found.served_by(member) == [SERVER.public] for member in found.members)
    (probe,) = found.probes
    assert (probe.server_key, probe.beats, probe.keys, probe.same_server) == (SERVER.public, 3, 3, True)
    assert (found.equivocations, found.split_slots, found.names) == ([], [], ())


def test_a_history_that_the_server_has_not_signed_is_not_said_to_be_served() -> None:
    found = evidence.verify_evidence(of(exhibit(receipts=[receipt(7, H(b"other"))])))
    assert not any(found.served_by(member) for member in found.members)
    found = evidence.verify_evidence(of(exhibit(receipts=[receipt(6)])))
    assert not any(found.served_by(member) for member in found.members)


def test_the_newest_heartbeat_of_a_key_counts_once_over_all_exhibits() -> None:
    beats = [beat(0), beat(0, seq=2, at=1009, slot=8, chain=H(b"8")), beat(1)]
    merged = evidence.merge([of(exhibit(beats=beats)), of(exhibit(1))])
    found = evidence.verify_evidence(merged)
    by_key = {m.key: m for m in found.members}
    assert (by_key[KEYS[0].public].count, by_key[KEYS[0].public].slot) == (2, 8)
    assert by_key[KEYS[1].public].count == 1


def test_two_receipts_of_one_slot_are_two_stories() -> None:
    one, two = exhibit(0), exhibit(1, receipts=[receipt(7, H(b"the other story"))])
    found = evidence.verify_evidence(evidence.merge([of(one), of(two)]))
    assert found.equivocations == [(SERVER.public, 7)]
    # after the hosts' keys changed, the room has another number, and is the same
    renamed = exhibit(1, receipts=[receipt(7, H(b"the other story"), number=PROBED[::-1])])
    found = evidence.verify_evidence(evidence.merge([of(one), of(renamed)]))
    assert found.equivocations == [(SERVER.public, 7)]
    # an honest server opens a room anew with any history that a member names
    again = exhibit(1, receipts=[receipt(7, H(b"the other story"), opening_id=b"reopened")])
    assert evidence.verify_evidence(evidence.merge([of(one), of(again)])).equivocations == []
    # another server's key (a restart) tells another story at most of itself
    three = exhibit(1, receipts=[receipt(7, H(b"the other story"), OTHER_SERVER)])
    assert evidence.verify_evidence(evidence.merge([of(one), of(three)])).equivocations == []


def test_members_whose_histories_differ() -> None:
    split = exhibit(beats=[beat(0), beat(1, chain=H(b"another"))])
    assert evidence.verify_evidence(of(split)).split_slots == [7]
    earlier = exhibit(beats=[beat(0, chain=H(b"another")), beat(0, seq=2, slot=8), beat(1)])
    assert evidence.verify_evidence(of(earlier)).split_slots == [7], "also where they have gone on since"


def test_members_who_name_different_server_keys_for_one_start() -> None:
    (start,) = evidence.verify_evidence(of(exhibit(beats=[beat(0), beat(1), beat(2)]))).starts
    assert start.named == {SERVER.public: tuple(sorted(key.public for key in KEYS))}
    beats = [beat(0), beat(1, server_key=OTHER_SERVER.public), beat(2, server_key=bytes(32))]
    (start,) = evidence.verify_evidence(of(exhibit(beats=beats))).starts
    assert start.named == {SERVER.public: (KEYS[0].public,), b"": tuple(sorted(k.public for k in KEYS[1:]))}
    other = msgspec.structs.replace(short(1), server_key=OTHER_SERVER.public).signed(sign(KEYS[1]))
    (start,) = evidence.verify_evidence(of(exhibit(beats=beats), other)).starts
    assert start.named[OTHER_SERVER.public] == (KEYS[1].public,), "another exhibit has that key"
    restarted = [beat(0), beat(0, seq=2, at=1050, server_key=OTHER_SERVER.public, incarnation=b"restart!")]
    first, second = evidence.verify_evidence(of(exhibit(beats=restarted), other)).starts
    assert (len(first.named), len(second.named)) == (1, 1)
    assert (first.last, second.first) == (1000, 1050)


def test_a_server_that_was_started_anew() -> None:
    beats, receipts = [beat(0)], [receipt(7)]
    restarted = exhibit(beats=beats, receipts=receipts, probe=probed(beats, receipts, server=OTHER_SERVER))
    (probe,) = evidence.verify_evidence(of(restarted)).probes
    assert not probe.same_server


# -- the members that lost the room ------------------------------------------------------------


def short(who: int, *, at: int = 1004, server: SigningKey = SERVER, **changed: Any) -> Exhibit:
    facts: dict[str, Any] = {
        "origin": "https://meet.example",
        "number": NUMBER,
        "server_key": server.public,
        "at": 1006,
    }
    key = KEYS[who].public
    return evidence.statement(**(facts | {"dropped_at": at, "key": key} | changed)).signed(sign(KEYS[who]))


def test_short_exhibits_count_the_members_that_lost_the_room() -> None:
    file = of(exhibit(0, beats=[beat(0), beat(1)]), short(1, at=1001), short(2))
    found = evidence.verify_evidence(evidence.decode_evidence(evidence.encode(file)))
    (loss,) = found.losses
    assert loss.server_key == SERVER.public
    assert loss.keys == tuple(sorted(key.public for key in KEYS))
    assert loss.heard == 2, "the third key has no heartbeat here"
    assert (loss.first, loss.last) == (1001, 1004)
    assert loss.probed == (KEYS[0].public, 1), "a second by the clock of the member that probed"
    assert [member.present for member in found.members] == [2, 2]


def test_each_key_counts_once_and_servers_count_apart() -> None:
    again = exhibit(0, dropped_at=1001)
    file = of(exhibit(0), again, short(1), short(1, at=1002), short(2, server=OTHER_SERVER))
    losses = {loss.server_key: loss for loss in evidence.verify_evidence(file).losses}
    assert len(losses[SERVER.public].keys) == 2
    assert losses[SERVER.public].probed == (KEYS[0].public, 1), "the shorter time"
    assert losses[OTHER_SERVER.public].keys == (KEYS[2].public,)
    assert losses[OTHER_SERVER.public].probed is None


def test_a_probe_counts_only_under_the_key_that_was_lost_and_only_after_that() -> None:
    beats, receipts = [beat(0)], [receipt(7)]
    restarted = exhibit(beats=beats, receipts=receipts, probe=probed(beats, receipts, server=OTHER_SERVER))
    assert evidence.verify_evidence(of(restarted)).losses[0].probed is None
    assert evidence.verify_evidence(of(exhibit(dropped_at=1005))).losses[0].probed is None
    assert evidence.verify_evidence(of(exhibit(dropped_at=None, probe=None))).losses == ()


def test_a_short_exhibit_is_of_one_member_server_meeting_and_time() -> None:
    good = short(1)
    evidence.verify_exhibit(good)
    for changed in (
        {"key": KEYS[2].public},
        {"server_key": OTHER_SERVER.public},
        {"origin": "https://other.example"},
        {"number": PROBED},
        {"dropped_at": 1003},
        {"at": 1007},
        {"signature": bytes(64)},
    ):
        with pytest.raises(AuthenticationError, match="own statement"):
            evidence.verify_exhibit(msgspec.structs.replace(good, **changed))


def test_names_on_request_are_each_leafs_own() -> None:
    room = Room(2)
    node = state_of(room[0]).tree.leaf(0)
    assert node is not None
    named = NamedLeaf(0, room[0].group_id, node.encoded)
    (found,) = evidence.verify_evidence(of(exhibit(leaves=[named]))).names
    assert (found.key, found.name) == (node.signature_key, "ember 0")  # the first byte is the flags
    for bad in (
        NamedLeaf(1, room[0].group_id, node.encoded),
        NamedLeaf(0, b"elsewhere", node.encoded),
        NamedLeaf(0, room[0].group_id, node.encoded.replace(b"member", b"Member")),
    ):
        if bad.node == node.encoded and node.parent_hash == b"":
            continue  # a key package's leaf is bound to no place
        with pytest.raises(SnugError):
            evidence.verify_evidence(of(exhibit(leaves=[bad])))


# -- made up -----------------------------------------------------------------------------------


def made_up() -> list[tuple[str, Exhibit, str]]:
    good, receipts = [beat(0), beat(1)], [receipt(7)]
    swapped = SignedHeartbeat(KEYS[1].public, good[0].beat)
    later = replace(Heartbeat.decode(good[0].beat), at=9999)
    elsewhere = Heartbeat.decode(good[0].beat).signed(H(b"another room")[:16], sign(KEYS[0]))
    old = probed([beat(0)], receipts)
    return [
        ("a beat under another's key", exhibit(beats=[swapped]), "beat 1 is not signed"),
        (
            "a beat with another time",
            exhibit(beats=[SignedHeartbeat(KEYS[0].public, later.encode())]),
            "beat 1",
        ),
        (
            "a beat of another room",
            exhibit(beats=[SignedHeartbeat(KEYS[0].public, elsewhere.encode())]),
            "beat 1",
        ),
        ("a beat that is none", exhibit(beats=[SignedHeartbeat(KEYS[0].public, b"\1")]), "cut short"),
        ("a receipt by another key", exhibit(receipts=[_by_another()]), "not signed by its key"),
        ("a receipt for another number", exhibit(receipts=[_for_another()]), "not signed by its key"),
        (
            "a probe over fewer beats",
            exhibit(beats=good, receipts=receipts, probe=old),
            "did not sign a probe",
        ),
        (
            "a receipt added after the probe",
            exhibit(beats=good, receipts=[*receipts, receipt(8)], probe=probed(good, receipts)),
            "did not sign a probe",
        ),
        (
            "this room's own number as the probe's",
            exhibit(beats=good, receipts=receipts, probe=probed(good, receipts, number=NUMBER)),
            "of this room",
        ),
        ("a statement of another", msgspec.structs.replace(exhibit(0), key=KEYS[1].public), "own statement"),
        ("a later drop", msgspec.structs.replace(exhibit(0), dropped_at=1), "own statement"),
        ("other last words", msgspec.structs.replace(exhibit(0), last_words=[]), "own statement"),
    ]


def _by_another() -> Receipt:
    return msgspec.structs.replace(receipt(7, server=OTHER_SERVER), server_key=SERVER.public)


def _for_another() -> Receipt:
    return msgspec.structs.replace(receipt(7, number=PROBED), number=NUMBER)


@pytest.mark.parametrize(("bad", "why"), [case[1:] for case in made_up()], ids=[c[0] for c in made_up()])
def test_invented_evidence_fails(bad: Exhibit, why: str) -> None:
    with pytest.raises(SnugError, match=why):
        evidence.verify_evidence(of(bad))


def test_one_bad_exhibit_spoils_the_file() -> None:
    with pytest.raises(AuthenticationError):
        evidence.verify_evidence(of(exhibit(0), msgspec.structs.replace(exhibit(1), at=1)))


def test_exhibits_of_two_rooms_do_not_mix() -> None:
    other = exhibit(0, number=PROBED, beats=[], receipts=[], probe=None)
    with pytest.raises(MalformedError, match="different rooms"):
        evidence.merge([of(exhibit()), of(other)])
    with pytest.raises(MalformedError, match="different rooms"):
        evidence.verify_evidence(of(exhibit(), other))


def test_an_exhibit_listed_64_times_counts_as_no_64_exhibits() -> None:
    assert len(evidence.verify_evidence(of(exhibit(0), exhibit(1))).exhibits) == 2
    with pytest.raises(MalformedError, match="twice"):
        evidence.verify_evidence(of(*[exhibit(0)] * 64))


def test_a_heartbeat_listed_twice_counts_once() -> None:
    once = exhibit(0)
    (probe,) = evidence.verify_evidence(of(once)).probes
    beats = [*once.beats, *once.beats[:1]]
    repeated = exhibit(0, beats=beats)
    assert len(repeated.beats) == len(once.beats) + 1
    (again,) = evidence.verify_evidence(of(repeated)).probes
    assert again.beats == probe.beats


def test_merging_takes_each_exhibit_once() -> None:
    one, two = exhibit(0), exhibit(1)
    merged = evidence.merge([of(one, two), of(two), of(one)])
    assert len(merged.exhibits) == 2
    assert evidence.merge([of(two), of(one)]) == merged
    with pytest.raises(MalformedError, match="1 to 64"):
        evidence.merge([])


@settings(deadline=None, max_examples=400)
@given(place=st.integers(0, 10**9), flip=st.integers(1, 255))
def test_no_byte_of_evidence_can_be_changed(place: int, flip: int) -> None:
    data = bytearray(FILE)
    data[place % len(data)] ^= flip
    with pytest.raises(SnugError):
        evidence.verify_evidence(evidence.decode_evidence(bytes(data)))


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**32))
def test_no_field_of_evidence_can_be_changed(seed: int) -> None:
    """Any leaf value of the JSON replaced by another of its kind, in the canonical form."""
    source = random.Random(seed)
    value = msgspec.json.decode(FILE)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(item, dict | list):
                places.append((node, key))
                walk(item)
            else:
                places.append((node, key))

    walk(value)
    node, key = source.choice(places)
    old = node[key]
    if isinstance(old, list) and old:
        source.choice((old.pop, old.reverse))() if len(old) > 1 else old.pop()
        if len(old) > 1 and msgspec.json.decode(FILE) == value:
            old.pop()
    elif isinstance(old, int):
        node[key] = old + source.choice((-1, 1))
    elif isinstance(old, str):
        node[key] = "A" + old[1:] if old[:1] != "A" else "B" + old[1:]
    else:
        node[key] = None if old is not None else 5
    if msgspec.json.decode(FILE) == value:
        return
    data = msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
    with pytest.raises(SnugError):
        evidence.verify_evidence(evidence.decode_evidence(data))


def test_another_form_of_the_same_evidence_is_refused() -> None:
    for changed in (FILE + b"\n", FILE.replace(b": ", b":"), FILE[:-1], b"", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(MalformedError):
            evidence.decode_evidence(changed)
    with pytest.raises(MalformedError, match="at most"):
        evidence.decode_evidence(b" " * (evidence.FILE_MAX + 1))


FILE = evidence.encode(of(exhibit()))
