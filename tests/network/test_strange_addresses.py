"""No connection is made to an address to which a meeting does not lead: judged where it is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import pytest
from aiohttp import ClientConnectorError, WSMessage, WSMsgType
from aiohttp.abc import AbstractResolver, ResolveResult

from snugroom.client import connection as connections
from snugroom.client import failures
from snugroom.client.connection import Clock, Connection
from snugroom.client.media import transport as media
from snugroom.client.media.reach import Candidate
from snugroom.client.media.transport import MediaTransport, TransportError
from snugroom.client.proxy import Proxy, http_client
from snugroom.client.reachable import answers
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import HostSeed
from snugroom.wire.messages import Transport
from tests.network.forward_proxy import ForwardProxy, Kind
from tests.patience import PATIENCE

FIRST: Final = "https://meet.example"
PUBLIC: Final = "9.9.9.9"


class Names(AbstractResolver):
    """Answers in turn; the last answer stays. An empty one: there is no such name."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): turns for name, turns in answers.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        turns = self._answers[host]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for each in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def _no_answer(*_: object, **__: object) -> bool:
    return False


@pytest.fixture
async def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that are connected to. Nobody is there, and no packet leaves this machine."""
    found: list[str] = []
    monkeypatch.setattr(connections, "answers", _no_answer)

    async def connect(sock: socket.socket, address: Any) -> None:
        found.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
    return found


@pytest.fixture
async def inside() -> AsyncIterator[tuple[int, list[object]]]:
    """A server inside the network: its port, and all that has connected to it."""
    hits: list[object] = []
    server = await asyncio.start_server(lambda _, writer: hits.append(writer), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], hits
        for each in hits:
            each.close()  # type: ignore[attr-defined]


async def failure(url: str, names: AbstractResolver | None = None, **more: Any) -> BaseException:
    async with http_client(None, public_only=True, resolver=names, **more) as http:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - of any kind: it is looked at
            await http.ws_connect(f"{url}/ws")
        return caught.value


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "64:ff9b::7f00:1"]
)
async def test_a_name_that_leads_inside_is_not_connected_to(dialled: list[str], address: str) -> None:
    names = Names(rebound_example=[[address]])
    error = await failure("http://rebound.example:8080", names)
    assert failures.is_strange(error)
    assert failures.reason(error).key == "room.strange_name"
    assert dialled == []
    assert names.asked == ["rebound.example"]
    literal = f"[{address}]" if ":" in address else address
    assert failures.is_strange(await failure(f"http://{literal}:8080"))
    assert dialled == []


async def test_a_rebound_name_is_judged_at_each_connection_and_looked_up_no_second_time(
    dialled: list[str],
) -> None:
    names = Names(rebound_example=[[PUBLIC], ["127.0.0.1"], [PUBLIC, "10.0.0.1", "::1"], ["10.0.0.1", "::1"]])
    assert not failures.is_strange(await failure("http://rebound.example", names))
    assert dialled == [PUBLIC]
    assert failures.is_strange(await failure("http://rebound.example", names))
    await failure("http://rebound.example", names)
    assert dialled == [PUBLIC, PUBLIC], "only the public one of the three"
    assert failures.is_strange(await failure("http://rebound.example", names))
    assert dialled == [PUBLIC, PUBLIC]
    assert len(names.asked) == 4


async def test_a_probe_is_judged_too(inside: tuple[int, list[object]]) -> None:
    port, hits = inside
    assert not await answers(f"http://127.0.0.1:{port}", public_only=True)
    assert hits == []


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_through_a_proxy_literal_addresses_are_judged_and_names_are_the_proxys(
    inside: tuple[int, list[object]], kind: Kind
) -> None:
    port, hits = inside
    with ForwardProxy(kind, names={"name.example": "127.0.0.1"}) as proxy:
        async with http_client(Proxy(kind, "127.0.0.1", proxy.port), public_only=True, total=2.0) as http:
            with pytest.raises(ClientConnectorError) as caught:
                await http.get(f"http://127.0.0.1:{port}")
            assert failures.is_strange(caught.value)
            assert (proxy.asked, hits) == ([], [])
            asking = asyncio.ensure_future(http.get(f"http://name.example:{port}"))
            async with asyncio.timeout(PATIENCE):
                while not hits:  # noqa: ASYNC110 - the server tells no event
                    await asyncio.sleep(0.01)
            asking.cancel()
        assert proxy.asked == [("name.example", port)]


# -- a participant --------------------------------------------------------------------------------------


async def visit(
    servers: tuple[str, ...], names: Names, until: Callable[[list[ev.Event]], bool], **options: Any
) -> list[ev.Event]:
    """Join a meeting with these further servers; return what was told."""
    link = HostSeed(bytes(32)).invite(FIRST, bytes(16), 0, servers).link()
    told: list[ev.Event] = []
    clock = Clock()
    session = Session.join(link, name="Dana", options=Options(**options), now=clock())
    connection = Connection(
        session,
        make_engine=lambda *_: None,
        on_event=told.append,
        clock=clock,
        resolver=names,
    )
    running = asyncio.ensure_future(connection.run())
    async with asyncio.timeout(PATIENCE):
        while not until(told):  # noqa: ASYNC110 - some conditions are told by no event
            await asyncio.sleep(0.02)
    connection.feed(ev.Leave())
    await running
    return told


def strange(told: list[ev.Event]) -> list[str]:
    return [e.text for e in told if isinstance(e, ev.Status) and e.kind == "strange_server"]


async def test_a_participant_says_once_why_it_does_not_go_there(
    inside: tuple[int, list[object]], dialled: list[str]
) -> None:
    port, hits = inside
    rebound = f"https://rebound.example:{port}"
    names = Names(meet_example=[[PUBLIC]], rebound_example=[["127.0.0.1"]])
    told = await visit((rebound,), names, lambda told: bool(strange(told)) and len(dialled) > 1)
    assert len(strange(told)) == 1
    assert rebound in strange(told)[0]
    assert "its name leads into a private network" in strange(told)[0]
    assert set(dialled) == {PUBLIC}
    assert hits == []
    # a literal one is not even tried
    literal = f"https://127.0.0.1:{port}"
    told = await visit((literal,), Names(meet_example=[[PUBLIC]]), lambda told: len(told) > 2)
    assert len(strange(told)) == 1
    assert set(dialled) == {PUBLIC}


async def test_a_person_may_allow_it(inside: tuple[int, list[object]]) -> None:
    port, hits = inside
    names = Names(meet_example=[["127.0.0.1"]], rebound_example=[["127.0.0.1"]])
    told = await visit((f"http://rebound.example:{port}",), names, lambda _: bool(hits), private_servers=True)
    assert strange(told) == []


async def test_the_first_server_is_the_persons_own_choice(dialled: list[str]) -> None:
    names = Names(meet_example=[["192.168.1.5"]])
    told = await visit((), names, lambda _: bool(dialled))
    assert (set(dialled), strange(told)) == ({"192.168.1.5"}, [])


# -- media ------------------------------------------------------------------------------------------------


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Candidate]]:
    """Candidates to which something would be sent."""
    found: list[Candidate] = []

    def wire(candidate: Candidate, *_: object) -> None:
        found.append(candidate)
        raise OSError

    async def connected(candidate: Candidate) -> socket.socket:
        found.append(candidate)
        raise OSError

    monkeypatch.setattr(media, "UdpWire", wire)
    monkeypatch.setattr(media, "connected", connected)
    return found  # type: ignore[return-value]


def given(address: str, *others: str) -> Transport:
    return Transport("ufrag", "p" * 24, bytes(32), address, 4444, list(others), tcp=True)


async def test_a_server_at_a_public_address_names_no_private_one_for_media(wires: list[Candidate]) -> None:
    link = MediaTransport(public_only=lambda: True)
    with pytest.raises(TransportError) as caught:
        await link.connect(given("10.0.0.1", "::ffff:127.0.0.1", "fd00::1"), 0.2)
    assert caught.value.final, "not again and again"
    assert caught.value.args[0].key == "shell.media_private"
    assert wires == []
    with pytest.raises(TransportError) as caught:
        await MediaTransport(public_only=lambda: True).connect(given("10.0.0.1", PUBLIC), 0.2)
    assert not caught.value.final
    assert {each.address for each in wires} == {PUBLIC}


class _Server:
    """A WebSocket to a server at an address, which ends it at once."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get_extra_info(self, name: str) -> tuple[str, int]:
        assert name == "peername"
        return self._address, 443

    async def receive(self) -> WSMessage:
        return WSMessage(WSMsgType.CLOSE, None, None)

    async def close(self) -> None:
        """It is closed."""


