"""Checking media signatures: which frames a receiver believes, by the signed lists that arrive."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from math import inf
from typing import Final, Literal

from snugroom.crypto.agreed.policy import MEDIA_SIGNATURE_TIME, snug_22
from snugroom.crypto.errors import AuthenticationError, MalformedError, ReplayError, ValidationError
from snugroom.crypto.kdf import verify
from snugroom.crypto.media import signatures
from snugroom.crypto.media.keys import STREAMS
from snugroom.crypto.mls.labels import verify_with_label

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
#: Maximum of excused seconds of audio or video per minute: an attacker that can cut this client's connection
#: can do so repeatedly. And maximum of unlisted frames of one key id (6 s of audio at 20 ms each): frames in
#: a burst cost almost no time.
EXCUSED_MAX: Final = 6.0
UNLISTED_KID_MAX: Final = 300
#: Frames beyond the last listed frame that are played before they are listed: some seconds of audio.
AHEAD_MAX: Final = 300
#: Seconds for which the lists of a leaf in doubt may still come, before the leaf is reported: on a busy
#: machine, lists may wait for longer than frames. Frames wait meanwhile.
GRACE: Final = 3.0
#: Seconds after which the unlisted seconds of an ended epoch are forgotten.
WRITE_OFF: Final = 60.0


class Finding(Enum):
    """A result of a `FrameVerifier` about its leaf, reported once until it changes."""

    FORGED = "forged"  # a frame opened under the leaf's key id, but the leaf did not sign it
    UNVERIFIED = "unverified"  # frames of the leaf have been unlisted for more than 2 s, and for 3 s more
    VERIFIED = "verified"  # frames of the leaf have been listed again for 10 s


class _Verdict(Enum):
    LISTED = 1
    UNLISTED = 2
    FORGED = 3
    LATE = 4  # the list that would name the frame has been discarded


class _Heard:
    """The listed frames of one key id, a layer of `stream`."""

    __slots__ = ("_runs", "covered", "forgotten", "known_from", "stream", "torn")

    def __init__(self, stream: int, torn: bool) -> None:
        self.stream = stream
        self._runs: deque[tuple[float, int, signatures.Run]] = (
            deque()
        )  # arrival time, number of the list, run
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

    def extend(self, run: signatures.Run, number: int, now: float) -> None:
        if self.torn:
            self.torn, self.known_from = False, run.first
        self._runs.append((now, number, run))
        self.covered = run.last
        while self._runs[0][0] + LISTED_TIME <= now or self._runs[0][2].last <= self.covered - LISTED_MAX:
            self.forgotten = self._runs.popleft()[2].last
            self.known_from = max(self.known_from, self.forgotten + 1)


@dataclass(slots=True)
class _Sequence:
    """The lists of one announced stream: the number of the last one, and whether all before it came."""

    number: int = -1
    whole: bool = True


class _Epoch:
    """One leaf's lists in one epoch."""

    __slots__ = ("disclosed", "heard", "key", "sequences")

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.disclosed = False
        self.sequences: dict[int, _Sequence] = {}  # by announced stream
        self.heard: dict[int, _Heard] = {}  # by key id

    def sequence(self, stream: int) -> _Sequence:
        return self.sequences.get(stream, _Sequence())

    def in_order(self, received: signatures.FrameList) -> None:
        """Raise MalformedError if a list names frames again, another stream's, or more than a leaf has."""
        if len(self.heard.keys() | {run.kid for run in received.runs}) > STREAMS:
            raise MalformedError("the list names more streams than one member has")
        for run in received.runs:
            heard = self.heard.get(run.kid)
            if heard is not None and heard.stream != received.stream:
                raise MalformedError("the list names frames of another stream than its own")
            if heard is not None and run.first <= heard.covered:
                raise MalformedError("an earlier list has named these frames")

    def take(self, received: signatures.FrameList, now: float) -> None:
        self.key = received.key
        sequence = self.sequences.setdefault(received.stream, _Sequence())
        if received.number != sequence.number + 1:
            sequence.whole = False
            for heard in self.heard.values():
                heard.torn |= heard.stream == received.stream
        sequence.number = received.number
        for run in received.runs:
            if run.kid not in self.heard:
                self.heard[run.kid] = _Heard(received.stream, torn=not sequence.whole)
            self.heard[run.kid].extend(run, received.number, now)


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """A frame that no list has named yet: it was played, or it is held until its list comes."""

    hash: bytes
    at: float  # in seconds played so far from this leaf; infinite: its list may have been missed, or held
    cost: float
    opened_at: float
    held: bool = False


