"""The commands on the pages, and what is wrong with one: for `test_commands.py`.

A block of commands is fenced with the language ``sh``, or indented with a program at its beginning. In a
transcript, the lines after ``$ `` are commands. Lines that begin with ``/`` are typed in a meeting.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from snugroom import command as snug
from snugroom.client.headless import commands as typed
from snugroom.client.session.catalogue.sentence import CommandError
from snugroom.lab.attacks.command import chosen_scenes
from snugroom.lab.hostile import __main__ as hostile
from snugroom.lab.hostile.run import chosen_acts
from snugroom.lab.leakage import run as leakage
from snugroom.server import __main__ as server
from snugroom.server import tokens
from snugroom.server.disclosure import command as disclose
from snugroom.server.doctor import command as doctor
from snugroom.server.setup import command as setup
from tests.docs.structure import ROOT

#: These lists are generated from the parsers, or compared with them (test_generated.py, test_docs.py).
GENERATED: Final = {"docs/reference/command-line.md"}
#: Programs of examples, and words of the shell. The programs of this machine say nothing about a page.
_PROGRAMS: Final = {
    "snug", "snug-server", "make", "uv", "pip", "pipx", "git", "export", "read", "until", "scp", "curl",
    "apt-get", "docker", "podman", "npm", "systemctl", "sudo", "echo", "python3", "sha256sum",
}  # fmt: skip
#: Words of the shell that stand before a command.
_BEFORE: Final = {"do", "then", "else", "until", "while", "if", "!", "exec", "{"}
_FENCE: Final = re.compile(r"^ *(`{3,}|~{3,})(\S*)")
#: Options of pytest that take a value.
_VALUES: Final = {"-n", "-p", "-o", "-m", "-k"}
#: Names that an example gives to the members of a meeting.
_MEMBERS: Final = {0: "Ada", 1: "Bo", 2: "Cem", 3: "Eve"}


@dataclass(frozen=True)
class Command:
    """One command, without its comment. `page`: from the root; `line`: of the block, from 1."""

    page: str
    line: int
    text: str


@dataclass(frozen=True)
class _Block:
    line: int
    language: str | None  # None: indented
    lines: tuple[str, ...]


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the blocks of code of a page."""
    lines = text.splitlines()
    at, blank = 0, True
    while at < len(lines):
        start = at
        if fence := _FENCE.match(lines[at]):
            at = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == fence[1]), len(lines))
            yield _Block(start + 1, fence[2], tuple(line.strip() for line in lines[start + 1 : at]))
            blank = True
        elif lines[at].startswith("    ") and lines[at].strip() and blank:
            while at + 1 < len(lines) and (lines[at + 1].startswith("    ") or not lines[at + 1].strip()):
                at += 1
            yield _Block(start + 1, None, tuple(line.removeprefix("    ") for line in lines[start : at + 1]))
            blank = True
        else:
            blank = not lines[at].strip()
        at += 1


def _is_program(word: str) -> bool:
    return word in _PROGRAMS or "/bin/" in word


