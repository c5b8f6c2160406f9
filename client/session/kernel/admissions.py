"""Answers to newcomers whom our commits have let in, and to those whom no commit lets in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.kernel.intents import AddIntent, EntryIntent, MembersRequest, RejoinIntent
from snugroom.client.session.kernel.readmission import Readmission
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto import mls
from snugroom.crypto.entry import answers, lobby
from snugroom.crypto.entry.pieces import LEDGER_INSIDE_MAX, SealedPieces
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import Rng


@dataclass(frozen=True, slots=True)
class _Admitted:
    intent: EntryIntent
    welcome: bytes
    tree: bytes | None  # if the Welcome doesn't contain it


def _pieces_of(sealed: SealedPieces | None) -> tuple[lobby.Piece, ...]:
    return () if sealed is None else sealed.pieces


def _is_request(intent: EntryIntent) -> bool:
    """Return whether it is answered under the key that members have."""
    return isinstance(intent.knock, MembersRequest)


class Admissions:
    """The `Owner` of a room: answers at the end of the input that brought the results."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        #: The pieces that the newcomers of a commit share, with its Welcome, while they are answered.
        self._sealed: tuple[bytes, SealedPieces] | None = None
        self._admitted: list[_Admitted] = []
        self._not_admitted: list[tuple[EntryIntent, str]] = []

    def admitted(self, intent: EntryIntent, welcome: bytes, tree: bytes | None) -> None:
        """Answer the newcomer of `intent`; the Welcome, and the tree beside it, are for all whom the commit
        adds."""
        self._admitted.append(_Admitted(intent, welcome, tree))

    def not_admitted(self, intent: EntryIntent, why: str) -> None:
        """Refuse the newcomer of `intent`."""
        self._not_admitted.append((intent, why))

    def clear(self) -> None:
        """Forget the results: they are of a membership or of a host role that has ended."""
        self._admitted.clear()
        self._not_admitted.clear()
        self._sealed = None

    def answer_readmitted(
        self, room: RoomSession, readmission: Readmission, host: HostLobby | None, now: float
    ) -> None:
        """Answer members and hosts whom we have let in again."""
        place = host or readmission.members
        for each in self._admitted:
            knock = each.intent.knock
            if isinstance(knock, MembersRequest) and place is not None:
                with suppress(MalformedError):  # the room is too large for anybody to come in
                    sealed = self._seal(room, each)
                    answer = self.answer(room, each, sealed, now)
                    readmission.answer(knock.number, answer, _pieces_of(sealed), room, place, now)
        self._admitted = [each for each in self._admitted if not _is_request(each.intent)]
        self._sealed = None
        # After a failure, the requester asks again, or asks another member.
        failed = [] if host is None else self._not_admitted
        self._not_admitted = [each for each in failed if not _is_request(each[0])]

    def answer_newcomers(self, room: RoomSession, host: HostLobby, now: float) -> None:
        """Answer and refuse those who have knocked."""
        admitted, self._admitted = self._admitted, []
        for each in admitted:
            done = each.intent
            try:
                sealed = self._seal(room, each)
            except MalformedError:
                host.fail(done.knock, sentence("refusal.full"))
                continue
            identity = host.answer(done.knock, self.answer(room, each, sealed, now), _pieces_of(sealed))
            if isinstance(done, AddIntent):
                host.used(done.invite)
            if identity is not None:
                key = done.key_package.leaf_node.signature_key
                room.feature(Vouching).record_identity(key, identity)
        host.pieces.tick(now)
        self._sealed = None
        failed, self._not_admitted = self._not_admitted, []
        for intent, why in failed:
            if isinstance(intent, AddIntent | RejoinIntent):
                host.not_added(intent, why, room.membership)

    def _seal(self, room: RoomSession, admitted: _Admitted) -> SealedPieces | None:
        """Return the pieces that all newcomers of that commit share; None if each answer has all.

        MalformedError if the room is too large for them.
        """
        ledger = room.membership.ledger.encode()
        if admitted.tree is None and len(ledger) <= LEDGER_INSIDE_MAX:
            return None
        if self._sealed is None or self._sealed[0] is not admitted.welcome:
            self._sealed = admitted.welcome, SealedPieces.make(admitted.tree or b"", ledger, rng=self._rng)
        return self._sealed[1]

    def answer(
        self, room: RoomSession, admitted: _Admitted, sealed: SealedPieces | None, now: float
    ) -> answers.Answer:
        """Return what a newcomer needs to join, beside its Welcome."""
        package = admitted.intent.key_package
        return answers.Answer(
            welcome=mls.welcome_for(admitted.welcome, package),
            number=room.number,
            door_seed=room.door_key.seed,
            room_admin_public=room.room_admin_keys.current,
            handed_keys=room.membership.hand_keys(),
            slot=room.membership.journal.slot,
            chain=room.membership.journal.chain,
            at=int(now),
            ledger=b"" if sealed else room.membership.ledger.encode(),
            before=room.membership.journal.before(),
            admission=room.feature(Reporting).admission_for(package.leaf_node.signature_key),
            places=room.membership.journal.places(),
            pieces=b"" if sealed is None else sealed.list_for(package, rng=self._rng),
        )
