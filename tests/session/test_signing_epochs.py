"""Media signatures across epochs, and in the media engine's receiver."""

from __future__ import annotations

from typing import Any

from snugroom.client.media.receiving import Conceal, Deliver, Receiver
from snugroom.client.media.sending import Sender
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.signing import EARLY_MAX, LATE, PUBLISH_AFTER, PUBLISH_EVERY
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.agreed import envelope
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.media.signatures import MEDIA_KEY_LABEL, FrameList, Run, certified, digest
from snugroom.crypto.media.verifier import GRACE
from snugroom.lab.simulation.world import Participant, World, seeded
from snugroom.wire import messages as wire
from snugroom.wire import rtp
from snugroom.wire.limits import BUCKETS
from tests.session.contents import overheard
from tests.session.signed_media import (
    Mallory,
    counter_of,
    leaf_of,
    meeting,
    of_media,
    published,
    signing,
    ssrc_of,
)

# -- epochs, and their ends --------------------------------------------------------------------------------


def test_lists_of_an_epoch_that_we_have_not_reached_wait_for_it() -> None:
    w, _media, (ada, bo) = meeting(15, "Ada", "Bo")
    late: list[wire.Committed] = []

    def hold(who: Participant, message: object) -> bool:
        if who is ada and isinstance(message, wire.Committed):
            late.append(message)
            return False
        return True

    w.down_filter = hold
    bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)
    w.run(1.6)
    assert late
    waiting = len(signing(ada)._early)
    assert waiting >= 1
    w.down_filter = lambda who, message: True
    w._feed(ada, ev.Received(ev.ROOM, late[0]))
    assert not signing(ada)._early
    newest = list(signing(ada)._epochs.values())[-1]
    checker = signing(ada)._checkers[leaf_of(bo)]
    assert checker._epochs[newest.number].sequences[0].number >= 0, "heard when the keys were there"
    w.run(5)
    assert of_media(ada) == []


def test_the_epochs_key_is_disclosed_a_minute_later() -> None:
    w, _media, (ada, bo, cem) = meeting(16, "Ada", "Bo", "Cem")
    w.run(1)
    old = list(signing(bo)._epochs.values())[-1]
    assert old.signer is not None
    public = SigningKey(old.signer.secret).public
    told = published(ada, bo)
    began = w.now
    cem.room.queue(HealIntent(cem.room.membership.group.epoch), w.now)
    for _ in range(int(PUBLISH_AFTER) - 2):
        signing(bo)._publish_at = 0.0  # whatever it has told meanwhile
        w.run(1)
    assert public not in {SigningKey(s).public for s in told()}
    most = LATE + PUBLISH_AFTER + PUBLISH_EVERY + 2
    w.until(lambda: public in {SigningKey(s).public for s in told()}, most)
    assert w.now - began <= most
    assert signing(bo)._epochs.get(old.slot) is None
    # whoever was told it can make lists under it; nobody believes them
    refused, epoch = signing(ada).refused, list(signing(ada)._epochs.values())[-1]
    key = SigningKey(old.signer.secret)
    vouched = bo.room.membership.sign(MEDIA_KEY_LABEL, certified(old.scope, leaf_of(bo), public))
    forged = FrameList(leaf_of(bo), 0, 10_000, public, vouched, (Run(5, 0, digest(b"invented")),))
    blob = envelope.seal(
        old.key, "signatures", cem.room.membership.room, old.slot, forged.signed(old.scope, key), BUCKETS
    )
    assert not signing(ada).broadcast_received(blob, w.now), "of an epoch that is over"
    blob = envelope.seal(
        epoch.key, "signatures", cem.room.membership.room, epoch.slot, forged.signed(old.scope, key), BUCKETS
    )
    assert signing(ada).broadcast_received(blob, w.now)
    assert signing(ada).refused == refused + 1
    assert of_media(ada) == []


