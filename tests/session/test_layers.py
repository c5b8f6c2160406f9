"""Simulcast: any layer counts as the stream, no layer is missed, and none shows the past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.features.signing import Signing
from snugroom.crypto.errors import (
    AuthenticationError,
    MissingKeyError,
    ReplayError,
    SnugError,
    ValidationError,
)
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame, Stream, layer_stream
from snugroom.crypto.media.signatures import UnverifiedFrameError
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client

SOUND = b"s" * 60
PICTURE = b"\x11" * 300
LAYERS = (0, 1, 2)


def ssrc_of(who: Participant) -> int:
    """The SSRC of sound; video has the next one, and its larger layers those after it."""
    return 1000 + 10 * ord(who.label[0])


def trouble(who: Participant) -> list[str]:
    return [kind for kind in who.alarms if kind in ("forged_media", "unverified_media", "not_reaching")]


class Camera:
    """Everybody sends sound and three layers of video; the server forwards to each the layer in `picks`.

    `kept` holds all that has been sealed of somebody's layer: when, and what. `passes(kind, receiver)` and
    `lets(sender, receiver)`: False drops a frame.
    """

    SOUND_EVERY = 0.04
    VIDEO_EVERY = 1 / 15

    def __init__(self, w: World, people: list[Participant]) -> None:
        self.w = w
        self.picks: dict[str, int] = {}
        self.kept: dict[tuple[str, int], list[tuple[float, bytes]]] = {}
        self.passes: Callable[[str, Participant], bool] = lambda kind, receiver: True
        self.lets: Callable[[Participant, Participant], bool] = lambda sender, receiver: True
        self.opened: Counter[tuple[str, int]] = Counter()  # (receiver, stream number)
        self.refused: list[SnugError] = []
        for who in people:
            ssrc = ssrc_of(who)
            streams = ((ssrc, "audio", 0), (ssrc + 1, "video", 1))
            layers = {ssrc + 1: (ssrc + 2, ssrc + 3)}
            w.do(who, ev.Publish("ufrag", "p" * 22, bytes(32), streams, layers))  # type: ignore[arg-type]  # literals
            w._every(self.SOUND_EVERY, lambda who=who: self._sound(who))  # type: ignore[misc]
            w._every(self.VIDEO_EVERY, lambda who=who: self._pictures(who))  # type: ignore[misc]

    def _sound(self, who: Participant) -> None:
        data = who.room.frames.seal("audio", 0, SOUND, self.w.now)
        if data is not None:
            self._forward(who, "audio", data)

    def _pictures(self, who: Participant) -> None:
        for layer in LAYERS:
            data = who.room.frames.seal("video", layer_stream(Stream.VIDEO, layer), PICTURE, self.w.now)
            if data is not None:
                self.kept.setdefault((who.label, layer), []).append((self.w.now, data))
                self._forward(who, "video", data, layer)

    def _forward(self, who: Participant, kind: Kind, data: bytes, layer: int | None = None) -> None:
        for other in self.w.people:
            due = other is not who and other.session.inside and self.lets(who, other)
            if due and layer in (None, self.picks.get(other.label, 0)) and self.passes(kind, other):
                self.give(other, who, kind, data)

    def give(self, to: Participant, sender: Participant, kind: Kind, data: bytes) -> None:
        """Deliver a frame under the SSRC of the sender's stream, as the server writes it."""
        since = self.w.now
        self.w._after(0.01, lambda: self._receive(to, sender, kind, data, since))

    def _receive(self, to: Participant, sender: Participant, kind: Kind, data: bytes, since: float) -> None:
        held = self.w.now - since
        again = self.w.now + max(0.1, held)  # less and less often

        def then(opened: OpenedFrame | SnugError) -> None:
            match opened:
                case FutureEpochError():
                    if held < 2.5:
                        self.w._at(again, partial(self._receive, to, sender, kind, data, since))
                case MissingKeyError():
                    pass  # of an epoch that is over here, or was before it came in
                case SnugError():
                    self.refused.append(opened)
                case OpenedFrame(stream=stream):
                    self.opened[to.label, stream] += 1

        self.w.open(to, ssrc_of(sender) + (kind == "video"), kind, data, then)

    def show_again(self, to: Participant, sender: Participant, layer: int, since: float, until: float) -> int:
        """Deliver a layer's frames of that time once more; how many the receiver opens."""
        number = layer_stream(Stream.VIDEO, layer)
        before = self.opened[to.label, number]
        for at, data in self.kept[sender.label, layer]:
            if since <= at < until:
                self.give(to, sender, "video", data)
        self.w.run(3)
        return self.opened[to.label, number] - before


