"""A server that cuts connections, or makes them look new, so that a member can speak in another's name."""

from __future__ import annotations

from collections.abc import Callable

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.media.verifier import GRACE
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.signed_media import (
    Mallory,
    Media,
    counter_of,
    leaf_of,
    lists_in,
    meeting,
    of_media,
    signing,
)


def bos_silence(seed: int) -> tuple[World, Media, list[Participant], Callable[[], None]]:
    """Ada gets no frames and no lists of Bo; Mallory's frames in Bo's name arrive."""
    w, media, people = meeting(seed, "Ada", "Bo", "Mallory")
    ada, bo, mallory = people
    heard = lists_in

    def drop(who: Participant, message: object) -> bool:
        found = heard(who, message) if who is ada else None
        return found is None or found.leaf != leaf_of(bo)

    w.down_filter = drop
    media.passes = lambda sender, receiver: not (sender is bo and receiver is ada)
    hers = Mallory(w, media, mallory)
    counter = counter_of(media.last["Bo"]) + 10

    def speak() -> None:
        nonlocal counter
        counter += 1
        hers.speaks_as(bo, ada, counter=counter)

    return w, media, people, speak


def test_cutting_the_connection_again_and_again_excuses_no_voice() -> None:
    w, media, (ada, _bo, _), speak = bos_silence(801)
    played = media.opened["Ada", "Bo"]
    for _ in range(18):
        w.cut(ada.links[ev.ROOM])
        w.until(lambda: ada.room.is_synced(w.now), 4)
        for _ in range(80):
            speak()
            w.run(0.02)
    assert of_media(ada)[0] == "unverified_media"
    assert media.opened["Ada", "Bo"] - played <= 50 * 9, "seconds of it, and not the whole speech"


def test_cuts_with_changes_of_keys_excuse_no_more() -> None:
    w, media, (ada, _bo, mallory), speak = bos_silence(802)
    played = media.opened["Ada", "Bo"]
    for _ in range(18):
        w.cut(ada.links[ev.ROOM])
        w.until(lambda: ada.room.is_synced(w.now), 4)
        for _ in range(80):
            speak()
            w.run(0.02)
        mallory.room.queue(HealIntent(mallory.room.membership.group.epoch), w.now)
    assert "unverified_media" in of_media(ada)
    assert media.opened["Ada", "Bo"] - played <= 50 * 9


def test_a_server_that_begins_the_connection_anew_in_its_midst_excuses_nothing() -> None:
    w, media, (ada, _bo, _), speak = bos_silence(803)
    challenge = wire.Challenge(1, ada.room.origin, bytes(32), ada.room.server_key)
    entered = wire.Entered(
        ada.room.handle, ada.room.incarnation, ada.room.server_slot, ada.room.membership.journal.chain, []
    )
    played = media.opened["Ada", "Bo"]
    for _ in range(8):
        for message in (challenge, entered, wire.Shown(ada.room.server_slot)):
            w._feed(ada, ev.Received(ev.ROOM, message))
        for _ in range(75):
            speak()
            w.run(0.02)
    w.run(GRACE)
    assert of_media(ada) == ["unverified_media"]
    assert media.opened["Ada", "Bo"] - played <= 50 * 2.6
    assert not any(isinstance(e, ev.Status) and e.kind == "away" for e in ada.told)


def test_nothing_is_played_before_the_connection_is_in_step() -> None:
    """The server accepts Ada's connection, keeps her out of step, and sends sound meanwhile."""
    w, media, (ada, _bo, _), speak = bos_silence(804)
    before = w.down_filter

    def hold(who: Participant, message: object) -> bool:
        return before(who, message) and not (who is ada and isinstance(message, wire.Entered | wire.Shown))

    w.down_filter = hold
    w.cut(ada.links[ev.ROOM])
    w.run(1)
    assert ev.ROOM in ada.links
    played = media.opened["Ada", "Bo"]
    for _ in range(500):
        speak()
        w.run(0.02)
    assert media.opened["Ada", "Bo"] == played


def test_a_member_who_rejoins_keeps_its_doubts() -> None:
    w, media, (ada, bo, cem) = meeting(805, "Ada", "Bo", "Cem")
    signing(ada)._checker(leaf_of(bo)).doubt = "forged"
    old = ada.room
    ada.room.needs_rejoin = True
    w.until(lambda: ada.room is not old and ada.room.is_synced(w.now), 30)
    checker = signing(ada)._checkers[leaf_of(bo)]
    assert checker.doubt == "forged"
    assert not checker._epochs or max(checker._epochs) >= ada.room.membership.group.epoch - 1
    played = media.opened["Ada", "Bo"]
    w.run(5)
    assert media.opened["Ada", "Bo"] > played + 110, "what Bo signs is played"
    assert of_media(ada) == of_media(cem) == []


def test_a_rejoin_of_the_victim_gives_no_new_credit() -> None:
    w, media, (ada, bo, cem) = meeting(807, "Ada", "Bo", "Cem")
    signing(ada)._checker(leaf_of(bo)).doubt = "forged"
    old = bo.room
    bo.room.needs_rejoin = True
    w.until(lambda: bo.room is not old and bo.room.is_synced(w.now), 30)
    assert signing(ada)._checkers[leaf_of(bo)].doubt == "forged"
    played = media.opened["Ada", "Bo"]
    w.run(5)
    assert media.opened["Ada", "Bo"] > played + 110
    for _ in range(2):
        old = bo.room
        bo.room.needs_rejoin = True
        w.until(lambda: bo.room is not old and bo.room.is_synced(w.now), 30)
        w.run(3)
    assert of_media(ada) == of_media(cem) == []


def test_a_burst_is_no_way_to_say_much_in_little_time() -> None:
    """20 seconds of sound within one: each frame costs 2 ms by the clock, and is 20 ms to the ear."""
    w, media, (ada, _bo, _), speak = bos_silence(806)
    w.run(1)
    played = media.opened["Ada", "Bo"]
    for _ in range(50):
        for _ in range(20):
            speak()
        w.run(0.02)
    w.run(3 + GRACE)
    assert of_media(ada) == ["unverified_media"]
    assert media.opened["Ada", "Bo"] - played <= 310
