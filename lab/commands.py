"""``snug demo``, ``snug lab`` and ``snug bench``: their options. The tools are imported when they run."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from snugroom.client.cli import language
from snugroom.client.cli.arguments import count, numbers, usage
from snugroom.client.cli.parser import Parser
from snugroom.client.session.catalogue.sentence import in_language, sentence
from snugroom.client.session.monitor.freshness import LEASE
from snugroom.installed import environment

_BENCHES: Final = {
    "forward": "CPU time of the server's forwarding, as a ratio to bare system calls",
    "join": "time from the knock to the first opened frame",
    "crowd": "time until many guests are in, and the CPU time of all members",
    "page": "size of the meeting page, and time to its first paint and its first video, in Chromium",
    "move": "time until everybody hears everybody again, after their server has ended the meeting",
    "room": "CPU time of the whole server per forwarded packet, and its highest rate",
    "meeting": "CPU time and added latency of whole meetings in which everybody sends, up to saturation",
    "microphones": "share of a core, and added latency, of a large room in which every microphone is open",
    "soak": "continuous joins and leaves, to find anything in the server that grows",
    "memory": "the server's memory per subscriber",
    "hostile": "an honest meeting while strangers storm the server",
    "availability": "share of the time in which members of simulated meetings can speak and are heard",
    "workers": "rate of two media workers, as a ratio to the rate of one",
}


def add_parser(commands: Any) -> None:
    """Add `demo`, `lab` and `bench` to the commands (argparse's subparsers)."""
    demo = commands.add_parser("demo")
    demo.add_argument("--participants", type=int, default=3, metavar="3", help="2 to 8 (default 3)")
    demo.add_argument(
        "--seconds", type=float, default=15.0, metavar="15", help="length of the meeting (default 15)"
    )
    demo.add_argument("--json", action="store_true", help="one JSON object per line")
    demo.add_argument(
        "--lecture",
        action="store_true",
        help="a room with three robots, a projector, your page and the landlord's window",
    )
    demo.add_argument(
        "--kill-server", action="store_true", help="kill the server: the meeting goes on at another one"
    )
    demo.add_argument(
        "--ordinary",
        action="store_true",
        help="hold it at an ordinary server too, and make the same search in the memory of both",
    )
    language.add_argument(demo)
    _add_lecture(demo)
    demo.set_defaults(run=_demo)

    lab: Parser = commands.add_parser(
        "lab",
        epilog="snug lab leakage: what sizes and times tell a server; snug lab serve: a hostile server.",
    )
    lab.add_argument("scenes", nargs="*", metavar="SCENE", help='ids, themes, or "case 2" (default: all)')
    lab.add_argument("--list", action="store_true", help="list the scenes, and play none")
    lab.add_argument("--json", action="store_true", help="one JSON object per scene")
    lab.add_program("leakage", _leakage)
    lab.add_program("serve", _serve)
    lab.set_defaults(run=_lab)
    _add_benches(commands)


def _add_benches(commands: Any) -> None:
    bench = commands.add_parser("bench")
    which = bench.add_subparsers(dest="bench", required=True, metavar="WHAT")
    parts = {name: which.add_parser(name, help=text) for name, text in _BENCHES.items()}
    for part in parts.values():
        part.add_argument("--json", action="store_true", help="one JSON object")
        part.set_defaults(run=_bench)
    parts["join"].add_argument(
        "--rooms", metavar="N,N", default="1,10,25,100", help="members before the join (1,10,25,100)"
    )
    parts["join"].add_argument(
        "--round-trip",
        type=float,
        default=0.0,
        metavar="MS",
        help="to the server and back, for host and guests: 0 to 2000 (0)",
    )
    parts["page"].add_argument(
        "--videos", type=int, metavar="N", help="instead, the CPU time of a page that shows N videos: 1 to 25"
    )
    parts["crowd"].add_argument("--guests", type=int, default=100, metavar="100", help="2 to 250")
    parts["meeting"].add_argument(
        "--members", metavar="N,N", default="10,25,49", help="sizes of rooms, of 10, 25 and 49 (all)"
    )
    parts["meeting"].add_argument(
        "--spread",
        action="store_true",
        help="instead, the CPU time of one room of 25 or 49 on two media workers, divided by that on one",
    )
    parts["meeting"].add_argument(
        "--quick", action="store_true", help="two small rooms in a few seconds: does it work?"
    )
    parts["microphones"].add_argument(
        "--members", metavar="N,N", default="25,60,80,100", help="sizes of rooms (25,60,80,100)"
    )
    parts["move"].add_argument(
        "--members", metavar="N,N", default="3,10,25", help="sizes of meetings (3,10,25)"
    )
    parts["move"].add_argument("--rounds", type=int, default=10, metavar="10", help="1 to 100 for each")
    parts["soak"].add_argument("--minutes", type=float, default=30.0, metavar="30", help="0.5 to 600")
    parts["hostile"].add_argument("--storms", metavar="NAME,NAME", help="the storms to run (default: all)")
    parts["hostile"].add_argument(
        "--seconds", type=float, default=10.0, metavar="10", help="length of each storm, 2 to 600"
    )
    _add_availability(parts["availability"])
    parts["room"].add_argument("--subscribers", type=int, default=49, metavar="49", help="1 to 99")
    parts["room"].add_argument("--publishers", type=int, default=1, metavar="1", help="1 to 16")
    parts["room"].add_argument(
        "--rates", metavar="N,N", help="forwarded packets per second to measure at (default 14000,...)"
    )


def _add_availability(part: argparse.ArgumentParser) -> None:
    part.add_argument("--scene", action="append", metavar="NAME", help="only this scene; may be repeated")
    part.add_argument(
        "--tries",
        type=int,
        metavar="N",
        help="scripts that the search plays for each power (12; with --scene: 0)",
    )
    part.add_argument(
        "--lease",
        type=float,
        default=LEASE,
        metavar="S",
        help="as if a host's word held for so many seconds, 15 to 600 (60, as it does)",
    )


def _add_lecture(demo: argparse.ArgumentParser) -> None:
    """Add the options of a lecture."""
    demo.add_argument("--no-open", action="store_true", help="with --lecture: open no browser")
    demo.add_argument(
        "--pcap",
        type=Path,
        metavar="FILE",
        help="with --lecture: record the sealed packets that the servers get, for Wireshark",
    )
    demo.add_argument(
        "--lan",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="with --lecture: let phones of the local network vote on predictions, by a QR code; an address "
        "of this computer, such as 192.168.1.5 or 192.168.1.5:8080 (default: the one that leads elsewhere)",
    )
    demo.add_argument(
        "--phones-per-address",
        type=count,
        metavar="3",
        help="with --lan: phones that may share an address, 1 to 100 (default 3)",
    )
    demo.add_argument(
        "--record", type=Path, metavar="FILE", help="with --lecture: record what the projector shows"
    )
    demo.add_argument(
        "--play",
        type=Path,
        metavar="FILE",
        help="with --lecture: show a recording, without servers, robots and network",
    )


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.lecture:
        return _lecture(arguments)
    for option in ("pcap", "lan", "record", "play"):
        if getattr(arguments, option) is not None:
            return usage(f"--{option} needs --lecture")
    from snugroom.lab.demo import run

    if not 2 <= arguments.participants <= 8:
        return usage("--participants takes 2 to 8")
    if not 3 <= arguments.seconds <= 600:
        return usage("--seconds takes 3 to 600")
    if arguments.ordinary:
        import aiortc  # noqa: F401  # of an extra: refused before the meeting, and not after it
    return asyncio.run(
        run(
            arguments.participants,
            arguments.seconds,
            arguments.json,
            kill_server=arguments.kill_server,
            ordinary=language.chosen(arguments.lang, os.environ) if arguments.ordinary else None,
        )
    )


def _lecture(arguments: argparse.Namespace) -> int:
    from snugroom.lab.demo import lan, lecture, votes

    spoken = language.chosen(arguments.lang, os.environ)
    most = arguments.phones_per_address
    if most is not None and (arguments.lan is None or not 1 <= most <= 100):
        return usage("--phones-per-address takes 1 to 100, with --lan")
    where = None
    if arguments.lan is not None:
        try:
            address, port = lan.parsed(arguments.lan)
        except lan.LanError as error:
            return usage(in_language(sentence(f"terminal.lan_{error}"), spoken))
        where = lecture.Lan(address, port, most or votes.PHONES_PER_ADDRESS)
    options = lecture.Options(
        open_browser=not arguments.no_open,
        pcap=arguments.pcap,
        record=arguments.record,
        lan=where,
        language=spoken,
    )
    if arguments.play is None:
        return asyncio.run(lecture.run(options))
    if (where, arguments.pcap, arguments.record) != (None, None, None):
        return usage("--play takes no --lan, --pcap and --record")
    return asyncio.run(lecture.play(arguments.play, options))


def _lab(arguments: argparse.Namespace) -> int:
    from snugroom.lab.attacks import command

    return command.run(arguments.scenes, as_json=arguments.json, only_list=arguments.list)


def _leakage(argv: Sequence[str]) -> int:
    from snugroom.lab.leakage import run

    return run.main(argv)


def _serve(argv: Sequence[str]) -> NoReturn:
    """Become the hostile server: its memory is kept from the start as an honest server's is."""
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "snugroom.lab.hostile", *argv], environment())  # noqa: S606


