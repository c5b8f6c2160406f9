"""Targets that parse one format: each raises its documented error, or agrees with another parser."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import random
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiortc import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket

from snugroom.client.media.ice import IceClient
from snugroom.client.media.reorder import Reorder
from snugroom.client.session.catalogue import content
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.media import clear_header, sframe
from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.io import dtls
from snugroom.server.sfu.io.ice import Address, Credentials, IceLite
from snugroom.wire import messages, rtcp, rtp, stun, vp8
from tests.fuzz.target import Plain, Target, havoc
from tests.media_server.peer import rtp as packet

# -- STUN --------------------------------------------------------------------------------------

LOCAL: Final = Credentials("serverfrag", "s" * 24)
REMOTE: Final = Credentials("ada", "a" * 24)
PASSWORD: Final = LOCAL.password.encode()
USERNAME: Final = b"serverfrag:ada"


def attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def sealed_stun(kind: int, transaction: bytes, body: bytes) -> bytes:
    """Of this body a message with a right MESSAGE-INTEGRITY and FINGERPRINT, if it has any length."""
    return stun._message(kind, transaction, body[: len(body) // 4 * 4], PASSWORD)


BODIES: Final = [
    attribute(stun.USERNAME, USERNAME)
    + attribute(stun.PRIORITY, b"\0\0\1\0")
    + attribute(stun.ICE_CONTROLLING, bytes(8))
    + more
    for more in (b"", attribute(stun.USE_CANDIDATE, b""), attribute(0x0013, b"abc"), attribute(0x8022, b"x"))
]


def _stun(data: bytes) -> None:
    with contextlib.suppress(stun.StunError):
        request = stun.parse_request(data)
        assert len(request.transaction) == 12
        at = 20
        while at < len(data):
            at += 4 + (int.from_bytes(data[at + 2 : at + 4], "big") + 3 & ~3)
        assert at == len(data), "an attribute goes beyond the end"
        assert 1 <= len(request.username) <= 513
        stun.authentic(request, PASSWORD)


class Checks:
    """Attributes of all kinds under the right password, from all places. Unsealed nobody would read them."""

    def __init__(self) -> None:
        count = itertools.count()
        self._ice = IceLite(LOCAL, REMOTE, 4, 12.0, 30.0, lambda size: next(count).to_bytes(size, "big"))
        self._now = 0.0
        self._good = 0
        #: Bytes from each place and to it.
        self._received: Counter[Address] = Counter()
        self._sent: Counter[Address] = Counter()

    def feed(self, data: bytes) -> None:
        place, body = data[:1] or b"\0", data[1:900]
        self._now += place[0] / 64
        whole = sealed_stun(stun.BINDING_REQUEST, bytes(12), body)
        try:
            request = stun.parse_request(whole)
        except stun.StunError:
            return
        source = ("192.0.2.1", 4000 + place[0] % 16)
        self._received[source] += len(whole)
        answer = self._ice.check(request, source, len(whole), self._now)
        if answer is None:
            return
        assert len(answer.reply) <= len(whole) + 64  # no use for hitting somebody else with answers
        if not answer.good or self._ice.spend(source, len(answer.reply), self._now):
            self._sent[source] += len(answer.reply)
        if (due := self._ice.due_check(self._now)) is not None:
            self._sent[due[1]] += len(due[0])
        if answer.good:
            self._good += 1
            assert self._ice.consent_at == self._now
        if answer.selected:
            assert self._ice.selected == source

    def look(self) -> None:
        ice = self._ice
        assert len(ice.addresses) <= 4
        assert ice.active is None, "nobody has answered a check"
        assert all(size <= 3 * self._received[place] for place, size in self._sent.items())
        assert ice.selected is None or ice.selected in ice.addresses
        assert self._good, "nothing of it was ever a good check"

    def close(self) -> None:
        pass


class Answers:
    """Answers that a client reads: sealed answers of all kinds, and raw bytes."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._ice = IceClient(
            (LOCAL.ufrag, LOCAL.password), lambda size: next(self._count).to_bytes(size, "big")
        )
        self._ice.start(LOCAL.ufrag, LOCAL.password, ("192.0.2.1", 9), 0.0)
        self._now = 0.0

    def feed(self, data: bytes) -> None:
        kind = (stun.BINDING_SUCCESS, stun.BINDING_ERROR, 0x0001, 0x0003)[data[0] & 3 if data else 0]
        self._now += 0.01
        transaction = next(iter(self._ice._outstanding), bytes(12)) if len(data) % 8 == 0 else bytes(12)
        self._ice.receive(sealed_stun(kind, transaction, data[1:]), self._now)
        self._ice.receive(data, self._now)
        self._ice.tick(self._now)

    def look(self) -> None:
        assert len(self._ice._outstanding) <= 64

    def close(self) -> None:
        pass


