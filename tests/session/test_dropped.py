"""Members tell the ends of a meeting apart, and have evidence against a server that drops one."""

from __future__ import annotations

import msgspec
import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.monitor.dropped import PROBE_EVERY, PROBES_MAX, Dropped
from snugroom.client.session.options import Options
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import Findings
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.server.config import Settings
from snugroom.wire.messages import Closing, Opened, RoomDoor, decode_client, decode_server, encode


class Meetings(World):
    """A world in which `meeting` also waits until all are in step with the server."""

    def meeting(self, *names: str, strict: bool = False) -> list[Participant]:
        people = super().meeting(*names, strict=strict)
        self.until(lambda: all(p.room.is_synced(self.now) for p in people))
        return people


class Dropping(Meetings):
    """A server whose operator can throw a meeting out, and keep it out."""

    def __init__(self, seed: int, **options: object) -> None:
        super().__init__(seed, **options)  # type: ignore[arg-type]
        self.banned: set[bytes] = set()
        self.refuses_all = False
        self.told: list[object] = []

    def throw_out(self, people: list[Participant], *, say: str = "") -> None:
        self.banned.add(people[0].room.door_key.public)
        for who in people:
            link = who.links[ev.ROOM]
            if say:
                self._deliver(link, encode(Closing("idle", say)))
                self._at(link.last_down, lambda link=link: self.cut(link))  # type: ignore[misc]
            else:
                self.cut(link)

    def _ascend(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        mine = link.who.room
        if isinstance(message, RoomDoor):
            ours = mine is not None and message.door_key == mine.door_key.public
            if message.door_key in self.banned or (self.refuses_all and not ours):
                self._after(self.latency, lambda: self.cut(link, by_server=True))
                return
        super()._ascend(link, frame)


def kept(who: Participant) -> list[ev.Save]:
    return [e for e in who.performed if isinstance(e, ev.Save)]


def shown(who: Participant, w: World, names: bool = False) -> Findings:
    data = who.room.feature(Dropped).export(names, w.now)
    return evidence.verify_evidence(evidence.decode_evidence(data))


def texts(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Alarm | ev.Status) and e.kind == kind]


# -- ends that members make --------------------------------------------------------------------------


def test_an_end_by_a_host_and_a_removal_are_no_drops() -> None:
    w = Dropping(1)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.do(ada, ev.Remove(2))
    w.until(lambda: cem.ended is not None)
    assert cem.ended == ev.Ended("removed", "You were removed by \u201cAda\u201d.")
    w.do(ada, ev.EndMeeting())
    w.until(lambda: bo.ended is not None)
    assert bo.ended == ev.Ended("ended", "\u201cAda\u201d ended the meeting.")
    w.run(10)
    assert all("dropped" not in p.alarms for p in people)


def test_an_end_that_came_while_a_member_was_away_is_the_hosts() -> None:
    w = Meetings(2)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.cut(bo.links[ev.ROOM])
    w.do(ada, ev.EndMeeting())
    w.until(lambda: bo.ended is not None, 10)
    assert bo.ended == ev.Ended("ended", "\u201cAda\u201d ended the meeting.")
    assert "dropped" not in bo.alarms


# -- the server drops a meeting ---------------------------------------------------------------------------


def test_a_meeting_that_the_server_drops() -> None:
    w = Dropping(3)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(12)  # heartbeats have gone round
    last = w.now
    w.throw_out(people)
    took = w.until(lambda: all("dropped" in p.alarms for p in people), 5)
    assert took >= 2.5, "a moment without the room is nothing yet"
    for who in people:
        (text,) = texts(who, "dropped")
        assert text.startswith("The server dropped you; nobody in the room did. It still serves others")
        assert who.ended is None, "it is tried again"
        found = shown(who, w)
        assert len(found.members) == 3
        assert all(last - 11 <= m.at <= last for m in found.members)
        (probe,) = found.probes
        assert probe.claimed_server
        assert probe.keys == 3
        assert found.exhibits[0].dropped_at == int(last)
        assert found.names == ()
        exported = evidence.decode_evidence(who.room.feature(Dropped).export(False, w.now))
        assert not any(exhibit.leaves for exhibit in exported.exhibits), "nobody's name unasked"
    assert all(shown(people[0], w).served_by(m) for m in shown(people[0], w).members), "she has all receipts"
    w.until(lambda: all(p.ended is not None for p in people), 70)
    assert {p.ended.reason for p in people if p.ended} == {"dropped"}
    assert all(p.alarms.count("dropped") == 1 for p in people)


