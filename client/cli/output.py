"""The output of a participant for a person: sentences, and a table at the end.

Names and texts come from other members: nothing in them may act as a terminal command, as markup, or as a
line of another member.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from snugroom.client.cli.code_art import COLOURS, blocks, code_art_of
from snugroom.client.cli.speech import Speech, Styled, bold
from snugroom.client.headless.status import Status
from snugroom.client.headless.text import plain
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Language, Sentence, render, sentence
from snugroom.client.session.entry.contacts import Standing
from snugroom.client.session.entry.invites import invite_name
from snugroom.client.session.incidents import Incident, Incidents, rule_of
from snugroom.crypto.proof.verification import grouped

_SIGNS: Final[dict[str, str]] = {
    "yes": "\U0001f44d",
    "applause": "\U0001f44f",
    "heart": "\u2764",
    "laugh": "\U0001f604",
    "surprise": "\U0001f62e",
    "party": "\U0001f389",
}

#: Prefix of a message's further lines, so that they can't pass for another member's message.
_CONTINUED = "\n  | "

#: Number of lines in which code art is drawn.
_CODE_ART_ROWS = 22

#: Kinds of alarms about the user's own input: their sentence is complete.
_PLAIN = {"book", "file", "input", "not_done", "source"}


def _identity(standing: Standing, contact: str | None, fingerprint: str) -> Sentence:
    digits = grouped(fingerprint)
    if contact is None:
        return sentence("terminal.identity_new", digits=digits)
    key = "verified" if standing == "verified" else "known"
    return sentence(f"terminal.identity_{key}", contact=contact, digits=digits)


def _file(offered: ev.FileOffered | None) -> Sentence:
    if offered is None:
        return sentence("terminal.a_file")
    return sentence("terminal.the_file", name=offered.filename, size=offered.size)


class HumanOutput:
    """Prints sentences in the chosen language, and a table at the end; without styles when piped."""

    def __init__(self, console: Console | None = None, language: Language = "en") -> None:
        self._console = console or Console(highlight=False)
        self._speech = Speech(self._console, language)
        self._names: dict[int, str] = {}
        self._inside = False
        self._reports = False
        self._hinted = False
        self._held: set[tuple[str, str]] = set()  # texts that wait, and why, as printed
        self._files: dict[str, ev.FileOffered] = {}
        self._states: dict[int, ev.StateTold] = {}
        self._code = ""
        self._incidents = Incidents()
        self._printed: set[int] = set()  # incidents, by number

    def event(self, event: ev.Event) -> None:
        """Print an event as a sentence."""
        now = time.monotonic()
        self._incidents.tick(now)
        incident = self._incidents.told(event, now)
        if incident is not None:
            self._printed.add(incident.number)
        shown = self._incidents.shown  # an event that has told a hidden one now prints nothing
        if not any(each.told == now for each in self._incidents.open if each not in shown):
            self._sentence(event, incident)
        for each in shown:  # what another line said until now
            if each.number not in self._printed:
                self._printed.add(each.number)
                self._speech.warn(each.text, each.severity)

    def _sentence(self, event: ev.Event, incident: Incident | None) -> None:
        match event:
            case ev.InviteMade():
                self._invite(event)
            case ev.Invites(rows):
                self._invites(rows)
            case ev.Knocked():
                self._knocked(event)
            case ev.AdmissionProgress():
                self._admission(event)
            case ev.Roster():
                self._roster(event)
            case ev.Code(_, digits):
                self._long_code(digits)
            case ev.ShortCode():
                self._short_code(event)
            case ev.Comparison():
                if event.news:
                    self._speech.write(
                        Styled(self._speech.text(event.text), "bold" if event.changes else "dim")
                    )
            case ev.CodeAnswers(members=members):
                if any(member.same is not None for member in members):
                    self._speech.hint(event.text)
            case ev.Said() | ev.Image() | ev.Reacted():
                self._message(event)
            case ev.Held(messages):
                known, self._held = self._held, {(waiting.text, waiting.why) for waiting in messages}
                for waiting in messages:
                    if (waiting.text, waiting.why) in known:
                        continue
                    text = plain(waiting.text, lines=_CONTINUED)
                    self._speech.warn(sentence("terminal.held", text=text, why=waiting.why))
                if not messages:
                    self._speech.hint(sentence("terminal.held_over"))
            case ev.FileOffered() | ev.FileDone() | ev.FileFailed():
                self._file_event(event)
            case ev.StateTold():
                self._state(event)
            case ev.FileProgress() | ev.Pages():
                pass  # an alarm reports members with another page
            case ev.Vouched():
                self._vouched(event)
            case ev.BookChanged():
                key = "terminal.book_verified" if event.verified else "terminal.book"
                self._speech.say(key, name=event.name, digits=grouped(event.fingerprint))
            case ev.Alarm():
                self._alarm(event, incident)
            case ev.Status(kind, text):
                self._reports = self._reports or kind == "reports"
                self._speech.hint(text)
            case ev.PolicyChanged() | ev.Ended():
                self._speech.write(self._speech.text(event.text))

    def _alarm(self, event: ev.Alarm, incident: Incident | None) -> None:
        """Print the line of an incident that begins or changes: its colour is its severity."""
        found = rule_of(event.text)
        severity = None if found is None else found[1].severity
        if incident is None and severity in ("attention", "attack"):
            return  # it has been said, and is not over
        self._speech.warn(event.text, severity or "attention")
        if not self._hinted and event.kind not in _PLAIN:
            self._hinted = True  # one hint a meeting is enough
            self._speech.write(Styled("  " + self._speech.word("terminal.explain", kind=event.kind), "dim"))

    # -- codes -------------------------------------------------------------------------------------

    def _long_code(self, digits: str) -> None:
        self._speech.say("terminal.code", digits=Styled(grouped(digits), "bold yellow"))
        if digits == self._code:  # this code was printed before, so a person has asked for it
            self._code_art(digits)
        self._code = digits

    def _short_code(self, event: ev.ShortCode) -> None:
        if event.by is not None:
            self._speech.say("terminal.compares", name=bold(self._names.get(event.by, "")))
        spoken = [render("code.words", {}, language).split(" ") for language in ("en", self._speech.language)]
        word_of = dict(zip(*spoken, strict=True))
        pairs = (f"{e} {word_of[w]}" for e, w in zip(event.emoji, event.words, strict=True))
        self._speech.write("  ", Styled("   ".join(pairs).replace("\xad", ""), "bold yellow"))
        self._speech.say("terminal.read_words")

    def _code_art(self, digits: str) -> None:
        """Draw the rosette that the meeting page shows beside the code, if the terminal has room."""
        if self._console.is_terminal and self._console.width >= 2 * _CODE_ART_ROWS + 2:
            shape = code_art_of(digits)
            for line in blocks(shape, _CODE_ART_ROWS):
                self._speech.write("  ", Styled(line, COLOURS[shape.tint]))

    # -- invites and knocks ------------------------------------------------------------------------

    def _invite(self, event: ev.InviteMade) -> None:
        link = bold(event.link)
        if event.replaces is not None:
            self._speech.say("terminal.invite_new", link=link)
        elif event.index == 0:
            self._speech.say("terminal.invite_open", link=link)
        else:
            key = f"terminal.invite_{'for' if event.label else 'number'}{'_once' if event.once else ''}"
            self._speech.say(key, label=event.label, index=event.index, link=link)
        self._speech.say("terminal.invite_once_note" if event.once else "terminal.invite_note")

    def _invites(self, rows: tuple[ev.InviteRow, ...]) -> None:
        if not rows:
            self._speech.say("terminal.invites_none", command=bold('/invite --for "Ada" --once'))
        for row in rows:
            names = list(row.used_by)
            self._speech.say(
                "terminal.invite_row_over" if row.revoked else "terminal.invite_row",
                invite=invite_name(row.index, row.label),
                kind=sentence("terminal.invite_once" if row.once else "terminal.invite_many"),
                used=sentence("terminal.used_by", names=names) if names else sentence("terminal.not_used"),
            )

    def _knocked(self, event: ev.Knocked) -> None:
        self._speech.say(
            "terminal.knock_returning"
            if event.returning
            else "terminal.knock_greeting"
            if event.greeting
            else "terminal.knock",
            name=bold(event.name),
            invite=invite_name(event.invite, event.label),
            greeting=event.greeting,
            admit=bold(f"/admit {event.knock}"),
            refuse=bold(f"/refuse {event.knock}"),
        )
        if event.fingerprint is not None:
            identity = _identity(event.standing, event.contact, event.fingerprint)
            self._speech.say("terminal.knock_identity", identity=identity)
        for warning in event.warnings:
            self._speech.warn(warning)
        if event.proof is not None:
            replace = bold(f"/replace {event.knock}")
            self._speech.say("terminal.knock_replace", replace=replace, name=event.looks_like)

    def _admission(self, event: ev.AdmissionProgress) -> None:
        if event.of == event.left == 0:
            self._speech.say("terminal.admission_nobody")
        elif event.refused == event.of > 0:
            self._speech.say("terminal.admission_refused", n=event.of)
        elif event.of > 0:
            progress = sentence("terminal.admission", inside=event.inside, of=event.of)
            self._speech.hint(progress)
            if event.refused:
                self._speech.warn(sentence("terminal.admission_failed", n=event.refused))
        if event.left:
            self._speech.warn(sentence("terminal.admission_left", n=event.left, command="/admit N"))

    def _vouched(self, event: ev.Vouched) -> None:
        identity = _identity(event.standing, event.contact, event.fingerprint)
        self._speech.say("terminal.vouched", name=bold(event.name), identity=identity)
        for warning in event.warnings:
            self._speech.warn(warning)
        if event.standing != "verified":
            key = "terminal.vouched_hint_new" if event.standing == "new" else "terminal.vouched_hint"
            self._speech.hint(sentence(key, leaf=event.leaf))

    # -- messages, files and states ----------------------------------------------------------------

    def _message(self, event: ev.Said | ev.Image | ev.Reacted) -> None:
        name = bold(plain(event.name))
        match event:
            case ev.Said():
                words = plain(event.text, lines=_CONTINUED)
                self._speech.write(name, ": ", words, *self._short_id(event.id))
            case ev.Image():
                kind = event.mime.removeprefix("image/").upper()
                more: list[str | Styled] = [*self._stored(event.path), *self._short_id(event.id)]
                self._speech.say("terminal.picture", *more, name=name, kind=kind, size=len(event.data))
            case ev.Reacted():
                self._speech.write(name, f" {_SIGNS[event.reaction]}")

    def _file_event(self, event: ev.FileOffered | ev.FileDone | ev.FileFailed) -> None:
        match event:
            case ev.FileOffered():
                self._files[event.id] = event
                self._speech.say("terminal.file_sent", name=bold(event.name), file=_file(event))
            case ev.FileDone(file_id, _, path):
                file = _file(self._files.pop(file_id, None))
                self._speech.say("terminal.file_done", *self._stored(path), file=file)
            case ev.FileFailed(file_id, why):
                self._speech.say("terminal.file_failed", file=_file(self._files.pop(file_id, None)), why=why)

    def _stored(self, path: str | None) -> list[str]:
        return [] if path is None else [" " + self._speech.word("terminal.stored", path=path)]

    def _short_id(self, name: str) -> list[Styled]:
        """Return the short identifier by which a message can be reported; empty without reports."""
        return [Styled(f"  [{name[:8]}]", "dim")] if self._reports and name else []

    def _state(self, event: ev.StateTold) -> None:
        """Print a change that others should notice: a hand, a screen, a recording."""
        before = self._states.get(event.leaf)
        self._states[event.leaf] = event
        for now, was, begins, ends in (
            (event.hand, before is not None and before.hand, "hand_up", "hand_down"),
            (event.screen, before is not None and before.screen, "screen_on", "screen_off"),
            (event.recording, before is not None and before.recording, "recording_on", "recording_off"),
        ):
            if now != was:
                self._speech.say(f"terminal.{begins if now else ends}", name=bold(event.name))

    # -- members -----------------------------------------------------------------------------------

    def _roster(self, event: ev.Roster) -> None:
        self._names |= {m.leaf: m.name for m in event.members}
        by = self._names.get(event.by) if event.by is not None else None
        if not self._inside:
            self._inside = True
            self._speech.say("terminal.inside")
            if event.by is None and [m.host for m in event.members] == [True]:
                self._speech.hint(sentence("terminal.hosts_hint"))
        for newcomer in event.added:
            key = f"terminal.{'back' if event.rejoined else 'came'}{'' if newcomer.invite is None else '_by'}"
            self._speech.say(
                key,
                name=bold(newcomer.name),
                by=by or sentence("terminal.a_host"),
                invite=None
                if newcomer.invite is None
                else invite_name(newcomer.invite, newcomer.label or ""),
            )
        for member in () if event.rejoined else event.removed:
            key = "terminal.left" if member.leaf in event.left else "terminal.removed"
            self._speech.say(key, name=bold(member.name), by=by or sentence("terminal.some_host"))
        # without a limit, other than a list of names within a sentence
        people = ", ".join(
            self._speech.word("terminal.host", name=m.name) if m.host else plain(m.name)
            for m in event.members
        )
        self._speech.write("  ", self._speech.word("terminal.people", people=people))

    # -- this program ------------------------------------------------------------------------------

    def media(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print nothing: counters are not shown while the meeting runs."""

    def sending(self, rows: Iterable[OwnStats], round_trip: float | None) -> None:
        """Print nothing: counters are not shown while the meeting runs."""

    def note(self, kind: str, text: str, **more: Any) -> None:
        """Print a note about this program itself."""
        self._speech.hint(text)

    def warn(self, kind: str, text: str, **more: Any) -> None:
        """Print a note that a person must not miss."""
        self._speech.warn(text)

    def error(self, text: str, status: Status = Status.USAGE) -> Status:
        """Print the error that ends the program on standard error; return `status`, its exit status."""
        print(f"snug: {text}", file=sys.stderr)
        return status

    def summary(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Print a table of the frames received from each member."""
        listed = [row for row in rows if row[0].leaf is not None]
        if not listed:
            return
        table = Table(title=self._speech.word("terminal.frames"), title_justify="left")
        for heading in ("from", "stream"):
            table.add_column(self._speech.word(f"terminal.frames_{heading}"))
        for heading in ("opened", "decoded", "failed", "lost"):
            table.add_column(self._speech.word(f"terminal.frames_{heading}"), justify="right")
        for stats, name in listed:
            counters = (stats.opened, stats.decoded, stats.failed, stats.lost)
            table.add_row(Text(plain(name)), stats.kind, *(str(c) for c in counters))
        self._console.print(table)
