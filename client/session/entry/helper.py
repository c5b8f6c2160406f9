"""Members in the lobby while no host is there: they let a crashed host, and members out of step, in again.

Protocol section 6, SNUG-8 and 9. `recovery` has the other side.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.entry.lobby_connections import LobbyConnections, days_around
from snugroom.client.session.entry.piece_queue import PieceQueue
from snugroom.client.session.entry.tickets import known_member, ticket_from
from snugroom.client.session.kernel.intents import (
    HealIntent,
    HostReturnIntent,
    MembersRequest,
    RejoinIntent,
)
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.views import ticket_of
from snugroom.crypto import mls
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.agreed.policy import RETURN_QUIET
from snugroom.crypto.agreed.room_state import Identity, host_return_message
from snugroom.crypto.entry import answers, invite, lobby, recovery
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H, Rng, verify
from snugroom.crypto.proof.report import NO_INVITE

#: Members that wait in the lobby while no host is there: those with the lowest leaves.
ATTENDANTS_MAX: Final = 8
#: Seconds that each next rank waits for the one before it to answer, and to commit.
HERE_STEP: Final = 0.5
COMMIT_STEP: Final = 1.5
#: Seconds without an answer after which the host begins anew.
PATIENCE: Final = 15.0
#: Requests that a member remembers, and minimum seconds between two requests of one member.
REQUESTS_MAX: Final = 16
REQUEST_EVERY: Final = 1.0


@dataclass
class _Asked:
    asked: recovery.HostReturnRequest | recovery.RejoinRequest
    day: int
    handle: bytes  # of the connection that posted the request last
    package: mls.KeyPackage
    name: str
    due: float
    wanted: bool = False
    approved: bool = False  # by a person who is a host


#: Seconds between two commits of a member that shows that no host commits (SNUG-9).
HURRY: Final = 0.4
#: Seconds for which a host's person has time to answer a returning host, whose program asks again meanwhile.
ASKED_FOR: Final = 60.0
#: Seconds for which a refused host is not asked about again.
REFUSED_FOR: Final = 600.0

#: Posts a message in a day's lobby for all.
Post = Callable[[int, lobby.LobbyMessage], None]


class Attended(Protocol):
    """The lobby in which a request is answered."""

    @property
    def pieces(self) -> PieceQueue: ...
    def post(self, day: int, message: lobby.LobbyMessage, *to: bytes) -> None: ...


class RejoinHelper:
    """A member's part in readmission: of crashed hosts, and of members out of step.

    It needs access to the lobby: a host's own, or `MembersLobby` while no host is active.
    """

    def __init__(self, door_seed: bytes, *, numbers: Iterator[int], rng: Rng = os.urandom) -> None:
        """`numbers`: those of requests, and of the knocks of newcomers."""
        self._rng = rng
        self._key = recovery.recovery_key(door_seed)
        self._here_due: dict[bytes, tuple[float, int]] = {}  # nonce of a HelperQuery -> when, day
        self._asked: OrderedDict[int, _Asked] = OrderedDict()
        self._numbers = numbers
        self._hurried_at = 0.0
        self._refused: dict[str, float] = {}  # names of returning hosts -> until when

    def tick(
        self, room: Room, rank: int, post: Post, now: float
    ) -> list[HostReturnIntent | RejoinIntent | HealIntent]:
        """Send the answers that are due, unless another member has; return intents for the room to commit."""
        for nonce, (due, day) in list(self._here_due.items()):
            if now >= due:
                del self._here_due[nonce]
                m = room.membership
                here = recovery.HelperOffer(nonce, m.journal.slot, m.policy.return_public)
                post(day, recovery.seal(self._key, here, rng=self._rng))
        wanted: list[HostReturnIntent | RejoinIntent | HealIntent] = []
        for number, asked in self._asked.items():
            returns = isinstance(asked.asked, recovery.HostReturnRequest)
            step = COMMIT_STEP if returns and not asked.approved else 0.0
            if returns and (now - asked.due > PATIENCE or not _may_return(room, asked, now)):
                continue  # given up meanwhile; or a person must approve, or the host has not crashed
            if returns and not asked.approved and not _hosts_quiet(room):
                if now - self._hurried_at >= HURRY + step * rank and room.idle:
                    self._hurried_at = now
                    wanted.append(HealIntent(room.membership.group.epoch))
                continue
            if not asked.wanted and now >= asked.due + step * rank:
                asked.wanted = True
                wanted.append(_intent(number, asked))
        return wanted

    def message_posted(
        self, day: int, posted: lobby.RecoveryMessage, handle: bytes, room: Room, now: float
    ) -> ev.Knocked | None:
        """Process a lobby message under the key that members have, which the connection `handle` has posted.

        Returns the question for our person, if we are a host and a host asks to come back.
        """
        try:
            said = recovery.open(self._key, posted)
        except SnugError:
            return None  # the sender has the link, and was never admitted
        match said:
            case recovery.HelperQuery(nonce) if len(self._here_due) < REQUESTS_MAX:
                self._here_due.setdefault(nonce, (now + HERE_STEP * room.rank, day))
            case recovery.HelperOffer(nonce):
                self._here_due.pop(nonce, None)
            case recovery.HostReturnRequest() | recovery.RejoinRequest():
                return self._ask(day, said, handle, room, now)
            case _:
                pass
        return None

    def _ask(
        self,
        day: int,
        said: recovery.HostReturnRequest | recovery.RejoinRequest,
        handle: bytes,
        room: Room,
        now: float,
    ) -> ev.Knocked | None:
        for known in self._asked.values():
            if known.asked.key_package == said.key_package:
                known.handle = handle
                return None
        m = room.membership
        if isinstance(said, recovery.HostReturnRequest) and m.ledger.rotation_due:
            return None  # perhaps a former host's: it is void, and must not displace others
        try:
            package = mls.KeyPackageIn.decode(said.key_package).verify(m.group.suite, now=int(now))
            name = check_name(Identity.decode(package.leaf_node.credential.identity).name)
            if isinstance(said, recovery.HostReturnRequest):
                message = host_return_message(m.group.group_id, H(said.key_package), said.slot)
                verify(m.policy.return_public, message, said.signature)
            else:
                ticket = ticket_from(m, package)
                if ticket is None or ticket.by != m.own_leaf:
                    return None  # for another group or member, or not signed with the leaf's current key
        except SnugError:
            return None  # from a member, former or current, without the return key
        if isinstance(said, recovery.RejoinRequest) and not self._may_ask(package, room, now):
            return None
        if isinstance(said, recovery.HostReturnRequest):
            hosts = [leaf for leaf, known, host in m.members() if host and known == name]
            if not hosts or now < self._refused.get(name, 0.0):
                return None  # nobody comes back under a new name
            if m.is_host(m.own_leaf):
                return self._ask_person(_Asked(said, day, handle, package, name, now), room, now)
        self._add(_Asked(said, day, handle, package, name, now))
        return None

    def _ask_person(self, asked: _Asked, room: Room, now: float) -> ev.Knocked | None:
        """Keep a host's request until our person approves it; the newest one counts, under one number."""
        if _is_here(room, asked.name, now):
            return None
        for number, known in self._asked.items():
            pending = isinstance(known.asked, recovery.HostReturnRequest) and not known.wanted
            if pending and known.name == asked.name and now - known.due <= ASKED_FOR:
                asked.approved = known.approved
                self._asked[number] = asked
                return None
        number = self._add(asked)
        warnings = (sentence("warning.returning"),)
        return ev.Knocked(number, asked.name, "", NO_INVITE, warnings=warnings, returning=True)

    def is_host(self, number: int) -> bool:
        """Return whether a returning host asks, or has asked, under that number."""
        asked = self._asked.get(number)
        return asked is not None and isinstance(asked.asked, recovery.HostReturnRequest)

    def decide(self, number: int, admit: bool, now: float) -> None:
        """Let a host come back, or refuse it, as a host's person says; CommandError if none asks any more."""
        asked = self._asked.get(number)
        if asked is None or asked.wanted or now - asked.due > ASKED_FOR:
            raise CommandError(sentence("cannot.nobody_waits", number=number))
        if admit:
            asked.approved = True
        else:
            del self._asked[number]
            self._refused[asked.name] = now + REFUSED_FOR

    def _add(self, asked: _Asked) -> int:
        number = next(self._numbers)
        self._asked[number] = asked
        while len(self._asked) > REQUESTS_MAX:  # members' requests are dropped before hosts'
            again = (n for n, a in self._asked.items() if isinstance(a.asked, recovery.RejoinRequest))
            del self._asked[next(again, next(iter(self._asked)))]
        return number

    def _may_ask(self, package: mls.KeyPackage, room: Room, now: float) -> bool:
        """Return whether a member, here or absent, may ask again; its previous request is then forgotten."""
        key = package.leaf_node.signature_key
        known = known_member(room.membership, key)
        if known is None or known.name_taken:
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

    def answer(
        self,
        number: int,
        answer: answers.Answer,
        pieces: tuple[lobby.Piece, ...],
        place: Attended,
        now: float,
    ) -> None:
        """Answer a request: our commit of it has come back. `pieces`: those that the answer lists."""
        asked = self._asked.get(number)
        if asked is not None:
            try:
                back = recovery.make_recovery_reply(asked.asked, answer, rng=self._rng)
            except SnugError:
                return  # an invalid reply key: the asker cannot be answered
            place.post(asked.day, recovery.seal(self._key, back, rng=self._rng), asked.handle)
            place.pieces.add(back.id, asked.day, asked.handle, pieces, now)
            place.pieces.tick(now)


