"""Hostile members, former members and thieves: they sign what they like with the keys that they have."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel.views import leaf_view
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import SigningKey
from snugroom.lab.attacks.mallory import thief_of
from snugroom.lab.simulation.dishonest import private_commit
from snugroom.lab.simulation.mallory import Mallory
from snugroom.lab.simulation.tale import Person
from snugroom.lab.simulation.world import ORIGIN, Participant, seeded
from snugroom.wire import messages as wire
from snugroom.wire import signed
from tests.adversary.network import Client, HostileNetwork

#: What a member can do with its own leaf: methods of `Mallory`. First commits, then all else.
COMMITS: Final = (
    "garbage_commit", "forged_removal", "forged_policy", "forged_context", "unknown_invite", "wrong_gate",
    "spoiled_path", "spoiled_path_and_gate", "uncarried_proposal", "old_commit_again", "quick_heals",
)  # fmt: skip
MESSAGES: Final = (
    "relay_garbage", "false_end", "false_grant", "steal_streams", "commit_in_the_relay", "cut_off", "bad_box",
    "false_introduction", "odd_leavings", "lie_in_a_beat",
)  # fmt: skip
#: Commits of one connection, within the server's limits; more only cost time.
TAKES: Final = 15
#: Connections that take slots in turn.
TOGETHER: Final = 4


class Intruder(Client):
    """A connection to the room by somebody who has its door key; it shows a pass if it is given one."""

    def __init__(self, w: HostileNetwork, label: str, person: Person) -> None:
        super().__init__(label)
        room = person.who.session._room
        assert room is not None
        self.w = w
        self.person = person
        self.door = room.door_key
        self.admin = room.room_admin_keys.current
        self.number = invite.room_number(self.door.public, self.admin)
        self.nonce = b""
        self.slot: int | None = None
        self.chain = b""
        #: Passes of private gates, by slot: all connections of one member share them.
        self.private: dict[int, list[bytes]] = {}
        self.room_pass: bytes | None = None
        self.takes_until = 0.0
        self.takes = TAKES
        self.turn = 0
        self.seed: tuple[invite.HostSeed, bytes] | None = None
        self.key: SigningKey | None = None
        self.open_ahead = 0
        self.rekeys = 0

    def received(self, message: wire.ServerMessage) -> None:
        """Open the door, then do what was ordered."""
        match message:
            case wire.Challenge():
                self.nonce, own = message.nonce, self.w.rng(32)
                text = invite.door_message(ORIGIN, self.number, message.nonce, own)
                self.w.say(self, wire.RoomDoor(self.door.public, self.admin, own, self.door.sign(text)))
            case wire.Entered():
                self.slot, self.chain = message.slot, message.chain or b""
                self._entered()
            case wire.Opened() | wire.Committed():
                self.slot, self.chain = message.slot, message.chain
                self._take()
            case wire.Rekeyed():
                self._rekey()

    def _entered(self) -> None:
        self._take()
        if self.slot is None and self.open_ahead and self.seed is not None:
            seed, group = self.seed
            gate, chain = self.w.rng(32), self.w.rng(32)
            text = signed.Opening(self.number, self.open_ahead, gate, chain).encode()
            signature = seed.room_admin_key(group).sign(text)
            self.w.say(self, wire.Open(self.open_ahead, gate, chain, signature))
        self._rekey()

    def _take(self) -> None:
        """Take the next slot with noise, and with a gate that only this member's connections can open."""
        if self.w.now >= self.takes_until or self.slot is None or self.room_pass is None:
            return
        if not self.takes or self.slot % TOGETHER != self.turn:
            return  # another of its connections takes this one
        self.takes -= 1
        self.w.say(self, wire.Show([self.room_pass, *self.private.get(self.slot, ())[-3:]]))
        commit, own = private_commit(self.w, self.person.who, self.slot + 1, self.chain)
        self.private.setdefault(self.slot + 1, []).append(own)
        self.w.say(self, commit)

    def _rekey(self) -> None:
        """Hand the room to a key that no host has, then to another one."""
        if self.rekeys and self.key is not None:
            self.rekeys -= 1
            key, self.key = self.key, SigningKey(self.w.rng(32))
            number = invite.room_number(self.door.public, self.key.public)
            signature = key.sign(signed.Rekey(number, self.nonce).encode())
            self.w.say(self, wire.Rekey(self.door.public, self.key.public, signature))


