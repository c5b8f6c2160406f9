"""Forgetting: freed memory is overwritten, and traces of clients that have left are freed.

An address is in memory as long as something refers to it, and its bytes stay after that until the allocator
gives them to somebody else. Four things keep either of them: a reference cycle, which Python frees late; a
cache of a library; freed memory; and the part of the stack that no function uses at the moment. `forget`
ends all four. It relies on glibc, which overwrites freed memory in a process that `begin` has started.
Python's own allocator never does, and neither does glibc's cache of each thread.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

_LIBC: Final = ctypes.CDLL(None)
_LIBC.malloc.restype = ctypes.c_void_p
_LIBC.malloc.argtypes = (ctypes.c_size_t,)
_LIBC.free.argtypes = (ctypes.c_void_p,)
#: Bytes of unused stack that `forget` overwrites: more than any call of the server needs.
_STACK: Final = 128 * 1024
#: Rounds of forgetting after the last client has left. Some objects are freed seconds after their connection
#: has ended, by a timer.
ROUNDS: Final = 3
#: glibc writes 155, which is neither zero nor text, over memory that is freed, and 100 over new memory.
_TUNABLES: Final = "glibc.malloc.perturb=155:glibc.malloc.tcache_count=0"
_ENDS: Final = frozenset({signal.SIGINT, signal.SIGTERM})


def begin(serves: bool | None = None) -> None:
    """Begin a process of a server. Call this before anything is imported that takes long.

    From now on SIGINT and SIGTERM end the process without a traceback, until the server handles them. A
    process that is going to serve starts again if Python's objects are not in libc's memory: with the same
    number and arguments, and with ``PYTHONMALLOC=malloc``. `serves`: whether it is going to; None: as the
    arguments of ``snug-server`` say.
    """
    for number in _ENDS:
        signal.signal(number, signal.SIG_DFL)
    if serves is None:
        serves = len(sys.argv) < 2 or sys.argv[1].startswith("-")  # the other commands are words
    if serves and not wiping().items() <= os.environ.items() and not sys.flags.ignore_environment:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # Python would handle them while it starts
        os.environ |= wiping()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


def wiping() -> dict[str, str]:
    """Return what the environment of a process must have, so that its freed memory is overwritten."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if _TUNABLES not in tunables:
        tunables = ":".join(filter(None, (tunables, _TUNABLES)))
    return {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": tunables}


@functools.cache
def wipes() -> bool:
    """Return whether freed memory of this process is overwritten: look at some that has just been freed."""
    if sys.getallocatedblocks():  # blocks of Python's own allocator
        return False
    sizes = (64, 512, 4096)
    blocks = [(size, _LIBC.malloc(size), _LIBC.malloc(16)) for size in sizes]  # the last parts two blocks
    for size, block, _ in blocks:
        ctypes.memset(block, 1, size)
        _LIBC.free(block)
    # at both ends, a free block has links to others
    left = [ctypes.string_at(block + 32, size - 48) for size, block, _ in blocks]
    for _, _, between in blocks:
        _LIBC.free(between)
    return not any(1 in each for each in left)


def _overwriting(size: int) -> Callable[[], int]:
    """Return a function that overwrites `size` bytes of stack: x86-64 puts there what is passed by value."""

    class Block(ctypes.Structure):
        _fields_ = (("bytes", ctypes.c_char * size),)

    call, block = ctypes.CDLL(None).getpid, Block()
    call.argtypes = (Block,)
    return functools.partial(call, block)


_overwrite: Final = _overwriting(_STACK)


def wipe_stack() -> None:
    """Overwrite the unused part of the stack, where calls have left their variables: microseconds."""
    _overwrite()


@functools.cache
def _caches() -> list[Callable[[], None]]:
    """Return the functions that empty the caches of functions of libraries: URLs and hosts, for example."""
    found: list[Any] = [o for o in gc.get_objects() if isinstance(o, functools._lru_cache_wrapper)]
    return [o.cache_clear for o in found if not str(o.__module__).startswith("snugroom.")]


def freeze() -> None:
    """Exempt everything that exists now from garbage collection: modules are never garbage.

    Collections are then so quick that `forget` disturbs nobody. Call it once, before the server is made.
    """
    _caches()
    _overwriting(
        2 * _STACK
    )()  # the stack has to grow now: without memory, growing later would end the process
    gc.collect()
    gc.freeze()


def forget() -> None:
    """Free everything that nobody can reach, empty caches of libraries, and overwrite the unused stack."""
    for clear in _caches():
        clear()
    gc.collect()
    wipe_stack()


class Forgetting:
    """When to forget: `ROUNDS` times after a client has left, the last time `seconds` later. A core."""

    def __init__(self, seconds: float) -> None:
        self._interval = seconds / ROUNDS
        self._next = 0.0
        self._rounds = 0

    @property
    def pending(self) -> bool:
        """Whether traces of a client that has left may still be in memory."""
        return self._rounds > 0

    def left(self, now: float) -> None:
        """Note that a client has left."""
        if not self._rounds:
            self._next = now + self._interval
        self._rounds = ROUNDS

    def due(self, now: float) -> bool:
        """Return whether to call `forget` now."""
        if not self._rounds or now < self._next:
            return False
        self._next = now + self._interval
        self._rounds -= 1
        return True
