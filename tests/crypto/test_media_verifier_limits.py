"""A receiver's verdicts with floods, gaps and changes of epoch: its memory is bounded."""

from __future__ import annotations

import pytest

from snugroom.crypto.errors import AuthenticationError
from snugroom.crypto.media.signatures import UnverifiedFrameError
from snugroom.crypto.media.verifier import (
    AHEAD_MAX,
    LISTED_MAX,
    LISTED_TIME,
    UNLISTED_KID_MAX,
    UNLISTED_MAX,
    WRITE_OFF,
    Finding,
)
from tests.crypto.test_media_signatures import AUDIO, EPOCH, Bo, signer


def played(bo: Bo) -> int:
    """The number of frames that were played and are in no list."""
    return sum(not frame.held for frame in bo.checker._unlisted.values())


def test_bursts_between_silences_add_up() -> None:
    bo = Bo()
    counter = 0
    for _ in range(6):
        for _ in range(25):  # half a second of Mallory's, then nothing for a while
            if bo.checker.doubt is None:
                bo.play((AUDIO, counter, b"mallory's"))
                counter += 1
            bo.now += 0.02
            bo.checker.tick(bo.now)
        bo.now += 60
    assert bo.reported() == [Finding.UNVERIFIED]
    assert counter <= 120


def test_one_frame_far_ahead_waits_and_makes_no_other_too_old() -> None:
    bo = Bo()
    bo.run(2)
    for ahead in (AHEAD_MAX + 1, 10_000):
        with pytest.raises(UnverifiedFrameError, match="far ahead"):
            bo.play((AUDIO, bo.counters[AUDIO] + ahead, b"mallory's: it would push Bo's out of the window"))
    bo.checker.excuse(bo.now + 2.0)  # a connection that was cut changes nothing
    with pytest.raises(UnverifiedFrameError, match="far ahead"):
        bo.play((AUDIO, 20_000, b"mallory's"))
    bo.run(5)
    assert bo.found == []


def test_frames_far_ahead_without_any_list_are_reported() -> None:
    """Nothing is played, and who listens hears why."""
    for cut in (False, True):
        bo = Bo()
        bo.run(2)
        bo.lists()
        for _ in range(25):
            with pytest.raises(UnverifiedFrameError):
                bo.play((AUDIO, bo.counters[AUDIO] + AHEAD_MAX + 50, b"mallory's"))
            bo.now += 0.1
            if cut:
                bo.checker.excuse(bo.now + 2.0)
            bo.checker.tick(bo.now)
        assert bo.checker.doubt == "unverified"
        assert bo.reported() == [Finding.UNVERIFIED]


def test_one_frame_a_little_ahead_is_found_when_its_place_is_listed() -> None:
    bo = Bo()
    bo.run(2)
    bo.play((AUDIO, bo.counters[AUDIO] + 100, b"mallory's"))
    for _ in range(150):
        bo.seal()
        bo.now += 0.02
    bo.pass_on()
    assert bo.found == [Finding.FORGED]


def test_a_sender_far_ahead_of_its_lists_is_played_on_from_the_next_list() -> None:
    bo = Bo()
    bo.run(1)
    for _ in range(2 * AHEAD_MAX):
        bo.seal()
    bo.lists()  # nobody got this
    with pytest.raises(UnverifiedFrameError):
        bo.play(bo.seal())
    bo.pass_on()
    bo.run(3)
    assert bo.found == []


def test_a_flood_is_bounded_and_found() -> None:
    bo = Bo()
    for counter in range(UNLISTED_KID_MAX):
        bo.play((AUDIO, counter, b"mallory's"))
    with pytest.raises(UnverifiedFrameError):
        bo.play((AUDIO, UNLISTED_KID_MAX, b"mallory's"))
    assert bo.reported() == [Finding.UNVERIFIED]
    assert played(bo) == UNLISTED_KID_MAX


