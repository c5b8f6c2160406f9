"""Media signatures: a sender signs lists of the hashes of its sealed frames.

All members share an epoch's SFrame base key, so a member that colludes with the server could seal frames in
another member's name (docs/reference/protocol.md, section 10). Each leaf generates an Ed25519 *media key* per
epoch. The leaf's signature key certifies the media key, and the media key signs the leaf's frames, about
twice a second::

    list        = body | sign_media_key("snug 1 signatures" | scope | body)
    body        = 1 | leaf 4 | number 4 | media key 32 | certificate 64 | count 1, runs
    run         = kid 4 | first counter 4 | n 2, hashes 16 each: H(SFrame ciphertext, header included)[:16]
    certificate = SignWithLabel by the leaf (RFC 9420 section 5.1.2), label "snug 1 media key",
                  over scope | leaf 4 | media key 32
    scope       = room number 16 | epoch slot 8 | H(epoch_authenticator) 32

Lists are numbered from 0 in each epoch. A sender lists every sealed frame exactly once, in counter order per
key id: a frame that a list skips is not the sender's. Some time after the epoch's end, the secret half of the
media key is disclosed to all members, and its signatures prove nothing from then on.

Frames are played at once, and compared when the list arrives (`FrameVerifier`). After the first doubt about a
leaf, its frames are compared before they are played.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from typing import Final, Literal

from snugroom.crypto.agreed.policy import MEDIA_SIGNATURE_TIME, snug_22
from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    ReplayError,
    StateError,
    ValidationError,
)
from snugroom.crypto.fields import Reader, exactly, uint
from snugroom.crypto.kdf import KEY_SIZE, SIGNATURE_SIZE, H, NotCopyable, SigningKey, verify
from snugroom.crypto.media.keys import STREAMS, FutureEpochError
from snugroom.crypto.mls.labels import verify_with_label

VERSION: Final = 1
#: Bytes of a frame's hash in a list.
DIGEST_SIZE: Final = 16
SCOPE_SIZE: Final = 16 + 8 + 32
#: Seconds between two lists of one sender: minimum and maximum. It grows with the membership.
INTERVAL: Final = 0.5
INTERVAL_MAX: Final = 1.0
MEMBERS_A_SECOND: Final = 50
#: Maximum number of frames and of runs in one list (a sender has at most 8 streams).
FRAMES_MAX: Final = 1024
RUNS_MAX: Final = 64
LISTS_MAX: Final = 1 << 32
#: State per leaf at a receiver: unlisted frames, and per key id, listed frames that have not arrived: as many
#: as SFrame's replay window accepts.
UNLISTED_MAX: Final = 1024
LISTED_MAX: Final = 1024
#: Seconds for which a list is kept for frames that arrive after it.
LISTED_TIME: Final = 6.0
#: Seconds of verified frames after which a leaf's frames are again played at once.
RECOVERY: Final = 10.0
#: A frame's cost in seconds of audio or video: the time since the previous frame, clamped to these bounds.
PLAYED: Final = (0.002, 0.2)
#: Seconds around a reconnect of this client during which lists may have been missed.
EXCUSED: Final = 2.0
#: Maximum of excused seconds of audio or video per minute: an attacker that can cut this client's connection
#: can do so repeatedly. And maximum of unlisted frames of one key id (6 s of audio at 20 ms each): frames in
#: a burst cost almost no time.
EXCUSED_MAX: Final = 6.0
UNLISTED_KID_MAX: Final = 300
#: Frames beyond the last listed frame that are played before they are listed: some seconds of audio.
AHEAD_MAX: Final = 300
#: Seconds after which the unlisted seconds of an ended epoch are forgotten.
WRITE_OFF: Final = 60.0

#: Label under which a leaf certifies its media key.
MEDIA_KEY_LABEL: Final = "snug 1 media key"
_LIST_LABEL: Final = b"snug 1 signatures"


class UnverifiedFrameError(FutureEpochError):
    """A frame of a leaf in doubt that no list has named yet: hold it and retry when the next list arrives."""


def interval(members: int) -> float:
    """Return the seconds between two lists of one sender in a room with that many members."""
    return min(INTERVAL_MAX, max(INTERVAL, members / MEMBERS_A_SECOND))


def digest(frame: bytes) -> bytes:
    """Return the hash (16 bytes) of a frame in lists: over SFrame header and ciphertext only."""
    return H(frame)[:DIGEST_SIZE]


def scope(room: bytes, epoch_slot: int, epoch_authenticator: bytes) -> bytes:
    """Return the value (56 bytes) that binds certificates and lists to one epoch of one room."""
    return exactly(room, 16, "a room number") + uint(epoch_slot, 8) + H(epoch_authenticator)


def certified(scope_: bytes, leaf: int, key: bytes) -> bytes:
    """Return the data that the leaf signs under MEDIA_KEY_LABEL (`Membership.sign`) for a media key."""
    return scope_ + uint(leaf, 4) + exactly(key, KEY_SIZE, "a media key")


# -- the list ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """Frames of one key id with consecutive counters; `digests` are 16 bytes each."""

    kid: int
    first: int
    digests: bytes = field(repr=False)

    def __len__(self) -> int:
        return len(self.digests) // DIGEST_SIZE

    @property
    def last(self) -> int:
        """The highest counter."""
        return self.first + len(self) - 1

    def of(self, counter: int) -> bytes:
        """Return the hash of the frame with that counter, which must be in the run."""
        at = (counter - self.first) * DIGEST_SIZE
        return self.digests[at : at + DIGEST_SIZE]


@dataclass(frozen=True, slots=True)
class FrameList:
    """One sender's list in decoded form. It is unverified until `FrameVerifier.receive` accepts it."""

    leaf: int
    number: int
    key: bytes
    certificate: bytes = field(repr=False)
    runs: tuple[Run, ...]
    signature: bytes = field(default=b"", repr=False)

    @property
    def body(self) -> bytes:
        """The signed bytes, without label and scope. MalformedError if a value does not fit."""
        runs = b"".join(
            uint(run.kid, 4) + uint(run.first, 4) + uint(len(run), 2) + run.digests for run in self.runs
        )
        head = uint(VERSION, 1) + uint(self.leaf, 4) + uint(self.number, 4)
        return head + self.key + self.certificate + uint(len(self.runs), 1) + runs

    def signed(self, scope_: bytes, key: SigningKey) -> bytes:
        """Return the complete encoding, signed with the media key."""
        body = self.body
        return body + key.sign(_LIST_LABEL + scope_ + body)

    @classmethod
    def decode(cls, data: bytes) -> FrameList:
        """Decode a list. MalformedError on wrong order, empty runs, or more frames or runs than allowed."""
        reader = Reader(data)
        if (version := reader.uint(1)) != VERSION:
            raise MalformedError(f"media signatures of version {version}")
        leaf, number = reader.uint(4), reader.uint(4)
        key, certificate = reader.take(KEY_SIZE), reader.take(SIGNATURE_SIZE)
        runs: list[Run] = []
        total = 0
        for _ in range(reader.uint(1)):
            kid, first, count = reader.uint(4), reader.uint(4), reader.uint(2)
            run = Run(kid, first, reader.take(count * DIGEST_SIZE))
            total += count
            after = not runs or (kid, first) > (runs[-1].kid, runs[-1].last + 1)
            if not count or not after or run.last >= 1 << 32:
                raise MalformedError("a list of frames in another order than theirs")
            runs.append(run)
        if not runs or len(runs) > RUNS_MAX or total > FRAMES_MAX:
            raise MalformedError(f"a list of {len(runs)} runs and {total} frames")
        signature = reader.take(SIGNATURE_SIZE)
        reader.end()
        return cls(leaf, number, key, certificate, tuple(runs), signature)


