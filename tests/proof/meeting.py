"""A whole meeting of processes, watched from all sides; the findings are kept for the tests.

snug-server   from a tree without crypto/ and client/, behind a proxy that keeps all bytes
Ada           hosts; all her secrets are noted
Cem           comes second, and his program is watched at the wire only
Bob           comes while the meeting runs and is removed before it ends; all his secrets are noted
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snugroom.crypto.proof.verification import grouped
from tests.patience import PATIENCE
from tests.proof.memory import Found, Held, Searcher, Snapshot, search_snapshots, snapshot, snapshot_all
from tests.proof.proxy import Proxy, unmasked
from tests.proof.server_only import ROOT, Tree
from tests.proof.witness import DATAGRAM_IN, DATAGRAM_OUT, RTP_IN, RTP_OUT, Secrets, Tap

NAMES = {"ada": "Ada Quagga-Thylacine", "bob": "Bob Żółw Dodo", "cem": "Cem Aurochs-Moa"}
TITLE = "The quarterly canary: strike on Friday"
GREETINGS = {"bob": "It is me, the one with the green umbrella", "cem": "Cem here, from the archive"}
CHATS = {
    "ada": "The parcel is under the third bench, tell nobody",
    "cem": "Üben wir den Ernstfall am Samstag um acht",
    "bob": "I have copied all of the minutes of 1989",
    "after": "Now that Bob is gone: the password is swordfish-7",
}
#: A witness's notes for the tests, and the one secret that the server sees by design.
NO_CANARIES = {"copy of keys", "exported snug 1 pass"}
_BETWEEN_BEEPS = 0.35
Canaries = dict[str, bytes | str]


class Person:
    """One participant's process, by its JSON lines."""

    def __init__(self, who: str, folder: Path) -> None:
        self.who = who
        self.tap = folder / f"{who}.tap"
        self.secrets = folder / f"{who}.secrets"
        self.events: list[dict[str, Any]] = []
        self.process: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def start(self, *arguments: str, noted: bool) -> None:
        secrets = ["--secrets", str(self.secrets)] if noted else []
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.proof.witness", "--tap", str(self.tap), *secrets, "--"),
            *(*arguments, "--name", NAMES[self.who], "--json"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.events.append(json.loads(line))
            self._changed.set()
        self._changed.set()

    def tell(self, **command: object) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == kind]

    async def until(self, what: Callable[[], object], why: str) -> None:
        """Wait for events that make it so."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not what():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.who} waited in vain for {why}; last: {self.events[-5:]}") from None

    def opened(self, sender: str, stream: str) -> int:
        """Frames of somebody's stream that were opened, so far."""
        counts = [
            e["opened"] for e in self.of("media") if e["from"] == NAMES[sender] and e["stream"] == stream
        ]
        return max(counts, default=0)

    def decoded(self, sender: str) -> bool:
        """Whether some of a person's sound and video has been decoded."""
        rows = [e for e in self.of("media") if e["from"] == NAMES[sender] and e["decoded"] > 10]
        return {e["stream"] for e in rows} == {"audio", "video"}

    def heard(self, text: str) -> bool:
        return any(e["text"] == text for e in self.of("chat"))

    def roster(self) -> list[str]:
        rosters = self.of("roster")
        return [m["name"] for m in rosters[-1]["members"]] if rosters else []

    def code(self) -> tuple[int, str]:
        codes = self.of("code")
        return (codes[-1]["epoch"], codes[-1]["digits"]) if codes else (-1, "")

    async def end(self) -> int:
        """Wait for its end; the exit status."""
        assert self.process is not None
        assert self._reading is not None
        async with asyncio.timeout(PATIENCE):
            await self._reading
            return await self.process.wait()

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


def mostly_opened(row: dict[str, Any]) -> bool:
    """Return whether a `media` event counts more opened frames than refused ones.

    A member that doubts another waits 2.5 s for signatures. On a busy machine many come later than that.
    """
    return bool(row["failed"] < row["opened"])


