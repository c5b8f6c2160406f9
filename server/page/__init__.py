"""The meeting page: the location of its bundle, the bundle's hash, and its HTTP headers.

The server and `snug page`, on a participant's own machine, serve the same files with this module. The package
build (`hatch_build.py`) writes the bundle to `server/page/bundle`. `manifest.json` has the bundle's `hash`:
SHA-256 over the lines ``"sha256 name\\n"``, sorted by name.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

#: Folders into which the build writes the meeting page, the landlord's window, and of a lecture the projector
#: and the page for phones.
FOLDER: Final = Path(__file__).parent / "bundle"
WINDOW: Final = Path(__file__).parent / "landlord"
PROJECTOR: Final = Path(__file__).parent / "projector"
PHONE: Final = Path(__file__).parent / "phone"

#: Facts about the server, and the list of the files: served beside the files of a bundle.
WHERE: Final = "where.json"
MANIFEST: Final = "manifest.json"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
#: Headers of every answer.
_HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # the browser revalidates every file, and gets 304 while the file is unchanged
    "Cache-Control": "no-cache",
}
#: The same, for files whose names change with their content: page and worker ask once for those they share.
_NAMED_BY_CONTENT: Final = re.compile(r"-[0-9A-Z]{8}\.js")
_LASTING: Final = {**_HEADERS, "Cache-Control": "max-age=600"}
#: Headers that restrict a page, with every bundle and every server. Browsers read them from the answer that
#: became the document, and from no script, style or image of it; of a worker, the policy and the embedder's.
_EMBEDDER: Final = {"Cross-Origin-Embedder-Policy": "require-corp"}
_RESTRICTING: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    **_EMBEDDER,
    "X-Frame-Options": "DENY",
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), picture-in-picture=(self), "
        "autoplay=(self), speaker-selection=(self), fullscreen=(self), clipboard-write=(self), "
        "geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()"
    ),
}
#: The script of the worker that blurs, which alone may compile WebAssembly: it may load and reach nothing.
#: The page fetches what it compiles.
_BLUR: Final = "blur.js"
_BLUR_POLICY: Final = (
    "default-src 'none'; script-src 'wasm-unsafe-eval'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
#: Bytes above which a file is packed quickly with gzip, for clients without Brotli.
_LARGE: Final = 1 << 20
#: Scripts that are the first of a worker, or of a service worker.
_WORKERS: Final = ("worker.js", "service.js")
#: Digits of a file's hash that tell it from other versions of it.
_TAG_DIGITS: Final = 16
#: The refusal of a content coding (RFC 9110 12.4.2).
_REFUSED: Final = re.compile(r";\s*q=0(\.0*)?\s*$")


class PageError(Exception):
    """The bundle is missing or damaged. The text says what to do."""


@dataclass(frozen=True)
class File:
    """One file of a bundle: `data`, and packed for clients that accept it: gzip, and Brotli if that pays."""

    name: str
    data: bytes
    sha256: str
    brotli: bytes | None = None

    @functools.cached_property
    def packed(self) -> bytes:
        """The file packed with gzip. The first client without Brotli causes it, as browsers over http do."""
        return gzip.compress(self.data, 9 if len(self.data) < _LARGE else 1, mtime=0)

    def answer(self, accepted: str) -> tuple[str | None, bytes]:
        """Return the content coding for a client with that Accept-Encoding (None: none), and the bytes."""
        if self.brotli is not None and accepts(accepted, "br"):
            return "br", self.brotli
        return ("gzip", self.packed) if accepts(accepted, "gzip") else (None, self.data)


@dataclass(frozen=True)
class Bundle:
    """The files of a page. `hash` (64 hex digits) is the value that members compare."""

    files: Mapping[str, File]
    hash: str

    @property
    def manifest(self) -> dict[str, object]:
        """What `MANIFEST` says: the hash, and the SHA-256 of each file by name."""
        return {"hash": self.hash, "files": {name: file.sha256 for name, file in self.files.items()}}


def hash_of(sums: Mapping[str, str]) -> str:
    """Return a bundle's hash, 64 hex digits, from the SHA-256 (hex) of each file by name."""
    lines = "".join(f"{sums[name]} {name}\n" for name in sorted(sums))
    return hashlib.sha256(lines.encode()).hexdigest()


