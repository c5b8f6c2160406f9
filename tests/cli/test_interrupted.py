"""Ctrl-C at any moment, a reader that goes away, and a disk that fills: clean ends, and true words."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.cli.forks import ROOT, environment
from tests.cli.processes import PATIENCE, free_port, names, running, server

NO_MEDIA = ("--no-audio", "--no-video")
#: Runs `snug`, and presses Ctrl-C when it looks for the module that the first argument names.
STARTED: Final = """
import os, signal, sys
moment = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, *others):
        if name == moment:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from snugroom.command import main
sys.exit(main())
"""


def started(arguments: list[str], *, apart: bool = False) -> subprocess.Popen[str]:
    """Start `snug` as a person does; `apart`: in a session of its own, which gets no signal of ours."""
    return subprocess.Popen(
        [sys.executable, "-m", "snugroom.command", *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=apart,
    )


def interrupted(arguments: list[str], moment: Callable[[str], bool]) -> tuple[int, str, str]:
    """Start `snug`, and press Ctrl-C at the first line that is the moment."""
    process = started(arguments, apart=True)
    told: dict[str, list[str]] = {"out": [], "errors": []}
    once = threading.Lock()

    def read(name: str) -> None:
        for line in process.stdout if name == "out" else process.stderr or ():  # type: ignore[union-attr]
            told[name].append(line)
            if moment(line) and once.acquire(blocking=False):
                process.send_signal(signal.SIGINT)

    readers = [threading.Thread(target=read, args=(name,)) for name in told]
    for reader in readers:
        reader.start()
    try:
        status = process.wait(PATIENCE)
    finally:
        process.kill()
    for reader in readers:
        reader.join()
    assert once.locked(), f"the moment did not come: {told}"
    return status, "".join(told["out"]), "".join(told["errors"])


@pytest.mark.parametrize(
    "module",
    [
        "snugroom.client.cli.pipe",
        "snugroom.client.headless.status",
        "snugroom.client.cli.parser",
        "aiohttp",
        "rich.console",
        "av",
        "snugroom.client.session",
    ],
)
def test_ctrl_c_while_it_starts(module: str) -> None:
    """At the import of a module: an exception there could pass for an error of the module's."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED, module, "host", "--server", "http://127.0.0.1:1", *NO_MEDIA],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_before_there_is_a_connection() -> None:
    with running("host", "--server", f"http://127.0.0.1:{free_port()}", *NO_MEDIA) as ada:
        ada.wait_line(lambda line: line.startswith("Not connected to the server yet"))
        ada.signal(signal.SIGINT)
        assert ada.status() == 130
        assert ada.lines[-1].startswith("It ended before the server at http://127.0.0.1:")
        assert not ada.errors


def test_ctrl_c_in_a_meeting_leaves_it() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Ada", "--json", *NO_MEDIA) as ada,
        running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo,
    ):
        bo.wait("roster", lambda e: names(e) == ["Ada", "Bo"])
        ada.send({"chat": "welcome"})
        bo.wait("chat")
        since = len(ada.lines)
        bo.signal(signal.SIGINT)
        assert bo.status() == 130
        assert bo.events()[-1]["text"] == "You left."
        assert ada.wait("roster", lambda e: names(e) == ["Ada"], since)["left"] == [1]
        assert not [line for line in bo.errors if not line.startswith("snug: ")]


@pytest.mark.parametrize("step", ["opens a room", "came in", "hears and sees"])
def test_ctrl_c_in_the_demo(step: str) -> None:
    status, out, errors = interrupted(["demo", "--seconds", "5"], lambda line: step in line)
    assert status == 130
    assert "Traceback" not in out + errors
    assert out.rstrip().endswith("Interrupted. Everybody is gone, and the server too.")


# -- a reader that goes ------------------------------------------------------------------------


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
def test_a_meeting_whose_reader_goes_is_left(json: tuple[str, ...]) -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Ada", "--json", *NO_MEDIA) as ada,
    ):
        command = ["join", ada.wait("invite")["link"], "--name", "Bo", *json, *NO_MEDIA]
        bo = started(command)
        assert bo.stdout is not None
        try:
            ada.wait("roster", lambda e: names(e) == ["Ada", "Bo"])
            ada.send({"chat": "welcome"})
            while "welcome" not in bo.stdout.readline():  # as `head` does, until it has what it wants
                pass
            bo.stdout.close()
            since = len(ada.lines)
            ada.send({"chat": "to nobody"})  # Bo has a line to print now
            assert ada.wait("roster", lambda e: names(e) == ["Ada"], since)["left"] == [1]
            _, errors = bo.communicate(timeout=PATIENCE)
        finally:
            bo.kill()
        assert bo.returncode == 141
        assert not [line for line in errors.splitlines() if not line.startswith("snug: ")]


@pytest.mark.parametrize("command", ["--help", "explain", "explain refused", "lab --list"])
def test_the_first_line_is_enough_for_head(command: str) -> None:
    snug = f"{sys.executable} -m snugroom.command {command}"
    # nobody reads from the beginning on: what `head` does by chance
    done = subprocess.run(
        ["bash", "-c", f"{snug} > >(exec <&-) ; echo $? >&2"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr.strip() in ("0", "141"), done.stderr


# -- this machine's disk -----------------------------------------------------------------------


def test_a_full_disk_ends_a_recording_and_nothing_else(tmp_path: Path) -> None:
    with (
        server() as (_, url),
        running(
            "host", "--server", url, "--admit", "all", "--name", "Ada", "--json", *NO_MEDIA,
            "--record", str(tmp_path),
        ) as ada,
    ):  # fmt: skip
        with running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo:
            # no file of Ada's may grow beyond this any more: for a program, that is a full disk
            resource.prlimit(ada.pid, resource.RLIMIT_FSIZE, (4096, 4096))
            told = ada.wait("alarm", lambda e: e["kind"] == "file")
            assert told["text"] == (
                "The recording of \u201cBo\u201d has stopped: File too large. The meeting and the other "
                "recordings go on."
            )
            opened = ada.events("media")[-1]["opened"]
            ada.wait("media", lambda e: e["stream"] == "audio" and e["opened"] > opened + 100)
            assert not [e for e in ada.events("status") if e["kind"] == "away"]
            bo.send({"leave": True})
            assert bo.status() == 0
        ada.send({"leave": True})
        assert ada.status() == 0
