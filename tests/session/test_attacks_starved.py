"""The server starves memberships: by refusals, slots out of reach, silence, and vetoes of hosts' commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby_connections import PostedMessage
from snugroom.crypto.entry.invite import day_of
from snugroom.crypto.mls import labels, treekem
from snugroom.lab.simulation.dishonest import forged, post_commit
from snugroom.lab.simulation.world import Link, Participant, World, heal
from snugroom.wire import messages as wire
from tests.session.forked import Forked, Media, held, texts
from tests.session.gatecrashers import everybody_in_step, in_step
from tests.session.hosts import card_of

GONE = wire.Refused("gone", "the blobs after that slot are no longer held", "catch_up")


class Hostile(World):
    """A World whose server invents, swallows and answers messages as a test tells it."""

    #: Called with each message of a participant; returns the server's answers, or None for an honest server.
    answers: Callable[[Participant, object], list[object] | None] = staticmethod(lambda who, message: None)

    def _ascend(self, link: Link, frame: bytes) -> None:
        answers = self.answers(link.who, wire.decode_client(frame))
        if answers is None:
            super()._ascend(link, frame)
        for answer in answers or ():
            self.invent(link.who, answer, link)

    def invent(self, who: Participant, message: object, link: Link | None = None) -> None:
        """Send a participant a message that the room's server core did not send."""
        self._deliver(link or who.links[ev.ROOM], wire.encode(message))  # type: ignore[arg-type]

    def behave(self) -> None:
        """Be honest from now on."""
        del self.answers
        self.down_filter = lambda who, message: True


def talk(w: World, people: Sequence[Participant], text: str) -> None:
    """One says something that all the others read."""
    w.do(people[0], ev.Say(text))
    w.until(lambda: all((people[0].label, text) in p.said for p in people[1:]), 5, text)


def waits(who: Participant) -> bool:
    """Whether it asks the members to let it in again."""
    return bool(who.room.seeks_readmission)


# -- nobody is sent out by a message that nobody signed --------------------------------------------------


def test_a_refusal_that_nothing_asked_for_sends_nobody_out() -> None:
    w = Hostile(900)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(2)
    for who in people:
        w.invent(who, GONE)
    w.run(20)
    assert not any(waits(p) for p in people)
    assert [p.alarms for p in people] == [[]] * 4
    assert w.agreed(people)
    talk(w, people, "we are all still here")


def test_many_answers_that_nothing_asked_for_are_reported_as_the_servers() -> None:
    w = Hostile(901)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(2)
    slot = 1 + ada.room.membership.journal.slot
    for answer in (GONE, wire.Stale(slot, slot + 9), wire.Shown(slot + 9), wire.CaughtUp(slot + 9, 7, 0)):
        for _ in range(3):
            w.invent(ada, answer)
    took = w.until(lambda: ada.alarms == ["unasked"], 5)
    assert took < 1
    assert texts(ada, "unasked")[0].startswith(
        "The server sends answers to questions that your program never asked"
    )
    w.run(20)
    assert ada.alarms == ["unasked"]
    assert bo.alarms == []
    talk(w, [ada, bo], "and nothing came of it")


def lie_ahead(w: Hostile, people: Sequence[Participant]) -> None:
    """The server claims a later slot to all, and refuses to hand over what it does not have."""
    w.answers = lambda who, message: [GONE] if isinstance(message, wire.CatchUp) else None
    for who in people:
        slot = who.room.membership.journal.slot
        w.invent(who, wire.Committed(slot + 5, bytes(512), bytes(32), bytes(32), bytes(8), bytes(64)))


def test_a_slot_out_of_reach_ends_no_membership() -> None:
    w = Hostile(902)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(2)
    leaves = [p.room.membership.own_leaf for p in people]
    lie_ahead(w, people)
    for who in people:
        took = w.until(lambda who=who: "rejoining" in who.alarms, 6, who.label)  # type: ignore[misc]
        assert took < 6
        assert "server" in texts(who, "rejoining")[0]
    w.run(32)
    for who in people:
        assert len(texts(who, "rejoining")) == 2, "and after half a minute, that nobody answers"
        assert who.ended is None
    w.behave()
    w.until(lambda: w.agreed(people) and not any(waits(p) for p in people), 30)
    w.until(lambda: all(p.room.speaks(w.now) for p in people), 15)
    talk(w, people, "the server has come to its senses")
    assert [p.room.membership.own_leaf for p in people] == leaves
    assert not any("remove" in e.text for p in people for e in p.told if isinstance(e, ev.Status))


def test_a_withheld_change_is_the_servers_doing_and_not_the_programs() -> None:
    w = World(907)
    *people, cem = w.meeting("Ada", "Bo", "Cem")
    w.down_filter = lambda who, m: who is not cem or not isinstance(m, wire.Committed | wire.CaughtUp)
    w.do(people[0], ev.Lock(True))
    w.until(lambda: "rejoining" in cem.alarms, 20)
    assert "withheld" in cem.alarms
    assert "The server does not hand over the changes" in texts(cem, "rejoining")[0]
    w.down_filter = lambda who, m: True
    w.until(lambda: w.agreed([*people, cem]), 20)
    assert "refused" not in cem.alarms


