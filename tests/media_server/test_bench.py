"""The bench of forwarding measures what it says, small."""

from __future__ import annotations

import json
import sys

import pytest

from client.bench import forward
from server.media import mmsg

pytestmark = pytest.mark.skipif(mmsg.load() is None, reason="no sendmmsg here")


def test_it_prints_json_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert forward.run(True, packets=600) == 0
    result = json.loads(capsys.readouterr().out)
    assert [r["fan_out"] for r in result["results"]] == [2, 9, 49]
    for r in result["results"]:
        # five rounds, with UDP_SEGMENT and without, of packets in multiples of 32
        assert r["forwarded"] == 10 * r["fan_out"] * max(32, 600 // r["fan_out"] // 32 * 32)
        assert min(r["path_us"], r["single_us"], r["floor_us"]) > 0
        assert r["ratio"] == pytest.approx(r["path_us"] / r["floor_us"], abs=0.01)
    assert result["met"] == (result["results"][1]["ratio"] < result["goal"])
    forward._show(result, 1.0)
    assert "1->49" in capsys.readouterr().out


def test_a_failed_measurement_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert forward.run(True) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the measurement failed" in captured.err
