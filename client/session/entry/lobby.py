"""Both sides of a lobby: a host with its cards and knocks, and a newcomer with its knock.

Protocol section 4. A lobby is a room's waiting place of one UTC day; near midnight a host is in two.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.entry.identity_check import check_identity
from snugroom.client.session.entry.invites import InviteBook, invite_name
from snugroom.client.session.kernel.intents import AddIntent, RejoinIntent
from snugroom.client.session.kernel.membership import Membership, policy_of
from snugroom.crypto import mls
from snugroom.crypto.agreed.names import look_alike
from snugroom.crypto.agreed.room_state import (
    ANY_HOST,
    REJOIN_EXTENSION,
    SINGLE_USE,
    Identity,
    Mode,
    RejoinTicket,
)
from snugroom.crypto.entry import knocks, lobby
from snugroom.crypto.entry.invite import HostSeed, Invite, day_of, door_message, lobby_envelope_key, lobby_key
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.kdf import H, Rng, SigningKey
from snugroom.crypto.proof.identity import IdentityKey
from snugroom.server.wire import messages as wire

#: Seconds around midnight in which a host is in both days' lobbies.
MIDNIGHT: Final = 600.0
#: Remaining seconds of a card below which it is replaced.
CARD_RENEW: Final = 120.0
#: Maximum waiting knocks on one open invite: people who share a link must not block each other.
KNOCKS_EACH: Final = 16
#: Posts a second, and in a burst: below a server's default limits, so that none is refused and lost.
POST_RATE: Final = 8.0
POST_BURST: Final = 60.0
#: Minimum seconds between two posts of the same card: one post serves all callers.
CARD_EVERY: Final = 0.5
#: Waiting posts from which unsolicited posts (refusals without a host's decision) are not added.
CROWDED: Final = 32
#: Maximum waiting posts: somebody who floods the lobby makes us answer, and the oldest is dropped.
WAITING_MAX: Final = 256
#: Replies that are kept for newcomers who lost their connection before the reply arrived.
REPLIES_KEPT: Final = 64
#: Minimum seconds between two rejoin requests of one member that count.
REJOIN_EVERY: Final = 5.0
CALL_EVERY: Final = 3.0
KNOCK_EVERY: Final = 5.0
#: Seconds without an answer before another host's newer card is tried.
KNOCK_PATIENCE: Final = 12.0

#: Refusals of knocks that no host is asked about.
IS_LOCKED: Final = "The room is locked: nobody new is let in now."
IS_FULL: Final = "So many people have been in this meeting that nobody new can be told all of it."
IS_OVER: Final = "This invite has been used or taken back. Ask for another one."


class LobbyConnections:
    """Connections to the lobbies of some days: connect, sign, post."""

    def __init__(self, secret: bytes, origin: str, effects: list[ev.Effect], rng: Rng) -> None:
        self._secret = secret
        self._origin = origin
        self._effects = effects
        self._rng = rng
        self._keys: dict[int, SigningKey] = {}
        self._envelope_keys: dict[int, bytes] = {}
        self._entered: set[int] = set()
        self._retry: dict[int, float] = {}
        self._failures = 0
        self._refusal = ""
        self._waiting: deque[tuple[int, lobby.LobbyMessage]] = deque()
        self._allowance = POST_BURST
        self._flushed_at: float | None = None

    @property
    def entered(self) -> frozenset[int]:
        """The days whose lobbies we have entered."""
        return frozenset(self._entered)

    def stay_in(self, days: set[int], now: float) -> None:
        """Be in the lobbies of these days only. Call it regularly: it also sends waiting posts."""
        since = 0.0 if self._flushed_at is None else now - self._flushed_at
        self._flushed_at = now
        self._allowance = min(POST_BURST, self._allowance + POST_RATE * since)
        self._flush()
        for day in days - self._keys.keys():
            self._keys[day] = lobby_key(self._secret, self._origin, day)
            self._envelope_keys[day] = lobby_envelope_key(self._secret, self._origin, day)
            self._effects.append(ev.Connect(ev.Endpoint(day)))
        for day in self._keys.keys() - days:
            self._forget(day)
            self._effects.append(ev.Disconnect(ev.Endpoint(day)))
        for day, at in list(self._retry.items()):
            if now >= at:
                del self._retry[day]
                self._effects.append(ev.Connect(ev.Endpoint(day)))

    def _forget(self, day: int) -> None:
        del self._keys[day], self._envelope_keys[day]
        self._entered.discard(day)
        self._retry.pop(day, None)

    def lost(self, day: int, now: float) -> None:
        """Handle a lost connection: reconnect after 0.2 s, later after up to 1.5 s."""
        self._entered.discard(day)
        if day in self._keys:
            self._retry[day] = now + min(0.2 * 2**self._failures, 1.5)
            self._failures += 1

    def received(self, day: int, message: wire.ServerMessage) -> lobby.LobbyMessage | bool:
        """Return a posted lobby message; True if we have just entered; False for anything else."""
        key = self._keys.get(day)
        if key is None:
            return False
        if isinstance(message, wire.Challenge):
            nonce = self._rng(32)
            signed = key.sign(door_message(self._origin, key.public, message.nonce, nonce))
            self._effects.append(ev.Transmit(ev.Endpoint(day), wire.LobbyDoor(key.public, nonce, signed)))
        elif isinstance(message, wire.Entered):
            self._entered.add(day)
            self._failures = 0
            return True
        elif isinstance(message, wire.Refused) and message.text != self._refusal:
            self._refusal = message.text  # reported once, however often it recurs
            self._effects.append(
                ev.Tell(ev.Alarm("refused", f"The server refused something in the lobby: {message.text}."))
            )
        elif isinstance(message, wire.Posted):
            try:
                return lobby.read(self._envelope_keys[day], message.blob)
            except SnugCryptoError:
                return False  # not from a holder of the link
        return False

    def post(self, day: int, message: lobby.LobbyMessage) -> None:
        """Seal and post if we are in that lobby, at once or as soon as the server's limits allow.

        A message that already waits is not added: repeated equal knocks would displace other replies.
        """
        if day in self._entered and not any(waiting is message for _, waiting in self._waiting):
            self._waiting.append((day, message))
            self._flush()
            if len(self._waiting) > WAITING_MAX:
                self._waiting.popleft()

    @property
    def crowded(self) -> bool:
        """Whether so many posts wait that only messages with a host's decision should be added."""
        return len(self._waiting) >= CROWDED

    def _flush(self) -> None:
        while self._waiting and self._allowance >= 1:
            day, message = self._waiting.popleft()
            if day in self._entered:
                self._allowance -= 1
                try:
                    blob = lobby.post(self._envelope_keys[day], message, rng=self._rng)
                except SnugCryptoError:
                    continue  # larger than a lobby allows
                self._effects.append(ev.Transmit(ev.Endpoint(day), wire.Post(blob)))

    def close(self) -> None:
        """Leave all lobbies."""
        for day in list(self._keys):
            self._forget(day)
            self._effects.append(ev.Disconnect(ev.Endpoint(day)))


