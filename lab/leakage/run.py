"""`snug lab leakage`: hold meetings, observe them as the server can, and report what could be guessed."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from snugroom.installed import environment
from snugroom.lab.leakage import seen as s
from snugroom.lab.leakage.plan import Plan, draw
from snugroom.lab.leakage.questions import QUESTIONS, Result, ask
from snugroom.lab.leakage.report import as_json, as_page, as_table
from snugroom.lab.leakage.selection import simulate_all
from snugroom.lab.leakage.worker import Held, Job

#: Number of processes that hold meetings, and meetings at a time in each.
_WORKERS: Final = 2
_AT_ONCE: Final = 4
#: Seconds between the starts of two meetings in one process: joining takes CPU time and must be spread out.
_APART: Final = 1.0
_START_TIME: Final = 40.0
#: One of this many meetings is planted.
_PLANTED: Final = 5
_LEAST: Final = 4


class LeakageError(Exception):
    """The measurement failed. The message is a full sentence."""


async def _process(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
        env=environment(),
    )


async def _work(job: Job, on_held: Callable[[Held], None]) -> None:
    worker = await _process("snugroom.lab.leakage.worker")
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(msgspec.json.encode(job))
        worker.stdin.close()
        decoder = msgspec.json.Decoder(Held)
        while line := await worker.stdout.readline():
            on_held(decoder.decode(line))
        if await worker.wait() != 0:
            raise LeakageError("A process that was to hold meetings has failed.")
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


async def hold(
    plans: Sequence[Plan], directory: Path, tell: Callable[[str], None]
) -> tuple[s.Seen, list[Held]]:
    """Hold all meetings, several at a time on one server; return the server's notes and all records."""
    notes = directory / "notes.jsonl"
    server = await _process("snugroom.lab.hostile.observer", str(notes))
    assert server.stdout is not None
    held: list[Held] = []

    def one(meeting: Held) -> None:
        held.append(meeting)
        why = f" ({meeting.failed})" if meeting.failed else ""
        tell(f"{len(held)} of {len(plans)} meetings held{why}")

    try:
        try:
            async with asyncio.timeout(_START_TIME):
                line = (await server.stdout.readline()).decode()
        except TimeoutError:
            line = ""
        if not line.startswith("listening on "):
            raise LeakageError("The server did not start.")
        origin = line.removeprefix("listening on ").strip()
        shares = [list(plans[i::_WORKERS]) for i in range(_WORKERS)]
        workers = [asyncio.create_task(_work(Job(origin, _AT_ONCE, share), one)) for share in shares]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        server.send_signal(signal.SIGTERM)
        await asyncio.wait_for(server.wait(), _START_TIME)
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
    return s.read(notes), sorted(held, key=lambda meeting: meeting.number)


def plan(meetings: int, seconds: float, seed: int) -> list[Plan]:
    """Return plans of `meetings` meetings. One of `_PLANTED` has the leak that must be found."""
    return [
        draw(
            number,
            seconds,
            seed,
            starts_after=number // _WORKERS % _AT_ONCE * _APART if number < _WORKERS * _AT_ONCE else 0.0,
            planted=number % _PLANTED == _PLANTED - 1,
        )
        for number in range(meetings)
    ]


async def measure(
    meetings: int, seconds: float, *, seed: int, tell: Callable[[str], None], names: Sequence[str] = ()
) -> Result:
    """Run the whole measurement. `names`: the questions to ask (default: all)."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="snug-leakage-") as directory:
        seen, held = await hold(plan(meetings, seconds, seed), Path(directory), tell)
    tell("Guessing")
    answers = [
        await asyncio.to_thread(ask, question, seen, held)
        for question in QUESTIONS
        if not names or question.name in names
    ]
    tell("Simulating large rooms")
    leaks = [] if names else await asyncio.to_thread(simulate_all)
    failed = sum(bool(meeting.failed) for meeting in held)
    return Result(answers, len(held) - failed, failed, seconds, time.monotonic() - began, leaks)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="snug lab leakage", description="Measure what sizes and times tell the server about a meeting."
    )
    parser.add_argument("--meetings", type=int, default=40, metavar="N", help="how many (default 40)")
    parser.add_argument("--seconds", type=float, default=15.0, metavar="S", help="of each (default 15)")
    parser.add_argument("--seed", type=int, default=1, help="of the plans (default 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the page (docs/explanation/leakage.md) there"
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Run ``snug lab leakage``. Exit status: 0; 1 if more leaks than allowed; 2 if the measurement failed."""
    arguments = parser().parse_args(argv)
    if not _LEAST <= arguments.meetings <= 1000 or not 5 <= arguments.seconds <= 300:
        print("snug: --meetings takes 4 to 1000, --seconds 5 to 300", file=sys.stderr)
        return 2
    if importlib.util.find_spec("sklearn") is None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    def tell(text: str) -> None:
        print(f"  {text}...", file=sys.stderr, flush=True)

    try:
        result = asyncio.run(measure(arguments.meetings, arguments.seconds, seed=arguments.seed, tell=tell))
    except LeakageError as error:
        print(f"snug: {error}", file=sys.stderr)
        return 2
    if arguments.out is not None:
        arguments.out.write_text(as_page(result), encoding="utf-8")
    print(as_json(result) if arguments.json else as_table(result))
    return 1 if result.too_much else 0
