"""The page is built, served, compared with its hash and opened; it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gzip
import hashlib
import json
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web

from snugroom.client.headless.status import Status
from snugroom.client.media.sources import colour_of_identity
from snugroom.client.session.catalogue.sentence import LANGUAGES
from snugroom.client.web import node
from snugroom.server import page
from tests.cli.processes import Process, running, server
from tests.cli.test_connecting import Authority, answering, behind
from tests.web.browsers import Browser
from tests.web.visitor import Visitor, meeting_server, rgb_of, until

#: Bytes, packed with Brotli, of the files that are loaded to be in a meeting in English. The goal is 190,000
#: bytes until the room is shown, which `snug bench page` measures (decision 61); headers have 7,000 of them.
#: It is missed by 9,500, for rules against members and servers that silence a meeting.
SIZE_MAX: Final = 193_800
#: And of each language beside English.
LANGUAGE_MAX: Final = 24_700
IN_BROWSERS: Final = pytest.mark.asyncio(loop_scope="session")
_STATIC: Final = re.compile(r"""(?:from|import)\s*["']\./([^"']+)["']""")


def packed(file: page.File) -> int:
    return len(file.answer("br, gzip")[1])


def loaded_first(bundle: page.Bundle) -> set[str]:
    """The files that a meeting needs: those that index.html names, and those that these import at once."""
    todo, found = ["index.html", "main.js", "main.css", "worker.js"], set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            if name.endswith(".js"):
                todo += _STATIC.findall(bundle.files[name].data.decode())
    return found


# -- built -------------------------------------------------------------------------------------


def test_the_same_sources_give_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    found = node.ensure_installed()
    node.run(found, [found.node, "build.mjs", str(tmp_path / "anew")])
    one, two = page.load(), page.load(tmp_path / "anew")
    assert {n: f.sha256 for n, f in one.files.items()} == {n: f.sha256 for n, f in two.files.items()}
    assert one.hash == two.hash


def test_the_hash_is_over_the_names_and_sums_of_all_files(bundle: Path) -> None:
    files = sorted(path for path in bundle.iterdir() if path.name != "manifest.json" and path.suffix != ".br")
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in files)
    assert page.load().hash == hashlib.sha256(lines.encode()).hexdigest()
    assert {path.name for path in files} > {"blur.js", "blur.wasm", "blur.tflite"}


def test_the_packed_files_are_the_same_files(bundle: Path) -> None:
    """Brotli, which Python's library can't unpack; another packing changes no hash."""
    unpacked = (
        'const { brotliDecompressSync } = require("node:zlib"), { readFileSync } = require("node:fs");'
        'const sum = (data) => require("node:crypto").createHash("sha256").update(data).digest("hex");'
        "const names = process.argv.slice(1);"
        "console.log(JSON.stringify(names.map((name) => sum(brotliDecompressSync(readFileSync(name))))));"
    )
    made = page.load()
    small = {name: file for name, file in made.files.items() if file.brotli is not None}
    assert {"index.html", "main.js", "main.css", "worker.js"} < small.keys()
    paths = [str(bundle / f"{name}.br") for name in small]
    command = [node.find_node().node, "-e", unpacked, *paths]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert json.loads(told) == [file.sha256 for file in small.values()]
    for file in small.values():
        assert file.brotli is not None
        assert len(file.brotli) < min(len(file.data), len(file.packed) + 32)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip", "br"),
        ("gzip;q=1.0, BR", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000,gzip", "gzip"),
        ("gzip, deflate", "gzip"),
        ("brotli, x-gzip", None),
        ("identity", None),
        ("", None),
    ],
)
def test_a_file_is_packed_as_its_reader_accepts_it(accepted: str, coding: str | None) -> None:
    file = page.File("main.js", b"plain", "0" * 64, b"brotli")
    bodies = {"br": b"brotli", "gzip": gzip.compress(b"plain", mtime=0), None: b"plain"}
    assert file.answer(accepted) == (coding, bodies[coding])
    assert dataclasses.replace(file, brotli=None).answer("br") == (None, b"plain")


def test_the_release_notes_have_the_hash_that_this_machine_comes_to(bundle: Path) -> None:
    notes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    told = re.findall(r"^The page's hash, from any machine that builds it: `(.*)`$", notes, re.MULTILINE)
    assert told[0] == page.load().hash, "the page has changed: run `make note`"


def test_the_page_does_not_grow(bundle: Path, record_property: Any) -> None:
    made = page.load()
    first = loaded_first(made)
    sizes = {name: packed(file) for name, file in made.files.items()}
    for name, size in sizes.items():
        record_property(name, size)
    assert {"index.html", "main.js", "main.css", "worker.js"} < first
    total = sum(sizes[name] for name in first)
    assert total < SIZE_MAX, {name: sizes[name] for name in first}
    for language in (each for each in LANGUAGES if each != "en"):
        [chunk] = [name for name in sizes if re.fullmatch(rf"{language}-\w+\.js", name)]
        assert chunk not in first, "a language that nobody chose is not loaded"
        assert sizes[chunk] < LANGUAGE_MAX, (chunk, sizes[chunk])


def test_the_page_names_no_other_place(bundle: Path) -> None:
    """The page names no other origin, except vocabularies, which are names and never requested."""
    allowed = {"http://www.w3.org", "http://www.webrtc.org", "http://www.ietf.org", "https://meet.example"}
    for name, file in page.load().files.items():
        found = set(re.findall(r"https?://[a-zA-Z0-9.-]+\.[a-z]{2,}", file.data.decode("latin-1")))
        named = {"https://github.com"} if name == "blur.js" else set()  # in a text of the compiler's
        assert found <= allowed | named, (name, found - allowed)


def test_a_page_that_was_changed_where_it_lies_is_not_served(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    with (copy / "main.js").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(page.PageError, match=r"main\.js is not what was built"):
        page.load(copy)
    shutil.copyfile(bundle / "main.js", copy / "main.js")
    page.load(copy)
    with (copy / "worker.js.br").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(page.PageError, match=r"worker\.js\.br is not what was built"):
        page.load(copy)
    with pytest.raises(page.PageError, match="has not been built"):
        page.load(tmp_path)


# -- served ------------------------------------------------------------------------------------


async def test_the_headers_that_the_server_sends_with_the_page(bundle: Path) -> None:
    made = page.load()
    with server() as (_, url):
        async with aiohttp.ClientSession(auto_decompress=False) as http:
            for name, file in made.files.items():
                place = f"{url}/" if name == "index.html" else f"{url}/{name}"
                async with http.get(place, headers={"Accept-Encoding": "identity"}) as answer:
                    assert (answer.status, await answer.read()) == (200, file.data)
                    told = answer.headers
                assert told["Referrer-Policy"] == "no-referrer"
                assert told["Cross-Origin-Resource-Policy"] == "same-origin"
                assert told["X-Content-Type-Options"] == "nosniff"
                lasting = re.search(r"-[0-9A-Z]{8}\.js$", name) is not None
                assert told["Cache-Control"] == ("max-age=600" if lasting else "no-cache")
                assert "Set-Cookie" not in told
                for coding, data in (("gzip", file.packed), ("br", file.brotli or file.data)):
                    async with http.get(place, headers={"Accept-Encoding": coding}) as answer:
                        assert await answer.read() == data
                        assert answer.headers.get("Content-Encoding", coding) == coding
                        assert answer.headers["Vary"] == "Accept-Encoding"
                async with http.get(place, headers={"If-None-Match": told["ETag"]}) as answer:
                    assert (answer.status, await answer.read()) == (304, b"")
                async with http.get(place, headers={"If-None-Match": '"another"'}) as answer:
                    assert answer.status == 200
                if name == "blur.js":
                    assert told["Cross-Origin-Embedder-Policy"] == "require-corp"
                    assert told["Content-Security-Policy"] == (
                        "default-src 'none'; script-src 'wasm-unsafe-eval'; "
                        "require-trusted-types-for 'script'; trusted-types 'none'"
                    )
                    continue
                if name not in ("index.html", "worker.js", "service.js"):
                    # nothing reads these headers there
                    assert not {"Content-Security-Policy", "Permissions-Policy"} & told.keys()
                    continue
                policy = dict(part.split(" ", 1) for part in told["Content-Security-Policy"].split("; "))
                assert policy["default-src"] == "'none'"
                assert policy["script-src"] == policy["worker-src"] == policy["manifest-src"] == "'self'"
                # some browsers' 'self' is no WebSocket
                assert policy["connect-src"] == f"'self' {page.sockets(url)}"
                assert policy["require-trusted-types-for"] == "'script'"
                assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
                assert "unsafe" not in told["Content-Security-Policy"]
                assert told["Cross-Origin-Embedder-Policy"] == "require-corp"
                if name == "index.html":
                    assert told["Cross-Origin-Opener-Policy"] == "same-origin"
                    assert told["X-Frame-Options"] == "DENY"
                    assert told["Permissions-Policy"].startswith("camera=(self), microphone=(self), ")
                assert gzip.decompress(file.packed) == file.data
            async with http.get(f"{url}/where.json", headers={"Accept-Encoding": "identity"}) as answer:
                assert (await answer.json())["origin"] == url
            async with http.get(f"{url}/manifest.json", headers={"Accept-Encoding": "identity"}) as answer:
                assert (await answer.json())["hash"] == made.hash


@contextlib.asynccontextmanager
async def serving(bundle: page.Bundle, origin: str | None = None, port: int = 0) -> AsyncIterator[str]:
    """Serve a page with `snug page`; its URL."""
    app = web.Application()
    where: dict[str, object] = {"origin": origin, "lecture": False, "peers": []}
    app.add_routes(page.routes(bundle, where=where, connect=[page.sockets(origin)] if origin else []))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def changed(bundle: page.Bundle, name: str, more: bytes) -> page.Bundle:
    """A changed page: one file has an addition, and the manifest fits, as a server could serve it."""
    file = bundle.files[name]
    data = file.data + more
    other = dataclasses.replace(
        file,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        brotli=None,
    )
    files = {**bundle.files, name: other}
    return page.Bundle(files, page.hash_of({n: f.sha256 for n, f in files.items()}))


async def verify(url: str) -> tuple[int, dict[str, Any]]:
    """The status and the object of `snug verify-page URL --json`."""
    with running("verify-page", url, "--json") as process:
        status = await asyncio.to_thread(process.status)
        return status, json.loads(process.lines[-1]) if process.lines else {}


async def test_verify_page_tells_the_same_from_others(bundle: Path) -> None:
    made = page.load()
    with server() as (_, url):
        status, told = await verify(url)
        assert (status, told["same"], told["served"], told["own"]) == (0, True, made.hash, made.hash)
        assert {row["name"]: row["state"] for row in told["files"]} == dict.fromkeys(made.files, "same")

    other = changed(made, "worker.js", b"\n//")
    async with serving(other) as url:
        status, told = await verify(url)
        assert (status, told["same"], told["served"]) == (7, False, other.hash)
        states = {row["name"]: row["state"] for row in told["files"]}
        assert states.pop("worker.js") == "differs"
        assert set(states.values()) == {"same"}

    less = {name: file for name, file in made.files.items() if name != "main.css"}
    async with serving(page.Bundle(less, made.hash)) as url:
        status, told = await verify(url)
        assert status == 7
        assert {row["name"]: row["state"] for row in told["files"]}["main.css"] == "missing"

    more = dataclasses.replace(made.files["main.js"], name="more.js")
    async with serving(page.Bundle({**made.files, "more.js": more}, made.hash)) as url:
        status, told = await verify(url)
        assert status == 7
        assert {row["name"]: row["state"] for row in told["files"]}["more.js"] == "more"

    assert (await verify(url))[0] == 3, "there is nobody any more"


def test_verify_page_believes_no_certificate_that_proves_nothing(bundle: Path, tmp_path: Path) -> None:
    with (
        answering(behind(Authority(tmp_path).context(), [])) as port,
        running("verify-page", f"https://127.0.0.1:{port}") as process,
    ):
        assert process.status() == Status.UNTRUSTED
        assert "Somebody may be between you and the server." in process.errors[-1]


@contextlib.contextmanager
def own_page(*arguments: str, port: int = 0) -> Iterator[tuple[Process, str]]:
    """`snug page`, and what it says where the page is."""
    link = [each for each in arguments if "#" in each]
    others = [each for each in arguments if "#" not in each]
    with running("page", "--port", str(port), *(["-"] if link else []), *others) as process:
        for each in link:
            process.send(each)
        line = process.wait_line(lambda line: line.startswith("The page is at "))
        yield process, line.removeprefix("The page is at ")
        process.signal(signal.SIGTERM)
        assert process.status() == 0


async def test_only_own_pages_and_the_servers_may_connect(bundle: Path) -> None:
    with server() as (_, url):
        async with aiohttp.ClientSession() as http:
            own = f"http://{'a2' * 13}.localhost:8790"
            for origin in (url, own, "http://127.0.0.1:8790", "http://localhost:1234"):
                async with http.ws_connect(f"{url}/ws", headers={"Origin": origin}):
                    pass
            refused_ones = ["https://evil.example", "http://127.0.0.1.evil.example", "null"]
            refused_ones += [
                "http://app.localhost:8790",
                f"http://x.{'a2' * 13}.localhost",
                own + ".evil.example",
            ]
            for origin in refused_ones:
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await http.ws_connect(f"{url}/ws", headers={"Origin": origin})
                assert refused.value.status == 403


# -- opened ------------------------------------------------------------------------------------


#: Everything in the page's database, with bytes as hexadecimal and as Latin-1 text.
_STORED: Final = """async () => {
  const open = indexedDB.open("snug");
  const database = await new Promise((done) => { open.onsuccess = () => done(open.result); });
  const hex = (byte) => byte.toString(16).padStart(2, "0");
  const all = {};
  for (const name of database.objectStoreNames) {
    const rows = database.transaction(name).objectStore(name).getAll();
    all[name] = await new Promise((done) => { rows.onsuccess = () => done(rows.result); });
  }
  database.close();
  return JSON.parse(JSON.stringify(all, (_, value) => value instanceof Uint8Array
    ? [Array.from(value, hex).join(""), String.fromCharCode(...value)] : value));
}"""


#: The copy of the page that the device keeps: null until it is complete.
COPY: Final = """async () => {
  const [name] = await caches.keys();
  const cache = name === undefined ? null : await caches.open(name);
  if (cache === null || (await cache.match("manifest.json")) === undefined) return null;
  const urls = (await cache.keys()).map(({ url }) => url);
  const texts = await Promise.all(urls.map(async (url) => (await cache.match(url)).text()));
  return { name, urls, text: texts.join("") };
}"""
#: How many service workers and caches there are.
INSTALLED: Final = (
    "Promise.all([navigator.serviceWorker.getRegistrations(), caches.keys()])"
    ".then((all) => all.map(({ length }) => length))"
)


async def copy_of(bo: Visitor) -> dict[str, Any]:
    """Wait until the device keeps the page: what it keeps."""
    return await until(lambda: bo.tab.js(f"({COPY})()"), "the page is not kept")


@IN_BROWSERS
async def test_opening_it_leaves_nothing_behind(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    """The link leaves the address and the history; no other origin is requested.

    Only choices and the name are stored; once in a meeting, the way back, sealed, and the page's own files.
    """
    with meeting_server(tmp_path) as (_, url), running("host", "--server", url, "--json") as host:
        link = (await asyncio.to_thread(host.wait, "invite"))["link"]
        name = "Bosse Borg"  # "Bo" alone comes up in random bytes
        bo = await Visitor.at(fresh, link, name)
        await bo.reads("Before you knock")
        assert await bo.tab.js("location.href") == f"{url}/"
        assert await bo.tab.js(INSTALLED) == [0, 0]
        await bo.knock()
        knock = await asyncio.to_thread(host.wait, "knock")
        host.send({"admit": knock["id"]})
        await bo.reads("2 people here")
        assert await bo.tab.js("[location.href, location.hash, document.referrer]") == [f"{url}/", "", ""]
        assert link.split("#")[1] not in await bo.tab.js("document.documentElement.outerHTML")

        kept = await bo.tab.js("Object.fromEntries(Object.entries(localStorage))")
        assert set(kept) <= {"snug"}
        assert json.loads(kept["snug"]) == {"language": "en", "theme": "system", "name": name}
        assert await bo.tab.js("[sessionStorage.length, document.cookie]") == [0, ""]
        assert await bo.tab.js("indexedDB.databases().then((all) => all.map(({ name }) => name))") == ["snug"]
        stored = json.dumps(await bo.tab.js(f"({_STORED})()"))
        assert '"meetings"' in stored
        for secret in (link, link.split("#")[1], name, url):
            assert secret not in stored
        copy = await copy_of(bo)
        assert await bo.tab.js(INSTALLED) == [1, 1]
        assert copy["name"] == f"snug-page-{page.load().hash}"
        names = {*page.load().files, "where.json", "manifest.json"} - {"blur.js", "blur.wasm", "blur.tflite"}
        assert {name.removeprefix(f"{url}/") for name in copy["urls"]} == names
        assert link.split("#")[1] not in copy["text"]

        asked = await bo.tab.js("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert asked
        assert [name for name in asked if not name.startswith((f"{url}/", "blob:"))] == []
        await bo.press("More")
        await bo.press("Settings")
        await bo.press("Forget me on this device")
        await until(lambda: gone(bo), "something is kept")
        await bo.clean()
        # going back leads to no link either
        await bo.tab.js("void removeEventListener('beforeunload', () => 0)")
        assert await bo.tab.js("history.length") <= 2


async def gone(bo: Visitor) -> bool:
    """Whether the device keeps no copy of the page, and no meeting."""
    stored = json.dumps(await bo.tab.js(f"({_STORED})()"))
    return await bo.tab.js(INSTALLED) == [0, 0] and '"id":' not in stored


_LOADED_LANGUAGES: Final = (
    "performance.getEntriesByType('resource').filter(({ name }) => /\\/(de|zh)[-\\w]*\\.js$/.test(name))"
)


@IN_BROWSERS
async def test_the_page_shows_the_hash_that_it_has(fresh: Browser, bundle: Path) -> None:
    made = page.load()
    with server() as (_, url):
        ada = await Visitor.at(fresh, url, "Ada")
        text = "document.querySelector('.about summary') !== null"
        await until(lambda: ada.tab.js(text), "no text about the page")
        assert await ada.tab.js(_LOADED_LANGUAGES) == []
        # computed when somebody looks
        await ada.tab.js("void document.querySelector('.about summary').click()")
        digits = "document.querySelector('.about-text p')?.textContent.replaceAll(/\\s/g, '')"
        await until(lambda: ada.tab.js(f"{digits} === '{made.hash}'"), "another hash")
        asked = await ada.tab.js("performance.getEntriesByType('resource').map(({ name }) => name)")
        assert any("later.css" in name for name in asked)
        assert not [name for name in asked if "/blur." in name]
        await ada.clean()


@IN_BROWSERS
async def test_one_meeting_is_held_in_one_tab(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    with meeting_server(tmp_path) as (_, url), running("host", "--server", url, "--json") as host:
        link = (await asyncio.to_thread(host.wait, "invite"))["link"]
        first = await Visitor.at(fresh, link, "Bo")
        await first.knock()
        await first.reads("Waiting to be let in")
        second = await Visitor.at(fresh, link, "Bo")
        await second.knock()
        await second.reads("You are in this meeting in another tab")
        assert await second.tab.js("probe.workers.length") == 0


@IN_BROWSERS
async def test_a_page_of_ones_own_meets_elsewhere(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    with (
        meeting_server(tmp_path) as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Cem", "--json") as host,
    ):
        link = (await asyncio.to_thread(host.wait, "invite"))["link"]
        with own_page(link) as (_, own):
            assert re.fullmatch(r"http://[a-z2-7]{26}\.localhost:\d+/#once-[\w-]{22}", own)
            bo = await Visitor.at(fresh, own, "Bo")
            await bo.reads("This page comes from your own machine")
            assert await bo.tab.js("location.hash") == ""
            await bo.knock()
            await bo.here("Cem")
            await bo.sees("Cem", rgb_of(colour_of_identity(0)))
            # it may reach that one and no other
            with contextlib.suppress(Exception):
                await bo.tab.js("fetch('http://127.0.0.1:9/').catch(() => 0)")
            await until(lambda: bo.tab.js("probe.violations.length === 1"), "the policy lets it go elsewhere")


@IN_BROWSERS
async def test_a_member_who_was_served_another_page_is_named(
    fresh: Browser, bundle: Path, tmp_path: Path
) -> None:
    other = changed(page.load(), "main.js", b"\n//another")
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(fresh, url, "Ada")
        link = await ada.open_room()
        async with serving(other, url) as elsewhere:
            bo = await Visitor.at(fresh, f"{elsewhere}/#{link}", "Bo")
            await bo.knock()
            await ada.here("Bo")
            await ada.panel("people", "People")
            await ada.reads("Runs another page than you")
            await ada.reads("\u201cBo\u201d runs another page than you")
            await bo.panel("people", "People")
            await bo.reads("Runs another page than you")
