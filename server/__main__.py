"""``snug-server``: run the server until SIGTERM or SIGINT. ``disclose``: see `server.disclosure.command`.

Standard output has the line ``listening on URL``, with ``--tls`` the line ``certificate sha256 FINGERPRINT``
(and lines for people if the certificate is the server's own: `server.announcement`), with ``--window`` the
line ``window URL``, with ``--metrics`` the line ``metrics URL``, and for every SIGUSR1 a line ``disclosure
JSON`` (`server.disclosure.view`). Standard error has the log. SIGHUP reads the certificate again.

At the first SIGTERM or SIGINT the server opens no more rooms, waits up to `drain_time` for meetings to end,
and sends all connections a last message. A second signal ends the process at once. With ``--until-eof``, the
end of standard input stops the server like a first signal. The exit statuses are `STOPPED`, `USAGE`,
`CANNOT_START` and `logs.OUT_OF_MEMORY`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from snugroom.installed import VERSION
from snugroom.server import memory

if __name__ == "__main__":
    memory.begin()

import msgspec

from snugroom.server import announcement, config, http, logs, process, tokens
from snugroom.server.app import Server, StartError
from snugroom.server.config import ConfigError, Settings
from snugroom.server.disclosure import command, metrics, view, window
from snugroom.server.disclosure.command import DisclosureSocket
from snugroom.server.doctor import command as doctor
from snugroom.server.page import PageError
from snugroom.server.setup import command as setup
from snugroom.server.systemd import Service

log = logging.getLogger(__name__)

#: Commands besides the server itself, each with a parser and help of its own.
COMMANDS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "disclose": command.main,
    "doctor": doctor.main,
    "init": setup.main,
    "tokens": tokens.main,
}
NAME: Final = "snug-server"
#: Exit statuses: stopped by a signal; wrong command line or settings; an address in use, for example.
STOPPED: Final = 0
USAGE: Final = 2
CANNOT_START: Final = 3
_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
#: Default address of the metrics.
METRICS = "127.0.0.1:9464"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, without those of `COMMANDS`."""
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Snug: a meeting server that carries a meeting and cannot read it.",
        epilog="snug-server init writes the files of a new server; snug-server doctor checks a server; "
        "snug-server disclose [PID] asks a running one for everything that it could hand over; "
        "snug-server tokens prints vouchers for people who may open rooms.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    add_options(parser)
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a server, which `run` takes."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen (default 127.0.0.1:8080)")
    parser.add_argument(
        "--tls",
        metavar=("CERT", "KEY"),
        nargs="+",
        help="TLS without a proxy: a certificate chain and its key, as PEM; or self-signed, alone or with a "
        "FILE to keep it in; the server then chooses its address if it listens on 0.0.0.0",
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
        "--inspectable",
        action="store_true",
        help="let this user's other processes read the server's memory, as `snug demo` does",
    )
    parser.add_argument(
        "--until-eof",
        action="store_true",
        help="stop when standard input ends, and so with the program that holds its other end",
    )


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
    return settings


def _files(settings: Settings) -> int:
    """Return the number of files that the settings may need: the system counts every connection as a file."""
    return 2 * settings.max_connections + settings.media.tcp_connections * settings.media_tcp + 64


def _allow_files(settings: Settings) -> None:
    # the usual limit of 1,024 is below our default
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _files(settings) if hard == resource.RLIM_INFINITY else min(_files(settings), hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Console:
    """The operator's ways into a running server: disclosure socket, signals, window, metrics, systemd."""

    def __init__(self, server: Server, settings: Settings) -> None:
        self._server = server
        self._settings = settings
        self._socket = DisclosureSocket(server)
        self._listeners: list[window.Window | metrics.Metrics] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._service = Service(os.environ)

    async def start(self, url: str) -> None:
        """Open all that the settings ask for, and print where. Raises StartError."""
        try:
            await self._socket.start()
        except OSError:
            log.warning("the disclosure socket failed to open: `disclose` gets no answer")
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._tell)
        if self._service or self._server.certificate is not None:
            # without either, SIGHUP means that the terminal has closed
            loop.add_signal_handler(signal.SIGHUP, self._server.reload)
        _say(f"listening on {url}")
        if (certificate := self._server.certificate) is not None:
            _say(f"certificate sha256 {certificate.fingerprint}")
            assert self._server.addresses is not None
            origin, seen = self._settings.origin or url, announcement.screen()
            for line in announcement.lines(origin, self._server.addresses, certificate, seen):
                _say(line)
        if self._settings.window is not None:
            await self._listen("window", window.Window(self._server, self._settings.window))
        if self._settings.metrics is not None:
            await self._listen("metrics", metrics.Metrics(self._server, self._settings.metrics))
        self._service.ready()

    async def _listen(self, name: str, listener: window.Window | metrics.Metrics) -> None:
        self._listeners.append(listener)
        try:
            _say(f"{name} {await listener.start()}")
        except OSError as error:
            where = getattr(self._settings, name)
            raise StartError(f"can't listen on {where}: {error.strerror}") from None
        except PageError as error:
            raise StartError(str(error)) from None

    def _tell(self) -> None:
        async def disclosed() -> None:
            _say(await view.line(self._server))

        task = asyncio.get_running_loop().create_task(disclosed())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def stopping(self) -> None:
        """Say that the server stops. Harmless if said before."""
        self._service.stopping()

    async def stop(self) -> None:
        """Close everything. Harmless if not started."""
        self.stopping()
        for listener in self._listeners:
            await listener.stop()
        self._socket.stop()