def test_a_former_hosts_card_ends_no_membership() -> None:
    """A member that hears nobody after a restart looks for a host's card: the keys may have changed."""
    w = World(908)
    ada, cem = w.meeting("Ada", "Cem")
    w.kill_server()
    w.kill(ada)
    w.start_server()
    w.run(30)
    assert in_step(w, cem)
    helping, day = cem.session._readmission, day_of(w.now)
    for counts in (False, True):
        card = card_of(ada, w.now, helping._nonce if counts else bytes(16))
        helping.message_posted(day, PostedMessage(card, bytes(8)), cem.room, w.now)
        w.run(1)
        assert waits(cem) is counts, "a card that answers no request of Cem's is an old one"
    assert not cem.room.needs_rejoin
    ada.alive = True  # it was no former host after all, and is heard in this room
    w._feed(ada, ev.Lost(ev.ROOM, "cut", True))
    w.until(lambda: w.agreed([ada, cem]) and everybody_in_step(w, [ada, cem]) and not waits(cem), 30)


def test_a_server_that_yields_before_the_welcome_finds_the_old_membership() -> None:
    w = Hostile(903)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(2)
    slot = ada.room.membership.journal.slot
    lie_ahead(w, [bo])
    heard: list[object] = []  # a card, which Bo knocks at; the answers do not come

    def withhold(who: Participant, message: object) -> bool:
        if who is not bo or not isinstance(message, wire.Posted):
            return True
        heard.append(message)
        return len(heard) == 1

    w.down_filter = withhold
    w.until(lambda: ada.room.membership.journal.slot > slot, 30, "Ada lets Bo in again")
    w.run(1)
    w.behave()
    w.until(lambda: w.agreed(people) and not waits(bo), 30)
    assert bo.ended is None
    assert len(bo.roster) == 3
    talk(w, [bo, ada, cem], "here I am")


def test_a_server_that_denies_what_it_showed_is_named() -> None:
    w = Forked(907)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(2)
    w.fork([bo])
    for _ in range(9):
        heal(w, bo)
        w.run(0.3)
    w.fork([])  # one room again: the others'
    w.cut(bo.links[ev.ROOM])
    took = w.until(lambda: "rejoining" in bo.alarms, 20)
    assert took < 15
    assert "server has gone back" in texts(bo, "rejoining")[0]
    assert bo.ended is None
    assert "rejoining" not in {*ada.alarms, *cem.alarms}
    # Bo has changed its own key there: the others cannot let it in, even once they are as far
    for _ in range(12):
        heal(w, ada)
        w.run(1)
    w.until(lambda: any("kept your program's last changes" in told for told in texts(bo, "not_yet")), 60)
    assert bo.ended is None


def test_a_change_that_a_restarted_server_does_not_take_is_offered_every_two_seconds() -> None:
    """Before: as often as it said `stale`, at the speed of the network."""
    w = Hostile(905)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(2)
    offered: list[float] = []

    def stale(who: Participant, message: object) -> list[object] | None:
        if not isinstance(message, wire.Commit):
            return None
        offered.append(w.now)
        return [wire.Stale(message.slot, message.slot - 1)]

    w.answers = stale
    w.kill_server()
    w.run(1)
    w.start_server()
    w.run(6)
    assert 1 < len(offered) <= 4 * len(people)
    w.behave()
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 20)
    talk(w, people, "it takes them now")


def test_members_who_all_believe_to_be_behind_find_each_other() -> None:
    w = World(904)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(2)
    for who in people:
        who.room.needs_rejoin = True
    w.until(lambda: all(waits(p) for p in people), 5)
    w.until(lambda: w.agreed(people) and not any(waits(p) for p in people), 30)
    talk(w, people, "nobody was ahead of us")
    assert all(p.ended is None for p in people)


