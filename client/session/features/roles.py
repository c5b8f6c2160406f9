"""Acts of hosts on the room as a whole: lock it, take or hand over the host role; and reports of them.

All of these are commits that change the policy (SNUG-7, SNUG-13): every member checks them, and reports their
author to its person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import PolicyIntent
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto.agreed.heartbeat import Act, PendingAct
from snugroom.crypto.agreed.room_state import HOSTS_MAX, Mode, Policy
from snugroom.crypto.errors import StateError

#: Seconds within which a new host must show that it can host, or the handover is given up.
HANDOVER_WAIT: Final = 30.0

MODES: Final[dict[Mode, Literal["ask", "all", "locked"]]] = {
    Mode.ASK: "ask",
    Mode.WAVE_IN: "all",
    Mode.LOCKED: "locked",
}


@dataclass(frozen=True)
class _Handover:
    key: bytes
    name: str
    since: float


class Roles(Feature):
    """A host's acts on the policy, and every member's reports of them."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        #: The mode that unlocking restores; the stricter mode if this member never saw the room unlocked.
        self._open_mode = (
            Mode.ASK if room.membership.policy.mode is Mode.LOCKED else room.membership.policy.mode
        )
        self._handover: _Handover | None = None

    def carry_over(self, old: Room) -> None:
        before = old.feature(Roles)
        if self.room.membership.policy.mode is Mode.LOCKED:
            self._open_mode = before._open_mode
        self._handover = before._handover

    # -- commands ----------------------------------------------------------------------------------

    def lock(self, on: bool, now: float) -> None:
        """Lock the room, or unlock it; CommandError if it is so already, or we are not a host."""
        self.room.host_only()
        if on == (self.room.membership.policy.mode is Mode.LOCKED):
            raise CommandError(sentence("room.locked_already" if on else "room.not_locked"))

        def change(policy: Policy) -> Policy | None:
            if on == (policy.mode is Mode.LOCKED):
                return None
            return replace(policy, version=policy.version + 1, mode=Mode.LOCKED if on else self._open_mode)

        act = PendingAct(Act.LOCK if on else Act.UNLOCK, 0)
        self.room.queue(PolicyIntent(change, act), now)

    def deputise(self, leaf: int, now: float) -> None:
        """Make the member at `leaf` a host. CommandError if the leaf is empty, or we are not a host."""
        key = self._key_of(leaf)

        def change(policy: Policy) -> Policy | None:
            if key in policy.hosts:
                return None
            named = policy.with_host(key)
            if len(named.hosts) > HOSTS_MAX:
                raise StateError(sentence("room.hosts_max", most=HOSTS_MAX))
            return named

        self.room.feature(HostKeyTransfer).schedule(key)
        self.room.queue(PolicyIntent(change, PendingAct(Act.HOST, leaf)), now)

    def undeputise(self, leaf: int, now: float) -> None:
        """Take the host role from the member at `leaf`, which may be our own.

        CommandError if the leaf is empty or not a host's, if no host would be left, or if we are not a host.
        """
        key = self._key_of(leaf)
        if key not in self.room.membership.policy.hosts:
            raise CommandError(sentence("room.is_no_host", name=self.room.membership.name(leaf)))
        if not self._others(key, self.room.membership.policy):
            raise CommandError(sentence("room.name_another"))
        self._remove_host(key, None, now)

    def hand_over(self, leaf: int, now: float) -> None:
        """Make the member at `leaf` a host, and step down once it has shown that it can host.

        CommandError if no other member is there, or we are not a host, or a handover is under way already.
        """
        key = self._key_of(leaf)
        if leaf == self.room.membership.own_leaf:
            raise CommandError(sentence("room.hand_to_oneself"))
        if self._handover is not None:
            raise CommandError(sentence("room.handing_already", name=self._handover.name))
        name = self.room.membership.name(leaf)
        self._handover = _Handover(key, name, now)
        self.room.tell(sentences.status("handing_over", name=name))
        self.deputise(leaf, now)

    # -- hooks ---------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        handover, room = self._handover, self.room
        if handover is None:
            return
        if not room.membership.is_host(room.membership.own_leaf):
            self._handover = None  # another host was quicker
        elif self._leaf_of(handover.key) is None:
            self._cancel_handover(sentence("room.handover_gone", name=handover.name))
        elif (
            handover.key in room.membership.policy.hosts
            and handover.key in room.feature(HostKeyTransfer).confirmed
        ):
            self._handover = None
            self._remove_host(
                room.membership.signature_key(room.membership.own_leaf) or b"", handover.key, now
            )
        elif now - handover.since > HANDOVER_WAIT:
            self._cancel_handover(sentence("room.handover_unshown", name=handover.name))

    def adopted(self, change: Change, now: float) -> None:
        if change.policy_after.mode is not Mode.LOCKED:
            self._open_mode = change.policy_after.mode
        for event in changes(change, self.room.membership):
            self.room.tell(event)
        if change.returned:
            self._check_return(change, now)

    # -- internals -----------------------------------------------------------------------------------

    def _check_return(self, change: Change, now: float) -> None:
        """Report a return that no person approved, although a host is here."""
        m, room = self.room.membership, self.room
        before = {leaf: m.signature_key(leaf) in change.policy_before.hosts for leaf, _, _ in m.members()}
        hosts = [leaf for leaf, host in before.items() if host]
        if any(room.heard_recently(leaf, now) for leaf in hosts) and not before.get(change.by, False):
            back = change.added[0][1]
            room.tell(sentences.alarm("unapproved_return", who=m.name(change.by), name=back))

    def _cancel_handover(self, why: str) -> None:
        self._handover = None
        self.room.tell(sentences.alarm("not_done", why=why))

    def _remove_host(self, key: bytes, to: bytes | None, now: float) -> None:
        """Commit the removal of `key` from the hosts, as long as a host (`to`, if given) remains."""

        def change(policy: Policy) -> Policy | None:
            if key not in policy.hosts:
                return None
            if not self._others(key, policy) or (to is not None and to not in self._others(key, policy)):
                raise StateError(sentence("room.name_another"))
            return policy.without_host(key)

        leaf = self._leaf_of(key)
        act = None if leaf is None else PendingAct(Act.NO_HOST, leaf)
        self.room.queue(PolicyIntent(change, act), now)

    def _others(self, key: bytes, policy: Policy) -> set[bytes]:
        """Return the signature keys of the hosts in the room, except `key`."""
        present = {self.room.membership.signature_key(leaf) for leaf, _, _ in self.room.membership.members()}
        return {host for host in policy.hosts if host != key and host in present}

    def _key_of(self, leaf: int) -> bytes:
        key = self.room.membership.signature_key(leaf)
        if key is None:
            raise CommandError(sentence("room.nobody_there", leaf=leaf))
        self.room.host_only()
        return key

    def _leaf_of(self, key: bytes) -> int | None:
        return leaf_of(self.room.membership, key)


