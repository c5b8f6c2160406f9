"""Each row of docs/reference/failures.md, done to a running server whose two participants write all the time.

The seconds are limits for a busy machine. No message is lost, doubled or out of order.
"""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from snugroom.server.logs import OUT_OF_MEMORY
from tests.cli.processes import running
from tests.operations.meeting import BLOCK, CLOCK, Meeting, meeting

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """A row of the page: its first column, and the most seconds until people see it and until all is well."""

    failure: str
    seen: int
    well: int


#: By the test of that row, in the order of the page.
ROWS = {
    "test_killed": Row("killed, and started again", 10, 30),
    "test_a_media_worker_is_killed": Row("a media worker is killed", 0, 30),
    "test_stopped": Row("stopped (SIGSTOP), or the machine sleeps", 60, 30),
    "test_frozen": Row("its event loop is blocked for 4 s", 0, 20),
    "test_full_disk": Row("the disk is full", 0, 10),
    "test_no_file_descriptors": Row("no file descriptor is left", 0, 10),
    "test_no_memory": Row("no memory is left, and started again", 10, 60),
    "test_wrong_clock": Row("its clock is wrong by a year", 0, 10),
    "test_asked_to_end": Row("SIGTERM, and started again", 10, 30),
}


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """The row of this test."""
    return ROWS[request.node.originalname]


def test_the_page_has_these_rows() -> None:
    page = (ROOT / "docs/reference/failures.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("| ")]
    assert rows[0][1:-1] == [
        "Failure",
        "Participants see",
        "After",
        "What goes on",
        "All is well after",
        "Lost",
    ]
    told = [(cells[1], cells[3], cells[5], cells[6]) for cells in rows[1:]]
    assert told == [(r.failure, f"{r.seen} s" if r.seen else "", f"{r.well} s", "0") for r in ROWS.values()]
    assert set(ROWS) <= set(globals())


def _again(held: Meeting, row: Row) -> None:
    """The server has ended: start it as a service manager does, and see everybody come back."""
    held.talk()
    held.sees("away", row.seen)
    held.server.start()
    held.sees("back", row.well)
    held.talk()
    held.complete(row.well)
    held.sounds(row.well)
    assert held.told() <= {
        "away",
        "back",
        "closing",
        "media_lost",
        "stale",
        "cleared",
        "unverified_media",
        "verified",
    }


def test_killed(row: Row) -> None:
    with meeting() as held:
        held.server.signal(signal.SIGKILL)
        held.server.wait()
        _again(held, row)


def test_asked_to_end(row: Row) -> None:
    with meeting() as held:
        held.server.signal(signal.SIGTERM)
        assert held.server.wait() == 0
        _again(held, row)


def test_a_media_worker_is_killed(row: Row) -> None:
    with meeting("--workers", "2") as held:
        for pid in held.server.workers():
            os.kill(pid, signal.SIGKILL)
        held.talk()
        held.complete(row.well)
        held.sounds(row.well)
        assert held.told() <= {"media_lost", "cleared", "unverified_media", "verified"}


def test_stopped(row: Row) -> None:
    with meeting() as held:
        held.server.signal(signal.SIGSTOP)
        held.talk()
        held.sees("away", row.seen)
        held.server.signal(signal.SIGCONT)
        held.sees("back", row.well)
        held.talk()
        held.complete(row.well)
        held.sounds(row.well)


def test_frozen(row: Row) -> None:
    with meeting() as held:
        held.server.signal(BLOCK)
        held.talk()
        held.complete(row.well)
        held.sounds(row.well)
        assert "away" not in held.told()


def test_full_disk(row: Row) -> None:
    with meeting("--log-level", "debug", log="/dev/full") as held:
        held.talk()
        held.complete(row.well)
        held.sounds(row.well)
        assert held.told() == set()


def test_no_file_descriptors(row: Row) -> None:
    with meeting() as held:
        pid = held.server.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # all numbers below this one are its standard streams', whatever it closes; what is open stays so
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        with running("join", held.link, "--name", "Cem", "--no-audio", "--no-video", "--json") as cem:
            assert cem.status() == 3, "nobody answers a newcomer"
        held.talk()
        held.complete(row.well)
        held.sounds(row.well)
        assert held.told() == set(), "the meeting goes on"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        with running("join", held.link, "--name", "Cem", "--no-audio", "--no-video", "--json") as cem:
            cem.wait("roster", lambda e: len(e["members"]) == 3)
            cem.send({"leave": True})
            assert cem.status() == 0


def test_no_memory(row: Row, tmp_path: Path) -> None:
    """The server may not have another page. It ends by itself, and a service manager starts it again."""
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(8_000_000))
    with meeting() as held:
        pid = held.server.pid
        limit = resource.prlimit(pid, resource.RLIMIT_AS)[1]
        resource.prlimit(pid, resource.RLIMIT_AS, (held.server.size("VmSize"), limit))
        held.people["Bo"].send({"file": str(big)})
        # msgspec crashes where it gets no memory for what it encodes
        assert held.server.wait() in (OUT_OF_MEMORY, -signal.SIGSEGV)
        _again(held, row)
        held.people["Ada"].wait("file", lambda e: e["filename"] == "big.bin")


def test_wrong_clock(row: Row) -> None:
    with meeting() as held:
        held.server.signal(CLOCK)
        held.talk()
        held.complete(row.well)
        held.sounds(row.well)
        assert held.told() == set()
