"""What opens a room where not anyone may, on the command line: a password, a voucher, a file of tokens."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from snugroom.client.cli import event_loop, language, proxy_option
from snugroom.client.cli.arguments import first_line, usage
from snugroom.client.files.sealed_file import SealedFileError
from snugroom.client.files.token_file import TokenFile, default_path
from snugroom.client.headless.status import Status
from snugroom.client.headless.text import json_line
from snugroom.client.proxy import Proxy, ProxyAddressError
from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import in_language, sentence
from snugroom.client.session.options import PermissionMeans
from snugroom.client.tokens import ExchangeError, UnreachableError, exchange
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.entry.permission import Token, spendable_until
from snugroom.crypto.entry.voucher import Voucher
from snugroom.crypto.errors import SnugError

#: Environment variables: other users can see a program's arguments.
FROM_ENVIRONMENT: Final = "SNUG_OPEN_PASSWORD"
VOUCHER: Final = "SNUG_VOUCHER"
_MOST: Final = 4096


class MeansError(Exception):
    """The password or voucher can't be used. The text is a sentence, `status` the exit status."""

    def __init__(self, why: str, status: Status) -> None:
        super().__init__(why)
        self.status = status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `snug host` takes."""
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="its first line is the server's password for opening rooms; "
        f"else {FROM_ENVIRONMENT} of the environment",
    )
    _add_tokens(parser)


def _add_tokens(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--voucher",
        metavar="VOUCHER",
        help=f"exchange it for tokens first; - reads it from the first line of input; else {VOUCHER} of the "
        "environment",
    )
    parser.add_argument(
        "--tokens",
        metavar="FILE",
        type=Path,
        help="the file of your tokens (default: ~/.local/state/snug/tokens)",
    )


def add_parser(commands: Any) -> None:
    """Add `tokens` to the commands (argparse's subparsers)."""
    parser = commands.add_parser("tokens")
    parser.add_argument("--server", metavar="URL", help="the server of the voucher")
    _add_tokens(parser)
    proxy_option.add_argument(parser)
    language.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run `snug tokens`; return the exit status."""
    spoken = language.chosen(arguments.lang, os.environ)
    file = TokenFile(arguments.tokens or default_path())
    try:
        proxy = proxy_option.chosen(arguments.proxy, spoken)
        voucher = _voucher(arguments)
        if voucher is not None:
            if arguments.server is None:
                return usage("a voucher is for one server: add --server URL")
            _exchange(canonical_origin(arguments.server), voucher, file, proxy)
        kept = file.all(time.time())
    except MeansError as error:
        print(f"snug: {in_language(error.args[0], spoken)}", file=sys.stderr)
        return error.status
    except (SealedFileError, SnugError, ProxyAddressError) as error:
        return usage(in_language(reasons.in_full(error), spoken))
    counts = Counter((each.origin, each.week) for each in kept)
    if arguments.json:
        rows = [
            {"origin": origin, "until": spendable_until(week), "count": n}
            for (origin, week), n in counts.items()
        ]
        print(json_line({"tokens": rows}))
        return Status.OK
    for (origin, week), number in counts.items():
        until = datetime.fromtimestamp(spendable_until(week), UTC)
        print(
            in_language(
                sentence("terminal.tokens", count=number, origin=origin, until=f"{until:%Y-%m-%d}"), spoken
            )
        )
    if not counts:
        print(in_language(sentence("terminal.no_tokens"), spoken))
    return Status.OK


def means(arguments: argparse.Namespace, origin: str) -> PermissionMeans:
    """Return what the arguments and the environment have. MeansError, SealedFileError, SnugError."""
    file = TokenFile(arguments.tokens or default_path())
    voucher = _voucher(arguments)
    if voucher is not None:
        _exchange(origin, voucher, file, arguments.proxy)

    def take(keys: Mapping[int, bytes]) -> Token | None:
        return file.take(origin, keys, time.time())

    return PermissionMeans(_password(arguments.password_file), take)


def _password(path: Path | None) -> str | None:
    if path is None:
        return os.environ.pop(FROM_ENVIRONMENT, None) or None  # child processes must not inherit it
    try:
        with path.open("rb") as file:
            return file.readline(_MOST).decode().strip()
    except OSError as error:
        why = sentence("terminal.unreadable", file=str(path), why=error.strerror or str(error))
        raise MeansError(why, Status.USAGE) from None
    except UnicodeDecodeError:
        why = sentence("terminal.unreadable", file=str(path), why="UTF-8")
        raise MeansError(why, Status.USAGE) from None


def _voucher(arguments: argparse.Namespace) -> Voucher | None:
    text = arguments.voucher if arguments.voucher is not None else os.environ.pop(VOUCHER, None)
    if text is None:
        return None
    return Voucher.parse(first_line("Voucher: ") if text == "-" else text)


def _exchange(origin: str, voucher: Voucher, file: TokenFile, proxy: Proxy | None) -> None:
    file.add(origin, (), time.time())  # a file that can't be written must not cost the voucher
    try:
        tokens = event_loop.run(exchange(origin, voucher, proxy))
    except UnreachableError as error:
        raise MeansError(error.why, Status.UNREACHABLE) from None
    except ExchangeError as error:
        raise MeansError(error.why, Status.UNOPENED) from None
    except SnugError as error:
        raise MeansError(reasons.in_full(error), Status.UNOPENED) from None
    file.add(origin, tokens, time.time())
