"""A member and the server together, with media keys that others have published."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.features.signing import PUBLISH_AFTER, PUBLISH_EVERY
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.media.sframe import Header
from snugroom.crypto.media.signatures import FrameList, Signer
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.signed_media import Mallory, counter_of, leaf_of, meeting, of_media, published, signing


def withhold_next_epoch(w: World, victim: Participant) -> None:
    """From now on the server gives the victim nothing of a later epoch."""
    slot: int = victim.room.membership.epoch_slot

    def withholds(who: Participant, message: object) -> bool:
        if who is not victim:
            return True
        if isinstance(message, wire.Posted):
            return False  # nor does a member let it in again
        if isinstance(message, wire.Committed):
            return message.slot <= slot
        if isinstance(message, wire.Relayed | wire.Broadcasted):
            return envelope.epoch_slot(message.blob) <= slot
        return True

    w.down_filter = withholds


def test_published_media_keys_sign_for_nobody_who_is_kept_in_their_epoch() -> None:
    """The server withholds one commit from Ada; Mallory speaks as Bo with the key that Bo publishes later."""
    w, media, (ada, bo, mallory) = meeting(31, "Ada", "Bo", "Mallory")
    hers, victim = Mallory(w, media, mallory), leaf_of(bo)
    epoch = list(signing(mallory)._epochs.values())[-1]
    keys = mallory.room.membership.media._by_bits[epoch.number % 16].keys
    frame_key = keys.key(keys.kid(victim, 0))  # she keeps what honest programs erase
    certificates: list[FrameList] = []
    broadcast = signing(mallory).broadcast_received

    def listen(blob: bytes, now: float) -> bool:
        try:
            opened = envelope.open(epoch.key, "signatures", mallory.room.membership.room, blob)
            certificates.append(FrameList.decode(opened))
        except SnugError:
            pass
        return broadcast(blob, now)

    signing(mallory).broadcast_received = listen  # type: ignore[method-assign]  # listens in
    w.run(1.5)
    bos = next(each for each in certificates if each.leaf == victim)
    told = published(mallory, bo)
    counter = counter_of(media.last["Bo"]) + 50
    media.silent |= {"Ada", "Bo", "Mallory"}
    withhold_next_epoch(w, ada)
    mallory.room.queue(HealIntent(mallory.room.membership.group.epoch), w.now)
    w.run(PUBLISH_AFTER + PUBLISH_EVERY + 20)
    assert ada.room.membership.group.epoch == epoch.number, "Ada is kept in the old epoch"
    assert bo.room.membership.group.epoch > epoch.number

    played = media.opened["Ada", "Bo"]
    secret = next((s for s in told() if SigningKey(s).public == bos.key), None)
    signer = Signer(victim, epoch.scope, SigningKey(secret or bytes(32)), bos.certificate)
    signer._next[0] = 100_000
    began, told_after = w.now, 0.0
    for n in range(15 * 50):
        frame = bytes(frame_key.encrypt(counter + n, b"a", b"I resign"))
        signer.add(0, None, Header.decode(frame).kid, counter + n, frame, w.now)
        media.deliver(ada, bo, "audio", frame)
        if n % 25 == 24:
            for made in signer.take():
                blob = envelope.seal(
                    epoch.key, "signatures", hers.who.room.membership.room, epoch.slot, made.data, BUCKETS
                )
                w._feed(ada, ev.Received(ev.ROOM, wire.Broadcasted(blob)))
        w.run(0.02)
        if not told_after and "unverified_media" in of_media(ada):
            told_after = w.now - began
    assert secret is None, "Bo publishes no key of an epoch in which Ada may still be"
    assert media.opened["Ada", "Bo"] - played <= 2.3 * 50, "two seconds at most are played"
    assert 2 < told_after < 8, "then Ada is told, and not that Bo signs again"
    assert "that this is \u201cBo\u201d right now" in next(
        e.text for e in ada.of(ev.Alarm) if e.kind == "unverified_media"
    )
    assert not any(isinstance(e, ev.Status) and e.kind == "verified" for e in ada.told)


def test_keys_are_published_after_everybody_is_heard_and_after_a_removal() -> None:
    """A member that is gone delays the publication until a host removes it, and not beyond."""
    w, media, (ada, bo, cem, dana) = meeting(32, "Ada", "Bo", "Cem", "Dana")
    media.silent |= {"Ada", "Bo", "Cem", "Dana"}
    old = list(signing(bo)._epochs.values())[-1]
    assert old.signer is not None
    secret = old.signer.secret
    told = published(ada, bo)
    w.kill(dana)
    cem.room.queue(HealIntent(cem.room.membership.group.epoch), w.now)
    w.run(2 * PUBLISH_AFTER + PUBLISH_EVERY)
    assert secret not in told(), "Dana may still believe lists under it"
    began = w.now
    w.do(ada, ev.Remove(leaf_of(dana)))
    w.until(lambda: secret in told(), PUBLISH_AFTER + PUBLISH_EVERY + 20)
    assert w.now - began >= PUBLISH_AFTER - 1


def test_only_a_heartbeat_of_a_later_epoch_proves_that_a_member_has_left_one() -> None:
    w = World(33)
    _ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    monitor = next(f for f in bo.room.features if hasattr(f, "oldest_epoch"))
    w.until(lambda: monitor.oldest_epoch() == bo.room.membership.group.epoch, 12)
    before = bo.room.membership.group.epoch
    bo.room.queue(HealIntent(before), w.now)
    w.until(lambda: bo.room.membership.group.epoch > before, 2)
    assert monitor.oldest_epoch() == before, "nobody has been heard in the new epoch"
    w.until(lambda: monitor.oldest_epoch() > before, 12)
    monitor._heartbeats.forget(leaf_of(cem))
    assert monitor.oldest_epoch() == -1, "a new leaf, which has not been heard"
