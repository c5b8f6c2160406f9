"""`--proxy`: its address, and one true sentence for each way in which a proxy fails."""

from __future__ import annotations

import dataclasses
import re
import signal
import socket
import struct
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from snugroom.client.cli import proxy_option
from snugroom.client.headless.status import Status
from snugroom.client.proxy import Proxy, ProxyAddressError, Tunnel
from tests.cli.forks import ROOT, environment
from tests.cli.processes import PATIENCE, Process, free_port, run, running
from tests.cli.test_connecting import NO_MEDIA, Authority, answering, behind, saying
from tests.network.forward_proxy import NAME, ForwardProxy, Kind

ORIGIN = f"http://{NAME}"
SECRET = "hunter2"


# -- the address -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("socks5://127.0.0.1:9050", Proxy("socks5", "127.0.0.1", 9050)),
        ("SOCKS5H://Localhost:9050/", Proxy("socks5", "localhost", 9050)),
        ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("socks5://[::1]:1080", Proxy("socks5", "::1", 1080)),
        ("socks5://me:p%40ss@127.0.0.1:1080", Proxy("socks5", "127.0.0.1", 1080, "me", "p@ss")),
        ("http://me:p:a?s#s@127.0.0.1:3128", Proxy("http", "127.0.0.1", 3128, "me", "p:a?s#s")),
    ],
)
def test_an_address_is_read(text: str, proxy: Proxy) -> None:
    assert Proxy.parse(text) == proxy


@pytest.mark.parametrize(
    "text",
    [
        "", "127.0.0.1:9050", "socks4://127.0.0.1:9050", "https://127.0.0.1:9050", "socks5://127.0.0.1",
        "socks5://127.0.0.1:0", "socks5://127.0.0.1:65536", "socks5://127.0.0.1:x", "socks5://:9050",
        "socks5://127.0.0.1:9050/path", "socks5://127.0.0.1:9050?x", "socks5://127.0.0.1:9050#x",
        "socks5://127.0.0.1:9050 ", "socks5://127.0.0.1:9050\n", "socks5://b\u00fccher.example:9050",
        "socks5://[::1:9050",
    ],
)  # fmt: skip
def test_another_address_is_refused(text: str) -> None:
    with pytest.raises(ProxyAddressError, match="a proxy is socks5://HOST:PORT or http://HOST:PORT"):
        Proxy.parse(text)


@pytest.mark.parametrize("pair", ["me", "me:", ":pass", "m%3Ae:pass", "me:p%C3%A4ss", f"me:{'x' * 256}"])
def test_half_a_pair_of_credentials_is_refused_without_repeating_it(pair: str) -> None:
    with pytest.raises(ProxyAddressError, match="a user name together with a password") as refused:
        Proxy.parse(f"socks5://{pair}@127.0.0.1:9050")
    assert "pass" not in str(refused.value).replace("a password", "")


def test_a_password_is_in_no_text_of_a_proxy() -> None:
    proxy = Proxy.parse(f"socks5://me:{SECRET}@127.0.0.1:9050")
    assert proxy.password == SECRET
    assert SECRET not in repr(proxy) + str(proxy)
    assert {each.name for each in dataclasses.fields(proxy) if not each.repr} == {"user", "password"}


