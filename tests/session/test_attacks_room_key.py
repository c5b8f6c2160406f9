"""A host hands the room at the server to a key of its own: it stops nobody, and nobody is accused."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.crypto.entry import invite
from snugroom.crypto.kdf import SigningKey
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire import signed
from tests.session.hosts import two_hosts
from tests.session.test_attacks_host_keys import in_sync, reconnect, rotated


def take_room(w: World, host: Participant) -> None:
    """Hand the room to a key that nobody has."""
    room = host.room
    assert room.host_keys is not None
    assert room.server_nonce is not None
    admin = room.host_keys.current.room_admin_key(room.membership.group.group_id)
    own = SigningKey.generate(w.rng)
    number = invite.room_number(room.door_key.public, own.public)
    signature = admin.sign(signed.Rekey(number, room.server_nonce).encode())
    w._ascend(host.links[ev.ROOM], wire.encode(wire.Rekey(room.door_key.public, own.public, signature)))


def test_hosts_go_on_in_a_room_that_one_of_them_has_taken() -> None:
    """Before: no change of a host was accepted, and the server was accused of it."""
    w = World(940)
    ada, bo, cem = two_hosts(w, "Cem")
    take_room(w, bo)
    w.run(1)
    w.do(ada, ev.Remove(1))
    w.until(lambda: "Bo" not in [*ada.roster, *cem.roster], 5)
    rotated(w, ada)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]), 15)
    reconnect(w, cem)
    w.until(lambda: in_sync(w, ada, cem, dana), 10)
    w.run(10)
    assert [*ada.alarms, *cem.alarms, *dana.alarms] == []
    w.kill_server()
    w.run(1)
    w.start_server()
    w.until(lambda: in_sync(w, ada, cem, dana), 20, "they meet under the key that the policy names")
