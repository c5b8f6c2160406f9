"""The state of the open connection to the room."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import inf

from snugroom.client.session import events as ev
from snugroom.crypto.entry.invite import chain_next
from snugroom.wire import messages as wire


@dataclass
class RoomConnection:
    """The state of the open connection, discarded with it: the room session keeps what outlasts it."""

    nonce: bytes  # the server's
    server_key: bytes
    handle: bytes = b""
    entered: bool = False
    shown: int | None = None  # the highest slot whose pass the server has acknowledged
    showing: int | None = None  # the slot whose pass was sent last, unanswered
    #: Whether pass and media go ahead of the entry (`kernel.ahead`): until one is refused. None: undecided.
    early: bool | None = None
    published: ev.Publish | None = None  # the parameters of the last `media`, unless it was refused
    refusals: int = 0  # at this slot: of our newest pass, and of all that we have
    refused_at: float = -inf  # when all that we have were refused last
    agreed: int | None = None  # the last slot at which the server had our history, since the room was opened
    claimed: tuple[int, bytes] | None = None  # slot and chain of another history, as the server opened it
    committed: int | None = (
        None  # the last slot whose blob came on this connection, unless the room was reopened
    )
    opened_at: float | None = None  # when we last tried to open the room
    opened_slot: int | None = None  # the server's slot at that time
    catching_up: bool = False
    catch_up_again: float | None = None  # when to repeat a catch-up that came too soon
    sync_done: bool = False  # the work to do once, after coming in sync, is done
    features_notified: bool = False  # that we are in sync
    handing_over: int | None = None  # the slot whose blob was handed over last
    handed_over_at: float = -inf
    out_of_reach: bool = False  # the server claims a later slot, and refuses to hand over the way to it
    asked: Counter[str] = field(default_factory=Counter)  # our messages without an answer, by type

    def tells_two_stories(self, mine: int, message: wire.Committed) -> bool:
        """Return whether the server contradicts itself with a blob that does not follow from our history.

        `mine`: our last slot. It does if it has had that part of our history since the room was opened, or if
        the blob does not follow from the history either with which it says that the room was opened.
        Otherwise it may be honest: after a restart the room begins at a slot that some member has, and others
        hand over the blobs that follow. One may have put something else there, or nobody had our last one.
        """
        if self.agreed is not None and self.agreed >= min(message.slot, mine):
            return True
        if self.claimed is None or message.slot != self.claimed[0] + 1:
            return False
        return message.chain != chain_next(self.claimed[1], message.slot, message.blob)

    def reach_refused(self, slot: int | None, mine: int) -> None:
        """The server, at `slot`, does not hand over what we have missed: a hint, for nobody has signed it.

        `Recovery` decides what follows from it. At our own slot we have missed nothing but relays.
        """
        if slot is not None and slot > mine:
            self.out_of_reach = True
        else:
            self.catching_up = False

    def is_answer(self, about: str) -> bool:
        """Record an answer to one of our messages of that type; return False if none waits for one."""
        if self.asked[about] <= 0:
            return False
        self.asked[about] -= 1
        return True
