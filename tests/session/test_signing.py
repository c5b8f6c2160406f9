"""Media signatures in meetings: Mallory holds all media keys, and the server does what she wants."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from snugroom.client.media.receiving import Conceal, Deliver, Receiver
from snugroom.client.media.sending import Sender
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.signing import PUBLISH_AFTER, Signing
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import MissingKeyError, SnugCryptoError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import FutureEpochError
from snugroom.crypto.media.sframe import Header
from snugroom.crypto.media.signatures import MEDIA_KEY_LABEL, FrameList, Run, Signer, certified, digest
from snugroom.server.wire import messages as wire
from snugroom.server.wire import rtp
from snugroom.server.wire.limits import BUCKETS
from tests.session.world import Participant, World, seeded, seeds

SOUND = b"s" * 60


def signing(who: Participant) -> Signing:
    feature = who.room.feature(Signing)
    assert isinstance(feature, Signing)
    return feature


def leaf_of(who: Participant) -> int:
    leaf = who.session.own_leaf
    assert leaf is not None
    return leaf


def ssrc_of(who: Participant) -> int:
    """Of the sound; pictures have the next one."""
    return 1000 + 10 * ord(who.label[0])


def of_media(who: Participant) -> list[str]:
    return [kind for kind in who.alarms if kind in ("forged_media", "unverified_media")]


@dataclass
class Media:
    """An SFU in memory: sound (50 a second) and pictures (15) of all members to all others.

    `passes(sender, receiver)`: False drops a frame. `opened` counts by (receiver, sender) what was played.
    """

    w: World
    passes: Callable[[Participant, Participant], bool] = lambda sender, receiver: True
    opened: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    #: What each last sent of its sound, behind the clear header.
    last: dict[str, bytes] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)

    def join(self, *people: Participant) -> None:
        for who in people:
            streams = ((ssrc_of(who), "audio", 0), (ssrc_of(who) + 1, "video", 1))
            self.w.do(who, ev.Publish("ufrag", "p" * 22, bytes(32), streams))  # type: ignore[arg-type]  # literals
            self.w._every(0.02, lambda who=who: self._send(who, "audio", 0, SOUND))  # type: ignore[misc]
            self.w._every(1 / 15, lambda who=who: self._send(who, "video", 1, b"\x11" * 900))  # type: ignore[misc]

    def _send(self, who: Participant, kind: clear_header.Kind, stream: int, frame: bytes) -> None:
        if not who.alive or not who.session.inside or who.ended or who.label in self.silent:
            return
        if ev.ROOM not in who.links:
            return  # the server has dropped the media path with the connection
        data = who.room.frames.seal(kind, stream, frame, self.w.now)
        if data is None:
            self.withheld[who.label] += 1
            return
        if kind == "audio":
            self.last[who.label] = data
        for other in self.w.people:
            if other is not who and other.session.inside and self.passes(who, other):
                self.deliver(other, who, kind, data)

    def deliver(self, to: Participant, sender: Participant, kind: clear_header.Kind, data: bytes) -> None:
        """A frame on the stream of `sender`, whoever made it."""
        ssrc = ssrc_of(sender) + (kind == "video")
        self.w._after(
            self.w.random.uniform(0, self.w.latency),
            lambda: self._receive(to, sender, ssrc, kind, data, self.w.now),
        )

    def _receive(
        self,
        to: Participant,
        sender: Participant,
        ssrc: int,
        kind: clear_header.Kind,
        data: bytes,
        since: float,
    ) -> None:
        if not to.alive or to.ended or ev.ROOM not in to.links:
            return
        try:
            to.room.frames.open(ssrc, kind, data, self.w.now)
        except FutureEpochError:
            if self.w.now < since + 2.5:  # held, and tried again less and less often
                again = max(0.1, self.w.now - since)
                self.w._after(again, lambda: self._receive(to, sender, ssrc, kind, data, since))
        except MissingKeyError:
            pass  # of an epoch that is over here
        except SnugCryptoError:
            self.refused[to.label, sender.label] += 1
        else:
            self.opened[to.label, sender.label] += 1


def meeting(seed: int, *names: str) -> tuple[World, Media, list[Participant]]:
    w = World(seed)
    people = w.meeting(*names)
    media = Media(w)
    media.join(*people)
    w.run(4)
    media.withheld.clear()  # before they were in step
    return w, media, people


class Mallory:
    """A member with a friend at the server: seals under anybody's key id, and gets it onto any stream."""

    def __init__(self, w: World, media: Media, who: Participant) -> None:
        self.w = w
        self.media = media
        self.who = who

    def seal(self, leaf: int, counter: int, frame: bytes = b"I resign") -> bytes:
        keys: Any = self.who.room.m.media._sending(self.w.now).keys
        return bytes(keys.key(keys.kid(leaf, 0)).encrypt(counter, clear_header.metadata("audio", b""), frame))

    def speaks_as(self, victim: Participant, to: Participant, *, counter: int) -> None:
        self.media.deliver(to, victim, "audio", self.seal(leaf_of(victim), counter))


