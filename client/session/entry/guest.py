"""A newcomer in the lobby, with its knock (protocol section 4)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.catalogue.sentence import recognised, sentence
from snugroom.client.session.entry.lobby_connections import LobbyConnections, PostedMessage
from snugroom.client.session.kernel.membership import policy_of
from snugroom.crypto import mls
from snugroom.crypto.entry import answers, lobby, pieces
from snugroom.crypto.entry.invite import Invite, day_of
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.crypto.proof.identity import IdentityKey
from snugroom.wire import messages as wire

CALL_EVERY: Final = 3.0
KNOCK_EVERY: Final = 5.0
#: The same while a host's program says that it has the knock.
WAIT_EVERY: Final = 10.0
#: Seconds without a word from the host before its knock goes to all in the lobby, and another card is tried.
KNOCK_PATIENCE: Final = 15.0
#: Seconds for which a newcomer asks for a card by the same nonce. Cards count that name this nonce, or the
#: one before it: a server can have kept others back, for when the host is gone.
NONCE_FOR: Final = 30.0
#: Seconds for which replies to one knock keep a newcomer at a server of several, before it knocks anew: the
#: server can have kept some of them back, for when the host is gone.
KNOCK_HOLDS: Final = 60.0
#: A newcomer that could knock within so many seconds opens the room's connection ahead of the answer. One
#: that has waited for longer would not notice what that saves, and its server may have too much to do.
SOON: Final = 2.0
#: Seconds without any card before a newcomer is told its date: lobbies are of one day.
NO_CARD: Final = 30.0
#: Knocks whose replies count: the newest, and some to other cards.
KNOCKS_KEPT: Final = 4


@dataclass
class _Sent:
    knock: lobby.Knock
    pending: lobby.PendingKnock
    bundle: mls.KeyPackageBundle
    day: int
    card: lobby.Card
    #: The handle of the host's connection.
    to: bytes
    posted_at: float
    #: When the host last said that it has the knock; at first, when we knocked.
    heard_at: float
    made_at: float
    #: The server in whose lobby we knocked.
    origin: str
    received: bool = False
    #: Whether a later knock has taken its place. Its replies still count.
    replaced: bool = False

    def is_heard(self, now: float) -> bool:
        """Return whether the host has said lately that it has the knock."""
        return self.received and now - self.heard_at < KNOCK_PATIENCE


@dataclass(frozen=True)
class Entry:
    """A newcomer's way in: the host's verified answer, and the group that it leads to."""

    answer: answers.Answer
    group: mls.Group = field(repr=False)
    #: The rejoin key of our new leaf.
    rejoin_key: SigningKey


class GuestLobby:
    """A newcomer, or a member that has to rejoin, in the lobby."""

    #: Seconds between two posts of the same knock.
    EVERY = KNOCK_EVERY

    def __init__(
        self,
        link: Invite,
        name: str,
        greeting: str,
        make_package: Callable[[float], mls.KeyPackageBundle],
        psks: dict[bytes, bytes],
        rejoin_key: SigningKey | None,
        *,
        rejoin_package: Callable[[float, answers.AlreadyMember], mls.KeyPackageBundle] | None = None,
        identity: IdentityKey | None = None,
        slowness: float = 1.0,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        """`make_package` takes a time; `rejoin_key` is that of the leaves in its KeyPackages.

        None: `_key_of` finds it. `rejoin_package` makes one with a ticket, if our answer is lost.
        """
        self.effects: list[ev.Effect] = []
        self.entry: Entry | None = None
        self._rejoin_key = rejoin_key
        self.refusal: str | None = None
        self._link = link
        self._name = name
        self._greeting = greeting
        self._make_package = make_package
        self._rejoin_package = rejoin_package
        self._rejoined_at = -inf
        self._psks = psks
        #: Our answers whose pieces have not all come.
        self._assemblies = pieces.Assemblies()
        self._identity = identity
        self._rng = rng
        origins = (link.origin, *link.servers)
        self._connections = LobbyConnections(link.secret, origins, self.effects, rng, slowness)
        self._called_at = 0.0
        #: The nonces of our requests on this connection that no card has answered, and when each was made.
        self._nonces: deque[tuple[bytes, float]] = deque(maxlen=2)
        self._sent: list[_Sent] = []
        self._told = ""
        self._began = now
        self._tell(sentences.status("waiting"))
        self.tick(now)

    def _tell(self, status: ev.Status) -> None:
        if self._told != status.kind:
            self._told = status.kind
            self.effects.append(ev.Tell(status))

    def tick(self, now: float) -> None:
        """Stay in today's lobby; call until there is a card; knock again until there is an answer."""
        today = day_of(now)
        if self.entry is None:
            self._connections.seek(now)
        self._connections.stay_in({today}, now)
        if today not in self._connections.entered or self.entry is not None:
            return
        newest = self._sent[-1] if self._sent else None
        if newest is not None and self._is_worn(newest, now):
            newest.replaced = True
            self._knock(today, newest.card, newest.to, self._make_package(now), now)
            newest = self._sent[-1]
        for sent in self._sent:
            self._repeat(sent, today, now)
        if newest is None and now - self._began >= NO_CARD and self._told == "waiting":
            self._tell_date(now)
        if self._may_knock(newest, now) and now - self._called_at >= CALL_EVERY:
            self._called_at = now
            if not self._nonces or now - self._nonces[-1][1] >= NONCE_FOR:
                self._nonces.append((self._rng(16), now))
            self._connections.post(today, lobby.CardRequest(self._nonces[-1][0]))

    def _tell_date(self, now: float) -> None:
        """Tell a newcomer that has had no card at all by which date it looks for the hosts."""
        date = datetime.fromtimestamp(now, UTC).date().isoformat()
        self._tell(sentences.status("clock.date", seconds=int(NO_CARD), date=date))

    def _may_knock(self, newest: _Sent | None, now: float) -> bool:
        """Return whether to knock at another card: nobody has answered lately, or not elsewhere."""
        if newest is None or now - newest.heard_at >= KNOCK_PATIENCE:
            return True
        return not newest.received and newest.origin != self.origin

    def _is_worn(self, newest: _Sent, now: float) -> bool:
        """Return whether replies to our knock keep us here no longer: a host has to answer a new one."""
        return self._connections.seeks and newest.received and now - newest.made_at >= KNOCK_HOLDS

    def _repeat(self, sent: _Sent, today: int, now: float) -> None:
        """Post a knock again: to its host, or to all in the lobby if the host doesn't say that it has it."""
        newest = sent is self._sent[-1]
        every = self.EVERY if newest and not sent.is_heard(now) else WAIT_EVERY
        if sent.day == today and not sent.replaced and now - sent.posted_at >= every:
            sent.posted_at = now
            self._connections.post(today, sent.knock, *([sent.to] if sent.is_heard(now) else []))

    def lost(self, day: int, why: str, now: float) -> None:
        """Handle a lost connection to the lobby."""
        self._connections.lost(day, now)
        self._nonces.clear()
        again = self._connections.was_inside
        self._tell(sentences.status("away", why=why) if again else sentences.status("away.first", why=why))

    def hurry(self, now: float) -> None:
        """Connect at once where we are about to."""
        self._connections.hurry(now)

    def received(self, day: int, message: wire.ServerMessage, now: float) -> None:
        """Process a message from the server in the lobby."""
        posted = self._connections.received(day, message)
        if posted is True:
            self._called_at = 0.0
            self._nonces.clear()  # of another connection, perhaps to another server
            for sent in self._sent:
                sent.posted_at = -inf  # hosts answer the connection that has posted the knock last
            self.tick(now)
        elif posted is not False:
            self.message_posted(day, posted, now)

    def message_posted(self, day: int, posted: PostedMessage, now: float) -> None:
        """Process a message from another participant in the lobby."""
        if isinstance(posted.message, lobby.Card):
            self._card(day, posted.message, posted.handle, now)
        elif isinstance(posted.message, lobby.Reply):
            self._replied(posted.message, posted.handle, now)
        elif isinstance(posted.message, lobby.Piece):
            self._piece(posted.message, now)

    def _card(self, day: int, card: lobby.Card, handle: bytes, now: float) -> None:
        newest = self._sent[-1] if self._sent else None
        if not self._may_knock(newest, now):
            return
        try:
            card.verify(self._link.host_public, self._link.origin, {nonce for nonce, _ in self._nonces})
        except SnugError:
            return  # an answer to others, or an old one; or somebody with the link has made it, and no host
        self._nonces.clear()
        self._connections.heard(now)
        if newest is not None and newest.card.eph_public == card.eph_public:
            # Our knock opens by it: the host has another connection.
            newest.to, newest.posted_at = handle, now
            self._connections.post(day, newest.knock, handle)
            return
        self._knock(day, card, handle, self._make_package(now), now)
        if now - self._began < SOON:
            self.effects.append(ev.ConnectSoon(self.origin))
        self._tell(sentences.status("knocking"))

    def _knock(
        self, day: int, card: lobby.Card, handle: bytes, bundle: mls.KeyPackageBundle, now: float
    ) -> None:
        """Knock at a verified card, which the connection `handle` has posted."""
        knock, pending = lobby.knock(
            self._link,
            card,
            bundle.encoded,
            self._name,
            self._greeting,
            identity=self._identity,
            rng=self._rng,
        )
        self._sent.append(_Sent(knock, pending, bundle, day, card, handle, now, now, now, self.origin))
        del self._sent[:-KNOCKS_KEPT]
        self._connections.post(day, knock, handle)

    def _replied(self, reply: lobby.Reply, handle: bytes, now: float) -> None:
        sent = next((s for s in self._sent if s.pending.owns(reply)), None)
        if sent is None or self.entry is not None:
            return
        try:
            opened = sent.pending.open(reply)
        except SnugError:
            return  # not from the host who opened our knock
        sent.to, sent.heard_at, sent.received = handle, now, True
        if now - sent.made_at < KNOCK_HOLDS:
            self._connections.heard(now)
        match opened:
            case answers.Refusal(reason):
                self.refusal = reason_of(reason)
            case answers.AlreadyMember():
                self._rejoin(opened, sent, now)
            case answers.Answer():
                self._take(opened, sent.bundle, lambda whole, tree: self._answered(whole, tree, sent))
            case answers.Received():
                pass

    def _rejoin(self, known: answers.AlreadyMember, sent: _Sent, now: float) -> None:
        """Knock with a ticket: we were admitted, and the answer is lost."""
        if self._rejoin_package is not None and now - self._rejoined_at >= KNOCK_EVERY:
            self._rejoined_at = now
            self._knock(sent.day, sent.card, sent.to, self._rejoin_package(now, known), now)

    def _take(self, answer: answers.Answer, bundle: mls.KeyPackageBundle, done: pieces.Done) -> None:
        """Go on with an answer when its pieces are here: `done` enters the room."""
        try:
            self._assemblies.take(answer, bundle, done)
        except SnugError as error:
            self.refusal = sentence("refusal.unusable", why=reasons.in_full(error))

    def _piece(self, piece: lobby.Piece, now: float) -> None:
        """Take a piece of an answer that waits for it."""
        if self.entry is not None:
            return
        try:
            missed = self._assemblies.piece(piece)
        except SnugError as error:
            self.refusal = sentence("refusal.unusable", why=reasons.in_full(error))
            return
        if missed:  # whoever posts it: its hash is in a host's answer
            self._connections.heard(now)
            for sent in self._sent:
                sent.heard_at, sent.posted_at = now, now

    def _answered(self, opened: answers.Answer, tree: bytes | None, sent: _Sent) -> None:
        if self.entry is not None:
            return
        try:
            group = mls.Group.join(
                opened.welcome, sent.bundle, psks=self._psks, ratchet_tree=tree, rng=self._rng
            )
            policy = policy_of(group)
            signer = next(m.leaf_node for m in group.members() if m.leaf == group.welcomed_by)
        except (SnugError, StopIteration) as error:
            self.refusal = sentence("refusal.unusable", why=reasons.in_full(error))
            return
        if self._link.host_public not in policy.link_keys or signer.signature_key not in policy.hosts:
            self.refusal = sentence("refusal.not_by_host")
            return
        key = self._key_of(group)
        if key is not None and self.fits(opened, group):
            self.entry = Entry(opened, group, key)

    def _key_of(self, group: mls.Group) -> SigningKey | None:
        """Return the rejoin key of our new leaf."""
        return self._rejoin_key

    def fits(self, answer: answers.Answer, group: mls.Group) -> bool:
        """Return whether the answer leads to the expected meeting."""
        return True

    @property
    def origin(self) -> str:
        """The server of the lobby: the meeting is there, if anybody has answered."""
        return self._connections.at

    def close(self) -> None:
        """Leave the lobby."""
        self._connections.close()


def reason_of(text: str) -> str:
    """Return the reason in a host's refusal, as a sentence if it is one of ours."""
    return recognised(text, "errors", "refusal.") if text else sentence("refusal.no")
