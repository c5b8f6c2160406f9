"""``snug demo --lecture``: robots in a room, a projector, a member's page, windows of the landlord, the lab.

The projector (`projector`) tells the story in steps, and has things done to the running meeting: somebody
comes and goes, the server plays an act (`acts`), or is killed, so that the meeting goes on at the next one.
The member's page is the page of `snug page` with the ratchet tree and the lab's scenes (`theatre`). These
addresses contain a token, and are on 127.0.0.1 only. Phones of a class come to a page of their own (`lan`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.text import Text

from snugroom.client.cli import qr
from snugroom.client.cli.own_page import OwnPage
from snugroom.client.headless.status import Status
from snugroom.client.session.catalogue.sentence import Arg, Language, in_language, sentence
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.demo import beside, pcap
from snugroom.lab.demo.acts import LectureServer
from snugroom.lab.demo.lan import LanError, Phones
from snugroom.lab.demo.live import Live
from snugroom.lab.demo.player import Player
from snugroom.lab.demo.projector import Projector, RefusedError, Stage
from snugroom.lab.demo.recording import Recorder, RecordingError, load
from snugroom.lab.demo.theatre import Theatre
from snugroom.lab.demo.troupe import NAMES, Troupe
from snugroom.lab.demo.votes import PHONES_PER_ADDRESS, Votes
from snugroom.lab.process import ServerError
from snugroom.server import page


@dataclass(frozen=True)
class Lan:
    """Where phones come in: an address of this computer in the local network; port 0 stands for a free one.

    `per_address`: phones that may share an address.
    """

    address: str
    port: int = 0
    per_address: int = PHONES_PER_ADDRESS


class Lecture:
    """The servers, the robots, the projector and the member's page. All of them run inside ``async with``.

    With `records`, the servers keep all packets for `recording`. Phones come in at `lan`. A recording of the
    projector is written to the file `record`.
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        records: bool = False,
        lan: Lan | None = None,
        record: Path | None = None,
    ) -> None:
        self._port = port
        self._lan = lan
        self._record = record
        self._token = secrets.token_urlsafe(16)
        self._stack = contextlib.AsyncExitStack()
        self._own: OwnPage | None = None
        self.server, self.next_server = (LectureServer(records=records) for _ in range(2))
        self.troupe = Troupe(self.server, self.next_server)
        #: Addresses to open: the projector, the member's page, with a token for the link, and the windows.
        self.projector = ""
        self.page = ""
        self.window = ""
        self.link = ""
        #: The address for phones; empty without `lan`.
        self.phones = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def over(self) -> bool:
        """Whether both servers, or all robots in the room, are gone."""
        return not (self.server.running or self.next_server.running) or self.troupe.gone

    async def _start(self) -> None:
        bundle = page.load()
        for server in (self.server, self.next_server):
            await self._stack.enter_async_context(server)
        self.window = self.server.window
        self._stack.push_async_callback(self.troupe.close)
        self.link = await self.troupe.gather()
        theatre = Theatre(self._token, self._kill).routes()
        origin = canonical_origin(self.server.url)
        servers = [canonical_origin(self.next_server.url)]
        own = OwnPage(bundle, origin, self.link, servers=servers, lecture=True, routes=theatre)
        self.troupe.on_link = own.replace_link
        self._stack.push_async_callback(own.close)
        self.page = await own.start(self._port, query=f"?lecture={self._token}")
        votes = None if self._lan is None else Votes(self._lan.per_address)
        live = Live(self.troupe, votes)
        self._stack.push_async_callback(live.close)
        if self._lan is not None and votes is not None:
            self.phones = live.phones = await self._let_phones_in(self._lan, votes)
        stage: Stage = live
        if self._record is not None:
            stage = recorder = Recorder(live, self._record, (*NAMES, *beside.NAMES))
            self._stack.callback(recorder.close)
        projector = Projector(stage)
        self._stack.push_async_callback(projector.close)
        self.projector = await projector.start()

    async def _let_phones_in(self, lan: Lan, votes: Votes) -> str:
        phones = Phones(votes, lan.address, lan.port, per_address=lan.per_address)
        self._stack.push_async_callback(phones.close)
        try:
            return await phones.start()
        except OSError:
            raise LanError("taken") from None

    async def recording(self) -> bytes:
        """Return what the servers recorded, as a pcap file. A server that was killed has lost its part."""
        parts = [await server.recorded(time.time()) for server in (self.server, self.next_server)]
        return pcap.encode(each for part in parts for each in part)

    async def _kill(self) -> str:
        with contextlib.suppress(RefusedError):
            await self.troupe.kill()
        return self.next_server.window