def test_names_are_added_on_request_and_are_signed() -> None:
    w = Dropping(4)
    people = w.meeting("Ada", "Bo")
    w.throw_out(people)
    w.until(lambda: "dropped" in people[0].alarms, 5)
    found = shown(people[0], w, names=True)
    assert sorted(n.name for n in found.names) == ["Ada", "Bo"]
    keys = {people[0].room.membership.signature_key(leaf) for leaf in (0, 1)}
    assert {n.key for n in found.names} == keys
    assert {m.key for m in found.members} <= keys


def test_several_members_evidence_is_one_file() -> None:
    w = Dropping(5)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(12)
    w.throw_out(people)
    w.until(lambda: all("dropped" in p.alarms for p in people), 5)
    files = [evidence.decode_evidence(p.room.feature(Dropped).export(False, w.now)) for p in people]
    found = evidence.verify_evidence(evidence.merge(files))
    assert len(found.exhibits) == len({e.key for e in found.exhibits}) == 3
    assert all(probe.same_server for probe in found.probes), "who came in last has no receipt of their own"
    assert len(found.probes) == 3
    assert found.equivocations == []
    assert found.split_slots == []


def test_the_servers_last_words_are_kept() -> None:
    w = Dropping(6)
    people = w.meeting("Ada", "Bo")
    w.throw_out(people, say="an invented ground")
    w.until(lambda: "dropped" in people[1].alarms, 5)
    words = shown(people[1], w).exhibits[0].last_words
    assert ("idle", "an invented ground") in [(x.code, x.text) for x in words]


def test_evidence_is_written_by_itself_when_asked_for() -> None:
    w = Dropping(7)
    ada = w.host("Ada")
    bo = w.guest(w.link_of(ada), "Bo", options=Options(evidence="e.json", evidence_names=True, patience=8))
    w.until(lambda: w.agreed([ada, bo]) and bo.room.is_synced(w.now))
    w.throw_out([ada, bo])
    w.until(lambda: "dropped" in bo.alarms, 5)
    assert "e.json" in texts(bo, "dropped")[0]
    (save,) = kept(bo)
    assert (save.what, save.path) == ("evidence", "e.json")
    found = evidence.verify_evidence(evidence.decode_evidence(save.data))
    assert len(found.probes) == 1
    assert {n.name for n in found.names} == {"Ada", "Bo"}
    assert kept(ada) == []
    took = w.until(lambda: bo.ended is not None, 20)
    assert took < 8
    assert ada.ended is None, "her patience is a minute"


def test_a_dropped_member_who_is_back_still_has_evidence() -> None:
    w = Dropping(8)
    ada, bo = people = w.meeting("Ada", "Bo")
    w.throw_out(people)
    w.until(lambda: "dropped" in bo.alarms, 5)
    w.banned.clear()
    w.until(lambda: ada.room.is_synced(w.now) and bo.room.is_synced(w.now), 10)
    w.do(ada, ev.Say("again"))
    w.until(lambda: ("Ada", "again") in bo.said)
    w.run(70)
    assert bo.ended is None
    found = shown(bo, w)
    assert [e.dropped_at is None for e in found.exhibits] == [False, True]
    assert len(found.probes) == 1


