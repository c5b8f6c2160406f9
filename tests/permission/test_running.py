"""A running server that opens rooms for tokens or a password: storms, mistakes, and real programs."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec
import pytest

from snugroom.client.files.token_file import TokenFile
from snugroom.client.headless.status import Status
from snugroom.client.tokens import ExchangeError, UnreachableError, exchange
from snugroom.crypto.entry import permission, voucher
from snugroom.crypto.entry.permission import Token
from snugroom.crypto.entry.voucher import Voucher
from snugroom.crypto.errors import AuthenticationError
from snugroom.server import tokens
from snugroom.server.config import ConfigError
from snugroom.server.disclosure import audit, text, view
from snugroom.server.rooms import permission as policy
from snugroom.wire import limits, rights, signed
from snugroom.wire.messages import Challenge, Entered, Exchange, Permit, RoomDoor, Shown
from snugroom.wire.permission import TokenSpent
from tests.cli import processes
from tests.exhaustion import rooms
from tests.network.forward_proxy import NAME, ForwardProxy
from tests.server.people import CLIENT_NONCE, show
from tests.server.people import opening as open_room
from tests.server.wire_clients import Guest, Place, quiet, serving


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PASSWORD_COST", limits.PASSWORD_COST_MIN)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    tokens.new_key(path)
    return path


def vouchers(key: Path, count: int = 1, ahead: int = 0) -> list[str]:
    """As `snug-server tokens` prints them, for the week of the server's clock."""
    return tokens.vouchers(tokens.read_key(key), count, rights.week_of(time.time()) + ahead)


def door(challenge: Challenge, name: str, token: Token | None = None, proof: bytes | None = None) -> RoomDoor:
    """A door to the room `name`, with a token; `proof`: with this proof in place of its own."""
    door_key, room_admin = rooms.keys(name)
    public = bytes(door_key.verify_key), bytes(room_admin.verify_key)
    number = signed.room_number(*public)
    text = signed.door(challenge.origin, number, challenge.nonce, CLIENT_NONCE)
    spent = None
    if token is not None:
        own = token.proof(permission.proof_message(challenge.origin, number, challenge.nonce))
        spent = TokenSpent(token.week, token.input, own if proof is None else proof)
    return RoomDoor(*public, CLIENT_NONCE, door_key.sign(text).signature, token=spent)


async def opened(place: Place, name: str, token: Token) -> Guest:
    """A member who opened the room `name` with a token."""
    guest = await place.guest()
    await guest.say(door(guest.challenge, name, token))
    await guest.expect(Entered)
    await guest.expect(Permit)
    door_key, room_admin = rooms.keys(name)
    number = signed.room_number(bytes(door_key.verify_key), bytes(room_admin.verify_key))
    await guest.say(open_room(key=room_admin, number=number))
    await guest.say(show(0))
    await guest.until(Shown)
    return guest


async def test_a_storm_of_vouchers_and_tokens_hurts_nobody(key: Path) -> None:
    """Floods of forged, foreign, used and malformed vouchers and tokens; two members go on talking."""
    evaluations = 0
    async with serving(quiet(open="tokens", tokens_key_file=str(key), errors_max=8)) as place:
        hub = place.server.signaling.hub
        assert hub.permission is not None
        mine = await exchange(place.url, Voucher.parse(vouchers(key)[0]))
        innocent = rooms.Innocent(await opened(place, "innocent", mine[0]), await _joined(place, "innocent"))
        await innocent.talk()
        week = hub.permission._keys()[0]
        evaluate = week.evaluator

        class Counting:
            def evaluate(self, element: object) -> object:
                nonlocal evaluations
                evaluations += 1
                return evaluate.evaluate(element)  # type: ignore[arg-type]

            def evaluate_known_input(self, given: bytes) -> bytes:
                return evaluate.evaluate_known_input(given)

        week.evaluator = Counting()  # type: ignore[assignment]
        used = Exchange(_used(key), [os.urandom(32) for _ in range(8)])
        await _exchanged(place, used.voucher, key)
        evaluations = 0
        before = hub.permission.counts()
        for number in range(40):
            forged = Exchange(os.urandom(36), used.blinded)
            tries = [
                (forged, "voucher"),
                (Exchange(used.voucher, [os.urandom(32) for _ in range(8)]), "spent"),
                (door_with(mine[0]), "spent"),
                (door_with(mine[1], os.urandom(32)), "token"),
                (door_with(Token(mine[1].week, mine[1].key, os.urandom(32), os.urandom(64))), "token"),
                (door_with(Token(mine[1].week - 9, mine[1].key, mine[1].input, mine[1].output)), "token"),
            ]
            made, code = tries[number % len(tries)]
            stranger = await place.guest()
            await stranger.say(made if isinstance(made, Exchange) else made(stranger.challenge))
            await stranger.dropped(code)
            if number % 8 == 0:
                await innocent.talk()
        assert evaluations == 0, "a refused voucher costs no evaluation"
        assert hub.permission.counts() == before, "nothing is stored of what was refused"
        assert set(place.server.signaling.refusals) >= {"voucher", "spent", "token"}
        # what is too long, or of another form, ends as any other message
        stranger = await place.guest()
        frame = msgspec.json.encode({"type": "exchange", "voucher": "AA==", "blinded": []})
        await stranger.ws.send_str(frame.decode())
        assert (await stranger.next()).code == "message"  # type: ignore[attr-defined]
        await opened(place, "another", mine[1])
        await innocent.talk()


