"""A lecture's recording: written, read, and played step by step without what made it."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest

from snugroom.lab.demo import lecture, player, recording
from snugroom.lab.demo.player import Player
from snugroom.lab.demo.projector import RefusedError, Stage
from snugroom.lab.demo.recording import Deed, Frame, Hiding, Recorder, RecordingError, load
from tests.patience import PATIENCE

ROBOTS: Final = ("Ada", "Bo")
VISITOR: Final = "Zephyrine Quill"


class Script:
    """A stage whose state says what was done so far."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def state(self) -> dict[str, Any]:
        return {"done": list(self.done)}

    async def find(self, where: str, _: bytes) -> Any:
        return {"hits": [], "where": where}

    async def do(self, deed: str, told: dict[str, Any]) -> dict[str, Any]:
        if deed == "kill":
            raise RefusedError("busy")
        self.done.append(deed)
        return {"answer": told}


def stage(made: Stage) -> Stage:
    """The protocol, as mypy checks it."""
    return made


async def told(file: Path) -> None:
    """A lecture of two steps: in the second, somebody joins, an act is played, and a kill is refused."""
    recorder = Recorder(stage(Script()), file, ROBOTS)
    await recorder.do("turn", {"step": "who"})
    await recorder.state()
    await recorder.do("turn", {"step": "joins"})  # the page has not asked yet when somebody joins
    await recorder.do("join", {"name": "Dana"})
    await recorder.state()
    await recorder.do("act", {"act": "forge"})
    await recorder.state()
    with pytest.raises(RefusedError):
        await recorder.do("kill", {})
    await recorder.find("snug", b"masked")
    await recorder.find("ordinary", b"masked")
    recorder.close()
    await recorder.do("act", {"act": "late"})  # after the end, nothing is written, and nothing fails


async def played(file: Path) -> Player:
    await told(file)
    return Player(load(file))


async def test_what_the_page_was_shown_is_in_the_file_in_order(tmp_path: Path) -> None:
    await told(tmp_path / "r")
    entries = load(tmp_path / "r")
    shown = [(each.step, each.state["done"]) for each in entries if isinstance(each, Frame)]
    assert shown == [
        ("who", ["turn"]),
        ("joins", ["turn", "turn"]),
        ("joins", ["turn", "turn", "join"]),
        ("joins", ["turn", "turn", "join", "act"]),
    ]
    deeds = [(each.deed, each.told, each.answer) for each in entries if isinstance(each, Deed)]
    assert deeds[2:] == [
        ("join", {"name": "Dana"}, {"answer": {"name": "Dana"}}),
        ("act", {"act": "forge"}, {"answer": {"act": "forge"}}),
        ("kill", {}, {"refused": "busy"}),
        ("find_snug", {}, {"hits": [], "where": "snug"}),
        ("find_ordinary", {}, {"hits": [], "where": "ordinary"}),
    ]
    assert b"masked" not in gzip.decompress((tmp_path / "r").read_bytes())


async def shows(made: Stage, done: list[str]) -> None:
    """Wait for a state: on a busy machine, it was recorded some time after the deed."""
    async with asyncio.timeout(PATIENCE):
        while (await made.state())["done"] != done:  # noqa: ASYNC110 - the player tells nobody
            await asyncio.sleep(0.01)


async def test_a_step_waits_for_what_was_done_in_it(tmp_path: Path) -> None:
    made = stage(await played(tmp_path / "r"))
    assert (await made.state())["done"] == ["turn"]
    await made.do("turn", {"step": "joins"})
    for _ in range(2):
        await shows(made, ["turn", "turn"])
    assert await made.do("join", {"name": "Dana"}) == {"answer": {"name": "Dana"}}
    await shows(made, ["turn", "turn", "join"])
    assert await made.do("act", {"act": "forge"}) == {"answer": {"act": "forge"}}
    await shows(made, ["turn", "turn", "join", "act"])
    assert await made.find("ordinary", b"any") == {"hits": [], "where": "ordinary"}
    assert await made.find("snug", b"any") == {"hits": [], "where": "snug"}
    # going back shows the step anew, and as often as wanted
    await made.do("turn", {"step": "who"})
    await shows(made, ["turn"])
    await made.do("turn", {"step": "joins"})
    await shows(made, ["turn", "turn"])


