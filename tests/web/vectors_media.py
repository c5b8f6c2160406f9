"""Shared vectors of media: SFrame, media keys, and lists of signed frames.

Each function gives one file of tests/web/shared; the page's unit tests compute the same. Bytes
are hex.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import H, SigningKey
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import (
    STREAMS,
    EpochKeys,
    MediaKeys,
    base_stream,
    layer_stream,
    open_frame,
    seal_frame,
)
from snugroom.crypto.media.sframe import FrameKey, Header, Suite, encode_header, expand, extract
from snugroom.crypto.media.signatures import (
    MEDIA_KEY_LABEL,
    FrameList,
    Run,
    Signer,
    certified,
    interval,
    scope,
)
from snugroom.crypto.media.verifier import FrameVerifier
from snugroom.crypto.mls.labels import sign_with_label
from tests.web.cases import SAFE, outcome_of

SUITE: Final = Suite.AES_128_GCM_SHA256_128


# -- SFrame ----------------------------------------------------------------------------------------------


def sframe() -> dict[str, Any]:
    """Headers, good and bad; keys, and frames sealed under them."""
    draw = random.Random("sframe")
    edges = [0, 7, 8, *(256**n + d for n in range(1, 7) for d in (-1, 0)), 2**32, SAFE]
    pairs = [(kid, counter) for kid in edges for counter in (0, 8, SAFE)]
    pairs += [(draw.choice(edges), draw.choice(edges)) for _ in range(40)]
    read = ["", "8007", "0807", "900001", "0900ff", "ff" + "00" * 16, "80", "0f01", "88", "99ff", "7f"]
    read += [draw.randbytes(draw.randrange(1, 19)).hex() for _ in range(400)]
    keys = []
    for kid in (0, 7, 8, 0x123, 2**20 + 5, 2**32 - 1):
        base_key = draw.randbytes(16)
        secret = extract(SUITE, base_key)
        frame_key, (key, salt) = FrameKey(SUITE, secret, kid), expand(SUITE, secret, kid)
        frames = []
        for counter, size in ((0, 0), (1, 1), (7, 20), (8, 100), (65536, 1200), (2**32 - 1, 3)):
            metadata, frame = draw.randbytes(draw.randrange(12)), draw.randbytes(size)
            sealed = frame_key.encrypt(counter, metadata, frame)
            frames.append(
                {"counter": counter, "metadata": metadata.hex(), "frame": frame.hex(), "sealed": sealed.hex()}
            )
        keys.append(
            {
                "base_key": base_key.hex(),
                "kid": kid,
                "secret": secret.hex(),
                "key": key.hex(),
                "salt": salt.hex(),
                "frames": frames,
            }
        )
    return {
        "headers": [
            {"kid": kid, "counter": counter, "encoded": encode_header(kid, counter).hex()}
            for kid, counter in pairs
        ],
        "read": [{"data": data, "header": _header(bytes.fromhex(data))} for data in read],
        # what Python still reads, and the page's numbers don't hold
        "too_large": [encode_header(n, 0).hex() for n in (2**53, 2**60, 2**64 - 1)]
        + [encode_header(0, n).hex() for n in (2**53, 2**60, 2**64 - 1)],
        "keys": keys,
    }


def _header(data: bytes) -> list[int] | None:
    try:
        header = Header.decode(data)
    except MalformedError:
        return None
    if max(header.kid, header.counter) > SAFE:
        return None
    return [header.kid, header.counter, header.size]


# -- media keys ------------------------------------------------------------------------------------------


def media_keys() -> dict[str, Any]:
    """The key ids of trees, and members who go through epochs together: each step and what came of it."""
    draw = random.Random("media keys")
    trees = []
    for epoch, leaf_count in ((0, 1), (1, 3), (15, 8), (16, 9), (1000, 20), (2**40 + 3, 70)):
        base_key, tags = draw.randbytes(16), draw.randbytes(32)
        keys = EpochKeys.derive(epoch=epoch, base_key=base_key, tags=tags, leaf_count=leaf_count)
        kids = [[keys.kid(leaf, stream) for stream in range(8)] for leaf in range(leaf_count)]
        strangers = sorted({tag << 4 | epoch % 16 for tag in range(600)} - {k for row in kids for k in row})
        trees.append(
            {
                "epoch": epoch,
                "base_key": base_key.hex(),
                "tags": tags.hex(),
                "leaf_count": leaf_count,
                "kids": kids,
                "strangers": strangers[:20],
                "sealed": keys.key(kids[0][1]).encrypt(5, b"m", b"frame").hex(),
            }
        )
    layers = [
        {"base": base, "layer": layer, "stream": outcome_of(partial(layer_stream, base, layer))}
        for base in range(-1, 9)
        for layer in range(-1, 4)
    ]
    bases = [list(base_stream(stream)) for stream in range(STREAMS)]
    return {"trees": trees, "layers": layers, "bases": bases, "stories": [_story(seed) for seed in range(4)]}


_LEAVES: Final = 4


def _epoch_keys(epoch: int) -> tuple[bytes, bytes]:
    return H(b"base", epoch.to_bytes(4, "big"))[:16], H(b"tags", epoch.to_bytes(4, "big"))


def _story(seed: int) -> list[dict[str, Any]]:
    draw = random.Random(f"story {seed}")
    members = [MediaKeys() for _ in range(_LEAVES)]
    at = [0] * _LEAVES  # who is in which epoch
    now, epoch, steps = 100.0, 3, list[dict[str, Any]]()
    frames: list[tuple[clear_header.Kind, bytes]] = []
    removals: dict[int, tuple[list[int], bool]] = {}

    def step(what: str, who: int, outcome: object, **more: object) -> None:
        steps.append({"what": what, "who": who, "now": now, **more, "outcome": outcome})

    def enter(who: int, number: int) -> None:
        removed, is_removal = removals.get(number, ([], False))
        base_key, tags = _epoch_keys(number)
        keys = EpochKeys.derive(epoch=number, base_key=base_key, tags=tags, leaf_count=_LEAVES)
        outcome = outcome_of(
            lambda: members[who].install(
                keys, own_leaf=who, removed=frozenset(removed) - {who}, is_removal=is_removal, now=now
            )
        )
        listed = [leaf for leaf in removed if leaf != who]
        step("install", who, outcome, epoch=number, removed=listed, is_removal=is_removal)
        at[who] = max(at[who], number)

    for _ in range(300):
        now = round(now + draw.choice((0.0, 0.0, 0.01, 0.01, 0.05, 0.1, 0.3, 0.7)), 3)
        who = draw.randrange(_LEAVES)
        match draw.randrange(16):
            case 0:
                epoch += 1
                if draw.random() < 0.4:
                    removals[epoch] = ([draw.randrange(_LEAVES)] if draw.random() < 0.7 else [], True)
                enter(who, epoch)
            case 1 | 2 | 3:
                behind = min(range(_LEAVES), key=lambda leaf: at[leaf])
                enter(behind, draw.choice((epoch, epoch, min(at[behind] + 1, epoch))))
            case 4 | 5 | 6 | 7 | 8:
                kind: clear_header.Kind = draw.choice(("audio", "video"))
                stream = draw.choice((0, 2, 0, 2, 1)) if kind == "audio" else draw.choice((1, 3, 4, 0))
                frame = draw.choice((b"\x10key", b"\x11delta", b"")) + draw.randbytes(draw.randrange(6))
                outcome = outcome_of(partial(seal_frame, members[who], kind, stream, frame, now))
                step("seal", who, outcome, kind=kind, stream=stream, frame=frame.hex())
                if isinstance(outcome, str):
                    frames.append((kind, bytes.fromhex(outcome)))
            case 9 | 10 | 11 | 12 | 13 | 14 if frames:
                as_kind, data = draw.choice(frames[-5:])
                if draw.random() < 0.1:
                    place = draw.randrange(len(data))
                    data = data[:place] + bytes((data[place] ^ 1 << draw.randrange(8),)) + data[place + 1 :]
                outcome = outcome_of(partial(_open, members[who], as_kind, data, now))
                step("open", who, outcome, kind=as_kind, data=data.hex())
            case _ if draw.random() < 0.1:
                members[who].wipe()
                step("wipe", who, None)
        step("sending", who, members[who].sending_epoch(now))
    return steps


def _open(keys: MediaKeys, kind: clear_header.Kind, data: bytes, now: float) -> dict[str, Any]:
    opened = open_frame(keys, kind, data, now)
    return {**asdict(opened), "frame": opened.frame.hex()}


# -- media signatures ------------------------------------------------------------------------------------

_LEAF: Final = SigningKey(H(b"leaf"))
_SCOPE: Final = scope(H(b"room")[:16], 3, b"authenticator")


#: Announced stream and SSRC of each key id; 0x35 is a layer of the video.
_STREAMS: Final = {0x15: (0, None), 0x25: (1, 700), 0x35: (1, 700), 0x45: (3, 800)}


def _signer(media: SigningKey, leaf: int = 2) -> Signer:
    vouched = sign_with_label(_LEAF.seed, MEDIA_KEY_LABEL, certified(_SCOPE, leaf, media.public))
    return Signer(leaf, _SCOPE, media, vouched)


def media_signatures() -> dict[str, Any]:
    """Lists as they are written, what is no list, and checkers through all that frames and lists can do."""
    draw = random.Random("media signatures")
    media = SigningKey(H(b"media"))
    signer = _signer(media)
    adds: list[dict[str, Any]] = []
    for frames in (
        [(0x15, n) for n in range(3)],
        [(0x25, n) for n in (3, 4, 9)] + [(0x35, 0)] + [(0x15, 3)],
        [(0x25, n) for n in range(10, 1050)],
        [(0x45, 2 * n) for n in range(70)],
    ):
        draw.shuffle(frames)
        rows = [(*_STREAMS[kid], kid, counter) for kid, counter in frames]
        rows += [(1, 701, 0x35, 1)] if len(frames) == 5 else []  # the video has another SSRC from here on
        for row in rows:
            signer.add(*row, b"%d of %d" % (row[3], row[2]), 1.0)
        lists = [(signed.ssrc, signed.data.hex()) for signed in signer.take()]
        adds.append({"frames": rows, "lists": lists})
    good = max((bytes.fromhex(data) for _, data in adds[1]["lists"]), key=len)
    bad = [good[:-1], good + b"\0", b"", b"\2" + good[1:]]
    for _ in range(60):
        place = draw.randrange(len(good) - 64)
        bad.append(good[:place] + bytes((good[place] ^ 1 << draw.randrange(8),)) + good[place + 1 :])
    runs: tuple[tuple[Run, ...], ...] = (
        (),
        (Run(1, 0, b""),),
        (Run(2, 0, bytes(12)), Run(1, 0, bytes(12))),
        (Run(1, 5, bytes(12)), Run(1, 0, bytes(12))),
        (Run(1, 0, bytes(24)), Run(1, 1, bytes(12))),
        (Run(1, 0, bytes(12)), Run(1, 1, bytes(12))),
        (Run(1, 0, bytes(12)), Run(1, 2, bytes(12))),
        (Run(1, 2**32 - 1, bytes(24)),),
        (Run(1, 2**32 - 1, bytes(12)),),
        tuple(Run(1, 2 * n, bytes(12)) for n in range(65)),
        tuple(Run(kid, 0, bytes(12 * 600)) for kid in (1, 2)),
    )
    bad += [FrameList(2, 0, 0, bytes(32), bytes(64), made).signed(_SCOPE, media) for made in runs]
    one = (Run(1, 0, bytes(12)),)
    bad += [FrameList(2, n, 0, bytes(32), bytes(64), one).signed(_SCOPE, media) for n in range(9)]
    return {
        "leaf_seed": _LEAF.seed.hex(),
        "media_seed": media.seed.hex(),
        "scope": {"room": H(b"room")[:16].hex(), "slot": 3, "authenticator": b"authenticator".hex()},
        "bound": _SCOPE.hex(),
        "intervals": [[n, interval(n)] for n in (1, 2, 25, 26, 40, 50, 51, 1000)],
        "adds": adds,
        "read": [{"data": data.hex(), "good": _reads(data)} for data in (good, *bad)],
        "stories": [_Story(seed).run() for seed in range(5)],
    }


def _reads(data: bytes) -> bool:
    try:
        FrameList.decode(data)
    except MalformedError:
        return False
    return True


class _Story:
    """A verifier between a sender and a bad network. Each call of the verifier is a row.

    A row has: when, what, of what, and the error; then doubt, findings, seconds unlisted and excused.
    """

    #: By seed: how often frames are lost, forged, lists lost; seconds between lists.
    _NETWORKS: Final = (
        (0.0, 0.0, 0.0, 0.5),
        (0.05, 0.0, 0.1, 0.5),
        (0.02, 0.01, 0.0, 0.5),
        (0.0, 0.0, 0.6, 1.0),
        (0.3, 0.02, 0.3, 0.5),
    )
    #: The names of the rows differ from those of the calls.
    _CALLS: Final = {"hear": "receive", "publish": "mark_disclosed"}

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(f"checker {seed}")
        self.loss, self.forgery, self.lost, self.pause = self._NETWORKS[seed]
        self.checker, self.epoch, self.now = FrameVerifier(), 5, 100.0
        self.rows: list[list[Any]] = []
        self.media = SigningKey(H(b"media of story", bytes((seed,))))
        self.signer, self.last_list = _signer(self.media), 100.0
        self.counters = dict.fromkeys((0x15, 0x25, 0x35), 0)
        self.waiting: list[tuple[int, int, bytes]] = []
        self.held: list[tuple[int, int, bytes]] = []

    def do(self, what: str, *arguments: Any) -> bool:
        """Call the verifier; whether it refused nothing."""
        at = () if what in ("excuse", "publish", "listed_in") else (self.now,)
        given = [H(b"x") if a is None else a for a in arguments]
        if what == "hear":
            given = [self.epoch, _SCOPE, FrameList.decode(arguments[0]), _LEAF.public]
        call = getattr(self.checker, self._CALLS.get(what, what))
        outcome = outcome_of(lambda: call(*given, *at))
        told = [a.hex() if isinstance(a, bytes) else a for a in arguments]
        found = [finding.value for finding in self.checker.findings]
        self.checker.findings.clear()
        sums = [round(self.checker.unlisted(self.now), 9), round(self.checker.excused(self.now), 9)]
        self.rows.append([self.now, what, told, outcome, self.checker.doubt, found, *sums])
        return outcome is None

    def play(self, which: tuple[int, int, bytes]) -> None:
        if which[1] % 3 == 0:
            counter = max(0, which[1] - (which[1] // 3) % 60)
            self.do("listed_in", self.epoch, _STREAMS[which[0]][0], which[0], counter)
        if self.do("opening", self.epoch, *which):
            self.do("opened", self.epoch, *which)
        elif self.rows[-1][3] == {"error": "UnverifiedFrameError"} and self.draw.random() < 0.3:
            self.held.append(which)  # tried again when the next list is there

    def frame(self) -> None:
        """The sender seals a frame; some that wait arrive."""
        draw = self.draw
        kid = draw.choice((0x15, 0x15, 0x25, 0x35))
        counter = self.counters[kid]
        self.counters[kid] += 1 if draw.random() < 0.995 else draw.choice((2, 2, 2, 400))
        frame = b"%d of %d" % (counter, kid)
        self.signer.add(*_STREAMS[kid], kid, counter, frame, self.now)
        if draw.random() >= self.loss:
            self.waiting.append((kid, counter, b"forged" if draw.random() < self.forgery else frame))
        while self.waiting and (draw.random() < 0.9 or len(self.waiting) > 5):
            which = self.waiting.pop(0 if draw.random() < 0.9 else -1)
            self.play(which)

    def lists(self) -> None:
        """The sender signs its lists; then held frames are tried again."""
        self.last_list = self.now
        for signed in self.signer.take():
            if self.draw.random() >= self.lost:
                self.do("hear", signed.data)
                if self.draw.random() < 0.02:
                    self.do("hear", signed.data)
        again, self.held = self.held, []
        for which in again:
            self.play(which)

    def chance(self) -> None:
        """Now and then: a tick, an excuse, the end of an epoch, a minute of nothing."""
        draw = self.draw
        if draw.random() < 0.2:
            self.do("tick")
        if draw.random() < 0.005:
            self.do("excuse", round(self.now + draw.choice((0.5, 2.0, 5.0)), 3))
        if draw.random() < 0.003:
            self.do("end_epoch", self.epoch)
            self.epoch += 1
            self.counters = dict.fromkeys(self.counters, 0)
            self.waiting.clear()
            self.held.clear()
            self.signer = _signer(self.media)
        if draw.random() < 0.002:
            self.now += 61.0

    def run(self) -> list[list[Any]]:
        for _ in range(600):
            self.now = round(self.now + self.draw.choice((0.02, 0.02, 0.02, 0.03, 0.07)), 3)
            self.frame()
            if self.now - self.last_list >= self.pause:
                self.lists()
            self.chance()
        self.do("publish", H(b"another key"))
        self.signer.add(0, None, 0x15, self.counters[0x15], b"after", self.now)
        self.do("publish", self.media.public)
        for signed in self.signer.take():
            self.do("hear", signed.data)
        self.do("end_all")
        return self.rows


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {
    "sframe": sframe,
    "media_keys": media_keys,
    "media_signatures": media_signatures,
}
