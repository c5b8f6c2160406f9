"""The test card that is encoded once: whatever a participant takes of the loop can be decoded."""

from __future__ import annotations

import pytest

from snugroom.client.media import codec
from snugroom.client.media.recognition import Card, Tone
from snugroom.client.media.sources import blank, silence
from snugroom.lab.crowd.card import SECONDS, EncodedCard

WIDTH, HEIGHT = 128, 96
FRAMES = SECONDS * codec.VIDEO_RATE
ENOUGH = 10_000_000


@pytest.fixture(scope="module")
def card() -> EncodedCard:
    return EncodedCard("Crowd", width=WIDTH, height=HEIGHT)


def taken(encoder: codec.VideoEncoder, *, key: bool = False, bitrate: int | None = None) -> bytes | None:
    return encoder.encode(blank(WIDTH, HEIGHT), 0, key=key, bitrate=bitrate)


def test_every_participant_gets_the_same_packets_and_frames(card: EncodedCard) -> None:
    sounds = [card.sound_encoder() for _ in range(2)]
    videos = [card.video_encoder(WIDTH, HEIGHT, bitrate=ENOUGH) for _ in range(2)]
    for _ in range(FRAMES + 3):
        first, second = (taken(each) for each in videos)
        assert first is second
    for index in range(len(card.audio) + 3):
        first, second = (each.encode(silence()) for each in sounds)
        assert first is second is card.audio[index % len(card.audio)]


def test_audio_is_the_tone_of_a_card_in_packets_of_one_size(card: EncodedCard) -> None:
    tone, decoder = Tone(0), codec.OpusDecoder()
    for packet in card.audio:
        tone.decoded(0, "audio", decoder.decode(packet))
    assert tone.heard
    assert len({len(packet) for packet in card.audio}) == 1


def test_video_is_decodable_across_the_end_of_the_loop_and_requests_for_key_frames(
    card: EncodedCard,
) -> None:
    player, decoder, seen = card.video_encoder(WIDTH, HEIGHT, bitrate=ENOUGH), codec.Vp8Decoder(), Card(0)
    for index in range(2 * FRAMES + 5):
        asked = index % 23 == 7
        frame = taken(player, key=asked)
        assert frame is not None or not asked
        assert not asked or codec.is_key_frame(frame or b"")
        shown = None if frame is None else decoder.decode(frame)
        if shown is not None:
            seen.decoded(0, "video", shown)
    assert seen.recognised == seen.frames > FRAMES


def test_a_narrow_connection_gets_the_smaller_loop_from_a_key_frame_on(card: EncodedCard) -> None:
    small, large = card.video
    assert small.bitrate < large.bitrate
    assert sum(len(frame or b"") for frame in small.frames) < sum(len(frame or b"") for frame in large.frames)
    player = card.video_encoder(WIDTH, HEIGHT, bitrate=ENOUGH)
    sent = [taken(player, bitrate=ENOUGH if index < 5 else small.bitrate) for index in range(FRAMES)]
    of_large = [index for index, frame in enumerate(sent) if frame is large.frames[index]]
    first = len(of_large)
    assert of_large == list(range(first))
    assert 5 < first < FRAMES
    assert codec.is_key_frame(sent[first] or b"")
    assert all(frame is small.frames[index] for index, frame in enumerate(sent) if index >= first)
