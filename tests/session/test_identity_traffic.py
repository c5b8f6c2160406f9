"""The server sees the same of a meeting in which identities are shown as of one in which none is."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from snugroom.client.session import events as ev
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.monitor.heartbeats import INTERVAL_MIN
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugError
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire.limits import BUCKETS
from snugroom.wire.messages import Broadcast, decode_client
from tests.session.identities import book, meeting, vouched

#: Seconds between two cuts of the operator, how often it cuts each member, and for how many more it looks.
_EVERY, _CUTS, _AFTER = 4.0, 3, 12.0


class Sent(NamedTuple):
    at: float
    by: str
    kind: str
    size: int


class Server:
    """Notes what the server sees of each frame that comes up, and which of them are vouches or dummies."""

    def __init__(self, w: World, anybody: Participant) -> None:
        self.seen: list[Sent] = []
        self.vouches: dict[str, list[float]] = defaultdict(list)
        self.sizes: set[int] = set()
        ascend = w._ascend

        def note(link: Link, frame: bytes) -> None:
            message = decode_client(frame)
            self.seen.append(Sent(w.now, link.who.label, type(message).__name__, len(frame)))
            if isinstance(message, Broadcast) and _is_vouch(anybody, message.blob):
                self.vouches[link.who.label].append(w.now)
                self.sizes.add(len(message.blob))
            ascend(link, frame)

        w._ascend = note  # type: ignore[method-assign]


def _is_vouch(reader: Participant, blob: bytes) -> bool:
    try:
        envelope.open(reader.room.membership.heartbeat_key, "vouch", reader.room.number, blob)
    except SnugError:
        return False
    return True


def _cut_in_turn(shows: tuple[int, ...], *, books: bool = True) -> tuple[Server, list[Participant]]:
    """Ada shows her identity to those leaves; then the operator cuts the others' connections in turn."""
    w = World(21)
    people = meeting(w, *((name, book(n) if books else None) for n, name in enumerate(("Ada", "Bo", "Cem"))))
    ada, bo, cem = people
    server = Server(w, ada)
    for leaf in shows:
        w.do(ada, ev.Vouch(leaf))
    for _ in range(_CUTS):
        for victim in (bo, cem):
            w.cut(victim.links[ev.ROOM])
            w.run(_EVERY)
    w.run(_AFTER)
    return server, people


def test_cutting_connections_in_turn_tells_nobody_who_has_shown_an_identity() -> None:
    nobody, (_, bo, _) = _cut_in_turn((), books=False)
    assert not vouched(bo)
    one, (ada, bo, cem) = _cut_in_turn((1,))
    assert (len(vouched(bo)), len(vouched(cem))) == (1, 0)
    key = ada.room.membership.signature_key(1)
    assert ada.room.feature(Vouching)._to[key] == dict(ada.room.announcements.boxes())[1], "it was sent again"
    both, (_, bo, cem) = _cut_in_turn((2, 1))
    assert (len(vouched(bo)), len(vouched(cem))) == (1, 1)
    assert one.seen == nobody.seen, "times, senders, kinds and sizes"
    assert both.seen == nobody.seen

    assert one.sizes == {BUCKETS[0]}
    for times in one.vouches.values():
        assert min(later - at for at, later in pairwise(times)) >= INTERVAL_MIN, "however often it cuts"
    longest = max(later - at for at, later in pairwise(one.vouches["Ada"]))
    assert longest < 2 * INTERVAL_MIN + World.TICK + 0.01


def test_who_reconnects_all_the_time_delays_nobody_else() -> None:
    w = World(22)
    ada, bo, cem = meeting(w, ("Ada", book()), ("Bo", None), ("Cem", None))
    w.do(ada, ev.Vouch(2))
    w.do(ada, ev.Vouch(1))
    vouching, bos = ada.room.feature(Vouching), ada.room.membership.signature_key(1)

    def cem_has_it() -> bool:
        vouching._again([bos])  # as for a new connection of Bo's
        return bool(vouched(cem))

    w.until(lambda: bool(vouched(bo)))
    w.until(cem_has_it, most=2 * INTERVAL_MIN + 1)


def test_members_send_neither_at_once_after_a_restart_nor_never_because_of_cuts() -> None:
    w = World(23)
    people = meeting(w, ("Ada", book()), ("Bo", None))
    w.kill_server()
    w.run(2 * INTERVAL_MIN + 1)
    server, began = Server(w, people[0]), w.now
    w.start_server()
    w.until(lambda: len(server.vouches) == 2, most=40)
    assert min(times[0] for times in server.vouches.values()) >= began + INTERVAL_MIN
    sent = len(server.vouches["Bo"])
    for _ in range(8):
        w.cut(people[1].links[ev.ROOM])
        w.run(4)
    assert len(server.vouches["Bo"]) - sent >= 2, "cutting somebody again and again does not put it off"
