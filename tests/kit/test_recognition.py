"""Recognition of test cards in what was decoded: through real codecs, at the kit's small size."""

from __future__ import annotations

import pytest

from snugroom.client.media import codec, sources
from snugroom.client.media.recognition import Card, Tone
from snugroom.client.media.sources import TestCard

SIZE = (128, 96)


@pytest.mark.parametrize("leaf", range(sources.IDENTITIES))
def test_only_the_senders_own_card_is_recognised(leaf: int) -> None:
    width, height = SIZE
    card = TestCard("Ada", leaf, width=width, height=height)
    encoder, decoder = codec.Vp8Encoder(width, height), codec.Vp8Decoder()
    own, other, stranger = Card(leaf), Card(leaf + 1), Card(leaf)
    for i in range(3):
        encoded = encoder.encode(card.video(i / 15), i * 6_000, key=i == 0)
        assert encoded is not None
        shown = decoder.decode(encoded)
        assert shown is not None
        own.decoded(leaf, "video", shown)
        other.decoded(leaf + 1, "video", shown)
        stranger.decoded(leaf + 1, "video", shown)
    assert (own.frames, own.recognised, own.last) == (3, 3, leaf)
    assert (other.frames, other.recognised, other.last) == (3, 0, leaf), "somebody else's key, this card"
    assert stranger.frames == 0, "frames of another sender"


@pytest.mark.parametrize("leaf", [0, 1, 10, 19])
def test_only_the_senders_own_tone_is_heard(leaf: int) -> None:
    card = TestCard("Ada", leaf, width=SIZE[0], height=SIZE[1])
    encoder, decoder = codec.OpusEncoder(), codec.OpusDecoder()
    own, other, stranger = Tone(leaf), Tone(leaf + 1), Tone(leaf)
    for i in range(20):
        sound = decoder.decode(encoder.encode(card.audio(i)))
        own.decoded(leaf, "audio", sound)
        other.decoded(leaf + 1, "audio", sound)
        stranger.decoded(leaf + 1, "audio", sound)
    assert own.heard
    assert not other.heard
    assert other.last == pytest.approx(card.pitch, rel=0.03)
    assert stranger.frames == 0


def test_silence_is_no_tone() -> None:
    tone = Tone(0)
    for _ in range(20):
        tone.decoded(0, "audio", sources.silence())
    assert (tone.frames, tone.heard, tone.last) == (20, False, None)
