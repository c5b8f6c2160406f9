"""``snug``: host a meeting, join one, run one on this machine, or check files."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from snugroom.client.cli import contacts, evidence, explain
from snugroom.client.cli import page as page_cli
from snugroom.client.cli.output import HumanOutput, JsonOutput, Output
from snugroom.client.cli.participant import MediaChoice, Participant, Status
from snugroom.client.files import host_recovery_file, passphrase
from snugroom.client.files.contact_book import Book
from snugroom.client.files.sealed_file import SealedFileError
from snugroom.client.media.files import SourceError
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.invites import LabelError
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import SnugCryptoError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?\Z")
#: Bytes; the longest link has 4,096.
_LINK_MAX = 8192
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def duration(text: str) -> float:
    """Parse ``30s``, ``1.5m``, ``2h``, ``500ms``, or a number of seconds; return seconds."""
    match = _DURATION.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 30s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def _count(text: str) -> int:
    """Parse a number, 0 or more."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number: write 0, 9 or 25")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snug",
        description="Meetings that their server carries and cannot read.",
        epilog="Exit status: 0 well, 1 error, 2 usage, 3 server unreachable, 4 refused, 5 removed, "
        "6 not admitted in time, 7 a check of the demo or the lab failed, 8 dropped by the server.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    media = argparse.ArgumentParser(add_help=False)
    media.add_argument("--name", default=None, help="what others see (at most 64 bytes)")
    media.add_argument(
        "--play", metavar="FILE", default="testcard", help="what to send: a file, or testcard (default)"
    )
    media.add_argument("--no-audio", action="store_true", help="send no sound")
    media.add_argument("--no-video", action="store_true", help="send no pictures")
    media.add_argument(
        "--visible", metavar="N", type=_count, help="ask for N pictures at a time, by turns (default: all)"
    )
    media.add_argument(
        "--layers",
        type=int,
        choices=[1, 2, 3],
        default=1,
        help="in how many sizes to send pictures (default 1)",
    )
    media.add_argument("--record", metavar="DIR", type=Path, help="one file a participant, made here")
    media.add_argument(
        "--contacts", metavar="BOOK", type=Path, help="your book (snug contacts); nothing of it is sent"
    )
    passphrase.add_argument(media)
    media.add_argument("--pictures", metavar="DIR", type=Path, help="put away others' pictures and files")
    media.add_argument(
        "--evidence", metavar="FILE", help="write what shows it, if the server drops the meeting"
    )
    media.add_argument("--evidence-names", action="store_true", help="with everybody's name in it")
    media.add_argument(
        "--patience",
        type=duration,
        default=60.0,
        metavar="60s",
        help="how long to try again when the server has dropped the meeting (default 60s)",
    )
    media.add_argument("--json", action="store_true", help="one JSON object a line, in and out")
    media.add_argument("--for", dest="seconds", type=duration, metavar="30s", help="leave after that time")

    host = commands.add_parser("host", parents=[media], help="open a meeting")
    host.add_argument("--server", metavar="URL", help="such as http://127.0.0.1:8080")
    host.add_argument(
        "--keep", metavar="FILE", type=Path, help="write a sealed file by which to come back after a crash"
    )
    host.add_argument(
        "--return", dest="kept", metavar="FILE", type=Path, help="come back to the meeting of that file"
    )
    host.add_argument("--title", default="", help="known to members alone (at most 128 bytes)")
    host.add_argument("--admit", choices=["ask", "all"], default="ask", help="who may come in (default: ask)")
    host.add_argument(
        "--invite",
        metavar="WHOM",
        action="append",
        default=[],
        help="an invite of somebody's own, besides the open one; give it as often as you like",
    )
    host.add_argument(
        "--reports",
        action="store_true",
        help="keep signatures, so that what is written can be proven to others afterwards; all are told",
    )
    host.add_argument("--once", action="store_true", help="each --invite lets in once")
    host.add_argument("--no-open-invite", action="store_true", help="no invite that everybody may use")

    join = commands.add_parser("join", parents=[media], help="knock with a link")
    join.add_argument(
        "link",
        metavar="LINK",
        help="the link; - reads it from the first line of input, as others on a machine can see arguments",
    )
    join.add_argument("--greeting", default="", help="a word to the host (at most 280 bytes)")
    join.add_argument(
        "--identity", metavar="BOOK", type=Path, help="as --contacts, and show your identity to the hosts"
    )

    contacts.add_parser(commands)
    evidence.add_parser(commands)
    explain.add_parser(commands)
    page_cli.add_parser(commands)

    demo = commands.add_parser("demo", help="a whole meeting on this machine, and what its server saw")
    demo.add_argument("--participants", type=int, default=3, metavar="3", help="2 to 8 (default 3)")
    demo.add_argument("--seconds", type=float, default=15.0, metavar="15", help="of meeting (default 15)")
    demo.add_argument("--json", action="store_true", help="one JSON object a line")
    demo.add_argument(
        "--lecture", action="store_true", help="a room with three robots, your page and the landlord's window"
    )
    demo.add_argument("--no-open", action="store_true", help="with --lecture: open no browser")

    lab = commands.add_parser("lab", help="every act of a hostile operator, done to a live meeting here")
    lab.add_argument("scenes", nargs="*", metavar="SCENE", help='ids, themes, or "case 2" (default: all)')
    lab.add_argument("--list", action="store_true", help="say what there is, and play nothing")
    lab.add_argument("--json", action="store_true", help="one JSON object a scene")

    bench = commands.add_parser("bench", help="measure, as ratios within one run")
    which = bench.add_subparsers(dest="bench", required=True, metavar="WHAT")
    for name, text in (
        ("forward", "CPU of the server's forwarding path, and its ratio to bare system calls"),
        ("join", "from the knock to the first opened frame"),
        ("page", "bytes, first paint and first picture of the meeting page, in Chromium"),
        ("room", "CPU of the whole server a forwarded packet, and how many it forwards"),
        ("soak", "joins and leaves without end, and whether anything of the server grows"),
        ("memory", "what a subscriber costs the server in memory"),
        ("workers", "what two media workers forward, and its ratio to what one does"),
    ):
        part = which.add_parser(name, help=text)
        part.add_argument("--json", action="store_true")
        if name == "join":
            part.add_argument(
                "--rooms", metavar="N,N", default="1,10,25,100", help="members there before (1,10,25,100)"
            )
        if name == "soak":
            part.add_argument("--minutes", type=float, default=30.0, metavar="30", help="0.5 to 600")
        if name == "room":
            part.add_argument("--subscribers", type=int, default=49, metavar="49", help="1 to 99")
            part.add_argument("--publishers", type=int, default=1, metavar="1", help="1 to 16")
            part.add_argument(
                "--rates", metavar="N,N", help="forwarded packets a second to measure at (default 14000,...)"
            )
    return parser