def _bench(arguments: argparse.Namespace) -> int:
    match arguments.bench:
        case "forward":
            from snugroom.lab.bench import forward

            return forward.run(arguments.json)
        case "page":
            return _bench_page(arguments)
        case "soak":
            from snugroom.lab.bench import soak

            if not 0.5 <= arguments.minutes <= 600:
                return usage("--minutes takes 0.5 to 600")
            return asyncio.run(soak.run(arguments.json, arguments.minutes))
        case "memory":
            from snugroom.lab.bench import memory

            return asyncio.run(memory.run(arguments.json))
        case "workers":
            from snugroom.lab.bench import workers

            return asyncio.run(workers.run(arguments.json))
        case "move":
            from snugroom.lab.bench import move

            sizes = numbers(arguments.members, 2, 100)
            if not sizes or not 1 <= arguments.rounds <= 100:
                return usage("--members takes numbers from 2 to 100: 3,10; --rounds 1 to 100")
            return asyncio.run(move.run(arguments.json, sizes, arguments.rounds))
        case "crowd":
            return _bench_crowd(arguments)
        case "room":
            return _bench_room(arguments)
        case "meeting":
            return _bench_meeting(arguments)
        case "microphones":
            from snugroom.lab.bench import microphones

            sizes = numbers(arguments.members, 17, 200)
            if not sizes:
                return usage("--members takes numbers from 17 to 200: 25,100")
            return asyncio.run(microphones.run(arguments.json, sizes))
        case "hostile":
            return _bench_hostile(arguments)
        case "availability":
            return _bench_availability(arguments)
    from snugroom.lab.bench import join

    rooms = numbers(arguments.rooms, 1, 100)
    if not rooms:
        return usage("--rooms takes numbers from 1 to 100: 1,10,25")
    if not 0 <= arguments.round_trip <= 2_000:
        return usage("--round-trip takes 0 to 2000")
    return asyncio.run(join.run(arguments.json, rooms=rooms, round_trip=arguments.round_trip / 1_000))


