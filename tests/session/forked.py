"""A server that forks the room in memory, and media between participants, for tests of heartbeats."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

from snugroom.client.session import events as ev
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.errors import SnugError
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.server.rooms.effects import Drop, Send
from snugroom.server.rooms.hub import Hub
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from snugroom.wire.messages import Broadcasted, decode_client

#: Alarms that heartbeats raise.
HEARTBEAT_ALARMS = {
    "two_stories",
    "withheld",
    "stale",
    "silent",
    "gone",
    "unheard",
    "not_reaching",
    "reordered",
    "double_beat",
    "unreadable_commit",
    "pending",
    "unasked",
}


class Forked(World):
    """After `fork`, one room continues as two: each side has its own copy of the server."""

    other: Hub | None = None
    bridged = False  # whether broadcasts (heartbeats) reach the other side

    def fork(self, beyond: Sequence[Participant]) -> None:
        self._beyond = list(beyond)
        self.other = copy.deepcopy(self.hub)

    def _serves(self, who: Participant) -> Hub:
        return self.other if self.other is not None and who in self._beyond else self.hub

    def _server_tick(self) -> None:
        super()._server_tick()
        if self.other is not None:
            self._from(self.other, self.other.tick(self.now))

    def _server(self, effects: Sequence[object]) -> None:
        self._from(self.hub, effects)

    def _from(self, hub: Hub, effects: Sequence[object]) -> None:
        for effect in effects:
            link = self.handles.get(effect.handle) if isinstance(effect, Send | Drop) else None
            if link is not None and isinstance(effect, Send | Drop) and self.other is not None:
                is_broadcast = isinstance(effect, Send) and isinstance(effect.message, Broadcasted)
                crosses = self.bridged and is_broadcast
                if self._serves(link.who) is not hub and not crosses:
                    continue
            super()._server([effect])

    def _arrive(self, link: Link, frame: bytes) -> None:
        if self.server_up and link.handle in self.handles:
            hub = self._serves(link.who)
            self._from(hub, hub.handle(link.handle, decode_client(frame), self.now))


class Media:
    """Every participant sends 5 frames of sound and 2.5 of video a second; each goes to all others.

    `carries(sender, kind, receiver)`: False drops a frame on its way.
    """

    KINDS: tuple[tuple[Kind, int, int], ...] = (("audio", 0, 2), ("video", 1, 1))

    def __init__(self, w: World, people: Sequence[Participant]) -> None:
        self.w = w
        self.carries: Callable[[Participant, str, Participant], bool] = lambda sender, kind, receiver: True
        self.sealed: dict[str, list[float]] = {}
        self.opened: dict[tuple[str, str], list[float]] = {}
        self.muted: set[str] = set()
        self._ssrcs: dict[tuple[str, str], int] = {}
        self.people: list[Participant] = []
        for who in people:
            self.add(who)
        w._every(0.4, self._step)

    def add(self, who: Participant) -> None:
        for kind, _, _ in self.KINDS:
            self._ssrcs[who.label, kind] = 1 + len(self._ssrcs)
        self.people.append(who)
        streams = tuple((self._ssrcs[who.label, kind], kind, number) for kind, number, _ in self.KINDS)
        self.w.do(who, ev.Publish("ufrag", "p" * 24, bytes(32), streams))

    def _step(self) -> None:
        for sender in self.people:
            if not sender.alive or sender.ended or sender.label in self.muted or not sender.session.inside:
                continue
            for kind, number, frames in self.KINDS:
                for _ in range(frames):
                    data = sender.room.frames.seal(kind, number, b"\x00frame", self.w.now)
                    if data is None:
                        continue
                    self.sealed.setdefault(sender.label, []).append(self.w.now)
                    for receiver in self.people:
                        if receiver is not sender and self.carries(sender, kind, receiver):
                            self.w._after(0.03, partial(self._arrive, sender, kind, receiver, data))

    def _arrive(
        self, sender: Participant, kind: Kind, receiver: Participant, data: bytes, held: float = 0.0
    ) -> None:
        if not receiver.alive or receiver.ended:
            return
        now, wait = self.w.now, max(0.4, held)  # as the media engine does: less and less often

        def then(opened: OpenedFrame | SnugError) -> None:
            if isinstance(opened, OpenedFrame):
                self.opened.setdefault((sender.label, receiver.label), []).append(now)
            elif isinstance(opened, FutureEpochError) and held < 3:
                self.w._at(now + wait, partial(self._arrive, sender, kind, receiver, data, held + wait))

        self.w.open(receiver, self._ssrcs[sender.label, kind], kind, data, then)

    def sealed_after(self, who: Participant, when: float) -> int:
        return sum(at > when for at in self.sealed.get(who.label, []))


def texts(who: Participant, kind: str) -> list[str]:
    """The sentences of alarms or statuses of that kind."""
    return [e.text for e in who.told if isinstance(e, ev.Alarm | ev.Status) and e.kind == kind]


def ours(who: Participant) -> list[str]:
    return [text for kind in sorted(HEARTBEAT_ALARMS) for text in texts(who, kind)]


def monitor(who: Participant) -> Monitor:
    found = who.room.feature(Monitor)
    assert isinstance(found, Monitor)
    return found


def beat_of(who: Participant, blob: bytes) -> Heartbeat:
    m = who.room.membership
    return Heartbeat.decode(envelope.open(m.heartbeat_key, "beat", who.room.number, blob))


def signed_by(reader: Participant, blob: bytes) -> int | None:
    """The leaf of a heartbeat, if `reader` has its key."""
    try:
        return beat_of(reader, blob).leaf
    except SnugError:
        return None


def send_heartbeat(w: World, who: Participant, beat: Heartbeat) -> None:
    """Broadcast a heartbeat with any content, signed by a member."""
    m = who.room.membership
    signed = beat.signed(who.room.number, m.sign)
    blob = envelope.seal(m.heartbeat_key, "beat", who.room.number, m.epoch_slot, signed.encode(), BUCKETS)
    w._ascend(who.links[ev.ROOM], wire.encode(wire.Broadcast(blob)))


def last_heartbeat(who: Participant) -> Heartbeat:
    key = who.room.membership.signature_key(who.room.membership.own_leaf)
    return next(Heartbeat.decode(raw) for raw, by in reversed(monitor(who).record.beats) if by == key)


def last_digest(seen: Monitor, leaf: int) -> bytes:
    """The digest that the next heartbeat of that leaf has to follow."""
    last = seen._heartbeats.histories[leaf].last
    assert last is not None
    return last.digest


def held(who: Participant) -> list[str]:
    """The messages that wait, as the last event showed them."""
    events = who.of(ev.Held)
    return [m.text for m in events[-1].messages] if events else []
