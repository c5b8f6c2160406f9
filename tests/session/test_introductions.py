"""After an Add its committer introduces all members: one message, and only the members' signatures decide."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.kernel.announcer import PATIENCE
from snugroom.crypto.media.keys import FutureEpochError
from snugroom.lab.simulation.announcing import announce, signed
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.limits import ROOM_BLOB_MAX

BOX = bytes(range(32))
AUDIO = content.OwnStream(2**32 - 1, "audio", 0)


class Relays:
    """The relays that participants send: their labels and the times. Here, all of them are announcements."""

    def __init__(self, w: World) -> None:
        self.sent: list[tuple[str, float]] = []
        #: Whether the server keeps the relays of one participant (by label) from another.
        self.stops: Callable[[str, Participant], bool] = lambda by, to: False
        self._by: dict[bytes, str] = {}
        self._ascend, self._world = w._ascend, w
        w._ascend = self._look  # type: ignore[method-assign]  # the way that all messages take
        w.down_filter = self._passes

    def _look(self, link: Link, frame: bytes) -> None:
        message = wire.decode_client(frame)
        if isinstance(message, wire.Relay):
            self.sent.append((link.who.label, self._world.now))
            self._by[message.blob] = link.who.label
        self._ascend(link, frame)

    def _passes(self, who: Participant, message: object) -> bool:
        return not isinstance(message, wire.Relayed) or not self.stops(self._by.get(message.blob, ""), who)

    def since(self, at: float) -> list[str]:
        """The senders since then, in order."""
        return [label for label, when in self.sent if when >= at]


def boxes(who: Participant) -> dict[int, bytes]:
    return dict(who.room.announcements.boxes())


def heard_by_all(w: World, by: Participant, what: content.Announce) -> None:
    by.room.relay(what)
    w.run(1)


def comes(w: World, to: list[Participant], name: str) -> Participant:
    new = w.guest(w.link_of(to[0]), name)
    w.until(lambda: w.agreed([*to, new]))
    return new


# -- an introduction -----------------------------------------------------------------------------------


def test_one_introduction_and_the_newcomers_own_announcement_follow_an_add() -> None:
    w = World(700)
    people = w.meeting("Ada", "Bo", "Cem")
    relays, began = Relays(w), w.now
    dana = comes(w, people, "Dana")
    w.run(PATIENCE + 1)
    assert relays.since(began) == ["Ada", "Dana"]
    assert set(boxes(dana)) == {0, 1, 2}
    assert all(3 in boxes(p) for p in people)


def test_a_newcomer_opens_the_first_frames_of_members_that_are_silent_meanwhile() -> None:
    w = World(701)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), ((7, "audio", 0),)))
    w.run(2)
    relays, began = Relays(w), w.now
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: 7 in dana.room.announcements.streams(1) if dana.session.inside else False, PATIENCE)
    w.run(0.6)  # past the switch to the keys of the newest epoch
    frame = bo.room.frames.seal("audio", 0, b"opus", w.now)
    assert dana.room.frames.open(7, "audio", frame, w.now).frame == b"opus"
    assert not {"Bo", "Cem"} & set(relays.since(began))


def test_frames_that_overtake_the_introduction_wait_for_it() -> None:
    w = World(706)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), ((7, "audio", 0),)))
    w.run(2)
    late: list[tuple[Link, wire.Relayed]] = []

    def hold(link: Link, message: object) -> bool:
        if link.who.label != "Dana" or not isinstance(message, wire.Relayed):
            return True
        late.append((link, message))
        return False

    w.link_filter = hold
    dana = comes(w, [ada, bo], "Dana")
    w.run(0.6)  # past the switch to the keys of the newest epoch
    frame = bo.room.frames.seal("audio", 0, b"opus", w.now)
    with pytest.raises(FutureEpochError):  # receivers hold such frames, and try again after each message
        dana.room.frames.open(7, "audio", frame, w.now)
    for link, message in late:
        w._deliver(link, wire.encode(message))
    w.run(0.1)
    assert dana.room.frames.open(7, "audio", frame, w.now).frame == b"opus"


def test_a_large_room_is_introduced_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "ANNOUNCEMENTS_MAX", 2)
    w = World(702)
    people = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve")
    relays, began = Relays(w), w.now
    new = comes(w, people, "Flo")
    w.run(PATIENCE + 1)
    assert relays.since(began) == ["Ada", "Ada", "Ada", "Flo"]
    assert set(boxes(new)) == {0, 1, 2, 3, 4}


def test_the_longest_announcements_fit_one_message() -> None:
    w = World(703)
    (ada,) = w.meeting("Ada")
    m = ada.room.membership
    longest = msgspec.structs.replace(
        signed(m, epoch=2**53 - 1, count=2**32 - 1, streams=[AUDIO] * 8), leaf=2**32 - 1, openers=[BOX] * 8
    )
    what = content.Announce(2**32 - 1, 2**32 - 1, [longest] * content.ANNOUNCEMENTS_MAX)
    assert len(m.protect(content.encode(what))) == ROOM_BLOB_MAX


def test_newcomers_of_one_commit_know_all_and_each_other() -> None:
    w = World(704)
    ada = w.host(admission="ask")
    guests = [w.guest(w.link_of(ada), name) for name in ("Bo", "Cem", "Dana")]
    w.until(lambda: len(ada.of(ev.Knocked)) == 3)
    for knock in ada.of(ev.Knocked):
        w.do(ada, ev.Admit(knock.knock))
    w.until(lambda: w.agreed([ada, *guests]))
    w.run(PATIENCE + 1)
    for who in guests:
        assert len(boxes(who)) == 3


def test_a_member_that_comes_back_is_known_by_its_new_announcement() -> None:
    w = World(705)
    people = ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    before = boxes(ada)[2]
    cem.room.needs_rejoin = True
    w.until(lambda: ada.epoch > 2 and boxes(ada).get(2, before) != before)
    w.until(lambda: w.agreed(people))
    w.run(PATIENCE)
    assert boxes(ada)[2] == boxes(bo)[2] != before
    dana = comes(w, people, "Dana")
    w.run(1)
    assert boxes(dana)[2] == boxes(ada)[2]


# -- and without a good one ----------------------------------------------------------------------------


def test_without_an_introduction_members_announce_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(710)
    people = w.meeting("Mallory", "Bo", "Cem")
    monkeypatch.setattr(people[0].room._announcer, "_introduce", lambda: None)
    relays, began = Relays(w), w.now
    dana = comes(w, people, "Dana")
    w.run(1)
    assert "Bo" not in relays.since(began), "they wait for it"
    w.run(PATIENCE)
    assert set(boxes(dana)) == {0, 1, 2}
    assert sorted(relays.since(began)) == ["Bo", "Cem", "Dana", "Mallory"]


def test_a_committer_that_goes_at_once_costs_two_seconds() -> None:
    w = World(711)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    relays = Relays(w)
    relays.stops = lambda by, to: by == "Ada"
    slot = ada.room.membership.journal.slot
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: bool(bo.room.membership.journal.slot > slot))
    w.run(PATIENCE + 1)
    assert {1, 2} <= set(boxes(dana))
    assert 0 not in boxes(dana)


def test_a_member_that_is_missing_announces_itself_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(712)
    people = mallory, _, _ = w.meeting("Mallory", "Bo", "Cem")
    mallory.room.announcements.forget(1)
    relays, began = Relays(w), w.now
    dana = comes(w, people, "Dana")
    w.run(1)
    assert set(boxes(dana)) == {0, 1, 2}
    assert sorted(relays.since(began)) == ["Bo", "Dana", "Mallory"]


def test_a_member_whose_old_announcement_is_handed_on_announces_itself() -> None:
    w = World(713)
    people = mallory, bo, cem = w.meeting("Mallory", "Bo", "Cem")
    relays = Relays(w)
    relays.stops = lambda by, to: by == "Bo" and to is mallory
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), ((7, "audio", 0),)))
    w.until(lambda: 7 in cem.room.announcements.streams(1))
    assert 7 not in mallory.room.announcements.streams(1)
    began = w.now
    dana = comes(w, people, "Dana")
    w.run(1)
    assert 7 in dana.room.announcements.streams(1)
    assert sorted(relays.since(began)) == ["Bo", "Dana", "Mallory"]


def test_a_member_whose_changed_announcement_is_handed_on_announces_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has Bo's signature, but newcomers refuse it: it is not what Bo signed."""
    w = World(716)
    people = mallory, _, _ = w.meeting("Mallory", "Bo", "Cem")
    known = mallory.room.announcements.newest()
    changed = [msgspec.structs.replace(each, box=BOX) if each.leaf == 1 else each for each in known]
    monkeypatch.setattr(mallory.room.announcements, "newest", lambda: changed)
    relays, began = Relays(w), w.now
    dana = comes(w, people, "Dana")
    w.run(1)
    assert set(boxes(dana)) == {0, 1, 2}
    assert boxes(dana)[1] != BOX
    assert sorted(relays.since(began)) == ["Bo", "Dana", "Mallory"]


