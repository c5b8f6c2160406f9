"""The link between two workers: batches, and what happens when one of them does not read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from snugroom.server.sfu.core.effects import Want
from snugroom.server.sfu.io import worker_link
from snugroom.server.sfu.io.worker_link import MESSAGE_MAX, LinkError, WorkerLink, socket_pair

Records = list[tuple[int, int, bytes]]


@contextmanager
def linked() -> Iterator[tuple[WorkerLink, WorkerLink]]:
    ends = socket_pair()
    one, other = (WorkerLink(*end) for end in ends)
    try:
        yield one, other
    finally:
        one.close()
        other.close()


def received(link: WorkerLink, now: float = 0.0, patience: float = 0.02) -> Records:
    """All that is there."""
    records: Records = []
    buffer = memoryview(bytearray(MESSAGE_MAX))
    while link.receive(buffer, now, patience, lambda *record: records.append(record)):
        pass
    return records


def test_records_arrive_in_batches_sound_first() -> None:
    with linked() as (one, other):
        for number in range(40):
            one.add(7, worker_link.RTP, b"v" * number, video=True)
            one.add(8, worker_link.RTCP, b"s" * number)
        assert received(other) == []
        one.flush(0.0)
        records: Records = []
        buffer = memoryview(bytearray(MESSAGE_MAX))
        count = other.receive(buffer, 0.0, 1.0, lambda *record: records.append(record))
        assert count == 2  # messages, not records
        assert records == [
            *((8, worker_link.RTCP, b"s" * number) for number in range(40)),
            *((7, worker_link.RTP, b"v" * number) for number in range(40)),
        ]
        assert (one.crossed, one.full, other.late) == (80, 0, 0)


def test_a_worker_that_does_not_read_stops_nobody_and_loses_video_before_sound() -> None:
    with linked() as (one, other):
        for turn in range(100):
            for number in range(20):
                one.add(turn, worker_link.RTP, bytes([number]) * 1000, video=True)
            one.add(turn, worker_link.RTP, b"s" * 100)
            one.flush(0.0)
        assert one.full > 0
        got = received(other)
        sound = [number for number, _, data in got if len(data) == 100]
        video = [number for number, _, data in got if len(data) == 1000]
        assert sound == list(range(100))
        # the newest video is missing, and what there is is bounded
        assert video == sorted(video)
        assert video[-1] < 50
        assert len(video) * 1000 < 3 * worker_link.BUFFER
        assert one.full == 2000 - len(video)
        one.add(1, worker_link.RTP, b"again", video=True)
        one.flush(0.0)
        assert received(other) == [(1, worker_link.RTP, b"again")]


def test_video_that_has_waited_too_long_is_dropped_and_the_lag_is_known() -> None:
    with linked() as (one, other):
        for turn in range(20):
            one.add(turn, worker_link.RTP, b"video", video=True)
            one.add(turn, worker_link.RTP, b"sound")
            one.flush(10.0 + turn / 1000)
        records: Records = []
        buffer = memoryview(bytearray(MESSAGE_MAX))
        other.receive(buffer, 10.025, 0.02, lambda *record: records.append(record))
        # more is left, so the lag of the oldest counts
        assert other.lag == pytest.approx(0.025)
        assert [number for number, _, data in records if data == b"video"] == [5, 6, 7]
        assert [number for number, _, data in records if data == b"sound"] == list(range(8))
        assert other.late == 5
        received(other, 10.025)
        assert other.lag == 0.0
        # sound is kept for longer, and not for ever
        for now in (20.0, 20.19, 20.2):
            one.add(1, worker_link.RTP, b"%f" % now)
            one.flush(now)
        assert received(other, 20.39) == [(1, worker_link.RTP, b"%f" % now) for now in (20.19, 20.2)]


def test_the_end_of_the_other_worker_is_seen() -> None:
    with linked() as (one, other):
        one.add(1, worker_link.RTP, b"last")
        one.flush(0.0)
        one.close()
        assert received(other) == [(1, worker_link.RTP, b"last")]
        assert other.closed
        other.add(1, worker_link.RTP, b"to nobody")
        other.flush(0.0)
        assert other.full == 1


def test_malformed_messages_are_refused() -> None:
    whole = worker_link._TIME.pack(0.0) + worker_link._RECORD.pack(1, 0, 4) + b"data"
    for message in (b"1234567", whole[:12], whole[:-1], whole + b"x"):
        ours, theirs = socket_pair()
        link = WorkerLink(*theirs)
        ours[0].send(message)
        with pytest.raises(LinkError):
            received(link)
        link.close()
        for sock in ours:
            sock.close()


def test_needs_and_rates_have_a_bounded_size() -> None:
    wants = [(ssrc, Want(10**12, 10**6)) for ssrc in range(7000)]
    data = worker_link.pack_wants(wants)
    assert len(data) + 100 < MESSAGE_MAX
    assert worker_link.unpack_wants(data)[4095] == Want(2**32 - 1, 65_535)
    rates = worker_link.pack_rates([(ssrc, 10**12) for ssrc in range(7000)])
    assert worker_link.unpack_rates(rates)[-1] == (4095, 2**32 - 1)
    for unpack in (worker_link.unpack_wants, worker_link.unpack_rates):
        with pytest.raises(LinkError):
            unpack(b"123456789")


def test_a_link_has_four_sockets_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    real = socket.socketpair

    def limited(*more: int) -> tuple[socket.socket, socket.socket]:
        if made:
            raise OSError(24, "Too many open files")
        pair = real(*more)
        made.extend(pair)
        return pair

    monkeypatch.setattr(socket, "socketpair", limited)
    with pytest.raises(OSError, match="Too many"):
        socket_pair()
    assert all(sock.fileno() == -1 for sock in made)
