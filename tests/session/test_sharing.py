"""Members share states, reactions, page hashes and files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features import filesharing as fs
from snugroom.client.session.features.filesharing import Files
from snugroom.crypto.kdf import H
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire

FILE = bytes(range(256)) * 600  # three pieces


def states(who: Participant) -> list[ev.StateTold]:
    return who.of(ev.StateTold)


def done(who: Participant) -> list[ev.FileDone]:
    return who.of(ev.FileDone)


def test_a_state_is_told_to_all_and_to_newcomers() -> None:
    w = World(31)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(bo, ev.SetState(mic=False, camera=True))
    w.until(lambda: bool(states(ada)))
    assert states(ada)[-1] == ev.StateTold(1, "Bo", False, True, False, False, False)
    w.do(bo, ev.RaiseHand(True))
    w.until(lambda: states(ada)[-1].hand)
    assert states(ada)[-1].camera, "the rest stays"
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: any(s.leaf == 1 and s.hand for s in states(cem)))


def test_the_last_of_many_states_wins_and_few_are_said() -> None:
    w = World(32)
    ada, bo = w.meeting("Ada", "Bo")
    for i in range(20):
        w.do(bo, ev.SetState(mic=i % 2 == 0, camera=True))
    w.do(bo, ev.SetState(mic=True, camera=False))
    w.run(3)
    assert not states(ada)[-1].camera
    assert len(states(ada)) <= 3


def test_a_state_survives_a_cut_and_goes_with_its_leaf() -> None:
    w = World(33)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(bo, ev.SetState(mic=True, camera=True))
    w.until(lambda: bool(states(ada)))
    w.cut(bo.links[ev.ROOM])
    w.do(bo, ev.SetState(mic=False, camera=True))
    w.until(lambda: not states(ada)[-1].mic)
    w.do(ada, ev.Remove(1))
    w.until(lambda: bo.ended is not None)
    told = len(states(ada))
    cem = w.guest(w.link_of(ada), "Cem")  # at the leaf that Bo had
    w.until(lambda: w.agreed([ada, cem]))
    w.do(cem, ev.SetState(mic=False, camera=True))
    w.until(lambda: len(states(ada)) > told, why="the same words of another member are told")


def test_reactions_are_shown_once_and_one_at_a_time() -> None:
    w = World(34)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(1)
    w.do(bo, ev.React("heart"))
    with pytest.raises(ValueError, match="one at a time"):
        w.do(bo, ev.React("heart"))
    w.run(2)
    assert ada.of(ev.Reacted) == [ev.Reacted(1, "Bo", "heart")]
    w.cut(ada.links[ev.ROOM])
    w.do(bo, ev.React("party"))
    w.run(3)
    assert len(ada.of(ev.Reacted)) == 1, "who was away is shown none that is over"
    bo.links[ev.ROOM].up = False
    bo.session.handle(ev.Lost(ev.ROOM, "cut"), w.now)
    with pytest.raises(ValueError, match="not connected to the server"):
        bo.session.handle(ev.React("yes"), w.now)


def test_a_flood_of_reactions_is_not_shown() -> None:
    w = World(35)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(1)
    for _ in range(60):
        bo.room.relay(content.Reaction("yes"))
        w.do(bo, ev.Tick())
    w.run(3)
    assert 1 <= len(ada.of(ev.Reacted)) <= 20


def test_pages_are_compared_and_the_odd_one_is_told_once() -> None:
    w = World(36)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    for who in (ada, bo):
        w.do(who, ev.RunPage(b"\1" * 32))
    w.run(2)
    assert "page_differs" not in ada.alarms + dana.alarms
    w.do(cem, ev.RunPage(b"\2" * 32))
    w.run(2)
    for who in (ada, bo, cem, dana):
        assert who.alarms.count("page_differs") == 1
    (told,) = [a.text for a in ada.of(ev.Alarm) if a.kind == "page_differs"]
    assert told.startswith("\u201cCem\u201d runs another page than you: 2 of 3 people here run the same one.")
    (told,) = [a.text for a in dana.of(ev.Alarm) if a.kind == "page_differs"]
    assert told.startswith("\u201cCem\u201d runs another page than the others")
    (told,) = [a.text for a in cem.of(ev.Alarm) if a.kind == "page_differs"]
    assert told.startswith("\u201cAda\u201d and \u201cBo\u201d run another page than you: 1 of 3")
    w.cut(cem.links[ev.ROOM])
    w.run(3)
    assert ada.alarms.count("page_differs") == 1, "not again for the same"
    eve = w.guest(w.link_of(ada), "Eve")
    w.until(lambda: len(eve.of(ev.Pages)[-1].pages) == 3 if eve.of(ev.Pages) else False)
    w.until(lambda: "page_differs" in eve.alarms, why="who comes later is told too")


def test_a_file_arrives_whole_with_all() -> None:
    w = World(37)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(bo, ev.SendFile("x", "plan.pdf", "application/pdf", FILE))
    w.until(lambda: bool(done(ada)) and bool(done(cem)))
    (offered,) = ada.of(ev.FileOffered)
    assert (offered.leaf, offered.filename, offered.size) == (1, "plan.pdf", len(FILE))
    assert done(ada)[0].data == done(cem)[0].data == FILE
    shares = [p.done for p in ada.of(ev.FileProgress)]
    assert shares == sorted(shares)
    assert shares[-1] == len(FILE)
    assert done(bo)[0].id == offered.id, "its sender is told when it has gone out"


def test_missed_pieces_are_requested_again() -> None:
    w = World(38)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(bo, ev.SendFile("x", "plan.pdf", "application/pdf", FILE))
    w.until(lambda: bool(cem.of(ev.FileProgress)))
    w.cut(cem.links[ev.ROOM])
    w.until(lambda: bool(done(cem)), 30)
    assert done(cem)[0].data == FILE
    assert len(done(ada)) == 1, "what comes twice counts once"


def test_a_file_whose_sender_goes_does_not_come() -> None:
    w = World(39)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(bo, ev.SendFile("x", "plan.pdf", "application/pdf", FILE))
    w.until(lambda: bool(ada.of(ev.FileOffered)))
    w.do(ada, ev.Remove(1))
    w.until(lambda: bool(ada.of(ev.FileFailed)))
    assert "The sender left" in ada.of(ev.FileFailed)[0].why
    w.run(20)
    assert len(ada.of(ev.FileFailed)) == 1


def test_a_file_whose_pieces_never_come_is_given_up() -> None:
    w = World(40)
    ada, bo = w.meeting("Ada", "Bo")
    bo.room.post(content.File(bytes(16), "a", "a/b", 100, bytes(32), bytes(32)), w.now)
    w.until(lambda: bool(ada.of(ev.FileFailed)), 90)
    assert "stopped" in ada.of(ev.FileFailed)[0].why


def test_false_pieces_are_found_by_the_digest() -> None:
    w = World(41)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(bo, ev.SendFile("x", "plan.pdf", "application/pdf", FILE))
    files = bo.room.feature(Files)
    files._out[0] = replace_data(files._out[0])
    w.until(lambda: bool(ada.of(ev.FileFailed)))
    assert "false" in ada.of(ev.FileFailed)[0].why
    assert done(ada) == []


def replace_data(out: fs._Out) -> fs._Out:
    return replace(out, data=bytes(len(out.data)))


def test_more_than_a_few_at_a_time_are_refused() -> None:
    w = World(42)
    ada, bo = w.meeting("Ada", "Bo")
    for i in range(fs.IN_MAX + 1):
        bo.room.post(content.File(bytes([i]) * 16, "a", "a/b", 100, bytes(32), bytes(32)), w.now)
    w.until(lambda: bool(ada.of(ev.FileFailed)))
    assert "Too many" in ada.of(ev.FileFailed)[0].why
    for _ in range(fs.OUT_MAX):
        w.do(ada, ev.SendFile("x", "a", "a/b", b"x" * 200_000))
    with pytest.raises(ValueError, match="are being sent"):
        w.do(ada, ev.SendFile("x", "a", "a/b", b"x"))


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", ".profile", "", "a\nb", "x" * 201, "a\u202eb", "a:b"]
)
def test_an_invalid_file_name_is_not_sent_and_not_shown(name: str) -> None:
    w = World(43)
    ada, bo = w.meeting("Ada", "Bo")
    with pytest.raises(ValueError, match="name"):
        w.do(bo, ev.SendFile("x", name, "a/b", b"x"))
    if 0 < len(name) <= 200:
        bo.room.post(content.File(bytes(16), name, "a/b", 100, bytes(32), bytes(32)), w.now)
        w.run(2)
        assert ada.of(ev.FileOffered) == []


def test_an_empty_file_and_one_too_large_are_refused() -> None:
    w = World(44)
    _, bo = w.meeting("Ada", "Bo")
    for data in (b"", bytes(content.FILE_MAX + 1)):
        with pytest.raises(ValueError, match="bytes"):
            w.do(bo, ev.SendFile("x", "a", "a/b", data))


def test_too_many_requests_are_served_up_to_a_limit() -> None:
    w = World(45)
    _, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(bo, ev.SendFile("x", "a", "a/b", b"x"))
    w.until(lambda: bool(done(bo)))
    sent = bo.room.feature(Files)._out[0]
    for _ in range(3 * fs.AGAIN_TIMES):
        cem.room.relay(content.FileAgain(sent.offer.id, [0]))
        w.do(cem, ev.Tick())
        w.run(0.3)
    assert sent.budget == 0


def test_the_server_sees_neither_name_nor_size_nor_content_of_a_file() -> None:
    w = World(46)
    ada, bo = w.meeting("Ada", "Bo")
    seen: list[bytes] = []
    real = w._ascend

    def watch(link, frame):  # type: ignore[no-untyped-def]  # stands in for a method
        seen.append(frame)
        real(link, frame)

    w._ascend = watch  # type: ignore[method-assign]
    secret = b"what only members read" * 100
    w.do(bo, ev.SendFile("x", "plan.pdf", "application/pdf", secret))
    w.until(lambda: bool(done(ada)))
    blobs = [m.blob for f in seen if isinstance(m := wire.decode_client(f), wire.Broadcast | wire.Relay)]
    assert blobs
    assert all(secret[:22] not in b and b"plan.pdf" not in b and H(secret) not in b for b in blobs)
