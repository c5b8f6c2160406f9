"""Read many datagrams with one system call (recvmmsg(2)), to count them without looking at each.

With `timestamps` each datagram comes with the time at which the kernel put it into the socket's buffer
(SO_TIMESTAMPNS), so that a reader that is late does not measure its own delay.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any, Final

import numpy as np
from cffi import FFI
from numpy.typing import NDArray

#: Of asm-generic/socket.h: Python's module does not have it.
SO_TIMESTAMPNS: Final = 35
#: One control message with a struct timespec: a header of 16 bytes, seconds and nanoseconds.
_CONTROL_WORDS: Final = 4
#: struct mmsghdr in words of 8 bytes, and the index of msg_controllen.
_MESSAGE_WORDS: Final = 8
_CONTROL_LENGTH: Final = 5
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
    """One buffer for any number of sockets. OSError on systems without recvmmsg.

    `timestamps`: `times` has the arrivals, of sockets with the option `SO_TIMESTAMPNS`.
    """

    def __init__(self, *, timestamps: bool = False) -> None:
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
        self._timestamps = timestamps
        self._control = _ffi.new("uint64_t[]", _BATCH * _CONTROL_WORDS)
        controls = np.frombuffer(_ffi.buffer(self._control), np.int64).reshape(_BATCH, _CONTROL_WORDS)
        self._seconds, self._nanoseconds = controls[:, 2], controls[:, 3]
        words = np.frombuffer(_ffi.buffer(self._messages), np.uint64).reshape(_BATCH, _MESSAGE_WORDS)
        self._control_lengths = words[:, _CONTROL_LENGTH]
        if timestamps:
            for i in range(_BATCH):
                self._messages[i].msg_hdr.msg_control = self._control + i * _CONTROL_WORDS

    def receive(self, sock: socket.socket) -> tuple[Any, int]:
        """Return (rows of 2,048 bytes, number of datagrams), `BATCH` at most. Valid until the next call."""
        if self._timestamps:  # the kernel has overwritten it with what it used
            self._control_lengths[:] = 8 * _CONTROL_WORDS
        count: int = self._libc.recvmmsg(
            sock.fileno(), self._messages, _BATCH, socket.MSG_DONTWAIT, _ffi.NULL
        )
        return self._heads, max(count, 0)

    def times(self, count: int) -> NDArray[np.float64]:
        """Return when the last `count` datagrams arrived, as Unix time in seconds."""
        return self._seconds[:count] + self._nanoseconds[:count] / 1e9

    def column(self, kind: str, offset: int) -> NDArray[Any]:
        """Return the number of numpy's `kind` at `offset` of each datagram. It changes with each call."""
        return np.ndarray((_BATCH,), kind, self._heads, offset, (_STRIDE,))

    def datagram(self, index: int) -> bytes:
        """Return one datagram of the last `receive`."""
        size: int = self._messages[index].msg_len
        return self._heads[index, :size].tobytes()


#: Maximum number of datagrams of one call.
BATCH: Final = _BATCH
