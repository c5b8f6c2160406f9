"""``snug-server``: run the server until SIGTERM or SIGINT. ``disclose``: see `server.disclosure.command`.

Standard output has the line ``listening on URL``, with ``--tls`` the line ``certificate sha256 FINGERPRINT``,
with ``--window`` the line ``window URL``, with ``--metrics`` the line ``metrics URL``, and for every SIGUSR1
a line ``disclosure JSON`` (`server.disclosure.view`). Standard error has the log. SIGHUP reads the
certificate again. When the server stops, it sends all connections a last message. The exit status is 0 after
a signal, and 2 if the server cannot start.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from snugroom.server import config, logs, tokens
from snugroom.server.app import Server, StartError
from snugroom.server.config import ConfigError, Settings
from snugroom.server.disclosure import command, metrics, view, window
from snugroom.server.disclosure.command import DisclosureSocket
from snugroom.server.doctor import command as doctor
from snugroom.server.page import PageError
from snugroom.server.systemd import Service

log = logging.getLogger(__name__)

#: Commands besides the server itself, each with a parser and help of its own.
COMMANDS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "disclose": command.main,
    "doctor": doctor.main,
    "tokens": tokens.main,
}
#: Default address of the metrics.
METRICS = "127.0.0.1:9464"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, without those of `COMMANDS`."""
    parser = argparse.ArgumentParser(
        prog="snug-server",
        description="Snug: a meeting server that carries a meeting and cannot read it.",
        epilog="snug-server doctor checks a server; "
        "snug-server disclose [PID] asks a running one for everything that it could hand over; "
        "snug-server tokens prints vouchers for people who may open rooms.",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen (default 127.0.0.1:8080)")
    parser.add_argument(
        "--tls",
        metavar=("CERT", "KEY"),
        nargs="+",
        help="TLS without a proxy: a certificate chain and its key, as PEM; or self-signed alone",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings, as TOML")
    parser.add_argument(
        "--log-level",
        default="warning",
        choices=["debug", "info", "warning", "error"],
        help="default: warning",
    )
    parser.add_argument(
        "--window",
        metavar="HOST:PORT",
        nargs="?",
        const="127.0.0.1:0",
        help="show, on this machine alone, all that you can see (default 127.0.0.1 and a free port)",
    )
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        nargs="?",
        const=METRICS,
        help=f"totals for Prometheus, on this machine alone (default {METRICS})",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="processes for media, each with a UDP port of its own (default 1)",
    )
    parser.add_argument(
        "--hostile",
        metavar="ACT[,ACT]",
        help="turn against the meetings here when told to on standard input; list shows what can be done",
    )
    return parser


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    return parser().parse_args(argv)


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = config.load(arguments.config) if arguments.config else Settings()
    if arguments.listen:
        config.host_and_port(arguments.listen)
        settings = msgspec.structs.replace(settings, listen=arguments.listen)
    if arguments.tls:
        settings = msgspec.structs.replace(settings, tls=arguments.tls)
        config.check_tls(arguments.tls)
    if arguments.window:
        settings = msgspec.structs.replace(settings, window=arguments.window)
    if arguments.metrics:
        settings = msgspec.structs.replace(settings, metrics=arguments.metrics)
    if arguments.workers is not None:
        if not 1 <= arguments.workers <= config.WORKERS_MAX:
            raise ConfigError(f"--workers must be from 1 to {config.WORKERS_MAX}")
        settings = msgspec.structs.replace(settings, workers=arguments.workers)
    if settings.window is not None:
        window.loopback_address(settings.window)
    if settings.metrics is not None:
        metrics.loopback_address(settings.metrics)
    config.check_ports(settings)
    if arguments.hostile and settings.workers > 1:
        raise ConfigError("a hostile server has its media in the one process: leave out --workers")
    return settings


def _allow_files(settings: Settings) -> None:
    # the system counts every connection as a file, and its usual limit of 1,024 is below our default
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.max_connections + settings.media.tcp_connections * settings.media_tcp + 64
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _make(settings: Settings, hostile: str | None, in_process: bool) -> Server:
    if hostile is None:
        return Server(settings, in_process=in_process)
    # imported here, so that an honest server's process never loads hostile code
    from snugroom.server.hostile import run

    return run.make(settings, hostile)


async def _serve(settings: Settings, hostile: str | None, in_process: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = _make(settings, hostile, in_process)
    disclosure_socket = DisclosureSocket(server)
    service = Service(os.environ)
    looking: window.Window | None = None
    counting: metrics.Metrics | None = None
    telling: set[asyncio.Task[None]] = set()

    async def disclosed() -> None:
        print(await view.line(server), flush=True)

    def tell() -> None:
        task = loop.create_task(disclosed())
        telling.add(task)
        task.add_done_callback(telling.discard)

    try:
        url = await server.start()
        try:
            await disclosure_socket.start()
        except OSError:
            log.warning("the disclosure socket failed to open: `disclose` gets no answer")
        loop.add_signal_handler(signal.SIGUSR1, tell)
        if service or server.certificate is not None:
            # without either, SIGHUP means that the terminal has closed
            loop.add_signal_handler(signal.SIGHUP, server.reload)
        print(f"listening on {url}", flush=True)
        if server.certificate is not None:
            print(f"certificate sha256 {server.certificate.fingerprint}", flush=True)
        if settings.window is not None:
            looking = window.Window(server, settings.window)
            try:
                print(f"window {await looking.start()}", flush=True)
            except OSError as error:
                raise StartError(f"can't listen on {settings.window}: {error.strerror}") from None
            except PageError as error:
                raise StartError(str(error)) from None
        if settings.metrics is not None:
            counting = metrics.Metrics(server, settings.metrics)
            try:
                print(f"metrics {await counting.start()}", flush=True)
            except OSError as error:
                raise StartError(f"can't listen on {settings.metrics}: {error.strerror}") from None
        service.ready()
        await stop.wait()
    finally:
        service.stopping()
        if counting is not None:
            await counting.stop()
        if looking is not None:
            await looking.stop()
        disclosure_socket.stop()
        await server.stop()


def main(argv: Sequence[str] | None = None, *, in_process: bool = False) -> int:
    """Run the server, and return the exit status. `in_process`: as in `Server`, for tests."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    arguments = _arguments(argv)
    logs.install(arguments.log_level)
    try:
        settings = _settings(arguments)
        _allow_files(settings)
        if arguments.hostile == "list":
            from snugroom.server.hostile import run

            print(run.listing())
            return 0
        asyncio.run(_serve(settings, arguments.hostile, in_process))
    except (ConfigError, StartError) as error:
        print(f"snug-server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