def meeting(seed: int, *names: str) -> tuple[World, Camera, list[Participant]]:
    w = World(seed)
    people = w.meeting(*names)
    camera = Camera(w, people)
    w.run(4)
    camera.refused.clear()  # before they were in step
    return w, camera, people


def test_whoever_gets_one_layer_misses_nothing() -> None:
    w, camera, people = meeting(2901, "Ada", "Bo", "Cem")
    camera.picks = {"Ada": 0, "Bo": 1, "Cem": 2}
    w.run(1)
    before = camera.opened.copy()
    w.run(60)
    seen = camera.opened - before
    assert {who: {n for (to, n) in seen if to == who} for who in ("Ada", "Bo", "Cem")} == {
        "Ada": {0, 1},
        "Bo": {0, 4},
        "Cem": {0, 5},
    }
    assert all(seen[who, number] > 2 * 60 * 15 * 0.95 for who, number in (("Ada", 1), ("Bo", 4), ("Cem", 5)))
    assert [trouble(p) for p in people] == [[]] * 3
    assert camera.refused == []


def test_a_member_without_any_layer_hears_once_that_video_does_not_come() -> None:
    w, camera, (ada, bo) = meeting(2902, "Ada", "Bo")
    w.run(20)
    camera.passes = lambda kind, receiver: not (receiver is bo and kind == "video")
    w.until(lambda: "not_reaching" in bo.alarms, 40)
    w.run(20)
    told = [e.text for e in bo.told if isinstance(e, ev.Alarm) and e.kind == "not_reaching"]
    assert len(told) == 1
    assert "\u201cAda\u201d's video" in told[0]
    assert trouble(ada) == ["not_reaching"]


def test_layers_change_in_mid_stream_and_frames_are_lost_and_nothing_is_refused() -> None:
    w, camera, people = meeting(2903, "Ada", "Bo")
    camera.passes = lambda kind, receiver: w.random.random() >= 0.05
    for _ in range(150):
        camera.picks = {who: w.random.choice(LAYERS) for who in ("Ada", "Bo")}
        w.run(w.random.uniform(0.05, 0.7))
    assert camera.refused == []
    assert [trouble(p) for p in people] == [[]] * 2
    assert all(camera.opened[who, n] > 100 for who in ("Ada", "Bo") for n in (1, 4, 5))


def test_keys_change_and_people_come_while_layers_change() -> None:
    w, camera, people = meeting(2904, "Ada", "Bo")
    for name in ("Cem", "Dana", "Eve"):
        who = w.guest(w.link_of(people[0]), name)
        people.append(who)
        w.until(lambda: w.agreed(people), why="everybody in")
        w.do(who, ev.Publish("ufrag", "p" * 22, bytes(32), ()))
        for _ in range(12):
            camera.picks = {p.label: w.random.choice(LAYERS) for p in people}
            w.run(0.4)
    assert camera.refused == []
    assert [trouble(p) for p in people] == [[]] * 5


def test_a_server_that_changes_layers_does_not_show_the_past_again() -> None:
    """Bo must not be shown in large what he has seen in small before."""
    w, camera, (ada, bo) = meeting(2905, "Ada", "Bo")
    began = w.now
    w.run(5)
    ended = w.now
    camera.picks["Bo"] = -1
    camera.refused.clear()
    # two lists ago: a second, and what was still unlisted then
    again = camera.show_again(bo, ada, 1, began, ended - 2.0)
    assert again == 0
    assert {type(error) for error in camera.refused} == {ReplayError}
    # it is the past that is refused, not the layer
    camera.picks["Bo"] = 1
    before = camera.opened["Bo", 4]
    w.run(2)
    assert camera.opened["Bo", 4] - before >= 28
    assert camera.show_again(bo, ada, 2, began, ended) == 0
    assert trouble(bo) == []


def test_around_a_reconnect_the_past_waits_for_a_list_that_does_not_come() -> None:
    """Bo missed lists while he was away, and can't tell how old a frame is: he is not shown it at all."""
    w, camera, (ada, bo) = meeting(2906, "Ada", "Bo")
    w.run(3)
    w.down_filter = lambda who, message: who is not bo
    began = w.now
    w.run(1.6)
    w.cut(bo.links[ev.ROOM])
    w.down_filter = lambda who, message: True
    w.until(lambda: bo.room.is_synced(w.now), 6)
    ended = w.now
    w.run(3)
    assert camera.show_again(bo, ada, 1, began, ended - 1.0) == 0
    camera.picks["Bo"] = 1
    w.run(2)
    assert camera.opened["Bo", 4] > 20


