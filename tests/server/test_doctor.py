"""`snug-server doctor` against real servers: a healthy one, and one for each mistake."""

from __future__ import annotations

import asyncio
import datetime
import json
import resource
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from snugroom.server import config, tls
from snugroom.server.app import Server
from snugroom.server.config import ConfigError, Settings
from snugroom.server.doctor import command, judge_machine, judge_web, probe_machine, probe_media, probe_web
from snugroom.server.doctor.facts import Tls
from snugroom.server.doctor.verdict import Verdict
from snugroom.server.sfu.limits import MediaLimits
from tests.patience import PATIENCE
from tests.server.people import lobby_door
from tests.server.wire_clients import quiet, visiting

ROOT: Final = Path(__file__).parents[2]


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[str]:
    """A whole server with media, and its origin."""
    server = Server(quiet(**settings))
    try:
        yield await server.start()
    finally:
        await server.stop()


async def verdicts(
    origin: str, ca: str | None = None, *, inside: bool = False, password: str | None = None
) -> list[Verdict]:
    async with asyncio.timeout(PATIENCE):
        told = command.remote(origin, ca, inside=inside, password=password)
        return [verdict async for verdict in told]


def bad(found: list[Verdict]) -> list[tuple[str, str]]:
    return [(verdict.level, verdict.check) for verdict in found if verdict.level != "ok"]


def only(found: list[Verdict], level: str, check: str) -> Verdict:
    """The one thing that is wrong. Each says what, why and what to do."""
    assert bad(found) == [(level, check)], found
    verdict = next(verdict for verdict in found if verdict.level != "ok")
    assert verdict.what
    assert verdict.why
    assert verdict.do
    return verdict


async def test_a_healthy_server_has_no_problem_and_nothing_of_the_visit_stays() -> None:
    server = Server(quiet())
    origin = await server.start()
    try:
        found = await verdicts(origin)
        assert bad(found) == []
        checks = [verdict.check for verdict in found]
        assert checks == ["proxy", "clock", "websocket", "room", "media udp", "media tcp"]
        async with asyncio.timeout(PATIENCE):
            while server.signaling.connections or server.signaling.hub.room_count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        await server.stop()


async def test_a_wrong_origin_names_both() -> None:
    async with serving(origin="https://meet.example") as url:
        told = only(await verdicts(url), "problem", "websocket")
        assert f"calls itself https://meet.example, and links say {url}" in told.what
        assert f'origin = "{url}"' in told.do


async def test_media_at_another_address_than_the_told_one() -> None:
    async with serving(media_address="127.0.0.9", media_bind="127.0.0.1") as url:
        found = await verdicts(url, inside=True)
        assert bad(found) == [("problem", "media udp"), ("problem", "media tcp")]
        assert all("media_bind" in verdict.do for verdict in found if verdict.level != "ok")
        # from another machine, an address that only the server's network knows is the cause
        outside = await verdicts(url)
        assert "only the server's own network" in next(v.what for v in outside if v.level != "ok")


async def test_media_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_media, "TIME", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.9", 0))
        port = deaf.getsockname()[1]
        async with serving(
            media_address="127.0.0.9", media_bind="127.0.0.1", media_port=port, media_tcp=False
        ) as url:
            found = await verdicts(url, inside=True)
            assert bad(found) == [("problem", "media udp"), ("warning", "media tcp")]
            silent, tcp_off = (verdict for verdict in found if verdict.level != "ok")
            assert "firewall" in silent.why
            assert f"port {port}" in silent.do
            assert "media_tcp = true" in tcp_off.do


async def test_a_full_server_opens_no_room() -> None:
    async with serving(max_connections=1) as url, visiting(url) as place:
        guest = await place.guest()
        await guest.say(lobby_door(url, guest.challenge.nonce))
        told = only(await verdicts(url), "problem", "room")
        assert "no capacity" in told.what


async def test_a_server_that_wants_a_password(tmp_path: Path) -> None:
    (tmp_path / "password").touch(0o600)
    (tmp_path / "password").write_text("correct horse battery\n")
    async with serving(open="password", open_password_file=str(tmp_path / "password")) as url:
        assert "--password-file" in only(await verdicts(url), "warning", "room").do
        assert "refuses the password" in only(await verdicts(url, password="wrong"), "problem", "room").what
        found = await verdicts(url, password="correct horse battery")
        assert bad(found) == []
        assert found[-1].check == "media tcp"