def leaf_of(m: Membership, key: bytes) -> int | None:
    """Return the leaf of the member with that signature key; None if it is not in the room."""
    return next((leaf for leaf, _, _ in m.members() if m.signature_key(leaf) == key), None)


def changes(change: Change, m: Membership) -> Iterator[ev.PolicyChanged]:
    """Yield a commit's changes to the policy, one event each; `m` is the membership after it."""
    before, after, by = change.policy_before, change.policy_after, change.by
    if before == after:
        return
    who = m.name(by)
    if change.returned and change.added:
        back, name, _ = change.added[0]
        which = "own" if len(before.hosts) == 1 else "shared"
        text = sentence(f"room.back_by_{which}_key", name=name, who=who)
        yield ev.PolicyChanged(by, "host", text, back)
        return
    went = {key: name for _, name, key in change.removed}
    for kind, keys in (
        ("host", set(after.hosts) - set(before.hosts)),
        ("no_host", set(before.hosts) - set(after.hosts)),
    ):
        for key in sorted(keys):
            leaf = leaf_of(m, key)
            whom = went.get(key, sentence("room.somebody_else")) if leaf is None else m.name(leaf)
            if kind == "host":
                yield ev.PolicyChanged(by, "host", sentence("room.made_host", who=who, whom=whom), leaf)
            elif leaf == by:
                yield ev.PolicyChanged(by, "no_host", sentence("room.laid_down", who=who), leaf)
            else:
                text = sentence("room.took_powers", who=who, whom=whom)
                yield ev.PolicyChanged(by, "no_host", text, leaf)
    if before.mode is not after.mode:
        yield ev.PolicyChanged(
            by, "mode", _mode_sentence(who, before.mode, after.mode), mode=MODES[after.mode]
        )
    if before.title != after.title:
        yield ev.PolicyChanged(by, "title", sentence("room.titled", who=who, title=after.title))
    there = after.origins
    if before.origins != there:
        told = "room.servers" if there else "room.servers.none"
        yield ev.PolicyChanged(by, "servers", sentence(told, who=who, servers=", ".join(there)))


def _mode_sentence(who: str, before: Mode, after: Mode) -> str:
    if after is Mode.LOCKED:
        return sentence("room.mode_locked", who=who)
    how = "unlocked" if before is Mode.LOCKED else "changed"
    return sentence(f"room.mode_{how}_{MODES[after]}", who=who)
