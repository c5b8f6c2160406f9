"""The disclosure is complete, compared with the server's live objects, and members learn of it."""

from __future__ import annotations

import gc
import json
import math
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from snugroom.lab.hostile.runner import Runner
from snugroom.lab.hostile.server import HostileServer
from snugroom.server import page
from snugroom.server.app import Server
from snugroom.server.disclosure import audit, inventory, inventory_nodes, view
from snugroom.server.rooms.memory import Ledger
from snugroom.server.sfu.io.worker_link import WorkerLink, socket_pair
from snugroom.server.sfu.sfu import Sfu
from snugroom.server.turn import TurnServer
from snugroom.wire import signed
from snugroom.wire.messages import (
    Broadcast,
    Broadcasted,
    Committed,
    Relay,
    Relayed,
    Shown,
    Stale,
    Stream,
    Streams,
    Transport,
)
from tests.media_server.framed import dial
from tests.media_server.peer import Peer, rtp
from tests.server.people import (
    DOOR,
    NUMBER,
    ROOM_ADMIN,
    ZERO,
    blob,
    commit,
    gate,
    lobby_door,
    room_pass,
    show,
)
from tests.server.wire_clients import CLIENT_ADDRESS, Guest, Place, eventually, quiet, visiting

ROOT = __file__.rpartition("/tests/")[0]
AGENT = "canary-agent/1.0"
#: Attributes that exist only with media workers, or for a moment (tests/server/test_workers.py).
WITH_WORKERS = {
    name
    for name in inventory.ATTRIBUTES
    if name.startswith(
        (
            "snugroom.server.sfu.workers.pool.",
            "snugroom.server.sfu.workers.pipe.",
            "snugroom.server.sfu.workers.worker.",
            "snugroom.server.sfu.workers.child.",
            "snugroom.server.sfu.workers.spare.",
            "snugroom.server.sfu.workers.slot.",
            "snugroom.server.sfu.workers.spread.",
            "snugroom.server.memory_search.",
        )
    )
    or name
    in (
        "snugroom.server.rooms.media_server.PendingMedia",
        "snugroom.server.rooms.entrance.Arrival",
        "snugroom.server.rooms.memory.CloseRoom",
        "snugroom.server.rooms.memory.DropReader",
        "snugroom.server.rooms.memory.Holding",
        "snugroom.server.rooms.memory.Trim",
        "snugroom.server.sfu.facts.MediaFacts",
        "snugroom.server.sfu.facts.StreamFacts",
    )
}


class Clock:
    """Goes on when it is told to, so that a commit that waits goes on waiting."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Meeting:
    """A meeting that is going on, and what is known about it outside the server, each with its kinds."""

    place: Place
    clock: Clock
    known: dict[bytes | str, set[str]]
    nowhere: list[bytes | str]
    before: list[object]  # what other tests have left

    @property
    def server(self) -> Server:
        return self.place.server


async def _with_media(who: Guest, peer: Peer) -> None:
    await who.say(peer.media)
    await peer.connect(await who.until(Transport))
    await who.until(Streams)


def known_of(
    members: tuple[Guest, ...], guests: tuple[Guest, ...], peers: tuple[Peer, ...], packets: list[bytes]
) -> dict[bytes | str, set[str]]:
    """The data of the meeting that the server knows, and the kinds under which the inventory lists it."""
    chain = signed.chain_next(ZERO, 1, commit(1).blob)
    return {
        NUMBER: {"number"},
        bytes(ROOM_ADMIN.verify_key): {"key", "lobby"},
        chain: {"chain"},
        gate(1): {"gate"},
        commit(1).blob: {"blob"},
        commit(2, "waits").blob: {"blob"},
        blob("relayed", 2048): {"blob"},
        blob("list of frames", 576): {"list"},
        CLIENT_ADDRESS: {"address"},
        "127.0.0.1": {"address", "setting"},
        AGENT: set(),
        "between two servers": {"setting"},
        **{who.handle: {"handle"} for who in members},
        **{who.challenge.nonce: {"nonce"} for who in guests},
        **{packet: {"packet"} for packet in packets},
        **{peer.ufrag: {"ice"} for peer in peers},
        **{peer.password: {"ice"} for peer in peers},
        # own_key: these peers make their certificates with the server's class
        peers[0].media.fingerprint: {"fingerprint", "own_key"},
    }


#: The server was shown or sent these, and does not keep them.
NOWHERE: list[bytes | str] = [
    bytes(DOOR.verify_key), room_pass(0), room_pass(1), blob("too late"),
]  # fmt: skip


async def _exchanged(one: Peer, two: Peer) -> list[bytes]:
    """Send two packets from one to the other, and return them."""
    packets = [rtp(1111, 7, b"sealed audio", kind="audio"), rtp(1112, 9, b"sealed video" * 50)]
    for packet in packets:
        one.send_rtp(packet)
    await two.until(lambda: len(two.rtp) == 2)
    return packets


def _joined_elsewhere(sfu: Sfu) -> tuple[socket.socket, ...]:
    """Let a third member join, as if it were on another worker; return that worker's end of the link."""
    ours, theirs = socket_pair()
    sfu.connect_worker(1, WorkerLink(*ours))
    sfu.join_remote(NUMBER, b"far away", 1, 1, [Stream(3333, "audio")])
    return theirs


