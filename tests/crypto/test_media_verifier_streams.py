"""A receiver that gets the lists of some streams only: each stream is judged by its own lists.

A server sends a receiver the lists of the streams that it receives. A hostile one withholds the lists of one
stream, or sends those of another.
"""

from __future__ import annotations

import pytest

from snugroom.client.media.receiving import UNVERIFIED_TIME
from snugroom.crypto.errors import AuthenticationError, MalformedError, ReplayError, ValidationError
from snugroom.crypto.media.signatures import FrameList, UnverifiedFrameError
from snugroom.crypto.media.verifier import AHEAD_MAX, GRACE, RECOVERY, UNLISTED_MAX, Finding
from tests.crypto.test_media_signatures import AUDIO, EPOCH, LARGE, STREAM_OF, VIDEO, Bo


class Watcher(Bo):
    """Sound and video at 25 frames a second, lists twice a second; `withheld` streams have no lists."""

    def __init__(self) -> None:
        super().__init__()
        self.withheld: set[int] = set()
        self.refused = 0
        self.held: dict[tuple[int, int, bytes], float] = {}  # since when

    def pass_on(self) -> None:
        for data in self.lists():
            if FrameList.decode(data).stream not in self.withheld:
                self.hear(data)

    def try_to_play(self, frame: tuple[int, int, bytes]) -> bool:
        """Play a frame, or hold it until the next list, as a receiver does."""
        try:
            self.play(frame)
        except UnverifiedFrameError:
            self.held.setdefault(frame, self.now)
            return False
        except (ValidationError, AuthenticationError):
            self.refused += 1
            return False
        return True

    def watch(self, seconds: float, *, video_is_forged: bool = False) -> dict[int, int]:
        """Play what comes; the frames that were played at once, or when their list came, by key id."""
        played = {AUDIO: 0, VIDEO: 0}
        for n in range(round(seconds * 25)):
            for kid in (AUDIO, VIDEO):
                kid_, counter, sealed = self.seal(kid)
                forged = video_is_forged and kid == VIDEO
                played[kid] += self.try_to_play((kid_, counter, b"mallory's" if forged else sealed))
            self.now += 0.04
            if n % 12 == 11:
                self.pass_on()
                for frame, since in list(self.held.items()):
                    if self.now - since > UNVERIFIED_TIME or self.try_to_play(frame):
                        played[frame[0]] += self.now - since <= UNVERIFIED_TIME
                        del self.held[frame]
            if n % 3 == 2:
                self.checker.tick(self.now)
        return played


def test_a_lost_list_of_one_stream_says_nothing_about_another() -> None:
    bo = Bo()
    bo.seal(AUDIO), bo.seal(VIDEO)
    bo.pass_on()
    bo.seal(VIDEO)
    bo.lists()  # lost
    for kid in (AUDIO, VIDEO):
        kid_, counter, _ = bo.frame(kid)
        bo.play((kid_, counter, b"mallory's"))
        bo.seal(kid)
    bo.pass_on()
    assert bo.found == [Finding.FORGED], "the lists of the sound are complete"
    assert (EPOCH, VIDEO, 2) in bo.checker._unlisted, "while a lost list may have named the picture"
    assert bo.checker.listed_in(EPOCH, STREAM_OF[AUDIO], AUDIO, 5) == 2
    assert bo.checker.listed_in(EPOCH, STREAM_OF[VIDEO], VIDEO, 1) is None
    assert bo.checker.listed_in(EPOCH, STREAM_OF[VIDEO], LARGE, 0) is None


def test_a_stream_that_is_joined_late_is_judged_from_its_first_list_on() -> None:
    bo = Bo()
    for _ in range(5):
        bo.seal(AUDIO), bo.seal(VIDEO)
        audio, _ = bo.lists()
        bo.hear(audio)
    bo.play((VIDEO, 5, b"frame 5 of %d" % VIDEO))
    bo.seal(VIDEO), bo.seal(VIDEO)
    bo.pass_on()
    bo.play((VIDEO, 4, b"whose?"))
    assert bo.found == [], "lists that did not come may have named it"
    with pytest.raises(ValidationError, match="SNUG-22"):
        bo.play((VIDEO, 6, b"mallory's"))
    bo.frame(VIDEO)
    bo.play((VIDEO, 7, b"mallory's"))
    bo.seal(VIDEO)
    bo.pass_on()
    assert bo.found == [Finding.FORGED], "and no list was lost since"


