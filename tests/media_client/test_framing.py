"""Parts of sound become packets of 20 or 60 ms; a room's size decides, at the same place for all."""

from __future__ import annotations

import numpy as np
import pytest

from snugroom.client.media.codec import (
    FRAME_SAMPLES,
    CodecError,
    OpusDecoder,
    OpusEncoder,
    Sound,
    opus_samples,
)
from snugroom.client.media.framing import Framer
from snugroom.client.media.opus import sound_decoder
from snugroom.client.media.sources import TestCard, silence
from snugroom.wire.limits import AUDIO_PARTS, AUDIO_SIZE
from tests.media_client.parties import Talker

LONG = AUDIO_PARTS * FRAME_SAMPLES


def part(index: int) -> Sound:
    return np.full(FRAME_SAMPLES, index, np.int16)


def fed(framer: Framer, indices: list[int]) -> list[tuple[int, list[int]]]:
    """The packets of these parts: the index of the first part, and all parts in it."""
    out = (framer.add(index, part(index)) for index in indices)
    return [(each[0], each[1][::FRAME_SAMPLES].tolist()) for each in out if each is not None]


def test_parts_are_joined_from_a_whole_multiple_of_three_on() -> None:
    framer = Framer()
    assert fed(framer, [0, 1]) == [(0, [0]), (1, [1])]
    framer.large = True
    assert fed(framer, [2, 3, 4, 5, 6, 7]) == [(2, [2]), (3, [3, 4, 5])]
    framer.large = False
    assert fed(framer, [8, 9, 10]) == [(6, [6, 7, 8]), (9, [9]), (10, [10])]


def test_silence_stands_for_skipped_parts_and_no_part_is_in_two_packets() -> None:
    framer = Framer()
    framer.large = True
    assert fed(framer, [4, 5]) == [(3, [0, 4, 5])]
    assert fed(framer, [6, 8]) == [(6, [6, 0, 8])]
    assert fed(framer, [9, 10, 13, 14, 15, 16, 17]) == [(12, [0, 13, 14]), (15, [15, 16, 17])]


def joined(source: TestCard, number: int) -> Sound:
    return np.concatenate([source.audio(number * AUDIO_PARTS + i) for i in range(AUDIO_PARTS)])


def test_every_packet_of_60_ms_has_one_size() -> None:
    encoder, card, talker, rng = OpusEncoder(), TestCard("Ada", 7), Talker("Bob", 2), np.random.default_rng(5)
    noise = (rng.normal(size=(20, LONG)) * 4_000).astype(np.int16)
    sounds = [np.zeros(LONG, np.int16)] * 20 + [joined(card, i) for i in range(40)]
    sounds += [*noise, *(joined(talker, i) for i in range(40)), *[np.zeros(LONG, np.int16)] * 40]
    packets = [encoder.encode(sound) for sound in sounds]
    assert {len(packet) for packet in packets} == {AUDIO_PARTS * AUDIO_SIZE}
    assert {opus_samples(packet) for packet in packets} == {LONG}
    for decoder in (sound_decoder(), OpusDecoder()):
        assert {len(decoder.decode(packet)) for packet in packets} == {LONG}
        assert len(decoder.conceal()) == LONG, "a missing packet is as long as the others"


def test_the_length_can_change_and_nothing_else_is_encoded() -> None:
    encoder, decoder = OpusEncoder(), sound_decoder()
    for sound in (silence(), np.zeros(LONG, np.int16), silence()):
        packet = encoder.encode(sound)
        assert opus_samples(packet) == len(sound) == len(decoder.decode(packet))
    for size in (0, 480, 2 * FRAME_SAMPLES, 4 * FRAME_SAMPLES):
        with pytest.raises(CodecError):
            encoder.encode(np.zeros(size, np.int16))


def test_a_lost_packet_of_60_ms_is_found_in_the_one_after_it() -> None:
    encoder, decoder, talker = OpusEncoder(), sound_decoder(), Talker("Bob", 2)
    packets = [encoder.encode(joined(talker, i)) for i in range(30)]
    for packet in packets[:20]:
        decoder.decode(packet)
    again = decoder.recover(packets[21])
    assert again is not None
    assert len(again) == LONG
    assert np.abs(again.astype(int)).mean() > 300


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\x00", 480), (b"\x18", 2880), (b"\x61", 960), (b"\x6a\x01", 1920), (b"\x80", 120),
        (b"\xfb\x03", 2880), (b"\xfb\xc6", 5760), (b"\xfb", 0),
    ],
)  # fmt: skip
def test_the_first_bytes_say_how_long_a_packet_is(packet: bytes, samples: int) -> None:
    assert opus_samples(packet) == samples
