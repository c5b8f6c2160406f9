"""A headless participant on the command line: session, media, input and output in one run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from snugroom.client.cli import event_loop, input_lines
from snugroom.client.cli.commands import CommandError, parse_human, parse_json
from snugroom.client.cli.input_lines import LINE_MAX, InputEndedError, WrongLines
from snugroom.client.cli.json_output import JsonOutput
from snugroom.client.cli.landlord import Landlord
from snugroom.client.cli.media_choice import MediaChoice
from snugroom.client.cli.output import Output
from snugroom.client.cli.ready_files import ReadyFiles
from snugroom.client.cli.saved_files import SavedFiles
from snugroom.client.cli.status import Status
from snugroom.client.connection import Clock, Connection, SessionCrypto
from snugroom.client.files.contact_book import Book
from snugroom.client.files.host_recovery_file import RecoveryFile
from snugroom.client.files.sealed_file import SealedFileError
from snugroom.client.media import video_rotation
from snugroom.client.media.engine import MediaEngine, StreamStats
from snugroom.client.media.files import SourceError
from snugroom.client.media.incoming import OnDecoded
from snugroom.client.media.record import Recorder
from snugroom.client.proxy import Proxy
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.catalogue.sentence import recognised, sentence
from snugroom.client.session.entry.contacts import ContactError

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


class Participant:
    """Runs one session to its end, and returns an exit status.

    Without `owns_process`, signals, standard input and standard error stay with the program around it.
    """

    def __init__(
        self,
        make_session: Callable[[float], Session],
        *,
        name: str,
        media: MediaChoice,
        output: Output,
        seconds: float | None = None,
        book: Book | None = None,
        pictures: Path | None = None,
        recovery_file: RecoveryFile | None = None,
        landlord: Landlord | None = None,
        proxy: Proxy | None = None,
        ready_files: ReadyFiles | None = None,
        owns_process: bool = True,
        on_decoded: OnDecoded | None = None,
    ) -> None:
        self._clock = Clock()
        self._name = name
        self._media = media
        self._output = output
        self._seconds = seconds
        self._book = book
        self._saved_files = SavedFiles(output, pictures)
        self._recovery_file = recovery_file
        self._landlord = landlord
        self._ready_files = ready_files
        self._owns_process = owns_process
        self._on_decoded = on_decoded
        self._names: dict[int, str] = {}
        self._files: dict[str, int] = {}  # arriving file -> leaf of its sender
        self._senders: dict[int, str] = {}  # SSRC -> name
        self._entered: float | None = None
        self._asked: tuple[int, ...] | None = None
        self._early: list[ev.Event] = []  # of a room that the server has not opened yet
        self._signals: list[int] = []
        self._recorder: Recorder | None = None
        self._recording_errors = 0
        self.connection = Connection(
            make_session(self._clock()),
            make_engine=self._engine,
            on_event=self._event,
            on_save=self._saved_files.save,
            clock=self._clock,
            addresses={} if landlord is None else landlord.addresses,
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
        if self._landlord is not None:
            greeting = self._landlord.greeting(event, self.session.own_leaf)
            if greeting is not None:
                asyncio.get_running_loop().call_soon(self._feed, greeting)

    def _tell_early(self) -> None:
        """Print what came of a room before the server had opened it: by now it has."""
        if self._early and self.session.inside:
            early, self._early = self._early, []
            for event in early:
                self._tell(event)

    def _tell(self, event: ev.Event) -> None:
        """Print an event, and then write the files that it makes due."""
        self._output.event(event)
        alarm = None if self._ready_files is None else self._ready_files.told(event)
        if alarm is not None:
            self._output.event(alarm)

    def _keep(self, changed: ev.BookChanged) -> bool:
        """Write a contact into the book; return False if there is no book, or after reporting an error."""
        if self._book is None:
            return False
        try:
            self._book.update(
                lambda c: c.learn(changed.public, changed.name, changed.at, verified=changed.verified)
            )
        except (SealedFileError, ContactError) as error:
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
        asyncio.get_running_loop().call_soon(self._feed, shown)
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
        """Run until the session ends, a signal arrives, or the time is up; return the exit status."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        running = loop.create_task(self.connection.run())

        def stop_by(number: int) -> None:
            if self._signals:
                running.cancel()  # a second one: at once
            self._signals.append(number)
            stop.set()

        if self._owns_process:
            event_loop.on_end(stop_by)
        helpers = [loop.create_task(self._stop_when(stop)), loop.create_task(self._report())]
        if self._recovery_file is not None:
            helpers.append(loop.create_task(self._follow_keys(self._recovery_file)))
        if self._owns_process and sys.stdin is not None:
            threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        was_inside = False
        try:
            while not running.done():
                await asyncio.wait([running], timeout=0.2)
                was_inside = was_inside or self.session.inside
                self._tell_early()
            ended = running.result()
        except asyncio.CancelledError:
            if not self._signals:
                raise
            return Status.INTERRUPTED
        except OSError as error:
            # of this machine, such as a full disk behind standard output: no connection
            if not self._owns_process:
                raise
            return self._output.error(error.strerror or str(error), Status.ERROR)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        self._tell_sending()
        self._tell_recording()
        self._output.summary(self.rows())
        for path in [] if self.connection.engine is None else self.connection.engine.recordings:
            self._output.note("recording", sentence("terminal.recorded", file=path.name), path=str(path))
        self._output.event(ended)
        if signal.SIGINT in self._signals:
            return Status.INTERRUPTED
        if ended.reason in ("left", "failed") and not self.session.contacted:
            return Status.UNREACHABLE
        if ended.reason == "left" and not was_inside:
            return Status.NOT_ADMITTED
        return _STATUS_OF_END[ended.reason]

    async def _stop_when(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await stop.wait()
        except TimeoutError:
            pass
        self._feed(ev.Leave())

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
            self._output.media(self.rows())
            self._tell_sending()
            self._tell_recording()
            if self._landlord is not None:
                self._landlord.tell_end(self._output)
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
            self._feed(ev.SelectStreams(asked))

    def _tell_sending(self) -> None:
        engine = self.connection.engine
        if engine is not None:
            self._output.sending(engine.own_stats(), engine.round_trip)

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
        """Carry out a command; ValueError, with a sentence, if it can't be done."""
        if isinstance(what, ev.SendImage):
            what = self._saved_files.read(what)
        elif isinstance(what, ev.SendFile):
            what = self._saved_files.read_file(what)
        self.connection.feed(what)

    def _feed(self, what: ev.Input) -> None:
        try:
            self.do(what)
        except ValueError as error:
            self._alarm_input(error)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read commands from standard input until it ends; the meeting continues without it.

        This runs in a thread: reading works the same for a file, a pipe, a terminal and /dev/null.
        """
        wrong = WrongLines()
        # standard input may be closed (ValueError), and the loop when the participant has left (RuntimeError)
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            try:
                for line in input_lines.lines(lambda: os.read(sys.stdin.fileno(), LINE_MAX)):
                    done: Future[bool] = Future()
                    loop.call_soon_threadsafe(self._answer, line, done)
                    # the next line waits for this one, so that signals and the server come in between
                    wrong.line(done.result())
            except InputEndedError as error:
                loop.call_soon_threadsafe(self._alarm_input, error)

    def _answer(self, line: str, done: Future[bool]) -> None:
        is_command = False
        try:
            is_command = self._line(line)
        finally:
            done.set_result(is_command)

    def _alarm_input(self, error: Exception) -> None:
        self._output.event(sentences.alarm("input", why=reasons.because(error)))

    def _line(self, line: str) -> bool:
        """Run a line; return whether it is a command, or empty."""
        if not line:
            return True
        try:
            as_json = isinstance(self._output, JsonOutput)
            what = parse_json(line) if as_json else parse_human(line, self.session.names)
        except CommandError as error:
            self._alarm_input(error)
            return False
        if what is not None:
            self._feed(what)
        return True
