"""With `--proxy`, everything goes through the proxy, or is not sent."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import get_args

import pytest

from snugroom.client import connection
from snugroom.client.connection import Connection, SessionCrypto
from snugroom.client.headless.status import Status
from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.sources import TestCard
from snugroom.client.proxy import SLOWNESS, Proxy
from snugroom.client.reachable import answers
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.options import Options
from tests.cli.processes import Process, free_port, running
from tests.cli.test_connecting import NO_MEDIA
from tests.network.egress import Egress, watched
from tests.network.forward_proxy import NAME, ForwardProxy, Kind
from tests.patience import PATIENCE

#: Frames of each kind that show that media flows.
FRAMES = 10
SLOW = Options(slowness=SLOWNESS)


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


@contextmanager
def serving(folder: Path, *settings: str) -> Iterator[tuple[str, int]]:
    """A server under a name that only the proxy knows; its origin, and its media port.

    It tells clients an address for media that leads nowhere, as behind an onion service.
    """
    port, media = free_port(), free_port()
    file = folder / f"{port}.toml"
    lines = [
        f'origin = "http://{NAME}:{port}"',
        'media_address = "192.0.2.7"',
        'media_bind = "127.0.0.1"',
        f"media_port = {media}",
        *settings,
    ]
    file.write_text("\n".join(lines) + "\n")
    listen = ("--listen", f"127.0.0.1:{port}", "--config", str(file))
    with running(*listen, module="snugroom.server") as server:
        server.wait_line(lambda line: line.startswith("listening on "))
        yield f"http://{NAME}:{port}", media


class Noting(Connection):
    """Notes what the session is given."""

    fed: list[ev.Input]

    def feed(self, what: ev.Input) -> None:
        self.fed.append(what)
        super().feed(what)


class Person:
    """A whole client behind a proxy, with sound and pictures."""

    def __init__(self, session: Session, proxy: Proxy) -> None:
        self.events: list[ev.Event] = []
        self.connection = Noting(session, make_engine=self._engine, on_event=self.events.append, proxy=proxy)
        self.connection.fed = []
        self.running = asyncio.create_task(self.connection.run())

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine:
        return MediaEngine(
            crypto=crypto,
            source=TestCard(str(session.own_leaf), session.own_leaf or 0, width=160, height=96),
            size=(160, 96),
            decode=False,
            link=self.connection.make_link,
            on_lost=self.connection.media_lost,
        )

    def frames(self) -> int:
        """The frames that have come of the kind of which fewest have."""
        opened = {"audio": 0, "video": 0}
        for stats in self.connection.stats():
            opened[stats.kind] += stats.opened
        return min(opened.values())

    def alarms(self, kind: str) -> list[str]:
        return [e.text for e in self.events if isinstance(e, ev.Alarm) and e.kind == kind]

    def selections(self) -> list[ev.SelectStreams]:
        return [each for each in self.connection.fed if isinstance(each, ev.SelectStreams)]

    def heard(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, ev.Said)]

    async def end(self) -> None:
        if not self.running.done():
            self.connection.feed(ev.Leave())
        await asyncio.wait([self.running], timeout=5.0)
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@asynccontextmanager
async def meeting(
    origin: str, proxy: ForwardProxy, options: Options = SLOW
) -> AsyncIterator[tuple[Person, Person]]:
    """Ada and Bo behind that proxy; Bo has heard a line of Ada's, and Ada one of Bo's."""
    through = Proxy.parse(proxy.url)
    people: list[Person] = []
    try:
        ada = Person(
            Session.host(origin=origin, name="Ada", admission="all", now=time.time(), options=options),
            through,
        )
        people.append(ada)
        await until(lambda: any(isinstance(e, ev.InviteMade) for e in ada.events), "no invite")
        link = next(e.link for e in ada.events if isinstance(e, ev.InviteMade))
        bo = Person(Session.join(link, name="Bo", now=time.time(), options=options), through)
        people.append(bo)
        await until(lambda: bo.connection.session.inside, f"not inside: {bo.events}")
        ada.connection.feed(ev.Say("a line of Ada's"))
        bo.connection.feed(ev.Say("a line of Bo's"))
        await until(lambda: "a line of Ada's" in bo.heard(), f"Bo has not heard Ada: {bo.events}")
        await until(lambda: "a line of Bo's" in ada.heard(), f"Ada has not heard Bo: {ada.events}")
        yield ada, bo
    finally:
        for person in people:
            await person.end()


def only_by(proxy: ForwardProxy, egress: Egress) -> None:
    """Assert that this process reached the proxy, and nobody else, and looked no server up."""
    assert egress.peers == {("127.0.0.1", proxy.port)}
    assert egress.names <= {"127.0.0.1"}, egress.names
    assert egress.datagram == 0


@pytest.mark.parametrize("kind", get_args(Kind))
async def test_a_whole_meeting_goes_through_the_proxy_by_name(kind: Kind, tmp_path: Path) -> None:
    with serving(tmp_path) as (origin, media), ForwardProxy(kind) as proxy:
        port = int(origin.rpartition(":")[2])
        with watched({proxy.thread}) as egress:
            async with meeting(origin, proxy) as (ada, bo):
                await until(lambda: min(ada.frames(), bo.frames()) > FRAMES, "no media")
                assert await answers(origin, Proxy.parse(proxy.url))
        only_by(proxy, egress)
        # two connections for Ada (room and lobby), two for Bo, one HEAD; and media of both
        assert set(proxy.asked) == {(NAME, port), (NAME, media)}
        assert proxy.asked.count((NAME, media)) >= 2
        assert not ada.alarms("media_unreachable") + bo.alarms("media_unreachable")


async def test_where_the_proxy_refuses_media_there_is_none_and_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_MEDIA_RETRY_PROXY", 0.1)
    open_ports: set[int] = set()
    with (
        serving(tmp_path) as (origin, media),
        ForwardProxy(
            "socks5", refuse=lambda asked: 2 if {asked[1]} & {media} - open_ports else None
        ) as proxy,
        watched({proxy.thread}) as egress,
    ):
        async with meeting(origin, proxy) as (ada, bo):
            await until(lambda: proxy.asked.count((NAME, media)) > 6, "it is not tried again")
            assert ada.alarms("media_unreachable") == [
                "With the proxy you take part without audio and video: the proxy does not allow this "
                "connection (SOCKS5 2)."
            ]
            assert ada.frames() == 0
            # nobody is to conclude that the server keeps media from us
            assert ada.selections() == [ev.SelectStreams(())]
            open_ports.add(media)
            await until(lambda: min(ada.frames(), bo.frames()) > FRAMES, "no media after all")
            assert ada.selections() == [ev.SelectStreams(()), ev.SelectStreams(None)]
        only_by(proxy, egress)


async def test_a_server_without_tcp_gets_no_media_and_is_not_even_tried(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "media_tcp = false") as (origin, media),
        ForwardProxy("socks5") as proxy,
        watched({proxy.thread}) as egress,
    ):
        async with meeting(origin, proxy) as (ada, _):
            await until(lambda: bool(ada.alarms("media_unreachable")), "nothing was said")
            [text] = ada.alarms("media_unreachable")
            assert ada.selections() == [ev.SelectStreams(())]
            assert text.endswith(
                "this server takes audio and video over UDP only, which does not go through a proxy."
            )
        only_by(proxy, egress)
        assert (NAME, media) not in proxy.asked


async def test_a_proxy_that_goes_away_is_not_gone_around(tmp_path: Path) -> None:
    """The meeting waits for the proxy, and nobody accuses the server."""
    with (
        serving(tmp_path) as (origin, _),
        ForwardProxy("socks5") as proxy,
        watched({proxy.thread}) as egress,
    ):
        async with meeting(origin, proxy, Options()) as (ada, _):
            proxy.stop()

            def away() -> list[str]:
                return [e.text for e in ada.events if isinstance(e, ev.Status) and e.kind == "away"]

            await until(lambda: any("can't reach the server" in text for text in away()), f"{ada.events}")
            assert not ada.alarms("dropped")
        only_by(proxy, egress)


async def test_a_refusal_by_the_proxy_is_no_act_of_the_server(tmp_path: Path) -> None:
    """The proxy would carry a question by HTTP next: as if the server answered, and refused WebSockets."""
    with (
        serving(tmp_path) as (origin, _),
        ForwardProxy("socks5", refuse=lambda asked: 1 if len(proxy.asked) == 1 else None) as proxy,
    ):
        session = Session.host(origin=origin, name="Ada", now=time.time(), options=SLOW)
        through = Proxy.parse(proxy.url)
        held = Noting(session, make_engine=lambda *_: None, on_event=lambda event: None, proxy=through)
        held.fed = []
        running_now = asyncio.create_task(held.run())
        try:
            await until(lambda: any(isinstance(each, ev.Lost) for each in held.fed), "it was not refused")
            [lost] = [each for each in held.fed if isinstance(each, ev.Lost)]
            assert isinstance(lost.why, Sentence)
            assert (lost.answered, lost.why.key) == (False, "terminal.proxy_no_path")
        finally:
            held.feed(ev.Leave())
            await running_now


# -- the program -------------------------------------------------------------------------------


def hears_more(who: Process, frames: int = 50) -> None:
    opened, since = who.events("media")[-1]["opened"], len(who.lines)
    who.wait("media", lambda e: e["opened"] > opened + frames, since)


def test_the_program_sends_media_and_goes_to_another_server_through_the_proxy(tmp_path: Path) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(ForwardProxy("http"))
        second, second_media = stack.enter_context(serving(tmp_path))
        first = stack.enter_context(ExitStack())
        origin, media = first.enter_context(serving(tmp_path))
        common = ("--proxy", proxy.url, "--json")
        hosting = ("host", "--server", origin, "--server", second, "--admit", "all", "--name", "Ada", *common)
        with (
            running(*hosting) as ada,
            running("join", ada.wait("invite")["link"], "--name", "Bo", *common) as bo,
        ):
            for who in (ada, bo):
                who.wait("media", lambda e: e["opened"] > 0)
            assert proxy.asked.count((NAME, media)) >= 2
            first.close()
            for who in (ada, bo):
                who.wait("status", lambda e: e["text"] == f"The meeting goes on at {second}.")
                hears_more(who)
            assert (NAME, second_media) in proxy.asked
            for who in (bo, ada):
                who.send({"leave": True})
                assert who.status() == 0, who.errors
        assert {host for host, _ in proxy.asked} == {NAME}


def test_a_host_returns_through_the_proxy(tmp_path: Path) -> None:
    phrase, kept = tmp_path / "phrase", tmp_path / "kept"
    phrase.write_text("correct horse\n")
    with serving(tmp_path) as (origin, _), ForwardProxy("socks5") as proxy:
        common = ("--passphrase-file", str(phrase), "--proxy", proxy.url, *NO_MEDIA, "--json")
        with running("host", "--server", origin, "--keep", str(kept), *common) as ada:
            ada.wait("invite")
            ada.signal(signal.SIGKILL)
            ada.status()
        before = len(proxy.asked)
        with running("host", "--return", str(kept), "--for", "3s", *common) as again:
            again.wait("status", lambda e: e["kind"] == "returning")
            assert again.status() == Status.NOT_ADMITTED, again.lines
        assert len(proxy.asked) > before
        assert {host for host, _ in proxy.asked} == {NAME}


def test_a_host_reaches_the_server_that_it_carries_without_the_proxy() -> None:
    """That server is on the host's own machine: the proxy would look for it on its own."""
    port = free_port()
    carried = ("--landlord", f"127.0.0.1:{port}", "--landlord-origin", f"http://{NAME}:{port}")
    with ForwardProxy("socks5") as proxy:
        common = ("--proxy", proxy.url, "--json")
        with running("host", *carried, "--admit", "all", "--name", "Ada", *common) as ada:
            link = ada.wait("invite")["link"]
            ada.wait("roster")
            assert proxy.asked == []
            with running("join", link, "--name", "Bo", *common) as bo:
                for who in (ada, bo):
                    who.wait("media", lambda e: e["opened"] > 0)
                for who in (bo, ada):
                    who.send({"leave": True})
                    assert who.status() == 0, who.errors
        assert (NAME, port) in proxy.asked
        assert {host for host, _ in proxy.asked} == {NAME}
