"""The ledger: its encoding, and what a commit leaves behind in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed.ledger import AWAY_MAX, LEDGER_KEYS_MAX, REJOIN_SLOTS, Away, Ledger, Rejoined
from snugroom.crypto.agreed.room_state import Identity
from snugroom.crypto.errors import MalformedError
from tests.policy.commits import h
from tests.policy.test_room_state import ledgers

# -- encoding ----------------------------------------------------------------------------------------


def raw_ledger(
    *,
    used: bytes = b"",
    revoked: bytes = b"",
    keys: tuple[bytes, ...] = (),
    invites: tuple[bytes, ...] = (),
    rejoins: tuple[bytes, ...] = (),
    end: bytes = bytes(17),
    away: tuple[bytes, ...] = (),
) -> bytes:
    sized = b"".join((len(part) // 2).to_bytes(2, "big") + part for part in (used, revoked))
    counted = b"".join(len(part).to_bytes(2, "big") + b"".join(part) for part in (keys, invites))
    last = bytes([len(away)]) + b"".join(away)
    return b"\1" + sized + counted + bytes([len(rejoins)]) + b"".join(rejoins) + end + last


def numbers(*values: int, size: int = 2) -> bytes:
    return b"".join(value.to_bytes(size, "big") for value in values)


def rejoined(slot: int, who: int = 1, stuck: int = 0) -> bytes:
    return numbers(slot, size=8) + h(who) + h("nonce", slot)[:16] + bytes([stuck])


def gone(key: bytes, *, invite: bytes = b"\0", slot: int = 7) -> bytes:
    return key + h("rejoin") + b"\3\0Bo" + invite + numbers(slot, size=8)


K1, K2 = sorted((h(1), h(2)))


def test_a_ledger_in_raw_bytes() -> None:
    raw = raw_ledger(
        used=numbers(0, 0x8001),
        revoked=numbers(4),
        keys=(K1, K2),
        invites=(numbers(1, size=4) + numbers(0),),
        rejoins=(rejoined(5), rejoined(6, stuck=1)),
        end=numbers(9, 4, size=8) + b"\1",
        away=(gone(K1, invite=b"\1\x80\1"), gone(K2)),
    )
    assert Ledger.decode(raw) == Ledger(
        frozenset({0, 0x8001}),
        frozenset({4}),
        frozenset({K1, K2}),
        ((1, 0),),
        (Rejoined(5, h(1), h("nonce", 5)[:16]), Rejoined(6, h(1), h("nonce", 6)[:16], True)),
        9,
        4,
        True,
        (Away(K1, h("rejoin"), b"\0Bo", 0x8001, 7), Away(K2, h("rejoin"), b"\0Bo", None, 7)),
    )


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (raw_ledger(end=bytes(16) + b"\2"), "rotation_due is a flag, 0 or 1, not 2"),
        (raw_ledger(rejoins=(rejoined(6, stuck=2),)), r"rejoins\[0\].stuck is a flag"),
        (raw_ledger(used=numbers(2, 1)), "order"),
        (raw_ledger(used=numbers(1, 1)), "order"),
        (raw_ledger(revoked=numbers(9, 3)), "order"),
        (raw_ledger(keys=(K2, K1)), "order"),
        (raw_ledger(keys=(K1, K1)), "order"),
        (raw_ledger(invites=(numbers(2, size=4) + numbers(0), numbers(1, size=4) + numbers(0))), "order"),
        (raw_ledger(invites=(numbers(1, size=4) + numbers(0), numbers(1, size=4) + numbers(3))), "order"),
        (raw_ledger(rejoins=(rejoined(6), rejoined(5))), "order"),
        (raw_ledger(rejoins=(rejoined(6), rejoined(6, 2))), "order"),
        (raw_ledger(away=(gone(K2), gone(K1))), "order"),
        (raw_ledger(away=(gone(K1), gone(K1, slot=8))), "order"),
        (raw_ledger(away=(gone(K1, invite=b"\2\0\0"),)), "away"),
        (raw_ledger(away=tuple(sorted(gone(h(n)) for n in range(AWAY_MAX + 1)))), "0 to 64 entries, not 65"),
        (raw_ledger(used=numbers(*range(LEDGER_KEYS_MAX + 1))), "more than"),
        (raw_ledger(revoked=numbers(*range(LEDGER_KEYS_MAX + 1))), "more than"),
        (raw_ledger(keys=tuple(sorted(h(n) for n in range(LEDGER_KEYS_MAX + 1)))), "more than"),
        (
            raw_ledger(invites=tuple(numbers(n, size=4) + b"\0\0" for n in range(LEDGER_KEYS_MAX + 1))),
            "more than",
        ),
        (raw_ledger(rejoins=tuple(rejoined(n) for n in range(REJOIN_SLOTS + 1))), "0 to 64 entries, not 65"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_a_ledger_that_is_none(raw: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        Ledger.decode(raw)


def test_the_fullest_ledger_can_grow_for_as_long_as_anybody_may_come_in() -> None:
    """The ledger that a newcomer gets can't make a later, valid admission overflow."""
    indices = frozenset(range(LEDGER_KEYS_MAX))
    keys = frozenset(h(n) for n in range(LEDGER_KEYS_MAX - 1))
    rejoins = tuple(Rejoined(n, h(1), h(n)[:16]) for n in range(REJOIN_SLOTS))
    fullest = Ledger(indices, indices, keys, tuple((n, n) for n in range(LEDGER_KEYS_MAX)), rejoins)
    assert Ledger.decode(fullest.encode()) == fullest
    # no key more than the limit is ever added (SNUG-15), even if none was there at first
    used = frozenset(range(2 * LEDGER_KEYS_MAX))
    assert len(replace(fullest, used=used).digest()) == 32
    assert max(len(fullest.after(slot, removed={}, added={}).rejoins) for slot in (64, 65)) < REJOIN_SLOTS


