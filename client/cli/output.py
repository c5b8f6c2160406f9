"""The output of a participant for a person: sentences, and a table at the end.

Names and texts come from other members: nothing in them may act as a terminal command, as markup, or as a
line of another member.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from snugroom.client.cli.code_art import COLOURS, blocks, code_art_of
from snugroom.client.cli.json_output import JsonOutput
from snugroom.client.cli.text import plain
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.session import events as ev
from snugroom.client.session.entry.contacts import Standing
from snugroom.client.session.entry.invites import invite_name
from snugroom.crypto.proof.verification import grouped

_SIGNS: Final[dict[str, str]] = {
    "yes": "\U0001f44d",
    "applause": "\U0001f44f",
    "heart": "\u2764",
    "laugh": "\U0001f604",
    "surprise": "\U0001f62e",
    "party": "\U0001f389",
}


def _file(offered: ev.FileOffered | None) -> str:
    if offered is None:
        return "a file"
    return f"the file \u201c{plain(offered.filename)}\u201d ({offered.size:,} bytes)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


#: Prefix of a message's further lines, so that they can't pass for another member's message.
_CONTINUED = "\n  | "


#: Number of lines in which code art is drawn.
_CODE_ART_ROWS = 22

#: Kinds of alarms about the user's own input: their sentence is complete.
_PLAIN = {"book", "file", "input", "not_done", "source"}

#: The first hint for a host.
_HOSTS_HINT = (
    'An invite for one person: /invite --for "Ada" --once. All of them: /invites. One taken back: /revoke N. '
    "Nobody new: /lock."
)


def _identity(standing: Standing, contact: str | None, fingerprint: str) -> str:
    who = "an identity that is not in your book" if contact is None else f"your contact {plain(contact)}"
    return f"{who}{', verified' if standing == 'verified' else ''}. Fingerprint {grouped(fingerprint)}."


class HumanOutput:
    """Prints sentences, and a table at the end; without styles when piped."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._names: dict[int, str] = {}
        self._inside = False
        self._reports = False
        self._hinted = False
        self._files: dict[str, ev.FileOffered] = {}
        self._states: dict[int, ev.StateTold] = {}
        self._code = ""

    def _say(self, *parts: str | tuple[str, str]) -> None:
        # parts instead of markup: other members' text must not be parsed for styles or emoji names
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def event(self, event: ev.Event) -> None:
        """Print an event as a sentence."""
        match event:
            case ev.InviteMade():
                self._invite(event)
            case ev.Invites(rows):
                self._invites(rows)
            case ev.PolicyChanged():
                self._say(plain(event.text))
            case ev.Knocked():
                self._knocked(event)
            case ev.Roster():
                self._roster(event)
            case ev.Code(_, digits):
                self._long_code(digits)
            case ev.ShortCode():
                self._short_code(event)
            case ev.Comparison():
                if event.news:
                    self._say((plain(event.text), "bold" if event.changes else "dim"))
            case ev.Said():
                words = plain(event.text, lines=_CONTINUED)
                self._say((plain(event.name), "bold"), ": ", words, *self._short_id(event.id))
            case ev.Image():
                self._image(event)
            case ev.FileOffered():
                self._files[event.id] = event
                self._say((plain(event.name), "bold"), f" sends {_file(event)}.")
            case ev.FileDone(file_id, _, path):
                where = "" if path is None else f" It is at {plain(path)}."
                self._say(f"{_capital(_file(self._files.pop(file_id, None)))} has arrived whole.{where}")
            case ev.FileFailed(file_id, why):
                self._say(f"{_capital(_file(self._files.pop(file_id, None)))} did not come. {plain(why)}")
            case ev.StateTold():
                self._state(event)
            case ev.Reacted():
                self._say((plain(event.name), "bold"), f" {_SIGNS[event.reaction]}")
            case ev.FileProgress() | ev.Pages():
                pass  # an alarm reports members with another page
            case ev.Vouched():
                self._vouched(event)
            case ev.BookChanged():
                verified = ", verified" if event.verified else ""
                self._say(
                    f"In your book: {plain(event.name)}{verified}. Fingerprint {grouped(event.fingerprint)}."
                )
            case ev.Alarm(kind, text):
                self._say(("!", "bold red"), " ", plain(text))
                if not self._hinted and kind not in _PLAIN:
                    self._hinted = True  # one hint a meeting is enough
                    self._say((f"  More, in another window: snug explain {kind}", "dim"))
            case ev.Status(kind, text):
                self._reports = self._reports or kind == "reports"
                self._say((plain(text), "dim"))
            case ev.Ended(_, text):
                self._say(plain(text))

    def _long_code(self, digits: str) -> None:
        self._say("  code  ", (grouped(digits), "bold yellow"), "  (the same for everybody in the room)")
        if digits == self._code:  # this code was printed before, so a person has asked for it
            self._code_art(digits)
        self._code = digits

    def _short_code(self, event: ev.ShortCode) -> None:
        pairs = "   ".join(f"{e} {w}" for e, w in zip(event.emoji, event.words, strict=True))
        self._say("  ", (pairs, "bold yellow"))
        self._say("Read the four words aloud. If everybody has the same, type /same; if not, /different.")

    def _code_art(self, digits: str) -> None:
        """Draw the rosette that the meeting page shows beside the code, if the terminal has room."""
        if self._console.is_terminal and self._console.width >= 2 * _CODE_ART_ROWS + 2:
            shape = code_art_of(digits)
            for line in blocks(shape, _CODE_ART_ROWS):
                self._say("  ", (line, COLOURS[shape.tint]))

    def _invite(self, event: ev.InviteMade) -> None:
        link = (event.link, "bold")
        if event.replaces is not None:
            self._say("A new invite, since the last one opens nothing any more: ", link)
        elif event.index == 0:
            self._say("Invite: ", link)
        else:
            whom = f" for \u201c{plain(event.label)}\u201d" if event.label else ""
            good = ", good once" if event.once else ""
            self._say(f"Invite{whom}{good} (no. {event.index}): ", link)
        if event.once:
            self._say("The first who comes in by it uses it up; a second use is told to you.")
        else:
            self._say("Whoever has this link can knock; nobody comes in without a host.")

    def _invites(self, rows: tuple[ev.InviteRow, ...]) -> None:
        if not rows:
            self._say("There are no invites yet. ", ('/invite --for "Ada" --once', "bold"), " makes one.")
        for row in rows:
            used = f"used by {', '.join(map(plain, row.used_by))}" if row.used_by else "not used"
            state = f"{used}, opens nothing any more" if row.revoked else used
            kind = "once" if row.once else "open"
            self._say(f"  {plain(invite_name(row.index, row.label))}: {kind}, {state}")

    def _image(self, event: ev.Image) -> None:
        size = f"{event.mime.removeprefix('image/').upper()}, {len(event.data):,} bytes"
        where = "" if event.path is None else f" It is at {plain(event.path)}."
        self._say((plain(event.name), "bold"), f" sent a picture ({size}).{where}", *self._short_id(event.id))

    def _short_id(self, name: str) -> list[tuple[str, str]]:
        """Return the short identifier by which a message can be reported; empty without reports."""
        return [(f"  [{name[:8]}]", "dim")] if self._reports and name else []

    def _knocked(self, event: ev.Knocked) -> None:
        greeting = f' "{plain(event.greeting)}"' if event.greeting else ""
        self._say(
            (plain(event.name), "bold"),
            f" knocks, by {plain(invite_name(event.invite, event.label))}.{greeting} Type ",
            (f"/admit {event.knock}", "bold"),
            " or ",
            (f"/refuse {event.knock}", "bold"),
            ".",
        )
        if event.looks_like is not None:
            self._say(
                ("!", "bold red"),
                f" This name looks like {plain(event.looks_like)}'s, who is in the room already, "
                "and has another key.",
            )
        if event.fingerprint is not None:
            self._say("  ", _identity(event.standing, event.contact, event.fingerprint))
        self._warn(event.warnings)

    def _state(self, event: ev.StateTold) -> None:
        """Print a change that others should notice: a hand, a screen, a recording."""
        before = self._states.get(event.leaf)
        self._states[event.leaf] = event
        for now, was, begins, ends in (
            (event.hand, before is not None and before.hand, "raises a hand", "takes the hand down"),
            (event.screen, before is not None and before.screen, "shows a screen", "shows it no more"),
            (event.recording, before is not None and before.recording, "is recording", "records no more"),
        ):
            if now != was:
                self._say((plain(event.name), "bold"), f" {begins if now else ends}.")

    def _vouched(self, event: ev.Vouched) -> None:
        identity = _identity(event.standing, event.contact, event.fingerprint)
        self._say((plain(event.name), "bold"), f" shows you who they are: {identity}")
        self._warn(event.warnings)
        if event.standing != "verified":
            keep = f" To keep it: /known {event.leaf}." if event.standing == "new" else ""
            self._say((f"When they have read out these digits to you: /verified {event.leaf}.{keep}", "dim"))

    def _warn(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            self._say(("!", "bold red"), f" {plain(warning)}")

    def _roster(self, event: ev.Roster) -> None:
        self._names |= {m.leaf: plain(m.name) for m in event.members}
        by = self._names.get(event.by) if event.by is not None else None
        if not self._inside:
            self._inside = True
            self._say("You are in.")
            if event.by is None and [m.host for m in event.members] == [True]:
                self._say((_HOSTS_HINT, "dim"))
        for member in event.added:
            how = "is back" if event.rejoined else "came in"
            way = (
                "" if event.invite is None else f", by {plain(invite_name(event.invite, event.label or ''))}"
            )
            self._say((plain(member.name), "bold"), f" {how}. {by or 'A host'} let them in{way}.")
        if not event.rejoined:
            for member in event.removed:
                went = "left" if member.leaf in event.left else f"was removed by {by or 'a host'}"
                self._say((plain(member.name), "bold"), f" {went}, and can read nothing from here on.")
        people = ", ".join(f"{plain(m.name)} (host)" if m.host else plain(m.name) for m in event.members)
        self._say(f"  in the room: {people}")

    def media(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print nothing: counters are not shown while the meeting runs."""

    def sending(self, rows: Iterable[OwnStats], round_trip: float | None) -> None:
        """Print nothing: counters are not shown while the meeting runs."""

    def note(self, kind: str, text: str, **more: Any) -> None:
        """Print a note about this program itself."""
        self._say((plain(text), "dim"))

    def summary(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print a table of the frames received from each member."""
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
            table.add_row(Text(plain(name)), stats.kind, *(str(c) for c in counters))
        self._console.print(table)


Output = JsonOutput | HumanOutput