@asynccontextmanager
async def meeting() -> AsyncIterator[Meeting]:
    """Two members with media, one of them with a commit that waits; one in a lobby, one at the door."""
    gc.collect()
    before = audit.live_objects()
    clock = Clock()
    turn = [TurnServer(urls=["turn:relay.example"], secret="between two servers")]
    server = Server(quiet(turn=turn), clock=clock, in_process=True)
    url = await server.start()
    assert server._sfu is not None
    server._sfu._next_sweep = math.inf  # what is known by heart is kept until we have looked
    one, two = Peer((1111, "audio"), (1112, "video")), Peer((2222, "audio"))
    layered = [*one.media.streams, Stream(1113, "video", [1114])]
    one.media = msgspec.structs.replace(one.media, streams=layered)
    knocks: socket.socket | None = None
    other_worker: tuple[socket.socket, ...] = ()
    try:
        async with visiting(url, server) as place:
            headers = {"User-Agent": AGENT}
            ada, bob = (
                await (await place.guest(headers)).member(),
                await (await place.guest(headers)).member(),
            )
            lobby, door = await place.guest(headers), await place.guest(headers)
            await lobby.say(lobby_door(lobby.challenge.origin, lobby.challenge.nonce, ROOM_ADMIN))
            await ada.say(commit(1))
            await ada.until(Committed)
            await bob.say(commit(1, "too late"))
            await bob.until(Stale)
            for who in (ada, bob):
                await who.say(show(1))
                await who.until(Shown)
            await bob.say(Relay(blob("relayed", 2048)))
            await ada.until(Relayed)
            await _with_media(ada, one)
            await _with_media(bob, two)
            other_worker = _joined_elsewhere(server._sfu)
            knocks = await dial("127.0.0.1", server._sfu.port)
            await eventually(lambda: server.signaling.media.totals()["tcp_connections"] == 1)
            packets = await _exchanged(one, two)
            await ada.say(Broadcast(blob("list of frames", 576), 1111))
            await bob.until(Broadcasted)
            hub = server.signaling.hub
            await ada.say(commit(2, "waits"))  # she won the last slot, he lost it: hers waits
            await eventually(lambda: any(room.held_bytes for room in hub.rooms()))
            known = known_of((ada, bob), (ada, bob, lobby, door), (one, two), packets)
            yield Meeting(place, clock, known, NOWHERE, before)
    finally:
        one.close()
        two.close()
        if knocks is not None:
            knocks.close()
        for sock in other_worker:
            sock.close()
        await server.stop()


def _kinds(where: str) -> set[str]:
    klass, _, attribute = where.rpartition(".")
    text = inventory.ATTRIBUTES.get(klass, {}).get(attribute, "")
    return set(text.partition(" = ")[2].split())


def _astray(meeting: Meeting, found: audit.Audit) -> set[str]:
    """Where something known sits, and the table doesn't say so. Others' objects may hold what passes."""
    return {
        where
        for where, leaves in found.found.items()
        for value, kinds in meeting.known.items()
        if value in leaves and not _kinds(where) & (kinds | {"http", "tls", "frame"})
    }


