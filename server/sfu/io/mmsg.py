"""recvmmsg(2) and sendmmsg(2), many datagrams with one system call, through cffi's ABI mode. Linux only."""

from __future__ import annotations

import array
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, Final

from cffi import FFI

from snugroom.server.sfu.io.ice import Address

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

#: The most messages that the kernel takes in one call (UIO_MAXIOV).
MESSAGES_MAX: Final = 1024
NAME_SIZES: Final = {socket.AF_INET: 16, socket.AF_INET6: 28}
_FAMILY: Final = struct.Struct("=H")
_V4: Final = struct.Struct("!H4s8x")
_V6: Final = struct.Struct("!HL16s")
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
#: A control message with one u16: header of 16 bytes, the number, padding to 8.
_CONTROL: Final = struct.Struct("@QiiH6x")
_CONTROL_LENGTH: Final = 18
_CONTROL_SIZE: Final = 24
_IOV_SIZE: Final = 16
#: Of asm-generic/socket.h: Python's module does not have it. The kernel gives each received datagram a
#: control message: a header of 16 bytes, and a struct timespec.
SO_TIMESTAMPNS: Final = 35
STAMP: Final = struct.Struct("@qq")
_STAMP_AT: Final = 16
_STAMP_WORDS: Final = 4
#: struct mmsghdr in words of 8 bytes: name, namelen, iov, iovlen, control, controllen, flags, msg_len.
_WORDS: Final = 8
#: Not an address family: the kernel refuses the message.
NOWHERE: Final = b"\xff\xff"


def load() -> Any | None:
    """Return the C library, or None where it lacks these calls."""
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return None
    try:
        libc = ffi.dlopen(None)
        return libc if libc.sendmmsg and libc.recvmmsg else None
    except (OSError, AttributeError):
        return None


def can_segment(sock: socket.socket) -> bool:
    """Whether the kernel can cut one message into several datagrams (UDP_SEGMENT, Linux 4.18)."""
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True