def test_the_last_list_of_an_epoch_goes_out_with_the_next_ones_first_frame() -> None:
    w, _, (_, bo) = meeting(27, "Ada", "Bo")
    before = list(signing(bo)._epochs.values())[-1]
    bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)

    def moved() -> bool:
        newest = list(signing(bo)._epochs.values())[-1]
        return newest is not before and newest.signer is not None and newest.signer.oldest is not None

    assert before.signer is not None
    w.until(lambda: before.signer.oldest is not None, 1)  # type: ignore[union-attr]  # it is there
    before.signer.oldest = w.now + 60  # by the clock it would not be due
    w.until(moved, 3)
    w.run(0.15)
    assert before.signer.oldest is None


def test_frames_unsigned_at_a_break_are_signed_at_the_reconnect() -> None:
    w, media, (_, bo) = meeting(28, "Ada", "Bo")
    signer = list(signing(bo)._epochs.values())[-1].signer
    assert signer is not None
    w.until(lambda: signer.oldest is not None, 1)
    w.cut(bo.links[ev.ROOM])
    media.silent.add("Bo")
    assert signer.oldest is not None
    signer.oldest = w.now + 60  # by the clock it would not be due
    w.until(lambda: signing(bo)._connected is False, 1)
    w.until(lambda: signing(bo)._connected, 4)
    assert signer.oldest is None


def test_a_key_that_has_signed_nothing_is_not_disclosed() -> None:
    w, _, (_, bo) = meeting(29, "Ada", "Bo")
    epoch = list(signing(bo)._epochs.values())[-1]
    assert epoch.signer is not None
    epoch.signer._next.clear()  # all its lists were lost with the connection
    signing(bo)._end(epoch, w.now)
    assert epoch.signer.secret not in {key.secret for key in signing(bo)._old_keys}


def test_a_key_that_nobody_saw_is_not_disclosed() -> None:
    w = World(17)
    ada, bo = w.meeting("Ada", "Bo")
    said = overheard(ada, content.MediaSecret)
    for _ in range(4):
        bo.room.queue(HealIntent(bo.room.membership.group.epoch), w.now)
        w.run(30)
    assert not said


def test_a_key_disclosed_too_early_signs_nothing_any_more() -> None:
    w, _media, (ada, bo) = meeting(18, "Ada", "Bo")
    epoch = list(signing(bo)._epochs.values())[-1]
    assert epoch.signer is not None
    bo.room.relay(content.MediaSecret([epoch.signer.secret]))
    w.run(4 + GRACE)
    assert of_media(ada) == ["unverified_media"], "anybody could have made Bo's lists"


def test_a_member_cannot_disclose_anothers_key() -> None:
    w, _media, (ada, bo, cem) = meeting(19, "Ada", "Bo", "Cem")
    epoch = list(signing(bo)._epochs.values())[-1]
    assert epoch.signer is not None
    cem.room.relay(content.MediaSecret([bytes(32), epoch.signer.secret]))
    w.run(4)
    assert of_media(ada) == [], "it is for Bo to say, and nobody else has it"


def test_garbage_costs_one_check_and_no_word() -> None:
    w, _media, (ada, _bo) = meeting(20, "Ada", "Bo")
    epoch = list(signing(ada)._epochs.values())[-1]
    for payload in (b"", b"\1", b"\2" + bytes(200), bytes(400)):
        blob = envelope.seal(epoch.key, "signatures", ada.room.membership.room, epoch.slot, payload, BUCKETS)
        assert signing(ada).broadcast_received(blob, w.now)
    assert signing(ada).refused == 4
    for blob in (bytes(512), b"", b"\xff" * 512, epoch.slot.to_bytes(8, "big") + bytes(504)):
        assert not signing(ada).broadcast_received(blob, w.now), "not for this feature"
    for n in range(1000):
        assert not signing(ada).broadcast_received((10**6 + n).to_bytes(8, "big") + bytes(504), w.now)
    assert len(signing(ada)._early) <= EARLY_MAX
    assert of_media(ada) == []