# -- TLS ---------------------------------------------------------------------------------------


def certificate(folder: Path, name: str = "127.0.0.1", age: float = 0.0) -> list[str]:
    """A certificate for `name`, made `age` days ago: it is valid for 397 days."""
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
    chain, key = folder / "cert.pem", folder / "key.pem"
    certificate, private = tls.self_signed([name], made)
    chain.write_bytes(certificate)
    key.touch(0o600)
    key.write_bytes(private)
    return [str(chain), str(key)]


@pytest.mark.parametrize(
    ("name", "age", "known", "level", "says"),
    [
        ("127.0.0.1", 0.0, True, "ok", "valid for 127.0.0.1 for 397 days more"),
        ("127.0.0.1", 0.0, False, "problem", "signed by itself"),
        ("127.0.0.1", 400.0, True, "problem", "expired 3 days ago"),
        ("127.0.0.1", 400.0, False, "problem", "expired 3 days ago"),
        ("127.0.0.1", 385.0, True, "warning", "expires in 12 days"),
        ("127.0.0.1", 395.0, True, "problem", "expires in 2 days"),
        ("other.example", 0.0, True, "problem", "for other.example, and not for 127.0.0.1"),
    ],
)
async def test_certificates(
    name: str, age: float, known: bool, level: str, says: str, tmp_path: Path
) -> None:
    files = certificate(tmp_path, name, age)
    async with serving(tls=files) as url:
        found = await verdicts(url, files[0] if known else None)
        judged = next(verdict for verdict in found if verdict.check == "certificate")
        assert (judged.level, says in judged.what) == (level, True), judged
        # a bad certificate is one cause: all that follows is checked all the same, and is well
        assert bad(found) == ([] if level == "ok" else [(level, "certificate")])
        assert found[-1].check == "media tcp"
        if "itself" in says:
            pem = await asyncio.to_thread(Path(files[0]).read_text)
            assert tls.fingerprint(ssl.PEM_cert_to_DER_cert(pem)) in judged.why


@pytest.mark.parametrize(("left", "level"), [(0.4, "ok"), (0.1, "warning"), (0.03, "problem")])
def test_a_certificate_for_hours_is_renewed_in_its_last_hours(left: float, level: str) -> None:
    """As Caddy's own authority and short-lived profiles issue them: twelve hours here."""
    assert judge_web.tls(Tls("meet.example", 443, days_left=left, lifetime=0.5)).level == level


async def test_a_certificate_for_another_host_name(tmp_path: Path) -> None:
    files = certificate(tmp_path, "other.example")
    async with serving(tls=files) as url:
        found = await verdicts(url.replace("127.0.0.1", "localhost"), files[0])
        assert "for other.example, and not for localhost" in found[1].what


async def test_a_port_that_speaks_no_tls_a_closed_and_a_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_web, "TIME", 0.3)
    async with serving() as url:
        told = only(await verdicts(url.replace("http:", "https:")), "problem", "certificate")
        assert "speaks no TLS" in told.what
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        origin = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert "nothing listens" in only(await verdicts(origin), "problem", "certificate").what
        silent.listen()
        assert "no answer from" in only(await verdicts(origin), "problem", "certificate").what


async def test_a_name_without_an_address() -> None:
    told = only(await verdicts("https://nowhere.invalid"), "problem", "name")
    assert "A record" in told.do


