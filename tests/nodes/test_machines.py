"""Two nodes as processes, Debian's nats-server, a proxy and headless participants."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.processes import PATIENCE, Process, run, running
from tests.nodes.machines import LEASE, Machines, machines


@contextmanager
def meeting(m: Machines, *expected: str) -> Iterator[tuple[Process, Process]]:
    """Ada and Bo, who hear each other, and who are told of no alarms but those expected."""
    with (
        running("host", "--server", m.proxy.origin, "--admit", "all", "--name", "Ada", "--json") as ada,
        running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo,
    ):
        bo.wait("media", lambda e: e["opened"] > 0)
        ada.wait("media", lambda e: e["opened"] > 0)
        yield ada, bo
        for who in (ada, bo):
            who.send({"leave": True})
        assert (ada.status(), bo.status()) == (0, 0)
        alarms = {alarm["kind"]: alarm["text"] for who in (ada, bo) for alarm in who.events("alarm")}
        assert alarms.keys() <= {"media_lost", "media_unreachable", *expected}, alarms


def says(who: Process, text: str, to: Process) -> float:
    """Say it; return the seconds until the other has it."""
    began = time.monotonic()
    who.send({"chat": text})
    to.wait("chat", lambda e: e["text"] == text)
    return time.monotonic() - began


def once(who: Process, *texts: str) -> None:
    """Whether these, and no others, have come, each of them once and in order."""
    assert [e["text"] for e in who.events("chat")] == list(texts)


def media_goes_on(who: Process) -> None:
    since = len(who.lines)
    opened = who.events("media")[-1]["opened"]
    who.wait("media", lambda e: e["opened"] > opened + 20, since)


def test_a_meeting_outlives_a_drained_and_a_killed_node(tmp_path: Path) -> None:
    with machines(tmp_path) as m, meeting(m) as (ada, bo):
        says(ada, "at the first", bo)
        first = m.home()
        m.nodes[first].signal(signal.SIGTERM)
        says(ada, "drained", bo)
        says(bo, "answered", ada)
        assert m.nodes[first].status() == 0
        second = 3 - first
        assert m.rooms(second) == [2]
        media_goes_on(bo)

        m.start(first)
        m.begun(first)
        m.nodes[second].signal(signal.SIGKILL)
        m.nodes[second].status()
        del m.nodes[second]
        assert says(ada, "killed", bo) < 4 * LEASE + 10
        says(bo, "alive", ada)
        assert m.rooms(first) == [2]
        media_goes_on(ada)
        once(bo, "at the first", "drained", "killed")
        once(ada, "answered", "alive")


def test_a_frozen_node_and_its_successor_never_serve_one_room_both(tmp_path: Path) -> None:
    # one notices the dead connection before the other; nobody opens the room before the lease is over
    with machines(tmp_path) as m, meeting(m, "silent", "stale", "dropped") as (ada, bo):
        first = m.home()
        m.nodes[first].signal(signal.SIGSTOP)
        says(ada, "frozen", bo)
        second = 3 - first
        assert m.rooms(second) == [2]
        m.nodes[first].signal(signal.SIGCONT)
        assert not any(m.rooms(first))
        says(bo, "awake", ada)
        assert m.rooms(second) == [2]
        once(bo, "frozen")
        once(ada, "awake")


def test_a_bus_that_is_away_for_a_moment_interrupts_nobody_and_for_long_ends_all(tmp_path: Path) -> None:
    with machines(tmp_path) as m, meeting(m, "dropped", "refused") as (ada, bo):
        first = m.home()
        m.bus.stop()
        m.bus.start()
        time.sleep(2 * LEASE)  # longer than what the node was certain of before
        assert m.rooms(first) == [2]
        assert m.ready(first)
        assert not [e for e in ada.events("status") if e["kind"] == "away"]
        assert m.bus.files() == []

        m.bus.stop()
        end = time.monotonic() + PATIENCE
        while any(any(m.rooms(number)) for number in m.nodes):
            assert time.monotonic() < end
        while any(m.ready(number) for number in m.nodes):
            assert time.monotonic() < end
        m.bus.start()
        says(ada, "the bus is back", bo)
        once(bo, "the bus is back")
        assert sum(sum(m.rooms(number)) for number in m.nodes) == 2


def test_a_node_that_cannot_begin_says_why(tmp_path: Path) -> None:
    with machines(tmp_path, nodes=1) as m:
        again = run("--config", str(m.settings(1)), module="snugroom.server")
        assert again.returncode == 3
        assert "another running server is node 1 already: set nodes.node" in again.stderr
        m.bus.stop()
        alone = run("--config", str(m.settings(2)), module="snugroom.server")
        assert alone.returncode == 3
        assert "the bus of the nodes at 127.0.0.1" in alone.stderr
        assert "nobody answers there" in alone.stderr