class FrameVerifier:
    """Compares one leaf's frames with its lists. Its memory is bounded (at worst a few hundred kilobytes).

    `epoch` is always the number of the MLS epoch. The caller reports the end of each epoch (`end_epoch`).
    `doubt` is the reason for comparing this leaf's frames before they are played; None: they are played at
    once. If the missing lists come within GRACE, the doubt ends and nothing is reported.
    """

    __slots__ = (
        "_ahead_since", "_epochs", "_excused", "_excused_until", "_frame_at", "_good_since",
        "_late_since", "_played", "_step", "_unlisted", "_verified_at", "_written_off",
        "_written_off_at", "doubt", "findings",
    )  # fmt: skip

    def __init__(self) -> None:
        self.doubt: Literal["forged", "unverified"] | None = None
        self.findings: list[Finding] = []
        self._epochs: dict[int, _Epoch] = {}
        self._unlisted: dict[tuple[int, int, int], _Unlisted] = {}
        self._played = 0.0
        self._step = 0.0
        self._frame_at = -inf
        #: (epoch, key id) -> when a frame was far ahead of the lists, for the first time since the last list.
        self._ahead_since: dict[tuple[int, int], float] = {}
        self._excused_until = -inf
        self._excused: deque[tuple[float, float]] = deque()  # of ended epochs: (time, seconds)
        self._good_since = self._verified_at = -inf
        #: When the leaf fell into doubt, if that has not been reported.
        self._late_since: float | None = None
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
        hash_ = signatures.digest(frame)
        verdict = self._judge(epoch, kid, counter, hash_)
        snug_22(forged=verdict is _Verdict.FORGED, unlisted=0.0)
        if verdict is _Verdict.LATE:
            raise AuthenticationError("the frame comes too late to be compared")
        if verdict is _Verdict.UNLISTED:
            if self.doubt is not None:
                self._hold(epoch, kid, counter, hash_, now)
                raise signatures.UnverifiedFrameError("the sender has not signed this frame yet")
            if counter - self._covered(epoch, kid) > AHEAD_MAX:
                self._ahead_since.setdefault((epoch, kid), now)
                if self._too_many(epoch, kid):
                    self._doubt("unverified", now)
                raise signatures.UnverifiedFrameError(
                    "the frame is far ahead of all frames that its sender has signed"
                )

    def opened(self, epoch: int, kid: int, counter: int, frame: bytes, now: float) -> None:
        """Record the same frame after it has opened."""
        hash_ = signatures.digest(frame)
        if self._judge(epoch, kid, counter, hash_) is _Verdict.LISTED:
            self._verified(now)
            return
        if self._too_many(epoch, kid):
            self._doubt("unverified", now)  # far more than two seconds of any stream
            return
        at = inf if now < self._excused_until else self._played
        self._unlisted[epoch, kid, counter] = _Unlisted(hash_, at, self._step, now)

    def _too_many(self, epoch: int, kid: int) -> bool:
        count = len(self._unlisted)
        if UNLISTED_KID_MAX <= count < UNLISTED_MAX:
            return sum(which[:2] == (epoch, kid) for which in self._unlisted) >= UNLISTED_KID_MAX
        return count >= UNLISTED_MAX

    def listed_in(self, epoch: int, stream: int, kid: int, counter: int) -> int | None:
        """Return the number of the list that names a frame of that announced stream.

        If no list names it yet: the number of the stream's next list. None if lists that may have named it
        were lost.
        """
        held = self._epochs.get(epoch)
        if held is None:
            return 0
        sequence, heard = held.sequence(stream), held.heard.get(kid)
        if heard is None:
            return sequence.number + 1 if sequence.whole else None
        if counter > heard.covered:
            return None if heard.torn else sequence.number + 1
        return heard.number_of(counter)

    def tick(self, now: float) -> None:
        """Detect frames that are unlisted for too long. Call it only while server messages arrive.

        All messages received until `now` must have been processed. Lists for frames opened after `now` may
        still be in the queue: a client that lags behind must not blame the sender.
        """
        if self.doubt is not None:
            self._relieve(now)
            if self._late_since is not None and now >= self._late_since + GRACE:
                self._late_since = None
                self.findings.append(Finding.UNVERIFIED)
        elif self._owes(now):
            self._doubt("unverified", now)

    def _owes(self, now: float) -> bool:
        try:
            snug_22(forged=False, unlisted=self.unlisted(now))
        except ValidationError:
            return True
        ahead = any(now - since > MEDIA_SIGNATURE_TIME for since in self._ahead_since.values())
        return ahead or self.excused(now) > EXCUSED_MAX

    def _relieve(self, now: float) -> None:
        """End a doubt that has not been reported, if the lists that were missing have come."""
        if self._late_since is None:
            return
        played = {which: frame for which, frame in self._unlisted.items() if not frame.held}
        if len(played) < UNLISTED_KID_MAX and not self._owes(now):
            self._unlisted = played
            self.doubt = self._late_since = None

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

    def receive(
        self, epoch: int, scope_: bytes, received: signatures.FrameList, leaf_key: bytes, now: float
    ) -> None:
        """Process a list in this leaf's name, of a current epoch. `leaf_key`: the leaf's signature key.

        ReplayError if this list or a later one of its stream was processed before; AuthenticationError if
        the leaf has not certified the key, the key has not signed the list, or the key is disclosed;
        MalformedError if it names more key ids than a leaf has, another stream's, or a frame again. An error
        changes no state.
        """
        held = self._epochs.get(epoch, _Epoch())
        if received.number <= held.sequence(received.stream).number:
            raise ReplayError("this list of frames was received before")
        if held.disclosed:
            raise AuthenticationError("the list is under a key that is no longer secret")
        if held.key is None:
            vouched = signatures.certified(scope_, received.leaf, received.key)
            verify_with_label(leaf_key, signatures.MEDIA_KEY_LABEL, vouched, received.certificate)
        elif held.key != received.key:
            raise AuthenticationError("the list is under another media key than this leaf's")
        verify(received.key, signatures.LIST_LABEL + scope_ + received.body, received.signature)
        held.in_order(received)
        held.take(received, now)
        self._epochs[epoch] = held
        self._catch_up(epoch, held, received.stream)
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
        self._ahead_since.clear()
        for epoch in {*self._epochs, *(which[0] for which in self._unlisted)}:
            self.end_epoch(epoch, now)

    # -- internal --------------------------------------------------------------------------------

    def _covered(self, epoch: int, kid: int) -> int:
        """Return the highest counter that a list has named; -1 before the first."""
        held = self._epochs.get(epoch)
        heard = None if held is None else held.heard.get(kid)
        return -1 if heard is None else heard.covered

    def _judge(self, epoch: int, kid: int, counter: int, hash_: bytes) -> _Verdict:
        held = self._epochs.get(epoch)
        heard = None if held is None else held.heard.get(kid)
        return _Verdict.UNLISTED if heard is None else heard.judge(counter, hash_)

    def _catch_up(self, epoch: int, held: _Epoch, stream: int) -> None:
        """Forget which frames were ahead of the lists of a stream, or of no stream that a list has named."""
        for which in list(self._ahead_since):
            heard = held.heard.get(which[1])
            if which[0] != epoch or heard is None or heard.stream == stream:
                del self._ahead_since[which]

    def _hold(self, epoch: int, kid: int, counter: int, hash_: bytes, now: float) -> None:
        """Note that a frame waits for its list. One that waits for too long delays the end of a doubt."""
        if len(self._unlisted) < UNLISTED_MAX:
            self._unlisted.setdefault((epoch, kid, counter), _Unlisted(hash_, inf, 0.0, now, held=True))
        else:
            self._good_since = now

    def _compare(self, epoch: int, now: float) -> None:
        """Compare the frames played so far with the list that has just arrived.

        A frame that was held and is not the leaf's may be anybody's: it is refused, and accuses nobody.
        """
        for which, frame in list(self._unlisted.items()):
            if which[0] != epoch:
                continue
            verdict = self._judge(*which, frame.hash)
            if verdict in (_Verdict.LISTED, _Verdict.FORGED):
                del self._unlisted[which]
            if verdict is _Verdict.FORGED and not frame.held:
                self._doubt("forged", now)
        self._relieve(now)

    def _play(self, now: float) -> None:
        least, most = PLAYED
        self._step = min(most, max(least, now - self._frame_at))
        self._played += self._step
        self._frame_at = now

    def _doubt(self, why: Literal["forged", "unverified"], now: float) -> None:
        if self.doubt in ("forged", why):
            return  # "forged" is permanent: an attacker that forged one frame can forge others
        self.doubt = why
        self._verified_at = -inf
        self._late_since = None if why == "forged" else now
        if why == "forged":
            self.findings.append(Finding.FORGED)

    def _verified(self, now: float) -> None:
        if self.doubt != "unverified" or self._late_since is not None:
            return
        if now - self._verified_at > MEDIA_SIGNATURE_TIME:
            self._good_since = now
        self._verified_at = now
        # A server could send the lists of one stream and withhold those of another.
        late = [which for which, f in self._unlisted.items() if f.held and now - f.opened_at > GRACE]
        for which in late:
            del self._unlisted[which]
        if late:
            self._good_since = now
        if now - self._good_since >= RECOVERY:
            self.doubt = None
            self._unlisted.clear()
            self._excused.clear()
            self._written_off = 0.0
            self.findings.append(Finding.VERIFIED)
