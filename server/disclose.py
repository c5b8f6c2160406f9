"""``snug-server disclose``: ask a running server what it could hand over.

The server answers on a Unix socket in Linux's abstract namespace (``@snug-server/PID``): nothing is on disk,
and it is gone with the process. Only a process of the same user gets an answer (SO_PEERCRED), and takes one
only from such a process. One request a connection, a line of JSON either way.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from server import audit, console, spoken
from server.app import Server

_PREFIX: Final = "snug-server/"
#: Sizes of a question and an answer in bytes, and seconds that a conversation may take.
_QUESTION_MAX: Final = 256
_ANSWER_MAX: Final = 64 * 2**20
_TIME: Final = 10.0
#: Conversations at a time.
_BUSY_MAX: Final = 4
_CREDENTIALS: Final = struct.Struct("=iII")  # pid, uid, gid of the other end, as the kernel says
_LISTED: Final = re.compile(rf" @{re.escape(_PREFIX)}(\d{{1,10}})$", re.MULTILINE)


class DiscloseError(Exception):
    """There is no answer; the text is one sentence that says why."""


def _user_of(sock: Any) -> int:
    """The user id of the process at the other end."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user)


class Desk:
    """The server's end. `start` may fail (OSError: the name is taken, no such sockets here)."""

    def __init__(self, server: Server, process: int | None = None) -> None:
        self._server = server
        self._name = f"\0{_PREFIX}{os.getpid() if process is None else process}"
        self._listener: asyncio.Server | None = None
        self._busy = 0

    async def start(self) -> None:
        """Begin to answer."""
        self._listener = await asyncio.start_unix_server(self._answer, path=self._name, limit=_QUESTION_MAX)

    def stop(self) -> None:
        """Answer no more; harmless when not started."""
        if self._listener is not None:
            self._listener.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._busy += 1
        try:
            # whoever is not our user, or one too many, gets no word
            if self._busy <= _BUSY_MAX and _user_of(writer.get_extra_info("socket")) == os.geteuid():
                async with asyncio.timeout(_TIME):
                    question = json.loads(await reader.readline())
                    view = await self._look(question)
                    writer.write(json.dumps(view, separators=(",", ":")).encode() + b"\n")
                    await writer.drain()
        except (OSError, ValueError, TimeoutError, RecursionError):
            pass  # no question that can be answered, or nobody waits for the answer
        except asyncio.CancelledError:
            pass  # the process ends; passed on, asyncio would log it as an error
        finally:
            self._busy -= 1
            writer.close()

    async def _look(self, question: object) -> dict[str, Any]:
        asked = question if isinstance(question, dict) else {}
        complete = asked.get("audit") is True
        media = await console.look(self._server, audit=complete)
        view = console.disclosure(self._server, identifiers=asked.get("identifiers") is True, media=media)
        if complete:
            found = audit.audit(self._server)
            theirs = media.audited
            view["audit"] = {
                "objects": found.objects + sum(each.objects for each in theirs),
                "undeclared": sorted(found.undeclared.union(*(each.undeclared for each in theirs))),
                "misplaced": sorted(found.misplaced.union(*(each.misplaced for each in theirs))),
            }
        return view


# -- who asks ------------------------------------------------------------------------------------------


def servers() -> list[int]:
    """The processes that answer here, whoever's they are."""
    try:
        listed = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return sorted({int(number) for number in _LISTED.findall(listed)})


def ask(process: int, *, identifiers: bool = False, complete: bool = False) -> dict[str, Any]:
    """The disclosure of a running server; DiscloseError if there is none to be had."""
    question = {"identifiers": identifiers, "audit": complete}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_TIME)
        try:
            answer = b""
            sock.connect(f"\0{_PREFIX}{process}")
            if _user_of(sock) != os.geteuid():
                raise DiscloseError(f"process {process} is another user's: ask as the user that it runs as")
            sock.sendall(json.dumps(question).encode() + b"\n")
            while not answer.endswith(b"\n") and len(answer) < _ANSWER_MAX and (part := sock.recv(65_536)):
                answer += part
        except TimeoutError:
            raise DiscloseError(f"process {process} does not answer") from None
        except (BrokenPipeError, ConnectionResetError):
            answer = b""  # turned away
        except OSError:
            raise DiscloseError(f"no server answers as process {process}") from None
    try:
        view = json.loads(answer)
    except ValueError:
        raise DiscloseError(f"process {process} gives no answer to this user, or is too busy") from None
    if not isinstance(view, dict):
        raise DiscloseError(f"process {process} answers something else")
    return view


def _the_one() -> int:
    running = servers()
    if not running:
        raise DiscloseError("no server is running here")
    if len(running) > 1:
        raise DiscloseError("several servers are running; name one of " + ", ".join(map(str, running)))
    return running[0]


def main(argv: Sequence[str]) -> int:
    """``snug-server disclose``; returns the exit status: 0 an answer, 1 an incomplete one, 2 none."""
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
    parser.add_argument(
        "--audit",
        action="store_true",
        help="also compare with all objects in its memory (it stands still for a moment)",
    )
    arguments = parser.parse_args(argv)
    try:
        process = arguments.pid if arguments.pid is not None else _the_one()
        view = ask(process, identifiers=arguments.identifiers, complete=arguments.audit)
        if arguments.read:
            text = "\n".join(spoken.sentences(view))
        elif arguments.whole or arguments.identifiers:
            text = json.dumps(view, indent=2)
        else:
            text = json.dumps(spoken.brief(view), indent=2)
    except DiscloseError as error:
        print(f"snug-server: {error}", file=sys.stderr)
        return 2
    print(text)
    found = view.get("audit", {})
    return 1 if found.get("undeclared") or found.get("misplaced") else 0
