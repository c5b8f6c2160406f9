"""Messages of every type that a server can invent: from what it knows, and signed by its own key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from snugroom.client.session import events as ev
from snugroom.lab.simulation.tale import Person
from snugroom.server.rooms.room_signatures import RoomSignatures
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.adversary.network import HostileNetwork, Way

#: Refusals, as code and type of the refused message: those of an honest room, and a few that it never sends.
REFUSALS: Final = (
    ("gone", "catch_up"), ("pass", "catch_up"), ("slot", "catch_up"), ("rate", "catch_up"),
    ("state", "catch_up"), ("pass", "show"), ("slot", "show"), ("pass", "commit"), ("size", "commit"),
    ("gone", "commit"), ("pass", "relay"), ("gone", "relay"), ("pass", "broadcast"), ("pass", "media"),
    ("lost", "media"), ("open", "open"), ("signature", "open"), ("signature", "rekey"),
    ("full", "room_door"), ("door", "room_door"), ("permission", "room_door"), ("password", "room_door"),
    ("unopened", ""), ("stopping", ""), ("errors", ""),
)  # fmt: skip
#: How far a slot that the server claims is from its real one.
AWAY: Final = (0, 1, -1, 2, 100)


class Inventor:
    """Makes messages. `away` shifts slots and numbers; `pick` chooses among old blobs."""

    def __init__(self, w: HostileNetwork) -> None:
        self.w = w

    def make(self, kind: str, person: Person, away: int, pick: int) -> wire.ServerMessage | None:
        """Return a message of that type; None if the server knows too little for one."""
        room = person.room
        slot = max(0, (0 if room is None else room.membership.journal.slot) + away)
        return MAKERS[kind](self, person, slot, pick)

    def old(self, person: Person, way: Way, kind: type[wire.Message], pick: int) -> wire.Message | None:
        """Return a message that this participant has sent or received before."""
        known = [m for _, m in self.w.recent.get((person.label, way), []) if isinstance(m, kind)]
        return known[pick % len(known)] if known else None

    def signatures(self, person: Person) -> tuple[bytes, RoomSignatures]:
        """Return the number of a participant's room, and what signs there, as the server may anything."""
        number = bytes(16) if person.room is None else person.room.number
        room = self.w.hub._rooms.get(number)
        if room is not None:
            return number, room._signatures
        return number, RoomSignatures(lambda text: self.w.server_secret.sign(text).signature, self.w.rng)

    def chain(self, person: Person, slot: int) -> bytes:
        """Return the real chain of a slot if the participant has it, otherwise any."""
        known = None if person.room is None else person.room.membership.journal.chains.get(slot)
        return known or self.w.rng(32)

    def blob(self, person: Person, pick: int) -> bytes:
        """Return a blob that somebody has sent, or noise of an allowed size."""
        sent = self.old(person, "up", wire.Relay, pick) or self.old(person, "up", wire.Broadcast, pick)
        if pick % 3 and isinstance(sent, wire.Relay | wire.Broadcast):
            return sent.blob
        return self.w.rng(BUCKETS[pick % 3])

    # -- one method for each type --------------------------------------------------------------------

    def challenge(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Challenge(
            1, person.who.session.origin, self.w.rng(32), bytes(self.w.server_secret.verify_key)
        )

    def entered(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        incarnation = self.w.hub._incarnation if pick % 2 else self.w.rng(8)
        return wire.Entered(self.w.rng(8), incarnation, slot, self.chain(person, slot))

    def permit(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Permit(self.w.rng(40))

    def exchanged(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Exchanged([self.w.rng(96)] * 8)

    def refused(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        code, about = REFUSALS[pick % len(REFUSALS)]
        return wire.Refused(code, "the server says so", about)

    def moved_to(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.MovedTo(("/n/1", "/n/64", "/n/65", "https://evil.example/n/1", "")[pick % 5])

    def closing(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Closing(("stopping", "idle", "slow", "unopened", "pass")[pick % 5], "the server says so")

    def pong(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Pong()

    def posted(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        sent = self.old(person, "up", wire.Post, pick) or self.old(person, "down", wire.Posted, pick)
        blob = sent.blob if isinstance(sent, wire.Post | wire.Posted) else self.w.rng(BUCKETS[2])
        handles = list(self.w.handles) or [bytes(8)]
        return wire.Posted(handles[pick % len(handles)], blob)

    def shown(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Shown(slot)

    def opened(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        chain = self.chain(person, slot)
        number, signatures = self.signatures(person)
        return signatures.opened(number, slot, chain)

    def committed(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        old = self.old(person, "down", wire.Committed, pick)
        blob = old.blob if pick % 2 and isinstance(old, wire.Committed) else self.blob(person, pick)
        number, signatures = self.signatures(person)
        before = self.chain(person, max(0, slot - 1))
        return signatures.committed(number, before, wire.Commit(slot, blob))

    def stale(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Stale(slot + 1, slot)

    def rekeyed(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        room = person.room
        return wire.Rekeyed(self.w.rng(32) if room is None or pick % 2 else room.room_admin_keys.current)

    def ready(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Ready(slot + pick % 3)

    def caught_up(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.CaughtUp(slot, slot + pick % 4, pick % 3)

    def relayed(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Relayed(slot, self.blob(person, pick))

    def broadcasted(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Broadcasted(self.blob(person, pick))

    def arrived(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Arrived(self.w.rng(8))

    def left(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Left(self.w.rng(8))

    def transport(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Transport("abcd", "p" * 24, self.w.rng(32), "127.0.0.1", 9)

    def streams(self, person: Person, slot: int, pick: int) -> wire.ServerMessage:
        return wire.Streams([wire.HandleStream(self.w.rng(8), 1 + pick, "audio")])


MAKERS: Final[Mapping[str, Callable[[Inventor, Person, int, int], wire.ServerMessage]]] = {
    "challenge": Inventor.challenge,
    "entered": Inventor.entered,
    "permit": Inventor.permit,
    "exchanged": Inventor.exchanged,
    "refused": Inventor.refused,
    "moved_to": Inventor.moved_to,
    "closing": Inventor.closing,
    "pong": Inventor.pong,
    "posted": Inventor.posted,
    "shown": Inventor.shown,
    "ready": Inventor.ready,
    "opened": Inventor.opened,
    "committed": Inventor.committed,
    "stale": Inventor.stale,
    "rekeyed": Inventor.rekeyed,
    "caught_up": Inventor.caught_up,
    "relayed": Inventor.relayed,
    "broadcasted": Inventor.broadcasted,
    "arrived": Inventor.arrived,
    "left": Inventor.left,
    "transport": Inventor.transport,
    "streams": Inventor.streams,
}
#: Types that a server invents on a connection to the lobby.
IN_LOBBY: Final = ("posted", "closing", "refused")


def endpoint_for(person: Person, kind: str) -> ev.Endpoint:
    """Return the participant's connection on which a message of that type means something."""
    lobbies = [endpoint for endpoint in person.who.links if endpoint.day is not None]
    return (
        lobbies[0] if kind in IN_LOBBY and lobbies and (kind == "posted" or person.room is None) else ev.ROOM
    )
