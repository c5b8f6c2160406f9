"""Media signatures: the lists' bytes, who is believed, and what a checker finds out about one leaf."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    ReplayError,
    SnugCryptoError,
    StateError,
    ValidationError,
)
from snugroom.crypto.kdf import H, SigningKey
from snugroom.crypto.media.signatures import (
    AHEAD_MAX,
    DIGEST_SIZE,
    FRAMES_MAX,
    LISTED_MAX,
    LISTED_TIME,
    MEDIA_KEY_LABEL,
    RECOVERY,
    UNLISTED_KID_MAX,
    UNLISTED_MAX,
    WRITE_OFF,
    Finding,
    FrameList,
    FrameVerifier,
    Run,
    Signer,
    UnverifiedFrameError,
    certified,
    digest,
    interval,
    scope,
)
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.primitives import signature_public

EPOCH = 5
SCOPE = scope(bytes(16), 3, b"authenticator")
OTHER_SCOPE = scope(bytes(16), 4, b"authenticator")
LEAF_SEED = bytes([1]) * 32
LEAF_KEY = signature_public(LEAF_SEED)
AUDIO, VIDEO = 0x15, 0x25


def signer(leaf: int = 2, *, seed: bytes = LEAF_SEED, media: int = 9, bound: bytes = SCOPE) -> Signer:
    """A leaf's signer, vouched for by the leaf's signature key `seed`."""
    key = SigningKey(bytes([media]) * 32)
    vouched = sign_with_label(seed, MEDIA_KEY_LABEL, certified(bound, leaf, key.public))
    return Signer(leaf, bound, key, vouched)


class Bo:
    """A sender who lists what it seals, and a receiver who compares."""

    def __init__(self) -> None:
        self.signer = signer()
        self.checker = FrameVerifier()
        self.counters = {AUDIO: 0, VIDEO: 0}
        self.now = 100.0

    def frame(self, kid: int = AUDIO) -> tuple[int, int, bytes]:
        counter = self.counters[kid]
        self.counters[kid] = counter + 1
        return kid, counter, b"frame %d of %d" % (counter, kid)

    def seal(self, kid: int = AUDIO) -> tuple[int, int, bytes]:
        sealed = self.frame(kid)
        self.signer.add(*sealed, self.now)
        return sealed

    def play(self, frame: tuple[int, int, bytes], *, epoch: int = EPOCH) -> None:
        self.checker.opening(epoch, *frame, self.now)
        self.checker.opened(epoch, *frame, self.now)

    def lists(self) -> list[bytes]:
        return self.signer.take()

    def hear(self, data: bytes, *, epoch: int = EPOCH, bound: bytes = SCOPE, key: bytes = LEAF_KEY) -> None:
        self.checker.receive(epoch, bound, FrameList.decode(data), key, self.now)

    def pass_on(self) -> None:
        for data in self.lists():
            self.hear(data)

    def run(
        self, seconds: float, *, lose: Callable[[int], bool] = lambda n: False, listed: bool = True
    ) -> None:
        """Sound at 50 frames a second, a list every half second, a look every 100 ms; up to a doubt."""
        for n in range(round(seconds * 50)):
            frame = self.seal()
            if not lose(n):
                self.play(frame)
            if n % 25 == 24:
                if listed:
                    self.pass_on()
                else:
                    self.lists()
            self.now += 0.02
            if n % 5 == 4:
                self.checker.tick(self.now)
                if self.checker.doubt is not None:
                    return

    @property
    def found(self) -> list[Finding]:
        found, self.checker.findings[:] = list(self.checker.findings), []
        return found


# -- the bytes -------------------------------------------------------------------------------------


def test_the_interval_grows_with_the_room_and_no_further() -> None:
    assert [interval(n) for n in (1, 2, 25, 26, 40, 50, 51, 1000)] == [
        0.5, 0.5, 0.5, 0.52, 0.8, 1.0, 1.0, 1.0,
    ]  # fmt: skip


def test_a_list_as_it_is_written_down() -> None:
    """docs/reference/protocol.md, section 10, byte by byte."""
    s = signer()
    for counter in (7, 8):
        s.add(AUDIO, counter, b"sound %d" % counter, 1.0)
    s.add(VIDEO, 0, b"picture", 1.0)
    (data,) = s.take()
    key = SigningKey(bytes([9]) * 32)
    vouched = sign_with_label(LEAF_SEED, "snug 1 media key", SCOPE + bytes([0, 0, 0, 2]) + key.public)
    body = bytes([1, 0, 0, 0, 2, 0, 0, 0, 0]) + key.public + vouched + bytes([2])
    body += bytes([0, 0, 0, AUDIO, 0, 0, 0, 7, 0, 2]) + H(b"sound 7")[:16] + H(b"sound 8")[:16]
    body += bytes([0, 0, 0, VIDEO, 0, 0, 0, 0, 0, 1]) + H(b"picture")[:16]
    assert data == body + key.sign(b"snug 1 signatures" + SCOPE + body)
    assert scope(b"n" * 16, 3, b"a") == b"n" * 16 + bytes(7) + b"\3" + H(b"a")


def test_a_list_comes_back() -> None:
    s = signer()
    for counter in (0, 1, 2, 5, 6, 9):
        s.add(AUDIO, counter, b"%d" % counter, 1.0)
    assert s.oldest == 1.0
    assert not s.used
    (data,) = s.take()
    heard = FrameList.decode(data)
    assert [(run.kid, run.first, len(run), run.last) for run in heard.runs] == [
        (AUDIO, 0, 3, 2),
        (AUDIO, 5, 2, 6),
        (AUDIO, 9, 1, 9),
    ], "a hole begins another run"
    assert heard.runs[1].of(6) == digest(b"6")
    assert (heard.leaf, heard.number) == (2, 0)
    assert data == heard.body + heard.signature
    assert s.take() == [], "nothing to say, nothing said"
    s.add(AUDIO, 10, b"10", 2.0)
    assert (s.oldest, s.used) == (2.0, True)
    assert FrameList.decode(s.take()[0]).number == 1


@pytest.mark.parametrize("frames", [FRAMES_MAX - 1, FRAMES_MAX, FRAMES_MAX + 1, 2 * FRAMES_MAX + 3])
def test_much_takes_several_lists(frames: int) -> None:
    bo = Bo()
    for _ in range(frames):
        bo.seal()
    lists = bo.lists()
    assert len(lists) == -(-frames // FRAMES_MAX)
    for data in lists:
        bo.hear(data)
    bo.checker.doubt = "unverified"
    bo.checker.opening(EPOCH, AUDIO, frames - 1, b"frame %d of %d" % (frames - 1, AUDIO), bo.now)


def test_many_runs_take_several_lists() -> None:
    s = signer()
    for counter in range(0, 400, 2):
        s.add(AUDIO, counter, b"%d" % counter, 1.0)
    lists = [FrameList.decode(data) for data in s.take()]
    assert [len(heard.runs) for heard in lists] == [64, 64, 64, 8]
    assert [heard.number for heard in lists] == [0, 1, 2, 3]


def test_any_cut_or_changed_list_is_refused_and_changes_nothing() -> None:
    bo = Bo()
    frames = [bo.seal(), bo.seal(), bo.seal(VIDEO)]
    (data,) = bo.lists()
    for size in range(len(data)):
        with pytest.raises(MalformedError):
            FrameList.decode(data[:size])
    with pytest.raises(MalformedError):
        FrameList.decode(data + b"\0")
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(SnugCryptoError):
            bo.hear(bytes(changed))
    bo.hear(data)
    bo.checker.doubt = "unverified"
    for frame in frames:
        bo.play(frame)


@pytest.mark.parametrize(
    "runs",
    [
        (),
        (Run(1, 0, b""),),
        (Run(2, 0, bytes(16)), Run(1, 0, bytes(16))),
        (Run(1, 5, bytes(16)), Run(1, 0, bytes(16))),
        (Run(1, 0, bytes(32)), Run(1, 1, bytes(16))),  # overlapping
        (Run(1, 0, bytes(16)), Run(1, 1, bytes(16))),  # one run, written as two
        (Run(1, 2**32 - 1, bytes(32)),),
        tuple(Run(1, 2 * n, bytes(16)) for n in range(65)),
        tuple(Run(kid, 0, bytes(16 * 600)) for kid in (1, 2)),
    ],
    ids=str,
)
def test_what_no_sender_would_write(runs: tuple[Run, ...]) -> None:
    made = FrameList(2, 0, bytes(32), bytes(64), runs).signed(SCOPE, SigningKey(bytes(32)))
    with pytest.raises(MalformedError):
        FrameList.decode(made)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_malformed(data: bytes) -> None:
    try:
        heard = FrameList.decode(b"\1" + data)
    except MalformedError:
        return
    assert heard.body + heard.signature == b"\1" + data


def test_no_secret_is_shown_and_no_signer_copied() -> None:
    s = signer()
    assert s.secret == bytes([9]) * 32
    assert s.secret.hex() not in repr(s)
    with pytest.raises(StateError):
        copy.copy(s)


def test_a_key_signs_no_more_lists_than_have_a_number() -> None:
    s = signer()
    s._next = 1 << 32
    s.add(AUDIO, 0, b"", 1.0)
    with pytest.raises(StateError):
        s.take()


# -- who is believed -----------------------------------------------------------------------------------


def test_only_the_leaf_vouches_for_its_media_key() -> None:
    bo = Bo()
    mallory = signer(seed=bytes([66]) * 32, media=7)  # in Bo's name: leaf 2
    mallory.add(AUDIO, 0, b"hers", bo.now)
    (data,) = mallory.take()
    with pytest.raises(AuthenticationError):
        bo.hear(data)
    bo.play(bo.seal())
    bo.pass_on()
    assert bo.found == [], "and Bo's own number 0 still counts"
    assert not bo.checker.unlisted(bo.now)


def test_mallory_cannot_put_bos_key_into_a_list_of_hers() -> None:
    bo = Bo()
    bo.seal()
    (own,) = bo.lists()
    real = FrameList.decode(own)
    hers = SigningKey(bytes([66]) * 32)
    for key, certificate in ((real.key, real.certificate), (hers.public, real.certificate)):
        forged = FrameList(2, 0, key, certificate, (Run(AUDIO, 0, digest(b"hers")),))
        with pytest.raises(AuthenticationError):
            bo.hear(forged.signed(SCOPE, hers))


def test_a_list_of_another_epoch_or_room_is_nothing() -> None:
    bo = Bo()
    bo.seal()
    (data,) = bo.lists()
    with pytest.raises(AuthenticationError):
        bo.hear(data, bound=OTHER_SCOPE)
    with pytest.raises(AuthenticationError):
        bo.hear(data, bound=scope(b"another room    ", 3, b"authenticator"))
    with pytest.raises(AuthenticationError):
        bo.hear(data, bound=scope(bytes(16), 3, b"another fork"))
    bo.hear(data)


def test_a_leaf_has_one_media_key_an_epoch() -> None:
    bo = Bo()
    bo.seal()
    bo.pass_on()
    second = signer(media=8)
    for counter in (0, 1):
        second.add(VIDEO, counter, b"", bo.now)
        (data,) = second.take()
    with pytest.raises(AuthenticationError, match="another media key"):
        bo.hear(data)


def test_lists_are_heard_once_and_in_order() -> None:
    bo = Bo()
    bo.seal()
    (first,) = bo.lists()
    bo.seal()
    (second,) = bo.lists()
    bo.hear(second)
    for again in (first, second):
        with pytest.raises(ReplayError):
            bo.hear(again)


def test_a_frame_is_named_once() -> None:
    bo = Bo()
    bo.seal()
    bo.pass_on()
    bo.signer.add(AUDIO, 0, b"something else", bo.now)
    with pytest.raises(MalformedError):
        bo.pass_on()


def test_a_member_has_eight_streams() -> None:
    bo = Bo()
    for kid in range(9):
        bo.signer.add(kid, 0, b"", bo.now)
        if kid < 8:
            bo.pass_on()
    with pytest.raises(MalformedError):
        bo.pass_on()


def test_a_key_that_was_told_signs_nothing_any_more() -> None:
    bo = Bo()
    bo.seal()
    bo.pass_on()
    bo.checker.mark_disclosed(SigningKey(bytes([8]) * 32).public)
    bo.seal()
    bo.pass_on()
    bo.checker.mark_disclosed(SigningKey(bo.signer.secret).public)
    bo.seal()
    with pytest.raises(AuthenticationError, match="no secret"):
        bo.pass_on()


def test_with_the_secret_anybody_makes_the_same_signatures() -> None:
    """Deniability: what Bo has signed, whoever was told the secret could have signed, and more."""
    bo = Bo()
    bo.seal()
    (real,) = bo.lists()
    heard = FrameList.decode(real)
    anybody = SigningKey(bo.signer.secret)
    assert FrameList(2, 0, heard.key, heard.certificate, heard.runs).signed(SCOPE, anybody) == real
    invented = FrameList(2, 0, heard.key, heard.certificate, (Run(AUDIO, 0, digest(b"never said")),))
    bo.hear(invented.signed(SCOPE, anybody))


# -- what is found out -----------------------------------------------------------------------------------


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
        bo.seal()
        bo.pass_on()
        bo.play((AUDIO, 1, b"whose?"))
        bo.frame()
        if lost:
            bo.seal(VIDEO)
            bo.lists()
        bo.seal()
        bo.pass_on()
        assert bo.found == expected


def test_a_lost_list_tears_every_stream_of_its_sender() -> None:
    bo = Bo()
    bo.seal(AUDIO), bo.seal(VIDEO)
    bo.pass_on()
    picture = bo.seal(VIDEO)
    bo.lists()  # lost
    bo.seal(AUDIO)
    bo.pass_on()  # names no picture
    bo.play(picture)
    bo.seal(VIDEO)
    bo.pass_on()
    assert bo.found == [], "what a lost list has named is not forged"
    bo.play((AUDIO, 0, b"frame 0 of %d" % AUDIO))
    assert bo.found == [], "and what was known before is known still"


def test_a_stream_that_begins_after_a_lost_list_may_have_begun_in_it() -> None:
    bo = Bo()
    bo.seal(AUDIO)
    bo.pass_on()
    first = bo.seal(VIDEO)
    bo.lists()  # lost
    bo.seal(VIDEO)
    bo.play(first)
    bo.pass_on()
    assert bo.found == []


def test_lists_tell_in_which_order_frames_of_several_key_ids_were_sealed() -> None:
    bo = Bo()
    listed_in = bo.checker.listed_in
    assert listed_in(EPOCH, VIDEO, 0) == 0, "before any list everything is of the first"
    for _ in range(3):
        bo.seal(AUDIO), bo.seal(VIDEO)
        bo.pass_on()
    bo.seal(AUDIO), bo.seal(AUDIO)
    bo.pass_on()
    assert [listed_in(EPOCH, AUDIO, n) for n in range(6)] == [0, 1, 2, 3, 3, 4], (
        "what is not named comes next"
    )
    assert [listed_in(EPOCH, VIDEO, n) for n in range(4)] == [0, 1, 2, 4]
    assert listed_in(EPOCH, VIDEO + 0x10, 0) == 4, "nor is a stream that is yet to begin"
    assert listed_in(EPOCH + 1, VIDEO, 0) == 0


def test_where_a_list_was_lost_nobody_knows_when_a_frame_was_sealed() -> None:
    bo = Bo()
    listed_in = bo.checker.listed_in
    bo.seal(AUDIO), bo.seal(VIDEO)
    bo.pass_on()
    bo.seal(AUDIO), bo.seal(VIDEO)
    bo.lists()  # lost
    bo.seal(AUDIO)
    bo.pass_on()
    assert [listed_in(EPOCH, AUDIO, n) for n in range(4)] == [0, None, 2, 3]
    assert [listed_in(EPOCH, VIDEO, n) for n in range(3)] == [0, None, None]
    assert listed_in(EPOCH, VIDEO + 0x10, 0) is None
    bo.seal(VIDEO)
    bo.pass_on()
    assert [listed_in(EPOCH, VIDEO, n) for n in range(4)] == [0, None, 3, 4]


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
    assert bo.found == [Finding.UNVERIFIED]
    with pytest.raises(UnverifiedFrameError):
        bo.play(bo.seal())
    assert bo.found == [], "told once"


def test_who_is_behind_with_lists_judges_only_what_was_opened_when_the_look_was_due() -> None:
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
    assert bo.found == [Finding.UNVERIFIED], "no list had come when this look was due"


def test_ten_seconds_of_lists_and_frames_are_played_at_once_again() -> None:
    bo = Bo()
    bo.run(3, listed=False)
    assert bo.found == [Finding.UNVERIFIED]
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


def test_who_was_forged_once_is_compared_for_ever() -> None:
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
    assert bo.found == [Finding.UNVERIFIED]
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


def test_one_frame_a_little_ahead_is_found_when_its_place_is_listed() -> None:
    bo = Bo()
    bo.run(2)
    bo.play((AUDIO, bo.counters[AUDIO] + 100, b"mallory's"))
    for _ in range(150):
        bo.seal()
        bo.now += 0.02
    bo.pass_on()
    assert bo.found == [Finding.FORGED]


def test_who_has_sealed_much_since_the_last_list_that_came_is_played_on_from_the_next() -> None:
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
    assert bo.found == [Finding.UNVERIFIED]
    assert len(bo.checker._unlisted) == UNLISTED_KID_MAX


def test_a_flood_over_many_key_ids_is_bounded_and_found() -> None:
    bo = Bo()
    for number in range(UNLISTED_MAX + 1):
        bo.play((AUDIO + 16 * (number % 7), number // 7, b"mallory's"))
    with pytest.raises(UnverifiedFrameError):
        bo.play((AUDIO, UNLISTED_MAX + 1, b"mallory's"))
    assert bo.found == [Finding.UNVERIFIED]
    assert len(bo.checker._unlisted) == UNLISTED_MAX


def test_what_is_excused_is_bounded_too_and_forgotten_after_a_minute() -> None:
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
        assert bo.found == found, pause
        assert len(bo.checker._unlisted) <= UNLISTED_KID_MAX


def test_what_was_excused_and_is_listed_after_all_counts_for_nothing() -> None:
    bo = Bo()
    for _ in range(30):
        bo.checker.excuse(bo.now + 2.0)
        bo.run(1.0)
        bo.checker.tick(bo.now)
    assert bo.found == []
    assert bo.checker.excused(bo.now) < 1.0


def test_what_a_checker_keeps_of_lists_is_bounded() -> None:
    bo = Bo()
    for _ in range(4 * LISTED_MAX):
        bo.seal(), bo.frame()
        bo.seal()
        bo.pass_on()
    stream = bo.checker._epochs[EPOCH].streams[AUDIO]
    assert sum(len(run) for _, _, run in stream._runs) <= LISTED_MAX + 2
    bo.now += LISTED_TIME
    bo.seal()
    bo.pass_on()
    assert len(stream._runs) == 1
    with pytest.raises(AuthenticationError, match="too late"):
        bo.play((AUDIO, 0, b"much too late"))
    assert bo.found == [], "what is not known any more is not called forged"


def test_what_comes_after_its_list_is_forgotten_is_refused_and_accuses_nobody() -> None:
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
    assert bo.found == [Finding.UNVERIFIED]


def test_what_is_excused_can_still_be_forged() -> None:
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
    assert bo.found == [Finding.UNVERIFIED]
    assert not bo.checker._unlisted


def test_what_was_owed_does_not_come_back_after_a_minute() -> None:
    bo = Bo()
    bo.run(1.5, listed=False)
    bo.checker.end_epoch(EPOCH, bo.now)
    bo.now += WRITE_OFF
    bo.signer = signer(media=10)
    bo.run(1.0, listed=False)
    assert bo.found == []
    bo.run(1.5, listed=False)
    assert bo.found == [Finding.UNVERIFIED]


def test_no_flood_makes_a_forged_leaf_less_doubtful() -> None:
    bo = Bo()
    bo.checker.doubt = "forged"
    for counter in range(UNLISTED_MAX + 2):
        bo.checker.opened(EPOCH, AUDIO, counter, b"mallory's", bo.now)
    assert bo.checker.doubt == "forged"
    assert bo.found == []


def test_what_one_epoch_owed_is_forgotten_after_a_minute() -> None:
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


def test_a_hash_has_sixteen_bytes_and_covers_header_and_ciphertext() -> None:
    assert digest(b"header and ciphertext") == H(b"header and ciphertext")[:DIGEST_SIZE]
    assert digest(b"Header and ciphertext") != digest(b"header and ciphertext")
