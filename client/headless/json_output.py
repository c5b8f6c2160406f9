"""The output of `--json`: an object on each line (docs/reference/json.md).

The JSON is stable: fields are added, never changed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, Final, TextIO

from snugroom.client.headless.status import Status
from snugroom.client.headless.text import json_line
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.session import events as ev

#: For each event: its name in JSON, then its keys. A key whose field has another name is `key=field`.
EVENTS: Final[dict[type, str]] = {
    ev.InviteMade: "invite link index label once replaces",
    ev.Invites: "invites invites=rows",
    ev.PolicyChanged: "policy by kind leaf mode text",
    ev.Knocked: "knock id=knock name greeting invite looks_like label standing contact fingerprint warnings "
    "older returning silent proof",
    ev.AdmissionProgress: "admission inside of refused left",
    ev.Roster: "roster epoch members added removed by rejoined left",
    ev.Code: "code epoch digits",
    ev.ShortCode: "short_code epoch emoji words members by",
    ev.Comparison: "comparison epoch compared how same news members changes text",
    ev.CodeAnswers: "code_answers epoch by members text",
    ev.Said: "chat from=name leaf text id",
    ev.Image: "image from=name leaf id bytes=data mime path",
    ev.Held: "held messages",
    ev.FileOffered: "file leaf name id filename mime size",
    ev.FileProgress: "file_progress id done size",
    ev.FileFailed: "file_failed id why",
    ev.FileDone: "file_done id bytes=data path",
    ev.StateTold: "state leaf name mic camera screen hand recording away",
    ev.Reacted: "reaction from=name leaf reaction",
    ev.Pages: "pages pages",
    ev.Vouched: "vouched leaf name standing contact fingerprint warnings",
    ev.BookChanged: "contact name fingerprint verified",
    ev.Alarm: "alarm kind text count",
    ev.Status: "status kind text",
    ev.Ended: "end reason text",
}
MEDIA: Final = (
    "media leaf stream=kind opened decoded failed unkeyed lost concealed recovered asked bitrate layer frozen"
)
SENDING: Final = "sending stream=kind layer sealed key_frames packets resent bitrate target loss"


def as_json(event: ev.Event) -> dict[str, Any]:
    """Return an event as the object that `--json` prints."""
    return _object(EVENTS[type(event)], event)


def media_json(stats: StreamStats, name: str) -> dict[str, Any]:
    """Return one remote stream's counters (frames) as the object that `--json` prints."""
    return {"event": "media", "from": name} | _object(MEDIA, stats) | {"frozen": round(stats.frozen, 3)}


def sending_json(stats: OwnStats, round_trip: float | None) -> dict[str, Any]:
    """Return one own stream, or one layer of it, as the object that `--json` prints."""
    rounded = {
        "loss": round(stats.loss, 3),
        "round_trip": None if round_trip is None else round(round_trip, 3),
    }
    return _object(SENDING, stats) | rounded


def _object(spec: str, source: object) -> dict[str, Any]:
    name, *keys = spec.split()
    found: dict[str, Any] = {"event": name}
    for key in keys:
        key, _, field = key.partition("=")
        value = getattr(source, field or key)
        found[key] = len(value) if key == "bytes" else _value(value)
    return found


def _value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _value(inner) for key, inner in asdict(value).items()}
    return value.hex() if isinstance(value, bytes) else value


class JsonOutput:
    """Prints a JSON object on each line and flushes each line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def _line(self, value: dict[str, Any]) -> None:
        print(json_line(value), file=self._stream, flush=True)

    def event(self, event: ev.Event) -> None:
        """Print an event."""
        self._line(as_json(event))

    def media(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print the streams' counters."""
        for stats, name in rows:
            self._line(media_json(stats, name))

    def sending(self, rows: Iterable[OwnStats], round_trip: float | None) -> None:
        """Print the counters of own streams."""
        for stats in rows:
            self._line(sending_json(stats, round_trip))

    def note(self, kind: str, text: str, **more: Any) -> None:
        """Print a note about this program itself."""
        self._line({"event": kind, "text": text, **more})

    #: For a person it looks different.
    warn = note

    def error(self, text: str, status: Status = Status.USAGE) -> Status:
        """Print the error that ends the program; return `status`, its exit status."""
        self._line({"event": "error", "status": int(status), "text": text})
        return status

    def summary(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print the final counters."""
        self.media(rows)
