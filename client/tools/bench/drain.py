"""Read many datagrams with one system call (recvmmsg(2)), to count them without looking at each."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any, Final

import numpy as np
from cffi import FFI

_BATCH: Final = 128
_STRIDE: Final = 2048
_ffi: Final[Any] = FFI()
_ffi.cdef(
    """
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr {
    void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
    void *msg_control; size_t msg_controllen; int msg_flags;
};
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
int recvmmsg(int fd, struct mmsghdr *vector, unsigned int length, int flags, void *timeout);
"""
)


class Drain:
    """One buffer for any number of sockets. OSError on systems without recvmmsg."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "no recvmmsg on this system")
        self._libc = _ffi.dlopen(None)
        self._data = _ffi.new("unsigned char[]", _BATCH * _STRIDE)
        self._iov = _ffi.new("struct iovec[]", _BATCH)
        self._messages = _ffi.new("struct mmsghdr[]", _BATCH)
        for i in range(_BATCH):
            self._iov[i].iov_base = self._data + i * _STRIDE
            self._iov[i].iov_len = _STRIDE
            self._messages[i].msg_hdr.msg_iov = self._iov + i
            self._messages[i].msg_hdr.msg_iovlen = 1
        self._heads = np.frombuffer(_ffi.buffer(self._data), np.uint8).reshape(_BATCH, _STRIDE)

    def receive(self, sock: socket.socket) -> tuple[Any, int]:
        """Return (rows of 2,048 bytes, number of datagrams), `BATCH` at most. Valid until the next call."""
        count: int = self._libc.recvmmsg(
            sock.fileno(), self._messages, _BATCH, socket.MSG_DONTWAIT, _ffi.NULL
        )
        return self._heads, max(count, 0)

    def datagram(self, index: int) -> bytes:
        """Return one datagram of the last `receive`."""
        size: int = self._messages[index].msg_len
        return self._heads[index, :size].tobytes()


#: Maximum number of datagrams of one call.
BATCH: Final = _BATCH
