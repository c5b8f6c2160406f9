"""A member's room: the commands of a person, and the parts of the session that carry them out.

Protocol sections 3, 5 and 6. `Sync` keeps in step with the server's room, `CommitQueue` has our commits and
`ReceivedCommits` everybody's, `MessageLog` the relay, `Announcer` our streams, `Frames` the media.
`ServerMessages` hands the server's messages to them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import CommandError, Sentence, sentence
from snugroom.client.session.kernel.ahead import go_ahead
from snugroom.client.session.kernel.announcements import Announcements
from snugroom.client.session.kernel.announcer import Announcer
from snugroom.client.session.kernel.commit_queue import CommitQueue
from snugroom.client.session.kernel.feature import Feature, Hooks
from snugroom.client.session.kernel.frames import Frames
from snugroom.client.session.kernel.intents import HealIntent, Intent, RemoveIntent
from snugroom.client.session.kernel.known_servers import KnownServers
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.message_log import MessageLog
from snugroom.client.session.kernel.moving import Moving
from snugroom.client.session.kernel.places import Places
from snugroom.client.session.kernel.ports import Owner, Room
from snugroom.client.session.kernel.received_commits import ReceivedCommits, tell_roster
from snugroom.client.session.kernel.room_admin_keys import RoomAdminKeys
from snugroom.client.session.kernel.server_messages import ServerMessages
from snugroom.client.session.kernel.sync import Sync
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import HostKeys
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.wire import messages as wire

#: Seconds that a leaver waits until it can propose its removal.
LEAVE_MAX: Final = 6.0
#: Seconds for which members expect a host whose connection may have broken in the lobby.
LEFT_FOR: Final = 20.0
_F = TypeVar("_F")


class RoomSession:
    """One member's room. Feed it with `received`, `lost`, `tick` and commands; drain `effects`."""

    #: When a connection last left the room, by the server's word.
    left_at: float = 0.0
    absent_by: str = ""

    def __init__(
        self,
        membership: Membership,
        *,
        servers: KnownServers,
        door_key: SigningKey,
        room_admin_public: bytes,
        host_keys: HostKeys | None,
        owner: Owner,
        build_features: Callable[[Room, float], Sequence[Feature]],
        now: float,
        options: Options = Options(),  # noqa: B008 - frozen
        rng: Rng = os.urandom,
    ) -> None:
        self.membership = membership
        self.origin, self.servers = servers.first, servers
        self.door_key = door_key
        self.host_keys = host_keys
        self.options = options
        self.rng = rng
        self.effects: list[ev.Effect] = []
        #: Set when this membership cannot continue: the facade rejoins with a ticket.
        self.needs_rejoin: bool = False
        self.is_replaced: bool = False
        #: Whether the connection ends because we go on elsewhere by ourselves.
        self.leaves_server: bool = False
        self._goes_with_all = False
        self.ended: ev.Ended | None = None
        #: The private half of the X25519 key that we announce, for messages to us alone.
        self.box = rng(32)
        self.announcements = Announcements()
        self.room_admin_keys = RoomAdminKeys(membership, door_key.public, room_admin_public)
        self.here = Places(self)
        self._moving = Moving(self, self.here, now)
        self.sync = Sync(self, self._moving, now)
        self._leave_at: float | None = None
        self.features = build_features(self, now)
        self._hooks = hooks = Hooks(self.features)
        self._features_with = hooks.features_with
        self._commits = CommitQueue(self, hooks, owner)
        self._announcer = Announcer(self, hooks)
        self.messages = MessageLog(self, hooks, self._announcer)
        self._received_commits = ReceivedCommits(
            self,
            hooks,
            sync=self.sync,
            queue=self._commits,
            message_log=self.messages,
            announcer=self._announcer,
        )
        self._server_messages = ServerMessages(
            self,
            hooks,
            sync=self.sync,
            queue=self._commits,
            message_log=self.messages,
            announcer=self._announcer,
            received_commits=self._received_commits,
        )
        self.frames = Frames(self, hooks)

    # -- commands ----------------------------------------------------------------------------------

    def start(self, at: str = "") -> None:
        """Connect, to that server if the policy lists it, and report the first roster."""
        self.here.begin(at)
        self.effects.append(ev.Connect(ev.ROOM, origin=self.here.elsewhere))
        tell_roster(self)

    def feature(self, kind: type[_F]) -> _F:
        """Return the feature of that class; StopIteration if this membership has none."""
        return self._hooks.feature(kind)

    @property
    def catching_up(self) -> bool:
        """Whether incoming messages may be old, because we are catching up."""
        return self.sync.catching_up

    @property
    def awaits_entry(self) -> bool:
        """Whether the room is open at our slot, and the server has not acknowledged our pass yet."""
        return self.sync.awaits_entry

    @property
    def out_of_reach(self) -> bool:
        """Whether the server claims a later slot, and refuses to hand over the way to it."""
        return self.sync.connection is not None and self.sync.connection.out_of_reach

    def is_shut_out(self, now: float) -> bool:
        """Return whether no pass of ours has fit for long."""
        return self.sync.is_shut_out(now)

    def ask_again(self) -> None:
        """Request the way to the others' slot anew."""
        self.sync.ask_again()

    @property
    def next_is_ready(self) -> bool:
        """Whether the room at the next server of the list is open for us."""
        return any(feature.next_is_ready() for feature in self._features_with("next_is_ready"))

    def is_synced(self, now: float) -> bool:
        """Whether we are connected and in step with the server, so that messages reach the others now."""
        return self.sync.is_synced(now)

    @property
    def is_unanswered(self) -> bool:
        """Whether the server has not answered our pass, or not taken the blob that we handed over."""
        return self.sync.is_unanswered

    @property
    def server_slot(self) -> int | None:
        """The server's current slot; None while it is unknown."""
        return self.sync.slot

    @property
    def server_key(self) -> bytes | None:
        """The key that signs receipts on this connection (32 bytes); None without a connection."""
        return None if self.sync.connection is None else self.sync.connection.server_key

    @property
    def handle(self) -> bytes:
        """Our handle at the server on this connection, 8 bytes; empty until we have entered."""
        return b"" if self.sync.connection is None else self.sync.connection.handle

    @property
    def permit(self) -> bytes | None:
        """What reopens the room at the server under its number there, 40 bytes; None without one."""
        return self.sync.door.permit(self.room_admin_keys.number)

    @property
    def token_keys(self) -> Mapping[int, bytes]:
        """The hashes of the token keys that the server has shown us, by week."""
        return self.sync.door.token_keys

    @property
    def has_media(self) -> bool:
        """Whether a media engine has published its parameters."""
        return self._announcer.media is not None

    def own_ssrc(self, stream: int) -> int | None:
        """Return the SSRC under which we announce that stream of ours; None if we don't."""
        return self._announcer.own_ssrc(stream)

    @property
    def incarnation(self) -> bytes | None:
        """The incarnation of the server's process, 8 bytes; None before we first entered."""
        return self.sync.incarnation

    @property
    def number(self) -> bytes:
        """The meeting's first number, 16 bytes: what members sign and seal is bound to it."""
        return self.membership.room

    @property
    def server_nonce(self) -> bytes | None:
        """The nonce of this connection's challenge, for what the room admin signs; None without one."""
        return None if self.sync.connection is None else self.sync.connection.nonce

    def carry_over(self, old: RoomSession) -> None:
        """Take over from `old` after a rejoin: resend unconfirmed messages, and show none twice."""
        self.membership.rejoin_keys.carry_over(old.membership.rejoin_keys)
        self.sync.door.carry_over(old.sync.door)
        self.here.carry_over(old.here)
        self.announcements.carry_over(old.announcements)
        self.messages.carry_over(old.messages)
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
        return [leaf for leaf, _, _ in self.membership.members()].index(self.membership.own_leaf)

    @property
    def rank(self) -> int:
        """Our index among the hosts if we are a host, else among the other members, by leaf."""
        return self.membership.rank()

    def hostless(self, now: float) -> bool:
        """Whether the tree has no host, or no host has been active lately.

        Nor since a connection has left the room, as the server says: it can have been the host's, which may
        come back at once. The server decides nothing by that: members wait in the lobby a little sooner.
        """
        since = self.left_at if now - self.left_at < LEFT_FOR else 0.0
        return not any(self.heard_recently(leaf, now, since) for leaf in self.membership.hosts())

    def heard_recently(self, leaf: int, now: float, since: float = 0.0) -> bool:
        """Return whether data signed by this leaf has arrived in the last seconds, and after `since`."""
        return any(
            feature.heard_recently(leaf, now, since) for feature in self._features_with("heard_recently")
        )

    @property
    def idle(self) -> bool:
        """Whether no intent is queued, no commit is under way and we are not stuck."""
        return self._commits.idle and self.stuck_at is None

    @property
    def waiting_intents(self) -> Sequence[Intent]:
        """Our intents that have not been done yet, in order."""
        return self._commits.waiting

    def commits_wait(self, now: float) -> bool:
        """Return whether our commits, except removals, wait for something other than the server."""
        return any(feature.holds_commits(now) for feature in self._features_with("holds_commits"))

    def hold_reason(self, now: float) -> str | None:
        """Return None if messages may be sealed for the room; else why they wait, as a sentence."""
        reasons = (feature.hold_reason(now) for feature in self._features_with("hold_reason"))
        return next((reason for reason in reasons if reason is not None), None)

    def pause_reason(self, now: float) -> str | None:
        """Return None if sound and video may be sealed; else why they wait, as a sentence."""
        return self.frames.pause_reason(now)

    def speaks(self, now: float) -> bool:
        """Return whether messages reach the others now, and may be sealed for the room."""
        return self.is_synced(now) and self.hold_reason(now) is None

    def post(self, what: content.Posted, now: float) -> None:
        """Send a message to all members; resend it after a lost connection until all can have it."""
        self.messages.post(what, now)
        self._drive(now)

    def remove(self, leaf: int, now: float) -> None:
        """Remove the member at `leaf`; CommandError if the leaf is empty or our own, or we are not a host."""
        key = self.membership.signature_key(leaf)
        if key is None or leaf == self.membership.own_leaf:
            raise CommandError(sentence("room.nobody_else_there", leaf=leaf))
        self.host_only()
        self.queue(RemoveIntent(leaf, key), now)

    def host_only(self) -> None:
        """Check that we are a host; CommandError if not."""
        if not self.membership.is_host(self.membership.own_leaf):
            raise CommandError(sentence("room.host_only"))

    def leave(self, now: float) -> None:
        """Propose our own removal; leave when it is committed, or a few seconds after the first proposal."""
        if self._leave_at is None:
            self._leave_at = now + LEAVE_MAX
        if len(self.membership.members()) == 1 or not self.sync.is_entered:
            self.finish("left", sentence("room.you_left"))
            return
        self._drive(now)

    def leave_by(self, at: float) -> None:
        """Leave then, whether our removal is committed or not, if no earlier time is set."""
        self._leave_at = at if self._leave_at is None else min(self._leave_at, at)

    def publish(self, media: ev.Publish, now: float) -> None:
        """Publish our media transport parameters and streams, now and on every new connection."""
        self._announcer.media = media
        if self.sync.connection is not None:
            self.sync.connection.sync_done = False
        self._drive(now)

    def take_host_keys(self, keys: HostKeys) -> None:
        """Host with these keys from now on: another host has sent them, or we have made the newest."""
        self.host_keys = keys

    def drop_host_keys(self) -> None:
        """Forget the keys: we are no host any more."""
        self.host_keys = None

    # -- the connection ----------------------------------------------------------------------------

    def lost(self, why: str, now: float, *, by_server: bool = False) -> None:
        """Handle a lost or failed connection."""
        if self.sync.is_entered:
            self.messages.lost(now, together=self._goes_with_all)
            if isinstance(why, Sentence) and why.key in ("away.unanswered", "away.denied"):
                self._moving.unanswered(now)
        self.sync.lost()
        for feature in self._features_with("lost"):
            feature.lost(why, now, by_server=by_server)
        if self.ended is None:
            self.sync.reconnect(why, now)

    def look_elsewhere(
        self, now: float, server: int | None = None, attempt: int = 0, *, together: bool = True
    ) -> None:
        """Leave this place, and look for the room at that one, or at the next.

        `server`: an index in the policy's list. `together`: all go there, with what came before.
        """
        self.leaves_server, self._goes_with_all = True, server is not None and together
        self._moving.leave(now, None if server is None else (server, attempt), together=together)
        self.sync.give_up(now)
        self.leaves_server = self._goes_with_all = False

    def hurry(self, now: float) -> None:
        """Connect at once, if we are about to."""
        self.sync.hurry(now)

    def tick(self, now: float) -> None:
        """Do the work that is due at `now`."""
        if self.ended is not None:
            return
        self.sync.tick(now)
        self._server_messages.tick(now)
        if self._leave_at is not None and now > self._leave_at:
            self.finish("left", sentence("room.you_left"))
            return
        self._commits.tick(now)
        if not self.catching_up:
            self.messages.tell_missed(now)
        self._drive(now)
        self.messages.tell_held(now)
        for feature in self._features_with("tick"):
            feature.tick(now)

    def received(self, message: wire.ServerMessage, now: float) -> None:
        """Process a message from the server on the room's connection."""
        if self.ended is None and self._server_messages.received(self.here.incoming(message), now):
            self._drive(now)

    def further(self, what: ev.Received | ev.Lost, now: float) -> None:
        """Process a message, or the loss, of a connection to a further room."""
        if self.ended is None:
            for feature in self._features_with("further"):
                feature.further(what, now)

    def _drive(self, now: float) -> None:
        go_ahead(self, self.sync, self._announcer)
        connection = self.sync.step(now)
        if self.sync.may_only_commit:
            heal = HealIntent(self.membership.group.epoch)
            if heal not in self._commits:
                self._commits.add(heal)
            self._commits.send_next(now)
        if connection is None or self.stuck_at is not None:
            return
        if not connection.sync_done:
            connection.sync_done = True
            self.sync.catch_up(connection)
            self._announcer.publish(connection, now)
        if not self.sync.has_settled(now):
            return
        if not connection.features_notified:
            connection.features_notified = True
            for feature in self._features_with("synced"):
                feature.synced(now)
        self._announcer.announce_if_due(now)
        if self.leaving:
            for feature in self._features_with("leaving"):
                feature.leaving(now)
            return
        self.messages.send_waiting(now)
        self._commits.send_next(now)

    # -- the relay ---------------------------------------------------------------------------------

    def broadcast(self, blob: bytes, *, heartbeat: bool = False, ssrc: int | None = None) -> None:
        """Broadcast a blob to the present members, or to those who receive the stream `ssrc`."""
        self.send(wire.Broadcast(blob, ssrc))
        if heartbeat:
            for feature in self._features_with("heartbeat_sent"):
                feature.heartbeat_sent(blob)

    def relay(self, what: content.AnyContent) -> bytes:
        """Send to all members through the relay, and return the blob; only while in sync."""
        return self.messages.relay(what)

    # -- output ------------------------------------------------------------------------------------

    def send(self, message: wire.ClientMessage) -> None:
        """Send a message on the room's connection."""
        told = self.here.outgoing(message)
        if told is None:
            return
        if self.sync.connection is not None:
            self.sync.connection.asked[str(type(message).__struct_config__.tag)] += 1
        self.perform(ev.Transmit(ev.ROOM, told))

    def tell(self, event: ev.Event) -> None:
        """Show an event."""
        self.perform(ev.Tell(event))

    def perform(self, effect: ev.Effect) -> None:
        """Have the shell perform an effect."""
        self.effects.append(effect)

    # -- the course of this membership -------------------------------------------------------------

    @property
    def stuck_at(self) -> int | None:
        """The slot whose commit we alone cannot read; None without one."""
        return self.sync.stuck_at

    def pass_over(self, blob: bytes, now: float) -> None:
        """Go on after the slot that we are stuck at: its commit, `blob`, is void."""
        self._received_commits.pass_over(blob, now)

    def give_up(self, *, replaced: bool = False, absent_by: str = "") -> None:
        """Stop here, and rejoin with a ticket; for good if our leaf is `replaced` at our request, or gone."""
        self.needs_rejoin, self.absent_by = True, absent_by
        self.is_replaced |= replaced or bool(absent_by)

    @property
    def seeks_readmission(self) -> bool:
        """Whether we ask to be let in again: we need to, or the server keeps the others' slot from us."""
        return self.needs_rejoin or self.sync.seeks_readmission

    def seek_readmission(self, on: bool) -> None:
        """Ask the members to let us in again, and keep this membership meanwhile; or stop asking."""
        self.sync.seeks_readmission = on

    def resume(self, now: float) -> None:
        """Go on in this membership: nobody is ahead of it. A commit that nobody could read is void."""
        self.needs_rejoin = False
        self.sync.seeks_readmission = False
        for feature in self._features_with("resumed"):
            feature.resumed(now)
        self._drive(now)

    @property
    def leaving(self) -> bool:
        """Whether we have proposed our own removal."""
        return self._leave_at is not None

    def finish(
        self,
        reason: Literal["left", "removed", "replaced", "ended", "dropped", "failed", "unopened", "refused"],
        text: str,
    ) -> None:
        """End this membership: erase the media keys, report the reason and disconnect."""
        if self.ended is None:
            self.ended = ev.Ended(reason, text)
            self.membership.media.wipe()
            self.tell(self.ended)
            self.perform(ev.Disconnect(ev.ROOM))
            for feature in self._features_with("ended"):
                feature.ended()
