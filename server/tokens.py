"""``snug-server tokens``: the key of anonymous tokens, and vouchers; and the files of the opening policy.

The key file contains 32 random bytes in hex. Every week's key, every voucher and every permit is derived from
it, so the server has nothing to store.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from snugroom.server import config
from snugroom.server.config import ConfigError, Settings
from snugroom.server.rooms.permission import Permission, voucher
from snugroom.server.tls import key_problem
from snugroom.wire import limits, rights

#: The beginning of a voucher's text.
PREFIX: Final = "snug-voucher-"
PASSWORD_MIN: Final = 12
COUNT_MAX: Final = 10_000
#: Weeks ahead for which vouchers can be printed.
AHEAD_MAX: Final = 52
_WEEK: Final = 7 * 86_400
_MONDAY: Final = -3 * 86_400  # 1970-01-01 was a Thursday


def read_password(path: Path) -> str:
    """Return the password of a file. Raises ConfigError if it is missing or too short."""
    password = _line(path, "open_password_file")
    if len(password) < PASSWORD_MIN:
        raise ConfigError(
            f"open_password_file needs {PASSWORD_MIN} characters at least: whoever sees one use of the "
            "password can try others"
        )
    return password


def read_key(path: Path) -> bytes:
    """Return the secret (32 bytes) of a key file. Raises ConfigError if it is not such a file."""
    text = _line(path, "tokens_key_file")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise ConfigError("tokens_key_file is no key: write one with snug-server tokens --new-key FILE")
    return secret


def _line(path: Path, setting: str) -> str:
    try:
        problem = key_problem(str(path))
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{setting} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{setting} is not UTF-8") from None
    if problem is not None:
        raise ConfigError(
            f"{setting}: {problem}, so it is no secret: chmod 600 it, and replace what is in it"
        )
    return text


def new_key(path: Path) -> None:
    """Write a new key file that only its owner can read. Raises OSError; it replaces no file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")


def policy(settings: Settings) -> Callable[[str, Callable[[int], bytes]], Permission] | None:
    """Read the files of the policy. Return what makes it for an origin; None if anyone may open a room.

    Raises ConfigError if a file is missing or not valid.
    """
    if settings.open == "anyone":
        return None
    password = secret = None
    if settings.open == "password" and settings.open_password_file is not None:
        password = read_password(Path(settings.open_password_file))
    if settings.tokens_key_file is not None:
        secret = read_key(Path(settings.tokens_key_file))

    def make(origin: str, rng: Callable[[int], bytes]) -> Permission:
        return Permission(settings, origin=origin, password=password, secret=secret, rng=rng, wall=time.time)

    return make


def vouchers(secret: bytes, count: int, week: int) -> list[str]:
    """Return so many new vouchers for a week, as text."""
    made = (voucher(secret, week, secrets.token_bytes(16)) for _ in range(count))
    return [PREFIX + base64.urlsafe_b64encode(each).decode().rstrip("=") for each in made]


def week_bounds(week: int) -> tuple[datetime, datetime]:
    """Return the first moment of a week, and the first after it."""
    begin = week * _WEEK + _MONDAY
    return datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(begin + _WEEK, UTC)


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``snug-server tokens``."""
    parser = argparse.ArgumentParser(
        prog="snug-server tokens",
        description="Print vouchers for people who may open rooms. Each is for one person and works once: "
        f"it is exchanged for {limits.VOUCHER_TOKENS} tokens, and each of those opens a room.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", metavar="FILE", type=Path, help="the settings, with tokens_key_file")
    where.add_argument("--key", metavar="FILE", type=Path, help="the key file")
    where.add_argument("--new-key", metavar="FILE", type=Path, help="write a new key file, and print nothing")
    parser.add_argument("--count", metavar="N", type=int, default=1, help="how many vouchers (default 1)")
    parser.add_argument(
        "--ahead", metavar="N", type=int, default=0, help="for the week after N others (default 0: this week)"
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command, and return the exit status."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.new_key is not None:
            new_key(arguments.new_key)
            return 0
        if not (1 <= arguments.count <= COUNT_MAX and 0 <= arguments.ahead <= AHEAD_MAX):
            raise ConfigError(f"--count is 1 to {COUNT_MAX}, --ahead 0 to {AHEAD_MAX}")
        secret = read_key(_key_path(arguments))
    except ConfigError as error:
        print(f"snug-server tokens: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"snug-server tokens: {arguments.new_key}: {error.strerror}", file=sys.stderr)
        return 2
    week = rights.week_of(time.time()) + arguments.ahead
    begin, end = week_bounds(week)
    print(
        f"These can be exchanged from {begin:%Y-%m-%d} until {end:%Y-%m-%d}, 00:00 UTC; the tokens open "
        "rooms for a day longer.",
        file=sys.stderr,
    )
    for each in vouchers(secret, arguments.count, week):
        print(each)
    return 0


def _key_path(arguments: argparse.Namespace) -> Path:
    if arguments.key is not None:
        return Path(arguments.key)
    settings = config.load(arguments.config)
    if settings.tokens_key_file is None:
        raise ConfigError("the settings name no tokens_key_file")
    return Path(settings.tokens_key_file)
