"""The members as the monitor sees them: names and hosts, when each came in, and when it was last heard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.wire import messages as wire

#: Seconds for which a server may be silent while something is missing, before it is asked for a sign of life.
ASK: Final = 0.5
#: Seconds after coming in, or after a new connection, before a member's sending and receiving is judged.
SETTLED: Final = 15.0
#: Members up to which all beat soon after every change.
ALL_BEAT: Final = 16


class MemberTable:
    """Members by leaf. All times are in Unix seconds."""

    def __init__(self, room: Room, now: float) -> None:
        self._room = room
        self._began = now
        #: When this connection came in sync; None without one.
        self.synced_at: float | None = None
        #: When the server last sent a message here, and so all older messages, in order.
        self.server_heard_at = now
        self._asked_at = 0.0
        #: All leaves, ours included.
        self.leaves: list[int] = []
        #: The others' leaves, and whether each is a host.
        self.others: dict[int, bool] = {}
        #: Whether we are a host.
        self.host = False
        #: When each other member came in.
        self.since: dict[int, float] = {}
        #: When each other member last sent a beat.
        self.heard: dict[int, float] = {}
        self._settled: dict[int, float] = {}  # when judging of each begins
        self._names: dict[int, str] = {}

    def update(self, now: float) -> list[int]:
        """Record the current members; return the new ones, which get time before they are judged."""
        members = self._room.membership.members()
        own = self._room.membership.own_leaf
        self.leaves = [leaf for leaf, _, _ in members]
        self.others = {leaf: host for leaf, _, host in members if leaf != own}
        self._names = {leaf: name for leaf, name, _ in members}
        self.host = any(host for leaf, _, host in members if leaf == own)
        new = [leaf for leaf in self.others if leaf not in self.since]
        for leaf in new:
            self.since[leaf] = now
            self.unsettle(leaf, now)
        return new

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        for known in (self.since, self.heard, self._settled):
            known.pop(leaf, None)

    def unsettle(self, leaf: int, now: float) -> None:
        """Give a member time before it is judged."""
        self._settled[leaf] = now + SETTLED

    def first_to_beat(self, committer: int | None) -> list[int]:
        """Return the leaves that beat soon after a commit that evicts nobody, or after a new connection.

        `committer`: of that commit, or of the one that brought in the member with the connection. In a room
        of many it alone answers newcomers: what the others know, their next beats say early enough.
        """
        if len(self.leaves) <= ALL_BEAT or not (self.host or any(self.others.values())):
            return self.leaves
        return [] if committer is None else [committer]

    def is_settled(self, leaf: int, now: float) -> bool:
        """Return whether a member has been here, on this connection, for long enough to be judged."""
        return now >= self._settled.get(leaf, self._began + SETTLED)

    def connected_for(self, now: float) -> float:
        """Return the seconds since this connection came in sync; 0 without one."""
        return 0.0 if self.synced_at is None else now - self.synced_at

    def server_time(self, now: float, *, waits: bool) -> float:
        """Return when the server was heard last: until then it had the time to send what we lack.

        `waits`: something that others have is missing; a silent server is then asked for a sign of life.
        """
        heard = min(now, self.server_heard_at)
        if waits and self.synced_at is not None and now - max(heard, self._asked_at) >= ASK:
            self._asked_at = now
            self._room.send(wire.Ping())
        return heard

    def last_heard(self, leaf: int) -> float:
        """Return when another member was last heard; if never, when it came in; 0 for somebody unknown."""
        return max(self.heard.get(leaf, 0.0), self.since.get(leaf, 0.0))

    def quiet(self, leaf: int, now: float) -> float:
        """Return the seconds without a word of another member; 0 unless we have come in step."""
        return 0.0 if self.synced_at is None else now - max(self.last_heard(leaf), self.synced_at)

    def span(self, least_and_intervals: tuple[float, int]) -> float:
        """Return the longer of a number of seconds and a number of beat intervals, in seconds."""
        least, intervals = least_and_intervals
        return max(least, intervals * interval(len(self.leaves)))

    def name(self, leaf: int) -> str:
        """Return the name at a leaf; "somebody" if the leaf is empty."""
        return self._names.get(leaf) or sentence("room.somebody")

    def names(self, leaves: Iterable[int]) -> list[str]:
        """Return the names at leaves, for a list in a sentence."""
        return [self.name(leaf) for leaf in sorted(leaves)]
