"""One meeting of Python participants, of page participants, and of both: all hear the same at the same time.

The world's chance is seeded, and so is when each message arrives: two programs that do the same at the same
moments see the same world. Values that differ by nature (keys, codes, links, drawn numbers) are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.kernel import backoff
from snugroom.client.session.options import Options
from snugroom.lab.simulation.world import Participant, World, seeded
from tests.session.forked import Media
from tests.web.mixed import by_turns, mixed_world
from tests.web.ts_session import SessionProcess, Who

#: Fields whose values are random, or derived from keys.
DRAWN = {"digits", "link", "id", "fingerprint", "public", "emoji", "words", "hash"}

Told = list[tuple[float, Any]]


def book(seed: int) -> Options:
    return Options(contacts=Contacts.new(seeded(seed)), show_identity=True)


class Script:
    """A world that records all participants' events with their times."""

    def __init__(self, make: type[World], seed: int) -> None:
        self.w = make(seed)
        self.news: dict[str, Told] = {}

    def note(self) -> None:
        for who in self.w.people:
            told = self.news.setdefault(who.label, [])
            told += [(round(self.w.now, 2), _plain(e)) for e in who.told[len(told) :]]

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.w.run(0.1)
            self.note()

    def do(self, who: Participant, what: ev.Input) -> None:
        try:
            self.w.do(who, what)
        except ValueError as error:
            self.news.setdefault(who.label, [])
            who.told.append(ev.Status("refused here", str(error)))
        self.note()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        shown = {k: "..." if k in DRAWN else _plain(v) for k, v in fields.items()}
        for name in ("index", "invite", "replaces"):
            if isinstance(shown.get(name), int) and shown[name] not in (0, None):
                shown[name] = "drawn"
        return (type(value).__name__, tuple(shown.items()))
    if isinstance(value, tuple | list):
        return tuple(_plain(v) for v in value)
    return value


def leaf(of: Participant, name: str) -> int:
    """The leaf of a member in the last roster of `of`."""
    return next(m.leaf for m in of.of(ev.Roster)[-1].members if m.name == name)


