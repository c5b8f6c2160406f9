"""``snug host`` and ``snug join``: the options of both, and the session that they start."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from snugroom.client.cli import event_loop, language, permission, proxy_option
from snugroom.client.cli.arguments import count, duration, link_of, usage
from snugroom.client.cli.landlord import Address, LandlordError, address, carry
from snugroom.client.cli.output import HumanOutput
from snugroom.client.cli.participant import Participant
from snugroom.client.cli.ready_files import ReadyFiles
from snugroom.client.files import host_recovery_file, passphrase
from snugroom.client.files.contact_book import Book
from snugroom.client.files.host_recovery_file import RecoveryFile
from snugroom.client.files.sealed_file import SealedFileError
from snugroom.client.headless.json_output import JsonOutput
from snugroom.client.headless.media_choice import MediaChoice, check_folder
from snugroom.client.headless.output import Output
from snugroom.client.media.files import SourceError
from snugroom.client.proxy import SLOWNESS, ProxyAddressError
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import CommandError, in_language
from snugroom.client.session.options import Options, ServersFrom
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import SnugError

#: Errors in the arguments, or in files that they name.
_UNUSABLE = (
    SourceError,
    SealedFileError,
    passphrase.PassphraseError,
    SnugError,
    CommandError,
    ProxyAddressError,
)


def add_parser(commands: Any) -> None:
    """Add `host` and `join` to the commands (argparse's subparsers)."""
    shared = argparse.ArgumentParser(add_help=False)
    _media(shared)
    _files(shared)
    shared.add_argument(
        "--patience",
        type=duration,
        default=60.0,
        metavar="60s",
        help="keep trying for this time if the server drops the meeting (default 60s)",
    )
    shared.add_argument(
        "--private-servers",
        action="store_true",
        help="from a public https server, the meeting may lead this program to servers without https and "
        "into private networks too, such as to a host's own computer",
    )
    shared.add_argument(
        "--servers",
        choices=get_args(ServersFrom),
        default="ask",
        help="further servers that hosts name during the meeting, and that were not in your link: ask before "
        "connecting to one (default), keep to those of the link, or connect to any",
    )
    proxy_option.add_argument(shared)
    language.add_argument(shared)
    shared.add_argument("--json", action="store_true", help="one JSON object per line, in and out")
    shared.add_argument("--for", dest="seconds", type=duration, metavar="30s", help="leave after this time")
    _host(commands.add_parser("host", parents=[shared]))
    _join(commands.add_parser("join", parents=[shared]))


def _media(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=None, help="your name for the others (at most 64 bytes)")
    parser.add_argument(
        "--play", metavar="FILE", default="testcard", help="a media file to send, or testcard (default)"
    )
    parser.add_argument("--no-audio", action="store_true", help="send no audio")
    parser.add_argument("--no-video", action="store_true", help="send no video")
    parser.add_argument(
        "--no-media", action="store_true", help="neither send nor receive audio and video: messages only"
    )
    parser.add_argument(
        "--visible",
        metavar="N",
        type=count,
        help="subscribe to N videos at a time, in rotation (default: all)",
    )
    parser.add_argument(
        "--layers", type=int, choices=[1, 2, 3], default=1, help="simulcast layers of your video (default 1)"
    )


def _files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--record", metavar="DIR", type=Path, help="record each participant into a file here")
    parser.add_argument(
        "--contacts", metavar="BOOK", type=Path, help="your contact book (snug contacts); it is never sent"
    )
    passphrase.add_argument(parser)
    parser.add_argument("--pictures", metavar="DIR", type=Path, help="save the others' images and files here")
    parser.add_argument(
        "--evidence", metavar="FILE", help="write evidence here if the server drops the meeting"
    )
    parser.add_argument("--evidence-names", action="store_true", help="include all members' names in it")
    parser.add_argument(
        "--ready-file", metavar="FILE", type=Path, help="write this program's process id here once it is in"
    )


def _host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        metavar="URL",
        action="append",
        help="such as http://127.0.0.1:8080; may be repeated: where the meeting can go on",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="report to a second server all the time, so that a lie of one server shows at the other; "
        "it takes a second --server",
    )
    parser.add_argument(
        "--landlord",
        metavar="HOST:PORT",
        nargs="?",
        const=Address(),
        type=address,
        help="carry a server for this meeting on this computer, the last of the list; without --server the "
        "meeting begins there; audio and video take the next port (default: 127.0.0.1 and free ports, which "
        "only this computer reaches)",
    )
    parser.add_argument(
        "--landlord-origin",
        metavar="URL",
        help="what members connect to instead of that address, such as an onion service",
    )
    parser.add_argument(
        "--keep", metavar="FILE", type=Path, help="write a sealed recovery file, to return after a crash"
    )
    parser.add_argument(
        "--return", dest="kept", metavar="FILE", type=Path, help="return to the meeting of a recovery file"
    )
    parser.add_argument(
        "--link-file", metavar="FILE", type=Path, help="write the link here once the meeting is open"
    )
    parser.add_argument("--title", default="", help="the title; members see it (at most 128 bytes)")
    parser.add_argument(
        "--admit",
        choices=["ask", "all"],
        default="ask",
        help="ask before each admission, or admit all (default: ask)",
    )
    parser.add_argument(
        "--invite",
        metavar="WHOM",
        action="append",
        default=[],
        help="make a personal invite besides the open one; may be repeated",
    )
    _host_choices(parser)
    parser.add_argument("--once", action="store_true", help="each --invite admits one person once")
    parser.add_argument("--no-open-invite", action="store_true", help="make no invite for everybody")
    permission.add_arguments(parser)
    parser.set_defaults(run=_run_host)


