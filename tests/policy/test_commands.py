"""Commands on standard input."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.headless.commands import parse_human, parse_json
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import CommandError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"admit": 3}', ev.Admit(3)),
        ('{"refuse": 0}', ev.Refuse(0)),
        ('{"admit": "all"}', ev.AdmitAll()),
        ('{"refuse": "all"}', ev.RefuseAll()),
        ('{"remove": 1}', ev.Remove(1)),
        ('{"deputy": 2}', ev.Deputise(2)),
        ('{"chat": "hé 🦊"}', ev.Say("hé 🦊")),
        ('{"chat": "\\ud83e\\udd8a"}', ev.Say("🦊")),
        ('{"undeputy": 2}', ev.Undeputise(2)),
        ('{"handover": 2}', ev.HandOver(2)),
        ('{"compare": true}', ev.Compare()),
        ('{"compared": true}', ev.Compared(True)),
        ('{"compared": false}', ev.Compared(False)),
        ('{"same": ""}', ev.Compared(True)),
        ('{"same": "digits"}', ev.Compared(True, "")),
        ('{"different": "digits 44192 08580"}', ev.Compared(False, "4419208580")),
        ('{"code": true}', ev.ShowCode()),
        ('{"lock": true}', ev.Lock(True)),
        ('{"lock": false}', ev.Lock(False)),
        ('{"invite": {}}', ev.NewInvite("", False)),
        ('{"invite": {"for": "Ada", "once": true}}', ev.NewInvite("Ada", True)),
        ('{"invites": true}', ev.ListInvites()),
        ('{"revoke": 32775}', ev.Revoke(32775)),
        ('{"vouch": 2}', ev.Vouch(2)),
        ('{"know": {"leaf": 2}}', ev.Know(2)),
        ('{"know": {"leaf": 2, "name": "Ada"}}', ev.Know(2, "Ada")),
        ('{"verified": 2}', ev.Verified(2)),
        ('{"image": "a b.png"}', ev.SendImage("a b.png")),
        ('{"evidence": "e.json"}', ev.SaveEvidence("e.json")),
        ('{"evidence": {"file": "e.json", "names": true}}', ev.SaveEvidence("e.json", True)),
        ('{"report": {"messages": ["5f", "ab"], "file": "r"}}', ev.SaveReport(("5f", "ab"), "r")),
        ('{"leave": true}', ev.Leave()),
        ('{"end": true}', ev.EndMeeting()),
        (' {"leave": true} \n', ev.Leave()),
    ],
)
def test_json(line: str, expected: ev.Input) -> None:
    assert parse_json(line) == expected
    assert parse_human(line) == expected, "a person may type it too"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "[]",
        "3",
        "null",
        '"leave"',
        "{}",
        '{"admit": 1, "refuse": 2}',
        '{"admit": true}',
        '{"admit": 1.0}',
        '{"admit": "1"}',
        '{"admit": "ALL"}',
        '{"remove": "all"}',
        '{"admit": null}',
        '{"chat": 3}',
        '{"chat": null}',
        '{"chat": "\\ud800"}',
        '{"know": 2}',
        '{"know": {"name": "Ada"}}',
        '{"know": {"leaf": "2"}}',
        '{"know": {"leaf": true}}',
        '{"know": {"leaf": 2, "name": 3}}',
        '{"know": {"leaf": 2, "as": "Ada"}}',
        '{"vouch": "2"}',
        '{"image": 3}',
        '{"image": ""}',
        '{"image": "a\\u0000b"}',
        '{"image": "a\\nb"}',
        '{"evidence": true}',
        '{"evidence": {"names": true}}',
        '{"evidence": {"file": "e", "names": 1}}',
        '{"evidence": {"file": "e", "all": true}}',
        '{"report": ["5f", "r"]}',
        '{"report": {"messages": "5f", "file": "r"}}',
        '{"report": {"messages": [5], "file": "r"}}',
        '{"report": {"messages": ["5f"]}}',
        '{"report": {"messages": ["5f"], "file": "r", "to": "x"}}',
        '{"leave": false}',
        '{"leave": 1}',
        '{"end": "true"}',
        '{"dance": 1}',
        '{"lock": 1}',
        '{"unlock": true}',
        '{"invite": true}',
        '{"invite": "Ada"}',
        '{"invite": {"for": 1}}',
        '{"invite": {"once": 1}}',
        '{"invite": {"whom": "Ada"}}',
        '{"invites": false}',
        '{"revoke": "1"}',
        '{"dance": true}',
        '{"": 1}',
        "[" * 100_000,
        '{"admit": ' + "9" * 5000 + "}",
    ],
    ids=lambda line: line[:30] or "empty",
)
def test_json_that_is_no_command(line: str) -> None:
    with pytest.raises(CommandError):
        parse_json(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("   \n", None),
        ("hello", ev.Say("hello")),
        ("  hello there \n", ev.Say("hello there")),
        ("/admit 3", ev.Admit(3)),
        ("/admit  3 ", ev.Admit(3)),
        ("/admit all", ev.AdmitAll()),
        ("/refuse  all ", ev.RefuseAll()),
        ("/refuse 4", ev.Refuse(4)),
        ("/remove 1", ev.Remove(1)),
        ("/deputy 1", ev.Deputise(1)),
        ("/undeputy 1", ev.Undeputise(1)),
        ("/handover 1", ev.HandOver(1)),
        ("/compare", ev.Compare()),
        ("/same", ev.Compared(True)),
        ("/different ", ev.Compared(False)),
        ("/same digits", ev.Compared(True, "")),
        ("/same digits 44192 08580", ev.Compared(True, "4419208580")),
        ("/code", ev.ShowCode()),
        ("/lock", ev.Lock(True)),
        ("/unlock", ev.Lock(False)),
        ("/invite", ev.NewInvite()),
        ("/invite --once", ev.NewInvite("", True)),
        ('/invite --for "Ada B." --once', ev.NewInvite("Ada B.", True)),
        ("/invite --once --for Ada", ev.NewInvite("Ada", True)),
        ("/invite new", ev.NewInvite()),
        ('/invite new --for "Ada" --once', ev.NewInvite("Ada", True)),
        ("/invites", ev.ListInvites()),
        ("/servers", ev.ListServers()),
        (
            "/servers https://b.example  https://c.example",
            ev.NameServers(("https://b.example", "https://c.example")),
        ),
        ("/servers none", ev.NameServers(())),
        ("/move", ev.Move()),
        ("/here", ev.RemoveAbsent()),
        ("/withdraw Bo from Ulm", ev.Withdraw("Bo from Ulm")),
        ('{"withdraw": "Bo"}', ev.Withdraw("Bo")),
        ("/allow https://b.example", ev.AllowServer("https://b.example")),
        ('{"allow": "https://b.example"}', ev.AllowServer("https://b.example")),
        ("/move https://b.example", ev.Move("https://b.example")),
        ("/revoke 7", ev.Revoke(7)),
        ("/vouch 2", ev.Vouch(2)),
        ("/known 2", ev.Know(2)),
        ("/known 2  Ada Lovelace ", ev.Know(2, "Ada Lovelace")),
        ("/verified 2", ev.Verified(2)),
        ("/leave", ev.Leave()),
        ("/end", ev.EndMeeting()),
    ],
)
def test_typed_commands(line: str, expected: ev.Input | None) -> None:
    assert parse_human(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/remove Bo", ev.Remove(1)),
        ("/remove  Ada L. ", ev.Remove(2)),
        ("/remove #1", ev.Remove(1)),
        ("/remove 1", ev.Remove(1)),
        ("/deputy Bo", ev.Deputise(1)),
        ("/undeputy Bo", ev.Undeputise(1)),
        ("/handover Bo", ev.HandOver(1)),
        ("/vouch Bo", ev.Vouch(1)),
        ("/verified Bo", ev.Verified(1)),
        ("/known Bo", ev.Know(1)),
        ('/known "Ada L." Ada', ev.Know(2, "Ada")),
        ("/remove 4", ev.Remove(4)),
        ("/remove #7", ev.Remove(7)),
    ],
)
def test_a_person_says_whom_by_name(line: str, expected: ev.Input) -> None:
    assert parse_human(line, {0: "Ada", 1: "Bo", 2: "Ada L.", 4: "4", 5: "7"}) == expected


@pytest.mark.parametrize(
    "line", ["/remove bo", "/remove Eve", "/remove 7", "/remove #", "/known Eve", "/remove -1"]
)
def test_ambiguous_or_unknown_members_are_refused(line: str) -> None:
    """Seven is a leaf and somebody's name: whoever calls themselves a number has nobody else removed."""
    with pytest.raises(CommandError):
        parse_human(line, {0: "Ada", 1: "Bo", 7: "Cem", 5: "7"})


