"""The cost of forwarding: CPU time of each forwarded packet, beside yardsticks from the same run.

    python -m snugroom.lab.bench.forwarding.command [--packets N] [--rounds N]     one JSON object on stdout

For each fan-out a real `Sfu` forwards SRTP packets of 1,200 bytes (AEAD_AES_128_GCM) that another process
sends in frames of eight. They take the usual path: `add_reader`, unprotect, checks, cache, protect, send.
There are two yardsticks. The floor is bare `sendmmsg` of as many prepared packets to the same receivers. The
compiled loop (`loop.c`) receives, opens, seals and sends with the same system calls and the same
libsrtp, with the same input, and does nothing else. All take turns, in one process on one core; the medians
count. The bench measures the process's own CPU time, user and system. The receivers are loopback sockets that
nobody reads: reading is not part of the forwarder's cost.

`_Measure.probe` tests that caching for NACKs, RTCP and the check of header extensions are on during the
measurement: a NACK must bring its packet back, and a packet with an impossible extension must be refused.
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
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from snugroom.lab.bench.forwarding import loop as bench_loop
from snugroom.lab.bench.forwarding.feeder import ACK, SSRC, Feeder
from snugroom.server.sfu.io import mmsg, srtp
from snugroom.server.sfu.io.ice import PeerAddress
from snugroom.server.sfu.io.packet_io import BatchPacketIo
from snugroom.server.sfu.limits import MediaLimits, unlimited
from snugroom.server.sfu.link import Link
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire import rtcp
from snugroom.wire.messages import Media, Stream

SIZE: Final = 1200
FAN_OUTS: Final = (2, 9, 49)
_ROOM: Final = bytes(16)
_TIMEOUT: Final = 30.0
#: Seconds in which a NACK must bring its packet back.
_ANSWER_TIME: Final = 2.0
#: The share of the packets that must go out.
_ALL: Final = 0.98
#: Features that must be on while the path is measured (see `_Measure.probe`).
ON: Final = ("cache", "nack", "rtcp", "extensions")


@dataclass(frozen=True, slots=True)
class Result:
    """CPU microseconds for each forwarded packet, medians.

    `ratio` = `path_us` / `floor_us`. `single_us` is the path when no packet shares a UDP_SEGMENT message with
    others. `layers_us` is the path when each receiver gets a layer with rewritten numbers, and transport-wide
    sequence numbers of its own. `compiled_us` is the compiled loop with each packet as a message of its own,
    `compiled_segmented_us` with shared messages; both are None where there is no compiler.
    """

    fan_out: int
    path_us: float
    single_us: float
    layers_us: float
    floor_us: float
    compiled_us: float | None
    compiled_segmented_us: float | None
    ratio: float
    single_ratio: float
    forwarded: int


def _receiver() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the minimum: it is full at once
    sock.bind(("127.0.0.1", 0))
    return sock


def _free_port() -> int:
    with _receiver() as sock:
        port: int = sock.getsockname()[1]
        return port


class _Measure:
    """One fan-out: an SFU, its receivers, and a publisher in another process."""

    def __init__(self, sfu: Sfu, fan_out: int, cores: list[int], *, layers: bool = False) -> None:
        self._sfu = sfu
        self._receivers = [_receiver() for _ in range(fan_out)]
        self._addresses: list[tuple[str, int]] = [sock.getsockname() for sock in self._receivers]
        source, key = _free_port(), os.urandom(28)
        self._keys = [os.urandom(28) for _ in range(fan_out)]
        stream = Stream(ssrc=SSRC, kind="video")
        if layers:
            stream = Stream(ssrc=SSRC, kind="video", layers=[SSRC + 1], rtx=[SSRC + 2, SSRC + 3])
        self._layers = layers
        self._admit(0, [stream], key, ("127.0.0.1", source))
        for i, address in enumerate(self._addresses):
            self._admit(i + 1, [], self._keys[i], address)
        self._feeder = Feeder(source, sfu.port, key, SIZE, cores, layers=layers)
        batch = max(1, 1024 // fan_out)
        libc = mmsg.load()
        if libc is None:
            raise RuntimeError("this system has no sendmmsg")
        self._prepared_burst = mmsg.PreparedBurst(libc, os.urandom(SIZE + 16), self._addresses, batch)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses of the receivers."""
        return self._addresses

    def _admit(self, number: int, streams: list[Stream], key: bytes, address: tuple[str, int]) -> None:
        """Add a peer in the state after ICE and DTLS, which are not measured."""
        handle = number.to_bytes(8, "big")
        media = Media(
            ufrag="bench",
            password="b" * 24,
            fingerprint=bytes(32),
            streams=streams,
            feedback=self._layers,
            rtx=self._layers,
        )
        self._sfu.join(_ROOM, handle, media)
        link: Link = self._sfu._links[_ROOM, handle]
        now = time.monotonic()
        link.ice.addresses[address] = PeerAddress(now, now, proven_at=float("inf"))
        link.address = link.ice.active = address
        for track in self._sfu._core.subscriptions.tracks():
            track.packet_cost_min = 0.0  # no limit on packets a second
        self._sfu._transports.claim(link, address, now)
        self._sfu._transports.secure(link, srtp.Keys(srtp.AEAD_AES_128_GCM, key, key), now)

    async def path(self, packets: int, *, bad: bool = False) -> tuple[float, int]:
        """Return CPU seconds for `packets` packets in, and how many went out."""
        await self._feeder.prepare(packets, bad=bad)
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        counts = self._sfu._counts
        first = counts["received"] + counts["refused"]
        acknowledged = 0
        readable = self._sfu._readable

        def turn() -> None:
            nonlocal acknowledged
            readable()
            received = counts["received"] + counts["refused"] - first
            if (now_due := received // ACK) > acknowledged:
                os.write(self._feeder.credit, b"+" * (now_due - acknowledged))
                acknowledged = now_due
            if received >= packets and not done.done():
                done.set_result(None)

        packet_io = self._sfu._egress.packet_io
        assert packet_io is not None
        assert self._sfu._socket is not None
        loop.add_reader(self._sfu._socket.fileno(), turn)
        forwarded = packet_io.sent
        begin = time.process_time()
        self._feeder.go()
        await asyncio.wait_for(done, _TIMEOUT)
        spent = time.process_time() - begin
        loop.add_reader(self._sfu._socket.fileno(), readable)
        return spent, packet_io.sent - forwarded

    async def awake(self) -> None:
        """Wait until every receiver gets the layer: the server checks the layers only from time to time."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            _, sent = await self.path(ACK)
            if sent == ACK * len(self._receivers):
                return
            await asyncio.sleep(0.05)
        raise RuntimeError("the layer was not forwarded")

    async def probe(self) -> None:
        """Test the features that must be on (`ON`); RuntimeError if one is off. Disturbs no measurement."""
        before = self._sfu.totals()
        await self.path(ACK, bad=True)
        refused = self._sfu.totals().get("refused", 0) - before.get("refused", 0)
        packets = self._sfu.held().packets
        cached = next(iter(self._sfu.streams())).packets > 0 and packets > 0
        first = self._receivers[0]
        session = srtp.SrtpSession(srtp.AEAD_AES_128_GCM, self._keys[0], outbound=True)
        track = next(iter(self._sfu._core.subscriptions.tracks()))
        assert track.high is not None
        asked = session.protect_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, SSRC, [track.high & 0xFFFF]))
        first.sendto(asked, ("127.0.0.1", self._sfu.port))
        resent = 0
        deadline = time.monotonic() + _ANSWER_TIME
        while not resent and time.monotonic() < deadline:
            await asyncio.sleep(0.001)
            resent = self._sfu.totals()["resent"] - before["resent"]
        if (refused, cached, resent) != (ACK, True, 1):
            raise RuntimeError("the path was measured with something switched off")

    @contextlib.contextmanager
    def segmenting(self, wanted: bool) -> Iterator[None]:
        """Run the block with UDP_SEGMENT, or without."""
        packet_io = self._sfu._egress.packet_io
        if isinstance(packet_io, BatchPacketIo) and not wanted:
            before, packet_io.segments_max = packet_io.segments_max, 1
            yield
            packet_io.segments_max = before
        else:
            yield

    def floor(self, packets: int) -> tuple[float, int]:
        """Return CPU seconds for at least `packets` prepared packets, and how many were sent."""
        sent = 0
        begin = time.process_time()
        while sent < packets:
            sent += self._prepared_burst.send(self._socket)
        return time.process_time() - begin, sent

    def close(self) -> None:
        self._feeder.close()
        for sock in (*self._receivers, self._socket):
            sock.close()


class _Compiled:
    """The compiled loop, between the same receivers and a publisher of its own."""

    def __init__(
        self, loop: bench_loop.Loop, receivers: list[tuple[str, int]], limits: MediaLimits, cores: list[int]
    ) -> None:
        self._loop = loop
        self._receivers = receivers
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, limits.socket_buffer)
        self._socket.bind(("127.0.0.1", 0))
        key = os.urandom(28)
        self._inbound = srtp.SrtpSession(srtp.AEAD_AES_128_GCM, key, outbound=False)
        self._outbound = [
            srtp.SrtpSession(srtp.AEAD_AES_128_GCM, os.urandom(28), outbound=True) for _ in receivers
        ]
        self._feeder = Feeder(_free_port(), self._socket.getsockname()[1], key, SIZE, cores)

    async def measure(self, packets: int, run: int) -> tuple[float, int]:
        """Return CPU seconds for `packets` packets in, and how many went out."""
        await self._feeder.prepare(packets)
        begin = time.process_time()
        self._feeder.go()
        sent = self._loop.forward(
            self._socket.fileno(),
            self._feeder.credit,
            packets,
            ACK,
            run,
            self._inbound,
            self._outbound,
            self._receivers,
            _TIMEOUT,
        )
        return time.process_time() - begin, sent

    def close(self) -> None:
        self._feeder.close()
        self._socket.close()


def _cost(spent: float, count: int, wanted: int) -> float:
    """Return microseconds a packet. RuntimeError if too few went out: then something else was measured."""
    if count < _ALL * wanted:
        raise RuntimeError(f"the path forwarded {count} of {wanted} packets")
    return 1e6 * spent / count


async def measure(
    fan_out: int, packets: int, rounds: int, cores: list[int], loop: bench_loop.Loop | None
) -> Result:
    """Measure path, compiled loop and floor in turn, `rounds` times; return the medians.

    Each turn forwards about `packets` packets.
    """
    limits = unlimited(MediaLimits())
    sfu = Sfu(address="127.0.0.1", limits=limits)
    await sfu.start()
    bench = _Measure(sfu, fan_out, cores)
    layered = Sfu(address="127.0.0.1", limits=limits)
    await layered.start()
    layers = _Measure(layered, fan_out, cores, layers=True)
    compiled = None if loop is None else _Compiled(loop, bench.addresses, limits, cores)
    try:
        each = max(ACK, packets // fan_out // ACK * ACK)
        await bench.path(each)  # warm: libsrtp's streams, caches, the other process
        await bench.probe()
        bench.floor(each)
        costs: dict[str, list[float]] = {
            name: [] for name in ("path", "single", "layers", "loop", "loops", "floor")
        }
        forwarded = 0
        for _ in range(rounds):
            for name, segmented in (("path", True), ("single", False)):
                gc.collect()
                with bench.segmenting(segmented):
                    spent, count = await bench.path(each)
                costs[name].append(_cost(spent, count, each * fan_out))
                forwarded += count
            await layers.awake()
            gc.collect()
            spent, count = await layers.path(each)
            costs["layers"].append(_cost(spent, count, each * fan_out))
            for name, run in (("loop", 1), ("loops", bench_loop.RUN)):
                if compiled is not None:
                    spent, count = await compiled.measure(each, run)
                    costs[name].append(1e6 * spent / count)
            spent, count = bench.floor(each * fan_out)
            costs["floor"].append(1e6 * spent / count)
        middle = {name: round(statistics.median(of), 3) for name, of in costs.items() if of}
        return Result(
            fan_out,
            middle["path"],
            middle["single"],
            middle["layers"],
            middle["floor"],
            middle.get("loop"),
            middle.get("loops"),
            round(middle["path"] / middle["floor"], 3),
            round(middle["single"] / middle["floor"], 3),
            forwarded,
        )
    finally:
        bench.close()
        layers.close()
        layered.close()
        if compiled is not None:
            compiled.close()
        sfu.close()


async def run(packets: int, rounds: int) -> dict[str, object]:
    """Measure all fan-outs; return the JSON object to print."""
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {cores[0]})
    try:
        loop, why = bench_loop.build(), ""
    except bench_loop.NoCompilerError as error:
        loop, why = None, str(error)
    results = [asdict(await measure(fan_out, packets, rounds, cores, loop)) for fan_out in FAN_OUTS]
    return {
        "bench": "forward",
        "packet_bytes": SIZE,
        "profile": "AEAD_AES_128_GCM",
        "rounds": rounds,
        "on": list(ON),
        "not_compiled": why,
        "results": results,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m snugroom.lab.bench.forwarding.command")
    parser.add_argument("--packets", type=int, default=36_000, help="forwarded packets a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(run(max(1, options.packets), max(1, options.rounds)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
