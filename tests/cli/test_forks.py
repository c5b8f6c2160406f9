"""Forked commands behave like started ones: their streams, their status, their end."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cli.forks import ROOT, Forks, environment
from tests.cli.processes import Process, run, running


@pytest.mark.parametrize(
    "arguments", [("--help",), ("host",), ("nonsense",), ("contacts", "show", "/nowhere"), ("explain",)]
)
def test_it_says_and_ends_as_a_started_one_does(arguments: tuple[str, ...]) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "snugroom.command", *arguments],
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    forked = run(*arguments)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        started.returncode,
        started.stdout,
        started.stderr,
    )


def test_a_signal_ends_it_and_is_its_status() -> None:
    with running("--listen", "127.0.0.1:0", module="snugroom.server") as server:
        server.wait_line(lambda line: line.startswith("listening on "))
        server.signal(signal.SIGKILL)
        assert server.status() == -signal.SIGKILL
        server.signal(signal.SIGTERM)  # nobody else gets it


def test_children_end_with_the_test() -> None:
    forks = Forks("snugroom.server")
    child = forks.start(["--listen", "127.0.0.1:0"])
    with child.stdout, child.stderr, child.stdin:
        assert child.stdout.readline().startswith("listening on ")
        assert child.poll() is None
        forks.close()
        assert child.wait(30) == -signal.SIGKILL


def test_two_at_once_have_streams_of_their_own() -> None:
    with (
        running("--listen", "127.0.0.1:0", module="snugroom.server") as one,
        running("--listen", "127.0.0.1:0", module="snugroom.server") as other,
    ):
        addresses = set()
        for process in (one, other):
            assert isinstance(process, Process)
            addresses.add(process.wait_line(lambda line: line.startswith("listening on ")))
        assert len(addresses) == 2
        one.signal(signal.SIGTERM)
        assert one.status() == 0, "its input does not stay open in the other"
