"""A server's page, compared with this release: `snug verify-page`.

`fetch_all` asks for everything as Chromium would; `judge` compares, and does nothing else. A header that the
release does not send can change what a browser runs as much as a file can: only harmless ones pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import aiohttp
from aiohttp import hdrs

from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import SnugError
from snugroom.server import page
from snugroom.wire.outgoing import RedirectedError, http_session

#: Maximum number of bytes of one file, of seconds for all, and of files in a server's manifest.
FILE_MAX: Final = 8 * 2**20
FETCH_TIME: Final = 60.0
MORE_MAX: Final = 200
#: Maximum number of characters of a header that are printed.
_SHOWN: Final = 80
#: The codings that browsers accept over https, and without Brotli: the server has a body for either.
CODINGS: Final = ("gzip, deflate, br, zstd", "gzip, deflate")
_INDEX: Final = "index.html"
#: Headers that change nothing for the page or frame the answer, and those that are judged apart.
_HARMLESS: Final = frozenset(
    {
        *("date", "server", "via", "etag", "vary", "strict-transport-security", "content-encoding"),
        *("content-length", "transfer-encoding", "connection", "keep-alive"),
    }
)
#: Of a current Chromium for Linux. Its numbers age: a server can tell an old browser, too.
_BROWSER: Final = 156
_COMMON: Final = {
    "sec-ch-ua": f'"Chromium";v="{_BROWSER}", "Not?A_Brand";v="24"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{_BROWSER}.0.0.0 Safari/537.36"
    ),
}
_DOCUMENT: Final = {
    "Upgrade-Insecure-Requests": "1",
    "Accept": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
        "application/signed-exchange;v=b3;q=0.7"
    ),
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
}
#: Sec-Fetch-Mode, Sec-Fetch-Dest and Accept of the other requests, by name, then by suffix.
_ASKED: Final = {
    "worker.js": ("same-origin", "worker", "*/*"),
    "blur.js": ("same-origin", "worker", "*/*"),
    "service.js": ("same-origin", "serviceworker", "*/*"),
    "address.js": ("no-cors", "script", "*/*"),
    "js": ("cors", "script", "*/*"),
    "css": ("no-cors", "style", "text/css,*/*;q=0.1"),
    "svg": ("no-cors", "image", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"),
    "png": ("no-cors", "image", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"),
    "webmanifest": ("cors", "manifest", "*/*"),
}
_OTHERWISE: Final = ("cors", "empty", "*/*")


def request_headers(name: str, coding: str) -> dict[str, str]:
    """Return the headers with which Chromium asks for that file of the page."""
    if name == _INDEX:
        asked = dict(_DOCUMENT)
    else:
        mode, dest, accept = _ASKED.get(name) or _ASKED.get(name.rpartition(".")[2], _OTHERWISE)
        site = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        asked = {
            "Accept": accept,
            **({"Service-Worker": "script"} if dest == "serviceworker" else {}),
            **site,
        }
    return {**_COMMON, **asked, "Accept-Encoding": coding, "Accept-Language": "en-US,en;q=0.9"}


@dataclass(frozen=True)
class Answer:
    """What a server answered: `body` as it was sent, packed; None if it is longer than `FILE_MAX`."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | None

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for told, value in self.headers if told.lower() == name.lower()]


#: The answers for one file, by the Accept-Encoding that was sent.
Answers = Mapping[str, Answer]


@dataclass(frozen=True)
class Row:
    """One file, and how the server's version compares with this release."""

    name: str
    state: Literal["same", "differs", "missing", "more"]
    served: str | None
    own: str | None