def door_with(token: Token, proof: bytes | None = None):  # type: ignore[no-untyped-def]
    return lambda challenge: door(challenge, "stranger", token, proof)


async def _joined(place: Place, name: str) -> Guest:
    guest = await place.guest()
    await guest.say(door(guest.challenge, name))
    await guest.expect(Entered)
    await guest.say(show(0))
    await guest.until(Shown)
    return guest


def _used(key: Path) -> bytes:
    return Voucher.parse(vouchers(key)[0]).sent


async def _exchanged(place: Place, sent: bytes, key: Path) -> None:
    guest = await place.guest()
    assert guest.challenge.permission is not None
    public = guest.challenge.permission.keys[0]
    paper = Voucher(public.week, sent, permission.token_key(public.week, public.key))
    await guest.say(Exchange(sent, voucher.Exchange(paper, public.key, 8).blinded))
    await guest.next()


async def test_the_disclosure_has_all_that_the_policy_holds(key: Path) -> None:
    before = audit.live_objects()
    async with serving(quiet(open="tokens", tokens_key_file=str(key))) as place:
        mine = await exchange(place.url, Voucher.parse(vouchers(key)[0]))
        await opened(place, "one", mine[0])
        found = audit.audit(place.server, before)
        assert (found.undeclared, found.misplaced) == (set(), set())
        assert {"Permission", "RoomPermission", "WeekKey"} <= {
            name.rpartition(".")[2] for name in found.classes
        }
        told = view.disclosure(place.server)
        assert told["permission"] == {"policy": "tokens", "vouchers_exchanged": 1, "tokens_spent": 1}
        assert "1 vouchers were exchanged and 1 tokens spent" in " ".join(text.sentences(told))
        everything = view.disclosure(place.server, identifiers=True)
        assert everything["permission"]["tokens"] == [mine[0].input.hex()]
        assert len(everything["permission"]["vouchers"]) == 1
        assert mine[0].output.hex() not in str(everything)


async def test_guesses_of_the_password_are_limited_and_the_meeting_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    settings = quiet(
        open="password", open_password_file=str(file), open_guesses_per_second=0.01, open_guess_burst=3
    )
    async with serving(settings) as place:
        refused: list[str] = []
        for _ in range(5):
            stranger = await place.guest()
            knock = msgspec.structs.replace(door(stranger.challenge, "stranger"), password=os.urandom(32))
            await stranger.say(knock)
            refused.append((await stranger.ended())[-1].code)  # type: ignore[attr-defined]
        assert refused == ["password"] * 3 + ["rate"] * 2
        assert place.server.signaling.refusals["password"] == 3
        assert place.server.signaling.refusals["rate"] == 2


