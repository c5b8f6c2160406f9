"""``snug demo``: a server in a separate process, a meeting on it, and the result."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from snugroom.client.cli.status import Status
from snugroom.client.tools.demo.facts import verdict
from snugroom.client.tools.demo.meeting import NAMES, Meeting
from snugroom.client.tools.demo.show import HumanShow, JsonShow

__all__ = ["run"]


async def run(participants: int, seconds: float, json_output: bool, *, kill_server: bool = False) -> int:
    """Hold a meeting of 2 to 8 participants for `seconds`; return the exit status.

    With `kill_server`, its server is killed, and it goes on at another one.

    0 if all checks hold, 7 if some do not (one sentence for each), 128 plus the signal's number after SIGINT
    or SIGTERM. At a terminal, the room stays open for a while for people who join by the page.
    """
    loop = asyncio.get_running_loop()
    go_on = None if json_output else _enter(loop)
    show = JsonShow() if json_output else HumanShow()
    interrupted: list[int] = []
    with tempfile.TemporaryDirectory(prefix="snug-demo-") as directory:
        meeting = Meeting(
            NAMES[:participants], seconds, Path(directory), show, go_on, kill_server=kill_server
        )
        work = loop.create_task(meeting.run())

        def stop(number: int) -> None:
            interrupted.append(number)
            work.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        try:
            facts = await work
        except asyncio.CancelledError:
            if not interrupted:
                raise
            show.close()
            show.step("Interrupted. Everybody is gone, and the server too.")
            return 128 + interrupted[0]
        finally:
            show.close()
            if go_on is not None:
                loop.remove_reader(sys.stdin.fileno())
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
    failures = verdict(facts)
    show.result(facts, failures)
    return Status.FAILED if failures else Status.OK


def _enter(loop: asyncio.AbstractEventLoop) -> asyncio.Event | None:
    """Return an event that Enter sets; None unless standard input and output are terminals."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    pressed = asyncio.Event()

    def read() -> None:
        sys.stdin.readline()
        pressed.set()

    loop.add_reader(sys.stdin.fileno(), read)
    return pressed
