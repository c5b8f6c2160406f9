"""recvmmsg(2) and sendmmsg(2), many datagrams with one system call, through cffi's ABI mode. Linux only."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, Final

from cffi import FFI

from server.media.ice import Address

ffi: Final[Any] = FFI()
ffi.cdef(
    """
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr {
    void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
    void *msg_control; size_t msg_controllen; int msg_flags;
};
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
int sendmmsg(int fd, struct mmsghdr *vector, unsigned int length, int flags);
int recvmmsg(int fd, struct mmsghdr *vector, unsigned int length, int flags, void *timeout);
"""
)

#: What the kernel takes in one call (UIO_MAXIOV).
MESSAGES_MAX: Final = 1024
NAME_SIZES: Final = {socket.AF_INET: 16, socket.AF_INET6: 28}
_FAMILY: Final = struct.Struct("=H")
_V4: Final = struct.Struct("!H4s8x")
_V6: Final = struct.Struct("!HL16s")
#: No address family: the kernel refuses the message.
NOWHERE: Final = b"\xff\xff"


def load() -> Any | None:
    """The C library, or None where it has no such calls."""
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return None
    try:
        libc = ffi.dlopen(None)
        return libc if libc.sendmmsg and libc.recvmmsg else None
    except (OSError, AttributeError):
        return None


def pack_address(address: Address, family: int) -> bytes:
    """sockaddr_in or sockaddr_in6, of `NAME_SIZES[family]` bytes."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    head = _FAMILY.pack(family)
    if family == socket.AF_INET:
        return head + _V4.pack(address[1], ip.packed)
    flow, scope = (address[2], address[3]) if len(address) == 4 else (0, 0)
    return head + _V6.pack(address[1], flow, ip.packed) + struct.pack("=L", scope)


def unpack_address(name: bytes, family: int) -> Address:
    """The tuple that `socket.recvfrom` would give."""
    if family == socket.AF_INET:
        port, packed = _V4.unpack_from(name, 2)
        return socket.inet_ntop(family, packed), port
    port, flow, packed = _V6.unpack_from(name, 2)
    (scope,) = struct.unpack_from("=L", name, 24)
    return socket.inet_ntop(family, packed), port, flow, scope


class Vector:
    """`count` messages, each with a buffer of `stride` bytes at `base` + its index, and an address.

    `names` and `lengths` are views for writing: addresses side by side; the lengths of the buffers
    are every second one of `lengths`, from the first on.
    """

    def __init__(self, libc: Any, base: int, stride: int, count: int, family: int) -> None:
        if not 0 < count <= MESSAGES_MAX:
            raise ValueError(f"at most {MESSAGES_MAX} messages")
        self._libc = libc
        self.count = count
        self.name_size = size = NAME_SIZES[socket.AddressFamily(family)]
        self._names = ffi.new("unsigned char[]", size * count)
        self._iov = ffi.new("struct iovec[]", count)
        self.messages = ffi.new("struct mmsghdr[]", count)
        for i in range(count):
            self._iov[i].iov_base = ffi.cast("void *", base + i * stride)
            self._iov[i].iov_len = stride
            header = self.messages[i].msg_hdr
            header.msg_name, header.msg_namelen = self._names + size * i, size
            header.msg_iov, header.msg_iovlen = self._iov + i, 1
        self.names = memoryview(ffi.buffer(self._names))
        self.lengths = memoryview(ffi.buffer(self._iov)).cast("B").cast("Q")[1::2]

    def receive(self, descriptor: int) -> int:
        """How many messages have come, at most `count`; 0 if none, or if the kernel reports an error."""
        received: int = self._libc.recvmmsg(
            descriptor, self.messages, self.count, socket.MSG_DONTWAIT, ffi.NULL
        )
        return max(0, received)

    def send(self, descriptor: int, count: int) -> int:
        """Send the first `count`; how many went. One that can't be sent is skipped; a full buffer ends it."""
        at = sent = 0
        while at < count:
            done: int = self._libc.sendmmsg(descriptor, self.messages + at, count - at, socket.MSG_DONTWAIT)
            if done > 0:
                at += done
                sent += done
            elif ffi.errno in (errno.EAGAIN, errno.ENOBUFS):
                break
            elif ffi.errno != errno.EINTR:
                at += 1
        return sent


class Volley:
    """Ready packets, the same to each of `receivers` `times` times, as fast as the kernel takes them."""

    def __init__(self, libc: Any, packet: bytes, receivers: Sequence[Address], times: int) -> None:
        self.count = len(receivers) * times
        self._data: Any = ffi.new("unsigned char[]", packet * self.count)
        base = int(ffi.cast("uintptr_t", self._data))
        self._vector = Vector(libc, base, len(packet), self.count, socket.AF_INET)
        names = b"".join(pack_address(address, socket.AF_INET) for address in receivers)
        self._vector.names[:] = names * times

    def send(self, sock: socket.socket) -> int:
        """Messages sent, of `count`."""
        return self._vector.send(sock.fileno(), self.count)
