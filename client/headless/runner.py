"""A headless participant: session, media, files and output in one run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from snugroom.client.connection import Clock, Connection, SessionCrypto
from snugroom.client.files.contact_book import Book
from snugroom.client.files.host_recovery_file import RecoveryFile
from snugroom.client.files.sealed_file import SealedFileError
from snugroom.client.headless.media_choice import MediaChoice
from snugroom.client.headless.output import Output
from snugroom.client.headless.saved_files import SavedFiles
from snugroom.client.headless.status import Status
from snugroom.client.media import video_rotation
from snugroom.client.media.engine import MediaEngine, StreamStats
from snugroom.client.media.files import SourceError
from snugroom.client.media.incoming import OnDecoded
from snugroom.client.media.record import Recorder
from snugroom.client.proxy import Proxy
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.catalogue.sentence import CommandError, recognised, sentence

_REPORT: Final = 1.0
#: Events that say that we are in a room.
_OF_A_ROOM: Final = (ev.InviteMade, ev.Roster, ev.Code)
_STATUS_OF_END: Final = {
    "left": Status.OK,
    "ended": Status.OK,
    "refused": Status.REFUSED,
    "removed": Status.REMOVED,
    "replaced": Status.REMOVED,
    "dropped": Status.DROPPED,
    "failed": Status.ERROR,
    "unopened": Status.UNOPENED,
    "untrusted": Status.UNTRUSTED,
    "unserved": Status.UNSERVED,
}


class Runner:
    """Runs one session to its end. Signals and the standard streams stay with the program around it.

    `book` learns contacts, and `pictures` is the folder for other members' images. `addresses`: URLs of
    servers by origin, where they differ.
    """

    def __init__(
        self,
        make_session: Callable[[float], Session],
        *,
        name: str,
        media: MediaChoice,
        output: Output,
        book: Book | None = None,
        pictures: Path | None = None,
        recovery_file: RecoveryFile | None = None,
        addresses: Mapping[str, str] = MappingProxyType({}),
        proxy: Proxy | None = None,
        on_decoded: OnDecoded | None = None,
    ) -> None:
        self._clock = Clock()
        self._name = name
        self._media = media
        self._output = output
        self._book = book
        self._saved_files = SavedFiles(output, pictures)
        self._recovery_file = recovery_file
        self._on_decoded = on_decoded
        self._names: dict[int, str] = {}
        self._files: dict[str, int] = {}  # arriving file -> leaf of its sender
        self._senders: dict[int, str] = {}  # SSRC -> name
        self._entered: float | None = None
        self._asked: tuple[int, ...] | None = None
        self._early: list[ev.Event] = []  # of a room that the server has not opened yet
        self._recorder: Recorder | None = None
        self._recording_errors = 0
        self.connection = Connection(
            make_session(self._clock()),
            make_engine=self._engine,
            on_event=self._event,
            on_save=self._saved_files.save,
            clock=self._clock,
            addresses=addresses,
            proxy=proxy,
        )

    @property
    def session(self) -> Session:
        return self.connection.session

    def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.BookChanged) and not self._keep(event):
            return
        if isinstance(event, ev.Image):
            event = self._saved_files.image(event)
        elif isinstance(event, ev.FileOffered):
            self._files[event.id] = event.leaf
        elif isinstance(event, ev.FileDone):
            leaf = self._files.pop(event.id, None)
            if leaf is not None and leaf != self.session.own_leaf:
                event = self._saved_files.file(leaf, event)
        if isinstance(event, ev.Ended):
            return  # printed last, after the counters
        if isinstance(event, _OF_A_ROOM) and not self.session.inside:
            self._early.append(event)
            return
        self._tell_early()
        self._tell(event)

    def _tell_early(self) -> None:
        """Print what came of a room before the server had opened it: by now it has."""
        if self._early and self.session.inside:
            early, self._early = self._early, []
            for event in early:
                self._tell(event)

    def _tell(self, event: ev.Event) -> None:
        """Print an event of a room that is open, or of the way to one."""
        self._output.event(event)

    def _keep(self, changed: ev.BookChanged) -> bool:
        """Write a contact into the book; return False if there is no book, or after reporting an error."""
        if self._book is None:
            return False
        try:
            self._book.update(
                lambda c: c.learn(changed.public, changed.name, changed.at, verified=changed.verified)
            )
        except (SealedFileError, CommandError) as error:
            self._output.event(sentences.alarm("book", why=reasons.because(error)))
            return False
        return True

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine | None:
        leaf = session.own_leaf or 0
        try:
            source = self._media.source(self._name, leaf)
        except SourceError as error:
            self._output.event(
                sentences.alarm("source", why=recognised(str(error), "terminal", "terminal.source"))
            )
            source = None
        sends = source is not None
        shown = ev.SetState(
            sends and self._media.audio,
            sends and self._media.video,
            recording=self._media.record is not None,
        )
        asyncio.get_running_loop().call_soon(self.feed, shown)
        if self._media.none:
            return None
        return MediaEngine(
            crypto=crypto,
            source=source,
            audio=self._media.audio,
            video=self._media.video,
            size=self._media.size,
            layers=self._media.layers,
            recorder=self._make_recorder(),
            decode=self._media.decodes,
            name_of=self._name_of,
            link=self.connection.make_link,
            on_lost=self.connection.media_lost,
            on_moved=self.connection.media_moved,
            on_failed=self._sending_failed,
            on_decoded=self._on_decoded,
        )

    def _make_recorder(self) -> Recorder | None:
        if self._media.record is None:
            return None
        try:
            self._recorder = Recorder(self._media.record, zero=asyncio.get_running_loop().time())
        except OSError as error:  # it was there before the meeting
            why = error.strerror or str(error)
            self._output.event(sentences.alarm("file.recordings", why=why))
        return self._recorder

    def _tell_recording(self) -> None:
        """Report recordings that have ended early: that is a matter of this machine's disk."""
        errors = [] if self._recorder is None else self._recorder.errors
        for name, why in errors[self._recording_errors :]:
            self._output.event(sentences.alarm("file.recorded", name=name, why=why))
        self._recording_errors = len(errors)

    def _sending_failed(self, why: str) -> None:
        self._output.event(ev.Alarm("media_failed", recognised(why, "alarms", "alarm.media_failed")))

    async def run(self) -> Status:
        """Run until the session ends; return the exit status that this end has."""
        loop = asyncio.get_running_loop()
        running = loop.create_task(self.connection.run())
        helpers = [loop.create_task(self._report())]
        if self._recovery_file is not None:
            helpers.append(loop.create_task(self._follow_keys(self._recovery_file)))
        was_inside = False
        try:
            while not running.done():
                await asyncio.wait([running], timeout=0.2)
                was_inside = was_inside or self.session.inside
                self._tell_early()
            ended = running.result()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        self._tell_counters()
        self._output.summary(self.rows())
        for path in [] if self.connection.engine is None else self.connection.engine.recordings:
            self._output.note("recording", sentence("terminal.recorded", file=path.name), path=str(path))
        self._output.event(ended)
        if ended.reason in ("left", "failed") and not self.session.contacted:
            return Status.UNREACHABLE
        if ended.reason == "left" and not was_inside:
            return Status.NOT_ADMITTED
        return _STATUS_OF_END[ended.reason]

    def leave(self) -> None:
        """Leave the meeting in an orderly way: `run` ends when that is done."""
        self.feed(ev.Leave())

    async def _follow_keys(self, recovery_file: RecoveryFile) -> None:
        """Write the recovery file again when the hosts' keys have changed."""
        while True:
            await asyncio.sleep(_REPORT)
            kept = recovery_file.outdated(self.session)
            if kept is None:
                continue
            try:
                await asyncio.to_thread(recovery_file.write, kept)
            except (SealedFileError, OSError) as error:
                why, name = reasons.because(error), recovery_file.path.name
                self._output.event(sentences.alarm("file.recovery", file=name, why=why))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT)
            self._tell_now()

    def _tell_now(self) -> None:
        """Tell what there is to tell each second."""
        self._output.media(self.rows())
        self._tell_counters()
        self._look_around()

    def _look_around(self) -> None:
        """Subscribe to the video streams whose turn it is."""
        streams = self.connection.streams
        inside = self.session.inside and self.session.ended is None
        if self._media.visible is None or not inside or not streams:
            return
        now = self._clock()
        self._entered = now if self._entered is None else self._entered
        asked = video_rotation.turns(streams, self._media.visible, now - self._entered)
        if asked != self._asked:
            self._asked = asked
            self.feed(ev.SelectStreams(asked))

    def _tell_counters(self) -> None:
        engine = self.connection.engine
        if engine is not None:
            self._output.sending(engine.own_stats(), engine.round_trip)
        self._tell_recording()

    def _name_of(self, leaf: int) -> str:
        """Return the name of the current or the last member at a leaf."""
        name = self.session.names.get(leaf)
        if name is not None:
            self._names[leaf] = name
        return self._names.get(leaf, f"leaf {leaf}")

    def rows(self) -> list[tuple[StreamStats, str]]:
        """Return the counters of all remote streams so far, each with its sender's name."""
        for stats in self.connection.stats():
            if stats.leaf is not None and stats.ssrc not in self._senders:
                self._senders[stats.ssrc] = self._name_of(stats.leaf)  # while the member is in the room
        return [
            (stats, self._senders[stats.ssrc])
            for stats in self.connection.stats()
            if stats.ssrc in self._senders
        ]

    def do(self, what: ev.Input) -> None:
        """Carry out a command; CommandError if it can't be done."""
        if isinstance(what, ev.SendImage):
            what = self._saved_files.read(what)
        elif isinstance(what, ev.SendFile):
            what = self._saved_files.read_file(what)
        self.connection.feed(what)

    def feed(self, what: ev.Input) -> None:
        """Carry out a command; an alarm if it can't be done."""
        try:
            self.do(what)
        except CommandError as error:
            self.alarm_input(error)

    def alarm_input(self, error: Exception) -> None:
        """Report an input that can't be carried out."""
        self._output.event(sentences.alarm("input", why=reasons.because(error)))
