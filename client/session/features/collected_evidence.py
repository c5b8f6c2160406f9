"""All members' exhibits of a server that the meeting has left, in a file for hosts (protocol section 13)."""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.drop import Drop
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.crypto import mls
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import EXHIBITS_MAX, Evidence, Exhibit

#: Seconds without a further exhibit before the file is offered, and written if `--evidence` asks for it.
QUIET: Final = 3.0
#: Seconds by which the times in another member's exhibit may differ from each other, and from ours.
CLOCKS: Final = 3600.0


class CollectedEvidence(Feature):
    """Sends our short exhibit of a drop, keeps one of each other member, and offers the file to hosts.

    Nothing depends on the others' exhibits. Those that do not verify are dropped without a word.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._last: Drop | None = None  # the last drop, as of the last tick
        self._about: Drop | None = None  # the same, if we went on at another server
        self._digest = b""  # H(blob) of our exhibit; empty: not sent
        self._arrived = False
        self._where: bytes | None = None  # the incarnation of the room in which we are
        #: The last one of each member, by leaf key: it may be about a drop that we have not reported yet.
        self._said: dict[bytes, content.ShortExhibit] = {}
        self._others: dict[bytes, Exhibit] = {}  # verified, about `_about`
        self._news_at: float | None = None
        self._offered = False

    def carry_over(self, old: Room) -> None:
        before = old.feature(CollectedEvidence)
        self._last, self._about = before._last, before._about
        self._digest, self._arrived = before._digest, before._arrived
        self._said, self._others = before._said, before._others
        self._news_at, self._offered = before._news_at, before._offered

    # -- hooks -------------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        """Send our exhibit in each room: a host that we have followed was not in the last one."""
        if self._where != self.room.incarnation:
            self._where, self._digest, self._arrived = self.room.incarnation, b"", False

    def tick(self, now: float) -> None:
        last = self.room.feature(Dropped).last
        if last is not self._last:
            left = last is not None and last.origin != self.room.here.origin
            self._last, self._about, self._others = last, last if left else None, {}
            self._digest, self._arrived, self._offered, self._news_at = b"", False, False, None
            for key in self._said:
                self._check(key, now)
        if self._about is not None:
            self._send(self._about, now)
            self._offer(now)

    def contents(self) -> Contents:
        return {content.ShortExhibit: self._exhibit_received}

    def _exhibit_received(
        self, received: mls.ApplicationMessage, what: content.ShortExhibit, now: float
    ) -> None:
        key = self.room.membership.signature_key(received.sender)
        if key is not None and (key in self._said or len(self._said) < EXHIBITS_MAX):
            self._said[key] = what
            self._check(key, now)

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        self._arrived = self._arrived or digest == self._digest

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        if not self._arrived:
            self._digest = b""  # it is sent again

    def adopted(self, change: Change, now: float) -> None:
        for _, _, key in change.removed:
            self._said.pop(key, None)

    # -- exhibits ----------------------------------------------------------------------------------

    def _statement(self, about: Drop, key: bytes, what: content.ShortExhibit) -> Exhibit:
        return evidence.statement(
            origin=about.origin[: evidence.TEXT_MAX],
            number=self.room.number,
            server_key=about.server_key,
            dropped_at=what.dropped_at,
            at=what.at,
            key=key,
            signature=what.signature,
        )

    def _check(self, key: bytes, now: float) -> None:
        """Keep the exhibit of the member with that key if it is about the drop that we have reported."""
        about, what = self._about, self._said[key]
        if about is None or key in self._others or len(self._others) >= EXHIBITS_MAX:
            return
        if abs(what.dropped_at - about.at) > CLOCKS or not 0 <= what.at - what.dropped_at <= CLOCKS:
            return
        exhibit = self._statement(about, key, what)
        try:
            evidence.verify_exhibit(exhibit)
        except SnugError:
            return  # of another server, another room, or signed by nobody
        self._others[key] = exhibit
        self._news_at = now

    def _send(self, about: Drop, now: float) -> None:
        room, m = self.room, self.room.membership
        key = m.signature_key(m.own_leaf)
        if self._digest or key is None or room.member_index >= EXHIBITS_MAX or not room.is_synced(now):
            return
        unsigned = content.ShortExhibit(int(now), int(about.at), bytes(64))
        signature = self._statement(about, key, unsigned).signed(m.sign).signature
        self._digest = H(room.relay(content.ShortExhibit(unsigned.at, unsigned.dropped_at, signature)))

    # -- the file ----------------------------------------------------------------------------------

    def save(self, path: str, names: bool, now: float) -> None:
        """Write our evidence to a file, for a host with the others'; CommandError if there is none yet.

        `names` adds the names in the room to our own exhibits.
        """
        if self._write(path, names, now):
            self._tell(sentence("dropped.merged"))

    def _offer(self, now: float) -> None:
        m, options = self.room.membership, self.room.options
        if self._news_at is None or now - self._news_at < QUIET or not m.is_host(m.own_leaf):
            return
        self._news_at = None
        if not self._offered:
            self._offered = True
            self._tell(sentences.proof(options.evidence))
        if options.evidence is not None:
            self._write(options.evidence, options.evidence_names, now)

    def _write(self, path: str, names: bool, now: float) -> bool:
        """Write the file; return whether it has exhibits of others."""
        m, about = self.room.membership, self._about
        own = self.room.feature(Dropped).exhibits(names, now)
        merges = m.is_host(m.own_leaf) and about is not None and own[0].origin == about.origin
        others = list(self._others.values()) if merges else []
        file = Evidence(evidence.FORMAT, [*own, *others][:EXHIBITS_MAX])
        self.room.perform(ev.Save("evidence", path, evidence.encode(file)))
        return bool(others)

    def _tell(self, proof: Sentence) -> None:
        m, about = self.room.membership, self._about
        assert about is not None
        signed = {*self._others, m.signature_key(m.own_leaf)}
        members = signed | {leaf.signature_key for leaf in m.leaves()}
        probe = about.probe if about.proven and about.accused_at is not None else None
        seconds = None if probe is None else max(0, probe.at - int(about.at))
        self.room.tell(sentences.collected(len(signed), len(members), about.origin, seconds, proof))