async def test_what_a_client_is_told_about_a_voucher(key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    tokens.new_key(other)
    async with serving(quiet(open="tokens", tokens_key_file=str(key))) as place:
        (text,) = vouchers(key)
        assert len(await exchange(place.url, Voucher.parse(text))) == limits.VOUCHER_TOKENS
        with pytest.raises(ExchangeError, match="exchanged before"):
            await exchange(place.url, Voucher.parse(text))
        with pytest.raises(AuthenticationError, match="another key"):
            await exchange(place.url, Voucher.parse(vouchers(other)[0]))
        with pytest.raises(ExchangeError, match="another week"):
            await exchange(place.url, Voucher.parse(vouchers(key, ahead=1)[0]))
        forged = Voucher.parse(text)
        forged = Voucher(forged.week, forged.sent[:-1] + bytes([forged.sent[-1] ^ 1]), forged.key_hash)
        with pytest.raises(ExchangeError, match="not its own"):
            await exchange(place.url, forged)
    async with serving(quiet()) as place:
        with pytest.raises(ExchangeError, match="wants no voucher"):
            await exchange(place.url, Voucher.parse(text))
    with pytest.raises(UnreachableError):
        await exchange(place.url, Voucher.parse(text))


def hosts(*arguments: str) -> None:
    """Open a meeting by `snug host`, and leave as soon as there is one."""
    with processes.running("host", *arguments, "--no-audio", "--no-video", "--json") as process:
        process.wait("invite")
        process.send({"leave": True})
        assert process.status() == 0, process.lines


async def test_the_programs(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`snug tokens` and `snug host`, as a person runs them."""
    purse = tmp_path / "tokens"
    quick = ["--no-audio", "--no-video", "--json"]
    async with serving(quiet(open="tokens", tokens_key_file=str(key))) as place:

        def snug(*arguments: str) -> tuple[int, str]:
            done = processes.run(*arguments, "--tokens", str(purse))
            return done.returncode, done.stdout + done.stderr

        status, told = await asyncio.to_thread(snug, "host", "--server", place.url, *quick)
        assert status == Status.UNOPENED, told
        assert "snug tokens --server URL --voucher -" in told
        (text,) = vouchers(key)
        status, told = await asyncio.to_thread(snug, "tokens", "--server", place.url, "--voucher", text)
        assert (status, told.split(" until")[0]) == (0, f"8 tokens for {place.url},"), told
        assert purse.stat().st_mode & 0o777 == 0o600
        status, told = await asyncio.to_thread(snug, "tokens", "--server", place.url, "--voucher", text)
        assert (status, "exchanged before" in told) == (Status.UNOPENED, True)
        await asyncio.to_thread(hosts, "--server", place.url, "--tokens", str(purse))
        assert len(TokenFile(purse).all(_now())) == 7, "one was spent"
        hub = place.server.signaling.hub
        assert hub.permission is not None
        assert hub.permission.counts() == {"vouchers_exchanged": 1, "tokens_spent": 1}


async def test_a_voucher_goes_through_the_proxy_or_stays(key: Path, tmp_path: Path) -> None:
    purse = tmp_path / "tokens"
    (text,) = vouchers(key)
    async with serving(quiet(open="tokens", tokens_key_file=str(key))) as place:
        port = int(place.url.rpartition(":")[2])
        server = f"http://{NAME}:{port}"

        def snug(proxy: str) -> tuple[int, str]:
            more = ("--voucher", text, "--tokens", str(purse), "--proxy", proxy)
            done = processes.run("tokens", "--server", server, *more)
            return done.returncode, done.stdout + done.stderr

        status, told = await asyncio.to_thread(snug, f"socks5://127.0.0.1:{processes.free_port()}")
        assert (status, "the proxy cannot be reached" in told) == (Status.UNREACHABLE, True), told
        hub = place.server.signaling.hub
        assert hub.permission is not None
        assert hub.permission.counts()["vouchers_exchanged"] == 0
        with ForwardProxy("http") as proxy:
            status, told = await asyncio.to_thread(snug, proxy.url)
            assert (status, told.split(" until")[0]) == (0, f"8 tokens for {server},"), told
            assert proxy.asked == [(NAME, port)]


async def test_the_program_with_a_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    wrong = tmp_path / "wrong"
    wrong.write_text("correct horse batterY\n")
    async with serving(quiet(open="password", open_password_file=str(file))) as place:

        def host(path: Path) -> tuple[int, str]:
            arguments = ["--server", place.url, "--password-file", str(path), "--json"]
            done = processes.run("host", *arguments, "--no-audio", "--no-video")
            return done.returncode, done.stdout + done.stderr

        status, told = await asyncio.to_thread(host, wrong)
        assert (status, "this is not its password" in told) == (Status.UNOPENED, True), told
        assert place.server.signaling.refusals["password"] == 1, "it is not tried again"
        await asyncio.to_thread(hosts, "--server", place.url, "--password-file", str(file))
        status, told = await asyncio.to_thread(host, tmp_path / "none")
        assert (status, "can't be read" in told) == (Status.USAGE, True), told


def _now() -> float:
    return time.time()


def test_files_that_are_no_keys_and_no_passwords(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    with pytest.raises(ConfigError, match="can't be read"):
        tokens.read_key(path)
    path.write_text("too short")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read or change it"):
        tokens.read_key(path)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="is no key"):
        tokens.read_key(path)
    with pytest.raises(ConfigError, match="12 characters"):
        tokens.read_password(path)
    assert tokens.main(["--new-key", str(path)]) == 2, "it replaces no file"
    assert path.read_text() == "too short"
    path.unlink()
    assert tokens.main(["--new-key", str(path)]) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    config = tmp_path / "snug.toml"
    config.write_text(f'open = "tokens"\ntokens_key_file = "{path}"\n')
    capsys.readouterr()
    assert tokens.main(["--config", str(config), "--count", "3"]) == 0
    out, err = capsys.readouterr()
    assert len({Voucher.parse(line).sent for line in out.splitlines()}) == 3
    assert "can be exchanged from" in err
    for wrong in (["--count", "0"], ["--ahead", "99"], ["--count", "10001"]):
        assert tokens.main(["--key", str(path), *wrong]) == 2
    config.write_text('open = "tokens"\n')
    assert tokens.main(["--config", str(config)]) == 2
    assert 'open = "tokens" needs tokens_key_file' in capsys.readouterr().err
