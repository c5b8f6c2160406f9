"""Blobs of epochs that are still to come: bounded in number, bytes and time."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.features.signing import EARLY_BYTES as LISTS_BYTES
from snugroom.client.session.features.signing import LATE
from snugroom.client.session.kernel.early import EarlyBlobs
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.client.session.kernel.message_log import EARLY_BYTES, EARLY_MAX, EARLY_TIME
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.signed_media import signing


def early(*, most: int = 4, size: int = 100, seconds: float = 10.0) -> EarlyBlobs:
    return EarlyBlobs(most=most, size=size, seconds=seconds)


def test_number_bytes_and_time_are_bounded_and_what_is_dropped_is_counted() -> None:
    blobs = early()
    for n in range(6):
        blobs.add(bytes([n]), float(n))
    assert blobs.take(6.0) == ([b"\2", b"\3", b"\4", b"\5"], 2)
    blobs.add(bytes(60), 7.0)
    blobs.add(bytes(41), 8.0)
    assert blobs.take(9.0) == ([bytes(41)], 1)
    blobs.add(b"old", 10.0)
    blobs.add(b"new", 11.0)
    assert blobs.take(20.5) == ([b"new"], 1)
    assert blobs.take(21.0) == ([], 0)


def test_a_server_that_invents_epochs_fills_no_memory() -> None:
    """The epoch's number of a blob is in clear. The server can write any number, and any bytes behind it."""
    w = World(41)
    ada, _bo = w.meeting("Ada", "Bo")
    log, lists = ada.room.messages, signing(ada)
    for n in range(200):
        log.relayed((10**6 + n).to_bytes(8, "big") + bytes(262_136), w.now)
        lists.broadcast_received((10**6 + n).to_bytes(8, "big") + bytes(32_760), w.now)
    assert len(log._early) * 262_144 <= EARLY_BYTES
    assert len(lists._early) * 32_768 <= LISTS_BYTES
    for n in range(2 * EARLY_MAX):
        log.relayed((10**6 + n).to_bytes(8, "big") + bytes(504), w.now)
    assert len(log._early) == EARLY_MAX
    log.relayed((10**6).to_bytes(8, "big") + bytes(504), w.now + EARLY_TIME)
    lists.broadcast_received((10**6).to_bytes(8, "big") + bytes(504), w.now + LATE)
    assert len(log._early) == len(lists._early) == 1


def test_a_message_that_comes_before_its_commit_is_shown_and_an_expired_one_is_reported() -> None:
    for seconds, shown in ((EARLY_TIME, True), (0.5, False)):
        w = World(42)
        ada, bo = w.meeting("Ada", "Bo")
        ada.room.messages._early._seconds = seconds
        late: list[wire.Committed] = []

        def hold(who: Participant, message: object, ada: Participant = ada, late=late) -> bool:  # type: ignore[no-untyped-def]
            if who is ada and isinstance(message, wire.Committed):
                late.append(message)
                return False
            return True

        w.down_filter = hold
        bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)
        w.run(1)
        w.do(bo, ev.Say("hello"))
        w.run(1)
        w.down_filter = lambda who, message: True
        w._feed(ada, ev.Received(ev.ROOM, late[0]))
        w.run(1)
        assert (("Bo", "hello") in ada.said) == shown
        assert ("missed" in ada.alarms) != shown
