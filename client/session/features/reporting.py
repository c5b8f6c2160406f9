"""Reports: keep signed messages, in a meeting whose policy says so from its beginning (protocol section 13).

Every member shows the host's signature for its own admission, and every member checks it. The others'
messages are kept as they were signed, within limits, so that single messages can be reported. In any other
meeting this feature does nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, reasons, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof import report
from snugroom.crypto.proof.report import NO_INVITE, Report, ReportedMessage

#: Messages that are kept, and their total bytes: the oldest are dropped first.
KEPT_MAX: Final = 512
KEPT_BYTES: Final = 32 * 2**20
#: Admissions that are kept, including those of former members.
ADMISSIONS_MAX: Final = 4096
#: Minimum digits of a message's name; they must match one message only.
NAME_MIN: Final = 6
#: Seconds between two members' admissions shown to a newcomer, as with announcements.
STEP: Final = 0.01
#: Seconds within which an honest program shows its admission.
PATIENCE: Final = 10.0


@dataclass(frozen=True)
class _Kept:
    """A message as it was signed."""

    signature_key: bytes
    name: str
    tbs: bytes = field(repr=False)
    signature: bytes = field(repr=False)


class Reporting(Feature):
    """One membership's signatures for reports. `_admission` is ours, from the host; empty without one."""

    def __init__(self, room: Room, now: float) -> None:
        super().__init__(room)
        self.on = room.membership.policy.reports
        self._told = self._told_without = False
        self._admission = b""
        self._show_at: float | None = None
        self._began = now
        self._since: dict[int, float] = {}  # leaf -> when it came in
        self._admissions: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()  # by signature key
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._suspect: set[int] = set()  # leaves that were reported for showing none

    def carry_over(self, old: Room) -> None:
        before = old.feature(Reporting)
        self._told = before._told
        self._admissions, self._kept, self._bytes = before._admissions, before._kept, before._bytes
        if not self._admission:
            self._admission = before._admission  # the leaf's key is the same

    # -- admissions ------------------------------------------------------------------------------------

    def invite_of(self, leaf: int) -> int:
        """Return the invite of a leaf according to the ledger; NO_INVITE for the meeting's opener."""
        index = self.room.membership.ledger.invite_of(leaf)
        return NO_INVITE if index is None else index

    def admission_for(self, signature_key: bytes) -> bytes:
        """As a host, return our signature (64 bytes) on the admission of a key; empty without reports."""
        m, keys = self.room.membership, self.room.host_keys
        leaf = next((x.leaf for x in m.group.members() if x.leaf_node.signature_key == signature_key), None)
        seeds = () if keys is None else keys.seeds
        # Reports name the key of the meeting's first links, whichever keys the hosts have now.
        first = next((seed for seed in seeds if seed.host_public == m.policy.host_public), None)
        if not self.on or first is None or leaf is None:
            return b""
        return report.sign_admission(first.host_key, m.group.group_id, signature_key, self.invite_of(leaf))

    def take(self, admission: bytes) -> None:
        """Store our own admission from the host's answer, if it is valid."""
        own = self.room.membership.own_leaf
        if self.on and admission and self._is_right(own, self.invite_of(own), admission):
            self._admission = admission

    def _is_right(self, leaf: int, invite: int, admission: bytes) -> bool:
        m = self.room.membership
        key = m.signature_key(leaf)
        if key is None or invite != self.invite_of(leaf):
            return False
        try:
            report.verify_admission(m.policy.host_public, m.group.group_id, key, invite, admission)
        except SnugError:
            return False
        return True

    def _own(self) -> bytes:
        m = self.room.membership
        key = m.signature_key(m.own_leaf)
        if not self._admission and key is not None and self.room.host_keys is not None:
            self._admission = self.admission_for(key)  # an opener or returned host signs for itself
        return self._admission

    def synced(self, now: float) -> None:
        if self.on:
            self._show_at = now

    def adopted(self, change: Change, now: float) -> None:
        if not self.on:
            return
        for leaf, _, _ in change.removed:
            self._since.pop(leaf, None)
            self._suspect.discard(leaf)
        for leaf, _, _ in change.added:
            self._since[leaf] = now
        if change.added:
            self._show_at = now + STEP * self.room.member_index

    def tick(self, now: float) -> None:
        if not self.on:
            return
        if not self._told:
            self._told = True
            self.room.tell(sentences.status("reports"))
        if not self._told_without and now - self._began > PATIENCE and not self._own():
            self._told_without = True
            self.room.tell(sentences.status("no_admission"))
        if self._show_at is not None and now >= self._show_at and self.room.is_synced(now):
            self._show_at = None
            own = self._own()
            if own:
                self.room.relay(content.Admitted(self.invite_of(self.room.membership.own_leaf), own))

    # -- messages --------------------------------------------------------------------------------------

    def contents(self) -> Contents:
        return {content.Admitted: self._admitted}

    def overheard(self) -> Contents:
        return {content.Say: self._keep, content.Image: self._keep} if self.on else {}

    def _admitted(self, received: mls.ApplicationMessage, what: content.Admitted, now: float) -> None:
        if not self.on:
            return
        leaf = received.sender
        key = self.room.membership.signature_key(leaf)
        if key is None or key in self._admissions or not self._is_right(leaf, what.invite, what.admission):
            return
        self._admissions[key] = (what.invite, what.admission)
        while len(self._admissions) > ADMISSIONS_MAX:
            self._admissions.popitem(last=False)

    def _keep(self, received: mls.ApplicationMessage, what: content.Say | content.Image, now: float) -> None:
        m, leaf = self.room.membership, received.sender
        key = m.signature_key(leaf)
        if key is None:
            return
        name = content.message_id(what, key).hex()[: content.MESSAGE_ID_DIGITS]
        if name not in self._kept:
            kept = _Kept(key, m.name(leaf), received.tbs, received.signature)
            self._kept[name] = kept
            self._bytes += len(kept.tbs)
            while len(self._kept) > KEPT_MAX or self._bytes > KEPT_BYTES:
                _, old = self._kept.popitem(last=False)
                self._bytes -= len(old.tbs)
        late = now - max(self._began, self._since.get(leaf, 0.0)) > PATIENCE
        if late and key not in self._admissions and leaf not in self._suspect:
            self._suspect.add(leaf)
            self.room.tell(sentences.alarm("unreportable", name=m.name(leaf)))

    def save(self, names: tuple[str, ...], path: str) -> None:
        """Write a report of these messages; CommandError if that is impossible."""
        self.room.perform(ev.Save("report", path, self.make(names)))

    def make(self, names: tuple[str, ...]) -> bytes:
        """Return the report file. CommandError if the meeting, or one of the messages, cannot be reported."""
        if not self.on:
            raise CommandError(sentence("cannot.report_off"))
        if not 0 < len(names) <= report.MESSAGES_MAX or len(set(names)) != len(names):
            raise CommandError(sentence("cannot.report_count", most=report.MESSAGES_MAX))
        host_public = self.room.membership.policy.host_public
        made = Report(report.FORMAT, host_public, [self._accused(name) for name in names])
        try:
            report.verify_report(made, host_public)
        except SnugError as error:
            raise CommandError(sentence("cannot.report_proves_nothing", why=reasons.in_full(error))) from None
        return report.encode(made)

    def _accused(self, name: str) -> ReportedMessage:
        found = [kept for full, kept in self._kept.items() if full.startswith(name)]
        if len(name) < NAME_MIN or len(found) != 1:
            raise CommandError(sentence("cannot.report_unknown", name=name[:40], most=KEPT_MAX))
        (kept,) = found
        if kept.signature_key not in self._admissions:
            raise CommandError(sentence("cannot.report_no_admission", name=kept.name))
        invite, admission = self._admissions[kept.signature_key]
        return ReportedMessage(kept.tbs, kept.signature, kept.signature_key, invite, admission)
