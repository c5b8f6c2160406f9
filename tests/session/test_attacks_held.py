"""Attacks that achieved nothing, and must go on achieving nothing."""

from __future__ import annotations

from typing import Any

from snugroom.client.session.kernel.intents import HealIntent
from snugroom.lab.simulation.dishonest import post_commit
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire.limits import BUCKETS
from tests.mls.test_secrets import reachable
from tests.mls.world import state_of
from tests.session.signed_media import SOUND, signing


def epoch_secrets(who: Participant) -> dict[str, bytes]:
    """Eight secrets of a member's current epoch."""
    m: Any = who.room.membership
    state = state_of(m.group)
    media = m.media._by_bits[m.group.epoch % 16].keys
    return {
        "init": bytes(state.secrets.init),
        "exporter": bytes(state.secrets.exporter),
        "sender data": bytes(state.secrets.sender_data),
        "membership": bytes(state.secrets.membership_key),
        "leaf's private key": bytes(state.private_keys[2 * state.own_leaf]),
        "envelope": bytes(m._envelope_keys[m.epoch_slot]),
        "signatures": bytes(signing(who)._epochs[m.epoch_slot].key),
        "SFrame": bytes(media._secret),
    }


def found(who: Participant, secrets: dict[str, bytes]) -> set[str]:
    return {
        name
        for data in reachable(who.session)
        for name, secret in secrets.items()
        if len(data) >= 16 and secret in data
    }


def test_no_copy_of_eight_secrets_is_left_after_six_epochs() -> None:
    w = World(71)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(1)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is not None
    secrets = epoch_secrets(bo)
    assert found(bo, secrets) == set(secrets), "the search works"
    for who in 3 * (ada, bo):
        who.room.queue(HealIntent(who.room.membership.group.epoch), w.now)
        w.run(3)
    assert bo.room.membership.group.epoch >= 6
    assert found(bo, secrets) == set()


def test_many_invalid_slots_split_nobody_off() -> None:
    """A member takes slot after slot with garbage, as fast as the server lets it."""
    w = World(72)
    ada, bo, mallory = people = w.meeting("Ada", "Bo", "Mallory")
    began = ada.room.membership.journal.slot
    for _ in range(70):
        post_commit(w, mallory, w.rng(BUCKETS[0]))
        w.run(0.1)
    assert ada.room.membership.journal.slot >= began + 5
    assert all(who.ended is None for who in people)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]), 20)
    assert len({who.room.membership.journal.chain for who in (ada, bo, dana)}) == 1
    assert not {"stuck", "rejoining", "two_stories", "withheld"} & {*ada.alarms, *bo.alarms}
