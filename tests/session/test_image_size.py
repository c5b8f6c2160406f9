"""The size of an image is what its headers claim, and an image that claims too much is shown to nobody."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.image_size import image_size
from snugroom.lab.simulation.world import Participant, World
from tests.web.vectors_images import HEADERS


def png(width: int, height: int) -> bytes:
    """The header of a PNG."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + bytes(20)


def images(who: Participant) -> list[ev.Image]:
    return who.of(ev.Image)


@pytest.mark.parametrize(("data", "size"), HEADERS)
def test_the_largest_claim_counts(data: bytes, size: tuple[int, int] | None) -> None:
    assert image_size(data) == size


@pytest.mark.parametrize(
    ("codec", "format_"), [("png", "image2pipe"), ("mjpeg", "mjpeg"), ("libwebp", "webp"), ("gif", "gif")]
)
def test_the_headers_of_real_encoders(codec: str, format_: str) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format=format_) as container:
        stream = container.add_stream(codec, 1)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = 300, 200
        stream.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p", "libwebp": "yuv420p", "gif": "rgb8"}[codec]
        frame = av.VideoFrame.from_ndarray(np.zeros((200, 300, 3), np.uint8), format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    assert image_size(out.getvalue()) == (300, 200)


def test_an_image_of_16_megapixels_is_sent_and_a_larger_one_is_refused() -> None:
    w = World(61)
    ada, bo = w.meeting("Ada", "Bo")
    with pytest.raises(ValueError, match=r"at most 16 megapixels.* has 4,096 x 4,097 pixels: send it"):
        w.do(bo, ev.SendImage("x", png(4096, 4097)))
    with pytest.raises(ValueError, match="PNG, JPEG"):
        w.do(bo, ev.SendImage("x", png(0, 5)))
    w.do(bo, ev.SendImage("x", png(4096, 4096)))
    w.until(lambda: len(images(ada)) == 1)


def test_a_larger_one_of_another_client_is_told_and_shown_to_nobody() -> None:
    w = World(62)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    bo.room.relay(content.Image(bytes(16), "image/png", png(16_000, 16_000)))
    w.run(0.5)
    for who in (ada, cem):
        assert images(who) == []
        (told,) = [status for status in who.of(ev.Status) if status.kind == "image_pixels"]
        assert told.text == (
            "An image from “Bo” is not shown: it claims 16,000 x 16,000 pixels, and to show it would take "
            "too much memory. An image has at most 16 megapixels."
        )
