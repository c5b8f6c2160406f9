"""Where the meeting can go on, as hosts name it; and the moves that a host calls (protocol section 12)."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.client.session import addresses
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import Arg, CommandError, sentence
from snugroom.client.session.features.announcement import Announcement
from snugroom.client.session.features.mirror import Mirror
from snugroom.client.session.kernel.intents import PolicyIntent, RemoveIntent
from snugroom.client.session.kernel.known_servers import QUESTIONS_MAX
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed.room_state import SERVERS_MAX, Policy
from snugroom.crypto.errors import StateError


class Moves(Announcement[content.Move]):
    """The list of servers, and the moves: a host goes when its own has come back."""

    KIND = content.Move
    ALARM = "false_end.move"

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._wanted: int | None = None  # the server's index in the list, 0 where the meeting began
        self._judged: Policy | None = None  # whose servers are judged
        self._author: int | None = None  # the leaf of the host who has changed the list last
        self._left = ""  # a server to which a host has called us, and that our person has not allowed
        self._gathers = False  # at the hosts' place: somebody has come in, and does not know a member's

    # -- commands ----------------------------------------------------------------------------------

    def carry_out(
        self,
        what: ev.NameServers | ev.ListServers | ev.AllowServer | ev.Move | ev.RemoveAbsent,
        now: float,
    ) -> None:
        """Carry out a command; CommandError if that is impossible."""
        match what:
            case ev.NameServers(origins):
                self.name_servers(origins, now)
            case ev.ListServers():
                self.list_servers(now)
            case ev.AllowServer(origin):
                self.allow(origin, now)
            case ev.Move(origin):
                self.move(origin, now)
            case ev.RemoveAbsent():
                self.remove_absent(now)

    def name_servers(self, given: Sequence[str], now: float) -> None:
        """Name the servers where the meeting goes on, in this order.

        CommandError if an origin is not one, or there twice, if there are too many, or if we are not a host.
        """
        room = self.room
        room.host_only()
        origins = [addresses.typed_origin(each) for each in given]
        if len(origins) > SERVERS_MAX or len({room.origin, *origins}) != 1 + len(origins):
            raise CommandError(sentence("link.many_servers", most=SERVERS_MAX))
        addresses.check_all(room.origin, origins, anywhere=room.options.private_servers)
        room.servers.allow(origins)

        def change(policy: Policy) -> Policy | None:
            if room.host_keys is None:
                raise StateError(sentence("room.host_only"))
            servers = room.host_keys.current.servers(room.membership.group.group_id, origins)
            return None if policy.servers == servers else policy.with_servers(servers)

        room.queue(PolicyIntent(change), now)

    def list_servers(self, now: float) -> None:
        """Tell where the meeting is, and where it can go on."""
        origin, origins = self.room.here.origin, self._origins()
        at = origins.index(origin) if origin in origins else 0
        others = [*origins[at + 1 :], *origins[:at]]  # after the last one comes the first
        listed = ", ".join(others)
        if away := [each for each in others if not self.room.servers.leads(each)]:
            self.room.tell(sentences.status("servers.without_you", servers=away))
        reach = self.room.feature(Mirror).reach
        where: dict[str, Arg] = {"origin": origin, "servers": listed}
        if not listed or not reach.origin:
            self.room.tell(sentences.status("servers" if listed else "servers.none", **where))
            return
        key = "servers.mirrored" if reach.is_reached else "servers.unmirrored"
        seconds = int(now - reach.since)
        self.room.tell(sentences.status(key, **where, mirror=reach.origin, seconds=seconds))

    def allow(self, origin: str, now: float) -> None:
        """Let our program go to that server of the list, at once if the others have been called there.

        CommandError if it is none, if the list does not have it, or if this meeting leads nobody there.
        """
        room, origin = self.room, addresses.typed_origin(origin)
        if origin not in self._origins():
            raise CommandError(sentence("room.no_such_server", origin=origin))
        addresses.check_all(room.origin, [origin], anywhere=room.options.private_servers)
        room.servers.allow([origin])
        room.tell(sentences.status("cleared.server_asked.allowed", servers=[origin]))
        if origin == self._left:
            self._left = ""
            room.look_elsewhere(now, self._origins().index(origin))

    def move(self, origin: str, now: float) -> None:
        """Have everybody go on at that server of the list; empty: at the next one.

        CommandError if it is none, not in the list or where the meeting is, or if we are not a host.
        """
        room = self.room
        room.host_only()
        origins = self._origins()
        here = room.here.origin
        if origin:
            origin = addresses.typed_origin(origin)
        elif here in origins:
            origin = origins[(origins.index(here) + 1) % len(origins)]
        if origin not in origins:
            raise CommandError(sentence("room.no_such_server", origin=origin))
        if origin == here:
            raise CommandError(sentence("room.is_there", origin=origin))
        addresses.check_all(room.origin, [origin], anywhere=room.options.private_servers)
        room.servers.allow([origin])
        self._wanted = origins.index(origin)
        self.announce(now)

    def remove_absent(self, now: float) -> None:
        """Remove all members that are not heard here; CommandError if all are, or if we are not a host."""
        room, m = self.room, self.room.membership
        room.host_only()
        here = {m.own_leaf, *room.feature(Monitor).at_incarnation(room.incarnation, now)}
        away = [leaf for leaf, _, _ in m.members() if leaf not in here and not room.heard_recently(leaf, now)]
        if not away:
            raise CommandError(sentence("room.all_here"))
        room.tell(sentences.status("removing_absent", names=[m.name(leaf) for leaf in away]))
        for leaf in away:
            room.queue(RemoveIntent(leaf, m.signature_key(leaf) or b"", absent=True), now)

    def _judge_list(self) -> None:
        """Tell of servers of the list to which our program does not go, or not without our person's word."""
        m, policy = self.room.membership, self.room.membership.policy
        if policy is self._judged:
            return
        self._judged = policy
        first, anywhere = self.room.origin, self.room.options.private_servers
        for origin, why in addresses.strange(first, policy.origins, anywhere=anywhere):
            self.room.tell(sentences.strange_server(first, origin, why))
        by, self._author = self._author, None
        who: Arg = sentence("room.a_host") if by is None else m.name(by)
        key = b"" if by is None else m.signature_key(by) or b""
        found = self.room.servers.listed(policy.origins, key)
        if found.withdrawn:
            self.room.tell(sentences.status("cleared.server_asked", servers=found.withdrawn))
        if found.asked:
            told = "server_asked.link" if self.room.options.servers == "link" else "server_asked"
            self.room.tell(sentences.status(told, who=who, servers=found.asked))
        if found.passed:
            self.room.tell(sentences.status("server_asked.many", who=who, most=QUESTIONS_MAX))

    def _origins(self) -> list[str]:
        return [self.room.origin, *self.room.membership.policy.origins]

    # -- a call --------------------------------------------------------------------------------------

    def adopted(self, change: Change, now: float) -> None:
        super().adopted(change, now)
        if change.policy_before.origins != change.policy_after.origins:
            self._author = change.by
        self._gathers |= bool(change.added) and bool(self.room.here.attempt)

    def tick(self, now: float) -> None:
        room, here = self.room, self.room.here
        self._judge_list()
        if here.attempt and here.server and room.is_synced(now):
            if self._gathers and room.idle:
                self._gathers = False
                room.look_elsewhere(now, here.server)
            elif room.host_keys is not None and room.feature(Monitor).at_incarnation(room.incarnation, now):
                self._wanted = here.server  # no member can spoil the hosts' place
        super().tick(now)

    def wanted(self, chain: bytes) -> content.Move | None:
        m, server = self.room.membership, self._wanted
        if server is None or not m.is_host(m.own_leaf) or server >= len(self._origins()):
            self._wanted = None
            return None
        return content.Move(chain, server)

    def follow(self, what: content.Move, by: int, now: float) -> None:
        self._wanted = None
        room = self.room
        self._left = ""
        origins, server, here = self._origins(), what.server, room.here
        if server >= len(origins) or (origins[server] == here.origin and not here.attempt):
            return
        who, origin = room.membership.name(by), origins[server]
        objection = room.servers.objection(origin)
        if objection is not None:
            why = sentence(f"room.strange_{objection}")
            room.tell(sentences.status("move_refused", who=who, origin=origin, why=why))
            return
        if not room.servers.leads(origin):
            self._left = origin
            room.tell(sentences.status("server_asked.moved", who=who, origin=origin, servers=[origin]))
            return
        if origin != here.origin:
            room.tell(sentences.status("moving", who=who, origin=origin))
        room.look_elsewhere(now, server)