def counter_of(sealed: bytes) -> int:
    return Header.decode(sealed).counter


def lists_in(who: Participant, message: object) -> FrameList | None:
    """The list that a message of the server carries, read with a member's keys."""
    if isinstance(message, wire.Broadcasted):
        for epoch in signing(who)._epochs.values():
            try:
                return FrameList.decode(envelope.open(epoch.key, "signatures", who.room.m.room, message.blob))
            except SnugCryptoError:
                continue
    return None


# -- nobody is hostile ---------------------------------------------------------------------------------


def test_honest_media_with_five_percent_lost_gives_no_alarm() -> None:
    w, media, people = meeting(1, "Ada", "Bo", "Cem")
    media.passes = lambda sender, receiver: w.random.random() >= 0.05
    w.run(30)
    for who in people:
        assert of_media(who) == []
        assert signing(who).refused == 0
        for other in people:
            if other is not who:
                assert media.opened[who.label, other.label] > 30 * 65 * 0.9
                assert signing(who)._checkers[leaf_of(other)].unlisted(w.now) < 1.0
    assert not media.refused
    assert not media.withheld


def test_people_come_go_heal_and_are_removed_and_nobody_is_alarmed() -> None:
    w, media, people = meeting(2, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    media.passes = lambda sender, receiver: w.random.random() >= 0.05
    dana = w.guest(w.link_of(ada), "Dana")
    eve = w.guest(w.link_of(ada), "Eve")
    w.until(lambda: w.agreed([*people, dana, eve]))
    media.join(dana, eve)
    w.run(5)
    for _ in range(3):
        bo.room.queue(HealIntent(bo.room.m.group.epoch), w.now)
        w.run(1)
    w.do(ada, ev.Remove(leaf_of(cem)))
    w.until(lambda: cem.ended is not None)
    w.run(3)
    w.do(dana, ev.Leave())
    w.until(lambda: w.agreed([ada, bo, eve]))
    w.run(30)
    assert media.opened["Eve", "Bo"] > 1500, "and newcomers hear everybody"
    assert [of_media(p) for p in w.people] == [[]] * 5
    assert sum(media.refused.values()) == 0


def test_connections_break_and_servers_restart_and_nobody_is_alarmed() -> None:
    for seed in seeds(range(3)):
        w, media, people = meeting(100 + seed, "Ada", "Bo", "Cem", "Dana")
        chance = random.Random(seed)
        for _ in range(8):
            victim = chance.choice(people)
            if chance.random() < 0.2:
                w.kill_server()
                w.run(chance.uniform(0.1, 4))
                w.start_server()
            elif ev.ROOM in victim.links:
                w.cut(victim.links[ev.ROOM])
            if chance.random() < 0.4:
                people[0].room.queue(HealIntent(people[0].room.m.group.epoch), w.now)
            w.run(chance.uniform(0.3, 6))
        w.run(10)
        assert [of_media(p) for p in people] == [[]] * 4, seed
        before = media.opened.copy()
        w.run(2)
        assert all(
            media.opened[a.label, b.label] > before[a.label, b.label]
            for a in people
            for b in people
            if a is not b
        )


def test_a_long_absence_of_the_sender_is_no_forgery() -> None:
    """What it could not sign any more when its connection broke, it signs when it is back."""
    w, _media, (ada, bo) = meeting(3, "Ada", "Bo")
    w.down_filter = lambda who, message: not (isinstance(message, wire.Entered) and who is bo)
    w.cut(bo.links[ev.ROOM])
    w.run(6)
    w.down_filter = lambda who, message: True
    w.cut(bo.links[ev.ROOM])
    w.run(15)
    assert of_media(ada) == of_media(bo) == []
    assert signing(ada)._checkers[leaf_of(bo)].unlisted(w.now) < 1.0
    assert len(signing(ada)._checkers[leaf_of(bo)]._unlisted) < 100, "and none of before"
    assert signing(ada).refused == 0, "what is passed on twice is nobody's fault"


def test_a_slow_line_and_one_trouble_after_the_other_alarm_nobody() -> None:
    """Each hop takes up to 0.3 s; these seeds have alarmed once, with less patience at either end."""
    for seed in seeds((2001, 2022)):
        w = World(seed, latency=0.3)
        people = w.meeting("Ada", "Bo", "Cem", "Dana")
        media = Media(w)
        media.join(*people)
        w.run(4)
        media.passes = lambda sender, receiver: w.random.random() >= 0.2
        chance = random.Random(seed)
        for _ in range(10):
            victim, dice = chance.choice(people), chance.random()
            if dice < 0.15:
                w.kill_server()
                w.run(chance.uniform(0.1, 4))
                w.start_server()
            elif dice < 0.6 and ev.ROOM in victim.links:
                w.cut(victim.links[ev.ROOM])
            if chance.random() < 0.5:
                people[0].room.queue(HealIntent(people[0].room.m.group.epoch), w.now)
            w.run(chance.uniform(0.1, 5))
        w.run(10)
        assert [of_media(p) for p in people] == [[]] * 4, seed


def test_what_went_by_around_our_own_reconnect_is_held_against_nobody() -> None:
    w, _, (ada, bo) = meeting(24, "Ada", "Bo")
    w.down_filter = lambda who, message: who is not ada or lists_in(who, message) is None
    w.run(1.4)
    w.cut(ada.links[ev.ROOM])
    w.until(lambda: ada.room.is_synced(w.now), 4)
    w.run(1.4)
    w.down_filter = lambda who, message: True
    w.run(5)
    assert of_media(ada) == []
    w.down_filter = lambda who, message: who is not ada or lists_in(who, message) is None
    w.run(3)
    assert of_media(ada) == ["unverified_media"], "but only around it"
    assert of_media(bo) == []


def test_who_is_connected_and_out_of_step_stops_sealing() -> None:
    w, media, (ada, bo) = meeting(25, "Ada", "Bo")
    media.silent.add("Bo")
    w.run(1)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is not None
    bo.room.is_synced = lambda now: False
    w.run(0.9)
    assert signing(bo).pause_reason(w.now) is None
    w.run(0.3)
    assert signing(bo).pause_reason(w.now) is not None
    assert of_media(ada) == []


def test_a_leaf_in_doubt_is_not_the_next_one_who_sits_there() -> None:
    w, _, (ada, bo, cem) = meeting(26, "Ada", "Bo", "Cem")
    leaf = leaf_of(bo)
    signing(cem)._checker(leaf).doubt = "forged"
    w.do(ada, ev.Remove(leaf))
    w.until(lambda: bo.ended is not None)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]))
    assert leaf_of(dana) == leaf
    assert signing(cem)._checker(leaf).doubt is None