def _bench_page(arguments: argparse.Namespace) -> int:
    from snugroom.lab.bench import page, videos

    if arguments.videos is None:
        return asyncio.run(page.run(arguments.json))
    if not 1 <= arguments.videos <= videos.MOST:
        return usage(f"--videos takes 1 to {videos.MOST}")
    return asyncio.run(videos.run(arguments.json, arguments.videos))


def _bench_crowd(arguments: argparse.Namespace) -> int:
    from snugroom.lab.bench import entrances

    if not 2 <= arguments.guests <= 250:
        return usage("--guests takes 2 to 250")
    return asyncio.run(entrances.run(arguments.json, arguments.guests))


def _bench_hostile(arguments: argparse.Namespace) -> int:
    from snugroom.lab.bench import hostile, storms

    names = [name for name in (arguments.storms or "").split(",") if name]
    if not set(names) <= set(storms.STORMS):
        return usage(f"--storms takes names of {', '.join(storms.STORMS)}")
    if not 2 <= arguments.seconds <= 600:
        return usage("--seconds takes 2 to 600")
    return asyncio.run(hostile.run(arguments.json, names, arguments.seconds))


def _bench_availability(arguments: argparse.Namespace) -> int:
    from snugroom.lab.bench.availability import run, scenes, search

    known = {scene.name: scene for scene in scenes.SCENES}
    names = arguments.scene or list(known)
    if not set(names) <= known.keys():
        return usage(f"--scene takes one of {', '.join(known)}")
    tries = arguments.tries if arguments.tries is not None else 0 if arguments.scene else search.TRIES
    if not 0 <= tries <= 1_000 or not 15 <= arguments.lease <= 600:
        return usage("--tries takes 0 to 1000, --lease 15 to 600")
    return run.run(arguments.json, [known[name] for name in names], tries, arguments.lease)


def _bench_room(arguments: argparse.Namespace) -> int:
    from snugroom.lab.bench import room

    if not 1 <= arguments.subscribers <= 99 or not 1 <= arguments.publishers <= 16:
        return usage("--subscribers takes 1 to 99, --publishers 1 to 16")
    rates = room.RATES if arguments.rates is None else numbers(arguments.rates, 1_000, 500_000)
    if not rates:
        return usage("--rates takes numbers from 1000 to 500000: 14000,50000")
    return asyncio.run(room.run(arguments.json, arguments.subscribers, arguments.publishers, rates))


def _bench_meeting(arguments: argparse.Namespace) -> int:
    from snugroom.lab.bench import meeting, one_room

    if arguments.quick and arguments.spread:
        return asyncio.run(one_room.run(arguments.json, one_room.QUICK, 1, 1.0, 1.0))
    if arguments.quick:
        return asyncio.run(meeting.run(arguments.json, meeting.QUICK, 1.0, 1.0, overload=False))
    sizes = numbers(arguments.members, 10, 49)
    kinds = [kind for kind in meeting.KINDS if kind.members in sizes]
    if not kinds or len(kinds) != len(sizes):
        return usage("--members takes 10, 25 and 49: 10,25")
    if arguments.spread:
        large = [kind for kind in one_room.KINDS if kind.members in sizes]
        return asyncio.run(one_room.run(arguments.json, large or one_room.KINDS))
    return asyncio.run(meeting.run(arguments.json, kinds))
