"""No datagram makes the socket's callback raise, and others' packets go on."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable

import pylibsrtp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.server.sfu.io import dtls
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.sfu import Sfu
from tests.media_server.conftest import ROOM, Rig
from tests.media_server.peer import CERTIFICATE, rtp

FIRST = st.sampled_from([0, 1, 3, 20, 22, 23, 25, 63, 64, 127, 128, 144, 160, 191, 192, 255])
DATAGRAMS = st.one_of(
    st.binary(max_size=100),
    st.tuples(FIRST, st.binary(max_size=200)).map(lambda pair: bytes([pair[0]]) + pair[1]),
    st.integers(1200, 2100).map(lambda size: bytes([0x90]) + bytes(size)),
)
#: DTLS records of several types and epochs, lengths right and wrong.
RECORDS = st.builds(
    lambda kind, version, epoch, sequence, lie, body: (
        struct.pack("!BHH", kind, version, epoch)
        + sequence.to_bytes(6, "big")
        + struct.pack("!H", (len(body) + lie) & 0xFFFF)
        + body
    ),
    st.sampled_from([20, 21, 22, 23, 25]),
    st.sampled_from([0xFEFF, 0xFEFD, 0x0101]),
    st.integers(0, 2),
    st.integers(0, 5),
    st.sampled_from([0, 0, 0, 1, -1, 5000]),
    st.binary(max_size=80) | st.binary(min_size=12, max_size=40).map(lambda b: b"\1\0" + b),
)


async def _exchange(rig: Rig, send: Callable[[], None], number: int) -> None:
    ada, bob = rig.peers[:2]
    send()
    ada.send_rtp(rtp(1, number, b"still here"))
    await bob.until(lambda: bool(bob.rtp) and bob.rtp[-1] == rtp(1, number, b"still here"))
    assert rig.totals("errors") == 0


@pytest.mark.parametrize("kind", ["a stranger", "the receiver", "sealed rtp", "sealed rtcp", "dtls", "hello"])
async def test_others_go_on(rig: Rig, kind: str) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    eve = await rig.join((2, "video"))
    stranger = rig.peer()
    stranger.transport = bob.transport
    fresh = rig.peer()
    await fresh.check(rig.sfu.join(ROOM, rig.handle(fresh), fresh.media))
    assert eve.send_session is not None
    loop = asyncio.get_running_loop()
    number = 0

    def send(data: bytes) -> None:
        assert eve.send_session is not None
        if kind == "a stranger":
            stranger.send(data)
        elif kind == "the receiver":
            eve.send(data)
        elif kind == "sealed rtp":
            # authenticated, whatever it is, as far as libsrtp seals it
            packet = struct.pack("!BBHLL", 0x80 | data[0] & 0x3F, data[1], number, 0, 2) + data[2:]
            with contextlib.suppress(pylibsrtp.Error, ValueError):  # some can't be sealed
                eve.send_rtp(packet)
        elif kind == "sealed rtcp":
            body = data[: min(1000, len(data) // 4 * 4)]
            head = struct.pack("!BBHL", 0x80 | data[0] & 31, 200 + data[1] % 8, len(body) // 4, 2)
            eve.send_rtcp(head + body)
        elif kind == "dtls":
            eve.send(data)
        else:
            fresh.send(data)

    records = RECORDS if kind in ("dtls", "hello") else DATAGRAMS.filter(lambda d: len(d) > 2)
    examples: list[bytes] = []

    @settings(max_examples=150, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(records)
    def collect(data: bytes) -> None:
        examples.append(data)

    await loop.run_in_executor(None, collect)
    for data in examples:
        number += 1
        send(data)
        if number % 10 == 0:
            await _exchange(rig, lambda: None, number)
    await _exchange(rig, lambda: None, number + 1)
    del ada


@given(st.lists(RECORDS, max_size=8))
def test_the_dtls_server_never_raises(records: list[bytes]) -> None:
    context = dtls.server_context(CERTIFICATE)
    association = dtls.DtlsServer(context, CERTIFICATE.fingerprint, 100_000)
    for record in records:
        association.receive(record)
        association.timer()
    assert association.keys is None
    assert association.state in (dtls.State.HANDSHAKE, dtls.State.FAILED)
    association.close()


@given(st.binary(max_size=3000))
def test_flights_are_split_where_records_end(noise: bytes) -> None:
    assert b"".join(dtls.datagrams(noise)) == noise[: sum(map(len, dtls.datagrams(noise)))]
    record = b"\x16\xfe\xfd" + bytes(8) + struct.pack("!H", 500) + bytes(500)
    assert [len(d) for d in dtls.datagrams(record * 5)] == [1026, 1026, 513]


async def test_a_flood_of_garbage_leaves_nothing_behind() -> None:
    sfu = Sfu(address="127.0.0.1", limits=MediaLimits(batched=False))
    await sfu.start()
    try:
        for first in range(256):
            sfu._handle(None, memoryview(bytearray([first]) + bytes(60)), 61, ("192.0.2.9", first + 1))
        assert sfu.totals()["peers"] == 0
        assert sfu._counts["errors"] == 0
        assert (sfu._by_address, sfu._transports.handshaking) == ({}, {})
    finally:
        sfu.close()
