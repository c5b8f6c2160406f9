"""A member of a scene's meeting: a whole client without a keyboard, which notes each event and its time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from snugroom.client.connection import Clock, Connection, SessionCrypto
from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.receiving import FrameCrypto, Opened
from snugroom.client.media.sources import TestCard
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.incidents import Incident, Incidents
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.wire.messages import MediaKind

#: Width and height in pixels: small, because several meetings run at the same time.
SIZE: Final = (128, 96)


@dataclass(frozen=True)
class Note:
    """Something that is shown to a person. `at` is the event loop's time in seconds."""

    at: float
    #: alarm, status or ended, or event for anything else that is shown.
    how: str
    kind: str
    text: str


class GroundTruth:
    """Hashes of the frames that honest members sealed, by name, to check frames shown under a name."""

    def __init__(self) -> None:
        #: Members whose frames are all recorded. Frames of other members are not checked.
        self.names: set[str] = set()
        self._sealed: dict[str, set[bytes]] = {}
        #: 24 bytes near the start of each frame before sealing. None may occur in the server's data.
        self.plain: set[bytes] = set()

    def sealed(self, name: str, kind: MediaKind, frame: bytes) -> None:
        """Record a frame that an honest member has sealed."""
        self._sealed.setdefault(name, set()).add(H(kind.encode(), frame))
        if len(frame) >= 40:
            self.plain.add(frame[12:36])

    def holds(self, name: str, kind: MediaKind, frame: bytes) -> bool:
        """Return whether that member sealed the frame; True for a member whose frames are not recorded."""
        return name not in self.names or H(kind.encode(), frame) in self._sealed.get(name, set())


class RecordingCrypto:
    """Seals and opens for a session, and records which member sealed each frame that is shown."""

    def __init__(self, inner: FrameCrypto, member: Member, truth: GroundTruth) -> None:
        self._inner = inner
        self._member = member
        self._truth = truth
        self._shown: set[bytes] = set()
        self._newest: dict[tuple[str, MediaKind, int], int] = {}
        truth.names.add(member.name)

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        """Seal and record a frame; None if it must not leave now."""
        sealed = self._inner.seal(kind, frame, layer)
        if sealed is not None:
            self._truth.sealed(self._member.name, kind, frame)
            self._member.sealed[kind] += 1
            self._member.last_sealed = asyncio.get_running_loop().time()
        return sealed

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        """Open and authenticate a frame, and check it against `truth`."""
        try:
            opened = self._inner.open(ssrc, kind, data)
        except SnugError as error:
            self._member.refused[type(error).__name__] += 1
            raise
        member = self._member
        name = member.connection.session.names.get(opened.leaf) or "somebody"
        member.opened[name, kind] += 1
        member.last_opened[name] = asyncio.get_running_loop().time()
        if not self._truth.holds(name, kind, opened.frame):
            member.false_frames[name] += 1
        counter = getattr(opened, "counter", None)
        if isinstance(counter, int):
            key = (name, kind, getattr(opened, "epoch", 0))
            member.disorder += counter < self._newest.get(key, -1)
            self._newest[key] = max(counter, self._newest.get(key, -1))
            member.newest[name, kind] = counter
        mark = H(data)
        if mark in self._shown:
            member.false_frames[name] += 1  # the same sealed frame, shown twice
        self._shown.add(mark)
        return opened


