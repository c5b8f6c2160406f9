"""A member whose program has ended comes back as the same leaf, with what its device has kept (SNUG-8)."""

from __future__ import annotations

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.options import Options
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.crypto.errors import MalformedError
from snugroom.lab.simulation.world import Participant, World, seeded
from tests.session.hosts import deputised

KEEP = Options(keep=True)


def kept_by(who: Participant) -> MemberRecoveryData | None:
    """The data that somebody's device has now."""
    keeps = [e for e in who.performed if isinstance(e, ev.Keep)]
    return keeps[-1].data if keeps else None


def come_back(w: World, who: Participant) -> Participant:
    """The same person's program, begun again."""
    kept = kept_by(who)
    assert kept is not None
    rng = seeded(w.random.getrandbits(32))
    return w.add(f"{who.label} again", Session.come_back(kept, options=KEEP, now=w.now, rng=rng))


def meeting(w: World, *names: str) -> list[Participant]:
    """A meeting of people whose devices keep what they need to come back."""
    host = w.host(names[0], options=KEEP)
    people = [host]
    for name in names[1:]:
        people.append(w.guest(w.link_of(host), name, options=KEEP))
        w.until(lambda: w.agreed(people))
    w.run(w.greeting + 10 * w.latency)
    return people


def hosts(who: Participant) -> set[str]:
    return {name for _, name, host in who.room.membership.members() if host}


@pytest.mark.parametrize("seed", [2000, 2001, 2002])
def test_a_guest_is_back_at_once_and_nobody_is_asked(seed: int) -> None:
    w = World(seed)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    leaf = bo.session.own_leaf
    w.kill(bo)
    bo = come_back(w, bo)
    assert w.until(lambda: w.agreed([ada, bo, cem]), 3) < 3
    assert bo.session.own_leaf == leaf
    assert not ada.of(ev.Knocked)[2:]
    w.do(bo, ev.Say("here I am"))
    w.until(lambda: ("Bo", "here I am") in ada.said and ("Bo", "here I am") in cem.said, 5)
    w.run(40)
    assert [p.alarms for p in (ada, bo, cem)] == [[]] * 3


@pytest.mark.parametrize("seed", [2010, 2011, 2012])
def test_the_only_host_is_back_as_a_host_at_once(seed: int) -> None:
    w = World(seed)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.kill(ada)
    ada = come_back(w, ada)
    assert w.until(lambda: w.agreed([ada, bo, cem]), 3) < 3
    assert hosts(bo) == {"Ada"}
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]), 10)
    w.do(ada, ev.Remove(cem.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, bo, dana]), 10)
    w.run(70)
    assert [p.alarms for p in (ada, bo, dana)] == [[]] * 3
    assert all(each.day is None for each in bo.links), "the members have left the lobby"


def test_a_host_among_others_is_back_as_a_host() -> None:
    w = World(2020)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    deputised(w, ada, bo)
    w.kill(bo)
    bo = come_back(w, bo)
    assert w.until(lambda: w.agreed([ada, bo, cem]), 3) < 3
    assert hosts(cem) == {"Ada", "Bo"}
    w.do(bo, ev.Remove(cem.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, bo]), 10)


@pytest.mark.parametrize("who", [0, 1])
def test_a_member_comes_back_again_and_again(who: int) -> None:
    w = World(2030 + who)
    people = meeting(w, "Ada", "Bo", "Cem")
    for _ in range(10):
        w.kill(people[who])
        people[who] = come_back(w, people[who])
        assert w.until(lambda: w.agreed(people), 3) < 3
    w.run(20)
    assert [p.alarms for p in people] == [[]] * 3


