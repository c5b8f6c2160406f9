"""`snug verify-page`: whatever a server changes about its page, files or not, is found and named."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gzip
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
from aiohttp import web

from snugroom.client.cli.served_page import (
    CODINGS,
    FILE_MAX,
    Answer,
    Answers,
    fetch_all,
    judge,
    request_headers,
)
from snugroom.server import page
from tests.cli.processes import running

ORIGIN: Final = "https://meet.example"
PEER: Final = "https://other.example"
WHERE: Final = {"origin": ORIGIN, "lecture": False, "peers": [PEER]}
#: A file of each kind: the document, a worker, the service worker, the blur's, and files that come later.
NAMES: Final = (
    "index.html",
    "worker.js",
    "service.js",
    "blur.js",
    "de-ABCD2345.js",
    "later.css",
    "blur.wasm",
)
SERVED: Final = (*NAMES, page.WHERE, page.MANIFEST)
Change = Callable[[str, Answer], Answer]


def small() -> page.Bundle:
    files = {}
    for name in NAMES:
        data = name.encode() * 50
        files[name] = page.File(name, data, hashlib.sha256(data).hexdigest(), b"packed " + name.encode())
    return page.Bundle(files, page.hash_of({name: file.sha256 for name, file in files.items()}))


BUNDLE: Final = small()


def honest(where: Any = WHERE) -> dict[str, dict[str, Answer]]:
    """The answers of a server of this release, in memory: by file, and by Accept-Encoding."""
    sockets = [page.sockets(each) for each in (ORIGIN, PEER)]
    found: dict[str, dict[str, Answer]] = {}
    for name in SERVED:
        told = {**page.headers_of(name, sockets), "Date": "now", "Via": "2.0 Caddy"}
        for coding in CODINGS:
            if name in BUNDLE.files:
                packed, body = BUNDLE.files[name].answer(coding)
                headers = {
                    **told,
                    "Vary": "Accept-Encoding",
                    "ETag": "x",
                    "Content-Encoding": packed or "identity",
                }
            else:
                headers, body = told, json.dumps(where if name == page.WHERE else BUNDLE.manifest).encode()
            found.setdefault(name, {})[coding] = Answer(200, list(headers.items()), body)
    return found


def changed(change: Change, *names: str, codings: tuple[str, ...] = CODINGS) -> dict[str, Answers]:
    """The honest answers, but for those of the files `names`."""
    return {
        name: {
            coding: change(name, one) if name in names and coding in codings else one
            for coding, one in each.items()
        }
        for name, each in honest().items()
    }


def without(header: str) -> Change:
    return lambda _, one: dataclasses.replace(
        one, headers=[(name, value) for name, value in one.headers if name != header]
    )


def plus(header: str, value: str) -> Change:
    return lambda _, one: dataclasses.replace(one, headers=[*one.headers, (header, value)])


def instead(header: str, value: str) -> Change:
    return lambda name, one: plus(header, value)(name, without(header)(name, one))


def test_the_release_passes_and_its_landlords_servers_are_named() -> None:
    verdict = judge(ORIGIN, BUNDLE, honest())
    assert verdict.differs == {}
    assert [(row.name, row.state) for row in verdict.rows] == [(name, "same") for name in sorted(NAMES)]
    assert (verdict.same, verdict.connect) == (True, [PEER])


@pytest.mark.parametrize("header", sorted({each for name in SERVED for each in page.headers_of(name, [])}))
@pytest.mark.parametrize("coding", CODINGS)
def test_a_header_that_is_stripped_is_found(header: str, coding: str) -> None:
    verdict = judge(ORIGIN, BUNDLE, changed(without(header), *SERVED, codings=(coding,)))
    assert not verdict.same
    assert all(what.startswith(f"{header} is missing") for what in verdict.differs)
    told = sorted(name for names in verdict.differs.values() for name in names)
    assert told == sorted(name for name in SERVED if header in page.headers_of(name, []))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Refresh", "0; url=https://evil.example/"),
        ("Link", "</evil.js>; rel=preload; as=script"),
        ("Set-Cookie", "id=7"),
        ("SourceMap", "https://evil.example/map"),
        ("X-SourceMap", "https://evil.example/map"),
        ("Clear-Site-Data", '"storage"'),
        ("Content-Location", "/other"),
        ("Location", "https://evil.example/"),
        ("Alt-Svc", 'h3="evil.example:443"'),
        ("Service-Worker-Allowed", "/"),
        ("Report-To", "{}"),
        ("NEL", "{}"),
        ("Content-Security-Policy-Report-Only", "default-src 'self'; report-uri https://evil.example/"),
        ("Origin-Trial", "token"),
        ("Supports-Loading-Mode", "fenced-frame"),
        ("Speculation-Rules", '"/rules"'),
        ("Access-Control-Allow-Origin", "*"),
        ("Content-Disposition", "attachment"),
        ("X-Anything", "1"),
    ],
)
def test_a_header_that_is_added_is_found(header: str, value: str) -> None:
    verdict = judge(ORIGIN, BUNDLE, changed(plus(header, value), *SERVED))
    ((what, names),) = verdict.differs.items()
    assert (what.startswith(f"{header}: "), names, verdict.same) == (True, sorted(SERVED), False)


@pytest.mark.parametrize("header", ["Server", "Strict-Transport-Security", "Keep-Alive"])
def test_what_a_proxy_adds_passes(header: str) -> None:
    assert judge(ORIGIN, BUNDLE, changed(plus(header, "x"), *NAMES)).same


@pytest.mark.parametrize("header", page.headers_of("index.html", []))
def test_another_value_is_found(header: str) -> None:
    verdict = judge(ORIGIN, BUNDLE, changed(instead(header, "unsafe-none"), "index.html"))
    assert not verdict.same
    assert any(header in what and "unsafe-none" in what for what in verdict.differs)
    second = judge(ORIGIN, BUNDLE, changed(plus(header, "unsafe-none"), "index.html"))
    assert not second.same, "or a second value"


def test_a_policy_is_compared_by_its_directives() -> None:
    sockets = [page.sockets(each) for each in (ORIGIN, PEER)]
    for ours, theirs, what in (
        (
            "script-src 'self'",
            "script-src 'self' https://evil.example",
            "has \u201cscript-src 'self' https://evil.example",
        ),
        (
            "connect-src 'self'",
            "connect-src 'self' wss://evil.example",
            "has \u201cconnect-src 'self' wss://evil.example",
        ),
        ("; trusted-types snug", "", "lacks \u201ctrusted-types snug"),
        ("default-src 'none'; script-src 'self'", "script-src 'self'; default-src 'none'", "another order"),
    ):
        policy = page.content_policy(sockets).replace(ours, theirs)
        verdict = judge(
            ORIGIN, BUNDLE, changed(instead("Content-Security-Policy", policy), "index.html", "worker.js")
        )
        found = [names for each, names in verdict.differs.items() if what in each]
        assert found == [["index.html", "worker.js"]]


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ({**WHERE, "own": True}, '{"own": true}'),
        ({**WHERE, "kept": True}, '{"kept": true}'),
        ({**WHERE, "origin": "https://evil.example"}, "evil.example"),
        ({**WHERE, "origin": None}, "null"),
        ({**WHERE, "lecture": True}, "lecture"),
        ({**WHERE, "peers": ["javascript:1"]}, "javascript"),
        ({**WHERE, "peers": 7}, "7"),
        ({**WHERE, "peers": []}, "connect-src"),  # and yet the policy lets the page connect there
        ([], "JSON object"),
    ],
)
def test_where_json_says_nothing_that_no_server_of_this_release_says(where: Any, what: str) -> None:
    verdict = judge(ORIGIN, BUNDLE, honest(where))
    assert not verdict.same
    assert any(what in each for each in verdict.differs), verdict.differs


@pytest.mark.parametrize(
    ("status", "what"), [(302, "302, which sends a browser to \u201cx\u201d"), (404, "404 instead of 200")]
)
def test_another_status_is_told(status: int, what: str) -> None:
    answer = Answer(status, [("Location", "x")], b"")
    verdict = judge(ORIGIN, BUNDLE, changed(lambda *_: answer, "service.js", codings=CODINGS[:1]))
    assert verdict.differs == {f"it answers {what}": ["service.js"]}
    assert {row.name for row in verdict.rows if row.state == "missing"} == {"service.js"}


@pytest.mark.parametrize("codings", [CODINGS, CODINGS[:1], CODINGS[1:]])
def test_files_are_compared_in_both_codings(codings: tuple[str, ...]) -> None:
    def other(_: str, one: Answer) -> Answer:
        packed = ("Content-Encoding", "gzip") in one.headers
        return dataclasses.replace(one, body=gzip.compress(b"other") if packed else b"x")

    verdict = judge(ORIGIN, BUNDLE, changed(other, "worker.js", page.WHERE, page.MANIFEST, codings=codings))
    assert [(row.name, row.state) for row in verdict.rows if row.state != "same"] == [
        ("worker.js", "differs")
    ]
    said = {name for names in verdict.differs.values() for name in names}
    assert {page.WHERE, page.MANIFEST} <= said
    assert any("that accept Brotli is another one" in what for what in verdict.differs) is (
        codings == CODINGS[:1]
    )


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(bytes(FILE_MAX + 1))),
        ("gzip", gzip.compress(b"worker.js" * 50) + b"and more"),
        ("gzip", b"not packed"),
        ("zstd", b"worker.js" * 50),
        ("gzip", None),  # longer than that when it came
    ],
)
def test_a_file_that_cannot_be_unpacked_is_missing(coding: str, body: bytes | None) -> None:
    def other(name: str, one: Answer) -> Answer:
        return dataclasses.replace(instead("Content-Encoding", coding)(name, one), body=body)

    verdict = judge(ORIGIN, BUNDLE, changed(other, "worker.js", codings=CODINGS[1:]))
    assert [row.name for row in verdict.rows if row.state == "missing"] == ["worker.js"]
    assert verdict.differs == {"it has more than 8 MiB, or cannot be unpacked": ["worker.js"]}


def test_a_servers_words_are_short_and_cannot_move_the_cursor() -> None:
    evil = "\x1b[2J\r" + "a" * 5000
    ((what, _),) = judge(ORIGIN, BUNDLE, changed(plus("X-Evil", evil), "index.html")).differs.items()
    assert what.isprintable()
    assert len(what) < 200


# -- over HTTP ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def serving(
    change: Callable[[web.Request, web.StreamResponse], None],
) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """A server of the built page, with an act; its URL, and the headers of its requests."""
    asked: list[dict[str, str]] = []

    async def act(request: web.Request, response: web.StreamResponse) -> None:
        asked.append({"path": request.path, **request.headers})
        change(request, response)

    app = web.Application()
    app.on_response_prepare.append(act)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    where = {"origin": url, "lecture": False, "peers": []}
    app.add_routes(page.routes(page.load(), where=where, connect=[page.sockets(url)]))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        yield url, asked
    finally:
        await runner.cleanup()


async def test_a_page_is_asked_for_as_a_browser_does() -> None:
    async with serving(lambda *_: None) as (url, asked):
        assert judge(url, page.load(), await fetch_all(url, page.load())).same
    files = {f"/{name}" for name in page.load().files} - {"/index.html"}
    assert {one["path"] for one in asked} == {"/", "/where.json", "/manifest.json", *files}
    for one in asked:
        told = {name.lower() for name in one}
        assert {"sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "accept-language", "sec-ch-ua"} <= told
        assert ("AppleWebKit" in one["User-Agent"], "aiohttp" in str(one)) == (True, False)
        assert one["Accept-Encoding"] in CODINGS
    by_path = {one["path"]: one for one in asked}
    assert (by_path["/"]["Sec-Fetch-Dest"], by_path["/"]["Sec-Fetch-Mode"]) == ("document", "navigate")
    assert by_path["/service.js"]["Service-Worker"] == "script"
    assert request_headers("worker.js", CODINGS[0])["Sec-Fetch-Dest"] == "worker"


def strip(request: web.Request, response: web.StreamResponse) -> None:
    """Strip the policy and the opener's, and send the browser away."""
    for name in ("Content-Security-Policy", "Cross-Origin-Opener-Policy"):
        response.headers.popall(name, None)
    if request.path == "/":
        response.headers["Refresh"] = "0; url=https://evil.example/"


async def test_the_command_names_what_a_server_strips_and_adds() -> None:
    async with serving(strip) as (url, _):
        with running("verify-page", url) as process:
            status = await asyncio.to_thread(process.status)
            text = "\n".join(process.lines)
    assert status == 7, text
    assert "index.html, service.js, worker.js: Content-Security-Policy is missing" in text
    assert "index.html: Cross-Origin-Opener-Policy is missing" in text
    assert "Refresh: \u201c0; url=https://evil.example/\u201d is not of this release" in text
    assert "gave this request the release" not in text
    assert f"If you run {url}" in text
