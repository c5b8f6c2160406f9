"""A participant prints the JSON of each event, sentences, and nothing that others could smuggle in."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from snugroom.client.cli.output import HumanOutput
from snugroom.client.headless.json_output import JsonOutput
from snugroom.client.media.stats import StreamStats
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences

ADA, BO = ev.Member(0, "Ada", True), ev.Member(1, "Bo", False)
PRINT = "0123456789" * 4
SPOKEN = "01234 56789 01234 56789 01234 56789 01234 56789"
EVENTS: list[tuple[ev.Event, dict[str, Any]]] = [
    (
        ev.InviteMade("https://meet.example/#2abc", 0),
        {
            "event": "invite",
            "link": "https://meet.example/#2abc",
            "index": 0,
            "label": "",
            "once": False,
            "replaces": None,
        },
    ),
    (
        ev.Invites(
            (ev.InviteRow(0x8003, "Bo", True, ("Bo",), True), ev.InviteRow(9, None, False, (), False))
        ),
        {
            "event": "invites",
            "invites": [
                {"index": 0x8003, "label": "Bo", "once": True, "used_by": ["Bo"], "revoked": True},
                {"index": 9, "label": None, "once": False, "used_by": [], "revoked": False},
            ],
        },
    ),
    (
        ev.PolicyChanged(0, "host", "\u201cAda\u201d made \u201cBo\u201d a host.", leaf=1),
        {
            "event": "policy",
            "by": 0,
            "kind": "host",
            "leaf": 1,
            "mode": None,
            "text": "\u201cAda\u201d made \u201cBo\u201d a host.",
        },
    ),
    (
        ev.AdmissionProgress(37, 100, 1),
        {"event": "admission", "inside": 37, "of": 100, "refused": 1, "left": 0},
    ),
    (
        ev.Knocked(3, "Bo", "let me in", 7, "Bob", "my friend"),
        {
            "event": "knock",
            "id": 3,
            "name": "Bo",
            "greeting": "let me in",
            "invite": 7,
            "looks_like": "Bob",
            "label": "my friend",
            "standing": "none",
            "contact": None,
            "fingerprint": None,
            "warnings": [],
            "older": False,
            "returning": False,
            "silent": False,
            "proof": None,
        },
    ),
    (
        ev.Knocked(
            4, "Cem", "", 7, standing="known", contact="Jim", fingerprint=PRINT, warnings=("Look out.",)
        ),
        {
            "event": "knock",
            "id": 4,
            "name": "Cem",
            "greeting": "",
            "invite": 7,
            "looks_like": None,
            "label": None,
            "standing": "known",
            "contact": "Jim",
            "fingerprint": PRINT,
            "warnings": ["Look out."],
            "older": False,
            "returning": False,
            "silent": False,
            "proof": None,
        },
    ),
    (
        ev.Roster(5, (ADA, BO), (ev.Newcomer(1, "Bo", False, 7, None),), (), 0),
        {
            "event": "roster",
            "epoch": 5,
            "members": [
                {"leaf": 0, "name": "Ada", "host": True},
                {"leaf": 1, "name": "Bo", "host": False},
            ],
            "added": [{"leaf": 1, "name": "Bo", "host": False, "invite": 7, "label": None}],
            "removed": [],
            "by": 0,
            "rejoined": False,
            "left": [],
        },
    ),
    (
        ev.ShortCode(
            5, ("\U0001f436", "\U0001f981", "\u2b50", "\u26fa"), ("dog", "lion", "star", "tent"), (ADA,)
        ),
        {
            "event": "short_code",
            "epoch": 5,
            "emoji": ["\U0001f436", "\U0001f981", "\u2b50", "\u26fa"],
            "words": ["dog", "lion", "star", "tent"],
            "members": [{"leaf": 0, "name": "Ada", "host": True}],
            "by": None,
        },
    ),
    (
        ev.CodeAnswers(5, 1, (ev.Answered(1, "Bo", True, False),), "1 of 1 says so."),
        {
            "event": "code_answers",
            "epoch": 5,
            "by": 1,
            "members": [{"leaf": 1, "name": "Bo", "same": True, "both": False}],
            "text": "1 of 1 says so.",
        },
    ),
    (
        ev.Comparison(
            7,
            5,
            "digits",
            True,
            True,
            (ev.Known(1, "Bo", False, True),),
            ("Bo came in",),
            "Since: Bo came in.",
        ),
        {
            "event": "comparison",
            "epoch": 7,
            "compared": 5,
            "how": "digits",
            "same": True,
            "news": True,
            "members": [{"leaf": 1, "name": "Bo", "host": False, "new_since": True}],
            "changes": ["Bo came in"],
            "text": "Since: Bo came in.",
        },
    ),
    (ev.Code(5, "0123456789" * 4), {"event": "code", "epoch": 5, "digits": "0123456789" * 4}),
    (
        ev.Vouched(1, "Bo", "new", None, PRINT, ("Look out.",)),
        {
            "event": "vouched",
            "leaf": 1,
            "name": "Bo",
            "standing": "new",
            "contact": None,
            "fingerprint": PRINT,
            "warnings": ["Look out."],
        },
    ),
    (
        ev.BookChanged("Bo", PRINT, True, bytes(32), 1.0),
        {"event": "contact", "name": "Bo", "fingerprint": PRINT, "verified": True},
    ),
    (
        ev.Said(1, "Bo", "hé", "5f" * 16),
        {"event": "chat", "from": "Bo", "leaf": 1, "text": "hé", "id": "5f" * 16},
    ),
    (
        ev.Image(1, "Bo", "5f" * 16, "image/png", b"12345", "in/x.png"),
        {
            "event": "image",
            "from": "Bo",
            "leaf": 1,
            "id": "5f" * 16,
            "bytes": 5,
            "mime": "image/png",
            "path": "in/x.png",
        },
    ),
    (
        ev.FileOffered(1, "Bo", "5f" * 16, "plan.pdf", "application/pdf", 7),
        {
            "event": "file",
            "leaf": 1,
            "name": "Bo",
            "id": "5f" * 16,
            "filename": "plan.pdf",
            "mime": "application/pdf",
            "size": 7,
        },
    ),
    (
        ev.Held((ev.HeldMessage("hello", "Nobody confirms."),)),
        {"event": "held", "messages": [{"text": "hello", "why": "Nobody confirms."}]},
    ),
    (
        ev.FileProgress("5f" * 16, 3, 7),
        {"event": "file_progress", "id": "5f" * 16, "done": 3, "size": 7},
    ),
    (
        ev.FileDone("5f" * 16, b"1234567", "in/x"),
        {"event": "file_done", "id": "5f" * 16, "bytes": 7, "path": "in/x"},
    ),
    (
        ev.FileFailed("5f" * 16, "It stopped."),
        {"event": "file_failed", "id": "5f" * 16, "why": "It stopped."},
    ),
    (
        ev.StateTold(1, "Bo", True, False, False, True, False),
        {
            "event": "state",
            "leaf": 1,
            "name": "Bo",
            "mic": True,
            "camera": False,
            "screen": False,
            "hand": True,
            "recording": False,
            "away": False,
        },
    ),
    (
        ev.Reacted(1, "Bo", "heart"),
        {"event": "reaction", "from": "Bo", "leaf": 1, "reaction": "heart"},
    ),
    (
        ev.Pages((ev.RunsPage(1, "Bo", bytes(32)),)),
        {"event": "pages", "pages": [{"leaf": 1, "name": "Bo", "hash": "00" * 32}]},
    ),
    (
        ev.Alarm("stuck", "Nothing is sent."),
        {"event": "alarm", "kind": "stuck", "text": "Nothing is sent.", "count": 1},
    ),
    (ev.Status("away", "Trying again..."), {"event": "status", "kind": "away", "text": "Trying again..."}),
    (ev.Ended("left", "You left."), {"event": "end", "reason": "left", "text": "You left."}),
]


def stats(leaf: int | None = 1) -> StreamStats:
    return StreamStats(leaf, bytes(8), 1001, "audio", 10, 9, 1, 2, 3, 4, 0, None, 0, 0, 0, False)


def as_json_lines(*events: ev.Event) -> list[str]:
    stream = io.StringIO()
    output = JsonOutput(stream)
    for event in events:
        output.event(event)
    return stream.getvalue().split("\n")[:-1]


def human(*events: ev.Event, terminal: bool = False, width: int = 200) -> str:
    stream = io.StringIO()
    output = HumanOutput(Console(file=stream, force_terminal=terminal, width=width, highlight=False))
    for event in events:
        output.event(event)
    return stream.getvalue()


def test_a_message_that_waits_is_printed_once_for_each_reason() -> None:
    one, two = ev.HeldMessage("one", "Nobody confirms."), ev.HeldMessage("two", "Nobody confirms.")
    again = ev.HeldMessage("one", "Eve came in.")
    shown = human(ev.Held((one,)), ev.Held((one, two)), ev.Held((again, two)), ev.Held(()), ev.Held((one,)))
    assert shown.count("“one”. Nobody confirms.") == 2
    assert shown.count("“two”") == 1
    assert shown.count("“one”. Eve came in.") == 1


def test_what_another_line_says_is_printed_once_that_line_is_over() -> None:
    alarms: list[ev.Event] = [sentences.alarm("rejoining"), sentences.alarm("stale", who=["Bo"])]
    shown = human(*alarms, width=400)
    assert ("fell out of step" in shown, "answered for a while" in shown) == (True, False)
    shown = human(*alarms, sentences.status("cleared.in_step"), ev.Said(1, "Bo", "hi"), width=400)
    assert shown.count("answered for a while") == 1
    silent = sentences.alarm("silent", who=["Bo"], seconds=15)
    assert "Nothing has come" not in human(alarms[1], silent, width=400)
    shown = human(alarms[1], silent, sentences.status("cleared.fresh"), width=400)
    assert shown.count("Nothing has come") == 1