def _usage(text: str) -> int:
    print(f"snug: {text}", file=sys.stderr)
    return Status.USAGE


def _some_name() -> str:
    """Return a random name for a guest without one: two guests with one name can't both join (SNUG-11)."""
    return (
        "Guest "
        + "".join(secrets.choice("bdfghkmnprstvz") + secrets.choice("aeiou") for _ in range(3)).capitalize()
    )


def _first_line() -> str:
    """Return the first line of standard input without reading any further: commands follow it."""
    line = b""
    while len(line) <= _LINK_MAX and not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode("utf-8", "replace").strip()


def _book(arguments: argparse.Namespace) -> Book | None:
    """Open the contact book of the arguments, if any; SealedFileError or PassphraseError."""
    path = getattr(arguments, "identity", None) or arguments.contacts
    if path is None:
        return None
    return Book.open(path, _phrase(arguments, path))


def _phrase(arguments: argparse.Namespace, path: Path, *, twice: bool = False) -> str:
    """Return the passphrase for `path`: a given one serves all files, a prompt asks for each file."""
    asked = arguments.passphrase_file is None and passphrase.VARIABLE not in os.environ
    known: str | None = getattr(arguments, "phrase", None)
    if known is None:
        known = passphrase.read_passphrase(arguments.passphrase_file, what=str(path), twice=twice)
        arguments.phrase = None if asked else known
    return known


