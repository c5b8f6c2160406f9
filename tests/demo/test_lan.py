"""The listener for phones, on loopback: each address of 127.0.0.0/8 is a phone of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest

from snugroom.lab.demo import lan
from snugroom.lab.demo.lan import LanError, Phones, checked, parsed, preferred
from snugroom.lab.demo.votes import ADDRESS_BURST, ADDRESS_RATE, Votes
from snugroom.server import page
from tests.patience import PATIENCE

TOKEN: Final = "abcdefghijklmnopqrstu"


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[tuple[Votes, str]]:
    """Votes on a question that is open, and the address for phones."""
    if not (page.PHONE / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    votes = Votes(options.get("per_address", 3))
    votes.open("find")
    phones = Phones(votes, "127.0.0.1", **options)
    try:
        yield votes, await phones.start()
    finally:
        await phones.close()


@asynccontextmanager
async def phone(number: int = 2) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{number}", 0))
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as http:
        yield http


async def vote(http: aiohttp.ClientSession, address: str, last: str = "a", choice: Any = 3) -> Any:
    body = {"phone": TOKEN + last, "question": "find", "choice": choice}
    async with http.post(f"{address}vote", json=body) as answer:
        return answer.status, await answer.json() if answer.status in (200, 409) else None


async def test_votes_of_several_phones_are_counted_once_each() -> None:
    async with listening() as (votes, address):
        for number in (2, 3, 3):
            async with phone(number) as http:
                assert await vote(http, address, str(number)) == (200, {})
        async with phone(2) as http:
            assert await vote(http, address, "2", 1) == (200, {})
            async with http.get(f"{address}now") as answer:
                told = await answer.json()
        assert told == {"question": "find", "stage": "open", "choices": 3, "right": None}
        votes.reveal()
        assert votes.view()["counts"] == [1, 0, 1]


async def test_one_address_has_three_votes_however_many_tokens_it_makes() -> None:
    async with listening() as (votes, address), phone() as http:
        answers = [await vote(http, address, each) for each in "abcdefgh"]
        assert answers[:3] == [(200, {})] * 3
        assert answers[3:] == [(409, {"refused": "address"})] * 5
        assert votes.view()["voted"] == 3


async def test_the_page_comes_with_its_texts_in_the_readers_language() -> None:
    async with listening() as (_, address), phone() as http:
        async with http.get(address) as answer:
            assert answer.status == 200
            html = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
            assert "Server" not in answer.headers
            assert answer.headers["Connection"] == "close"
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "http" not in html.replace("http-equiv", ""), "nothing comes from elsewhere"
        headers = {"Accept-Language": "fr;q=0.9, zh-TW, de"}
        async with http.get(f"{address}words.json", headers=headers) as answer:
            told = await answer.json()
        assert told["first"] == "zh-Hant"
        assert told["words"]["de"]["pick_find_3"] == "Nein"
        async with http.get(f"{address}main.js") as answer:
            assert len(await answer.read()) < 40_000, "small"


async def test_without_the_code_there_is_nothing() -> None:
    async with listening() as (votes, address), phone() as http:
        root = address.rsplit("/", 2)[0]
        for path in ("", "now", "vote", "words.json", "aaaaaa/", "aaaaaa/now"):
            async with http.get(f"{root}/{path}") as answer:
                assert answer.status == 404, path
        body = {"phone": TOKEN + "a", "question": "find", "choice": 3}
        async with http.post(f"{root}/vote", json=body) as answer:
            assert answer.status == 404
        async with http.get(f"{address}now", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        assert votes.view()["voted"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"[" * 1_000,
        b'{"phone": "short", "question": "find", "choice": 3}',
        b'{"phone": 5, "question": "find", "choice": 3}',
        b'{"phone": "abcdefghijklmnopqrstuv", "question": "find", "choice": true}',
        b'{"phone": "abcdefghijklmnopqrstuv", "question": "find", "choice": "3"}',
        b'{"phone": "abcdefghijklmnopqrstuv", "question": "find", "choice": 9}',
        b'{"phone": "abcdefghijklmnopqrstuv", "question": "no such", "choice": 1}',
        b'{"phone": "abcdefghijklmnopqrstuv", "question": [], "choice": 1}',
    ],
)  # fmt: skip
async def test_a_request_that_is_no_vote_changes_nothing(body: bytes) -> None:
    async with listening() as (votes, address), phone() as http:
        headers = {"Content-Type": "application/json"}
        async with http.post(f"{address}vote", data=body, headers=headers) as answer:
            assert answer.status == 400
        async with http.post(f"{address}vote", data=body, headers={"Content-Type": "text/plain"}) as answer:
            assert answer.status == 415, "as a form of another site's page would send it"
        async with http.post(f"{address}vote", data=bytes(2_000), headers=headers) as answer:
            assert answer.status == 413
        assert votes.view()["phones"] == 0


async def test_a_flood_from_one_address_stops_nobody_else() -> None:
    now = 1_000.0  # it stands still: a slow machine would fill the flood's bucket meanwhile
    async with (
        listening(clock=lambda: now) as (_, address),
        phone(2) as flooding,
        phone(3) as other,
    ):
        statuses = []
        for _ in range(int(3 * ADDRESS_BURST) + 2):
            async with flooding.get(f"{address}now") as answer:
                statuses.append(answer.status)
        assert statuses == [200] * int(3 * ADDRESS_BURST) + [429] * 2
        assert await vote(other, address) == (200, {})
        now += 1 / (3 * ADDRESS_RATE) + 0.001
        async with flooding.get(f"{address}now") as answer:
            assert answer.status == 200, "it may ask again later"


async def connect(address: str, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = int(address.split(":")[2].split("/")[0])
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.0.{number}", 0))


async def test_connections_of_one_address_have_a_limit_and_others_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lan, "CONNECTION_TIME", 1_000.0)  # nothing else closes them
    async with listening(per_address=1) as (_, address):
        most = lan.CONNECTIONS_PER_PHONE
        kept = [await connect(address, 2) for _ in range(most)]
        try:
            reader, writer = await connect(address, 2)
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b"", "closed unread"
            writer.close()
            async with phone(3) as http:
                assert await vote(http, address) == (200, {})
            # a place that is given up is free again
            kept[0][1].close()
            async with phone(2) as http, asyncio.timeout(PATIENCE):
                while True:
                    try:
                        assert (await vote(http, address))[0] == 200
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.05)
        finally:
            for _, writer in kept:
                writer.close()


async def test_all_connections_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan, "CONNECTIONS_MAX", 4)
    monkeypatch.setattr(lan, "CONNECTION_TIME", 1_000.0)
    async with listening() as (_, address):
        kept = [await connect(address, number) for number in (2, 3, 4, 5)]
        try:
            reader, writer = await connect(address, 6)
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""
            writer.close()
        finally:
            for _, writer in kept:
                writer.close()


async def test_a_connection_that_says_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan, "CONNECTION_TIME", 0.2)
    async with listening() as (_, address):
        reader, writer = await connect(address, 2)
        writer.write(b"POST /")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()


async def test_noise_does_not_reach_the_lecturers_terminal(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (_, address):
        with caplog.at_level(logging.DEBUG):
            reader, writer = await connect(address, 2)
            writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
            async with asyncio.timeout(PATIENCE):
                assert (await reader.read()).startswith(b"HTTP/1.0 400")
            writer.close()
        assert [record for record in caplog.records if record.name.startswith("snugroom")] == []


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.168.1.5", ("192.168.1.5", 0)),
        ("192.168.1.5:8080", ("192.168.1.5", 8080)),
        ("203.0.113.7:1", ("203.0.113.7", 1)),
    ],
)
def test_an_address_that_is_named(text: str, found: tuple[str, int]) -> None:
    assert parsed(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("meet.example", "name"), ("0.0.0.0", "name"),  # noqa: S104 - refused
        ("224.0.0.1", "name"), ("192.168.1.5:x", "name"),
        ("192.168.1.5:70000", "name"), ("fd00::5", "version"), ("[fd00::5]:80", "version"),
        ("::1", "version"),
    ],
)  # fmt: skip
def test_an_address_that_phones_do_not_get(text: str, why: str) -> None:
    with pytest.raises(LanError, match=why):
        parsed(text)


@pytest.mark.parametrize("address", ["127.0.0.1", "8.8.8.8"])
def test_only_a_lecturer_names_an_address_that_is_not_of_a_local_network(address: str) -> None:
    assert checked(address, named=True) == address
    with pytest.raises(LanError, match="none"):
        checked(address, named=False)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("fr", "en"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("zh-CN", "zh-Hans"),
        ("zh-HK,zh;q=0.9", "zh-Hant"), ("fr, zh-Hant;q=0.5", "zh-Hant"), (";;,,", "en"),
    ],
)  # fmt: skip
def test_the_language_that_a_browser_prefers(accepted: str, language: str) -> None:
    assert preferred(accepted) == language