@pytest.mark.parametrize(
    ("host", "told", "asked"),
    [
        ("meet.example", "192.0.2.7", "meet.example"),  # documentation's, as good as private
        ("meet.example", "8.8.8.8", "8.8.8.8"),
        ("meet.example", "2a00:1450::7", "2a00:1450::7"),
        ("meet.example", "127.0.0.1", "meet.example"),
        ("meet.example", "10.0.0.7", "meet.example"),
        ("meet.example", "169.254.169.254", "meet.example"),
        ("meet.example", "fd00::7", "meet.example"),
        ("meet.example", "::ffff:10.0.0.7", "meet.example"),
        ("x.onion", "8.8.8.8", "x.onion"),
        ("x.onion", "127.0.0.1", "x.onion"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("[fd00::1]", "fd00::1", "fd00::1"),
    ],
)
def test_the_proxy_is_asked_for_a_public_address_or_for_the_server_by_name(
    host: str, told: str, asked: str
) -> None:
    for url in (f"https://{host}", f"http://{host}:8080/n/2"):
        assert Tunnel(Proxy("socks5", "127.0.0.1", 9050), url).target(told) == asked


def test_the_address_comes_from_the_option_or_from_the_environment_which_children_do_not_inherit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(proxy_option.VARIABLE, f"http://me:{SECRET}@127.0.0.1:3128")
    assert proxy_option.chosen("socks5://127.0.0.1:9050", "en") == Proxy("socks5", "127.0.0.1", 9050)
    assert proxy_option.chosen(None, "en") is None, "it was taken out of the environment"
    monkeypatch.setenv(proxy_option.VARIABLE, f"http://me:{SECRET}@127.0.0.1:3128")
    assert proxy_option.chosen(None, "en") == Proxy("http", "127.0.0.1", 3128, "me", SECRET)
    assert capsys.readouterr().err == "", "nobody else reads the environment"
    monkeypatch.setenv(proxy_option.VARIABLE, "")
    assert proxy_option.chosen(None, "en") is None
    with pytest.raises(ProxyAddressError):
        proxy_option.chosen("", "en")
    proxy_option.chosen(f"http://me:{SECRET}@127.0.0.1:3128", "en")
    told = capsys.readouterr().err
    assert told.startswith("snug: Every user of this machine can read a password in a command's arguments.")
    assert SECRET not in told


def test_the_client_has_no_other_way_to_connect() -> None:
    """HTTP clients and sockets are made where a proxy is honoured, and by commands that refuse one."""
    ways = re.compile(
        r"ClientSession\(|http_session\(|TCPConnector\(|socket\.socket\(|create_connection|open_connection|getaddrinfo"
    )
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "client").rglob("*.py")
        if "node_modules" not in path.parts and ways.search(path.read_text(encoding="utf-8"))
    }
    used = {name for name in found if not name.startswith("client/tools/")}
    assert used == {"client/proxy.py", "client/media/sockets.py", "client/cli/served_page.py"}


def test_the_libraries_of_a_proxy_are_imported_only_for_one() -> None:
    code = (
        "import sys, snugroom.client.cli.parser as p; p.parser(); "
        "print(sorted({'aiohttp_socks', 'python_socks'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.strip() == "[]"


# -- at the command line -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("host", "--server", ORIGIN),
        ("join", "http://127.0.0.1/#2AAAA"),
        ("tokens",),
    ],
    ids=["host", "join", "tokens"],
)
def test_a_bad_address_is_one_usage_error(command: tuple[str, ...]) -> None:
    done = run(*command, "--proxy", f"socks5://me:{SECRET}@127.0.0.1")
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert told[-1] == (
        "snug: a proxy is socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ in front of HOST if it "
        "wants them"
    )
    assert not done.stdout
    assert SECRET not in done.stderr


def reset(peer: socket.socket) -> None:
    """End the connection with a reset, once it has begun."""
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reason(snug: Process) -> str:
    """Why there is no contact, in parentheses. The program is ended, and has not told the password."""
    text = str(snug.wait("status", lambda e: e["kind"] == "away")["text"])
    snug.signal(signal.SIGTERM)
    assert snug.status() == Status.UNREACHABLE, (snug.lines, snug.errors)
    assert SECRET not in "".join(snug.lines + snug.errors)
    return text.removeprefix("Not connected to the server yet ")


