"""`snug explain`: the pages of the alarms, from the source tree and from a wheel."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from snugroom.client.cli import explain
from snugroom.client.cli.output import HumanOutput
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.events import Alarm
from snugroom.command import main

ROOT = Path(__file__).parents[2]


def test_it_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "silent"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Nothing has come from \u201cBo\u201d for 15 s." in told
    assert "Do this. Mostly nothing: wait." in told
    assert ".md" not in told, "links lead nowhere at a terminal"


def test_every_kind_can_be_printed() -> None:
    for kind in explain.kinds():
        assert "**Do this.**" in explain.page(kind)


def test_without_a_kind_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(explain.kinds())
    assert any("*" in line for line in lines) is False
    assert lines[0].startswith("code_different "), "those that matter most come first"


@pytest.mark.parametrize("kind", ["stael", "README", "../headless", ""])
def test_a_kind_that_does_not_exist(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", kind]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("snug: there is no alarm ")
    assert ("did you mean stale?" in told.err) == (kind == "stael")


def test_the_first_alarm_of_a_meeting_says_where_there_is_more() -> None:
    stream = io.StringIO()
    output = HumanOutput(Console(file=stream, width=100))
    output.event(Alarm("input", "There is no command /hepl."))
    assert "explain" not in stream.getvalue(), "what one has typed wrong needs no page"
    output.event(sentences.alarm("silent", who="Bo", seconds=15))
    assert stream.getvalue().endswith("  More, in another window: snug explain silent\n")
    output.event(sentences.alarm("silent", who="Cem", seconds=15))
    output.event(sentences.alarm("receipt", proof=""))
    assert stream.getvalue().count("explain") == 1


def test_the_pages_are_in_the_wheel(tmp_path: Path) -> None:
    """As it is installed, in a folder without the source tree."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    start = "import sys; from snugroom.command import main; sys.exit(main())"
    for arguments, said in ((["silent"], "Do this."), ([], "two_stories")):
        told = subprocess.run(
            [sys.executable, "-P", "-c", start, "explain", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path / "site")},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert told.returncode == 0, told.stderr
        assert said in told.stdout
    folder = tmp_path / "site" / "snugroom" / "client" / "alarms"
    assert {path.name for path in folder.iterdir()} == {
        p.name for p in (ROOT / "docs/reference/alarms").iterdir()
    }