class Signer(NotCopyable):
    """Lists and signs one leaf's frames of one epoch. Its repr shows no secret."""

    __slots__ = ("_certificate", "_key", "_leaf", "_next", "_pending", "_scope", "oldest")

    def __init__(self, leaf: int, scope_: bytes, key: SigningKey, certificate: bytes) -> None:
        """`certificate`: the leaf's signature (64 bytes) over `certified(scope_, leaf, key.public)`."""
        self._leaf = leaf
        self._scope = exactly(scope_, SCOPE_SIZE, "a scope")
        self._key = key
        self._certificate = exactly(certificate, SIGNATURE_SIZE, "a certificate")
        self._pending: dict[int, dict[int, bytes]] = {}  # key id -> counter -> hash
        self._next = 0
        #: Time at which the oldest pending frame was sealed; None if none is pending.
        self.oldest: float | None = None

    @property
    def used(self) -> bool:
        """Whether this key has signed a list."""
        return self._next > 0

    @property
    def secret(self) -> bytes:
        """The key's secret half (32 bytes), for disclosure long after the end of its epoch."""
        return self._key.seed

    def add(self, kid: int, counter: int, frame: bytes, now: float) -> None:
        """Add a sealed frame (header and ciphertext) to the pending frames."""
        self._pending.setdefault(kid, {})[counter] = digest(frame)
        if self.oldest is None:
            self.oldest = now

    def take(self) -> list[bytes]:
        """Return signed lists of all pending frames, and clear them."""
        runs: list[Run] = []
        for kid, frames in sorted(self._pending.items()):
            start: int | None = None
            held: list[bytes] = []
            for counter in sorted(frames):
                if start is not None and (counter != start + len(held) or len(held) == FRAMES_MAX):
                    runs.append(Run(kid, start, b"".join(held)))
                    start, held = None, []
                start = counter if start is None else start
                held.append(frames[counter])
            if start is not None:
                runs.append(Run(kid, start, b"".join(held)))
        self._pending.clear()
        self.oldest = None
        lists = []
        for portion in _portions(runs):
            if self._next >= LISTS_MAX:
                raise StateError("this media key has signed all the lists that it may")
            made = FrameList(self._leaf, self._next, self._key.public, self._certificate, portion)
            self._next += 1
            lists.append(made.signed(self._scope, self._key))
        return lists

    def __repr__(self) -> str:
        return f"Signer(leaf={self._leaf}, key={self._key.public.hex()})"


