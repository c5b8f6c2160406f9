"""The search finds a secret in every encoding, and finds nothing else."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.proof.memory import Found, Searcher, encodings, search, snapshot

# a child that makes its bytes itself, by counting: what it is told must not be what is searched for
_CHILD = """
import base64, sys
data = bytes((i * i * 37 + {seed}) % 251 for i in range(40))
held = {expression}
del data
print("ready", flush=True)
sys.stdin.read()
"""


def _canary(seed: int) -> bytes:
    return bytes((i * i * 37 + seed) % 251 for i in range(40))


@contextmanager
def _child(seed: int, expression: str) -> Iterator[int]:
    code = _CHILD.format(seed=seed, expression=expression)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate(b"")
    assert process.returncode == 0, "being read did it no harm"


def _written(found: Found, name: str = "it") -> set[str]:
    return {encoding for encoding, _ in found.get(name, [])}


@pytest.mark.parametrize(
    ("expression", "encoding"),
    [
        ("bytearray(data)", "raw"),
        ("data.hex()", "hex"),
        ("data.hex().upper()", "HEX"),
        ("base64.b64encode(data)", "base64+0"),
        ("base64.b64encode(b'{' + data + b'}')", "base64+1"),
        ("base64.b64encode(b'[[' + data)", "base64+2"),
        ("base64.urlsafe_b64encode(b'x' + data).rstrip(b'=')", "base64url+1"),
        ("b'x' * 5_000_001 + data.hex().encode()", "hex"),
    ],
)
def test_a_secret_that_a_process_holds_is_found(expression: str, encoding: str) -> None:
    with _child(7, expression) as pid:
        found = search(pid, {"it": _canary(7), "other": _canary(8)})
    assert encoding in _written(found)
    assert "other" not in found


def test_a_secret_that_a_process_does_not_hold_is_not_found() -> None:
    with _child(7, "bytes(reversed(data.translate(bytes(range(255, -1, -1)))))") as pid:
        whole = snapshot(pid)
        found = whole.search({f"{seed}": _canary(seed) for seed in range(50, 90)})
    assert not found
    assert whole.size > 1 << 20
    assert any(m.label == "[heap]" for m in whole.regions)
    assert any(m.label == "[stack]" for m in whole.regions)
    assert not whole.unread


def test_every_writing_is_found_at_every_offset() -> None:
    for canary in (os.urandom(11), os.urandom(12), os.urandom(32), os.urandom(33), "Żółw, the 1st canary"):
        for encoding, pattern in encodings(canary):
            for offset in range(9):
                data = b"\xff" * offset + pattern + b"\xff" * 3
                assert (encoding, offset) in Searcher({"it": canary}).search(data)["it"]


def test_base64_is_found_whatever_stands_around_it() -> None:
    canary = os.urandom(20)
    for before in range(7):
        for after in range(4):
            around = os.urandom(before) + canary + os.urandom(after)
            text = base64.b64encode(around) + b" " + base64.urlsafe_b64encode(around)
            found = Searcher({"it": canary}).search(text)
            assert {e.split("+")[1] for e in _written(found)} == {str(before % 3)}


def test_nothing_is_missed_between_two_chunks() -> None:
    canary = os.urandom(32)
    edge = 1 << 18
    for at in (edge - 40, edge - 31, edge - 8, edge - 1, edge, edge + 1):
        data = bytes(at) + canary + bytes(100)
        assert Searcher({"it": canary}).search(data, 0x1000)["it"] == [("raw", 0x1000 + at)]


def test_a_canary_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Searcher({"it": b"ten bytes!"})
    with pytest.raises(ValueError, match="too plain"):
        Searcher({"it": bytes(32)})
