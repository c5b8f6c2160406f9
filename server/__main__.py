"""``snug-server``: start, serve until SIGTERM or SIGINT, tell everybody, exit 0.

Standard output carries one line, ``listening on URL``, and on every SIGUSR1 one line ``disclosure JSON``
(`server.console`). Standard error carries the log. Exit status: 0 stopped when asked, 2 could not start.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from server import config, console, logs
from server.app import Server, StartError
from server.config import ConfigError, Settings


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="snug-server", description="Snug: a meeting server that carries a meeting and cannot read it."
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen (default 127.0.0.1:8080)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings, as TOML")
    parser.add_argument(
        "--log-level",
        default="warning",
        choices=["debug", "info", "warning", "error"],
        help="default: warning",
    )
    return parser.parse_args(argv)


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = config.load(arguments.config) if arguments.config else Settings()
    if arguments.listen:
        config.host_and_port(arguments.listen)
        settings = msgspec.structs.replace(settings, listen=arguments.listen)
    return settings


def _allow_files(connections: int) -> None:
    # every connection is a file to the system, and the customary 1,024 are fewer than our default
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 64
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    try:
        url = await server.start()
        loop.add_signal_handler(signal.SIGUSR1, lambda: print(console.line(server), flush=True))
        print(f"listening on {url}", flush=True)
        await stop.wait()
    finally:
        await server.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; returns the exit status."""
    arguments = _arguments(argv)
    logs.install(arguments.log_level)
    try:
        settings = _settings(arguments)
        _allow_files(settings.max_connections)
        asyncio.run(_serve(settings))
    except (ConfigError, StartError) as error:
        print(f"snug-server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
