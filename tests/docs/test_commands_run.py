"""The commands of the pages, run as they are written: `commands.toml` says which test runs which.

Ports are free ones instead of 8080, and a word in capitals is the value of the test.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from snugroom.installed import VERSION, environment
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.hostile.acts import ACTS
from snugroom.server import page
from tests.cli.processes import Process, free_port, running
from tests.docs.test_commands import table
from tests.docs.test_docs import ROOT
from tests.media_client import recordings
from tests.patience import PATIENCE

MODULES = {"snug": "snugroom.command", "snug-server": "snugroom.server"}
TUTORIAL = (ROOT / "docs/tutorials/first-meeting.md").read_text(encoding="utf-8")


def of(test: str) -> list[str]:
    """The commands that a test runs, in their order."""
    return next(group["commands"] for group in table()["run"] if group["test"] == test)


@contextmanager
def typed(command: str, port: int, folder: Path) -> Iterator[Process]:
    """A command in a terminal of its own."""
    program, *words = shlex.split(command.replace(":8080", f":{port}"))
    if program == "snug-server" and "--listen" not in words:
        words += ["--listen", f"127.0.0.1:{port}"]
    if "--record" in words:
        words[words.index("--record") + 1] = str(folder / "recordings")
    with running(*words, module=MODULES[program]) as process:
        yield process


def shell(command: str, folder: Path, **variables: str) -> str:
    """The output of a shell for a command; `snug` and `snug-server` are those of this checkout."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name, module in MODULES.items():
        (bin_ / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (bin_ / name).chmod(0o755)
    variables |= {"PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(folder)}
    out, errors = folder / "out", folder / "errors"
    with (
        out.open("w") as to,
        errors.open("w") as also,
        subprocess.Popen(
            ["sh", "-euc", command],
            cwd=folder,
            env=environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=also,
            start_new_session=True,
        ) as process,
    ):
        try:
            status = process.wait(2 * PATIENCE)
        finally:
            # what the command has left running ends with it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert status == 0, (command, out.read_text(), errors.read_text())
    return out.read_text(encoding="utf-8")


def says(process: Process, sentence: str) -> str:
    """Wait for a line that has a sentence of the tutorial."""
    assert sentence in TUTORIAL
    return process.wait_line(lambda line: sentence in line)


def admitted(ada: Process, bo: Process) -> None:
    """Hand Ada's link to Bo, who comes in."""
    link = says(ada, "Invite: ").removeprefix("Invite: ")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#\S{20,}", link)
    says(ada, "You are in.")
    bo.send(link)
    says(bo, "You knocked. Waiting for the host's answer...")
    says(ada, "Bo knocks, by the shared link. Type /admit 1 or /refuse 1.")
    ada.send("/admit 1")
    says(ada, "Bo came in. Ada let them in, by the shared link.")
    says(bo, "You are in.")
    for each in (ada, bo):
        says(each, "in the room: Ada (host), Bo")


def test_a_first_meeting(tmp_path: Path) -> None:
    start, host, join, disclose = of("test_a_first_meeting")
    port = free_port()
    with typed(start, port, tmp_path) as server:
        server.wait_line(lambda line: line == f"listening on http://127.0.0.1:{port}")
        with typed(host, port, tmp_path) as ada, typed(join, port, tmp_path) as bo:
            admitted(ada, bo)
            says(ada, "Bo is recording.")
            ada.send("Soup or salad?")
            bo.wait_line(lambda line: line == "Ada: Soup or salad?")
            bo.send("Soup.")
            says(ada, "Bo: Soup.")
            ada.send("/compare")
            for each in (ada, bo):
                says(
                    each,
                    "Read the four words aloud. If everybody has the same, type /same; if not, /different.",
                )
            for each in (ada, bo):
                each.send("/same")
            says(bo, "Since you compared codes, nobody has come in or left.")
            disclosed(disclose, server.pid, tmp_path)
            bo.send("/leave")
            says(bo, "Heard and seen (frames)")
            says(bo, "Recorded Ada-0.webm")
            assert bo.status() == 0
            says(ada, "Bo left, and can read nothing from here on.")
            ada.send("/end")
            assert ada.status() == 0
        server.signal(signal.SIGINT)
        assert server.status() == 0
    assert recordings.pitch_of(tmp_path / "recordings/Ada-0.webm")[0][0] == pytest.approx(400, rel=0.01)


def disclosed(command: str, pid: int, folder: Path) -> None:
    """The machine may run other servers: the command names this one."""
    told = " ".join(shell(command.replace("disclose", f"disclose {pid}"), folder).split())
    assert "It has 3 connections from 1 address: 2 in 1 room, 1 in 1 lobby, 0 at a door." in told
    assert "It does not know names, titles, what is said, shown or written" in told
    assert "Soup" not in told


def test_the_meeting_of_the_readme(tmp_path: Path) -> None:
    start, host, join = of("test_the_meeting_of_the_readme")
    port = free_port()
    with typed(start, port, tmp_path) as server:
        server.wait_line(lambda line: line.startswith("listening on "))
        with typed(host, port, tmp_path) as ada, typed(join, port, tmp_path) as bo:
            admitted(ada, bo)
            ada.send("/end")
            assert (ada.status(), bo.status()) == (0, 0)


def test_a_meeting_from_a_shell(tmp_path: Path) -> None:
    lines = of("test_a_meeting_from_a_shell")
    told = shell("\n".join(lines).replace(":8080", f":{free_port()}"), tmp_path)
    assert '"event": "end"' in told
    assert '"reason": "left"' in told
    text = (ROOT / "docs/how-to/drive-a-headless-participant.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^    import av\n(?:    .+\n|\n)+", text, re.MULTILINE)
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path, check=True, env=environment(), timeout=PATIENCE,
    )  # fmt: skip


def test_a_contact_book(tmp_path: Path) -> None:
    secret = {"SNUG_PASSPHRASE": "four random words here"}
    for book in ("mine", "theirs"):
        shell(of("test_a_contact_book")[0].replace("BOOK", book), tmp_path, **secret)
    shown = shell("snug contacts show theirs", tmp_path, **secret)
    (fingerprint,) = set(re.findall(r"\b(?:\d{5} ){7}\d{5}\b", shown)) or {""}
    _, show, listing, add, rename, verify, forget = of("test_a_contact_book")
    values = {"BOOK": "mine", "FINGERPRINT": fingerprint.replace(" ", ""), "CONTACT": "Bo", "NAME": "Bo"}

    def run(command: str, **other: str) -> str:
        for word, value in (values | other).items():
            command = re.sub(rf"\b{word}\b", value, command)
        return shell(command, tmp_path, **secret)

    assert fingerprint not in run(show)
    run(add)
    assert "Bo" in run(listing)
    run(rename, NAME="Bob")
    run(verify, CONTACT="Bob")
    assert "Bob" in run(listing)
    run(forget, CONTACT="Bob")
    assert "Bob" not in run(listing)


#: A line, or a part of one, that a command prints.
PRINTED: dict[str, Callable[[], str]] = {
    "snug --version": lambda: f"snug {VERSION}",
    "snug page --hash": lambda: page.load().hash,
    "snug lab --list": lambda: SCENES[0].id,
    "snug lab serve --list": lambda: min(ACTS),
}


@pytest.mark.parametrize("command", of("test_commands_that_print_and_end"))
def test_commands_that_print_and_end(command: str, tmp_path: Path) -> None:
    for folder in re.findall(r"> ~/(\S+)/", command):
        (tmp_path / folder).mkdir(parents=True)
    told = shell(command, tmp_path)
    written = re.search(r"> (?:~/)?(\S+)$", command)
    if written is None:
        assert PRINTED[command]() in told
    else:
        assert told == ""
        assert ("av ;" if "echo" in command else "snug") in (tmp_path / written[1]).read_text(
            encoding="utf-8"
        )


def test_two_scenes_of_the_lab(tmp_path: Path) -> None:
    (command,) = of("test_two_scenes_of_the_lab")
    told = shell(command, tmp_path)
    assert "bad_commit" in told
    assert "partition" in told
