"""The command line for programs: errors are JSON, and files tell when a meeting is open."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from snugroom.client.cli.ready_files import ReadyFiles
from snugroom.client.session import events as ev
from tests.cli.processes import run, running, server
from tests.patience import PATIENCE


def appeared(path: Path) -> str:
    """The text of a file, once it is there."""
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} has not appeared"
        time.sleep(0.02)
    return path.read_text(encoding="utf-8")


def test_files_tell_that_a_meeting_is_open_and_that_somebody_is_in(tmp_path: Path) -> None:
    link, ada_in, bo_in = (tmp_path / name for name in ("link", "ada", "bo"))
    for path in (link, ada_in, bo_in):
        path.write_text("of an earlier run")
    options = ("--json", "--no-audio", "--no-video")
    with server() as (_, url):
        hosting = ("host", "--server", url, "--name", "Ada", "--link-file", str(link))
        with running(*hosting, "--ready-file", str(ada_in), *options) as ada:
            ada.wait("roster")
            assert appeared(link) == ada.wait("invite")["link"] + "\n"
            assert appeared(ada_in) == f"{ada.pid}\n"
            assert stat.S_IMODE(link.stat().st_mode) == 0o600
            with running("join", "-", "--name", "Bo", "--ready-file", str(bo_in), *options) as bo:
                bo.send(link.read_text().strip())
                knock = ada.wait("knock")
                assert not bo_in.exists(), "Bo is at the door"
                ada.send({"admit": knock["id"]})
                assert appeared(bo_in) == f"{bo.pid}\n"
                ada.send({"end": True})
                assert (ada.status(), bo.status()) == (0, 0)
    assert sorted(os.listdir(tmp_path)) == ["ada", "bo", "link"], "nothing is left beside them"


def test_no_link_is_written_before_the_server_has_opened_the_room(tmp_path: Path) -> None:
    link = tmp_path / "link"
    done = run("host", "--server", "http://127.0.0.1:9", "--link-file", str(link), "--json", "--for", "0.5s")
    assert done.returncode == 3
    assert not link.exists()


def test_the_link_file_has_the_newest_open_invite_or_the_first_personal_one(tmp_path: Path) -> None:
    path = tmp_path / "link"

    def written(*made: ev.InviteMade) -> str:
        files = ReadyFiles(path, None)
        files.clear()
        assert [files.told(each) for each in made] == [None] * len(made)
        return path.read_text().strip()

    shared, ada, bo = ev.InviteMade("shared", 0), ev.InviteMade("ada", 7, "Ada"), ev.InviteMade("bo", 8, "Bo")
    assert written(shared, ada) == "shared"
    assert written(ada, bo) == "ada"
    assert written(shared, ev.InviteMade("new", 9, replaces=0), ada) == "new"


def test_a_file_that_cannot_be_written_is_an_alarm(tmp_path: Path) -> None:
    files = ReadyFiles(tmp_path / "gone" / "link", None)
    alarm = files.told(ev.InviteMade("shared", 0))
    assert alarm is not None
    assert (alarm.kind, "No such file" in alarm.text) == ("file", True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["join", "foo", "--json"], "https://meet.example"),
        (["join", "--json"], "LINK"),
        (["host", "--json"], "--server URL"),
        (["host", "--server", "nowhere", "--json"], "nowhere"),
        (["host", "--server", "http://127.0.0.1:9", "--for", "soon", "--json"], "soon"),
        (["host", "--server", "http://127.0.0.1:9", "--once", "--json"], "--invite"),
        (["host", "--server", "http://127.0.0.1:9", "--link-file", "/dev/null/link", "--json"], "/dev/null"),
    ],
    ids=["link", "none", "no server", "server", "duration", "once", "folder"],
)
def test_an_error_is_one_line_of_json(arguments: list[str], text: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    event = json.loads(line)
    assert (event["event"], event["status"]) == ("error", 2)
    assert text in event["text"]
    assert "Traceback" not in done.stderr


def test_without_json_an_error_is_for_people() -> None:
    done = run("join", "foo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "snug: " in done.stderr
