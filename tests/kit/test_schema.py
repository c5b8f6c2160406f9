"""The published types of `--json` are those of the program."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Union

import msgspec
import pytest

from snugroom import schema
from snugroom.client.headless import commands
from snugroom.client.session.catalogue.sentence import CommandError
from snugroom.testing import Server
from snugroom.testing.plugin import snug_server
from tests.docs.test_docs import events

__all__ = ["snug_server"]

#: A type that refuses what it does not know.
STRICT: Any = Union[tuple(schema.events(strict=True))]  # noqa: UP007 - of a list
EXAMPLES: dict[str, list[Any]] = {
    "invite": [{}, {"for": "Ada", "once": True}],
    "admit": [1, "all"],
    "refuse": [1, "all"],
    "know": [{"leaf": 2}, {"leaf": 2, "name": "Ada"}],
    "report": [{"messages": ["0" * 32], "file": "report.json"}],
    "evidence": ["evidence.json", {"file": "evidence.json", "names": True}],
    "chat": ["text"],
    "react": ["heart"],
    "servers": [True, ["https://b.example"]],
    "allow": ["https://b.example"],
    "move": [True, "https://b.example"],
    "withdraw": ["Bo"],
    "same": ["", "digits 44192"],
    "different": ["digits"],
}


def examples(name: str) -> list[Any]:
    """Values of a command's type."""
    kind = schema.COMMANDS[name]
    return EXAMPLES.get(name) or [{int: 1, bool: False, schema._Text: "text"}.get(kind, True)]


@pytest.mark.parametrize(("name", "value"), events(), ids=[name for name, _ in events()])
def test_every_event_has_a_type_with_its_fields(name: str, value: dict[str, Any]) -> None:
    kind = next(each for each in schema.events() if each.__struct_config__.tag == name)
    assert set(kind.__struct_encode_fields__) == set(value) - {"event"}


def test_the_parser_takes_every_command_of_the_schema() -> None:
    kinds = dict(zip(schema.COMMANDS, schema.commands(), strict=True))
    for name in schema.COMMANDS:
        for value in examples(name):
            msgspec.convert({name: value}, kinds[name])
            commands.parse_json(json.dumps({name: value}))


@pytest.mark.parametrize("name", schema.COMMANDS)
def test_the_parser_refuses_what_the_schema_refuses(name: str) -> None:
    (kind,) = (each for each in schema.commands() if each.__struct_encode_fields__ == (name,))
    for value in (None, 1.5, [1], {"other": 1}, True, "", 7):
        try:
            msgspec.convert({name: value}, kind)
        except msgspec.ValidationError:
            with pytest.raises(CommandError):
                commands.parse_json(json.dumps({name: value}))


async def test_a_real_meeting_prints_what_the_schema_says(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("hello")
        await bo.hears("hello")
        for command in ({"compare": True}, {"hand": True}, {"invites": True}, {"lock": True}, {"code": True}):
            ada.send(command)

        def reacted() -> bool:
            try:
                bo.send({"react": "heart"})
            except ValueError:  # nobody has answered its program yet
                return False
            return True

        await bo.until(reacted, "to be allowed to send")
        snug_server.attack("commit_flood")
        await asyncio.gather(
            ada.event("reaction"),
            ada.event("short_code"),
            bo.event("policy"),
            bo.event("state", hand=True),
            ada.event("media"),
            ada.event("sending"),
            bo.alarmed("void_commit"),
        )
    seen = set()
    for event in (*ada.events, *bo.events):
        msgspec.json.decode(json.dumps(event), type=STRICT)
        seen.add(event["event"])
    assert {"invite", "invites", "roster", "chat", "code", "short_code", "alarm", "media", "end"} <= seen


def test_bytes_are_hex_digits() -> None:
    made = json.loads(schema.json_schema())
    assert made["$defs"]["RunsPage"]["properties"]["hash"] == {"type": "string", "pattern": "^[0-9a-f]*$"}
    assert "contentEncoding" not in schema.json_schema()
