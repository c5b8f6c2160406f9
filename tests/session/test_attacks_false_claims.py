"""Members sign lies, or try to have others blamed: alarms name the liar, and nobody else is harmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.proposals import Built
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto import mls
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.kdf import SigningKey
from snugroom.lab.simulation.dishonest import post_commit
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.forked import texts


def void(w: World, by: Participant, people: list[Participant], blob: bytes) -> None:
    """Let the server put a blob into the next slot; it is void for all."""
    slot = by.room.membership.journal.slot
    post_commit(w, by, blob)
    w.until(
        lambda: all(p.room.membership.journal.slot == slot + 1 and p.room.is_synced(w.now) for p in people),
        10,
    )


def test_a_server_cannot_have_an_honest_member_blamed_for_where_it_puts_its_commit() -> None:
    w = World(440)
    _, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    staged = bo.room.membership.stage(HealIntent(bo.room.membership.group.epoch))  # the server holds it back
    void(w, cem, people, w.rng(BUCKETS[2]))
    void(w, cem, people, staged.blob)
    w.run(11)
    for p in people:
        assert [e.count for e in p.told if isinstance(e, ev.Alarm) and e.kind == "void_commit"] == [1, 2]
        assert not any("It came from \u201cBo\u201d" in text for text in texts(p, "void_commit"))


def test_nor_for_a_history_that_the_server_has_shown_to_it_alone() -> None:
    w = World(441)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    m = bo.room.membership
    # to Bo the server shows one thing that is void, and to the others another
    m.void(w.rng(BUCKETS[2]))
    staged = m.stage(HealIntent(m.group.epoch))
    w.kill(bo)
    void(w, cem, [ada, cem], w.rng(BUCKETS[2]))
    void(w, cem, [ada, cem], staged.blob)
    assert not any("It came from \u201cBo\u201d" in text for text in texts(ada, "void_commit"))


def lying(
    monkeypatch: pytest.MonkeyPatch, liar: Participant, change: Callable[[Heartbeat], Heartbeat]
) -> None:
    real, own = Heartbeat.signed, liar.room.membership.own_leaf

    def signed(self: Heartbeat, number: bytes, sign: Callable[[str, bytes], bytes]) -> Heartbeat:
        return real(change(self) if self.leaf == own else self, number, sign)

    monkeypatch.setattr(Heartbeat, "signed", signed)


def test_a_member_that_cries_wolf_stops_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(442)
    ada, bo, liar = w.meeting("Ada", "Bo", "Liar")
    w.run(20)

    def ahead_or_not(beat: Heartbeat) -> Heartbeat:
        ahead = beat.seq % 3 != 0
        return replace(beat, slot=beat.slot + 1, chain=bytes(32)) if ahead else beat

    lying(monkeypatch, liar, ahead_or_not)
    paused = 0
    for _ in range(400):
        w.run(0.1)
        paused += bo.room.feature(Monitor).hold_reason(w.now) is not None
    assert 0 < paused <= 33, "once, for 3 s"
    assert len(texts(bo, "withheld")) == 1
    assert len(texts(bo, "double_beat")) == 1
    assert "Liar" in texts(bo, "double_beat")[0]
    assert "rejoining" not in [*ada.alarms, *bo.alarms]


def test_a_known_liar_about_history_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(443)
    ada, bo, liar = w.meeting("Ada", "Bo", "Liar")
    w.run(20)
    lying(monkeypatch, liar, lambda beat: replace(beat, slot=beat.slot + 1, chain=bytes(32)))
    paused = 0
    for n in range(500):
        if n % 200 == 199:
            ada.room.queue(HealIntent(ada.room.membership.group.epoch), w.now)
        w.run(0.1)
        paused += bo.room.feature(Monitor).hold_reason(w.now) is not None
    assert 0 < paused <= 33, paused
    assert len(texts(bo, "two_stories")) == 1


def test_lies_about_messages_do_not_hide_withheld_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(447)
    ada, bo, liar, cem = w.meeting("Ada", "Bo", "Liar", "Cem")
    w.run(20)
    lying(monkeypatch, liar, lambda beat: replace(beat, relay=beat.relay + 1000, window=bytes(32)))
    w.run(40)
    told = texts(bo, "reordered")
    assert len(told) == 1
    assert "Liar" in told[0]
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Relayed))
    w.do(ada, ev.Say("can you hear me?"))
    w.run(40)
    told = texts(bo, "reordered")
    assert len(told) == 2, "and once more, for those who did not lie"
    assert "Ada" in told[1] or "Cem" in told[1]
    assert cem.said == [("Ada", "can you hear me?")]


@pytest.mark.parametrize(
    "lie",
    [
        lambda beat: replace(beat, incarnation=b"another1"),
        lambda beat: replace(beat, relay=beat.relay + 1000),
        lambda beat: replace(beat, window=bytes(32)),
    ],
    ids=["incarnation", "relay", "window"],
)
def test_one_member_cannot_have_the_server_accused_of_other_messages(
    lie: Callable[[Heartbeat], Heartbeat], monkeypatch: pytest.MonkeyPatch
) -> None:
    w = World(448)
    ada, bo, liar = w.meeting("Ada", "Bo", "Liar")
    for n in range(10):
        w.do(ada, ev.Say(str(n)))
        w.run(2)
    lying(monkeypatch, liar, lie)
    w.run(60)
    for who in (ada, bo):
        (told,) = texts(who, "reordered")
        assert "\u201cLiar\u201d's program is wrong; a host can remove it" in told
        assert [i.severity for i in who.incidents.open if i.cause == "reordered"] == ["attention"]


def say(w: World, who: Participant, what: content.AnyContent) -> None:
    w._ascend(who.links[ev.ROOM], wire.encode(wire.Relay(who.room.membership.protect(content.encode(what)))))


def test_false_ends_alarm_once() -> None:
    w = World(444)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    for _ in range(20):
        say(w, mallory, content.End(mallory.room.membership.journal.chain))
        w.run(0.2)
    assert ada.alarms.count("false_end") == bo.alarms.count("false_end") == 1


def test_proposals_that_nobody_will_commit_are_not_kept() -> None:
    w = World(445)
    ada, bo, mallory, cem = w.meeting("Ada", "Bo", "Mallory", "Cem")
    group = mallory.room.membership.group
    for n in range(30):
        proposal = mls.PreSharedKey.external(b"x%d" % n, w.rng)
        say(w, mallory, content.Leaving(group.propose(proposal, private=False)))
        say(w, mallory, content.Leaving(group.propose(mls.Remove(0), private=False)))
        w.run(0.3)
    assert len(bo.room.membership.group.stored_proposals) <= 1
    # nor those that a commit carries, which is void then
    messages = [group.propose(mls.Remove(1), authenticated_data=bytes([n]), private=False) for n in range(40)]
    stage = group.stage([], authenticated_data=b"")
    void(
        w,
        mallory,
        [ada, bo, cem],
        mallory.room.membership.cover_commit([*messages, stage.message], bytes(32)),
    )
    assert len(bo.room.membership.group.stored_proposals) <= 2
    # and those who go still can
    w.do(cem, ev.Leave())
    w.until(lambda: "Cem" not in ada.roster, 10)


def test_a_members_messages_are_not_attributed_to_the_next_at_its_leaf(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host can put somebody else at a leaf in the very commit that removes the one before."""
    w = World(446)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    m = ada.room.membership
    blob = bo.room.membership.protect(content.encode(content.Say(bytes(16), "I said that")))
    dana = mls.KeyPackageIn.decode(
        Me("Dana", w.rng).package(w.now, SigningKey.generate(w.rng)).encoded
    ).verify(m.group.suite, now=int(w.now))
    link = mls.PreSharedKey.external(b"snug 1 link", w.rng)
    intent = HealIntent(m.group.epoch)
    swap = Built([intent], [mls.Remove(1), link, mls.Add(dana)], invites=(0,))
    with monkeypatch.context() as patch:
        patch.setattr("snugroom.client.session.kernel.membership.proposals_for", lambda *_: swap)
        ada.room.queue(intent, w.now)
        w.do(ada, ev.Tick())
    w.until(lambda: "Dana" in cem.roster)
    assert cem.room.membership.name(1) == "Dana"
    w._ascend(cem.links[ev.ROOM], wire.encode(wire.Relay(blob)))
    w.run(2)
    assert cem.said == []
