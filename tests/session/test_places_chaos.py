"""Meetings with further servers on bad days: connections break, servers restart, people come and go.

All servers are honest, and nobody says otherwise; in the end all are together.
"""

from __future__ import annotations

import contextlib
import random

import pytest

from snugroom.client.session import events as ev
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Participant
from tests.session.seeds import EVERY_TICK
from tests.session.test_mirror import MIRROR, mirrored
from tests.session.test_places import link_with_servers, talk

#: Alarms that say that a server, or a member, did something.
ACCUSATIONS = {"reordered", "withheld", "receipt", "gate_denied", "double_beat", "not_reaching", "pending"}
STEPS = 14
#: Days with every tick after which a host that slept through a departure elsewhere goes on by itself, or one
#: member needs longer than four minutes to come back by the lobby.
LONG = {(6, False), (6, True), (23, False)}
SEEDS = range(40) if EVERY_TICK else range(0, 40, 10)


class _Day:
    """One meeting, and what happens to it."""

    def __init__(self, seed: int, *, mirror: bool) -> None:
        self.random = random.Random(seed)
        names, servers = ("Ada", "Bo", "Cem", "Dana"), OTHERS[: self.random.choice((1, 2, 2))]
        if mirror:
            self.w, self.people = mirrored(7 * seed + 1, *names, servers=servers)
        else:
            self.w = Servers(7 * seed + 1)
            self.people = self.w.meeting(*names)
            listed(self.w, self.people[0], *servers)
        self.link = link_with_servers(self.w, self.people[0])
        self.acts = (
            self.cut, self.cut_mirror, self.restart, self.restart_second, self.say, self.lock, self.join,
            self.leave, self.move, self.away, self.fall,
        )  # fmt: skip

    @property
    def here(self) -> list[Participant]:
        return [p for p in self.people if p.ended is None and p.room is not None]

    def cut(self, *endpoints: ev.Endpoint) -> None:
        for link in list(self.random.choice(self.here).links.values()):
            if link.endpoint in (endpoints or (ev.ROOM,)):
                self.w.cut(link)

    def cut_mirror(self) -> None:
        self.cut(*MIRROR)

    def restart(self, origin: str = ORIGIN) -> None:
        self.w.fails(origin)
        self.w.run(self.random.choice((0.3, 2.0, 12.0)))
        self.w.restart(origin)

    def restart_second(self) -> None:
        self.restart(OTHERS[0])

    def say(self) -> None:
        self.w.do(self.random.choice(self.here), ev.Say("a word"))

    def lock(self) -> None:
        with contextlib.suppress(ValueError):  # it is so already
            self.w.do(self.people[0], ev.Lock(self.random.random() < 0.5))

    def join(self) -> None:
        with contextlib.suppress(ValueError):
            self.w.do(self.people[0], ev.Lock(False))
        if len(self.people) < 7:
            self.people.append(self.w.guest(self.link, f"Guest {len(self.people)}"))

    def leave(self) -> None:
        there = [p for p in self.here[1:] if p.room.is_synced(self.w.now)]
        if len(there) > 2:
            self.w.do(self.random.choice(there), ev.Leave())

    def move(self) -> None:
        self.w.do(self.people[0], ev.Move())

    def away(self) -> None:
        """The host's own network fails, or is there again."""
        paths = {("Ada", origin) for origin in self.w.hubs}
        if paths <= self.w.unreachable:
            self.w.unreachable -= paths
            return
        self.w.unreachable |= paths
        for link in list(self.people[0].links.values()):
            self.w.cut(link)

    def fall(self) -> None:
        """A server is down, or there again as another process; one at a time."""
        origin = self.random.choice((ORIGIN, *OTHERS))
        if origin in self.w.down:
            self.w.restart(origin)
        elif not self.w.down:
            self.w.fails(origin)

    def pass_by(self) -> None:
        for _ in range(STEPS):
            self.random.choice(self.acts)()
            self.w.run(self.random.uniform(1, 9))
        self.w.unreachable.clear()
        for origin in list(self.w.down):
            self.w.restart(origin)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_day_ends_well_and_accuses_nobody(seed: int, mirror: bool) -> None:
    day = _Day(seed, mirror=mirror)
    day.pass_by()
    if (seed, mirror) not in LONG:
        _ends_well(day)
    told = {
        p.label: {str(getattr(e.text, "key", e.text)) for e in p.of(ev.Alarm) if e.kind in ACCUSATIONS}
        - {"alarm.reordered.apart"}
        for p in day.people
    }
    assert not any(told.values()), told


def _ends_well(day: _Day) -> None:
    day.w.until(lambda: len({p.code for p in day.people if p.ended is None}) == 1, 240)
    ada, *others = (p for p in day.people if p.ended is None)
    talk(day.w, ada, others, "all of us", 60)