def test_who_can_sign_nothing_seals_nothing() -> None:
    w, _media, (ada, bo) = meeting(4, "Ada", "Bo")
    w.kill_server()
    w.run(0.1)
    for _ in range(100):
        bo.room.frames.seal("audio", 0, SOUND, w.now)
        w.run(0.05)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is None
    reason = signing(bo).pause_reason(w.now)
    assert reason is not None
    assert reason.startswith("Sound and pictures wait")
    w.start_server()
    w.run(5)
    assert bo.room.frames.seal("audio", 0, SOUND, w.now) is not None
    assert of_media(ada) == []


# -- Mallory ---------------------------------------------------------------------------------------------


def test_mallory_speaks_in_bos_place_and_is_found_with_bos_next_list() -> None:
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
    assert alarm.text.startswith("Somebody sent sound or pictures in Bo's name.")
    played = media.opened["Ada", "Bo"]
    w.run(10)
    assert swapped > 400
    assert media.opened["Ada", "Bo"] == played, "nothing of hers is played any more"
    media.passes = lambda sender, receiver: True
    w.run(5)
    assert media.opened["Ada", "Bo"] > played + 5 * 65 * 0.8, "and Bo's own is, once signed"
    assert of_media(ada) == ["forged_media"], "one alarm, not many"
    assert of_media(bo) == of_media(cem) == []


