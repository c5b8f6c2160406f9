"""The SFU's limits as settings: names, bounds, and their effect on a server's SFU."""

from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from snugroom.server import config
from snugroom.server.app import Server
from snugroom.server.config import ConfigError, Settings
from snugroom.server.sfu.core import Effect, Forwarding, SendRtcp
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire import rtcp
from snugroom.wire.messages import Media, Refused, Stream, Transport
from tests.media_server.conftest import until
from tests.media_server.peer import Peer
from tests.server.wire_clients import quiet, visiting

SECONDS = (0, -1, 86401, math.nan, math.inf)
#: For every name: a value that is not the default, and values that are out of bounds.
VALUES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "peers": (3, (0, 10_000_001, 1.5, "many")),
    "streams_per_peer": (2, (0, 9)),
    "addresses_per_peer": (3, (2, 65)),
    "room_part": (2, (0, 10_000_001)),
    "rtcp_sources": (1, (0, 1025)),
    "retired_ssrcs": (1, (0, 65_537)),
    "video_cache": (1024, (0, -4, 500, 65_536)),
    "audio_cache": (1, (0, 3, 65_536)),
    "cache_time": (0.5, SECONDS),
    "video_bitrate": (1_000_000, (0, 10**13)),
    "audio_bitrate": (8_000, (7_999, 10**13)),
    "member_bitrate": (1_000_000, (7_999, 10**13)),
    "room_bitrate": (1_000_000, (7_999, 10**13)),
    "total_bitrate": (1_000_000, (7_999, 10**13)),
    "rtcp_rate": (1, (0, -1, 1e10, math.nan)),
    "rtcp_burst": (1, (0,)),
    "nack_rate": (0.5, (0, -1, 1e10, math.nan)),
    "nack_burst": (1, (0,)),
    "remb_floor": (2_000_000, (0, 2_000_001)),
    "ask_rate": (5.0, (0,)),
    "ask_burst": (5, (0,)),
    "key_frame_rate": (5.0, (0,)),
    "key_frame_burst": (5, (0,)),
    "remb_ceiling": (100_000, (0, 99_999)),
    "receiver_start": (100_000, (0, 7_999)),
    "receiver_floor": (8_000, (0, 7_999)),
    "receiver_ceiling": (8_000, (0, 7_999)),
    "socket_buffer": (4096, (4095, 2**31)),
    "handshake_time": (1, SECONDS),
    "handshake_bytes": (4096, (4095, 2**25)),
    "handshake_tries": (1, (0, 1001)),
    "tcp_connections": (3, (0, 10_000_001)),
    "tcp_per_address": (3, (0, 10_000_001)),
    "tcp_buffer": (8192, (8191, 2**25)),
    "tcp_time": (1, SECONDS),
    "tcp_stall": (1, SECONDS),
    "idle": (12, SECONDS),
    "address_hold": (0.5, SECONDS),
    "rebinding": (0.5, SECONDS),
    "remb_age": (0.5, SECONDS),
    "gap": (0, (-1, 0x8000)),
    "nack_delays": ([], (0.1, [0], [0.1] * 17, ["soon"])),
    "pli_interval": (0.5, SECONDS),
    "sr_interval": (0.5, SECONDS),
    "report_interval": (0.5, SECONDS),
    "beat": (0.25, SECONDS),
    "drain": (1, (0, 1025)),
    "batched": (False, (1, "no")),
    "tick": (0.5, (0, 1.1, math.nan)),
    "lag_max": (0.1, SECONDS),
}


def refused() -> list[tuple[str, Any]]:
    return [(name, value) for name, (_, values) in VALUES.items() for value in values]


# -- the file --------------------------------------------------------------------------------------------


def test_every_limit_is_documented_and_tested_here() -> None:
    names = MediaLimits.__struct_fields__
    assert set(names) == set(VALUES)
    assert MediaLimits.__doc__ is not None
    words = MediaLimits.__doc__.replace(":", " ").replace(",", " ").split()
    assert [name for name in names if name not in words] == []


def test_defaults_are_within_their_own_bounds() -> None:
    assert msgspec.convert(msgspec.to_builtins(MediaLimits()), MediaLimits) == MediaLimits()


@pytest.mark.parametrize("name", VALUES)
def test_a_file_changes_the_one_that_it_names(tmp_path: Path, name: str) -> None:
    value = VALUES[name][0]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    file = tmp_path / "snug.toml"
    file.write_text(f"max_members = 7\n[media]\n{name} = {text}\n")
    settings = config.load(file)
    changed = tuple(value) if isinstance(value, list) else value
    assert getattr(MediaLimits(), name) != changed
    assert settings == Settings(
        max_members=7, media=msgspec.structs.replace(MediaLimits(), **{name: changed})
    )


