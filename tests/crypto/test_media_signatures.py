"""Media signatures: the encoding of frame lists, their signers, and a verifier's findings about one leaf."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    ReplayError,
    SnugError,
    StateError,
)
from snugroom.crypto.kdf import H, SigningKey
from snugroom.crypto.media.signatures import (
    FRAMES_MAX,
    MEDIA_KEY_LABEL,
    FrameList,
    Run,
    Signer,
    certified,
    digest,
    interval,
    scope,
)
from snugroom.crypto.media.verifier import GRACE, Finding, FrameVerifier
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.primitives import signature_public

EPOCH = 5
SCOPE = scope(bytes(16), 3, b"authenticator")
OTHER_SCOPE = scope(bytes(16), 4, b"authenticator")
LEAF_SEED = bytes([1]) * 32
LEAF_KEY = signature_public(LEAF_SEED)
AUDIO, VIDEO, LARGE = 0x15, 0x25, 0x35
#: The announced stream of each key id; `LARGE` is a layer of the video.
STREAM_OF = {AUDIO: 0, VIDEO: 1, LARGE: 1}
SSRC_OF = {AUDIO: 100, VIDEO: 101, LARGE: 101}


def signer(leaf: int = 2, *, seed: bytes = LEAF_SEED, media: int = 9, bound: bytes = SCOPE) -> Signer:
    """A leaf's signer, vouched for by the leaf's signature key `seed`."""
    key = SigningKey(bytes([media]) * 32)
    vouched = sign_with_label(seed, MEDIA_KEY_LABEL, certified(bound, leaf, key.public))
    return Signer(leaf, bound, key, vouched)


def add(to: Signer, kid: int, counter: int, frame: bytes, now: float = 1.0) -> None:
    """Add a frame of the stream of its key id."""
    to.add(STREAM_OF.get(kid, 3), SSRC_OF.get(kid), kid, counter, frame, now)


def take(of: Signer) -> list[bytes]:
    """The encodings of its lists."""
    return [signed.data for signed in of.take()]


class Bo:
    """A sender who lists what it seals, and a receiver who compares."""

    def __init__(self) -> None:
        self.signer = signer()
        self.checker = FrameVerifier()
        self.counters = {AUDIO: 0, VIDEO: 0, LARGE: 0}
        self.now = 100.0

    def frame(self, kid: int = AUDIO) -> tuple[int, int, bytes]:
        counter = self.counters[kid]
        self.counters[kid] = counter + 1
        return kid, counter, b"frame %d of %d" % (counter, kid)

    def seal(self, kid: int = AUDIO) -> tuple[int, int, bytes]:
        sealed = self.frame(kid)
        add(self.signer, *sealed, self.now)
        return sealed

    def play(self, frame: tuple[int, int, bytes], *, epoch: int = EPOCH) -> None:
        self.checker.opening(epoch, *frame, self.now)
        self.checker.opened(epoch, *frame, self.now)

    def lists(self) -> list[bytes]:
        return take(self.signer)

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

    def reported(self) -> list[Finding]:
        """The findings once the grace of late lists is over."""
        self.now += GRACE
        self.checker.tick(self.now)
        return self.found

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
        add(s, VIDEO, counter, b"picture %d" % counter)
    add(s, LARGE, 0, b"large picture")
    (data,) = take(s)
    key = SigningKey(bytes([9]) * 32)
    vouched = sign_with_label(LEAF_SEED, "snug 1 media key", SCOPE + bytes([0, 0, 0, 2]) + key.public)
    body = bytes([1, 0, 0, 0, 2, 1, 0, 0, 0, 0]) + key.public + vouched + bytes([2])
    body += bytes([0, 0, 0, VIDEO, 0, 0, 0, 7, 0, 2]) + H(b"picture 7")[:12] + H(b"picture 8")[:12]
    body += bytes([0, 0, 0, LARGE, 0, 0, 0, 0, 0, 1]) + H(b"large picture")[:12]
    assert data == body + key.sign(b"snug 1 signatures" + SCOPE + body)
    assert scope(b"n" * 16, 3, b"a") == b"n" * 16 + bytes(7) + b"\3" + H(b"a")


def test_a_list_comes_back() -> None:
    s = signer()
    for counter in (0, 1, 2, 5, 6, 9):
        add(s, AUDIO, counter, b"%d" % counter)
    assert s.oldest == 1.0
    assert not s.used
    (data,) = take(s)
    heard = FrameList.decode(data)
    assert [(run.kid, run.first, len(run), run.last) for run in heard.runs] == [
        (AUDIO, 0, 3, 2),
        (AUDIO, 5, 2, 6),
        (AUDIO, 9, 1, 9),
    ], "a hole begins another run"
    assert heard.runs[1].of(6) == digest(b"6")
    assert (heard.leaf, heard.stream, heard.number) == (2, 0, 0)
    assert data == heard.body + heard.signature
    assert take(s) == [], "nothing to say, nothing said"
    add(s, AUDIO, 10, b"10", 2.0)
    assert (s.oldest, s.used) == (2.0, True)
    assert FrameList.decode(take(s)[0]).number == 1


def test_each_announced_stream_has_lists_and_numbers_of_its_own() -> None:
    s = signer()
    for counter, kids in enumerate(((AUDIO,), (AUDIO, VIDEO, LARGE), (LARGE,))):
        for kid in kids:
            add(s, kid, counter, b"")
        s_lists = s.take()
        heard = [FrameList.decode(signed.data) for signed in s_lists]
        assert [(each.stream, each.number, [run.kid for run in each.runs]) for each in heard] == [
            [(0, 0, [AUDIO])],
            [(0, 1, [AUDIO]), (1, 0, [VIDEO, LARGE])],
            [(1, 1, [LARGE])],
        ][counter]
        assert [signed.ssrc for signed in s_lists] == [SSRC_OF[each.runs[0].kid] for each in heard]


def test_frames_from_before_a_change_of_ssrc_are_in_a_list_for_those_who_received_them() -> None:
    s = signer()
    for counter, ssrc in enumerate((7, 7, None, 8)):
        s.add(1, ssrc, VIDEO, counter, b"", 1.0)
    lists = s.take()
    heard = [FrameList.decode(signed.data) for signed in lists]
    assert [signed.ssrc for signed in lists] == [7, None, 8]
    assert [(each.number, each.runs[0].first, len(each.runs[0])) for each in heard] == [
        (0, 0, 2), (1, 2, 1), (2, 3, 1),
    ]  # fmt: skip


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
        add(s, AUDIO, counter, b"%d" % counter)
    lists = [FrameList.decode(data) for data in take(s)]
    assert [len(heard.runs) for heard in lists] == [64, 64, 64, 8]
    assert [heard.number for heard in lists] == [0, 1, 2, 3]


def test_any_cut_or_changed_list_is_refused_and_changes_nothing() -> None:
    bo = Bo()
    frames = [bo.seal(VIDEO), bo.seal(VIDEO), bo.seal(LARGE)]
    (data,) = bo.lists()
    for size in range(len(data)):
        with pytest.raises(MalformedError):
            FrameList.decode(data[:size])
    with pytest.raises(MalformedError):
        FrameList.decode(data + b"\0")
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(SnugError):
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
        (Run(2, 0, bytes(12)), Run(1, 0, bytes(12))),
        (Run(1, 5, bytes(12)), Run(1, 0, bytes(12))),
        (Run(1, 0, bytes(24)), Run(1, 1, bytes(12))),  # overlapping
        (Run(1, 0, bytes(12)), Run(1, 1, bytes(12))),  # one run, written as two
        (Run(1, 2**32 - 1, bytes(24)),),
        tuple(Run(1, 2 * n, bytes(12)) for n in range(65)),
        tuple(Run(kid, 0, bytes(12 * 600)) for kid in (1, 2)),
    ],
    ids=str,
)
def test_a_list_that_no_sender_would_write_is_refused(runs: tuple[Run, ...]) -> None:
    made = FrameList(2, 0, 0, bytes(32), bytes(64), runs).signed(SCOPE, SigningKey(bytes(32)))
    with pytest.raises(MalformedError):
        FrameList.decode(made)


def test_a_list_is_of_a_stream_that_members_announce() -> None:
    for stream in range(8):
        run = Run(1, 0, bytes(12))
        made = FrameList(2, stream, 0, bytes(32), bytes(64), (run,)).signed(SCOPE, SigningKey(bytes(32)))
        if stream < 4:
            assert FrameList.decode(made).stream == stream
        else:
            with pytest.raises(MalformedError, match="nobody announces"):
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
    s._next[0] = 1 << 32
    add(s, VIDEO, 0, b"")
    assert len(take(s)) == 1, "each stream has its own"
    add(s, AUDIO, 0, b"")
    with pytest.raises(StateError):
        take(s)


# -- who is believed -----------------------------------------------------------------------------------


def test_only_the_leaf_vouches_for_its_media_key() -> None:
    bo = Bo()
    mallory = signer(seed=bytes([66]) * 32, media=7)  # in Bo's name: leaf 2
    add(mallory, AUDIO, 0, b"hers")
    (data,) = take(mallory)
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
        forged = FrameList(2, 0, 0, key, certificate, (Run(AUDIO, 0, digest(b"hers")),))
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
        add(second, AUDIO, counter, b"")
        (data,) = take(second)
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
    add(bo.signer, AUDIO, 0, b"something else")
    with pytest.raises(MalformedError):
        bo.pass_on()


def test_a_list_of_one_stream_names_no_frame_of_another() -> None:
    bo = Bo()
    bo.seal(), bo.seal(VIDEO)
    bo.pass_on()
    bo.signer.add(STREAM_OF[VIDEO], None, AUDIO, 1, b"sound", bo.now)
    with pytest.raises(MalformedError, match="another stream"):
        bo.pass_on()


def test_a_member_has_eight_streams() -> None:
    bo = Bo()
    for kid in range(9):
        add(bo.signer, kid, 0, b"")
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
    with pytest.raises(AuthenticationError, match="no longer secret"):
        bo.pass_on()


def test_with_the_secret_anybody_makes_the_same_signatures() -> None:
    """Deniability: what Bo has signed, whoever was told the secret could have signed, and more."""
    bo = Bo()
    bo.seal()
    (real,) = bo.lists()
    heard = FrameList.decode(real)
    anybody = SigningKey(bo.signer.secret)
    assert FrameList(2, 0, 0, heard.key, heard.certificate, heard.runs).signed(SCOPE, anybody) == real
    invented = FrameList(2, 0, 0, heard.key, heard.certificate, (Run(AUDIO, 0, digest(b"never said")),))
    bo.hear(invented.signed(SCOPE, anybody))