def test_mallory_speaks_while_bo_is_held_back() -> None:
    """Counters that Bo hasn't come to: its later lists name its own frames there."""
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
        cem.room.queue(HealIntent(cem.room.m.group.epoch), w.now)
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
    m, key, hers = cem.room.m, SigningKey(bytes(32)), dict[int, Signer]()
    counter = counter_of(media.last["Bo"]) + 1
    for n in range(200):
        sealed = mallory.seal(leaf_of(bo), counter + n)
        kid = Header.decode(sealed).kid
        epoch = signing(cem)._epoch_of(kid)
        assert epoch is not None
        if epoch.slot not in hers:
            vouched = m.sign(MEDIA_KEY_LABEL, certified(epoch.scope, leaf_of(bo), key.public))
            hers[epoch.slot] = Signer(leaf_of(bo), epoch.scope, key, vouched)
            hers[epoch.slot]._next = 1000  # a number that Bo has not come to
        hers[epoch.slot].add(kid, counter + n, sealed, w.now)
        media.deliver(ada, bo, "audio", sealed)
        if n % 20 == 19:
            for made in hers[epoch.slot].take():
                cem.room.broadcast(envelope.seal(epoch.key, "signatures", m.room, epoch.slot, made, BUCKETS))
        w.run(0.02)
    assert of_media(ada) == ["unverified_media"]
    assert signing(ada).refused >= 7, "counted, and no alarm for each"


def test_mallory_spoils_no_list_of_bos() -> None:
    """Her lists in Bo's name, ahead of his numbers, do not make his look old."""
    w, _media, (ada, bo, cem) = meeting(10, "Ada", "Bo", "Cem")
    room, epoch = cem.room, list(signing(cem)._epochs.values())[-1]
    key = SigningKey(bytes(32))
    for number in range(1000, 1100):
        forged = FrameList(leaf_of(bo), number, key.public, bytes(64), (Run(5, 0, bytes(16)),))
        made = forged.signed(epoch.scope, key)
        room.broadcast(envelope.seal(epoch.key, "signatures", room.m.room, epoch.slot, made, BUCKETS))
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
    cem.room.queue(HealIntent(cem.room.m.group.epoch), w.now)
    w.run(4)
    before = media.opened["Ada", "Bo"]
    for sealed in kept:
        media.deliver(ada, bo, "audio", sealed)
        w.run(0.02)
    assert media.opened["Ada", "Bo"] == before, "the keys of that epoch are gone"
    assert of_media(ada) == []


