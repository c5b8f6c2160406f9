"""The meeting page: where its bundle lies, what it is known by, and the headers that it is served with.

The server serves it, and so does `snug page` on a participant's own machine: the same files, by this. The
bundle is built with the package (`hatch_build.py`), into `server/page/bundle`; `hash` is SHA-256 over the
lines ``"sha256 name\\n"`` in order of names, and stands in `manifest.json`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

#: Where the build puts the meeting page, and the landlord's window.
FOLDER: Final = Path(__file__).parent / "bundle"
WINDOW: Final = Path(__file__).parent / "landlord"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
#: What a page of ours may never do, whatever it is told.
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), picture-in-picture=(self), "
        "autoplay=(self), speaker-selection=(self), fullscreen=(self), clipboard-write=(self), "
        "geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()"
    ),
    # every file is asked for again, and answered by 304 while it is the same
    "Cache-Control": "no-cache",
}


class PageError(Exception):
    """There is no page here, or it is not whole; the text says what to do."""


@dataclass(frozen=True)
class File:
    """One file, as it is served: whole, or packed for who takes that (RFC 9110 8.4.1.3)."""

    name: str
    data: bytes
    sha256: str
    packed: bytes

    @property
    def content_type(self) -> str:
        """By the name's end."""
        return _TYPES.get(Path(self.name).suffix, "application/octet-stream")


@dataclass(frozen=True)
class Bundle:
    """A page's files. `hash` is what members compare: 64 hex digits."""

    files: Mapping[str, File]
    hash: str


def hash_of(sums: Mapping[str, str]) -> str:
    """What a bundle is known by, from the SHA-256 (hex) of each of its files."""
    lines = "".join(f"{sums[name]} {name}\n" for name in sorted(sums))
    return hashlib.sha256(lines.encode()).hexdigest()


def load(folder: Path = FOLDER) -> Bundle:
    """The bundle in that folder; PageError if there is none, or a file isn't what its manifest says."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = {}
        for name, wanted in manifest["files"].items():
            data = (folder / name).read_bytes()
            packed = gzip.compress(data, 9, mtime=0)
            files[name] = File(name, data, hashlib.sha256(data).hexdigest(), packed)
            if files[name].sha256 != wanted:
                raise PageError(f"the page's {name} is not what was built: install Snug again")
    except (OSError, ValueError, KeyError, AttributeError):
        raise PageError("the page has not been built: run `make page`, or install Snug again") from None
    if hash_of({name: file.sha256 for name, file in files.items()}) != manifest.get("hash"):
        raise PageError("the page's manifest contradicts itself: install Snug again")
    return Bundle(files, manifest["hash"])


def content_policy(connect: Iterable[str] = ()) -> str:
    """The page's Content-Security-Policy; it may connect to its own origin, and to these."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "media-src 'self' blob:",
            " ".join(["connect-src 'self'", *connect]),
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types snug",
        ]
    )


def sockets(origin: str) -> str:
    """Where an origin's WebSockets are: ``ws://`` for ``http://``, ``wss://`` for ``https://``."""
    return "ws" + origin.removeprefix("http")


def routes(bundle: Bundle, *, where: Mapping[str, object], connect: Iterable[str] = ()) -> list[web.RouteDef]:
    """What serves the bundle: its files by name, index.html at ``/``, and `where` as ``/where.json``.

    `where` tells the page at which server a room is opened; it is no part of the bundle, which is the same
    for everybody. `connect` are origins that the page may connect to besides its own.
    """
    headers = {**_HEADERS, "Content-Security-Policy": content_policy(connect)}
    place = json.dumps(where).encode()

    def serve(file: File) -> web.RouteDef:
        tag = f'"{file.sha256}"'

        async def answer(request: web.Request) -> web.Response:
            # `no-cache` above: a browser's copy is good for as long as this is the same
            if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
                return web.Response(status=304, headers={**headers, hdrs.ETAG: tag})
            told = {**headers, hdrs.ETAG: tag, hdrs.CONTENT_TYPE: file.content_type}
            told[hdrs.VARY] = hdrs.ACCEPT_ENCODING
            if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
                told[hdrs.CONTENT_ENCODING] = "gzip"
                return web.Response(body=file.packed, headers=told)
            return web.Response(body=file.data, headers=told)

        return web.get("/" if file.name == "index.html" else f"/{file.name}", answer)

    async def tell(_: web.Request) -> web.Response:
        return web.Response(body=place, headers={**headers, hdrs.CONTENT_TYPE: "application/json"})

    async def manifest(_: web.Request) -> web.Response:
        sums = {name: file.sha256 for name, file in bundle.files.items()}
        return web.json_response({"hash": bundle.hash, "files": sums}, headers=headers)

    return [
        *(serve(file) for file in bundle.files.values()),
        web.get("/where.json", tell),
        web.get("/manifest.json", manifest),
    ]
