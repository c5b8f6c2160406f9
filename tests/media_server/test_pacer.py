"""The pacer: the order and times of packets, drops, and bounded queues."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.sfu.core.pacer import Pacer, PacketKind

AUDIO, RESENT, VIDEO = PacketKind.AUDIO, PacketKind.RESENT, PacketKind.VIDEO
P = Pacer[str, int]


def frame(pacer: P, name: str, count: int, now: float, *, key: bool = False, stream: int = 1) -> list[bool]:
    """`count` packets of 1,100 bytes; the frame's time is `now`."""
    stamp = round(now * 90_000)
    return [
        pacer.push(f"{name}{i}", 1100, VIDEO, now, stream, stamp, start=key and i == 0) for i in range(count)
    ]


def full(pacer: P, now: float) -> None:
    """Use up what may go at once."""
    sent = [pacer.push("x", 1100, RESENT, now) and pacer.due(now) for _ in range(100)]
    assert sent[-1] == []
    pacer.drain()


def test_a_quiet_path_holds_nothing_up() -> None:
    pacer: P = Pacer(1e6)
    assert pacer.wait(0.0) is None
    frame(pacer, "a", 2, 0.0)
    assert pacer.wait(0.0) == 0
    assert pacer.due(0.0) == ["a0", "a1"]
    assert pacer.wait(0.0) is None


def test_sound_then_what_was_asked_for_then_video() -> None:
    pacer: P = Pacer(1e6)
    full(pacer, 0.0)
    frame(pacer, "v", 2, 0.0)
    pacer.push("r", 1100, RESENT, 0.0)
    for i in range(50):
        pacer.push(f"s{i}", 120, AUDIO, 0.0)
    assert pacer.wait(0.0) == 0
    assert pacer.due(0.0) == [f"s{i}" for i in range(50)]  # at once, allowed or not
    out, now = [], 0.0
    for _ in range(3):
        assert pacer.due(now) == []  # it knows when
        now += (pacer.wait(now) or 0) + 1e-6
        out += pacer.due(now)
    assert out == ["r", "v0", "v1"]
    assert now > 6000 * 8 / 2.5e6  # and pays for the sound


@pytest.mark.parametrize(("target", "rate"), [(1e6, 2.5e6), (50e3, 300e3)])
def test_the_rate_is_kept(target: float, rate: float) -> None:
    pacer: P = Pacer()
    pacer.target(target)
    frame(pacer, "k", 100, 0.0, key=True)
    sent = 0
    for tick in range(100):
        sent += len(pacer.due(tick * 0.02))
    assert min(100, rate * 2 / 8 / 1100) * 0.9 <= sent <= min(100, rate * 2 / 8 / 1100 + 6)
    # after a pause no more goes at once than before
    pacer = Pacer(target)
    pacer.due(0.0)
    frame(pacer, "k", 100, 60.0, key=True)
    assert len(pacer.due(60.0)) <= 3 + rate * 0.02 / 8 / 1100


def test_old_video_goes_until_a_key_frame() -> None:
    pacer: P = Pacer(50e3)
    full(pacer, 0.0)
    frame(pacer, "a", 30, 0.0)
    frame(pacer, "b", 30, 0.1)
    frame(pacer, "o", 1, 0.2, stream=2)
    assert pacer.lost() == []
    out = pacer.due(0.31)
    assert out[-1] == "o0"  # another stream's is younger
    assert pacer.lost() == [1]
    assert pacer.lost() == []  # told once
    assert pacer.blocked(1)
    assert not pacer.blocked(2)
    assert frame(pacer, "c", 2, 0.4) == [False, False]
    assert frame(pacer, "k", 2, 0.5, key=True) == [True, True]
    assert not pacer.blocked(1)
    assert frame(pacer, "d", 1, 0.6) == [True]
    assert pacer.due(9.0) == ["k0", "k1"]  # a key frame may be old; what is behind it is not sent so late
    assert pacer.lost() == [1]
    assert pacer.queued == 0


def test_a_key_frame_that_waits_saves_what_is_behind_it() -> None:
    pacer: P = Pacer(50e3)
    full(pacer, 0.0)
    frame(pacer, "a", 5, 0.0)
    frame(pacer, "k", 2, 0.2, key=True)
    frame(pacer, "b", 1, 0.25)
    frame(pacer, "o", 1, 0.25, stream=2)
    assert pacer.due(0.31)[:2] == ["k0", "k1"]
    assert pacer.lost() == []
    assert not pacer.blocked(1)
    assert frame(pacer, "c", 1, 0.32) == [True]


