"""Media signatures in honest meetings raise no alarm, whatever goes wrong."""

from __future__ import annotations

import random

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.media.verifier import GRACE
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.seeds import seeds
from tests.session.signed_media import (
    SOUND,
    Media,
    leaf_of,
    lists_in,
    meeting,
    of_media,
    signing,
)

# -- nobody is hostile ---------------------------------------------------------------------------------


def test_honest_media_with_five_percent_lost_gives_no_alarm() -> None:
    w, media, people = meeting(1, "Ada", "Bo", "Cem")
    media.passes = lambda sender, receiver: w.random.random() >= 0.05
    w.run(30)
    for who in people:
        assert of_media(who) == []
        assert signing(who).refused == 0
        for other in people:
            if other is not who:
                assert media.opened[who.label, other.label] > 30 * 35 * 0.9
                assert signing(who)._checkers[leaf_of(other)].unlisted(w.now) < 1.0
    assert not media.refused
    assert not media.withheld


def test_joins_leaves_heals_and_removals_raise_no_alarm() -> None:
    w, media, people = meeting(2, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    media.passes = lambda sender, receiver: w.random.random() >= 0.05
    dana = w.guest(w.link_of(ada), "Dana")
    eve = w.guest(w.link_of(ada), "Eve")
    w.until(lambda: w.agreed([*people, dana, eve]))
    media.join(dana, eve)
    w.run(5)
    for _ in range(3):
        bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)
        w.run(1)
    w.do(ada, ev.Remove(leaf_of(cem)))
    w.until(lambda: cem.ended is not None)
    w.run(3)
    w.do(dana, ev.Leave())
    w.until(lambda: w.agreed([ada, bo, eve]))
    w.run(30)
    assert media.opened["Eve", "Bo"] > 800, "and newcomers hear everybody"
    assert [of_media(p) for p in w.people] == [[]] * 5
    assert sum(media.refused.values()) == 0


def test_broken_connections_and_restarts_raise_no_alarm() -> None:
    for seed in seeds(range(3)):
        w, media, people = meeting(100 + seed, "Ada", "Bo", "Cem", "Dana")
        chance = random.Random(seed)
        for _ in range(8):
            victim = chance.choice(people)
            if chance.random() < 0.2:
                w.kill_server()
                w.run(chance.uniform(0.1, 4))
                w.start_server()
            elif ev.ROOM in victim.links:
                w.cut(victim.links[ev.ROOM])
            if chance.random() < 0.4:
                people[0].room.queue(HealIntent(people[0].room.membership.group.epoch), w.now)
            w.run(chance.uniform(0.3, 6))
        w.run(10)
        assert [of_media(p) for p in people] == [[]] * 4, seed
        before = media.opened.copy()
        w.run(2)
        assert all(
            media.opened[a.label, b.label] > before[a.label, b.label]
            for a in people
            for b in people
            if a is not b
        )


def test_a_long_absence_of_the_sender_is_no_forgery() -> None:
    """After a reconnect, a sender signs the frames that it could not sign before."""
    w, _media, (ada, bo) = meeting(3, "Ada", "Bo")
    w.down_filter = lambda who, message: not (isinstance(message, wire.Entered) and who is bo)
    w.cut(bo.links[ev.ROOM])
    w.run(6)
    w.down_filter = lambda who, message: True
    w.cut(bo.links[ev.ROOM])
    w.run(15)
    assert of_media(ada) == of_media(bo) == []
    assert signing(ada)._checkers[leaf_of(bo)].unlisted(w.now) < 1.0
    assert len(signing(ada)._checkers[leaf_of(bo)]._unlisted) < 100, "and none of before"
    assert signing(ada).refused == 0, "what is passed on twice is nobody's fault"