def test_the_repr_of_epochs_and_signers_holds_no_key() -> None:
    _w, _media, (_ada, bo) = meeting(21, "Ada", "Bo")
    for epoch in signing(bo)._epochs.values():
        assert epoch.signer is not None
        for secret in (epoch.key, epoch.signer.secret):
            assert secret.hex() not in repr(epoch) + repr(epoch.signer)
            assert repr(secret) not in repr(epoch) + repr(epoch.signer)


# -- through the media engine's receiver ---------------------------------------------------------------------


def test_a_receiver_holds_unsigned_frames_and_loses_nothing() -> None:
    """In doubt, all sound comes half a second late and in order; Mallory's never comes."""
    w, media, (ada, bo, cem) = meeting(22, "Ada", "Bo", "Cem")
    media.silent |= {"Ada", "Bo", "Cem"}
    signing(ada)._checker(leaf_of(bo)).doubt = "forged"
    sender = Sender(ssrc_of(bo), "audio", seeded(1), started=w.now)
    receiver = Receiver(
        ssrc_of(bo), "audio", lambda ssrc, kind, data: ada.room.frames.open(ssrc, kind, data, w.now)
    )
    mallory = Mallory(w, media, cem)
    out: list[bytes] = []
    concealed = 0

    def took(effects: list[Any]) -> None:
        nonlocal concealed
        out.extend(e.frame for e in effects if isinstance(e, Deliver))
        concealed += sum(e.frames for e in effects if isinstance(e, Conceal))

    def hears(who: Participant, message: object) -> bool:
        if who is ada and isinstance(message, wire.Broadcasted):
            w._after(w.latency * 2, lambda: took(receiver.keys_changed(w.now)))  # as client.connection does
        return True

    w.down_filter = hears
    began = w.now
    sent = []
    for n in range(400):
        frame = b"%4d" % n
        sealed = bo.room.frames.seal("audio", 0, frame, w.now)
        assert sealed is not None
        sent.append(frame)
        if n % 10 == 7:  # in Bo's place, while Bo's own is lost
            sealed = mallory.seal(leaf_of(bo), counter_of(sealed))
            sent.pop()
        for packet in sender.packetize(sealed, w.now - began):
            took(receiver.receive(rtp.parse(packet), w.now))
        w.run(0.02)
        took(receiver.tick(w.now))
    for _ in range(100):
        w.run(0.05)
        took(receiver.tick(w.now))
    assert out == sent
    assert receiver.opened == 360
    assert receiver.failed == 40, "refused for good, and counted"
    assert concealed == 40
    assert receiver.unkeyed == 0


def test_a_receiver_gives_up_on_frames_that_nobody_signs() -> None:
    w, media, (ada, bo, cem) = meeting(23, "Ada", "Bo", "Cem")
    w.kill(bo)
    media.silent.add("Cem")
    signing(ada)._checker(leaf_of(bo)).doubt = "unverified"
    sender = Sender(ssrc_of(bo), "audio", seeded(1), started=w.now)
    receiver = Receiver(
        ssrc_of(bo), "audio", lambda ssrc, kind, data: ada.room.frames.open(ssrc, kind, data, w.now)
    )
    mallory = Mallory(w, media, cem)
    counter = counter_of(media.last["Bo"]) + 1
    for n in range(300):
        for packet in sender.packetize(mallory.seal(leaf_of(bo), counter + n), n * 0.02):
            assert not any(isinstance(e, Deliver) for e in receiver.receive(rtp.parse(packet), w.now))
        w.run(0.02)
        assert not any(isinstance(e, Deliver) for e in receiver.keys_changed(w.now)), "tried again, to no end"
    assert receiver.failed >= 150
    for _ in range(60):
        w.run(0.05)
        receiver.tick(w.now)
    assert receiver.failed == 300
    assert not receiver.waiting
