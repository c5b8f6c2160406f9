"""The commands of `snug`, and their options."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

from snugroom.client.cli.status import MEANINGS, Status
from snugroom.installed import VERSION

#: Each command with its line in the list of commands, by the module that adds it. Some modules take half a
#: second to import: only the one of the command that runs is imported.
COMMANDS: Final[dict[str, dict[str, str]]] = {
    "meeting": {"host": "open a meeting", "join": "knock with a link"},
    "permission": {
        "tokens": "exchange a voucher for tokens that open rooms, or count the tokens that you have"
    },
    "contacts": {"contacts": "manage your identity and your contacts, in a sealed file"},
    "evidence": {
        "evidence": "check or merge evidence that a server dropped a meeting",
        "report": "check a report of messages",
    },
    "explain": {"explain": "show what an alarm means, its possible causes, and what to do"},
    "page": {
        "page": "serve the meeting page to your own browser, from this machine",
        "verify-page": "compare the page that a server serves with this one: files, headers, redirects",
    },
    "crowd": {"crowd": "load a server: let many participants join a meeting, and say what they observed"},
    "schema": {"schema": "print the types of the lines of --json, as JSON Schema"},
    "tools": {
        "demo": "hold a whole meeting on this machine, and show what its server saw",
        "lab": "play every act of a hostile operator on a live meeting here",
        "bench": "measure, as ratios within one run",
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

    def add_subparsers(self, **options: Any) -> Any:
        """Add commands, as in argparse."""
        self._has_commands = True
        return super().add_subparsers(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, as in argparse; every parse goes through this method."""
        if self._has_commands and not args:
            self.print_help(sys.stderr)
            self.exit(Status.USAGE)
        self._json = "--json" in (args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print an error in the arguments, and end the program."""
        if self._json:
            from snugroom.client.cli.json_output import JsonOutput

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

    def __init__(self, commands: Any, lines: dict[str, str]) -> None:
        self._commands = commands
        self._lines = lines

    def add_parser(self, name: str, **options: Any) -> Any:
        return self._commands.add_parser(name, help=self._lines[name], **options)


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser. Each command sets `run`: arguments in, exit status out.

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
    for module, lines in COMMANDS.items():
        described = _Described(commands, lines)
        if only is None or only in lines:
            import_module(f"snugroom.client.cli.{module}").add_parser(described)
        else:
            for name in lines:
                described.add_parser(name)
    return made
