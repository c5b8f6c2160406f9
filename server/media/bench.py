"""What forwarding costs: CPU time a forwarded packet, and its ratio to the floor of the same run.

    python -m server.media.bench [--packets N] [--rounds N]        one JSON object on stdout

For each fan-out a real `Sfu` forwards SRTP packets of 1,200 bytes (AEAD_AES_128_GCM) that another process
sends in frames of eight, through the path of every day: `add_reader`, unprotect, checks, cache, protect,
send. The floor is bare `sendmmsg` of as many ready packets to the same receivers. Path and floor take turns,
in one process on one core; the medians count. What is measured is the process's own CPU time, user and
system. Receivers are sockets on the loopback that nobody reads, for the path and the floor alike: what
reading costs is theirs, not the forwarder's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from server.media import mmsg, srtp
from server.media.limits import MediaLimits
from server.media.path import BatchPath
from server.media.sfu import Link, Sfu
from server.wire.messages import Media, Stream

SIZE: Final = 1200
FAN_OUTS: Final = (2, 9, 49)
_SSRC: Final = 0x0BE7C4
_ROOM: Final = bytes(16)
#: Packets that may be on their way to the forwarder: well within a receive buffer of the default size.
_CREDIT: Final = 96
_ACK: Final = 32
_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """CPU microseconds a forwarded packet, medians; `ratio` = `path_us` / `floor_us`.

    `single_us` is the path when no packet finds a companion to share a UDP_SEGMENT message with.
    """

    fan_out: int
    path_us: float
    single_us: float
    floor_us: float
    ratio: float
    single_ratio: float
    forwarded: int


def _feeder() -> int:
    """The publisher: a process of its own, told on stdin what to send; a byte is credit for `_ACK`."""
    told = json.loads(sys.stdin.buffer.readline())
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", told["from"]))
    sock.connect(("127.0.0.1", told["to"]))
    session = srtp.SrtpSession(srtp.AEAD_AES_128_GCM, bytes.fromhex(told["key"]), outbound=True)
    extension = struct.pack("!HH", 0xBEDE, 1) + b"\x32\1\2\3"
    body = os.urandom(SIZE - 12 - len(extension))
    buffer, length = srtp.Buffer(2048), srtp.new_length()
    sequence = 0
    while line := sys.stdin.buffer.readline():
        packets = []
        for _ in range(int(line)):
            header = struct.pack("!BBHLL", 0x90, 96, sequence & 0xFFFF, sequence // 8 * 3000, _SSRC)
            buffer.view[:SIZE] = header + extension + body
            length[0] = SIZE
            if srtp.protect(session.pointer, buffer.data, length):
                return 1
            packets.append(bytes(buffer.view[: length[0]]))
            sequence += 1
        sys.stdout.buffer.write(b"+")
        sys.stdout.buffer.flush()
        if not sys.stdin.buffer.readline():
            return 0
        sent = done = 0
        while sent < len(packets):
            while sent - done >= _CREDIT:
                done += _ACK * len(os.read(sys.stdin.fileno(), 1))
            sock.send(packets[sent])
            sent += 1
        while done < len(packets) // _ACK * _ACK:
            done += _ACK * len(os.read(sys.stdin.fileno(), 1))
    return 0


class _Measure:
    """One fan-out: an SFU, its receivers, and a publisher in another process."""

    def __init__(self, sfu: Sfu, fan_out: int, cores: list[int]) -> None:
        self._sfu = sfu
        self._fan_out = fan_out
        self._receivers = [self._receiver() for _ in range(fan_out)]
        self._addresses: list[tuple[str, int]] = [sock.getsockname() for sock in self._receivers]
        publisher = self._receiver()
        source = publisher.getsockname()
        publisher.close()
        key = os.urandom(28)
        self._admit(0, [Stream(ssrc=_SSRC, kind="video")], key, source)
        for i, address in enumerate(self._addresses):
            self._admit(i + 1, [], os.urandom(28), address)
        self._feeder = subprocess.Popen(
            [sys.executable, "-m", "server.media.bench", "--feeder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if len(cores) > 1:
            os.sched_setaffinity(self._feeder.pid, set(cores[1:]))
        self._tell({"from": source[1], "to": sfu.port, "key": key.hex()})
        batch = max(1, 1024 // fan_out)
        libc = mmsg.load()
        if libc is None:
            raise RuntimeError("this system has no sendmmsg")
        self._volley = mmsg.Volley(libc, os.urandom(SIZE + 16), self._addresses, batch)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))

    @staticmethod
    def _receiver() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least there is: it is full at once
        sock.bind(("127.0.0.1", 0))
        return sock

    def _admit(self, number: int, streams: list[Stream], key: bytes, address: tuple[str, int]) -> None:
        """A peer as it is after ICE and DTLS, which are not what is measured."""
        handle = number.to_bytes(8, "big")
        media = Media(ufrag="bench", password="b" * 24, fingerprint=bytes(32), streams=streams)
        self._sfu.join(_ROOM, handle, media)
        link: Link = self._sfu._links[_ROOM, handle]
        link.ice.addresses[address] = time.monotonic()
        link.address = address
        self._sfu._claim(link, address)
        self._sfu._secure(link, srtp.Keys(srtp.AEAD_AES_128_GCM, key, key), time.monotonic())

    def _tell(self, what: object) -> None:
        assert self._feeder.stdin is not None
        self._feeder.stdin.write(json.dumps(what).encode() + b"\n")

    async def path(self, packets: int) -> tuple[float, int]:
        """CPU seconds for `packets` packets in, and how many went out."""
        loop = asyncio.get_running_loop()
        assert self._feeder.stdin is not None
        assert self._feeder.stdout is not None
        credit = self._feeder.stdin.fileno()
        self._tell(packets)
        if await loop.run_in_executor(None, self._feeder.stdout.read, 1) != b"+":
            raise RuntimeError("the publisher stopped")
        done = loop.create_future()
        counts = self._sfu._counts
        first = counts["received"]
        acknowledged = 0
        readable = self._sfu._readable

        def turn() -> None:
            nonlocal acknowledged
            readable()
            received = counts["received"] - first
            if (now_due := received // _ACK) > acknowledged:
                os.write(credit, b"+" * (now_due - acknowledged))
                acknowledged = now_due
            if received >= packets and not done.done():
                done.set_result(None)

        path = self._sfu._path
        assert path is not None
        assert self._sfu._socket is not None
        loop.add_reader(self._sfu._socket.fileno(), turn)
        forwarded = path.sent
        begin = time.process_time()
        self._tell("go")
        await asyncio.wait_for(done, _TIMEOUT)
        spent = time.process_time() - begin
        loop.add_reader(self._sfu._socket.fileno(), readable)
        return spent, path.sent - forwarded

    @contextlib.contextmanager
    def segmenting(self, wanted: bool) -> Iterator[None]:
        """With UDP_SEGMENT, or without."""
        path = self._sfu._path
        if isinstance(path, BatchPath) and not wanted:
            before, path.run = path.run, 1
            yield
            path.run = before
        else:
            yield

    def floor(self, packets: int) -> tuple[float, int]:
        """CPU seconds for as many ready packets, and how many they were."""
        sent = 0
        begin = time.process_time()
        while sent < packets:
            sent += self._volley.send(self._socket)
        return time.process_time() - begin, sent

    def close(self) -> None:
        assert self._feeder.stdin is not None
        self._feeder.stdin.close()
        try:
            self._feeder.wait(5)
        except subprocess.TimeoutExpired:
            self._feeder.kill()
            self._feeder.wait()
        assert self._feeder.stdout is not None
        self._feeder.stdout.close()
        for sock in (*self._receivers, self._socket):
            sock.close()


async def measure(fan_out: int, packets: int, rounds: int, cores: list[int]) -> Result:
    """Path and floor in turn, `rounds` times, `packets` forwarded packets each; their medians."""
    limits = MediaLimits(video_bitrate=1 << 50)  # nobody sends so fast
    sfu = Sfu(address="127.0.0.1", limits=limits)
    await sfu.start()
    bench = _Measure(sfu, fan_out, cores)
    try:
        each = max(_ACK, packets // fan_out // _ACK * _ACK)
        await bench.path(each)  # warm: libsrtp's streams, caches, the other process
        bench.floor(each)
        path: list[float] = []
        single: list[float] = []
        floor: list[float] = []
        forwarded = 0
        for _ in range(rounds):
            for costs, segmented in ((path, True), (single, False)):
                gc.collect()
                with bench.segmenting(segmented):
                    spent, count = await bench.path(each)
                costs.append(1e6 * spent / count)
                forwarded += count
            spent, count = bench.floor(each * fan_out)
            floor.append(1e6 * spent / count)
        cost, alone, least = (round(statistics.median(costs), 3) for costs in (path, single, floor))
        ratio, single_ratio = round(cost / least, 3), round(alone / least, 3)
        return Result(fan_out, cost, alone, least, ratio, single_ratio, forwarded)
    finally:
        bench.close()
        sfu.close()


async def run(packets: int, rounds: int) -> dict[str, object]:
    """All fan-outs, as the JSON object that is printed."""
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {cores[0]})
    results = [asdict(await measure(fan_out, packets, rounds, cores)) for fan_out in FAN_OUTS]
    return {
        "bench": "forward",
        "packet_bytes": SIZE,
        "profile": "AEAD_AES_128_GCM",
        "rounds": rounds,
        "results": results,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m server.media.bench")
    parser.add_argument("--packets", type=int, default=36_000, help="forwarded packets a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--feeder", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.feeder:
        return _feeder()
    print(json.dumps(asyncio.run(run(max(1, options.packets), max(1, options.rounds)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
