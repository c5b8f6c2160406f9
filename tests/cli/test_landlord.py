"""`snug host --landlord`: a server that the host carries, which is there while the host is."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from snugroom.client.cli import meeting
from snugroom.client.cli.landlord import Address, Landlord, address
from snugroom.client.cli.parser import parser
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import in_language
from tests.cli.processes import PATIENCE, Process, free_port, run, running, server
from tests.proof.proxy import Proxy

QUIET: Final = ("--no-audio", "--no-video", "--json")
HOST: Final = ("host", "--admit", "all", "--name", "Ada")
ONION: Final = f"http://{'ab234567' * 7}.onion"


class Processes:
    """A process and its children, which end later."""

    def __init__(self, pid: int) -> None:
        self._ends = [os.pidfd_open(pid)]
        for each in children(pid):
            with contextlib.suppress(ProcessLookupError):  # a spare worker may be replaced meanwhile
                self._ends.append(os.pidfd_open(each))

    def end(self) -> bool:
        """Whether all end: wait for it."""
        poll, limit = select.poll(), time.monotonic() + PATIENCE
        for fd in self._ends:
            poll.register(fd, select.POLLIN)
        left = set(self._ends)
        while left and (ended := poll.poll(1000 * max(0.0, limit - time.monotonic()))):
            for fd, _ in ended:
                poll.unregister(fd)
                os.close(fd)
                left.remove(fd)
        return not left


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def listening(host: Process) -> dict[str, Any]:
    return host.wait("landlord", lambda e: e["state"] == "listening")


def hears_more(who: Process, frames: int = 50) -> None:
    opened, since = who.events("media")[-1]["opened"], len(who.lines)
    who.wait("media", lambda e: e["opened"] > opened + frames, since)


@contextmanager
def leading_to(port: int) -> Iterator[str]:
    """An origin of another port, from which connections go on to that one: as a proxy or Tor does it."""
    proxy, stop, started = Proxy(), asyncio.Event(), Future[asyncio.AbstractEventLoop]()
    proxy.target = ("127.0.0.1", port)

    async def lead() -> None:
        await proxy.start()
        started.set_result(asyncio.get_running_loop())
        await stop.wait()
        proxy.close()

    leads = threading.Thread(target=lambda: asyncio.run(lead()))
    leads.start()
    loop = started.result(PATIENCE)
    try:
        yield proxy.url
    finally:
        loop.call_soon_threadsafe(stop.set)
        leads.join(PATIENCE)


# -- in memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1:0", True),
        ("localhost:8080", "localhost:8080", True),
        ("192.168.1.5:80", "192.168.1.5:80", False),
        ("Ada.LAN:8080", "ada.lan:8080", False),
        ("[FD00:0::5]:8080", "[fd00::5]:8080", False),
        ("[::1]", "[::1]:0", True),
    ],
)
def test_addresses_are_read(text: str, where: str, loopback: bool) -> None:
    found = address(text)
    assert (str(found), found.loopback) == (where, loopback)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":8080",
        "fd00::5",
        "127.0.0.1:99999",
        "http://127.0.0.1",
        "0.0.0.0:8080",
        "[::]",
        "a b",
        "256.1.1.1",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write"):
        address(text)


@pytest.mark.parametrize(
    ("where", "origin", "said"),
    [
        (Address(), None, "Only programs on this computer can reach it."),
        (Address("192.168.1.5", 8080), None, "and you can tell whose they are."),
        (Address("127.0.0.1", 8080), ONION, "Tor hides your IP address from them"),
        (Address("192.168.1.5", 8080), "https://ada.example", "to the machine at that address."),
    ],
)
def test_the_host_is_told_what_it_shows(where: Address, origin: str | None, said: str) -> None:
    warning = Landlord(where, origin, "en").warning()
    assert warning.startswith(f"Your program starts a server on this computer, at {where}.")
    assert said in warning
    assert (origin or str(where)) in warning


def test_newcomers_are_told_whose_server_it_is() -> None:
    ada, bo = ev.Member(0, "Ada", True), ev.Member(1, "Bo", False)
    landlord = Landlord(Address("192.168.1.5", 8080), None, "de")
    added = (ev.Newcomer(1, "Bo", False, 0, ""),)
    came = ev.Roster(2, (ada, bo), added, (), 0)
    told = landlord.greeting(came, 0)
    assert told is not None
    assert "bei http://192.168.1.5:8080 weiter" in told.text
    assert "welche IP-Adresse sie haben" in told.text
    landlord.first = True
    told = landlord.greeting(came, 0)
    assert told is not None
    assert "Dieses Treffen ist bei http://192.168.1.5:8080" in told.text
    for event in (
        ev.Roster(1, (ada,), (), (), None),  # nobody came
        ev.Roster(1, (ada,), (ev.Newcomer(0, "Ada", True, None, None),), (), 0),  # the host itself
        ev.Roster(2, (ada, bo), added, (), 0, rejoined=True),  # it was told before
        ev.Status("back", "A sentence."),
    ):
        assert landlord.greeting(event, 0) is None
    onion = Landlord(Address("127.0.0.1", 8080), ONION, "en").greeting(came, 0)
    assert onion is not None
    assert "Tor hides their IP addresses" in onion.text


def test_only_the_host_takes_a_shorter_way() -> None:
    assert Landlord(Address("127.0.0.1", 8080), ONION, "en").addresses == {ONION: "http://127.0.0.1:8080"}
    own = "http://127.0.0.1:8080"
    assert Landlord(Address("127.0.0.1", 8080), None, "en").addresses == {own: own}


# -- a meeting ----------------------------------------------------------------------------------------


def test_a_meeting_goes_on_at_its_hosts_own_server() -> None:
    with (
        server() as (first, url),
        running(*HOST, "--server", url, "--landlord", "--json") as ada,
    ):
        own = listening(ada)
        states = [event["state"] for event in ada.events("landlord")]
        assert states == ["starting", "listening"], "it is said before it happens"
        assert ada.events("landlord")[0]["text"].count("this computer") >= 2
        assert not ada.events("invite"), "and before anything is opened"
        carried = Processes(own["pid"])
        assert os.getpgid(own["pid"]) != os.getpgid(ada.pid), "Ctrl-C at a terminal is for the host"
        with running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo:
            told = bo.wait("chat")
            assert told["from"] == "Ada"
            assert f"it goes on at {own['origin']}, which is a server on my own computer" in told["text"]
            epoch = bo.wait("roster", lambda e: len(e["members"]) == 2)["epoch"]
            for who in (ada, bo):
                who.wait("media", lambda e: e["opened"] > 0)
            first.signal(signal.SIGKILL)
            bo.send({"chat": "still here?"})
            ada.wait("chat", lambda e: e["text"] == "still here?")
            ada.send({"chat": "at my own server"})
            bo.wait("chat", lambda e: e["text"] == "at my own server")
            for who in (ada, bo):
                who.wait("status", lambda e: e["text"] == f"The meeting goes on at {own['origin']}.")
                hears_more(who)
            assert max(e["epoch"] for e in ada.events("code")) == epoch, "the same epoch as before"
            for who in (bo, ada):
                who.send({"leave": True})
                assert who.status() == 0, who.errors
            # a busy machine takes long, and no alarm accuses anybody of that
            passing = {"media_lost", "media_unreachable", "stale", "silent", "unheard", "unverified_media"}
            assert {e["kind"] for who in (ada, bo) for e in who.events("alarm")} <= passing
        assert carried.end()
        first.status = lambda: 0  # type: ignore[method-assign]  # it was killed on purpose


def test_the_host_is_told_if_its_server_ends() -> None:
    with running(*HOST, "--landlord", *QUIET) as ada:
        own = listening(ada)
        assert ada.wait("invite")["link"].startswith(f"{own['origin']}/#2")
        os.kill(own["pid"], signal.SIGKILL)
        told = ada.wait("landlord", lambda e: e["state"] == "ended")
        assert "has ended (exit status -9)" in told["text"]
        ada.wait("status", lambda e: e["kind"] == "away")
        ada.signal(signal.SIGTERM)
        assert ada.status() == 0
        assert len(ada.events("landlord")) == 3, "once"


def test_members_know_it_by_another_origin() -> None:
    """As that of an onion service, which leads to the address: the host goes there by the address."""
    where = f"127.0.0.1:{free_port(2)}"
    with running(*HOST, "--landlord", where, "--landlord-origin", ONION, *QUIET) as ada:
        own = listening(ada)
        assert own["origin"] == ONION
        assert ada.wait("invite")["link"].startswith(f"{ONION}/#2"), "the host is in the room"
        carried = Processes(own["pid"])
        ada.send({"end": True})
        assert ada.status() == 0
        assert carried.end()


def test_members_come_by_the_other_origin() -> None:
    port = free_port(2)
    with leading_to(port) as origin:
        carrying = ("--landlord", f"127.0.0.1:{port}", "--landlord-origin", origin)
        with (
            running(*HOST, *carrying, *QUIET) as ada,
            running("join", ada.wait("invite")["link"], "--name", "Bo", *QUIET) as bo,
        ):
            assert f"This meeting is at {origin}," in bo.wait("chat")["text"]
            bo.send({"chat": "through it"})
            ada.wait("chat", lambda e: e["text"] == "through it")
            ada.send({"end": True})
            assert (bo.wait("end")["reason"], ada.status(), bo.status()) == ("ended", 0, 0)


def test_pages_of_the_meetings_other_servers_may_come() -> None:
    servers = ("--server", "https://snug.test")
    with server() as (_, url), running(*HOST, "--server", url, *servers, "--landlord", *QUIET) as ada:
        own = listening(ada)["origin"].removeprefix("http://")
        for origin, status in (("https://snug.test", 101), ("https://other.test", 403)):
            asking = http.client.HTTPConnection(own, timeout=PATIENCE)
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            asking.request(
                "GET", "/ws", headers=upgrade | {"Sec-WebSocket-Key": "A" * 22 + "==", "Origin": origin}
            )
            assert asking.getresponse().status == status
            asking.close()


def test_a_host_returns_with_its_server(tmp_path: Path) -> None:
    phrase, way = tmp_path / "phrase", tmp_path / "way back"
    phrase.write_text("correct horse\n")
    sealed = ("--passphrase-file", str(phrase), *QUIET)
    where = f"127.0.0.1:{free_port(2)}"
    with running(*HOST, "--landlord", where, "--keep", str(way), *sealed) as ada:
        carried = Processes(listening(ada)["pid"])
        with running("join", ada.wait("invite")["link"], "--name", "Bo", *QUIET) as bo:
            bo.wait("roster", lambda e: len(e["members"]) == 2)
            ada.signal(signal.SIGKILL)
            assert carried.end()
            other = run("host", "--return", str(way), "--landlord", *sealed)
            assert (other.returncode, other.stderr) == (2, "")
            assert f"the one that it had, of http://{where}" in json.loads(other.stdout)["text"]
            with running("host", "--return", str(way), "--landlord", where, *sealed) as again:
                again.wait("roster", lambda e: len(e["members"]) == 2)
                again.send({"chat": "back"})
                bo.wait("chat", lambda e: e["text"] == "back")
                again.send({"end": True})
                assert bo.wait("end")["reason"] == "ended"
                assert (again.status(), bo.status()) == (0, 0)


# -- its end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGKILL, -9, id="killed"),
        pytest.param(signal.SIGINT, 130, id="interrupted"),
        pytest.param(signal.SIGTERM, 0, id="asked"),
    ],
)
def test_it_ends_with_its_host(number: int, status: int) -> None:
    with running(*HOST, "--landlord", *QUIET) as ada:
        carried = Processes(listening(ada)["pid"])
        ada.wait("invite")
        ada.signal(number)
        assert ada.status() == status
        assert carried.end()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["killed", "interrupted", "asked"]
)
def test_it_ends_with_a_host_that_ends_while_it_starts(number: int) -> None:
    with running(*HOST, "--landlord", *QUIET) as ada:
        ada.wait("landlord")
        end = time.monotonic() + PATIENCE
        while not children(ada.pid):
            assert time.monotonic() < end
            time.sleep(0.01)
        carried = Processes(children(ada.pid)[0])
        ada.signal(number)
        ada.status()  # by the signal itself, unless it has come late
        assert carried.end()


def test_a_server_that_does_not_stop_is_killed() -> None:
    with running(*HOST, "--landlord", *QUIET) as ada:
        own = listening(ada)
        ada.wait("invite")
        carried = Processes(own["pid"])
        os.kill(own["pid"], signal.SIGSTOP)
        ada.signal(signal.SIGTERM)
        ada.wait("end")
        assert carried.end()
        assert ada.status() == 0


def test_it_ends_after_an_error_of_its_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[Processes] = []

    def broken(*_: object, **__: object) -> None:
        last = capsys.readouterr().out.splitlines()[-1]
        found.append(Processes(json.loads(last)["pid"]))
        raise RuntimeError("broken")

    monkeypatch.setattr(meeting, "Participant", broken)
    arguments = parser().parse_args([*HOST, "--landlord", "--json"])
    with pytest.raises(RuntimeError, match="broken"):
        arguments.run(arguments)
    assert found[0].end()


# -- what can't be done -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--landlord", "0.0.0.0:8080"), "stands for all addresses of this computer"),
        (("--landlord", "fd00::5"), "is no address: write 127.0.0.1"),
        (("--server", "http://127.0.0.1:1", "--landlord-origin", ONION), "--landlord-origin is about a port"),
        (("--landlord", "127.0.0.1", "--landlord-origin", ONION), "--landlord-origin is about a port"),
        (("--landlord", "127.0.0.1:8080", "--landlord-origin", "ftp://ada"), "is no server address"),
        (("--server", "http://127.0.0.1:1", "--return", "file", "--landlord"), "host takes --server URL or"),
        (
            ("--landlord", *(part for i in range(1, 10) for part in ("--server", f"http://127.0.0.1:{i}"))),
            "a link names at most 8 further servers",
        ),
        (
            ("--server", "https://meet.example", "--landlord", "127.0.0.1:8080"),
            "or have everybody start with --private-servers",
        ),
    ],
)
def test_wrong_arguments_start_nothing(arguments: tuple[str, ...], why: str) -> None:
    done = run("host", "--json", *arguments)
    assert done.returncode == 2
    (error,) = (json.loads(line) for line in done.stdout.splitlines())
    assert (error["event"], error["status"]) == ("error", 2)
    assert why in error["text"]
    assert done.stderr == ""


def test_an_address_in_use_and_one_that_is_not_ours() -> None:
    port = free_port(2)
    with socket.create_server(("127.0.0.1", port + 1)):
        for where, why in (
            (f"127.0.0.1:{port + 1}", f"can't listen on 127.0.0.1:{port + 1}: Address already in use"),
            (f"127.0.0.1:{port}", "for media: Address already in use"),
            (f"192.0.2.1:{port}", f"can't listen on 192.0.2.1:{port}: Cannot assign requested address"),
        ):
            done = run("host", "--server", "http://127.0.0.1:1", "--landlord", where, "--json")
            assert done.returncode == 2
            started, error = (json.loads(line) for line in done.stdout.splitlines())
            assert started["state"] == "starting", "the meeting was not opened"
            assert error["text"].startswith("the server on this computer can't start: ")
            assert f"{why}. Give --landlord an address of this computer" in error["text"]


def test_a_person_reads_sentences() -> None:
    with running(*HOST, "--landlord", "--no-audio", "--no-video") as ada:
        assert ada.wait_line(lambda line: line.startswith("Your server listens: http://127.0.0.1:"))
        assert ada.lines[0].startswith("! Your program starts a server on this computer, at 127.0.0.1:0.")
        ada.wait_line(lambda line: line.startswith("Invite: "))
        ada.send("/end")
        assert ada.status() == 0


def test_every_language_tells_the_same() -> None:
    warning = Landlord(Address("192.168.1.5", 8080), None, "en").warning()
    assert all("192.168.1.5:8080" in in_language(warning, spoken) for spoken in ("de", "zh-Hans", "zh-Hant"))