def test_layers_belong_to_video_that_was_announced() -> None:
    w = World(2907)
    ada, bo = w.meeting("Ada", "Bo")
    streams = ((100, "audio", 0), (101, "video", 1))
    w.do(ada, ev.Publish("ufrag", "p" * 22, bytes(32), streams))  # type: ignore[arg-type]  # literals
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), ((200, "audio", 0),)))
    w.run(5)

    def send(sender: Participant, stream: int, to: Participant, ssrc: int) -> int:
        data = sender.room.frames.seal("video", stream, PICTURE, w.now)
        assert data is not None
        opened: int = to.room.frames.open(ssrc, "video", data, w.now).stream
        return opened

    assert [send(ada, n, bo, 101) for n in (1, 4, 5)] == [1, 4, 5]
    for number in (3, 6, 7):  # of a screen, which she doesn't share
        with pytest.raises(ValidationError, match="another than it was announced"):
            send(ada, number, bo, 101)
    with pytest.raises(ValidationError, match="another than it was announced"):
        send(ada, 4, bo, 100)
    for number in (1, 4, 5):
        with pytest.raises(ValidationError):  # Bo has announced no camera
            send(bo, number, ada, 200)
        with pytest.raises(AuthenticationError, match="our own"):
            send(ada, number, ada, 200)


def test_a_layer_is_not_announced_by_itself() -> None:
    """A member that names a layer as its stream has announced nothing that frames could be of."""
    w = World(2908)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.Publish("ufrag", "p" * 22, bytes(32), ((101, "video", 4),)))
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), ()))
    w.run(5)
    for number in (1, 4):
        data = ada.room.frames.seal("video", number, PICTURE, w.now)
        assert data is not None
        with pytest.raises(ValidationError, match="another than it was announced"):
            bo.room.frames.open(101, "video", data, w.now)


# -- sizes are asked for -----------------------------------------------------------------------------------


def wants(w: World) -> list[tuple[float, str, object, list[int]]]:
    """Record all subscriptions from here on: when, who, which streams, and the largest layers."""
    told: list[tuple[float, str, object, list[int]]] = []
    real = w._ascend

    def ascend(link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if isinstance(message, wire.Subscribe):
            told.append((w.now, link.who.label, message.ssrcs, message.max_layers))
        real(link, frame)

    w._ascend = ascend  # type: ignore[method-assign]
    return told


def test_sizes_are_told_with_all_streams_and_all_are_still_wanted() -> None:
    w, camera, (ada, bo) = meeting(2909, "Ada", "Bo")
    told = wants(w)
    w.do(bo, ev.SelectStreams(None, {ssrc_of(ada) + 1: 1}))
    w.run(1)
    everything = [ssrc_of(ada), ssrc_of(ada) + 1]
    assert [row[1:] for row in told] == [("Bo", everything, [2, 1])]
    w.do(bo, ev.SelectStreams(None, {ssrc_of(ada) + 1: 2}))
    w.run(1)
    assert [row[1:] for row in told[1:]] == [("Bo", None, [])], "the largest of all is how it began"
    # a member that subscribes to sizes still hears when nothing comes
    w.do(bo, ev.SelectStreams(None, {ssrc_of(ada) + 1: 0}))
    w.run(20)
    camera.passes = lambda kind, receiver: not (receiver is bo and kind == "video")
    w.until(lambda: "not_reaching" in bo.alarms and "not_reaching" in ada.alarms, 50)


def test_a_subscriber_to_fewer_hears_when_its_streams_do_not_come() -> None:
    w, camera, people = meeting(2917, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    # as the page does in a large room: all sound, and the videos that are shown
    w.do(bo, ev.SelectStreams((ssrc_of(ada), ssrc_of(cem), ssrc_of(cem) + 1)))
    camera.passes = lambda kind, receiver: not (receiver is bo and kind == "video")
    w.until(lambda: "not_reaching" in bo.alarms, 60)
    w.run(30)
    told = [e.text for e in bo.told if isinstance(e, ev.Alarm) and e.kind == "not_reaching"]
    assert len(told) == 1
    assert "\u201cCem\u201d's video" in told[0]
    assert "Ada's" not in told[0], "which were not asked for"
    assert trouble(ada) == trouble(cem) == [], "who can't know what Bo asked for"
    camera.passes = lambda kind, receiver: True
    camera.lets = lambda sender, receiver: not (sender is ada and receiver is bo)
    w.until(lambda: bo.alarms.count("not_reaching") == 2, 60)
    told = [e.text for e in bo.told if isinstance(e, ev.Alarm) and e.kind == "not_reaching"]
    assert "\u201cAda\u201d's sound" in told[1]
    assert "\u201cAda\u201d's sound and" not in told[1]


def test_sizes_of_streams_without_layers_are_not_told() -> None:
    w = World(2910)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.Publish("ufrag", "p" * 22, bytes(32), ((101, "video", 1),)))
    w.do(bo, ev.Publish("ufrag", "p" * 22, bytes(32), ()))
    w.run(3)
    told = wants(w)
    w.do(bo, ev.SelectStreams(None, {101: 0}))
    w.run(2)
    assert told == []


def test_a_subscription_to_all_covers_newcomers() -> None:
    w, _camera, people = meeting(2911, "Ada", "Bo")
    ada, bo = people
    w.do(bo, ev.SelectStreams(None, {ssrc_of(ada) + 1: 0}))
    w.run(1)
    told = wants(w)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([*people, cem]))
    Camera(w, [cem])
    w.until(lambda: bool(told), 5)
    assert told[0][2] == [ssrc_of(ada), ssrc_of(ada) + 1, ssrc_of(cem), ssrc_of(cem) + 1]
    assert told[0][3] == [2, 0, 2, 2]


