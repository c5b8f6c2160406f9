"""What was said and may have to be said again, and what has been seen already."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from client.session import content

#: Seconds for which what was said is said again to a server that has restarted.
RECENT: Final = 120.0
RECENT_MAX: Final = 64
SEEN_MAX: Final = 4096


@dataclass
class Said:
    """One message of ours. `digest` is of the blob that is out, None: it has to be sent (again)."""

    what: content.Posted  # its id: whoever has seen it knows it by this
    at: float
    blob: bytes = b""  # as it was sent last, and the slot at which the epoch of its keys began
    epoch_slot: int = -1
    digest: bytes | None = None
    confirmed: bool = False  # the blob came back: this server, since it started, has had it
    shown: bool = False  # it came back from a server that has restarted since: some may have had it

    @property
    def text(self) -> str:
        """What a person knows it by."""
        if isinstance(self.what, content.Say):
            return self.what.text
        return "(a picture)" if isinstance(self.what, content.Picture) else "(a file)"


class Outbox:
    """Our messages, until all can have them.

    A message is sent again while its blob has not come back on a connection that is gone; and for two
    minutes longer when the server has restarted, for it may have reached some. What never came back is
    sealed anew in a new epoch, with the same id. What came back once is sent as the same blob, while its
    epoch's keys still serve: who has had it drops it, and who came in later can't read it.
    """

    def __init__(self) -> None:
        self._said: deque[Said] = deque()

    def add(self, said: Said) -> None:
        """Another message."""
        self._said.append(said)

    def unsent(self) -> Iterator[Said]:
        """Those to be sent now; set `digest` when it is done."""
        return (s for s in list(self._said) if s.digest is None)

    def came_back(self, digest: bytes, now: float) -> None:
        """A blob of ours has come back from the server."""
        for said in self._said:
            if said.digest == digest:
                said.confirmed = True
        self._said = deque(s for s in self._said if not s.confirmed or now - s.at < RECENT)
        while len(self._said) > RECENT_MAX and self._said[0].confirmed:
            self._said.popleft()

    def again(self, *, all_recent: bool = False) -> None:
        """The connection was another's: what has not come back is sent again; or all that is recent."""
        for said in self._said:
            if all_recent:
                said.shown, said.confirmed = said.shown or said.confirmed, False
            if not said.confirmed:
                said.digest = None

    def after_rejoin(self) -> Outbox:
        """What a new membership has to say for the old one."""
        box = Outbox()
        for said in self._said:
            if not said.confirmed and not said.shown:
                box.add(replace(said, blob=b"", epoch_slot=-1, digest=None))
        return box


class Seen:
    """A bounded memory of digests."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def add(self, digest: bytes) -> None:
        """Remember; the oldest is forgotten beyond SEEN_MAX."""
        self._seen[digest] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._seen