def _portions(runs: Iterable[Run]) -> Iterable[tuple[Run, ...]]:
    portion: list[Run] = []
    total = 0
    for run in runs:
        # a list must not hold adjacent runs of one key id (split because of their length)
        joined = bool(portion) and portion[-1].kid == run.kid and portion[-1].last + 1 == run.first
        if portion and (total + len(run) > FRAMES_MAX or len(portion) == RUNS_MAX or joined):
            yield tuple(portion)
            portion, total = [], 0
        portion.append(run)
        total += len(run)
    if portion:
        yield tuple(portion)


# -- checking ------------------------------------------------------------------------------------


class Finding(Enum):
    """A result of a `FrameVerifier` about its leaf, reported once until it changes."""

    FORGED = "forged"  # a frame opened under the leaf's key id, but the leaf did not sign it
    UNVERIFIED = "unverified"  # frames of the leaf have been unlisted for more than 2 s
    VERIFIED = "verified"  # frames of the leaf have been listed again for 10 s


class _Verdict(Enum):
    LISTED = 1
    UNLISTED = 2
    FORGED = 3
    LATE = 4  # the list that would name the frame has been discarded


class _Stream:
    """The listed frames of one key id."""

    __slots__ = ("_runs", "covered", "forgotten", "known_from", "torn")

    def __init__(self, torn: bool) -> None:
        self._runs: deque[tuple[float, int, Run]] = deque()  # arrival time, number of the list, run
        #: All frames that the sender sealed with counters from `known_from` to `covered` are known.
        self.known_from = 0
        self.covered = -1
        #: Lists up to this counter were discarded because of their age or number.
        self.forgotten = -1
        #: Lists were lost: the next run need not follow `covered` directly.
        self.torn = torn

    def judge(self, counter: int, hash_: bytes) -> _Verdict:
        if counter > self.covered:
            return _Verdict.UNLISTED  # normal for most frames: their list arrives later
        for _, _, run in reversed(self._runs):
            if run.first <= counter <= run.last:
                return _Verdict.LISTED if run.of(counter) == hash_ else _Verdict.FORGED
        if counter <= self.forgotten:
            return _Verdict.LATE
        passed_over = self.known_from <= counter <= self.covered
        return _Verdict.FORGED if passed_over else _Verdict.UNLISTED

    def number_of(self, counter: int) -> int | None:
        """Return the number of the list that names that counter; None if none does."""
        for _, number, run in self._runs:
            if run.first <= counter <= run.last:
                return number
        return None

    def extend(self, run: Run, number: int, now: float) -> None:
        if self.torn:
            self.torn, self.known_from = False, run.first
        self._runs.append((now, number, run))
        self.covered = run.last
        while self._runs[0][0] + LISTED_TIME <= now or self._runs[0][2].last <= self.covered - LISTED_MAX:
            self.forgotten = self._runs.popleft()[2].last
            self.known_from = max(self.known_from, self.forgotten + 1)


