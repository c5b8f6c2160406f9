"""Files for all present members: an offer by the relay, then pieces that the server does not store.

Protocol section 7. The offer carries the file's own key and the digest of the whole. Receivers ask the sender
alone for missing pieces. Nothing here opens or runs a file.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.outbox import SeenDigests
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.names import is_visible
from snugroom.crypto.errors import MalformedError, SnugError
from snugroom.crypto.fields import Reader, uint
from snugroom.crypto.kdf import H
from snugroom.wire.limits import BUCKETS

#: Seconds between two pieces of ours: about 400 kB/s, which leaves capacity below the server's limits.
PIECE_EVERY: Final = 0.15
#: Own files that may wait or be sent; files that may be received at a time, and their total bytes.
OUT_MAX: Final = 8
IN_MAX: Final = 8
IN_BYTES: Final = 4 * content.FILE_MAX
#: Seconds without a new piece before missing ones are requested, and requests in a row.
QUIET: Final = 2.0
ASK_MAX: Final = 5
#: Seconds for which a file that has been sent can be requested again.
KEPT: Final = 60.0
#: Pieces that are resent for one file, as a multiple of its pieces: more is abuse.
AGAIN_TIMES: Final = 20


@dataclass
class _Out:
    offer: content.File
    data: bytes = field(repr=False)
    waiting: deque[int]
    sent_at: float | None = None
    done: bool = False
    released: bool = False  # the person has decided that it goes on, whoever may read it
    budget: int = 0


@dataclass
class _In:
    leaf: int
    offer: content.File
    pieces: dict[int, bytes] = field(repr=False)
    heard_at: float
    asked: int = 0


def pieces_of(size: int) -> int:
    """Return the number of pieces of a file of that size (bytes)."""
    return -(-size // content.PIECE_SIZE)


def is_name(name: str) -> bool:
    """Return whether a file name is allowed: visible, no folder, special character or other
    space than the common one, no dot in front."""
    wide = any(c.isspace() and c != " " for c in name)
    return is_visible(name) and not wide and not set(name) & set('/\\:*?"<>|') and name[:1] != "."


class Files(Feature):
    """Sends our files piece by piece, and assembles the others' files."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._out: list[_Out] = []
        self._in: dict[bytes, _In] = {}  # by the file's id
        self._seen = SeenDigests()
        self._piece_at = float("-inf")

    def carry_over(self, old: Room) -> None:
        before = old.feature(Files)
        self._out, self._seen = before._out, before._seen
        leaves = {leaf for leaf, _, _ in self.room.membership.members()}
        for coming in before._in.values():
            same = self.room.membership.signature_key(coming.leaf) == old.membership.signature_key(
                coming.leaf
            )
            if coming.leaf in leaves and same:
                self._in[coming.offer.id] = coming
            else:
                self._fail(coming, "sender_gone")

    # -- our files -------------------------------------------------------------------------------------

    def send(self, name: str, mime: str, data: bytes, now: float) -> None:
        """Send a file; CommandError if it is empty, too large or badly named, or too many are under way."""
        if not 0 < len(data) <= content.FILE_MAX:
            raise CommandError(sentence("cannot.file_size", most=content.FILE_MAX, size=len(data)))
        if not 0 < len(name) <= 200 or not is_name(name):
            raise CommandError(sentence("cannot.file_name"))
        if sum(not out.done for out in self._out) >= OUT_MAX:
            raise CommandError(sentence("cannot.files_many", most=OUT_MAX))
        rng = self.room.rng
        offer = content.File(rng(16), name, mime, len(data), H(data), rng(32))
        count = pieces_of(len(data))
        self._out.append(_Out(offer, data, deque(range(count)), budget=AGAIN_TIMES * count))
        m = self.room.membership
        self.room.tell(self._offered(m.own_leaf, offer))
        self.room.post(offer, now)

    def tick(self, now: float) -> None:
        if (self._out or self._in) and self.room.is_synced(now):
            held = self.room.hold_reason(now) is not None
            if now - self._piece_at >= PIECE_EVERY:
                self._send_one(now, held)
            if not held:
                self._ask(now)
        self._out = [o for o in self._out if not o.done or now - (o.sent_at or now) < KEPT]

    def send_anyway(self) -> bool:
        """Go on with the files under way, as a person has decided; return whether there are any."""
        waiting = [out for out in self._out if out.waiting]
        for out in waiting:
            out.released = True
        return bool(waiting)

    def discard(self, file: bytes) -> None:
        """Forget a file whose offer was discarded."""
        for out in [o for o in self._out if o.offer.id == file]:
            self._out.remove(out)
            self.room.tell(ev.FileFailed(file.hex(), sentence("file.discarded")))

    def _send_one(self, now: float, held: bool) -> None:
        out = next((o for o in self._out if o.waiting and (o.released or not held)), None)
        if out is None:
            return
        index = out.waiting.popleft()
        start = index * content.PIECE_SIZE
        payload = out.offer.id + uint(index, 4) + out.data[start : start + content.PIECE_SIZE]
        room = self.room
        key, slot = out.offer.key, room.membership.epoch_slot
        room.broadcast(envelope.seal(key, "piece", room.number, slot, payload, BUCKETS, rng=room.rng))
        self._piece_at = out.sent_at = now
        if not out.done:
            gone = out.offer.size if not out.waiting else min(start + content.PIECE_SIZE, out.offer.size)
            room.tell(ev.FileProgress(out.offer.id.hex(), gone, out.offer.size))
            if not out.waiting:
                out.done = True
                room.tell(ev.FileDone(out.offer.id.hex(), out.data))

    # -- the others' files -----------------------------------------------------------------------------

    def contents(self) -> Contents:
        return {content.File: self._file_offered, content.FileAgain: self._wanted}

    def _offered(self, leaf: int, offer: content.File) -> ev.FileOffered:
        name = self.room.membership.name(leaf)
        return ev.FileOffered(leaf, name, offer.id.hex(), offer.name, offer.mime, offer.size)

    def _file_offered(self, received: mls.ApplicationMessage, offer: content.File, now: float) -> None:
        leaf = received.sender
        mark = H(b"file", offer.id, self.room.membership.signature_key(leaf) or b"")
        ours = any(out.offer.id == offer.id for out in self._out)
        if mark in self._seen or ours or offer.id in self._in or not is_name(offer.name):
            return
        self._seen.add(mark)
        self.room.tell(self._offered(leaf, offer))
        coming = _In(leaf, offer, {}, now)
        whole = sum(c.offer.size for c in self._in.values()) + offer.size
        if len(self._in) >= IN_MAX or whole > IN_BYTES:
            self._fail(coming, "too_many")
        else:
            self._in[offer.id] = coming

    def _wanted(self, received: mls.ApplicationMessage, again: content.FileAgain, now: float) -> None:
        for out in self._out:
            if out.offer.id == again.id:
                count = pieces_of(out.offer.size)
                for index in again.pieces:
                    if index < count and index not in out.waiting and out.budget > 0:
                        out.budget -= 1
                        out.waiting.append(index)

    def broadcast_received(self, blob: bytes, now: float) -> bool:
        for coming in self._in.values():
            try:
                payload = envelope.open(coming.offer.key, "piece", self.room.number, blob)
            except SnugError:
                continue
            self._piece(coming, payload, now)
            return True
        return False

    def _piece(self, coming: _In, payload: bytes, now: float) -> None:
        offer = coming.offer
        try:
            reader = Reader(payload)
            belongs, index = reader.take(16) == offer.id, reader.uint(4)
            data = reader.rest()
        except MalformedError:
            return
        count = pieces_of(offer.size)
        if not belongs or index >= count or index in coming.pieces:
            return
        last = offer.size - (count - 1) * content.PIECE_SIZE
        if len(data) != (last if index == count - 1 else content.PIECE_SIZE):
            return
        coming.pieces[index], coming.heard_at, coming.asked = data, now, 0
        done = sum(len(p) for p in coming.pieces.values())
        self.room.tell(ev.FileProgress(offer.id.hex(), done, offer.size))
        if len(coming.pieces) == count:
            del self._in[offer.id]
            whole = b"".join(coming.pieces[i] for i in range(count))
            if H(whole) == offer.digest:
                self.room.tell(ev.FileDone(offer.id.hex(), whole))
            else:
                self._fail(coming, "wrong")

    def _ask(self, now: float) -> None:
        for coming in list(self._in.values()):
            if now - coming.heard_at < QUIET * (1 + coming.asked):
                continue
            if coming.asked >= ASK_MAX:
                del self._in[coming.offer.id]
                self._fail(coming, "stopped")
                continue
            coming.asked += 1
            coming.heard_at = now
            missing = [i for i in range(pieces_of(coming.offer.size)) if i not in coming.pieces]
            self.room.relay(content.FileAgain(coming.offer.id, missing[: content.AGAIN_MAX]))

    def adopted(self, change: Change, now: float) -> None:
        gone = {leaf for leaf, _, _ in change.removed}
        for coming in [c for c in self._in.values() if c.leaf in gone]:
            del self._in[coming.offer.id]
            self._fail(coming, "sender_gone")

    def _fail(self, coming: _In, why: Literal["sender_gone", "too_many", "wrong", "stopped"]) -> None:
        self.room.tell(ev.FileFailed(coming.offer.id.hex(), sentence(f"file.{why}")))
