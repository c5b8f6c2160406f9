"""The server's answers that nothing asked for, and its refusals, as a person hears of them.

Nobody has signed an answer of the server: it can only be a hint (decision 43).
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.wire import messages as wire

#: Answers to nothing that we have sent, before they are reported.
UNASKED_MAX: Final = 3
#: Different refusals that are reported: their texts are the server's.
REFUSALS_MAX: Final = 4


class ServerAnswers:
    """One membership's count of them."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._unasked = 0
        self._refusals: set[str] = set()

    def is_unasked(self, message: wire.ServerMessage, connection: RoomConnection | None) -> bool:
        """Return whether the message answers nothing that we have sent: it must have no effect."""
        match message:
            case wire.Shown():
                about = "show"
            case wire.CaughtUp():
                about = "catch_up"
            case wire.Stale():
                about = "commit"
            case wire.Refused(about=("show" | "catch_up" | "commit") as about):
                pass
            case _:
                return False
        if connection is not None and connection.is_answer(about):
            return False
        self._unasked += 1
        if self._unasked == UNASKED_MAX:
            self._room.tell(sentences.alarm("unasked"))
        return True

    def report(self, refused: wire.Refused) -> None:
        """Report a refusal once, however often it recurs, unless another part reports its consequence."""
        if refused.code in ("pass", "full", "permission") or refused.about == "open":
            return  # `Dropped` reports a full server, and one that wants a password or token
        if refused.about == "room_door" and refused.code != "door":
            return  # `Door` has shown a password or token, and says what became of it
        # `Recovery` reports the first; the owner of the media engine the second, and sends `media` again.
        # What comes too soon, or is signed with the room admin's key of before, is sent again.
        known = (
            ("catch_up", "gone"),
            ("media", "lost"),
            ("media", "ssrc"),
            ("catch_up", "rate"),
            ("commit", "rate"),
            ("commit", "signature"),
            ("show", "unopened"),
            ("media", "unopened"),
        )
        if (refused.about, refused.code) in known:
            return
        if refused.text not in self._refusals and len(self._refusals) < REFUSALS_MAX:
            self._refusals.add(refused.text)
            if refused.code == "nodes":  # a moment's state of its machines
                self._room.tell(sentences.status("closing", text=refused.text))
            else:
                self._room.tell(sentences.alarm("refused", why=refused.text))