def _say(line: str) -> None:
    logs.writer(logs.STDOUT).put(line)


async def _start(server: Server, console: _Console) -> None:
    await console.start(await server.start())
    allowed, wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[0], _files(server.settings)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        needs = "%d files may be open, and max_connections = %d needs %d: raise LimitNOFILE or ulimit -Hn"
        log.warning(needs, allowed, server.settings.max_connections, wanted)


async def _drain(server: Server, seconds: float) -> None:
    """Wait until all meetings have ended, for at most `seconds`."""
    server.drain()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while server.signaling.connections:  # noqa: ASYNC110 - no connection reports its end to us
                await asyncio.sleep(0.1)


async def _forget(server: Server) -> None:
    """Overwrite the traces of clients that have left, until cancelled (`server.memory`)."""
    while True:
        await asyncio.sleep(1.0)
        if server.forgetting.due(server.clock()):
            try:
                http.empty_cache(asyncio.get_running_loop())
                memory.forget()
            except Exception:
                log.exception("forgetting failed")
                server.forgetting.left(server.clock())  # try again


def _stop_at_eof(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends. Raises ConfigError if it is a file, or closed."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            ended = not os.read(0, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            loop.remove_reader(0)
            stop.set()

    try:
        if sys.stdin is None:
            raise OSError("it is closed, and another file may have its number")
        loop.add_reader(0, read)
    except OSError:
        raise ConfigError("--until-eof waits for the end of a pipe: standard input is none") from None


async def _serve(settings: Settings, make: Callable[[Settings], Server], until_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked() -> None:
        stop.set()
        for number in _ENDS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # a second signal ends the process

    for number in _ENDS:
        loop.add_signal_handler(number, asked)
    if until_eof:
        _stop_at_eof(stop)
    server = make(settings)
    console = _Console(server, settings)
    starting = loop.create_task(_start(server, console))
    stopped = loop.create_task(stop.wait())
    forgetting = loop.create_task(_forget(server))
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        starting.result()
        await stopped
        console.stopping()
        await _drain(server, settings.drain_time)
    finally:
        for task in (starting, stopped, forgetting):
            task.cancel()
        await asyncio.wait({starting, stopped, forgetting})
        await console.stop()
        await server.stop()


def main(argv: Sequence[str] | None = None, *, in_process: bool = False) -> int:
    """Run the server, and return the exit status. `in_process`: as in `Server`, for tests."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    return run(parser().parse_args(argv), lambda settings: Server(settings, in_process=in_process))


def run(arguments: argparse.Namespace, make: Callable[[Settings], Server], name: str = NAME) -> int:
    """Run the server that `make` returns, with the options of `add_options`; return the exit status.

    `make` may raise ConfigError. `name`: of the program, in its errors.
    """
    process.lock_memory_away(inspectable=arguments.inspectable)
    logs.install(arguments.log_level)
    try:
        settings = _settings(arguments)
        _allow_files(settings)
        memory.freeze()
        asyncio.run(_serve(settings, make, arguments.until_eof))
    except (ConfigError, StartError) as error:
        logs.writer(logs.STDERR).put(f"{name}: {error}")
        return USAGE if isinstance(error, ConfigError) else CANNOT_START
    finally:
        logs.close()
    return STOPPED


if __name__ == "__main__":
    sys.exit(main())
