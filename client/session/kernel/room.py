"""A member's connection to the room: slots in step with the server, commits, the relay and events.

Protocol sections 3, 5 and 6. One method, `_drive`, compares the slot of the server's room with our own
history and takes the next step:

==========================  =================================================================
the room is not open        hosts open it at the oldest slot that they can replay from
the room is ahead of us     show our pass, catch up
the room is behind us       show that slot's pass, hand over the blob that followed
we are in sync              show our pass; then announce, catch up on relays, commit, send
==========================  =================================================================

A lost socket, a restarted server and a straggler are therefore one case: being at another slot.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.kernel.announcements import Announcements
from snugroom.client.session.kernel.commit_queue import CommitQueue
from snugroom.client.session.kernel.feature import Feature, Hooks
from snugroom.client.session.kernel.frames import Frames
from snugroom.client.session.kernel.intents import Intent, RemoveIntent
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.message_log import MessageLog
from snugroom.client.session.kernel.ports import Owner, Room
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.client.session.kernel.verdict import Change, Staged, Valid, Void
from snugroom.client.session.options import Options
from snugroom.crypto import hpke
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.invite import HostSeed
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.kdf import H, Rng, SigningKey
from snugroom.server.wire import messages as wire

#: Seconds until a catch-up that exceeded the server's rate limit is requested again.
CATCH_UP_RETRY: Final = 1.5
#: Seconds between two members' announcements to a newcomer, who gets no media for half a second anyway.
ANNOUNCE_STEP: Final = 0.01
#: Seconds that a leaver waits for another member to commit its removal.
SELF_REMOVE_WAIT: Final = 2.0
#: Seconds for which the slot of a restarted server's room must rest before anything new is sent there: while
#: members hand over blobs, the room passes through old slots and has not reached its members' slot.
SETTLE: Final = 0.8


_F = TypeVar("_F")


class RoomSession:
    """One member's room. Feed it with `received`, `lost`, `tick` and commands; drain `effects`."""

    def __init__(
        self,
        membership: Membership,
        *,
        origin: str,
        door_key: SigningKey,
        room_admin_public: bytes,
        host_seed: HostSeed | None,
        owner: Owner,
        build_features: Callable[[Room, float], Sequence[Feature]],
        now: float,
        options: Options = Options(),  # noqa: B008 - frozen
        rng: Rng = os.urandom,
    ) -> None:
        self.m = membership
        self.origin = origin
        self.door_key = door_key
        self.room_admin_public = room_admin_public
        self.host_seed = host_seed
        self.options = options
        self.rng = rng
        self.effects: list[ev.Effect] = []
        #: Set when this membership cannot continue: the facade rejoins with a ticket.
        self.needs_rejoin: bool = False
        self.stuck_at: int | None = None
        self.ended: ev.Ended | None = None
        #: The private half of the X25519 key that we announce, for messages to us alone.
        self.box = rng(32)
        #: The open connection, None without one.
        self.connection: RoomConnection | None = None
        self._reconnect_at: float | None = None
        self._failures = 0
        self._slot: int | None = None  # the server's current slot
        self._incarnation: bytes | None = None
        self._relay = 0
        self._settling = False
        self._moved_at = now
        self._refusal = ""
        self._publish: ev.Publish | None = None
        self.announcements = Announcements()
        self._announce_at: float | None = None
        self._leaving_since: float | None = None
        self._away = False
        self.features = build_features(self, now)
        hooks = Hooks(self.features)
        self._features_with = hooks.features_with
        self._commits = CommitQueue(self, hooks, owner)
        self._message_log = MessageLog(self, hooks)
        self.frames = Frames(self, hooks)

    # -- commands ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and report the first roster."""
        self.effects.append(ev.Connect(ev.ROOM))
        self._tell_roster((), (), None)

    def feature(self, kind: type[_F]) -> _F:
        """Return the feature of that class; StopIteration if this membership has none."""
        return next(a for a in self.features if isinstance(a, kind))

    @property
    def catching_up(self) -> bool:
        """Whether incoming messages may be old, because we are catching up."""
        return self.connection is not None and self.connection.catching_up

    def is_synced(self, now: float) -> bool:
        """Whether we are connected and in step with the server, so that messages reach the others now."""
        connection = self.connection
        return (
            connection is not None
            and connection.entered
            and self._slot == self.m.journal.slot
            and connection.shown is not None
            and connection.shown >= self._slot
            and connection.sync_done
            and not (self._settling and now - self._moved_at < SETTLE)
            and self.stuck_at is None
            and not self.needs_rejoin
            and self.ended is None
        )

    @property
    def server_slot(self) -> int | None:
        """The server's current slot; None while it is unknown."""
        return self._slot

    @property
    def server_key(self) -> bytes | None:
        """The key that signs receipts on this connection (32 bytes); None without a connection."""
        return None if self.connection is None else self.connection.server_key

    @property
    def handle(self) -> bytes:
        """Our handle at the server on this connection, 8 bytes; empty until we have entered."""
        return b"" if self.connection is None else self.connection.handle

    @property
    def has_media(self) -> bool:
        """Whether a media engine has published its parameters."""
        return self._publish is not None

    @property
    def incarnation(self) -> bytes | None:
        """The incarnation of the server's process, 8 bytes; None before we first entered."""
        return self._incarnation

    @property
    def number(self) -> bytes:
        """The room's number at the server, 16 bytes."""
        return invite.room_number(self.door_key.public, self.room_admin_public)

    def carry_over(self, old: RoomSession) -> None:
        """Take over from `old` after a rejoin: resend unconfirmed messages, and show none twice."""
        self._message_log.carry_over(old._message_log)
        self._commits.carry_over(old._commits)
        for feature in self._features_with("carry_over"):
            feature.carry_over(old)

    def queue(self, intent: Intent, now: float) -> None:
        """Queue an intent, and commit it as soon as possible."""
        self._commits.add(intent)
        self._drive(now)

    def queue_once(self, intent: Intent, now: float) -> None:
        """Queue an intent, unless an equal one is queued already."""
        if intent not in self._commits:
            self.queue(intent, now)

    @property
    def member_index(self) -> int:
        """Our index among the members, by leaf."""
        return [leaf for leaf, _, _ in self.m.members()].index(self.m.own_leaf)

    @property
    def rank(self) -> int:
        """Our index among the hosts if we are a host, else among the other members, by leaf."""
        own = self.m.own_leaf
        alike = self.m.is_host(own)
        return sum(leaf < own and host == alike for leaf, _, host in self.m.members())

    def hostless(self, now: float) -> bool:
        """Whether the tree has no host, or no host has been active lately."""
        hosts = [leaf for leaf, _, host in self.m.members() if host]
        return not any(self.heard_recently(leaf, now) for leaf in hosts)

    def heard_recently(self, leaf: int, now: float) -> bool:
        """Return whether data signed by this leaf has arrived in the last seconds."""
        return any(feature.heard_recently(leaf, now) for feature in self._features_with("heard_recently"))

    @property
    def idle(self) -> bool:
        """Whether no intent is queued, no commit is under way and we are not stuck."""
        return self._commits.idle and self.stuck_at is None

    def say(self, text: str, now: float) -> None:
        """Send a chat message; ValueError if the text is empty or too long."""
        if not 0 < len(text) <= content.TEXT_MAX:
            raise ValueError(f"a message has 1 to {content.TEXT_MAX} characters")
        self.post(content.Say(self.rng(16), text), now)

    def post(self, what: content.Posted, now: float) -> None:
        """Send a message to all members; resend it after a lost connection until all can have it."""
        self._message_log.post(what, now)
        self._drive(now)

    def remove(self, leaf: int, now: float) -> None:
        """Remove the member at `leaf`; ValueError if the leaf is empty or our own, or we are not a host."""
        key = self.m.signature_key(leaf)
        if key is None or leaf == self.m.own_leaf:
            raise ValueError(f"there is nobody else at leaf {leaf}")
        self.host_only()
        self.queue(RemoveIntent(leaf, key), now)

    def host_only(self) -> None:
        """Check that we are a host; ValueError if not."""
        if not self.m.is_host(self.m.own_leaf):
            raise ValueError("only a host can do that")

    def leave(self, now: float) -> None:
        """Propose our own removal; leave when it is committed, or after two seconds."""
        if self._leaving_since is None:
            self._leaving_since = now
        if len(self.m.members()) == 1 or self.connection is None or not self.connection.entered:
            self.finish("left", "You left.")
            return
        self._drive(now)

    def publish(self, media: ev.Publish, now: float) -> None:
        """Publish our media transport parameters and streams, now and on every new connection."""
        self._publish = media
        if self.connection is not None:
            self.connection.sync_done = False
        self._drive(now)

    def take_host_seed(self, seed: HostSeed) -> None:
        """Become a host: another host has sent us the seed."""
        self.host_seed = seed

    def drop_host_seed(self) -> None:
        """Forget the seed: we are no host any more."""
        self.host_seed = None

    # -- the connection ----------------------------------------------------------------------------

    def lost(self, why: str, now: float) -> None:
        """Handle a lost or failed connection: reconnect after 0.2 s, later after up to 1.5 s."""
        if self.connection is not None and self.connection.entered:
            self._message_log.lost(now)
        self.connection = None
        self._slot = None
        for feature in self._features_with("lost"):
            feature.lost(why, now)
        if self.ended is not None:
            return
        if not self._away:
            self._away = True
            self.tell(ev.Status("away", f"The server is away ({why}). Trying again..."))
        delay = min(0.2 * 2**self._failures, 1.5)
        self._failures += 1
        self._reconnect_at = now + delay
        self.effects.append(ev.RemoteStreams(()))

    def tick(self, now: float) -> None:
        """Do the work that is due at `now`."""
        if self.ended is not None:
            return
        if self._reconnect_at is not None and now >= self._reconnect_at:
            self._reconnect_at = None
            self.effects.append(ev.Connect(ev.ROOM))
        if self._leaving_since is not None and now - self._leaving_since > SELF_REMOVE_WAIT:
            self.finish("left", "You left.")
            return
        self._commits.tick(now)
        connection = self.connection
        if (
            connection is not None
            and connection.catch_up_again is not None
            and now >= connection.catch_up_again
        ):
            connection.catch_up_again, connection.catching_up = None, False
        if connection is None or not connection.catching_up:
            self._message_log.tell_missed()
        self._drive(now)
        for feature in self._features_with("tick"):
            feature.tick(now)

    def received(self, message: wire.ServerMessage, now: float) -> None:
        """Process a message from the server on the room's connection."""
        if self.ended is not None:
            return
        before = self._slot
        match message:
            case wire.Challenge() if self.connection is None:  # once a connection: a new one excuses gaps
                self._challenged(message)
            case wire.Entered():
                self._entered(message, now)
            case wire.Opened():
                self._slot = message.slot
                self._check_receipt(message.slot, message.chain, message.signature, now)
            case wire.Shown():
                self._shown(message.slot)
            case wire.Committed():
                self._committed(message, now)
            case wire.Stale():
                self._slot = message.slot
                if self.connection is not None:
                    self.connection.handing_over = None
            case wire.Regated():
                self._regated(message.slot)
            case wire.CaughtUp():
                self._relay = max(self._relay, message.relay)
                if self.connection is not None:
                    self.connection.catching_up = False
                self._message_log.count_missing(message.missing)
            case wire.Relayed():
                if message.relay == self._relay + 1:
                    # Only without a gap: the missing relays can still be lost with the connection.
                    self._relay = message.relay
                digest = H(message.blob)
                for feature in self._features_with("relayed"):
                    feature.relayed(message.relay, digest, now)
                self._message_log.relayed(message.blob, now)
            case wire.Broadcasted():
                for feature in self._features_with("broadcast_received"):
                    if feature.broadcast_received(message.blob, now):
                        break
            case wire.Refused():
                self._refused(message, now)
                for feature in self._features_with("server_notice"):
                    feature.server_notice(message.code, message.text, now)
            case wire.Closing():
                for feature in self._features_with("server_notice"):
                    feature.server_notice(message.code, message.text, now)
                self.tell(ev.Status("closing", f"The server says: {message.text}"))
            case wire.Transport():
                self.effects.append(ev.MediaTransport(message))
            case wire.Streams():
                self.effects.append(ev.RemoteStreams(tuple(message.streams)))
                for feature in self._features_with("streams"):
                    feature.streams(message.streams, now)
            case _:
                pass  # no member has signed arrivals and departures of handles
        if self._slot != before:
            self._moved_at = now
        self._drive(now)

    def _challenged(self, challenge: wire.Challenge) -> None:
        self.connection = RoomConnection(challenge.nonce, challenge.server_key)
        nonce = self.rng(32)
        signature = self.door_key.sign(invite.door_message(self.origin, self.number, challenge.nonce, nonce))
        self.send(wire.RoomDoor(self.door_key.public, self.room_admin_public, nonce, signature))

    def _entered(self, entered: wire.Entered, now: float) -> None:
        connection = self.connection
        if connection is None or connection.entered:
            return
        connection.entered, connection.handle = True, entered.handle
        self._slot = entered.slot
        self._failures = 0
        restarted = self._incarnation is not None and self._incarnation != entered.incarnation
        self._incarnation = entered.incarnation
        if restarted:
            self._relay = 0
            self._settling = True
        self._message_log.mark_for_resending(all_recent=restarted)  # a restarted server has lost its relays
        if self._away:
            self._away = False
            self.tell(ev.Status("back", "The server is back."))

    def _shown(self, slot: int) -> None:
        connection = self.connection
        if connection is None:
            return
        wanted, connection.showing = connection.showing, None
        connection.shown = slot
        if wanted is not None and slot < wanted:
            connection.refused_at = wanted  # our pass fits an older gate only: this slot's gate is wrong

    def _regated(self, slot: int) -> None:
        connection = self.connection
        if connection is None:
            return
        connection.refused_at = connection.showing = None
        if connection.shown is not None:
            connection.shown = min(connection.shown, slot - 1)
        if self.stuck_at is not None:
            self._show_while_stuck(connection)

    def _refused(self, refused: wire.Refused, now: float) -> None:
        connection = self.connection
        if connection is None:
            return
        if refused.about == "show":
            connection.refused_at, connection.showing = connection.showing, None
        elif refused.about == "commit":
            connection.handing_over = None
            if refused.code == "pass":
                connection.shown = None
            elif refused.code == "size":
                self._commits.refused(refused.text)
        elif refused.about == "catch_up":
            if refused.code in ("pass", "gone"):
                self.needs_rejoin = True  # the missed blobs are no longer available
            elif refused.code == "rate":
                connection.catch_up_again = now + CATCH_UP_RETRY
            else:
                connection.catching_up = False
        elif refused.about == "media":
            if refused.code == "pass":
                connection.shown, connection.sync_done = None, False
        elif refused.about == "broadcast" and refused.code == "pass":
            connection.shown = None
        elif refused.about == "relay" and refused.code == "pass":
            self._message_log.mark_for_resending()
            self._announce_at = now
            connection.shown = None
        # The owner of the media engine reports a lost media server, and sends `media` again.
        lost = refused.about == "media" and refused.code == "lost"
        if refused.code != "pass" and not lost and refused.about != "open" and refused.text != self._refusal:
            self._refusal = refused.text  # reported once, however often it recurs
            self.tell(sentences.refused(refused.text))

    # -- synchronisation ---------------------------------------------------------------------------

    def _drive(self, now: float) -> None:
        connection = self.connection
        if connection is None or not connection.entered or self.ended is not None or self.needs_rejoin:
            return
        mine = self.m.journal.slot
        if self._slot is None:
            self._open_room(connection, now)
        elif self._slot > mine:
            if self._is_shown(connection, mine) and not connection.catching_up:
                connection.catching_up = True
                self.send(wire.CatchUp(mine, self._relay))
        elif self._slot < mine:
            self._hand_over(connection, self._slot)
        elif self._regate_wanted(connection, mine):
            self._regate(connection, mine)
        elif self._is_shown(connection, mine):
            self._when_synced(connection, now)

    def _is_shown(self, connection: RoomConnection, slot: int) -> bool:
        """Whether the server knows that we hold the pass of `slot`; shows the pass if that is still to do."""
        if connection.shown is not None and connection.shown >= slot:
            return True
        if connection.showing is not None:
            return False
        if connection.refused_at == slot:
            if self._slot is not None and self._slot > slot and self.stuck_at is None:
                self.needs_rejoin = True  # too far behind for the server and for blobs handed over
            return False
        entry = self.m.journal.entry(slot)
        if entry is not None:
            connection.showing = slot
            self.send(wire.Show(entry.room_pass))
        return False

    def _open_room(self, connection: RoomConnection, now: float) -> None:
        if self.host_seed is None or connection.opening:
            return
        oldest = self.m.journal.oldest
        gate = invite.gate(oldest.room_pass)
        room_admin = self.host_seed.room_admin_key(self.m.group.group_id)
        message = invite.open_message(self.number, oldest.slot, gate, oldest.chain, connection.nonce)
        connection.opening = True
        self.send(wire.Open(oldest.slot, gate, oldest.chain, room_admin.sign(message)))

    def _hand_over(self, connection: RoomConnection, slot: int) -> None:
        """Send the server, which is behind us, the blob that follows its slot."""
        following = self.m.journal.entry(slot + 1)
        if following is None or following.blob is None or self.m.journal.entry(slot) is None:
            return
        if self._is_shown(connection, slot) and connection.handing_over != slot + 1:
            connection.handing_over = slot + 1
            self.send(wire.Commit(slot + 1, following.blob, invite.gate(following.room_pass)))

    def _regate_wanted(self, connection: RoomConnection, slot: int) -> bool:
        return connection.refused_at == slot and self.host_seed is not None and connection.regated_at != slot

    def _regate(self, connection: RoomConnection, slot: int) -> None:
        """Replace the gate of this slot: its author posted a gate that is not our pass's (G5)."""
        assert self.host_seed is not None
        gate = invite.gate(self.m.journal.room_pass)
        room_admin = self.host_seed.room_admin_key(self.m.group.group_id)
        message = invite.regate_message(self.number, slot, gate, connection.nonce)
        connection.regated_at = slot
        self.send(wire.Regate(slot, gate, room_admin.sign(message)))

    def _when_synced(self, connection: RoomConnection, now: float) -> None:
        if self.stuck_at is not None:
            return
        if not connection.sync_done:
            connection.sync_done = True
            if not connection.catching_up:
                connection.catching_up = True
                self.send(wire.CatchUp(self.m.journal.slot, self._relay))
            if self._publish is not None:
                self.send(self._publish.message())
                for feature in self._features_with("published"):
                    feature.published(now)
            self._announce_at = now
        if self._settling and now - self._moved_at < SETTLE:
            return
        self._settling = False
        if not connection.features_notified:
            connection.features_notified = True
            for feature in self._features_with("synced"):
                feature.synced(now)
        if self._announce_at is not None and now >= self._announce_at:
            self._announce_at = None
            self._announce(connection)
        if self._leaving_since is not None:
            for feature in self._features_with("leaving"):
                feature.leaving(now)
            return
        self._message_log.send_waiting()
        self._commits.send_next(now)

    def _announce(self, connection: RoomConnection) -> None:
        streams = [] if self._publish is None else self._publish.streams
        self.relay(
            content.Announce(
                connection.handle,
                hpke.public_key(self.box),
                [content.OwnStream(ssrc, kind, number) for ssrc, kind, number in streams],
            )
        )

    # -- commits -----------------------------------------------------------------------------------

    def _committed(self, message: wire.Committed, now: float) -> None:
        self._slot = max(self._slot or 0, message.slot)
        if self.connection is not None and self.connection.handing_over == message.slot:
            self.connection.handing_over = None
        mine = self.m.journal.slot
        if message.slot <= mine:
            known = self.m.journal.chains.get(message.slot)
            if known is not None and known != message.chain:
                self.tell(sentences.two_stories(message.slot))
            return
        if message.slot != mine + 1 or self.stuck_at is not None or self.needs_rejoin:
            return  # `_drive` catches up
        if message.chain != self.m.journal.chain_after(message.blob):
            self.tell(sentences.two_stories(message.slot))
        else:
            self._check_receipt(message.slot, message.chain, message.signature, now)
        own = self._commits.slot_taken(message.blob)
        if own is not None:
            self._adopt(own, message.blob, now)
        else:
            self._judge(message.blob, now)

    def _judge(self, blob: bytes, now: float) -> None:
        verdict = self.m.judge(blob)
        if isinstance(verdict, Valid):
            if verdict.removes_us:
                sender = verdict.view.sender
                by = "somebody" if sender is None else self.m.name(sender)
                if self._leaving_since is not None:
                    self.finish("left", "You left.")
                else:
                    self.finish("removed", f"You were removed by {by}.")
                return
            self._adopt(verdict, blob, now)
        elif isinstance(verdict, Void):
            slot = self.m.journal.slot + 1
            self.m.void(blob)
            if self.connection is not None:
                self.connection.shown = None  # our pass must be shown for this slot too
            self.tell(sentences.void_commit(verdict.text, self._author_name(verdict.author), slot))
            for feature in self._features_with("voided"):
                feature.voided(slot, verdict.author, now)
        else:
            self.stuck_at = self.m.journal.slot + 1
            for feature in self._features_with("stuck"):
                feature.stuck(blob, now)
            self.tell(sentences.stuck(self._author_name(verdict.author)))
            if self.connection is not None:
                self._show_while_stuck(self.connection)

    def _show_while_stuck(self, connection: RoomConnection) -> None:
        """Show the pass that we have: hosts that find the slot void set its gate to that pass."""
        connection.shown = connection.refused_at = None
        connection.showing = self.stuck_at
        self.send(wire.Show(self.m.journal.room_pass))

    @property
    def regated(self) -> bool:
        """Whether a host has set the gate of the slot that we are stuck at to our pass: it is void."""
        shown = None if self.connection is None else self.connection.shown
        return shown is not None and self.stuck_at is not None and shown >= self.stuck_at

    def pass_over(self, blob: bytes, now: float) -> None:
        """Go on after the slot that we are stuck at: its commit, `blob`, is void."""
        regated, slot = self.regated, self.stuck_at
        assert slot is not None
        self.stuck_at = None
        self.m.void(blob)
        if self.connection is not None and not regated:
            self.connection.shown = self.connection.showing = None
        for feature in self._features_with("voided"):
            feature.voided(slot, None, now)

    def give_up(self) -> None:
        """Stop here, and rejoin with a ticket."""
        self.needs_rejoin = True

    def _author_name(self, leaf: int | None) -> str:
        """Return the author's name for a person; "a member or the server" if it is unknown."""
        return "a member or the server" if leaf is None else self.m.name(leaf)

    def _adopt(self, step: Valid | Staged, blob: bytes, now: float) -> None:
        change = self.m.adopt(step, blob, now)
        if self.connection is not None:
            self.connection.refused_at = None
        if isinstance(step, Staged):
            self._commits.adopted(step)
        gone = {leaf for leaf, _, _ in change.removed}
        for leaf in gone:
            self.announcements.forget(leaf)
        if change.added:
            # Members announce one after the other, to spare a large room's server a burst.
            self._announce_at = now + ANNOUNCE_STEP * self.member_index
        self._tell_roster(change.added, change.removed, change.by, change)
        for feature in self._features_with("adopted"):
            feature.adopted(change, now)
        self._message_log.new_epoch(now)

    def _check_receipt(self, slot: int, chain: bytes, signature: bytes, now: float) -> None:
        if self.connection is None:
            return
        try:
            invite.verify_receipt(self.connection.server_key, self.number, slot, chain, signature)
        except SnugCryptoError:
            self.tell(sentences.receipt())
            return
        for feature in self._features_with("receipt"):
            feature.receipt(slot, chain, signature, now)

    # -- the relay ---------------------------------------------------------------------------------

    def broadcast(self, blob: bytes) -> None:
        """Broadcast a blob to the present members: the server neither numbers nor stores it."""
        self.send(wire.Broadcast(blob))

    def relay(self, what: content.AnyContent) -> bytes:
        """Send to all members through the relay, and return the blob; only while in sync."""
        return self._message_log.relay(what)

    # -- output ------------------------------------------------------------------------------------

    def send(self, message: wire.ClientMessage) -> None:
        """Send a message on the room's connection."""
        self.perform(ev.Transmit(ev.ROOM, message))

    def tell(self, event: ev.Event) -> None:
        """Show an event."""
        self.perform(ev.Tell(event))

    def perform(self, effect: ev.Effect) -> None:
        """Have the shell perform an effect."""
        self.effects.append(effect)

    def _tell_roster(
        self,
        added: tuple[tuple[int, str], ...],
        removed: tuple[tuple[int, str, bytes], ...],
        by: int | None,
        change: Change | None = None,
    ) -> None:
        members = tuple(ev.Member(*m) for m in self.m.members())
        hosts = {m.leaf for m in members if m.host}
        self.tell(
            ev.Roster(
                self.m.group.epoch,
                members,
                tuple(ev.Member(leaf, name, leaf in hosts) for leaf, name in added),
                tuple(ev.Member(leaf, name, False) for leaf, name, _ in removed),
                by,
                change is not None and change.rejoined,
                None if change is None else change.invite,
                left=() if change is None else tuple(sorted(change.left)),
            )
        )
        self.tell(ev.Code(self.m.group.epoch, self.m.code))

    def finish(self, reason: Literal["left", "removed", "ended", "dropped", "failed"], text: str) -> None:
        """End this membership: erase the media keys, report the reason and disconnect."""
        if self.ended is None:
            self.ended = ev.Ended(reason, text)
            self.m.media.wipe()
            self.tell(self.ended)
            self.perform(ev.Disconnect(ev.ROOM))
