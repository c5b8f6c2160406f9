"""`snug` before a command runs: its version, its help, completion, and what a command lacks."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

import snugroom
from snugroom.client.cli import completion, requirements
from snugroom.client.cli.parser import COMMANDS, SHELLS, parser
from snugroom.command import LABORATORY, main
from tests.cli.forks import ROOT, environment
from tests.cli.processes import PATIENCE

#: Every package that `snug` and `snug-server` run with, as it is imported, and modules that take as long.
HEAVY: Final = (
    *("aiohttp", "aiohttp_socks", "aiortc", "asyncio", "av", "cffi", "confusable_homoglyphs", "cryptography"),
    *(
        "importlib.metadata",
        "msgspec",
        "nacl",
        "numpy",
        "OpenSSL",
        "pylibsrtp",
        "python_socks",
        "rich",
        "segno",
    ),
    *("shtab", "ssl", "voprf"),
)
#: A package that the server does not need: half of what is downloaded.
LARGE: Final = ("av",)
EVERY: Final = {**COMMANDS, **LABORATORY}


def ran(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with these arguments, as in a new terminal."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def imported(module: str, *arguments: str) -> tuple[int, str, set[str]]:
    """Run the `main` of a command; return its status, its output, and the modules that it imported."""
    code = (
        "import sys, json\nsys.argv[0] = 'snug'\ntry:\n"
        f"    from {module} import main\n    status = main()\n"
        "except SystemExit as ended:\n    status = ended.code\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.__stderr__)\n"
    )
    done = ran(code, *arguments)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    return status or 0, done.stdout + "\n".join(done.stderr.splitlines()[:-1]), set(modules)


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert snugroom.__version__ == project["version"]


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ()], ids=str)
def test_version_and_help_import_nothing_that_takes_long(arguments: Sequence[str]) -> None:
    status, output, modules = imported("snugroom.command", *arguments)
    assert status == (0 if arguments else 2)
    assert output.startswith(f"snug {snugroom.__version__}" if "--version" in arguments else "usage: snug ")
    assert not modules & set(HEAVY)


def test_the_servers_version_imports_nothing_that_takes_long() -> None:
    status, output, modules = imported("snugroom.server.entry", "--version")
    assert (status, output.strip()) == (0, f"snug-server {snugroom.__version__}")
    assert not modules & set(HEAVY)


def test_python_runs_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snugroom", "--version"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert done.stdout == f"snug {snugroom.__version__}\n"


@pytest.mark.parametrize("name", [name for lines in EVERY.values() for name in lines])
def test_a_command_alone_has_the_options_that_it_has_among_all(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = set()
    for made in (parser(more=LABORATORY), parser(name, LABORATORY)):
        with pytest.raises(SystemExit) as ended:
            made.parse_args([name, "--help"])
        assert ended.value.code == 0
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1
    assert "\noptions:\n" in texts.pop()


def test_every_module_adds_the_commands_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser(more=LABORATORY).format_help() == parser("", LABORATORY).format_help()
    for module in EVERY:
        assert hasattr(import_module(module), "add_parser")


@pytest.mark.parametrize("group", ["", "contacts", "evidence", "report", "bench"])
def test_a_bare_command_shows_its_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([group] if group else [])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"usage: snug {group}".rstrip())
    assert "positional arguments:" in told.err


# -- completion ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of bash."""
    path = tmp_path_factory.mktemp("bash") / "snug"
    path.write_text(completion.script(parser(more=LABORATORY), "bash"), encoding="utf-8")
    return path


