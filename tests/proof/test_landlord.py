"""The memory of a server that a host carries holds nothing of the meeting that went on there.

A meeting moves from a server that is killed to the server that Ada's program has started as a child process.
Ada's and Cem's secrets are noted. The child's memory is searched for all of them, and Ada's too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from snugroom.installed import environment
from tests.patience import PATIENCE
from tests.proof.meeting import (
    CHATS,
    GREETINGS,
    NAMES,
    TITLE,
    Canaries,
    Person,
    Record,
    canaries_of,
    class_of,
    let_in,
)
from tests.proof.memory import Found, Held, Snapshot, search_snapshots, snapshot, snapshot_all
from tests.proof.proxy import Proxy
from tests.proof.test_memory import HELD_BY_ALL
from tests.proof.witness import SEALED_AUDIO, Tap

WHO: Final = ("ada", "cem")
#: Passes of the place, which members show to its server and to no other.
SHOWN: Final = "snug 1 place"
#: A sealed frame of audio: so many of the last ones, and the bytes of each that are searched for.
_FRAMES: Final = 300
_WINDOW: Final = slice(24, 56)


@dataclass(repr=False, eq=False)  # it is large
class Carried:
    """The traces of the meeting: what was found where."""

    canaries: Canaries
    in_server: Found
    in_ada: Found
    sealed_in_server: Found
    server: Snapshot
    environ: dict[str, str]
    files: list[str]
    folder: Path


async def _first_server() -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "snugroom.server", "--listen", "127.0.0.1:0"),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = await process.stdout.readline()
    return process, line.decode().removeprefix("listening on ").strip()


async def _move(ada: Person, cem: Person, own: dict[str, Any]) -> None:
    """Wait until both are at Ada's server, and see, hear and write to each other there."""
    told = f"The meeting goes on at {own['origin']}."
    for person, other in ((ada, "cem"), (cem, "ada")):
        await person.until(lambda p=person: any(e["text"] == told for e in p.of("status")), "the move")  # type: ignore[misc]  # bound now
        for stream in ("audio", "video"):
            least = person.opened(other, stream) + 60
            await person.until(
                lambda p=person, o=other, s=stream, n=least: p.opened(o, s) > n,  # type: ignore[misc]
                f"more {stream}",
            )
    ada.tell(chat=CHATS["ada"])
    cem.tell(chat=CHATS["cem"])
    await ada.until(lambda: ada.heard(CHATS["cem"]), "Cem's chat")
    await cem.until(lambda: cem.heard(CHATS["ada"]), "Ada's chat")


def _outside(pid: int) -> tuple[dict[str, str], list[str]]:
    """Return the environment and the open files of a process."""
    process = Path("/proc", str(pid))
    pairs = [each.partition("=") for each in (process / "environ").read_text("utf-8").split("\0") if each]
    return {name: value for name, _, value in pairs}, [
        os.readlink(each) for each in (process / "fd").iterdir()
    ]


async def _hold(folder: Path) -> Carried:
    record = Record(folder, {who: Person(who, folder) for who in WHO}, Proxy())
    ada, cem = (record.people[who] for who in WHO)
    first, url = await _first_server()
    try:
        await ada.start("host", "--server", url, "--landlord", "--title", TITLE, noted=True)
        await ada.until(lambda: ada.of("invite"), "the invite")
        own = ada.of("landlord")[-1]
        link = ada.of("invite")[0]["link"]
        await cem.start("join", link, "--greeting", GREETINGS["cem"], noted=True)
        await let_in(ada, "cem")
        for person, other in ((ada, "cem"), (cem, "ada")):
            await person.until(lambda p=person, o=other: p.decoded(o), "media")  # type: ignore[misc]  # bound now
        first.kill()
        await first.wait()
        await _move(ada, cem, own)
        held = Held()
        server = await asyncio.to_thread(snapshot_all, own["pid"], held)
        hers = await asyncio.to_thread(snapshot, ada.pid, held)
        environ, files = _outside(own["pid"])
        sealed = [data[_WINDOW] for kind, data in Tap.read(ada.tap) if kind == SEALED_AUDIO][-_FRAMES:]
        for person in (cem, ada):
            person.tell(leave=True)
            assert await person.end() == 0
    finally:
        for person in (ada, cem):
            await person.kill()
        if first.returncode is None:
            first.kill()
            await first.wait()
    canaries = canaries_of(record)
    in_server, in_ada = search_snapshots([server, hers], canaries)
    frames = {f"sealed #{i}": data for i, data in enumerate(sealed)}
    return Carried(canaries, in_server, in_ada, server.search(frames), server, environ, files, folder)


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return asyncio.run(_hold(tmp_path_factory.mktemp("landlord")))


def test_its_memory_holds_none_of_it(carried: Carried) -> None:
    found = {name for name in carried.in_server if class_of(name) != SHOWN}
    assert found == set()


def test_the_search_covers_the_secrets_of_the_place(carried: Carried) -> None:
    kinds = {class_of(name) for name in carried.canaries}
    assert kinds >= HELD_BY_ALL | {"exported snug 1 move", "snug 1 move", "code", "link", "greeting"}
    assert len(carried.canaries) > 500
    assert {NAMES[who] for who in WHO} <= set(carried.canaries.values())


def test_the_same_search_finds_it_in_the_host(carried: Carried) -> None:
    # of the chat, whatever line has not been overwritten since it was shown
    assert HELD_BY_ALL - {class_of(name) for name in carried.in_ada} == set()
    found = {carried.canaries[name] for name in carried.in_ada}
    assert {NAMES["ada"], NAMES["cem"], TITLE} <= found


def test_the_same_search_finds_what_the_server_carries(carried: Carried) -> None:
    assert not carried.server.unread
    assert carried.server.size > 20 << 20
    assert carried.sealed_in_server, "the last packets are kept, as they were sealed"


def test_it_inherits_neither_variables_nor_files(carried: Carried) -> None:
    # the last three are the server's own, and the interpreter's for the locale
    assert carried.environ.keys() <= {"PYTHONPATH", "PYTHONMALLOC", "GLIBC_TUNABLES", "LC_CTYPE"}
    assert [name for name in carried.files if name.startswith(str(carried.folder))] == []
    assert not [name for name in carried.files if name.endswith((".tap", ".secrets", ".toml"))]
