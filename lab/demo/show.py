"""Show the demo's progress: to a person with `rich`, and to a program as one JSON object per line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from snugroom.client.cli import qr
from snugroom.client.headless.json_output import as_json
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Arg, Language, in_language, sentence
from snugroom.crypto.proof.verification import grouped
from snugroom.lab.demo.facts import BUSY, Facts, Pair, Stream
from snugroom.lab.demo.robot import Robot
from snugroom.lab.demo.traces import ROWS, Contrast, Traces
from snugroom.lab.demo.traces import failures as contrast_failures

_KINDS: Final = ("audio", "video")
#: Seconds between two lines of counters if there is no terminal.
_PLAIN_EVERY: Final = 5.0


def _stream_json(stream: Stream, measured: str) -> dict[str, Any]:
    value = asdict(stream)
    value[measured] = value.pop("measured")
    return value


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {
        "from": pair.speaker,
        "to": pair.listener,
        "audio": _stream_json(pair.sound, "heard_hz"),
        "video": _stream_json(pair.sight, "pictures_checked"),
    }


def _traces_json(traces: Traces) -> dict[str, Any]:
    return {
        "searched_bytes": traces.searched,
        "names": sorted(traces.names),
        "chat": sorted(traces.chat),
        "frames": sorted(traces.frames),
        "rows": traces.rows,
        "frames_sought": traces.sought,
        "audio": sorted(traces.audio),
    }


class JsonShow:
    """Prints all participants' events as `snug join --json` does, with the additional key `participant`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def _line(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=self._stream, flush=True)

    def server(self, url: str, pid: int) -> None:
        """The server listens."""
        self._line({"event": "server", "url": url, "pid": pid})

    def page(self, link: str) -> None:
        """A person can join at `link` with a browser."""
        self._line({"event": "page", "url": link})

    def event(self, robot: Robot, event: ev.Event) -> None:
        """A participant received an event."""
        self._line({**as_json(event), "participant": robot.name})

    def said(self, robot: Robot, text: str) -> None:
        """Print nothing: the events of the other participants show the message."""

    def step(self, text: str) -> None:
        """The next step begins."""
        self._line({"event": "step", "text": text})

    def progress(self, robots: list[Robot], done: float, seconds: float) -> None:
        """Print nothing: a program does not need it."""

    def close(self) -> None:
        """Do nothing: there is nothing to end."""

    def contrast(self, contrast: Contrast, language: Language) -> None:
        """Print what the same search found in both servers."""
        both = {"snug": contrast.snug, "ordinary": contrast.ordinary}
        traces = {name: None if each is None else _traces_json(each) for name, each in both.items()}
        failures = [in_language(each, language) for each in contrast_failures(contrast)]
        self._line({"event": "contrast", **traces, "failures": failures})

    def result(self, facts: Facts, failures: list[str]) -> None:
        """Print the last line."""
        self._line(
            {
                "event": "demo",
                "ok": not failures,
                "code": facts.code,
                "participants": list(facts.names),
                "seconds": facts.seconds,
                "pace": round(facts.pace, 3),
                "pairs": [_pair_json(pair) for pair in facts.pairs],
                "moved_after": None if facts.moved_after is None else round(facts.moved_after, 2),
                "server": facts.disclosure,
                "server_exit": facts.server_exit,
                "searched_bytes": facts.search.searched if facts.search else 0,
                "search": asdict(facts.search) if facts.search else None,
                "search_refused": facts.search_refused,
                "failures": failures,
            }
        )


def _first(name: str) -> str:
    return name.split()[0]


