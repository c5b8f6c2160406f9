"""`snug host --keep` and `--return`, as processes: a host that was killed comes back."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from shutil import copyfile

from tests.cli.processes import running, server


def test_a_host_that_was_killed_comes_back(tmp_path: Path) -> None:
    phrase, way = tmp_path / "phrase", tmp_path / "way back"
    phrase.write_text("correct horse\n")
    sealed = ("--passphrase-file", str(phrase))
    quiet = ("--no-audio", "--no-video", "--json")
    with server() as (_, url):
        hosting = ("host", "--server", url, "--name", "Ada", "--admit", "all", "--keep", str(way))
        with running(*hosting, *sealed, *quiet) as ada:
            link = ada.wait("invite")["link"]
            assert way.stat().st_mode & 0o777 == 0o600
            assert b"Ada" not in way.read_bytes()
            with running("join", link, "--name", "Bo", *quiet) as bo:
                bo.wait("roster")
                ada.signal(signal.SIGKILL)
                bo.wait("alarm", lambda e: e["kind"] == "silent")
                since = len(bo.lines)
                with running("host", "--return", str(way), *sealed, *quiet) as again:
                    again.wait("roster", lambda e: len(e["members"]) == 2)
                    told = bo.wait("policy", since=since)
                    assert (told["kind"], told["text"]) == (
                        "host",
                        "\u201cAda\u201d is back as a host, by the host's own key. "
                        "\u201cBo\u201d's program let them in.",
                    )
                    again.send({"end": True})
                    assert bo.wait("end")["reason"] == "ended"
                    assert (again.status(), bo.status()) == (0, 0)
        phrase.write_text("another\n")
        with running("host", "--return", str(way), *sealed, *quiet) as wrong:
            assert wrong.status() == 2
            assert "passphrase" in wrong.wait("error")["text"]


def test_the_file_follows_the_hosts_keys_and_a_copy_from_before_brings_nobody_back(tmp_path: Path) -> None:
    phrase, way, stolen = tmp_path / "phrase", tmp_path / "way back", tmp_path / "stolen"
    phrase.write_text("correct horse\n")
    sealed = ("--passphrase-file", str(phrase))
    quiet = ("--no-audio", "--no-video", "--json")
    with server() as (_, url):
        hosting = ("host", "--server", url, "--name", "Ada", "--admit", "all", "--keep", str(way))
        with (
            running(*hosting, *sealed, *quiet) as ada,
            running("join", ada.wait("invite")["link"], "--name", "Bo", *quiet) as bo,
        ):
            ada.wait("roster", lambda e: len(e["members"]) == 2)
            copyfile(way, stolen)
            ada.send({"deputy": 1})
            bo.wait("status", lambda e: e["kind"] == "host")  # it has the hosts' keys
            ada.send({"undeputy": 1})
            ada.wait("status", lambda e: "keys have changed" in e["text"])
            began = time.monotonic()
            while way.read_bytes() == stolen.read_bytes():
                assert time.monotonic() - began < 30, "the file was not written again"
                time.sleep(0.1)
            ada.signal(signal.SIGKILL)
            bo.wait("alarm", lambda e: e["kind"] == "silent")
            with running("host", "--return", str(stolen), *sealed, *quiet) as thief:
                thief.wait("status", lambda e: "keys have changed" in e["text"])
            with running("host", "--return", str(way), *sealed, *quiet) as again:
                again.wait("roster", lambda e: len(e["members"]) == 2)
                again.send({"end": True})
                assert bo.wait("end")["reason"] == "ended"
