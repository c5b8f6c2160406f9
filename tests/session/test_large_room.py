"""When a room counts as large: by what all members see alike, and not back and forth with one of them.

And what members of a large room do less often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.large_room import Pace, is_large
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from snugroom.wire.limits import LARGE_MEMBERS
from tests.session.forked import monitor
from tests.session.hosts import deputised


def test_the_26th_member_makes_a_room_large() -> None:
    assert not is_large(())
    assert not is_large(range(25))
    assert is_large(range(26))
    assert is_large(range(1000))


def test_a_room_stays_large_while_some_come_and_go() -> None:
    assert is_large([*range(20), 25])
    assert is_large([*range(10, 31)])
    assert not is_large(range(24)), "nobody has a later leaf"
    assert not is_large([*range(19), 25]), "20 members are no large room, wherever they are"


def beats_after(w: World, people: Sequence[Participant], act: Callable[[], object]) -> set[str]:
    """Act, and return who has sent a heartbeat in the next 1.6 s, each of whose regular one is far away."""
    w.run(6)
    for who in people:
        monitor(who)._heartbeats._due = w.now + 60
        monitor(who)._heartbeats._last_sent = w.now - 60
    before = {who.label: monitor(who)._heartbeats._seq for who in people}
    act()
    w.run(1.6)
    return {who.label for who in people if monitor(who)._heartbeats._seq > before[who.label]}


def named(count: int) -> list[str]:
    return ["Ada", *(f"Guest {number}" for number in range(1, count))]


def test_in_a_room_of_many_only_its_committer_answers_a_newcomer_at_once() -> None:
    w = World(2410)
    people = w.meeting(*named(17))
    deputised(w, people[0], people[9])
    newcomers = beats_after(w, people, lambda: w.guest(w.link_of(people[0]), "Late"))
    assert newcomers in ({"Ada"}, {"Guest 9"}), "the other host shows by nothing that it is one"
    late = w.people[-1]
    assert late.room.hold_reason(w.now) is None, "a host has answered it"
    assert beats_after(w, people, lambda: heal(w, people[3])) == {"Guest 3"}
    evicted = beats_after(w, people, lambda: w.do(people[0], ev.Remove(late.room.membership.own_leaf)))
    assert evicted == set(named(17)), "all say whom they talk to now"


def test_in_a_room_of_few_or_without_a_host_all_answer_a_newcomer() -> None:
    w = World(2411)
    people = w.meeting(*named(15))
    assert beats_after(w, people, lambda: w.guest(w.link_of(people[0]), "Late")) == set(named(15))
    w = World(2412)
    people = w.meeting(*named(18))
    w.do(people[0], ev.Leave())
    w.until(lambda: people[0].ended is not None)
    people = people[1:]
    assert beats_after(w, people, lambda: heal(w, people[3])) == set(named(18)) - {"Ada"}


def test_a_withheld_change_is_noticed_as_soon_in_a_room_of_many() -> None:
    w = World(2413)
    people = w.meeting(*named(20))
    w.run(12)
    misled = people[7]
    w.link_filter = lambda link, message: (
        not (link.who is misled and isinstance(message, wire.Committed | wire.Shown))
    )
    since = w.now
    w.guest(w.link_of(people[0]), "Late")
    w.until(lambda: "withheld" in misled.alarms, 6)
    assert w.now - since < 6


def test_all_members_are_looked_at_more_rarely_the_more_there_are() -> None:
    small, large = Pace(), Pace()
    ticks = [tick / 10 for tick in range(100)]
    assert sum(small.is_due(now, LARGE_MEMBERS) for now in ticks) == 100
    assert sum(large.is_due(now, 250) for now in ticks) == 10
