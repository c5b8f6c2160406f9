"""Media signatures against Mallory, who holds all media keys, and a server that does what she wants."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.agreed import envelope
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.media.sframe import Header
from snugroom.crypto.media.signatures import MEDIA_KEY_LABEL, FrameList, Run, Signer, certified
from snugroom.crypto.media.verifier import GRACE
from snugroom.lab.simulation.world import Participant
from snugroom.wire.limits import BUCKETS
from tests.session.signed_media import (
    Mallory,
    counter_of,
    leaf_of,
    lists_in,
    meeting,
    of_media,
    signing,
)


def test_mallory_speaks_in_bos_place_and_bos_next_list_shows_it() -> None:
    w, media, (ada, bo, cem) = meeting(5, "Ada", "Bo", "Cem")
    mallory = Mallory(w, media, cem)
    swapped = 0

    def swap(sender: Participant, receiver: Participant) -> bool:
        nonlocal swapped
        if sender is bo and receiver is ada:
            mallory.speaks_as(bo, ada, counter=counter_of(media.last["Bo"]))
            swapped += 1
            return False
        return True

    media.passes = swap
    took = w.until(lambda: bool(of_media(ada)), 3)
    assert took <= 0.75
    assert of_media(ada) == ["forged_media"]
    (alarm,) = (e for e in ada.told if isinstance(e, ev.Alarm))
    assert alarm.text.startswith("Somebody sent sound or video in \u201cBo\u201d's name.")
    played = media.opened["Ada", "Bo"]
    w.run(10)
    assert swapped > 210
    assert media.opened["Ada", "Bo"] == played, "nothing of hers is played any more"
    media.passes = lambda sender, receiver: True
    w.run(5)
    assert media.opened["Ada", "Bo"] > played + 5 * 35 * 0.8, "and Bo's own is, once signed"
    assert of_media(ada) == ["forged_media"], "one alarm, not many"
    assert of_media(bo) == of_media(cem) == []


def test_mallory_speaks_while_bo_is_held_back() -> None:
    """Mallory uses counters that Bo has not reached: Bo's later lists name Bo's own frames there."""
    w, media, (ada, bo, cem) = meeting(6, "Ada", "Bo", "Cem")
    mallory = Mallory(w, media, cem)
    media.passes = lambda sender, receiver: sender is not bo
    ahead = counter_of(media.last["Bo"]) + 40
    for n in range(20):
        mallory.speaks_as(bo, ada, counter=ahead + n)
        w.run(0.02)
    w.until(lambda: bool(of_media(ada)), 3)
    assert of_media(ada) == ["forged_media"]


def test_mallory_speaks_for_bo_who_has_crashed() -> None:
    w, media, (ada, bo, cem) = meeting(7, "Ada", "Bo", "Cem")
    mallory = Mallory(w, media, cem)
    w.kill(bo)
    w.run(30)
    assert of_media(ada) == []
    played = media.opened["Ada", "Bo"]
    counter = counter_of(media.last["Bo"]) + 1
    began = w.now
    while w.now < began + 6:
        mallory.speaks_as(bo, ada, counter=counter)
        counter += 1
        w.run(0.02)
        if of_media(ada) and w.now - began < 1.0:
            pytest.fail("sooner than a list could have come: half a second of Bo's own is unsigned too")
    assert of_media(ada) == ["unverified_media"]
    assert 0 < media.opened["Ada", "Bo"] - played <= 2.3 * 50, "two seconds of it are played, and no more"


def test_mallory_speaks_in_bursts_and_across_epochs_for_bo_who_has_crashed() -> None:
    w, media, (ada, bo, cem) = meeting(8, "Ada", "Bo", "Cem")
    mallory = Mallory(w, media, cem)
    w.kill(bo)
    played = media.opened["Ada", "Bo"]
    for _ in range(6):
        cem.room.queue(HealIntent(cem.room.membership.group.epoch), w.now)
        w.run(4)
        for n in range(40):
            mallory.speaks_as(bo, ada, counter=n)
            w.run(0.02)
    assert "unverified_media" in of_media(ada)
    assert media.opened["Ada", "Bo"] - played <= 3 * 50


def test_mallory_signs_in_bos_name() -> None:
    w, media, (ada, bo, cem) = meeting(9, "Ada", "Bo", "Cem")
    mallory = Mallory(w, media, cem)
    w.kill(bo)
    m, key, hers = cem.room.membership, SigningKey(bytes(32)), dict[int, Signer]()
    counter = counter_of(media.last["Bo"]) + 1
    for n in range(200):
        sealed = mallory.seal(leaf_of(bo), counter + n)
        kid = Header.decode(sealed).kid
        epoch = signing(cem)._epoch_of(kid)
        assert epoch is not None
        if epoch.slot not in hers:
            vouched = m.sign(MEDIA_KEY_LABEL, certified(epoch.scope, leaf_of(bo), key.public))
            hers[epoch.slot] = Signer(leaf_of(bo), epoch.scope, key, vouched)
            hers[epoch.slot]._next[0] = 1000  # a number that Bo has not come to
        hers[epoch.slot].add(0, None, kid, counter + n, sealed, w.now)
        media.deliver(ada, bo, "audio", sealed)
        if n % 20 == 19:
            for made in hers[epoch.slot].take():
                blob = envelope.seal(epoch.key, "signatures", m.room, epoch.slot, made.data, BUCKETS)
                cem.room.broadcast(blob)
        w.run(0.02)
    w.run(GRACE)
    assert of_media(ada) == ["unverified_media"]
    assert signing(ada).refused >= 7, "counted, and no alarm for each"


def test_mallory_spoils_no_list_of_bos() -> None:
    """Her lists in Bo's name, ahead of his numbers, do not make his look old."""
    w, _media, (ada, bo, cem) = meeting(10, "Ada", "Bo", "Cem")
    room, epoch = cem.room, list(signing(cem)._epochs.values())[-1]
    key = SigningKey(bytes(32))
    for number in range(1000, 1100):
        forged = FrameList(leaf_of(bo), number % 4, number, key.public, bytes(64), (Run(5, 0, bytes(12)),))
        made = forged.signed(epoch.scope, key)
        room.broadcast(
            envelope.seal(epoch.key, "signatures", room.membership.room, epoch.slot, made, BUCKETS)
        )
        w.run(0.05)
    w.run(0.3)
    assert signing(ada).refused == 100
    assert of_media(ada) == []


