"""Messages between members over the relay: sealed, resent when they may be lost, and shown once.

Protocol sections 5 to 7. Features handle the contents, `Announcer` the announcements, and this module chat.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.kernel.announcer import Announcer
from snugroom.client.session.kernel.early import EarlyBlobs
from snugroom.client.session.kernel.feature import Hooks, content_table
from snugroom.client.session.kernel.outbox import Outbox, OutgoingMessage, SeenDigests
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.kernel.words import Words
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import MissingKeyError, SnugError
from snugroom.crypto.kdf import H
from snugroom.wire import messages as wire

#: Seconds before a lost connection in which a message may not have reached everybody.
DOUBT: Final = 5.0
#: Seconds for which a message waits before that is shown.
HELD: Final = 1.0
#: Relay blobs that are kept for an epoch that we have not reached yet, their bytes in all, and their seconds.
EARLY_MAX: Final = 256
EARLY_BYTES: Final = 4 * 2**20
EARLY_TIME: Final = 30.0


class MessageLog:
    """One membership's messages, our own and the others'."""

    def __init__(self, room: Room, hooks: Hooks, announcer: Announcer) -> None:
        self._room = room
        self.words = Words(room)
        self._outbox = Outbox()
        self._seen = SeenDigests()
        self._early = EarlyBlobs(most=EARLY_MAX, size=EARLY_BYTES, seconds=EARLY_TIME)
        self._joined_slot = room.membership.epoch_slot
        self._missed = 0
        self._lost_at: float | None = None
        self._together = False  # the last connection was given up by all, for another place
        self._told: tuple[ev.HeldMessage, ...] = ()  # the messages that are shown as held
        #: What processes each content type: the owner, then those that overhear.
        self.handlers = content_table(
            {content.Say: self._chat_received, content.Announce: announcer.heard}, hooks.features
        )

    def carry_over(self, old: MessageLog) -> None:
        """Take over from `old` after a rejoin: resend unconfirmed messages, and show none twice."""
        self.words.carry_over(old.words)
        self._outbox = old._outbox.after_rejoin()
        self._seen = old._seen
        self._told = old._told

    # -- our messages ----------------------------------------------------------------------------

    def say(self, text: str, now: float) -> None:
        """Send a chat message; CommandError if the text is empty or too long."""
        if not 0 < len(text) <= content.TEXT_MAX:
            raise CommandError(sentence("room.text_size", most=content.TEXT_MAX))
        self._room.post(content.Say(self._room.rng(16), text), now)

    def post(self, what: content.Posted, now: float) -> None:
        """Send a message to all members; resend it after a lost connection until all can have it."""
        self._outbox.add(OutgoingMessage(what, now, self._members()))

    def _members(self) -> frozenset[bytes]:
        return frozenset(leaf.signature_key for leaf in self._room.membership.leaves())

    def relay(self, what: content.AnyContent) -> bytes:
        """Send to all members through the relay, and return the blob; only while in sync."""
        blob = self._room.membership.protect(content.encode(what))
        self._seen.add(H(blob))
        self._room.send(wire.Relay(blob))
        return blob

    def lost(self, now: float, *, together: bool) -> None:
        """Record that an entered connection was lost; `together`: all go, and have what came before."""
        self._lost_at, self._together = now, together

    def mark_for_resending(self, *, all_recent: bool = False) -> None:
        """Mark unconfirmed messages for resending, or all recent ones for a restarted server."""
        since = self._room.membership.epoch_slot if self._together else 0
        self._outbox.mark_for_resending(since if all_recent else None)
        self._together = False

    def send_waiting(self, now: float) -> None:
        """Send the messages that are due and that nothing holds; only while in sync."""
        unsent = list(self._outbox.unsent())
        reason = self._room.hold_reason(now) if unsent else None
        for message in unsent:
            why = None if message.released else (self._newcomers(message) or reason)
            if why is None:
                message.held_since, message.released = None, False
                self._send(message)
            else:
                message.why = why
                if message.held_since is None:
                    message.held_since = now

    def _newcomers(self, message: OutgoingMessage) -> str | None:
        """Return why sealing a message would show it to members that came in after it was written."""
        m = self._room.membership
        if message.epoch_slot == m.epoch_slot or message.shown:
            return None  # the same blob goes out again, or none
        new = [leaf for leaf, _, _ in m.members() if m.signature_key(leaf) not in message.audience]
        return sentence("held.newcomers", names=[m.name(leaf) for leaf in new]) if new else None

    def _held(self) -> list[OutgoingMessage]:
        return [message for message in self._outbox.unsent() if message.held_since is not None]

    def tell_held(self, now: float) -> None:
        """Show the messages that have waited for a while, whenever these have changed."""
        shown = {(m.text, m.why) for m in self._told}
        held = tuple(
            ev.HeldMessage(message.text, message.why)
            for message in self._held()
            if now - (message.held_since or now) >= HELD or (message.text, message.why) in shown
        )
        if held != self._told:
            self._told = held
            self._room.tell(ev.Held(held))

    def release(self) -> bool:
        """Have the held messages sent whoever reads them; return whether there were any."""
        held = self._held()
        for message in held:
            message.released = True
        return bool(held)

    def discard(self) -> list[content.Posted]:
        """Forget the held messages, and return them."""
        held = self._held()
        self._outbox.discard(held)
        self._told = ()
        self._room.tell(ev.Held(()))
        return [message.what for message in held]

    def _send(self, message: OutgoingMessage) -> None:
        m = self._room.membership
        over = message.epoch_slot != m.epoch_slot
        if over and not message.shown:
            message.what = self.words.numbered(message.what)
            message.blob = self.relay(message.what)
            message.epoch_slot = m.epoch_slot
            message.audience |= self._members()
        elif m.keeps_epoch(message.epoch_slot):
            self._room.send(wire.Relay(message.blob))
        else:
            message.confirmed = True  # it cannot be resent
        message.digest = H(message.blob)
        if over and message.shown and self._lost_at is not None and message.at > self._lost_at - DOUBT:
            # It came back once, and its epoch is over: sealing it anew would let later members read it.
            self._room.tell(sentences.maybe_lost(message.text))

    def said(self, now: float) -> int:
        """Return the number of our words for a heartbeat: of the last one that we will not resend."""
        return self.words.said(self._outbox.unsettled(now))

    def stated(self, leaf: int, number: int) -> None:
        """The member at `leaf` has signed that its words go up to that number."""
        self.words.stated(leaf, number)

    def adopted(self, change: Change) -> None:
        """A host that has come back by its return key is who it was: it may read what was written for it."""
        for gone in change.removed if change.returned else ():
            for new in change.added:
                key = self._room.membership.signature_key(new.leaf)
                if new.name == gone.name and key is not None:
                    self._outbox.same_member(gone.key, key)

    # -- the others' messages --------------------------------------------------------------------

    def count_missing(self, count: int) -> None:
        """Count relays that the server no longer held when we caught up."""
        self._missed += count

    def tell_missed(self, now: float) -> None:
        """Report the number of missed messages, after catching up."""
        if self._room.is_synced(now):
            self.words.tell_missed(now)
        else:
            self.words.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            self._room.tell(sentences.alarm("missed", count=missed))

    def new_epoch(self, now: float) -> None:
        """Try the early blobs again: the keys of a new epoch are here."""
        early, dropped = self._early.take(now)
        self._missed += dropped
        for waiting in early:
            self.relayed(waiting, now)

    def relayed(self, blob: bytes, now: float) -> None:
        """Process a blob that the server relayed."""
        m, digest = self._room.membership, H(blob)
        if digest in self._seen:
            self._outbox.came_back(digest, now)
            return
        try:
            received = m.open_relay(blob)
            what = content.decode(received.data)
        except MissingKeyError:
            began = envelope.epoch_slot(blob)
            if began > m.epoch_slot:
                self._early.add(blob, now)
            elif self._joined_slot <= began < m.epoch_slot:
                self._missed += 1  # of an epoch of ours whose keys are gone
            return
        except SnugError:
            return  # any holder of the pass can post garbage: it costs one failed check, and no report
        self._seen.add(digest)
        if isinstance(what, content.Posted):
            self.words.heard(received.sender, what.number)
        for handler in self.handlers[type(what)]:
            handler(received, what, now)

    def _chat_received(self, received: mls.ApplicationMessage, what: content.Say, now: float) -> None:
        leaf, m = received.sender, self._room.membership
        # A resent message has the same id, and is shown once.
        mark = content.message_id(what, m.signature_key(leaf) or b"")
        if mark not in self._seen:
            self._seen.add(mark)
            digits = mark.hex()[: content.MESSAGE_ID_DIGITS]
            self._room.tell(ev.Said(leaf, m.name(leaf), what.text, digits))
