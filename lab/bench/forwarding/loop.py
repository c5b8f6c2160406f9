"""The compiled yardstick of the forwarding bench: `loop.c`, built on demand.

The system's compiler builds a shared library in a temporary folder; libsrtp is the one that the server uses.
Without a compiler there is no yardstick, and the bench reports that.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cffi import FFI

from snugroom.server.sfu.io import mmsg, srtp
from snugroom.server.sfu.io.ice import Address

_SOURCE: Final = Path(__file__).with_suffix(".c")
_BUILD_TIME: Final = 60.0
_COMPILERS: Final = ("cc", "gcc", "clang")
#: Packets to one receiver that share a message, as in the server's path.
RUN: Final = 8


class NoCompilerError(Exception):
    """The compiled loop is not available; the text gives the reason."""


def build() -> Loop:
    """Load the library. NoCompilerError if this system has no C compiler, or its compiler fails."""
    wanted = os.environ.get("CC")
    compiler = next((path for name in (wanted, *_COMPILERS) if name and (path := shutil.which(name))), None)
    if compiler is None:
        raise NoCompilerError("no C compiler on the path")
    ffi: Any = FFI()
    ffi.cdef(
        "long snug_loop(int, int, long, long, int, uintptr_t, uintptr_t, void *, void **, void *, int, int);"
    )
    with tempfile.TemporaryDirectory(prefix="snug-bench-") as folder:
        made = Path(folder) / "loop.so"
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(_SOURCE)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_BUILD_TIME)  # noqa: S603 - ours
            library = ffi.dlopen(str(made))
        except (subprocess.SubprocessError, OSError) as error:
            raise NoCompilerError(f"{compiler} can't build it ({type(error).__name__})") from None
    return Loop(ffi, library)


class Loop:
    """The library, and its call."""

    def __init__(self, ffi: Any, library: Any) -> None:
        self._ffi = ffi
        self._library = library

    def forward(
        self,
        sock: int,
        credit: int,
        packets: int,
        ack: int,
        run: int,
        inbound: srtp.SrtpSession,
        outbound: Sequence[srtp.SrtpSession],
        receivers: Sequence[Address],
        patience: float,
    ) -> int:
        """Forward `packets` from `sock` to each of `receivers`; return how many packets were sent.

        A byte goes to the descriptor `credit` for each `ack` packets. RuntimeError if nothing comes for
        `patience` seconds, or if libsrtp fails to seal.
        """
        ffi = self._ffi
        names = ffi.new("unsigned char[]", b"".join(mmsg.pack_address(a, socket.AF_INET) for a in receivers))
        sessions = ffi.new("void *[]", [ffi.cast("void *", srtp.address_of(s)) for s in outbound])
        sent: int = self._library.snug_loop(
            sock,
            credit,
            packets,
            ack,
            run,
            srtp.UNPROTECT_AT,
            srtp.PROTECT_AT,
            ffi.cast("void *", srtp.address_of(inbound)),
            sessions,
            names,
            len(receivers),
            int(patience * 1000),
        )
        if sent < 0:
            raise RuntimeError("the compiled loop stopped")
        return sent
