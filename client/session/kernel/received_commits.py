"""Commits as the server places them in slots, our own and the others': judged, then adopted, void or stuck.

Protocol sections 5 and 6. `membership` judges; `commit_queue` has our commits until they come back here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.announcer import Announcer
from snugroom.client.session.kernel.commit_queue import CommitQueue
from snugroom.client.session.kernel.feature import Hooks
from snugroom.client.session.kernel.membership import room_pass
from snugroom.client.session.kernel.message_log import MessageLog
from snugroom.client.session.kernel.opening import valid_opening
from snugroom.client.session.kernel.places import note_place
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.sync import Sync
from snugroom.client.session.kernel.verdict import Change, Staged, Valid, Void
from snugroom.crypto.agreed.commit_view import CommitView
from snugroom.crypto.agreed.rejoins import replacement
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.evidence import Receipt
from snugroom.wire import messages as wire


class ReceivedCommits:
    """One membership's way from slot to slot."""

    def __init__(
        self,
        room: Room,
        hooks: Hooks,
        *,
        sync: Sync,
        queue: CommitQueue,
        message_log: MessageLog,
        announcer: Announcer,
    ) -> None:
        self._room = room
        self._hooks = hooks
        self._sync = sync
        self._queue = queue
        self._message_log = message_log
        self._announcer = announcer

    def received(self, message: wire.Committed, now: float) -> None:
        """Process the blob that has taken a slot."""
        room, sync, journal = self._room, self._sync, self._room.membership.journal
        sync.move_to(max(sync.slot or 0, message.slot), now)
        if sync.connection is not None:
            sync.connection.committed = message.slot
            if sync.connection.handing_over == message.slot:
                sync.connection.handing_over = None
        if message.slot <= journal.slot:
            known = journal.chains.get(message.slot)
            if known == message.chain:
                sync.goes_on(message.slot)
            elif known is not None:
                sync.another_history(message)
                self._check_taken(message, now, ours=False)
            return
        if message.slot != journal.slot + 1 or sync.stuck_at is not None or room.needs_rejoin:
            return  # `Sync.step` catches up
        if message.chain != journal.chain_after(message.blob):
            sync.another_history(message)
            self._check_taken(message, now, ours=False)
            if sync.astray:
                return
        else:
            sync.goes_on(message.slot)
            self._check_taken(message, now)
        own = self._queue.slot_taken(message.blob)
        opening = valid_opening(self._room, message)
        if own is not None:
            self._adopt(own, message.blob, opening, now)
        else:
            self._judge(message.blob, opening, now)
        sync.show_again()

    def _judge(self, blob: bytes, opening: bytes | None, now: float) -> None:
        room = self._room
        verdict = room.membership.judge(blob)
        if isinstance(verdict, Valid):
            if verdict.removes_us:
                self._removed(verdict.view, blob, opening, now)
                return
            if verdict.candidate.group is not None:
                note_place(room, blob, room_pass(verdict.candidate.group, room.membership.room))
            self._adopt(verdict, blob, opening, now)
            if verdict.view.sender is not None and not room.membership.journal.newest.gate_fits:
                leaf = verdict.view.sender
                room.tell(sentences.alarm("wrong_gate", who=room.membership.name(leaf), leaf=leaf))
        elif isinstance(verdict, Void):
            slot = room.membership.journal.slot + 1
            room.membership.void(blob, opening)
            if self._sync.connection is not None:
                self._sync.connection.shown = None  # our pass must be shown for this slot too
            who = self._author_name(verdict.author)
            room.tell(sentences.alarm("void_commit", why=verdict.text, who=who, slot=slot))
            for feature in self._hooks.features_with("voided"):
                feature.voided(slot, verdict.author, now)
        else:
            self._sync.stuck_at = room.membership.journal.slot + 1
            for feature in self._hooks.features_with("stuck"):
                feature.stuck(blob, now)
            room.tell(sentences.alarm("stuck", who=self._author_name(verdict.author)))

    def _removed(self, view: CommitView, blob: bytes, opening: bytes | None, now: float) -> None:
        """End this membership, or ask to be let in again: the next slot's commit removes our leaf."""
        room = self._room
        if room.leaving:
            room.finish("left", sentence("room.you_left"))
        elif view.rejoin_leaf == room.membership.own_leaf:
            added = view.of("add")[0].added
            if added is not None and room.membership.rejoin_keys.is_own_request(added.rejoin_key):
                room.give_up(replaced=True)  # by a request of ours: the Welcome is on its way
                return
            room.membership.void(
                blob, opening
            )  # the last heartbeat names this slot: it proves that we have seen it
            for feature in self._hooks.features_with("replaced"):
                feature.replaced(now)
            room.finish("replaced", sentence("room.replaced"))
        else:
            by = sentence("room.somebody") if view.sender is None else room.membership.name(view.sender)
            if view.context.host_return is not None:
                room.finish("replaced", sentence("room.replaced.host", by=by))
            elif replacement(view) is not None:
                room.finish("replaced", sentence("room.replaced.silent", by=by))
            elif view.context.absent and not room.membership.is_host(room.membership.own_leaf):
                room.give_up(absent_by=by)  # and our ticket lets us in again (SNUG-8)
            elif view.context.absent:
                room.finish("removed", sentence("room.removed_absent", by=by))
            else:
                room.finish("removed", sentence("room.removed_by", by=by))

    def pass_over(self, blob: bytes, now: float) -> None:
        """Go on after the slot that we are stuck at: its commit, `blob`, is void."""
        sync = self._sync
        slot = sync.stuck_at
        assert slot is not None
        sync.stuck_at = None
        self._room.membership.void(blob)
        if sync.connection is not None:
            sync.connection.shown = sync.connection.showing = None
        for feature in self._hooks.features_with("voided"):
            feature.voided(slot, None, now)

    def _author_name(self, leaf: int | None) -> str:
        """Return the author's name for a person; "a member or the server" if it is unknown."""
        return sentence("room.member_or_server") if leaf is None else self._room.membership.name(leaf)

    def _adopt(self, step: Valid | Staged, blob: bytes, opening: bytes | None, now: float) -> None:
        room, listed = self._room, self._room.membership.policy.origins
        change = room.membership.adopt(step, blob, now, opening)
        if change.rotated:
            room.room_admin_keys.policy_changed()
        if isinstance(step, Staged):
            self._queue.adopted(step)
        gone = {leaf for leaf, _, _ in change.removed}
        for leaf in gone:
            room.announcements.forget(leaf)
        if change.added:
            self._announcer.members_added(now, by_us=isinstance(step, Staged))
        if room.membership.policy.origins != listed:
            self._announcer.announce_in_turn(now)
        tell_roster(room, change)
        self._message_log.adopted(change)
        for feature in self._hooks.features_with("adopted"):
            feature.adopted(change, now)
        self._message_log.new_epoch(now)

    def check_opened(self, message: wire.Opened, now: float) -> None:
        """Check the server's signature for an opening; report a wrong one."""
        key = self._room.server_key
        numbers, chain = self._room.here.signed_by_server(message.slot, message.chain)
        if key is None:
            return
        fields = (message.opening_id, message.slot, chain, message.signature)
        if _number_signed(numbers, lambda number: invite.verify_opened(key, number, *fields)) is None:
            self._tell_unsigned("opened", message, {"chain": chain}, now)

    def _check_taken(self, message: wire.Committed, now: float, *, ours: bool = True) -> None:
        """Check the server's receipt for a slot; report a wrong one, and give a right one to the features.

        `ours`: the slot continues our history. Of another one, we may not know the room's number.
        """
        room, slot, before, key = self._room, message.slot, message.before, self._room.server_key
        if key is None:
            return
        numbers, chain = room.here.signed_by_server(slot, message.chain)
        fields = (message.opening_id, slot, before, H(message.blob), message.signature)
        number = _number_signed(numbers, lambda number: invite.verify_taken(key, number, *fields))
        receipt = None if number is None else Receipt(number, key, *fields)
        if receipt is None or receipt.chain != chain:
            if ours:
                self._tell_unsigned("taken", message, {"chain before": before, "H(blob)": fields[3]}, now)
            return
        for feature in self._hooks.features_with("receipt"):
            feature.receipt(receipt, now, ours=ours)

    def _tell_unsigned(
        self, what: str, message: wire.Opened | wire.Committed, hashes: Mapping[str, bytes], now: float
    ) -> None:
        """Report a signature of the server that is wrong, and have it kept, byte for byte, as evidence."""
        room = self._room
        room.tell(sentences.alarm("receipt", proof=sentences.proof(room.options.evidence)))
        parts = {"opening id": message.opening_id, **hashes, "signature": message.signature}
        told = ", ".join(f"{name} {value.hex()}" for name, value in parts.items())
        for feature in self._hooks.features_with("unsigned"):
            feature.unsigned(f"not its signature of {what!r}: slot {message.slot}, {told}", now)


def tell_roster(room: Room, change: Change | None = None) -> None:
    """Report the members and the epoch's code; `change` led to this epoch, None: we have just come in."""
    members = tuple(ev.Member(*m) for m in room.membership.members())
    hosts = {m.leaf for m in members if m.host}
    added = () if change is None else change.added
    removed = () if change is None else change.removed
    room.tell(
        ev.Roster(
            room.membership.group.epoch,
            members,
            tuple(ev.Newcomer(leaf, name, leaf in hosts, invite, None) for leaf, name, invite in added),
            tuple(ev.Member(leaf, name, False) for leaf, name, _ in removed),
            None if change is None else change.by,
            change is not None and (change.rejoined or change.back),
            left=() if change is None else tuple(sorted(change.left)),
        )
    )
    room.tell(ev.Code(room.membership.group.epoch, room.membership.code))


def _number_signed(numbers: Sequence[bytes], verify: Callable[[bytes], None]) -> bytes | None:
    """Return the room's number in a signature of the server; None if it is signed for none of `numbers`."""
    for number in reversed(numbers):
        with contextlib.suppress(SnugError):
            verify(number)
            return number
    return None
