"""At the next server, hosts have one file with all members' exhibits of the server before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features import collected_evidence
from snugroom.client.session.features.collected_evidence import CLOCKS, CollectedEvidence
from snugroom.client.session.options import Options
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import Findings
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.wire.messages import Relay, decode_client

NAMES = ("Ada", "Bo", "Cem")
#: The name that a page gives its file.
FILE = "snug-evidence.json"


class Places(Servers):
    """Servers, where what some members relay at further servers is lost."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.lost_of: set[str] = set()

    def _ascend(self, link: Link, frame: bytes) -> None:
        lost = link.who.label in self.lost_of and link.hub is not self.hubs[ORIGIN]
        if not (lost and isinstance(decode_client(frame), Relay)):
            super()._ascend(link, frame)


def opened(seed: int, *names: str, options: Options | None = None) -> tuple[Places, list[Participant]]:
    """A meeting at the first server, whose members have heard each other."""
    w = Places(seed)
    people = [w.host(names[0], options=options or Options())]
    for name in names[1:]:
        people.append(w.guest(w.link_of(people[0]), name))
        w.until(lambda: w.agreed(people))
    listed(w, people[0], *OTHERS)
    w.run(12)
    return w, people


def dropped(seed: int, *names: str, options: Options | None = None) -> tuple[Places, list[Participant]]:
    """Such a meeting after its server has dropped it: all are at the next one."""
    w, people = opened(seed, *names, options=options)
    w.drops(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {*names}, 20)
    return w, people


def told(who: Participant) -> list[str]:
    return [e.text for e in who.of(ev.Status) if e.kind == "evidence"]


def read(saved: ev.Save) -> Findings:
    return evidence.verify_evidence(evidence.decode_evidence(saved.data))


def saved(w: Places, who: Participant, names: bool = False) -> Findings:
    """The findings of a stranger in the file that this member saves."""
    w.do(who, ev.SaveEvidence("asked.json", names))
    return read([e for e in who.performed if isinstance(e, ev.Save)][-1])


def key(who: Participant) -> bytes:
    made = who.room.membership.signature_key(who.room.membership.own_leaf)
    assert isinstance(made, bytes)
    return made


def test_a_host_saves_what_all_members_have_signed() -> None:
    w, (ada, bo, cem) = dropped(1801, *NAMES)
    w.until(lambda: told(ada) != [], 20)
    w.run(10)
    (offer,) = told(ada)
    assert offer.startswith(
        f"3 of 3 members signed that they lost the meeting at {ORIGIN}; that server's own key"
    )
    assert offer.endswith("/evidence FILE saves what can be proven.")
    found = saved(w, ada)
    (loss,) = found.losses
    assert set(loss.keys) == {key(who) for who in (ada, bo, cem)}
    assert loss.heard == len(found.members) == 3
    assert loss.server_key == found.exhibits[0].server_key
    assert found.origin == ORIGIN
    assert loss.probed is not None
    assert f"signed another room {loss.probed[1]} s later" in offer
    own, *others = found.exhibits
    assert own.key == key(ada)
    assert own.probe is not None
    for short in others:
        assert (short.beats, short.receipts, short.last_words, short.probe) == ([], [], [], None)
    assert not any(exhibit.leaves for exhibit in found.exhibits)
    assert [text.endswith("The file has all these signatures.") for text in told(ada)] == [False, True]
    assert told(bo) == told(cem) == []
    assert [exhibit.key for exhibit in saved(w, bo).exhibits] == [key(bo)], "who is no host saves its own"
    assert [who.alarms for who in (ada, bo, cem)] == [["dropped"]] * 3


def test_names_are_added_to_the_hosts_own_exhibit_alone() -> None:
    w, (ada, *_) = dropped(1802, *NAMES)
    w.until(lambda: told(ada) != [], 20)
    own, *others = saved(w, ada, names=True).exhibits
    assert len(own.leaves) == 3
    assert not any(exhibit.leaves for exhibit in others)


def test_a_file_that_was_asked_for_beforehand_is_written_again() -> None:
    w, (ada, bo, cem) = dropped(1803, *NAMES, options=Options(evidence=FILE))
    w.until(lambda: told(ada) != [], 20)
    w.run(1)
    assert told(ada)[0].endswith(f"Evidence is in {FILE}.")
    last = [e for e in ada.performed if isinstance(e, ev.Save)][-1]
    assert last.path == FILE
    assert {exhibit.key for exhibit in read(last).exhibits} == {key(ada), key(bo), key(cem)}