@pytest.mark.parametrize("after", [0.02, 0.06, 0.1, 0.15, 0.2, 0.3])
@pytest.mark.parametrize("who", [0, 1])
def test_a_program_that_ends_again_on_its_way_back_comes_back(who: int, after: float) -> None:
    """At that time, its request may have been carried out, and the answer is lost."""
    w = World(2040 + who)
    people = meeting(w, "Ada", "Bo", "Cem")
    w.kill(people[who])
    again = come_back(w, people[who])
    w.run(after)
    w.kill(again)
    people[who] = come_back(w, again)
    w.until(lambda: w.agreed(people), 20)


@pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.04])
def test_a_program_that_ends_during_its_own_change_comes_back(after: float) -> None:
    """The others have the rejoin key that the change brought, or the one before it."""
    w = World(2050)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.do(ada, ev.Lock(True))
    w.run(after)
    w.kill(ada)
    ada = come_back(w, ada)
    w.until(lambda: w.agreed([ada, bo, cem]), 10)


def test_a_removed_member_does_not_come_back() -> None:
    w = World(2060)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    before = kept_by(bo)
    w.do(ada, ev.Remove(bo.session.own_leaf or 0))
    w.until(lambda: bo.ended is not None, 10)
    assert kept_by(bo) is None, "its device has forgotten the meeting"
    assert before is not None
    thief = w.add("Bo again", Session.come_back(before, options=KEEP, now=w.now, rng=seeded(1)))
    w.run(40)
    assert sorted(ada.roster) == sorted(cem.roster) == ["Ada", "Cem"]
    assert thief.roster == []


@pytest.mark.parametrize("how", ["leave", "end"])
def test_a_device_forgets_a_meeting_that_is_over(how: str) -> None:
    w = World(2070)
    ada, bo = meeting(w, "Ada", "Bo")
    assert kept_by(bo) is not None
    w.do(bo if how == "leave" else ada, ev.Leave() if how == "leave" else ev.EndMeeting())
    w.until(lambda: bo.ended is not None, 10)
    assert kept_by(bo) is None


def test_what_a_device_keeps_serves_until_the_next_change_of_its_leaf() -> None:
    w = World(2080)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    stolen = kept_by(bo)
    assert stolen is not None
    w.run(320)  # everybody has made a change of its own
    thief = w.add("thief", Session.come_back(stolen, options=KEEP, now=w.now, rng=seeded(2)))
    w.run(30)
    assert thief.roster == []
    assert w.agreed([ada, bo, cem])


def test_a_host_alone_opens_its_meeting_again_and_its_links_lead_there() -> None:
    w = World(2090)
    ada, bo = meeting(w, "Ada", "Bo")
    link, old = w.link_of(ada), kept_by(bo)
    w.do(bo, ev.Leave())
    w.until(lambda: ada.roster == ["Ada"], 10)
    w.kill(ada)
    kept = kept_by(ada)
    assert kept is not None
    assert old is not None
    again = Session.host(
        origin=kept.invite.origin,
        name=kept.name,
        title=kept.standing.policy.title,
        admission="all",
        again=kept,
        options=KEEP,
        now=w.now,
        rng=seeded(3),
    )
    ada = w.add("Ada again", again)
    w.until(lambda: ada.session.inside, 5)
    assert w.link_of(ada) == link
    now = kept_by(ada)
    assert now is not None
    assert now.standing.group_id != kept.standing.group_id
    cem = w.guest(link, "Cem")
    w.until(lambda: w.agreed([ada, cem]), 10)
    assert [*ada.alarms, *cem.alarms] == []


def test_what_is_kept_is_read_as_it_was_written_and_nothing_else_is() -> None:
    w = World(2100)
    ada, bo = meeting(w, "Ada", "Bo")
    for who in (ada, bo):
        kept = kept_by(who)
        assert kept is not None
        raw = kept.encode()
        assert MemberRecoveryData.decode(raw).encode() == raw
        assert (kept.host_keys is not None) == (who is ada)
        for bad in (raw[:-1], raw + b"\0", b"\2" + raw[1:], b""):
            with pytest.raises(MalformedError):
                MemberRecoveryData.decode(bad)
