"""/metrics: in Prometheus's format, totals alone, for this machine alone, and off unless asked for."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from snugroom.server import __main__
from snugroom.server.app import Server
from snugroom.server.config import ConfigError, Settings
from snugroom.server.disclosure import metrics
from snugroom.server.disclosure.metrics import Metrics
from snugroom.wire.messages import Refused, Streams, Transport
from tests.media_server.peer import Peer, rtp
from tests.server.people import DOOR, NUMBER, ROOM_ADMIN, lobby_door, media
from tests.server.test_process import fails, running
from tests.server.wire_clients import CLIENT_ADDRESS, Guest, Place, quiet, visiting

#: The text format 0.0.4: comments, and samples with or without labels.
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)')


def parse(text: str) -> dict[tuple[str, str], float]:
    """Values by name and labels; every line is of the format, every name has its help and type before it."""
    assert text.endswith("\n")
    found: dict[tuple[str, str], float] = {}
    helped, typed, last = set(), {}, ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            last = line.split(" ")[2]
            assert last not in helped, "all values of a name stand together"
            helped.add(last)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == last
            assert kind in ("gauge", "counter")
            assert name.endswith("_total") == (kind == "counter")
            typed[name] = kind
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] == last
            assert (sample[1], sample[2] or "") not in found
            found[sample[1], sample[2] or ""] = float(sample[3])
    assert helped == set(typed)
    return found


@dataclass
class Scene:
    """A server with two members, who have media, one in a lobby, and its metrics."""

    server: Server
    place: Place
    members: list[Guest]
    peers: list[Peer]
    url: str
    known: list[str]  # what is somebody's, in all forms

    async def text(self) -> str:
        async with self.place.http.get(self.url) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == metrics.CONTENT_TYPE
            assert answer.headers["Cache-Control"] == "no-store"
            return await answer.text()


@asynccontextmanager
async def scene(workers: int = 0) -> AsyncIterator[Scene]:
    """`workers` 0: media in this process."""
    server = Server(quiet(page=False, workers=workers or 1), in_process=not workers)
    url = await server.start()
    counting = Metrics(server, "127.0.0.1:0")
    peers = [Peer((1111111111, "audio"), (1222222222, "video")), Peer((1333333333, "audio"))]
    try:
        at = await counting.start()
        async with visiting(url, server) as place:
            members = [await (await place.guest()).member() for _ in peers]
            lobby = await place.guest()
            await lobby.say(lobby_door(lobby.challenge.origin, lobby.challenge.nonce, ROOM_ADMIN))
            for who, peer in zip(members, peers, strict=True):
                await who.say(peer.media)
                await peer.connect(await who.until(Transport))
                await who.until(Streams)
            for sequence in range(6):
                peers[0].send_rtp(rtp(1222222222, sequence, bytes(300), timestamp=sequence * 3000))
            await peers[1].until(lambda: len(peers[1].rtp) == 6)
            await members[1].say(media(1222222222))  # taken
            assert (await members[1].until(Refused)).code == "ssrc"
            secrets = [NUMBER, bytes(DOOR.verify_key), bytes(ROOM_ADMIN.verify_key)]
            secrets += [who.handle for who in [*members, lobby] if who.handle]
            secrets += [who.challenge.nonce for who in [*members, lobby]]
            known = [form for s in secrets for form in (s.hex(), base64.b64encode(s).decode(), repr(s)[2:-1])]
            known += [str(ssrc) for ssrc in (1111111111, 1222222222, 1333333333)]
            known += [f"{ssrc:x}" for ssrc in (1111111111, 1222222222, 1333333333)]
            known += [CLIENT_ADDRESS, "127.0.0.1", *(str(p.socket.getsockname()[1]) for p in peers)]
            known += [text for p in peers for text in (p.ufrag, p.password)]
            yield Scene(server, place, members, peers, at, known)
    finally:
        for peer in peers:
            peer.close()
        await counting.stop()
        await counting.stop()  # harmless
        await server.stop()


@pytest.mark.parametrize("workers", [0, 2])
async def test_totals_and_nothing_of_anybody(workers: int) -> None:
    async with scene(workers) as at:
        text = await at.text()
        values = parse(text)

        def total(name: str) -> float:
            return sum(value for (of, _), value in values.items() if of == name)

        assert (total("snug_connections"), total("snug_rooms"), total("snug_lobbies")) == (3, 1, 1)
        assert (total("snug_media_peers"), total("snug_media_peers_ready")) == (2, 2)
        assert total("snug_media_packets_received_total") == 6
        assert total("snug_media_packets_forwarded_total") == 6
        assert total("snug_media_handshakes_total") == 2
        assert values["snug_refusals_total", 'code="ssrc"'] == 1
        for name in (
            "nacks",
            "packets_resent",
            "packets_unsent",
            "key_frame_requests",
            "errors",
            "packets_lost",
        ):
            assert ("snug_media_" + name + "_total", 'worker="0"') in values, "what has not happened yet is 0"
        numbers = {labels for of, labels in values if of == "snug_cpu_seconds_total"}
        assert numbers == {f'worker="{n}"' for n in range(workers or 1)}
        assert all(values["snug_resident_memory_bytes", number] > 2**20 for number in numbers)
        assert ("snug_media_workers" in {name for name, _ in values}) is (workers > 0)
        for secret in at.known:
            assert secret.lower() not in text.lower(), secret
        # by worker, code, reason and event, and by nothing else
        assert set(re.findall(r'([a-z]+)="', text)) <= {"worker", "code", "reason", "event"}


async def test_a_refused_packet_is_counted_by_its_reason() -> None:
    async with scene() as at:
        at.peers[0].send_rtp(rtp(1222222222, 9, b"x", kind="audio"))
        while True:
            values = parse(await at.text())
            if refused := {k: v for k, v in values.items() if k[0] == "snug_media_packets_refused_total"}:
                break
        [(_, labels)] = refused
        assert labels.startswith('worker="0",reason="')
        assert sum(refused.values()) == 1


def test_unknown_labels_become_other() -> None:
    page = metrics.Page()
    family = ("snug_refusals_total", "counter", "Refusals.")
    for label in ("ssrc", "0a1b2c", "203.0.113.7", 'a"b', "a\nb", "", "Ada", "10.0.0.1"):
        page.put(family, 1, code=label)
    assert list(page.lines())[2:] == [
        'snug_refusals_total{code="ssrc"} 1',
        'snug_refusals_total{code="other"} 7',
    ]


async def test_another_name_for_this_machine_is_answered_nothing() -> None:
    async with scene() as at:
        for host in ("evil.example", "127.0.0.1"):
            async with at.place.http.get(at.url, headers={"Host": host}) as answer:
                assert answer.status == 403
        for path in ("", "/", "/now", "/disclosure"):
            async with at.place.http.get(at.url.removesuffix("/metrics") + path) as answer:
                assert answer.status == 404
        async with at.place.http.post(at.url) as answer:
            assert answer.status == 405
        async with at.place.http.get(at.place.url + "/metrics") as answer:
            assert answer.status == 404, "not where everybody connects"


async def test_it_is_off_unless_asked_for_and_for_this_machine_alone(tmp_path: Path) -> None:
    assert Settings().metrics is None
    assert metrics.loopback_address("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert metrics.loopback_address("localhost:1") == ("127.0.0.1", 1)
    assert metrics.loopback_address("[::1]:1") == ("::1", 1)
    for wrong in ("0.0.0.0:9464", "[::]:1", "192.0.2.1:80", "meet.example:80", "9464"):
        with pytest.raises(ConfigError):
            metrics.loopback_address(wrong)
    file = tmp_path / "snug.toml"
    file.write_text('metrics = "0.0.0.0:1"\n')
    with pytest.raises(ConfigError, match=r"loopback address, .* and not on 0\.0\.0\.0"):
        __main__._settings(__main__.parser().parse_args(["--config", str(file)]))
    assert __main__._settings(__main__.parser().parse_args(["--metrics"])).metrics == "127.0.0.1:9464"
    status, errors = await fails("--listen", "127.0.0.1:0", "--metrics", "192.0.2.1:9464")
    assert status == 2
    assert (
        errors
        == "snug-server: metrics are served on a loopback address, like 127.0.0.1, and not on 192.0.2.1\n"
    )


async def test_a_process_with_metrics() -> None:
    async with running("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0") as process:
        url = (await process.line()).removeprefix("metrics ")
        async with visiting(process.url) as place, place.http.get(url) as answer:
            assert parse(await answer.text())["snug_connections", ""] == 0
        taken = url.removeprefix("http://").removesuffix("/metrics")
        status, errors = await fails("--listen", "127.0.0.1:0", "--metrics", taken)
        assert status == 3
        assert "in use" in errors
        assert (await process.end())[0] == 0
