"""The doctor's verdicts on Debian's coturn: as once documented, as it should be, and set up wrongly."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from snugroom.server.doctor import judge_media, probe_turn
from snugroom.server.doctor.verdict import Verdict
from snugroom.server.rooms.relays import Relays
from snugroom.server.turn import TurnServer
from tests.network import coturn
from tests.patience import PATIENCE

HOST = "127.0.0.1"


async def judged(server: TurnServer, *media: str) -> list[Verdict]:
    (told,) = Relays([server], 600.0).told(None, b"doctor")
    async with asyncio.timeout(PATIENCE):
        return [
            verdict
            for url in told.urls
            for verdict in judge_media.relay(await probe_turn.relay(url, told, media))
        ]


async def test_a_relay_into_the_operators_network_is_a_problem(tmp_path: Path) -> None:
    with coturn.running(tmp_path, HOST) as server:
        (found,) = await judged(server, HOST)
        assert found.level == "problem"
        for address in ("10.0.0.1", "192.168.0.1", "169.254.169.254"):
            assert address in found.what
        # with another secret, the cause is the secret
        stranger = TurnServer(urls=server.urls, secret="another")
        (found,) = await judged(stranger, HOST)
        assert "different secrets" in found.why
        # the same over TCP
        tcp = TurnServer(urls=[server.urls[0].replace("udp", "tcp")], secret=server.secret)
        (found,) = await judged(tcp, HOST)
        assert "169.254.169.254" in found.what


async def test_a_relay_to_the_media_address_alone_is_well(tmp_path: Path) -> None:
    locked = (f"allowed-peer-ip={HOST}", "denied-peer-ip=0.0.0.0-255.255.255.255")
    with coturn.running(tmp_path, HOST, *locked) as server:
        (found,) = await judged(server, HOST)
        assert found.level == "ok"
        # a relay that knows another media address leads nowhere
        found, *others = await judged(server, "127.0.0.8", HOST)
        assert (found.level, others) == ("problem", [])
        assert "allowed-peer-ip" in found.do


async def test_a_relay_that_is_not_there_or_is_none() -> None:
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        url = f"turn:{HOST}:{closed.getsockname()[1]}?transport=tcp"
        (found,) = await judged(TurnServer(urls=[url], secret="s"), HOST)
        assert found.level == "problem"
        assert "nothing listens" in found.why


async def test_a_silent_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_turn, "TIME", 0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((HOST, 0))
        url = f"turn:{HOST}:{deaf.getsockname()[1]}?transport=udp"
        (found,) = await judged(TurnServer(urls=[url], secret="s"), HOST)
        assert "no answer" in found.why