@pytest.mark.parametrize(("name", "value"), refused())
def test_the_error_names_a_setting_out_of_bounds(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name) as error:
        config.checked({"media": {name: value}})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[media]\nvideo_cash = 512", "there is no setting 'media.video_cash'"),
        ("[media]\nmax_members = 3", "there is no setting 'media.max_members'"),
        ("video_cache = 512", "there is no setting 'video_cache'"),
        ('"media.video_cache" = 512', "there is no setting 'media.video_cache'"),
        ("[media.audio]\ncache = 512", "there is no setting 'media.audio'"),
        ("media = 3", "media"),
        ("[[media]]\npeers = 3", "media"),
    ],
)
def test_the_error_names_an_unknown_setting(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "snug.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        config.load(file)


def test_contradictory_limits_cannot_be_made_in_code() -> None:
    with pytest.raises(ValueError, match="power of two"):
        MediaLimits(audio_cache=48)
    with pytest.raises(ValueError, match="remb_floor"):
        msgspec.structs.replace(MediaLimits(), remb_floor=1 << 30)


# -- the server ------------------------------------------------------------------------------------------


async def test_the_servers_sfu_has_the_limits_of_the_settings() -> None:
    server = Server(quiet(media=MediaLimits(peers=1, streams_per_peer=1)), in_process=True)
    async with visiting(await server.start(), server) as place:
        try:
            ada, bob = await (await place.guest()).member(), await (await place.guest()).member()

            def media(*ssrcs: int) -> Media:
                streams = [Stream(ssrc=ssrc, kind="audio") for ssrc in ssrcs]
                return Media(ufrag="abcd", password="p" * 24, fingerprint=bytes(32), streams=streams)

            await ada.say(media(1, 2))
            assert (await ada.until(Refused)).code == "media"
            await ada.say(media(1))
            await ada.until(Transport)
            await bob.say(media(3))
            assert (await bob.until(Refused)).code == "media"
        finally:
            await server.stop()


async def test_socket_buffers_and_reading_are_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    class Socket(socket.socket):
        def setsockopt(self, *arguments: Any) -> None:
            asked.append(arguments[1:])
            super().setsockopt(*arguments)

    monkeypatch.setattr(socket, "socket", Socket)
    for batched in (True, False):
        sfu = Sfu(address="127.0.0.1", limits=MediaLimits(socket_buffer=65_536, drain=3, batched=batched))
        await sfu.start()
        monkeypatch.undo()
        peer = Peer()
        try:
            assert asked[:2] == [(socket.SO_RCVBUF, 65_536), (socket.SO_SNDBUF, 65_536)]
            peer.transport = sfu.join(b"r" * 16, b"handle..", peer.media)
            for _ in range(10):
                peer.send(bytes(20))
            assert sfu.totals().get("garbage", 0) == 0
            sfu._readable()  # one turn of the event loop
            assert sfu.totals()["garbage"] == 3
            await until(lambda sfu=sfu: sfu.totals()["garbage"] == 10)
        finally:
            peer.close()
            sfu.close()


async def test_timers_are_looked_at_as_often_as_set() -> None:
    looks: list[float] = []

    def clock() -> float:
        looks.append(0.0)
        return 1000.0

    slow = Sfu(address="127.0.0.1", limits=MediaLimits(tick=1e6), clock=clock)
    await slow.start()
    quick = Sfu(address="127.0.0.1", limits=MediaLimits(tick=0.001))
    await quick.start()
    ticks: list[float] = []
    quick._clock = lambda: ticks.append(0.0) or 1000.0  # type: ignore[func-returns-value]
    try:
        await until(lambda: len(ticks) >= 5)
        assert looks == []
    finally:
        slow.close()
        quick.close()


# -- the core --------------------------------------------------------------------------------------------

VIDEO = Stream(ssrc=7, kind="video")


def core(**limits: Any) -> Forwarding[str]:
    made = Forwarding[str](MediaLimits(**limits))
    made.subscriptions.join(b"r" * 16, "ada", [VIDEO], 0.0)
    made.subscriptions.join(b"r" * 16, "bob", [], 0.0)
    made.subscriptions.ready("ada", True, 0.0)
    made.subscriptions.ready("bob", True, 0.0)
    return made


def key_frames_asked(effects: list[Effect[str]]) -> int:
    return sum(isinstance(e, SendRtcp) and e.data == rtcp.key_frame_request(1, VIDEO.ssrc) for e in effects)


def test_key_frames_are_asked_for_as_often_as_set() -> None:
    sparing = core(pli_interval=2.0)
    pli = [rtcp.KeyFrameRequest(VIDEO.ssrc)]
    assert key_frames_asked(sparing.on_rtcp("bob", pli, 0.5)) == 0
    assert key_frames_asked(sparing.on_rtcp("bob", pli, 1.5)) == 0
    # asked in between: late, but not forgotten
    assert key_frames_asked(sparing.tick(1.9)) == 0
    assert key_frames_asked(sparing.tick(2.1)) == 1
    assert key_frames_asked(sparing.on_rtcp("bob", pli, 4.2)) == 1


@pytest.mark.parametrize(("age", "told"), [(1.0, 2_000_000), (9.0, 262_144)])
def test_an_estimate_counts_as_long_as_set(age: float, told: int) -> None:
    lasting = core(remb_age=age)
    track = lasting.subscriptions.find("ada", VIDEO.ssrc)
    assert track is not None
    lasting.on_rtp(track, bytes([0x80, 96, 0, 1]) + bytes(20), 0.0)
    lasting.on_rtcp("bob", [rtcp.Remb(1 << 18)], 0.1)
    lasting.tick(0.2)
    effects = lasting.tick(5.0)
    found = [i for e in effects if isinstance(e, SendRtcp) for i in rtcp.parse(e.data)]
    bitrates = [item.bitrate for item in found if isinstance(item, rtcp.Remb)]
    assert bitrates == [pytest.approx(told, rel=0.001)]
