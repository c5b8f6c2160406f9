"""Shared vectors of rejoins and hosts' returns (crypto/entry/recovery.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from snugroom.crypto import fields, hpke, kdf
from snugroom.crypto.entry import answers, lobby, recovery
from snugroom.crypto.entry.answers import Answer, Refusal
from snugroom.crypto.entry.invite import HostSeed
from snugroom.crypto.kdf import H, Rng
from tests.web.cases import HOST, HOST_KEYS, ORIGIN, SECRET, SUITE, Cases, Seed, filled


def _inside(door_seed: bytes, message: Any, rng: Rng) -> bytes:
    key = recovery.recovery_key(door_seed)
    inside = recovery.seal(key, message, rng=rng)
    assert recovery.open(key, inside) == message
    return inside.sealed


def _uncovered(raw: bytes) -> Any:
    """Read bytes that are sealed under the key of a door seed of zeros."""
    key = recovery.recovery_key(bytes(32))
    inside = lobby.RecoveryMessage(
        kdf.seal(key, fields.padded(raw, 4 + len(raw)), b"snug 1 inside", rng=Seed("inside").rng())
    )
    return recovery.open(key, inside)


def _asked(seed: bytes, group_id: bytes, slot: int, package: bytes, rng: Rng) -> recovery.HostReturnRequest:
    asked, _ = recovery.make_host_return_request(HostSeed(seed), group_id, slot, package, rng=rng)
    return asked


def _back(asked: Any, answer: Answer, rng: Rng) -> Any:
    back = recovery.make_recovery_reply(asked, answer, rng=rng)
    return [back, back.open(asked, filled("reply"))]


def _answered(cases: Cases) -> tuple[Any, Any, Any]:
    """Requests, and replies to them; a host's request, a member's, and a reply."""
    asked = cases.do("make_return", HOST.seed, b"group", 5, b"package", Seed("return"))
    public = hpke.public_key(filled("reply"))
    ours = replace(asked, reply_public=public)
    again = recovery.RejoinRequest(public, b"package")
    answer = Answer(
        b"welcome",
        filled("number", 16),
        filled("door"),
        filled("steward"),
        filled("handed", 64),
        9,
        filled("chain"),
        2**31,
        b"ledger",
    )
    back, _ = cases.do("back", ours, answer, Seed("back"))
    cases.do("back", again, answer, Seed("back"))
    cases.do("back", replace(again, reply_public=bytes(32)), answer, Seed("back"))
    for each in (asked, ours, again):
        cases.do("id", each)
    cases.do("open_back", back, ours, filled("reply"))
    cases.do("open_back", back, asked, filled("reply"))
    cases.do("open_back", back, again, filled("reply"))
    cases.do("open_back", back, ours, filled("another"))
    cases.do("open_back", replace(back, id=bytes(8)), ours, filled("reply"))
    no = hpke.seal(
        SUITE,
        public,
        b"snug 1 back" + H(again.encode()),
        again.id,
        answers.encode_answer(Refusal("no")),
        rng=Seed("no").rng(),
    )
    cases.do("open_back", recovery.RecoveryReply(again.id, no.enc, no.ciphertext), again, filled("reply"))
    return ours, again, back


def _malformed(cases: Cases) -> None:
    """Bytes that are no message."""
    nonce, public = filled("nonce", 16), hpke.public_key(filled("reply"))
    large = fields.uint(5, 1) + public + bytes(8193)
    for raw in (
        b"",
        b"\0",
        b"\1" + nonce,
        b"\1" + nonce + b"\0",
        b"\2" + bytes(152),
        b"\2" + bytes(151),
        b"\2" + bytes(153),
    ):
        cases.do("uncovered", raw)
    for raw in (
        b"\3" + bytes(104),
        b"\3" + bytes(105),
        b"\4" + bytes(40),
        b"\4" + bytes(39),
        b"\5" + bytes(32),
        large,
        b"\6",
    ):
        cases.do("uncovered", raw)


def recovery_cases() -> Any:
    """crypto/entry/recovery.py."""
    cases = Cases(
        inside_key=recovery.recovery_key,
        inside=_inside,
        uncovered=_uncovered,
        make_return=_asked,
        id=lambda asked: asked.id,
        back=_back,
        open_back=lambda back, asked, private: back.open(asked, private),
        kept=_kept,
    )
    cases.do("inside_key", filled("door"))
    cases.do("inside_key", bytes(31))
    ours, again, back = _answered(cases)
    nonce = filled("nonce", 16)
    for message in (
        recovery.HelperQuery(nonce),
        recovery.HelperOffer(nonce, 2**53 - 1, filled("returns")),
        ours,
        again,
        replace(again, key_package=bytes(8192)),
        back,
        recovery.HelperQuery(nonce[1:]),
    ):
        cases.do("inside", filled("door"), message, Seed("inside"))
    _malformed(cases)
    kept = recovery.HostRecoveryData(HOST_KEYS, filled("door"), SECRET, b"group", ORIGIN, "Ada")
    cases.cuts("kept", kept.encode())
    listed = replace(kept, servers=("https://b.example", "https://c.example:8443"))
    cases.cuts("kept", listed.encode())
    nine = [fields.prefixed(f"https://{n}.example".encode(), 1) for n in range(9)]
    for wrong in (
        replace(kept, origin="https://Meet.example").encode(),
        replace(kept, servers=("https://B.example",)).encode(),
        kept.encode()[:-1] + fields.uint(len(nine), 1) + b"".join(nine),
        replace(kept, origin="x").encode(),
        replace(kept, name="Ada:").encode(),
    ):
        cases.do("kept", wrong)
    return cases


def _kept(data: bytes) -> Any:
    kept = recovery.HostRecoveryData.decode(data)
    assert kept.encode() == data
    return [
        [seed.seed for seed in kept.host_keys.seeds],
        kept.door_seed,
        kept.secret,
        kept.group_id,
        kept.origin,
        kept.name,
        kept.door_key.public,
    ]


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"recovery": recovery_cases}
