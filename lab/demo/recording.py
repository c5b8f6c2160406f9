"""A lecture's recording: what its projector was shown, with times, for rooms without a server or a network.

The file is JSON lines, packed with gzip. The first line has the version. Each further line is a frame, which
is the state that the page was given, or a deed with its answer. Names of people who came in by a page of
their own, and what they wrote, are replaced; the rest is of the lecture's robots. Votes are kept as numbers.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from snugroom.client.session.catalogue.sentence import NAMES
from snugroom.lab.demo.projector import RefusedError, Stage

VERSION: Final = 1
#: Seconds between two frames while nothing is done, and frames and deeds of a recording.
FRAME_EVERY: Final = 1.0
ENTRIES_MAX: Final = 6_000
#: Bytes of a file, and of what is in it.
PACKED_MAX: Final = 32 * 2**20
UNPACKED_MAX: Final = 512 * 2**20
#: Deeds that are steps of the page, and no deeds of the story.
TURN: Final = "turn"
#: Stands for a message of somebody who is no robot.
_HIDDEN: Final = "\u2026"
#: Characters of a name from which on it is replaced within other texts, too.
_PART_MIN: Final = 3
#: Fields with names of sentences and kinds, which no person chooses.
_NAMES_OF_THINGS: Final = frozenset({"key", "kind", "severity"})


class RecordingError(Exception):
    """The file is no recording. The text is the name of the reason (`terminal.play_...`)."""


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="frame"):
    """A state that the page was given in a step. `at`: seconds since the recording began."""

    at: Annotated[float, msgspec.Meta(ge=0)]
    step: str
    state: dict[str, Any]


class Deed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="deed"):
    """A request of the page: a name of `projector.DEEDS`, or the path of a search. It took until `at`.

    `answer` is what the page got: null without an answer, and with `refused` if it was not done.
    """

    at: Annotated[float, msgspec.Meta(ge=0)]
    began: Annotated[float, msgspec.Meta(ge=0)]
    step: str
    deed: str
    told: dict[str, Any]
    answer: dict[str, Any] | None


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"version": "snug-lecture"}):
    version: int


Entry = Frame | Deed


class Recorder:
    """The stage of a lecture, which also writes what passes to a file, from `__init__` to `close`.

    `robots`: names that stay as they are. OSError if the file can't be written.
    """

    def __init__(self, stage: Stage, file: Path, robots: Iterable[str]) -> None:
        self._stage = stage
        self._hide = Hiding(robots)
        self._out = gzip.open(file, "wb")  # noqa: SIM115 - open until `close`
        self._start = asyncio.get_running_loop().time()
        self._step = ""
        self._entries = 0
        self._frame_due = 0.0
        self._write(_Head(VERSION))

    async def state(self) -> dict[str, Any]:
        """Return the state, and write it if a frame is due."""
        state = await self._stage.state()
        if self._now >= self._frame_due:
            self._frame_due = self._now + FRAME_EVERY
            self._write(Frame(self._now, self._step, self._hide.state(state)))
        return state

    async def find(self, where: str, wanted: bytes) -> Any:
        """Have a memory searched, and write the answer. The request is masked, and is not written."""
        began = self._now
        answer = await self._stage.find(where, wanted)
        self._did(began, f"find_{where}", {}, answer)
        return answer

    async def do(self, deed: str, told: dict[str, Any]) -> dict[str, Any]:
        """Have something done, and write what became of it."""
        began = self._now
        if deed == TURN:
            self._step = str(told.get("step", ""))
        if deed == "join":
            self._hide.robots.add(str(told.get("name", "")))
        try:
            answer = await self._stage.do(deed, told)
        except RefusedError as error:
            self._did(began, deed, told, {"refused": str(error)})
            raise
        self._did(began, deed, told, answer)
        if deed == TURN:
            await self.state()  # how the step begins: what is done next may change it before the page asks
        return answer

    def close(self) -> None:
        """End the file."""
        self._out.close()

    @property
    def _now(self) -> float:
        return round(asyncio.get_running_loop().time() - self._start, 2)

    def _did(self, began: float, deed: str, told: dict[str, Any], answer: Any) -> None:
        self._write(Deed(self._now, began, self._step, deed, told, self._hide.value(answer)))
        self._frame_due = 0.0  # its effect is shown at once

    def _write(self, row: Entry | _Head) -> None:
        if self._entries <= ENTRIES_MAX and not self._out.closed:
            self._entries += 1
            self._out.write(msgspec.json.encode(row) + b"\n")


class Hiding:
    """Replaces names of people who are no robots, and what they write, in states and answers."""

    def __init__(self, robots: Iterable[str]) -> None:
        self.robots = set(robots)
        self._people: dict[str, str] = {}

    def state(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a state without people, headers of their browsers, and the address for phones."""
        shown = dict(state)
        member = shown.get("member")
        for part in (member, shown.get("incidents")):
            self._meet_all(part)
        if isinstance(member, dict):
            chat = [
                {**line, "text": _HIDDEN} if self._meet(line["name"]) else line for line in member["chat"]
            ]
            shown["member"] = {**member, "chat": chat}
        server = shown.get("server")
        if isinstance(server, dict):
            held = server["disclosure"]
            people = [{**person, "headers": {}} for person in held["people"]]
            shown["server"] = {**server, "disclosure": {**held, "people": people}}
        if isinstance(shown.get("votes"), dict):
            shown["votes"] = {**shown["votes"], "address": ""}
        return {name: self.value(each, name) for name, each in shown.items()}

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value in which no text has a name of somebody who is no robot; `name`: its field."""
        if isinstance(value, str):
            return value if name in _NAMES_OF_THINGS else self._text(value)
        if isinstance(value, dict):
            return {inner: self.value(each, inner) for inner, each in value.items()}
        return [self.value(each, name) for each in value] if isinstance(value, list | tuple) else value

    def _meet_all(self, value: Any, field: str = "") -> None:
        """Take note of the names in a value: people may be named who are not in the room, or no longer."""
        if isinstance(value, dict):
            for inner, each in value.items():
                self._meet_all(each, inner)
        elif isinstance(value, list | tuple):
            for each in value:
                self._meet_all(each, field)
        elif isinstance(value, str) and field in NAMES:
            self._meet(value)

    def _meet(self, name: str) -> bool:
        """Return whether this is somebody who is no robot."""
        if not name or name in self.robots:
            return False
        self._people.setdefault(name, f"Guest {len(self._people) + 1}")
        return True

    def _text(self, text: str) -> str:
        if text in self._people:
            return self._people[text]
        for name, shown in self._people.items():
            if len(name) >= _PART_MIN:
                text = text.replace(name, shown)
        return text


def load(file: Path) -> list[Entry]:
    """Return what was recorded, in order. RecordingError; OSError if the file can't be read."""
    packed = file.read_bytes() if file.stat().st_size <= PACKED_MAX else b""
    lines = _unpacked(packed).splitlines()
    try:
        head = msgspec.json.decode(lines[0] if lines else b"", type=_Head)
    except msgspec.DecodeError:
        raise RecordingError("none") from None
    if head.version != VERSION:
        raise RecordingError("version")
    try:
        found = [msgspec.json.decode(line, type=Entry) for line in lines[1 : ENTRIES_MAX + 2]]
    except (msgspec.DecodeError, RecursionError):
        raise RecordingError("none") from None
    if not any(isinstance(each, Frame) for each in found):
        raise RecordingError("empty")
    return sorted(found, key=lambda each: each.began if isinstance(each, Deed) else each.at)


def _unpacked(packed: bytes) -> bytes:
    """Return the content. A file that ends early, as that of a lecture which was killed, has what it has."""
    engine = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        data = engine.decompress(packed, UNPACKED_MAX)
    except zlib.error:
        raise RecordingError("none") from None
    if engine.unconsumed_tail:
        raise RecordingError("none")
    return data if engine.eof else data[: data.rfind(b"\n") + 1]
