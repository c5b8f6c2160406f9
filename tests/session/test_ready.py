"""Senders use a newcomer's epoch once the server says that all have it; that is a hint, and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snugroom.client.session import events as ev
from snugroom.crypto.media.keys import ADD_SWITCH, EPOCH_BITS
from snugroom.crypto.media.sframe import Header
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import encode
from tests.session.signed_media import Media, meeting

Change = tuple[World, Media, list[Participant], Participant]


def sends_in_newest(media: Media, who: Participant) -> bool:
    """Whether the last frame of sound was sealed in the newest epoch that this member has."""
    epochs = 1 << EPOCH_BITS
    return Header.decode(media.last[who.label]).kid % epochs == who.epoch % epochs


def newcomer(
    seed: int, prepare: Callable[[World, list[Participant]], None] = lambda w, people: None
) -> Change:
    """Three are in a room, and a fourth has just been added."""
    w, media, people = meeting(seed, "Ada", "Bo", "Cem")
    prepare(w, people)
    before = people[0].epoch
    new = w.guest(w.link_of(people[0]), "Dana")
    w.do(new, ev.Publish("ufrag", "p" * 22, bytes(32), ()))  # without media, no list comes
    w.until(lambda: people[0].epoch > before, 10)
    return w, media, people, new


def switched(w: World, media: Media, who: Participant) -> float:
    """Seconds until they send in the newest epoch."""
    begun = w.now
    w.until(lambda: sends_in_newest(media, who), 5)
    return w.now - begun


def test_all_send_in_a_newcomers_epoch_two_round_trips_after_its_commit() -> None:
    w, media, people, _ = newcomer(2300)
    assert max(switched(w, media, who) for who in people) < 0.25


def test_without_a_word_of_the_server_they_do_so_after_half_a_second() -> None:
    def silent(w: World, people: list[Participant]) -> None:
        w.down_filter = lambda who, message: not isinstance(message, wire.Ready)

    w, media, people, _ = newcomer(2301, silent)
    assert switched(w, media, people[0]) == pytest.approx(ADD_SWITCH, abs=0.15)


@pytest.mark.parametrize("told", ["Ada", "Ada Bo Cem"])
def test_a_server_that_says_so_too_early_costs_a_moment_of_sound_and_accuses_nobody(told: str) -> None:
    """Cem gets the commit 0.6 s late, and those who are told so send in the new epoch meanwhile."""

    def lies(w: World, people: list[Participant]) -> None:
        def held(who: Participant, message: object) -> bool:
            if not isinstance(message, wire.Committed):
                return not isinstance(message, wire.Ready)
            link = who.links[ev.ROOM]
            late = 0.6 if who.label == "Cem" else 0.0
            w._after(late, lambda: w._deliver(link, encode(message)))
            if who.label in told.split():
                w._after(late + 0.03, lambda: w._deliver(link, encode(wire.Ready(message.slot))))
            return False

        w.down_filter = held

    w, media, people, new = newcomer(2302, lies)
    w.run(0.2)
    assert sends_in_newest(media, people[0])
    cem = people[2]
    assert cem.epoch < people[0].epoch
    before = media.opened["Cem", "Ada"]
    w.run(2)
    everything = 2 * (1 / media.SOUND_EVERY + 1 / media.VIDEO_EVERY)
    assert media.opened["Cem", "Ada"] - before > everything - 0.3 * (everything / 2)
    w.down_filter = lambda who, message: True
    w.run(20)
    assert [p.alarms for p in (*people, new)] == [[]] * 4
    assert w.agreed([*people, new])


def test_a_word_about_another_slot_changes_nothing() -> None:
    def wrong(w: World, people: list[Participant]) -> None:
        w.down_filter = lambda who, message: not isinstance(message, wire.Ready)

    w, media, (ada, *_), _ = newcomer(2303, wrong)
    (slot,) = {room.slot for room in w.hub._rooms.values()}
    assert slot is not None
    for other in (slot - 1, slot + 1, 0):
        w._deliver(ada.links[ev.ROOM], encode(wire.Ready(other)))
    w.run(0.3)
    assert not sends_in_newest(media, ada)