def completed(script: Path, folder: Path, *words: str) -> list[str]:
    """Bash's offers for the last of these words, as after a press of the Tab key."""
    steps = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; '
        "COMP_POINT=${#COMP_LINE}; "
        'f=$(complete -p snug | sed -E "s/.*-F (\\S+) .*/\\1/"); '
        '"$f" snug "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", steps, "bash", str(script), "snug", *words],
        cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def test_bash_completes_commands_options_and_files(bash: Path, tmp_path: Path) -> None:
    (tmp_path / "meeting.evidence").touch()
    assert completed(bash, tmp_path, "ho") == ["host"]
    assert set(completed(bash, tmp_path, "")) == {name for lines in EVERY.values() for name in lines}
    assert completed(bash, tmp_path, "host", "--ad") == ["--admit"]
    assert completed(bash, tmp_path, "host", "--admit", "a") == ["ask", "all"]
    assert completed(bash, tmp_path, "evidence", "v") == ["verify"]
    assert completed(bash, tmp_path, "evidence", "verify", "mee") == ["meeting.evidence"]
    assert completed(bash, tmp_path, "host", "--evidence", "mee") == ["meeting.evidence"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script_with_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", shell])
    assert ended.value.code == 0
    script = capsys.readouterr().out
    assert all(name in script for lines in EVERY.values() for name in lines)
    assert "--patience" in script


# -- packages that are missing -------------------------------------------------------------------

#: Runs a command as if these modules were not installed.
WITHOUT: Final = (
    "import sys\n"
    "from tests.cli.elsewhere import Blocker\n"
    "sys.meta_path.insert(0, Blocker(sys.argv[1].split(',')))\n"
    "from snugroom.command import main\n"
    "sys.exit(main(sys.argv[2:]))\n"
)


@pytest.mark.parametrize(
    ("lacks", "arguments", "says"),
    [
        ("av", ("join", "LINK"), "`snug join` needs the Python module av,"),
        ("nacl", ("contacts", "list", "book"), "`snug contacts` needs the Python module nacl,"),
        ("aiortc", ("demo", "--ordinary"), "`snug demo` needs the Python module aiortc,"),
        ("rich", ("explain",), "`snug explain` needs the Python module rich,"),
        ("shtab", ("--print-completion", "zsh"), "`snug --print-completion` needs the Python module shtab,"),
    ],
)
def test_a_missing_package_is_a_sentence(lacks: str, arguments: Sequence[str], says: str) -> None:
    done = ran(WITHOUT, lacks, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert 'pip install "snugroom' in done.stderr


@pytest.mark.parametrize(
    "arguments", [("page", "--help"), ("explain", "stale"), ("contacts", "--help")], ids=str
)
def test_what_needs_no_media_runs_without_the_packages_of_media(arguments: Sequence[str]) -> None:
    done = ran(WITHOUT, "av,numpy,pylibsrtp,OpenSSL,cffi", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_server_runs_without_the_packages_of_media_files() -> None:
    code = (
        "import sys\nfrom tests.cli.elsewhere import Blocker\n"
        f"sys.meta_path.insert(0, Blocker({LARGE!r}))\nimport snugroom.server.__main__\n"
    )
    assert ran(code).returncode == 0


def test_an_error_of_snug_itself_is_no_missing_package() -> None:
    for name in ("snugroom.client.nowhere", "fcntl"):
        error = ModuleNotFoundError("No module", name=name)
        with pytest.raises(ModuleNotFoundError):
            requirements.missing(error, "join")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--pcap", "lecture.pcap"), "--pcap needs --lecture"),
        (("--lan",), "--lan needs --lecture"),
        (("--record", "lecture.snug"), "--record needs --lecture"),
        (("--play", "lecture.snug"), "--play needs --lecture"),
        (("--lecture", "--play", "a", "--record", "b"), "--play takes no --lan, --pcap and --record"),
        (("--lecture", "--phones-per-address", "2"), "takes 1 to 100, with --lan"),
        (("--lecture", "--lan", "127.0.0.1", "--phones-per-address", "0"), "takes 1 to 100"),
        (("--lecture", "--lan", "here"), "That is no address of one computer."),
        (("--lecture", "--lan", "fd00::5"), "Phones vote over IPv4 only"),
        (("--lecture", "--lang", "de", "--lan", "here"), "Das ist keine Adresse eines Rechners."),
    ],
)
def test_options_of_a_lecture_that_do_not_fit(
    options: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *options]) == 2
    assert why in capsys.readouterr().err


def test_a_missing_package_of_an_extra_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(requirements.EXTRAS.values()) <= set(project["optional-dependencies"])
    for module, extra in requirements.EXTRAS.items():
        assert requirements.missing(ModuleNotFoundError("No module", name=f"{module}.part"), "bench") == 2
        assert f'pip install "snugroom[{extra}]"' in capsys.readouterr().err
