"""A server on one desk, and one in a local network: the addresses that it chooses by itself, for real."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import ssl
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snugroom.server import qr, tls
from snugroom.server.sfu.io.sockets import open_sockets
from tests.cli.forks import ROOT, environment
from tests.cli.processes import Process
from tests.network.namespace import UnavailableError
from tests.network.namespace_pair import SERVER, Cable
from tests.patience import PATIENCE

BUFFER = 65_536


@pytest.fixture
def cable() -> Iterator[Cable]:
    try:
        with Cable() as made:
            yield made
    except UnavailableError as why:
        pytest.skip(str(why))


def udp(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.settimeout(PATIENCE)
    return made


def tcp(host: str) -> socket.socket:
    made = socket.create_server((host, 0))
    made.settimeout(PATIENCE)
    return made


@pytest.mark.parametrize("loopback", ["127.0.0.1", "::1"])
def test_only_programs_of_this_machine_reach_media_beside_loopback(cable: Cable, loopback: str) -> None:
    media = cable.there(lambda: open_sockets([loopback], 0, BUFFER, tcp=True, beside=SERVER))
    assert media.beside
    place = (SERVER, media.port)
    open_udp, open_tcp = cable.there(lambda: udp(SERVER)), cable.there(lambda: tcp(SERVER))
    try:
        # the same from the network, with a socket beside it that takes everything
        far = cable.here(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        far.sendto(b"far", place)
        far.sendto(b"far", open_udp.getsockname())
        assert open_udp.recv(9) == b"far"
        knock = cable.here(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        knock.setblocking(False)
        assert knock.connect_ex(place) != 0
        cable.here(lambda: socket.create_connection(open_tcp.getsockname(), PATIENCE)).close()
        open_tcp.accept()[0].close()
        with pytest.raises(BlockingIOError):
            media.tcp[-1].accept()
        # from this machine, by either address
        media.udp[-1].settimeout(PATIENCE)
        for source in (SERVER, "127.0.0.1"):
            near = cable.there(lambda: udp(source))
            near.sendto(b"near", place)
            data, back = media.udp[-1].recvfrom(9)
            assert data == b"near", "nothing came from the network before it"
            media.udp[-1].sendto(b"back", back)
            assert near.recvfrom(9) == (b"back", place)
            near.close()
        with cable.there(lambda: socket.create_connection(place, PATIENCE)) as called:
            media.tcp[-1].setblocking(True)
            answer, _ = media.tcp[-1].accept()
            answer.sendall(b"back")
            assert called.recv(9) == b"back"
            answer.close()
        for each in (far, knock):
            each.close()
    finally:
        for each in (open_udp, open_tcp):
            each.close()
        media.close()


def test_an_address_that_has_gone_is_left_out(cable: Cable) -> None:
    for gone in ("10.77.0.99", "fd77::99"):
        media = cable.there(lambda: open_sockets(["127.0.0.1"], 0, BUFFER, tcp=True, beside=gone))
        assert not media.beside
        assert [sock.getsockname()[0] for sock in (*media.udp, *media.tcp)] == ["127.0.0.1"] * 2
        media.close()


def test_a_port_that_is_taken_beside_loopback_is_not_chosen(cable: Cable) -> None:
    with cable.there(lambda: udp(SERVER)) as taken:
        port = taken.getsockname()[1]
        media = cable.there(lambda: open_sockets(["127.0.0.1"], port, BUFFER, tcp=True, beside=SERVER))
        assert (media.port, media.beside) == (port, False)
        media.close()


# -- a local network -----------------------------------------------------------------------------------


class Terminal:
    """A server at a terminal of its own, in the namespace of the thread that makes it."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (50, 100))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "snugroom.server", *arguments],
            cwd=ROOT,
            env=environment() | {"TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        self.text = ""

    def until(self, words: str) -> list[str]:
        """The lines so far, once one of them contains these words."""
        end = time.monotonic() + PATIENCE
        while words not in self.text:
            left = end - time.monotonic()
            assert left > 0, self.text
            if select.select([self._ours], [], [], left)[0]:
                self.text += os.read(self._ours, 4096).decode()
        return self.text.replace("\r", "").split("\n")

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._ours)


def test_a_self_signed_server_is_found_in_its_network(
    cable: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept.pem"
    anywhere = "0.0.0.0:0"
    server = cable.there(lambda: Terminal("--listen", anywhere, "--tls", "self-signed", str(kept)))
    try:
        told = server.until("The certificate is new. It is kept in")
        url = told[0].removeprefix("listening on ")
        assert re.fullmatch(rf"https://{re.escape(SERVER)}:\d+", url)
        assert told[2] == f"open {url} on any device in this network, or scan it:"
        code = qr.lines(url)
        assert told[3 : 3 + len(code)] == [f"\x1b[30;47m{line}\x1b[0m" for line in code]
        place = (SERVER, int(url.rpartition(":")[2]))
        pem = cable.here(lambda: ssl.get_server_certificate(place))
        assert told[1] == f"certificate sha256 {tls.fingerprint(ssl.PEM_cert_to_DER_cert(pem))}"
        trusted = tmp_path / "trusted.pem"
        trusted.write_text(pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        host = ("host", "--server", url, "--name", "Ada", "--admit", "all", "--json")
        ada = cable.here(lambda: Process(*host))
        try:
            link = ada.wait("invite")["link"]
            bo = cable.here(lambda: Process("join", link, "--name", "Bo", "--json"))
            try:
                for who in (ada, bo):
                    who.wait("media", lambda e: e["stream"] == "audio" and e["opened"] > 5)
            finally:
                bo.stop()
        finally:
            ada.stop()
    finally:
        server.stop()
