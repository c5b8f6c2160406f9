"""What may pass, and each thing that may not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.wire import rtp as rules
from tests.media_server.peer import rtp


def ext(*elements: bytes, profile: int = 0xBEDE, words: int | None = None) -> bytes:
    body = b"".join(elements)
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4 if words is None else words) + body


SEND_TIME = b"\x32abc"


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (rtp(1, 1), "video"),
        (rtp(1, 1, kind="audio"), "audio"),
        (rtp(1, 1, extension=ext(SEND_TIME)), "video"),
        (rtp(1, 1, extension=ext(b"\0", SEND_TIME)), "video"),
        (rtp(1, 1, extension=ext(SEND_TIME, b"\0" * 4)), "video"),
        (rtp(1, 1, extension=ext()), "video"),
        (rtp(1, 1, b"x\1", first=0xA0), "video"),
        (rtp(1, 1, b"\0\0\0\4", first=0xA0), "video"),
        (rtp(1, 1, bytes(1344)), "video"),
    ],
)
def test_may_pass(packet: bytes, kind: str) -> None:
    assert rules.check(packet, kind) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("packet", "kind", "reason"),
    [
        (b"", "video", "short"),
        (rtp(1, 1, b""), "video", "short"),
        (rtp(1, 1, b"", extension=ext(SEND_TIME)), "video", "short"),
        (rtp(1, 1, bytes(1345)), "video", "long"),
        (rtp(1, 1, first=0x40), "video", "header"),
        (rtp(1, 1, bytes(8), first=0x81), "video", "header"),
        (rtp(1, 1, kind="audio"), "video", "payload type"),
        (rtp(1, 1), "audio", "payload type"),
        # the extension that says who speaks, and the other's one on audio
        (rtp(1, 1, kind="audio", extension=ext(b"\x10\x80")), "audio", "extension"),
        (rtp(1, 1, kind="audio", extension=ext(SEND_TIME)), "audio", "extension"),
        # lengths that kill a parser
        (rtp(1, 1, extension=ext(b"\x31ab")), "video", "extension"),
        (rtp(1, 1, extension=ext(b"\x33abcd")), "video", "extension"),
        (rtp(1, 1, extension=ext(b"\x30a")), "video", "extension"),
        (rtp(1, 1, extension=ext(b"\0\0\0\x32")), "video", "extension"),
        (rtp(1, 1, extension=ext(SEND_TIME, SEND_TIME)), "video", "extension"),
        (rtp(1, 1, extension=ext(b"\x12abc")), "video", "extension"),
        (rtp(1, 1, extension=ext(SEND_TIME, b"\xf0a")), "video", "extension"),
        (rtp(1, 1, extension=ext(SEND_TIME, b"\2ab")), "video", "extension"),
        (rtp(1, 1, extension=ext(SEND_TIME, profile=0x1000)), "video", "extension"),
        (rtp(1, 1, b"xx", extension=ext(SEND_TIME, words=9)), "video", "extension"),
        (rtp(1, 1, b"\xbe\xde", first=0x90), "video", "extension"),
        (rtp(1, 1, b"xx\0", first=0xA0), "video", "padding"),
        (rtp(1, 1, b"xx\4", first=0xA0), "video", "padding"),
        (rtp(1, 1, b"xx\5", first=0xA0, extension=ext(SEND_TIME)), "video", "padding"),
    ],
)
def test_may_not_pass(packet: bytes, kind: str, reason: str) -> None:
    assert rules.check(packet, kind) == reason  # type: ignore[arg-type]


@given(st.binary(max_size=1500), st.sampled_from(["audio", "video"]))
def test_any_bytes_get_an_answer(data: bytes, kind: str) -> None:
    rules.check(data, kind)  # type: ignore[arg-type]


@given(st.binary(max_size=60), st.integers(0, 20))
def test_what_passes_is_what_a_plain_parser_understands(block: bytes, words: int) -> None:
    """Whatever the extension block: if it passes, it has at most one abs-send-time of 3 bytes."""
    packet = rtp(1, 1, block + b"payload", first=0x90, extension=struct.pack("!HH", 0xBEDE, words))
    if rules.check(packet, "video") is not None:
        return
    at, end, found = 16, 16 + 4 * words, []
    while at < end:
        identifier, length = packet[at] >> 4, (packet[at] & 15) + 1
        if packet[at] == 0:
            at += 1
            continue
        found.append((identifier, packet[at + 1 : at + 1 + length]))
        at += 1 + length
    assert at == end < len(packet)
    assert [(i, len(value)) for i, value in found] in ([], [(3, 3)])
