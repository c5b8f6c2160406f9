"""Authors of commits that others could not read, named to hosts when these have rejoined."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.member_table import MemberTable

#: Epochs and slots that are remembered.
EPOCHS: Final = 64


class UnreadableCommits:
    """Counts the members that each commit left stuck."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self._committers: OrderedDict[int, tuple[int, bytes]] = OrderedDict()  # slot -> (leaf, its key)
        self._stuck: OrderedDict[int, set[bytes]] = OrderedDict()  # slot -> keys that rejoined as stuck there
        #: (key that rejoined as stuck, committer's key) -> how often
        self._unread: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()

    def adopted(self, change: Change) -> None:
        """Record a commit's author, and a member that it lets in again because it was stuck."""
        m = self._room.membership
        self._committers[m.journal.slot] = (change.by, m.signature_key(change.by) or b"")
        trim(self._committers)
        if change.stuck_slot is None:
            return
        victims = self._stuck.setdefault(change.stuck_slot, set())
        victims.update(key for _, _, key in change.removed)
        trim(self._stuck)
        leaf, key = self._committers.get(change.stuck_slot, (-1, b""))
        if not self._members.host or not key or m.signature_key(leaf) != key:
            return
        who = self._members.name(leaf)
        if len(victims) == 2:
            self._room.tell(sentences.alarm("unreadable_commit", who=who, leaf=leaf))
        for victim, name, _ in change.added:
            pair = (m.signature_key(victim) or b"", key)
            self._unread[pair] = self._unread.get(pair, 0) + 1
            trim(self._unread)
            if self._unread[pair] == 2:
                alarm = sentences.alarm(
                    "unreadable_commit.again", victim=name, victim_leaf=victim, who=who, leaf=leaf
                )
                self._room.tell(alarm)


def trim(known: OrderedDict[Any, Any]) -> None:
    """Drop the oldest entries beyond EPOCHS."""
    while len(known) > EPOCHS:
        known.popitem(last=False)
