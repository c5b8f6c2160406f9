"""The steps of an operator's page, read from its Markdown, and their execution on machines.

Each fenced block of such a page is a step:

- Language ``sh``: commands. They run as root, as written; an error ends the page. The next block begins in
  the folder where this one ended. A line ``scp MACHINE:/path /path`` copies between the machines, which have
  no ssh.
- A first line ``# /path``, in any language: the block is the content of that file.
- Language ``text``: the output of the commands before it. Its lines come in this order; ``…`` stands for
  anything.

An HTML comment above a block, which readers don't see, changes that. Several are joined with semicolons.

- ``<!-- on NAME -->``: another machine than ``server``.
- ``<!-- with NAME -->``: a variant. The page is executed once with each, without the blocks of the others.
- ``<!-- keeps running -->``: the command, one only, doesn't end. It runs until the page does.
- ``<!-- not run: REASON -->``: nothing is executed.

Anything else is an error: a page has no command that nobody runs. Code that is indented is an error too.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.hosting.machine import CommandError, Machine
from tests.patience import PATIENCE

#: The machine of blocks that name none.
SERVER: Final = "server"
_FENCE: Final = re.compile(r"^( *)(`{3,}|~{3,})(\S*) *(.*)$")
_COMMENT: Final = re.compile(r"^ *<!-- (.*) -->$")
_SCP: Final = re.compile(r"^scp ([\w-]+):(/\S+) (/\S+)$", re.MULTILINE)
_FILE: Final = re.compile(r"^# (/[\w./@-]+)(?:[:,] .*)?$")
#: Seconds of a block: the longest waits for a certificate, on a busy machine.
STEP_MAX: Final = 150.0
#: Where files of other machines come to, before `scp` is run as `cp`.
_CAME: Final = "/run/copied"
#: Where a machine notes the folder in which a block ended, and a word of the shell for that folder.
_FOLDER: Final = "/run/steps-folder"
_ENDED: Final = f'"$(cat {_FOLDER} 2>/dev/null || echo /root)"'


class PageError(ValueError):
    """A block of a page is no step. The text names the line and the reason."""


@dataclass(frozen=True)
class Step:
    """One block. `line`: of its fence. `kind`: run, keep (keeps running), write, output, or skip."""

    line: int
    kind: str
    text: str
    machine: str = SERVER
    variant: str | None = None
    path: str = ""


def steps(page: str) -> list[Step]:
    """Return the steps of a Markdown page. PageError."""
    found: list[Step] = []
    lines = page.splitlines()
    at, comment, blank = 0, "", True
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.match(line):
            indent, mark, language = fence[1], fence[2], fence[3]
            end = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == mark), None)
            if end is None:
                raise PageError(f"line {at + 1}: the block has no end")
            text = "".join(f"{each.removeprefix(indent)}\n" for each in lines[at + 1 : end])
            found.append(_step(at + 1, language, text, comment, found))
            at, comment, blank = end, "", True
        elif line.strip():
            if line.startswith("    ") and blank and not _in_list(lines[:at]):
                raise PageError(f"line {at + 1}: indented code can't say what it is: fence it")
            comment, blank = (told[1] if (told := _COMMENT.match(line)) else ""), False
        else:
            blank = True
        at += 1
    return found


def _in_list(before: Sequence[str]) -> bool:
    """Whether indented lines after these belong to an entry of a list."""
    last = next((line for line in reversed(before) if line.strip() and not line.startswith(" ")), "")
    return re.match(r"([-*]|\d+\.) ", last) is not None


def _step(line: int, language: str, text: str, comment: str, before: Sequence[Step]) -> Step:
    machine, variant, keep = SERVER, None, False
    for word in filter(None, (part.strip() for part in comment.split(";"))):
        if word.startswith("not run: ") and len(word.split()) > 3:
            return Step(line, "skip", word.removeprefix("not run: "))
        elif word.startswith("on "):
            machine = word.removeprefix("on ")
        elif word.startswith("with "):
            variant = word.removeprefix("with ")
        elif word == "keeps running":
            keep = True
        else:
            raise PageError(f"line {line}: {word!r} is no word about a step (tests/hosting/steps.py)")
    if language == "sh":
        return Step(line, "keep" if keep else "run", text, machine, variant)
    if keep:
        raise PageError(f"line {line}: only commands (sh) keep running")
    if named := _FILE.match(text.partition("\n")[0]):
        return Step(line, "write", text, machine, variant, named[1])
    if language == "text":
        last = next((step for step in reversed(before) if step.kind in ("run", "keep")), None)
        if last is None:
            raise PageError(f"line {line}: no command is before this output")
        return Step(line, "output", text, last.machine, variant or last.variant)
    raise PageError(
        f"line {line}: a block of {language or 'no language'} that is neither commands (sh), nor a file "
        "(first line `# /path`), nor output (text), nor marked `not run: REASON`"
    )


def variants(page: Sequence[Step]) -> list[str | None]:
    """Return the names of a page's variants; [None] if it has none."""
    return list(dict.fromkeys(step.variant for step in page if step.variant is not None)) or [None]


