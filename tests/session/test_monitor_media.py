"""Heartbeats show whose messages, sound and video do not arrive."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Link, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client
from tests.session.forked import (
    Media,
    ours,
    texts,
)


def test_a_member_from_whom_nothing_comes_is_named_and_then_offered_for_removal() -> None:
    w = World(50)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(10)
    w.kill(dana)
    died = w.now
    w.until(lambda: bool(texts(bo, "silent")), 25)
    assert w.now - died < 21
    assert "Nothing has come from \u201cDana\u201d for 15 s" in texts(bo, "silent")[0]
    w.until(lambda: bool(texts(ada, "gone")), 60)
    assert w.now - died < 66
    assert "/remove 3" in texts(ada, "gone")[0]
    w.run(60)
    assert not texts(bo, "gone"), "only hosts can remove"
    assert [len(texts(p, "silent")) for p in (ada, bo, cem)] == [1, 1, 1]
    w.do(ada, ev.Remove(3))
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(30)
    assert [len(ours(p)) for p in (ada, bo, cem)] == [2, 1, 1]


def test_a_member_whom_the_server_silences_learns_of_it_too() -> None:
    w = World(51)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(20)
    real = w._ascend
    w._ascend = lambda link, frame: (  # type: ignore[method-assign]
        None if link.who is bo and b'"broadcast"' in frame else real(link, frame)
    )
    began = w.now
    w.until(lambda: bool(texts(bo, "unheard")), 30)
    assert w.now - began < 21
    assert texts(bo, "unheard")[0].startswith("The others do not hear you")
    w.until(lambda: bool(texts(ada, "silent")), 5)
    assert "Bo" in texts(ada, "silent")[0]
    w._ascend = real  # type: ignore[method-assign]
    w.until(lambda: bool(texts(ada, "cleared")) and bool(texts(bo, "cleared")), 15)
    w.run(30)
    assert len(texts(bo, "unheard")) == 1
    assert not ours(cem)[1:]
    assert len(people) == 4
    assert dana.ended is None


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_selective_drop_is_seen_by_the_victim_and_reported_to_the_others(kind: str) -> None:
    w = World(52)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(30)
    media.carries = lambda sender, what, receiver: not (sender is ada and receiver is bo and what == kind)
    began = w.now
    w.until(lambda: all(texts(p, "not_reaching") for p in people), 30)
    assert w.now - began < 26
    what = {"audio": "\u201cAda\u201d's sound", "video": "\u201cAda\u201d's video"}[kind]
    assert f"{what} is sent, and does not reach you. The server drops it" in texts(bo, "not_reaching")[0]
    told = f"\u201cBo\u201d reports that {what} is not reaching them."
    assert told in texts(cem, "not_reaching")[0]
    assert told.replace("\u201cAda\u201d's", "your") in texts(ada, "not_reaching")[0]
    w.run(30)
    media.carries = lambda sender, what, receiver: True
    w.until(
        lambda: all(f"{what} reaches \u201cBo\u201d again." in texts(p, "cleared") for p in (cem, dana)), 15
    )
    assert all(len(texts(p, "not_reaching")) == 1 for p in people)


def test_two_equal_reports_put_the_blame_on_the_server() -> None:
    w = World(53)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(30)
    media.carries = lambda sender, what, receiver: not (sender is ada and receiver in (bo, cem))
    w.run(30)
    assert any(
        text.startswith("\u201cAda\u201d's")
        and "reach \u201cBo\u201d and \u201cCem\u201d. The server drops" in text
        for text in texts(dana, "not_reaching")
    )


def test_a_muted_member_and_a_newcomer_are_not_missed() -> None:
    w = World(54)
    ada, _, _ = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(30)
    media.muted.add("Ada")  # sends nothing at all any more
    w.run(60)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]))
    w.run(12)  # its media takes long to come up
    media.add(dana)
    finn = w.guest(w.link_of(ada), "Finn")
    w.until(lambda: w.agreed([*people, dana, finn]))
    media.carries = lambda sender, kind, receiver: receiver is not finn
    media.add(finn)
    w.run(22)
    media.carries = lambda sender, kind, receiver: True
    w.run(40)
    assert [ours(p) for p in (*people, dana, finn)] == [[]] * 5


def asked(w: World) -> list[tuple[str, object]]:
    """Record all subscriptions from here on."""
    told: list[tuple[str, object]] = []
    real = w._ascend

    def ascend(link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if isinstance(message, wire.Subscribe):
            told.append((link.who.label, message.ssrcs))
        real(link, frame)

    w._ascend = ascend  # type: ignore[method-assign]
    return told


def test_a_subscriber_to_fewer_streams_misses_none_and_is_not_missed() -> None:
    w = World(55)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    told = asked(w)
    w.run(30)
    assert told == [], "all is how every connection begins"
    ears = (1, 5)
    w.do(bo, ev.SelectStreams(ears))
    media.carries = lambda sender, kind, receiver: not (receiver is bo and kind == "video")
    w.run(40)
    assert told == [("Bo", [1, 5])]
    assert [ours(p) for p in people] == [[]] * 3, "what was not asked for is not held back"
    w.do(bo, ev.SelectStreams(None))
    media.carries = lambda sender, kind, receiver: True
    w.run(40)
    assert told[1:] == [("Bo", None)]
    assert [ours(p) for p in people] == [[]] * 3
    # and from then on it is noticed again, by each at the latest with the second report
    media.carries = lambda sender, kind, receiver: not (sender is ada and receiver is bo and kind == "video")
    w.until(lambda: all(texts(p, "not_reaching") for p in (ada, bo, cem)), 45)


def test_a_subscription_is_repeated_on_each_connection() -> None:
    w = World(56)
    people = w.meeting("Ada", "Bo")
    Media(w, people)
    w.run(5)
    told = asked(w)
    w.do(people[1], ev.SelectStreams((1,)))
    w.do(people[1], ev.SelectStreams((1,)))
    w.run(2)
    assert told == [("Bo", [1])]
    w.cut(people[1].links[ev.ROOM])
    w.run(5)
    assert told == [("Bo", [1])] * 2
    w.kill_server()
    w.run(3)
    w.do(people[1], ev.SelectStreams(()))
    w.start_server()
    w.run(5)
    assert told[2:] == [("Bo", [])], "once the server has our media, and not before"