def test_the_queue_is_bounded() -> None:
    pacer: P = Pacer(50e3)
    taken = [frame(pacer, f"{i}", 1, i * 1e-6, key=i == 0)[0] for i in range(1000)]
    assert pacer.queued <= 192 * 1024
    assert not all(taken)
    assert pacer.lost() == [1]
    # what is asked for again doesn't go beyond it either
    assert not all(pacer.push("r", 1100, RESENT, 0.1) for _ in range(1000))
    assert pacer.queued <= 192 * 1024
    # and with the queue full of it, a key frame has no room
    assert frame(pacer, "k", 1, 0.2, key=True) == [False]
    assert pacer.blocked(1)
    assert pacer.lost() == [1]


def test_a_new_key_frame_takes_the_place_of_what_waits() -> None:
    pacer: P = Pacer(50e3)
    full(pacer, 0.0)
    assert all(frame(pacer, "k", 178, 0.0, key=True))
    assert frame(pacer, "n", 3, 0.001, key=True) == [True, True, True]
    assert pacer.queued == 3300
    assert (pacer.lost(), pacer.blocked(1)) == ([], False)


def test_forgotten_packets_are_not_sent() -> None:
    pacer: P = Pacer(50e3)
    full(pacer, 0.0)
    frame(pacer, "a", 5, 0.0, key=True)
    frame(pacer, "b", 2, 0.0, stream=2)
    pacer.forget(1)
    assert pacer.queued == 2200
    assert (pacer.lost(), pacer.blocked(1)) == ([], False)
    assert pacer.due(0.1)[:1] == ["b0"]
    assert (len(pacer._keys), len(pacer._blocked), len(pacer._lost)) == (0, 0, 0)


def test_a_path_that_has_become_wide_takes_all_at_once() -> None:
    pacer: P = Pacer(50e3)
    full(pacer, 0.0)
    frame(pacer, "v", 2, 0.0)
    pacer.push("r", 1100, RESENT, 0.0)
    pacer.push("s", 120, AUDIO, 0.0)
    assert pacer.waiting == 4
    assert pacer.drain() == ["s", "r", "v0", "v1"]
    assert (pacer.waiting, pacer.queued, pacer.due(9.0)) == (0, 0, [])


def test_a_key_frame_on_a_narrow_path_holds_no_sound_up() -> None:
    """60 kB at once towards 200 kbit/s, over a path that takes no more: the queue is here and not there."""
    pacer: P = Pacer(200e3)
    rng = random.Random(2)
    frame(pacer, "k", 54, 0.0, key=True)
    path, worst, heard = 0.0, 0.0, 0
    for tick in range(250):
        now = tick * 0.02
        pacer.push("s", 120, AUDIO, now)
        if tick % 2:
            frame(pacer, "v", rng.randint(1, 2), now)
        for item in pacer.due(now):
            size = 120 if item == "s" else 1100
            path = max(path, now) + size * 8 / 500e3
            if item == "s":
                heard += 1
                worst = max(worst, path - now)
    assert heard == 250
    assert worst < 0.1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PacketKind),
            st.integers(1, 1356),
            st.integers(1, 3),
            st.booleans(),
            st.floats(0, 0.1),
        ),
        max_size=300,
    )
)
def test_everything_comes_back_once_or_is_dropped(
    steps: list[tuple[PacketKind, int, int, bool, float]],
) -> None:
    pacer: Pacer[int, int] = Pacer(100e3)
    now, sizes, out = 0.0, dict[int, tuple[PacketKind, int]](), list[int]()
    for i, (kind, size, stream, start, passed) in enumerate(steps):
        now += passed
        if pacer.push(i, size, kind, now, stream, i, start=start):
            sizes[i] = kind, size
        out += pacer.due(now)
    for _ in range(600):
        now += 0.1
        out += pacer.due(now)
    assert len(out) == len(set(out))
    assert set(out) <= sizes.keys()
    assert {i for i, (kind, _) in sizes.items() if kind is not VIDEO} <= set(out)
    assert pacer.queued == 0
    assert pacer.wait(now) is None
