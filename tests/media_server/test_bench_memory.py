"""`snug bench memory`: the cost of a subscriber is a slope, and the handshake's buffers are given back."""

from __future__ import annotations

import json

import pytest
from OpenSSL import SSL

from snugroom.lab.bench import memory
from snugroom.server.sfu.io import dtls


async def test_rooms_are_filled_and_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_FLOW", 0.3)
    monkeypatch.setattr(memory, "_SETTLE", 0.1)
    assert await memory.run(True, subscribers=4, rooms=2, senders=2, sending=1) == 0
    measured = json.loads(capsys.readouterr().out)
    assert [point["peers"] for point in measured["points"]] == [2, 7, 12]
    assert all(point["packets"] > 0 for point in measured["points"])
    assert [point["peers"] for point in measured["sending"]] == [2, 4]
    both = measured["points"] + measured["sending"]
    assert all(0 < point["own"] < point["resident"] for point in both)
    memory._show(measured)
    shown = capsys.readouterr().out
    assert "a subscriber" in shown
    assert "a member that sends" in shown


async def test_rooms_in_which_nothing_comes_are_not_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_FLOW", -1.0)
    monkeypatch.setattr(memory, "_SETTLE", 0.0)
    assert await memory.run(True, subscribers=1, rooms=1) == 1
    assert "got nothing" in capsys.readouterr().err


def test_the_servers_base_memory_is_not_counted() -> None:
    points = [{"peers": n, "resident": 70_000_000 + 130_000 * n, "own": 9 * n} for n in (2, 52, 102)]
    sending = [{"peers": n, "resident": 60_000_000 + 390_000 * n, "own": 9 * n} for n in (2, 12, 22)]
    measured = memory.summary(49, points, sending)
    assert measured["bytes_a_subscriber"] == 130_000
    assert measured["bytes_a_sender"] == 390_000
    assert measured["met"]
    more = [{"peers": n, "resident": 1_000 + 410_000 * n, "own": 9 * n} for n in (2, 12, 22)]
    assert not memory.summary(49, points, more)["met"]
    points = [{"peers": n, "resident": 1_000 + 250_000 * n, "own": 9 * n} for n in (2, 52, 102)]
    assert not memory.summary(49, points, sending)["met"]


def test_openssl_gives_its_buffers_back_between_datagrams() -> None:
    context = dtls.server_context(dtls.Certificate.generate())
    assert context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS
