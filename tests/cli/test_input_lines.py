"""Standard input that is endless, or no list of commands, keeps no meeting busy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from snugroom.client.cli.arguments import link_of
from snugroom.client.cli.input_lines import LINE_MAX, WRONG_MAX, InputEndedError, WrongLines, lines
from tests.cli.forks import ROOT, environment
from tests.cli.processes import server


def chunks(*data: bytes) -> Callable[[], bytes]:
    waiting = list(data)
    return lambda: waiting.pop(0) if waiting else b""


def test_lines_come_in_pieces_and_a_last_one_needs_an_end() -> None:
    assert list(lines(chunks(b"one\ntw", b"o\n", b"\n three \nfour"))) == ["one", "two", "", "three"]


def test_an_endless_line_ends_the_input() -> None:
    read = 0

    def zeros() -> bytes:
        nonlocal read
        read += 1
        return bytes(LINE_MAX)

    with pytest.raises(InputEndedError, match="a line has more than 65,536 bytes, so standard input is not"):
        list(lines(zeros))
    assert read == 2


def test_a_hundred_wrong_lines_in_a_row_end_the_input() -> None:
    wrong = WrongLines()
    for _ in range(3):
        for _ in range(WRONG_MAX - 1):
            wrong.line(False)
        wrong.line(True)
    for _ in range(WRONG_MAX - 1):
        wrong.line(False)
    with pytest.raises(InputEndedError, match="100 lines in a row are no commands"):
        wrong.line(False)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/urandom"])
def test_a_host_with_endless_input_rests_and_ends_when_told(path: str) -> None:
    with server() as (_, url), open(path, "rb") as endless:
        process = subprocess.Popen(
            [sys.executable, "-m", "snugroom.command", "host", "--server", url, "--json"],
            cwd=ROOT,
            env=environment(),
            stdin=endless,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            missing = {"standard input is not read any further", '"event": "invite"'}
            while missing:
                line = process.stdout.readline()
                assert line
                missing = {each for each in missing if each not in line}
            # reading on would keep a core busy for ever; opening the room does so for a moment
            for _ in range(60):
                before, began = cpu(process.pid), time.monotonic()
                time.sleep(0.5)
                if cpu(process.pid) - before < 0.3 * (time.monotonic() - began):
                    break
            else:
                pytest.fail("it never rests")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.communicate()


def cpu(pid: int) -> float:
    """Seconds of processor time of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_link_in_the_arguments_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert link_of("https://meet.example/#2abc") == "https://meet.example/#2abc"
    assert "Every user of this machine can read a link in a command's arguments. Give - instead" in (
        capsys.readouterr().err
    )
    link_of("https://meet.example/#2abc", "de")
    assert "Jeder Benutzer dieses Rechners" in capsys.readouterr().err
    read, write = os.pipe()
    os.write(write, b"https://meet.example/#2def\nthe rest\n")
    os.close(write)
    with os.fdopen(read) as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        assert link_of("-") == "https://meet.example/#2def"
    assert capsys.readouterr().err == ""
