"""Media keys across epochs: each frame opens only under the keys of its epoch."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    MissingKeyError,
    StateError,
)
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import (
    ADD_SWITCH,
    FUTURE_BYTES,
    OLD_EPOCH,
    EpochKeys,
    FutureEpochError,
    FutureFrames,
    MediaKeys,
    Stream,
    open_frame,
    seal_frame,
)
from snugroom.crypto.media.sframe import Header, Sealer, encode_header
from tests.crypto.test_media_keys import NONE, enter, epoch_bits, keys, member

# -- epoch changes ------------------------------------------------------------------------------


def test_at_an_add_senders_switch_after_half_a_second() -> None:
    ada, bob = member(0), member(1)
    enter(ada, 2, 10.0, leaf=0)
    assert ada.sending_epoch(10.0 + ADD_SWITCH - 0.01) == 1
    old = ada.seal(0, b"", b"old", 10.0 + ADD_SWITCH - 0.01)
    assert bob.open(b"", old, 10.5).epoch == 1
    assert ada.sending_epoch(10.0 + ADD_SWITCH) == 2
    assert epoch_bits(ada.seal(0, b"", b"new", 10.0 + ADD_SWITCH)) == 2


def test_an_epoch_that_is_ready_is_used_at_once_and_another_one_is_not() -> None:
    ada = member(0)
    enter(ada, 2, 10.0, leaf=0)
    for other in (1, 3):
        ada.ready(other, 10.1)
    assert ada.sending_epoch(10.1) == 1
    ada.ready(2, 10.2)
    assert epoch_bits(ada.seal(0, b"", b"new", 10.2)) == 2
    ada.ready(2, 99.0)
    assert ada.sending_epoch(10.3) == 2


def test_after_an_add_receivers_keep_the_old_epoch_for_two_seconds_more() -> None:
    ada, bob = member(0), member(1)
    frames = [ada.seal(0, b"", b"%d" % n, 9.0) for n in range(3)]
    enter(bob, 2, 10.0, leaf=1)
    assert bob.open(b"", frames[0], 10.0).frame == b"0"
    assert bob.open(b"", frames[1], 10.0 + ADD_SWITCH + OLD_EPOCH - 0.01).frame == b"1"
    with pytest.raises(MissingKeyError):
        bob.open(b"", frames[2], 10.0 + ADD_SWITCH + OLD_EPOCH)


def test_at_a_removal_senders_switch_at_once() -> None:
    ada = member(0)
    enter(ada, 2, 10.0, leaf=0, removed=frozenset({2}), is_removal=True)
    assert ada.sending_epoch(10.0) == 2
    assert epoch_bits(ada.seal(0, b"", b"x", 10.0)) == 2


@pytest.mark.parametrize(("removed", "is_removal"), [(frozenset({2}), False), (NONE, True)])
def test_either_sign_of_a_removal_is_one(removed: frozenset[int], is_removal: bool) -> None:
    ada = member(0)
    enter(ada, 2, 10.0, leaf=0, removed=removed, is_removal=is_removal)
    assert ada.sending_epoch(10.0) == 2


def test_a_removal_overtakes_an_add_that_still_waits() -> None:
    ada = member(0)
    enter(ada, 2, 10.0, leaf=0)
    enter(ada, 3, 10.1, leaf=0, removed=frozenset({2}), is_removal=True)
    assert ada.sending_epoch(10.1) == 3
    assert epoch_bits(ada.seal(0, b"", b"x", 10.1)) == 3


def test_an_add_after_a_removal_doesn_t_bring_the_old_keys_back() -> None:
    ada = member(0)
    enter(ada, 2, 10.0, leaf=0, removed=frozenset({2}), is_removal=True)
    enter(ada, 3, 10.1, leaf=0)
    assert ada.sending_epoch(10.1) == 2
    assert ada.sending_epoch(10.6) == 3


def test_after_a_removal_the_removed_leaf_is_dropped_at_once_and_others_after_two_seconds() -> None:
    ada, bob, eve = member(0), member(1), member(2)
    from_ada = [ada.seal(0, b"", b"a%d" % n, 9.0) for n in range(3)]
    from_eve = [eve.seal(0, b"", b"e%d" % n, 9.0) for n in range(2)]
    assert bob.open(b"", from_eve[0], 9.9).leaf == 2
    enter(bob, 2, 10.0, leaf=1, removed=frozenset({2}), is_removal=True)
    with pytest.raises(MissingKeyError, match="removed"):
        bob.open(b"", from_eve[1], 10.0)
    assert bob.open(b"", from_ada[0], 10.0).leaf == 0
    assert bob.open(b"", from_ada[1], 11.99).leaf == 0
    with pytest.raises(MissingKeyError):
        bob.open(b"", from_ada[2], 12.0)


def test_a_leaf_removed_later_is_dropped_from_all_older_epochs() -> None:
    bob, eve = member(1), member(2)
    old = eve.seal(0, b"", b"old", 9.0)
    enter(bob, 2, 10.0, leaf=1)
    enter(bob, 3, 10.1, leaf=1, removed=frozenset({2}), is_removal=True)
    with pytest.raises(MissingKeyError, match="removed"):
        bob.open(b"", old, 10.1)
    enter(eve, 2, 10.0, leaf=2)
    with pytest.raises(MissingKeyError, match="removed"):
        bob.open(b"", eve.seal(0, b"", b"x", 11.0), 11.0)


def test_later_changes_don_t_prolong_an_old_epoch() -> None:
    ada, bob = member(0), member(1)
    frames = [ada.seal(0, b"", b"x", 9.0) for _ in range(2)]
    enter(bob, 2, 10.0, leaf=1)
    enter(bob, 3, 11.0, leaf=1)
    assert bob.open(b"", frames[0], 12.49).epoch == 1
    with pytest.raises(MissingKeyError):
        bob.open(b"", frames[1], 12.5)


def test_secrets_of_ended_epochs_are_forgotten() -> None:
    ended, displaced, wiped = keys(1), keys(2), keys(18)
    kids = [one.kid(0, 0) for one in (ended, displaced, wiped)]
    bob = MediaKeys()
    bob.install(ended, own_leaf=1, removed=NONE, is_removal=False, now=0.0)
    bob.install(displaced, own_leaf=1, removed=NONE, is_removal=True, now=10.0)
    assert ended.key(kids[0]).kid == kids[0]
    assert bob.sending_epoch(12.0) == 2
    bob.install(wiped, own_leaf=1, removed=NONE, is_removal=True, now=12.0)
    for gone, kid in ((ended, kids[0]), (displaced, kids[1])):
        with pytest.raises(StateError, match="gone"):
            gone.key(kid)
    assert wiped.key(kids[2]).kid == kids[2]
    bob.wipe()
    with pytest.raises(StateError, match="gone"):
        wiped.key(kids[2])


def test_a_newcomer_sends_at_once() -> None:
    newcomer = member(1, epoch=7, now=3.0)
    assert newcomer.sending_epoch(3.0) == 7
    assert epoch_bits(newcomer.seal(0, b"", b"x", 3.0)) == 7


def test_whoever_takes_a_removed_leaf_s_place_is_heard() -> None:
    bob, old, new = member(1), member(2), MediaKeys()
    before = old.seal(0, b"", b"before", 9.0)
    enter(bob, 2, 10.0, leaf=1, removed=frozenset({2}))
    enter(new, 2, 10.0, leaf=2)
    assert bob.open(b"", new.seal(0, b"", b"after", 10.0), 10.0).leaf == 2
    with pytest.raises(MissingKeyError):
        bob.open(b"", before, 10.0)


def test_an_older_epoch_with_the_same_bits_goes() -> None:
    ada, bob = member(0), member(1)
    old = ada.seal(0, b"", b"x", 0.0)
    for epoch in range(2, 18):
        enter(bob, epoch, 0.001 * epoch, leaf=1)
    assert epoch_bits(old) == 17 % 16
    with pytest.raises((AuthenticationError, MissingKeyError)):
        bob.open(b"", old, 0.02)


def test_sending_goes_on_when_sixteen_changes_displace_the_epoch_in_use() -> None:
    ada = member(0)
    for epoch in range(2, 18):
        enter(ada, epoch, 0.001 * epoch, leaf=0)
    first = ada.sending_epoch(0.02)
    assert first == 2
    assert epoch_bits(ada.seal(0, b"", b"x", 0.02)) == 2
    assert ada.sending_epoch(0.6) == 17


def test_the_sending_epoch_never_goes_back_whatever_the_clock_does() -> None:
    ada = member(0)
    enter(ada, 2, 10.0, leaf=0)
    assert epoch_bits(ada.seal(0, b"", b"x", 11.0)) == 2
    assert ada.sending_epoch(10.1) == 2
    assert epoch_bits(ada.seal(0, b"", b"x", 10.1)) == 2


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=25))
@settings(max_examples=50)
def test_members_who_change_together_always_understand_each_other(changes: list[tuple[float, bool]]) -> None:
    ada, bob, now, last = member(0), member(1), 0.0, 1
    for epoch, (pause, removal) in enumerate(changes, start=2):
        now += pause
        for who, leaf in ((ada, 0), (bob, 1)):
            enter(who, epoch, now, leaf=leaf, removed=frozenset({2}) if removal else NONE)
        for sender, receiver in ((ada, bob), (bob, ada)):
            opened = receiver.open(b"", sender.seal(0, b"", b"x", now), now)
            assert last <= opened.epoch <= epoch
            if removal:
                assert opened.epoch == epoch
        last = ada.sending_epoch(now) or 0


# -- who can open what --------------------------------------------------------------------------


def test_a_newcomer_opens_nothing_from_before() -> None:
    ada = member(0)
    before = [ada.seal(0, b"", b"%d" % n, 0.01 * n) for n in range(50)]
    enter(ada, 2, 1.0, leaf=0)
    before += [ada.seal(0, b"", b"x", 1.2)]
    newcomer = MediaKeys()
    enter(newcomer, 2, 1.0, leaf=1)
    for data in before:
        with pytest.raises(MissingKeyError):
            newcomer.open(b"", data, 1.2)
    # and not by dressing it up as a frame of the epoch that the newcomer has
    for data in before:
        header = Header.decode(data)
        for kid in (header.kid & ~15 | 2, keys(2).kid(0, 0)):
            with pytest.raises((AuthenticationError, MissingKeyError)):
                newcomer.open(b"", encode_header(kid, header.counter) + data[header.size :], 1.7)
    assert newcomer.open(b"", ada.seal(0, b"", b"hello", 1.7), 1.7).frame == b"hello"


def test_a_removed_member_opens_nothing_from_after() -> None:
    ada, eve = member(0), member(2)
    enter(ada, 2, 1.0, leaf=0, removed=frozenset({2}), is_removal=True)
    after = [ada.seal(0, b"", b"%d" % n, 1.0 + 0.01 * n) for n in range(50)]
    for data in after:
        with pytest.raises(MissingKeyError):
            eve.open(b"", data, 1.0)
    for data in after:
        header = Header.decode(data)
        for kid in (header.kid & ~15 | 1, keys(1).kid(0, 0)):
            with pytest.raises((AuthenticationError, MissingKeyError)):
                eve.open(b"", encode_header(kid, header.counter) + data[header.size :], 1.0)


# -- frames of an epoch to come -----------------------------------------------------------------


def test_frames_of_the_next_epochs_are_told_apart() -> None:
    bob = member(1)
    for epoch in range(2, 17):
        ada = member(0, epoch)
        data = ada.seal(0, b"", b"x", 0.0)
        with pytest.raises(MissingKeyError) as caught:
            bob.open(b"", data, 0.0)
        assert isinstance(caught.value, FutureEpochError) == (epoch <= 5)


def test_a_held_frame_opens_once_the_epoch_comes() -> None:
    ada, bob = member(0, epoch=16), member(1, epoch=15)
    waiting: FutureFrames[bytes] = FutureFrames()
    data = ada.seal(0, b"", b"early", 0.0)
    with pytest.raises(FutureEpochError):
        bob.open(b"", data, 0.0)
    waiting.hold(data, 0.0, len(data))
    enter(bob, 16, 0.3, leaf=1)
    assert [bob.open(b"", frame, 0.3).frame for frame in waiting.release(0.3)] == [b"early"]
    assert len(waiting) == 0


def test_at_most_64_wait_for_at_most_a_second() -> None:
    waiting: FutureFrames[int] = FutureFrames()
    for n in range(70):
        waiting.hold(n, 0.001 * n, 1)
    assert len(waiting) == 64
    assert waiting.dropped == 6
    waiting.expire(1.0)
    assert len(waiting) == 64
    assert waiting.release(1.0105) == list(range(11, 70))
    assert waiting.dropped == 11
    assert waiting.release(1.02) == []


def test_the_bytes_of_waiting_frames_are_bounded() -> None:
    """Anybody who reaches the server can send frames of a stream that nobody has announced."""
    waiting: FutureFrames[int] = FutureFrames()
    for n in range(10):
        waiting.hold(n, 0.001 * n, FUTURE_BYTES // 4)
    assert (len(waiting), waiting.dropped) == (4, 6)
    waiting.hold(10, 0.1, FUTURE_BYTES + 1)
    assert (len(waiting), waiting.dropped) == (0, 11)
    waiting.hold(11, 0.2, FUTURE_BYTES)
    assert waiting.release(0.2) == [11]


# -- the clear header ---------------------------------------------------------------------------

KEY_FRAME, DELTA_FRAME = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01data", b"\x11\x02\x00data"


def test_clear_header_constants() -> None:
    assert clear_header.KEY_HEADER.hex().upper() == "F0FFFF9D012A10001000"
    assert clear_header.DELTA_HEADER.hex().upper() == "F1FFFF"
    assert clear_header.is_key_frame(clear_header.KEY_HEADER)
    assert not clear_header.is_key_frame(clear_header.DELTA_HEADER)


def test_header_for_and_split() -> None:
    assert clear_header.header_for("audio", b"") == b""
    assert clear_header.header_for("video", KEY_FRAME) == clear_header.KEY_HEADER
    assert clear_header.header_for("video", DELTA_FRAME) == clear_header.DELTA_HEADER
    assert clear_header.split("audio", b"rest") == (b"", b"rest")
    assert clear_header.split("video", clear_header.KEY_HEADER + b"rest") == (
        clear_header.KEY_HEADER,
        b"rest",
    )
    assert clear_header.split("video", clear_header.DELTA_HEADER + b"rest") == (
        clear_header.DELTA_HEADER,
        b"rest",
    )
    assert clear_header.metadata("audio", b"") == b"a"
    assert clear_header.metadata("video", b"h") == b"vh"
    with pytest.raises(MalformedError):
        clear_header.header_for("video", b"")


@pytest.mark.parametrize(
    "data", [b"", b"\xf1\xff", KEY_FRAME, b"\xf0\xff\xff\x9d\x01\x2a\x80\x02\x68\x01x", b"\xf3\xff\xffx"]
)
def test_other_clear_headers_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        clear_header.split("video", data)


def test_whole_frames() -> None:
    ada, bob = member(0), member(1)
    kinds: list[tuple[clear_header.Kind, Stream, bytes]] = [
        ("audio", Stream.AUDIO, b"opus"),
        ("audio", Stream.SCREEN_AUDIO, b""),
        ("video", Stream.VIDEO, KEY_FRAME),
        ("video", Stream.SCREEN_VIDEO, DELTA_FRAME),
    ]
    for kind, stream, frame in kinds:
        data = seal_frame(ada, kind, stream, frame, 0.0)
        assert data.startswith(clear_header.header_for(kind, frame))
        assert not frame or frame not in data
        opened = open_frame(bob, kind, data, 0.0)
        assert (opened.leaf, opened.stream, opened.frame) == (0, stream, frame)


def test_the_clear_header_and_the_kind_are_authenticated() -> None:
    ada, bob = member(0), member(1)
    data = seal_frame(ada, "video", Stream.VIDEO, KEY_FRAME, 0.0)
    rest = data[len(clear_header.KEY_HEADER) :]
    with pytest.raises(AuthenticationError):
        open_frame(bob, "video", clear_header.DELTA_HEADER + rest, 0.0)
    with pytest.raises(AuthenticationError):
        open_frame(bob, "audio", rest, 0.0)
    audio = seal_frame(ada, "audio", Stream.AUDIO, b"opus", 0.0)
    with pytest.raises(AuthenticationError):
        open_frame(bob, "video", clear_header.DELTA_HEADER + audio, 0.0)
    assert open_frame(bob, "video", data, 0.0).frame == KEY_FRAME


def test_streams_carry_their_own_kind() -> None:
    ada, bob = member(0), member(1)
    for kind, stream in (("audio", Stream.VIDEO), ("video", Stream.AUDIO), ("audio", 4)):
        with pytest.raises(StateError):
            seal_frame(ada, kind, stream, b"x", 0.0)  # type: ignore[arg-type]  # the pairs are literal
    # a member who doesn't keep to it is found out
    with pytest.raises(MalformedError, match="leaf 0 sends audio"):
        open_frame(bob, "audio", ada.seal(Stream.VIDEO, b"a", b"x", 0.0), 0.0)
    lying = clear_header.DELTA_HEADER + ada.seal(
        Stream.VIDEO, clear_header.metadata("video", clear_header.DELTA_HEADER), KEY_FRAME, 0.0
    )
    with pytest.raises(MalformedError, match="contradicts"):
        open_frame(bob, "video", lying, 0.0)
    empty = clear_header.DELTA_HEADER + ada.seal(
        Stream.VIDEO, clear_header.metadata("video", clear_header.DELTA_HEADER), b"", 0.0
    )
    with pytest.raises(MalformedError, match="empty"):
        open_frame(bob, "video", empty, 0.0)


@given(st.binary(max_size=60))
def test_junk_never_opens_and_breaks_nothing(data: bytes) -> None:
    ada, bob = member(0), member(1)
    for kind in ("audio", "video"):
        with pytest.raises((MalformedError, MissingKeyError, AuthenticationError)):
            open_frame(bob, kind, data, 0.0)
    assert open_frame(bob, "audio", seal_frame(ada, "audio", 0, b"x", 0.0), 0.0).frame == b"x"


def test_a_hundred_members() -> None:
    base, tags = os.urandom(16), os.urandom(32)
    everybody = []
    for leaf in range(100):
        one = MediaKeys()
        epoch_keys = EpochKeys.derive(epoch=1, base_key=base, tags=tags, leaf_count=100)
        one.install(epoch_keys, own_leaf=leaf, removed=NONE, is_removal=False, now=0.0)
        everybody.append(one)
    for sender, receiver in pairwise(everybody):
        opened = receiver.open(b"", sender.seal(1, b"", b"x", 0.0), 0.0)
        assert everybody[opened.leaf] is sender


def test_sealer_per_key_id_counts_on() -> None:
    ada = member(0)
    kid = keys(1).kid(0, 1)
    assert [Header.decode(ada.seal(1, b"", b"x", 0.0)).counter for _ in range(3)] == [0, 1, 2]
    assert Header.decode(ada.seal(1, b"", b"x", 0.0)).kid == kid
    # the other way round: a frame that a sealer of that key id made is what a member opens
    data = Sealer(keys(1).key(kid)).seal(b"", b"y")
    assert member(1).open(b"", data, 0.0).leaf == 0