def test_a_commit_that_nobody_can_read_leaves_nobody_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are stuck on one commit, the host too: their tickets show that nobody is ahead."""
    w = World(906)
    ada, bo, cem, mallory = w.meeting("Ada", "Bo", "Cem", "Mallory")
    w.run(2)
    real = labels.encrypt_with_label

    def spoiled(suite, public, label, context, plaintext, rng):  # type: ignore[no-untyped-def]
        return real(suite, public, label, context, bytes(len(plaintext)), rng)

    with monkeypatch.context() as patch:
        patch.setattr(treekem, "encrypt_with_label", spoiled)
        blob = forged(mallory, [])
    post_commit(w, mallory, blob)
    w.run(0.5)
    w.kill(mallory)
    w.do(ada, ev.Remove(3))
    w.until(lambda: all(waits(p) for p in (ada, bo, cem)), 10)
    w.until(lambda: not any(waits(p) for p in (ada, bo, cem)), 30)
    w.until(lambda: w.agreed([ada, bo, cem]), 10)
    assert "pending" not in ada.alarms, "not the server kept Mallory in"
    talk(w, [ada, bo, cem], "nobody was ahead of us")


def test_a_pass_that_is_never_acknowledged_is_told_of() -> None:
    w = Hostile(905)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(5)
    w.answers = lambda who, message: [] if who is bo and isinstance(message, wire.Show) else None
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: "dropped" in bo.alarms, 75)
    assert "Either the server keeps you out, or the network" in texts(bo, "dropped")[0]
    w.run(10)
    w.behave()
    w.until(lambda: bo.room.is_synced(w.now), 30)
    talk(w, [bo, ada, cem], "let in again")


# -- a host's act is done, or reported -----------------------------------------------------------------------


def veto(w: Hostile, how: str) -> None:
    def answers(who: Participant, message: object) -> list[object] | None:
        if not isinstance(message, wire.Commit):
            return None
        return [] if how == "swallowed" else [wire.Stale(message.slot, message.slot - 1)]

    w.answers = answers


@pytest.mark.parametrize("how", ["swallowed", "stale"])
def test_a_removal_that_the_server_vetoes_is_known_to_all_and_heard_by_nobody(how: str) -> None:
    w = Hostile(910)
    people = ada, bo, cem, mallory = w.meeting("Ada", "Bo", "Cem", "Mallory")
    media = Media(w, people)
    w.run(3)
    veto(w, how)
    began = w.now
    w.do(ada, ev.Remove(3))
    took = w.until(lambda: "pending" in ada.alarms, 10, f"{how}: Ada is told")
    assert 5 <= took < 6.5
    assert "“Mallory” is still here" in texts(ada, "pending")[0]
    for who in (bo, cem):
        w.until(lambda who=who: "pending" in who.alarms, 5, f"{how}: {who.label} is told")  # type: ignore[misc]
        assert "“Mallory” is still here" in texts(who, "pending")[0]
        assert "Ada" in texts(who, "pending")[0]
    told = w.now
    assert told - began < 9
    w.do(ada, ev.Say("now that she is gone"))
    w.do(bo, ev.Say("I never liked her"))
    w.run(20)
    for who in (ada, bo, cem):
        assert not [at for at in media.opened.get((who.label, "Mallory"), []) if at > told + 0.5], who.label
        assert len(texts(who, "pending")) == 1, "once"
    assert not [at for at in media.sealed["Ada"] if began < at], "the author stops at once"
    assert not [text for _, text in mallory.said]
    assert held(ada) == ["now that she is gone"]
    assert held(bo) == ["I never liked her"]
    w.behave()
    w.until(lambda: w.agreed([ada, bo, cem]) and mallory.ended is not None, 20)
    w.until(lambda: ("Ada", "now that she is gone") in cem.said, 5)
    w.until(lambda: ("Bo", "I never liked her") in cem.said, 5)
    w.until(lambda: held(ada) == held(bo) == [], 1)
    assert not mallory.said
    for who in (ada, bo, cem):
        w.until(lambda who=who: texts(who, "cleared") != [], 10, who.label)  # type: ignore[misc]


def test_a_lock_that_the_server_vetoes_is_reported_and_stops_no_media() -> None:
    w = Hostile(912)
    ada, bo = people = w.meeting("Ada", "Bo")
    media = Media(w, people)
    w.run(5)
    veto(w, "swallowed")
    w.do(ada, ev.Lock(True))
    w.until(lambda: "pending" in ada.alarms and "pending" in bo.alarms, 9)
    assert "not locked" in texts(ada, "pending")[0]
    w.run(10)
    assert media.sealed_after(ada, w.now - 5) > 20
    w.behave()
    w.until(lambda: any(e.kind == "mode" for e in bo.of(ev.PolicyChanged)), 10)
    w.run(10)
    assert len(texts(ada, "pending")) == len(texts(bo, "pending")) == 1


def test_a_removal_that_waits_for_a_dead_server_accuses_nobody() -> None:
    w = World(914)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(3)
    w.kill_server()
    w.do(ada, ev.Remove(2))
    w.run(8)
    assert texts(ada, "waits_away") == [
        "“Cem” is still a member here: the removal waits until you are connected to the server again."
    ]
    w.start_server()
    w.until(lambda: w.agreed([ada, bo]) and cem.ended is not None, 20)
    assert not {"pending", "dropped"} & {*ada.alarms, *bo.alarms}


def test_a_person_may_decide_to_speak_before_the_removal_is_done() -> None:
    w = Hostile(913)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    w.run(3)
    veto(w, "swallowed")
    w.do(ada, ev.Remove(2))
    w.do(ada, ev.Say("Mallory, please go"))
    w.until(lambda: held(ada) == ["Mallory, please go"], 5)
    w.do(ada, ev.SendHeld())
    w.until(lambda: ("Ada", "Mallory, please go") in mallory.said and held(ada) == [], 5)
    w.do(ada, ev.Say("a secret"))
    w.until(lambda: held(ada) == ["a secret"], 5)
    w.do(ada, ev.DiscardHeld())
    assert held(ada) == []
    w.behave()
    w.until(lambda: w.agreed([ada, bo]), 20)
    w.run(5)
    assert ("Ada", "a secret") not in bo.said
