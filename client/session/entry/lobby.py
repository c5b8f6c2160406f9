"""A host in its lobby, with its cards and the knocks of newcomers.

Protocol section 4. A lobby is a room's waiting place of one UTC day; near midnight a host is in two.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import CommandError, Sentence, sentence
from snugroom.client.session.entry.admission_batch import AdmissionBatch
from snugroom.client.session.entry.cards import Cards
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.entry.identity_check import check_identity
from snugroom.client.session.entry.invites import InviteBook, invite_name
from snugroom.client.session.entry.lobby_connections import (
    CROWDED,
    LobbyConnections,
    PostedMessage,
    days_around,
)
from snugroom.client.session.entry.name_holders import (
    LOOK_EVERY,
    TELL_EVERY,
    NameHolder,
    NameHolders,
    with_holder,
)
from snugroom.client.session.entry.opened_knocks import Asked, is_spent, open_with_cards, replaces_invite
from snugroom.client.session.entry.piece_queue import PieceQueue
from snugroom.client.session.entry.replies import Replies
from snugroom.client.session.entry.tickets import known_member, ticket_from
from snugroom.client.session.kernel.intents import (
    AddIntent,
    Knock,
    MemberKnock,
    NewcomerKnock,
    RejoinIntent,
    ReplaceIntent,
)
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.outbox import SeenDigests
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.views import ticket_of
from snugroom.crypto.agreed.room_state import ANY_HOST, SINGLE_USE, Identity, Mode
from snugroom.crypto.entry import answers, knocks, lobby
from snugroom.crypto.entry.invite import HostKeys
from snugroom.crypto.errors import SnugError, ValidationError
from snugroom.crypto.kdf import H, Rng
from snugroom.wire import messages as wire

#: Maximum waiting knocks on one open invite, which a class may share. Other invites have the rest.
KNOCKS_EACH: Final = 240
#: Minimum seconds between two rejoin requests of one member that count.
REJOIN_EVERY: Final = 1.0


class HostLobby:
    """A host in its lobby: posts cards, reads knocks, and answers when the commit has come back."""

    def __init__(
        self,
        keys: HostKeys,
        secret: bytes,
        origin: str,
        book: InviteBook,
        *,
        take_back: Callable[[int], None],
        numbers: Iterator[int],
        contacts: Contacts | None = None,
        now: float,
        rng: Rng = os.urandom,
    ) -> None:
        """`take_back` revokes a single-use invite everywhere: it leaked while a knock waited on it.

        `numbers`: those of the knocks of newcomers, and of requests.
        """
        self.effects: list[ev.Effect] = []
        self._take_back = take_back
        self._contacts = contacts
        self.keys = keys
        self._rng = rng
        self._connections = LobbyConnections(secret, (origin,), self.effects, rng)
        self._cards = Cards(origin, self._connections, rng=rng)
        self._knocks = knocks.Knocks(each=KNOCKS_EACH, numbers=numbers)
        self._book = book
        #: Knocks that none of our cards opens: the server can repeat each of them at no cost.
        self._unreadable = SeenDigests()
        self._known: set[int] = set()
        self._shut: set[int] = set()
        self._admitted: set[int] = set()  # knocks whose Add is under way
        self._asked: dict[int, Asked] = {}  # newcomers, by number
        self._rejoining: dict[int, Asked] = {}  # members out of step, by number
        self._rejoins = 0
        self._rejoined_at: dict[bytes, float] = {}  # signature key -> when we accepted its last request
        self._not_let_in: set[bytes] = set()  # keys whose rejoin failed: reported once
        #: After a lost connection the same knock comes again.
        self._replied = Replies()
        self.pieces = PieceQueue(self._connections)
        #: Knocks that were admitted with one command.
        self.batch = AdmissionBatch()
        self._now = now
        self._looked_at = now
        self.tick(now)

    def tick(self, now: float) -> None:
        """Stay in today's lobby, near midnight in two; post cards; erase old secrets."""
        self._now = now
        self._replied.expire(now)
        self._connections.stay_in(days_around(now), now)
        self.pieces.tick(now)
        self._cards.answer(self.keys, now)
        patient = {w.id for w in self._knocks.waiting(now)} | self._admitted
        self._asked = {n: a for n, a in self._asked.items() if n in patient}

    def follow(self, origin: str) -> None:
        """Be where the room is."""
        self._connections.go(origin)

    def lost(self, day: int, now: float) -> None:
        """Handle a lost connection to a lobby."""
        self._connections.lost(day, now)

    def hurry(self, now: float) -> None:
        """Connect at once where we are about to."""
        self._connections.hurry(now)

    def revoke(self, index: int) -> None:
        """Close an invite, and refuse the knocks that wait on it."""
        if index not in self._shut:
            self._shut.add(index)
            self._issued(index)
            for number in self._waiting_by(index):
                self._refuse(number, sentence("refusal.over"))
            self._knocks.revoke(index)

    def lock(self, now: float) -> None:
        """Refuse all waiting knocks: the room is locked."""
        for waiting in self._knocks.waiting(now):
            self._knocks.take(waiting.id, now)
            self._refuse(waiting.id, sentence("refusal.locked"))

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
        return [n for n, a in asked if a.knock.index == index and n not in self._admitted]

    def _issued(self, index: int) -> None:
        if index not in self._known:
            self._known.add(index)
            self._knocks.issue(index, single=bool(index & SINGLE_USE))

    def received(
        self, day: int, message: wire.ServerMessage, room: Room, now: float
    ) -> ev.Knocked | RejoinIntent | PostedMessage | None:
        """Process a message from the server, and return the work that is left for the session.

        That is a knock that the host is to be asked about, a member's new leaf that the room is to commit, or
        a posted message: one under the key that members have (for `recovery.RejoinHelper`), or another host's
        card.
        """
        posted = self._connections.received(day, message)
        if isinstance(posted, bool):
            return None
        match posted.message:
            case lobby.CardRequest(nonce):
                self._cards.ask(day, posted.handle, nonce)
                self._cards.answer(self.keys, now)
            case lobby.RecoveryMessage() | lobby.Card():
                return posted
            case lobby.Knock() as knock:
                return self._knocked(day, knock, posted.handle, room, now)
        return None

    @property
    def entered(self) -> frozenset[int]:
        """The days whose lobbies we have entered."""
        return self._connections.entered

    def post(self, day: int, message: lobby.LobbyMessage, *to: bytes) -> None:
        """Post a message in that day's lobby, for the connections with these handles, or (none) for all."""
        self._connections.post(day, message, *to)

    def _tokens(self, index: int) -> list[tuple[bytes, bytes]]:
        """Return the tokens that prove an invite: of an own one, in the generation of its link alone."""
        made = self._book.made_in(index)
        return [(public, token) for public, token in self.keys.tokens(index) if made in (None, public)]

    def _knocked(
        self, day: int, knock: lobby.Knock, handle: bytes, room: Room, now: float
    ) -> ev.Knocked | RejoinIntent | None:
        membership = room.membership
        mark = H(knock.enc, knock.ciphertext)
        replied = self._replied.get(mark)
        if replied is not None:
            self.pieces.reply(mark, day, handle, replied, now)
            self.pieces.tick(now)
            return None
        waiting = (*self._asked.values(), *self._rejoining.values())
        known = next((asked for asked in waiting if asked.mark == mark), None)
        if known is not None:
            known.handle = handle
            self._inform(known, answers.Received())
            return None
        if mark in self._unreadable:
            return None
        found = open_with_cards(self._cards.secrets, knock, self._tokens, membership.group.suite, now)
        if found is None:
            self._unreadable.add(mark)
            return None
        opened, package, identity = found
        ticket = ticket_of(package)
        asked = Asked(opened, day, package, ticket, mark, handle)
        if ticket is not None:
            return self._rejoin(asked, membership, now)
        if identity != Identity(opened.name) or self._knocked_again(asked, membership, now):
            return None
        self._issued(opened.index)
        asked.holder = NameHolders(room, now).of(opened)
        if self._turned_away(asked, membership):
            return None
        return self._consider(asked, membership, now)

    def _knocked_again(self, asked: Asked, m: Membership, now: float) -> bool:
        """Handle another knock of somebody whom we know by the signature key; return whether it is one.

        The newer KeyPackage counts as long as the older one is in no commit, and no person is asked twice. A
        member has lost its answer: it rejoins, even if it was removed for absence meanwhile.
        """
        if known_member(m, asked.who) is not None:
            self._inform(asked, answers.AlreadyMember(m.group.group_id, m.journal.slot, m.journal.chain))
            return True
        same = (n for n, a in self._asked.items() if a.who == asked.who)
        number = next(same, None)
        if number is None or self._asked[number].knock.index != asked.knock.index:
            return False
        if number in self._admitted:
            self._asked[number].handle = asked.handle
        elif self._knocks.renew(number, asked.knock, now):
            earlier = self._asked[number]
            asked.knocked, asked.holder, asked.told_at = earlier.knocked, earlier.holder, earlier.told_at
            self._asked[number] = asked
        else:
            return False
        self._inform(asked, answers.Received())
        return True

    def _consider(self, asked: Asked, membership: Membership, now: float) -> ev.Knocked | None:
        """Return the question for our person, if there is space for another knock."""
        opened = asked.knock
        outcome = self._knocks.consider(opened, now, again=replaces_invite(asked))
        if isinstance(outcome, knocks.Ignored):
            return None
        others = [(w.id, w.knock.name) for w in self._knocks.waiting(now) if w.id != outcome.id]
        seen = check_identity(opened.name, opened.identity, self._contacts, waiting=others)
        self._asked[outcome.id] = asked
        self._inform(asked, answers.Received())
        warnings = seen.warnings
        older = opened.host_public != membership.policy.link_keys[-1]
        if older:
            warnings = (*warnings, sentence("warning.older_link"))
        asked.told_at = now
        asked.knocked = ev.Knocked(
            outcome.id,
            opened.name,
            opened.greeting,
            opened.index,
            label=self._book.label(opened.index),
            standing=seen.standing,
            contact=seen.contact,
            fingerprint=seen.fingerprint,
            warnings=warnings,
            older=older,
        )
        return with_holder(asked.knocked, asked.holder)

    def reconsider(self, room: Room, now: float) -> list[ev.Knocked]:
        """Return the knocks of which the host is told anew, because of the members whose names they have.

        A knock by a used invite is refused once nobody is there whose place it could take.
        """
        waiting = [w.id for w in self._knocks.waiting(now) if w.id in self._asked]
        if not waiting or now - self._looked_at < LOOK_EVERY:
            return []
        self._looked_at = now
        holders, changed = NameHolders(room, now), []
        for number in waiting:
            asked = self._asked[number]
            holder = holders.of(asked.knock)
            if holder is None and asked.holder is not None and is_spent(asked, room.membership):
                self._knocks.take(number, now)
                self._refuse(number, sentence("refusal.over"))
            elif holder != asked.holder and now - asked.told_at >= TELL_EVERY and asked.knocked is not None:
                asked.holder, asked.told_at = holder, now
                changed.append(with_holder(asked.knocked, holder))
        return changed

    def _turned_away(self, asked: Asked, m: Membership) -> bool:
        """Refuse a knock without asking a host if its invite is over or the room locked; return whether.

        Nothing is kept for it: the same knock gets the same answer again.
        """
        if self._opens_nothing(asked, m):
            why = sentence("refusal.over")
        elif m.policy.mode is Mode.LOCKED:
            why = sentence("refusal.locked")
        else:
            return False
        self._inform(asked, answers.Refusal(why))
        return True

    def _inform(self, asked: Asked, what: answers.ReplyBody) -> None:
        """Send a reply that no person has decided, and that the same knock gets again."""
        if self._connections.waiting < CROWDED:
            self._connections.post(asked.day, lobby.reply(asked.knock, what, rng=self._rng), asked.handle)

    def _opens_nothing(self, asked: Asked, m: Membership) -> bool:
        """Return whether that knock's invite is over; alarm the host, once an invite, if it has leaked."""
        index, single = asked.knock.index, bool(asked.knock.index & SINGLE_USE)
        removed = self._book.removed_with(index)
        known = asked.who in m.ledger.keys  # a current or former member: no second use
        if index in m.ledger.revoked or (is_spent(asked, m) and not replaces_invite(asked)):
            if removed is not None and not known:
                invite, name = self._invite_name(index), asked.knock.name
                alarm = sentences.alarm("removed_knocks", invite=invite, removed=removed, name=name)
                self._alarm(index, alarm)
            elif single and not known:
                self._leaks(asked, self._book.came_in(index), came_in=True)
            return True
        if index in self._shut:
            return True
        others = (a for a in self._asked.values() if a.knock.index == index)
        other = next((a for a in others if a.who != asked.who), None)
        if not single or other is None:
            return False
        self._leaks(asked, other.knock.name, came_in=False)
        self._take_back(index)  # for all hosts; the other knock is refused before we go on
        return True

    def _leaks(self, asked: Asked, earlier: str | None, *, came_in: bool) -> None:
        index = asked.knock.index
        key = "both_wait" if not came_in else "came_in" if earlier else "somebody_in"
        invite, name = self._invite_name(index), asked.knock.name
        self._alarm(index, sentences.alarm(f"invite_leaked.{key}", invite=invite, earlier=earlier, name=name))

    def _alarm(self, index: int, alarm: ev.Alarm) -> None:
        if self._book.first_alarm(index):
            self.effects.append(ev.Tell(alarm))

    def _invite_name(self, index: int) -> Sentence:
        return invite_name(index, self._book.label(index))

    def _rejoin(self, asked: Asked, m: Membership, now: float) -> RejoinIntent | None:
        if any(a.package.encoded == asked.package.encoded for a in self._rejoining.values()):
            return None
        known = known_member(m, asked.who)
        if known is None:
            if asked.who in m.ledger.keys:
                self._inform(asked, answers.Refusal(sentence("refusal.no_member")))
            return None
        if known.name_taken:
            self._inform(asked, answers.Refusal(sentence("refusal.name_taken")))
            return None
        if now - self._rejoined_at.get(asked.who, 0.0) < REJOIN_EVERY:
            return None
        try:
            ticket = ticket_from(m, asked.package)
        except ValidationError:
            self._inform(asked, answers.Refusal(sentence("refusal.replaced")))
            return None
        if ticket is None or ticket.by not in (ANY_HOST, m.own_leaf):
            return None
        assert asked.ticket is not None
        self._rejoined_at[asked.who] = now
        self._rejoining = {k: a for k, a in self._rejoining.items() if a.who != asked.who}
        self._rejoins += 1
        self._rejoining[self._rejoins] = asked
        return RejoinIntent(MemberKnock(self._rejoins), asked.package, asked.ticket, known.name)

    def admit(self, number: int, room: Room, now: float) -> AddIntent:
        """Accept a knock as the host, for the room to commit.

        CommandError if none waits under that number, or if a member has its name.
        """
        holder = self._holder(number, room, now)
        if holder is not None:
            raise CommandError(holder.warning)
        return self._take(number, now)

    def replace(self, number: int, room: Room, now: float) -> ReplaceIntent:
        """Accept a knock as the host, in place of the silent member whose name it has.

        CommandError if none waits under that number, or if it does not show what that member has shown.
        """
        holder = self._holder(number, room, now)
        if holder is None or holder.proof is None:
            name = self._asked[number].knock.name
            raise CommandError(sentence("cannot.replace", name=name) if holder is None else holder.warning)
        add = self._take(number, now)
        return ReplaceIntent(add.knock, add.key_package, add.invite, add.name, holder.leaf, holder.key)

    def _holder(self, number: int, room: Room, now: float) -> NameHolder | None:
        return NameHolders(room, now).of(self._waits(number, now).knock)

    def _waits(self, number: int, now: float) -> Asked:
        asked = self._asked.get(number)
        if asked is None or number not in {w.id for w in self._knocks.waiting(now)}:
            raise CommandError(sentence("cannot.nobody_waits", number=number))
        return asked

    def _take(self, number: int, now: float) -> AddIntent:
        asked = self._waits(number, now)
        self._knocks.take(number, now)
        self._admitted.add(number)
        return AddIntent(NewcomerKnock(number), asked.package, asked.knock.index, asked.knock.name)

    def admit_all(self, now: float) -> tuple[list[AddIntent], ev.AdmissionProgress]:
        """Accept the knocks without a warning; return the intents to commit, and what that comes to."""
        waiting = [w.id for w in self._knocks.waiting(now) if w.id in self._asked]
        accepted = [number for number in waiting if not self._asked[number].doubtful]
        progress = self.batch.add(accepted, len(waiting) - len(accepted), now)
        return [self._take(number, now) for number in accepted], progress

    def refuse_all(self, now: float) -> ev.AdmissionProgress:
        """Refuse all knocks as the host."""
        waiting = self._knocks.waiting(now)
        for each in waiting:
            self.refuse(each.id, now)
        return ev.AdmissionProgress(0, len(waiting), refused=len(waiting))

    def refuse(self, number: int, now: float) -> None:
        """Refuse a knock as the host; CommandError if none waits under that number."""
        held = self._waits(number, now).holder is not None
        self._knocks.take(number, now)
        self._refuse(number, sentence("refusal.name_held" if held else "refusal.no"))

    def not_added(self, intent: AddIntent | RejoinIntent, why: str, m: Membership) -> None:
        """Inform both sides that a rule prevented an admission."""
        text = sentence("refusal.not_added", why=why)
        asked = self._asked.get(intent.knock.number) if isinstance(intent, AddIntent) else None
        if asked is not None:
            if self._opens_nothing(asked, m):
                text = sentence("refusal.over")
            elif m.policy.mode is Mode.LOCKED:
                text = sentence("refusal.locked")
        self.fail(intent.knock, text)
        if isinstance(intent, RejoinIntent):
            key = intent.key_package.leaf_node.signature_key
            if key in self._not_let_in:
                return
            self._not_let_in.add(key)
        self.effects.append(ev.Tell(sentences.alarm("not_admitted", name=intent.name, why=why)))

    def _refuse(self, number: int, reason: str) -> None:
        self.fail(NewcomerKnock(number), reason)

    def fail(self, knock: Knock, reason: str) -> None:
        """Refuse a knock, with the reason (cut to 280 bytes)."""
        asked = self._answered(knock, inside=False)
        if asked is not None:
            short = reason.encode()[: answers.REASON_MAX].decode(errors="ignore")
            self._reply(asked, answers.Refusal(short))

    def answer(
        self,
        knock: Knock,
        answer: answers.Answer,
        pieces: tuple[lobby.Piece, ...] = (),
    ) -> bytes | None:
        """Answer a knock whose commit has come back, with the Welcome and what belongs to it.

        `pieces`: those that the answer lists. Returns the identity (32 bytes) that the newcomer showed; None
        without one.
        """
        asked = self._answered(knock, inside=True)
        if asked is None:
            return None
        self._reply(asked, answer, pieces)
        return asked.knock.identity

    def _answered(self, knock: Knock, *, inside: bool) -> Asked | None:
        """Return what waits for the answer that we are about to give; None if nothing does any more."""
        match knock:
            case NewcomerKnock(number):
                self._admitted.discard(number)
                self.batch.answered(number, inside=inside)
                return self._asked.pop(number, None)
            case MemberKnock(number):
                return self._rejoining.pop(number, None)
        return None

    def _reply(
        self,
        asked: Asked,
        answer: answers.Answer | answers.Refusal,
        pieces: tuple[lobby.Piece, ...] = (),
    ) -> None:
        try:
            reply = lobby.reply(asked.knock, answer, rng=self._rng)
        except SnugError:
            reply = lobby.reply(asked.knock, answers.Refusal(sentence("refusal.full")), rng=self._rng)
        kept = self._replied.add(asked.mark, reply, self._now, pieces)
        self.pieces.reply(asked.mark, asked.day, asked.handle, kept, self._now)

    def close(self) -> None:
        """Leave the lobby, and erase the cards."""
        self._cards.close()
        self._connections.close()
