"""A receiver's verdicts on frames, compared with signed lists."""

from __future__ import annotations

import random
from functools import partial

import pytest

from snugroom.crypto.errors import ValidationError
from snugroom.crypto.kdf import H
from snugroom.crypto.media.signatures import UnverifiedFrameError, digest
from snugroom.crypto.media.verifier import (
    GRACE,
    RECOVERY,
    Finding,
)
from tests.crypto.test_media_signatures import AUDIO, EPOCH, LARGE, STREAM_OF, VIDEO, Bo


def test_an_honest_sender_gives_no_alarm() -> None:
    bo = Bo()
    bo.run(30)
    assert bo.found == []
    assert bo.checker.unlisted(bo.now) <= 0.5


def test_loss_of_frames_gives_no_alarm() -> None:
    bo = Bo()
    lost = random.Random(1)
    bo.run(30, lose=lambda n: lost.random() < 0.05)
    assert bo.found == []


def test_frames_and_lists_may_overtake_each_other() -> None:
    bo = Bo()
    late = [bo.seal() for _ in range(25)]
    bo.pass_on()
    for frame in reversed(late):
        bo.play(frame)
    assert bo.checker.unlisted(bo.now) == 0.0
    assert bo.found == []


def test_a_frame_in_another_name_is_found_when_the_list_comes() -> None:
    bo = Bo()
    kid, counter, _ = bo.seal()
    bo.play((kid, counter, b"mallory's"))
    assert bo.found == [], "it was played: that is the price of playing at once"
    bo.pass_on()
    assert bo.found == [Finding.FORGED]
    assert bo.checker.doubt == "forged"


def test_a_frame_that_the_list_passes_over_is_forged() -> None:
    bo = Bo()
    bo.seal()
    bo.frame()  # a counter that Bo never used
    bo.seal()
    bo.play((AUDIO, 1, b"mallory's"))
    bo.pass_on()
    assert bo.found == [Finding.FORGED]


def test_a_frame_between_two_lists_is_forged_unless_one_was_lost() -> None:
    for lost, expected in ((False, [Finding.FORGED]), (True, [])):
        bo = Bo()
        bo.seal(VIDEO)
        bo.pass_on()
        bo.play((VIDEO, 1, b"whose?"))
        bo.frame(VIDEO)
        if lost:
            bo.seal(LARGE)
            bo.lists()
        bo.seal(VIDEO)
        bo.pass_on()
        assert bo.found == expected


def test_a_lost_list_tears_every_layer_of_its_stream() -> None:
    bo = Bo()
    bo.seal(VIDEO), bo.seal(LARGE)
    bo.pass_on()
    picture = bo.seal(LARGE)
    bo.lists()  # lost
    bo.seal(VIDEO)
    bo.pass_on()  # names no large frame
    bo.play(picture)
    bo.seal(LARGE)
    bo.pass_on()
    assert bo.found == [], "what a lost list has named is not forged"
    bo.play((VIDEO, 0, b"frame 0 of %d" % VIDEO))
    assert bo.found == [], "and what was known before is known still"


def test_a_layer_that_begins_after_a_lost_list_may_have_begun_in_it() -> None:
    bo = Bo()
    bo.seal(VIDEO)
    bo.pass_on()
    first = bo.seal(LARGE)
    bo.lists()  # lost
    bo.seal(LARGE)
    bo.play(first)
    bo.pass_on()
    assert bo.found == []


def test_lists_tell_in_which_order_frames_of_several_key_ids_were_sealed() -> None:
    bo = Bo()
    listed_in = partial(bo.checker.listed_in, stream=STREAM_OF[VIDEO])
    assert listed_in(EPOCH, kid=LARGE, counter=0) == 0, "before any list everything is of the first"
    for _ in range(3):
        bo.seal(VIDEO), bo.seal(LARGE)
        bo.pass_on()
    bo.seal(VIDEO), bo.seal(VIDEO)
    bo.pass_on()
    assert [listed_in(EPOCH, kid=VIDEO, counter=n) for n in range(6)] == [0, 1, 2, 3, 3, 4], (
        "what is not named comes next"
    )
    assert [listed_in(EPOCH, kid=LARGE, counter=n) for n in range(4)] == [0, 1, 2, 4]
    assert listed_in(EPOCH, kid=0x45, counter=0) == 4, "nor is a layer that is yet to begin"
    assert listed_in(EPOCH + 1, kid=LARGE, counter=0) == 0


def test_where_a_list_was_lost_nobody_knows_when_a_frame_was_sealed() -> None:
    bo = Bo()
    listed_in = partial(bo.checker.listed_in, stream=STREAM_OF[VIDEO])
    bo.seal(VIDEO), bo.seal(LARGE)
    bo.pass_on()
    bo.seal(VIDEO), bo.seal(LARGE)
    bo.lists()  # lost
    bo.seal(VIDEO)
    bo.pass_on()
    assert [listed_in(EPOCH, kid=VIDEO, counter=n) for n in range(4)] == [0, None, 2, 3]
    assert [listed_in(EPOCH, kid=LARGE, counter=n) for n in range(3)] == [0, None, None]
    assert listed_in(EPOCH, kid=0x45, counter=0) is None
    bo.seal(LARGE)
    bo.pass_on()
    assert [listed_in(EPOCH, kid=LARGE, counter=n) for n in range(4)] == [0, None, 3, 4]


def test_a_frame_whose_place_is_taken_is_refused_before_it_is_opened() -> None:
    bo = Bo()
    bo.seal()
    bo.pass_on()
    with pytest.raises(ValidationError, match="SNUG-22"):
        bo.play((AUDIO, 0, b"mallory's"))
    assert bo.found == [], "nothing was played, and the server alone can make such bytes"
    bo.play((AUDIO, 0, b"frame 0 of %d" % AUDIO))


