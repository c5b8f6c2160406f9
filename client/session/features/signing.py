"""Media signatures: sign which frames are ours, and compare the others' frames with their lists.

Protocol section 10, SNUG-22. `crypto.media.signatures` has the lists and the verdicts on one leaf. This
module decides when lists are sent, to which epoch frames belong, and which findings are reported.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Final

from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.early import EarlyBlobs
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.membership import exported
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import MissingKeyError, ReplayError, SnugError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.media.keys import ADD_SWITCH, EPOCH_BITS, base_stream
from snugroom.crypto.media.sframe import Header
from snugroom.crypto.media.signatures import (
    EXCUSED,
    MEDIA_KEY_LABEL,
    FrameList,
    Signer,
    UnverifiedFrameError,
    certified,
    interval,
    scope,
)
from snugroom.crypto.media.verifier import Finding, FrameVerifier
from snugroom.wire.limits import BUCKETS, LIST_BLOB_MAX, LIST_SIZES

#: Seconds beyond the interval of lists for which frames may wait to be signed; then sealing stops. Receivers
#: allow 2 s of played media, and media sealed within 1 s takes longer to play if a busy machine or a bad
#: network spreads it.
PATIENCE: Final = 0.5
#: Seconds before a lost connection in which lists may not have been sent out.
RESEND: Final = 5.0
#: Seconds after an epoch for which its lists count: senders of played frames may have been away when it
#: ended. The key is published long after that.
LATE: Final = 10.0
#: Seconds after all members were heard in a later epoch until an epoch's media key is published, and between
#: two such messages. Members accept lists of an epoch until LATE after they have left it.
PUBLISH_AFTER: Final = 60.0
PUBLISH_EVERY: Final = 60.0
#: Keys that wait to be published, because a member may still be in their epoch. The oldest are dropped.
_OLD_KEYS_MAX: Final = 1024
_SENT_MAX: Final = 64
#: Blobs that are kept for LATE for an epoch that we have not reached yet, and their bytes in all: the lists
#: of a hundred members for two seconds.
EARLY_MAX: Final = 256
EARLY_BYTES: Final = 512 * 1024


@dataclass(eq=False)
class _Epoch:
    """An epoch in which frames are sealed or opened. Its repr shows no key."""

    number: int
    slot: int
    key: bytes
    scope: bytes
    signer: Signer | None = None
    #: When its last lists count: its senders have stopped before.
    over_at: float = inf

    def __repr__(self) -> str:
        return f"_Epoch({self.number}, slot={self.slot})"


@dataclass(eq=False)
class _OldKey:
    """The secret half of the media key of an epoch that is over here."""

    epoch: int
    secret: bytes = field(repr=False)
    #: None while a member may still be in that epoch.
    publish_at: float | None = None


class Signing(Feature):
    """`refused` counts invalid lists, whose senders cannot be determined."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.refused = 0
        self._epochs: dict[int, _Epoch] = {}  # by slot, oldest first
        self._checkers: dict[int, FrameVerifier] = {}  # by leaf
        self._connected = False
        self._excused_until = -inf
        self._lost_at: float | None = None
        self._early = EarlyBlobs(most=EARLY_MAX, size=EARLY_BYTES, seconds=LATE)
        self._sent: deque[tuple[float, bytes, int | None]] = deque(maxlen=_SENT_MAX)
        self._old_keys: deque[_OldKey] = deque(maxlen=_OLD_KEYS_MAX)
        self._publish_at = -inf
        self._now = -inf
        self._begin()

    def carry_over(self, old: Room) -> None:
        """Signatures from before a rejoin must prove nothing later either."""
        before = old.feature(Signing)
        self._old_keys = before._old_keys
        for epoch in before._epochs.values():
            self._retire(epoch)
        # Doubt about members stays. Otherwise an attacker that can force our rejoin could again speak in
        # their names.
        for leaf, checker in before._checkers.items():
            self._keep(checker, old.membership.signature_key(leaf), before._now)

    def _keep(self, checker: FrameVerifier, key: bytes | None, now: float) -> None:
        """Move a checker to the current leaf of the member with that signature key (32 bytes)."""
        members = self.room.membership.members()
        leaf = next((n for n, _, _ in members if self.room.membership.signature_key(n) == key), None)
        if leaf is not None:
            checker.end_all(now)
            self._checkers[leaf] = checker

    # -- the connection ----------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        """Resend our recent lists, and excuse gaps: lists were lost while we were away."""
        self._connected = True
        self._excuse(now + EXCUSED)
        if self._lost_at is not None:
            for sent_at, blob, ssrc in self._sent:
                if sent_at > self._lost_at - RESEND:
                    self.room.broadcast(blob, ssrc=ssrc)
        self._lost_at = None
        self._sign(now, all_of_it=True)

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        if self._connected:
            self._lost_at = now
        self._connected = False

    def _excuse(self, until: float) -> None:
        self._excused_until = until
        for checker in self._checkers.values():
            checker.excuse(until)

    def tick(self, now: float) -> None:
        self._now = now
        self._end_epochs(now)
        if self.room.is_synced(now):
            self._sign(now)
            self._publish(now)
        if self._connected:
            for checker in self._checkers.values():
                checker.tick(now)
        self._tell_findings()

    # -- epochs --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        m = self.room.membership
        slot = m.epoch_slot
        bound = scope(m.room, slot, m.group.epoch_authenticator)
        self._epochs[slot] = _Epoch(m.group.epoch, slot, exported(m.group, "signatures"), bound)
        self._members = len(m.members())

    def adopted(self, change: Change, now: float) -> None:
        switch = now if change.removed else now + ADD_SWITCH
        for epoch in self._epochs.values():
            epoch.over_at = min(epoch.over_at, switch + LATE)
        for leaf, _, key in change.removed:
            checker = self._checkers.pop(leaf, None)
            if checker is not None and change.rejoined:
                # The same member: doubt about it stays, and it cannot list its unlisted frames any more.
                checker.excuse(max(now, self._excused_until))
                self._keep(checker, key, now)
        bits = self.room.membership.group.epoch % (1 << EPOCH_BITS)
        for epoch in list(self._epochs.values()):
            if epoch.number % (1 << EPOCH_BITS) == bits:
                self._end(epoch, now)  # the keys of its frames are gone too
        self._begin()
        for blob in self._early.take(now)[0]:
            self.broadcast_received(blob, now)

    def _end_epochs(self, now: float) -> None:
        for epoch in list(self._epochs.values()):
            if epoch.over_at <= now:
                self._end(epoch, now)

    def _end(self, epoch: _Epoch, now: float) -> None:
        del self._epochs[epoch.slot]
        self._retire(epoch)
        for checker in self._checkers.values():
            checker.end_epoch(epoch.number, now)

    def _retire(self, epoch: _Epoch) -> None:
        if epoch.signer is not None and epoch.signer.used:
            self._old_keys.append(_OldKey(epoch.number, epoch.signer.secret))

    def _epoch_of(self, kid: int) -> _Epoch | None:
        bits = kid % (1 << EPOCH_BITS)
        held = (e for e in self._epochs.values() if e.number % (1 << EPOCH_BITS) == bits)
        return next(held, None)

    # -- our own frames ------------------------------------------------------------------------------

    def pause_reason(self, now: float) -> str | None:
        if not self._connected:
            # Receivers have little patience: frames that cannot be signed now would count against us later.
            return sentence("signing.away")
        oldest = min((at for e in self._epochs.values() if (at := _oldest(e)) is not None), default=now)
        if now - oldest > interval(self._members) + PATIENCE:
            return sentence("signing.out_of_step")
        return None

    def frame_sealed(self, stream: int, frame: bytes, now: float) -> None:
        header = Header.decode(frame)
        epoch = self._epoch_of(header.kid)
        if epoch is None:
            return  # sealed with keys that nobody has any more
        if epoch.signer is None:
            leaf = self.room.membership.own_leaf
            key = SigningKey.generate(self.room.rng)
            certificate = self.room.membership.sign(MEDIA_KEY_LABEL, certified(epoch.scope, leaf, key.public))
            epoch.signer = Signer(leaf, epoch.scope, key, certificate)
        announced, _ = base_stream(stream)
        ssrc = self.room.own_ssrc(announced)
        epoch.signer.add(announced, ssrc, header.kid, header.counter, frame, now)

    def _sign(self, now: float, *, all_of_it: bool = False) -> None:
        waiting = [epoch for epoch in self._epochs.values() if _oldest(epoch) is not None]
        for epoch in waiting:
            signer = epoch.signer
            assert signer is not None
            assert signer.oldest is not None
            # Once we seal in the next epoch, this epoch's list is complete: send it at once.
            if all_of_it or epoch is not waiting[-1] or now - signer.oldest >= interval(self._members):
                for signed in signer.take():
                    m = self.room.membership
                    sizes = BUCKETS if signed.ssrc is None else LIST_SIZES
                    blob = envelope.seal(
                        epoch.key, "signatures", m.room, epoch.slot, signed.data, sizes, rng=self.room.rng
                    )
                    self._sent.append((now, blob, signed.ssrc))
                    self.room.broadcast(blob, ssrc=signed.ssrc)

    def _publish(self, now: float) -> None:
        """Publish the secret halves of old keys, so that holders of our signatures could have forged them.

        A member from whom the server withholds a commit still believes the lists of the epoch before it. So a
        key is published only when all members have signed that they are in a later epoch.
        """
        if not self._old_keys:
            return
        oldest = self.room.feature(Monitor).oldest_epoch()
        for key in self._old_keys:
            if key.publish_at is None and key.epoch < oldest:
                key.publish_at = now + PUBLISH_AFTER
        ready = (key for key in self._old_keys if key.publish_at is not None and key.publish_at <= now)
        due = list(islice(ready, content.SECRETS_MAX))
        if due and now >= self._publish_at:
            self._publish_at = now + PUBLISH_EVERY
            for key in due:
                self._old_keys.remove(key)
            self.room.relay(content.MediaSecret([key.secret for key in due]))

    # -- the others' frames --------------------------------------------------------------------------

    def check_frame(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        if not self._connected:
            # Nothing is counted now: frames that the server forwards meanwhile wait for the connection.
            raise UnverifiedFrameError("a frame that came while no list can come")
        header = Header.decode(frame)
        epoch = self._epoch_of(header.kid)
        if epoch is None:
            raise MissingKeyError("a frame of an epoch that no list could name any more")
        if leaf != self.room.membership.own_leaf:
            self._checker(leaf).opening(epoch.number, header.kid, header.counter, frame, now)

    def frame_opened(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        header = Header.decode(frame)
        epoch = self._epoch_of(header.kid)
        if epoch is not None:
            self._checker(leaf).opened(epoch.number, header.kid, header.counter, frame, now)

    def listed_in(self, leaf: int, stream: int, frame: bytes) -> tuple[int, int | None]:
        """Return the epoch's number for an opened frame, and the result of `FrameVerifier.listed_in`."""
        header = Header.decode(frame)
        epoch = self._epoch_of(header.kid)
        if epoch is None:
            return -1, None
        checker, announced = self._checker(leaf), base_stream(stream)[0]
        return epoch.number, checker.listed_in(epoch.number, announced, header.kid, header.counter)

    def broadcast_received(self, blob: bytes, now: float) -> bool:
        try:
            slot = envelope.epoch_slot(blob)
            epoch = self._epochs.get(slot)
            if epoch is None:
                if slot > self.room.membership.epoch_slot and len(blob) <= LIST_BLOB_MAX:
                    self._early.add(blob, now)
                return False
            payload = envelope.open(epoch.key, "signatures", self.room.membership.room, blob)
        except SnugError:
            return False  # another feature's, or garbage
        if now < epoch.over_at:
            self._hear(epoch, payload, now)
        return True

    def _hear(self, epoch: _Epoch, payload: bytes, now: float) -> None:
        m = self.room.membership
        try:
            heard = FrameList.decode(payload)
            leaf_key = m.signature_key(heard.leaf)
            if leaf_key is None or heard.leaf == m.own_leaf:
                raise MissingKeyError(f"a list in the name of leaf {heard.leaf}")
            self._checker(heard.leaf).receive(epoch.number, epoch.scope, heard, leaf_key, now)
        except ReplayError:
            return  # lists are broadcast again after a lost connection
        except SnugError:
            self.refused += 1
            return
        self._tell_findings()

    def contents(self) -> Contents:
        return {content.MediaSecret: self._disclosed}

    def _disclosed(self, received: mls.ApplicationMessage, what: content.MediaSecret, now: float) -> None:
        checker = self._checkers.get(received.sender)
        if checker is not None:
            for secret in what.secrets:
                checker.mark_disclosed(SigningKey(secret).public)

    def _checker(self, leaf: int) -> FrameVerifier:
        checker = self._checkers.get(leaf)
        if checker is None:
            checker = self._checkers[leaf] = FrameVerifier()
            checker.excuse(self._excused_until)
        return checker

    def _tell_findings(self) -> None:
        found: dict[Finding, list[str]] = {}
        for leaf, checker in self._checkers.items():
            for finding in checker.findings:
                found.setdefault(finding, []).append(self.room.membership.name(leaf))
            checker.findings.clear()
        for name in found.get(Finding.FORGED, ()):
            self.room.tell(sentences.alarm("forged_media", name=name))
        if Finding.UNVERIFIED in found:
            self.room.tell(sentences.alarm("unverified_media", names=found[Finding.UNVERIFIED]))
        if Finding.VERIFIED in found:
            self.room.tell(sentences.status("verified", names=found[Finding.VERIFIED]))


def _oldest(epoch: _Epoch) -> float | None:
    return None if epoch.signer is None else epoch.signer.oldest