def test_evidence_can_be_had_at_any_time_once_inside() -> None:
    w = Meetings(9)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(12)
    w.do(bo, ev.SaveEvidence("now.json"))
    (save,) = kept(bo)
    found = evidence.verify_evidence(evidence.decode_evidence(save.data))
    assert found.probes == ()
    assert found.exhibits[0].dropped_at is None
    assert len(found.members) == 2
    outside = w.guest(w.link_of(ada), "Cem")
    with pytest.raises(ValueError, match="not in the room"):
        w.do(outside, ev.SaveEvidence("x"))


# -- the server is down, new, or refuses everybody ----------------------------------------------------------


def test_a_server_that_is_down_has_dropped_nobody() -> None:
    w = Meetings(10)
    people = w.meeting("Ada", "Bo")
    w.kill_server()
    w.run(90)
    for who in people:
        assert "dropped" not in who.alarms
        assert who.ended is None, "as long as it takes"
        assert any("may be down" in text for text in texts(who, "away"))
    w.start_server()
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 10)
    w.run(70)
    assert all("dropped" not in p.alarms and p.ended is None for p in people)


def test_a_restart_is_no_drop() -> None:
    w = Meetings(11)
    people = w.meeting("Ada", "Bo", "Cem")
    w.kill_server()
    w.run(1)
    w.start_server()
    w.run(80)
    assert all("dropped" not in p.alarms and p.ended is None for p in people)


def test_a_restart_without_the_host_is_said_as_what_it_is() -> None:
    w = Meetings(12)
    ada, bo = w.meeting("Ada", "Bo")
    w.kill(ada)
    w.kill_server()
    w.run(1)
    w.start_server()
    w.run(30)
    assert "dropped" not in bo.alarms
    assert any("was restarted" in text for text in texts(bo, "away"))


def test_a_server_started_anew_that_keeps_the_meeting_out() -> None:
    w = Dropping(13)
    people = w.meeting("Ada", "Bo")
    w.banned.add(people[0].room.door_key.public)
    w.kill_server()
    w.run(1)
    w.start_server()
    w.until(lambda: all("dropped" in p.alarms for p in people), 20)
    assert "was restarted" in texts(people[0], "dropped")[0]
    assert not any(p.same_server for p in shown(people[0], w).probes)


def test_a_server_that_refuses_everybody_is_said_to() -> None:
    w = Dropping(14)
    people = w.meeting("Ada", "Bo")
    w.refuses_all = True
    w.throw_out(people)
    took = w.until(lambda: all("dropped" in p.alarms for p in people), 10)
    assert took < 5
    assert "nobody in the room did" in texts(people[0], "dropped")[0]
    assert "refusing everybody" in texts(people[0], "dropped")[0]
    found = shown(people[0], w)
    assert found.probes == ()
    assert found.exhibits[0].probe is not None
    connects = [e for e in people[0].performed if e == ev.Connect(ev.PROBE)]
    w.run(45)
    after = [e for e in people[0].performed if e == ev.Connect(ev.PROBE)]
    assert len(after) - len(connects) <= 45 / PROBE_EVERY + 1
    assert len(after) <= PROBES_MAX


def test_a_full_server_opens_no_probe_and_is_quoted() -> None:
    w = Dropping(15, settings=Settings(max_rooms=1))
    people = w.meeting("Ada", "Bo")
    w.throw_out(people)
    w.until(lambda: all("dropped" in p.alarms for p in people), 10)
    probe = shown(people[0], w).exhibits[0].probe
    assert probe is not None
    assert probe.receipt is None
    assert probe.text.startswith("The server refused a new room")


def test_a_probe_that_is_signed_wrong_proves_nothing() -> None:
    w = Dropping(16)
    people = w.meeting("Ada", "Bo")

    deliver = w._deliver

    def spoil(link: Link, frame: bytes) -> None:
        message = decode_server(frame)
        if isinstance(message, Opened):
            frame = encode(msgspec.structs.replace(message, signature=bytes(64)))
        deliver(link, frame)

    w._deliver = spoil  # type: ignore[method-assign]
    w.throw_out(people)
    w.until(lambda: all("dropped" in p.alarms for p in people), 10)
    found = shown(people[0], w)
    assert found.probes == ()
    assert "did not sign" in (found.exhibits[0].probe.text if found.exhibits[0].probe else "")


