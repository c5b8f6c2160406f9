"""`snug-server init`: the files that it writes, its questions, and what it never does."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from snugroom.server import config
from snugroom.server.setup import command, files
from snugroom.server.setup.files import AnswerError, Answers

ROOT = Path(__file__).parents[2]
SECRET = "drawn-at-random"
BOTH = Answers(
    "rooms.test", ("198.51.100.4", "2001:db8:5::9"), port=50100, command="/opt/snug/bin/snug-server"
)
EXAMPLES = (files.NAME, files.IPV4, files.IPV6, files.SECRET, files.COMMAND, "40000", "40003")


def made(answers: Answers) -> dict[str, files.File]:
    return {file.path: file for file in files.made(answers, lambda: SECRET)}


@pytest.mark.parametrize("open_to", ["anyone", "password", "tokens"])
@pytest.mark.parametrize("front", ["caddy", "nginx", "none"])
def test_every_file_is_filled_in_and_the_settings_are_valid(front: files.Front, open_to: files.Open) -> None:
    answers = Answers(BOTH.name, BOTH.addresses, open_to, front, port=BOTH.port, command=BOTH.command)
    found = made(answers)
    for file in found.values():
        assert [example for example in EXAMPLES if example in file.content] == [], file.path
        assert file.content.endswith("\n")
    settings = config.checked(tomllib.loads(found["etc/snug/snug.toml"].content))
    assert settings.origin == "https://rooms.test"
    assert (settings.media_address, settings.media_also) == ("198.51.100.4", ["2001:db8:5::9"])
    assert settings.media_port == 50100
    assert bool(settings.tls) == (front == "none")
    assert settings.turn[0].urls[0] == "turn:rooms.test:3478?transport=udp"
    # both ends of the relay have the one secret, and nobody else may read it
    assert f"static-auth-secret={SECRET}" in found["etc/turnserver.conf"].content
    assert found["etc/credstore/snug.turn-secret"].content == f"{SECRET}\n"
    assert not found["etc/turnserver.conf"].mode & stat.S_IRWXO
    assert all(not file.mode & 0o077 for path, file in found.items() if path.startswith("etc/credstore"))
    assert "udp dport 50100-50103 accept" in found["etc/snug/snug.nft"].content
    assert ("etc/credstore/snug.open-password" in found) == (open_to == "password")


def test_lines_for_an_address_that_is_not_there_are_left_out() -> None:
    found = made(Answers("rooms.test", ("198.51.100.4",)))
    assert config.checked(tomllib.loads(found["etc/snug/snug.toml"].content)).media_also == []
    assert "allowed-peer-ip=198.51.100.4\n" in found["etc/turnserver.conf"].content
    assert found["etc/turnserver.conf"].content.count("allowed-peer-ip") == 1


def test_the_service_of_the_package_is_left_alone() -> None:
    packaged = Answers("rooms.test", ("198.51.100.4",), packaged=True)
    assert "etc/systemd/system/snug-server.service" not in made(packaged)
    unit = made(BOTH)["etc/systemd/system/snug-server.service"].content
    assert "ExecStart=/opt/snug/bin/snug-server --config /etc/snug/snug.toml\n" in unit


def test_without_a_relay_there_is_no_trace_of_one() -> None:
    found = made(Answers("rooms.test", ("198.51.100.4",), relay=False))
    assert not any("turn" in path for path in found)
    assert config.checked(tomllib.loads(found["etc/snug/snug.toml"].content)).turn == []


@pytest.mark.parametrize(
    "text", ["", "meet", "me et.example", "-a.example", "203.0.113.7", "https://a.b/c", "a..b"]
)
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        files.checked_name(text)


@pytest.mark.parametrize(
    "text", ["", "meet.example", "::", "2001:db8::7", "192.0.2.1, 192.0.2.2", "224.0.0.1"]
)
def test_an_address_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        files.checked_addresses(text)


def test_what_people_type_is_understood() -> None:
    assert files.checked_name(" https://Meet.Example/ ") == "meet.example"
    assert files.checked_addresses("2001:DB8::7,203.0.113.7") == ("203.0.113.7", "2001:db8::7")


def run(*arguments: str, answers: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snugroom.server", "init", *arguments],
        input=answers,
        text=True,
        capture_output=True,
        check=False,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


def test_three_answers_make_a_server_and_nothing_is_overwritten(tmp_path: Path) -> None:
    # the first answer to each question is wrong: it asks again
    told = run(answers="meet\nrooms.test\nnowhere\n198.51.100.4\nfriends\npassword\n", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    folder = tmp_path / "snug-files"
    settings = config.load(folder / "etc/snug/snug.toml")
    assert settings.origin == "https://rooms.test"
    password = folder / "etc/credstore/snug.open-password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    secret = (folder / "etc/credstore/snug.turn-secret").read_text()
    assert len(secret.strip()) >= 32
    assert secret != password.read_text()
    for step in ("cp --recursive --backup=numbered snug-files/etc/. /etc/", "systemctl enable", "doctor"):
        assert step in told.stdout
    assert secret.strip() not in told.stdout
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = run("--name", "x.test", "--address", "192.0.2.1", "--open", "anyone", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_it_is_stopped_without_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = run(answers="rooms.test\n", cwd=tmp_path)
    assert told.returncode == 2
    assert "nothing has been written" in told.stderr
    assert "Traceback" not in told.stderr
    assert list(tmp_path.iterdir()) == []
    assert command.main([str(tmp_path / "f"), "--name", "no name"]) == 2
    assert "is not the name of a server" in capsys.readouterr().err
    unwritable = tmp_path / "file"
    unwritable.touch()
    full = ["--name", "a.test", "--address", "192.0.2.1", "--open", "anyone"]
    assert command.main([str(unwritable / "below"), *full]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_a_server_in_a_home_folder_and_a_private_address_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/home/ada/.venv/bin/snug-server")
    arguments = ["--name", "a.test", "--address", "192.168.1.2", "--open", "tokens", "--proxy", "none"]
    assert command.main([str(tmp_path / "f"), *arguments]) == 0
    told = capsys.readouterr().out
    assert "it sees no home folders" in told
    assert "private one" in told
    assert "tokens --new-key /etc/credstore/snug.tokens-key" in told
    assert "ssl-cert" in told


# -- the unit ----------------------------------------------------------------------------------

UNIT = ROOT / "packaging/systemd/snug-server.service"


@pytest.mark.parametrize("front", ["caddy", "none"])
def test_the_unit_is_valid_and_exposed_below_2(front: files.Front, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here (Debian's package systemd)")
    if os.geteuid() != 0 and not Path("/run/systemd/system").is_dir():
        pytest.skip("systemd-analyze needs root where systemd does not run")
    program = tmp_path / "snug-server"
    program.touch(0o755)
    answers = Answers("rooms.test", ("198.51.100.4",), front=front, command=str(program))
    command.write(tmp_path / "root", list(files.made(answers, lambda: SECRET)))
    unit = tmp_path / "root/etc/systemd/system/snug-server.service"
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    level = re.search(r"exposure level for .*: (\d+\.\d+)", judged.stdout)
    assert level is not None, judged.stderr
    assert judged.returncode == 0
    assert float(level[1]) < 2.0


def test_the_unit_comes_back_after_a_crash_and_takes_no_memory_from_others() -> None:
    lines = UNIT.read_text().splitlines()
    for line in ("Restart=on-failure", "LimitCORE=0", "MemorySwapMax=0", "Type=notify", "KillMode=mixed"):
        assert line in lines
    assert any(line.startswith("MemoryMax=") for line in lines)
    # wrong settings lead to no endless restarts
    assert "RestartPreventExitStatus=2" in lines
