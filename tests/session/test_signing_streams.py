"""Lists of media signatures go to the receivers of the stream that they name, and to nobody else.

A member that changes what it watches blames nobody. A server that withholds the lists of one stream, sends
those of another, or sends none at all, gains nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest

from snugroom.client.session import events as ev
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import Stream
from snugroom.crypto.media.signatures import FrameList
from snugroom.crypto.media.verifier import GRACE, RECOVERY
from snugroom.lab.simulation.world import Participant, World
from snugroom.server.rooms.effects import MediaLeave, MediaSubscribe
from snugroom.wire import messages as wire
from tests.session.seeds import seeds
from tests.session.signed_media import Media, leaf_of, lists_in, of_media, signing, ssrc_of


@dataclass
class Forwarding(Media):
    """An SFU that forwards only the streams that a member has asked for.

    `uplink`: the seconds that a frame takes to it, at most. `renumbered`: other SSRCs of members' videos, by
    label. `video_of` counts the frames of video forwarded.
    """

    uplink: float = 0.0
    renumbered: dict[str, int] = field(default_factory=dict)
    wanted: dict[bytes, tuple[int, ...] | None] = field(default_factory=dict)
    video_of: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        perform = self.w._server

        def server(effects: Sequence[object]) -> None:
            for effect in effects:
                if isinstance(effect, MediaSubscribe):
                    self.wanted[effect.handle] = effect.ssrcs
                elif isinstance(effect, MediaLeave):
                    self.wanted.pop(effect.handle, None)
            perform(effects)

        self.w._server = server  # type: ignore[method-assign]

    def deliver(self, to: Participant, sender: Participant, kind: clear_header.Kind, data: bytes) -> None:
        ssrc = ssrc_of(sender)
        if kind == "video":
            ssrc = self.renumbered.get(sender.label, ssrc + 1)
        forward = partial(self._forward, to, sender, kind, data, ssrc)
        self.w._after(self.w.random.uniform(0, self.uplink), forward)

    def _forward(
        self, to: Participant, sender: Participant, kind: clear_header.Kind, data: bytes, ssrc: int
    ) -> None:
        link = to.links.get(ev.ROOM)
        wanted = None if link is None else self.wanted.get(link.handle)
        if wanted is None or ssrc in wanted:
            self.video_of[to.label, sender.label] += kind == "video"
            super().deliver(to, sender, kind, data)


def is_python(who: Participant) -> bool:
    """Whether a member is of this program: tests/web plays these meetings with pages among the members."""
    return type(who.session).__module__.startswith("snugroom.")


def lists_of(w: World, message: object) -> FrameList | None:
    """The list in a message of the server, read with the keys of any member."""
    return lists_in(next(who for who in w.people if is_python(who)), message)


def meeting(
    seed: int, *names: str, latency: float = 0.02
) -> tuple[World, Forwarding, list[Participant], Counter[tuple[str, int, int]]]:
    """A meeting, its media, its members, and how many lists came, by (receiver, leaf, stream)."""
    w = World(seed, latency=latency)
    people = w.meeting(*names)
    media = Forwarding(w)
    media.join(*people)
    came: Counter[tuple[str, int, int]] = Counter()

    def count(who: Participant, message: object) -> bool:
        heard = lists_of(w, message)
        if heard is not None:
            came[who.label, heard.leaf, heard.stream] += 1
        return True

    w.down_filter = count
    w.run(4)
    came.clear()
    return w, media, people, came


def shows(w: World, who: Participant, others: Sequence[Participant], *videos: Participant) -> None:
    """Ask for the sound of all others and the video of some, as a page with many members does."""
    wanted = [ssrc_of(other) for other in others] + [ssrc_of(shown) + 1 for shown in videos]
    w.do(who, ev.SelectStreams(tuple(wanted)))


def only(w: World, keep: object) -> None:
    """Let the server drop lists of frames for which `keep(receiver, list)` is false."""

    def passes(who: Participant, message: object) -> bool:
        heard = lists_of(w, message)
        return heard is None or bool(keep(who, heard))  # type: ignore[operator]

    w.down_filter = passes


def test_a_member_gets_the_lists_of_the_streams_that_it_watches() -> None:
    w, media, (ada, bo, cem), came = meeting(1, "Ada", "Bo", "Cem")
    shows(w, ada, [bo, cem], bo)
    w.run(4)
    came.clear()
    w.run(10)
    got = {(leaf, stream): n for (label, leaf, stream), n in came.items() if label == "Ada"}
    assert set(got) == {(leaf_of(bo), 0), (leaf_of(bo), 1), (leaf_of(cem), 0)}
    assert all(10 <= n <= 25 for n in got.values())
    everything = {(leaf, stream) for label, leaf, stream in came if label == "Cem"}
    assert everything == {(leaf_of(who), stream) for who in (ada, bo) for stream in (0, 1)}
    assert media.video_of["Ada", "Cem"] < 60, "nothing was forwarded either"
    assert [of_media(who) for who in (ada, bo, cem)] == [[], [], []]


@pytest.mark.parametrize(("latency", "uplink"), [(0.02, 1.0), (0.3, 0.0)])
def test_turning_pages_blames_nobody(latency: float, uplink: float) -> None:
    """Frames and lists take different ways, and a stream ends and begins in the midst of both."""
    for seed in seeds(range(1)):
        w, media, people, _came = meeting(10 + seed, "Ada", "Bo", "Cem", "Dana", latency=latency)
        media.uplink = uplink
        ada, *others = people
        chance = random.Random(seed)
        for _ in range(14):
            shows(w, ada, others, *chance.sample(others, chance.randrange(len(others) + 1)))
            w.run(chance.choice((0.2, 0.6, 1.0, 2.0, 5.0)))
        shows(w, ada, others, *others)
        w.run(5)
        for who in people:
            assert of_media(who) == [], seed
        for other in others if is_python(ada) else ():
            assert signing(ada).refused == 0
            checker = signing(ada)._checkers[leaf_of(other)]
            assert checker.unlisted(w.now) < 1.8
            assert len(checker._unlisted) < 80, "and no frame was left without its list"
        assert not media.refused


def test_cuts_and_new_keys_while_pages_turn_blame_nobody() -> None:
    for seed in seeds(range(1)):
        w, _media, people, _came = meeting(30 + seed, "Ada", "Bo", "Cem")
        ada, *others = people
        chance = random.Random(seed)
        for turn in range(12):
            shows(w, ada, others, *chance.sample(others, chance.randrange(3)))
            victim = chance.choice(people)
            if turn % 3 == 2 and ev.ROOM in victim.links:
                w.cut(victim.links[ev.ROOM])
            if turn == 6:
                dana = w.guest(w.link_of(ada), "Dana")
                w.until(lambda people=people, dana=dana: w.agreed([*people, dana]))  # type: ignore[misc]
                w.do(ada, ev.Remove(leaf_of(dana)))
            w.run(chance.uniform(0.5, 4))
        w.run(8)
        assert [of_media(who) for who in people] == [[], [], []], seed


def test_another_ssrc_of_a_stream_leaves_no_frame_without_its_list() -> None:
    w, media, (ada, bo), came = meeting(50, "Ada", "Bo")
    shows(w, ada, [bo], bo)
    w.run(4.33)
    streams = ((ssrc_of(bo), "audio", 0), (9001, "video", 1))
    media.renumbered["Bo"] = 9001
    came.clear()
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), streams))  # type: ignore[arg-type]  # literals
    w.run(4 + GRACE)
    assert of_media(ada) == []
    assert came["Ada", leaf_of(bo), 1] in (1, 2), "of the frames before; Ada has not asked for the new one"
    assert media.opened["Ada", "Bo"] > 80


# -- a hostile server --------------------------------------------------------------------------------------


def test_the_lists_of_one_stream_are_withheld_and_its_frames_are_not_played() -> None:
    w, media, (ada, bo, cem), _came = meeting(60, "Ada", "Bo", "Cem")
    only(w, lambda who, heard: (who, heard.leaf, heard.stream) != (ada, leaf_of(bo), Stream.VIDEO))
    took = w.until(lambda: bool(of_media(ada)), 8)
    assert 1.5 + GRACE <= took <= 2.6 + GRACE
    assert of_media(ada) == ["unverified_media"]
    w.run(2 * RECOVERY)
    played = media.opened["Ada", "Bo"]
    w.run(10)
    sounds = 10 / media.SOUND_EVERY
    assert 0.88 * sounds <= media.opened["Ada", "Bo"] - played <= 1.12 * sounds, (
        "sound alone, once its lists have come"
    )
    assert not any(isinstance(e, ev.Status) and e.kind == "verified" for e in ada.told)
    assert of_media(ada) == ["unverified_media"], "said once"
    assert of_media(bo) == of_media(cem) == []
    w.down_filter = lambda who, message: True
    w.run(RECOVERY + 2 * GRACE)
    assert any(isinstance(e, ev.Status) and e.kind == "verified" for e in ada.told)


def test_a_stream_that_was_never_listed_is_not_believed_after_a_page_turn() -> None:
    """The server leaves out the lists from the moment on at which Ada asks for the video."""
    w, media, (ada, bo, cem), _came = meeting(61, "Ada", "Bo", "Cem")
    shows(w, ada, [bo, cem])
    w.run(20)
    only(w, lambda who, heard: (who, heard.leaf, heard.stream) != (ada, leaf_of(bo), Stream.VIDEO))
    shows(w, ada, [bo, cem], bo)
    w.run(0.5)
    before = media.video_of["Ada", "Bo"]
    w.run(3 + GRACE)
    assert media.video_of["Ada", "Bo"] > before + 25
    assert of_media(ada) == ["unverified_media"]


def test_lists_of_another_stream_stand_for_none() -> None:
    w, _media, (ada, bo, cem), _came = meeting(62, "Ada", "Bo", "Cem")
    kept: list[wire.Broadcasted] = []

    def swaps(who: Participant, message: object) -> bool:
        heard = lists_of(w, message)
        if who is not ada or heard is None or heard.leaf != leaf_of(bo):
            return True
        assert isinstance(message, wire.Broadcasted)
        if heard.stream == Stream.AUDIO:
            kept.append(message)
            return True
        if kept:  # in place of the video's list
            w._after(0.01, lambda: w._feed(ada, ev.Received(ev.ROOM, kept[-1])))
        return False

    w.down_filter = swaps
    w.run(3 + GRACE)
    assert len(kept) > 5
    assert of_media(ada) == ["unverified_media"]
    if is_python(ada):
        assert signing(ada).refused == 0, "a copy is no fault of its sender"
    assert of_media(cem) == []


def test_lists_that_reach_nobody_are_missed_by_all() -> None:
    w, media, people, _came = meeting(63, "Ada", "Bo", "Cem")
    only(w, lambda who, heard: False)
    before = media.opened.copy()
    w.run(4 + GRACE)
    for who in people:
        assert set(of_media(who)) == {"unverified_media"}
        for other in people:
            if other is not who:
                played = media.opened[who.label, other.label] - before[who.label, other.label]
                assert played <= 2.3 * 35, "two seconds of sound and video"


def test_a_list_names_one_stream_for_the_server_and_in_its_seal() -> None:
    w, _media, (ada, bo), _came = meeting(64, "Ada", "Bo")
    sent: list[tuple[int | None, FrameList]] = []
    ascend = w._ascend

    def look(link: object, frame: bytes) -> None:
        message = wire.decode_client(frame)
        if isinstance(message, wire.Broadcast):
            heard = lists_of(w, wire.Broadcasted(message.blob))
            if heard is not None:
                sent.append((message.ssrc, heard))
        ascend(link, frame)  # type: ignore[arg-type]

    w._ascend = look  # type: ignore[method-assign]
    w.run(3)
    assert {(ssrc, heard.leaf, heard.stream) for ssrc, heard in sent} == {
        (ssrc_of(who) + stream, leaf_of(who), stream) for who in (ada, bo) for stream in (0, 1)
    }
    assert all(len({run.kid for run in heard.runs}) == 1 for _, heard in sent)
