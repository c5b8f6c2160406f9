"""A crashed host, or a member out of step, in the lobby: both ask the members there to let them in again.

Protocol section 6, SNUG-8 and 9. The host knows its seed, the link's secret and the door key, but not the
epoch; the members know the epoch, and that no host is there. Even with the server's help, a member can commit
only a return that the host key has signed. A server sees that messages are exchanged in the lobby.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.addresses import led
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.entry.guest import Entry, GuestLobby
from snugroom.client.session.entry.helper import ATTENDANTS_MAX, PATIENCE
from snugroom.client.session.entry.lobby_connections import LobbyConnections, PostedMessage
from snugroom.client.session.kernel.membership import SUITE, policy_of
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.rejoin_keys import RejoinKeys
from snugroom.client.session.kernel.views import leaf_view, ticket_of
from snugroom.client.session.options import Options
from snugroom.crypto import hpke, mls
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.room_state import ANY_HOST, Policy, RejoinTicket
from snugroom.crypto.entry import answers, invite, lobby, pieces, recovery
from snugroom.crypto.entry.invite import day_of
from snugroom.crypto.entry.member_recovery import Standing
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.wire import messages as wire

#: Seconds between two posts: of a host that has crashed, and of a member that asks to be let in again.
SEEK_EVERY: Final = 3.0
ASK_EVERY: Final = 1.0
#: Seconds after which a member that is not let in makes another ticket, of the slot that it then knows.
TICKET_FOR: Final = 120.0
#: Seconds in the lobby before members are asked while a host may be there.
HOST_FIRST: Final = 3.0
#: Seconds for which one member is asked to let us back in, before the next.
HELPER_WAIT: Final = 6.0
#: Seconds for which a member that asks to be let in again counts as waiting.
LEVEL_FOR: Final = 9.0
#: Requests with an earlier ticket whose answers still count.
EARLIER_MAX: Final = 16
#: Seconds until a member that could not be let back in yet asks again.
REFUSED_WAIT: Final = 30.0
#: Refusals after which a member without a membership asks no more: it knocks again.
FINAL: Final = (sentence("refusal.no_member"), sentence("refusal.name_taken"))


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


class RejoinLobby(GuestLobby):
    """A member out of step: knocks like a newcomer, and also asks the members, in case no host is there."""

    EVERY = ASK_EVERY

    def __init__(
        self,
        link: invite.Invite,
        name: str,
        standing: Callable[[], Standing],
        rejoin_keys: RejoinKeys,
        make_package: Callable[[float, bytes, int], mls.KeyPackageBundle],
        psks: dict[bytes, bytes],
        *,
        first: int | None = None,
        final: bool = False,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        """`standing`: of the membership, which may go on meanwhile; `rejoin_keys`: its keys.

        `make_package` takes a time, the ticket's nonce (16 bytes) and the leaf that may commit it. `first` is
        the leaf of the member that helped before, if any. `final`: if a host says that we are no member any
        more, that is the end: we come back after our program has ended or after an absence, and keep no
        membership.
        """
        self._standing = standing
        self.final = final
        self._keys = rejoin_keys
        self._rejoining_package = make_package
        old = standing()
        #: Leaves that may be asked in the lobby, the last helper first. Hosts read the knock.
        self._helpers = sorted(old.helpers[:ATTENDANTS_MAX], key=lambda leaf: leaf != first)
        #: The leaf of the member that let us in, if it was one of them.
        self.helped_by: int | None = None
        self._turn = 0
        self._nonce = b""
        self._refused_at: float | None = None
        self._key = recovery.recovery_key(old.door_seed)
        #: Our requests to members with the current ticket, the newest last, and some with earlier ones.
        self._asked: list[_Again] = []
        self._earlier: deque[_Again] = deque(maxlen=EARLIER_MAX)
        #: Members' answers whose pieces have not all come. A former member can send any number of these.
        self._from_members = pieces.Assemblies()
        hosted = any(key in old.policy.hosts for _, key in old.others)
        #: Seconds that a host has before we ask members.
        self._first = HOST_FIRST if hosted else 0.0
        self._ask_at = now + self._first
        self._level: dict[int, float] = {}  # when a member last asked too, at our own slot and chain
        self._made: tuple[float, mls.KeyPackageBundle] | None = None

        def one(at: float) -> mls.KeyPackageBundle:
            # One nonce for hosts and members: it admits us once, so that a late answer cannot remove us
            # again.
            if self._made is None or at - self._made[0] > TICKET_FOR:
                self._nonce = rng(16)
                self._made = (at, make_package(at, self._nonce, ANY_HOST))
                self._earlier += self._asked
                self._asked.clear()
            return self._made[1]

        super().__init__(link, name, "", one, psks, None, now=now, rng=rng)
        self._connections.go(old.origin)

    def tick(self, now: float) -> None:
        if self._refused_at is not None and now - self._refused_at < REFUSED_WAIT:
            return
        super().tick(now)
        today = day_of(now)
        due = now >= self._ask_at and self._helpers
        if today in self._connections.entered and self.entry is None and due:
            self._ask_at = now + ASK_EVERY
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

    def message_posted(self, day: int, posted: PostedMessage, now: float) -> None:
        if not isinstance(posted.message, lobby.RecoveryMessage) or self.entry is not None:
            super().message_posted(day, posted, now)
            if self.final and self.refusal in FINAL:
                return
            if self.refusal is not None:
                # No person has refused, because nobody is asked: the obstacle may be temporary.
                self._tell(sentences.status("not_yet", why=_without_advice(self.refusal)))
                self.refusal, self._refused_at = None, now
                self._sent.clear()
                self._made = None
            return
        try:
            said = recovery.open(self._key, posted.message)
            if isinstance(said, recovery.RejoinRequest):
                self._waits_too(said, now)
                self._connections.heard_request(said.id, now)
            if not isinstance(said, recovery.RecoveryReply):
                return
            asked = (*self._earlier, *self._asked)
            ours = next((a for a in asked if a.asked.id == said.id), None)
            if ours is None:
                return
            answer = said.open(ours.asked, ours.private)
            self._from_members.take(answer, ours.bundle, lambda whole, tree: self._let_in(whole, tree, ours))
        except SnugError:
            return  # from a former member: another may still answer

    def _piece(self, piece: lobby.Piece, now: float) -> None:
        super()._piece(piece, now)
        if self.entry is None:
            with suppress(SnugError):  # of a former member's answer
                self._from_members.piece(piece)

    def _let_in(self, answer: answers.Answer, tree: bytes | None, ours: _Again) -> None:
        if self.entry is not None:
            return
        try:
            group = mls.Group.join(
                answer.welcome, ours.bundle, psks=self._psks, ratchet_tree=tree, rng=self._rng
            )
        except SnugError:
            return  # from a former member: another may still answer
        key = self._key_of(group)
        if key is not None and self.fits(answer, group):
            self.entry, self.helped_by = Entry(answer, group, key), ours.leaf

    def _key_of(self, group: mls.Group) -> SigningKey | None:
        leaf = group.member(group.own_leaf)
        return None if leaf is None else self._keys.requested(leaf_view(leaf).rejoin_key)

    def begin_again(self, now: float) -> None:
        """Begin another stay: new tickets ask for its rejoin key, and late answers to earlier ones count."""
        self._made, self._refused_at, self._ask_at = None, None, now + self._first

    def is_for(self, room: Room) -> bool:
        """Return whether these requests are for that membership."""
        return self._keys is room.membership.rejoin_keys

    def nobody_is_ahead(self, room: Room, now: float) -> bool:
        """Return whether all hosts and more than half of all members wait out here, at our slot and chain.

        The members have signed that in their tickets. Then no commit that we lack leads on, and the
        membership goes on as it is.
        """
        members = room.membership.members()
        if not self._asked:
            return False  # the others have not heard of us yet
        level = {leaf for leaf, at in self._level.items() if now - at <= LEVEL_FOR}
        level.add(room.membership.own_leaf)
        return 2 * len(level) > len(members) and all(leaf in level for leaf, _, host in members if host)

    def ask_once_more(self, now: float) -> None:
        """Post our request again before we stop asking: the others draw the same conclusion from it."""
        if self._asked:
            self._connections.post(
                day_of(now), recovery.seal(self._key, self._asked[-1].asked, rng=self._rng)
            )

    def _waits_too(self, said: recovery.RejoinRequest, now: float) -> None:
        """Note a member that asks to be let in again, if its ticket is of our slot and chain."""
        mine = self._standing()
        try:
            package = mls.KeyPackageIn.decode(said.key_package).verify(SUITE, now=int(now))
            ticket = RejoinTicket.decode(ticket_of(package) or b"")
        except SnugError:
            return
        if (ticket.group_id, ticket.slot, ticket.chain) == (mine.group_id, mine.slot, mine.chain):
            key = package.leaf_node.signature_key
            self._level |= dict.fromkeys((leaf for leaf, known in mine.members if known == key), now)

    def fits(self, answer: answers.Answer, group: mls.Group) -> bool:
        """Return whether the answer continues the meeting that we were in.

        A removed member can answer as well, in a room that goes on from an epoch before its removal.
        """
        old = self._standing()
        before = old.ledger
        try:
            first_key = policy_of(group).host_public
            after = Ledger.decode(answer.ledger)
        except SnugError:
            return False
        here = {member.leaf_node.signature_key for member in group.members()}
        # An absent member may have come back.
        known = {key for _, key in old.members} | {away.signature_key for away in before.away}
        return (
            first_key == old.policy.host_public
            and group.group_id == old.group_id
            and answer.door_seed == old.door_seed
            and answer.number == old.number
            and answer.slot > old.slot
            and group.epoch > old.epoch
            and before.keys <= after.keys
            and before.revoked <= after.revoked
            and before.used <= after.used
            and here & before.keys <= known
        )


def _without_advice(refusal: str) -> str:
    """Return a refusal without what a person should do: the program goes on by itself."""
    if isinstance(refusal, Sentence) and refusal.key == "refusal.not_added":
        return sentence("refusal.not_added.yet", **refusal.args)
    return refusal


class HostReturnLobby:
    """A crashed host in the lobby: seeks members, and asks to be added."""

    def __init__(
        self,
        kept: recovery.HostRecoveryData,
        make_package: Callable[[float], mls.KeyPackageBundle],
        psks: dict[bytes, bytes],
        rejoin_key: SigningKey,
        options: Options,
        *,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        """`make_package` takes a time; `rejoin_key` is that of the leaves in its KeyPackages."""
        self.effects: list[ev.Effect] = []
        self._rejoin_key = rejoin_key
        self.entry: Entry | None = None
        self.refusal: str | None = None
        self._kept = kept
        self._make_package = make_package
        self._psks = psks
        self._assemblies = pieces.Assemblies()
        self._rng = rng
        self._key = recovery.recovery_key(kept.door_seed)
        servers = led(kept.origin, kept.servers, anywhere=options.private_servers)
        origins = (kept.origin, *servers)
        self._connections = LobbyConnections(kept.secret, origins, self.effects, rng, options.slowness)
        self._nonce = b""
        self._sought_at = 0.0
        self._sent: _Sent | None = None
        self._sent_at = 0.0
        self._told_stale = False
        self.effects.append(ev.Tell(sentences.status("returning")))
        self.tick(now)

    def tick(self, now: float) -> None:
        """Stay in today's lobby and seek until a member answers; begin anew after PATIENCE seconds."""
        today = day_of(now)
        if self.entry is None:
            self._connections.seek(now)
        self._connections.stay_in({today}, now)
        if today not in self._connections.entered or self.entry is not None:
            return
        if self._sent is not None and now - self._sent_at > PATIENCE:
            self._sent = None
        if self._sent is None and now - self._sought_at >= SEEK_EVERY:
            self._sought_at = now
            self._nonce = self._rng(16)
            self._post(today, recovery.HelperQuery(self._nonce))

    def _post(self, day: int, message: recovery.Message) -> None:
        self._connections.post(day, recovery.seal(self._key, message, rng=self._rng))

    def lost(self, day: int, why: str, now: float) -> None:
        """Handle a lost connection to the lobby."""
        self._connections.lost(day, now)

    def hurry(self, now: float) -> None:
        """Connect at once where we are about to."""
        self._connections.hurry(now)

    def received(self, day: int, message: wire.ServerMessage, now: float) -> None:
        """Process a message from the server in the lobby."""
        posted = self._connections.received(day, message)
        if posted is True:
            self._sought_at = 0.0
            self.tick(now)
        if isinstance(posted, bool):
            return
        if isinstance(posted.message, lobby.Piece) and self.entry is None:
            with suppress(SnugError):  # of a former member's answer
                self._assemblies.piece(posted.message)
        if not isinstance(posted.message, lobby.RecoveryMessage):
            return
        try:
            said = recovery.open(self._key, posted.message)
        except SnugError:
            return
        if isinstance(said, recovery.HelperOffer) and said.nonce == self._nonce and self._sent is None:
            self._connections.heard(now)
            self._ask(day, said, now)
        elif (
            isinstance(said, recovery.RecoveryReply)
            and self._sent is not None
            and said.id == self._sent.asked.id
        ):
            sent = self._sent
            with suppress(SnugError):  # from a former member: another may still answer
                answer = said.open(sent.asked, sent.private)
                self._assemblies.take(
                    answer, sent.bundle, lambda whole, tree: self._let_in(whole, tree, sent.bundle)
                )

    def _ask(self, day: int, here: recovery.HelperOffer, now: float) -> None:
        seed = self._kept.host_keys.current
        if here.return_public != seed.return_public:
            if not self._told_stale:  # the word of somebody who was admitted once: another may still help
                self._told_stale = True
                self.effects.append(ev.Tell(sentences.status("return_stale")))
            return
        bundle = self._make_package(now)
        asked, private = recovery.make_host_return_request(
            seed, self._kept.group_id, here.slot, bundle.encoded, rng=self._rng
        )
        self._sent, self._sent_at = _Sent(asked, private, bundle), now
        self._post(day, asked)

    def _let_in(self, answer: answers.Answer, tree: bytes | None, bundle: mls.KeyPackageBundle) -> None:
        try:
            group = mls.Group.join(answer.welcome, bundle, psks=self._psks, ratchet_tree=tree, rng=self._rng)
            policy = policy_of(group)
        except SnugError:
            return  # from a former member: another may still answer
        own = next(m.leaf_node.signature_key for m in group.members() if m.leaf == group.own_leaf)
        keys = self._kept.host_keys
        if (
            group.group_id == self._kept.group_id
            and answer.door_seed == self._kept.door_seed
            and policy.return_public == keys.current.return_public
            and policy.link_keys[-1] == keys.current.host_public
            and self._is_number(answer.number, policy)
            and own in policy.hosts
        ):
            self.entry = Entry(answer, group, self._rejoin_key)
            self.effects.append(ev.Tell(sentences.alarm("missed.away")))  # another program read until then

    def _is_number(self, number: bytes, policy: Policy) -> bool:
        """Return whether it is the meeting's first number, as far as our keys tell."""
        first = self._kept.host_keys.seeds[0]
        if first.host_public != policy.host_public:
            return True  # we became a host later, and were sent no key of the beginning
        admin = first.room_admin_key(self._kept.group_id).public
        return number == invite.room_number(self._kept.door_key.public, admin)

    @property
    def origin(self) -> str:
        """The server of the lobby: the meeting is there, if anybody has answered."""
        return self._connections.at

    def close(self) -> None:
        """Leave the lobby."""
        self._connections.close()
