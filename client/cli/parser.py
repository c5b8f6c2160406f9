"""The commands of `snug`, and their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NoReturn

from snugroom.client.headless.status import MEANINGS, Status
from snugroom.installed import VERSION

#: Commands by the module that adds them, each with its line in the list of commands.
Commands = Mapping[str, Mapping[str, str]]
#: A participant's commands. Some modules take half a second to import: only the one of the command that runs
#: is imported. `snugroom.command` adds those of the laboratory.
COMMANDS: Final[Commands] = {
    "snugroom.client.cli.meeting": {"host": "open a meeting", "join": "knock with a link"},
    "snugroom.client.cli.permission": {
        "tokens": "exchange a voucher for tokens that open rooms, or count the tokens that you have"
    },
    "snugroom.client.cli.contacts": {"contacts": "manage your identity and your contacts, in a sealed file"},
    "snugroom.client.cli.evidence": {
        "evidence": "check or merge evidence that a server dropped a meeting",
        "report": "check a report of messages",
    },
    "snugroom.client.cli.explain": {
        "explain": "show what an alarm means, its possible causes, and what to do"
    },
    "snugroom.client.cli.page": {
        "page": "serve the meeting page to your own browser, from this machine",
        "verify-page": "compare the page that a server serves with this one: files, headers, redirects",
    },
}
#: Prints a script for one of `SHELLS`.
COMPLETION: Final = "--print-completion"
#: Shells that can complete the commands.
SHELLS: Final = ("bash", "zsh", "fish", "powershell")


class Parser(argparse.ArgumentParser):
    """Parses a command, or what follows it.

    If only the command is missing, it shows its help, with the status of a wrong usage. With `--json` among
    the arguments, an error in them is a line of JSON.
    """

    _has_commands = False
    _json = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._programs: dict[str, Callable[[Sequence[str]], int]] = {}

    def add_program(self, name: str, run: Callable[[Sequence[str]], int]) -> None:
        """Let `name`, as the first argument, run a program on the others, with a parser of its own."""
        self._programs[name] = run

    def add_subparsers(self, **options: Any) -> Any:
        """Add commands, as in argparse."""
        self._has_commands = True
        return super().add_subparsers(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, as in argparse; every parse goes through this method."""
        if self._has_commands and not args:
            self.print_help(sys.stderr)
            self.exit(Status.USAGE)
        if args and args[0] in self._programs:
            run, rest = self._programs[args[0]], args[1:]
            namespace = namespace or argparse.Namespace()
            namespace.run = lambda _: run(rest)
            return namespace, []
        self._json = "--json" in (args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print an error in the arguments, and end the program."""
        if self._json:
            from snugroom.client.headless.json_output import JsonOutput

            self.exit(JsonOutput().error(message))
        super().error(message)


class PrintCompletion(argparse.Action):
    """``--print-completion``: prints the script of a parser of all commands, and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, value: Any, option: Any = None) -> None:
        from snugroom.client.cli import completion

        print(completion.script(parser, value))
        parser.exit(Status.OK)


class _Described:
    """Adds commands with their lines of `COMMANDS`."""

    def __init__(self, commands: Any, lines: Mapping[str, str]) -> None:
        self._commands = commands
        self._lines = lines

    def add_parser(self, name: str, **options: Any) -> Any:
        return self._commands.add_parser(name, help=self._lines[name], **options)


def parser(only: str | None = None, more: Commands = MappingProxyType({})) -> argparse.ArgumentParser:
    """Return the parser of `COMMANDS` and `more`. Each command sets `run`: arguments in, exit status out.

    With `only`, this command alone has its options, and only its module is imported.
    """
    made = Parser(
        prog="snug",
        description="Meetings that their server carries and cannot read.",
        epilog="Exit status: "
        + ", ".join(f"{int(status)} {short}" for status, (short, _) in MEANINGS.items())
        + ".",
    )
    made.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    made.add_argument(
        COMPLETION,
        action=PrintCompletion,
        choices=SHELLS,
        help="print a script that completes commands and options in this shell",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module, lines in (*COMMANDS.items(), *more.items()):
        described = _Described(commands, lines)
        if only is None or only in lines:
            import_module(module).add_parser(described)
        else:
            for name in lines:
                described.add_parser(name)
    return made
