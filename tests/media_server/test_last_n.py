"""In a room of a hundred, each subscriber to nine videos costs nine videos and everybody's sound."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from snugroom.client.media.video_rotation import TURN, turns
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire.messages import HandleStream, Stream
from tests.media_server.forwarding import ROOM, Core

PEOPLE: Final = 100
SEEN: Final = 9
#: In each second: 50 packets of sound, and 15 video frames of two packets.
SOUND, VIDEO_PACKETS = 5, 3


def sound(person: int) -> Stream:
    return Stream(ssrc=1000 + 10 * person, kind="audio")


def video(person: int) -> Stream:
    return Stream(ssrc=1001 + 10 * person, kind="video")


def room(people: int, seen: int | None, seconds: float = 0.0) -> Core:
    """All send and receive; each subscribes to `seen` videos, as the headless client does; None: to all."""
    core = Core(MediaLimits())
    for person in range(people):
        core.subscriptions.join(ROOM, str(person), [sound(person), video(person)], 0.0)
        core.subscriptions.ready(str(person), True, 0.0)
    for person in range(people) if seen is not None else ():
        others = [
            HandleStream(bytes(8), stream.ssrc, stream.kind)
            for other in range(people)
            if other != person
            for stream in (sound(other), video(other))
        ]
        core.subscriptions.subscribe(str(person), turns(others, seen or 0, seconds), 0.0)
    return core


def forwarded(core: Core, people: int) -> dict[str, Counter[str]]:
    """How many packets each is sent, by kind, while everybody sends."""
    got: dict[str, Counter[str]] = {str(person): Counter() for person in range(people)}
    for person in range(people):
        for kind, stream, count in (
            ("audio", sound(person), SOUND),
            ("video", video(person), VIDEO_PACKETS),
        ):
            for sequence in range(count):
                for to in core.send(sequence, 1.0 + sequence / 50, stream=stream, peer=str(person)).receivers:
                    got[to][kind] += 1
    return got


@pytest.mark.parametrize("seconds", [0.0, 3 * TURN])
def test_each_is_sent_nine_videos_and_all_sound(seconds: float) -> None:
    got = forwarded(room(PEOPLE, SEEN, seconds), PEOPLE)
    assert {count["video"] for count in got.values()} == {SEEN * VIDEO_PACKETS}
    assert {count["audio"] for count in got.values()} == {(PEOPLE - 1) * SOUND}


def test_video_of_a_room_of_a_hundred_costs_as_much_as_of_ten() -> None:
    large = forwarded(room(PEOPLE, SEEN), PEOPLE)
    small = forwarded(room(SEEN + 1, None), SEEN + 1)
    assert {count["video"] for count in large.values()} == {count["video"] for count in small.values()}


def test_without_asking_each_is_sent_everything() -> None:
    """The counts above differ from those without a subscription."""
    got = forwarded(room(PEOPLE, None), PEOPLE)
    assert {count["video"] for count in got.values()} == {(PEOPLE - 1) * VIDEO_PACKETS}


def test_video_that_nobody_sees_goes_to_nobody() -> None:
    core = room(PEOPLE, SEEN)
    receivers = [
        len(core.send(100, 2.0, stream=video(person), peer=str(person)).receivers) for person in range(PEOPLE)
    ]
    # all look at the same first ones, but for those themselves: they look at one further
    assert receivers == [*[PEOPLE - 1] * SEEN, SEEN, *[0] * (PEOPLE - SEEN - 1)]