@pytest.mark.parametrize("seed", range(1820, 1828))
def test_a_host_that_comes_later_finds_the_others_exhibits(seed: int) -> None:
    w, (ada, bo, cem) = opened(seed, *NAMES)
    w.unreachable |= {("Ada", origin) for origin in OTHERS}
    w.drops(ORIGIN)
    w.run(25)
    assert w.at(OTHERS[0]) == {"Bo", "Cem"}
    w.unreachable.clear()
    w.until(lambda: told(ada) != [], 60)
    assert {exhibit.key for exhibit in saved(w, ada).exhibits} == {key(ada), key(bo), key(cem)}
    # a server that she only asked whether the others are there has not dropped her once more
    assert ada.alarms.count("dropped") == 1


def test_an_exhibit_that_was_lost_with_its_connection_is_sent_again() -> None:
    w, (ada, bo, cem) = opened(1805, *NAMES)
    w.lost_of = {"Bo"}
    w.drops(ORIGIN)
    w.until(lambda: told(ada) != [], 30)
    w.run(5)
    assert {exhibit.key for exhibit in saved(w, ada).exhibits} == {key(ada), key(cem)}
    assert told(ada)[-1].startswith("2 of 3 members")
    w.lost_of = set()
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: len(saved(w, ada).exhibits) == 3, 20)
    assert told(ada)[-1].startswith("3 of 3 members")
    w.run(5)
    assert sum("saves what can be proven" in text for text in told(ada)) == 1, "it is offered once"


def test_who_was_not_dropped_says_nothing() -> None:
    w, (ada, bo, cem) = opened(1806, *NAMES)
    w.do(ada, ev.Move())
    w.until(lambda: w.at(OTHERS[0]) == {*NAMES}, 10)
    w.run(20)
    assert [told(who) for who in (ada, bo, cem)] == [[], [], []]
    (own,) = saved(w, ada).exhibits
    assert (own.origin, own.dropped_at) == (OTHERS[0], None)


def test_a_drop_from_which_all_came_back_is_not_signed_at_a_later_server() -> None:
    w, people = opened(1813, *NAMES)
    ada = people[0]
    listed(w, ada)
    w.drops(ORIGIN)
    w.until(lambda: all("dropped" in who.alarms for who in people), 10)
    w.dropping.clear()
    w.until(lambda: w.at(ORIGIN) == {*NAMES}, 20)
    w.run(5)
    listed(w, ada, *OTHERS)
    w.do(ada, ev.Move())
    w.until(lambda: w.at(OTHERS[0]) == {*NAMES}, 10)
    w.run(20)
    assert [told(who) for who in people] == [[], [], []]
    assert [exhibit.key for exhibit in saved(w, ada).exhibits] == [key(ada)]


def test_a_member_that_becomes_a_host_is_offered_the_file() -> None:
    w, (ada, bo, cem) = dropped(1807, *NAMES)
    w.until(lambda: told(ada) != [], 20)
    w.do(ada, ev.Deputise(bo.session.own_leaf or 0))
    w.until(lambda: told(bo) != [], 30)
    found = saved(w, bo)
    assert found.exhibits[0].key == key(bo)
    assert set(found.losses[0].keys) == {key(ada), key(bo), key(cem)}
    assert told(cem) == []


def test_what_was_collected_outlives_a_rejoin() -> None:
    w, (ada, bo, cem) = dropped(1808, *NAMES)
    w.until(lambda: told(ada) != [], 20)
    w.run(5)
    epoch = ada.epoch
    ada.room.needs_rejoin = True
    w.until(lambda: w.agreed([ada, bo, cem]) and ada.epoch > epoch, 60)
    assert set(saved(w, ada).losses[0].keys) >= {key(bo), key(cem)}


def test_the_file_is_about_the_server_that_dropped_the_meeting_last() -> None:
    w, people = dropped(1809, *NAMES)
    ada = people[0]
    w.until(lambda: told(ada) != [], 20)
    first = saved(w, ada)
    w.drops(OTHERS[0])
    w.run(0.5)
    (own,) = saved(w, ada).exhibits
    assert own.origin == OTHERS[0], "one file, one server"
    w.until(lambda: w.at(OTHERS[1]) == {*NAMES}, 30)
    w.until(lambda: any(OTHERS[0] in text for text in told(ada)), 30)
    second = saved(w, ada)
    assert (first.origin, second.origin) == (ORIGIN, OTHERS[0])
    (loss,) = second.losses
    assert set(loss.keys) == {key(who) for who in people}
    assert loss.server_key != first.losses[0].server_key


