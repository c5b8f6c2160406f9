"""Opening a room from the real page, in Chromium, at a server that wants a password, or a token."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from snugroom.server import tokens
from snugroom.wire import rights
from tests.cli.processes import Process
from tests.web.browsers import Browser
from tests.web.visitor import Visitor, meeting_server, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _form(browser: Browser, url: str) -> Visitor:
    ada = await Visitor.at(browser, url, "Ada")
    await ada.press("Open a room")
    await ada.type("Your name", "Ada")
    return ada


async def _opened(process: Process) -> None:
    """Wait until the server holds an open room."""

    async def look() -> bool:
        since = len(process.lines)
        process.signal(signal.SIGUSR1)
        line = await asyncio.to_thread(process.wait_line, lambda line: line.startswith("disclosure "), since)
        return any(room["slot"] is not None for room in json.loads(line.removeprefix("disclosure "))["rooms"])

    await until(look, "no room was opened")


async def test_a_password_opens_a_room_and_a_wrong_one_says_so(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("correct horse battery", encoding="utf-8")
    (tmp_path / "password").chmod(0o600)
    settings = f'open = "password"\nopen_password_file = "{tmp_path}/password"\n'
    with meeting_server(tmp_path, settings=settings) as (process, url):
        ada = await _form(chromium, url)
        await ada.reads("Password for opening rooms")
        await ada.press("Open the room")
        await ada.reads("only for somebody who knows its password")
        await ada.type("Password for opening rooms", "correct horse")
        await ada.press("Open the room")
        await ada.reads("The server says that this is not its password for opening rooms.")
        await ada.type("Password for opening rooms", "correct horse battery")
        await ada.press("Open the room")
        await _opened(process)
        await ada.tab.close()


async def test_a_voucher_becomes_tokens_and_each_opens_a_room(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    tokens.new_key(key)
    (voucher,) = tokens.vouchers(tokens.read_key(key), 1, rights.week_of(time.time()))
    with meeting_server(tmp_path, settings=f'open = "tokens"\ntokens_key_file = "{key}"\n') as (process, url):
        ada = await _form(chromium, url)
        await ada.type("Voucher", voucher[:-3])
        await ada.press("Exchange")
        await ada.reads("cut off or changed")
        await ada.type("Voucher", voucher)
        await ada.press("Exchange")
        await ada.reads("You have 8 tokens for this server.")
        await ada.press("Open the room")
        await _opened(process)
        kept = await ada.tab.js("JSON.parse(localStorage.getItem('snug-tokens')).length")
        assert kept == 7
        await ada.tab.close()
