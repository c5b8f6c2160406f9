"""Batched and single socket calls send the same packets in order, whatever the kernel returns."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
import types
from typing import Any

import pytest
from pylibsrtp import Policy, Session

from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.io import mmsg, srtp
from snugroom.server.sfu.io.multi_transport import MultiTransport
from snugroom.server.sfu.io.packet_io import BatchPacketIo, PacketIo, PlainPacketIo, make_packet_io
from snugroom.server.sfu.io.sockets import open_sockets
from tests.media_server.peer import rtp

PROFILES = [srtp.AEAD_AES_128_GCM, srtp.AES_CM_128_HMAC_SHA1_80]


class Sink:
    """A receiver: its end of the session, and a socket."""

    def __init__(self, profile: srtp.Profile, address: Any = None) -> None:
        key = os.urandom(profile.key + profile.salt)
        self.outbound = srtp.SrtpSession(profile, key, outbound=True)
        policy = Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile.number)
        policy.window_size = 1024
        self._session = Session(policy)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.address = address or self._socket.getsockname()
        self.twcc_row = -1

    def received(self) -> list[bytes]:
        out = []
        try:
            while True:
                out.append(self._session.unprotect(self._socket.recv(4096)))
        except TimeoutError:
            return out

    def close(self) -> None:
        self._socket.close()


def make(kind: str, sock: socket.socket) -> PacketIo:
    libc = mmsg.load()
    if kind == "plain" or libc is None:
        return PlainPacketIo(sock)
    packet_io = BatchPacketIo(sock, libc, 16)
    if kind == "unsegmented":
        packet_io.segments_max = 1
    return packet_io


KINDS = pytest.mark.parametrize("kind", ["plain", "batch", "unsegmented"])


@KINDS
@pytest.mark.parametrize("count", [1, 9, 600])
def test_all_get_all_in_order(kind: str, count: int, sock: socket.socket) -> None:
    few = [Sink(PROFILES[i % 2]) for i in range(min(count, 20))]
    sinks = tuple(few[i % len(few)] for i in range(count))
    packet_io = make(kind, sock)
    sizes = [1200] * 11 + [300, 300, 1344, 5, 1200] + [60] * 3
    packets = [rtp(1, i, bytes([i]) * size) for i, size in enumerate(sizes)]
    other = [rtp(2, i, b"another stream") for i in range(len(packets))]
    all_of_them, pair = Fanout(sinks), Fanout(sinks[:2])
    for packet, one in zip(packets, other, strict=True):
        packet_io.fan_out(packet, all_of_them, burst=True)
        packet_io.fan_out(one, pair, burst=False)
        if count > 100:  # socket buffers of receivers are small
            packet_io.flush()
            for sink in few:
                sink.close()
            break
    packet_io.flush()
    if count > 100:
        assert (packet_io.sent, packet_io.unsent) == (count + 2, 0)
        return
    for sink in few:
        got = sink.received()
        assert [p for p in got if p[11] == 1] == packets
        assert [p for p in got if p[11] == 2] == (other if sink in pair.receivers else [])
        sink.close()
    assert (packet_io.sent, packet_io.unsent) == (len(packets) * (count + len(pair.receivers)), 0)


@KINDS
def test_a_receiver_who_moved_is_found(kind: str, sock: socket.socket) -> None:
    packet_io = make(kind, sock)
    sink, elsewhere = Sink(PROFILES[0]), Sink(PROFILES[0])
    fanout = Fanout((sink,))
    packet_io.fan_out(rtp(1, 1), fanout, burst=True)
    packet_io.flush()
    sink.address = elsewhere.address
    packet_io.changed()
    packet_io.fan_out(rtp(1, 2), fanout, burst=True)
    packet_io.flush()
    assert len(sink.received()) == 1
    assert elsewhere._socket.recv(4096)
    sink.close()
    elsewhere.close()


@KINDS
def test_one_who_cant_be_sent_to_doesnt_stop_the_others(kind: str, sock: socket.socket) -> None:
    packet_io = make(kind, sock)
    first, last = Sink(PROFILES[0]), Sink(PROFILES[0])
    broadcast = Sink(PROFILES[0], address=("255.255.255.255", 9))  # EACCES without SO_BROADCAST
    fanout = Fanout((first, broadcast, last))
    packets = [rtp(1, i, bytes(100)) for i in range(3)]
    for packet in packets:
        packet_io.fan_out(packet, fanout, burst=True)
    packet_io.flush()
    assert first.received() == last.received() == packets
    assert (packet_io.sent, packet_io.unsent) == (6, 3)
    for sink in fanout.receivers:
        sink.close()


@KINDS
def test_a_packet_that_cannot_be_sealed_does_not_leave(
    kind: str, sock: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    packet_io = make(kind, sock)
    first, second = Sink(PROFILES[0]), Sink(PROFILES[0])
    protect, bad = srtp.protect, second.outbound.pointer

    def failing(pointer: Any, data: Any, length: Any) -> int:
        return 1 if pointer == bad else int(protect(pointer, data, length))

    monkeypatch.setattr(srtp, "protect", failing)
    for i in range(3):
        packet_io.fan_out(rtp(1, i), Fanout((first, second), once=True))
    packet_io.flush()
    assert len(first.received()) == 3
    with pytest.raises(TimeoutError):
        second._socket.recv(4096)
    assert (packet_io.sent, packet_io.unsent) == (3, 3)
    first.close()
    second.close()


@pytest.mark.parametrize(("why", "again"), [(errno.EIO, 1), (errno.EINVAL, 8)])
def test_without_segmentation_packets_go_one_by_one(
    sock: socket.socket, monkeypatch: pytest.MonkeyPatch, why: int, again: int
) -> None:
    packet_io = make("batch", sock)
    if not isinstance(packet_io, BatchPacketIo) or packet_io.segments_max == 1:
        pytest.skip("no UDP_SEGMENT here")
    real = packet_io._outgoing.send
    sink = Sink(PROFILES[0])
    fanout = Fanout((sink,))
    packets = [rtp(1, i, bytes(100)) for i in range(4)]

    def refusing(descriptor: int, count: int) -> list[tuple[int, int]]:
        return [(i, why) for i in range(count)]

    monkeypatch.setattr(packet_io._outgoing, "send", refusing)
    for packet in packets:
        packet_io.fan_out(packet, fanout, burst=True)
    packet_io.flush()
    assert sink.received() == packets
    assert (packet_io.sent, packet_io.unsent, packet_io.segments_max) == (4, 0, again)
    monkeypatch.setattr(packet_io._outgoing, "send", real)
    packet_io.fan_out(rtp(1, 9), fanout, burst=True)
    packet_io.flush()
    assert sink.received() == [rtp(1, 9)]
    sink.close()


@KINDS
def test_draining_gives_what_came_and_from_where(kind: str, sock: socket.socket) -> None:
    packet_io = make(kind, sock)
    sender = Sink(PROFILES[0])
    for i in range(40):
        sender._socket.sendto(struct.pack("!L", i) * (i + 1), sock.getsockname())
    got: list[tuple[bytes, Any]] = []
    for _ in range(10):
        packet_io.drain(16, lambda _data, view, size, source: got.append((bytes(view[:size]), source)))
    assert got == [(struct.pack("!L", i) * (i + 1), sender.address) for i in range(40)]
    sender.close()


@KINDS
def test_the_lag_is_the_age_of_the_oldest_datagram_if_more_wait(
    kind: str, sock: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    packet_io, sender, now = make(kind, sock), Sink(PROFILES[0]), time.time
    clock: Any = types.SimpleNamespace(late=0.5, time=lambda: now() + clock.late)
    monkeypatch.setattr("snugroom.server.sfu.io.packet_io.time", clock)
    for _ in range(40):
        sender._socket.sendto(b"datagram", sock.getsockname())
    lags, counts = [], []
    for _ in range(4):
        counts.append(packet_io.drain(16, lambda *_: None))
        lags.append(packet_io.lag)
    assert counts == [16, 16, 8, 0]
    assert lags[:2] == pytest.approx([0.5, 0.5], abs=0.3)
    assert lags[2:] == [0.0, 0.0]
    for clock.late in (-0.5, 60.0):  # the clock was set
        for _ in range(16):
            sender._socket.sendto(b"datagram", sock.getsockname())
        assert packet_io.drain(16, lambda *_: None) == 16
        assert packet_io.lag == 0.0
    sender.close()


@KINDS
def test_of_two_sockets_only_the_readable_one_is_read_unless_one_held_more(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = open_sockets(["127.0.0.1"], 0, 1 << 16, tcp=False).udp
    sockets += open_sockets(["::ffff:127.0.0.1"], 0, 1 << 16, tcp=False).udp
    transports = MultiTransport(sockets, 0 if kind == "plain" else 16)
    sender = Sink(PROFILES[0])

    def come(to: int, times: int = 1) -> None:
        for _ in range(times):
            sender._socket.sendto(b"datagram", ("127.0.0.1", sockets[to].getsockname()[1]))

    def drain(which: int | None) -> int:
        descriptor = None if which is None else sockets[which].fileno()
        return transports.drain(16, lambda *_: None, descriptor)

    come(0, 2)
    come(1, 3)
    assert [drain(1), drain(1), drain(0)] == [3, 0, 2]
    come(0)
    come(1)
    assert drain(None) == 2
    monkeypatch.setattr("snugroom.server.sfu.io.packet_io._lag", lambda came: 0.5)
    come(0, 17)
    come(1)
    assert (drain(0), transports.lag) == (16, 0.5)
    # the other socket is not said to be quick while this one is late
    assert (drain(1), transports.lag) == (2, 0.0)
    transports.close()
    sender.close()


@pytest.mark.parametrize(
    ("address", "family"),
    [
        (("192.0.2.77", 65_535), socket.AF_INET),
        (("2001:db8::1:2", 1, 0, 0), socket.AF_INET6),
        (("fe80::1", 9, 5, 3), socket.AF_INET6),
    ],
)
def test_addresses_there_and_back(address: Any, family: int) -> None:
    packed = mmsg.pack_address(address, family)
    assert len(packed) == mmsg.NAME_SIZES[socket.AddressFamily(family)]
    assert mmsg.unpack_address(packed, family) == address


def test_the_plain_path_is_there_for_who_wants_it(sock: socket.socket) -> None:
    assert isinstance(make_packet_io(sock, 0), PlainPacketIo)
    if mmsg.load() is not None:
        assert isinstance(make_packet_io(sock, 8), BatchPacketIo)


def test_keys_are_split_as_the_standard_says_and_stay_unprinted() -> None:
    profile = srtp.AEAD_AES_128_GCM
    material = b"c" * 16 + b"s" * 16 + b"C" * 12 + b"S" * 12
    keys = srtp.Keys.split(profile, material)
    assert (keys.client, keys.server) == (b"c" * 16 + b"C" * 12, b"s" * 16 + b"S" * 12)
    assert repr(keys) == "Keys(...)"
    with pytest.raises(ValueError, match="length"):
        srtp.Keys.split(profile, material[:-1])


@KINDS
def test_wiped_buffers_hold_no_datagram_and_no_address(kind: str, sock: socket.socket) -> None:
    packet_io = make(kind, sock)
    assert isinstance(packet_io, PlainPacketIo | BatchPacketIo)
    sock.setblocking(False)
    sink = Sink(PROFILES[0])
    port = sink.address[1].to_bytes(2, "big")
    sink._socket.sendto(b"a canary that came", sock.getsockname())
    arrived: list[int] = []
    packet_io.drain(16, lambda data, view, size, source: arrived.append(size))
    packet_io.fan_out(rtp(1, 1, b"a canary to go" * 9), Fanout((sink,)))
    packet_io.flush()
    assert arrived == [18]

    def held() -> bytes:
        views = [packet_io._inbox.view, packet_io._outbox.view]
        if isinstance(packet_io, BatchPacketIo):
            views += [packet_io._incoming.names, packet_io._outgoing.names]
        return b"".join(map(bytes, views))

    assert b"a canary that came" in held()
    assert kind == "plain" or held().count(port + bytes((127, 0, 0, 1))) == 2
    packet_io.wipe()
    assert not held().strip(b"\0")
    # and it goes on
    packet_io.fan_out(rtp(1, 2), Fanout((sink,)))
    packet_io.flush()
    assert len(sink.received()) == 2
    sink.close()
