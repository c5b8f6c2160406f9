"""A server of the host's own: `snug host --landlord` runs `snug-server` as a child process.

The child is the installed server, with memory, an environment and file descriptors of its own. Its standard
input is a pipe that this process holds: the child stops when the pipe closes, however this process ends.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final
from urllib.parse import urlsplit

from snugroom.client.cli import language
from snugroom.client.headless.output import Output
from snugroom.client.session import events as ev
from snugroom.client.session.addresses import check_all
from snugroom.client.session.catalogue.sentence import Language, Sentence, in_language, sentence
from snugroom.crypto.agreed.room_state import SERVERS_MAX
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import MalformedError
from snugroom.installed import environment

#: The command that serves. It stops when its input ends.
COMMAND: Final[Sequence[str]] = (sys.executable, "-m", "snugroom.server", "--until-eof")
#: Variables that the child gets: the path of the package. Passwords and tokens stay here.
_VARIABLES: Final = ("PYTHONPATH",)
#: Seconds until it listens, and until it has sent its last messages.
_START_TIME: Final = 60.0
_STOP_TIME: Final = 5.0
#: Seconds for the last line of its log during a meeting: its media workers may hold the pipe open longer.
_LOG_TIME: Final = 0.1
_PORT_MAX: Final = 65_535
_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^:\[\]/@]+)(?::(?P<port>[0-9]{1,5}))?\Z")


class LandlordError(Exception):
    """The server can't be carried. The argument is a sentence."""


