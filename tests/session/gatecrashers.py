"""Connections of an attacker beside its session: they hold the keys of a member, and obey no program."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.invite import gate
from snugroom.lab.simulation.world import ORIGIN, Participant, World
from snugroom.server.rooms.effects import Drop, Send
from snugroom.server.rooms.room import Room
from snugroom.wire import messages as wire


class Gatecrasher:
    """One connection through the room's door, with the door key of a member. Its answers come at once."""

    def __init__(self, w: World, room: RoomSession) -> None:
        self.w = w
        self._keys = room
        self.inside = False
        self.enter()

    def enter(self) -> None:
        """Connect and open the door; `inside` tells whether the server admits us."""
        self.handle, challenge = self.w.hub.connect()
        nonce = self.w.rng(32)
        keys = self._keys
        signature = keys.door_key.sign(invite.door_message(ORIGIN, keys.number, challenge.nonce, nonce))
        admin = keys.room_admin_keys.current
        answers = self.says(wire.RoomDoor(keys.door_key.public, admin, nonce, signature))
        self.inside = any(isinstance(a, wire.Entered) for a in answers)

    @property
    def at(self) -> Room:
        """The room at the server, which the attacker knows as well as its operator."""
        return self.w.hub._rooms[self._keys.number]

    @property
    def slot(self) -> int:
        """The room's current slot."""
        assert self.at.slot is not None
        return self.at.slot

    def is_dropped(self) -> bool:
        return self.handle not in self.w.hub._nonces

    def says(self, message: wire.ClientMessage) -> list[wire.Message]:
        """The server's answers to this connection; everything else goes to its receivers."""
        effects = self.w.hub.handle(self.handle, message, self.w.now)
        self.w._server(effects)
        mine = [e for e in effects if isinstance(e, Send | Drop) and e.handle == self.handle]
        return [e.message if isinstance(e, Send) else e.last for e in mine]

    def refusals(self, message: wire.ClientMessage) -> list[str]:
        """The codes with which the server refuses a message."""
        return [a.code for a in self.says(message) if isinstance(a, wire.Refused)]

    def leave(self) -> None:
        self.w._server(self.w.hub.leave(self.handle, self.w.now))


def in_step(w: World, who: Participant) -> bool:
    """Whether this member's messages reach the others now."""
    return bool(who.room.is_synced(w.now))


def everybody_in_step(w: World, people: list[Participant]) -> bool:
    return all(in_step(w, p) for p in people) and len({p.epoch for p in people}) == 1


def alarms_of(who: Participant, kind: str) -> list[ev.Alarm]:
    return [e for e in who.told if isinstance(e, ev.Alarm) and e.kind == kind]


def private_gate(w: World) -> tuple[bytes, bytes]:
    """A pass that no member knows, and its gate."""
    room_pass = w.rng(32)
    return room_pass, gate(room_pass)