def test_a_slow_connection_with_many_failures_raises_no_alarm() -> None:
    """Each hop takes up to 0.3 s; these seeds have alarmed once, with less patience at either end."""
    for seed in seeds((2001, 2022)):
        w = World(seed, latency=0.3)
        people = w.meeting("Ada", "Bo", "Cem", "Dana")
        media = Media(w)
        media.join(*people)
        w.run(4)
        media.passes = lambda sender, receiver: w.random.random() >= 0.2
        chance = random.Random(seed)
        for _ in range(10):
            victim, dice = chance.choice(people), chance.random()
            if dice < 0.15:
                w.kill_server()
                w.run(chance.uniform(0.1, 4))
                w.start_server()
            elif dice < 0.6 and ev.ROOM in victim.links:
                w.cut(victim.links[ev.ROOM])
            if chance.random() < 0.5:
                people[0].room.queue(HealIntent(people[0].room.membership.group.epoch), w.now)
            w.run(chance.uniform(0.1, 5))
        w.run(10)
        assert [of_media(p) for p in people] == [[]] * 4, seed


def test_lists_missed_around_our_own_reconnect_accuse_nobody() -> None:
    w, _, (ada, bo) = meeting(24, "Ada", "Bo")
    w.down_filter = lambda who, message: who is not ada or lists_in(who, message) is None
    w.run(1.4)
    w.cut(ada.links[ev.ROOM])
    w.until(lambda: ada.room.is_synced(w.now), 4)
    w.run(1.4)
    w.down_filter = lambda who, message: True
    w.run(5)
    assert of_media(ada) == []
    w.down_filter = lambda who, message: who is not ada or lists_in(who, message) is None
    w.run(3 + GRACE)
    assert of_media(ada) == ["unverified_media"], "but only around it"
    assert of_media(bo) == []


def test_a_connected_member_out_of_step_stops_sealing() -> None:
    w, media, (ada, bo) = meeting(25, "Ada", "Bo")
    media.silent.add("Bo")
    w.run(1)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is not None
    bo.room.is_synced = lambda now: False
    w.run(0.9)
    assert signing(bo).pause_reason(w.now) is None
    w.run(0.3)
    assert signing(bo).pause_reason(w.now) is not None
    assert of_media(ada) == []


def test_doubt_about_a_leaf_ends_with_its_member() -> None:
    w, _, (ada, bo, cem) = meeting(26, "Ada", "Bo", "Cem")
    leaf = leaf_of(bo)
    signing(cem)._checker(leaf).doubt = "forged"
    w.do(ada, ev.Remove(leaf))
    w.until(lambda: bo.ended is not None)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]))
    assert leaf_of(dana) == leaf
    assert signing(cem)._checker(leaf).doubt is None


def test_a_member_who_cannot_sign_does_not_seal() -> None:
    w, _media, (ada, bo) = meeting(4, "Ada", "Bo")
    w.kill_server()
    w.run(0.1)
    for _ in range(100):
        bo.room.frames.seal("audio", 0, SOUND, w.now)
        w.run(0.05)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is None
    reason = signing(bo).pause_reason(w.now)
    assert reason is not None
    assert reason.startswith("Sound and video wait")
    w.start_server()
    w.run(5)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is not None
    assert of_media(ada) == []


def stall(w: World, who: Participant, seconds: float) -> None:
    """A busy page: ticks and messages wait in its queue, while its frames go on being sealed and opened."""
    feed, due = w._feed, list[tuple[float, ev.Input]]()
    ends = w.now + seconds

    def late(person: Participant, what: ev.Input) -> None:
        if person is who and w.now < ends:
            due.append((w.now, what))
        else:
            feed(person, what)

    def catch_up() -> None:
        for at, what in due:
            w._perform(who, who.session.handle(what, at if isinstance(what, ev.Tick) else w.now))
        due.clear()

    w._feed = late  # type: ignore[assignment, method-assign]
    w._after(seconds, catch_up)


def test_a_third_member_leaves_two_busy_pages_and_neither_blames_the_other() -> None:
    """The change of keys keeps both from signing, and from processing signatures, for seconds."""
    for seconds in (1.2, 1.9, 2.6):
        w, _media, (ada, bo, cem) = meeting(30, "Ada", "Bo", "Cem")
        w.do(cem, ev.Leave())
        w.until(lambda ada=ada: len(ada.roster) == 2, 3)  # type: ignore[misc]
        stall(w, ada, seconds)
        w.run(0.1)
        stall(w, bo, seconds)
        w.run(12)
        assert cem.ended is not None
        assert of_media(ada) == of_media(bo) == [], seconds
        assert ada.alarms == bo.alarms == [], seconds
