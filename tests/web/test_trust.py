"""Trust at the real page: identities and contacts on the device, reports, and a shared comparison."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from snugroom.client.files.contact_book import Book
from snugroom.client.files.sealed_file import Cost
from snugroom.crypto.proof.identity import fingerprint
from tests.cli.processes import run, running
from tests.web.browsers import Browser
from tests.web.visitor import Visitor, meeting_server, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: The browser's database, as text, with what of it is a key that can be read out.
DATABASE = """new Promise((done, fail) => {
  const request = indexedDB.open("snug");
  request.onerror = fail;
  request.onsuccess = () => {
    const database = request.result, found = { text: "", open: [], names: [] };
    const look = (value, path) => {
      if (value instanceof CryptoKey) {
        if (value.extractable && value.type !== "public") found.open.push(path);
      } else if (ArrayBuffer.isView(value)) found.text += new TextDecoder("latin1").decode(value);
      else if (typeof value === "object" && value !== null) {
        for (const [key, inner] of Object.entries(value)) look(inner, `${path}.${key}`);
      } else found.text += String(value);
    };
    const names = [...database.objectStoreNames];
    const transaction = database.transaction(names);
    for (const name of names) {
      const all = transaction.objectStore(name);
      all.getAllKeys().onsuccess = ({ target }) => {
        found.names.push(...target.result.map((key) => `${name} ${key}`));
      };
      all.getAll().onsuccess = ({ target }) => look(target.result, name);
    }
    transaction.oncomplete = () => { database.close(); done(found); };
  };
})"""


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser, bundle: Path) -> AsyncIterator[Browser]:
    async with chromium.fresh() as fresh:
        yield fresh


async def digits(who: Visitor) -> str:
    """Their own fingerprint, as it stands in the settings."""
    shown = (
        "[...document.querySelectorAll('[aria-labelledby=id-title] > .code-digits span')]"
        ".map((e) => e.textContent).join('')"
    )
    found: str = await until(lambda: who.tab.js(shown), "no fingerprint")
    return found


async def settings(who: Visitor) -> None:
    if not await who.tab.js("document.querySelector('.panel[data-panel=settings]') !== null"):
        await who.press("More")
        await who.press("Settings")


async def test_members_of_page_and_command_line_recognise_each_other_by_identities(
    browser: Browser, tmp_path: Path
) -> None:
    book, secret = tmp_path / "book", tmp_path / "secret"
    secret.write_text("horse\n")
    made = Book.create(book, "horse", cost=Cost(1, 8192))
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(browser, url, "Ada")
        link = await ada.open_room(admission="Ask me each time")
        await settings(ada)
        await ada.press("Create an identity")
        own = await digits(ada)
        assert re.fullmatch("[0-9]{40}", own)
        quiet = ("--no-audio", "--no-video", "--json", "--passphrase-file", str(secret))
        with running("join", link, "--name", "Bartholomea", "--identity", str(book), *quiet) as bo:
            await ada.reads("Shows an identity that you have not met before")
            theirs = fingerprint(made.contacts.own.public)
            assert theirs in await ada.tab.js(
                "document.querySelector('.admission .code-digits').innerText.replace(/\\s/g, '')"
            )
            await ada.press("Let in")
            await ada.here("Bartholomea")
            await ada.panel("people", "People")
            await ada.press("Actions for Bartholomea")
            await ada.press("Keep this identity")
            await ada.reads("Bartholomea is in your contacts on this device.")
            await ada.press("Actions for Bartholomea")
            await ada.press("Show my identity")
            vouched = await asyncio.to_thread(bo.wait, "vouched")
            assert (vouched["name"], vouched["fingerprint"]) == ("Ada", own)
            bo.send({"leave": True})
            assert await asyncio.to_thread(bo.status) == 0
        kept: dict[str, Any] = await ada.tab.js(DATABASE)
        assert "keys book" in kept["names"]
        assert kept["open"] == []
        for word in ("petname", "Bartholomea", theirs, own):
            assert word not in kept["text"], word
        other = await Visitor.at(browser, url, "Ada")
        await other.press("Identity and contacts")
        await other.reads("not verified")
        shown = (
            "[...document.querySelectorAll('dialog .code-digits span')].map((e) => e.textContent).join('')"
        )
        assert str(await until(lambda: other.tab.js(shown), "none")).startswith(own)
        await other.tab.js("document.querySelectorAll('dialog summary').forEach((one) => one.click())")
        await other.press("Delete for good")
        await other.reads("Create an identity")
        gone: dict[str, Any] = await other.tab.js(DATABASE)
        assert "keys book" not in gone["names"]
        for who in (ada, other):
            await who.clean()


#: The files that the page lets the browser save, as text.
KEPT = """window.saved = [];
const make = URL.createObjectURL;
URL.createObjectURL = (blob) => {
  if (blob instanceof Blob) void blob.text().then((text) => saved.push(text));
  return make.call(URL, blob);
};"""


async def test_a_host_allows_reports_and_a_message_is_reported_to_whom_has_the_link(
    browser: Browser, tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(browser, url, "Ada", None, KEPT)
        await ada.press("Open a room")
        await ada.type("Your name", "Ada")
        await ada.choose("Anyone with the link")
        await ada.choose("Members can report messages")
        await ada.press("Open the room")
        await ada.press("Copy the invite link")
        link: str = await until(lambda: ada.tab.js("probe.copied.at(-1)"), "nothing was copied")
        with running("join", link, "--name", "Bo", "--no-audio", "--no-video", "--json") as bo:
            await ada.here("Bo")
            told = await asyncio.to_thread(bo.wait, "status", lambda e: e["kind"] == "reports")
            assert "others can prove later what you write here" in told["text"]
            bo.send({"chat": "a vile thing"})
            await ada.panel("chat", "Chat")
            await ada.reads("a vile thing")
            await ada.press("Report messages")
            await ada.choose("In the report")
            await ada.press("Save the report (1)")
            text: str = await until(
                lambda: ada.tab.js("saved.find((each) => each.includes('host_public'))"), "none"
            )
            bo.send({"leave": True})
            assert await asyncio.to_thread(bo.status) == 0
        await ada.clean()
    file = tmp_path / "report.json"
    file.write_text(text)
    read = await asyncio.to_thread(run, "report", "verify", str(file), "--link", link, "--json")
    assert read.returncode == 0, read.stderr
    assert "a vile thing" in read.stdout


async def test_a_code_that_one_member_asks_for_opens_with_all_and_their_answers_are_collected(
    browser: Browser, tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(browser, url, "Ada", None)
        link = await ada.open_room()
        with running("join", link, "--name", "Bo", "--no-audio", "--no-video", "--json") as bo:
            await ada.here("Bo")
            await asyncio.to_thread(bo.wait, "state")  # Bo is in, and Ada has answered
            bo.send({"compare": True})
            code = await asyncio.to_thread(bo.wait, "short_code")
            assert [m["name"] for m in code["members"] if m["leaf"] == code["by"]] == ["Bo"]
            await ada.reads("Bo is comparing codes: read these to each other.")
            spoken = "[...document.querySelectorAll('.signs li > span:last-child')].map((e) => e.textContent)"
            assert await until(lambda: ada.tab.js(spoken), "no words") == code["words"]
            await ada.press("They are the same with everybody")
            bo.send({"compared": True})
            await ada.reads("2 of 2 say that the code is the same.")
            both = await asyncio.to_thread(
                bo.wait, "code_answers", lambda e: all(m["same"] for m in e["members"])
            )
            assert [m["both"] for m in both["members"]] == [True, False]
            await ada.panel("people", "People")
            await ada.reads("Compared with you")
            bo.send({"compared": False})
            await ada.reads("says that the codes differ.")
            bo.send({"leave": True})
            assert await asyncio.to_thread(bo.status) == 0
        await ada.clean()
