"""Ports for tests: free, and never given twice."""

from __future__ import annotations

import random
import socket

import pytest

from tests.cli import processes


def test_no_port_is_given_twice_or_while_somebody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first = processes.free_port(4)
    monkeypatch.setattr(processes, "_given", {first})
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", first + 1))
        draws = iter((first, first + 1, first + 2, first + 2, first + 3))
        monkeypatch.setattr(random.SystemRandom, "randrange", lambda *_: next(draws))
        assert [processes.free_port(), processes.free_port()] == [first + 2, first + 3]
