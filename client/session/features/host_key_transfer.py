"""Hand the host seed to members that a host makes hosts (docs/explanation/decisions/0009-turns-and-hosts.md).

A receiver proves that it has the seed with a signature that only the seed makes. Until then the seed is sent
again, after a growing interval: a lost connection delays it and loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.announcements import granted_message, open_grant, seal_grant
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.entry.invite import verify
from snugroom.crypto.errors import SnugCryptoError

#: Seconds until an unanswered grant is sent again, doubled each time up to the maximum.
RESEND_AFTER: Final = 5.0
RESEND_AFTER_MAX: Final = 300.0


@dataclass
class _Pending:
    at: float = 0.0  # when it is due
    wait: float = RESEND_AFTER


class HostKeyTransfer(Feature):
    """Sends the seed to new hosts that have announced a box, until they confirm that they have it."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._pending: dict[bytes, _Pending] = {}
        #: Signature keys of hosts that have proven that they hold the seed.
        self.confirmed: set[bytes] = set()
        self._confirm_due = False

    def carry_over(self, old: Room) -> None:
        before = old.feature(HostKeyTransfer)
        self._pending, self.confirmed, self._confirm_due = (
            before._pending,
            before.confirmed,
            before._confirm_due,
        )

    def schedule(self, signature_key: bytes) -> None:
        """Send the seed to that member as soon as the policy names it a host."""
        self._pending.setdefault(signature_key, _Pending())

    def tick(self, now: float) -> None:
        room = self.room
        if room.host_seed is None or not room.is_synced(now):
            return
        if self._confirm_due:
            self._confirm_due = False
            own = room.membership.signature_key(room.membership.own_leaf) or b""
            message = granted_message(room.membership.group.group_id, own)
            room.relay(content.Granted(room.host_seed.host_key.sign(message)))
        if not self._pending or room.hold_reason(now) is not None:
            return
        for leaf, box in room.announcements.boxes():
            key = room.membership.signature_key(leaf)
            pending = None if key is None else self._pending.get(key)
            if key is None or pending is None or now < pending.at or key not in room.membership.policy.hosts:
                continue
            pending.at, pending.wait = now + pending.wait, min(2 * pending.wait, RESEND_AFTER_MAX)
            try:
                grant = seal_grant(room.host_seed, leaf, key, box, room.membership.group.group_id, room.rng)
            except SnugCryptoError:
                continue  # a box that is no key: its owner cannot be sent a seed
            room.relay(grant)

    def adopted(self, change: Change, now: float) -> None:
        rejoined = {key for _, _, key in change.removed} if change.rejoined else set()
        gone = {key for _, _, key in change.removed} - rejoined
        gone |= set(change.policy_before.hosts) - set(change.policy_after.hosts)
        if self.room.membership.signature_key(self.room.membership.own_leaf) in gone:
            self._pending.clear()  # we are no longer a host
        self.confirmed -= gone
        for key in gone & self._pending.keys():
            del self._pending[key]

    def content_received(
        self, received: mls.ApplicationMessage, what: content.AnyContent, now: float
    ) -> bool:
        if isinstance(what, content.Grant):
            self._receive_seed(received.sender, what)
            return True
        if isinstance(what, content.Granted):
            self._receive_confirmation(received.sender, what)
            return True
        return False

    def _receive_seed(self, sender: int, grant: content.Grant) -> None:
        room = self.room
        if grant.leaf != room.membership.own_leaf or not room.membership.is_host(sender):
            return
        if room.host_seed is None:
            own_key = room.membership.signature_key(room.membership.own_leaf) or b""
            seed = open_grant(grant, own_key, room.box, room.membership.group.group_id)
            if seed is None or seed.host_public != room.membership.policy.host_public:
                return
            if seed.room_admin_key(room.membership.group.group_id).public != room.room_admin_public:
                return
            room.take_host_seed(seed)
        self._confirm_due = True

    def _receive_confirmation(self, sender: int, granted: content.Granted) -> None:
        room = self.room
        key = room.membership.signature_key(sender)
        if key is None or key not in room.membership.policy.hosts:
            return
        try:
            verify(
                room.membership.policy.host_public,
                granted_message(room.membership.group.group_id, key),
                granted.signature,
            )
        except SnugCryptoError:
            return  # it has another seed, and cannot host
        self.confirmed.add(key)
        self._pending.pop(key, None)
