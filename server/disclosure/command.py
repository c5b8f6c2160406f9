"""``snug-server disclose``: ask a running server for everything that it could hand over.

The server answers on a Unix socket in Linux's abstract namespace (``@snug-server/PID``). The socket has no
file on disk, and ends with the process. The server answers only a process of the same user (SO_PEERCRED), and
the command accepts an answer only from such a process. Each connection has one question and one answer, each
a line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from snugroom.server.app import Server
from snugroom.server.disclosure import audit, printed, text, view
from snugroom.server.disclosure.catalogue import LANGUAGES

_PREFIX: Final = "snug-server/"
#: Maximum bytes of a question and of an answer, and seconds for each.
_QUESTION_MAX: Final = 256
_ANSWER_MAX: Final = 64 * 2**20
_TIME: Final = 10.0
#: Seconds for the answer of an audit, which looks at every object of a process that may be busy.
_AUDIT_TIME: Final = 60.0
#: The exit status of a program that SIGPIPE ends, in a shell.
_NO_READER: Final = 141
#: Maximum number of connections at a time.
_BUSY_MAX: Final = 4
_CREDENTIALS: Final = struct.Struct("=iII")  # pid, uid and gid of the other end, from the kernel
_LISTED: Final = re.compile(rf" @{re.escape(_PREFIX)}(\d{{1,10}})$", re.MULTILINE)


class DiscloseError(Exception):
    """No server has answered. The text is one sentence with the reason."""


def _user_of(sock: Any) -> int:
    """Return the user id of the process at the other end."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user)


class DisclosureSocket:
    """The server's end of the disclosure socket."""

    def __init__(self, server: Server, process: int | None = None) -> None:
        self._server = server
        self._name = f"\0{_PREFIX}{os.getpid() if process is None else process}"
        self._listener: asyncio.Server | None = None
        self._busy = 0

    async def start(self) -> None:
        """Listen. Raises OSError if the name is taken, or if the system has no abstract sockets."""
        self._listener = await asyncio.start_unix_server(self._answer, path=self._name, limit=_QUESTION_MAX)

    def stop(self) -> None:
        """Stop listening. Harmless if not started."""
        if self._listener is not None:
            self._listener.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._busy += 1
        try:
            # another user's process, and a connection above the limit, gets no answer
            if self._busy <= _BUSY_MAX and _user_of(writer.get_extra_info("socket")) == os.geteuid():
                async with asyncio.timeout(_TIME):
                    question = json.loads(await reader.readline())
                async with asyncio.timeout(_AUDIT_TIME):
                    disclosed = await self._disclosed(question)
                    writer.write(json.dumps(disclosed, separators=(",", ":")).encode() + b"\n")
                    await writer.drain()
        except (OSError, ValueError, TimeoutError, RecursionError):
            pass  # the question is not valid, or the other end has closed
        except asyncio.CancelledError:
            pass  # the process ends; asyncio would log a propagated cancellation as an error
        finally:
            self._busy -= 1
            writer.close()

    async def _disclosed(self, question: object) -> dict[str, Any]:
        asked = question if isinstance(question, dict) else {}
        complete = asked.get("audit") is True
        media = await view.media_view(self._server, audit=complete)
        disclosed = view.disclosure(self._server, identifiers=asked.get("identifiers") is True, media=media)
        if complete:
            found = audit.audit(self._server)
            theirs = media.audited
            disclosed["audit"] = {
                "objects": found.objects + sum(each.objects for each in theirs),
                "undeclared": sorted(found.undeclared.union(*(each.undeclared for each in theirs))),
                "misplaced": sorted(found.misplaced.union(*(each.misplaced for each in theirs))),
            }
        return disclosed


# -- the command ---------------------------------------------------------------------------------------


def servers() -> list[int]:
    """Return the process ids of all servers on this machine, of any user."""
    try:
        listed = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return sorted({int(number) for number in _LISTED.findall(listed)})


def ask(process: int, *, identifiers: bool = False, complete: bool = False) -> dict[str, Any]:
    """Return the disclosure of the server with process id `process`. Raises DiscloseError without an answer.

    `identifiers` includes the identifiers of connections and rooms, `complete` an audit of all live objects.
    """
    question = {"identifiers": identifiers, "audit": complete}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_AUDIT_TIME if complete else _TIME)
        try:
            answer = b""
            sock.connect(f"\0{_PREFIX}{process}")
            if _user_of(sock) != os.geteuid():
                raise DiscloseError(f"process {process} runs as another user: run this command as that user")
            sock.sendall(json.dumps(question).encode() + b"\n")
            while not answer.endswith(b"\n") and len(answer) < _ANSWER_MAX and (part := sock.recv(65_536)):
                answer += part
        except TimeoutError:
            raise DiscloseError(f"process {process} does not answer") from None
        except (BrokenPipeError, ConnectionResetError):
            answer = b""  # the server has refused the connection
        except OSError:
            raise DiscloseError(f"no server answers as process {process}") from None
    try:
        disclosed = json.loads(answer)
    except ValueError:
        raise DiscloseError(f"process {process} refuses to answer this user, or is too busy") from None
    if not isinstance(disclosed, dict):
        raise DiscloseError(f"process {process} sent an unexpected answer")
    return disclosed


def _the_one() -> int:
    running = servers()
    if not running:
        raise DiscloseError("no server is running here")
    if len(running) > 1:
        raise DiscloseError("several servers are running; name one of " + ", ".join(map(str, running)))
    return running[0]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="snug-server disclose", description="Print everything that a running server could hand over."
    )
    parser.add_argument("pid", metavar="PID", type=int, nargs="?", help="its process (default: the only one)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--read", action="store_true", help="in sentences, to be read aloud")
    how.add_argument("--whole", action="store_true", help="each blob, seat and room by itself")
    how.add_argument(
        "--identifiers",
        action="store_true",
        help="also what lasts as long as a connection",
    )
    how.add_argument(
        "--print", action="store_true", dest="printed", help="all of it as one page (HTML) to print"
    )
    parser.add_argument(
        "--lang", choices=LANGUAGES, default="en", help="with --read and --print: the language (default: en)"
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help="also compare with all objects in its memory (it stands still for a moment)",
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Run ``snug-server disclose``, and return the exit status.

    The status is 0 for an answer, 1 for an answer that an audit found incomplete, 2 for no answer, and 141 if
    nobody reads the answer.
    """
    arguments = parser().parse_args(argv)
    try:
        process = arguments.pid if arguments.pid is not None else _the_one()
        identifiers = arguments.identifiers or arguments.printed
        disclosed = ask(process, identifiers=identifiers, complete=arguments.audit)
        if arguments.printed:
            output = printed.page(disclosed, time.time(), process, arguments.lang)
        elif arguments.read:
            output = "\n".join(text.sentences(disclosed, arguments.lang))
        elif arguments.whole or arguments.identifiers:
            output = json.dumps(disclosed, indent=2)
        else:
            output = json.dumps(text.brief(disclosed), indent=2)
    except DiscloseError as error:
        print(f"snug-server: {error}", file=sys.stderr)
        return 2
    try:
        print(output, flush=True)
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest at its end
        return _NO_READER
    found = disclosed.get("audit", {})
    return 1 if found.get("undeclared") or found.get("misplaced") else 0
