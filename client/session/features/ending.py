"""A host ends the meeting for all (SNUG-18), and repeats it until it names the current chain."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import content, reasons, sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.kdf import H

#: Seconds after which a host who ended the meeting leaves, even if the server has not relayed the end.
END_WAIT: Final = 5.0


class Ending(Feature):
    """Sends END for the current chain, and again for a new chain when a commit came between."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._since: float | None = None
        self._digest = b""
        self._chain = b""
        self._false: set[int] = set()  # leaves that sent it without being hosts: reported once

    def end(self, now: float) -> None:
        """End the meeting, as soon as we are in step with the server; ValueError if we are not a host."""
        self.room.host_only()
        if self._since is None:
            self._since = now
        self.tick(now)

    def tick(self, now: float) -> None:
        room = self.room
        if self._since is None or room.ended is not None:
            return
        if room.is_synced(now) and self._chain != room.membership.journal.chain:
            self._chain = room.membership.journal.chain
            self._digest = H(room.relay(content.End(self._chain)))
        if now - self._since > END_WAIT:
            room.finish("ended", sentence("room.ended_unheard"))

    def adopted(self, change: Change, now: float) -> None:
        self._false -= {leaf for leaf, _, _ in change.removed}

    def lost(self, why: str, now: float) -> None:
        self._chain = b""  # it may not have arrived

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        if (
            self._since is not None
            and digest == self._digest
            and self._chain == self.room.membership.journal.chain
        ):
            self.room.finish("ended", sentence("room.you_ended"))

    def content_received(
        self, received: mls.ApplicationMessage, what: content.AnyContent, now: float
    ) -> bool:
        if not isinstance(what, content.End):
            return False
        room, leaf = self.room, received.sender
        by_host, chain = room.membership.is_host(leaf), room.membership.journal.chain
        if by_host and what.chain != chain and what.chain in room.membership.journal.chains.values():
            return True  # a commit came between: the host sends it again
        try:
            policy.snug_18(by_host=by_host, chain=what.chain, current_chain=chain)
        except ValidationError as error:
            if leaf not in self._false:
                self._false.add(leaf)
                room.tell(
                    sentences.alarm("false_end", name=room.membership.name(leaf), why=reasons.in_full(error))
                )
        else:
            room.finish("ended", sentence("room.ended_by", name=room.membership.name(leaf)))
        return True