def test_a_later_epoch_has_frames_and_lists_of_its_own() -> None:
    bo = Bo()
    bo.seal()
    bo.pass_on()
    bo.play((AUDIO, 0, b"of the next epoch, same key id"), epoch=EPOCH + 16)
    assert bo.found == []
    assert bo.checker.unlisted(bo.now) == 0.0
    bo.now += 0.1
    bo.play((AUDIO, 1, b"again"), epoch=EPOCH + 16)
    assert bo.checker.unlisted(bo.now) > 0.0


def test_two_seconds_without_a_list_and_nothing_is_played_unsigned() -> None:
    bo = Bo()
    bo.run(5)
    began = bo.now
    bo.run(5, listed=False)
    assert 2.0 <= bo.now - began <= 2.15
    assert bo.checker.doubt == "unverified"
    with pytest.raises(UnverifiedFrameError):
        bo.play(bo.seal())
    assert bo.found == [], "its lists may still come"
    bo.now += GRACE - 0.1
    bo.checker.tick(bo.now)
    assert bo.found == []
    assert bo.reported() == [Finding.UNVERIFIED]
    assert bo.reported() == [], "told once"


def test_lists_that_come_a_little_later_end_the_doubt_and_nobody_is_blamed() -> None:
    """Both cores are busy: lists wait for longer than frames, and no frame is played unsigned meanwhile."""
    bo = Bo()
    bo.run(5)
    for n in range(150):
        frame = bo.seal()
        if n < 110:
            bo.play(frame)
        bo.now += 0.02
        if n == 109:
            bo.checker.tick(bo.now)
            assert bo.checker.doubt == "unverified"
    late = bo.lists()
    for data in late[:-1]:
        bo.hear(data)
    bo.checker.tick(bo.now)
    for data in late[-1:]:
        bo.hear(data)
    assert bo.checker.doubt is None
    bo.play(bo.seal())
    assert bo.reported() == []


def test_a_doubt_does_not_end_while_one_frame_that_was_played_is_in_no_list() -> None:
    bo = Bo()
    bo.play((AUDIO, 0, b"mallory's, in an epoch without lists"), epoch=EPOCH + 16)
    bo.run(3, listed=False)
    for _ in range(100):
        bo.seal()
    bo.pass_on()
    assert bo.checker.doubt == "unverified"
    assert bo.reported() == [Finding.UNVERIFIED]


def test_a_forgery_in_the_grace_is_reported_at_once_and_alone() -> None:
    bo = Bo()
    bo.run(1)
    kid, counter, _ = bo.seal()
    bo.play((kid, counter, b"mallory's"))
    bo.now += 0.02
    while bo.checker.doubt is None:
        bo.play(bo.seal())
        bo.now += 0.02
        bo.checker.tick(bo.now)
    bo.pass_on()
    assert bo.found == [Finding.FORGED]
    assert bo.reported() == []


def test_a_verifier_behind_with_lists_judges_only_frames_opened_when_its_tick_was_due() -> None:
    """A busy client opens frames while lists that have come wait to be heard, behind a look that is late."""
    bo = Bo()
    bo.run(5)
    due = bo.now
    waiting = []
    for n in range(150):
        bo.play(bo.seal())
        bo.now += 0.02
        if n % 25 == 24:
            waiting += bo.lists()
    bo.checker.tick(due)
    assert bo.found == []
    for data in waiting:
        bo.hear(data)
    bo.checker.tick(bo.now)
    assert bo.found == []
    for _ in range(150):
        bo.play(bo.seal())
        bo.now += 0.02
    bo.checker.tick(bo.now - 0.9)
    assert bo.reported() == [Finding.UNVERIFIED], "no list had come when this look was due"


def test_ten_seconds_of_lists_and_frames_are_played_at_once_again() -> None:
    bo = Bo()
    bo.run(3, listed=False)
    assert bo.reported() == [Finding.UNVERIFIED]
    began = bo.now
    bo.lists()
    while bo.checker.doubt is not None:
        frames = [bo.seal() for _ in range(25)]
        bo.now += 0.5
        bo.pass_on()
        for frame in frames:
            bo.play(frame)
        assert bo.now < began + 12
    assert bo.now - began >= RECOVERY
    assert bo.found == [Finding.VERIFIED]
    bo.play(bo.seal())
    bo.checker.tick(bo.now)
    assert bo.found == [], "what was owed before is forgiven"


def test_recovery_takes_ten_seconds_without_a_gap() -> None:
    bo = Bo()
    bo.run(3, listed=False)
    bo.lists()
    for _ in range(6):
        frame = bo.seal()
        bo.pass_on()
        bo.play(frame)
        bo.now += 2.5
    assert bo.checker.doubt == "unverified"


def test_a_sender_that_was_forged_once_stays_in_doubt() -> None:
    bo = Bo()
    kid, counter, _ = bo.seal()
    bo.play((kid, counter, b"mallory's"))
    bo.pass_on()
    for _ in range(40):
        frames = [bo.seal() for _ in range(25)]
        with pytest.raises(UnverifiedFrameError):
            bo.play(frames[0])
        bo.now += 0.5
        bo.pass_on()
        for frame in frames:
            bo.play(frame)
    assert bo.found == [Finding.FORGED]
    assert bo.checker.doubt == "forged"


def test_a_hash_has_twelve_bytes_and_covers_header_and_ciphertext() -> None:
    assert digest(b"header and ciphertext") == H(b"header and ciphertext")[:12]
    assert digest(b"Header and ciphertext") != digest(b"header and ciphertext")
