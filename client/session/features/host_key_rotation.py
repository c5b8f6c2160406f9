"""Change the hosts' keys when somebody holds them who is no host any more.

docs/explanation/decisions/0042-host-keys.md. The commit that names new public keys is a change of the policy
(SNUG-13); its author then sends the seed to the other hosts (`HostKeyTransfer`), and hands the room at the
server to the new room admin key (G8). Then it takes a slot with that key, whose signature a restarted server
accepts.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer, holds_current
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import HealIntent, PolicyIntent
from snugroom.client.session.kernel.opening import is_current, room_admin
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.crypto.agreed.room_state import Policy
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.invite import HostKeys, HostSeed
from snugroom.wire import messages as wire
from snugroom.wire import signed

#: Seconds that each next host waits for the one before it to change the keys.
STEP: Final = 2.0
#: Intervals between beats, beyond those after which a host is not heard, until it counts as gone.
SILENT_INTERVALS: Final = 9
#: Seconds for which a host waits for keys that it was not sent: their author is gone, or is still heard.
WITHOUT: Final = 30.0
WITHOUT_MAX: Final = 120.0
#: Seconds until a room that is still held under the old key is handed over again.
REKEY_EVERY: Final = 2.0


class HostKeyRotation(Feature):
    """A host's part in it. The ledger says when a change is due, so that every host knows."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._next: HostSeed | None = None
        self._intent: PolicyIntent | None = None
        self._due_since: float | None = None
        self._without_since: float | None = None
        self._heard: dict[bytes, float] = {}  # hosts' keys -> when they were last heard
        self._author: bytes | None = None  # signature key of the host that last changed the keys
        self._rekeyed_at = 0.0
        self._opening_due = False  # no slot has an opening by the current key

    def carry_over(self, old: Room) -> None:
        before = old.feature(HostKeyRotation)
        self._next, self._intent, self._author = before._next, before._intent, before._author
        self._opening_due = before._opening_due
        self._install()

    def adopted(self, change: Change, now: float) -> None:
        room = self.room
        if not change.rotated:
            return
        self._author = room.membership.signature_key(change.by)
        self._due_since = self._without_since = None
        self._opening_due = True
        self._install()
        self._intent = self._next = None
        if room.membership.is_host(room.membership.own_leaf):
            room.tell(sentences.status("keys_changed"))

    def tick(self, now: float) -> None:
        room = self.room
        if not room.membership.is_host(room.membership.own_leaf) or not room.is_synced(now):
            self._due_since = self._without_since = None
            self._heard.clear()  # our own absence is nobody's silence
            return
        if holds_current(room):
            self._without_since = None
            self._hand_over_room(now)
        elif self._without_since is None:
            self._without_since = now
        if not self._is_due(now):
            self._due_since = None
            return
        if self._due_since is None:
            self._due_since = now
        if now - self._due_since >= self._wait(now):
            self._rotate(now)

    # -- when ----------------------------------------------------------------------------------------

    def _is_due(self, now: float) -> bool:
        m = self.room.membership
        confirmed = self.room.feature(HostKeyTransfer).confirmed
        more = SILENT_INTERVALS * interval(len(m.members()))
        silent = False
        for leaf, _, host in m.members():
            key = m.signature_key(leaf)
            if host and key is not None and leaf != m.own_leaf:
                if self.room.heard_recently(leaf, now):
                    self._heard[key] = now
                silent |= key in confirmed and now - self._heard.setdefault(key, now) >= more
        return silent or m.ledger.rotation_due or self._was_left(now)

    def _was_left(self, now: float) -> bool:
        """Return whether the keys that the policy names were never sent to us, and probably will not be."""
        if self._without_since is None:
            return False
        return now - self._without_since >= (WITHOUT_MAX if self._heard_key(self._author, now) else WITHOUT)

    def _heard_key(self, key: bytes | None, now: float) -> bool:
        m = self.room.membership
        leaves = [leaf for leaf, _, _ in m.members() if m.signature_key(leaf) == key]
        return key is None or any(self.room.heard_recently(leaf, now) for leaf in leaves)

    def _wait(self, now: float) -> float:
        """Return the seconds to wait for hosts of a lower rank, and for those that hold the current keys."""
        m = self.room.membership
        before = [leaf for leaf, _, host in m.members() if host and leaf < m.own_leaf]
        rank = sum(self.room.heard_recently(leaf, now) for leaf in before)
        return STEP * rank + (0.0 if holds_current(self.room) or self._was_left(now) else WITHOUT)

    # -- what ----------------------------------------------------------------------------------------

    def _rotate(self, now: float) -> None:
        room, m = self.room, self.room.membership
        if self._intent is None or self._next is None:
            seed = self._next = HostSeed.from_random(room.rng)
            before = m.policy.return_public
            admin = seed.room_admin_key(m.group.group_id).public

            def change(policy: Policy) -> Policy | None:
                if policy.return_public != before:
                    return None  # done, or another host was quicker
                servers = seed.servers(m.group.group_id, policy.origins)
                return policy.with_keys(seed.host_public, seed.return_public, admin, servers)

            self._intent = PolicyIntent(change)
        room.queue_once(self._intent, now)

    def _install(self) -> None:
        """Take our new seed as soon as the policy names its keys."""
        room, seed = self.room, self._next
        if seed is not None and seed.return_public == room.membership.policy.return_public:
            keys = room.host_keys
            room.take_host_keys(HostKeys((seed,)) if keys is None else keys.with_next(seed))
            self._intent = self._next = None

    def _hand_over_room(self, now: float) -> None:
        """Hand the room at the server to the current room admin key (G8), and take a slot with it."""
        room = self.room
        nonce = room.server_nonce
        if room.room_admin_keys.is_latest:
            self._sign_slot(now)
            return
        if nonce is None or now - self._rekeyed_at < REKEY_EVERY:
            return
        self._rekeyed_at = now
        key = room_admin(room)
        if key is not None:
            door, wanted = room.door_key.public, room.membership.policy.room_admin_public
            signature = key.sign(signed.Rekey(invite.room_number(door, wanted), nonce).encode())
            room.send(wire.Rekey(door, wanted, signature))

    def _sign_slot(self, now: float) -> None:
        """Take a slot with the current key: members pass its opening on to a restarted server (G1)."""
        room, m = self.room, self.room.membership
        if not self._opening_due:
            return
        own = m.signature_key(m.own_leaf)
        if any(is_current(room, entry) for entry in m.journal.signed()):
            self._opening_due = False
        elif room.idle and (self._author == own or not self._heard_key(self._author, now)):
            room.queue(HealIntent(m.group.epoch), now)