def test_empty_introductions_cost_no_more_than_one_announcement_of_each_after_an_add() -> None:
    w = World(714)
    people = w.meeting("Ada", "Mallory", "Cem")
    relays, began = Relays(w), w.now
    everybody = content.Announce(0, 2**32 - 1, [])
    people[1].room.relay(everybody)
    w.run(1)
    assert relays.since(began) == ["Mallory"], "nobody has come in"
    relays.stops = lambda by, to: by == "Ada"
    slot = people[2].room.membership.journal.slot
    w.guest(w.link_of(people[0]), "Dana")
    w.until(lambda: bool(people[2].room.membership.journal.slot > slot))
    for _ in range(10):
        people[1].room.relay(everybody)
        w.run(0.1)
    w.run(PATIENCE + 1)
    assert relays.since(began).count("Cem") == 1


def test_an_introduction_of_the_last_epoch_does_not_keep_a_member_silent() -> None:
    """The newcomer cannot read it."""
    w = World(715)
    mallory, _, cem = w.meeting("Mallory", "Bo", "Cem")
    m = mallory.room.membership
    known = [each for each in mallory.room.announcements.newest() if each.leaf == 2]
    early = m.protect(content.encode(content.Announce(0, 2**32 - 1, known)))
    relays = Relays(w)
    relays.stops = lambda by, to: by == "Mallory" and to is cem and len(relays.since(began)) < 3
    began = w.now
    dana = w.guest(w.link_of(mallory), "Dana")
    slot = cem.room.membership.journal.slot
    w.until(lambda: bool(cem.room.membership.journal.slot > slot))
    w._deliver(cem.links[ev.ROOM], wire.encode(wire.Relayed(1, early)))
    w.run(PATIENCE + 1)
    assert "Cem" in relays.since(began)
    assert 2 in boxes(dana)