class HumanShow:
    """Prints sentences and a live table, or plain lines without a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._told_at = 0.0
        self._tick = "✓" if self._console.encoding.lower().startswith("utf") else "yes"

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def server(self, url: str, pid: int) -> None:
        """The server listens."""
        self.step(f"A server listens on {url}, in a process of its own ({pid}).")

    def page(self, link: str) -> None:
        """A person can join at `link` with a browser: print the address, and a QR code for a camera."""
        if (code := qr.drawn(link, self._console)) is not None:
            self._console.print(code)
        self._say(f"Come in yourself, with a browser: [bold]{escape(link)}[/]")

    def step(self, text: str) -> None:
        """The next step begins."""
        self._say(f"[dim]{escape(text)}[/]")

    def event(self, robot: Robot, event: ev.Event) -> None:
        """Print each event once: the host's robot alone reports events that are the same for everybody."""
        me = _first(robot.name)
        match event:
            case ev.InviteMade():
                self._say(f"[bold]{me}[/] opens a room. Whoever has the link can knock.")
            case ev.Knocked():
                self._say(f"[bold]{escape(_first(event.name))}[/] knocks.")
            case ev.Roster() if robot.invite is not None:
                by = next((_first(m.name) for m in event.members if m.leaf == event.by), "A host")
                for member in event.added:
                    self._say(f"[bold]{escape(_first(member.name))}[/] came in. {escape(by)} let them in.")
            case ev.Code(_, digits) if robot.invite is not None:
                self._say(f"  code  [yellow]{grouped(digits)}[/]")
            case ev.Alarm():
                self._say(f"[bold red]![/] {me} is told: {escape(event.text)}")
            case ev.Ended() if robot.invite is not None:
                self._say(f"[bold]{me}[/] ends the meeting for all.")

    def said(self, robot: Robot, text: str) -> None:
        """Print a chat message. The verdict checks later whether it arrived everywhere."""
        self._say(f"[bold]{escape(_first(robot.name))}[/]: {escape(text)}")

    def progress(self, robots: list[Robot], done: float, seconds: float) -> None:
        """`done` seconds of the meeting are over."""
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=True)
                self._live.start()
            self._live.update(self._board(robots, done, seconds), refresh=True)
        elif done - self._told_at >= _PLAIN_EVERY:
            self._told_at = done
            streams = [b.stream(a.name, k) for a in robots for b in robots if a is not b for k in _KINDS]
            opened, lost = sum(s.opened for s in streams), sum(s.lost for s in streams)
            self._say(f"{done:.0f} s of {seconds:.0f}: {opened:,} frames opened, {lost:,} lost")

    def close(self) -> None:
        """No more progress follows."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _board(self, robots: list[Robot], done: float, seconds: float) -> Group:
        table = Table.grid(padding=(0, 2))
        for _ in range(len(robots) + 1):
            table.add_column(justify="right")
        table.add_row("", *(Text(_first(r.name), style="bold") for r in robots))
        for listener in robots:
            cells = []
            for speaker in robots:
                sound, sight = (listener.stream(speaker.name, kind) for kind in _KINDS)
                cells.append("" if speaker is listener else f"{sound.decoded}/{sight.decoded}")
            table.add_row(Text(_first(listener.name), style="bold"), *cells)
        left = Text(f" {max(0.0, seconds - done):.0f} s to go")
        bar = Table.grid()
        bar.add_row(ProgressBar(total=seconds, completed=min(done, seconds), width=40), left)
        return Group(Text("Sound/pictures that each row has decoded of each column", style="dim"), table, bar)

    def result(self, facts: Facts, failures: list[str]) -> None:
        """Print the table, the code, the server's disclosure, and whether all checks hold."""
        self.close()
        self._table(facts)
        if facts.code is not None:
            self._say(f"\nThe code that all of them see: [bold yellow]{grouped(facts.code)}[/]")
        self._server(facts)
        self._say("")
        if not failures:
            self._say("[bold green]All of it held.[/]")
        for failure in failures:
            self._say(f"[bold red]Did not hold:[/] {escape(failure)}")

    def contrast(self, contrast: Contrast, language: Language) -> None:
        """Print what the same search found in both servers, side by side."""
        say = partial(_contrast_text, language)
        table = Table(title=say("title"), title_justify="left")
        for heading in ("sought", "at_snug", "at_ordinary"):
            table.add_column(say(heading))
        for what, *counts in contrast.rows:
            table.add_row(say(what), *(_found(say, count, len(contrast.names)) for count in counts))
        self.close()
        self._console.print()
        self._console.print(table)
        if contrast.snug is not None and contrast.ordinary is not None:
            snug, ordinary = (each.searched / 1e6 for each in (contrast.snug, contrast.ordinary))
            self._say(escape(say("how", rows=ROWS, snug=snug, ordinary=ordinary)))
        self._say(escape(say("means")))

    def _table(self, facts: Facts) -> None:
        table = Table(title="Who heard and saw whom (frames decoded)", title_justify="left")
        for heading in ("from", "to"):
            table.add_column(heading)
        for heading in ("sound", "pitch", "pictures", "colour", "lost"):
            table.add_column(heading, justify="right")
        for pair in facts.pairs:
            sound, sight = pair.sound, pair.sight
            pitch = "-" if sound.measured is None else f"{sound.measured:.0f} Hz {self._mark(sound)}"
            table.add_row(
                escape(_first(pair.speaker)),
                escape(_first(pair.listener)),
                str(sound.decoded),
                pitch,
                str(sight.decoded),
                self._mark(sight),
                str(sound.lost + sight.lost),
                end_section=pair.listener == facts.names[-1 if pair.speaker != facts.names[-1] else -2],
            )
        if facts.pairs:
            self._console.print(table)
            self._say(f"{self._tick}: pitch and colour in the recording are the sender's own.")
        if facts.pairs and facts.pace < BUSY:
            self._say(f"This machine is busy: it sent {facts.pace:.0%} of the media that were due.")

    def _mark(self, stream: Stream) -> str:
        return f"[green]{self._tick}[/]" if stream.proved else "[bold red]no[/]"

    def _server(self, facts: Facts) -> None:
        held = facts.disclosure
        if held is None:
            return
        self._say("\n[bold]What the server could have disclosed[/]")
        media = held["media"]
        members, waiting = (sum(r["connections"] for r in held[k]) for k in ("rooms", "lobbies"))
        rooms = _many(len(held["rooms"]), "room")
        self._say(
            f"  {rooms} with {_many(members, 'connection')}, {waiting} in the lobby, "
            f"from {_many(held['addresses'], 'address', 'addresses')}, for {held['uptime']:.0f} s"
        )
        self._say(f"  {_many(held['blobs'], 'sealed blob')} of {held['blob_bytes']:,} bytes together")
        self._say(f"  {media['forwarded']:,} packets forwarded to {_many(media['peers'], 'receiver')}")
        if (files := held["files_open_for_writing"]) >= 0:
            self._say(f"  files open for writing: {files or 'none'}")
        self._searched(facts)

    def _searched(self, facts: Facts) -> None:
        found = facts.search
        if found is None:
            why = f" ({escape(facts.search_refused)})" if facts.search_refused else ""
            self._say(f"  Its memory can't be read on this machine{why}, so it was not searched.")
            return
        sought = "; ".join(f"{kind}: {number}" for kind, number in found.sought.items() if number)
        verdict = "not found" if not found.found else f"[bold red]FOUND: {', '.join(found.found)}[/]"
        megabytes = found.searched / 1e6
        self._say(
            f"  Searched {megabytes:.0f} MB, all of its memory and its log, as is, in hex, in base64, for"
        )
        self._say(f"    {escape(sought)}:")
        self._say(f"    [bold]{verdict}[/].")
        control = f"{found.known_found} of {found.known} of the server's own handles"
        self._say(f"  The search works: it finds {control},")
        self._say(f"    and {found.sealed_found} of the last {found.sealed} frames as they were sealed.")


def _contrast_text(language: Language, key: str, **args: Arg) -> str:
    return in_language(sentence(f"terminal.contrast_{key}", **args), language)


def _found(say: Callable[..., str], count: int | None, everybody: int) -> Text:
    if count is None:
        return Text(say("not_searched"), style="dim")
    if not count:
        return Text(say("not_found"), style="green")
    return Text(say("found", count=count, all=everybody), style="bold red")


def _many(number: int, one: str, more: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"
