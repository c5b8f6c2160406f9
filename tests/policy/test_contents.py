"""The contents of application messages, and the history that each member keeps."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.journal import CHAINS, KEPT, PLACES, Entry, Journal
from snugroom.crypto.entry.invite import chain_next
from snugroom.crypto.errors import MalformedError

SAMPLES: list[content.AnyContent] = [
    content.Say(bytes(range(16)), "hé"),
    content.Announce(
        0,
        2**32 - 1,
        [
            content.Announcement(
                7,
                2**53 - 1,
                2**32 - 1,
                bytes(8),
                bytes(32),
                [content.OwnStream(1, "audio", 0), content.OwnStream(2**32 - 1, "video", 7)],
                bytes(64),
            )
        ],
    ),
    content.Leaving(b"proposal"),
    content.Grant(2**32 - 1, bytes(32), b"sealed"),
    content.End(bytes(32)),
    content.MediaSecret([bytes(32), bytes(range(32))]),
    content.CodeAnswer(bytes(range(16)), bytes(32), False),
    content.ShortExhibit(1_790_000_001, 1_790_000_000, bytes(range(64))),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: type(s).__name__)
def test_a_content_comes_back(sample: content.AnyContent) -> None:
    raw = content.encode(sample)
    assert content.decode(raw) == sample
    assert json.loads(raw)["type"] == type(sample).__struct_config__.tag


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: type(s).__name__)
def test_cut_or_with_more_behind_or_with_a_field_more_or_less_it_is_refused(
    sample: content.AnyContent,
) -> None:
    raw = content.encode(sample)
    for size in range(len(raw)):
        with pytest.raises(MalformedError):
            content.decode(raw[:size])
    fields = json.loads(raw)
    broken = [json.dumps(fields | {"more": 1}), raw.decode() + "{}"]
    optional = {field.encode_name for field in msgspec.structs.fields(type(sample)) if not field.required}
    required = [name for name in fields if name not in optional]
    broken += [json.dumps({k: v for k, v in fields.items() if k != name}) for name in required]
    broken += [json.dumps(fields | {name: None}) for name in fields]
    for text in broken:
        with pytest.raises(MalformedError):
            content.decode(text.encode())


def _with(sample: content.AnyContent, **changes: Any) -> bytes:
    return json.dumps(json.loads(content.encode(sample)) | changes).encode()


SAY, ANNOUNCE, LEAVING, GRANT, END, MEDIA_SECRET, ANSWER, EXHIBIT = SAMPLES
SECRET = json.loads(content.encode(MEDIA_SECRET))["secrets"][0]
STREAM = {"ssrc": 1, "kind": "audio", "stream": 0}
ENTRY = json.loads(content.encode(ANNOUNCE))["announcements"][0]


def _announce(**changes: Any) -> bytes:
    """The message with one announcement that has these fields."""
    return _with(ANNOUNCE, announcements=[ENTRY | changes])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"dance"}',
        b"\xff",
        b"[" * 5000,
        b'{"x":' + b"[" * 60_000,
        b'{"id":' + b'{"a":' * 40_000,
        _with(SAY, text=""),
        _with(SAY, text="x" * (content.TEXT_MAX + 1)),
        _with(SAY, text=3),
        _with(SAY, id="AAAA"),
        _with(ANSWER, same="yes"),
        _with(ANSWER, digest="AAAA"),
        _with(SAY, id="!" * 24),
        content.encode(SAY).replace("hé".encode(), b"\xff"),
        content.encode(SAY).replace("hé".encode(), b"\\ud800"),
        _with(ANNOUNCE, first=-1),
        _with(ANNOUNCE, last=2**32),
        _with(ANNOUNCE, announcements=[ENTRY] * (content.ANNOUNCEMENTS_MAX + 1)),
        _announce(handle="AAAA"),
        _announce(signature="AAAA"),
        _announce(epoch=2**53),
        _announce(count=2**32),
        _announce(leaf=-1),
        _announce(more=1),
        _announce(streams=[STREAM] * 9),
        _announce(streams=[STREAM | {"stream": 8}]),
        _announce(streams=[STREAM | {"stream": -1}]),
        _announce(streams=[STREAM | {"ssrc": 2**32}]),
        _announce(streams=[STREAM | {"ssrc": -1}]),
        _announce(streams=[STREAM | {"ssrc": 1.5}]),
        _announce(streams=[STREAM | {"kind": "smell"}]),
        _announce(streams=[STREAM | {"more": 1}]),
        _announce(streams=[{"ssrc": 1}]),
        _with(LEAVING, proposal="?"),
        _with(GRANT, leaf=-1),
        _with(GRANT, leaf=2**32),
        _with(GRANT, enc="AAAA"),
        _with(END, chain="AAAA"),
        _with(MEDIA_SECRET, secrets=[]),
        _with(MEDIA_SECRET, secrets=["AAAA"]),
        _with(MEDIA_SECRET, secrets=[SECRET] * (content.SECRETS_MAX + 1)),
        _with(EXHIBIT, at=-1),
        _with(EXHIBIT, dropped_at=2**53),
        _with(EXHIBIT, dropped_at=1.5),
        _with(EXHIBIT, signature="AAAA"),
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_bytes_that_are_no_content_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        content.decode(raw)


def test_the_longest_message() -> None:
    longest = content.Say(bytes(16), "\U0001f98a" * content.TEXT_MAX)
    assert content.decode(content.encode(longest)) == longest


@given(st.binary(max_size=200))
def test_any_bytes_are_a_content_or_malformed(raw: bytes) -> None:
    try:
        what = content.decode(raw)
    except MalformedError:
        return
    assert content.decode(content.encode(what)) == what


# -- the journal -----------------------------------------------------------------------------------------


def filled(slots: int, start: int = 0) -> Journal:
    journal = Journal(start, bytes(32), b"token of the beginning")
    for slot in range(start + 1, start + slots + 1):
        journal.append(b"blob %d" % slot, b"token %d" % slot)
    return journal


def test_a_journal_begins_where_its_member_came_in() -> None:
    journal = Journal(7, b"c" * 32, b"t")
    assert (journal.slot, journal.chain, journal.room_pass) == (7, b"c" * 32, b"t")
    assert journal.oldest == journal.entry(7) == Entry(7, b"c" * 32, b"t", None)
    assert journal.entry(6) is journal.entry(8) is None
    assert journal.chains == {7: b"c" * 32}


def test_each_slot_follows_from_the_one_before() -> None:
    journal = filled(3, start=4)
    chain = bytes(32)
    for slot in (5, 6, 7):
        chain = chain_next(chain, slot, b"blob %d" % slot)
        assert journal.entry(slot) == Entry(slot, chain, b"token %d" % slot, b"blob %d" % slot)
    assert (journal.slot, journal.chain, journal.room_pass) == (7, chain, b"token 7")
    assert journal.chain_after(b"next") == chain_next(chain, 8, b"next")
    assert journal.slot == 7, "asking changes nothing"
    assert journal.chain_after(b"next") != journal.chain_after(b"other")


@pytest.mark.parametrize("slots", [0, 1, 3, KEPT, KEPT + 1, 3 * KEPT])
def test_a_newcomer_learns_the_slots_before_its_own(slots: int) -> None:
    journal = filled(slots, start=100)
    before = journal.before()
    assert len(before) == 64 * min(slots, KEPT)
    new = Journal(journal.slot, journal.chain, b"t", before)
    first = journal.slot - min(slots, KEPT)
    assert new.chains == {slot: chain for slot, chain in journal.chains.items() if slot >= first}
    assert new.digests == {s: d for s, d in journal.digests.items() if s > first} | {first: bytes(32)}
    new.append(b"next", b"t")
    journal.append(b"next", b"t")
    assert new.before() == journal.before()


def test_a_newcomer_learns_the_values_at_the_last_places() -> None:
    journal = filled(3, start=100)
    numbers = [bytes([n]) * 16 for n in range(PLACES + 1)]
    for number in numbers:
        journal.recognised(number, 101, number * 2)
    assert journal.value_at(numbers[0], 101) is None, "the oldest is forgotten"
    value = chain_next(chain_next(numbers[1] * 2, 102, b"blob 102"), 103, b"blob 103")
    assert journal.value_at(numbers[1], 103) == value
    journal.recognised(numbers[1], 103, value)
    told = journal.places()
    assert told[-48:] == numbers[1] + value, "the one that was seen last"
    new = Journal(journal.slot, journal.chain, b"t", journal.before(), told)
    assert new.places() == told
    for each in (new, journal):
        each.append(b"next", b"t")
    assert new.places() == journal.places() != told
    assert new.value_at(numbers[1], 104) == chain_next(value, 104, b"next")
    for wrong in (told[:-1], told + bytes(48)):
        with pytest.raises(MalformedError, match="another size"):
            Journal(journal.slot, journal.chain, b"t", b"", wrong)


def test_slots_that_do_not_lead_to_ours_are_refused() -> None:
    journal = filled(3, start=100)
    before = journal.before()
    for at in range(0, len(before), 7):
        wrong = before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :]
        with pytest.raises(MalformedError, match="does not lead there"):
            Journal(journal.slot, journal.chain, b"t", wrong)
    for wrong in (before[:-1], before + bytes(64 * KEPT)):
        with pytest.raises(MalformedError, match="another size"):
            Journal(journal.slot, journal.chain, b"t", wrong)
    with pytest.raises(MalformedError, match="another size"):
        Journal(2, journal.chain, b"t", before)


@pytest.mark.parametrize("slots", [0, 1, KEPT, KEPT + 1, CHAINS - 1, CHAINS, CHAINS + 1, 3 * CHAINS])
def test_it_keeps_the_last_blobs_and_chains_and_no_more(slots: int) -> None:
    journal = filled(slots, start=100)
    last = 100 + slots
    kept = range(max(100, last - KEPT), last + 1)
    assert journal.oldest.slot == kept[0]
    assert [slot for slot in range(90, last + 10) if journal.entry(slot) is not None] == list(kept)
    for slot in kept:
        entry = journal.entry(slot)
        assert entry is not None
        assert entry.slot == slot
        assert entry.chain == journal.chains[slot]
    assert sorted(journal.chains) == list(range(max(100, last - CHAINS + 1), last + 1))


def test_entries_after_the_oldest_can_be_handed_over() -> None:
    journal = filled(20)
    chain = journal.oldest.chain
    for slot in range(journal.oldest.slot + 1, journal.slot + 1):
        entry = journal.entry(slot)
        assert entry is not None
        assert entry.blob is not None
        chain = chain_next(chain, slot, entry.blob)
    assert chain == journal.chain