def test_a_window_that_is_dragged_larger_asks_twice_a_second_and_the_last_word_counts() -> None:
    w, _, (ada, bo) = meeting(2912, "Ada", "Bo")
    told = wants(w)
    began, tops = w.now, []
    for step in range(100):
        tops.append(step % 2)
        w.do(bo, ev.SelectStreams((ssrc_of(ada) + 1,), {ssrc_of(ada) + 1: step % 2}))
        w.run(0.03)
    w.run(2)
    assert told[0][0] == began, "the first goes out at once"
    gaps = [b[0] - a[0] for a, b in pairwise(told)]
    assert min(gaps) >= 0.5 - 1e-6
    assert len(told) >= 4
    assert told[-1][3] == [tops[-1]]


def test_a_subscription_is_repeated_with_its_layers() -> None:
    w, _, (ada, bo) = meeting(2913, "Ada", "Bo")
    ssrc = ssrc_of(ada) + 1
    w.do(bo, ev.SelectStreams((ssrc,), {ssrc: 1}))
    w.run(1)
    told = wants(w)
    w.cut(bo.links[ev.ROOM])
    w.run(4)
    assert [row[1:] for row in told] == [("Bo", [ssrc], [1])]


def test_there_are_three_layers() -> None:
    w, _, (_ada, bo) = meeting(2914, "Ada", "Bo")
    told = wants(w)
    for top in (-1, 3):
        with pytest.raises(ValueError, match="0 to 2"):
            w.do(bo, ev.SelectStreams(None, {1: top}))
    w.run(1)
    assert told == []


# -- what is kept ------------------------------------------------------------------------------------------


def test_lists_name_all_layers() -> None:
    w, _, (ada, bo) = meeting(2915, "Ada", "Bo")
    w.run(4)
    signing = bo.room.feature(Signing)
    assert isinstance(signing, Signing)
    leaf = ada.session.own_leaf
    assert leaf is not None
    epochs = signing._checkers[leaf]._epochs
    assert len(epochs[max(epochs)].heard) == 4, "sound, and three layers"
    assert set(epochs[max(epochs)].sequences) == {Stream.AUDIO, Stream.VIDEO}, "in lists of their own"
    assert signing.refused == 0


def test_a_frame_that_no_list_can_place_waits() -> None:
    w, _, (ada, bo) = meeting(2916, "Ada", "Bo")
    w.run(2)
    signing = bo.room.feature(Signing)
    assert isinstance(signing, Signing)
    leaf = ada.session.own_leaf
    assert leaf is not None
    for heard in signing._checkers[leaf]._epochs[ada.room.membership.group.epoch].heard.values():
        heard.torn = True
    data = ada.room.frames.seal("video", layer_stream(Stream.VIDEO, 2), PICTURE, w.now)
    assert data is not None
    ssrc = ssrc_of(ada) + 1
    with pytest.raises(UnverifiedFrameError):
        bo.room.frames.open(ssrc, "video", data, w.now)
    w.run(0.6)
    assert bo.room.frames.open(ssrc, "video", data, w.now).stream == 5