def test_every_failure_of_a_proxy_has_its_own_true_sentence() -> None:
    """They run at once, and each ends before any contact: that is status 3."""
    with ExitStack() as stack:

        def proxy(kind: Kind, refuse: int | None = None, *, guarded: bool = False) -> ForwardProxy:
            made = ForwardProxy(
                kind, refuse=lambda asked: refuse, credentials=("me", "right") if guarded else None
            )
            return stack.enter_context(made)

        dead = free_port()
        mail = stack.enter_context(answering(saying(b"220 mail.example ESMTP\r\n")))
        resets = stack.enter_context(answering(reset))
        guarded = {kind: proxy(kind, guarded=True) for kind in ("socks5", "http")}
        wrong = {kind: each.url.replace("//", f"//me:{SECRET}@") for kind, each in guarded.items()}
        cases = {
            f"socks5://127.0.0.1:{dead}": "the proxy cannot be reached (Connection refused)",
            f"http://127.0.0.1:{dead}": "the proxy cannot be reached (Connection refused)",
            "socks5://proxy.invalid:1080": "the proxy cannot be reached (",
            guarded["socks5"].url: "the proxy wants a user name and a password",
            guarded["http"].url: "the proxy wants a user name and a password",
            wrong["socks5"]: "the proxy refuses this user name or password",
            wrong["http"]: "the proxy refuses this user name or password",
            proxy("socks5", 2).url: "the proxy does not allow this connection (SOCKS5 2)",
            proxy("http", 403).url: "the proxy does not allow this connection (HTTP 403)",
            proxy("socks5", 4).url: "the proxy does not reach the server (SOCKS5 4)",
            proxy("socks5", 1).url: "the proxy does not reach the server (SOCKS5 1)",
            proxy("http", 502).url: "the proxy does not reach the server (HTTP 502)",
            f"socks5://127.0.0.1:{mail}": "what answers in the proxy's place is no SOCKS5 proxy",
            f"http://127.0.0.1:{mail}": "what answers in the proxy's place is no HTTP proxy",
            f"socks5://127.0.0.1:{resets}": "the connection through the proxy broke",
        }
        started: dict[str, Process] = {}
        for url in cases:
            started[url] = Process("host", "--server", ORIGIN, "--proxy", url, "--json", *NO_MEDIA)
            stack.callback(started[url].stop)
        for url, why in cases.items():
            assert reason(started[url]).startswith(f"({why}"), (url, started[url].lines)


def test_a_server_that_cannot_prove_itself_is_told_as_without_a_proxy(tmp_path: Path) -> None:
    """The proxy stands where somebody in the middle would."""
    heard: list[bytes] = []
    with (
        answering(behind(Authority(tmp_path).context(), heard)) as port,
        ForwardProxy("socks5") as proxy,
        running("host", "--server", f"https://127.0.0.1:{port}", "--proxy", proxy.url, *NO_MEDIA) as snug,
    ):
        assert snug.status() == 10, snug.lines
        assert "cannot prove that it is the one: its certificate is signed by nobody" in snug.lines[-1]
    assert set(proxy.asked) == {("127.0.0.1", port)}
    assert not any(heard)


def test_a_server_without_tls_is_no_fault_of_the_proxy() -> None:
    with (
        answering(saying(b"220 mail.example ESMTP\r\n")) as port,
        ForwardProxy("http") as proxy,
        running(
            "host", "--server", f"https://127.0.0.1:{port}", "--proxy", proxy.url, "--json", *NO_MEDIA
        ) as snug,
    ):
        assert reason(snug).startswith("(it does not speak TLS there, and the address says https)")


def test_right_credentials_open_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, and the server, which nobody is at, is what is not reached."""
    with ForwardProxy("socks5", credentials=("me", SECRET)) as proxy:
        monkeypatch.setenv(proxy_option.VARIABLE, proxy.url.replace("//", f"//me:{SECRET}@"))
        with running("host", "--server", f"http://{NAME}:{free_port()}", "--json", *NO_MEDIA) as snug:
            assert reason(snug).startswith("(the proxy does not reach the server (SOCKS5 5))")
            assert not snug.errors
        assert {host for host, _ in proxy.asked} == {NAME}
        assert set(proxy.users) == {"me"}


@pytest.mark.parametrize("command", [("page", "--server", ORIGIN), ("verify-page", ORIGIN)])
def test_a_command_that_uses_no_proxy_does_not_go_past_one(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(proxy_option.VARIABLE, "socks5://127.0.0.1:9050")
    done = run(*command)
    assert done.returncode == 2
    assert done.stderr == "snug: this command uses no proxy: unset SNUG_PROXY\n"
    assert not done.stdout
