"""The meeting page: the location of its bundle, the bundle's hash, and its HTTP headers.

The server and `snug page`, on a participant's own machine, serve the same files with this module. The package
build (`hatch_build.py`) writes the bundle to `server/page/bundle`. `manifest.json` has the bundle's `hash`:
SHA-256 over the lines ``"sha256 name\\n"``, sorted by name.
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

#: Folders into which the build writes the meeting page and the landlord's window.
FOLDER: Final = Path(__file__).parent / "bundle"
WINDOW: Final = Path(__file__).parent / "landlord"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
#: Headers that restrict the page, with every bundle and every server.
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
    # the browser revalidates every file, and gets 304 while the file is unchanged
    "Cache-Control": "no-cache",
}


class PageError(Exception):
    """The bundle is missing or damaged. The text says what to do."""


@dataclass(frozen=True)
class File:
    """One file of a bundle: `data`, and `packed` with gzip for clients that accept it (RFC 9110 8.4.1.3)."""

    name: str
    data: bytes
    sha256: str
    packed: bytes

    @property
    def content_type(self) -> str:
        """The Content-Type, by the suffix of the name."""
        return _TYPES.get(Path(self.name).suffix, "application/octet-stream")


@dataclass(frozen=True)
class Bundle:
    """The files of a page. `hash` (64 hex digits) is the value that members compare."""

    files: Mapping[str, File]
    hash: str


def hash_of(sums: Mapping[str, str]) -> str:
    """Return a bundle's hash, 64 hex digits, from the SHA-256 (hex) of each file by name."""
    lines = "".join(f"{sums[name]} {name}\n" for name in sorted(sums))
    return hashlib.sha256(lines.encode()).hexdigest()


def load(folder: Path = FOLDER) -> Bundle:
    """Return the bundle in `folder`. Raises PageError if it is missing or does not match its manifest."""
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
    """Return the page's Content-Security-Policy. The page may connect to its own origin and to `connect`."""
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
    """Return the WebSocket origin of `origin`: ``ws://`` for ``http://``, ``wss://`` for ``https://``."""
    return "ws" + origin.removeprefix("http")


def headers(connect: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers that restrict the page. It may also connect to the origins `connect`."""
    return {**_HEADERS, "Content-Security-Policy": content_policy(connect)}


def routes(bundle: Bundle, *, where: Mapping[str, object], connect: Iterable[str] = ()) -> list[web.RouteDef]:
    """Return the routes of a bundle: files by name, index.html at ``/``, and `where` as ``/where.json``.

    `where` names the server at which the page opens a room. It is not part of the bundle, because the bundle
    is the same at every server. `connect` are further origins that the page may connect to.
    """
    told = headers(connect)
    place = json.dumps(where).encode()

    def serve(file: File) -> web.RouteDef:
        tag = f'"{file.sha256}"'

        async def answer(request: web.Request) -> web.Response:
            # with `no-cache` (above), a browser uses its copy while the tag is the same
            if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
                return web.Response(status=304, headers={**told, hdrs.ETAG: tag})
            about = {**told, hdrs.ETAG: tag, hdrs.CONTENT_TYPE: file.content_type}
            about[hdrs.VARY] = hdrs.ACCEPT_ENCODING
            if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
                about[hdrs.CONTENT_ENCODING] = "gzip"
                return web.Response(body=file.packed, headers=about)
            return web.Response(body=file.data, headers=about)

        return web.get("/" if file.name == "index.html" else f"/{file.name}", answer)

    async def tell(_: web.Request) -> web.Response:
        return web.Response(body=place, headers={**told, hdrs.CONTENT_TYPE: "application/json"})

    async def manifest(_: web.Request) -> web.Response:
        sums = {name: file.sha256 for name, file in bundle.files.items()}
        return web.json_response({"hash": bundle.hash, "files": sums}, headers=told)

    return [
        *(serve(file) for file in bundle.files.values()),
        web.get("/where.json", tell),
        web.get("/manifest.json", manifest),
    ]