def _uncommented(line: str) -> str:
    return re.sub(r"(^|\s+)# .*$", "", line).rstrip()


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that are not empty; with a quotation that goes on, the lines up to its end together."""
    open_lines: list[str] = []
    for line in filter(None, lines):
        open_lines.append(line)
        text = "\n".join(open_lines)
        with contextlib.suppress(ValueError):
            shlex.split(text)
            open_lines = []
            yield text if "'" in text else " ".join(text.split())
    if open_lines:
        raise ValueError(f"a quotation has no end: {open_lines[0]}")


def commands(page: str, text: str) -> Iterator[Command]:
    """Yield the commands of a page, in their order; a line that ends with a backslash goes on."""
    for block in _blocks(text):
        first = next((line for line in block.lines if line.strip()), "")
        word = first.removeprefix("$ ").partition(" ")[0]
        if block.language not in (None, "sh") or re.match(r"# /\S", first):
            continue  # output, or a file
        if block.language is None and not (_is_program(word) or re.match(r"/[a-z]+\b(?!/)", first)):
            continue
        joined = "\n".join(block.lines).replace("\\\n", " ").splitlines()
        if first.startswith("$ "):
            joined = [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]
        yield from (Command(page, block.line, text) for text in _whole(map(_uncommented, joined)))


# -- what is wrong with a command ------------------------------------------------------------


def problems(text: str) -> list[str]:
    """Return what is wrong with a line of a shell, or of a meeting; nothing if it is right."""
    if re.match(r"/[a-z]+\b(?!/)", text):
        return [problem for part in re.split(r"\s+(?=/[a-z])", text) for problem in _typed(part)]
    return [problem for words in _simple(text) for problem in _checked(words)]


def _typed(line: str) -> list[str]:
    try:
        typed.parse_human(line, _MEMBERS)
    except CommandError as error:
        return [f"{line}: {error}"]
    return []


def _simple(text: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a line."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    tokens_of = iter(lexer)
    for token in tokens_of:
        if token in ("<", ">", ">>"):
            next(tokens_of, None)
        elif set(token) <= set("();<>|&"):
            yield words
            words = []
        else:
            words.append(token)
    yield words


def _checked(words: list[str]) -> list[str]:
    while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
        words = words[1:]
    if not words:
        return []
    missing = [word for word in words if (found := _of_repository(word)) and not found.exists()]
    if missing:
        return [f"{word} does not exist" for word in missing]
    check = _CHECKS.get(words[0].rpartition("/")[2])
    return check(words[1:]) if check is not None else []


def _of_repository(word: str) -> Path | None:
    """Return the file of the repository that a word names, if it is the name of one."""
    found = re.fullmatch(r"(?:/usr/src/snug/)?((?:packaging|tests|client|server|crypto|docs)/[\w./-]+)", word)
    return ROOT / found[1] if found else None


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(words)
    except SystemExit as ended:
        if ended.code not in (0, None):
            return [f"{parser.prog} {shlex.join(words)}: {told.getvalue().strip().splitlines()[-1]}"]
    return []


@cache
def _of_snug() -> argparse.ArgumentParser:
    return snug.parser()


@cache
def _of_lab() -> dict[str, argparse.ArgumentParser]:
    return {"leakage": leakage.parser(), "serve": hostile.parser()}


def _snug(words: list[str]) -> list[str]:
    if words[:1] == ["lab"] and words[1:2] and words[1] in _of_lab():
        found = _parsed(_of_lab()[words[1]], words[2:])
        if words[1] == "serve" and not found:
            try:
                chosen_acts(hostile.parser().parse_args(words[2:]).acts or "all")
            except ValueError as error:
                found.append(str(error))
        return found
    found = _parsed(_of_snug(), words)
    if words[:1] == ["lab"] and not found:
        wanted = _of_snug().parse_args(words).scenes
        try:
            chosen_scenes(wanted)
        except ValueError as error:
            found.append(f"snug {shlex.join(words)}: {error}")
    return found


@cache
def _of_server() -> dict[str, argparse.ArgumentParser]:
    modules = (disclose, doctor, setup, tokens)
    return {(parser := module.parser()).prog.split()[1]: parser for module in modules}


def _snug_server(words: list[str]) -> list[str]:
    if words == ["--version"]:
        return []
    if words and words[0] in _of_server():
        # a process is named by a variable of the shell
        return _parsed(_of_server()[words[0]], ["1" if word.startswith("$") else word for word in words[1:]])
    return _parsed(server.parser(), words)


def _make(words: list[str]) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*(?: [a-z][\w-]*)*):(?!=)", makefile, re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    named = [word for word in words if re.fullmatch(r"[a-z][\w-]*", word)]
    if words[:1] == ["-C"]:
        named = named[1:]
    return [f"make has no target {name}" for name in named if name not in known]


def _python(words: list[str]) -> list[str]:
    match words:
        case ["-m", "pytest", *options]:
            paths = (
                word for before, word in zip(["", *options], options, strict=False) if before not in _VALUES
            )
            return [
                f"{path} does not exist" for path in paths if path[0] != "-" and not (ROOT / path).exists()
            ]
        case ["-m", "tests.model.run", *options]:
            models = {path.stem for path in (ROOT / "docs/model").glob("*.pml")}
            named = options[:1] if options and not options[0].startswith("-") else []
            return [f"there is no model {name}" for name in named if name not in models]
        case ["-m", module, *_] if find_spec(module) is None:
            return [f"there is no module {module}"]
        case ["client/web/node.py", what, *_] if what not in ("build", "check", "note", "unit"):
            return [f"node.py has no command {what}"]
    return []


_CHECKS: Final[dict[str, Callable[[list[str]], list[str]]]] = {
    "snug": _snug,
    "snug-server": _snug_server,
    "make": _make,
    "python": _python,
    "python3": _python,
}


# -- commands inside of sentences ------------------------------------------------------------


def inline(text: str) -> Iterator[str]:
    """Yield what the sentences and tables of a page name as a command of `snug`, `snug-server` or make."""
    without = re.sub(r"^ *(```|~~~).*?^ *\1", "", text, flags=re.MULTILINE | re.DOTALL)
    without = re.sub(r"^ {4}.*$", "", without, flags=re.MULTILINE)
    for code in re.findall(r"(?<!`)`((?:snug|snug-server|make) [^`]+)`(?!`)", without):
        yield " ".join(code.replace(r"\|", "|").split())


def named_wrongly(text: str) -> list[str]:
    """Return the commands and options that do not exist, in a name that may lack arguments."""
    words = text.split()
    if words[0] == "make":
        return _make(words[1:2]) if re.fullmatch(r"[a-z][\w-]*", words[1]) else []
    parser = _of_snug() if words[0] == "snug" else server.parser()
    rest = words[1:]
    if words[0] == "snug-server" and rest and rest[0] in _of_server():
        parser, rest = _of_server()[rest[0]], rest[1:]
    elif rest[:1] == ["lab"] and rest[1:2] and rest[1] in _of_lab():
        parser, rest = _of_lab()[rest[1]], rest[2:]
    while below := [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]:
        if rest[:1] == ["..."]:
            # any of the commands below
            return [] if any(not _unknown(child, rest) for child in below[0].choices.values()) else [text]
        if not rest or not re.fullmatch(r"[a-z][a-z-]*", rest[0]):
            break
        if rest[0] not in below[0].choices:
            return [f"{parser.prog} has no command {rest[0]}"]
        parser, rest = below[0].choices[rest[0]], rest[1:]
    return _unknown(parser, rest)


def _unknown(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    options = [found for word in words for found in re.findall(r"^\[?(--[a-z][a-z-]*)", word)]
    return [f"{parser.prog} has no {name}" for name in options if name not in parser._option_string_actions]
