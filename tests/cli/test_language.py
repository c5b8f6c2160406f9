"""The language of the command line: how it is chosen, and that everything a meeting prints is in it."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from snugroom.client.cli.language import chosen, language_of
from snugroom.client.cli.output import HumanOutput
from snugroom.client.cli.parser import parser
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import LANGUAGES, Language, sentence
from tests.policy.test_output import EVENTS, human, stats


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de_DE.UTF-8", "de"),
        ("de", "de"),
        ("zh_CN.UTF-8", "zh-Hans"),
        ("zh_TW.UTF-8", "zh-Hant"),
        ("zh_HK", "zh-Hant"),
        ("zh_Hant_CN.UTF-8", "zh-Hant"),
        ("zh_Hans_HK", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("en_GB.UTF-8", "en"),
        ("fr_FR.UTF-8", "en"),
        ("C.UTF-8", "en"),
        ("", "en"),
    ],
)
def test_a_locale_has_a_language(locale: str, language: Language) -> None:
    assert language_of(locale) == language


def test_the_option_comes_first_and_then_the_locale() -> None:
    environ = {"LC_ALL": "", "LC_MESSAGES": "de_DE.UTF-8", "LANG": "zh_TW.UTF-8"}
    assert chosen("zh-Hans", environ) == "zh-Hans"
    assert chosen(None, environ) == "de"
    assert chosen(None, environ | {"LC_ALL": "C"}) == "en"
    assert chosen(None, {}) == "en"


def test_both_commands_take_a_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser().parse_args(["join", "--lang", "de", "LINK"]).lang == "de"
    assert parser().parse_args(["host", "--server", "http://127.0.0.1:1"]).lang is None
    with pytest.raises(SystemExit):
        parser().parse_args(["join", "--lang", "fr", "LINK"])
    assert "zh-Hant" in capsys.readouterr().err


def spoken(language: Language, *events: ev.Event) -> str:
    stream = io.StringIO()
    output = HumanOutput(Console(file=stream, width=200, highlight=False), language)
    for event in events:
        output.event(event)
    return stream.getvalue()


def test_a_meeting_in_german() -> None:
    ada, bo = ev.Member(0, "Ada", True), ev.Member(1, "Bo", False)
    told = spoken(
        "de",
        ev.Knocked(3, "Bo", "hallo", 5, label="Bo"),
        ev.Roster(5, (ada, bo), (ev.Newcomer(1, "Bo", False, 5, "Bo"),), (), 0),
        ev.ShortCode(5, ("\U0001f436",), ("dog",), (ada,)),
        sentences.alarm("stale", who=["Bo", "Cem"]),
        ev.PolicyChanged(0, "host", sentence("room.made_host", who="Ada", whom="Bo"), leaf=1),
        ev.Said(1, "Bo", "hello"),
    )
    assert told.splitlines() == [
        "Bo klopft an und benutzt die Einladung für „Bo“ (Nr. 5). „hallo“ Gib /admit 3 oder /refuse 3 ein.",
        "Du bist drin.",
        "Bo ist hereingekommen. Hereingelassen von Ada; benutzt wurde die Einladung für „Bo“ (Nr. 5).",
        "  im Raum: Ada (Leitung), Bo",
        "  \U0001f436 Hund",
        "Lest die vier Wörter laut vor. Wenn alle dieselben haben, gib /same ein; wenn nicht, /different.",
        "! „Bo“ und „Cem“ haben eine Weile nicht geantwortet. Zur Sicherheit warten dein Ton, dein Bild und "
        "deine Nachrichten: Vielleicht wurde jemand entfernt, und du hast es nicht erfahren. /override "
        "sendet sie trotzdem.",
        "  Mehr dazu, in einem anderen Fenster: snug explain stale",
        "„Ada“ hat „Bo“ in die Leitung geholt.",
        "Bo: hello",
    ]


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize(("event", "json"), EVENTS, ids=lambda value: type(value).__name__)
def test_every_event_is_printed_in_every_language(event: ev.Event, json: object, language: Language) -> None:
    told, english = spoken(language, event), human(event)
    # names, texts and numbers of the event itself are the same
    own = {"Alarm", "Status", "Ended", "PolicyChanged", "Said", "Reacted", "Comparison", "CodeAnswers"}
    assert bool(told) == bool(english)
    if told and type(event).__name__ not in own:
        assert told != english
    assert re.findall(r"/[a-z]+ \d+", told) == re.findall(r"/[a-z]+ \d+", english)


def test_the_table_at_the_end_in_chinese() -> None:
    stream = io.StringIO()
    HumanOutput(Console(file=stream, width=100), "zh-Hant").summary([(stats(), "Bo")])
    assert "聽到和看到的（影格）" in stream.getvalue()  # noqa: RUF001