@dataclass
class _Asked:
    knock: lobby.OpenedKnock
    day: int
    package: mls.KeyPackage
    ticket: bytes | None
    mark: bytes  # H of the knock

    @property
    def who(self) -> bytes:
        """The signature key, which is the same in all knocks of one person, at every host's card."""
        return self.package.leaf_node.signature_key


class HostLobby:
    """A host in its lobby: posts cards, reads knocks, and answers when the commit has come back."""

    def __init__(
        self,
        seed: HostSeed,
        secret: bytes,
        origin: str,
        book: InviteBook,
        *,
        take_back: Callable[[int], None],
        contacts: Contacts | None = None,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        """`take_back` revokes a single-use invite everywhere: it leaked while a knock waited on it."""
        self.effects: list[ev.Effect] = []
        self._take_back = take_back
        self._contacts = contacts
        self._seed = seed
        self._origin = origin
        self._rng = rng
        self._connections = LobbyConnections(secret, origin, self.effects, rng)
        self._cards: dict[int, list[lobby.CardSecret]] = {}
        self._card_posted: dict[int, float] = {}
        self._card_wanted: set[int] = set()
        self._knocks = knocks.Knocks(each=KNOCKS_EACH)
        self._book = book
        self._known: set[int] = set()
        self._shut: set[int] = set()
        self._admitted: set[int] = set()  # knocks whose Add is under way
        self._asked: dict[int, _Asked] = {}
        self._rejoining = -1
        self._rejoined_at: dict[int, float] = {}  # leaf -> when we accepted its last request
        self._not_let_in: set[bytes] = set()  # keys whose rejoin failed: reported once
        #: Replies by the hash of their knock: after a lost connection the same knock comes again.
        self._replied: dict[bytes, lobby.Reply] = {}
        self.tick(now)

    def tick(self, now: float) -> None:
        """Stay in today's lobby, near midnight in two; renew cards; erase old secrets."""
        self._connections.stay_in({day_of(now - MIDNIGHT), day_of(now), day_of(now + MIDNIGHT)}, now)
        for day, secrets in self._cards.items():
            for secret in secrets:
                if secret.expired(now):
                    secret.erase()
            self._cards[day] = [s for s in secrets if not s.expired(now)]
        patient = {w.id for w in self._knocks.waiting(now)} | self._admitted
        self._asked = {n: a for n, a in self._asked.items() if n < 0 or n in patient}
        for day in self._connections.entered:
            cards = self._cards.get(day)
            if day in self._card_wanted or (cards and cards[-1].card.expiry - now < CARD_RENEW):
                self._post_card(day, now)

    def lost(self, day: int, now: float) -> None:
        """Handle a lost connection to a lobby."""
        self._connections.lost(day, now)

    def revoke(self, index: int) -> None:
        """Close an invite, and refuse the knocks that wait on it."""
        if index not in self._shut:
            self._shut.add(index)
            self._issued(index)
            for number in self._waiting_by(index):
                self.fail(number, IS_OVER)
            self._knocks.revoke(index)

    def lock(self, now: float) -> None:
        """Refuse all waiting knocks: the room is locked."""
        for waiting in self._knocks.waiting(now):
            self._knocks.take(waiting.id, now)
            self.fail(waiting.id, IS_LOCKED)

    def used(self, index: int) -> None:
        """Record that a newcomer was admitted by that invite."""
        self._issued(index)
        self._knocks.use([index])

    def knows(self, index: int) -> bool:
        """Return whether a knock has used that invite."""
        return index in self._known

    def _waiting_by(self, index: int) -> list[int]:
        """Return the knocks on an invite that wait for the host's decision."""
        asked = self._asked.items()
        return [n for n, a in asked if n > 0 and a.knock.index == index and n not in self._admitted]

    def _issued(self, index: int) -> None:
        if index not in self._known:
            self._known.add(index)
            self._knocks.issue(index, single=bool(index & SINGLE_USE))

    def received(
        self, day: int, message: wire.ServerMessage, membership: Membership, now: float
    ) -> ev.Knocked | RejoinIntent | lobby.RecoveryMessage | None:
        """Process a message from the server, and return the work that is left for the session.

        That is a knock that the host is to be asked about, a member's new leaf that the room is to commit, or
        a message under the key that members have (for `recovery.RejoinHelper`).
        """
        posted = self._connections.received(day, message)
        if posted is True or isinstance(posted, lobby.CardRequest):
            self._post_card(day, now)
        elif isinstance(posted, lobby.RecoveryMessage):
            return posted
        elif isinstance(posted, lobby.Knock):
            return self._knocked(day, posted, membership, now)
        return None

    def post(self, day: int, message: lobby.LobbyMessage) -> None:
        """Post a message in that day's lobby."""
        self._connections.post(day, message)

    def _post_card(self, day: int, now: float) -> None:
        cards = self._cards.setdefault(day, [])
        fresh = bool(cards) and cards[-1].card.expiry - now >= CARD_RENEW
        if fresh and now - self._card_posted.get(day, 0.0) < CARD_EVERY:
            self._card_wanted.add(day)
            return
        self._card_wanted.discard(day)
        self._card_posted[day] = now
        if not fresh:
            cards.append(lobby.make_card(self._seed.host_key, self._origin, day, now, rng=self._rng))
        self._connections.post(day, cards[-1].card)

    def _knocked(
        self, day: int, knock: lobby.Knock, membership: Membership, now: float
    ) -> ev.Knocked | RejoinIntent | None:
        mark = H(knock.enc, knock.ciphertext)
        if mark in self._replied:
            self._connections.post(day, self._replied[mark])
            return None
        for secret in self._cards.get(day, []):
            try:
                opened = lobby.open_knock(secret, knock, self._seed.invite_token)
                package = mls.KeyPackageIn.decode(opened.key_package).verify(
                    membership.group.suite, now=int(now)
                )
                identity = Identity.decode(package.leaf_node.credential.identity)
            except SnugCryptoError:
                continue  # for another host's card, or without that invite: never shown
            break
        else:
            return None
        ticket = next((e.data for e in package.extensions if e.extension_type == REJOIN_EXTENSION), None)
        if ticket is not None:
            return self._rejoin(_Asked(opened, day, package, ticket, mark), membership, now)
        if identity != Identity(opened.name):
            return None
        self._issued(opened.index)
        if self._turned_away(_Asked(opened, day, package, None, mark), membership):
            return None
        outcome = self._knocks.consider(opened, now)
        if isinstance(outcome, knocks.Ignored):
            return None
        others = [(w.id, w.knock.name) for w in self._knocks.waiting(now) if w.id != outcome.id]
        seen = check_identity(opened.name, opened.identity, self._contacts, waiting=others)
        self._asked[outcome.id] = _Asked(opened, day, package, None, mark)
        alike = next((n for _, n, _ in membership.members() if look_alike(n, opened.name)), None)
        return ev.Knocked(
            outcome.id,
            opened.name,
            opened.greeting,
            opened.index,
            alike,
            standing=seen.standing,
            contact=seen.contact,
            fingerprint=seen.fingerprint,
            warnings=seen.warnings,
        )

    def _turned_away(self, asked: _Asked, m: Membership) -> bool:
        """Refuse a knock without asking a host if its invite is over or the room locked; return whether.

        Nothing is kept for it: the same knock gets the same answer again.
        """
        if self._opens_nothing(asked, m):
            why = IS_OVER
        elif m.policy.mode is Mode.LOCKED:
            why = IS_LOCKED
        else:
            return False
        if not self._connections.crowded:
            self._connections.post(asked.day, lobby.reply(asked.knock, lobby.Refusal(why), rng=self._rng))
        return True

    def _opens_nothing(self, asked: _Asked, m: Membership) -> bool:
        """Return whether that knock's invite is over; alarm the host, once an invite, if it has leaked."""
        index, single = asked.knock.index, bool(asked.knock.index & SINGLE_USE)
        removed = self._book.removed_with(index)
        known = asked.who in m.ledger.keys  # a current or former member: no second use
        if index in m.ledger.revoked or (single and index in m.ledger.used):
            if removed is not None and not known:
                self._alarm(
                    index, sentences.removed_knocks(self._invite_name(index), removed, asked.knock.name)
                )
            elif single and not known:
                self._leaks(asked, self._book.came_in(index), came_in=True)
            return True
        if index in self._shut:
            return True
        others = (a for a in self._asked.values() if a.knock.index == index and a.ticket is None)
        other = next((a for a in others if a.who != asked.who), None)
        if not single or other is None:
            return False
        self._leaks(asked, other.knock.name, came_in=False)
        self._take_back(index)  # for all hosts; the other knock is refused before we go on
        return True

    def _leaks(self, asked: _Asked, earlier: str | None, *, came_in: bool) -> None:
        index = asked.knock.index
        self._alarm(
            index, sentences.invite_leaked(self._invite_name(index), earlier, asked.knock.name, came_in)
        )

    def _alarm(self, index: int, alarm: ev.Alarm) -> None:
        if self._book.first_alarm(index):
            self.effects.append(ev.Tell(alarm))

    def _invite_name(self, index: int) -> str:
        return invite_name(index, self._book.label(index))

    def _rejoin(self, asked: _Asked, m: Membership, now: float) -> RejoinIntent | None:
        if any(a.package.encoded == asked.package.encoded for a in self._asked.values()):
            return None
        leaf = next((n for n, _, _ in m.members() if m.signature_key(n) == asked.who), None)
        if leaf is None or now - self._rejoined_at.get(leaf, 0.0) < REJOIN_EVERY:
            return None  # not a member, or it asked just now
        try:
            assert asked.ticket is not None
            ticket = RejoinTicket.decode(asked.ticket)
            if ticket.group_id != m.group.group_id or ticket.by not in (ANY_HOST, m.own_leaf):
                return None
        except SnugCryptoError:
            return None
        self._rejoined_at[leaf] = now
        self._asked = {n: a for n, a in self._asked.items() if n > 0 or a.who != asked.who}
        number, self._rejoining = self._rejoining, self._rejoining - 1
        self._asked[number] = asked
        return RejoinIntent(number, asked.package, asked.ticket, m.name(leaf))

    def admit(self, number: int, now: float) -> AddIntent:
        """Accept a knock as the host, for the room to commit; ValueError if none waits under that number."""
        asked = self._asked.get(number)
        if asked is None or number not in {w.id for w in self._knocks.waiting(now)}:
            raise ValueError(f"nobody waits under the number {number}")
        self._knocks.take(number, now)
        self._admitted.add(number)
        return AddIntent(number, asked.package, asked.knock.index, asked.knock.name)

    def refuse(self, number: int, reason: str, now: float) -> None:
        """Refuse a knock as the host; ValueError if none waits under that number."""
        if number not in {w.id for w in self._knocks.waiting(now)}:
            raise ValueError(f"nobody waits under the number {number}")
        self._knocks.take(number, now)
        self.fail(number, reason)

    def not_added(self, intent: AddIntent | RejoinIntent, why: str, m: Membership) -> None:
        """Inform both sides that a rule prevented an admission."""
        asked = self._asked.get(intent.knock)
        text = f"You could not be let in: {why}. Knock again with another name, or ask the host."
        if isinstance(intent, AddIntent) and asked is not None:
            if self._opens_nothing(asked, m):
                text = IS_OVER
            elif m.policy.mode is Mode.LOCKED:
                text = IS_LOCKED
        self.fail(intent.knock, text)
        if isinstance(intent, RejoinIntent):
            key = intent.key_package.leaf_node.signature_key
            if key in self._not_let_in:
                return
            self._not_let_in.add(key)
        self.effects.append(ev.Tell(ev.Alarm("not_admitted", f"{intent.name} could not be let in: {why}")))

    def fail(self, number: int, reason: str) -> None:
        """Refuse a knock, with the reason (cut to 280 bytes)."""
        self._admitted.discard(number)
        asked = self._asked.pop(number, None)
        if asked is not None:
            short = reason.encode()[: lobby.REASON_MAX].decode(errors="ignore")
            self._reply(asked, lobby.Refusal(short))

    def answer(self, number: int, answer: lobby.Answer) -> bytes | None:
        """Answer a knock whose commit has come back, with the Welcome and what belongs to it.

        Returns the identity (32 bytes) that the newcomer showed; None without one.
        """
        self._admitted.discard(number)
        asked = self._asked.pop(number, None)
        if asked is None:
            return None
        self._reply(asked, answer)
        return asked.knock.identity

    def _reply(self, asked: _Asked, answer: lobby.Answer | lobby.Refusal) -> None:
        try:
            reply = lobby.reply(asked.knock, answer, rng=self._rng)
        except SnugCryptoError:
            reply = lobby.reply(asked.knock, lobby.Refusal(IS_FULL), rng=self._rng)
        self._replied[asked.mark] = reply
        if len(self._replied) > REPLIES_KEPT:
            del self._replied[next(iter(self._replied))]
        self._connections.post(asked.day, reply)

    def close(self) -> None:
        """Leave the lobby, and erase the cards."""
        for secrets in self._cards.values():
            for secret in secrets:
                secret.erase()
        self._cards.clear()
        self._connections.close()


@dataclass
class _Sent:
    knock: lobby.Knock
    pending: lobby.PendingKnock
    bundle: mls.KeyPackageBundle
    day: int
    nonce: bytes
    at: float
    posted_at: float


@dataclass(frozen=True)
class Entry:
    """A newcomer's way in: the host's verified answer, and the group that it leads to."""

    answer: lobby.Answer
    group: mls.Group = field(repr=False)


class GuestLobby:
    """A newcomer, or a member that has to rejoin, in the lobby."""

    def __init__(
        self,
        link: Invite,
        name: str,
        greeting: str,
        make_package: Callable[[float], mls.KeyPackageBundle],
        psks: dict[bytes, bytes],
        *,
        identity: IdentityKey | None = None,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        self.effects: list[ev.Effect] = []
        self.entry: Entry | None = None
        self.refusal: str | None = None
        self._link = link
        self._name = name
        self._greeting = greeting
        self._make_package = make_package
        self._psks = psks
        self._identity = identity
        self._rng = rng
        self._connections = LobbyConnections(link.secret, link.origin, self.effects, rng)
        self._called_at = 0.0
        self._sent: list[_Sent] = []
        self._told = ""
        self._tell("waiting", "Waiting for a host to open the door...")
        self.tick(now)

    def _tell(self, kind: str, text: str) -> None:
        if self._told != kind:
            self._told = kind
            self.effects.append(ev.Tell(ev.Status(kind, text)))

    def tick(self, now: float) -> None:
        """Stay in today's lobby; call until there is a card; knock again until there is an answer."""
        today = day_of(now)
        self._connections.stay_in({today}, now)
        if today not in self._connections.entered or self.entry is not None:
            return
        newest = self._sent[-1] if self._sent else None
        if newest is not None and newest.day == today and now - newest.posted_at >= KNOCK_EVERY:
            newest.posted_at = now
            self._connections.post(today, newest.knock)
        impatient = newest is None or now - newest.at >= KNOCK_PATIENCE
        if impatient and now - self._called_at >= CALL_EVERY:
            self._called_at = now
            self._connections.post(today, lobby.CardRequest())

    def lost(self, day: int, why: str, now: float) -> None:
        """Handle a lost connection to the lobby."""
        self._connections.lost(day, now)
        self._tell("away", f"The server is away ({why}). Trying again...")

    def received(self, day: int, message: wire.ServerMessage, now: float) -> None:
        """Process a message from the server in the lobby."""
        posted = self._connections.received(day, message)
        if posted is True:
            self._called_at = 0.0
            self.tick(now)
        elif posted is not False:
            self.message_posted(day, posted, now)

    def message_posted(self, day: int, posted: lobby.LobbyMessage, now: float) -> None:
        """Process a message from another participant in the lobby."""
        if isinstance(posted, lobby.Card):
            self._card(day, posted, now)
        elif isinstance(posted, lobby.Reply):
            self._replied(posted)

    def _card(self, day: int, card: lobby.Card, now: float) -> None:
        newest = self._sent[-1] if self._sent else None
        if newest is not None and (newest.nonce == card.nonce or now - newest.at < KNOCK_PATIENCE):
            return
        try:
            card.verify(self._link.host_public, self._link.origin, day, now)
        except SnugCryptoError:
            return  # anybody with the link can post a card, but only a host can sign it
        bundle = self._make_package(now)
        knock, pending = lobby.knock(
            self._link,
            card,
            bundle.encoded,
            self._name,
            self._greeting,
            identity=self._identity,
            rng=self._rng,
        )
        self._sent.append(_Sent(knock, pending, bundle, day, card.nonce, now, now))
        del self._sent[:-4]
        self._connections.post(day, knock)
        self._tell("knocking", "Knocked. Waiting for the host's answer...")

    def _replied(self, reply: lobby.Reply) -> None:
        sent = next((s for s in self._sent if s.pending.owns(reply)), None)
        if sent is None or self.entry is not None:
            return
        try:
            opened = sent.pending.open(reply)
        except SnugCryptoError:
            return  # not from the host who opened our knock
        if isinstance(opened, lobby.Refusal):
            self.refusal = opened.reason or "The host did not let you in."
            return
        try:
            group = mls.Group.join(opened.welcome, sent.bundle, psks=self._psks, rng=self._rng)
            policy = policy_of(group)
            signer = next(m.leaf_node for m in group.members() if m.leaf == group.welcomed_by)
        except (SnugCryptoError, StopIteration) as error:
            self.refusal = f"The host's answer can't be used: {error}"
            return
        if policy.host_public != self._link.host_public or signer.signature_key not in policy.hosts:
            self.refusal = "The answer is not by a host of the meeting that the link names."
            return
        if self.fits(opened, group):
            self.entry = Entry(opened, group)

    def fits(self, answer: lobby.Answer, group: mls.Group) -> bool:
        """Return whether the answer leads to the expected meeting."""
        return True

    def close(self) -> None:
        """Leave the lobby."""
        self._connections.close()