def test_rejoins_never_outgrow_their_count() -> None:
    ledger = Ledger()
    for slot in range(1, 300):
        ledger = ledger.after(slot, removed={}, added={}, rejoined=Rejoined(slot, h(1), h(slot)[:16]))
        assert len(ledger.rejoins) <= REJOIN_SLOTS
        assert Ledger.decode(ledger.encode()) == ledger


# -- what a commit leaves behind -------------------------------------------------------------------------


def test_a_newcomer_uses_an_invite_and_brings_a_key() -> None:
    ledger = Ledger().after(1, removed={}, added={1: (h(1), 0x8003)})
    assert ledger == Ledger(frozenset({0x8003}), frozenset(), frozenset({h(1)}), ((1, 0x8003),))
    assert ledger.invite_of(1) == 0x8003
    assert ledger.invite_of(2) is None


def test_an_eviction_revokes_the_invite_and_a_farewell_does_not() -> None:
    present = Ledger().after(1, removed={}, added={1: (h(1), 0)}).after(2, removed={}, added={2: (h(2), 5)})
    evicted = present.after(3, removed={1: True}, added={})
    assert (evicted.revoked, evicted.invites) == (frozenset({0}), ((2, 5),))
    assert evicted.keys == present.keys, "a key stays known for good"
    assert evicted.used == present.used
    left = present.after(3, removed={1: False, 2: False}, added={})
    assert (left.revoked, left.invites) == (frozenset(), ())
    founder = present.after(3, removed={0: True}, added={})
    assert founder.revoked == frozenset(), "who came by no invite takes none along"


def test_a_member_who_rejoins_keeps_its_invite_and_its_eviction_revokes_it() -> None:
    mark = Rejoined(9, h(1), h("n")[:16])
    present = Ledger().after(1, removed={}, added={1: (h(1), 4)}).after(2, removed={}, added={2: (h(2), 5)})
    back = present.after(9, removed={1: False}, added={1: (h(1), None)}, rejoined=mark)
    assert back.invites == ((1, 4), (2, 5))
    assert back.rejoins == (mark,)
    assert (back.used, back.revoked, back.keys) == (present.used, present.revoked, present.keys)
    moved = present.after(9, removed={2: False}, added={7: (h(2), None)}, rejoined=mark)
    assert moved.invites == ((1, 4), (7, 5)), "in another leaf as well"
    assert moved.after(10, removed={7: True}, added={}).revoked == {5}
    founder = Ledger(keys=frozenset({h(0)})).after(
        9, removed={0: False}, added={0: (h(0), None)}, rejoined=mark
    )
    assert founder.invites == ()


def test_a_leaf_that_is_taken_again_is_known_by_its_new_invite() -> None:
    ledger = Ledger().after(1, removed={}, added={1: (h(1), 4)})
    swapped = ledger.after(2, removed={1: True}, added={1: (h(2), 6)})
    assert swapped.invites == ((1, 6),)
    assert (swapped.revoked, swapped.used) == (frozenset({4}), frozenset({4, 6}))


def way_back(who: int, *, slot: int = 9, invite: int | None = 4) -> Away:
    return Away(h(who), h("rejoin", who), Identity(f"Member {who}").encode(), invite, slot)