@dataclass
class Verdict:
    """The files; what else differs, as sentences with their files; and where the page may connect to."""

    rows: list[Row]
    differs: dict[str, list[str]] = field(default_factory=dict)
    connect: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether everything is as this release has it."""
        return not self.differs and all(row.state == "same" for row in self.rows)

    def say(self, what: str, name: str) -> None:
        """Add a difference; one that several files have is told once."""
        files = self.differs.setdefault(what, [])
        if name not in files:
            files.append(name)


# -- asking ------------------------------------------------------------------------------------


async def fetch_all(url: str, bundle: page.Bundle) -> dict[str, Answers]:
    """Ask for all files of this release, and for those in the server's manifest, in every coding.

    aiohttp.ClientError or TimeoutError if the server can't be reached.
    """
    options: dict[str, Any] = {
        "timeout": aiohttp.ClientTimeout(total=FETCH_TIME),
        "connector": aiohttp.TCPConnector(limit_per_host=6),  # as browsers do
        "cookie_jar": aiohttp.DummyCookieJar(),
        "auto_decompress": False,
    }
    async with http_session(**options) as http:

        async def ask(name: str) -> Answers:
            path = f"{url}/" if name == _INDEX else f"{url}/{name}"
            return {coding: await _ask(http, path, request_headers(name, coding)) for coding in CODINGS}

        # the document first, as a browser
        found = {name: await ask(name) for name in (_INDEX, page.WHERE, page.MANIFEST)}
        names = sorted({*bundle.files, *_listed(found[page.MANIFEST])} - found.keys())
        return found | dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))


async def _ask(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Answer:
    try:
        async with http.get(url, headers=headers) as response:
            told = list(response.headers.items())
            data = b""
            async for chunk in response.content.iter_chunked(65_536):
                data += chunk
                if len(data) > FILE_MAX:
                    return Answer(response.status, told, None)
            return Answer(response.status, told, data)
    except RedirectedError as error:
        return Answer(error.status, [(hdrs.LOCATION, error.location)], b"")


def _listed(answers: Answers) -> list[str]:
    """Return the file names in the server's manifest."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        names = _json(answers)["files"].keys()
        return [
            name for name in list(names)[:MORE_MAX] if name.isascii() and "/" not in name and len(name) < 100
        ]
    return []


# -- judging -----------------------------------------------------------------------------------


def judge(origin: str, bundle: page.Bundle, found: Mapping[str, Answers]) -> Verdict:
    """Compare the answers of the server `origin` with this release."""
    verdict = Verdict([])
    verdict.connect = _place(verdict, origin, found[page.WHERE])
    sockets = [page.sockets(each) for each in (origin, *verdict.connect)]
    if _try_json(found[page.MANIFEST]) != bundle.manifest:
        verdict.say("it is not this release's list of files and hashes", page.MANIFEST)
    for name, answers in sorted(found.items()):
        if name not in (page.WHERE, page.MANIFEST):
            verdict.rows.append(_row(verdict, name, bundle.files.get(name), answers))
        for answer in answers.values():
            if answer.status == 200 and (name in bundle.files or name in (page.WHERE, page.MANIFEST)):
                _headers(verdict, name, page.headers_of(name, sockets), answer)
            elif 300 <= answer.status < 400:
                to = _short(" ".join(answer.all(hdrs.LOCATION)))
                verdict.say(f"it answers {answer.status}, which sends a browser to {to}", name)
            elif answer.status != 200:
                verdict.say(f"it answers {answer.status} instead of 200", name)
    return verdict


def _row(verdict: Verdict, name: str, own: page.File | None, answers: Answers) -> Row:
    bodies = [_body(answer, own) for answer in answers.values() if answer.status == 200]
    sums = [None if data is None else hashlib.sha256(data).hexdigest() for data in bodies]
    # the last coding is one that is unpacked here, whatever is in it
    served = sums[-1] if len(sums) == len(answers) else None
    if sums and sums[-1] is None:
        verdict.say(f"it has more than {FILE_MAX >> 20} MiB, or cannot be unpacked", name)
    if own is None:
        return Row(name, "more", served, None)
    if served is None:
        return Row(name, "missing", None, own.sha256)
    if served == own.sha256 and any(each != served for each in sums):
        verdict.say("its copy for browsers that accept Brotli is another one", name)
    same = all(each == own.sha256 for each in sums)
    return Row(name, "same" if same else "differs", served, own.sha256)


