"""A participant on the command line: with signals, standard input, and what its options add."""

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

from snugroom.client.cli import event_loop, input_lines
from snugroom.client.cli.input_lines import LINE_MAX, InputEndedError, WrongLines
from snugroom.client.cli.landlord import Landlord
from snugroom.client.cli.ready_files import ReadyFiles
from snugroom.client.files.contact_book import Book
from snugroom.client.files.host_recovery_file import RecoveryFile
from snugroom.client.headless.commands import parse_human, parse_json
from snugroom.client.headless.json_output import JsonOutput
from snugroom.client.headless.media_choice import MediaChoice
from snugroom.client.headless.output import Output
from snugroom.client.headless.runner import Runner
from snugroom.client.headless.status import Status
from snugroom.client.proxy import Proxy
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import CommandError


class Participant(Runner):
    """Owns its process: it ends by signals, after `seconds`, and takes commands from standard input."""

    def __init__(
        self,
        make_session: Callable[[float], Session],
        *,
        name: str,
        media: MediaChoice,
        output: Output,
        seconds: float | None,
        book: Book | None,
        pictures: Path | None,
        recovery_file: RecoveryFile | None,
        landlord: Landlord | None,
        proxy: Proxy | None,
        ready_files: ReadyFiles,
    ) -> None:
        super().__init__(
            make_session,
            name=name,
            media=media,
            output=output,
            book=book,
            pictures=pictures,
            recovery_file=recovery_file,
            addresses={} if landlord is None else landlord.addresses,
            proxy=proxy,
        )
        self._seconds = seconds
        self._landlord = landlord
        self._ready_files = ready_files
        self._signals: list[int] = []

    async def run(self) -> Status:
        """Run until the session ends, a signal arrives, or the time is up; return the exit status."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        running = loop.create_task(super().run())

        def stop_by(number: int) -> None:
            if self._signals:
                running.cancel()  # a second one: at once
            self._signals.append(number)
            stop.set()

        event_loop.on_end(stop_by)
        stopping = loop.create_task(self._leave_at(stop))
        if sys.stdin is not None:
            threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        try:
            status = await running
        except asyncio.CancelledError:
            if not self._signals:
                raise
            return Status.INTERRUPTED
        except OSError as error:
            # of this machine, such as a full disk behind standard output: no connection
            return self._output.error(error.strerror or str(error), Status.ERROR)
        finally:
            stopping.cancel()
        return Status.INTERRUPTED if signal.SIGINT in self._signals else status

    async def _leave_at(self, stop: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await stop.wait()
        self.leave()

    def _tell(self, event: ev.Event) -> None:
        """Print an event, write the files that it makes due, and greet who has come to a server of ours."""
        super()._tell(event)
        alarm = self._ready_files.told(event)
        if alarm is not None:
            self._output.event(alarm)
        if self._landlord is not None:
            greeting = self._landlord.greeting(event, self.session.own_leaf)
            if greeting is not None:
                asyncio.get_running_loop().call_soon(self.feed, greeting)

    def _tell_now(self) -> None:
        super()._tell_now()
        if self._landlord is not None:
            self._landlord.tell_end(self._output)

    # -- standard input --------------------------------------------------------------------------

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
                loop.call_soon_threadsafe(self.alarm_input, error)

    def _answer(self, line: str, done: Future[bool]) -> None:
        is_command = False
        try:
            is_command = self._line(line)
        finally:
            done.set_result(is_command)

    def _line(self, line: str) -> bool:
        """Run a line; return whether it is a command, or empty."""
        if not line:
            return True
        try:
            as_json = isinstance(self._output, JsonOutput)
            what = parse_json(line) if as_json else parse_human(line, self.session.names)
        except CommandError as error:
            self.alarm_input(error)
            return False
        if what is not None:
            self.feed(what)
        return True