def pack_address(address: Address, family: int) -> bytes:
    """Encode a sockaddr_in or sockaddr_in6 of `NAME_SIZES[family]` bytes."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    head = _FAMILY.pack(family)
    if family == socket.AF_INET:
        return head + _V4.pack(address[1], ip.packed)
    flow, scope = (address[2], address[3]) if len(address) == 4 else (0, 0)
    return head + _V6.pack(address[1], flow, ip.packed) + struct.pack("=L", scope)


def unpack_address(name: bytes, family: int) -> Address:
    """Decode the tuple that `socket.recvfrom` would return."""
    if family == socket.AF_INET:
        port, packed = _V4.unpack_from(name, 2)
        return socket.inet_ntop(family, packed), port
    port, flow, packed = _V6.unpack_from(name, 2)
    (scope,) = struct.unpack_from("=L", name, 24)
    return socket.inet_ntop(family, packed), port, flow, scope


class Vector:
    """`count` messages, and as many buffers of `stride` bytes from the address `base` on.

    Message i has buffer i and address i, until `gather` gives it several buffers. The caller writes to the
    views: `names` are the addresses side by side, `lengths` the lengths of the buffers, one number each.
    `stamped`: `oldest` tells when the first message came, of a socket with the option `SO_TIMESTAMPNS`.
    """

    def __init__(
        self, libc: Any, base: int, stride: int, count: int, family: int, *, stamped: bool = False
    ) -> None:
        if not 0 < count <= MESSAGES_MAX:
            raise ValueError(f"at most {MESSAGES_MAX} messages")
        self._libc = libc
        self.count = count
        self.name_size = size = NAME_SIZES[socket.AddressFamily(family)]
        self._names = ffi.new("unsigned char[]", size * count)
        self._iov = ffi.new("struct iovec[]", count)
        self._first_iov = int(ffi.cast("uintptr_t", self._iov))
        self._control = ffi.new("unsigned char[]", _CONTROL_SIZE * count)
        ffi.buffer(self._control)[:] = _CONTROL.pack(_CONTROL_LENGTH, _SOL_UDP, _UDP_SEGMENT, 0) * count
        self.messages = ffi.new("struct mmsghdr[]", count)
        for i in range(count):
            self._iov[i].iov_base = ffi.cast("void *", base + i * stride)
            self._iov[i].iov_len = stride
            header = self.messages[i].msg_hdr
            header.msg_name, header.msg_namelen = self._names + size * i, size
            header.msg_iov, header.msg_iovlen = self._iov + i, 1
            header.msg_control = self._control + _CONTROL_SIZE * i
        self.names = memoryview(ffi.buffer(self._names))
        self.lengths = memoryview(ffi.buffer(self._iov)).cast("B").cast("Q")[1::2]
        # The same memory as numbers, to write many messages at once.
        words = memoryview(ffi.buffer(self.messages)).cast("B").cast("Q")
        self._iov_words, self._iovlen_words, self._control_words = (words[i::_WORDS] for i in (2, 3, 5))
        halves = memoryview(ffi.buffer(self._control)).cast("B").cast("H")
        self._segments = halves[_CONTROL_LENGTH // 2 - 1 :: _CONTROL_SIZE // 2]
        self._stamp = ffi.new("uint64_t[]", _STAMP_WORDS)
        self._stamp_view = memoryview(ffi.buffer(self._stamp))
        self._stamped = stamped
        if stamped:
            self.messages[0].msg_hdr.msg_control = self._stamp

    def wipe_names(self) -> None:
        """Overwrite all addresses."""
        self.names[:] = bytes(len(self.names))

    def gather(self, first: int, count: int, buffer: int, step: int) -> None:
        """Let `count` messages from `first` on begin at `buffer`, each `step` buffers after the last."""
        start = self._first_iov + _IOV_SIZE * buffer
        step *= _IOV_SIZE
        self._iov_words[first : first + count] = array.array("Q", range(start, start + count * step, step))

    def segment(self, first: int, count: int, parts: int, sizes: array.array[int]) -> None:
        """Give each of these messages `parts` buffers, cut into datagrams of `sizes` (UDP_SEGMENT)."""
        end = first + count
        self._iovlen_words[first:end] = array.array("Q", [parts]) * count
        self._control_words[first:end] = array.array("Q", [_CONTROL_LENGTH if parts > 1 else 0]) * count
        if parts > 1:
            self._segments[first:end] = sizes

    def receive(self, descriptor: int, count: int) -> int:
        """Receive at most `count` messages; return how many came, 0 also if the kernel reports an error."""
        if self._stamped:  # the kernel has overwritten it with what it used
            self._control_words[0] = len(self._stamp_view)
        received: int = self._libc.recvmmsg(descriptor, self.messages, count, socket.MSG_DONTWAIT, ffi.NULL)
        return max(0, received)

    def oldest(self) -> float:
        """Return when the first received message reached the socket, as Unix time in seconds."""
        seconds, nanoseconds = STAMP.unpack_from(self._stamp_view, _STAMP_AT)
        return float(seconds + nanoseconds / 1e9)

    def send(self, descriptor: int, count: int) -> list[tuple[int, int]]:
        """Send the first `count`; return the failed messages with errno. A full buffer ends the sending."""
        failed: list[tuple[int, int]] = []
        at = 0
        while at < count:
            sent: int = self._libc.sendmmsg(descriptor, self.messages + at, count - at, socket.MSG_DONTWAIT)
            if sent > 0:
                at += sent
                continue
            why: int = ffi.errno
            if why in (errno.EAGAIN, errno.ENOBUFS):
                failed += [(i, why) for i in range(at, count)]
                break
            if why != errno.EINTR:
                failed.append((at, why))
                at += 1
        return failed


class PreparedBurst:
    """Prepared packets, the same one `times` times to each of `receivers`, sent as fast as possible."""

    def __init__(self, libc: Any, packet: bytes, receivers: Sequence[Address], times: int) -> None:
        self.count = len(receivers) * times
        self._data: Any = ffi.new("unsigned char[]", packet * self.count)
        base = int(ffi.cast("uintptr_t", self._data))
        self._vector = Vector(libc, base, len(packet), self.count, socket.AF_INET)
        names = b"".join(pack_address(address, socket.AF_INET) for address in receivers)
        self._vector.names[:] = names * times

    def send(self, sock: socket.socket) -> int:
        """Send all; return how many of the `count` messages were sent."""
        return self.count - len(self._vector.send(sock.fileno(), self.count))