def _host_choices(parser: argparse.ArgumentParser) -> None:
    """Add what a host chooses for all members, for the whole meeting."""
    parser.add_argument(
        "--reports",
        action="store_true",
        help="keep signatures, so that members can prove messages to others later; all members are told",
    )
    parser.add_argument(
        "--sixteen",
        action="store_true",
        help="with more than 25 members, the server forwards 16 microphones, and can tell who speaks",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="pause after 15 s without a host, not after 60 s: whoever is removed hears others for less time",
    )
    parser.add_argument(
        "--wait-for-silent",
        action="store_true",
        help="where too few are heard for anybody to speak, wait for the silent; don't go on without them",
    )


def _join(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "link",
        metavar="LINK",
        help="the link; - reads it from the first line of input, because other users can see arguments",
    )
    parser.add_argument("--greeting", default="", help="a message to the host (at most 280 bytes)")
    parser.add_argument(
        "--identity", metavar="BOOK", type=Path, help="like --contacts, and show your identity to the hosts"
    )
    parser.set_defaults(run=_run_join)


def _run_host(arguments: argparse.Namespace) -> int:
    landlord: Address | None = arguments.landlord
    begins = arguments.server is not None or (landlord is not None and arguments.kept is None)
    if begins == (arguments.kept is not None):
        return _usage(
            arguments,
            "host takes --server URL or --landlord for a new meeting, "
            "or --return FILE for the one that it names",
        )
    if arguments.landlord_origin is not None and not (landlord and landlord.port):
        return _usage(
            arguments,
            "--landlord-origin is about a port of --landlord: such as --landlord 127.0.0.1:8080 "
            "--landlord-origin http://meet.example",
        )
    if arguments.once and not arguments.invite:
        return _usage(arguments, '--once is about --invite: such as --invite "Ada" --once')
    further = len(set(arguments.server or ())) - 1 + (landlord is not None)
    if arguments.mirror and (arguments.kept is not None or further < 1):
        return _usage(
            arguments, "--mirror takes a new meeting and a second --server: heartbeats go through it as well"
        )
    return _run(arguments, _hosting)


def _run_join(arguments: argparse.Namespace) -> int:
    return _run(arguments, _joining)


#: Returns a participant's name, and the function that makes its session at a time.
_Start = Callable[[argparse.Namespace, Options, Output, ExitStack], tuple[str, Callable[[float], Session]]]


def _run(arguments: argparse.Namespace, start: _Start) -> int:
    """Run a participant, and then all that `start` has given to its `ExitStack`."""
    with ExitStack() as ends:
        return _run_until(ends, arguments, start)


def _run_until(ends: ExitStack, arguments: argparse.Namespace, start: _Start) -> int:
    spoken = language.chosen(arguments.lang, os.environ)
    output: Output = JsonOutput() if arguments.json else HumanOutput(language=spoken)
    media = MediaChoice(
        arguments.play,
        not arguments.no_audio,
        not arguments.no_video,
        arguments.record,
        arguments.visible,
        arguments.layers,
        none=arguments.no_media,
    )
    if media.none and media != MediaChoice(audio=media.audio, video=media.video, none=True):
        return _usage(arguments, "--no-media goes without --play, --record, --visible and --layers")
    try:
        media.check()
        ready_files = _prepare_files(arguments)
        proxy = arguments.proxy = proxy_option.chosen(arguments.proxy, spoken)
        book = _book(arguments)
        name, make = start(arguments, _options(arguments, book), output, ends)
        recovery_file: RecoveryFile | None = getattr(arguments, "recovery_file", None)
        participant = Participant(
            make,
            name=name,
            media=media,
            output=output,
            seconds=arguments.seconds,
            book=book,
            pictures=arguments.pictures,
            recovery_file=recovery_file,
            landlord=getattr(arguments, "carried", None),
            proxy=proxy,
            ready_files=ready_files,
        )
        if recovery_file is not None and (kept := recovery_file.outdated(participant.session)) is not None:
            recovery_file.write(kept)
    except permission.MeansError as error:
        return output.error(in_language(error.args[0], spoken), error.status)
    except LandlordError as error:
        return output.error(in_language(error.args[0], spoken))
    except _UNUSABLE as error:
        return output.error(in_language(reasons.in_full(error), spoken))
    return event_loop.run(participant.run())


