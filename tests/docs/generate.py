"""Writes the parts of the reference that the code knows: ``python -m tests.docs.generate``.

A page has text by hand, the line `MARK`, and below it a generated part. The settings' descriptions are in the
docstrings of `Settings` and its tables; the command line's are in the parsers; the index of the alarms has
those of the catalogue of sentences; the lab's scenes and the models in `docs/model` describe themselves. The
tables of verdicts in the README and the threat model are written where they stand.

`test_generated.py` fails if a page is stale.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from inspect import getdoc
from pathlib import Path
from typing import Final

import msgspec
from msgspec import inspect

from snugroom import command as snug
from snugroom import schema
from snugroom.client.headless.status import MEANINGS
from snugroom.client.session.catalogue.sentence import table
from snugroom.client.session.incidents import SEVERITIES, rules
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.bench.availability import goals
from snugroom.lab.bench.availability import scenes as availability_scenes
from snugroom.lab.bench.availability.lease import AS_BUILT
from snugroom.lab.hostile import __main__ as hostile
from snugroom.lab.leakage import run as leakage
from snugroom.server import __main__ as server
from snugroom.server import tokens
from snugroom.server.config import Settings
from snugroom.server.disclosure import command as disclose
from snugroom.server.doctor import command as doctor
from snugroom.server.nodes.settings import NodeSettings
from snugroom.server.setup import command as setup
from snugroom.server.sfu.limits import MediaLimits
from tests.docs import differences, layouts, python_api
from tests.model import run

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = ROOT / "docs" / "reference"
MARK: Final = "<!-- Below this line, `python -m tests.docs.generate` writes this page. -->\n"


# -- settings --------------------------------------------------------------------------------


def described(kind: type[msgspec.Struct]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each group of a struct's docstring: its title, and the description of each of its fields."""
    # the compiler removes the indentation from Python 3.13 on
    groups = re.findall(r"^(\w.*)\n((?: {4}.+\n)+)", f"{getdoc(kind)}\n", re.MULTILINE)
    for title, text in groups:
        entries = re.findall(r"^ {4}(\w+): (.+\n(?: {8}.+\n)*)", text, re.MULTILINE)
        yield title, {name: " ".join(told.split()).replace("``", "`").rstrip(".") for name, told in entries}


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.gt is not None:
        return f", above {kind.gt:,}" + (f", up to {kind.le:,}" if kind.le is not None else "")
    return f", {kind.ge:,} to {kind.le:,}" if None not in (kind.ge, kind.le) else ""


def type_name(kind: inspect.Type) -> str:
    """Return a setting's type in words, with its bounds."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "integer" + _bounds(kind)
        case inspect.FloatType():
            return "number" + _bounds(kind)
        case inspect.StrType():
            return "text"
        case inspect.LiteralType():
            return " or ".join(f'`"{value}"`' for value in kind.values)
        case inspect.StructType():
            return "table"
        case inspect.ListType() | inspect.VarTupleType():
            return f"list; each: {type_name(kind.item_type)}"
        case inspect.UnionType() if kind.includes_none and len(kind.types) == 2:
            return next(type_name(t) for t in kind.types if not isinstance(t, inspect.NoneType))
    raise TypeError(f"no words for {kind}")


def _default(value: object) -> str:
    if isinstance(value, msgspec.Struct):
        return "the tables below"
    return "none" if value is None else f"`{json.dumps(value)}`"


def _settings_of(kind: type[msgspec.Struct], prefix: str, level: str) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    defaults = kind()
    for title, entries in described(kind):
        yield f"{level} {title}\n\n| Setting | Type | Default | Meaning |\n|---|---|---|---|"
        for name, meaning in entries.items():
            of = type_name(inspect.type_info(fields.pop(name).type))
            yield f"| `{prefix}{name}` | {of} | {_default(getattr(defaults, name))} | {meaning} |"
        yield ""
    if fields:
        raise ValueError(f"the docstring of {kind.__name__} does not describe {', '.join(fields)}")


#: Tables of the settings file, and their structs.
TABLES_OF_SETTINGS: Final[dict[str, type[msgspec.Struct]]] = {"media": MediaLimits, "nodes": NodeSettings}


def settings() -> str:
    """Return the tables of all settings."""
    lines = [*_settings_of(Settings, "", "##")]
    for name, kind in TABLES_OF_SETTINGS.items():
        lines += _settings_of(kind, f"{name}.", "###")
    return "\n".join(lines).rstrip() + "\n"


# -- the command line ------------------------------------------------------------------------


def _values(action: argparse.Action) -> str:
    name = action.metavar if isinstance(action.metavar, str) else None
    if name is None:
        name = "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
    many = {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]", 0: ""}
    return many.get(action.nargs if action.nargs is not None else 1, name)


def _named(action: argparse.Action) -> str:
    return " ".join((*action.option_strings, *filter(None, [_values(action)])))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _command(parser: argparse.ArgumentParser, about: str) -> Iterator[str]:
    """Yield the lines about a command and those below it, in the parser's order."""
    actions = [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]
    below = [a for a in actions if isinstance(a, argparse._SubParsersAction)]
    arguments = [a for a in actions if not a.option_strings and a not in below]
    options = [a for a in actions if a.option_strings]
    words = [parser.prog, *(["[OPTIONS]"] if options else []), *map(_values, arguments)]
    yield f"## `{parser.prog}`\n\n*{about.rstrip('.')}*\n"
    yield f"    {' '.join([*words, *(['COMMAND ...'] if below else [])])}\n"
    shown = [*(a for a in arguments if a.help), *options]
    rows = [f"| `{_cell(_named(a))}` | {_cell(a.help or '')} |" for a in shown]
    if rows:
        yield "\n".join(("| | |\n|---|---|", *rows, ""))
    for group in below:
        told = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for name, child in group.choices.items():
            yield from _command(child, told[name])


