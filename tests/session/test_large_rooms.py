"""A large room's tree and ledger reach its newcomers in pieces, also if some are lost."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.guest import WAIT_EVERY
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.entry import lobby
from snugroom.lab.simulation.world import Link, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client
from tests.session.batches import admit_all, knocking
from tests.session.hosts import deputised
from tests.session.large_rooms import Lobby, lobby_link, small_pieces
from tests.session.test_recovery import come_back


def test_a_newcomer_comes_in_with_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    w = World(2400)
    ada, bo = w.meeting("Ada", "Bo")
    seen = Lobby.of(w, ada)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]), most=1)
    count = len(seen.pieces("Cem"))
    assert count >= 2
    assert len(set(seen.pieces("Cem"))) == count, "each piece was sent once"
    w.do(cem, ev.Say("I have the ledger too"))
    w.until(lambda: all(("Cem", "I have the ledger too") in who.said for who in (ada, bo)))
    assert ada.alarms == bo.alarms == cem.alarms == []
    # and what it was told of the history serves for its own commits, and for the next newcomer's
    deputised(w, ada, cem)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]))


def test_newcomers_of_one_commit_share_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    w = World(2401)
    ada = w.host("Ada", admission="ask")
    w.run(1)
    people = knocking(w, ada, "Bo", "Cem", "Dana", "Eve")
    seen, together = Lobby.of(w, ada), []
    handles = [lobby_link(who).handle for who in people]
    ascend = w._ascend

    def up(link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if isinstance(message, wire.Post) and len(message.to or ()) > 1:
            together.append(message.to)
        ascend(link, frame)

    monkeypatch.setattr(w, "_ascend", up)
    admit_all(w, ada, people)
    w.until(lambda: w.agreed([ada, *people]))
    first, *others = (seen.pieces(who.label) for who in people)
    assert others[0] == others[1] == others[2] != first, "the first came by a commit of its own"
    assert all(len(seen.sizes(who.label, lobby.Reply)) == 1 for who in people)
    assert together == [handles[1:]] * len(others[0])


def test_lost_pieces_come_again_with_the_knock(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    w = World(2402)
    ada, bo = w.meeting("Ada", "Bo")
    seen = Lobby.of(w, ada)
    seen.lose["Cem"] = 2
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: "Cem" in ada.roster)
    w.run(WAIT_EVERY / 2)
    assert not cem.session.inside
    assert cem.ended is None
    w.until(lambda: w.agreed([ada, bo, cem]), most=WAIT_EVERY)
    assert len(seen.sizes("Ada", lobby.Knock)) == 2
    assert len(seen.sizes("Cem", lobby.Reply)) >= 2


def test_a_connection_that_breaks_between_pieces_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    w = World(2403)
    ada, bo = w.meeting("Ada", "Bo")
    seen = Lobby.of(w, ada)
    seen.lose["Cem"] = 1
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: len(seen.pieces("Cem")) >= 2)
    w.cut(lobby_link(cem))
    w.until(lambda: w.agreed([ada, bo, cem]), most=3, why="its new connection gets them")
    [(leaf, _, _)] = [each for each in ada.room.membership.members() if each[1] == "Cem"]
    assert leaf == 2


def test_a_member_is_let_in_again_with_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a host, and by a member when no host is there."""
    small_pieces(monkeypatch)
    w = World(2404)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    seen = Lobby.of(w, ada)
    before = bo.epoch
    bo.room.needs_rejoin = True
    w.until(lambda: bo.epoch > before and w.agreed(people), 30)
    by_host = len(seen.pieces("Bo"))
    assert by_host >= 2
    w.do(bo, ev.Say("back"))
    w.until(lambda: ("Bo", "back") in cem.said)
    w.kill(ada)
    before = bo.epoch
    bo.room.needs_rejoin = True
    w.until(lambda: bo.epoch > before and bo.code == cem.code, 60)
    assert len(seen.pieces("Bo")) >= 2 * by_host


def test_a_host_returns_with_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    w = World(2405)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    kept = ada.session.kept()
    assert kept is not None
    w.kill(ada)
    w.run(20)
    seen = Lobby.of(w, ada)
    again = come_back(w, kept)
    w.until(lambda: w.agreed([again, bo, cem]), 30)
    assert len(seen.pieces("Ada again")) >= 2


def test_a_long_history_of_a_small_room_comes_in_pieces() -> None:
    """A hundred members have come and gone: their keys are in the ledger, and the tree is in the Welcome."""
    w = World(2406)
    ada, bo = w.meeting("Ada", "Bo")
    past = frozenset(w.rng(32) for _ in range(1_000))
    for who in (ada, bo):
        m = who.room.membership
        m.ledger = Ledger(**{**m.ledger.__dict__, "keys": m.ledger.keys | past})
    seen = Lobby.of(w, ada)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    assert past < cem.room.membership.ledger.keys
    assert seen.sizes("Cem", lobby.Piece) == [32_768]
    assert max(seen.sizes("Cem", lobby.Reply)) <= 4096


def test_a_small_room_has_no_pieces() -> None:
    w = World(2407)
    ada, bo = w.meeting("Ada", "Bo")
    seen = Lobby.of(w, ada)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    assert seen.pieces("Cem") == []