class _Epoch:
    """One leaf's lists in one epoch."""

    __slots__ = ("disclosed", "key", "number", "streams", "whole")

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.number = -1
        #: No list since number 0 was lost.
        self.whole = True
        self.disclosed = False
        self.streams: dict[int, _Stream] = {}

    def in_order(self, received: FrameList) -> None:
        """Raise MalformedError if a list names frames again, or more key ids than a leaf has."""
        firsts: dict[int, int] = {}
        for run in received.runs:
            firsts.setdefault(run.kid, run.first)
        if len(self.streams.keys() | firsts.keys()) > STREAMS:
            raise MalformedError("frames of more streams than one member has")
        if any(kid in self.streams and first <= self.streams[kid].covered for kid, first in firsts.items()):
            raise MalformedError("frames that an earlier list has named")

    def take(self, received: FrameList, now: float) -> None:
        self.key = received.key
        if received.number != self.number + 1:
            self.whole = False
            for stream in self.streams.values():
                stream.torn = True
        self.number = received.number
        for run in received.runs:
            if run.kid not in self.streams:
                self.streams[run.kid] = _Stream(torn=not self.whole)
            self.streams[run.kid].extend(run, received.number, now)


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """A frame that was played and that no list has named yet."""

    hash: bytes
    at: float  # in seconds played so far from this leaf; infinite: its list may have been missed
    cost: float
    opened_at: float


