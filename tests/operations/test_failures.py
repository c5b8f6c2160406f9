"""Each row of docs/reference/failures.md, done to a running server whose two participants write all the time.

Numbers of seconds are upper limits for a busy machine. No message is lost, doubled or out of order.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

from tests.cli.processes import running
from tests.operations.meeting import BLOCK, CLOCK, Meeting, meeting

ROOT = Path(__file__).parents[2]
#: The first column of the page, by the test of that row.
ROWS = {
    "test_killed": "killed, and started again",
    "test_a_media_worker_is_killed": "a media worker is killed",
    "test_stopped": "stopped (SIGSTOP), or the machine sleeps",
    "test_frozen": "its event loop is blocked for 4 s",
    "test_full_disk": "the disk is full",
    "test_no_file_descriptors": "no file descriptor is left",
    "test_no_memory": "no memory is left",
    "test_wrong_clock": "its clock is wrong by a year",
    "test_asked_to_end": "SIGTERM, and started again",
}


def test_the_page_has_a_row_for_each_test() -> None:
    page = (ROOT / "docs/reference/failures.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")][1:]
    assert [row[1].strip() for row in rows] == list(ROWS.values())
    assert set(ROWS) <= set(globals())
    for row in rows:
        assert row[-2].strip() == "0", "messages lost"


def _again(held: Meeting, away: float, back: float) -> None:
    """The server has ended: start it as a service manager does, and see everybody come back."""
    held.talk()
    held.sees("away", away)
    held.server.start()
    held.sees("back", back)
    held.talk()
    held.complete(back)
    held.sounds(back)
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


def test_killed() -> None:
    with meeting() as held:
        held.server.signal(signal.SIGKILL)
        held.server.wait()
        _again(held, away=10.0, back=30.0)


def test_asked_to_end() -> None:
    with meeting() as held:
        held.server.signal(signal.SIGTERM)
        assert held.server.wait() == 0
        _again(held, away=10.0, back=30.0)


def test_a_media_worker_is_killed() -> None:
    with meeting("--workers", "2") as held:
        for pid in held.server.workers():
            os.kill(pid, signal.SIGKILL)
        held.talk()
        held.complete(10.0)
        held.sounds(30.0)
        assert held.told() <= {"media_lost", "cleared", "unverified_media", "verified"}


def test_stopped() -> None:
    with meeting() as held:
        held.server.signal(signal.SIGSTOP)
        held.talk()
        held.sees("away", 60.0)
        held.server.signal(signal.SIGCONT)
        held.sees("back", 30.0)
        held.talk()
        held.complete(30.0)
        held.sounds(30.0)


def test_frozen() -> None:
    with meeting() as held:
        held.server.signal(BLOCK)
        held.talk()
        held.complete(20.0)
        held.sounds(20.0)
        assert "away" not in held.told()


def test_full_disk() -> None:
    with meeting("--log-level", "debug", log="/dev/full") as held:
        held.talk()
        held.complete(10.0)
        held.sounds(10.0)
        assert held.told() == set()


def test_no_file_descriptors() -> None:
    with meeting() as held:
        pid = held.server.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(
            pid, resource.RLIMIT_NOFILE, (max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1, before[1])
        )
        with running("join", held.link, "--name", "Cem", "--no-audio", "--no-video", "--json") as cem:
            assert cem.status() == 3, "nobody answers a newcomer"
        held.talk()
        held.complete(10.0)
        held.sounds(10.0)
        assert held.told() == set(), "the meeting goes on"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        with running("join", held.link, "--name", "Cem", "--no-audio", "--no-video", "--json") as cem:
            cem.wait("roster", lambda e: len(e["members"]) == 3)
            cem.send({"leave": True})
            assert cem.status() == 0


def test_no_memory(tmp_path: Path) -> None:
    """Members send files until the server can't hold more; then there is memory again."""
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(8_000_000))
    with meeting() as held:
        pid = held.server.pid
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (held.server.size("VmSize") + (1 << 20), before[1]))
        held.people["Bo"].send({"file": str(big)})
        held.talk()
        time.sleep(5)  # it is out of memory for so long
        resource.prlimit(pid, resource.RLIMIT_AS, before)
        held.talk()
        held.complete(60.0)
        held.sounds(60.0)
        held.people["Ada"].wait("file", lambda e: e["name"] == "big.bin")


def test_wrong_clock() -> None:
    with meeting() as held:
        held.server.signal(CLOCK)
        held.talk()
        held.complete(10.0)
        held.sounds(10.0)
        assert held.told() == set()