@dataclass(repr=False, eq=False)  # it is large
class Record:
    """The traces that the meeting left behind."""

    folder: Path
    people: dict[str, Person]
    proxy: Proxy
    #: What snapshots read, until it has been searched.
    held: Held = field(default_factory=Held)
    #: By the moment: the memory of all of the server's processes. By name: a participant's, with all there.
    server: dict[str, Snapshot] = field(default_factory=dict)
    participants: dict[str, Snapshot] = field(default_factory=dict)
    #: Bob's and Ada's while he waits to be let in: later nobody needs his key package and his greeting.
    at_the_door: dict[str, Snapshot] = field(default_factory=dict)
    #: All canaries, and what was found of them in the same order as the snapshots'; and on the wire.
    canaries: Canaries = field(default_factory=dict)
    in_server: dict[str, Found] = field(default_factory=dict)
    in_participants: dict[str, Found] = field(default_factory=dict)
    in_at_the_door: dict[str, Found] = field(default_factory=dict)
    on_wire: Found = field(default_factory=dict)
    wire_bytes: int = 0
    #: Bytes by which this process grew at most.
    grown: int = 0
    #: Data that the server gets by design, and the part of it found in its memory while all were there.
    public: Canaries = field(default_factory=dict)
    public_in_server: Found = field(default_factory=dict)
    output: bytes = b""
    log: bytes = b""
    status: int | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    opened_at_removal: dict[str, int] = field(default_factory=dict)
    #: Epochs that Bob's entrance and removal began.
    entrance: int = 0
    removal: int = 0


def class_of(canary: str) -> str:
    """The class of a canary's name, such as ``SFrame key`` of ``SFrame key #12``."""
    return canary.rpartition(" #")[0]


def messages_of(stream: bytes) -> list[dict[str, Any]]:
    """The messages that a client has sent on one connection."""
    out = []
    for piece in unmasked(stream)[1:]:
        with contextlib.suppress(ValueError):
            out.append(json.loads(piece))
    return [m for m in out if isinstance(m, dict)]


def shown_passes(proxy: Proxy) -> set[bytes]:
    """The passes that members have shown to the server."""
    return {
        base64.b64decode(room_pass)
        for stream in proxy.up
        for message in messages_of(bytes(stream))
        if message["type"] == "show"
        for room_pass in message["room_passes"]
    }


def canaries_of(record: Record) -> Canaries:
    """All that nobody but members may know."""
    found: list[tuple[str, bytes | str]] = [("name", name) for name in NAMES.values()]
    found += [("title", TITLE), *(("greeting", g) for g in GREETINGS.values())]
    found += [("chat", text) for text in CHATS.values()]
    for person in record.people.values():
        for event in person.of("code"):
            found += [("code", event["digits"]), ("code", grouped(event["digits"]))]
        for event in person.of("invite"):
            found.append(("link", event["link"].partition("#")[2]))
        if person.secrets.exists():
            found += [(k, s) for k, s in Secrets.read(person.secrets) if k not in NO_CANARIES]
    out: Canaries = {}
    for kind, value in dict.fromkeys(found):
        out[f"{kind} #{len(out)}"] = value
    return out


def public_of(proxy: Proxy) -> Canaries:
    """Data that the server has got by design, the first of each kind."""
    out: Canaries = {}
    for stream in proxy.up:
        for message in messages_of(bytes(stream)):
            if message["type"] == "room_door":
                out.setdefault("room admin key", base64.b64decode(message["room_admin_key"]))
            if message["type"] == "commit":
                out.setdefault("sealed commit", base64.b64decode(message["blob"])[100:200])
            if message["type"] == "relay":
                out.setdefault("sealed message", base64.b64decode(message["blob"])[100:200])
            if message["type"] == "media":
                out.setdefault("certificate fingerprint", base64.b64decode(message["fingerprint"]))
    return out


