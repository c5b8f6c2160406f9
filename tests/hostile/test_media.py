"""Acts on frames: the receiver's transport gets other packets than the sender's sent."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from tests.hostile.stage import Speaker, Stage, playing

ADA, BOB = 0xADA, 0xB0B


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with playing(media=True) as stage:
        yield stage


@pytest.fixture
async def people(stage: Stage) -> AsyncIterator[tuple[Speaker, Speaker, Speaker]]:
    three = (
        await Speaker.join(stage, (ADA, "audio")),
        await Speaker.join(stage, (BOB, "audio")),
        await Speaker.join(stage),
    )
    yield three
    for speaker in three:
        speaker.peer.close()


People = tuple[Speaker, Speaker, Speaker]
NAMES = [f"frame {i}".encode() for i in range(6)]


def contents(heard: list[tuple[int, int, bytes]]) -> list[bytes]:
    return [payload for _, _, payload in heard]


async def test_without_an_act_frames_arrive_as_they_were_sent(people: People) -> None:
    ada, bob, cem = people
    ada.sound(ADA, *NAMES)
    for hearer in (bob, cem):
        assert contents(await hearer.heard(6)) == NAMES


async def test_frames_are_dropped_for_one(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("drop", what="audio", sender=1, receiver=2, every=3)
    ada.sound(ADA, *NAMES)
    assert contents(await cem.heard(6)) == NAMES
    assert contents(await bob.heard(4)) == [NAMES[i] for i in (0, 1, 3, 4)]


async def test_one_is_silenced_for_another(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("silence", victim=1, listeners=[2])
    ada.sound(ADA, *NAMES)
    assert contents(await cem.heard(6)) == NAMES
    stage.end("silence")
    ada.sound(ADA, b"again")
    assert contents(await bob.heard(1)) == [b"again"]


async def test_frames_change_places_under_numbers_in_order(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("reorder", what="audio", receiver=2)
    ada.sound(ADA, *NAMES)
    heard, honest = await bob.heard(6), await cem.heard(6)
    assert contents(heard) == [NAMES[i] for i in (1, 0, 3, 2, 5, 4)]
    assert [n for _, n, _ in heard] == [n for _, n, _ in honest]


async def test_old_frames_come_again_as_new_ones(stage: Stage, people: People) -> None:
    ada, bob, _ = people
    stage.begin("replay", what="audio", receiver=2, back=2)
    ada.sound(ADA, *NAMES[:4])
    heard = await bob.heard(6)
    assert contents(heard) == [NAMES[i] for i in (0, 1, 2, 0, 3, 1)]
    assert [n for _, n, _ in heard] == list(range(heard[0][1], heard[0][1] + 6))


async def test_frames_are_altered_and_late(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("flip", what="audio", receiver=2)
    stage.begin("delay", what="audio", receiver=3, seconds=0.2)
    ada.sound(ADA, b"frame 0")
    assert contents(await bob.heard(1)) == [b"frame 1"]
    assert stage.did("delay")
    assert contents(await cem.heard(1)) == [b"frame 0"]


async def test_two_members_change_streams(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("swap_streams", between=[1, 2])
    ada.sound(ADA, b"of ada")
    assert [(s, p) for s, _, p in await cem.heard(1)] == [(BOB, b"of ada")]
    bob.sound(BOB, b"of bob")
    assert [(s, p) for s, _, p in await cem.heard(2)][1] == (ADA, b"of bob")


async def test_worlds_are_apart_in_media_too(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("partition", apart=[2])
    ada.sound(ADA, *NAMES)
    assert contents(await cem.heard(6)) == NAMES
    assert stage.end("partition")["done"]["kept a packet in its world"] == 6  # those that bob did not get
    assert not bob.peer.rtp


async def test_a_frame_in_somebodys_name(stage: Stage, people: People) -> None:
    ada, bob, _ = people
    forged = base64.b64encode(b"never said").decode()
    stage.begin("inject", into="frame", name_of=1, blob=forged, count=1)
    ada.sound(ADA, *NAMES[:3])
    heard = await bob.heard(4)
    assert contents(heard) == [NAMES[0], b"never said", *NAMES[1:3]]
    assert [n for _, n, _ in heard] == list(range(heard[0][1], heard[0][1] + 4))
    assert {s for s, _, _ in heard} == {ADA}


async def test_levels_are_put_on_and_looked_for(stage: Stage, people: People) -> None:
    ada, bob, cem = people
    stage.begin("vbr_and_levels", victim=3)
    await cem.guest.ended()
    back = await Speaker.join(stage, (0xCE, "audio"), odd=True)
    ada.sound(ADA, b"frame")
    ((_, _, heard),) = await back.heard(1)
    assert heard.startswith(b"\xbe\xde")  # an audio level that ada never sent
    assert contents(await bob.heard(1)) == [b"frame"]
    back.sound(0xCE, b"\x00four", b"\x99aabband seven")
    await bob.heard(3)
    stage.end("vbr_and_levels")
    found = next(d for d in stage.deeds if d.get("did") == "looked")
    assert (found["sizes"], found["levels"], found["other_codecs"]) == ([4, 9], 0, 0)
    back.peer.close()


async def test_packets_are_kept_in_the_clear_of_the_transport(stage: Stage, people: People) -> None:
    ada, bob, _ = people
    stage.begin("record")
    ada.sound(ADA, *NAMES)
    await bob.heard(6)
    stage.end("record")
    kept = [base64.b64decode(d["packet"])[12:] for d in stage.deeds if "packet" in d]
    assert kept == NAMES
    assert {d["sender"] for d in stage.deeds if "packet" in d} == {1}