def missing(wanted: str, output: str) -> str | None:
    """Return the first line of `wanted` that `output` lacks, in order; None if it has all."""
    lines = iter(output.splitlines())
    for line in filter(None, (line.strip() for line in wanted.splitlines())):
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        if not any(pattern.fullmatch(each.strip()) for each in lines):
            return line
    return None


class _Kept:
    """A command that keeps running, and what it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def output(self) -> str:
        return "".join(self.lines)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Execution:
    """Executes steps. `machine` returns the machine with a name."""

    def __init__(self, machine: Callable[[str], Machine]) -> None:
        self._machine = machine
        self._kept: list[_Kept] = []
        self._output: Callable[[], str] = str

    def execute(self, page: Sequence[Step], variant: str | None = None) -> None:
        """Execute a page. CommandError names the line and the output."""
        try:
            for step in page:
                if step.variant in (None, variant):
                    self._execute(step)
        finally:
            for kept in self._kept:
                kept.end()

    def _execute(self, step: Step) -> None:
        machine = self._machine(step.machine)
        match step.kind:
            case "write":
                machine.write(step.path, step.text)
            case "run":
                for source, path, target in _SCP.findall(step.text):
                    machine.write(_CAME + target, self._machine(source).run(f"cat {path}"))
                done = machine.attempt(_in_folder(_SCP.sub(f"cp {_CAME}\\3 \\3", step.text)), STEP_MAX)
                if done.returncode:
                    journal = machine.attempt("journalctl --no-pager --output=cat --lines=20").stdout
                    raise CommandError(
                        f"line {step.line}, on {step.machine}:\n{step.text}ended with {done.returncode}:\n"
                        f"{done.stdout[-4000:]}\nThe journal:\n{journal}"
                    )
                self._output = lambda: done.stdout
            case "keep":
                kept = _Kept(machine.start("bash", "-c", f"cd {_ENDED}\nexec env {step.text}"))
                self._kept.append(kept)
                self._output = kept.output
            case "output":
                self._expect(step)

    def _expect(self, step: Step) -> None:
        end = time.monotonic() + PATIENCE
        running = [kept.process for kept in self._kept if kept.output == self._output]
        while (line := missing(step.text, self._output())) is not None:
            if not running or running[0].poll() is not None or time.monotonic() > end:
                raise CommandError(f"line {step.line}: no line {line!r} in this output:\n{self._output()}")
            time.sleep(0.05)


def _in_folder(commands: str) -> str:
    """Return commands that begin where the block before ended."""
    return f"cd {_ENDED}\n{commands}\npwd > {_FOLDER}\n"


def skipped(page: Sequence[Step]) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each block that is not run."""
    for step in page:
        if step.kind == "skip":
            yield step.line, step.text