class Member:
    """Runs a session with a test card to its end. All honest members of a scene share `truth`.

    As a host it admits knocks with a name in `welcome` and leaves all others unanswered, as a person does
    with strangers. `make_crypto` may put another object between engine and session (for a hostile member).
    """

    def __init__(
        self,
        name: str,
        make_session: Callable[[float], Session],
        *,
        truth: GroundTruth,
        welcome: set[str] | None = None,
        make_crypto: Callable[[Session, SessionCrypto], FrameCrypto] | None = None,
        media: bool = True,
    ) -> None:
        clock = Clock()
        self.name = name
        self.welcome = welcome if welcome is not None else set()
        self.notes: list[Note] = []
        #: The lines on this member's screen.
        self.incidents = Incidents()
        self.said: list[tuple[str, str]] = []
        self.links: list[ev.InviteMade] = []
        self.knocks: list[ev.Knocked] = []
        self.members: tuple[ev.Member, ...] = ()
        self.events: list[ev.Event] = []
        self.ended: ev.Ended | None = None
        #: Contents of files to be saved: evidence, reports.
        self.saved: list[bytes] = []
        self.sealed: Counter[str] = Counter()
        self.opened: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.false_frames: Counter[str] = Counter()
        #: Counter of the last opened frame, by the sealing member's name and kind.
        self.newest: dict[tuple[str, str], int] = {}
        #: Number of frames opened after a frame that was sealed later.
        self.disorder = 0
        self.last_opened: dict[str, float] = {}
        self.last_sealed = 0.0
        #: Called first with every event.
        self.on_event: Callable[[ev.Event], None] = lambda _: None
        self._truth = truth
        self._media = media
        self._make_crypto = make_crypto
        self.connection = Connection(
            make_session(clock()),
            make_engine=self._engine,
            on_event=self._event,
            on_save=lambda save: self.saved.append(save.data),
            clock=clock,
        )

    @property
    def session(self) -> Session:
        """The member's session."""
        return self.connection.session

    @property
    def roster(self) -> set[str]:
        """Names of the members in the room, as this member sees it."""
        return {m.name for m in self.members}

    def frames_of(self, name: str) -> int:
        """Return the number of frames opened so far in the name of `name`."""
        return sum(count for (who, _), count in self.opened.items() if who == name)

    def leaf_of(self, name: str) -> int:
        """Return the leaf of `name`; ValueError if there is no such member."""
        for member in self.members:
            if member.name == name:
                return member.leaf
        raise ValueError(f"{name} is not in the room")

    def do(self, what: ev.Input) -> None:
        """Feed an input to the session. ValueError, with a full sentence, for an impossible command."""
        self.connection.feed(what)

    def since(self, at: float) -> list[Note]:
        """Return the notes from `at` on."""
        return [note for note in self.notes if note.at >= at]

    def lines_since(self, at: float) -> list[Incident]:
        """Return the incidents, open or over, that something was told of from `at` on."""
        incidents = self.incidents
        return [line for line in (*incidents.history, *incidents.open) if line.told >= at]

    async def run(self) -> None:
        """Run until the meeting has ended, for any reason."""
        ended = await self.connection.run()
        if self.ended is None:
            self.ended = ended

    # -- inside ------------------------------------------------------------------------------

    def _event(self, event: ev.Event) -> None:
        now = asyncio.get_running_loop().time()
        self.events.append(event)
        self.incidents.tick(now)
        self.incidents.told(event, now)
        self.on_event(event)
        match event:
            case ev.InviteMade():
                self.links.append(event)
            case ev.Knocked():
                self.knocks.append(event)
                label = event.label or f"invite {event.invite}"
                self.notes.append(Note(now, "event", "knock", f"{event.name} knocks with {label}."))
                if event.name in self.welcome:
                    # deferred, because the session is still delivering events
                    asyncio.get_running_loop().call_soon(self._admit, event.knock)
            case ev.Roster():
                self.members = event.members
            case ev.Said():
                self.said.append((event.name, event.text))
            case ev.Alarm():
                self.notes.append(Note(now, "alarm", event.kind, event.text))
            case ev.Status():
                self.notes.append(Note(now, "status", event.kind, event.text))
            case ev.Ended():
                self.ended = event
                self.notes.append(Note(now, "ended", event.reason, event.text))

    def _admit(self, knock: int) -> None:
        try:
            self.do(ev.Admit(knock))
        except ValueError as error:
            self.notes.append(Note(asyncio.get_running_loop().time(), "status", "admit", str(error)))

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine | None:
        if not self._media:
            return None
        inner = crypto if self._make_crypto is None else self._make_crypto(session, crypto)
        width, height = SIZE
        return MediaEngine(
            crypto=RecordingCrypto(inner, self, self._truth) if self._make_crypto is None else inner,
            source=TestCard(self.name, session.own_leaf or 0, width=width, height=height),
            size=SIZE,
            decode=False,
            on_lost=self.connection.media_lost,
            on_failed=lambda why: self._event(ev.Alarm("media_failed", why)),
        )
