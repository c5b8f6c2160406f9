"""The publisher of the forwarding bench: its own process, which sends frames of sealed packets.

Its standard input tells it what to send, and how many packets have arrived. It never has more packets in
flight than fit into a receive buffer of the default size.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from typing import Final

from snugroom.server.sfu.io import srtp

SSRC: Final = 0x0BE7C4
#: Packets of one frame, which share a timestamp.
FRAME: Final = 8
#: The number of packets that one byte on its standard input acknowledges.
ACK: Final = 32
#: The most packets in flight.
_CREDIT: Final = 96
#: abs-send-time, as a browser writes it, and the same with an impossible length.
_EXTENSION: Final = struct.pack("!HH", 0xBEDE, 1) + b"\x32\1\2\3"
_BAD_EXTENSION: Final = struct.pack("!HH", 0xBEDE, 1) + b"\x31\1\2\0"
#: abs-send-time with a transport-wide sequence number, and the clear header of a key frame.
_TWCC: Final = struct.Struct("!HHB3sBHx")
_KEY: Final = bytes.fromhex("F0FFFF9D012A10001000")


class Feeder:
    """The process. The receiver at port `to` writes a byte to the descriptor `credit` for each `ACK` packets.

    `layers`: the packets are of a layer, with transport-wide sequence numbers and a VP8 descriptor, and each
    frame is a key frame.
    """

    def __init__(
        self, source: int, to: int, key: bytes, size: int, cores: list[int], *, layers: bool = False
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "snugroom.lab.bench.forwarding.feeder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if len(cores) > 1:
            os.sched_setaffinity(self._process.pid, set(cores[1:]))
        self._tell({"from": source, "to": to, "key": key.hex(), "size": size, "layers": layers})

    @property
    def credit(self) -> int:
        """The descriptor on which arrivals are acknowledged."""
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    async def prepare(self, packets: int, *, bad: bool = False) -> None:
        """Make this number of packets, to be sent at `go`. `bad`: their extension is malformed."""
        assert self._process.stdout is not None
        self._tell([packets, bad])
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(None, self._process.stdout.read, 1) != b"+":
            raise RuntimeError("the publisher stopped")

    def go(self) -> None:
        self._tell("go")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _tell(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")


def main() -> int:
    """Run the process: send packets of one stream, sealed in advance."""
    told = json.loads(sys.stdin.buffer.readline())
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", told["from"]))
    sock.connect(("127.0.0.1", told["to"]))
    session = srtp.SrtpSession(srtp.AEAD_AES_128_GCM, bytes.fromhex(told["key"]), outbound=True)
    size = told["size"]
    body = os.urandom(size)
    buffer, length = srtp.Buffer(2048), srtp.new_length()
    sequence = 0
    while line := sys.stdin.buffer.readline():
        count, bad = json.loads(line)
        packets = []
        for _ in range(count):
            frame, place = divmod(sequence, FRAME)
            packet = struct.pack("!BBHLL", 0x90, 96, sequence & 0xFFFF, frame * 3000 & 0xFFFFFFFF, SSRC)
            if bad or not told["layers"]:
                packet += _BAD_EXTENSION if bad else _EXTENSION
            else:
                packet += _TWCC.pack(0xBEDE, 2, 0x32, b"\1\2\3", 0x51, sequence & 0xFFFF)
                packet += struct.pack("!BBH", 0x80 if place else 0x90, 0x80, 0x8000 | frame & 0x7FFF)
                packet += b"" if place else _KEY
            buffer.view[:size] = packet + body[len(packet) :]
            length[0] = size
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
                if not (credit := os.read(sys.stdin.fileno(), 1)):
                    return 0  # the bench has gone
                done += ACK * len(credit)
            sock.send(packets[sent])
            sent += 1
        while done < len(packets) // ACK * ACK:
            if not (credit := os.read(sys.stdin.fileno(), 1)):
                return 0
            done += ACK * len(credit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