@pytest.mark.parametrize("opens", [True, False])
def test_a_server_that_forgot_the_room_while_we_were_away_is_not_accused(opens: bool) -> None:
    w = Meetings(17)
    ada, bo = w.meeting("Ada", "Bo")
    connect = w._connect
    unplugged = True

    def cable(who: Participant, endpoint: ev.Endpoint) -> None:
        if unplugged and who is bo:
            w._feed(who, ev.Lost(endpoint, "no network"))
        else:
            connect(who, endpoint)

    w._connect = cable  # type: ignore[method-assign]
    for link in list(bo.links.values()):
        w.cut(link)
    w.run(2)
    w.kill(ada)
    w.run(50)
    assert "dropped" not in bo.alarms
    unplugged = False
    if opens:  # Bo opens the room again, and learns that nobody else is there
        w.until(lambda: bo.room.is_synced(w.now), 15)
        w.until(lambda: "silent" in bo.alarms, 60)
    else:
        w.down_filter = lambda who, message: not isinstance(message, Opened) or message.slot == 0
        w.until(lambda: "dropped" in bo.alarms, 20)
        assert texts(bo, "dropped")[0].startswith("The server no longer knows this meeting")
    assert not any("nobody in the room did" in text for text in texts(bo, "dropped"))


def test_a_lost_connection_now_and_then_is_nothing() -> None:
    w = Meetings(30)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    # in turn: a connection that is lost again before it is in step makes its owner look at the server
    for number in range(20):
        w.cut(people[number % 4].links[ev.ROOM])
        w.run(w.random.uniform(0.5, 3))
    w.run(5)
    assert all("dropped" not in p.alarms for p in people)
    assert not any(e == ev.Connect(ev.PROBE) for p in people for e in p.performed)


def test_a_way_that_is_back_gives_the_room_a_moment() -> None:
    """A probe may get through before the room's own endpoint has tried again."""
    w = Meetings(19)
    _, bo = w.meeting("Ada", "Bo")
    connect = w._connect
    probes = 0

    def cable(who: Participant, endpoint: ev.Endpoint) -> None:
        nonlocal probes
        probes += who is bo and endpoint == ev.PROBE
        if who is bo and probes < 2:
            w._feed(who, ev.Lost(endpoint, "no network"))
        elif who is bo and endpoint == ev.ROOM:
            w._after(1.2, lambda: connect(who, endpoint))
        else:
            connect(who, endpoint)

    w._connect = cable  # type: ignore[method-assign]
    for link in list(bo.links.values()):
        w.cut(link)
    w.until(lambda: probes == 2, 15)
    assert not bo.room.handle
    w.until(lambda: bo.room.is_synced(w.now), 5)
    w.run(5)
    assert "dropped" not in bo.alarms


def test_a_server_that_lets_in_and_drops_again_and_again_is_told_of_once() -> None:
    w = World(77)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(2)
    for _ in range(15):
        w.cut(bo.links[ev.ROOM])
        w.until(lambda: ev.ROOM in bo.links and bo.room.is_synced(w.now), 5)
        w.run(2)
    told = [e.text for e in bo.told if isinstance(e, ev.Alarm) and e.kind == "dropped"]
    assert told == [sentences.alarm("dropped.often", count=10).text]
    assert "dropped" not in ada.alarms
    # and a bad moment now and then is nothing
    w = World(78)
    ada, bo = w.meeting("Ada", "Bo")
    for _ in range(8):
        w.run(20)
        w.cut(bo.links[ev.ROOM])
    assert "dropped" not in bo.alarms