def _usage(arguments: argparse.Namespace, text: str) -> int:
    """Print an error in the options; return exit status 2."""
    return JsonOutput().error(text) if arguments.json else usage(text)


def _prepare_files(arguments: argparse.Namespace) -> ReadyFiles:
    """Check the folders of all files; return those that tell of the meeting. SourceError."""
    for folder in _folders(arguments):
        check_folder(folder)
    ready_files = ReadyFiles(*_ready_files(arguments))
    ready_files.clear()
    return ready_files


def _folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders into which the meeting may write later, besides recordings."""
    evidence = [] if arguments.evidence is None else [Path(arguments.evidence).parent]
    ready = [each.parent for each in _ready_files(arguments) if each is not None]
    return [*evidence, *ready, *([] if arguments.pictures is None else [arguments.pictures])]


def _ready_files(arguments: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Return the paths of `--link-file`, which only a host has, and `--ready-file`."""
    return getattr(arguments, "link_file", None), arguments.ready_file


def _hosting(
    arguments: argparse.Namespace, options: Options, output: Output, ends: ExitStack
) -> tuple[str, Callable[[float], Session]]:
    arguments.recovery_file = None
    if arguments.kept is not None:
        phrase = _phrase(arguments, arguments.kept)
        kept = host_recovery_file.read(arguments.kept, phrase)
        arguments.recovery_file = RecoveryFile(arguments.kept, phrase, kept)
    if arguments.keep is not None:
        arguments.recovery_file = RecoveryFile(arguments.keep, _phrase(arguments, arguments.keep, twice=True))
    servers = [canonical_origin(each) for each in arguments.server or ()]
    if arguments.kept is not None:
        servers = [kept.origin, *kept.servers]
    if arguments.landlord is not None:
        arguments.carried = carry(arguments, servers, output, ends)
        servers.append(arguments.carried.origin)
    origin = servers[0]
    options = replace(options, permission=permission.means(arguments, origin))
    if arguments.kept is not None:
        return kept.name, lambda now: Session.rejoin_as_host(kept, options=options, now=now)
    name = arguments.name or "Host"
    make = partial(
        Session.host,
        origin=origin,
        servers=tuple(dict.fromkeys(each for each in servers if each != origin)),
        name=name,
        title=arguments.title,
        admission=arguments.admit,
        invites=[ev.NewInvite(whom, arguments.once) for whom in arguments.invite],
        open_invite=not arguments.no_open_invite,
        options=options,
    )
    return name, lambda now: make(now=now)


def _joining(
    arguments: argparse.Namespace, options: Options, output: Output, ends: ExitStack
) -> tuple[str, Callable[[float], Session]]:
    link = link_of(arguments.link, language.chosen(arguments.lang, os.environ))
    name = arguments.name or _some_name()
    make = partial(Session.join, link, name=name, greeting=arguments.greeting, options=options)
    return name, lambda now: make(now=now)


def _options(arguments: argparse.Namespace, book: Book | None) -> Options:
    return Options(
        contacts=None if book is None else book.contacts,
        show_identity=getattr(arguments, "identity", None) is not None,
        reports=getattr(arguments, "reports", False),
        mirror=getattr(arguments, "mirror", False),
        sixteen=getattr(arguments, "sixteen", False),
        strict=getattr(arguments, "strict", False),
        waits_for_silent=getattr(arguments, "wait_for_silent", False),
        evidence=arguments.evidence,
        evidence_names=arguments.evidence_names,
        patience=arguments.patience,
        slowness=1.0 if arguments.proxy is None else SLOWNESS,
        private_servers=arguments.private_servers,
        servers=arguments.servers,
    )


def _some_name() -> str:
    """Return a random name for a guest without one: two guests with one name can't both join (SNUG-11)."""
    syllables = (secrets.choice("bdfghkmnprstvz") + secrets.choice("aeiou") for _ in range(3))
    return "Guest " + "".join(syllables).capitalize()


def _book(arguments: argparse.Namespace) -> Book | None:
    """Open the contact book of the arguments, if any; SealedFileError or PassphraseError."""
    path = getattr(arguments, "identity", None) or arguments.contacts
    return None if path is None else Book.open(path, _phrase(arguments, path))


def _phrase(arguments: argparse.Namespace, path: Path, *, twice: bool = False) -> str:
    """Return the passphrase for `path`: a given one serves all files, a prompt asks for each file."""
    asked = arguments.passphrase_file is None and passphrase.VARIABLE not in os.environ
    known: str | None = getattr(arguments, "phrase", None)
    if known is None:
        known = passphrase.read_passphrase(arguments.passphrase_file, what=str(path), twice=twice)
        arguments.phrase = None if asked else known
    return known
