"""Shared vectors of codes, heartbeats, evidence and reports (crypto/proof, crypto/agreed/heartbeat.py)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

import msgspec

from snugroom.crypto.agreed.heartbeat import (
    NO_HEARTBEAT,
    Act,
    Counters,
    Got,
    Heartbeat,
    PendingAct,
    server_mark,
    window,
)
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, REPORTS, Policy
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import H, SigningKey
from snugroom.crypto.mls.framing import to_be_signed
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.mls.messages import FramedContent, GroupContext, Sender, SenderType, WireFormat
from snugroom.crypto.mls.nodes import Extension
from snugroom.crypto.mls.proposals import Remove
from snugroom.crypto.proof import evidence, report
from snugroom.crypto.proof.evidence import (
    Exhibit,
    NamedLeaf,
    Probe,
    ProbeReceipt,
    Receipt,
    ServerEvent,
    SignedHeartbeat,
)
from snugroom.crypto.proof.report import Report, ReportedMessage
from snugroom.crypto.proof.verification import grouped, long_code
from snugroom.wire import signed
from tests.crypto.heartbeats import WRONG_FIELDS
from tests.loose import loosely
from tests.web.cases import SAFE, outcome_of

# -- codes -----------------------------------------------------------------------------------------------


def codes() -> dict[str, Any]:
    """Long codes (the short ones' known answers are in tests/crypto/short_code.json)."""
    draw = random.Random("codes")
    rows = []
    for size in [0, *[32] * 30]:
        authenticator, transcript = draw.randbytes(32), draw.randbytes(size)
        code = long_code(authenticator, transcript)
        rows.append([authenticator.hex(), transcript.hex(), code, grouped(code)])
    padded = [(n.to_bytes(32, "big"), bytes(32)) for n in range(200)]
    shortest = next(pair for pair in padded if long_code(*pair).startswith("0"))
    code = long_code(*shortest)
    rows.append([shortest[0].hex(), shortest[1].hex(), code, grouped(code)])
    return {"long": rows}


# -- heartbeats ------------------------------------------------------------------------------------------

_NUMBER: Final = H(b"room")[:16]


def _sign(key: SigningKey) -> Callable[[str, bytes], bytes]:
    return lambda label, data: sign_with_label(key.seed, label, data)


def _counters(draw: random.Random) -> Counters:
    streams = sorted(draw.sample(range(8), draw.randrange(9)))
    return tuple((stream, draw.choice((0, 1, 2**48 - 1, draw.randrange(2**30)))) for stream in streams)


def _beat(draw: random.Random) -> Heartbeat:
    since = draw.choice((0, 3, draw.randrange(2**40)))
    return Heartbeat(
        leaf=draw.choice((0, 5, 2**32 - 1)),
        handle=draw.randbytes(8),
        since=since,
        seq=draw.choice((1, 2**32 - 1, draw.randrange(1, 1000))),
        prev=draw.choice((NO_HEARTBEAT, draw.randbytes(32))),
        at=draw.choice((0, 1_790_000_000)),
        epoch=draw.choice((0, SAFE)),
        slot=since + draw.randrange(100),
        chain=draw.randbytes(32),
        authenticator=draw.randbytes(32),
        incarnation=draw.randbytes(8),
        server=draw.randbytes(8),
        relay=draw.randrange(2**40),
        window=draw.randbytes(32),
        words=draw.getrandbits(48),
        sent=_counters(draw),
        want=draw.random() < 0.5,
        got=tuple(
            Got(leaf, draw.randrange(2**32), _counters(draw))
            for leaf in sorted(draw.sample(range(300), draw.randrange(6)))
        ),
        pending=tuple(
            PendingAct(act, draw.choice((0, 3, 2**32 - 1)))
            for act in sorted(draw.sample(list(Act), draw.randrange(4)))
        ),
    )


def heartbeats() -> dict[str, Any]:
    """Signed heartbeats with all their fields, malformed ones, and windows."""
    draw = random.Random("beats")
    key = SigningKey(H(b"beating"))
    rows = []
    for _ in range(25):
        beat = _beat(draw).signed(_NUMBER, _sign(key))
        fields = msgspec.to_builtins(beat, builtin_types=(bytes,))
        said = {k: v for k, v in fields.items() if not k.startswith("_")}
        said["got"] = [got._asdict() for got in beat.got]
        shown = {k: v.hex() if isinstance(v, bytes) else v for k, v in said.items()}
        rows.append({"fields": shown, "encoded": beat.encode().hex(), "digest": beat.digest.hex()})
    plain = _beat(draw).signed(_NUMBER, _sign(key))
    raw = plain.encode()
    wrong: list[dict[str, Any]] = [
        {"seq": 0},
        {"slot": plain.since - 1, "since": plain.since} if plain.since else {"slot": 0, "since": 1},
        *WRONG_FIELDS,
    ]
    bad = [loosely(replace(plain, **change)) for change in wrong]
    bad += [raw[:-1], raw + b"\0", b"", b"\2" + raw[1:], raw[:100]]
    bad += [data for data in (_flipped(draw, raw) for _ in range(100)) if _fits(data)]
    read = [{"data": data.hex(), "outcome": outcome_of(partial(_heard, data, key))} for data in bad]
    windows = []
    for count in range(10):
        incarnation, digests = draw.randbytes(8), [draw.randbytes(32) for _ in range(count)]
        made = window(incarnation, count, digests)
        windows.append([incarnation.hex(), count, [d.hex() for d in digests], made.hex()])
    hashes = [(draw.randbytes(32), draw.randbytes(32)) for _ in range(4)]
    marks = [[prev.hex(), shown.hex(), server_mark(prev, shown).hex()] for prev, shown in hashes]
    return {
        "seed": key.seed.hex(),
        "number": _NUMBER.hex(),
        "beats": rows,
        "read": read,
        "windows": windows,
        "marks": marks,
    }


def _fits(data: bytes) -> bool:
    """Whether JavaScript numbers hold the values of the heartbeat, if the data is one."""
    try:
        beat = Heartbeat.decode(data)
    except MalformedError:
        return True
    return max(beat.since, beat.at, beat.epoch, beat.slot, beat.relay) <= SAFE


def _heard(data: bytes, key: SigningKey) -> bool:
    Heartbeat.decode(data).verify(_NUMBER, key.public)
    return True


def _flipped(draw: random.Random, data: bytes) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes((data[place] ^ 1 << draw.randrange(8),)) + data[place + 1 :]


# -- evidence --------------------------------------------------------------------------------------------

_ODD: Final = 'so: "ä" \\ / \b\f\n\r\t\x00\x1f\x7f\u2028\U0001f436 <&>'


def _short(key: SigningKey, server: SigningKey) -> Exhibit:
    return evidence.statement(
        origin="https://meet.example",
        number=_NUMBER,
        server_key=server.public,
        dropped_at=1003,
        at=1006,
        key=key.public,
    ).signed(_sign(key))


def evidence_files() -> dict[str, Any]:
    """Whole files, and of each exhibit what is signed and the probe's chain value."""
    draw = random.Random("evidence")
    keys = [SigningKey(H(b"member", bytes((n,)))) for n in range(3)]
    server = SigningKey(H(b"server"))

    def receipt(slot: int) -> Receipt:
        opening_id, before, blob = draw.randbytes(8), draw.randbytes(32), draw.randbytes(32)
        text = signed.SlotTaken(_NUMBER, opening_id, slot, before, blob).encode()
        return Receipt(_NUMBER, server.public, opening_id, slot, before, blob, server.sign(text))

    def exhibit(who: int, beats: int, receipts: int, *, probed: bool | None, **changed: Any) -> Exhibit:
        heard = []
        for n in range(beats):
            key = keys[n % 3]
            heard.append(SignedHeartbeat(key.public, _beat(draw).signed(_NUMBER, _sign(key)).encode()))
        counted = [receipt(slot) for slot in range(receipts)]
        made = None
        if probed is not None:
            number = H(b"probed")[:16]
            chain = evidence.probe_chain(_NUMBER, heard, counted)
            text = signed.RoomOpened(number, bytes(8), 0, chain).encode()
            answer = ProbeReceipt(number, server.public, bytes(8), server.sign(text))
            made = Probe(1004, _ODD, answer if probed else None)
        facts: dict[str, Any] = {
            "at": 1005,
            "origin": "https://meet.example",
            "number": _NUMBER,
            "server_key": server.public,
            "dropped_at": None if probed is None else 1003,
            "beats": heard,
            "receipts": counted,
            "last_words": [ServerEvent(1003, "idle", _ODD), ServerEvent(0, "", "x" * 500)],
            "probe": made,
            "leaves": [],
            "key": keys[who].public,
            "signature": bytes(64),
        }
        return Exhibit(**(facts | changed)).signed(_sign(keys[who]))

    leaves = [NamedLeaf(7, b"group", b"node"), NamedLeaf(2**32 - 1, b"", draw.randbytes(70))]
    files = [
        [exhibit(0, 3, 2, probed=True)],
        [exhibit(1, 0, 0, probed=None, last_words=[])],
        [exhibit(0, 5, 1, probed=False), exhibit(2, 2, 3, probed=True)],
        [exhibit(2, 1, 0, probed=None, leaves=leaves, at=SAFE)],
        [exhibit(0, 1, 1, probed=True), _short(keys[1], server)],
    ]
    return {
        "seeds": {key.public.hex(): key.seed.hex() for key in keys},
        "files": [
            {
                "text": evidence.encode(evidence.Evidence(evidence.FORMAT, exhibits)).decode(),
                "signed": [e.to_be_signed().hex() for e in exhibits],
                "chains": [evidence.probe_chain(e.number, e.beats, e.receipts).hex() for e in exhibits],
                "provable": not any(e.leaves for e in exhibits),
            }
            for exhibits in files
        ],
    }


# -- reports ---------------------------------------------------------------------------------------------

_SAID: Final = b'{"type":"say","id":"AAECAwQFBgcICQoLDA0ODw==","text":"\xc3\x84rger"}'
_SAID_NEXT: Final = _SAID.replace(b"rger", b"rger ohne Ende").replace(b"AAEC", b"BAEC")


_REPORT_HOST, _WRITER, _OTHER = (SigningKey(H(b"report", bytes((n,)))) for n in range(3))
_GROUP: Final = H(b"group")
_POLICY: Final = Policy(1, (_WRITER.public,), _REPORT_HOST.public, title="Ärger", flags=REPORTS)
_CONTEXT: Final = GroupContext(
    1, _GROUP, 9, bytes(32), bytes(32), (Extension(POLICY_EXTENSION, _POLICY.encode()),)
)


def _accused(
    data: Any = _SAID,
    *,
    of: GroupContext = _CONTEXT,
    epoch: int = 9,
    sender: Sender = Sender(SenderType.MEMBER, 1),  # noqa: B008 - frozen
    wire: WireFormat = WireFormat.PRIVATE_MESSAGE,
    label: str = "FramedContentTBS",
    invite: int = 3,
    admitted: int | None = None,
    tail: bytes = b"",
) -> ReportedMessage:
    framed = FramedContent(_GROUP, epoch, sender, b"aad", data)
    tbs = to_be_signed(wire, framed, of.encoded) + tail
    admission = report.sign_admission(
        _REPORT_HOST, _GROUP, _WRITER.public, invite if admitted is None else admitted
    )
    return ReportedMessage(tbs, sign_with_label(_WRITER.seed, label, tbs), _WRITER.public, invite, admission)


def _context_with(*extensions: Extension, **changed: Any) -> GroupContext:
    facts = {"cipher_suite": 1, "group_id": _GROUP, "epoch": 9, "tree_hash": bytes(32)}
    facts |= {"confirmed_transcript_hash": b"", "extensions": extensions}
    return GroupContext(**(facts | changed))  # type: ignore[arg-type]


def _reported_messages() -> list[ReportedMessage]:
    """A good message first; then others, most of them wrong in one place."""
    plain = Extension(POLICY_EXTENSION, Policy(1, (), _REPORT_HOST.public).encode())
    ours = _CONTEXT.extensions[0]
    others = Extension(POLICY_EXTENSION, Policy(1, (), _OTHER.public, flags=REPORTS).encode())
    good = _accused()
    return [
        good,
        _accused(b"", invite=report.NO_INVITE),
        _accused(_SAID_NEXT),
        _accused(b"x" * 20_000),
        _accused(of=_context_with(Extension(0x0A0A, b"grease"), ours)),
        msgspec.structs.replace(good, tbs=good.tbs[:-1]),
        _accused(tail=b"\0"),
        msgspec.structs.replace(good, signature=bytes(64)),
        msgspec.structs.replace(good, signature_key=_OTHER.public),
        msgspec.structs.replace(good, invite=4),
        msgspec.structs.replace(good, admission=bytes(64)),
        _accused(label="LeafNodeTBS"),
        _accused(admitted=5),
        _accused(epoch=8),
        _accused(of=_context_with(ours, group_id=b"elsewhere")),
        _accused(of=_context_with(plain)),
        _accused(of=_context_with(others)),
        _accused(of=_context_with()),
        _accused(of=_context_with(ours, ours)),
        _accused(of=_context_with(Extension(POLICY_EXTENSION, b"\1"))),
        _accused(wire=WireFormat.PUBLIC_MESSAGE),
        _accused(Remove(0)),
        _accused(b"", sender=Sender(SenderType.EXTERNAL, 0)),
        *(msgspec.structs.replace(good, tbs=good.tbs[:n]) for n in (0, 3, 4, 40, 60)),
        # the length of the group id in two bytes where one would do, and with an invalid prefix
        msgspec.structs.replace(good, tbs=good.tbs[:4] + b"\x40" + good.tbs[4:]),
        msgspec.structs.replace(good, tbs=good.tbs[:4] + b"\xff" + good.tbs[5:]),
    ]


def _shown(one: ReportedMessage) -> dict[str, Any]:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in msgspec.structs.asdict(one).items()
    }


def _proven(one: ReportedMessage) -> dict[str, Any]:
    found = asdict(report.verify_message(one, _REPORT_HOST.public))
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}


def reports() -> dict[str, Any]:
    """A whole report, and messages one by one: what each proves, or why it is refused."""
    cases = _reported_messages()
    return {
        "host_seed": _REPORT_HOST.seed.hex(),
        "group_id": _GROUP.hex(),
        "cases": [{"accused": _shown(one), "outcome": outcome_of(partial(_proven, one))} for one in cases],
        "file": report.encode(Report(report.FORMAT, _REPORT_HOST.public, [cases[0], cases[2]])).decode(),
    }


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {
    "codes": codes,
    "heartbeats": heartbeats,
    "evidence": evidence_files,
    "reports": reports,
}
#: Texts of people in these files stay as they are.
ASCII: Final = False
