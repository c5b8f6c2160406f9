"""A participant of the demo: a whole client without a keyboard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from snugroom.client.connection import Clock, Connection, SessionCrypto
from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.record import Recorder, file_stem
from snugroom.client.media.sources import TestCard
from snugroom.client.media.stats import StreamStats
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.crypto.media.keys import OpenedFrame
from snugroom.lab.demo.facts import Stream
from snugroom.wire.messages import MediaKind

#: Own frames that are kept before `Witness.keep_all`: three seconds.
_KEPT: Final = 240


class Witness:
    """Seals and opens for a session, and keeps the last frames as they were before and after sealing."""

    def __init__(self, inner: SessionCrypto) -> None:
        self._inner = inner
        self.before: deque[bytes] = deque(maxlen=_KEPT)
        self.after: deque[bytes] = deque(maxlen=_KEPT)

    def keep_all(self) -> None:
        """Keep the last frames, and all that follow."""
        self.before, self.after = deque(self.before), deque(self.after)

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        """Seal a frame; None if it must not leave now."""
        sealed = self._inner.seal(kind, frame, layer)
        if sealed is not None:
            self.before.append(frame)
            self.after.append(sealed)
        return sealed

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> OpenedFrame:
        """Open and authenticate a frame. A SnugError if it does not authenticate."""
        return self._inner.open(ssrc, kind, data)


class Robot:
    """Runs a session with a test card, records received media, and keeps the events.

    `size`: width and height of its video in pixels. `on_event` gets this robot and every event, in order. A
    host admits everybody who knocks. Recordings go to `directory`; without one, it authenticates what it
    receives and decodes nothing. `addresses`: see `Connection`.
    """

    def __init__(
        self,
        name: str,
        make_session: Callable[[float], Session],
        *,
        directory: Path | None,
        size: tuple[int, int],
        on_event: Callable[[Robot, ev.Event], None],
        addresses: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        clock = Clock()
        self.name = name
        self.invite: str | None = None
        self.members: tuple[ev.Member, ...] = ()
        self.knocked: set[str] = set()
        self.code: ev.Code | None = None
        self.heard: set[tuple[str, str]] = set()
        self.alarms: list[ev.Alarm] = []
        self.ended: ev.Ended | None = None
        self.witness: Witness | None = None
        #: The time at which all of its recordings begin, on the clock of the event loop.
        self.zero = 0.0
        self._directory = directory
        self._size = size
        self._on_event = on_event
        self._names: dict[int, str] = {}
        self.connection = Connection(
            make_session(clock()),
            make_engine=self._engine,
            on_event=self._event,
            clock=clock,
            addresses=addresses,
        )

    @property
    def leaf(self) -> int | None:
        """The robot's own leaf while it is a member, else None."""
        return self.connection.session.own_leaf

    def sees(self, names: set[str]) -> bool:
        """Return whether `names` are in this robot's roster."""
        return names <= {m.name for m in self.members}

    def say(self, text: str) -> None:
        """Send a chat message to all; ValueError if it cannot be sent."""
        self.connection.feed(ev.Say(text))

    def leave(self) -> None:
        """Leave; a host ends the meeting for all."""
        host = any(m.host for m in self.members if m.leaf == self.leaf)
        self.connection.feed(ev.EndMeeting() if host else ev.Leave())

    async def run(self) -> None:
        """Run until the meeting has ended."""
        self.ended = await self.connection.run()

    def leaf_of(self, name: str) -> int | None:
        """Return the leaf of `name` in this robot's roster; None if there is no such member."""
        return next((m.leaf for m in self.members if m.name == name), None)

    def stream(self, name: str, kind: MediaKind) -> Stream:
        """Return the counters of the frames that came from a member."""
        leaf = self.leaf_of(name)
        return self.total(
            [s for s in self.connection.stats() if s.kind == kind and s.leaf is not None and s.leaf == leaf]
        )

    def sent(self, kind: MediaKind) -> int:
        """Return the number of own frames sealed and sent so far."""
        engine = self.connection.engine
        return 0 if engine is None else sum(s.sealed for s in engine.own_stats() if s.kind == kind)

    @staticmethod
    def total(stats: list[StreamStats]) -> Stream:
        """Return the sums of the streams' counters."""
        return Stream(
            opened=sum(s.opened for s in stats),
            decoded=sum(s.decoded for s in stats),
            failed=sum(s.failed for s in stats),
            lost=sum(s.lost for s in stats),
        )

    def recording(self, name: str, leaf: int) -> Path | None:
        """Return the recording of a member, once the engine is closed; None without a recording."""
        engine = self.connection.engine
        if engine is None:
            return None
        stem = file_stem(name, leaf)
        return next((path for path in engine.recordings if path.stem == stem), None)

    # -- inside ------------------------------------------------------------------------------

    def _event(self, event: ev.Event) -> None:
        match event:
            case ev.InviteMade(link, _):
                self.invite = link
            case ev.Knocked(knock, name):
                self.knocked.add(name)
                # deferred, because the session is still delivering events
                asyncio.get_running_loop().call_soon(self._admit, knock)
            case ev.Roster():
                self.members = event.members
                self._names |= {m.leaf: m.name for m in event.members}
            case ev.Code():
                self.code = event
            case ev.Said():
                self.heard.add((event.name, event.text))
            case ev.Alarm():
                self.alarms.append(event)
        self._on_event(self, event)

    def _admit(self, knock: int) -> None:
        try:
            self.connection.feed(ev.Admit(knock))
        except ValueError as error:
            self.alarms.append(ev.Alarm("admit", str(error)))

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine:
        self.witness = Witness(crypto)
        self.zero = asyncio.get_running_loop().time()
        width, height = self._size
        return MediaEngine(
            crypto=self.witness,
            source=TestCard(self.name.split()[0], session.own_leaf or 0, width=width, height=height),
            size=self._size,
            decode=self._directory is not None,
            recorder=None if self._directory is None else Recorder(self._directory, zero=self.zero),
            name_of=lambda leaf: self._names.get(leaf, f"leaf {leaf}"),
            on_lost=self.connection.media_lost,
            on_failed=lambda why: self._event(ev.Alarm("media_failed", why)),
        )
