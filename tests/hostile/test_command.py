"""``snug lab serve`` on the command line. Orders and reports are in `test_messages`."""

from __future__ import annotations

import pytest

from snugroom import command
from snugroom.lab.hostile import __main__ as serve
from snugroom.lab.hostile import run
from snugroom.lab.hostile.acts import ACTS
from snugroom.server import __main__ as server
from snugroom.server.config import ConfigError, Settings
from snugroom.server.nodes.settings import NodeSettings
from tests.cli import processes


def test_it_lists_the_acts(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(ACTS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name the acts that may begin: --list shows them, and all stands for every one"),
        (("kick,kik",), "there is no act 'kik': --list shows them"),
        (("kick", "--until-eof"), "it takes orders on standard input: leave out --until-eof"),
    ],
)
def test_it_says_what_is_wrong(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        serve.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"snug lab serve: error: {says}"


def test_settings_of_larger_servers_are_refused() -> None:
    ended = processes.run("kick", "--listen", "127.0.0.1:0", "--workers", "2", module="snugroom.lab.hostile")
    said = "a hostile server has its media in the one process: leave out --workers"
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (2, f"snug lab serve: {said}")
    assert "this server is hostile" in ended.stderr
    several = Settings(nodes=NodeSettings(node=1, secret_file="secret"))
    with pytest.raises(ConfigError, match=r"leave out \[nodes\]"):
        run.make(several, run.chosen_acts("kick"))


def test_an_honest_server_can_not_be_told_to_be_hostile(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        server.main(["--hostile", "all"])
    assert "unrecognized arguments: --hostile all" in capsys.readouterr().err


def test_its_help_names_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["lab", "--help"])
    assert "snug lab serve" in capsys.readouterr().out
