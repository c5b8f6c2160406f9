"""``snug demo``: a server in a process of its own, a meeting through it, and what came of it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

from client.demo.facts import verdict
from client.demo.meeting import NAMES, Meeting
from client.demo.show import HumanShow, JsonShow
from client.participant import Status

__all__ = ["run"]


async def run(participants: int, seconds: float, json_output: bool) -> int:
    """Hold a meeting of 2 to 8 participants for so many seconds; returns the exit status.

    0 if all of it held, 7 if something did not (a sentence each says what), 128 and the signal's number if
    it was interrupted by SIGINT or SIGTERM.
    """
    loop = asyncio.get_running_loop()
    show = JsonShow() if json_output else HumanShow()
    interrupted: list[int] = []
    with tempfile.TemporaryDirectory(prefix="snug-demo-") as directory:
        meeting = Meeting(NAMES[:participants], seconds, Path(directory), show)
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
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
    failures = verdict(facts)
    show.result(facts, failures)
    return Status.FAILED if failures else Status.OK
