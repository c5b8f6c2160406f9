"""A server that refuses its members with `full` or `permission` leaves evidence, whatever it says."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.monitor.drop import EXCUSES
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.client.session.options import Options, PermissionMeans
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import Findings
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant, World
from snugroom.wire.messages import Challenge, Refused, RoomDoor, decode_client, decode_server, encode
from snugroom.wire.permission import PermissionPolicy
from tests.permission.doors import PASSWORD
from tests.session.test_permission import Guarded

#: The server's answers at the room's door, by code.
ANSWERS = {
    code: Refused(code, f"as {code} says it", "room_door", fatal=True)
    for code in (*sorted(EXCUSES), "made up")
}


class Refusing(World):
    """Refuses the meeting's room from `closes` on, and with `all_rooms` every room.

    `asks`: its challenges say that opening a room needs the password; else that anyone may open one.
    """

    answer: Refused | None = None
    all_rooms = False
    asks = False
    door = b""

    def closes(self, people: list[Participant], code: str, *, all_rooms: bool = False) -> None:
        self.answer, self.all_rooms = ANSWERS[code], all_rooms
        self.door = people[0].room.door_key.public
        for who in people:
            link = who.links[ev.ROOM]
            self._deliver(link, encode(self.answer))
            self._at(link.last_down, lambda link=link: self.cut(link, by_server=True))  # type: ignore[misc]

    def _deliver(self, link: Link, frame: bytes) -> None:
        message = decode_server(frame)
        if self.asks and isinstance(message, Challenge):
            policy = PermissionPolicy("password", salt=bytes(16), cost=15)
            frame = encode(
                Challenge(message.version, message.origin, message.nonce, message.server_key, policy)
            )
        super()._deliver(link, frame)

    def _ascend(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        refuses = isinstance(message, RoomDoor) and (self.all_rooms or message.door_key == self.door)
        if self.answer is not None and refuses:
            self._deliver(link, encode(self.answer))
            self._at(link.last_down, lambda: self.cut(link, by_server=True))
            return
        super()._ascend(link, frame)


def meeting(w: World, *names: str) -> list[Participant]:
    people = w.meeting(*names)
    w.until(lambda: all(p.room.is_synced(w.now) for p in people))
    w.run(12)  # heartbeats have gone round
    return people


def shown(who: Participant, w: World) -> Findings:
    data = who.room.feature(Dropped).export(False, w.now)
    return evidence.verify_evidence(evidence.decode_evidence(data))


def alarm(who: Participant, kind: str) -> Sentence:
    (text,) = [a.text for a in who.of(ev.Alarm) if a.kind == kind]
    assert isinstance(text, Sentence)
    return text


class GuardedRefusing(Refusing, Guarded):
    """The same, at a server that has always wanted a password of those who open rooms."""


@pytest.mark.parametrize(("code", "kind"), [("full", "full"), ("permission", "unopened")])
def test_members_who_are_refused_accuse_nobody_and_have_evidence(code: str, kind: str) -> None:
    w = GuardedRefusing(7501, password=PASSWORD, secret=None)
    people = w.meeting_of(PermissionMeans(PASSWORD), "Bo")
    w.run(12)
    w.closes(people, code)
    w.until(lambda: all(kind in p.alarms for p in people), 8)
    w.run(4)
    for who in people:
        assert "dropped" not in who.alarms
        assert alarm(who, kind).key == f"alarm.{kind}.inside"
        assert "/evidence" in alarm(who, kind)
        found = shown(who, w)
        (exhibit,) = found.exhibits
        assert exhibit.dropped_at is not None
        assert (code, f"as {code} says it") in [(word.code, word.text) for word in exhibit.last_words]
        assert any(word.code == "lost" for word in exhibit.last_words), "repeated refusals push nothing out"
        (probe,) = found.probes
        assert probe.claimed_server, "the server signed another room while it had no place for this one"
    w.run(60)
    assert {p.ended.reason for p in people if p.ended} == {"dropped"}


def test_the_refusal_of_a_probe_is_in_the_evidence_too() -> None:
    w = Refusing(7502)
    ada = w.host("Ada")
    bo = w.guest(w.link_of(ada), "Bo", options=Options(evidence="e.json"))
    w.until(lambda: w.agreed([ada, bo]) and bo.room.is_synced(w.now))
    w.run(5)
    w.closes([ada, bo], "full", all_rooms=True)
    w.until(lambda: "full" in bo.alarms, 8)
    assert "e.json" in alarm(bo, "full")
    (*_, save) = [e for e in bo.performed if isinstance(e, ev.Save)]
    (exhibit,) = evidence.decode_evidence(save.data).exhibits
    assert exhibit.probe is not None
    assert exhibit.probe.receipt is None
    assert "refused a new room with the code 'full': as full says it" in exhibit.probe.text


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("all_rooms", [False, True])
def test_a_server_that_wants_a_permission_and_says_that_it_wants_none_contradicts_itself(
    all_rooms: bool, asks: bool
) -> None:
    """`asks`: it says so only from now on, in the same process."""
    w = Refusing(7503)
    people = meeting(w, "Ada", "Bo")
    w.asks = asks
    w.closes(people, "permission", all_rooms=all_rooms)
    w.until(lambda: all("dropped" in p.alarms for p in people), 8)
    for who in people:
        what = alarm(who, "dropped").args["what"]
        assert isinstance(what, Sentence)
        assert what.key == "dropped.contradicts"
        assert any(word.code == "permission" for word in shown(who, w).exhibits[0].last_words)


def test_another_process_that_wants_a_permission_contradicts_nobody() -> None:
    """A restart with another configuration: the room's door and the probe are of the new process."""
    w = Refusing(7504)
    people = meeting(w, "Ada", "Bo")
    w.kill_server()
    w.run(1)
    w.start_server()
    w.answer, w.all_rooms, w.asks = ANSWERS["permission"], True, True
    w.until(lambda: all("unopened" in p.alarms for p in people), 15)
    w.run(20)
    assert all("dropped" not in p.alarms for p in people)