def _agree(*people: Person) -> bool:
    rosters = {tuple(p.roster()) for p in people}
    return rosters == {tuple(NAMES[p.who] for p in people)} and len({p.code() for p in people}) == 1


async def _all(people: list[Person], what: Callable[[Person], object], why: str) -> None:
    await asyncio.gather(*(p.until(lambda p=p: what(p), why) for p in people))  # type: ignore[misc]  # bound now


def _knock(host: Person, who: str) -> dict[str, Any] | None:
    return next((e for e in host.of("knock") if e["name"] == NAMES[who]), None)


async def let_in(host: Person, who: str) -> None:
    """Admit somebody who knocks."""
    await host.until(lambda: _knock(host, who), f"{who}'s knock")
    knock = _knock(host, who)
    assert knock is not None
    host.tell(admit=knock["id"])


async def _meet(record: Record, server: int) -> None:
    """The meeting itself. Memory is only read here, and searched when all is over."""
    held = record.held
    began = time.monotonic()
    link = await _two_meet(record)
    await _bob_comes(record, server, link, held)
    await _bob_is_removed(record)
    record.server["after the removal"] = await asyncio.to_thread(snapshot_all, server, held)
    for who in ("cem", "ada"):
        person = record.people[who]
        person.tell(leave=True)
        record.statuses[person.who] = await person.end()
    record.seconds = time.monotonic() - began
    record.server["when all have left"] = await asyncio.to_thread(snapshot_all, server, held)


async def _two_meet(record: Record) -> str:
    """Ada and Cem see, hear and write to each other. Returns the link."""
    ada, cem = record.people["ada"], record.people["cem"]
    await ada.start("host", "--server", record.proxy.url, "--title", TITLE, noted=True)
    await ada.until(lambda: ada.of("invite"), "the invite")
    link = ada.of("invite")[0]["link"]
    recordings = ("--record", str(record.folder / "recordings"))
    await cem.start("join", link, "--greeting", GREETINGS["cem"], *recordings, noted=False)
    await let_in(ada, "cem")
    await _all([ada, cem], lambda p: len(p.roster()) == 2, "two to be in")
    await _all([ada], lambda p: p.decoded("cem"), "Cem's media")
    await _all([cem], lambda p: p.decoded("ada"), "Ada's media")
    ada.tell(chat=CHATS["ada"])
    cem.tell(chat=CHATS["cem"])
    await ada.until(lambda: ada.heard(CHATS["cem"]), "Cem's chat")
    await cem.until(lambda: cem.heard(CHATS["ada"]), "Ada's chat")

    return str(link)


async def _bob_comes(record: Record, server: int, link: str, held: Held) -> None:
    """Bob knocks and comes in. The memory of all processes is read, before and after."""
    ada, bob, cem = (record.people[who] for who in ("ada", "bob", "cem"))
    await bob.start("join", link, "--greeting", GREETINGS["bob"], noted=True)
    await ada.until(lambda: _knock(ada, "bob"), "Bob's knock")
    for person in (bob, ada):
        record.at_the_door[person.who] = await asyncio.to_thread(snapshot, person.pid, held)
    await let_in(ada, "bob")
    everybody = [ada, cem, bob]
    await _all(everybody, lambda p: len(p.roster()) == 3, "three to be in")
    record.entrance = bob.of("roster")[0]["epoch"]
    await _all(
        everybody,
        lambda p: all(p.decoded(other.who) for other in everybody if other is not p),
        "everybody's media",
    )
    bob.tell(chat=CHATS["bob"])
    await _all([ada, cem], lambda p: p.heard(CHATS["bob"]), "Bob's chat")
    assert _agree(ada, cem, bob)
    record.public = public_of(record.proxy)
    record.server["while all are there"] = await asyncio.to_thread(snapshot_all, server, held)
    for who, person in record.people.items():
        record.participants[who] = await asyncio.to_thread(snapshot, person.pid, held)
    for moment in ("a little later", "later still", "yet later", "at last"):
        # her card is silent for 0.4 s of each second: in one of some moments so far apart it beeps, and a
        # busy machine has not written over all of it
        await asyncio.sleep(_BETWEEN_BEEPS)
        record.participants[f"ada, {moment}"] = await asyncio.to_thread(snapshot, ada.pid, held)


