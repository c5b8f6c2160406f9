"""`snug page` serves the meeting page from the user's machine. `snug verify-page` checks a server's page.

A user who loads the page from a server must trust its operator at every load. The same page from the user's
machine asks the server for nothing except the meeting.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp
from rich.console import Console
from rich.text import Text

from snugroom.client import failures
from snugroom.client.cli import event_loop, proxy_option
from snugroom.client.cli.arguments import link_of, usage
from snugroom.client.cli.own_page import PORT, OwnPage
from snugroom.client.cli.status import Status
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.crypto.entry.invite import Invite, canonical_origin
from snugroom.crypto.errors import SnugCryptoError
from snugroom.server import page
from snugroom.server.wire.outgoing import http_session

#: Maximum number of bytes of one fetched file, and of seconds for all files.
FILE_MAX: Final = 8 * 2**20
FETCH_TIME: Final = 30.0


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
    except (page.PageError, SnugCryptoError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.USAGE
    return event_loop.run(_serve(own, arguments.port, bundle.hash))


def _own_page(bundle: page.Bundle, arguments: argparse.Namespace) -> OwnPage:
    """Return the page, which has the only copy of the link. SnugCryptoError if link or URL is invalid."""
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


@dataclass(frozen=True)
class Row:
    """One file, and how the server's version compares with this release."""

    name: str
    state: Literal["same", "differs", "missing", "more"]
    served: str | None
    own: str | None


async def compare(url: str, bundle: page.Bundle) -> list[Row]:
    """Fetch all files of this release, and the further files in the server's manifest.

    aiohttp.ClientError or TimeoutError if the server can't be reached.
    """
    timeout = aiohttp.ClientTimeout(total=FETCH_TIME)
    # look like a browser, so that the server can't easily serve this program another page
    headers = {
        "Accept": "text/html,*/*",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
    }
    async with http_session(timeout=timeout, headers=headers) as http:
        rows = []
        listed = await _listed(http, url)
        for name in sorted({*bundle.files, *listed}):
            served = await _sum(http, f"{url}/" if name == "index.html" else f"{url}/{name}")
            own = bundle.files[name].sha256 if name in bundle.files else None
            if own is None:
                rows.append(Row(name, "more", served, None))
            elif served is None:
                rows.append(Row(name, "missing", None, own))
            else:
                rows.append(Row(name, "same" if served == own else "differs", served, own))
        return rows


async def _listed(http: aiohttp.ClientSession, url: str) -> list[str]:
    """Return the file names in the server's manifest; its other content is ignored."""
    data = await _fetch(http, f"{url}/manifest.json")
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        names = json.loads(data or b"")["files"].keys()
        return [name for name in list(names)[:200] if name.isascii() and "/" not in name and len(name) < 100]
    return []


async def _sum(http: aiohttp.ClientSession, url: str) -> str | None:
    data = await _fetch(http, url)
    return None if data is None else hashlib.sha256(data).hexdigest()


async def _fetch(http: aiohttp.ClientSession, url: str) -> bytes | None:
    async with http.get(url) as response:
        if response.status != 200:
            return None
        data = b""
        async for chunk in response.content.iter_chunked(65_536):
            data += chunk
            if len(data) > FILE_MAX:
                return None
        return data


def run_verify(arguments: argparse.Namespace) -> int:
    """Compare and print; return 0 if all files are the same, 7 if not.

    Return 3 if the server can't be reached, 2 if the URL is invalid or the page is missing.
    """
    if (why := proxy_option.unused()) is not None:
        return usage(why)
    try:
        bundle = page.load()
        origin = canonical_origin(arguments.url)
    except (page.PageError, SnugCryptoError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.USAGE
    try:
        rows = event_loop.run(compare(origin, bundle))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        distrust = failures.distrust(error, origin)
        if distrust is not None:
            print(f"snug: {sentence('alarm.untrusted', origin=origin, why=distrust)}", file=sys.stderr)
            return Status.UNTRUSTED
        print(f"snug: {origin} can't be reached: {failures.reason(error)}", file=sys.stderr)
        return Status.UNREACHABLE
    same = all(row.state == "same" for row in rows)
    sums = {row.name: row.served for row in rows if row.served is not None}
    served = page.hash_of(sums)
    if arguments.json:
        print(
            json.dumps({"same": same, "own": bundle.hash, "served": served, "files": [vars(r) for r in rows]})
        )
    else:
        _show(rows, same, origin, bundle.hash, served)
    return Status.OK if same else Status.FAILED


def _show(rows: list[Row], same: bool, origin: str, own: str, served: str) -> None:
    out = Console(highlight=False)
    words = {
        "same": "the same",
        "differs": "ANOTHER ONE",
        "missing": "not served",
        "more": "not in this release",
    }
    for row in rows:
        style = "" if row.state == "same" else "bold red"
        out.print(Text.assemble(f"  {row.name:<24} ", (words[row.state], style)), soft_wrap=True)
    out.print(Text(f"This release: {own}"), soft_wrap=True)
    out.print(Text(f"Served there: {served}"), soft_wrap=True)
    if same:
        out.print("It is this release, file by file, as it was served to this machine just now.")
        out.print(
            "A server can serve others something else: who wants to be sure runs `snug page`.", style="dim"
        )
    else:
        out.print(
            Text(
                f"{origin} serves another page than this release has. It may be another version: compare its "
            )
            + Text("hash with that of the release notes. If it is none of them, use `snug page` instead.")
        )
