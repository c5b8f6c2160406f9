"""Memory: when to forget, and that freed memory is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from snugroom.server import memory

ROOT = Path(__file__).parents[2]


def test_the_last_round_is_as_late_as_was_asked_for() -> None:
    forgetting = memory.Forgetting(30.0)
    assert not forgetting.pending
    assert not forgetting.due(1000.0)
    forgetting.left(1000.0)
    rounds = [now for now in range(1000, 1100) if forgetting.due(float(now))]
    assert rounds == [1010, 1020, 1030]
    assert not forgetting.pending


def test_whoever_leaves_meanwhile_gets_all_rounds() -> None:
    forgetting = memory.Forgetting(30.0)
    rounds = []
    for now in range(1000, 1100):
        if now in (1000, 1005, 1025):
            forgetting.left(float(now))
        if forgetting.due(float(now)):
            rounds.append(now)
    assert rounds == [1010, 1020, 1030, 1040, 1050]  # 1005 does not put off the first


def test_caches_of_libraries_are_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    @lru_cache
    def parsed(url: str) -> str:
        return url

    parsed.__module__ = "yarl"
    memory._caches.cache_clear()
    parsed("http://127.0.0.1/?somebody")
    assert parsed.cache_info().currsize == 1
    memory.forget()
    assert parsed.cache_info().currsize == 0
    memory._caches.cache_clear()


def _asked(code: str, **environment: str) -> str:
    """The output of a process with these variables."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONMALLOC", "GLIBC_TUNABLES")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_it_is_known_whether_freed_memory_is_overwritten() -> None:
    code = "from snugroom.server import memory; print(memory.wipes())"
    wiping = memory.wiping()
    assert _asked(code, **wiping) == "True"
    assert _asked(code) == "False"
    for name in wiping:  # each of the two alone leaves something
        assert _asked(code, **{name: wiping[name]}) == "False"


def test_a_process_that_serves_starts_again_with_its_arguments() -> None:
    code = (
        "import os, sys; sys.argv[1:] = {arguments}; from snugroom.server import memory; "
        "memory.begin(); print(memory.wipes())"
    )
    assert _asked(code.format(arguments=["--listen", "x"])) == "True"
    assert _asked(code.format(arguments=[])) == "True"
    assert _asked(code.format(arguments=["disclose"])) == "False"  # a command that asks and ends
    tunables = "glibc.malloc.arena_max=1"
    code += "; print(os.environ['GLIBC_TUNABLES'])"
    said = _asked(code.format(arguments=[]), GLIBC_TUNABLES=tunables).split()
    assert said[0] == "True"
    assert said[1].startswith(tunables + ":"), "the operator's own are kept"


def test_the_stack_below_is_overwritten() -> None:
    """A call leaves its variables there: here 64 KB of them, passed by value."""
    code = """
import ctypes, os
from snugroom.server import memory

class Variables(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_char * 65536),)

call = ctypes.CDLL(None).getppid
call.argtypes = (Variables,)
low, high = next(
    (int(x, 16) for x in line.split()[0].split("-")) for line in open("/proc/self/maps") if "[stack]" in line
)

def found():
    file = os.open("/proc/self/mem", os.O_RDONLY)
    data = bytearray(high - low)
    os.preadv(file, [data], low)
    os.close(file)
    return data.count(bytes((3, 1, 4, 1, 5, 9, 2, 6)))

call(Variables(bytes((3, 1, 4, 1, 5, 9, 2, 6)) * 8192))
before = found()
memory.wipe_stack()
print(before > 1000, found())
"""
    assert _asked(code) == "True 0"