def powers(s: Script) -> None:
    """Joins, messages, two hosts, a lock, a removal, a handover, a leave, the end."""
    ada = s.w.host("Ada", admission="ask", title="Tea")
    s.run(1)
    link = s.w.link_of(ada)
    bo, cem = s.w.guest(link, "Bo"), s.w.guest(link, "Cem")
    s.run(3)
    s.do(ada, ev.Refuse(9))
    s.do(ada, ev.Admit(1))
    s.run(1)
    s.do(ada, ev.Admit(2))
    s.run(2)
    ada_again = s.w.guest(link, "\u0410da")
    s.run(3)  # each by itself, so that requests have the numbers below
    dana = s.w.guest(link, "Dana")
    s.run(3)
    s.do(ada, ev.Admit(4))
    s.run(2)
    assert s.w.agreed([ada, bo, cem, dana]), [p.roster for p in s.w.people]
    s.do(ada, ev.Refuse(3))
    s.do(bo, ev.Say("hello"))
    s.do(bo, ev.Say(""))
    s.do(cem, ev.SendImage("p", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\4\0\0\0\4 picture"))
    s.do(cem, ev.SendImage("p", b"GIF89a\4\0\4\0 too soon"))
    s.do(dana, ev.SetState(True, False))
    s.do(dana, ev.React("party"))
    s.run(2)
    s.do(ada, ev.Lock(True))
    s.run(1)
    s.do(ada, ev.Lock(True))
    s.do(bo, ev.Lock(False))
    s.do(ada, ev.Deputise(leaf(ada, "Bo")))
    s.run(3)
    s.do(bo, ev.Lock(False))
    s.do(bo, ev.ListInvites())
    s.do(ada, ev.NewInvite("for Eve", True))
    s.run(1)
    s.do(ada, ev.Undeputise(leaf(ada, "Bo")))
    s.run(2)
    s.do(ada, ev.Remove(leaf(ada, "Cem")))
    s.run(3)
    s.do(ada, ev.HandOver(leaf(ada, "Bo")))
    s.run(8)
    s.do(ada, ev.Remove(leaf(ada, "Bo")))
    s.do(dana, ev.Leave())
    s.run(3)
    s.do(ada, ev.EndMeeting())
    s.do(bo, ev.EndMeeting())
    s.run(2)
    assert ada_again.ended is not None
    assert all(p.ended is not None for p in s.w.people)


def trust(s: Script) -> None:
    """Identities, codes, what changes after they were compared, and pages."""
    ada = s.w.host("Ada", options=book(1))
    s.run(1)
    bo = s.w.guest(s.w.link_of(ada), "Bo", options=book(2))
    s.run(4)
    cem = s.w.guest(s.w.link_of(ada), "Cem")
    s.run(4)
    assert s.w.agreed([ada, bo, cem])
    for asks, leaf in ((ada, 1), (bo, 0), (cem, 0)):
        s.do(asks, ev.Vouch(leaf))
    s.run(11)
    s.do(ada, ev.Know(1))
    s.do(ada, ev.Verified(1))
    s.do(cem, ev.Verified(1))
    s.do(bo, ev.Compare())
    s.run(4)
    for who in (ada, bo):
        s.do(who, ev.Compared(True))
    s.do(cem, ev.Compared(True, ""))
    s.do(cem, ev.ShowCode())
    s.do(ada, ev.RunPage(bytes(32)))
    s.do(bo, ev.RunPage(b"\x01" * 32))
    s.run(2)
    dana = s.w.guest(s.w.link_of(ada), "Dana")
    s.run(5)
    s.do(bo, ev.Compared(False))
    s.do(dana, ev.Compare())
    s.run(4)
    s.do(ada, ev.Remove(2))
    s.run(3)
    s.do(ada, ev.ShowCode())
    assert s.w.agreed([ada, bo, dana])


def trouble(s: Script) -> None:
    """A server that dies, lost connections, a silent member, a member out of step; with media."""
    people = [s.w.host("Ada")]
    s.run(1)
    for name in ("Bo", "Cem", "Dana"):
        people.append(s.w.guest(s.w.link_of(people[0]), name))
        s.run(3)
    ada, bo, cem, dana = people
    assert s.w.agreed(people)
    media = Media(s.w, people)
    s.run(5)
    s.do(bo, ev.Say("just before"))
    s.w.kill_server()
    s.do(cem, ev.Say("while it is away"))
    s.run(2)
    s.w.start_server()
    s.run(6)
    s.w.cut(bo.links[ev.ROOM])
    s.do(ada, ev.Say("are you there?"))
    s.run(4)
    cem.room.needs_rejoin = True
    s.run(8)
    assert s.w.agreed(people)
    s.w.kill(dana)
    s.run(70)
    s.do(ada, ev.Remove(3))
    s.run(20)
    assert s.w.agreed([ada, bo, cem])
    assert all(media.opened.get((a.label, b.label)) for a in (ada, bo) for b in (ada, bo) if a is not b)


@pytest.fixture(scope="module")
def ours() -> dict[str, dict[str, Told]]:
    return {}


@pytest.mark.parametrize(("script", "who"), by_turns([powers, trust, trouble]))
def test_everybody_is_told_the_same_at_the_same_time(
    sessions: SessionProcess,
    ours: dict[str, dict[str, Told]],
    script: Callable[[Script], None],
    who: Who,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Page participants of tests wait for the mean of the random delay (tests/web/peers/session_peer.ts).
    delay = backoff.delay
    monkeypatch.setattr(backoff, "delay", lambda failures, _: delay(failures, lambda _: b"\x80\0\0\0"))
    if script.__name__ not in ours:
        alone = Script(World, 7)
        script(alone)
        ours[script.__name__] = alone.news
    played = Script(mixed_world(sessions, who), 7)
    script(played)
    for name, told in ours[script.__name__].items():
        theirs = played.news[name]
        for number, (mine, other) in enumerate(zip(told, theirs, strict=False)):
            assert mine == other, f"{name}'s news number {number}"
        assert len(told) == len(theirs), f"{name}: {told[len(theirs) :]} {theirs[len(told) :]}"


def test_everybody_keeps_the_same_of_the_room(sessions: SessionProcess) -> None:
    w = mixed_world(sessions, lambda name, opens: name in ("Ada", "Cem"))(11)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.do(people[0], ev.Remove(3))
    w.until(lambda: w.agreed(people[:3]))
    w.do(people[0], ev.Deputise(1))
    w.until(lambda: people[1].session._host is not None)
    w.until(lambda: len({p.room.membership.journal.chain for p in people[:3]}) == 1)
    kept = [
        (
            m.journal.slot,
            m.journal.chain,
            m.group.epoch,
            m.code,
            m.policy.encode(),
            m.heartbeat_key,
            m.move_key,
        )
        for m in (p.room.membership for p in people[:3])
    ]
    assert kept == kept[:1] * 3
    ledgers = {
        m.ledger_bytes() if hasattr(m, "ledger_bytes") else m.ledger.encode()
        for m in (p.room.membership for p in people[:3])
    }
    assert len(ledgers) == 1
