"""What a participant prints: one JSON object a line, or sentences for a person.

The JSON is documented in docs/headless.md and stable: fields are added, never changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client.media.stats import StreamStats
from client.session import events as ev
from crypto.verification import spoken


def _member(member: ev.Member) -> dict[str, Any]:
    return {"leaf": member.leaf, "name": member.name, "host": member.host}


def as_json(event: ev.Event) -> dict[str, Any]:
    """An event as the object that `--json` prints."""
    match event:
        case ev.InviteMade(link, index):
            return {"event": "invite", "link": link, "index": index}
        case ev.Knocked():
            return {
                "event": "knock",
                "id": event.knock,
                "name": event.name,
                "greeting": event.greeting,
                "invite": event.invite,
                "looks_like": event.looks_like,
            }
        case ev.Roster():
            return {
                "event": "roster",
                "epoch": event.epoch,
                "members": [_member(m) for m in event.members],
                "added": [_member(m) for m in event.added],
                "removed": [_member(m) for m in event.removed],
                "by": event.by,
                "rejoined": event.rejoined,
            }
        case ev.Code(epoch, digits):
            return {"event": "code", "epoch": epoch, "digits": digits}
        case ev.Said():
            return {"event": "chat", "from": event.name, "leaf": event.leaf, "text": event.text}
        case ev.Alarm(kind, text):
            return {"event": "alarm", "kind": kind, "text": text}
        case ev.Status(kind, text):
            return {"event": "status", "kind": kind, "text": text}
        case ev.Ended(reason, text):
            return {"event": "end", "reason": reason, "text": text}


def media_json(stats: StreamStats, name: str) -> dict[str, Any]:
    """One remote stream's counters (frames) as the object that `--json` prints."""
    return {
        "event": "media",
        "from": name,
        "leaf": stats.leaf,
        "stream": stats.kind,
        "opened": stats.opened,
        "decoded": stats.decoded,
        "failed": stats.failed,
        "unkeyed": stats.unkeyed,
        "lost": stats.lost,
        "concealed": stats.concealed,
    }


class JsonOutput:
    """One JSON object a line, flushed line by line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def _line(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")), file=self._stream, flush=True)

    def event(self, event: ev.Event) -> None:
        """Print an event."""
        self._line(as_json(event))

    def media(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print the streams' counters."""
        for stats, name in rows:
            self._line(media_json(stats, name))

    def note(self, kind: str, text: str, **more: Any) -> None:
        """Print something about this program itself."""
        self._line({"event": kind, "text": text, **more})

    def summary(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """The last counters."""
        self.media(rows)


class HumanOutput:
    """Sentences, and a table at the end; plain when piped."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._names: dict[int, str] = {}
        self._inside = False

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def event(self, event: ev.Event) -> None:
        """Print an event as a person would tell it."""
        match event:
            case ev.InviteMade(link, index):
                again = "A new invite, since the last one opens nothing any more" if index else "Invite"
                self._say(f"{again}: [bold]{escape(link)}[/]")
                self._say("Whoever has this link can knock; nobody comes in without a host.")
            case ev.Knocked():
                self._knocked(event)
            case ev.Roster():
                self._roster(event)
            case ev.Code(_, digits):
                self._say(f"  code  [bold yellow]{spoken(digits)}[/]  (the same for everybody in the room)")
            case ev.Said():
                self._say(f"[bold]{escape(event.name)}[/]: {escape(event.text)}")
            case ev.Alarm(_, text):
                self._say(f"[bold red]![/] {escape(text)}")
            case ev.Status(_, text):
                self._say(f"[dim]{escape(text)}[/]")
            case ev.Ended(_, text):
                self._say(escape(text))

    def _knocked(self, event: ev.Knocked) -> None:
        greeting = f' "{escape(event.greeting)}"' if event.greeting else ""
        self._say(
            f"[bold]{escape(event.name)}[/] knocks, with invite {event.invite}.{greeting} "
            f"Type [bold]/admit {event.knock}[/] or [bold]/refuse {event.knock}[/]."
        )
        if event.looks_like is not None:
            self._say(
                f"[bold red]![/] This name looks like {escape(event.looks_like)}'s, who is in the room "
                "already, and has another key."
            )

    def _roster(self, event: ev.Roster) -> None:
        self._names |= {m.leaf: m.name for m in event.members}
        by = self._names.get(event.by) if event.by is not None else None
        if not self._inside:
            self._inside = True
            self._say("You are in.")
        for member in event.added:
            how = "is back" if event.rejoined else "came in"
            self._say(f"[bold]{escape(member.name)}[/] {how}. {escape(by or 'A host')} let them in.")
        if not event.rejoined:
            for member in event.removed:
                self._say(f"[bold]{escape(member.name)}[/] is gone, and can read nothing from here on.")
        people = ", ".join(f"{escape(m.name)} (host)" if m.host else escape(m.name) for m in event.members)
        self._say(f"  in the room: {people}")

    def media(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """A person is not shown counters while the meeting runs."""

    def note(self, kind: str, text: str, **more: Any) -> None:
        """Print something about this program itself."""
        self._say(f"[dim]{escape(text)}[/]")

    def summary(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """What was received of whom."""
        listed = [row for row in rows if row[0].leaf is not None]
        if not listed:
            return
        table = Table(title="Heard and seen (frames)", title_justify="left")
        for heading in ("from", "stream"):
            table.add_column(heading)
        for heading in ("opened", "decoded", "failed", "lost"):
            table.add_column(heading, justify="right")
        for stats, name in listed:
            counters = (stats.opened, stats.decoded, stats.failed, stats.lost)
            table.add_row(escape(name), stats.kind, *(str(c) for c in counters))
        self._console.print(table)


Output = JsonOutput | HumanOutput