def test_mallory_replays_bos_frames_of_another_epoch() -> None:
    w, media, (ada, bo, cem) = meeting(11, "Ada", "Bo", "Cem")
    kept: list[bytes] = []

    def keep(sender: Participant, receiver: Participant) -> bool:
        if sender is bo and receiver is ada:
            kept.append(media.last["Bo"])
        return True

    media.passes = keep
    w.run(1.5)
    media.silent.add("Bo")
    assert len(kept) > 50
    cem.room.queue(HealIntent(cem.room.membership.group.epoch), w.now)
    w.run(4)
    before = media.opened["Ada", "Bo"]
    for sealed in kept:
        media.deliver(ada, bo, "audio", sealed)
        w.run(0.02)
    assert media.opened["Ada", "Bo"] == before, "the keys of that epoch are gone"
    assert of_media(ada) == []


def test_the_server_withholds_one_members_lists_and_returns_them() -> None:
    w, media, (ada, bo, cem) = meeting(12, "Ada", "Bo", "Cem")

    def drop(who: Participant, message: object) -> bool:
        heard = lists_in(who, message) if who is ada else None
        return heard is None or heard.leaf != leaf_of(bo)

    w.down_filter = drop
    took = w.until(lambda: bool(of_media(ada)), 8)
    assert 1.5 + GRACE <= took <= 2.6 + GRACE
    (alarm,) = (e for e in ada.told if isinstance(e, ev.Alarm))
    assert alarm.kind == "unverified_media"
    assert "that this is \u201cBo\u201d right now" in alarm.text
    played = media.opened["Ada", "Bo"]
    w.run(5)
    assert media.opened["Ada", "Bo"] == played
    assert of_media(cem) == of_media(bo) == []
    w.down_filter = lambda who, message: True
    began = w.now

    def verified() -> bool:
        return any(isinstance(e, ev.Status) and e.kind == "verified" for e in ada.told)

    w.until(lambda: media.opened["Ada", "Bo"] > played + 50, 4)
    assert not verified()
    w.until(verified, 20)
    assert 10 <= w.now - began <= 17, "ten seconds in which no frame has waited for long"
    assert of_media(ada) == ["unverified_media"]


def test_missing_lists_of_several_members_raise_one_alarm() -> None:
    w, media, people = meeting(13, "Ada", "Bo", "Cem", "Dana")
    ada = people[0]
    media.passes = lambda sender, receiver: False
    w.run(2)
    w.down_filter = lambda who, message: who is not ada or lists_in(who, message) is None
    media.passes = lambda sender, receiver: True
    w.run(4 + GRACE)
    alarms = [e.text for e in ada.told if isinstance(e, ev.Alarm)]
    assert len(alarms) <= 2
    assert all(any(name in text for text in alarms) for name in ("Bo", "Cem", "Dana"))


def test_a_newcomer_is_not_deceived() -> None:
    w, media, (ada, bo, cem) = meeting(14, "Ada", "Bo", "Cem")
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]))
    media.join(dana)
    w.run(3)
    mallory = Mallory(w, media, cem)
    media.passes = lambda sender, receiver: not (sender is bo and receiver is dana)
    for _ in range(10):
        mallory.speaks_as(bo, dana, counter=counter_of(media.last["Bo"]))
        w.run(0.02)
    w.until(lambda: bool(of_media(dana)), 3)
    assert of_media(dana) == ["forged_media"]
