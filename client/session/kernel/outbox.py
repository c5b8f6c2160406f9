"""Own messages that may have to be resent, and a memory of seen messages."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import sentence

#: Seconds for which a message is resent to a restarted server.
RECENT: Final = 120.0
RECENT_MAX: Final = 64
#: Seconds after which others are told of a word that is still to be resent.
UNSETTLED: Final = 60.0
SEEN_MAX: Final = 4096


@dataclass
class OutgoingMessage:
    """One message of ours. `digest` is H of the blob that is out; None: it has to be sent (again)."""

    what: content.Posted  # receivers recognise the message by its id
    at: float
    audience: frozenset[bytes]  # the signature keys of the members when it was written: nobody else reads it
    blob: bytes = b""  # as it was sent last, and the slot at which the epoch of its keys began
    epoch_slot: int = -1
    digest: bytes | None = None
    confirmed: bool = False  # the blob came back: this server, since its start, has had it
    shown: bool = False  # it came back from a server that has restarted since: some members may have it
    released: bool = False  # its author has decided that it goes out, whoever reads it
    held_since: float | None = None
    why: str = ""  # it waits

    @property
    def text(self) -> str:
        """The text by which a person recognises it."""
        if isinstance(self.what, content.Say):
            return self.what.text
        return sentence("room.an_image" if isinstance(self.what, content.Image) else "room.a_file")


class Outbox:
    """Our messages, kept until all members can have them.

    A message whose blob has not come back is resent on the next connection. After a restart of the server,
    messages of the last two minutes are resent too, because only some members may have them. In a new epoch,
    a message that never came back is sealed anew with the same id, if all members of that epoch were members
    when it was written. A message that came back once is resent as
    the same blob while its epoch's keys are kept: receivers drop duplicates, and later members cannot read
    it.
    """

    def __init__(self) -> None:
        self._messages: deque[OutgoingMessage] = deque()

    def add(self, message: OutgoingMessage) -> None:
        """Add a message."""
        self._messages.append(message)

    def unsent(self) -> Iterator[OutgoingMessage]:
        """Return the messages to send now; the caller sets `digest` when one is sent."""
        return (s for s in list(self._messages) if s.digest is None)

    def discard(self, messages: Sequence[OutgoingMessage]) -> None:
        """Forget these messages."""
        self._messages = deque(s for s in self._messages if s not in messages)

    def came_back(self, digest: bytes, now: float) -> None:
        """Record that the server has relayed a blob of ours."""
        for message in self._messages:
            if message.digest == digest:
                message.confirmed = True
        self._messages = deque(s for s in self._messages if not s.confirmed or now - s.at < RECENT)
        while len(self._messages) > RECENT_MAX and self._messages[0].confirmed:
            self._messages.popleft()

    def mark_for_resending(self, since: int | None = None) -> None:
        """Resend unconfirmed messages, and all recent ones of that slot's epoch or later."""
        for message in self._messages:
            if since is not None and message.epoch_slot >= since:
                message.shown, message.confirmed = message.shown or message.confirmed, False
            if not message.confirmed:
                message.digest = None

    def unsettled(self, now: float) -> int | None:
        """Return the lowest number of a word that has been sealed, and may still be resent; None: none is.

        A word that has waited for a minute counts as settled, so that nobody is left untold of later ones.
        """
        waiting = (s for s in self._messages if not s.confirmed and not s.shown and now - s.at < UNSETTLED)
        return min((s.what.number for s in waiting if s.what.number), default=None)

    def same_member(self, before: bytes, key: bytes) -> None:
        """The member with the signature key `before` goes on under `key`: what it may read is the same."""
        for message in self._messages:
            if before in message.audience:
                message.audience |= {key}

    def after_rejoin(self) -> Outbox:
        """Return the messages that a new membership has to send for the old one."""
        box = Outbox()
        for message in self._messages:
            if not message.confirmed and not message.shown:
                box.add(replace(message, blob=b"", epoch_slot=-1, digest=None, held_since=None))
        return box


class SeenDigests:
    """A bounded memory of digests."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def add(self, digest: bytes) -> None:
        """Add a digest; beyond SEEN_MAX the oldest is forgotten."""
        self._seen[digest] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._seen