def test_a_flood_over_many_key_ids_is_bounded_and_found() -> None:
    bo = Bo()
    for number in range(UNLISTED_MAX + 1):
        bo.play((AUDIO + 16 * (number % 7), number // 7, b"mallory's"))
    with pytest.raises(UnverifiedFrameError):
        bo.play((AUDIO, UNLISTED_MAX + 1, b"mallory's"))
    assert bo.reported() == [Finding.UNVERIFIED]
    assert played(bo) == UNLISTED_MAX


def test_excused_frames_are_bounded_and_forgotten_after_a_minute() -> None:
    for pause, found in ((0.0, [Finding.UNVERIFIED]), (20.0, [])):
        bo = Bo()
        counter = 0
        for _ in range(20):
            bo.checker.excuse(bo.now + 1.0)
            for _ in range(40):
                counter += 1
                try:
                    bo.play((AUDIO, counter, b"mallory's"))
                except UnverifiedFrameError:
                    break
                bo.now += 0.02
                bo.checker.tick(bo.now)
            bo.now += pause
        assert bo.reported() == found, pause
        assert played(bo) <= UNLISTED_KID_MAX


def test_an_excused_frame_that_is_listed_later_does_not_count() -> None:
    bo = Bo()
    for _ in range(30):
        bo.checker.excuse(bo.now + 2.0)
        bo.run(1.0)
        bo.checker.tick(bo.now)
    assert bo.found == []
    assert bo.checker.excused(bo.now) < 1.0


def test_the_memory_of_lists_is_bounded() -> None:
    bo = Bo()
    for _ in range(4 * LISTED_MAX):
        bo.seal(), bo.frame()
        bo.seal()
        bo.pass_on()
    stream = bo.checker._epochs[EPOCH].heard[AUDIO]
    assert sum(len(run) for _, _, run in stream._runs) <= LISTED_MAX + 2
    bo.now += LISTED_TIME
    bo.seal()
    bo.pass_on()
    assert len(stream._runs) == 1
    with pytest.raises(AuthenticationError, match="too late"):
        bo.play((AUDIO, 0, b"much too late"))
    assert bo.found == [], "what is not known any more is not called forged"


def test_a_frame_after_its_list_is_forgotten_is_refused_and_accuses_nobody() -> None:
    """The path of media is cut for half a minute, the lists are not; then the server sends old frames."""
    bo = Bo()
    bo.run(2.0)
    held = []
    for _ in range(30):
        for _ in range(15):
            held.append(bo.seal())
            bo.now += 1 / 15
        bo.pass_on()
    refused = 0
    for frame in held:
        try:
            bo.play(frame)
        except AuthenticationError:
            refused += 1
    bo.checker.tick(bo.now)
    bo.run(5.0)
    assert bo.found == []
    assert len(held) - 7 * 15 <= refused < len(held), "those of the last seconds are still listed"


def test_around_a_reconnect_nothing_is_held_against_anybody() -> None:
    bo = Bo()
    bo.run(1.2, listed=False)
    bo.checker.excuse(float("inf"))  # away
    bo.run(1.2, listed=False)
    bo.checker.excuse(bo.now + 2.0)  # back
    bo.run(1.2, listed=False)
    assert bo.found == []
    bo.run(10)
    assert bo.found == []
    bo.run(2.3, listed=False)
    assert bo.reported() == [Finding.UNVERIFIED]


def test_an_excused_frame_can_still_be_forged() -> None:
    bo = Bo()
    bo.checker.excuse(bo.now + 2.0)
    kid, counter, _ = bo.seal()
    bo.play((kid, counter, b"mallory's"))
    bo.pass_on()
    assert bo.found == [Finding.FORGED]


def test_an_epochs_end_forgets_its_frames_but_not_what_they_owed() -> None:
    bo = Bo()
    for epoch in range(EPOCH, EPOCH + 5):  # half a second of Mallory's in each, then another epoch
        for counter in range(25):
            bo.play((AUDIO, counter, b"mallory's"), epoch=epoch)
            bo.now += 0.02
        bo.checker.end_epoch(epoch, bo.now)
        bo.checker.tick(bo.now)
        if bo.checker.doubt:
            break
    assert bo.reported() == [Finding.UNVERIFIED]
    assert not bo.checker._unlisted


def test_forgotten_unlisted_frames_do_not_come_back() -> None:
    bo = Bo()
    bo.run(1.5, listed=False)
    bo.checker.end_epoch(EPOCH, bo.now)
    bo.now += WRITE_OFF
    bo.signer = signer(media=10)
    bo.run(1.0, listed=False)
    assert bo.found == []
    bo.run(1.5, listed=False)
    assert bo.reported() == [Finding.UNVERIFIED]


def test_no_flood_makes_a_forged_leaf_less_doubtful() -> None:
    bo = Bo()
    bo.checker.doubt = "forged"
    for counter in range(UNLISTED_MAX + 2):
        bo.checker.opened(EPOCH, AUDIO, counter, b"mallory's", bo.now)
    assert bo.checker.doubt == "forged"
    assert bo.found == []


def test_unlisted_frames_of_an_epoch_are_forgotten_after_a_minute() -> None:
    bo = Bo()
    for epoch in range(EPOCH, EPOCH + 8):
        for counter in range(25):
            bo.play((AUDIO, counter, b"the last list was lost"), epoch=epoch)
            bo.now += 0.02
        bo.checker.end_epoch(epoch, bo.now)
        bo.checker.tick(bo.now)
        bo.now += WRITE_OFF
    assert bo.found == []


def test_an_epoch_that_owes_nothing_costs_nothing() -> None:
    bo = Bo()
    bo.run(1)
    bo.pass_on()
    bo.checker.excuse(bo.now + 1)
    bo.play(bo.seal())
    bo.checker.end_epoch(EPOCH, bo.now)
    bo.checker.end_epoch(EPOCH, bo.now)
    assert bo.checker.unlisted(bo.now) == 0.0


def test_lists_of_frames_that_never_come_are_no_matter() -> None:
    bo = Bo()
    for _ in range(100):
        bo.seal()
        bo.pass_on()
        bo.now += 0.5
        bo.checker.tick(bo.now)
    assert bo.found == []
