"""Participants that are there for messages alone, and participants that decode nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snugroom.client.headless.media_choice import MediaChoice
from tests.cli.processes import names, run, running, server


def test_a_participant_without_media_says_so_and_has_the_rest_of_the_meeting() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Ada", "--no-video", "--json") as ada,
        running("join", ada.wait("invite")["link"], "--name", "Bo", "--no-media", "--json") as bo,
    ):
        ada.wait("roster", lambda e: names(e) == ["Ada", "Bo"])
        state = ada.wait("state", lambda e: e["name"] == "Bo")
        assert (state["mic"], state["camera"], state["recording"]) == (False, False, False)
        assert bo.wait("state", lambda e: e["name"] == "Bo") == state
        bo.send({"chat": "I read along"})
        assert ada.wait("chat")["from"] == "Bo"
        ada.wait("sending", lambda e: e["sealed"] > 100)  # Ada talks; the server has it for Bo
        assert bo.events("media") + bo.events("sending") + bo.events("alarm") == []
        bo.send({"leave": True})
        assert bo.status() == 0


@pytest.mark.parametrize(
    "options",
    [("--record", "DIR"), ("--play", "film.webm"), ("--visible", "2"), ("--layers", "3")],
    ids=lambda each: each[0],
)
def test_no_media_goes_without_options_about_media(options: tuple[str, str], tmp_path: Path) -> None:
    option, value = options
    value = str(tmp_path / "recordings") if value == "DIR" else value
    done = run("host", "--server", "http://127.0.0.1:9", "--no-media", option, value, "--json")
    assert done.returncode == 2
    assert "--no-media" in json.loads(done.stdout)["text"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("choice", "decodes"),
    [
        (MediaChoice(), True),
        (MediaChoice(audio=False), True),
        (MediaChoice(audio=False, video=False), False),
        (MediaChoice(audio=False, video=False, record=Path("recordings")), True),
        (MediaChoice(none=True), False),
        (MediaChoice(decode=False), False),
        (MediaChoice(audio=False, video=False, decode=True), True),
    ],
    ids=repr,
)
def test_a_participant_that_only_receives_decodes_what_it_records(choice: MediaChoice, decodes: bool) -> None:
    assert choice.decodes is decodes