class _Speaker:
    """Prints the lecture's sentences in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._out = Console(highlight=False)

    def say(self, key: str, style: str = "", **args: Arg) -> None:
        """Print a sentence of the catalogue (`terminal.lecture_...`)."""
        text = in_language(sentence(f"terminal.lecture_{key}", **args), self._language)
        self._out.print(Text(text, style=style), soft_wrap=True)

    def refuse(self, key: str, status: Status) -> Status:
        """Print why nothing begins (`terminal.KEY`); return the exit status."""
        print(f"snug: {in_language(sentence(f'terminal.{key}'), self._language)}", file=sys.stderr)
        return status

    def code(self, address: str) -> None:
        """Print a QR code, if the terminal can show it."""
        drawn = qr.drawn(address, self._out)
        if drawn is not None:
            self._out.print(drawn)


@dataclass(frozen=True)
class Options:
    """Choices of a lecturer on the command line.

    `pcap`: a file for what comes to the servers; `record`: one for what the projector is shown.
    """

    open_browser: bool = True
    port: int | None = None
    pcap: Path | None = None
    record: Path | None = None
    lan: Lan | None = None
    language: Language = "en"


async def run(options: Options) -> int:
    """Run until SIGINT or SIGTERM, or until the server or every robot is gone; return the exit status."""
    stop = _stopped()
    speaker = _Speaker(options.language)
    records = options.pcap is not None
    try:
        async with Lecture(options.port, records=records, lan=options.lan, record=options.record) as lecture:
            await _begin(lecture, options, speaker)
            while not stop.is_set() and not lecture.over:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.5)
            if options.pcap is not None:
                await asyncio.to_thread(options.pcap.write_bytes, await lecture.recording())
                speaker.say("pcap", file=str(options.pcap))
        if options.record is not None:
            speaker.say("recorded", file=str(options.record))
        if stop.is_set():
            return Status.OK
        speaker.say("over")
        return Status.ERROR
    except LanError as error:
        return speaker.refuse(f"lan_{error}", Status.USAGE)
    except (ServerError, page.PageError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.ERROR
    except OSError as error:
        where = error.filename or "can't listen"
        print(f"snug: {where}: {error.strerror}", file=sys.stderr)
        return Status.USAGE


async def play(file: Path, options: Options) -> int:
    """Show a recording until SIGINT or SIGTERM; return the exit status. It needs no server and no network."""
    stop = _stopped()
    speaker = _Speaker(options.language)
    try:
        projector = Projector(Player(await asyncio.to_thread(load, file)))
    except RecordingError as error:
        return speaker.refuse(f"play_{error}", Status.USAGE)
    except OSError as error:
        print(f"snug: {file}: {error.strerror}", file=sys.stderr)
        return Status.USAGE
    try:
        address = await projector.start()
        speaker.say("projector", address=address)
        speaker.say("played", style="dim")
        sys.stdout.flush()
        if options.open_browser:
            await asyncio.to_thread(webbrowser.open, address)
        await stop.wait()
        return Status.OK
    except page.PageError as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.ERROR
    finally:
        await projector.close()


def _stopped() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _begin(lecture: Lecture, options: Options, speaker: _Speaker) -> None:
    """Print the addresses, and open them."""
    speaker.say("projector", address=lecture.projector)
    speaker.say("page", address=lecture.page)
    speaker.say("window", address=lecture.window)
    speaker.say("next_window", address=lecture.next_server.window)
    speaker.say("link", address=lecture.link)
    if lecture.phones:
        speaker.say("phones", address=lecture.phones)
        speaker.code(lecture.phones)
        speaker.say("phones_told", style="bold")
    speaker.say("room", names=list(NAMES))
    speaker.say("script", style="dim")
    if options.pcap is not None:
        speaker.say("records", style="bold")
    if options.record is not None:
        speaker.say("recording", style="bold")
    sys.stdout.flush()
    if options.open_browser:
        for address in (lecture.window, lecture.page, lecture.projector):
            await asyncio.to_thread(webbrowser.open, address)