class FrameVerifier:
    """Compares one leaf's frames with its lists. Its memory is bounded (at worst a few hundred kilobytes).

    `epoch` is always the number of the MLS epoch. The caller reports the end of each epoch (`end_epoch`).
    `doubt` is the reason for comparing this leaf's frames before they are played; None: they are played at
    once.
    """

    __slots__ = (
        "_epochs",
        "_excused",
        "_excused_until",
        "_frame_at",
        "_good_since",
        "_played",
        "_step",
        "_unlisted",
        "_verified_at",
        "_written_off",
        "_written_off_at",
        "doubt",
        "findings",
    )

    def __init__(self) -> None:
        self.doubt: Literal["forged", "unverified"] | None = None
        self.findings: list[Finding] = []
        self._epochs: dict[int, _Epoch] = {}
        self._unlisted: dict[tuple[int, int, int], _Unlisted] = {}
        self._played = 0.0
        self._step = 0.0
        self._frame_at = -inf
        self._excused_until = -inf
        self._excused: deque[tuple[float, float]] = deque()  # of ended epochs: (time, seconds)
        self._good_since = self._verified_at = -inf
        self._written_off = 0.0
        self._written_off_at = -inf

    # -- frames --------------------------------------------------------------------------------

    def opening(self, epoch: int, kid: int, counter: int, frame: bytes, now: float) -> None:
        """Check a frame of this leaf's key id before it is opened.

        ValidationError("SNUG-22") if the leaf has signed another frame, or none, in its place.
        AuthenticationError if it arrives after the list that would name it was discarded (possible after a
        connection was interrupted). UnverifiedFrameError if no list has named it and the leaf is in doubt, or
        if it is far ahead of the lists: it would move the replay window past all frames sealed before it.
        """
        # Count time here, not in `opened`: otherwise one frame far ahead, after which no frame opens, would
        # stay unnoticed.
        self._play(now)
        verdict = self._judge(epoch, kid, counter, digest(frame))
        snug_22(forged=verdict is _Verdict.FORGED, unlisted=0.0)
        if verdict is _Verdict.LATE:
            raise AuthenticationError("a frame that comes too late to be compared")
        if verdict is _Verdict.UNLISTED:
            if self.doubt is not None:
                raise UnverifiedFrameError("a frame that its sender has not signed yet")
            if counter - self._covered(epoch, kid) > AHEAD_MAX:
                if self._too_many(epoch, kid):
                    self._doubt("unverified")
                raise UnverifiedFrameError("a frame far ahead of all that its sender has signed")

    def opened(self, epoch: int, kid: int, counter: int, frame: bytes, now: float) -> None:
        """Record the same frame after it has opened."""
        hash_ = digest(frame)
        if self._judge(epoch, kid, counter, hash_) is _Verdict.LISTED:
            self._verified(now)
            return
        if self._too_many(epoch, kid):
            self._doubt("unverified")  # far more than two seconds of any stream
            return
        at = inf if now < self._excused_until else self._played
        self._unlisted[epoch, kid, counter] = _Unlisted(hash_, at, self._step, now)

    def _too_many(self, epoch: int, kid: int) -> bool:
        count = len(self._unlisted)
        if UNLISTED_KID_MAX <= count < UNLISTED_MAX:
            return sum(which[:2] == (epoch, kid) for which in self._unlisted) >= UNLISTED_KID_MAX
        return count >= UNLISTED_MAX

    def listed_in(self, epoch: int, kid: int, counter: int) -> int | None:
        """Return the number of the list that names a frame, or of the next list if the frame is newer.

        None if lists that may have named it were lost.
        """
        held = self._epochs.get(epoch)
        if held is None:
            return 0
        stream = held.streams.get(kid)
        if stream is None:
            return held.number + 1 if held.whole else None
        if counter > stream.covered:
            return None if stream.torn else held.number + 1
        return stream.number_of(counter)

    def tick(self, now: float) -> None:
        """Detect frames that are unlisted for too long. Call it only while server messages arrive.

        All messages received until `now` must have been processed. Lists for frames opened after `now` may
        still be in the queue: a client that lags behind must not blame the sender.
        """
        if self.doubt is not None:
            return
        try:
            snug_22(forged=False, unlisted=self.unlisted(now))
        except ValidationError:
            self._doubt("unverified")
        if self.excused(now) > EXCUSED_MAX:
            self._doubt("unverified")

    def unlisted(self, now: float) -> float:
        """Return the unlisted seconds of audio or video, counted from the oldest unlisted frame."""
        if self._written_off_at + WRITE_OFF <= now:
            self._written_off = 0.0
        oldest = min((frame.at for frame in self._unlisted.values()), default=inf)
        since = max(0.0, self._frame_at - now)
        return self._written_off + max(0.0, self._played - since - oldest)

    def excused(self, now: float) -> float:
        """Return the excused seconds of audio or video within the last minute that are in no list."""
        while self._excused and self._excused[0][0] + WRITE_OFF <= now:
            self._excused.popleft()
        forgotten = [
            which
            for which, frame in self._unlisted.items()
            if frame.at == inf and frame.opened_at + WRITE_OFF <= now
        ]
        for which in forgotten:
            del self._unlisted[which]
        still = sum(frame.cost for frame in self._unlisted.values() if frame.at == inf)
        return still + sum(seconds for _, seconds in self._excused)

    def excuse(self, until: float) -> None:
        """Excuse unlisted frames up to that time, because their lists may have been missed.

        At most EXCUSED_MAX seconds per minute are excused.
        """
        self._excused_until = until
        self._unlisted = {which: replace(frame, at=inf) for which, frame in self._unlisted.items()}

    # -- lists ---------------------------------------------------------------------------------

    def receive(self, epoch: int, scope_: bytes, received: FrameList, leaf_key: bytes, now: float) -> None:
        """Process a list in this leaf's name, of a current epoch. `leaf_key`: the leaf's signature key.

        ReplayError if this list or a later one was processed before; AuthenticationError if the leaf has not
        certified the key, the key has not signed the list, or the key is disclosed; MalformedError if it
        names more key ids than a leaf has, or a frame again. An error changes no state.
        """
        held = self._epochs.get(epoch, _Epoch())
        if received.number <= held.number:
            raise ReplayError("a list of frames that has been heard")
        if held.disclosed:
            raise AuthenticationError("a list under a key that is no secret any more")
        if held.key is None:
            vouched = certified(scope_, received.leaf, received.key)
            verify_with_label(leaf_key, MEDIA_KEY_LABEL, vouched, received.certificate)
        elif held.key != received.key:
            raise AuthenticationError("a list under another media key than this leaf's")
        verify(received.key, _LIST_LABEL + scope_ + received.body, received.signature)
        held.in_order(received)
        held.take(received, now)
        self._epochs[epoch] = held
        self._compare(epoch, now)

    def mark_disclosed(self, public: bytes) -> None:
        """Reject further lists under this media key, whose secret half was disclosed, if it is the leaf's."""
        for held in self._epochs.values():
            held.disclosed |= held.key == public

    def end_epoch(self, epoch: int, now: float) -> None:
        """Discard an epoch whose frames are no longer opened, but keep the sum of its unlisted seconds."""
        self._epochs.pop(epoch, None)
        owed = [self._unlisted.pop(which) for which in list(self._unlisted) if which[0] == epoch]
        lost = sum(frame.cost for frame in owed if frame.at != inf)
        if lost:
            before = self._written_off if now < self._written_off_at + WRITE_OFF else 0.0
            self._written_off, self._written_off_at = before + lost, now
        excused = sum(frame.cost for frame in owed if frame.at == inf)
        if excused:
            self._excused.append((now, excused))

    def end_all(self, now: float) -> None:
        """End all current epochs after this client has joined anew; the record of the leaf stays."""
        for epoch in {*self._epochs, *(which[0] for which in self._unlisted)}:
            self.end_epoch(epoch, now)

    # -- internal --------------------------------------------------------------------------------

    def _covered(self, epoch: int, kid: int) -> int:
        """Return the highest counter that a list has named; -1 before the first."""
        held = self._epochs.get(epoch)
        stream = None if held is None else held.streams.get(kid)
        return -1 if stream is None else stream.covered

    def _judge(self, epoch: int, kid: int, counter: int, hash_: bytes) -> _Verdict:
        held = self._epochs.get(epoch)
        stream = None if held is None else held.streams.get(kid)
        return _Verdict.UNLISTED if stream is None else stream.judge(counter, hash_)

    def _compare(self, epoch: int, now: float) -> None:
        """Compare the frames played so far with the list that has just arrived."""
        for which, frame in list(self._unlisted.items()):
            if which[0] != epoch:
                continue
            verdict = self._judge(*which, frame.hash)
            if verdict in (_Verdict.LISTED, _Verdict.FORGED):
                del self._unlisted[which]
            if verdict is _Verdict.FORGED:
                self._doubt("forged")

    def _play(self, now: float) -> None:
        least, most = PLAYED
        self._step = min(most, max(least, now - self._frame_at))
        self._played += self._step
        self._frame_at = now

    def _doubt(self, why: Literal["forged", "unverified"]) -> None:
        if self.doubt in ("forged", why):
            return  # "forged" is permanent: an attacker that forged one frame can forge others
        self.doubt = why
        self._verified_at = -inf
        self.findings.append(Finding.FORGED if why == "forged" else Finding.UNVERIFIED)

    def _verified(self, now: float) -> None:
        if self.doubt != "unverified":
            return
        if now - self._verified_at > MEDIA_SIGNATURE_TIME:
            self._good_since = now
        self._verified_at = now
        if now - self._good_since >= RECOVERY:
            self.doubt = None
            self._unlisted.clear()
            self._excused.clear()
            self._written_off = 0.0
            self.findings.append(Finding.VERIFIED)