def test_a_member_who_was_never_inside_has_no_evidence_of_a_full_server() -> None:
    w = Refusing(7505)
    (ada,) = meeting(w, "Ada")
    w.answer, w.door = ANSWERS["full"], ada.room.door_key.public
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: "full" in bo.alarms, 30)
    assert alarm(bo, "full").key == "alarm.full"


def test_who_goes_on_elsewhere_keeps_the_evidence_of_a_full_server() -> None:
    w = Servers(7506)
    ada, bo = people = w.meeting("Ada", "Bo")
    listed(w, ada, *OTHERS)
    w.run(12)

    def full(link: Link, frame: bytes, ascend=w._ascend) -> None:  # type: ignore[no-untyped-def]
        here = link.hub is w.hubs[ORIGIN] and link.endpoint == ev.ROOM
        if here and isinstance(decode_client(frame), RoomDoor):
            w._deliver(link, encode(ANSWERS["full"]))
            w._at(link.last_down, lambda: w.cut(link, by_server=True))
        else:
            ascend(link, frame)

    w._ascend = full  # type: ignore[method-assign]
    for who in people:
        w.cut(who.links[ev.ROOM])
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo"}, 30)
    w.run(30)
    assert all("dropped" not in p.alarms for p in people), "strangers can fill a server"
    (exhibit,) = shown(bo, w).exhibits
    assert exhibit.dropped_at is not None
    assert ("full", "as full says it") in [(word.code, word.text) for word in exhibit.last_words]
    told = [s.text for s in ada.of(ev.Status) if s.kind == "evidence"]
    assert [text.key for text in told if isinstance(text, Sentence)] == ["status.evidence"], "not in red"


@pytest.mark.parametrize("code", sorted(ANSWERS))
def test_any_refusal_of_members_who_were_inside_leaves_a_probe_and_an_exhibit(code: str) -> None:
    """Mostly it is over before anybody is told of it. The answer is kept all the same."""
    said = {"full": {"full"}, "permission": {"dropped"}, "made up": {"dropped"}}.get(code, set())
    w = Refusing(7507)
    ada = w.host("Ada")
    bo = w.guest(w.link_of(ada), "Bo", options=Options(evidence="e.json"))
    w.until(lambda: w.agreed([ada, bo]) and bo.room.is_synced(w.now))
    w.run(12)
    w.closes([ada, bo], code)
    w.run(2)
    w.answer = None
    w.until(lambda: all(p.room.is_synced(w.now) for p in (ada, bo)), 10)
    w.run(5)
    for who in (ada, bo):
        assert {"dropped", "full", "unopened"} & {*who.alarms} <= said
        lost, now = shown(who, w).exhibits
        assert (lost.dropped_at is None, now.dropped_at is None) == (False, True)
        assert (code, f"as {code} says it") in [(word.code, word.text) for word in lost.last_words]
        assert lost.probe is not None
        assert lost.probe.receipt is not None, "the server has signed that it served another room then"
    (*_, save) = [e for e in bo.performed if isinstance(e, ev.Save)]
    assert len(evidence.decode_evidence(save.data).exhibits) == 2


def test_an_exhibit_of_before_a_restart_stays_and_takes_the_place_of_no_reported_drop() -> None:
    w = Refusing(7508)
    people = meeting(w, "Ada", "Bo")
    w.kill_server()
    w.run(1)
    w.start_server()
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 20)
    w.run(12)
    for who in people:
        before, now = shown(who, w).exhibits
        assert before.server_key != now.server_key
        assert before.dropped_at is not None
        assert len({b.key for b in before.beats}) == 2
