"""Each connection that cannot be made has one true sentence, and an exit status."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.forks import ROOT, environment
from tests.cli.processes import PATIENCE, Process, free_port, running

NO_MEDIA = ("--no-audio", "--no-video")
DAY = timedelta(days=1)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that does `answer` with each connection; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return

                def talk(peer: socket.socket = peer) -> None:
                    with peer:
                        try:
                            answer(peer)
                        except OSError:
                            return

                threading.Thread(target=talk, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def silent(peer: socket.socket) -> None:
    """Read, and say nothing."""
    while peer.recv(4096):
        pass


def saying(reply: bytes) -> Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(reply)

    return answer


def http(status: str) -> Callable[[socket.socket], None]:
    return saying(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


# -- no connection -----------------------------------------------------------------------------


def test_every_failure_has_its_own_true_sentence() -> None:
    """They run at once, each until its time is up before any contact: that is status 3, and says why."""
    with (
        answering(silent) as nothing,
        answering(http("404 Not Found")) as web_server,
        answering(http("502 Bad Gateway")) as proxy,
        answering(http("429 Too Many Requests")) as crowded,
        answering(saying(b"220 mail.example ESMTP\r\n")) as mail,
        answering(saying(b"220 mail.example ESMTP\r\n")) as no_tls,
    ):
        cases = {
            f"http://127.0.0.1:{free_port()}": "nobody listens there",
            f"http://127.0.0.1:{nothing}": "it does not answer",
            f"http://127.0.0.1:{web_server}": "a web server answers there, and no Snug (status 404)",
            f"http://127.0.0.1:{proxy}": "a proxy answers there, and does not reach "
            "Snug behind it (status 502)",
            f"http://127.0.0.1:{crowded}": "it takes no more connections from your network now: close some, "
            "or wait a minute",
            f"http://127.0.0.1:{mail}": "what answers there does not speak HTTP",
            f"https://127.0.0.1:{no_tls}": "it does not speak TLS there, and the address says https",
        }
        started = {url: Process("host", "--server", url, "--for", "2s", *NO_MEDIA) for url in cases}
        try:
            for url, why in cases.items():
                snug = started[url]
                assert snug.status() == 3, (url, snug.lines)
                told = snug.lines
                assert told[-1] == f"It ended before the server at {url} had let you in ({why}).", told
                # nothing of a room that was never opened
                assert not any("You are in" in line or "#2" in line or "code" in line for line in told), told
                assert not snug.errors, snug.errors
        finally:
            for snug in started.values():
                snug.stop()


def test_a_guest_who_waits_for_no_server_gets_the_same() -> None:
    with running(
        "host", "--server", f"http://127.0.0.1:{free_port()}", "--for", "1s", "--json", *NO_MEDIA
    ) as snug:
        assert snug.status() == 3
        assert [e["event"] for e in snug.events()] == ["status", "end"]
        assert snug.events()[0]["text"].startswith("Not connected to the server yet (nobody listens there).")


# -- certificates ------------------------------------------------------------------------------


# Python 3.13 demands what RFC 5280 does: what an authority's key may sign, and which key is whose.
_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False,
    key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
    decipher_only=False,
)  # fmt: skip


class Authority:
    """A certificate authority that this machine trusts, if `path` is its SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        self.path = folder / "authority.pem"
        now = datetime.now(UTC)
        self._certificate = self._signed(self._name, self._key.public_key(), now - 9 * DAY, now + DAY, None)
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        begins: datetime,
        ends: datetime,
        address: str | None,
    ) -> x509.Certificate:
        made = x509.CertificateBuilder(
            self._name, name, key, x509.random_serial_number(), begins, ends
        ).add_extension(x509.BasicConstraints(address is None, None), critical=True)
        public = self._key.public_key()
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        if address is None:
            made = made.add_extension(_SIGNS_CERTIFICATES, critical=True)
        else:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            made = made.add_extension(names, critical=False)
        return made.sign(self._key, hashes.SHA256())

    def context(self, *, expired: bool = False, address: str = "127.0.0.1") -> ssl.SSLContext:
        """A server's context with a certificate for that address."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        ends = now - DAY if expired else now + DAY
        certificate = self._signed(name, key.public_key(), now - 8 * DAY, ends, address)
        file = self._folder / f"server-{address}-{expired}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        return made


def behind(context: ssl.SSLContext, heard: list[bytes]) -> Callable[[socket.socket], None]:
    """A server that notes what it hears inside TLS."""

    def answer(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as inside:
            heard.append(inside.recv(4096))

    return answer


@pytest.mark.parametrize(
    ("trusted", "expired", "address", "why"),
    [
        (False, False, "127.0.0.1", "its certificate is signed by nobody that this machine trusts"),
        (True, True, "127.0.0.1", "its certificate has expired, or this machine's clock is wrong"),
        (True, False, "127.0.0.2", "its certificate is for another name than 127.0.0.1"),
    ],
    ids=["unknown", "expired", "another-name"],
)
def test_a_certificate_that_proves_nothing_is_said_at_once_and_is_status_10(
    tmp_path: Path, trusted: bool, expired: bool, address: str, why: str
) -> None:
    """It may be a man in the middle: that is no absence, nothing is sent, and nothing is tried again."""
    authority, heard = Authority(tmp_path), list[bytes]()
    context = authority.context(expired=expired, address=address)
    with answering(behind(context, heard)) as port:
        url = f"https://127.0.0.1:{port}"
        # by itself: OpenSSL reads its settings when a program starts
        done = subprocess.run(
            [sys.executable, "-m", "snugroom.command", "host", "--server", url, *NO_MEDIA],
            cwd=ROOT,
            env=environment() | ({"SSL_CERT_FILE": str(authority.path)} if trusted else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 10, done
    assert done.stdout.splitlines() == [
        f"The server at {url} cannot prove that it is the one: {why}. Somebody may be between you and the "
        "server. Nothing of yours was sent. Do not go on: ask the host over another channel, such as the "
        "telephone, whether the server's certificate has changed."
    ]
    assert not done.stderr
    assert not any(heard)


# -- the wrong server --------------------------------------------------------------------------


def test_a_wrong_origin_names_both_and_is_status_11(tmp_path: Path) -> None:
    """The operator's most common mistake: no setting, or the wrong one, behind a proxy."""
    settings = tmp_path / "snug.toml"
    settings.write_text('origin = "https://meet.example"\n')
    with running("--listen", "127.0.0.1:0", "--config", str(settings), module="snugroom.server") as server:
        url = server.wait_line(lambda line: line.startswith("listening on ")).removeprefix("listening on ")
        with running("host", "--server", url, *NO_MEDIA) as ada:
            assert ada.status() == 11
            assert ada.lines == [
                f"This server calls itself https://meet.example, and the link says {url}. Its operator must "
                f"set origin = '{url}' in the server's settings, or give out links with https://meet.example."
            ]