async def test_what_was_not_recorded_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    made = await played(tmp_path / "r")
    await made.do("turn", {"step": "joins"})
    for deed, about in (("join", {"name": "Emil"}), ("remove", {}), ("act", {"act": "drop"}), ("act", {})):
        with pytest.raises(RefusedError, match="recorded"):
            await made.do(deed, about)
    with pytest.raises(RefusedError, match="busy"):
        await made.do("kill", {})  # as it was refused then
    assert await made.do("dismiss", {}) == {}
    assert await made.do("vote", {"do": "open", "question": "joins"}) == {}
    await made.do("turn", {"step": "who"})
    with pytest.raises(RefusedError, match="recorded"):
        await made.do("join", {"name": "Dana"})  # it was done in another step
    with pytest.raises(RefusedError, match="recorded"):
        await made.find("snug", b"")
    # a step that nobody came to shows the beginning
    await made.do("turn", {"step": "tree"})
    state = await made.state()
    assert (state["done"], state["played"]) == (["turn"], [])


async def test_the_page_learns_what_can_be_played(tmp_path: Path) -> None:
    made = await played(tmp_path / "r")
    assert (await made.state())["played"] == []
    await made.do("turn", {"step": "joins"})
    deeds = [(each["deed"], each["told"]) for each in (await made.state())["played"]]
    assert deeds[:3] == [("join", {"name": "Dana"}), ("act", {"act": "forge"}), ("kill", {})]


def frame(at: float, step: str, number: int) -> Frame:
    return Frame(at, step, {"n": number})


async def test_frames_come_at_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(Player, "_now", property(lambda _: now))
    act = Deed(12.5, 10.5, "who", "act", {}, {})
    made = Player([frame(5, "who", 1), frame(7, "who", 2), act, frame(13, "who", 3), frame(15, "who", 4)])

    async def shown(at: float) -> int:
        nonlocal now
        now = at
        return int((await made.state())["n"])

    assert [await shown(at) for at in (100, 101.9, 102, 150)] == [1, 1, 2, 2], "and none after the next deed"
    monkeypatch.setattr(player, "WAIT_MAX", 0.0)
    await made.do("act", {})
    assert [await shown(at) for at in (150, 150.4, 150.6, 152.4, 152.6)] == [2, 2, 3, 3, 4]


async def test_a_deed_that_took_long_is_answered_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    made = Player(
        [
            frame(0, "who", 1),
            Deed(31.0, 1.0, "who", "contrast", {}, {"ok": 1}),
            Deed(33.5, 33.0, "who", "act", {}, {}),
        ]
    )
    assert await made.do("contrast", {}) == {"ok": 1}
    await made.do("act", {})
    assert waited == [player.WAIT_MAX, 0.5]


# -- people ------------------------------------------------------------------------------------


def state_with_a_visitor() -> dict[str, Any]:
    alarm = {"key": "alarm.x", "args": {"name": VISITOR, "why": f"{VISITOR} left", "whom": ["Ada", VISITOR]}}
    return {
        "member": {
            "people": [{"name": name, "leaf": i} for i, name in enumerate(("Ada", "Bo", VISITOR))],
            "chat": [{"name": "Ada", "text": "hello"}, {"name": VISITOR, "text": "my telephone number"}],
            "tree": [{"nodes": [None, {"name": VISITOR}], "by": VISITOR}],
        },
        "incidents": [{"member": "Ada", "kind": "alarm", "severity": "attack", "text": alarm}],
        "server": {
            "disclosure": {
                "people": [{"handle": "aa", "address": "127.0.0.1", "headers": {"User-Agent": "Browser/5"}}]
            },
            "at": 5.5,
        },
        "votes": {"address": "http://192.168.1.5:1/k7m2qd/", "voted": 3},
        "killed": False,
        "act": None,
    }


def test_a_recording_has_no_name_message_browser_or_address_of_people() -> None:
    hidden = Hiding(ROBOTS).state(state_with_a_visitor())
    text = json.dumps(hidden)
    for part in (VISITOR, "telephone", "Browser", "192.168.1.5", "k7m2qd"):
        assert part not in text, part
    assert text.count("Guest 1") == 7
    member = hidden["member"]
    assert [each["name"] for each in member["people"]] == ["Ada", "Bo", "Guest 1"]
    assert member["chat"] == [{"name": "Ada", "text": "hello"}, {"name": "Guest 1", "text": "\u2026"}]
    assert hidden["incidents"][0]["text"]["key"] == "alarm.x"
    assert (hidden["server"]["at"], hidden["votes"]["voted"], hidden["killed"]) == (5.5, 3, False)