def _participant(arguments: argparse.Namespace) -> int:
    output: Output = JsonOutput() if arguments.json else HumanOutput()
    media = MediaChoice(
        arguments.play,
        not arguments.no_audio,
        not arguments.no_video,
        arguments.record,
        arguments.visible,
        arguments.layers,
    )
    hosting = arguments.command == "host"
    if hosting and (arguments.server is None) == (arguments.kept is None):
        return _usage("host takes --server URL for a new meeting, or --return FILE for the one that it names")
    if hosting and arguments.once and not arguments.invite:
        return _usage('--once is about --invite: such as --invite "Ada" --once')
    name = arguments.name or ("Host" if hosting else _some_name())
    try:
        media.check()
        book = _book(arguments)
        options = Options(
            contacts=None if book is None else book.contacts,
            show_identity=getattr(arguments, "identity", None) is not None,
            reports=getattr(arguments, "reports", False),
            evidence=arguments.evidence,
            evidence_names=arguments.evidence_names,
            patience=arguments.patience,
        )
        if hosting and arguments.kept is not None:
            kept = host_recovery_file.read(arguments.kept, _phrase(arguments, arguments.kept))
            name = kept.name

            def make(now: float) -> Session:
                return Session.come_back(kept, options=options, now=now)
        elif hosting:
            origin = canonical_origin(arguments.server)

            def make(now: float) -> Session:
                return Session.host(
                    origin=origin,
                    name=name,
                    title=arguments.title,
                    admission=arguments.admit,
                    invites=[ev.NewInvite(whom, arguments.once) for whom in arguments.invite],
                    open_invite=not arguments.no_open_invite,
                    options=options,
                    now=now,
                )
        else:
            link = _first_line() if arguments.link == "-" else arguments.link

            def make(now: float) -> Session:
                return Session.join(link, name=name, greeting=arguments.greeting, options=options, now=now)

        participant = Participant(
            make,
            name=name,
            media=media,
            output=output,
            seconds=arguments.seconds,
            book=book,
            pictures=arguments.pictures,
        )
        if hosting and arguments.keep is not None:
            host_recovery_file.keep(
                participant.session, arguments.keep, _phrase(arguments, arguments.keep, twice=True)
            )
    except (SourceError, SealedFileError, passphrase.PassphraseError) as error:
        return _usage(str(error))
    except (SnugCryptoError, LabelError) as error:
        return _usage(str(error))
    return asyncio.run(participant.run())


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.lecture:
        from snugroom.client.tools.demo import lecture

        return asyncio.run(lecture.run(open_browser=not arguments.no_open))
    from snugroom.client.tools.demo import run

    if not 2 <= arguments.participants <= 8:
        return _usage("--participants takes 2 to 8")
    if not 3 <= arguments.seconds <= 600:
        return _usage("--seconds takes 3 to 600")
    return asyncio.run(run(arguments.participants, arguments.seconds, arguments.json))


def _lab(arguments: argparse.Namespace) -> int:
    from snugroom.client.tools.lab import command

    return command.run(arguments.scenes, as_json=arguments.json, only_list=arguments.list)


def _numbers(text: str, least: int, most: int) -> tuple[int, ...]:
    """Parse comma-separated numbers; return () if any is invalid or out of bounds."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and least <= int(part) <= most for part in parts):
        return ()
    return tuple(int(part) for part in parts)


def _bench(arguments: argparse.Namespace) -> int:
    if arguments.bench == "forward":
        from snugroom.client.tools.bench import forward

        return forward.run(arguments.json)
    if arguments.bench == "page":
        from snugroom.client.tools.bench import page

        return asyncio.run(page.run(arguments.json))
    if arguments.bench == "soak":
        from snugroom.client.tools.bench import soak

        if not 0.5 <= arguments.minutes <= 600:
            return _usage("--minutes takes 0.5 to 600")
        return asyncio.run(soak.run(arguments.json, arguments.minutes))
    if arguments.bench == "memory":
        from snugroom.client.tools.bench import memory

        return asyncio.run(memory.run(arguments.json))
    if arguments.bench == "workers":
        from snugroom.client.tools.bench import workers

        return asyncio.run(workers.run(arguments.json))
    if arguments.bench == "room":
        from snugroom.client.tools.bench import room

        if not 1 <= arguments.subscribers <= 99 or not 1 <= arguments.publishers <= 16:
            return _usage("--subscribers takes 1 to 99, --publishers 1 to 16")
        rates = room.RATES if arguments.rates is None else _numbers(arguments.rates, 1_000, 500_000)
        if not rates:
            return _usage("--rates takes numbers from 1000 to 500000: 14000,50000")
        return asyncio.run(room.run(arguments.json, arguments.subscribers, arguments.publishers, rates))
    from snugroom.client.tools.bench import join

    rooms = _numbers(arguments.rooms, 1, 100)
    if not rooms:
        return _usage("--rooms takes numbers from 1 to 100: 1,10,25")
    return asyncio.run(join.run(arguments.json, rooms=rooms))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if list(argv[:2]) == ["lab", "leakage"]:
        from snugroom.client.tools.lab.leakage import run as leakage

        return leakage.main(argv[2:])
    arguments = _parser().parse_args(argv)
    if arguments.command == "demo":
        return _demo(arguments)
    if arguments.command == "lab":
        return _lab(arguments)
    if arguments.command == "contacts":
        return contacts.run(arguments)
    if arguments.command in ("evidence", "report"):
        return evidence.run(arguments)
    if arguments.command == "page":
        return page_cli.run_page(arguments, _first_line)
    if arguments.command == "verify-page":
        return page_cli.run_verify(arguments)
    if arguments.command == "explain":
        return explain.run(arguments)
    if arguments.command == "bench":
        return _bench(arguments)
    return _participant(arguments)


if __name__ == "__main__":
    sys.exit(main())