@pytest.mark.parametrize(
    "line",
    [
        "/",
        "/admit",
        "/admit x",
        "/admit 1 2",
        "/dance",
        "/dance 1",
        "/lock 1",
        "/allow",
        "/withdraw",
        '{"withdraw": 1}',
        "/same words",
        "/different 44192",
        "/compare Ada",
        "/end now",
        "/invite Ada",
        "/invite --for",
        '/invite --for "Ada',
        "/invites all",
        "/revoke",
        "{oops",
        "\udc80",
    ],
)
def test_mistyped_commands(line: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_human(line)
    assert str(caught.value)


def test_the_error_says_what_could_be_typed() -> None:
    with pytest.raises(CommandError, match=r"/admit N\|all, /refuse N\|all, .*/undeputy WHO.*/leave, /end"):
        parse_human("/help")


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_line_is_a_command_or_an_error(line: str) -> None:
    for parse in (parse_json, parse_human):
        try:
            said = parse(line)
        except CommandError:
            continue
        if isinstance(said, ev.Say):
            said.text.encode()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4), st.text())
def test_any_json_object_is_a_command_or_an_error(value: object, name: str) -> None:
    for key in ("chat", "admit", "leave", name):
        try:
            parse_json(json.dumps({key: value}))
        except CommandError as error:
            assert str(error)  # noqa: PT017 - either is fine, and an error has a text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/image me.png", ev.SendImage("me.png")),
        ('/image "my own.png"', ev.SendImage("my own.png")),
        ("/evidence e.json", ev.SaveEvidence("e.json")),
        ("/evidence e.json --names", ev.SaveEvidence("e.json", True)),
        ("/evidence --names e.json", ev.SaveEvidence("e.json", True)),
        ("/report 5f5f5f r.json", ev.SaveReport(("5f5f5f",), "r.json")),
        ("/report 5f5f5f ababab r.json", ev.SaveReport(("5f5f5f", "ababab"), "r.json")),
    ],
)
def test_files_are_typed(line: str, expected: ev.Input) -> None:
    assert parse_human(line) == expected


@pytest.mark.parametrize(
    "line",
    ["/image", "/image a b", '/image "a', "/evidence", "/evidence a b", "/report r.json", "/report"],
)
def test_files_that_are_typed_wrong(line: str) -> None:
    with pytest.raises(CommandError, match=r"/report MESSAGE"):
        parse_human(line)
