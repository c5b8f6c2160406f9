"""Hubs at one bus: doors that wait, and leases that come and go with rooms. In memory."""

from __future__ import annotations

import sys
from subprocess import run

import pytest
from nacl.signing import SigningKey

from snugroom.server.config import ConfigError, Settings, checked
from snugroom.server.disclosure import audit
from snugroom.server.nodes.records import Place
from snugroom.server.rooms.effects import AskBus, Drop, Effect, MediaLeave, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.placement import EARLY_MAX, incarnation
from snugroom.wire import signed
from snugroom.wire.messages import (
    ClientMessage,
    Closing,
    Entered,
    Message,
    MovedTo,
    Opened,
    Refused,
    Rekey,
)
from tests.nodes.world import TIMING, Nodes
from tests.server.people import (
    DOOR,
    ROOM_ADMIN,
    ZERO,
    hosts_commit,
    lobby_door,
    media,
    opening,
    rekeying,
    room_door,
    show,
)


def sign_as_admin(text: bytes) -> bytes:
    return ROOM_ADMIN.sign(text).signature


class Doors:
    """Two nodes, and connections to either."""

    def __init__(self) -> None:
        self.w = Nodes()
        self.waiting: list[tuple[Hub, AskBus]] = []

    def connect(self, number: int) -> tuple[Hub, bytes, bytes]:
        hub = self.w.hubs[number]
        handle, challenge = hub.connect()
        return hub, handle, challenge.nonce

    def say(self, hub: Hub, handle: bytes, message: ClientMessage) -> list[Effect]:
        """The effects of a message, without the requests to the bus, which are kept."""
        return self.kept(hub, hub.handle(handle, message, self.w.now))

    def kept(self, hub: Hub, effects: list[Effect]) -> list[Effect]:
        self.waiting += [(hub, effect) for effect in effects if isinstance(effect, AskBus)]
        return [effect for effect in effects if not isinstance(effect, AskBus)]

    def answers(self) -> list[Effect]:
        """Let the bus answer everything; what follows."""
        effects: list[Effect] = []
        while self.waiting:
            hub, asked = self.waiting.pop(0)
            answer = self.w.bus.perform(asked.request)
            if answer is not None:
                effects += self.kept(hub, hub.bus_answered(answer, self.w.now))
        return effects

    def enter(self, number: int, *, lobby: bool = False) -> tuple[Hub, bytes, Message]:
        """A new connection to this node, and the answer to its door."""
        hub, handle, nonce = self.connect(number)
        door = lobby_door if lobby else room_door
        origin = hub.connect()[1].origin
        effects = self.say(hub, handle, door(origin, nonce)) + self.answers()
        (answer, *_) = [e for e in effects if isinstance(e, Send | Drop) and e.handle == handle]
        return hub, handle, answer.message if isinstance(answer, Send) else answer.last

    def places(self) -> int:
        return sum(isinstance(record, Place) for record, _ in self.w.bus.records.values())


def test_the_second_node_sends_people_to_the_first() -> None:
    d = Doors()
    _, _, first = d.enter(1)
    _, _, second = d.enter(2)
    assert isinstance(first, Entered)
    assert first.node == 1
    assert second == MovedTo("/n/1")
    assert d.places() == 1


def test_a_wrong_signature_asks_the_bus_for_nothing() -> None:
    d = Doors()
    hub, handle, nonce = d.connect(1)
    (dropped,) = d.say(hub, handle, room_door("http://another.test", nonce))
    assert isinstance(dropped, Drop)
    assert not d.waiting


def test_messages_behind_a_door_that_waits_are_handled_in_order() -> None:
    d = Doors()
    hub, handle, nonce = d.connect(1)
    origin = hub.connect()[1].origin
    assert d.say(hub, handle, room_door(origin, nonce)) == []
    assert d.say(hub, handle, opening(0)) == []
    sent = [type(e.message) for e in d.answers() if isinstance(e, Send)]
    assert sent == [Entered, Opened]


def test_a_flood_behind_a_door_that_waits_is_cut() -> None:
    d = Doors()
    hub, handle, nonce = d.connect(1)
    d.say(hub, handle, room_door(hub.connect()[1].origin, nonce))
    for _ in range(EARLY_MAX):
        assert d.say(hub, handle, opening(0)) == []
    (dropped,) = d.say(hub, handle, opening(0))
    assert isinstance(dropped, Drop)
    assert isinstance(dropped.last, Refused)
    assert dropped.last.code == "state"
    assert d.answers() == []  # nobody is left to let in
    assert d.places() == 0


def test_a_connection_that_leaves_while_it_waits_leaves_no_lease() -> None:
    d = Doors()
    hub, handle, nonce = d.connect(1)
    d.say(hub, handle, room_door(hub.connect()[1].origin, nonce))
    d.kept(hub, hub.leave(handle, d.w.now))
    d.answers()
    assert d.places() == 0
    assert hub.placement is not None
    assert hub.placement.leases.held == 0