# -- what a proxy may do wrong -----------------------------------------------------------------

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def proxy(ws: Handler, health: Handler | None = None) -> AsyncIterator[str]:
    """An HTTP server in the place of a proxy that is set up wrongly."""

    async def healthy(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    app = web.Application()
    app.add_routes([web.get("/ws", ws), web.get("/healthz", health or healthy)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(status: int, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="x", headers=headers)

    return answer


@pytest.mark.parametrize(
    ("status", "says"), [(200, "Upgrade"), (400, "Upgrade"), (403, "rules for /ws"), (404, "all paths")]
)
async def test_a_proxy_that_passes_no_websocket(status: int, says: str) -> None:
    async with proxy(answering(status)) as url:
        told = only(await verdicts(url), "problem", "websocket")
        assert str(status) in told.what
        assert says in told.do


@pytest.mark.parametrize(("status", "says"), [(502, "does not reach Snug"), (404, "another server")])
async def test_a_proxy_that_reaches_no_server(status: int, says: str) -> None:
    async with proxy(answering(200), answering(status)) as url:
        assert says in only(await verdicts(url), "problem", "proxy").why


async def test_a_server_with_another_time() -> None:
    async def healthy(_: web.Request) -> web.Response:
        return web.json_response({"ok": True}, headers={"Date": "Sat, 01 Nov 2025 12:00:00 GMT"})

    async with proxy(answering(404), healthy) as url:
        found = await verdicts(url)
        assert ("problem", "clock") in bad(found)
        assert "timedatectl" in next(v for v in found if v.check == "clock").do


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert "nothing listens" in only(await verdicts(origin), "problem", "proxy").what


# -- the machine -------------------------------------------------------------------------------


def test_secrets_that_others_may_read_or_that_are_not_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    settings = config.checked({"turn": [{"urls": ["turn:a.test"], "secret_file": str(secret)}]})

    def judged() -> Verdict:
        (found,) = probe_machine.secrets(settings)
        return judge_machine.secret(found)

    secret.chmod(0o640)
    assert judged().level == "ok"
    for mode in (0o644, 0o660, 0o602):
        secret.chmod(mode)
        assert judged().level == "problem"
        assert f"chmod 600 {secret}" in judged().do
    secret.unlink()
    assert "No such file" in judged().what


def test_limits_of_the_process_and_of_the_kernel() -> None:
    huge = Settings(max_connections=10_000_000, media=MediaLimits(socket_buffer=2**30))
    found = judge_machine.machine(probe_machine.machine(huge))
    told = [verdict.do for verdict in found if verdict.check == "limits"]
    assert len(told) == 2
    assert "LimitNOFILE=20001088" in told[0]
    assert "net.core.rmem_max=1073741824" in told[1]
    small = Settings(max_connections=1, media=MediaLimits(socket_buffer=4096, tcp_connections=1))
    found = judge_machine.machine(probe_machine.machine(small))
    assert [verdict.level for verdict in found if verdict.check == "limits"] == ["ok"]
    # what these figures are compared with is the kernel's
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert probe_machine.machine(small).files in (limit, sys.maxsize) or probe_machine.machine(small).running


@pytest.mark.parametrize(
    ("origin", "proxies", "behind", "level"),
    [
        ("https://meet.example", True, True, "ok"),
        ("https://meet.example", False, False, "ok"),
        ("http://127.0.0.1:8080", False, False, "ok"),
        ("http://meet.example", False, False, "problem"),
        ("https://meet.example", False, True, "warning"),
    ],
)
def test_settings_that_contradict_their_purpose(origin: str, proxies: bool, behind: bool, level: str) -> None:
    judged = judge_machine.settings(origin, "", trusts_proxy=proxies, behind_proxy=behind)
    assert judged.level == level


# -- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Meet.Example/", "https://meet.example"),
        ("meet.example", "https://meet.example"),
        ("https://meet.example:443", "https://meet.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_url_as_people_type_it(url: str, origin: str) -> None:
    assert command.origin_of(url) == origin


@pytest.mark.parametrize("url", ["ftp://meet.example", "https://", "https://a@b.example", "https://a:x"])
def test_an_url_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError):
        command.origin_of(url)


async def test_the_command_from_inside_and_from_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(*arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(command.main, arguments)
        return status, *capsys.readouterr()

    settings = tmp_path / "snug.toml"
    async with serving() as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "snugroom.server", "doctor", "--from-outside", url),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            printed, _ = await process.communicate()
        assert process.returncode == 0
        assert b"ok       room: a room opens\n" in printed
        assert printed.endswith(b"0 problems, 0 warnings\n")
        settings.write_text(f'listen = "{url.removeprefix("http://")}"\norigin = "http://127.0.0.1:1"\n')
        status, out, err = await run("--config", str(settings), "--json")
        assert (status, err) == (1, "")
        told = json.loads(out)
        assert told["problems"] >= 1
        assert [v["check"] for v in told["verdicts"] if "nothing listens" in v["what"]] == ["proxy"]
    settings.write_text("max_memebers = 3\n")
    status, out, _ = await run("--config", str(settings))
    assert status == 1
    assert "there is no setting 'max_memebers'" in out
    status, out, err = await run("--from-outside", "ftp://x")
    assert (status, out) == (2, "")
    assert "is not the URL of a server" in err
    assert (await run("--from-outside", url, "--ca", str(tmp_path / "none")))[0] == 2