def command_line() -> str:
    """Return all commands of `snug` and `snug-server` with their options."""
    of_servers = (server.parser(), disclose.parser(), doctor.parser(), setup.parser(), tokens.parser())
    parsers = (snug.parser(), leakage.parser(), hostile.parser(), *of_servers)
    lines = [line for parser in parsers for line in _command(parser, parser.description or "")]
    return "\n".join((*_statuses(), *lines)).rstrip() + "\n"


def _statuses() -> Iterator[str]:
    """Yield the table of exit statuses."""
    yield "## Exit statuses\n\nOf all commands of `snug`:\n\n| | | |\n|---|---|---|"
    for status, (short, long) in MEANINGS.items():
        yield f"| {int(status)} | {short} | {long} |"
    yield (
        "\nSIGTERM leaves a meeting as `/leave` does. A second Ctrl-C ends the program at once. "
        "Ctrl-C\nis how `snug page` and `snug demo --lecture` end: their status is 0.\n"
    )


# -- the alarms ------------------------------------------------------------------------------

#: The parts of the index, by the word `about` in the catalogue of sentences.
_ALARMS: Final = {
    "listening": "Somebody may be listening, or speaking for somebody else",
    "kept_out": "Somebody is kept out, or kept from being heard",
    "tried": "A member, or the server, tried something",
    "lost": "Something is lost, or on its way back",
    "program": "This program, or its files",
}


def _example(kind: str) -> str:
    """Return the first sentence of an alarm's example, the quote on its page."""
    page = (REFERENCE / "alarms" / f"{kind}.md").read_text(encoding="utf-8")
    quote = " ".join(" ".join(re.findall(r"^> ?(.*)$", page, re.MULTILINE)).split())
    (first, *_) = re.split(r"(?<=\.)\s(?=[A-Z])", quote)
    return first if first.endswith((".", ".*")) else f"{first}."


def _severities(kind: str) -> str:
    """Return the severities that an alarm of this kind can have."""
    found = {rule.severity for key, rule in rules().items() if f"{key}.".startswith(f"alarm.{kind}.")}
    return ", ".join(each for each in reversed(SEVERITIES) if each in found)


def alarms() -> str:
    """Return the index of the alarms: those of the catalogue, in its order."""
    parts: dict[str, list[str]] = {about: [] for about in _ALARMS}
    for name in ("alarms", "terminal"):
        for key, row in table(name).items():
            if "about" in row:
                kind = key.split(".")[1]
                cells = (f"[{kind}]({kind}.md)", _severities(kind), _example(kind))
                parts[row["about"]].append(f"| {' | '.join(cells)} |")
    chapters = (
        "\n".join((f"## {_ALARMS[about]}\n\n| Kind | Severity | Sentence |\n|---|---|---|", *rows))
        for about, rows in parts.items()
    )
    return "\n\n".join(chapters) + "\n"


# -- the lab ---------------------------------------------------------------------------------

#: The headings of the lab's page, by theme.
_THEMES: Final = {
    "entering": "Getting in",
    "ending": "Ending, and silence",
    "media": "Sound and pictures",
    "slots": "Words and slots",
    "membership": "Membership over time",
    "plainly": "Said plainly",
}


def lab() -> str:
    """Return the tables of all scenes, in the order of their definition."""
    themes: dict[str, list[str]] = {theme: [] for theme in _THEMES}
    for scene in SCENES:
        themes[scene.theme].append(
            f"| `{scene.id}` | {scene.mirrors} | {scene.documented} "
            f"| {scene.documented.proof()} | {scene.documented.severity} | {scene.prediction} |"
        )
    head = (
        "| Scene | Mirrors | Documented | Proof | Severity | What is predicted |\n|---|---|---|---|---|---|"
    )
    chapters = ("\n".join((f"### {_THEMES[theme]}\n\n{head}", *rows)) for theme, rows in themes.items())
    return "\n\n".join(chapters) + "\n"


# -- the verdicts in the threat model and the README -------------------------------------------

#: The heading of the scenes that mirror the field; those of the case begin with its number.
_FIELD: Final = "The classic attacks"


