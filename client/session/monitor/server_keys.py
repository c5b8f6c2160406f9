"""Whether the server shows all members one key, and to each of them no other one in turn.

Protocol section 7. A server makes its key at its start, as it makes its incarnation: members that name one
incarnation have seen one key, and no incarnation of a place comes back after another. So a restart and a move
say nothing here. One member's word about another key is that alone, and stops nobody.
"""

from __future__ import annotations

from math import inf
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Arg
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.claims import TOLD_AGAIN
from snugroom.client.session.monitor.heartbeats import Record
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.crypto.agreed.heartbeat import Heartbeat, server_mark

#: Incarnations that are remembered, over all places.
KEPT: Final = 64


class ServerKeys:
    """The key that the server has shown to us, and what the others have signed about theirs."""

    def __init__(self, room: Room, members: MemberTable, record: Record) -> None:
        self._room = room
        self._members = members
        self._record = record
        #: The server's key when we last came in step, 32 bytes.
        self._key = bytes(32)
        self._incarnation = bytes(8)  # the room there, as heartbeats name it
        #: All places (the server, whether the meeting began there, and whose place it is) in turn, with the
        #: incarnation and the key.
        self._shown: list[tuple[tuple[str, bool, int], bytes, bytes]] = []
        self._turned = False  # the server has shown ourselves two keys where an honest one has one
        self._reporters: set[bytes] = set()  # the signature keys of members to whom it shows another one
        self._told_at = -inf  # one member's word
        self._proven = False  # the word of more was told

    def taken_along(self, room: Room, members: MemberTable) -> ServerKeys:
        """Return this for the membership after a rejoin of ours."""
        self._room, self._members = room, members
        return self

    def synced(self, now: float) -> None:
        """Take key and incarnation of the connection that has come in step."""
        here, key, incarnation = self._room.here, self._room.server_key, self._room.incarnation
        if key is None or incarnation is None:
            return
        place = here.origin, here.is_home, here.attempt
        seen = [each for each in self._shown if each[0] == place]
        new = (place, incarnation, key)
        if not seen or seen[-1] != new:
            self._shown = [*self._shown, new][-KEPT:]
            if any(each[1] == incarnation for each in seen):
                text = f"the key {seen[-1][2].hex()}, then {key.hex()}, and no restart lies between"
                self._tell("" if self._turned else "turned", text, now)
                self._turned = True
        if incarnation != self._incarnation:
            self._reporters.clear()
            self._proven = False
        self._key, self._incarnation = key, incarnation

    def _tell(self, form: str, text: str, now: float, **args: Arg) -> None:
        """Keep what the server has shown, and tell it if `form` is not empty."""
        self._record.add_contradiction(now, "server_key", text)
        if form:
            proof = sentences.proof(self._room.options.evidence)
            self._room.tell(sentences.alarm(f"server_key.{form}", proof=proof, **args))

    def heard(self, beat: Heartbeat, now: float) -> None:
        """Compare the key that a member has signed with ours."""
        if beat.incarnation != self._incarnation:
            return  # it is elsewhere, or has not come back from a restart: that is judged as such
        m = self._room.membership
        signer = m.signature_key(beat.leaf) or b""
        if beat.server == server_mark(beat.prev, self._key):
            self._reporters.discard(signer)
            return
        self._reporters.add(signer)
        keys = {leaf: m.signature_key(leaf) or b"" for leaf in self._members.others}
        self._reporters.intersection_update(keys.values())
        leaves = [leaf for leaf, key in keys.items() if key in self._reporters]
        proven = len(leaves) > 1 or (self._turned and self._members.others[beat.leaf])
        if self._proven or not (proven or now - self._told_at > TOLD_AGAIN):
            return
        self._told_at, self._proven = now, proven
        text = (
            f"the key {self._key.hex()}; of the others, {len(leaves)} signed that they were shown another one"
        )
        self._tell("proven" if proven else "one", text, now, who=self._members.names(leaves))
