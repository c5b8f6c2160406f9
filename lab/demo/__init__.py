"""``snug demo``: a server in a separate process, a meeting on it, and the result."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from snugroom.client.headless.status import Status
from snugroom.client.session.catalogue.sentence import Language, in_language, sentence
from snugroom.lab.demo.facts import Facts, verdict
from snugroom.lab.demo.meeting import CUT_OFF, NAMES, Meeting
from snugroom.lab.demo.show import HumanShow, JsonShow
from snugroom.lab.demo.traces import Contrast
from snugroom.lab.demo.traces import failures as contrast_failures

__all__ = ["run"]


async def run(
    participants: int,
    seconds: float,
    json_output: bool,
    *,
    kill_server: bool = False,
    ordinary: Language | None = None,
) -> int:
    """Hold a meeting of 2 to 8 participants for `seconds`; return the exit status.

    With `kill_server`, its server is killed, and it goes on at another one. With `ordinary`, the language of
    its sentences, the same meeting is held at an ordinary server too, and the same search made in both.

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
        work = loop.create_task(_held(meeting, show, ordinary))

        def stop(number: int) -> None:
            interrupted.append(number)
            work.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        try:
            facts, contrast = await work
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
    if contrast is not None:
        failures += contrast_failures(contrast)
        show.contrast(contrast, ordinary or "en")
    show.result(facts, failures)
    return Status.FAILED if failures else Status.OK


async def _held(
    meeting: Meeting, show: HumanShow | JsonShow, ordinary: Language | None
) -> tuple[Facts, Contrast | None]:
    facts = await meeting.run()
    if ordinary is None:
        return facts, None
    # imported here: aiortc is a package of the extra `class`
    from snugroom.lab.demo.contrast import hold

    show.step(in_language(sentence("terminal.contrast_begins"), ordinary))
    own = await asyncio.to_thread(meeting.traces)
    lines = [facts.said.get(name, CUT_OFF) for name in meeting.names]
    traces, trouble = await hold(meeting.names, lines, meeting.size, facts.seconds)
    return facts, Contrast(meeting.names, own, traces, trouble)


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