def test_a_server_without_a_place_says_so_and_is_status_11(tmp_path: Path) -> None:
    settings = tmp_path / "snug.toml"
    settings.write_text("max_connections = 1\n")
    with running("--listen", "127.0.0.1:0", "--config", str(settings), module="snugroom.server") as server:
        url = server.wait_line(lambda line: line.startswith("listening on ")).removeprefix("listening on ")
        with (
            running("host", "--server", url, "--json", *NO_MEDIA) as ada,
            running("host", "--server", url, "--json", *NO_MEDIA) as bo,
        ):
            # one of them has the only place
            assert {ada.wait_line(lambda line: "has no place" in line or "roster" in line)}
            late = bo if ada.events("roster") else ada
            end = late.wait("end")
            assert end["reason"] == "unserved"
            assert end["text"].startswith(f"The server at {url} has no place for you now: ")
            assert late.status() == 11


# -- this machine ------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--record", "--pictures"])
def test_a_folder_that_cannot_be_written_is_noticed_before_anybody_is_called(
    option: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    called = list[bytes]()
    with answering(lambda peer: called.append(peer.recv(1))) as port:
        folder = str(tmp_path / "file" / "folder")
        with running("host", "--server", f"http://127.0.0.1:{port}", option, folder, *NO_MEDIA) as ada:
            assert ada.status() == 2
            assert ada.errors == [f"snug: no files can be made in {folder}: Not a directory"]
    assert not called