def test_a_name_is_replaced_after_its_person_has_left_and_keys_stay() -> None:
    hiding = Hiding(ROBOTS)
    state = state_with_a_visitor()
    state["member"]["people"][2]["name"] = "alarm"
    hidden = hiding.state(state)
    assert hidden["incidents"][0]["text"]["key"] == "alarm.x"
    assert hiding.value({"around": ["so alarm said"], "key": "alarm"}) == {
        "around": ["so Guest 1 said"],
        "key": "alarm",
    }


def test_a_person_who_is_not_in_the_room_is_hidden_too() -> None:
    """Somebody who knocks, and somebody who has left before the projector was open."""
    state = state_with_a_visitor()
    state["member"]["people"].pop()
    state["member"]["chat"].pop()
    assert VISITOR not in json.dumps(Hiding(ROBOTS).state(state))


async def test_robots_that_the_projector_lets_in_keep_their_names(tmp_path: Path) -> None:
    recorder = Recorder(stage(Script()), tmp_path / "r", ROBOTS)
    await recorder.do("join", {"name": VISITOR})
    assert not recorder._hide._meet(VISITOR)
    assert recorder._hide._meet("Somebody")
    recorder.close()


# -- files -------------------------------------------------------------------------------------


def packed(*lines: str) -> bytes:
    return gzip.compress("\n".join(lines).encode())


HEAD: Final = '{"snug-lecture":1}'
FRAME: Final = '{"type":"frame","at":0,"step":"who","state":{}}'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "none"), (b"no gzip", "none"), (packed(""), "none"), (packed("[]"), "none"),
        (packed('{"snug-lecture":2}', FRAME), "version"), (packed(HEAD), "empty"),
        (packed(HEAD, FRAME, "{"), "none"),
        (packed(HEAD, '{"type":"frame","at":-1,"step":"who","state":{}}'), "none"),
        (packed(HEAD, '{"type":"frame","at":0,"step":"who","state":[]}'), "none"),
        (packed(HEAD, '{"type":"frame","at":0,"step":"who","state":' + "[" * 5_000), "none"),
        (packed(HEAD, '{"type":"deed","at":0}'), "none"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_recording(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "r").write_bytes(data)
    with pytest.raises(RecordingError, match=why):
        load(tmp_path / "r")


def test_a_file_that_ends_early_has_what_it_has(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "r", "wb") as out:
        out.write(f"{HEAD}\n{FRAME}\n".encode())
        out.flush()
        whole = (tmp_path / "r").read_bytes()
    (tmp_path / "r").write_bytes(whole)
    assert [type(each) for each in load(tmp_path / "r")] == [Frame]


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "UNPACKED_MAX", 1 << 16)
    (tmp_path / "r").write_bytes(packed(HEAD, FRAME, " " * (1 << 17)))
    with pytest.raises(RecordingError, match="none"):
        load(tmp_path / "r")
    monkeypatch.setattr(recording, "PACKED_MAX", 10)
    (tmp_path / "r").write_bytes(packed(HEAD, FRAME))
    with pytest.raises(RecordingError, match="none"):
        load(tmp_path / "r")


async def test_a_recording_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "ENTRIES_MAX", 5)
    monkeypatch.setattr(recording, "FRAME_EVERY", 0.0)
    recorder = Recorder(stage(Script()), tmp_path / "r", ROBOTS)
    for _ in range(9):
        await recorder.state()
    recorder.close()
    assert len(gzip.decompress((tmp_path / "r").read_bytes()).splitlines()) == 6


async def test_frames_are_a_second_apart_while_nothing_is_done(tmp_path: Path) -> None:
    recorder = Recorder(stage(Script()), tmp_path / "r", ROBOTS)
    for _ in range(5):
        await recorder.state()
    recorder.close()
    assert len(load(tmp_path / "r")) == 1


async def test_a_file_that_is_none_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await lecture.play(tmp_path / "missing", lecture.Options(open_browser=False)) == 2
    assert "missing: No such file or directory" in capsys.readouterr().err
    (tmp_path / "r").write_bytes(b"x")
    assert await lecture.play(tmp_path / "r", lecture.Options(open_browser=False, language="de")) == 2
    assert "keine Aufzeichnung" in capsys.readouterr().err
