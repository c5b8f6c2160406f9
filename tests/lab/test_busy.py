"""A busy machine is no attack: what it leaves on the screens of a meeting proves none of the lab's scenes.

Everything comes late in these meetings, for up to 20 s. Nobody is hostile.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.options import Options
from snugroom.lab.attacks.naming import blamed, false_alarm, tale_of
from snugroom.lab.attacks.scene import Scene
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.attacks.verdict import LOADED, Facts, Outcome, Seen, judge, told_after
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import Participant

#: Seconds of a meeting, and the most that one hop takes, in turn.
LENGTH = 90
LATE = (0.05, 3.0, 0.5, 8.0, 20.0, 0.05)
SEED = 1
#: Nothing tells a black hole from a slow network but time.
UNPROVABLE = {"blocked_server"}
PROVEN = [scene for scene in SCENES if scene.documented.by]


class Busy(Servers):
    TICK = 0.5
    SERVER_TICK = 0.25


def told(names: tuple[str, ...], servers: bool, strict: bool, mirror: bool) -> dict[str, list[Seen]]:
    """Return what the members of a busy meeting are told."""
    chance = random.Random(SEED)
    w = Busy(SEED)
    host = w.host(names[0], options=Options(strict=strict, mirror=mirror))
    people = [host]
    for name in names[1:]:
        people.append(w.guest(w.link_of(host), name))
        w.until(lambda: w.agreed(people), why=f"{name} is in")
    if servers:
        listed(w, host, *OTHERS[:1])
    w.run(20)
    began = w.now
    for second in range(LENGTH):
        w.latency = LATE[second // 15 % len(LATE)]
        if second % 5 == 0:
            _tries(w, chance.choice(people), ev.Say(f"It is second {second}."))
        if second % 20 == 0:
            _tries(w, host, ev.Lock(second % 40 == 0))
        w.run(1.0)
    return {who.label: list(_seen(who, began)) for who in people}


def form_of(scene: Scene) -> tuple[tuple[str, ...], bool, bool, bool]:
    return scene.names, bool(scene.servers), scene.strict, scene.mirror


def _tries(w: Busy, who: Participant, command: ev.Command) -> None:
    with suppress(ValueError):  # not possible at this moment
        w.do(who, command)


def _seen(who: Participant, began: float) -> Iterator[Seen]:
    for event, at in zip(who.told, who.told_at, strict=True):
        if at < began:
            continue
        if isinstance(event, ev.Alarm | ev.Status):
            yield Seen(
                at - began, "alarm" if isinstance(event, ev.Alarm) else "status", event.kind, event.text
            )


def test_what_a_busy_machine_leaves_proves_no_act_and_blames_nobody() -> None:
    proven, left, false = set(), set(), set()
    for form in {form_of(scene) for scene in PROVEN}:
        people, seen = form[0], told(*form)
        for scene in [scene for scene in PROVEN if form_of(scene) == form]:
            # the act had its effect, and all that members were told comes from the busy meeting
            facts = Facts(Outcome(True, "It did."), {"act": 1}, seen, people=frozenset(people))
            if told_after(scene.documented, facts) is not None:
                proven.add(scene.id)
            else:
                assert judge(scene.documented, facts).worse
        tale = tale_of(people, hostile=())
        for name, note in [(name, note) for name, notes in seen.items() for note in notes]:
            assert blamed(note.text) == set(), note
            if note.how == "alarm" or note.kind == "away":
                left.add(note.kind)
            if note.how == "alarm" and false_alarm(tale, name, note.text):
                false.add(note.text)
    assert proven == UNPROVABLE
    assert {"away", "silent", "stale"} <= left <= LOADED
    assert not false


@pytest.mark.parametrize("scene", PROVEN, ids=lambda scene: scene.id)
def test_kinds_that_a_busy_machine_leaves_are_a_proof_only_where_there_is_no_other(scene: Scene) -> None:
    by = scene.documented.by
    assert by <= LOADED or not by & LOADED