def _body(answer: Answer, own: page.File | None = None) -> bytes | None:
    """Return the file in an answer; None if it is too large or cannot be unpacked.

    Python unpacks no Brotli. A body with the bytes of the release's packed file is that file.
    """
    data, coding = answer.body, ", ".join(answer.all(hdrs.CONTENT_ENCODING)).lower()
    if data is None or coding in ("", "identity"):
        return data
    if coding == "br" and own is not None and data == own.brotli:
        return own.data
    if coding == "gzip":
        with contextlib.suppress(zlib.error):
            unpacking = zlib.decompressobj(wbits=31)
            plain = unpacking.decompress(data, FILE_MAX)
            return plain if unpacking.eof and not unpacking.unused_data else None
    return None


def _headers(verdict: Verdict, name: str, expected: Mapping[str, str], answer: Answer) -> None:
    for header, wanted in expected.items():
        match answer.all(header):
            case []:
                verdict.say(f"{header} is missing; this release sends {_short(wanted)}", name)
            case [told] if told == wanted:
                pass
            case told if header == "Content-Security-Policy":
                for what in _policies(wanted, ", ".join(told)):
                    verdict.say(what, name)
            case told:
                verdict.say(
                    f"{header} is {_short(', '.join(told))}; this release sends {_short(wanted)}", name
                )
    known = {*map(str.lower, expected), *_HARMLESS}
    for header, value in answer.headers:
        if header.lower() not in known:
            verdict.say(f"{header}: {_short(value)} is not of this release, and browsers may obey it", name)


def _policies(wanted: str, told: str) -> Iterable[str]:
    """Return how a Content-Security-Policy differs from the release's, a directive each."""
    ours, theirs = ([each.strip() for each in text.split(";")] for text in (wanted, told))
    for each in theirs:
        if each not in ours:
            yield f"Content-Security-Policy has {_short(each)}, and this release does not"
    for each in ours:
        if each not in theirs:
            yield f"Content-Security-Policy lacks {_short(each)}"
    if set(ours) == set(theirs):
        yield f"Content-Security-Policy has its directives in another order, or twice: {_short(told)}"


def _place(verdict: Verdict, origin: str, answers: Answers) -> list[str]:
    """Check `where.json`, and return the further servers that the page may connect to."""
    told = _try_json(answers)
    if not isinstance(told, dict):
        verdict.say("it is not the JSON object that this release serves", page.WHERE)
        return []
    for name in told.keys() - {"origin", "lecture", "peers"}:
        verdict.say(
            f"it says {_short(json.dumps({name: told[name]}))}, which no server of this release says",
            page.WHERE,
        )
    if told.get("origin") != origin:
        shown = _short(json.dumps(told.get("origin")))
        verdict.say(
            f"it says that the server is {shown}, and you asked {origin}: a new room would be opened there",
            page.WHERE,
        )
    if told.get("lecture") is not False:
        verdict.say("it says that this is a lecture of `snug demo`", page.WHERE)
    peers = told.get("peers")
    if not (isinstance(peers, list) and all(map(_is_origin, peers))):
        verdict.say(
            f"its list of further servers is {_short(json.dumps(peers))}, and not one of origins", page.WHERE
        )
        return []
    return peers


def _is_origin(text: object) -> bool:
    try:
        return isinstance(text, str) and canonical_origin(text) == text
    except SnugError:
        return False


def _json(answers: Answers) -> Any:
    """Return what all answers say. ValueError if they are no JSON, or not the same."""
    first, *others = [_body(answer) if answer.status == 200 else None for answer in answers.values()]
    if first is None or any(each != first for each in others):
        raise ValueError("no file, or two")
    return json.loads(first)


def _try_json(answers: Answers) -> Any:
    try:
        return _json(answers)
    except (ValueError, RecursionError):
        return None


def _short(text: str) -> str:
    """Return a server's words for a terminal: printable, and short."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return f"\u201c{shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + '...'}\u201d"
