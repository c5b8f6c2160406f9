"""The disclosure as a page to print: complete, without script, and loading nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from snugroom.server.disclosure import catalogue, command, printed, view
from snugroom.server.disclosure.catalogue import LANGUAGES, Language
from snugroom.server.disclosure.text import sentences
from tests.server.test_disclose import AGENT, meeting

AT = 1_790_000_000.0


class Read(HTMLParser):
    """The text of a page, its elements, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def leaves(value: Any) -> Iterator[str]:
    """Every name and every value of a disclosure, as text."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif not isinstance(value, bool) and value is not None:
        yield str(value)


async def test_everything_that_is_disclosed_is_on_the_page() -> None:
    async with meeting() as held:
        disclosed = view.disclosure(held.server, identifiers=True)
    page = Read(printed.page(disclosed, AT, 42))
    texts = {text.strip() for text in page.texts}
    wanted = set(leaves(disclosed))
    assert len(wanted) > 100
    assert {each for each in wanted if each and each.strip() not in texts} == set()
    assert AGENT in texts, "the headers of requests are there"
    assert any(text.startswith("Process 42, 2026-09-") for text in texts)


async def test_it_has_no_script_and_loads_nothing_whatever_a_client_sends() -> None:
    async with meeting() as held:
        disclosed = view.disclosure(held.server, identifiers=True)
    evil = '<script src="https://evil.example/x.js"></script><img src=x onerror=alert(1)>'
    disclosed["people"] = [{"headers": {evil: evil}}]
    text = printed.page(disclosed, AT, 1)
    page = Read(text)
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body"),
        *("div", "h1", "h2", "p", "ol", "li", "table", "tr", "th", "td"),
    }
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name"}
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert page.texts.count(evil) == 2


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_sentences_are_in_each_language(language: Language) -> None:
    async with meeting() as held:
        disclosed = view.disclosure(held.server, identifiers=True)
    text = printed.page(disclosed, AT, 42, language)
    page = Read(text)
    assert text.startswith(f'<!doctype html>\n<html lang="{language}">')
    said = sentences(disclosed, language)
    assert len(said) == len(sentences(disclosed)) > 12
    for each in (*said, catalogue.table()["page_introduction"][language]):
        assert each in page.texts
        assert "{" not in each
    if language != "en":
        assert set(said).isdisjoint(sentences(disclosed))
    assert {
        each for each in set(leaves(disclosed)) if each.strip() not in {t.strip() for t in page.texts}
    } <= {""}


def test_every_sentence_is_in_every_language() -> None:
    for key, row in catalogue.table().items():
        assert list(row) == list(LANGUAGES), key
        holes = {language: set(re.findall(r"\{(\w+)\}", text)) for language, text in row.items()}
        assert all(found == holes["en"] for found in holes.values()), key
        assert len({row["en"], row["de"], row["zh-Hant"]}) == 3, key
        assert not re.search("[们这说没东务连]", row["zh-Hant"]), key
        assert not re.search("[們這說沒東務連]", row["zh-Hans"]), key


def test_numbers_and_forms_are_those_of_the_language() -> None:
    assert catalogue.say("en", "packets", n=1_204) == "1,204 packets"
    assert catalogue.say("de", "packets", n=1_204) == "1.204 Pakete"
    assert catalogue.say("de", "packets", n=1) == "1 Paket"
    assert catalogue.number(12.5, "de", 1) == "12,5"
    with pytest.raises(KeyError):
        catalogue.say("en", "packets")


async def test_the_command_prints_it_with_identifiers(capsys: pytest.CaptureFixture[str]) -> None:
    async with meeting() as held:
        number = 4_000_000_007
        disclosure_socket = command.DisclosureSocket(held.server, number)
        await disclosure_socket.start()
        try:
            status = await asyncio.to_thread(command.main, [str(number), "--print", "--lang", "de"])
        finally:
            disclosure_socket.stop()
    out = capsys.readouterr().out
    assert status == 0
    assert out.startswith("<!doctype html>")
    assert "<h2>In Sätzen</h2>" in out
    assert AGENT in out


def test_it_is_one_way_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["1", "--print", "--read"])
    assert "not allowed with" in capsys.readouterr().err
