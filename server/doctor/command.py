"""``snug-server doctor``: look at a server from inside or from outside, and print verdicts."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from snugroom.server import addresses, config
from snugroom.server.config import ConfigError, Settings
from snugroom.server.doctor import (
    judge_machine,
    judge_media,
    judge_web,
    probe_machine,
    probe_media,
    probe_meeting,
    probe_turn,
    probe_web,
)
from snugroom.server.doctor.facts import Machine, Tls
from snugroom.server.doctor.verdict import Verdict
from snugroom.wire.outgoing import http_session

#: The settings of the Debian package, and of `snug-server init`.
SETTINGS: Final = Path("/etc/snug/snug.toml")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="snug-server doctor",
        description="Check a server: what is wrong, why, and what to do. Without an URL it checks this "
        "machine "
        "too. The exit status is 0 without a problem, and 1 with one.",
    )
    parser.add_argument(
        "--from-outside", metavar="URL", help="check only what clients see, for example https://meet.example"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help=f"its settings (default: {SETTINGS})")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="with the password for opening rooms, if there is one",
    )
    parser.add_argument("--ca", metavar="FILE", help="trust these certificates too, as PEM")
    parser.add_argument("--json", action="store_true", help="print the verdicts as one JSON object")
    return parser


def origin_of(url: str) -> str:
    """Return the origin of an URL, as links have it. Raises ConfigError for anything else."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or port == -1:
        raise ConfigError(f"{url!r} is not the URL of a server, like https://meet.example")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


async def remote(
    origin: str,
    ca: str | None,
    *,
    password: str | None = None,
    expected: tuple[str, ...] = (),
    inside: bool = False,
) -> AsyncIterator[Verdict]:
    """Check what clients see. It stops at the first cause that explains all that would follow."""
    parts = urlsplit(origin)
    context = probe_web.trusting(ca)
    host = parts.hostname or ""
    if not host.replace(".", "").isdigit() and ":" not in host:
        named = await probe_web.names(host, expected)
        yield judge_web.names(named)
        if named.error:
            return
    if parts.scheme == "https":
        seen = await probe_web.tls(host, parts.port or 443, context)
        yield judge_web.tls(seen)
        if not _usable(seen):
            return
        if seen.failure:
            context = probe_web.unverified()
    timeout = aiohttp.ClientTimeout(total=None, connect=probe_web.TIME, sock_read=probe_web.TIME)
    connector = aiohttp.TCPConnector(ssl=context)
    async with http_session(connector=connector, timeout=timeout) as http:
        found = await probe_web.page(http, origin)
        reached = judge_web.page(found)
        yield reached
        if reached.level == "problem":
            return
        if not inside:
            yield judge_web.clock(found)
        async with probe_meeting.visit(http, origin, password) as visit:
            yield judge_web.signaling(visit.signaling)
            if visit.room is not None:
                yield judge_web.room(visit.room)
            if visit.transport is None:
                return
            there = visit.transport
            for verdict in judge_media.paths(await probe_media.paths(there, visit.ufrag), inside=inside):
                yield verdict
            for server in there.turn:
                for url in server.urls:
                    tried = await probe_turn.relay(url, server, (there.address, *there.others))
                    for verdict in judge_media.relay(tried):
                        yield verdict


def _usable(seen: Tls) -> bool:
    """Return whether clients that make an exception get further."""
    return not seen.failure or bool(seen.fingerprint)


def _settings(path: Path | None) -> tuple[Settings, str]:
    """Return the settings, and why they could not be read."""
    if path is None and not SETTINGS.exists():
        return Settings(), ""
    try:
        return config.load(path or SETTINGS), ""
    except ConfigError as error:
        return Settings(), f"{path or SETTINGS}: {error}"


def _password(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


async def local(settings: Settings, error: str, origin: str) -> AsyncIterator[Verdict]:
    """Check this machine, and the settings."""
    behind = not settings.tls and origin.startswith("https:")
    trusts = bool(settings.trusted_proxies or settings.proxy_protocol)
    yield judge_machine.settings(origin, error, trusts_proxy=trusts, behind_proxy=behind)
    found: Machine = probe_machine.machine(settings)
    for verdict in judge_machine.machine(found):
        yield verdict
    yield judge_machine.clock(found)
    for secret in probe_machine.secrets(settings):
        yield judge_machine.secret(secret)


async def examine(arguments: argparse.Namespace) -> AsyncIterator[Verdict]:
    """Yield all verdicts. Raises ConfigError for an invalid URL, OSError for an unreadable `--ca`."""
    password = _password(arguments.password_file)
    if arguments.from_outside:
        async for verdict in remote(origin_of(arguments.from_outside), arguments.ca, password=password):
            yield verdict
        return
    settings, error = _settings(arguments.config)
    host, port = config.host_and_port(settings.listen)
    if config.is_wildcard(host):
        with contextlib.suppress(ConfigError):  # the server does not start with these: no visit succeeds
            host = addresses.choose(settings, host, host, addresses.found()).host
    origin = settings.origin or config.url(host, port, tls=bool(settings.tls))
    async for verdict in local(settings, error, origin):
        yield verdict
    if not error:
        media = (settings.media_address or "", *settings.media_also)
        expected = tuple(address for address in media if address)
        if password is None and settings.open_password_file is not None:
            with contextlib.suppress(OSError):  # `local` has reported it
                password = _password(probe_machine.place_of(settings.open_password_file))
        told = remote(origin, arguments.ca, password=password, expected=expected, inside=True)
        async for verdict in told:
            yield verdict


def text(verdict: Verdict) -> str:
    """Return a verdict as lines for a person."""
    first = f"{verdict.level:8} {verdict.check}: {verdict.what}"
    return "\n".join([first, *(f"{'':9}{line}" for line in (verdict.why, verdict.do) if line)])


async def _run(arguments: argparse.Namespace) -> list[Verdict]:
    verdicts = []
    async for verdict in examine(arguments):
        verdicts.append(verdict)
        if not arguments.json:
            print(text(verdict), flush=True)
    return verdicts


def main(argv: Sequence[str]) -> int:
    """Run ``snug-server doctor``.

    The exit status is 0 without a problem, 1 with one, and 2 if it could not look.
    """
    arguments = parser().parse_args(argv)
    try:
        verdicts = asyncio.run(_run(arguments))
    except (ConfigError, OSError) as error:
        print(f"snug-server doctor: {error}", file=sys.stderr)
        return 2
    problems = sum(verdict.level == "problem" for verdict in verdicts)
    warnings = sum(verdict.level == "warning" for verdict in verdicts)
    if arguments.json:
        listed = [dataclasses.asdict(verdict) for verdict in verdicts]
        print(json.dumps({"verdicts": listed, "problems": problems, "warnings": warnings}, indent=2))
    else:
        print(f"\n{problems} problems, {warnings} warnings")
    return 1 if problems else 0
