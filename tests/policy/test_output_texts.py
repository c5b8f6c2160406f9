"""The output of a participant: JSON lines, and sentences for a person."""

from __future__ import annotations

import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from snugroom.client.cli.code_art import blocks, code_art_of
from snugroom.client.cli.output import HumanOutput
from snugroom.client.headless.json_output import JsonOutput, media_json
from snugroom.client.headless.text import plain
from snugroom.client.session import events as ev
from tests.policy.test_output import ADA, BO, EVENTS, PRINT, SPOKEN, as_json_lines, human, stats


def newcomer(invite: int | None = None, label: str | None = None) -> ev.Newcomer:
    """Bo, whom that invite has admitted."""
    return ev.Newcomer(BO.leaf, BO.name, BO.host, invite, label)


# -- JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("event", "expected"), EVENTS, ids=lambda value: type(value).__name__)
def test_the_json_of_an_event(event: ev.Event, expected: dict[str, Any]) -> None:
    (line,) = as_json_lines(event)
    assert json.loads(line) == expected
    assert list(json.loads(line)) == list(expected), "in this order"


def test_there_is_json_for_every_event() -> None:
    assert {type(event) for event, _ in EVENTS} == set(ev.Event.__args__)


def test_counters_notes_and_the_summary_as_json() -> None:
    stream = io.StringIO()
    output = JsonOutput(stream)
    output.media([(stats(), "Bo"), (stats(None), "?")])
    output.summary([(stats(), "Bo")])
    output.note("listening", "here", port=8080)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0] == lines[2] == media_json(stats(), "Bo")
    assert lines[0] == {
        "event": "media",
        "from": "Bo",
        "leaf": 1,
        "stream": "audio",
        "opened": 10,
        "decoded": 9,
        "failed": 1,
        "unkeyed": 2,
        "lost": 3,
        "concealed": 4,
        "recovered": 0,
        "asked": 0,
        "bitrate": 0,
        "layer": None,
        "frozen": 0.0,
    }
    assert lines[1]["leaf"] is None
    assert lines[3] == {"event": "listening", "text": "here", "port": 8080}


any_text = st.text(st.characters(exclude_categories=()), max_size=40)


@given(any_text, any_text)
def test_whatever_is_said_is_one_line_of_json_and_comes_back(name: str, text: str) -> None:
    (line,) = as_json_lines(ev.Said(1, name, text))
    assert json.loads(line)["text"] == text
    assert json.loads(line)["from"] == name
    assert len(line.splitlines()) == 1
    line.encode()
    assert not _unsafe(line)


# -- for a person ------------------------------------------------------------------------------------------


