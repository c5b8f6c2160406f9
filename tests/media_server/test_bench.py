"""`snug bench forward`, on a small scale, measures what it says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys

import pylibsrtp
import pytest

from snugroom.lab.bench import forward
from snugroom.lab.bench.forwarding import command
from snugroom.lab.bench.forwarding import loop as bench_loop
from snugroom.server.sfu.core import Forwarding
from snugroom.server.sfu.core.tracks import Track
from snugroom.server.sfu.io import mmsg, srtp
from tests.media_server.peer import rtp

COMPILER = any(shutil.which(name) for name in ("cc", "gcc", "clang"))


def twin(key: bytes, *, outbound: bool) -> pylibsrtp.Session:
    """libsrtp by pylibsrtp's own interface."""
    direction = pylibsrtp.Policy.SSRC_ANY_OUTBOUND if outbound else pylibsrtp.Policy.SSRC_ANY_INBOUND
    return pylibsrtp.Session(
        pylibsrtp.Policy(
            key=key, ssrc_type=direction, srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
        )
    )


pytestmark = pytest.mark.skipif(mmsg.load() is None, reason="no sendmmsg here")


def test_it_prints_json_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert forward.run(True, packets=600) == 0
    result = json.loads(capsys.readouterr().out)
    assert [r["fan_out"] for r in result["results"]] == [2, 9, 49]
    for r in result["results"]:
        # five rounds, with UDP_SEGMENT and without, of packets in multiples of 32
        assert r["forwarded"] == 10 * r["fan_out"] * max(32, 600 // r["fan_out"] // 32 * 32)
        assert min(r["path_us"], r["single_us"], r["layers_us"], r["floor_us"]) > 0
        assert r["ratio"] == pytest.approx(r["path_us"] / r["floor_us"], abs=0.01)
        if result["not_compiled"]:
            assert r["compiled_us"] is r["compiled_segmented_us"] is None
        else:
            assert min(r["compiled_us"], r["compiled_segmented_us"]) > 0
    assert bool(result["not_compiled"]) == (not COMPILER)
    assert result["met"] == all(forward.met(r) for r in result["results"][1:])
    assert result["on"] == ["cache", "nack", "rtcp", "extensions"]
    forward._show(result)
    assert "1->49" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "compiled", "kept"),
    [(2.69, None, True), (2.71, None, False), (2.71, 2.2, True), (2.71, 2.1, False), (1.0, 0.5, True)],
)
def test_the_goal_is_a_share_of_the_compiled_loop_or_of_the_floor(
    path: float, compiled: float | None, kept: bool
) -> None:
    assert forward.met({"path_us": path, "floor_us": 2.0, "compiled_us": compiled}) is kept


def test_without_a_compiler_there_is_no_compiled_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(bench_loop.NoCompilerError, match="no C compiler"):
        bench_loop.build()


@pytest.mark.skipif(not COMPILER, reason="no C compiler here")
@pytest.mark.parametrize("run", [1, 8])
def test_the_compiled_loop_forwards_what_each_receiver_can_open(run: int) -> None:
    loop = bench_loop.build()
    profile, keys = srtp.AEAD_AES_128_GCM, [os.urandom(28) for _ in range(4)]
    with contextlib.ExitStack() as stack:
        sender, between, *receivers = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(5)
        ]
        for sock in (between, *receivers):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)
        seal = twin(keys[0], outbound=True)
        clear = [rtp(77, number, bytes([number]) * (500 if number < 24 else 300)) for number in range(32)]
        for packet in clear:
            sender.sendto(seal.protect(packet), between.getsockname())
        sent = loop.forward(
            between.fileno(),
            writing,
            32,
            16,
            run,
            srtp.SrtpSession(profile, keys[0], outbound=False),
            [srtp.SrtpSession(profile, key, outbound=True) for key in keys[1:]],
            [sock.getsockname() for sock in receivers],
            5.0,
        )
        assert sent == 3 * 32
        assert os.read(reading, 9) == b"++"
        for sock, key in zip(receivers, keys[1:], strict=True):
            opened = twin(key, outbound=False)
            assert [opened.unprotect(sock.recv(2048)) for _ in clear] == clear


@pytest.mark.skipif(not COMPILER, reason="no C compiler here")
def test_a_silent_publisher_ends_the_compiled_loop() -> None:
    loop = bench_loop.build()
    session = srtp.SrtpSession(srtp.AEAD_AES_128_GCM, bytes(28), outbound=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(RuntimeError, match="stopped"):
            loop.forward(sock.fileno(), 1, 1, 1, 1, session, [session], [("127.0.0.1", 9)], 0.01)


@pytest.mark.parametrize("off", ["NACK", "extensions"])
async def test_a_path_with_something_switched_off_is_not_measured(
    off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if off == "NACK":
        monkeypatch.setattr(Forwarding, "_resend", lambda *_: [])
    else:
        monkeypatch.setattr("snugroom.wire.rtp.check", lambda *_: None)
    with pytest.raises(RuntimeError, match="switched off"):
        await command.measure(2, 64, 1, [0], None)


async def test_a_path_that_drops_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # a limit on packets that the bench doesn't know of
    monkeypatch.setattr(
        Track, "packet_cost_min", property(lambda track: track.bytes_rate / 200, lambda *_: None)
    )
    with pytest.raises(RuntimeError, match=r"forwarded \d+ of"):
        await command.measure(2, 1280, 1, [0], None)


def test_a_failed_measurement_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert forward.run(True) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the measurement failed" in captured.err