def test_the_lease_goes_with_the_last_room_or_lobby_under_it() -> None:
    d = Doors()
    hub, member, _ = d.enter(1)
    d.say(hub, member, opening(0))
    other, guest, entered = d.enter(2, lobby=True)
    assert isinstance(entered, Entered)
    assert d.places() == 2
    d.kept(other, other.leave(guest, d.w.now))
    d.answers()
    assert d.places() == 1
    _, second, _ = d.enter(1)
    for handle in (member, second):
        d.kept(hub, hub.leave(handle, d.w.now))
    lingered = 0
    while d.places():
        d.w.now += 1
        lingered += 1
        d.kept(hub, hub.tick(d.w.now))
        d.answers()
    assert lingered == Settings().room_linger


def test_a_room_that_gets_another_number_keeps_its_lease_and_its_node() -> None:
    d = Doors()
    hub, host, _ = d.enter(1)
    d.say(hub, host, opening(0))
    key = SigningKey(b"another admin".ljust(32))
    message = rekeying(hub.nonce(host), key)
    number = signed.room_number(bytes(key.verify_key), message.room_admin_key)
    text = signed.Rekey(number, hub.nonce(host)).encode()
    other_door = Rekey(bytes(key.verify_key), message.room_admin_key, sign_as_admin(text))
    refused = Send(host, Refused("open", "a room keeps its door key", "rekey"))
    assert d.say(hub, host, other_door) == [refused]
    assert d.say(hub, host, message)
    _, handle, nonce = d.connect(2)
    d.say(d.w.hubs[2], handle, room_door(hub.connect()[1].origin, nonce, room_admin=key))
    assert MovedTo("/n/1") in [e.last for e in d.answers() if isinstance(e, Drop)]
    assert d.places() == 1


def test_a_node_whose_lease_has_ended_drops_everybody_before_it_reads_on() -> None:
    d = Doors()
    hub, member, _ = d.enter(1)
    d.say(hub, member, opening(0))
    d.say(hub, member, show(0))
    d.say(hub, member, media())
    d.w.now += TIMING.lease
    effects = d.say(hub, member, hosts_commit(1, ZERO))
    assert [e.last for e in effects if isinstance(e, Drop)] == [
        Closing("moved", "this room goes on at another node: connect again")
    ]
    assert any(isinstance(e, MediaLeave) for e in effects)
    assert not [e for e in effects if isinstance(e, Send)]
    assert list(hub.rooms()) == []


def test_a_room_that_begins_again_has_another_incarnation() -> None:
    assert incarnation(b"process1", 7) != incarnation(b"process1", 8)
    assert incarnation(b"process1", 7) != incarnation(b"process2", 7)
    d = Doors()
    hub, member, first = d.enter(1)
    d.kept(hub, hub.leave(member, d.w.now))
    d.w.now += 1
    d.kept(hub, hub.tick(d.w.now))
    d.answers()
    _, _, second = d.enter(1)
    assert isinstance(first, Entered)
    assert isinstance(second, Entered)
    assert first.incarnation != second.incarnation


def test_the_table_of_all_data_has_every_attribute_of_a_node() -> None:
    before = audit.live_objects()
    d = Doors()
    hub, member, _ = d.enter(1)
    d.say(hub, member, opening(0))
    other, waiting, nonce = d.connect(1)
    d.say(other, waiting, lobby_door(other.connect()[1].origin, nonce))
    d.say(other, waiting, opening(0))
    found = audit.audit(hub, before)
    assert found.undeclared == set()
    assert {name for name in found.misplaced if not name.endswith("._rng")} == set()  # the test's own
    parts = {"Leases", "_Held", "_Seen", "_Step"}
    assert {f"snugroom.server.nodes.leases.{name}" for name in parts} <= found.classes
    assert "snugroom.server.rooms.placement.Waiting" in found.classes


def test_the_bus_gets_no_key_and_no_number() -> None:
    d = Doors()
    d.enter(1)
    told = repr(d.w.bus.records)
    for secret in (bytes(DOOR.verify_key), b"http"):
        assert repr(secret)[2:-1] not in told
        assert secret.hex() not in told


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "needs node"),
        ({"node": 1}, "secret_file"),
        ({"node": 65, "secret_file": "s"}, "64"),
        ({"node": 1, "secret_file": "s", "bus": "nats://10.0.0.1:4222"}, "tls://"),
        ({"node": 1, "secret_file": "s", "bus_user": "u"}, "belong together"),
        ({"node": 1, "secret_file": "s", "number": 2}, "nodes.number"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(table: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        checked({"nodes": table})


def test_a_server_without_nodes_never_imports_the_client_of_the_bus() -> None:
    code = (
        "import asyncio, sys\n"
        "from snugroom.server.app import Server\n"
        "from snugroom.server.config import Settings\n"
        "async def once():\n"
        "    server = Server(Settings(listen='127.0.0.1:0', page=False))\n"
        "    await server.start(); await server.stop()\n"
        "asyncio.run(once())\n"
        "sys.exit(any(name.split('.')[0] == 'nats' for name in sys.modules))\n"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