def test_the_server_holds_back_one_members_lists_and_gives_them_back() -> None:
    w, media, (ada, bo, cem) = meeting(12, "Ada", "Bo", "Cem")

    def drop(who: Participant, message: object) -> bool:
        heard = lists_in(who, message) if who is ada else None
        return heard is None or heard.leaf != leaf_of(bo)

    w.down_filter = drop
    took = w.until(lambda: bool(of_media(ada)), 5)
    assert 1.5 <= took <= 2.6
    (alarm,) = (e for e in ada.told if isinstance(e, ev.Alarm))
    assert alarm.kind == "unverified_media"
    assert "in the name of Bo are theirs" in alarm.text
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
    assert 10 <= w.now - began <= 14
    assert of_media(ada) == ["unverified_media"]


def test_lists_of_several_that_do_not_come_are_one_alarm() -> None:
    w, media, people = meeting(13, "Ada", "Bo", "Cem", "Dana")
    ada = people[0]
    media.passes = lambda sender, receiver: False
    w.run(2)
    w.down_filter = lambda who, message: who is not ada or lists_in(who, message) is None
    media.passes = lambda sender, receiver: True
    w.run(4)
    alarms = [e.text for e in ada.told if isinstance(e, ev.Alarm)]
    assert len(alarms) <= 2
    assert all(any(name in text for text in alarms) for name in ("Bo", "Cem", "Dana"))


def test_a_newcomer_is_not_deceived_either() -> None:
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
    bo.room.queue(HealIntent(bo.room.m.group.epoch), w.now)
    w.run(1.6)
    assert late
    waiting = len(signing(ada)._early)
    assert waiting >= 1
    w.down_filter = lambda who, message: True
    w._feed(ada, ev.Received(ev.ROOM, late[0]))
    assert not signing(ada)._early
    newest = list(signing(ada)._epochs.values())[-1]
    checker = signing(ada)._checkers[leaf_of(bo)]
    assert checker._epochs[newest.number].number >= 0, "heard when the keys were there"
    w.run(5)
    assert of_media(ada) == []


def test_the_epochs_key_is_told_to_all_a_minute_later() -> None:
    w, _media, (ada, bo, cem) = meeting(16, "Ada", "Bo", "Cem")
    w.run(1)
    old = list(signing(bo)._epochs.values())[-1]
    assert old.signer is not None
    public = SigningKey(old.signer.secret).public
    told: list[content.MediaSecret] = []
    feature = signing(ada)
    hear = feature.content_received

    def listen(received: Any, what: content.AnyContent, now: float) -> bool:
        if isinstance(what, content.MediaSecret) and received.sender == leaf_of(bo):
            told.append(what)
        return hear(received, what, now)

    feature.content_received = listen  # type: ignore[method-assign]  # listens in
    began = w.now
    cem.room.queue(HealIntent(cem.room.m.group.epoch), w.now)
    for _ in range(int(PUBLISH_AFTER) - 2):
        signing(bo)._publish_at = 0.0  # whatever it has told meanwhile
        w.run(1)
    assert public not in {SigningKey(s).public for what in told for s in what.secrets}
    w.until(lambda: public in {SigningKey(s).public for what in told for s in what.secrets}, 64)
    assert w.now - began <= 2 * PUBLISH_AFTER + 2
    assert signing(bo)._epochs.get(old.slot) is None
    # whoever was told it can make lists under it; nobody believes them
    refused, epoch = signing(ada).refused, list(signing(ada)._epochs.values())[-1]
    key = SigningKey(old.signer.secret)
    vouched = bo.room.m.sign(MEDIA_KEY_LABEL, certified(old.scope, leaf_of(bo), public))
    forged = FrameList(leaf_of(bo), 10_000, public, vouched, (Run(5, 0, digest(b"invented")),))
    blob = envelope.seal(
        old.key, "signatures", cem.room.m.room, old.slot, forged.signed(old.scope, key), BUCKETS
    )
    assert not feature.broadcast_received(blob, w.now), "of an epoch that is over"
    blob = envelope.seal(
        epoch.key, "signatures", cem.room.m.room, epoch.slot, forged.signed(old.scope, key), BUCKETS
    )
    assert feature.broadcast_received(blob, w.now)
    assert signing(ada).refused == refused + 1
    assert of_media(ada) == []