class MembersLobby(LobbyConnections):
    """A member without the host keys, in the lobby for as long as no host is active."""

    def __init__(self, link: invite.Invite, *, rng: Rng = os.urandom) -> None:
        self.effects: list[ev.Effect] = []
        super().__init__(link.secret, (link.origin,), self.effects, rng)
        self.pieces = PieceQueue(self)

    def follow(self, origin: str) -> None:
        """Be where the room is."""
        self.go(origin)

    def tick(self, now: float) -> None:
        """Stay in the lobby."""
        self.stay_in(days_around(now), now)
        self.pieces.tick(now)


def _may_return(room: Room, asked: _Asked, now: float) -> bool:
    """Return whether a host may come back now: a person has approved it, or no host is heard."""
    m = room.membership
    hosts = m.hosts()
    alone = not any(room.heard_recently(leaf, now) for leaf in hosts)
    return (asked.approved or alone) and not _is_here(room, asked.name, now)


def _hosts_quiet(room: Room) -> bool:
    """Return whether no host has committed for so long that a member may commit a host's return."""
    m = room.membership
    return m.is_host(m.own_leaf) or m.journal.slot + 1 - m.ledger.hosted > RETURN_QUIET


def _is_here(room: Room, name: str, now: float) -> bool:
    """Return whether a host of that name has signed something lately: it has not crashed."""
    m = room.membership
    hosts = [leaf for leaf, known, host in m.members() if host and known == name]
    return any(room.heard_recently(leaf, now) for leaf in hosts)


def _intent(number: int, asked: _Asked) -> HostReturnIntent | RejoinIntent:
    if isinstance(asked.asked, recovery.HostReturnRequest):
        return HostReturnIntent(MembersRequest(number), asked.package, asked.asked.proof, asked.name)
    return RejoinIntent(MembersRequest(number), asked.package, ticket_of(asked.package) or b"", asked.name)
