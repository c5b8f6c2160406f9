"""Credentials for relays: their form, and coturn accepts them until they lapse."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioice import stun, turn

from snugroom.server import config
from snugroom.server.app import Server, StartError
from snugroom.server.config import ConfigError, Settings
from snugroom.server.rooms.clients import WIDER
from snugroom.server.rooms.relays import Relays, credential, name
from snugroom.server.turn import TurnServer
from snugroom.wire.messages import Media, Transport
from tests.exhaustion.storms import PROXY, STRANGER, behind_proxy, coming_from
from tests.hosting.turn_client import Order, take
from tests.network import coturn
from tests.server.wire_clients import serving

URL = "turn:relay.example:443?transport=tcp"


def test_the_name_says_when_it_lapses_and_nobodys_name() -> None:
    client = name("secret", bytes([192, 0, 2, 1]))
    username, password = credential("secret", 1_764_090_000.7, 600.0, client)
    assert re.fullmatch(r"1764091200:[0-9a-f]{16}", username)
    tag = hmac.new(b"secret", username.encode(), hashlib.sha1).digest()  # as coturn documents it
    assert password == base64.b64encode(tag).decode()
    assert "192" not in client
    assert "c0000201" not in client


def test_one_client_has_one_name_for_a_lifetime_and_at_all_nodes() -> None:
    """The name outlives each lifetime: with new ones a client would collect ports, which outlive them too."""
    prefix = bytes([192, 0, 2, 1])
    start = 1_764_090_000.0
    told = {credential("s", start + t, 600.0, name("s", prefix))[0] for t in (0, 1, 599.9)}
    assert len(told) == 1
    (one,) = told
    assert int(one.partition(":")[0]) >= start + 599.9 + 600.0
    later = credential("s", start + 600, 600.0, name("s", prefix))[0]
    assert one.partition(":")[2] == later.partition(":")[2]
    assert one != later
    # another client, or a server with another secret
    others = [name("s", bytes([192, 0, 2, 2])), name("t", prefix), name("s", prefix + bytes(4))]
    assert len({name("s", prefix), *others}) == 4


def test_a_network_of_48_bits_has_few_names() -> None:
    network = bytes.fromhex("20010db80001")
    names = {name("s", network + number.to_bytes(2, "big")) for number in range(2000)}
    assert len(names) == WIDER
    assert names.isdisjoint({name("s", bytes.fromhex("20010db80002") + bytes(2))})


def test_connections_without_an_address_have_names_of_their_own() -> None:
    assert name("s", b"", b"a") == name("s", b"", b"a") != name("s", b"", b"b")


async def test_many_sockets_of_one_client_get_one_name_and_its_neighbour_another() -> None:
    """However often they ask."""
    relay = TurnServer(urls=[URL], secret="s")
    settings = behind_proxy(turn=[relay])
    async with serving(settings) as place, coming_from(STRANGER, place) as storm:
        usernames: dict[str, set[str]] = {STRANGER: set(), PROXY: set()}
        for number in range(9):
            guest = await (await storm.guest() if number else await place.guest()).member()
            for password in ("p" * 24, "q" * 24):
                await guest.say(Media(ufrag="abcd", password=password, fingerprint=bytes(32), streams=[]))
                (told,) = (await guest.until(Transport)).turn
                usernames[STRANGER if number else PROXY].add(told.username.partition(":")[2])
        assert [len(each) for each in usernames.values()] == [1, 1]
        assert usernames[STRANGER] != usernames[PROXY]
        assert name("s", bytes([127, 0, 6, 6])) in usernames[STRANGER]


def test_settings_name_urls_and_a_secret_or_its_file(tmp_path: Path) -> None:
    file = tmp_path / "snug.toml"
    file.write_text(f'turn_time = 60\n[[turn]]\nurls = ["{URL}"]\nsecret = "abc"\n')
    settings = config.load(file)
    assert settings.turn == [TurnServer(urls=[URL], secret="abc")]
    assert [each.urls for each in Relays(settings.turn, settings.turn_time).told(None, b"")] == [[URL]]
    kept = tmp_path / "secret"
    kept.write_text("from a file\n")
    assert TurnServer(urls=[URL], secret_file=str(kept)).read().secret == "from a file"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'urls = ["{URL}"]', "turn\\[0\\] needs either secret or secret_file"),
        (f'urls = ["{URL}"]\nsecret = "a"\nsecret_file = "/b"', "either"),
        ('urls = ["https://relay.example"]\nsecret = "a"', "turn"),
        ('urls = []\nsecret = "a"', "turn"),
        ('secret = "a"', "urls"),
        (f'urls = ["{URL}"]\nsecrets = "a"', "secrets"),
        (f'urls = ["{URL}"]\nsecret = ""', "secret"),
    ],
)
def test_settings_that_name_no_relay_are_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "snug.toml"
    file.write_text(f"[[turn]]\n{text}\n")
    with pytest.raises(ConfigError, match=says):
        config.load(file)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), (b"", "no text"), (b"\xff\xfe", "no text")]
)
async def test_a_secret_that_can_not_be_read_is_said(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    relay = TurnServer(urls=[URL], secret_file=str(file))
    server = Server(Settings(listen="127.0.0.1:0", page=False, turn=[relay]))
    with pytest.raises(StartError, match=says):
        await server.start()
    await server.stop()


# -- coturn --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnServer]:
    with coturn.running(tmp_path_factory.mktemp("coturn"), "127.0.0.1") as server:
        yield server


async def allocate(relay: TurnServer, username: str, password: str) -> int:
    """The port of a relayed address; stun.TransactionFailed if coturn refuses."""
    host, port = relay.urls[0].removeprefix("turn:").partition("?")[0].split(":")
    transport, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol, (host, int(port)), username=username, password=password
    )
    relayed: tuple[str, int] = transport.get_extra_info("sockname")
    transport.close()
    return relayed[1]


async def test_coturn_takes_our_credentials(relay: TurnServer) -> None:
    (offer,) = Relays([relay], 60.0).told(None, b"a handle")
    assert coturn.FIRST <= await allocate(relay, offer.username, offer.credential) <= coturn.LAST


@pytest.mark.parametrize("wrong", ["lapsed", "another secret", "extended"])
async def test_coturn_refuses_what_has_lapsed_or_is_made_up(relay: TurnServer, wrong: str) -> None:
    assert relay.secret is not None
    now = time.time()
    username, password = {
        "lapsed": credential(relay.secret, now - 180, 60.0, "00"),
        "another secret": credential("guessed", now, 60.0, "00"),
        "extended": (f"{int(now) + 10**6}:{'0' * 16}", credential(relay.secret, now, 60.0, "0" * 16)[1]),
    }[wrong]
    with pytest.raises(stun.TransactionFailed):
        await allocate(relay, username, password)


async def test_one_client_with_many_credentials_leaves_the_relay_to_others(tmp_path: Path) -> None:
    """With credentials of as many moments as it likes. coturn compares names without their seconds."""
    quota = 5
    with coturn.running(tmp_path, "127.0.0.1", f"user-quota={quota}", "total-quota=50") as relay:
        assert relay.secret is not None
        host, port = relay.urls[0].removeprefix("turn:").partition("?")[0].split(":")
        now, client = time.time(), name(relay.secret, bytes([192, 0, 2, 1]))
        offers = [credential(relay.secret, now + 60.0 * number, 60.0, client) for number in range(20)]
        assert len({username for username, _ in offers}) == 20
        codes = await take([Order(host, int(port), *offer, peers=[]) for offer in offers])
        assert codes == [0] * quota + [486] * (20 - quota)
        neighbour = credential(relay.secret, now, 60.0, name(relay.secret, bytes([192, 0, 2, 2])))
        assert await take([Order(host, int(port), *neighbour, peers=[])]) == [0]