# -- attacks: only signatures decide -------------------------------------------------------------------


def test_a_forged_or_foreign_announcement_changes_nothing() -> None:
    """Mallory hands on announcements of Bo that Bo has not made for this leaf of this group."""
    w = World(720)
    ada, bo, mallory = people = w.meeting("Ada", "Bo", "Mallory")
    by_bo, by_mallory = bo.room.membership, mallory.room.membership
    own = signed(by_bo, box=BOX)
    forgeries = [
        signed(by_mallory, leaf=1, box=BOX),  # Mallory's signature
        signed(by_bo, group_id=bytes(32), box=BOX),  # of another meeting
        msgspec.structs.replace(signed(by_bo, leaf=2, box=BOX), leaf=1),  # for another leaf
        msgspec.structs.replace(own, box=bytes(32)),
        msgspec.structs.replace(own, handle=BOX[:8]),
        msgspec.structs.replace(own, count=own.count + 1),
        msgspec.structs.replace(own, epoch=own.epoch + 1),
        msgspec.structs.replace(own, streams=[AUDIO]),
        msgspec.structs.replace(own, openers=[BOX]),
        msgspec.structs.replace(own, signature=bytes(64)),
    ]
    before = boxes(ada)
    for each in forgeries:
        heard_by_all(w, mallory, content.Announce(0, 2**32 - 1, [each]))
        assert boxes(ada) == before
    dana = comes(w, people, "Dana")
    w.run(1)
    before = boxes(dana)
    for each in forgeries:
        heard_by_all(w, mallory, content.Announce(0, 2**32 - 1, [each]))
        assert boxes(dana) == before
    heard_by_all(w, mallory, announce(own))
    assert boxes(ada)[1] == boxes(dana)[1] == BOX, "and that of Bo's own signature counts, whoever sends it"


def test_a_replayed_announcement_does_not_undo_a_newer_one() -> None:
    w = World(721)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    m = bo.room.membership
    old, new = signed(m, box=bytes(32)), signed(m, count=2**31 + 1, box=BOX)
    heard_by_all(w, bo, announce(new))
    heard_by_all(w, mallory, announce(old))
    heard_by_all(w, mallory, announce(signed(m, epoch=m.group.epoch - 1, count=2**32 - 1)))
    assert boxes(ada)[1] == BOX


def test_the_announcement_of_a_removed_member_is_refused_at_its_leaf() -> None:
    w = World(722)
    ada, mallory, cem = w.meeting("Ada", "Mallory", "Cem")
    of_cem = signed(cem.room.membership, epoch=2**40, box=BOX)
    heard_by_all(w, mallory, announce(of_cem))
    assert boxes(ada)[2] == BOX
    w.do(ada, ev.Remove(2))
    w.until(lambda: w.agreed([ada, mallory]))
    heard_by_all(w, mallory, announce(of_cem))
    assert 2 not in boxes(ada)
    dana = comes(w, [ada, mallory], "Dana")
    w.run(1)
    assert dana.session.own_leaf == 2
    before = boxes(ada)[2]
    heard_by_all(w, mallory, announce(of_cem))
    assert boxes(ada)[2] == before != BOX


def test_nobody_changes_what_a_member_knows_of_itself() -> None:
    """Nor does Ada take her own words from others: another program of hers may have said them."""
    w = World(723)
    ada, mallory = w.meeting("Ada", "Mallory")
    heard_by_all(w, mallory, announce(signed(ada.room.membership, box=BOX)))
    assert 0 not in boxes(ada)


def test_an_identity_is_shown_anew_to_a_member_whose_new_connection_another_hands_on() -> None:
    w = World(724)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    vouching = ada.room.feature(Vouching)
    vouching._to[ada.room.membership.signature_key(1)] = boxes(ada)[1]
    own = signed(bo.room.membership, box=boxes(ada)[1])
    heard_by_all(w, cem, announce(own))
    assert vouching._to[ada.room.membership.signature_key(1)] == b""
