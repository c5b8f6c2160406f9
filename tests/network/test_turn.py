"""Credentials for relays: their form, and coturn accepts them until they lapse."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioice import stun, turn

from snugroom.server import config
from snugroom.server.app import Server, StartError
from snugroom.server.config import ConfigError, Settings
from snugroom.server.sfu.io.turn import TurnServer, credential, with_credentials
from snugroom.server.sfu.sfu import Sfu
from snugroom.server.wire.messages import Media
from tests.network import coturn

URL = "turn:relay.example:443?transport=tcp"


def test_the_name_says_when_it_lapses_and_nobodys_name() -> None:
    username, password = credential("secret", 1_764_090_000.7, 600.0, b"\1" * 8)
    assert username == "1764090600:0101010101010101"
    tag = hmac.new(b"secret", username.encode(), hashlib.sha1).digest()  # as coturn documents it
    assert password == base64.b64encode(tag).decode()


def test_each_answer_has_credentials_of_its_own_time() -> None:
    now = 1_764_090_000.0
    sfu = Sfu(
        address="127.0.0.1", turn=[TurnServer(urls=[URL], secret="s")], turn_time=60.0, wall=lambda: now
    )

    async def told(handle: bytes) -> list[str]:
        media = Media(ufrag="abcd", password="p" * 24, fingerprint=bytes(32), streams=[])
        return [each.username for each in sfu.join(b"r" * 16, handle, media).turn]

    async def both() -> tuple[list[str], list[str]]:
        nonlocal now
        await sfu.start()
        one = await told(b"a" * 8)
        now += 30
        other = await told(b"b" * 8)
        sfu.close()
        return one, other

    (one,), (other,) = asyncio.run(both())
    assert (one.partition(":")[0], other.partition(":")[0]) == ("1764090060", "1764090090")
    assert one.partition(":")[2] != other.partition(":")[2]


def test_settings_name_urls_and_a_secret_or_its_file(tmp_path: Path) -> None:
    file = tmp_path / "snug.toml"
    file.write_text(f'turn_time = 60\n[[turn]]\nurls = ["{URL}"]\nsecret = "abc"\n')
    settings = config.load(file)
    assert settings.turn == [TurnServer(urls=[URL], secret="abc")]
    assert [each.urls for each in with_credentials(settings.turn, 0.0, settings.turn_time, os.urandom)] == [
        [URL]
    ]
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
    (offer,) = with_credentials([relay], time.time(), 60.0, os.urandom)
    assert coturn.FIRST <= await allocate(relay, offer.username, offer.credential) <= coturn.LAST


@pytest.mark.parametrize("wrong", ["lapsed", "another secret", "extended"])
async def test_coturn_refuses_what_has_lapsed_or_is_made_up(relay: TurnServer, wrong: str) -> None:
    assert relay.secret is not None
    now = time.time()
    username, password = {
        "lapsed": credential(relay.secret, now - 120, 60.0, bytes(8)),
        "another secret": credential("guessed", now, 60.0, bytes(8)),
        "extended": (f"{int(now) + 10**6}:{'0' * 16}", credential(relay.secret, now, 60.0, bytes(8))[1]),
    }[wrong]
    with pytest.raises(stun.TransactionFailed):
        await allocate(relay, username, password)
