"""Messages of the server on the room's connection, each to the part that it concerns."""

from __future__ import annotations

from collections.abc import Iterable

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.announcer import Announcer
from snugroom.client.session.kernel.commit_queue import CommitQueue
from snugroom.client.session.kernel.feature import Hooks
from snugroom.client.session.kernel.message_log import MessageLog
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.received_commits import ReceivedCommits
from snugroom.client.session.kernel.server_answers import ServerAnswers
from snugroom.client.session.kernel.sync import Sync
from snugroom.crypto.kdf import H
from snugroom.wire import messages as wire


class ServerMessages:
    """One membership's dispatcher."""

    def __init__(
        self,
        room: Room,
        hooks: Hooks,
        *,
        sync: Sync,
        queue: CommitQueue,
        message_log: MessageLog,
        announcer: Announcer,
        received_commits: ReceivedCommits,
    ) -> None:
        self._room = room
        self._hooks = hooks
        self._sync = sync
        self._queue = queue
        self._message_log = message_log
        self._announcer = announcer
        self._received_commits = received_commits
        self._answers = ServerAnswers(room)

    def received(self, message: wire.ServerMessage, now: float) -> bool:
        """Process a message; return False, without any effect, if it answers nothing that we have sent."""
        room, sync = self._room, self._sync
        if self._answers.is_unasked(message, sync.connection):
            return False
        for feature in self._hooks.features_with("server_heard"):
            feature.server_heard(now)
        match message:
            case wire.Challenge() if sync.connection is None:  # once a connection: a new one excuses gaps
                sync.challenged(message, now)
                for feature in self._hooks.features_with("challenged"):
                    feature.challenged(message)
            case wire.Entered() if sync.connection is not None and not sync.is_entered:
                restarted = sync.entered(message, now)
                self._message_log.mark_for_resending(all_recent=restarted)  # it has lost its relays
            case wire.Permit():
                sync.door.given(message.permit)
            case wire.MovedTo() if not sync.is_entered:
                sync.lost()  # `Redirects` connects to another node
            case wire.Opened():
                sync.opened(message.slot, message.chain, now)
                if message.slot <= room.membership.journal.slot:  # later, under a key that we don't know yet
                    self._received_commits.check_opened(message, now)
            case wire.Shown():
                sync.shown(message.slot)
            case wire.Ready(slot) if slot == room.membership.epoch_slot:
                room.membership.media.ready(room.membership.group.epoch, now)
            case wire.Committed():
                self._read(sync.relays.due(now, catching_up=False), now)  # it may take their keys away
                self._received_commits.received(message, now)
            case wire.Stale():
                sync.stale(message.slot, now)
            case wire.Rekeyed():
                room.room_admin_keys.rekeyed(message.room_admin_key)
            case wire.CaughtUp():
                self._read(sync.relays.caught_up(message.relay), now)
                sync.caught_up(message.slot, now)
                self._message_log.count_missing(message.missing)
            case wire.Relayed():
                self._read(sync.relays.arrived(message, now, catching_up=sync.catching_up), now)
            case wire.Broadcasted():
                for feature in self._hooks.features_with("broadcast_received"):
                    if feature.broadcast_received(message.blob, now):
                        break
            case wire.Refused():
                self._refused(message, now)
                self._notify(message, now)
            case wire.Closing():
                self._notify(message, now)
                room.tell(sentences.status("closing", text=message.text))
            case wire.Transport():
                room.perform(ev.MediaTransport(message))
            case wire.Streams():
                room.perform(ev.RemoteStreams(tuple(message.streams)))
                for feature in self._hooks.features_with("streams"):
                    feature.streams(message.streams, now)
            case wire.Left():
                room.left_at = now
            case _:
                pass  # no member has signed arrivals of handles
        return True

    def tick(self, now: float) -> None:
        """Read relays that no older ones will precede."""
        self._read(self._sync.relays.due(now, catching_up=self._sync.catching_up), now)

    def _read(self, relays: Iterable[wire.Relayed], now: float) -> None:
        for relayed in relays:
            digest = H(relayed.blob)
            for feature in self._hooks.features_with("relayed"):
                feature.relayed(relayed.relay, digest, now)
            self._message_log.relayed(relayed.blob, now)

    def _notify(self, notice: wire.Refused | wire.Closing, now: float) -> None:
        for feature in self._hooks.features_with("server_notice"):
            feature.server_notice(notice, now)

    def _refused(self, refused: wire.Refused, now: float) -> None:
        connection = self._sync.connection
        if connection is None:
            return
        connection.early = False
        self._sync.refused(connection, refused, now)
        if refused.about == "commit" and refused.code == "size":
            self._queue.refused(refused.text)
        elif refused.about == "relay" and refused.code == "pass":
            self._message_log.mark_for_resending()
            self._announcer.announce_at(now)
        self._answers.report(refused)
