"""The lobby without a host: members wait there for a returning host and for members out of step.

Protocol section 6, SNUG-8 and 9. The host knows its seed, the link's secret and the door key, but not the
epoch; the members know the epoch, and that no host is there. Even with the server's help, a member can commit
only a return that the host key has signed. A server sees that messages are exchanged in the lobby.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.entry.guest import Entry, GuestLobby
from snugroom.client.session.entry.lobby_connections import MIDNIGHT, LobbyConnections
from snugroom.client.session.kernel.intents import HostReturnIntent, RejoinIntent
from snugroom.client.session.kernel.membership import policy_of
from snugroom.client.session.kernel.ports import Room
from snugroom.crypto import hpke, mls
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.agreed.room_state import (
    ANY_HOST,
    REJOIN_EXTENSION,
    Identity,
    Ledger,
    RejoinTicket,
    host_return_message,
)
from snugroom.crypto.entry import invite, lobby, recovery
from snugroom.crypto.entry.invite import day_of
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.kdf import H, Rng, verify
from snugroom.server.wire import messages as wire

#: Members that wait in the lobby while no host is there: those with the lowest leaves.
ATTENDANTS_MAX: Final = 8
#: Seconds that each next rank waits for the one before it to answer, and to commit.
HERE_STEP: Final = 0.5
COMMIT_STEP: Final = 1.5
SEEK_EVERY: Final = 3.0
#: Seconds without an answer after which the host begins anew.
PATIENCE: Final = 15.0
#: Seconds after which a member that is not let in makes another ticket, of the slot that it then knows.
TICKET_FOR: Final = 120.0
#: Seconds for which one member is asked to let us back in, before the next.
HELPER_WAIT: Final = 6.0
#: Seconds until a member that could not be let back in yet asks again.
REFUSED_WAIT: Final = 30.0
#: Requests that a member remembers, and minimum seconds between two requests of one member.
REQUESTS_MAX: Final = 16
REQUEST_EVERY: Final = 5.0


@dataclass
class _Asked:
    asked: recovery.HostReturnRequest | recovery.RejoinRequest
    day: int
    package: mls.KeyPackage
    name: str
    due: float
    wanted: bool = False


#: The first number of a helper's requests: a host's lobby counts its own from 1 up and from -1 down.
FIRST_NUMBER: Final = 1 << 32

Post = Callable[[int, lobby.LobbyMessage], None]


class RejoinHelper:
    """A member's part in readmission: of crashed hosts, and of members out of step.

    It needs access to the lobby: a host's own, or `MembersLobby` while no host is active.
    """

    def __init__(self, door_seed: bytes, *, rng: Rng = os.urandom) -> None:
        self._rng = rng
        self._key = recovery.recovery_key(door_seed)
        self._here_due: dict[bytes, tuple[float, int]] = {}  # nonce of a HelperQuery -> when, day
        self._asked: OrderedDict[int, _Asked] = OrderedDict()
        self._number = FIRST_NUMBER

    def tick(self, room: Room, rank: int, post: Post, now: float) -> list[HostReturnIntent | RejoinIntent]:
        """Send the answers that are due, unless another member has; return intents for the room to commit."""
        for nonce, (due, day) in list(self._here_due.items()):
            if now >= due:
                del self._here_due[nonce]
                journal = room.m.journal
                here = recovery.HelperOffer(
                    nonce, journal.slot, journal.chain, invite.gate(journal.room_pass)
                )
                post(day, recovery.seal(self._key, here, rng=self._rng))
        wanted: list[HostReturnIntent | RejoinIntent] = []
        for number, asked in self._asked.items():
            step = COMMIT_STEP if isinstance(asked.asked, recovery.HostReturnRequest) else 0.0
            if isinstance(asked.asked, recovery.HostReturnRequest) and (
                now - asked.due > PATIENCE or _is_here(room, asked.name, now)
            ):
                # Given up meanwhile; or a host of that name is active, has not crashed, and another holder of
                # the seed asks.
                continue
            if not asked.wanted and now >= asked.due + step * rank:
                asked.wanted = True
                wanted.append(_intent(number, asked))
        return wanted

    def message_posted(
        self, day: int, posted: lobby.RecoveryMessage, room: Room, rank: int, now: float
    ) -> None:
        """Process a lobby message under the key that members have."""
        try:
            said = recovery.open(self._key, posted)
        except SnugCryptoError:
            return  # the sender has the link, and was never admitted
        match said:
            case recovery.HelperQuery(nonce) if len(self._here_due) < REQUESTS_MAX:
                self._here_due.setdefault(nonce, (now + HERE_STEP * rank, day))
            case recovery.HelperOffer(nonce):
                self._here_due.pop(nonce, None)
            case recovery.HostReturnRequest() | recovery.RejoinRequest():
                self._ask(day, said, room, now)
            case _:
                pass

    def _ask(
        self,
        day: int,
        said: recovery.HostReturnRequest | recovery.RejoinRequest,
        room: Room,
        now: float,
    ) -> None:
        if any(known.asked.key_package == said.key_package for known in self._asked.values()):
            return
        m = room.m
        if isinstance(said, recovery.HostReturnRequest) and m.ledger.returns_closed:
            return  # a former host's: it is void, and must not displace others
        try:
            package = mls.KeyPackageIn.decode(said.key_package).verify(m.group.suite, now=int(now))
            name = check_name(Identity.decode(package.leaf_node.credential.identity).name)
            if isinstance(said, recovery.HostReturnRequest):
                message = host_return_message(m.group.group_id, H(said.key_package), said.slot)
                verify(m.policy.host_public, message, said.signature)
            else:
                ticket = RejoinTicket.decode(_ticket(package) or b"")
                if ticket.group_id != m.group.group_id or ticket.by != m.own_leaf:
                    return  # for another group, or another member
        except SnugCryptoError:
            return  # from a member, former or current, without the host key
        if isinstance(said, recovery.RejoinRequest) and not self._may_ask(package, room, now):
            return
        self._number += 1
        self._asked[self._number] = _Asked(said, day, package, name, now)
        while len(self._asked) > REQUESTS_MAX:  # members' requests are dropped before hosts'
            again = (n for n, a in self._asked.items() if isinstance(a.asked, recovery.RejoinRequest))
            del self._asked[next(again, next(iter(self._asked)))]

    def _may_ask(self, package: mls.KeyPackage, room: Room, now: float) -> bool:
        """Return whether a member of the room may ask again; its previous request is then forgotten."""
        key = package.leaf_node.signature_key
        if key not in [leaf.signature_key for leaf in room.m.leaves()]:
            return False
        for number, asked in list(self._asked.items()):
            if (
                isinstance(asked.asked, recovery.RejoinRequest)
                and asked.package.leaf_node.signature_key == key
            ):
                if now - asked.due < REQUEST_EVERY:
                    return False
                del self._asked[number]
        return True

    def answer(self, number: int, answer: lobby.Answer, post: Post) -> None:
        """Answer a request: our commit of it has come back."""
        asked = self._asked.get(number)
        if asked is not None:
            try:
                back = recovery.make_recovery_reply(asked.asked, answer, rng=self._rng)
            except SnugCryptoError:
                return  # an invalid reply key: the asker cannot be answered
            post(asked.day, recovery.seal(self._key, back, rng=self._rng))


class MembersLobby:
    """A member without the host seed, in the lobby for as long as no host is active."""

    def __init__(self, link: invite.Invite, *, rng: Rng = os.urandom) -> None:
        self.effects: list[ev.Effect] = []
        self._connections = LobbyConnections(link.secret, link.origin, self.effects, rng)

    def tick(self, now: float) -> None:
        """Stay in the lobby."""
        self._connections.stay_in({day_of(now - MIDNIGHT), day_of(now), day_of(now + MIDNIGHT)}, now)

    def lost(self, day: int, now: float) -> None:
        """Handle a lost connection to a lobby."""
        self._connections.lost(day, now)

    def received(self, day: int, message: wire.ServerMessage) -> lobby.RecoveryMessage | None:
        """Return a message between members there; None for any other."""
        posted = self._connections.received(day, message)
        return posted if isinstance(posted, lobby.RecoveryMessage) else None

    def post(self, day: int, message: lobby.LobbyMessage) -> None:
        """Post a message there."""
        self._connections.post(day, message)

    def close(self) -> None:
        """Leave the lobby: a host is active again, or we leave."""
        self._connections.close()


@dataclass
class _Sent:
    asked: recovery.HostReturnRequest
    private: bytes
    bundle: mls.KeyPackageBundle


@dataclass
class _Again:
    """A request to one member, with its keys."""

    asked: recovery.RejoinRequest
    private: bytes
    bundle: mls.KeyPackageBundle
    leaf: int
    at: float


def _is_here(room: Room, name: str, now: float) -> bool:
    """Return whether a host of that name has signed something lately."""
    hosts = [leaf for leaf, known, host in room.m.members() if host and known == name]
    return any(room.heard_recently(leaf, now) for leaf in hosts)


def _ticket(package: mls.KeyPackage) -> bytes | None:
    return next((e.data for e in package.extensions if e.extension_type == REJOIN_EXTENSION), None)


def _intent(number: int, asked: _Asked) -> HostReturnIntent | RejoinIntent:
    if isinstance(asked.asked, recovery.HostReturnRequest):
        return HostReturnIntent(number, asked.package, asked.asked.proof, asked.name)
    return RejoinIntent(number, asked.package, _ticket(asked.package) or b"", asked.name)


class RejoinLobby(GuestLobby):
    """A member out of step: knocks like a newcomer, and also asks the members, in case no host is there."""

    def __init__(
        self,
        link: invite.Invite,
        name: str,
        old: Room,
        make_package: Callable[[float, bytes, int], mls.KeyPackageBundle],
        psks: dict[bytes, bytes],
        *,
        first: int | None = None,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        """`make_package` takes a time, the ticket's nonce (16 bytes) and the leaf that may commit it.

        `first` is the leaf of the member that helped before, if any.
        """
        self._old = old
        self._rejoining_package = make_package
        others = (leaf for leaf, _, host in old.m.members() if not host and leaf != old.m.own_leaf)
        #: Leaves that may be asked in the lobby, the last helper first.
        self._helpers = sorted(list(others)[:ATTENDANTS_MAX], key=lambda leaf: leaf != first)
        #: The leaf of the member that let us in, if it was one of them.
        self.helped_by: int | None = None
        self._turn = 0
        self._nonce = b""
        self._refused_at: float | None = None
        self._key = recovery.recovery_key(old.door_key.seed)
        #: Our requests to members, the newest last.
        self._asked: list[_Again] = []
        self._posted_at = now  # a host may be quicker
        self._made: tuple[float, mls.KeyPackageBundle] | None = None

        def one(at: float) -> mls.KeyPackageBundle:
            # One nonce for hosts and members: it admits us once, so that a late answer cannot remove us
            # again.
            if self._made is None or at - self._made[0] > TICKET_FOR:
                self._nonce = rng(16)
                self._made = (at, make_package(at, self._nonce, ANY_HOST))
                self._asked.clear()
            return self._made[1]

        super().__init__(link, name, "", one, psks, now=now, rng=rng)

    def tick(self, now: float) -> None:
        if self._refused_at is not None and now - self._refused_at < REFUSED_WAIT:
            return
        super().tick(now)
        today = day_of(now)
        waited = now - self._posted_at >= SEEK_EVERY
        if today in self._connections.entered and self.entry is None and waited and self._helpers:
            self._posted_at = now
            self._make_package(now)
            if not self._asked or now - self._asked[-1].at >= HELPER_WAIT:
                self._ask_next(now)
            self._connections.post(today, recovery.seal(self._key, self._asked[-1].asked, rng=self._rng))

    def _ask_next(self, now: float) -> None:
        """Ask one member after the other: a member that does not help could use up its ticket."""
        if self._asked and self._turn % len(self._helpers) == 0:
            self._made = None  # all were asked, and one may have used up the nonce
            self._make_package(now)
        # Each round begins with another member.
        rounds, turn = divmod(self._turn, len(self._helpers))
        leaf = self._helpers[(turn + rounds) % len(self._helpers)]
        self._turn += 1
        private, bundle = self._rng(32), self._rejoining_package(now, self._nonce, leaf)
        self._asked.append(
            _Again(
                recovery.RejoinRequest(hpke.public_key(private), bundle.encoded), private, bundle, leaf, now
            )
        )

    def message_posted(self, day: int, posted: lobby.LobbyMessage, now: float) -> None:
        if not isinstance(posted, lobby.RecoveryMessage) or self.entry is not None:
            super().message_posted(day, posted, now)
            if self.refusal is not None:
                # No person has refused, because nobody is asked: the obstacle may be temporary.
                self._tell("not_yet", sentences.not_yet(self.refusal))
                self.refusal, self._refused_at = None, now
                self._sent.clear()
                self._made = None
            return
        try:
            said = recovery.open(self._key, posted)
            if not isinstance(said, recovery.RecoveryReply):
                return
            ours = next((a for a in self._asked if a.asked.id == said.id), None)
            if ours is None:
                return
            answer = said.open(ours.asked, ours.private)
            group = mls.Group.join(answer.welcome, ours.bundle, psks=self._psks, rng=self._rng)
        except SnugCryptoError:
            return  # from a former member: another may still answer
        if self.fits(answer, group):
            self.entry, self.helped_by = Entry(answer, group), ours.leaf

    def fits(self, answer: lobby.Answer, group: mls.Group) -> bool:
        """Return whether the answer continues the meeting that we were in.

        A removed member can answer as well, in a room that goes on from an epoch before its removal.
        """
        old = self._old
        before = old.m.ledger
        try:
            same_host = policy_of(group).host_public == old.m.policy.host_public
            after = Ledger.decode(answer.ledger)
        except SnugCryptoError:
            return False
        here = {member.leaf_node.signature_key for member in group.members()}
        return (
            same_host
            and group.group_id == old.m.group.group_id
            and answer.door_seed == old.door_key.seed
            and answer.room_admin_public == old.room_admin_public
            and answer.slot > old.m.journal.slot
            and group.epoch > old.m.group.epoch
            and before.keys <= after.keys
            and before.revoked <= after.revoked
            and before.used <= after.used
            and after.returns_closed >= before.returns_closed
            and here & before.keys <= {leaf.signature_key for leaf in old.m.leaves()}
        )


class HostReturnLobby:
    """A crashed host in the lobby: seeks members, and asks to be added."""

    def __init__(
        self,
        kept: recovery.HostRecoveryData,
        make_package: Callable[[float], mls.KeyPackageBundle],
        psks: dict[bytes, bytes],
        *,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        self.effects: list[ev.Effect] = []
        self.entry: Entry | None = None
        self.refusal: str | None = None
        self._kept = kept
        self._make_package = make_package
        self._psks = psks
        self._rng = rng
        self._key = recovery.recovery_key(kept.door_seed)
        self._connections = LobbyConnections(kept.secret, kept.origin, self.effects, rng)
        self._nonce = b""
        self._sought_at = 0.0
        self._here: recovery.HelperOffer | None = None
        self._sent: _Sent | None = None
        self._sent_at = 0.0
        self._server_nonce = b""
        self._tell("returning", "Looking for members who can let the host in again...")
        self.tick(now)

    def _tell(self, kind: str, text: str) -> None:
        self.effects.append(ev.Tell(ev.Status(kind, text)))

    def tick(self, now: float) -> None:
        """Stay in today's lobby and seek until a member answers; begin anew after PATIENCE seconds."""
        today = day_of(now)
        self._connections.stay_in({today}, now)
        if today not in self._connections.entered or self.entry is not None:
            return
        if self._sent is not None and now - self._sent_at > PATIENCE:
            self._sent, self._here = None, None
        if self._sent is None and now - self._sought_at >= SEEK_EVERY:
            self._sought_at = now
            self._nonce = self._rng(16)
            self._post(today, recovery.HelperQuery(self._nonce))

    def _post(self, day: int, message: recovery.Message) -> None:
        self._connections.post(day, recovery.seal(self._key, message, rng=self._rng))

    def lost(self, day: int, why: str, now: float) -> None:
        """Handle a lost connection to the lobby."""
        self._connections.lost(day, now)

    def received(self, day: int, message: wire.ServerMessage, now: float) -> None:
        """Process a message from the server in the lobby."""
        posted = self._connections.received(day, message)
        if posted is True:
            self._sought_at = 0.0
            self.tick(now)
        if not isinstance(posted, lobby.RecoveryMessage):
            return
        try:
            said = recovery.open(self._key, posted)
        except SnugCryptoError:
            return
        if isinstance(said, recovery.HelperOffer) and said.nonce == self._nonce and self._sent is None:
            self._ask(day, said, now)
        elif (
            isinstance(said, recovery.RecoveryReply)
            and self._sent is not None
            and said.id == self._sent.asked.id
        ):
            self._let_in(said, self._sent)

    def _ask(self, day: int, here: recovery.HelperOffer, now: float) -> None:
        bundle = self._make_package(now)
        asked, private = recovery.make_host_return_request(
            self._kept.host_seed, self._kept.group_id, here.slot, bundle.encoded, rng=self._rng
        )
        self._here, self._sent, self._sent_at = here, _Sent(asked, private, bundle), now
        self._post(day, asked)
        self.effects.append(ev.Connect(ev.ROOM))  # a restarted server needs a room admin to open

    def received_in_room(self, message: wire.ServerMessage) -> None:
        """Open the room for the members, who cannot do that themselves."""
        here, door = self._here, self._kept.door_key
        room_admin = self._kept.host_seed.room_admin_key(self._kept.group_id)
        number = invite.room_number(door.public, room_admin.public)
        if isinstance(message, wire.Challenge):
            self._server_nonce = message.nonce
            nonce = self._rng(32)
            signed = door.sign(invite.door_message(self._kept.origin, number, message.nonce, nonce))
            self._transmit(wire.RoomDoor(door.public, room_admin.public, nonce, signed))
        elif isinstance(message, wire.Entered) and message.slot is None and here is not None:
            text = invite.open_message(number, here.slot, here.gate, here.chain, self._server_nonce)
            self._transmit(wire.Open(here.slot, here.gate, here.chain, room_admin.sign(text)))

    def _transmit(self, message: wire.ClientMessage) -> None:
        self.effects.append(ev.Transmit(ev.ROOM, message))

    def _let_in(self, back: recovery.RecoveryReply, sent: _Sent) -> None:
        try:
            answer = back.open(sent.asked, sent.private)
            group = mls.Group.join(answer.welcome, sent.bundle, psks=self._psks, rng=self._rng)
            policy = policy_of(group)
        except SnugCryptoError:
            return  # from a former member: another may still answer
        own = next(m.leaf_node.signature_key for m in group.members() if m.leaf == group.own_leaf)
        room_admin = self._kept.host_seed.room_admin_key(self._kept.group_id).public
        ours = group.group_id == self._kept.group_id and answer.door_seed == self._kept.door_seed
        ours = ours and answer.room_admin_public == room_admin
        if ours and policy.host_public == self._kept.host_seed.host_public and own in policy.hosts:
            self.entry = Entry(answer, group)

    def close(self) -> None:
        """Leave the lobby."""
        self._connections.close()