# -- RTP and what is in it -----------------------------------------------------------------------

SEND_TIME: Final = b"\xbe\xde\0\1\x32abc"
BOTH: Final = b"\xbe\xde\0\2\x32abc\x51ab\0"
DESCRIPTORS: Final = (
    b"\x10", b"\x90\x80\x11", b"\x90\x80\x91\x22", b"\x80\xc0\x91\x22\x07", b"\x90\xf0\x91\x22\x07\x45",
)  # fmt: skip
FRAMES: Final = (clear_header.KEY_HEADER + bytes(40), clear_header.DELTA_HEADER + bytes(40))


def packets() -> list[bytes]:
    payloads = [descriptor + frame for descriptor in DESCRIPTORS for frame in FRAMES]
    out = [packet(1, i, payload) for i, payload in enumerate(payloads)]
    out += [packet(1, i, payload, extension=SEND_TIME) for i, payload in enumerate(payloads[:4])]
    out += [packet(1, i, payload, extension=BOTH) for i, payload in enumerate(payloads[:4])]
    out += [packet(2, 7, bytes(120), kind="audio"), packet(1, 9, bytes(3) + b"\4", first=0xA0)]
    return out


STOCK: Final = HeaderExtensionsMap()
STOCK.configure(
    RTCRtpParameters(
        headerExtensions=[
            RTCRtpHeaderExtensionParameters(id=identifier, uri=uri)
            for identifier, uri in (
                (1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
                (2, "urn:ietf:params:rtp-hdrext:sdes:mid"),
                (3, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
                (4, "urn:ietf:params:rtp-hdrext:toffset"),
                (5, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"),
            )
        ]
    )
)


def _rtp(data: bytes) -> None:
    """A packet that passes must surprise no receiver, ours or stock: a bad extension ends some of those."""
    for kind in ("audio", "video"):
        if rtp.check(data, kind) is None:
            stock = RtpPacket.parse(data, STOCK)
            ours = rtp.parse(data)
            assert (stock.ssrc, stock.sequence_number) == (ours.ssrc, ours.sequence)
            assert not data[0] & 15
            if kind == "video":
                vp8.read_descriptor(data, rtp.payload_start(data))


def _client_rtp(data: bytes) -> None:
    with contextlib.suppress(rtp.RtpError):
        read = rtp.parse(data)
        vp8.read_descriptor(read.payload, 0, len(read.payload))
        if read.transport is not None:
            assert read.transport.to_bytes(2, "big") in data[12:]


def _vp8(data: bytes) -> None:
    """A descriptor is read alike without an RTP header; numbers that are moved are all that changes."""
    whole = packet(1, 7, data[:1200])
    found = vp8.read_descriptor(whole, 12)
    alone = vp8.read_descriptor(data[:1200], 0, len(data[:1200]))
    if found is None:
        assert alone is None
        return
    assert alone is not None
    assert (alone.payload + 12, alone.start, alone.key) == (found.payload, found.start, found.key)
    assert (alone.picture_id, alone.bits, alone.tl0) == (found.picture_id, found.bits, found.tl0)
    out = bytearray(whole)
    offsets = rewriter.Offsets(5, 6, 7, 8)
    rewriter.rewrite(out, 0, 7, 99, found, offsets)
    moved = vp8.read_descriptor(bytes(out), 12)
    assert moved is not None
    assert (moved.payload, moved.start, moved.key) == (found.payload, found.start, found.key)
    assert out[found.payload :] == whole[found.payload :]
    rewriter.rewrite(out, 0, 12, 1, moved, rewriter.Offsets(-5, -6, -7, -8))
    assert bytes(out) == whole


class Order:
    """A client's buffer of one stream: any packets, any order; it gives out, asks and holds within bounds."""

    def __init__(self) -> None:
        self._buffers = {kind: Reorder(kind) for kind in ("audio", "video")}
        self._now = 0.0

    def feed(self, data: bytes) -> None:
        self._now += 0.002
        try:
            read = rtp.parse(data)
        except rtp.RtpError:
            return
        for buffer in self._buffers.values():
            buffer.receive(read, self._now)
            buffer.tick(self._now)

    def look(self) -> None:
        for buffer in self._buffers.values():
            assert len(buffer._held) <= buffer.policy.held_max + 1
            assert len(buffer._gaps) <= buffer.policy.jump_max

    def close(self) -> None:
        pass


# -- RTCP ----------------------------------------------------------------------------------------


def compounds(ssrc: int = 7) -> list[bytes]:
    """Good ones of all kinds, about the stream `ssrc`."""
    report = rtcp.ReportBlock(ssrc, 3, 4, 5, 6, 7, 8)
    parts = [
        rtcp.sender_report(rtcp.SenderReport(1, 0x0001020304050607, 0x08090A0B, 0x0C0D0E0F, 0x10111213)),
        rtcp.receiver_report(1, [report]),
        rtcp.receiver_report(1, [report] * 31),
        rtcp.key_frame_request(1, ssrc),
        struct.pack("!BBHLLLL", 0x84, 206, 4, 1, 0, ssrc, 1 << 24),
        rtcp.nack(1, ssrc, [1, 2, 3, 40, 65_535]),
        rtcp.remb(1, 500_000, [ssrc, 8]),
        # transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1), two received
        struct.pack("!BBHLLHHLHBB", 0x8F, 205, 5, 1, ssrc, 10, 2, 0x00000100, 0x2002, 4, 4),
        b"\x80\xcb\0\0",
    ]
    return [*parts, parts[0] + parts[1] + parts[3], parts[1] + parts[5] + parts[6] + parts[7], parts[4] * 8]


def _rtcp(data: bytes) -> None:
    with contextlib.suppress(rtcp.RtcpError):
        items = rtcp.parse(data)
        assert len(items) <= 128
        assert sum(len(item.sequences) for item in items if isinstance(item, rtcp.Nack)) <= 256 + 16
        for item in items:
            if isinstance(item, rtcp.Remb):
                assert 0 <= item.bitrate <= 1 << 40


def reaches_the_end(data: bytes, rng: random.Random) -> bytes:
    """Changed, and then whole words with a right length, mostly: else no part but the first is read."""
    out = bytearray(havoc(data, rng))
    if rng.random() < 0.7 and len(out) >= 4:
        del out[len(out) // 4 * 4 :]
        out[0] = out[0] & 0x1F | 0x80
        if rng.random() < 0.7:
            out[2:4] = (len(out) // 4 - 1).to_bytes(2, "big")
    return bytes(out)


# -- records, frames -------------------------------------------------------------------------------


def _records(data: bytes) -> None:
    """Cut where records end, and put together again nothing is lost of what is whole."""
    ours = b"".join(dtls.datagrams(data))
    assert data.startswith(ours)
    assert all(dtls.datagrams(data))
    dtls.is_client_hello(data)


def _sframe(data: bytes) -> None:
    for kind in ("audio", "video"):
        with contextlib.suppress(MalformedError):
            clear, sealed = clear_header.split(kind, data)
            assert clear + sealed == data
            header = sframe.Header.decode(sealed)
            assert sealed.startswith(sframe.encode_header(header.kid, header.counter))


# -- words ---------------------------------------------------------------------------------------

_ODD: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1, 2**53, 2**64, 1e308, "", "A" * 44, "AAAA", "\x00", "é" * 20, [], {}, [[]], [0] * 9,
    [{"ssrc": 1, "kind": "video"}], {"type": "post"},
)  # fmt: skip


def other_words(data: bytes, rng: random.Random) -> bytes:
    """Another object of nearly this form: fields changed, taken, given, doubled; or other bytes."""
    if rng.random() < 0.25:
        return havoc(data, rng)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return havoc(data, rng)
    for _ in range(1 + int(rng.random() * 2)):
        value = _changed(value, rng)
    return json.dumps(value).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.random()
        if what < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.3:
            return {**value, rng.choice(("x", key + "s", "type", "slot", "blob")): value[key]}
        return {**value, key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        what = rng.random()
        if what < 0.3:
            return value + value[: at + 1] * rng.choice((1, 1, 2, 40))
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    if isinstance(value, str) and rng.random() < 0.5:
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice(("", "A", "=", "\n", '"', "é")) + value[at + 1 :]
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return value + rng.choice((-1, 1, 2**32, -(2**32)))
    return rng.choice(_ODD)


def examples(union: Any) -> list[bytes]:
    """One good message of each type of a union of structs, its fields filled by their types."""
    return [msgspec.json.encode(msgspec.convert(_example(kind), kind)) for kind in union.__args__]


def _example(kind: Any) -> Any:
    info = msgspec.inspect.type_info(kind)
    return _of(info)


def _of(info: Any) -> Any:
    name = type(info).__name__
    if name == "StructType":
        fields = {field.encode_name: _of(field.type) for field in info.fields}
        return {info.tag_field: info.tag, **fields} if info.tag_field else fields
    if name == "BytesType":
        return base64.b64encode(bytes(info.min_length or 4)).decode()
    if name == "StrType":
        pattern = info.pattern or ""
        text = "turn:a.b:3478" if pattern.startswith("^turns") else "a/b" if "/[" in pattern else "abcdefgh"
        return text if not info.min_length else text.ljust(info.min_length, "x")
    if name == "ListType":
        return [_of(info.item_type)] * max(1, info.min_length or 0)
    if name == "UnionType":
        return _of(next(t for t in info.types if type(t).__name__ != "NoneType"))
    if name == "LiteralType":
        return info.values[0]
    return {"IntType": max(1, getattr(info, "ge", 0) or 0), "BoolType": True, "FloatType": 0.5}[name]


def _words(decode: Any, error: type[Exception], encode: Any) -> Any:
    def feed(data: bytes) -> None:
        with contextlib.suppress(error):
            message = decode(data)
            # what was understood can be said again, and means the same
            assert decode(encode(message)) == message

    return lambda: Plain(feed)


def _seeds(union: Any) -> Any:
    made: list[bytes] = []

    def seeds() -> Sequence[bytes]:
        if not made:
            made.extend(examples(union))
        return made

    return seeds


TARGETS: Final = [
    Target("stun", lambda: Plain(_stun), lambda: [sealed_stun(1, bytes(12), body) for body in BODIES]),
    Target("checks", Checks, lambda: [b"\x01" + body for body in BODIES]),
    Target(
        "answers", Answers, lambda: [b"\0" + attribute(stun.XOR_MAPPED_ADDRESS, b"\0\1" + bytes(6)), *BODIES]
    ),
    Target("rtp", lambda: Plain(_rtp), packets),
    Target("client_rtp", lambda: Plain(_client_rtp), packets),
    Target("vp8", lambda: Plain(_vp8), lambda: [d + f for d in DESCRIPTORS for f in FRAMES]),
    Target("order", Order, packets),
    Target("rtcp", lambda: Plain(_rtcp), compounds, reaches_the_end),
    Target("records", lambda: Plain(_records), lambda: [b"\x16\xfe\xfd" + bytes(8) + b"\0\x05hello" * 3]),
    Target(
        "sframe",
        lambda: Plain(_sframe),
        lambda: [f + sframe.encode_header(k, c) for f in (*FRAMES, b"") for k, c in ((1, 2), (900, 70_000))],
    ),
    Target(
        "client_words",
        _words(messages.decode_client, messages.WireError, messages.encode),
        _seeds(messages.ClientMessage),
        other_words,
    ),
    Target(
        "server_words",
        _words(messages.decode_server, messages.WireError, messages.encode),
        _seeds(messages.ServerMessage),
        other_words,
    ),
    Target(
        "contents",
        _words(content.decode, MalformedError, content.encode),
        _seeds(content.AnyContent),
        other_words,
    ),
]
