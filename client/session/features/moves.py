"""Where the meeting can go on, as hosts name it; and the moves that a host calls (protocol section 12)."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, reasons, sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import PolicyIntent, RemoveIntent
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.room_state import Policy
from snugroom.crypto.entry.invite import SERVERS_MAX, canonical_origin
from snugroom.crypto.errors import StateError, ValidationError
from snugroom.crypto.kdf import H


class Moves(Feature):
    """Repeats a MOVE of ours until it names the current chain; follows those of other hosts (SNUG-18)."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._wanted: int | None = None  # the server's index in the list, 0 where the meeting began
        self._digest = b""
        self._chain = b""
        self._false: set[int] = set()  # leaves that sent one without being hosts: reported once

    # -- commands ----------------------------------------------------------------------------------

    def carry_out(
        self, what: ev.NameServers | ev.ListServers | ev.Move | ev.RemoveAbsent, now: float
    ) -> None:
        """Carry out a command; ValueError, with a sentence, if that is impossible."""
        match what:
            case ev.NameServers(origins):
                self.name_servers(origins, now)
            case ev.ListServers():
                self.list_servers()
            case ev.Move(origin):
                self.move(origin, now)
            case ev.RemoveAbsent():
                self.remove_absent(now)

    def name_servers(self, given: Sequence[str], now: float) -> None:
        """Name the servers where the meeting goes on, in this order.

        ValueError if an origin is not one, or there twice, if there are too many, or if we are not a host.
        """
        room = self.room
        room.host_only()
        origins = [canonical_origin(each) for each in given]
        if len(origins) > SERVERS_MAX or len({room.origin, *origins}) != 1 + len(origins):
            raise ValueError(sentence("link.many_servers", most=SERVERS_MAX))

        def change(policy: Policy) -> Policy | None:
            if room.host_keys is None:
                raise StateError(sentence("room.host_only"))
            servers = room.host_keys.current.servers(room.membership.group.group_id, origins)
            return None if policy.servers == servers else policy.with_servers(servers)

        room.queue(PolicyIntent(change), now)

    def list_servers(self) -> None:
        """Tell where the meeting is, and where it can go on."""
        origin, listed = self.room.here.origin, ", ".join(self._origins()[1:])
        key = "servers" if listed else "servers.none"
        self.room.tell(sentences.status(key, origin=origin, servers=listed))

    def move(self, origin: str, now: float) -> None:
        """Have everybody go on at that server of the list; empty: at the next one.

        ValueError if the list does not have it, if the meeting is there, or if we are not a host.
        """
        room = self.room
        room.host_only()
        origins = self._origins()
        here = room.here.origin
        if origin:
            origin = canonical_origin(origin)
        elif here in origins:
            origin = origins[(origins.index(here) + 1) % len(origins)]
        if origin not in origins:
            raise ValueError(sentence("room.no_such_server", origin=origin))
        if origin == here:
            raise ValueError(sentence("room.is_there", origin=origin))
        self._wanted, self._chain = origins.index(origin), b""
        self.tick(now)

    def remove_absent(self, now: float) -> None:
        """Remove all members that are not heard here; ValueError if all are, or if we are not a host."""
        room, m = self.room, self.room.membership
        room.host_only()
        here = {m.own_leaf, *room.feature(Monitor).at_incarnation(room.incarnation)}
        away = [leaf for leaf, _, _ in m.members() if leaf not in here and not room.heard_recently(leaf, now)]
        if not away:
            raise ValueError(sentence("room.all_here"))
        room.tell(sentences.status("removing_absent", names=[m.name(leaf) for leaf in away]))
        for leaf in away:
            room.queue(RemoveIntent(leaf, m.signature_key(leaf) or b""), now)

    def _origins(self) -> list[str]:
        return [self.room.origin, *(each.origin for each in self.room.membership.policy.servers)]

    # -- hooks -------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        room, wanted = self.room, self._wanted
        if wanted is None or not room.is_synced(now) or self._chain == room.membership.journal.chain:
            return
        if not room.membership.is_host(room.membership.own_leaf) or wanted >= len(self._origins()):
            self._wanted = None
            return
        self._chain = room.membership.journal.chain
        self._digest = H(room.relay(content.Move(self._chain, wanted)))

    def adopted(self, change: Change, now: float) -> None:
        self._false -= {leaf for leaf, _, _ in change.removed}

    def lost(self, why: str, now: float) -> None:
        self._chain = b""  # it may not have arrived

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        wanted = self._wanted
        if (
            wanted is not None
            and digest == self._digest
            and self._chain == self.room.membership.journal.chain
        ):
            self._go(wanted, self.room.membership.own_leaf, now)

    def content_received(
        self, received: mls.ApplicationMessage, what: content.AnyContent, now: float
    ) -> bool:
        if not isinstance(what, content.Move):
            return False
        m, leaf = self.room.membership, received.sender
        by_host, chain = m.is_host(leaf), m.journal.chain
        if by_host and what.chain != chain and what.chain in m.journal.chains.values():
            return True  # a commit came between: the host sends it again
        try:
            policy.snug_18(by_host=by_host, chain=what.chain, current_chain=chain)
        except ValidationError as error:
            if leaf not in self._false:
                self._false.add(leaf)
                why = reasons.in_full(error)
                self.room.tell(sentences.alarm("false_end.move", name=m.name(leaf), why=why))
        else:
            self._go(what.server, leaf, now)
        return True

    def _go(self, server: int, by: int, now: float) -> None:
        self._wanted = None
        origins = self._origins()
        if server < len(origins) and origins[server] != self.room.here.origin:
            who = self.room.membership.name(by)
            self.room.tell(sentences.status("moving", who=who, origin=origins[server]))
            self.room.look_elsewhere(now, server)
