"""Answers to newcomers whom our commits have let in, and to those whom no commit lets in."""

from __future__ import annotations

from snugroom.client.session.entry.helper import FIRST_NUMBER
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.kernel.intents import AddIntent, EntryIntent, RejoinIntent
from snugroom.client.session.kernel.readmission import Readmission
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto import mls
from snugroom.crypto.entry import answers


class Admissions:
    """The `Owner` of a room: answers at the end of the input that brought the results."""

    def __init__(self) -> None:
        self._admitted: list[tuple[EntryIntent, bytes]] = []
        self._not_admitted: list[tuple[EntryIntent, str]] = []

    def admitted(self, intent: EntryIntent, welcome: bytes) -> None:
        """Answer the newcomer of `intent`; the Welcome is for all whom the commit adds."""
        self._admitted.append((intent, welcome))

    def not_admitted(self, intent: EntryIntent, why: str) -> None:
        """Refuse the newcomer of `intent`."""
        self._not_admitted.append((intent, why))

    def clear(self) -> None:
        """Forget the results: they are of a membership or of a host role that has ended."""
        self._admitted.clear()
        self._not_admitted.clear()

    def answer_readmitted(
        self, room: RoomSession, readmission: Readmission, host: HostLobby | None, now: float
    ) -> None:
        """Answer members and hosts whom we have let in again."""
        place = host or readmission.members
        for done, welcome in self._admitted:
            if done.knock >= FIRST_NUMBER and place is not None:
                readmission.answer(done.knock, self.answer(room, done, welcome, now), room, place)
        self._admitted = [each for each in self._admitted if each[0].knock < FIRST_NUMBER]
        # After a failure, the requester asks again, or asks another member.
        failed = [] if host is None else self._not_admitted
        self._not_admitted = [each for each in failed if each[0].knock < FIRST_NUMBER]

    def answer_newcomers(self, room: RoomSession, host: HostLobby, now: float) -> None:
        """Answer and refuse those who have knocked."""
        admitted, self._admitted = self._admitted, []
        for done, welcome in admitted:
            identity = host.answer(done.knock, self.answer(room, done, welcome, now))
            if isinstance(done, AddIntent):
                host.used(done.invite)
            if identity is not None:
                key = done.key_package.leaf_node.signature_key
                room.feature(Vouching).record_identity(key, identity)
        failed, self._not_admitted = self._not_admitted, []
        for intent, why in failed:
            if isinstance(intent, AddIntent | RejoinIntent):
                host.not_added(intent, why, room.membership)

    def answer(self, room: RoomSession, done: EntryIntent, welcome: bytes, now: float) -> answers.Answer:
        """Return what a newcomer needs to join, beside its Welcome."""
        key = done.key_package.leaf_node.signature_key
        return answers.Answer(
            welcome=mls.welcome_for(welcome, done.key_package),
            number=room.number,
            door_seed=room.door_key.seed,
            room_admin_public=room.room_admin_keys.current,
            handed_keys=room.membership.hand_keys(),
            slot=room.membership.journal.slot,
            chain=room.membership.journal.chain,
            at=int(now),
            ledger=room.membership.ledger.encode(),
            before=room.membership.journal.before(),
            admission=room.feature(Reporting).admission_for(key),
            places=room.membership.journal.places(),
        )