def by_key(*entries: Away) -> tuple[Away, ...]:
    return tuple(sorted(entries, key=lambda each: each.signature_key))


def absent(*entries: Away) -> Ledger:
    """A ledger after a removal of these for absence; each was at the leaf of its number."""
    invites = tuple((n, 4) for n in (1, 2, 3))
    present = Ledger(frozenset({4}), keys=frozenset(h(n) for n in (1, 2, 3)), invites=invites)
    return present.after(9, removed={1: False}, added={}, away=entries)


def test_a_removal_for_absence_leaves_a_way_back_and_the_comeback_ends_it() -> None:
    ledger = absent(way_back(1), way_back(2))
    assert ledger.away == by_key(way_back(1), way_back(2))
    assert (ledger.revoked, ledger.invites) == (frozenset(), ((2, 4), (3, 4)))
    mark = Rejoined(12, h(1), h("n")[:16])
    back = ledger.after(12, removed={}, added={9: (h(1), None)}, rejoined=mark)
    assert back.away == (way_back(2),)
    assert back.away_member(h(1)) is None
    assert back.away_member(h(2)) == way_back(2)
    assert back.invites == ((2, 4), (3, 4), (9, 4)), "it keeps its invite, at another leaf too"
    assert back.rejoins == (mark,)
    assert (back.used, back.keys) == (ledger.used, ledger.keys)
    assert back.after(13, removed={9: True}, added={}).revoked == {4}


def test_who_came_by_no_invite_comes_back_by_none() -> None:
    ledger = Ledger().after(9, removed={0: False}, added={}, away=(way_back(0, invite=None),))
    back = ledger.after(10, removed={}, added={0: (h(0), None)}, rejoined=Rejoined(10, h(0), h("n")[:16]))
    assert (back.invites, back.away) == ((), ())


def test_a_host_ends_a_way_back() -> None:
    ledger = absent(way_back(1), way_back(2))
    assert ledger.after(10, removed={}, added={}, withdrawn=(h(1),)) == replace(ledger, away=(way_back(2),))


def test_an_eviction_ends_the_ways_back_by_its_invite_and_a_later_removal_leaves_one() -> None:
    other = way_back(2, invite=5)
    ledger = absent(way_back(1), other, way_back(7, invite=None))
    evicted = ledger.after(10, removed={3: True}, added={})
    assert evicted.revoked == {4}
    assert evicted.away == by_key(other, way_back(7, invite=None))
    later = evicted.after(11, removed={2: False}, added={}, away=(way_back(2, slot=11),))
    assert way_back(2, slot=11) in later.away, "the hosts saw this member after they had revoked the invite"
    assert later.after(12, removed={}, added={}) == later


def test_the_newest_64_can_come_back() -> None:
    ledger = Ledger()
    for slot in range(1, 70):
        ledger = ledger.after(slot, removed={}, added={}, away=(way_back(slot, slot=slot),))
        assert Ledger.decode(ledger.encode()) == ledger
    assert ledger.away == by_key(*(way_back(n, slot=n) for n in range(6, 70)))
    more = ledger.after(70, removed={}, added={}, away=[way_back(100 + n, slot=70) for n in range(70)])
    newest = sorted(h(100 + n) for n in range(70))[-AWAY_MAX:]
    assert [each.signature_key for each in more.away] == newest, "of one removal, those with the highest keys"


@given(ledgers, st.integers(0, 2**32))
def test_old_rejoins_are_forgotten_and_nothing_else(ledger: Ledger, slot: int) -> None:
    after = ledger.after(slot, removed={}, added={})
    assert after == replace(ledger, rejoins=tuple(r for r in ledger.rejoins if slot - r.slot < REJOIN_SLOTS))
    assert (after.digest() == ledger.digest()) is (after == ledger)


def test_a_digest_tells_apart_what_lists_alone_would_not() -> None:
    makers: list[Callable[[], Ledger]] = [
        Ledger,
        lambda: Ledger(used=frozenset({1})),
        lambda: Ledger(revoked=frozenset({1})),
        lambda: Ledger(used=frozenset({1}), revoked=frozenset({1})),
        lambda: Ledger(invites=((0, 1),)),
        lambda: Ledger(keys=frozenset({bytes(32)})),
        lambda: Ledger(rejoins=(Rejoined(0, bytes(32), bytes(16)),)),
        lambda: Ledger(away=(Away(bytes(32), bytes(32), b"", None, 0),)),
        lambda: Ledger(away=(Away(bytes(32), bytes(32), b"", 0, 0),)),
    ]
    assert len({make().digest() for make in makers}) == len(makers)
    assert all(make().digest() == make().digest() for make in makers)