def _unsafe(text: str) -> set[str]:
    """The characters of a text that could move a cursor, reverse a line, or not be encoded."""
    reversing = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in reversing}


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (
            ev.InviteMade("https://meet.example/#2abc", 0),
            [
                "Invite: https://meet.example/#2abc",
                "Anybody who has this link can knock; nobody comes in without a host.",
            ],
        ),
        (
            ev.Knocked(3, "Bo", "let me in", 7, "Bob", "my friend"),
            [
                "Bo knocks, by the invite for \u201cmy friend\u201d (no. 7)."
                ' "let me in" Type /admit 3 or /refuse 3.',
            ],
        ),
        (
            ev.Knocked(5, "Bo", "", 0, "Bo", "", warnings=("Bo is silent.",), silent=True, proof="invite"),
            [
                "Bo knocks, by the shared link. Type /admit 5 or /refuse 5.",
                "! Bo is silent.",
                "/replace 5 lets them in, in the place of the silent Bo.",
            ],
        ),
        (
            ev.Knocked(4, "Cem", "", 7),
            ["Cem knocks, by an invite that another host made (no. 7). Type /admit 4 or /refuse 4."],
        ),
        (
            ev.Knocked(4, "Cem", "", 7, label=""),
            ["Cem knocks, by invite 7. Type /admit 4 or /refuse 4."],
        ),
        (ev.AdmissionProgress(37, 100), ["37 of 100 are in."]),
        (
            ev.AdmissionProgress(99, 100, 1),
            ["99 of 100 are in.", "! 1 of them was not let in."],
        ),
        (ev.AdmissionProgress(0, 3, 3), ["You refused 3 people."]),
        (ev.AdmissionProgress(0, 0), ["Nobody waits."]),
        (ev.AdmissionProgress(0, 0, left=2), ["! 2 knocks with a warning still wait: /admit N lets one in."]),
        (
            ev.InviteMade("l", 0x8007, "Bo", once=True),
            [
                "Invite for \u201cBo\u201d, good once (no. 32775): l",
                "The first who comes in by it uses it up; a second use is told to you.",
            ],
        ),
        (
            ev.InviteMade("l", 7),
            ["Invite (no. 7): l", "Anybody who has this link can knock; nobody comes in without a host."],
        ),
        (ev.Invites(()), ['There are no invites yet. /invite --for "Ada" --once makes one.']),
        (
            ev.Invites(
                (
                    ev.InviteRow(0, "", False, ("Bo", "Cem"), False),
                    ev.InviteRow(0x8007, "Bo", True, (), False),
                    ev.InviteRow(9, None, False, (), True),
                )
            ),
            [
                "  the shared link: open, used by Bo and Cem",
                "  the invite for \u201cBo\u201d (no. 32775): once, not used",
                "  an invite that another host made (no. 9): open, not used, opens nothing any more",
            ],
        ),
        (
            ev.PolicyChanged(
                0, "mode", "\u201cAda\u201d locked the room: nobody new comes in.", mode="locked"
            ),
            ["\u201cAda\u201d locked the room: nobody new comes in."],
        ),
        (
            ev.Roster(5, (ADA, BO), (newcomer(),), (), 0),
            ["You are in.", "Bo came in. Ada let them in.", "  in the room: Ada (host), Bo"],
        ),
        (
            ev.Roster(5, (ADA, BO), (newcomer(3),), (), 0),
            ["You are in.", "Bo came in. Ada let them in, by invite 3.", "  in the room: Ada (host), Bo"],
        ),
        (
            ev.Roster(5, (ADA, BO), (newcomer(3, "Bo"),), (), 0),
            [
                "You are in.",
                "Bo came in. Ada let them in, by the invite for \u201cBo\u201d (no. 3).",
                "  in the room: Ada (host), Bo",
            ],
        ),
        (
            ev.Roster(5, (ADA, BO), (newcomer(0), ev.Newcomer(2, "Cem", False, 3, "Cem")), (), 0),
            [
                "You are in.",
                "Bo came in. Ada let them in, by the shared link.",
                "Cem came in. Ada let them in, by the invite for \u201cCem\u201d (no. 3).",
                "  in the room: Ada (host), Bo",
            ],
        ),
        (
            ev.Roster(6, (ADA,), (), (BO,), 0),
            [
                "You are in.",
                "Bo was removed by Ada, and can read nothing from here on.",
                "  in the room: Ada (host)",
            ],
        ),
        (
            ev.Roster(6, (ADA,), (), (BO,), 0, left=(1,)),
            ["You are in.", "Bo left, and can read nothing from here on.", "  in the room: Ada (host)"],
        ),
        (
            ev.Roster(7, (ADA, BO), (newcomer(),), (BO,), None, True),
            ["You are in.", "Bo is back. A host let them in.", "  in the room: Ada (host), Bo"],
        ),
        (
            ev.Code(5, "0123456789" * 4),
            ["  code  " + " ".join(["01234", "56789"] * 4) + "  (the same for everybody in the room)"],
        ),
        (
            ev.Knocked(3, "Bo", "", 7, None, "", "known", "Bo", PRINT, ("Look out.",)),
            [
                "Bo knocks, by invite 7. Type /admit 3 or /refuse 3.",
                f"  your contact Bo. Fingerprint {SPOKEN}.",
                "! Look out.",
            ],
        ),
        (
            ev.Vouched(1, "Bo", "new", None, PRINT, ("Look out.",)),
            [
                f"Bo shows you who they are: an identity that is not in your book. Fingerprint {SPOKEN}.",
                "! Look out.",
                "When they have read out these digits to you: /verified 1. To keep it: /known 1.",
            ],
        ),
        (
            ev.Vouched(1, "Bo", "verified", "Bo", PRINT),
            [f"Bo shows you who they are: your contact Bo, verified. Fingerprint {SPOKEN}."],
        ),
        (ev.BookChanged("Bo", PRINT, False, b"", 1.0), [f"In your book: Bo. Fingerprint {SPOKEN}."]),
        (ev.BookChanged("Bo", PRINT, True, b"", 1.0), [f"In your book: Bo, verified. Fingerprint {SPOKEN}."]),
        (ev.Said(1, "Bo", "hello"), ["Bo: hello"]),
        (
            ev.Alarm("stuck", "Nothing is sent."),
            ["! Nothing is sent.", "  More, in another window: snug explain stuck"],
        ),
        (ev.Status("away", "Trying again..."), ["Trying again..."]),
        (ev.Ended("left", "You left."), ["You left."]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_sentences_when_piped(event: ev.Event, lines: list[str]) -> None:
    assert human(event).splitlines() == lines


def test_a_host_is_told_how_to_make_invites() -> None:
    told = human(ev.Roster(0, (ADA,), (), (), None)).splitlines()
    assert told[:2] == [
        "You are in.",
        'An invite for one person: /invite --for "Ada" --once. All of them: /invites. '
        "One taken back: /revoke N. Nobody new: /lock.",
    ]
    assert "/invite" not in human(ev.Roster(5, (ADA, BO), (), (), None)), "and nobody else is"


def test_a_new_invite_is_told_as_one() -> None:
    assert human(ev.InviteMade("l", 2, replaces=0)).startswith(
        "A new invite, since the last one opens nothing any more: l\n"
    )


def test_on_a_terminal_names_stand_out_and_the_words_are_the_same() -> None:
    styled = human(ev.Said(1, "Bo", "hello"), terminal=True)
    assert styled == "\x1b[1mBo\x1b[0m: hello\n"


def test_you_come_in_once() -> None:
    told = human(ev.Roster(5, (ADA,), (), (), None), ev.Roster(6, (ADA,), (), (), 0))
    assert told.count("You are in.") == 1


def test_a_link_is_not_broken_into_lines() -> None:
    link = "https://meet.example/#2" + "x" * 300
    assert link in human(ev.InviteMade(link, 0), width=40)


@pytest.mark.parametrize(
    "name", ["[bold]x[/]", "[/]", "[link=https://evil]x[/link]", "x\\", "\\[x]", ":cat:", "[red"]
)
def test_markup_is_printed_as_it_was_written(name: str) -> None:
    member = ev.Newcomer(1, name, False, None, None)
    told = human(
        ev.Knocked(1, name, name, 0, name),
        ev.Roster(1, (member,), (member,), (member,), 1),
        ev.Said(1, name, name),
        ev.Alarm("a", name),
        ev.Status("s", name),
        ev.Ended("left", name),
    )
    assert told.count(name) == 12, "each time that it is said"
    assert f"{name}: {name}\n" in told


HOSTILE = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil\x1b\\x",
    "\x9b31mred",
    "\x90q\x9c",
    "a\rb",
    "a\x08\x08b",
    "\x7f",
    "\x00",
    "\u202eevil",
    "\u2067evil",
    "\ud800",
    "a\x0bb\x0cc\x85d\u2028e\u2029f",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("terminal", [False, True])
def test_control_characters_do_not_reach_the_terminal(text: str, terminal: bool) -> None:
    member = ev.Newcomer(1, text, False, 7, text)
    told = human(
        ev.Knocked(1, text, text, 7, text, text),
        ev.Knocked(1, text, text, 0, contact=text, fingerprint=PRINT, warnings=(text,)),
        ev.Vouched(1, text, "known", text, PRINT, (text,)),
        ev.BookChanged(text, PRINT, True, b"", 1.0),
        ev.Roster(1, (member,), (member,), (member,), 1),
        ev.InviteMade("l", 7, text),
        ev.Invites((ev.InviteRow(7, text, False, (text,), False),)),
        ev.PolicyChanged(1, "title", text),
        ev.Said(1, text, text),
        ev.Alarm("a", text),
        ev.Status("s", text),
        ev.Ended("left", text),
        terminal=terminal,
    )
    told.encode()
    assert not _unsafe(told.replace("\n", "").replace("\x1b", "" if terminal else "\x1b"))
    if terminal:  # the styles are ours, and no others
        styles = {part.partition("m")[0] for part in told.split("\x1b[")[1:]}
        assert styles <= {"0", "1", "2", "1;31", "1;33"}
        assert told.count("\x1b") == told.count("\x1b[")


def test_a_message_of_several_lines_passes_for_nobody_elses() -> None:
    told = human(ev.Said(1, "Bo", "hi\nAda: I agree\r\n  in the room: Ada"))
    assert told.splitlines() == ["Bo: hi", "  | Ada: I agree", "  |   in the room: Ada"]
    assert human(ev.Said(1, "Bo\nAda", "hi")) == "Bo Ada: hi\n"


@given(any_text)
def test_whatever_is_said_is_shown_safely_and_letters_as_they_are(text: str) -> None:
    shown = plain(text)
    assert not _unsafe(shown)
    assert plain(shown) == shown
    if not _unsafe(text):
        assert shown == text
    told = human(ev.Said(1, "Bo", text))
    assert told.startswith("Bo: ")
    assert all(line.startswith("  | ") for line in told.split("\n")[1:-1])


def test_the_table_at_the_end() -> None:
    stream = io.StringIO()
    output = HumanOutput(Console(file=stream, width=100))
    output.media([(stats(), "Bo")])
    output.summary([(stats(None), "nobody yet")])
    assert stream.getvalue() == "", "nothing while it runs, and no table of nothing"
    output.summary([(stats(), "[bold]Bo[/]\x1b[31m"), (stats(None), "nobody yet")])
    told = stream.getvalue()
    assert "Heard and seen (frames)" in told
    assert "[bold]Bo[/]\ufffd[31m" in told
    assert "nobody yet" not in told
    (row,) = [line for line in told.splitlines() if "audio" in line]
    assert [cell.strip() for cell in row.replace("\u2502", "|").split("|")[2:-1]] == [
        "audio",
        "10",
        "9",
        "1",
        "3",
    ]
    output.note("x", "[red]note\x07")
    assert stream.getvalue().endswith("[red]note\ufffd\n")


def test_four_words_are_shown_with_what_to_do() -> None:
    code = ev.ShortCode(
        5, ("\U0001f436", "\U0001f981", "\u2b50", "\u26fa"), ("dog", "lion", "star", "tent"), ()
    )
    shown = human(code)
    assert "\U0001f436 dog   \U0001f981 lion   \u2b50 star   \u26fa tent" in shown
    assert "/same" in shown
    assert "/different" in shown


def test_the_member_who_compares_is_named_and_answers_are_counted_once_there_is_one() -> None:
    bo = ev.Member(1, "Bo\x1b[31m", False)
    code = ev.ShortCode(5, ("\U0001f436",), ("dog",), (bo,), by=1)
    shown = human(ev.Roster(5, (bo,), (), (), None), code)
    assert "Bo\ufffd[31m is comparing codes: read these words to each other." in shown
    nobody, one = (ev.Answered(1, "Bo", same, False) for same in (None, True))
    assert human(ev.CodeAnswers(5, 1, (nobody,), "0 of 1 say so.")) == ""
    assert human(ev.CodeAnswers(5, 1, (one,), "1 of 1 says so.")) == "1 of 1 says so.\n"


def test_changes_since_a_comparison_are_told_when_they_are_news() -> None:
    known = (ev.Known(1, "Bo", False, True),)
    news = ev.Comparison(7, 5, "short", True, True, known, ("Bo came in",), "Since: Bo\x1b[31m came in.")
    assert "Since: Bo\ufffd[31m came in." in human(news)
    assert (
        human(ev.Comparison(8, 5, "short", True, False, known, ("Bo came in",), "Since: Bo came in.")) == ""
    )


def test_messages_are_named_where_they_can_be_reported() -> None:
    said, shown = ev.Said(1, "Bo", "hello", "5f" * 16), ev.Image(1, "Bo", "ab" * 16, "image/gif", b"12345")
    assert human(said, shown) == "Bo: hello\nBo sent an image (GIF, 5 bytes).\n"
    told = human(ev.Status("reports", "It keeps signatures."), said, shown)
    assert told.splitlines()[1:] == ["Bo: hello  [5f5f5f5f]", "Bo sent an image (GIF, 5 bytes).  [abababab]"]
    put = ev.Image(1, "Bo\x1b[2J", "ab" * 16, "image/gif", b"1", "in/1.gif")
    assert human(put) == "Bo\ufffd[2J sent an image (GIF, 1 bytes). It is at in/1.gif.\n"


def test_a_terminal_shows_the_code_art_and_a_pipe_does_not() -> None:
    code, other = ev.Code(3, "1234567890" * 4), ev.Code(4, "0987654321" * 4)
    seal = [line for line in blocks(code_art_of(code.digits), 22) if line]
    assert all(line not in human(code, terminal=True) for line in seal)
    assert all(line not in human(code, other, terminal=True) for line in seal)
    asked = human(code, code, terminal=True)
    assert all(line in asked for line in seal)
    assert "\u2588" not in human(code, code, terminal=False)
    assert "\u2588" not in human(code, code, terminal=True, width=40)