@dataclass(frozen=True)
class Address:
    """An address of this computer; `host` is without brackets, and `port` 0 stands for a free one."""

    host: str = "127.0.0.1"
    port: int = 0

    def __str__(self) -> str:
        """Return ``HOST:PORT`` as the server reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only programs on this computer reach it."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"


def address(text: str) -> Address:
    """Parse ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``, for argparse."""
    match = _ADDRESS.match(text.lower())
    port = int((match and match["port"]) or 0)
    try:
        # port 1 stands for any: an origin has one
        origin = canonical_origin(f"http://{match['host'] if match else ''}:{port or 1}")
    except MalformedError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address: write 127.0.0.1, 192.168.1.5:8080 or [fd00::5]:8080"
        ) from None
    host = urlsplit(origin).hostname or ""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - refused
        raise argparse.ArgumentTypeError(
            f"{text!r} stands for all addresses of this computer: write the one that members can reach"
        )
    return Address(host, port)


class Landlord:
    """A server that this process carries, and what people are told of it.

    `origin` is what members connect to, in canonical form: None if that is the address itself. Members are
    told in `spoken`.
    """

    def __init__(self, where: Address, origin: str | None, spoken: Language) -> None:
        #: Whether the meeting begins there.
        self.first = False
        self._where = where
        self._differs = origin is not None
        self._spoken = spoken
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue(1)
        self._log: deque[str] = deque(maxlen=1)
        self._readers: list[threading.Thread] = []
        self._told = False
        #: Empty until `start` if the system chooses the port.
        self.origin = origin or (canonical_origin(f"http://{where}") if where.port else "")

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def addresses(self) -> dict[str, str]:
        """The URL by which this process reaches its own server, by origin: without a proxy or Tor."""
        return {self.origin: f"http://{self._where}" if self._differs else self.origin}

    # -- the process -------------------------------------------------------------------------------

    def start(self, servers: Sequence[str]) -> None:
        """Start it, and wait until it listens. `servers`: the others of the meeting, whose pages may come.

        LandlordError if it doesn't listen; call `stop` then as well.
        """
        try:
            # a file in memory: nothing is left on disk, however this process ends
            with os.fdopen(os.memfd_create("settings"), "w", encoding="ascii") as file:
                file.write(self._settings(servers))
                file.flush()
                self._process = self._launch(f"/proc/{os.getpid()}/fd/{file.fileno()}")
                line = self._lines.get(timeout=_START_TIME)  # it has read the settings by then
        except queue.Empty:
            raise LandlordError(_failed(sentence("shell.no_answer"))) from None
        except OSError as error:
            raise LandlordError(_failed(error.strerror or str(error))) from None
        if not line.startswith("listening on "):
            raise LandlordError(_failed(self._why(_STOP_TIME)))
        self.origin = self.origin or canonical_origin(line.removeprefix("listening on ").strip())

    def _launch(self, settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - this project's own server
            [*COMMAND, "--config", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={name: environment()[name] for name in _VARIABLES},
            start_new_session=True,  # Ctrl-C is for this process, which leaves the meeting first
            text=True,
        )
        for stream, hear in ((process.stdout, self._hear), (process.stderr, self._note)):
            assert stream is not None
            self._readers.append(threading.Thread(target=_read, args=(stream, hear), daemon=True))
            self._readers[-1].start()
        return process

    def stop(self) -> None:
        """End it: it has `_STOP_TIME` for its last messages. Harmless if it has ended, or never began."""
        process = self._process
        if process is None:
            return
        try:
            process.terminate()
            process.wait(_STOP_TIME)
        except subprocess.TimeoutExpired:
            pass
        finally:  # after another Ctrl-C, too
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()

    def _settings(self, servers: Sequence[str]) -> str:
        port = self._where.port
        settings = {
            "listen": str(self._where),
            # firewalls and Tor are told both ports beforehand
            "media_port": port + 1 if 0 < port < _PORT_MAX else 0,
            "peers": list(servers),
            # a meeting that moves here has its page already
            "page": self.first,
        } | ({"origin": self.origin} if self.origin else {})
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())

    def _hear(self, line: str) -> None:
        with contextlib.suppress(queue.Full):  # the first line says where it listens, and nobody needs more
            self._lines.put_nowait(line)

    def _note(self, line: str) -> None:
        if line and " WARNING " not in line:  # which is no reason for an end
            self._log.append(line.strip().removeprefix("snug-server: "))

    def _why(self, seconds: float) -> str:
        """Return the reason of the process for its end; wait for that, and for its log, so long."""
        assert self._process is not None
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return sentence("shell.no_answer")
        self._readers[-1].join(seconds)
        return self._log[-1] if self._log else sentence("terminal.landlord_status", status=status)

    # -- what people are told ----------------------------------------------------------------------

    def warning(self) -> Sentence:
        """Return what the host is told before anything listens: what members and host show each other."""
        return sentence("terminal.landlord", address=str(self._where), seen=self._seen())

    def _seen(self) -> Sentence:
        if not self._differs:
            return sentence("terminal.landlord_here" if self._where.loopback else "terminal.landlord_address")
        key = "terminal.landlord_onion" if self._onion else "terminal.landlord_origin"
        return sentence(key, origin=self.origin)

    @property
    def _onion(self) -> bool:
        return (urlsplit(self.origin).hostname or "").endswith(".onion")

    def greeting(self, event: ev.Event, own_leaf: int | None) -> ev.Say | None:
        """Return the chat message that tells members who have just come in of this server; None for none."""
        if not isinstance(event, ev.Roster) or event.rejoined:
            return None
        if all(member.leaf == own_leaf for member in event.added):
            return None
        sees = sentence("terminal.landlord_sees_onion" if self._onion else "terminal.landlord_sees")
        key = "terminal.landlord_told_first" if self.first else "terminal.landlord_told"
        return ev.Say(in_language(sentence(key, origin=self.origin, sees=sees), self._spoken))

    def tell_end(self, output: Output) -> None:
        """Tell the host, once, if the server has ended by itself."""
        if self._told or self._process is None or self._process.poll() is None:
            return
        self._told = True
        told = sentence("terminal.landlord_ended", why=self._why(_LOG_TIME))
        output.warn("landlord", told, state="ended", origin=self.origin, pid=self.pid)


def carry(
    arguments: argparse.Namespace, servers: Sequence[str], output: Output, ends: contextlib.ExitStack
) -> Landlord:
    """Say what the server of the arguments shows, start it, and have `ends` stop it.

    `servers`: the meeting's, as canonical origins; empty if it begins here. LandlordError, with a sentence,
    if the server can't start, or if a meeting to return to does not list it; MalformedError for its origin,
    CommandError if others would not go there.
    """
    named = arguments.landlord_origin
    spoken = language.chosen(arguments.lang, os.environ)
    landlord = Landlord(arguments.landlord, None if named is None else canonical_origin(named), spoken)
    if arguments.kept is not None and landlord.origin not in servers:
        raise LandlordError(sentence("terminal.landlord_unlisted", listed=", ".join(servers)))
    landlord.first = servers[:1] in ([], [landlord.origin])
    others = [each for each in servers if each != landlord.origin]
    if len(others) > SERVERS_MAX:
        raise LandlordError(sentence("link.many_servers", most=SERVERS_MAX))
    if servers and landlord.origin:
        check_all(servers[0], [landlord.origin], anywhere=arguments.private_servers)
    output.warn("landlord", landlord.warning(), state="starting", origin=landlord.origin or None, pid=None)
    ends.callback(landlord.stop)
    landlord.start(others)
    told = sentence("terminal.landlord_listens", origin=landlord.origin)
    output.note("landlord", told, state="listening", origin=landlord.origin, pid=landlord.pid)
    return landlord


def _failed(why: str) -> Sentence:
    return sentence("terminal.landlord_failed", why=why)


def _read(stream: IO[str], hear: Callable[[str], None]) -> None:
    """Read a stream to its end, which is heard as an empty line: a full pipe would stop the server."""
    with stream:
        for line in stream:
            hear(line)
    hear("")
