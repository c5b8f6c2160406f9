"""`snug page` serves the meeting page from the user's machine. `snug verify-page` checks a server's page.

A user who loads the page from a server must trust its operator at every load. The same page from the user's
machine asks the server for nothing except the meeting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any, Final

import aiohttp
from rich.console import Console
from rich.text import Text

from snugroom.client import failures
from snugroom.client.cli import event_loop, proxy_option, served_page
from snugroom.client.cli.arguments import link_of, usage
from snugroom.client.cli.own_page import PORT, OwnPage
from snugroom.client.headless.status import Status
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.crypto.entry.invite import Invite, canonical_origin
from snugroom.crypto.errors import SnugError
from snugroom.server import page

#: Number of files, or servers, that a line names.
NAMES: Final = 5


def add_parser(commands: Any) -> None:
    """Add `page` and `verify-page` to the commands."""
    own = commands.add_parser("page")
    own.add_argument(
        "link",
        metavar="LINK",
        nargs="?",
        help="the link; - reads it from the first line of input, because other users can see arguments",
    )
    own.add_argument("--server", metavar="URL", help="where to open a room, such as https://meet.example")
    own.add_argument("--port", type=int, default=None, help=f"default: {PORT}, or a free one")
    own.add_argument("--hash", action="store_true", help="print what the page is known by, and serve nothing")
    own.set_defaults(run=run_page)
    verify = commands.add_parser("verify-page")
    verify.add_argument("url", metavar="URL", help="such as https://meet.example")
    verify.add_argument("--json", action="store_true", help="one JSON object")
    verify.set_defaults(run=run_verify)


def run_page(arguments: argparse.Namespace) -> int:
    """Serve the page until SIGINT or SIGTERM; return 2 on an invalid link, a taken port or a missing page."""
    try:
        bundle = page.load()
        if arguments.hash:
            print(bundle.hash)
            return Status.OK
        if (why := proxy_option.unused()) is not None:
            return usage(why)
        own = _own_page(bundle, arguments)
    except (page.PageError, SnugError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.USAGE
    return event_loop.run(_serve(own, arguments.port, bundle.hash))


def _own_page(bundle: page.Bundle, arguments: argparse.Namespace) -> OwnPage:
    """Return the page, which has the only copy of the link. SnugError if link or URL is invalid."""
    if arguments.link is None:
        return OwnPage(bundle, None if arguments.server is None else canonical_origin(arguments.server))
    link, arguments.link = link_of(arguments.link), None
    invite = Invite.parse(link)
    return OwnPage(bundle, invite.origin, link, servers=invite.servers)


async def _serve(own: OwnPage, port: int | None, bundle_hash: str) -> int:
    try:
        address = await own.start(port)
    except OSError as error:
        print(f"snug: can't listen on port {port}: {error.strerror}", file=sys.stderr)
        return Status.USAGE
    out = Console(highlight=False)
    out.print(Text(f"The page is at {address}"), soft_wrap=True)
    out.print(Text(f"Its hash: {bundle_hash}"), soft_wrap=True)
    out.print("Leave this running while the meeting lasts; Ctrl-C ends it.", style="dim")
    stop = asyncio.Event()
    event_loop.on_end(lambda _: stop.set())
    await stop.wait()
    await own.close()
    return Status.OK


# -- verify-page -------------------------------------------------------------------------------


def run_verify(arguments: argparse.Namespace) -> int:
    """Compare and print; return 0 if files, headers and `where.json` are this release's, 7 if not.

    Return 3 if the server can't be reached, 2 if the URL is invalid or the page is missing.
    """
    if (why := proxy_option.unused()) is not None:
        return usage(why)
    try:
        bundle = page.load()
        origin = canonical_origin(arguments.url)
    except (page.PageError, SnugError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.USAGE
    try:
        found = event_loop.run(served_page.fetch_all(origin, bundle))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        distrust = failures.distrust(error, origin)
        if distrust is not None:
            print(f"snug: {sentence('alarm.untrusted', origin=origin, why=distrust)}", file=sys.stderr)
            return Status.UNTRUSTED
        print(f"snug: {origin} can't be reached: {failures.reason(error)}", file=sys.stderr)
        return Status.UNREACHABLE
    verdict = served_page.judge(origin, bundle, found)
    served = page.hash_of({row.name: row.served for row in verdict.rows if row.served is not None})
    if arguments.json:
        told = {
            "same": verdict.same,
            "own": bundle.hash,
            "served": served,
            "files": [vars(row) for row in verdict.rows],
            "differs": [{"what": what, "where": names} for what, names in verdict.differs.items()],
            "connect": verdict.connect,
        }
        print(json.dumps(told))
    else:
        _show(verdict, origin, bundle.hash, served)
    return Status.OK if verdict.same else Status.FAILED


def _some(names: list[str]) -> str:
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def _show(verdict: served_page.Verdict, origin: str, own: str, served: str) -> None:
    out = Console(highlight=False)

    def say(text: str, style: str = "") -> None:
        out.print(Text(text, style), soft_wrap=True)

    words = {
        "same": "the same",
        "differs": "ANOTHER ONE",
        "missing": "not served",
        "more": "not in this release",
    }
    for row in verdict.rows:
        style = "" if row.state == "same" else "bold red"
        out.print(Text.assemble(f"  {row.name:<24} ", (words[row.state], style)), soft_wrap=True)
    for what, names in verdict.differs.items():
        say(f"  {_some(names)}: {what}", "bold red")
    say(f"This release: {own}")
    say(f"Served there: {served}")
    say(f"Its page may connect to: {_some([origin, *verdict.connect])}")
    if verdict.same:
        say(f"{origin} gave this request the release: every file, its headers, redirects and where.json.")
        say(
            "It can still tell this program from a browser, by its address, TLS handshake and HTTP version, "
            "and give a browser something else. To be sure, run `snug page`.",
            "dim",
        )
    elif all(row.state == "same" for row in verdict.rows):
        say(
            "The files are this release's, and what comes with them is not: a browser would not run the page "
            f"as it is meant to. If you run {origin}, have your proxy pass on Snug's headers unchanged. "
            "If not, use `snug page`."
        )
    else:
        say(
            f"{origin} serves another page than this release has. It may be another version: compare its "
            "hash with that of the release notes. If it is none of them, use `snug page` instead."
        )
