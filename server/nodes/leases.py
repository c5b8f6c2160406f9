"""The core that decides which node serves a room or lobby. It does no I/O; time is an argument.

A *lease* names a meeting's room, or a lobby, by 16 bytes that say nothing (`server.rooms.placement`). The
bus (`records`) has two kinds of records. Each node keeps a *session* alive by writing it anew. A *place*
names the node of a lease and that node's session, and is void as soon as the session is over. Nobody has to
renew places.

At most one node serves a lease at any time, if the rates of the nodes' clocks differ from true time by less
than a tenth. Nothing else is assumed: the bus may delay and lose messages, and forget everything.

- A node serves for 0.8 of `Timing.lease` after it *sent* the last write of its session that succeeded.
- Another node ends that session, by compare-and-set, only after it has seen the same revision for a whole
  `Timing.lease` on its own clock. The bus's clock decides nothing.
- A bus that has lost everything begins a new era. For one `Timing.lease` only the nodes that already serve a
  room may write its place again; each serves on until the end of what was certain before.
- Every write of a place makes a new revision: a delete or write that comes late finds another one, and fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from snugroom.server.nodes.outcomes import At, Here, Lost, Nowhere, Outcome, Placed, Timing
from snugroom.server.nodes.records import (
    SETTLED_KEY,
    Answer,
    Conflict,
    Connected,
    Delete,
    Found,
    Place,
    Read,
    Record,
    Request,
    Session,
    Settled,
    Write,
    Written,
    place_key,
    session_key,
)
from snugroom.wire.limits import NODES_MAX

#: Leases that may wait for the bus at once.
ASKED_MAX: Final = 1024
#: Attempts to take a lease that other nodes take at the same time.
TRIES_MAX: Final = 4


@dataclass(slots=True)
class _Held:
    """A place of ours, of that era and revision on the bus."""

    era: int
    revision: int
    fencing: int
    until: float = inf  # if the place is of an earlier era: the end of what was certain then


@dataclass(slots=True)
class _Seen:
    """The session of another node, and since when its revision has been the same."""

    session: Session
    revision: int
    since: float


@dataclass(frozen=True, slots=True)
class _Step:
    """A request under way. The answer goes to the method `_NAME`."""

    name: Literal["claimed", "beaten", "found", "judged", "taken", "kept", "watched", "settled", "ended"]
    era: int
    sent_at: float
    session: bytes
    lease: bytes = b""
    node: int = 0
    revision: int = 0


class Leases:
    """One node's part in the leases of all. `rng` makes the ids of its sessions."""

    def __init__(self, node: int, timing: Timing, rng: Callable[[int], bytes]) -> None:
        self.node = node
        self._timing = timing
        self._rng = rng
        self._ticket = 0
        self._steps: dict[int, _Step] = {}
        #: The era of the bus, 0 before it has answered, and since when we know it.
        self._era = 0
        self._era_since = inf
        self._settled = False
        self._session = rng(8)
        self._former = b""  # our last session that is over
        self._revision = 0  # of our session on the bus; 0 if it is not there, as far as we know
        self._on_bus = False  # whether our session has been on the bus in this era
        self._until = -inf  # until when our session is certain
        self._beat_at = -inf
        self._beating: int | None = None
        self._scanned_at = -inf
        self._predecessor: _Seen | None = None
        self._rival = False
        self._seen: dict[int, _Seen] = {}
        self._held: dict[bytes, _Held] = {}
        self._before: dict[bytes, _Held] = {}  # with places of an earlier era
        self._asked: dict[bytes, int] = {}
        self._draining = False

    # -- queries -----------------------------------------------------------------------------------

    def _serving(self, lease: bytes, now: float) -> _Held | None:
        if now < self._until and (held := self._held.get(lease)) is not None:
            return held
        before = self._before.get(lease)
        return before if before is not None and now < before.until else None

    def serves(self, lease: bytes, now: float) -> bool:
        """Return whether this node may serve that lease at `now`."""
        return self._serving(lease, now) is not None

    def certain(self, now: float) -> bool:
        """Return whether this node's session is alive: it may take leases."""
        return now < self._until and not self._draining

    def ready(self, now: float) -> bool:
        """Return whether this node may take leases of rooms that no node has."""
        return self.certain(now) and self._is_settled(now)

    @property
    def rival(self) -> bool:
        """Whether another process, alive, has this node's number."""
        return self._rival

    @property
    def gone(self) -> bool:
        """Whether a draining node has nothing on the bus any more."""
        return self._draining and not self._revision and self._beating is None

    @property
    def held(self) -> int:
        """The number of leases that this node holds."""
        return len(self._held) + len(self._before)

    @property
    def deadline(self) -> float:
        """The time at which the first lease ends, unless the bus answers before; infinity without leases."""
        certain = self._until if self._held else inf
        return certain if not self._before else min(certain, *(held.until for held in self._before.values()))

    def _is_settled(self, now: float) -> bool:
        return self._settled or now - self._era_since >= self._timing.lease

    # -- inputs ------------------------------------------------------------------------------------

    def find(self, lease: bytes, now: float) -> list[Outcome]:
        """Take the lease, or find its node. The Placed is among the results, or among those of an answer."""
        if lease in self._asked:
            return []
        if self._draining:
            return [Placed(lease, Nowhere("stopping"))]
        held = self._serving(lease, now)
        if held is not None:
            return [Placed(lease, Here(held.fencing))]
        if not self.certain(now):
            return [Placed(lease, Nowhere("bus"))]
        if len(self._asked) >= ASKED_MAX:
            return [Placed(lease, Nowhere("busy"))]
        self._asked[lease] = 0
        return [self._read(place_key(lease), "found", now, lease=lease)]

    def release(self, lease: bytes) -> list[Outcome]:
        """Give the lease back, because nothing is served under it any more."""
        held = self._held.pop(lease, None) or self._before.pop(lease, None)
        return [] if held is None else [Delete(held.era, place_key(lease), held.revision)]

    def connected(self, what: Connected, now: float) -> list[Outcome]:
        """The bus answers, for the first time or again. In a new era, write everything again."""
        if what.era == self._era:
            return []
        for held in self._held.values():
            held.until = self._until
        self._before |= self._held
        self._held = {}
        self._era, self._era_since, self._settled = what.era, now, False
        self._until, self._revision, self._on_bus = -inf, 0, False
        self._beating, self._beat_at, self._scanned_at = None, -inf, -inf
        self._predecessor, self._seen = None, {}
        return [self._read(SETTLED_KEY, "settled", now), *self.tick(now)]

    def answered(self, answer: Answer, now: float) -> list[Outcome]:
        """Take the answer to a request."""
        step = self._steps.pop(answer.ticket, None)
        if step is None:
            return []
        if answer.ticket == self._beating:
            self._beating = None
        expired = self.expire(now)
        if step.era != self._era:
            return expired + self._nowhere(step.lease)
        match step.name:
            case "claimed":
                return expired + self._claimed(answer, now)
            case "beaten":
                return expired + self._beaten(step, answer, now)
            case "found":
                return expired + self._found(step, answer, now)
            case "judged":
                return expired + self._judged(step, answer, now)
            case "taken":
                return expired + self._taken(step, answer, now)
            case "kept":
                return expired + self._kept(step, answer)
            case "watched":
                return expired + self._watched(step, answer, now)
            case "settled":
                self._settled |= isinstance(answer, Found) and answer.record == Settled()
        return expired

    def tick(self, now: float) -> list[Outcome]:
        """Apply the passage of time. Call it several times a second."""
        outcomes = self.expire(now)
        if not self._era or self._draining:
            return outcomes
        if self._beating is None and now - self._beat_at >= self._timing.beat:
            self._beat_at = now
            outcomes.append(self._beat(now))
            outcomes += self._watch(now)
            if self._is_settled(now) and not self._settled:
                self._settled = True
                outcomes.append(self._write(SETTLED_KEY, Settled(), 0, "ended", now))
        return outcomes

    def expire(self, now: float) -> list[Outcome]:
        """Return the leases that end at `now`. Call it before anything is served."""
        if now < self.deadline:
            return []
        lost = [lease for lease, held in self._before.items() if now >= held.until]
        for lease in lost:
            del self._before[lease]
        if self._held and now >= self._until:
            # The places of this session are void from here on, whatever the bus says later.
            lost += self._held
            self._held.clear()
            self._new_session()
        return [Lost(lease) for lease in lost]

    def drain(self, now: float) -> list[Outcome]:
        """End all leases: nothing is served any more when the results have been carried out, in order."""
        self._draining = True
        leases = [*self._held, *self._before]
        outcomes: list[Outcome] = [Lost(lease) for lease in leases]
        outcomes += [outcome for lease in list(self._asked) for outcome in self._nowhere(lease, "stopping")]
        if self._beating is None and self._revision:
            outcomes.append(self._farewell(now))
        for lease in leases:
            outcomes += self.release(lease)
        return outcomes

    # -- our own session ---------------------------------------------------------------------------

    def _new_session(self) -> None:
        self._former, self._session = self._session, self._rng(8)
        self._until, self._revision, self._on_bus = -inf, 0, False

    def _beat(self, now: float) -> Request:
        """Write our session anew, or find out what is in its place."""
        if not self._revision:
            request: Request = self._read(session_key(self.node), "claimed", now)
            self._beating = self._ticket
            return request
        return self._write_session(self._revision, now)

    def _write_session(self, revision: int, now: float) -> Request:
        request = self._write(session_key(self.node), Session(self._session), revision, "beaten", now)
        self._beating = self._ticket
        return request

    def _farewell(self, now: float) -> Request:
        ended = Session(self._session, alive=False)
        request = self._write(session_key(self.node), ended, self._revision, "ended", now)
        self._revision = 0
        return request

    def _claimed(self, answer: Answer, now: float) -> list[Outcome]:
        if not isinstance(answer, Found) or self._draining:
            return []
        there, outcomes = answer.record, list[Outcome]()
        if isinstance(there, Session) and there.id == self._session and there.alive:
            return [self._write_session(answer.revision, now)]  # a write of ours whose answer was lost
        if self._on_bus:  # another node has ended our session, or somebody has deleted it
            outcomes = [Lost(lease) for lease in self._held]
            self._held.clear()
        if self._on_bus or (isinstance(there, Session) and there.id == self._session):
            self._new_session()
        if isinstance(there, Session) and there.alive and there.id != self._former:
            before = self._predecessor
            if before is None or before.revision != answer.revision:
                self._rival = before is not None and before.session.id == there.id
                self._predecessor = _Seen(there, answer.revision, now)
                return outcomes
            if now - before.since < self._timing.lease:
                return outcomes
        return [*outcomes, self._write_session(answer.revision, now)]

    def _beaten(self, step: _Step, answer: Answer, now: float) -> list[Outcome]:
        if step.session != self._session:
            return []  # another session of ours has begun: the claim finds what this one has left
        if isinstance(answer, Conflict):
            self._revision = 0
            if self._draining:
                return []
            return [self._beat(now)]
        if not isinstance(answer, Written):
            return []
        self._revision, self._on_bus, self._rival = answer.revision, True, False
        self._until = max(self._until, step.sent_at + self._timing.serve)
        if self._draining:
            return [self._farewell(now)]
        place = Place(self.node, self._session)
        return [self._write(place_key(lease), place, 0, "kept", now, lease=lease) for lease in self._before]

    def _kept(self, step: _Step, answer: Answer) -> list[Outcome]:
        """Our place of the era before is on the bus again; or another node had it in time."""
        before = self._before.get(step.lease)
        if isinstance(answer, Written):
            if before is None or step.session != self._session:
                return [Delete(step.era, place_key(step.lease), answer.revision)]
            del self._before[step.lease]
            self._held[step.lease] = _Held(step.era, answer.revision, before.fencing)
        elif isinstance(answer, Conflict) and before is not None:
            del self._before[step.lease]
            return [Lost(step.lease)]
        return []

    # -- other nodes -------------------------------------------------------------------------------

    def _watch(self, now: float) -> list[Outcome]:
        """Ask for the sessions of the nodes that we know, and sometimes of all."""
        nodes = [node for node, seen in self._seen.items() if seen.session.alive]
        if now - self._scanned_at >= self._timing.lease:
            self._scanned_at = now
            nodes = [node for node in range(1, NODES_MAX + 1) if node != self.node]
        return [self._read(session_key(node), "watched", now, node=node) for node in nodes]

    def _watched(self, step: _Step, answer: Answer, now: float) -> list[Outcome]:
        if not isinstance(answer, Found) or not isinstance(answer.record, Session):
            return []
        seen = self._seen.get(step.node)
        if seen is None or seen.revision != answer.revision:
            self._seen[step.node] = _Seen(answer.record, answer.revision, now)
        elif answer.record.alive and now - seen.since >= self._timing.lease:
            ended = Session(answer.record.id, alive=False)
            return [self._write(session_key(step.node), ended, answer.revision, "ended", now)]
        return []

    # -- one lease ---------------------------------------------------------------------------------

    def _nowhere(
        self, lease: bytes, why: Literal["bus", "settling", "busy", "stopping"] = "bus"
    ) -> list[Outcome]:
        if self._asked.pop(lease, None) is None:
            return []
        return [Placed(lease, Nowhere(why))]

    def _found(self, step: _Step, answer: Answer, now: float) -> list[Outcome]:
        if not isinstance(answer, Found) or not self.certain(now):
            return self._nowhere(step.lease)
        place = answer.record
        if place is None and not self._is_settled(now):
            return self._nowhere(step.lease, "settling")
        if isinstance(place, Place) and place != Place(self.node, self._session):
            about = session_key(place.node)
            return [
                self._read(
                    about,
                    "judged",
                    now,
                    lease=step.lease,
                    node=place.node,
                    revision=answer.revision,
                    of=place.session,
                )
            ]
        return [self._take(step.lease, answer.revision, now)]

    def _judged(self, step: _Step, answer: Answer, now: float) -> list[Outcome]:
        """Whether the place's session is over: the session of that node, read after the place, shows it."""
        if not isinstance(answer, Found) or not self.certain(now):
            return self._nowhere(step.lease)
        if answer.record == Session(step.session) and step.session != self._former:
            if self._asked.pop(step.lease, None) is None:
                return []
            return [Placed(step.lease, Nowhere("bus") if step.node == self.node else At(step.node))]
        return [self._take(step.lease, step.revision, now)]

    def _take(self, lease: bytes, revision: int, now: float) -> Request:
        place = Place(self.node, self._session)
        return self._write(place_key(lease), place, revision, "taken", now, lease=lease)

    def _taken(self, step: _Step, answer: Answer, now: float) -> list[Outcome]:
        lease = step.lease
        if isinstance(answer, Written):
            if step.session == self._session and self.certain(now) and lease in self._asked:
                del self._asked[lease]
                self._held[lease] = _Held(self._era, answer.revision, answer.revision)
                return [Placed(lease, Here(answer.revision))]
            return [Delete(step.era, place_key(lease), answer.revision), *self._nowhere(lease)]
        if isinstance(answer, Conflict) and lease in self._asked:
            self._asked[lease] += 1
            if self._asked[lease] < TRIES_MAX:
                return [self._read(place_key(lease), "found", now, lease=lease)]
            return self._nowhere(lease, "busy")
        return self._nowhere(lease)

    # -- requests ----------------------------------------------------------------------------------

    def _read(
        self,
        key: str,
        name: Literal["claimed", "found", "judged", "watched", "settled"],
        now: float,
        *,
        lease: bytes = b"",
        node: int = 0,
        revision: int = 0,
        of: bytes = b"",
    ) -> Request:
        self._ticket += 1
        self._steps[self._ticket] = _Step(name, self._era, now, of or self._session, lease, node, revision)
        return Read(self._ticket, self._era, key)

    def _write(
        self,
        key: str,
        record: Record,
        revision: int,
        name: Literal["beaten", "taken", "kept", "ended"],
        now: float,
        *,
        lease: bytes = b"",
    ) -> Request:
        self._ticket += 1
        self._steps[self._ticket] = _Step(name, self._era, now, self._session, lease)
        return Write(self._ticket, self._era, key, record, revision)
