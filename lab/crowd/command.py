"""``snug crowd``: its options, its progress and its result."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from typing import Any, Final

from rich.console import Console

from snugroom.client.cli import event_loop, language, proxy_option
from snugroom.client.cli.arguments import count, duration, link_of, usage
from snugroom.client.headless.json_output import JsonOutput
from snugroom.client.headless.status import Status
from snugroom.client.proxy import ProxyAddressError
from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import in_language
from snugroom.crypto.errors import SnugError
from snugroom.lab.crowd.crowd import COUNT_MAX, RATE_MAX, Crowd, Plan

_SECONDS_MAX: Final = 3600.0


def add_parser(commands: Any) -> None:
    """Add `crowd` to the commands (argparse's subparsers)."""
    parser = commands.add_parser("crowd")
    parser.add_argument(
        "link",
        metavar="LINK",
        help="the link of the meeting; - reads it from the first line of input. Its host has to admit all",
    )
    parser.add_argument("participants", metavar="N", type=count, help="number of participants, 1 to 200")
    parser.add_argument(
        "--media", action="store_true", help="each sends audio and video of one test card, and receives"
    )
    parser.add_argument("--talk", action="store_true", help="they send chat messages, one after the other")
    parser.add_argument(
        "--seconds",
        type=duration,
        default=10.0,
        metavar="S",
        help="stay for this time after the last join, at most an hour (default 10)",
    )
    parser.add_argument(
        "--rate", type=float, default=2.0, metavar="2", help="joins, and messages, a second: 0.1 to 20 (2)"
    )
    parser.add_argument("--name", default="Crowd", help="what their names begin with (default: Crowd)")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    proxy_option.add_argument(parser)
    language.add_argument(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.participants <= COUNT_MAX:
        return _usage(arguments, f"N takes 1 to {COUNT_MAX} participants")
    if not 0.1 <= arguments.rate <= RATE_MAX:
        return _usage(arguments, f"--rate takes 0.1 to {RATE_MAX:g} joins a second")
    if arguments.seconds > _SECONDS_MAX:
        return _usage(arguments, "--seconds takes at most an hour: 1h")
    spoken = language.chosen(arguments.lang, os.environ)
    try:
        plan = Plan(
            link=link_of(arguments.link, spoken),
            count=arguments.participants,
            media=arguments.media,
            talk=arguments.talk,
            seconds=arguments.seconds,
            rate=arguments.rate,
            name=arguments.name,
            proxy=proxy_option.chosen(arguments.proxy, spoken),
        )
        return event_loop.run(_held(plan, as_json=arguments.json))
    except (SnugError, ProxyAddressError) as error:
        return _usage(arguments, in_language(reasons.in_full(error), spoken))


def _usage(arguments: argparse.Namespace, text: str) -> int:
    """Print an error in the options; return exit status 2."""
    return JsonOutput().error(text) if arguments.json else usage(text)


async def _held(plan: Plan, *, as_json: bool) -> int:
    """Run the crowd until it has left, or a signal comes; return the exit status. SnugError."""

    def progress(joined: int) -> None:
        if not as_json:
            print(f"{joined} of {plan.count} are in", file=sys.stderr)

    crowd = Crowd(plan, progress)
    running = asyncio.ensure_future(crowd.run())
    signals: list[int] = []

    def stop(number: int) -> None:
        if signals:
            running.cancel()  # a second one: at once
        signals.append(number)
        crowd.stop()

    event_loop.on_end(stop)
    try:
        seen = await running
    except asyncio.CancelledError:
        return Status.INTERRUPTED
    if as_json:
        print(seen.as_json(), flush=True)
    else:
        seen.show(Console(highlight=False))
    if signal.SIGINT in signals:
        return Status.INTERRUPTED
    if not crowd.contacted:
        return Status.UNREACHABLE
    return Status.OK if seen.inside == plan.count else Status.NOT_ADMITTED
