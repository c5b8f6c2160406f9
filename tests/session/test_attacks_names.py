"""Names and titles that imitate somebody else: alarms quote names, and texts show what they are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentence as catalogue
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.errors import MalformedError, ValidationError
from snugroom.lab.simulation.world import ORIGIN, START, World

#: Arguments of alarms and statuses that are no names: numbers, files, sentences, and texts that are quoted.
NO_NAMES = {
    "count", "date", "file", "first", "from", "height", "here", "how", "index", "invite", "leaf",
    "minutes", "mirror", "most", "of", "origin", "ours", "place", "proof", "reached", "seconds",
    "servers", "slot", "slots", "state", "streams", "text", "theirs", "total", "victim_leaf", "what",
    "why", "width",
}  # fmt: skip
#: No sentence says this by itself.
NAME = "Xenia"
QUOTES = {
    "en": ("\u201c", "\u201d"),
    "de": ("\u201e", "\u201c"),
    "zh-Hans": ("\u201c", "\u201d"),
    "zh-Hant": ("\u300c", "\u300d"),
}


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_every_alarm_and_status_quotes_names(language: catalogue.Language) -> None:
    """Otherwise a member named "the server" could put its own acts down to the server."""
    before, after = QUOTES[language]
    quoted = 0
    for key, template in catalogue.templates(language).items():
        if key.startswith(("alarm.", "status.")):
            args: dict[str, Any] = {hole[1]: NAME for hole in catalogue._HOLE.finditer(template)}
            inner = re.findall(r"\{(\w+)\}", template)
            for each in {*args, *inner}:
                assert each in catalogue.NAMES | NO_NAMES, (
                    f"{key}: is {each} a name that somebody has chosen?"
                )
                args[each] = NAME if each in catalogue.NAMES else sentence("room.somebody")
            for names in (NAME, [NAME, NAME]):
                given = {k: names if k in catalogue.NAMES else v for k, v in args.items()}
                text = catalogue.render(key, given, language)
                assert text.count(NAME) == text.count(f"{before}{NAME}{after}"), (key, text)
                quoted += text.count(f"{before}{NAME}{after}")
    assert quoted > 60


def test_sentences_within_alarms_are_not_quoted_and_their_names_are() -> None:
    streams = [sentences.stream_of("the server", 0), sentences.stream_of(None, 1)]
    told = sentences.alarm("not_reaching", streams=streams, whom=["Ada and Bo", sentence("watch.you")])
    assert told.text.startswith(
        "\u201cAda and Bo\u201d and you report that \u201cthe server\u201d's sound and your video are"
    )
    assert sentence("room.removed_by", by="the server") == "You were removed by \u201cthe server\u201d."
    assert sentence("room.removed_by", by=sentence("room.somebody")) == "You were removed by somebody."


def test_no_name_contains_the_marks_around_it() -> None:
    for mark in {mark for marks in QUOTES.values() for mark in marks}:
        with pytest.raises(ValidationError, match="SNUG-11"):
            check_name(f"Ada{mark}, said Bo")


# -- titles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["Weekly\x1b[2J", "\u202eylkeeW", "W" + 3 * "\u0330" + "eekly", "x" * 129])
def test_nobody_opens_a_meeting_with_a_title_that_hides_what_it_is(title: str) -> None:
    with pytest.raises(MalformedError, match=r"does not show|too many marks|at most 128 bytes"):
        Session.host(origin=ORIGIN, name="Ada", title=title, now=START)


def test_a_title_is_normalized() -> None:
    w = World(61)
    ada = w.host("Ada", title="Zoe\u0308")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    assert bo.room.membership.policy.title == "Zo\u00eb"


def test_a_member_named_the_server_is_not_taken_for_it() -> None:
    w = World(62)
    ada = w.host("the server")
    bo = w.guest(w.link_of(ada), "Ada and Cem")
    w.until(lambda: w.agreed([ada, bo]))
    w.run(20)
    w.do(ada, ev.Remove(bo.session.own_leaf or 0))
    w.until(lambda: bo.ended is not None, 5)
    assert bo.ended is not None
    assert bo.ended.text == "You were removed by \u201cthe server\u201d."