async def test_all_that_is_held_is_in_the_disclosure() -> None:
    async with meeting() as held:
        found = audit.audit(held.server, held.before)
        assert found.undeclared == set()
        assert found.misplaced == set()
        assert _astray(held, found) == set()
        everything = set().union(*found.found.values())
        # the walk did get everywhere: what is there was found, what is not there was not
        assert [value for value in held.known if value not in everything] == []
        assert [value for value in held.nowhere if value in everything] == []
        # the table is no longer than what there is
        absent = {
            "snugroom.server.disclosure.command.DisclosureSocket",
            "snugroom.server.disclosure.window.Window",
        }
        absent |= {"snugroom.server.disclosure.metrics.Metrics", *WITH_WORKERS}
        absent |= {"snugroom.server.systemd.Service", "snugroom.server.tls.Certificate"}
        # tests/permission/test_running.py audits these
        absent |= {
            f"snugroom.server.rooms.permission.{n}" for n in ("Permission", "RoomPermission", "WeekKey")
        }
        # tests/nodes/test_placement.py audits these
        absent |= set(inventory_nodes.ATTRIBUTES)
        # of a process, not of a server within another one
        absent |= {"snugroom.server.logs.LineWriter", "snugroom.server.__main__._Console"}
        alive = found.classes | absent | {"snugroom.server.page.Bundle", "snugroom.server.page.File"}
        # tests/exhaustion/test_downloads.py audits answers while they are written
        absent |= {"snugroom.server.http._Pieces", "snugroom.server.rooms.visits.Visit"}
        alive |= absent
        # nobody's way is narrow here, so nothing waits
        narrow = {
            "snugroom.server.sfu.core.pacer.Pacer",
            "snugroom.server.sfu.core.effects.SendRtp",
            "snugroom.server.sfu.core.layer_allocator._VideoState",
        }
        # and nothing is shed
        shed = {"snugroom.server.sfu.core.shedding._Group", "snugroom.server.sfu.core.shedding._Unit"}
        batch = {"snugroom.server.sfu.io.send_plan.GsoBatch"}
        assert set(inventory.ATTRIBUTES) <= alive | batch | narrow | shed
        file = page.load().files["index.html"]
        assert file.packed, "it is packed when a client without Brotli asks for it"
        real: dict[str, set[str]] = {}
        for value in audit.live_objects():
            name = f"{type(value).__module__}.{type(value).__qualname__}"
            real.setdefault(name, set()).update(audit.attributes(value))
        for name, attributes in real.items():
            if name in inventory.ATTRIBUTES:
                assert set(inventory.ATTRIBUTES[name]) <= attributes, name


def _reach(disclosed: Any, path: list[str]) -> bool:
    if not path:
        return True
    name = path[0].removesuffix("[]")
    if not isinstance(disclosed, dict) or name not in disclosed:
        return False
    inner = disclosed[name]
    if path[0].endswith("[]"):
        return any(_reach(item, path[1:]) for item in inner)
    return _reach(inner, path[1:])


async def test_every_place_that_the_table_names_exists() -> None:
    async with meeting() as held:
        plain = view.disclosure(held.server)
        full = view.disclosure(held.server, identifiers=True)
        for klass, attributes in inventory.ATTRIBUTES.items():
            for attribute, text in attributes.items():
                place = text.partition(" = ")[0]
                if place.startswith("- "):
                    continue
                path = place.removeprefix("?").split(".")
                assert _reach(full, path), (klass, attribute, place)
                assert _reach(plain, path) is not place.startswith("?"), (klass, attribute, place)


async def test_the_disclosure_says_what_is_there() -> None:
    async with meeting() as held:
        disclosed = view.disclosure(held.server)
        [room] = disclosed["rooms"]
        assert (disclosed["connections"], disclosed["at_the_door"], disclosed["lobbies"]) == (
            4,
            1,
            [{"connections": 1}],
        )
        assert (room["waiting_commits"], room["waiting_commit_bytes"]) == (1, 512)
        assert sorted(seat["won"] for seat in room["seats"]) == [0, 1]
        assert [seat["pass_slot"] for seat in room["seats"]] == [1, 1]
        assert room["streams"] == {"audio": 2, "video": 2}
        assert room["signature_lists"] == {"count": 1, "bytes": 576}
        assert disclosed["blobs"] == len(room["commits"]) + len(room["relays"]) + 1
        assert disclosed["sealed_media"]["packets"] == 2
        assert disclosed["sealed_media"]["bytes"] == sum(
            len(value) for value, kinds in held.known.items() if kinds == {"packet"}
        )
        assert disclosed["srtp_sessions"] == 2
        text = json.dumps(disclosed)
        full = view.disclosure(held.server, identifiers=True)
        for value in (
            NUMBER,
            bytes(ROOM_ADMIN.verify_key),
            *(k for k, v in held.known.items() if "handle" in v),
        ):
            assert isinstance(value, bytes)
            assert value.hex() not in text
            assert value.hex() in json.dumps(full)
        assert CLIENT_ADDRESS not in text
        assert "canary" not in text
        assert {p["address"] for p in full["people"]} == {CLIENT_ADDRESS}
        assert {p["headers"]["User-Agent"] for p in full["people"]} == {AGENT}
        assert sorted(len(p["media_addresses"]) for p in full["people"]) == [0, 0, 1, 1]
        for secret in ("password", "ufrag"):
            assert secret not in json.dumps(full)