def test_the_last_list_of_an_epoch_goes_out_with_the_next_ones_first_frame() -> None:
    w, _, (_, bo) = meeting(27, "Ada", "Bo")
    before = list(signing(bo)._epochs.values())[-1]
    bo.room.queue(HealIntent(bo.room.m.group.epoch), w.now)

    def moved() -> bool:
        newest = list(signing(bo)._epochs.values())[-1]
        return newest is not before and newest.signer is not None and newest.signer.oldest is not None

    assert before.signer is not None
    w.until(lambda: before.signer.oldest is not None, 1)  # type: ignore[union-attr]  # it is there
    before.signer.oldest = w.now + 60  # by the clock it would not be due
    w.until(moved, 3)
    w.run(0.15)
    assert before.signer.oldest is None


def test_what_was_not_signed_when_the_connection_broke_is_signed_at_once_when_it_is_back() -> None:
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


def test_a_key_that_has_signed_nothing_is_not_told() -> None:
    w, _, (_, bo) = meeting(29, "Ada", "Bo")
    epoch = list(signing(bo)._epochs.values())[-1]
    assert epoch.signer is not None
    epoch.signer._next = 0  # all its lists were lost with the connection
    signing(bo)._end(epoch, w.now)
    assert epoch.signer.secret not in {secret for _, secret in signing(bo)._secrets}


def test_a_key_that_nobody_saw_is_not_told() -> None:
    w = World(17)
    ada, bo = w.meeting("Ada", "Bo")
    said: list[content.AnyContent] = []
    feature = signing(ada)

    def listen(received: Any, what: content.AnyContent, now: float) -> bool:
        said.append(what)
        return False

    feature.content_received = listen  # type: ignore[method-assign]  # listens in
    for _ in range(4):
        bo.room.queue(HealIntent(bo.room.m.group.epoch), w.now)
        w.run(30)
    assert not any(isinstance(what, content.MediaSecret) for what in said)


def test_a_key_told_too_early_signs_nothing_any_more() -> None:
    w, _media, (ada, bo) = meeting(18, "Ada", "Bo")
    epoch = list(signing(bo)._epochs.values())[-1]
    assert epoch.signer is not None
    bo.room.relay(content.MediaSecret([epoch.signer.secret]))
    w.run(4)
    assert of_media(ada) == ["unverified_media"], "anybody could have made Bo's lists"


def test_one_cannot_tell_anothers_key_away() -> None:
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
        blob = envelope.seal(epoch.key, "signatures", ada.room.m.room, epoch.slot, payload, BUCKETS)
        assert signing(ada).broadcast_received(blob, w.now)
    assert signing(ada).refused == 4
    for blob in (bytes(512), b"", b"\xff" * 512, epoch.slot.to_bytes(8, "big") + bytes(504)):
        assert not signing(ada).broadcast_received(blob, w.now), "not for this feature"
    for n in range(1000):
        assert not signing(ada).broadcast_received((10**6 + n).to_bytes(8, "big") + bytes(504), w.now)
    assert len(signing(ada)._early) <= 64
    assert of_media(ada) == []


def test_what_is_shown_of_epochs_and_signers_holds_no_key() -> None:
    _w, _media, (_ada, bo) = meeting(21, "Ada", "Bo")
    for epoch in signing(bo)._epochs.values():
        assert epoch.signer is not None
        for secret in (epoch.key, epoch.signer.secret):
            assert secret.hex() not in repr(epoch) + repr(epoch.signer)
            assert repr(secret) not in repr(epoch) + repr(epoch.signer)


# -- through the media engine's receiver ---------------------------------------------------------------------


def test_a_receiver_holds_what_is_not_signed_yet_and_loses_nothing() -> None:
    """In doubt: sound comes half a second late, all of it, in order; Mallory's never."""
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


def test_a_receiver_gives_up_on_what_nobody_signs() -> None:
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