def test_lists_of_one_stream_do_not_stand_for_those_of_another() -> None:
    """The server withholds the lists of the video, and plays what Mallory seals in its place."""
    bo = Watcher()
    bo.watch(4)
    bo.withheld = {STREAM_OF[VIDEO]}
    played = bo.watch(2.5, video_is_forged=True)
    assert bo.checker.doubt == "unverified"
    assert played[VIDEO] <= 2.2 * 25, "two seconds, as with no lists at all"
    bo.held.clear()
    assert bo.watch(GRACE + 0.5, video_is_forged=True)[VIDEO] == 0
    assert bo.found == [Finding.UNVERIFIED]
    later = bo.watch(60, video_is_forged=True)
    assert later[VIDEO] == 0, "however long the lists of the sound come"
    assert later[AUDIO] > 60 * 25 - 30, "and the sound is played once it is signed"
    assert bo.checker.doubt == "unverified"
    assert bo.found == []


def test_once_the_lists_of_all_streams_come_the_doubt_ends() -> None:
    bo = Watcher()
    bo.withheld = {STREAM_OF[VIDEO]}
    bo.watch(6)
    assert bo.found == [Finding.UNVERIFIED]
    bo.withheld = set()
    began = bo.now
    while bo.checker.doubt is not None:
        bo.watch(0.48)
        assert bo.now < began + RECOVERY + 5
    assert bo.now >= began + RECOVERY - 0.5
    assert bo.found == [Finding.VERIFIED]
    assert not bo.checker._unlisted


def test_a_frame_that_was_held_and_is_not_the_senders_accuses_nobody() -> None:
    """Nobody has opened it: anybody may have made it, the server alone too."""
    bo = Watcher()
    bo.withheld = {STREAM_OF[VIDEO]}
    bo.watch(6)
    assert bo.found == [Finding.UNVERIFIED]
    kid, counter, _ = bo.seal(AUDIO)
    with pytest.raises(UnverifiedFrameError):
        bo.play((kid, counter, b"the server's"))
    bo.pass_on()
    assert bo.checker.doubt == "unverified"
    assert bo.found == []


def test_frames_that_wait_are_bounded() -> None:
    bo = Watcher()
    bo.withheld = {STREAM_OF[VIDEO]}
    bo.watch(6)
    for counter in range(3 * UNLISTED_MAX):
        bo.try_to_play((VIDEO, 10_000 + counter, b"mallory's"))
        assert len(bo.checker._unlisted) <= UNLISTED_MAX


def test_a_frame_far_ahead_of_its_stream_is_reported_though_other_lists_come() -> None:
    bo = Watcher()
    bo.watch(2)
    bo.pass_on()
    for counter in range(60):
        bo.try_to_play((VIDEO, bo.counters[VIDEO] + AHEAD_MAX + counter, b"mallory's"))
        bo.seal(AUDIO)
        bo.pass_on()
        bo.now += 0.04
        bo.checker.tick(bo.now)
    assert bo.checker.doubt == "unverified"


def test_a_frame_far_ahead_is_forgotten_with_the_next_list_of_its_stream() -> None:
    for kid in (VIDEO, LARGE, 0x45):
        bo = Watcher()
        bo.watch(2)
        for _ in range(4):
            assert not bo.try_to_play((kid, bo.counters[VIDEO] + AHEAD_MAX + 100, b"sealed long ago"))
            for _ in range(25):
                bo.now += 0.04
                bo.seal(VIDEO)
                bo.checker.tick(bo.now)
            bo.pass_on()
        assert bo.checker.doubt is None, "a layer of the video, or one that no list has named yet"


def test_a_replayed_list_of_one_stream_is_no_list_of_another() -> None:
    bo = Bo()
    bo.seal(AUDIO)
    (first,) = bo.lists()
    bo.hear(first)
    bo.seal(VIDEO)
    bo.pass_on()  # number 0 too
    with pytest.raises(ReplayError):
        bo.hear(first)
    heard = FrameList.decode(first)
    other = FrameList(2, 1, 1, heard.key, heard.certificate, heard.runs, heard.signature)
    with pytest.raises(AuthenticationError):
        bo.hear(other.body + other.signature)
    bo.signer.add(1, None, AUDIO, 1, b"", bo.now)
    with pytest.raises(MalformedError):
        bo.pass_on()