@pytest.mark.parametrize(
    ("address", "anywhere", "sent"),
    [(PUBLIC, False, set()), (PUBLIC, True, {"10.0.0.1"}), ("192.168.1.5", False, {"10.0.0.1"})],
)
async def test_where_the_server_is_decides_where_its_media_may_be(
    wires: list[Candidate], monkeypatch: pytest.MonkeyPatch, address: str, anywhere: bool, sent: set[str]
) -> None:
    options = Options(private_servers=anywhere)
    session = Session.host(origin=FIRST, name="Ada", options=options, now=1e9)
    connection = Connection(session, make_engine=lambda *_: None, on_event=lambda _: None)

    async def opened(_: str) -> _Server:
        return _Server(address)

    monkeypatch.setattr(connection, "_open", opened)
    await connection._talk(ev.ROOM, FIRST, asyncio.Queue())
    with pytest.raises(TransportError):
        await connection.make_link().connect(given("10.0.0.1"), 0.2)
    assert {each.address for each in wires} == sent


async def test_it_is_said_once_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[ev.Event] = []
    session = Session.host(origin=FIRST, name="Ada", now=1e9)
    connection = Connection(
        session, make_engine=lambda *_: None, on_event=told.append, allows=lambda _: False
    )
    monkeypatch.setattr(connections, "_MEDIA_RETRY_PROXY", 0.0)
    monkeypatch.setattr(connection, "_publish", lambda: pytest.fail("it is tried again"))
    why = sentence("shell.media_private", address="10.0.0.1")
    for _ in range(2):
        await connection._media_failed(TransportError(why, final=True))
    (alarm,) = (e for e in told if isinstance(e, ev.Alarm))
    assert alarm.kind == "media_unreachable"
    assert alarm.text.startswith("At this server you take part without audio and video: ")
