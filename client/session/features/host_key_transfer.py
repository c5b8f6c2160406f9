"""Hand the host keys to the other hosts (docs/explanation/decisions/0042-host-keys.md).

A receiver proves that it has the current keys with a signature that only their seed makes. Until then the
keys are sent again, after a growing interval: a lost connection delays them and loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.announcements import granted_message, open_grant, seal_grant
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.entry.invite import verify
from snugroom.crypto.errors import SnugError

#: Seconds until an unanswered grant is sent again, doubled each time up to the maximum.
RESEND_AFTER: Final = 5.0
RESEND_AFTER_MAX: Final = 300.0


@dataclass
class _Pending:
    at: float  # when it is due
    wait: float = RESEND_AFTER


def holds_current(room: Room) -> bool:
    """Return whether we hold the hosts' current keys."""
    keys = room.host_keys
    return keys is not None and keys.current.return_public == room.membership.policy.return_public


class HostKeyTransfer(Feature):
    """Sends the keys to hosts that are heard and have announced a box, until they prove to have them."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._pending: dict[bytes, _Pending] = {}
        #: Signature keys of hosts that have proven that they hold the current keys.
        self.confirmed: set[bytes] = set()
        self._confirm_due = False

    def carry_over(self, old: Room) -> None:
        before = old.feature(HostKeyTransfer)
        if old.membership.policy.return_public == self.room.membership.policy.return_public:
            self.confirmed, self._confirm_due = before.confirmed, before._confirm_due
        self._pending = before._pending

    def schedule(self, signature_key: bytes) -> None:
        """Send the keys to that member as soon as the policy names it a host."""
        self._pending.setdefault(signature_key, _Pending(0.0))

    def tick(self, now: float) -> None:
        room = self.room
        if not holds_current(room) or not room.is_synced(now):
            return
        assert room.host_keys is not None
        if self._confirm_due:
            self._confirm_due = False
            own = room.membership.signature_key(room.membership.own_leaf) or b""
            message = granted_message(room.membership.group.group_id, own)
            room.relay(content.Granted(room.host_keys.current.return_key.sign(message)))
        for leaf, box in room.announcements.boxes():
            key = room.membership.signature_key(leaf)
            if key is not None and self._is_due(leaf, key, now):
                if room.hold_reason(now) is not None:
                    return
                pending = self._pending[key]
                pending.at, pending.wait = now + pending.wait, min(2 * pending.wait, RESEND_AFTER_MAX)
                try:
                    grant = seal_grant(
                        room.host_keys, leaf, key, box, room.membership.group.group_id, room.rng
                    )
                except SnugError:
                    continue  # a box that is no key: its owner cannot be sent the keys
                room.relay(grant)

    def _is_due(self, leaf: int, key: bytes, now: float) -> bool:
        """Return whether to send the keys to the host at `leaf` now.

        The host that has named it does so at once; the others step in, by rank, if no proof comes. A host
        that is not heard gets them when it is back.
        """
        room = self.room
        if (
            key not in room.membership.policy.hosts
            or key in self.confirmed
            or leaf == room.membership.own_leaf
        ):
            return False
        pending = self._pending.setdefault(key, _Pending(now + (1 + room.rank) * RESEND_AFTER))
        return now >= pending.at and room.heard_recently(leaf, now)

    def adopted(self, change: Change, now: float) -> None:
        rejoined = {key for _, _, key in change.removed} if change.rejoined else set()
        gone = {key for _, _, key in change.removed} - rejoined
        gone |= set(change.policy_before.hosts) - set(change.policy_after.hosts)
        if self.room.membership.signature_key(self.room.membership.own_leaf) in gone:
            self._pending.clear()  # we are no longer a host
        if change.rotated:
            self.confirmed.clear()  # of the keys before
            self._pending.clear()
            if change.by == self.room.membership.own_leaf:
                for key in change.policy_after.hosts:
                    self.schedule(key)
        self.confirmed -= gone
        for key in gone & self._pending.keys():
            del self._pending[key]

    def contents(self) -> Contents:
        return {content.Grant: self._keys_received, content.Granted: self._confirmation_received}

    def _keys_received(self, received: mls.ApplicationMessage, grant: content.Grant, now: float) -> None:
        room = self.room
        policy = room.membership.policy
        if grant.leaf != room.membership.own_leaf or not room.membership.is_host(received.sender):
            return
        if not holds_current(room):
            own_key = room.membership.signature_key(room.membership.own_leaf) or b""
            group_id = room.membership.group.group_id
            keys = open_grant(grant, own_key, room.box, group_id)
            if keys is None or keys.current.return_public != policy.return_public:
                return
            if keys.current.room_admin_key(group_id).public != policy.room_admin_public:
                return
            if not {seed.host_public for seed in keys.seeds} <= set(policy.link_keys):
                return
            room.take_host_keys(keys)
        self._confirm_due = True

    def _confirmation_received(
        self, received: mls.ApplicationMessage, granted: content.Granted, now: float
    ) -> None:
        room = self.room
        key = room.membership.signature_key(received.sender)
        if key is None or key not in room.membership.policy.hosts:
            return
        try:
            verify(
                room.membership.policy.return_public,
                granted_message(room.membership.group.group_id, key),
                granted.signature,
            )
        except SnugError:
            return  # it has other keys, and cannot host
        self.confirmed.add(key)
        self._pending.pop(key, None)