def accepts(accepted: str, coding: str) -> bool:
    """Return whether the value of an Accept-Encoding names that content coding, and does not refuse it."""
    parts = [part for part in accepted.lower().split(",") if part.split(";")[0].strip() == coding]
    return any(_REFUSED.search(part) is None for part in parts)


def load(folder: Path = FOLDER) -> Bundle:
    """Return the bundle in `folder`. Raises PageError if it is missing or does not match its manifest."""

    def read(name: str, wanted: str) -> bytes:
        data = (folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != wanted:
            raise PageError(f"the page's {name} is not what was built: install Snug again")
        return data

    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        # Packed by the build, because that takes seconds. The plain files are needed too: browsers accept no
        # Brotli over http, as `snug page` serves it, and Python unpacks none.
        brotli = {name: read(f"{name}.br", wanted) for name, wanted in manifest["brotli"].items()}
        files = {}
        for name, wanted in manifest["files"].items():
            data = read(name, wanted)
            files[name] = File(name, data, wanted, brotli.get(name))
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
            "manifest-src 'self'",
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
    return {**_HEADERS, **_RESTRICTING, "Content-Security-Policy": content_policy(connect)}


def headers_of(name: str, connect: Iterable[str]) -> dict[str, str]:
    """Return the headers of a file, `WHERE` and `MANIFEST` too, as every server of this release sends them.

    ETag, Vary and Content-Encoding, which depend on the request, are not among them. `connect` are further
    origins that the page may connect to.
    """
    return {**_restrictions_of(name, connect), hdrs.CONTENT_TYPE: _type_of(name)}


def _type_of(name: str) -> str:
    return _TYPES.get(Path(name).suffix, "application/octet-stream")


def _restrictions_of(name: str, connect: Iterable[str]) -> dict[str, str]:
    # those that restrict the page go with its document
    if name in _WORKERS:
        return {**_HEADERS, **_EMBEDDER, "Content-Security-Policy": content_policy(connect)}
    if name == _BLUR:
        return {**_HEADERS, **_EMBEDDER, "Content-Security-Policy": _BLUR_POLICY}
    if name.endswith(".html"):
        return headers(connect)
    return _LASTING if _NAMED_BY_CONTENT.search(name) else _HEADERS


def routes(bundle: Bundle, *, where: Mapping[str, object], connect: Iterable[str] = ()) -> list[web.RouteDef]:
    """Return the routes of a bundle: files by name, index.html at ``/``, and `where` as ``/where.json``.

    `where` names the server at which the page opens a room. It is not part of the bundle, because the bundle
    is the same at every server. `connect` are further origins that the page may connect to.
    """
    policy = [*connect]
    place = json.dumps(where).encode()

    def serve(file: File) -> web.RouteDef:
        tag = f'"{file.sha256[:_TAG_DIGITS]}"'
        told = headers_of(file.name, policy)

        async def answer(request: web.Request) -> web.Response:
            # with `no-cache` (above), a browser uses its copy while the tag is the same
            if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
                return web.Response(status=304, headers={**told, hdrs.ETAG: tag})
            about = {**told, hdrs.ETAG: tag, hdrs.VARY: hdrs.ACCEPT_ENCODING}
            coding, body = file.answer(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
            if coding is not None:
                about[hdrs.CONTENT_ENCODING] = coding
            return web.Response(body=body, headers=about)

        return web.get("/" if file.name == "index.html" else f"/{file.name}", answer)

    async def tell(_: web.Request) -> web.Response:
        return web.Response(body=place, headers=headers_of(WHERE, policy))

    async def manifest(_: web.Request) -> web.Response:
        return web.Response(body=json.dumps(bundle.manifest).encode(), headers=headers_of(MANIFEST, policy))

    return [
        *(serve(file) for file in bundle.files.values()),
        web.get(f"/{WHERE}", tell),
        web.get(f"/{MANIFEST}", manifest),
    ]
