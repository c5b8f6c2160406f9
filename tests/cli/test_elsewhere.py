"""Participants and the page on Windows and macOS: on a Python that lacks what those systems lack."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from snugroom.client.cli import event_loop
from snugroom.client.files import folder_lock
from snugroom.command import main as snug
from snugroom.crypto.proof import evidence
from snugroom.server import entry
from tests.cli.elsewhere import MODULES
from tests.cli.processes import PATIENCE, names, on, running, server
from tests.crypto import test_evidence as made


def ended(system: str, *arguments: str) -> tuple[int, str, str]:
    """Run it to its end; return its status, its output and its errors."""
    with on(system, *arguments) as process:
        process.end_input()
        return process.status(), "\n".join(process.lines), "\n".join(process.errors)


@pytest.mark.parametrize("system", MODULES)
def test_a_participant_there_is_in_a_meeting(system: str, tmp_path: Path) -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Ada", "--json") as ada,
        on(
            *(system, "join", ada.wait("invite")["link"], "--name", "Bo", "--json"),
            *("--pictures", str(tmp_path / "pictures"), "--record", str(tmp_path / "recordings")),
        ) as bo,
    ):
        bo.wait("roster", lambda e: names(e) == ["Ada", "Bo"])
        for who in (ada, bo):
            for stream in ("audio", "video"):
                who.wait("media", lambda e, stream=stream: e["stream"] == stream and e["decoded"] > 0)  # type: ignore[misc]
        bo.send({"chat": "good morning"})
        ada.wait("chat", lambda e: e["text"] == "good morning")
        ada.send({"chat": "and to you"})
        bo.wait("chat", lambda e: e["text"] == "and to you")
        bo.signal(signal.SIGINT)
        assert bo.wait("end")["reason"] == "left"
        assert bo.status() == 130, bo.errors
        assert list((tmp_path / "recordings").iterdir())
        ada.wait("roster", lambda e: names(e) == ["Ada"])


@pytest.mark.parametrize("system", MODULES)
def test_a_host_there_keeps_a_recovery_file(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNUG_PASSPHRASE", "four words of it")
    kept = tmp_path / "kept"
    with (
        server() as (_, url),
        on(system, "host", "--server", url, "--admit", "all", "--keep", str(kept), "--json") as ada,
        running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo,
    ):
        bo.wait("roster", lambda e: len(e["members"]) == 2)
        assert kept.read_bytes().startswith(b"snug sealed 1\n")
        ada.send({"end": True})
        assert bo.wait("end")["reason"] == "ended"
        assert ada.status() == 0, ada.errors


@pytest.mark.parametrize("system", MODULES)
def test_contacts_there_are_saved(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNUG_PASSPHRASE", "four words of it")
    book = str(tmp_path / "book")
    status, output, errors = ended(system, "contacts", "new", book, "--json")
    assert status == 0, errors
    assert len(json.loads(output)["fingerprint"]) == 40
    assert ended(system, "contacts", "add", book, "1" * 40, "Cem")[0] == 0
    assert "Cem" in ended("win32", "contacts", "list", book)[1]
    assert [each.name for each in tmp_path.iterdir()] == ["book"], "no lock stays"


@pytest.mark.parametrize("system", MODULES)
def test_files_are_checked_there(system: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence"
    path.write_bytes(evidence.encode(made.of(made.exhibit(0), made.exhibit(1))))
    status, output, errors = ended(system, "evidence", "verify", str(path), "--json")
    assert status == 0, errors
    assert json.loads(output)
    assert ended(system, "explain", "stale")[0] == 0
    assert ended(system, "--help")[0] == 0


@pytest.mark.parametrize("system", MODULES)
@pytest.mark.parametrize(
    "arguments", [("demo",), ("lab",), ("bench", "room"), ("host", "--landlord")], ids=" ".join
)
def test_commands_that_run_a_server_say_so(
    system: str,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = set()
    for locale in ("C.UTF-8", "de_DE.UTF-8", "zh_CN.UTF-8", "zh_TW.UTF-8"):
        monkeypatch.setenv("LC_ALL", locale)
        with monkeypatch.context() as there:
            there.setattr(sys, "platform", system)
            assert snug(arguments) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert len(output.err.splitlines()) == 1
        told.add(output.err)
    assert len(told) == 4
    command = arguments if arguments[0] == "host" else arguments[:1]
    assert any(each.startswith(f"snug: `snug {' '.join(command)}` needs Linux") for each in told)


@pytest.mark.parametrize("system", MODULES)
def test_the_server_says_that_it_needs_linux(
    system: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["snug-server", "--listen", "127.0.0.1:0"])
    with monkeypatch.context() as there:
        there.setattr(sys, "platform", system)
        assert entry.main() == 3
    assert capsys.readouterr().err.startswith("snug-server: the server needs Linux")


# -- the event loop ------------------------------------------------------------------------------


@pytest.mark.parametrize("signals", [True, False], ids=["of the loop", "of Python, as on Windows"])
def test_the_loop_is_told_of_signals(signals: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_implemented(*_: object) -> None:
        raise NotImplementedError

    async def main() -> int:
        if not signals:
            monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", not_implemented)
        told: asyncio.Queue[int] = asyncio.Queue()
        event_loop.on_end(told.put_nowait)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            return await told.get()

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert event_loop.run(main()) == signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_the_loop_of_windows_watches_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    class Selector(asyncio.SelectorEventLoop):
        pass

    async def main() -> object:
        return asyncio.get_running_loop()

    monkeypatch.setattr(asyncio, "SelectorEventLoop", Selector)
    monkeypatch.setattr(sys, "platform", "win32")
    assert isinstance(event_loop.run(main()), Selector)


# -- the lock of a folder where no folder can be locked ----------------------------------------------


@pytest.fixture
def lock_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setattr(folder_lock, "_FLOCK", False)


@pytest.mark.usefixtures("lock_files")
def test_a_lock_file_excludes_others_and_goes(tmp_path: Path) -> None:
    with folder_lock.hold(tmp_path):
        with pytest.raises(BlockingIOError), folder_lock.hold(tmp_path):
            pytest.fail("two hold it")
        with pytest.raises(BlockingIOError), folder_lock.hold(tmp_path):
            pytest.fail("a refused one has removed it")
    with folder_lock.hold(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("lock_files")
def test_a_lock_file_of_a_crashed_program_is_removed(tmp_path: Path) -> None:
    with folder_lock.hold(tmp_path):
        [left] = tmp_path.iterdir()
        os.utime(left, (1.0, 1.0))
        with pytest.raises(BlockingIOError), folder_lock.hold(tmp_path):
            pytest.fail("it is removed first, and taken the next time")
        with folder_lock.hold(tmp_path):
            pass
