"""Hostile members act at random: all honest members stay in the room, and agree.

Protocol section 6. A hostile member here has a real membership, keys and all, and signs what no honest
program would make; it can't do more than post blobs with the pass that it has.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.mls import treekem
from snugroom.lab.simulation.dishonest import forged, post_commit
from snugroom.lab.simulation.mallory import HONEST, Mallory
from snugroom.lab.simulation.world import Participant, World
from tests.session.test_failures import two_hosts


def together(people: list[Participant]) -> bool:
    """Whether the honest are in one epoch with one code, and all of them are in the roster."""
    return len({p.code for p in people}) == 1 and all(
        {q.label for q in people} <= set(p.roster) for p in people
    )


def play(seed: int, steps: int = 10) -> None:
    w = World(seed, latency=0.05)
    chance = random.Random(seed)
    honest = two_hosts(w, "Cem") if seed % 2 else w.meeting(*HONEST)
    hostile = []
    for name in ("Mallory", "Oscar")[: 1 + seed % 2]:
        hostile.append(Mallory(w, w.guest(w.link_of(honest[0]), name), chance))
        w.until(lambda: w.agreed([*honest, *(h.who for h in hostile)]), 20)
    said: list[tuple[str, str]] = []
    for step in range(steps):
        chance.choice(hostile).act()
        if chance.random() < 0.5:
            speaker = chance.choice(honest)
            said.append((speaker.label, f"{step}"))
            w.do(speaker, ev.Say(f"{step}"))
        if chance.random() < 0.2:
            chance.choice(honest).room.queue(HealIntent(honest[0].epoch), w.now)
        w.run(chance.choice([0.0, 0.1, 0.5, 2.0]))
    w.until(lambda: together(honest), 60, f"seed {seed}")
    w.run(10)
    w.until(lambda: together(honest), 30, f"seed {seed}, and stays so")
    assert all(p.ended is None for p in honest), "no honest member is lost"
    # the room goes on: a host removes them, and somebody new comes in
    for h in hostile:
        leaf = next(
            (leaf for leaf, name, _ in honest[0].room.membership.members() if name == h.who.label), None
        )
        if leaf is not None:
            w.do(honest[0], ev.Remove(leaf))
    w.until(lambda: sorted(honest[0].roster) == sorted(HONEST) and together(honest), 40, f"seed {seed}")
    dana = w.guest(w.link_of(honest[0]), "Dana")
    w.until(lambda: w.agreed([*honest, dana]), 30, f"seed {seed}")
    w.run(5)
    blamed = {a.text for p in honest for a in p.told if isinstance(a, ev.Alarm) and a.kind == "void_commit"}
    for text in blamed:
        assert not any(f"It came from \u201c{name}\u201d " in text for name in HONEST), (
            "no honest member is blamed"
        )
    for listener in honest:
        others = [words for words in said if words[0] != listener.label]
        heard = [words for words in listener.said if words[0] in HONEST]
        assert len(heard) == len(set(heard)), "nothing twice"
        assert set(heard) <= set(others), "nothing that nobody said"
        for label, text in set(others) - set(heard):
            author = next(p for p in honest if p.label == label)
            told = any(isinstance(e, ev.Alarm) and f"\u201c{text}\u201d" in e.text for e in author.told)
            assert told or "missed" in listener.alarms or "rejoining" in listener.alarms, (
                f"seed {seed}: {text}"
            )


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_honest_members_stay_together_whatever_others_do(seed: int) -> None:
    play(seed)


def test_the_acts_are_what_they_are_called() -> None:
    """Each act makes an honest program object, or is accepted: otherwise the test above shows nothing."""
    for name in ("forged_removal", "forged_policy", "forged_context", "unknown_invite", "garbage_commit"):
        w = World(7)
        ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
        w.run(1)
        mallory = Mallory(w, w.guest(w.link_of(ada), "Mallory"), random.Random(1))
        w.until(lambda: w.agreed([*people, mallory.who]))
        w.run(1)
        getattr(mallory, name)()
        w.until(lambda: all("void_commit" in p.alarms for p in people), 5, name)
    w = World(8)
    ada, cem, bo = people = w.meeting("Ada", "Cem", "Bo")
    mallory = Mallory(w, w.guest(w.link_of(ada), "Mallory"), random.Random(1))
    w.until(lambda: w.agreed([*people, mallory.who]))
    w.run(1)
    mallory.victims = lambda: [bo]  # type: ignore[method-assign]  # Mallory's neighbour in the tree
    mallory.spoiled_path()
    w.until(lambda: "stuck" in bo.alarms, 5)
    assert "stuck" not in [*ada.alarms, *cem.alarms]


def test_two_whom_a_commit_shuts_out_name_its_author_to_the_host() -> None:
    w = World(9)
    # where they sit nobody has committed yet: the path secret goes to each leaf by itself
    ada, first, *others = people = w.meeting("Ada", "Mallory", "Bo", "Cem")
    w.run(1)
    mallory = Mallory(w, first, random.Random(1))
    epoch = ada.epoch
    with pytest.MonkeyPatch.context() as patch:
        bad = [p.room.membership.signature_key(p.room.membership.own_leaf) for p in others]
        spoil_for(patch, mallory.who, bad)
        blob = forged(mallory.who, [])
    post_commit(w, mallory.who, blob)
    w.until(lambda: all("stuck" in p.alarms for p in others), 5)
    took = w.until(lambda: ada.epoch > epoch + 2 and w.agreed(people), 30)
    assert took < 15
    told = [e.text for e in ada.told if isinstance(e, ev.Alarm) and e.kind == "unreadable_commit"]
    assert len(told) == 1
    assert "Mallory" in told[0]


def spoil_for(patch: pytest.MonkeyPatch, committer: Participant, keys: list[bytes]) -> None:
    """As `spoil_path`, for several."""
    real = treekem.encrypt_with_label  # type: ignore[attr-defined]  # what the test replaces
    tree = committer.room.membership.group._live.tree
    bad = {n.encryption_key for _, n in tree.leaves() if n.signature_key in keys}

    def spoiled(suite, public, label, context, plaintext, rng):  # type: ignore[no-untyped-def]
        return real(suite, public, label, context, bytes(len(plaintext)) if public in bad else plaintext, rng)

    patch.setattr(treekem, "encrypt_with_label", spoiled)