async def _bob_is_removed(record: Record) -> None:
    """Ada removes Bob; she and Cem go on for some seconds."""
    ada, bob, cem = (record.people[who] for who in ("ada", "bob", "cem"))
    leaf = next(m["leaf"] for m in ada.of("roster")[-1]["members"] if m["name"] == NAMES["bob"])
    ada.tell(remove=leaf)
    await bob.until(lambda: bob.of("end"), "its end")
    await _all([ada, cem], lambda p: len(p.roster()) == 2, "Bob to be gone")
    record.removal = ada.of("roster")[-1]["epoch"]
    record.statuses["bob"] = await bob.end()
    record.opened_at_removal = {"ada": ada.opened("cem", "audio"), "cem": cem.opened("ada", "audio")}
    ada.tell(chat=CHATS["after"])
    await cem.until(lambda: cem.heard(CHATS["after"]), "Ada's last chat")
    for person, other in ((ada, "cem"), (cem, "ada")):
        least = record.opened_at_removal[person.who] + 60
        await person.until(lambda p=person, o=other, n=least: p.opened(o, "audio") > n, "more media")  # type: ignore[misc]  # bound now
    assert _agree(ada, cem)


def _wire(record: Record) -> bytes:
    """All that the server received and sent."""
    pieces = [bytes(stream) for stream in record.proxy.down]
    for stream in record.proxy.up:
        pieces += unmasked(bytes(stream))
    for person in record.people.values():
        pieces += [d for k, d in Tap.read(person.tap) if k in (RTP_OUT, RTP_IN, DATAGRAM_OUT, DATAGRAM_IN)]
    return b"\n".join(pieces)


def _search(record: Record) -> None:
    """Search everything for all canaries, the later ones too: they were not there yet, and must not be."""
    record.canaries = canaries_of(record)
    groups = (record.server, record.participants, record.at_the_door)
    snapshots = [one for group in groups for one in group.values()]
    found = iter(search_snapshots(snapshots, record.canaries))
    record.in_server, record.in_participants, record.in_at_the_door = (
        {name: next(found) for name in group} for group in groups
    )
    record.public_in_server = record.server["while all are there"].search(record.public)
    wire = _wire(record)
    record.wire_bytes = len(wire)
    record.on_wire = Searcher(record.canaries).search(wire)
    record.held.let_go()


async def hold(folder: Path) -> Record:
    """Hold it, search everything, take everything down."""
    proxy = Proxy()
    await proxy.start()
    record = Record(folder, {}, proxy)
    record.people = {who: Person(who, folder) for who in NAMES}
    settings = folder / "settings.toml"
    settings.write_text(f'listen = "127.0.0.1:0"\norigin = "{proxy.url}"\n', encoding="utf-8")
    tree = Tree(folder)
    server = await asyncio.create_subprocess_exec(
        *tree.server("--config", str(settings), "--log-level", "debug", "--inspectable"),
        cwd=tree.path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        async with asyncio.timeout(PATIENCE):
            first = await server.stdout.readline()
        url = first.decode().split()[-1]
        proxy.target = ("127.0.0.1", int(url.rpartition(":")[2]))
        await _meet(record, server.pid)
        server.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            rest, record.log = await server.communicate()
        record.output, record.status = first + rest, server.returncode
    finally:
        for person in record.people.values():
            await person.kill()
        if server.returncode is None:
            server.kill()
            await server.wait()
        proxy.close()
    _search(record)
    return record
