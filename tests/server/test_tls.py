"""TLS of the server's own: whom it serves, how a certificate is renewed, what a broken handshake leaves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from snugroom.server import tls
from snugroom.server.app import Server
from snugroom.server.disclosure import audit
from snugroom.wire.messages import Relay, Relayed
from tests.patience import PATIENCE
from tests.server.people import blob
from tests.server.test_process import fails
from tests.server.test_process import running as process
from tests.server.wire_clients import Calls, Place, eventually, quiet, running, visiting


def write(folder: Path, name: str = "127.0.0.1") -> list[str]:
    """Write a new certificate and its key, as an administrator or a renewal would."""
    chain, key = folder / "cert.pem", folder / "key.pem"
    certificate, private = tls.self_signed([name], datetime.datetime.now(datetime.UTC))
    key.touch(0o600)
    key.write_bytes(private)
    chain.write_bytes(certificate)
    return [str(chain), str(key)]


def trusting(files: list[str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=files[0])


def https(files: list[str], **settings: object) -> Server:
    # a busy machine takes long for a handshake
    return Server(quiet(**{"tls": files, "handshake_time": PATIENCE, **settings}), media=Calls())


async def served(url: str) -> str:
    """The fingerprint of the certificate that a new connection gets."""
    host, _, port = url.removeprefix("https://").partition(":")
    pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
    return tls.fingerprint(ssl.PEM_cert_to_DER_cert(pem))


async def test_a_meeting_goes_on_while_the_certificate_is_renewed(tmp_path: Path) -> None:
    files = write(tmp_path)
    async with running(https(files), trusting(files)) as place:
        assert place.url.startswith("https://127.0.0.1:")
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        assert ada.challenge.origin == place.url
        before = await served(place.url)
        write(tmp_path)
        place.server.reload()
        assert await served(place.url) != before
        # a new visitor, who knows only the old certificate, does not come in
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await place.guest()
        async with visiting(place.url, place.server, trusting(files)) as later:
            await (await later.guest()).member()
        await ada.say(Relay(blob("still here")))
        assert (await bob.until(Relayed)).blob == blob("still here")
        undeclared = audit.audit(place.server).undeclared
        assert {name for name in undeclared if ".tls." in name or ".app." in name} == set()


def another(key: Path) -> None:
    key.write_bytes(tls.self_signed(["x"], datetime.datetime.now(datetime.UTC))[1])


def garbage(key: Path) -> None:
    key.write_text("no key")


def readable_by_others(key: Path) -> None:
    write(key.parent)
    key.chmod(0o644)


SPOILT: Final[list[Callable[[Path], None]]] = [another, garbage, readable_by_others, Path.unlink]


async def test_a_bad_renewal_changes_nothing(tmp_path: Path) -> None:
    files = write(tmp_path)
    async with running(https(files), trusting(files)) as place:
        before = await served(place.url)
        for spoil in SPOILT:
            spoil(Path(files[1]))
            place.server.reload()
            assert await served(place.url) == before
        await place.guest()


async def test_only_tls_1_3_and_nothing_to_resume(tmp_path: Path) -> None:
    files = write(tmp_path)
    async with running(https(files), trusting(files)) as place:
        host, _, port = place.url.removeprefix("https://").partition(":")
        old = trusting(files)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection(host, int(port), ssl=old)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting(files))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        made = writer.get_extra_info("ssl_object")
        assert made.version() == "TLSv1.3"
        # a ticket would have come with the first answer
        assert made.session is None or not made.session.has_ticket
        writer.close()


async def test_broken_and_endless_handshakes_leave_nothing(tmp_path: Path) -> None:
    files = write(tmp_path)
    server = https(files, handshake_time=0.5, page_time=0.1)
    async with running(server, trusting(files)) as place:
        host, _, port = place.url.removeprefix("https://").partition(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(8)]
        for number, (_, writer) in enumerate(opened):
            # four say nothing, two speak HTTP, two begin a record and never end it
            writer.write(
                b"" if number < 4 else b"GET / HTTP/1.1\r\n\r\n" if number < 6 else b"\x16\x03\x01\x40"
            )
        await eventually(lambda: len(server.signaling.byte_limiters) == 8)
        async with asyncio.timeout(PATIENCE / 2):  # asyncio's own limit is 60 s
            for reader, writer in opened:
                with contextlib.suppress(ConnectionResetError):  # bytes came that nobody read any more
                    await reader.read()
                writer.close()
        await eventually(lambda: not server.signaling.byte_limiters and not server.greeting)
        await (await place.guest()).member()


async def test_too_many_handshakes_at_once_are_cut(tmp_path: Path) -> None:
    files = write(tmp_path)
    server = https(files, max_connections=2)
    async with running(server, trusting(files)) as place:
        host, _, port = place.url.removeprefix("https://").partition(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        await eventually(lambda: len(server.signaling.byte_limiters) == 2)
        with pytest.raises((OSError, aiohttp.ClientError)):
            await place.guest()
        for _, writer in idle:
            writer.close()


async def test_signals_renew_it_in_the_real_process(tmp_path: Path) -> None:
    files = write(tmp_path)
    async with (
        process("--listen", "127.0.0.1:0", "--tls", *files) as server,
        visiting(server.url, trust=trusting(files)) as place,
    ):
        assert await server.line() == f"certificate sha256 {await served(server.url)}"
        member = await (await place.guest()).member()
        before = await served(server.url)
        write(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            while await served(server.url) == before:  # noqa: ASYNC110  # the process tells nobody
                await asyncio.sleep(0.05)
        await member.say(Relay(blob("x")))
        await member.until(Relayed)
        status, log = await server.end()
        assert status == 0
        assert "the certificate has been read again: a new one" in log


async def test_a_certificate_of_its_own_is_for_its_own_name() -> None:
    async with process("--listen", "127.0.0.1:0", "--tls", "self-signed") as server:
        told = (await server.line()).removeprefix("certificate sha256 ")
        host, _, port = server.url.removeprefix("https://").partition(":")
        pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
        assert tls.fingerprint(ssl.PEM_cert_to_DER_cert(pem)) == told
        pinned = ssl.create_default_context(cadata=pem)
        pinned.verify_flags |= ssl.VERIFY_X509_STRICT
        async with visiting(server.url, trust=pinned) as place:
            assert isinstance(place, Place)
            assert (await place.guest()).challenge.origin == server.url
        async with visiting(server.url) as place:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await place.guest()
        assert (await server.end())[0] == 0


def test_unusable_files_are_named(tmp_path: Path) -> None:
    chain, key = write(tmp_path)
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other")[1]
    (tmp_path / "open.pem").write_bytes(Path(key).read_bytes())
    (tmp_path / "open.pem").chmod(0o644)
    (tmp_path / "empty.pem").touch(0o600)
    for files, says in (
        ((chain, other), "belongs to another certificate"),
        ((chain, str(tmp_path / "open.pem")), "chmod 640"),
        ((str(tmp_path / "none"), key), "can't be read"),
        ((chain, str(tmp_path / "none")), "can't be read"),
        ((str(tmp_path / "empty.pem"), key), "as PEM"),
        ((chain, str(tmp_path / "empty.pem")), "as PEM"),
    ):
        with pytest.raises(tls.TlsError, match=says):
            tls.Certificate(list(files), ["127.0.0.1"])


async def test_the_process_does_not_start_without_its_key(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    for arguments, says in (((missing,), "self-signed"), ((missing, missing), "can't be read: No such file")):
        status, text = await fails("--listen", "127.0.0.1:0", "--tls", *arguments)
        assert status in (2, 3)
        assert says in text
        assert text.count("\n") == 1