class Hostile(Mallory):
    """A hostile member, before and after its removal."""

    def __init__(
        self, w: HostileNetwork, person: Person, chance: random.Random, victims: list[Participant]
    ) -> None:
        super().__init__(w, person.who, chance)
        self.person = person
        self.network = w
        self.clients: list[Intruder] = []
        #: What it has as a host, kept for later.
        self.kept: HostRecoveryData | None = None
        self._victims = victims

    def victims(self) -> list[Participant]:
        """Return the honest members that its acts may aim at."""
        return [p for p in self._victims if p.session._room is not None and p.alive and p.ended is None]

    def signs(self, act: str) -> bool:
        """Do one of `COMMITS` or `MESSAGES`; return whether it could."""
        room = self.who.session._room
        if self.who.ended is not None or room is None or ev.ROOM not in self.who.links or room.needs_rejoin:
            return False
        if not self.victims():
            return False
        try:
            getattr(self, act)()
        except (SnugError, ValueError, IndexError):
            return False  # it was removed, or is out of step itself
        return True

    def keeps_secrets(self) -> None:
        """A host keeps its recovery data, whatever becomes of its role."""
        self.kept = self.who.session.kept() or self.kept

    def connects(self, count: int) -> bool:
        """Open further connections that show no pass."""
        if self.who.session._room is None:
            return False
        for _ in range(count):
            client = self.intrude()
            client.persistent = True
            self.network.connect(client)
        return True

    def intrude(self) -> Intruder:
        """Open one further connection to the room."""
        client = Intruder(self.network, f"{self.person.label}'s connection", self.person)
        if self.kept is not None:
            client.seed = (self.kept.host_keys.current, self.kept.group_id)
            client.key = client.seed[0].room_admin_key(client.seed[1])
        self.clients.append(client)
        return client

    def takes_slots(self, seconds: float) -> bool:
        """Take slot after slot for a while, from four connections, each with a private gate."""
        room = self.who.session._room
        if room is None or self.who.ended is not None:
            return False
        private: dict[int, list[bytes]] = {}
        for turn in range(TOGETHER):
            client = self.intrude()
            client.private, client.turn = private, turn
            client.takes_until = self.network.now + seconds
            client.room_pass = room.membership.journal.room_pass
            self.network.connect(client)
        return True

    def rekeys(self, times: int) -> bool:
        """Hand the room to other keys at the server, as somebody who has had the host seed can."""
        if self.kept is None:
            return False
        client = self.intrude()
        client.rekeys = times
        self.network.connect(client)
        return True

    def opens_ahead(self, slots: int) -> bool:
        """Be the first who opens the room of a restarted server, at a slot that nobody has reached."""
        room = self.who.session._room
        if self.kept is None or room is None:
            return False
        client = self.intrude()
        client.open_ahead = room.membership.journal.slot + slots
        self.network.connect(client)
        return True

    def returns_by_seed(self, name: str) -> Participant | None:
        """Return as a host that has crashed, under any name."""
        if self.kept is None:
            return None
        session = Session.rejoin_as_host(
            replace(self.kept, name=name), now=self.w.now, rng=seeded(self.w.random.getrandbits(32))
        )
        return self.w.add(f"{self.person.label} as {name}", session)


class Theft:
    """All that a member's program holds at one moment, in a thief's hands."""

    def __init__(self, w: HostileNetwork, victim: Person) -> None:
        self.w = w
        self.victim = victim
        self.session = thief_of(victim.who.session, w.now, w.rng)
        lobby = self.session._guest
        assert isinstance(lobby, RejoinLobby)
        self.stolen = {key.public for key in lobby._keys.all()}
        lobby.fits = lambda answer, group: True  # type: ignore[method-assign]  # a thief minds nothing

    def rejoins(self) -> Participant:
        """Knock with what was stolen."""
        return self.w.add(f"thief of {self.victim.label}", self.session)

    def outdated(self, members: list[Person]) -> bool:
        """Whether the owner's leaf has a rejoin key that was not stolen, in the view of all `members`."""
        return not any(
            leaf_view(leaf).rejoin_key in self.stolen
            for member in members
            if member.room is not None
            for leaf in member.room.membership.leaves()
            if leaf.signature_key == self.victim.key
        )