# -- members that send something else; they are Python sessions ------------------------------------------


def short(exhibit: evidence.Exhibit) -> content.ShortExhibit:
    assert exhibit.dropped_at is not None
    return content.ShortExhibit(exhibit.at, exhibit.dropped_at, exhibit.signature)


def test_a_false_exhibit_is_in_no_file_and_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    w, (ada, bo, cem) = opened(1810, *NAMES)
    own = cem.room.feature(CollectedEvidence)
    monkeypatch.setattr(own, "_send", lambda about, now: None)
    w.drops(ORIGIN)
    w.until(lambda: told(ada) != [] and own._others != {}, 30)
    m, about = cem.room.membership, own._about
    assert about is not None

    def made(**changed: object) -> evidence.Exhibit:
        facts = {
            "origin": about.origin,
            "number": cem.room.number,
            "server_key": about.server_key,
            "dropped_at": int(about.at),
            "at": int(w.now),
            "key": key(cem),
        } | changed
        return evidence.statement(**facts).signed(m.sign)

    good = made()
    early, late = int(about.at - CLOCKS - 60), int(about.at + CLOCKS + 60)
    bad = {
        "another member's": short(own._others[key(bo)]),
        "of another server": short(made(server_key=bytes(32))),
        "of another origin": short(made(origin=OTHERS[0])),
        "of another meeting": short(made(number=bytes(16))),
        "signed by nobody": content.ShortExhibit(good.at, int(about.at), bytes(64)),
        "changed since": content.ShortExhibit(good.at, int(about.at) + 1, good.signature),
        "long ago": short(made(dropped_at=early)),
        "not yet": short(made(dropped_at=late, at=late)),
        "made before it happened": short(made(at=int(about.at) - 5)),
    }
    for what in bad.values():
        for _ in range(5):
            cem.room.relay(what)
        w.run(1)
        assert {exhibit.key for exhibit in saved(w, ada).exhibits} == {key(ada), key(bo)}
    cem.room.relay(short(good))
    w.run(1)
    cem.room.relay(short(made(at=good.at + 9)))
    for what in bad.values():
        cem.room.relay(what)
    w.run(5)
    mine = [exhibit for exhibit in saved(w, ada).exhibits if exhibit.key == key(cem)]
    assert mine == [good], "one of each member, and the first that holds"
    assert [who.alarms for who in (ada, bo, cem)] == [["dropped"]] * 3
    assert all(who.ended is None for who in (ada, bo, cem))


def test_an_exhibit_that_comes_before_our_own_report_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    w, (ada, bo, cem) = dropped(1811, *NAMES)
    own = ada.room.feature(CollectedEvidence)
    w.until(lambda: len(own._others) == 2, 20)
    w.run(5)
    mine = bo.room.feature(CollectedEvidence)
    monkeypatch.setattr(mine, "_send", lambda about, now: None)
    later = replace(mine._about, origin=OTHERS[0], server_key=ada.room.server_key, at=w.now)
    unsigned = content.ShortExhibit(int(w.now), int(w.now), bytes(64))
    signature = mine._statement(later, key(bo), unsigned).signed(bo.room.membership.sign).signature
    bo.room.relay(content.ShortExhibit(unsigned.at, unsigned.dropped_at, signature))
    w.run(1)
    w.drops(OTHERS[0])
    w.until(lambda: w.at(OTHERS[1]) == {*NAMES}, 30)
    w.until(lambda: any(OTHERS[0] in text for text in told(ada)), 30)
    assert {exhibit.key for exhibit in saved(w, ada).exhibits} == {key(ada), key(bo), key(cem)}


def test_of_a_large_meeting_the_file_holds_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collected_evidence, "EXHIBITS_MAX", 2)
    w, people = dropped(1812, *NAMES, "Dana")
    ada, bo, *_ = people
    w.until(lambda: told(ada) != [], 20)
    w.run(10)
    assert told(ada)[0].startswith("2 of 4 members")
    assert [exhibit.key for exhibit in saved(w, ada).exhibits] == [key(ada), key(bo)]
    sent = [who.label for who in people if who.room.feature(CollectedEvidence)._digest]
    assert sent == ["Ada", "Bo"]
