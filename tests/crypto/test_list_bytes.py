"""What lists of media signatures cost: the figures of decision 78, from real lists in real messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snugroom.crypto.agreed import envelope
from snugroom.crypto.media.keys import layer_stream
from snugroom.crypto.media.signatures import interval
from snugroom.server.config import Settings
from snugroom.wire.limits import LIST_SIZES
from snugroom.wire.messages import Broadcasted, encode
from tests.crypto.test_media_signatures import signer

DECISION = Path(__file__).parents[2] / "docs/explanation/decisions/0078-signature-lists-in-band.md"
SOUND, VIDEO, LAYERS = 50, 30, 3  # frames a second of sound and of each layer, and layers of a video
WATCHED = 9
#: Bytes of WebSocket's header before a message of this size.
HEADER = 4


def lists(members: int) -> tuple[int, int]:
    """The bytes of one sender's list of sound, and of its list of video, as a connection carries them."""
    seconds = interval(members)
    of = signer()
    for counter in range(round(SOUND * seconds)):
        of.add(0, 1, 0x10, counter, b"%d" % counter, 0.0)
    for layer in range(LAYERS):
        for counter in range(round(VIDEO * seconds)):
            of.add(1, 2, layer_stream(1, layer) << 8, counter, b"%d" % counter, 0.0)
    blobs = [
        envelope.seal(bytes(32), "signatures", bytes(16), 1, signed.data, LIST_SIZES) for signed in of.take()
    ]
    sound, video = (HEADER + len(encode(Broadcasted(blob))) for blob in blobs)
    return sound, video


def received(members: int, sounds: int | None = None) -> float:
    """Kilobytes of lists a second for one member that hears all others, or some, and watches nine."""
    sound, video = lists(members)
    others = members - 1
    each = sound * min(others, sounds or others) + video * min(others, WATCHED)
    return each / interval(members) / 1000


@pytest.mark.parametrize("members", [10, 25, 50, 100])
def test_the_decision_tells_what_lists_cost(members: int) -> None:
    text = DECISION.read_text("utf-8")
    row = re.search(rf"^\| {members} \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    assert row is not None
    assert [float(value) for value in row.groups()] == [
        round(received(members), 1),
        round(received(members, 16), 1),
    ]


def test_a_member_of_a_large_room_receives_little() -> None:
    assert max(received(members) for members in range(2, 26)) < 60
    assert max(received(members, 16) for members in range(50, 101)) < 40


def test_the_lists_of_a_room_of_a_hundred_fit_the_servers_default_budget() -> None:
    settings = Settings()
    sound, video = lists(100)
    beats = 1.1 * 100 * 99 / 10  # one in ten seconds of each member, of 4,096 bytes, and some at changes
    deliveries = 100 * (99 + WATCHED) / interval(100) + beats
    assert deliveries < settings.room_deliveries_per_second
    bytes_of_lists = 100 * (99 * sound + WATCHED * video) / interval(100)
    assert bytes_of_lists + 5500 * beats < settings.room_egress_per_second
