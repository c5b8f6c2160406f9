"""Attacks on the pieces of a large room's tree and ledger, by servers, link holders, and former members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby_connections import LobbyConnections
from snugroom.client.session.entry.piece_queue import (
    AGAIN_AFTER,
    RECEIVERS_EACH,
    WAITING_MAX,
    PieceQueue,
)
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.entry.replies import BYTES_MAX, Replies
from snugroom.client.session.kernel.admissions import Admissions
from snugroom.crypto.entry import lobby, pieces, recovery
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.entry.invite import Invite, day_of, lobby_envelope_key
from snugroom.crypto.entry.pieces import PIECES_MAX, SealedPieces
from snugroom.crypto.fields import uint
from snugroom.crypto.kdf import H
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from snugroom.crypto.primitives import suite_of
from snugroom.lab.simulation.world import Participant, World, seeded
from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Send
from snugroom.server.rooms.lobby import Lobby as HubLobby
from snugroom.wire import messages as wire
from snugroom.wire.limits import LOBBY_RECEIVERS_MAX
from tests.session.forked import texts
from tests.session.large_rooms import Lobby, lobby_link, small_pieces

DAY = 20_000


@pytest.fixture(autouse=True)
def _pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)


def post(
    w: World, host: Participant, to: Participant, what: lobby.LobbyMessage, by: bytes = b"mallory!"
) -> None:
    """A link holder who is no host posts something for somebody."""
    link, endpoint = Invite.parse(w.link_of(host)), lobby_link(to).endpoint
    assert endpoint.day is not None
    key = lobby_envelope_key(link.secret, link.origin, endpoint.day)
    w._feed(to, ev.Received(endpoint, wire.Posted(by, lobby.post(key, what, rng=w.rng))))


def waiting_for_pieces(w: World, seen: Lobby, host: Participant, name: str) -> Participant:
    """A newcomer that has its answer, and one of its pieces is lost."""
    seen.lose[name] = 1
    guest = w.guest(w.link_of(host), name)
    w.until(lambda: len(seen.pieces(name)) >= 2)
    w.run(2 * w.latency)
    assert not guest.session.inside
    return guest


def test_a_link_holder_adds_replaces_and_repeats_no_piece() -> None:
    w = World(2420)
    ada, bo = w.meeting("Ada", "Bo")
    seen = Lobby.of(w, ada)
    cem = waiting_for_pieces(w, seen, ada, "Cem")
    own = seen.pieces("Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    dana = waiting_for_pieces(w, seen, ada, "Dana")
    of_danas = seen.pieces("Dana")
    forged = SealedPieces.make(bytes(2_000), b"ledger").pieces
    for piece in (*forged, *map(lobby.Piece, own), *map(lobby.Piece, of_danas[1:]), lobby.Piece(b"")):
        post(w, ada, dana, piece)
    assert not dana.session.inside
    assert dana.ended is None
    # the lost one counts, whoever brings it
    post(w, ada, dana, lobby.Piece(of_danas[0]))
    w.until(lambda: w.agreed([ada, bo, cem, dana]), most=1)


def test_a_server_that_loses_all_pieces_costs_the_host_little() -> None:
    w = World(2421)
    ada, bo = w.meeting("Ada", "Bo")
    seen = Lobby.of(w, ada)
    seen.lose["Cem"] = 10**6
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: "Cem" in ada.roster)
    knock = next(p.message for p in seen.posts if isinstance(p.message, lobby.Knock))
    for _ in range(60):  # and it repeats the knock
        post(w, ada, ada, knock, by=lobby_link(cem).handle)
        w.run(1)
    each = len(set(seen.pieces("Cem")))
    assert each >= 2
    assert len(seen.pieces("Cem")) <= each * (1 + 60 / AGAIN_AFTER)
    assert cem.ended is None
    seen.lose.clear()
    w.until(lambda: w.agreed([ada, bo, cem]), most=12)


#: Makes the tree and the ledger of a hostile host from the right ones.
Forge = Callable[[bytes, bytes], tuple[bytes, bytes]]


def other_epoch(before: bytes) -> Forge:
    return lambda tree, ledger: (before, ledger)


def swapped(tree: bytes, ledger: bytes) -> tuple[bytes, bytes]:
    nodes = list(decode(tree, read_tree))
    nodes[2], nodes[4] = nodes[4], nodes[2]
    return RatchetTree.unverified(suite_of(1), nodes).encode(), ledger


def cut(tree: bytes, ledger: bytes) -> tuple[bytes, bytes]:
    return tree[:-1], ledger


def nothing(tree: bytes, ledger: bytes) -> tuple[bytes, bytes]:
    return b"", ledger


@pytest.mark.parametrize("how", ["other epoch", "swapped", "cut", "nothing"])
def test_a_wrong_tree_is_one_clear_refusal(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    w = World(2422)
    ada, _bo = w.meeting("Ada", "Bo")
    before = ada.room.membership.group.ratchet_tree()
    ways: dict[str, Forge] = {
        "other epoch": other_epoch(before),
        "swapped": swapped,
        "cut": cut,
        "nothing": nothing,
    }
    make = SealedPieces.make
    monkeypatch.setattr(
        SealedPieces, "make", lambda tree, ledger, **more: make(*ways[how](tree, ledger), **more)
    )
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.ended is not None)
    assert not cem.session.inside
    assert cem.ended is not None
    why = {"cut": "bytes were announced", "nothing": "ratchet tree"}.get(how, "tree hash")
    assert why in str(cem.ended), cem.ended
    assert len(cem.of(ev.Ended)) == 1


def test_a_list_with_too_many_pieces_is_one_clear_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(2423)
    ada, _bo = w.meeting("Ada", "Bo")
    answer = Admissions.answer

    def forged(self: Admissions, room: Any, admitted: Any, *rest: Any) -> Answer:
        many = b"".join(H(bytes([n])) for n in range(PIECES_MAX + 1))
        key = admitted.intent.key_package.seal("snug 1 tree key", many, bytes(32))
        listed = key + uint(PIECES_MAX + 1, 1) + many
        return replace(answer(self, room, admitted, *rest), pieces=listed)

    monkeypatch.setattr(Admissions, "answer", forged)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.ended is not None)
    assert f"1 to {PIECES_MAX} entries" in str(cem.ended)


def test_a_room_that_is_too_large_for_its_pieces_refuses_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(2425)
    ada, _bo = w.meeting("Ada", "Bo")
    monkeypatch.setattr(pieces, "PIECES_MAX", 1)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.ended is not None)
    assert "So many people" in str(cem.ended)
    assert ada.session._room is not None


def test_former_members_answers_do_not_displace_the_hosts() -> None:
    """Everybody who was admitted once can answer a rejoin, with lists of pieces that never come."""
    w = World(2424)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    seen = Lobby.of(w, ada)
    seen.lose["Bo"] = 1
    before = bo.epoch
    bo.room.needs_rejoin = True
    w.until(lambda: len(seen.pieces("Bo")) >= 2)
    guest = bo.session._guest
    assert isinstance(guest, RejoinLobby)
    w.do(bo, ev.Tick())
    w.until(lambda: bool(guest._asked), 10)
    asked = guest._asked[-1]
    key = recovery.recovery_key(cem.room.door_key.seed)
    for number in range(40):
        sealed = SealedPieces.make(b"", bytes([number]))
        forged = Answer(
            b"welcome", bytes(16), bytes(32), bytes(32), bytes(64), 9, bytes(32), 0, b"",
            pieces=sealed.list_for(asked.bundle.key_package),
        )  # fmt: skip
        back = recovery.seal(key, recovery.make_recovery_reply(asked.asked, forged, rng=w.rng))
        link, endpoint = Invite.parse(w.link_of(ada)), lobby_link(bo).endpoint
        envelope = lobby_envelope_key(link.secret, link.origin, day_of(w.now))
        w._feed(bo, ev.Received(endpoint, wire.Posted(bytes(8), lobby.post(envelope, back, rng=w.rng))))
    post(w, ada, bo, lobby.Piece(seen.pieces("Bo")[0]))  # the one that was lost
    w.until(lambda: bo.epoch > before and w.agreed(people), 1)
    assert not texts(bo, "not_yet")


# -- what a host keeps and sends -------------------------------------------------------------------------


class Connections:
    """Notes what is posted, of which some waits."""

    def __init__(self) -> None:
        self.entered = frozenset({DAY})
        self.waiting = 0
        self.posted: list[tuple[lobby.LobbyMessage, tuple[bytes, ...]]] = []

    def post(self, day: int, message: lobby.LobbyMessage, *to: bytes) -> None:
        assert day == DAY
        self.posted.append((message, to))


def some(count: int = 3) -> tuple[lobby.Piece, ...]:
    return tuple(lobby.Piece(bytes([n])) for n in range(count))


def test_pieces_go_one_newcomer_after_the_other_and_behind_other_posts() -> None:
    line = Connections()
    queue = PieceQueue(line)
    line.waiting = 4
    for to in (b"one", b"two"):
        queue.add(to, DAY, to, some(), 0)
    queue.tick(0)
    assert line.posted == []
    line.waiting = 3
    queue.tick(1)
    assert [to for _, to in line.posted] == [(b"one",)] * 3 + [(b"two",)] * 3
    assert [piece for piece, _ in line.posted] == [*some(), *some()]
    assert len(queue) == 0


def test_one_post_brings_a_piece_to_all_newcomers_of_a_commit() -> None:
    line = Connections()
    queue, shared = PieceQueue(line), some()
    handles = [bytes([number]) for number in range(LOBBY_RECEIVERS_MAX + 6)]
    for handle in handles:
        queue.add(handle, DAY, handle, shared, 0)
    queue.add(b"another", DAY, b"x", some(), 0)
    queue.add(b"another answer", DAY, handles[0], shared, 0)  # of the same person
    queue.tick(0)
    first, rest = tuple(handles[:LOBBY_RECEIVERS_MAX]), (*handles[LOBBY_RECEIVERS_MAX:], handles[0])
    assert [to for _, to in line.posted] == [first] * 3 + [rest] * 3 + [(b"x",)] * 3
    assert [piece for piece, _ in line.posted] == [*shared] * 2 + [*some()]
    # one of them has lost some: that one alone gets them again, all of them
    queue.add(handles[5], DAY, handles[5], shared, AGAIN_AFTER)
    queue.tick(AGAIN_AFTER)
    assert [to for _, to in line.posted[9:]] == [(handles[5],)] * 3


def test_a_piece_that_waits_for_one_newcomer_waits_for_the_next_one_too() -> None:
    effects: list[ev.Effect] = []
    line = LobbyConnections(bytes(16), ("https://meet.example",), effects, seeded(1))
    line.stay_in({DAY}, 0)
    line.received(DAY, wire.Entered(bytes(8), bytes(8)))
    queue, pieces = PieceQueue(line), (lobby.Piece(bytes(60_000)),)
    for number in range(200):  # more than may be posted at once
        queue.add(uint(number, 2), DAY, uint(number, 8), pieces, 0)
        queue.tick(0)
    for second in range(60):
        line.stay_in({DAY}, second)
        queue.tick(second)
    posts = [e.message for e in effects if isinstance(e, ev.Transmit) and isinstance(e.message, wire.Post)]
    assert [to for post in posts for to in post.to or ()] == [uint(number, 8) for number in range(200)]


def test_a_post_to_several_waits_until_the_server_takes_it() -> None:
    effects: list[ev.Effect] = []
    line = LobbyConnections(bytes(16), ("https://meet.example",), effects, seeded(1))
    line.stay_in({DAY}, 0)
    line.received(DAY, wire.Entered(bytes(8), bytes(8)))
    effects.clear()
    hub = HubLobby(Settings())
    receivers = [uint(number, 8) for number in range(LOBBY_RECEIVERS_MAX)]
    for handle in (b"the host", *receivers):
        hub.arrive(handle, bytes(8), 0)
    for _ in range(10):
        line.post(DAY, lobby.Piece(b"piece"), *receivers)
    got = 0
    for tenth in range(200):
        line.stay_in({DAY}, tenth / 10)
        for effect in effects:
            assert isinstance(effect, ev.Transmit)
            sent = hub.handle(b"the host", effect.message, tenth / 10)
            assert not any(isinstance(each.message, wire.Refused) for each in sent if isinstance(each, Send))
            got += len(sent)
        effects.clear()
    assert got == 10 * LOBBY_RECEIVERS_MAX


def test_a_knock_that_is_posted_again_and_again_is_not_answered_as_often() -> None:
    line = Connections()
    queue = PieceQueue(line)
    for at in range(int(AGAIN_AFTER)):
        queue.add(b"mark", DAY, b"to", some(), at)
        queue.tick(at)
    assert len(line.posted) == 3
    queue.add(b"mark", DAY, b"to", some(), AGAIN_AFTER)
    queue.tick(AGAIN_AFTER)
    assert len(line.posted) == 6
    queue.add(b"another", DAY, b"to", some(), AGAIN_AFTER)
    queue.tick(AGAIN_AFTER)
    assert len(line.posted) == 9


def test_pieces_that_are_on_their_way_are_not_sent_again() -> None:
    line = Connections()
    line.waiting = 4
    queue = PieceQueue(line)
    for _ in range(5):
        queue.add(b"mark", DAY, b"to", some(), 0)
    line.waiting = 0
    queue.tick(1)
    assert len(line.posted) == 3


def test_connections_that_want_an_answers_pieces_are_bounded() -> None:
    line = Connections()
    line.waiting = 4
    queue = PieceQueue(line)
    for number in range(2 * RECEIVERS_EACH):
        queue.add(b"mark", DAY, bytes([number]), some(), 0)
        queue.add(b"mark", DAY, bytes([number]), some(), 0)
    assert len(queue) == RECEIVERS_EACH
    for number in range(2 * WAITING_MAX):
        queue.add(uint(number, 2), DAY, b"to", some(), 0)
    assert len(queue) == WAITING_MAX
    queue.add(b"none", DAY, b"to", (), 0)
    line.entered = frozenset()
    line.waiting = 0
    queue.tick(1)
    assert len(queue) == 0, "nobody is there any more"
    assert line.posted == []
    line.entered = frozenset({DAY})
    queue.add(b"mark", DAY, bytes([0]), some(), 1)
    queue.tick(1)
    assert len(line.posted) == 3, "they had not been sent"


def test_kept_pieces_count_once_for_all_who_share_them() -> None:
    replies, shared = Replies(), (lobby.Piece(bytes(BYTES_MAX // 2)),)
    for number in range(100):
        replies.add(bytes([number]), lobby.Reply(bytes(8), b"sealed"), 0, shared)
    assert len(replies) == 100
    assert replies.size == BYTES_MAX // 2 + 600
    replies.add(b"more", lobby.Reply(bytes(8), b""), 0, (lobby.Piece(bytes(BYTES_MAX // 2)),))
    assert len(replies) == 1, "with the last of those who shared them, the pieces go"
    assert replies.size == BYTES_MAX // 2
    replies.add(b"x", lobby.Reply(bytes(8), b""), 0)
    replies.add(b"more", lobby.Reply(bytes(8), b""), 0)
    assert replies.size == 0