def _acts(threat_model: str) -> dict[str, str]:
    """Return the headings of the threat model that have scenes, by what these mirror."""
    found = re.findall(rf"^### ((\d)\. .+|{_FIELD})$", threat_model, re.MULTILINE)
    return {f"case {number}" if number else "field": title for title, number in found}


def _table(text: str, heading: str, head: str, rows: list[str]) -> str:
    """Put the rows below the first `head` under a heading, in place of those that are there."""
    start = text.index(f"{head}\n", text.index(f"\n{heading}\n")) + len(head)
    return "\n".join((text[:start], *rows)) + text[text.index("\n\n", start) :]


def threat_model(text: str) -> str:
    """Return the threat model with the verdicts of now."""
    for mirrors, title in _acts(text).items():
        rows = [f"| `{scene.id}` | {scene.documented} |" for scene in SCENES if scene.mirrors == mirrors]
        text = _table(text, f"### {title}", "| Scene | Verdict |\n|---|---|", rows)
    return text


def readme(text: str) -> str:
    """Return the README with the verdicts of now."""
    acts = _acts((ROOT / "docs/explanation/threat-model.md").read_text(encoding="utf-8"))
    rows: list[str] = []
    for mirrors, title in acts.items():
        act = re.sub(r"(^|\. )(\w)", lambda found: found[1] + found[2].lower(), title) + " "
        for scene in SCENES:
            if scene.mirrors == mirrors:
                rows.append(f"| {act}| `{scene.id}` | {scene.documented} |")
                act = ""
    heading = "## What a hostile operator can do"
    return _table(text, heading, "| The operator ... | Scene | Verdict |\n|---|---|---|", rows)


# -- availability ----------------------------------------------------------------------------


def availability() -> str:
    """Return the goals and scenes of `snug bench availability`."""
    lines = ["## Goals\n", "| Goal | Wanted |", "|---|---|"]
    for target in goals.targets(AS_BUILT):
        bound = "at least" if target.least else "at most"
        lines.append(f"| {target.text} | {bound} {target.wanted:g} {target.unit}".rstrip() + " |")
    lines += ["\n## Scenes\n", "| Scene | Power | What happens | Goal |", "|---|---|---|---|"]
    lines += [f"| `{s.name}` | {s.power} | {s.about} | {s.goal} |" for s in availability_scenes.SCENES]
    return "\n".join(lines) + "\n"


# -- the models ------------------------------------------------------------------------------


def models() -> str:
    """Return the properties of all models, with the mutants and limits that break them."""
    return "\n".join(line for model in run.models() for line in _model(model)).rstrip() + "\n"


def _model(model: run.Model) -> Iterator[str]:
    title = model.path.read_text(encoding="utf-8").split("/* ", 1)[1].split("(", 1)[0].strip()
    yield f"## `{model.path.stem}`: {title[0].lower()}{title[1:]}\n"
    yield "| Property | Meaning | Is violated by |\n|---|---|---|"
    for name, meaning in model.properties.items():
        found = [check for check in model.checks if check.breaks == name]
        mutants = "; ".join(
            f"{'limit ' if check.kind == 'limit' else ''}`{check.definitions[0]}`: {check.text}"
            for check in found
        )
        yield f"| `{name}` | {_cell(meaning)} | {_cell(mutants)} |"
    if any(check.cycles for check in model.checks):
        yield "| every run ends | no order of steps goes round in circles | |"
    yield ""


# -- the pages -------------------------------------------------------------------------------

PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings,
    "command-line.md": command_line,
    "alarms/README.md": alarms,
    "lab.md": lab,
    "availability.md": availability,
    "models.md": models,
    "python-api.md": python_api.page,
    "where-the-page-differs.md": differences.page,
}


#: Files that are generated as a whole.
FILES: Final[dict[str, Callable[[], str]]] = {
    "events.schema.json": schema.json_schema,
    "events.d.ts": schema.typescript,
}

#: Pages with generated tables or layouts, by their paths from the root.
TABLES: Final[dict[str, Callable[[str], str]]] = {
    "docs/explanation/threat-model.md": threat_model,
    "docs/reference/protocol.md": layouts.protocol,
    "README.md": readme,
}


def with_tables(name: str) -> str:
    """Return the page as it should be, with the tables of now."""
    return TABLES[name]((ROOT / name).read_text(encoding="utf-8"))


def page(name: str) -> str:
    """Return the page as it should be: its part by hand, and the generated part of now."""
    by_hand, mark, _ = (REFERENCE / name).read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise ValueError(f"{name} has no line {MARK!r}")
    return f"{by_hand}{MARK}\n{PAGES[name]()}"


def main() -> None:
    for name in PAGES:
        (REFERENCE / name).write_text(page(name), encoding="utf-8")
    for name, make in FILES.items():
        (REFERENCE / name).write_text(make(), encoding="utf-8")
    for name in TABLES:
        (ROOT / name).write_text(with_tables(name), encoding="utf-8")


if __name__ == "__main__":
    main()
