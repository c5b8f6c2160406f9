"""The host seed, handed to those whom a host makes hosts as well (docs/decisions/0009-turns-and-hosts.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.session import content
from client.session.announced import open_grant, seal_grant
from client.session.aspect import Aspect
from crypto import mls

if TYPE_CHECKING:
    from client.session.room import RoomSession


class Granting(Aspect):
    """Owes the seed to signature keys, and pays when their policy and their box are known."""

    def __init__(self, room: RoomSession) -> None:
        super().__init__(room)
        self._owed: set[bytes] = set()

    def owe(self, signature_key: bytes) -> None:
        """Hand the seed to that member as soon as it is a host by the policy."""
        self._owed.add(signature_key)

    def tick(self, now: float) -> None:
        room = self.room
        if room.host_seed is None or not self._owed or not room.is_level(now):
            return
        for leaf, box in room.announced.boxes():
            key = room.m.signature_key(leaf)
            if key is not None and key in self._owed and key in room.m.policy.hosts:
                self._owed.discard(key)
                room.relay(seal_grant(room.host_seed, leaf, key, box, room.m.group.group_id, room.rng))

    def heard(self, received: mls.ApplicationMessage, what: content.AnyContent, now: float) -> bool:
        if not isinstance(what, content.Grant):
            return False
        room = self.room
        if what.leaf == room.m.own_leaf and room.m.is_host(received.sender) and room.host_seed is None:
            own_key = room.m.signature_key(room.m.own_leaf) or b""
            seed = open_grant(what, own_key, room.box, room.m.group.group_id)
            if seed is not None:
                steward = seed.steward_key(room.m.group.group_id)
                ours = seed.host_public == room.m.policy.host_public
                if ours and steward.public == room.steward_public:
                    room.host_seed = room.granted = seed
        return True