async def test_no_address_is_kept_longer_than_its_connection() -> None:
    async with meeting() as held:
        sfu = held.server._sfu
        assert sfu is not None
        assert view.disclosure(held.server)["datagram_addresses"] > 0
        sfu._next_sweep = -math.inf
        for room, handle in list(sfu._links):
            sfu.leave(room, handle)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((CLIENT_ADDRESS, 0))
            stranger.sendto(b"\x80" + bytes(40), ("127.0.0.1", sfu.port))
            await eventually(lambda: sfu.totals().get("strangers", 0) > 0)
        await eventually(lambda: view.disclosure(held.server)["datagram_addresses"] == 0)


# -- the audit can fail ----------------------------------------------------------------------------------


async def test_a_hidden_attribute_is_found() -> None:
    async with meeting() as held:
        hub = held.server.signaling.hub
        [room] = hub._rooms.values()
        handle = next(k for k, v in held.known.items() if "handle" in v)
        assert isinstance(handle, bytes)

        hub.memory = [handle]  # type: ignore[attr-defined]
        assert audit.audit(held.server, held.before).undeclared == {"snugroom.server.rooms.hub.Hub.memory"}
        del hub.memory  # type: ignore[attr-defined]

        # in an attribute that is declared, and says nothing of it
        room._taken_at[handle] = 1.0  # type: ignore[index]
        assert audit.audit(held.server, held.before).misplaced == {
            "snugroom.server.rooms.room.Room._taken_at"
        }
        del room._taken_at[handle]  # type: ignore[arg-type]

        # something of the right size, and the wrong thing: the gate of a slot where the chain should be
        room._gates._gates[99] = held.server.signaling.hub._nonces[handle]
        assert _astray(held, audit.audit(held.server, held.before)) == {
            "snugroom.server.rooms.gates.Gates._gates"
        }
        del room._gates._gates[99]

        # within a closure, within a container, within a closure
        kept = {"deep": [lambda: handle]}
        hub._rng = lambda size: bytes(size) if kept else b""
        assert audit.audit(held.server, held.before).misplaced == {"snugroom.server.rooms.hub.Hub._rng"}
        hub._rng = os.urandom

        # beside the server, in a module
        signed.seen = {handle: 1}  # type: ignore[attr-defined]
        try:
            assert _astray(held, audit.audit(held.server, held.before)) == {"snugroom.wire.signed.seen"}
        finally:
            del signed.seen  # type: ignore[attr-defined]
        assert not audit.audit(held.server, held.before).misplaced


async def test_an_object_that_nobody_can_reach_is_looked_at_too() -> None:
    async with meeting() as held:
        [room] = held.server.signaling.hub._rooms.values()
        elsewhere = type(room)(NUMBER, b"k" * 32, quiet(), bytes, bytes, Ledger())
        elsewhere.diary = "11:03 they met"  # type: ignore[attr-defined]
        assert audit.audit(held.server, held.before).undeclared == {"snugroom.server.rooms.room.Room.diary"}
        del elsewhere


async def test_an_attribute_added_to_the_server_is_found() -> None:
    gc.collect()
    before = audit.live_objects()
    server = HostileServer(quiet(), Runner({}, lambda line: None))
    await server.start()
    try:
        undeclared = audit.audit(server, before).undeclared
    finally:
        await server.stop()
    assert any("hostile.runner.Runner" in where for where in undeclared)
    assert all(where.startswith("snugroom.lab.hostile.") for where in undeclared)
