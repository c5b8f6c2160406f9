"""Shared vectors of what members agree on, and of the envelope (crypto/agreed/{room_state,envelope}.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.ledger import AWAY_MAX, Away, Ledger, Rejoined
from snugroom.crypto.agreed.room_state import (
    ANY_HOST,
    REPORTS,
    SINGLE_USE,
    CommitContext,
    HostReturn,
    Identity,
    Mode,
    Policy,
    PolicyServer,
    RejoinTicket,
    host_return_message,
)
from snugroom.crypto.agreed.slot_author import Place, SlotPayload
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.mls.labels import sign_with_label
from tests.loose import loosely
from tests.web.cases import ORIGIN, OTHER, Cases, Seed, filled

# -- what members agree on -----------------------------------------------------------------------


def _again(kind: Any, data: bytes) -> Any:
    found = kind.decode(data)
    assert found.encode() == data
    return found


def _after(data: bytes, slot: int, how: dict[str, Any]) -> Any:
    after = Ledger.decode(data).after(
        slot,
        removed=dict(how["removed"]),
        added={leaf: (key, number) for leaf, key, number in how["added"]},
        rejoined=how["rejoined"],
        host_returned=how["host_returned"],
        host_lost=how["host_lost"],
        rotated=how["rotated"],
        by_host=how["by_host"],
        away=how["away"],
        withdrawn=how["withdrawn"],
    )
    return [after.encode(), after.digest(), [after.invite_of(leaf) for leaf in range(8)]]


def _policies(cases: Cases, keys: list[bytes]) -> None:
    """Policies, and hosts that are added and removed."""
    small = Policy(1, (keys[0],), keys[1])
    policies = [
        small,
        Policy(
            2**32 - 1,
            tuple(keys[:3]),
            keys[4],
            keys[5],
            keys[6],
            (keys[8], keys[7]),
            Mode.LOCKED,
            "Bücher \U0001f98a",
            (PolicyServer(ORIGIN, keys[9]), PolicyServer(OTHER, keys[10])),
            REPORTS,
        ),
        replace(
            small,
            title="t" * 128,
            hosts=tuple(keys[:16]),
            servers=tuple(PolicyServer(str(i), keys[i]) for i in range(8)),
        ),
    ]
    for policy in policies[:2]:
        cases.cuts("policy", policy.encode())
    cases.do("policy", policies[2].encode())
    for wrong in (
        replace(small, title="t" * 129),
        replace(small, title="é" * 65),
        replace(small, hosts=tuple(keys[:17])),
        replace(small, hosts=(keys[0], keys[0])),
        replace(small, servers=tuple(PolicyServer(str(i), keys[i]) for i in range(9))),
        *(replace(small, flags=flags) for flags in (2, 4, 7, 8)),
        replace(small, hosts=()),
        replace(small, later_keys=tuple(keys[2:17])),
        replace(small, later_keys=tuple(keys[2:18])),
        replace(small, later_keys=(keys[1],)),
        replace(small, later_keys=(keys[2], keys[2])),
    ):
        cases.do("policy", loosely(wrong))
    raw = replace(policies[1], version=7).encode()
    cases.do("policy", raw[:6] + keys[1] + keys[0] + raw[70:])  # hosts in another order
    cases.do("policy", small.encode()[:-3] + b"\1\xff\0\0")
    full = replace(policies[1], version=7, later_keys=tuple(keys[5:20])).encode()
    for encoded in (raw, full):
        cases.do("with_keys", encoded, keys[1], keys[2], keys[3])
        cases.do("with_servers", encoded, OTHER, keys[3])
    for key in (keys[0], keys[2], keys[19]):
        cases.do("with_host", raw, key)
        cases.do("without_host", raw, key)


def _ledgers(cases: Cases, keys: list[bytes]) -> None:
    """Ledgers."""
    ledger = Ledger(
        frozenset({1, 2, 0x8001}),
        frozenset({3}),
        frozenset(keys[:3]),
        ((0, 1), (2, 0x8001), (7, 2)),
        (Rejoined(5, keys[0], filled("m", 16)), Rejoined(9, keys[1], filled("n", 16), True)),
        4,
        6,
        True,
        tuple(_away(key, n) for n, key in enumerate(keys[8:12])),
    )
    cases.do("ledger", Ledger().encode())
    cases.cuts("ledger", ledger.encode())
    for wrong_ledger in (
        replace(ledger, invites=((2, 1), (0, 2))),
        replace(ledger, invites=((0, 1), (0, 2))),
        replace(ledger, rejoins=tuple(reversed(ledger.rejoins))),
        replace(ledger, rejoins=(ledger.rejoins[0], ledger.rejoins[0])),
        Ledger(rejoins=tuple(Rejoined(i, keys[0], bytes(16)) for i in range(64))),
        Ledger(rejoins=tuple(Rejoined(i, keys[0], bytes(16)) for i in range(65))),
        replace(ledger, away=tuple(reversed(ledger.away))),
        replace(ledger, away=(ledger.away[0], replace(ledger.away[0], slot=9))),
        replace(ledger, away=_crowd(AWAY_MAX + 1)),
    ):
        cases.do("ledger", loosely(wrong_ledger))
    bare = replace(ledger, away=()).encode()
    for due in (b"\0", b"\2", b"\xff"):
        cases.do("ledger", bare[:-2] + due + b"\0")
    _after_commits(cases, keys, ledger)


def _after_commits(cases: Cases, keys: list[bytes], ledger: Ledger) -> None:
    """What commits make of a ledger."""
    start = ledger.encode()
    nothing: dict[str, Any] = {
        "removed": [],
        "added": [],
        "rejoined": None,
        "host_returned": False,
        "host_lost": False,
        "rotated": False,
        "by_host": False,
        "away": [],
        "withdrawn": [],
    }
    rejoined = Rejoined(20, keys[2], filled("o", 16))
    for slot, how in (
        (20, {}),
        (69, {}),
        (73, {}),
        (20, {"removed": [[2, True]]}),
        (20, {"removed": [[5, True], [2, False]], "added": [[2, keys[5], 9], [3, keys[6], None]]}),
        (20, {"removed": [[7, True]], "added": [[7, keys[2], None]], "rejoined": rejoined}),
        (20, {"removed": [[5, True]], "added": [[5, keys[2], None]], "rejoined": rejoined}),
        (20, {"host_returned": True, "added": [[1, keys[7], None]]}),
        (20, {"host_lost": True, "removed": [[0, True]]}),
        (20, {"host_lost": True, "rotated": True, "by_host": True}),
        (20, {"rotated": True}),
        (20, {"removed": [[7, False]], "away": [_away(keys[2], 20)]}),
        (20, {"added": [[7, keys[8], None]], "rejoined": replace(rejoined, signature_key=keys[8])}),
        (20, {"added": [[3, keys[11], None]], "rejoined": replace(rejoined, signature_key=keys[11])}),
        (20, {"removed": [[0, True]]}),
        (20, {"removed": [[0, True]], "away": [_away(keys[2], 1)]}),
        (20, {"withdrawn": keys[9:11]}),
    ):
        cases.do("after", start, slot, nothing | how)
    full = replace(ledger, away=_crowd(AWAY_MAX)).encode()
    cases.do("ledger", full)
    cases.do("after", full, 90, nothing | {"away": [_away(keys[n], 90) for n in range(3)]})


def _away(key: bytes, slot: int) -> Away:
    return Away(key, filled(f"rejoin {slot}"), f"\0Zoë {slot}".encode(), (None, 1, 9, 0xFFFF)[slot % 4], slot)


def _crowd(size: int) -> tuple[Away, ...]:
    keys = sorted(filled(f"away {n}") for n in range(size))
    return tuple(_away(key, n * 5 % 64) for n, key in enumerate(keys))


def _signed_ticket(data: bytes, one: bytes, other: bytes, *keys: bytes) -> bytes:
    signers = (SigningKey(one), SigningKey(other))
    return RejoinTicket.decode(data).signed(signers, *keys).encode()


def _contexts(cases: Cases, keys: list[bytes]) -> None:
    """Tickets to rejoin, and the contexts of commits."""
    ticket = RejoinTicket(b"group", 12, keys[0], filled("n", 16), by=3, stuck=True)
    cases.cuts("ticket", ticket.encode())
    key, other = SigningKey(filled("rejoin")), SigningKey(filled("another"))
    signed = ticket.signed((key, other), *keys[:3])
    cases.cuts("ticket", signed.encode())
    cases.do("ticket", loosely(replace(signed, signatures=signed.signatures * 5)))
    cases.do("ticket_message", signed.encode(), *keys[:3])
    cases.do("ticket_signed", ticket.encode(), key.seed, other.seed, *keys[:3])
    cases.do("ticket", replace(ticket, by=ANY_HOST, stuck=False, slot=2**53 - 1).encode())
    context = CommitContext(filled("room", 16), 9, keys[0], keys[1])
    back = HostReturn(4, filled("signature", 64))
    for each in (
        context,
        replace(context, invites=(0xFFFF,)),
        replace(context, invites=(0,), host_return=back),
        replace(context, invites=(7, 0x8007, 7)),
        replace(context, absent=True),
        replace(context, withdrawn=(keys[2], keys[3])),
    ):
        cases.cuts("context", each.encode())
    for wrong in (
        (keys[3], keys[2]),
        (keys[2], keys[2]),
        tuple(sorted(filled(f"away {n}") for n in range(65))),
    ):
        cases.do("context", loosely(replace(context, withdrawn=wrong)))
    raw = context.encode()
    for flags in (b"\0\1", b"\1\0", b"\2\0\0\0", b"\0\2" + back.encode(), b"\xff\0\7\0"):
        cases.do("context", raw[:-3] + flags + b"\0")
    cases.do("host_return", b"group", keys[0], 5)


def room_state_cases() -> Any:
    """crypto/agreed/room_state.py."""
    cases = Cases(
        policy=partial(_again, Policy),
        with_host=lambda data, key: Policy.decode(data).with_host(key).encode(),
        without_host=lambda data, key: Policy.decode(data).without_host(key).encode(),
        with_keys=lambda data, *keys: Policy.decode(data).with_keys(*keys).encode(),
        with_servers=lambda data, *one: Policy.decode(data).with_servers((PolicyServer(*one),)).encode(),
        identity=partial(_again, Identity),
        ticket=partial(_again, RejoinTicket),
        ticket_message=lambda data, *keys: RejoinTicket.decode(data).message(*keys),
        ticket_signed=_signed_ticket,
        context=partial(_again, CommitContext),
        ledger=partial(_again, Ledger),
        after=_after,
        host_return=host_return_message,
    )
    keys = sorted(filled(f"key {i}") for i in range(20))
    _policies(cases, keys)
    for data in (b"", b"\0", b"\0Ada", b"\1Ada", b"\0\xef\xbb\xbfAda", b"\0\xff", b"\0Zo\xc3\xab"):
        cases.do("identity", data)
    _contexts(cases, keys)
    _ledgers(cases, keys)
    assert SINGLE_USE == 0x8000
    return cases


# -- the envelope ------------------------------------------------------------------------------------


def envelope_cases() -> Any:
    """crypto/agreed/envelope.py."""
    cases = Cases(
        cover=lambda key, kind, room, slot, payload, buckets, rng, gate: envelope.seal(
            key, kind, room, slot, payload, buckets, gate=gate, rng=rng
        ),
        gate=envelope.gate,
        uncover=envelope.open,
        slot=envelope.epoch_slot,
        pack=envelope.pack,
        unpack=envelope.unpack,
    )
    key, room = filled("veil"), filled("room", 16)
    for kind in ("commit", "relay", "beat", "signatures", "vouch", "piece"):
        gate = filled("gate") if kind == "commit" else b""
        blob = cases.do("cover", key, kind, room, 7, b"payload", [64, 128, 512], Seed(kind), gate)
        cases.do("cover", key, kind, room, 7, b"payload", [128], Seed(kind), filled("gate")[: 32 - len(gate)])
        cases.do("gate", blob)
        cases.do("uncover", key, kind, room, blob)
        cases.do("uncover", key, "commit", room, blob)
    for size in (0, 472, 473, 984, 985):
        cases.do("cover", key, "relay", room, 2**53 - 1, bytes(size), [512, 1024], Seed("sizes"), b"")
    for size in (440, 441):
        cases.do("cover", key, "commit", room, 1, bytes(size), [512], Seed("sizes"), filled("gate"))
    for wrong in (
        (filled("other"), "piece", room, blob),
        (key, "piece", filled("other", 16), blob),
        (key, "piece", room, blob[:-1]),
        (key, "piece", room, blob[:30]),
        (key, "piece", room, blob[:7]),
        (key, "piece", room, b"\1" + blob[1:]),
        (key, "piece", room, blob[:7] + b"\6" + blob[8:]),
    ):
        cases.do("uncover", *wrong)
    for data in (blob, b"\xff" * 8, bytes(7)):
        cases.do("slot", data)
    for messages in ([], [b"one"], [b"one", b"", b"three"]):
        packed = cases.do("pack", messages)
        cases.cuts("unpack", packed)
    return cases


def slot_author_cases() -> Any:
    """crypto/agreed/slot_author.py."""
    signing = SigningKey(filled("leaf"))

    def signed(packed: bytes, leaf: int, number: bytes, slot: int, chain: bytes, gate: bytes) -> bytes:
        def sign(label: str, data: bytes) -> bytes:
            return sign_with_label(signing.seed, label, data)

        return SlotPayload.signed(packed, leaf, Place(number, slot, chain), gate, sign).encode()

    def read(payload: bytes, number: bytes, slot: int, chain: bytes, gate: bytes, key: bytes) -> Any:
        decoded = SlotPayload.decode(payload)
        decoded.verify(Place(number, slot, chain), gate, key)
        return [decoded.packed, decoded.leaf]

    cases = Cases(signed=signed, read=read)
    number, chain, gate = filled("room", 16), filled("chain"), filled("gate")
    payload = cases.do("signed", b"packed", 3, number, 7, chain, gate)
    cases.do("signed", b"packed", 2**32, number, 7, chain, gate)
    for wrong in ((number[1:], 7, chain, gate), (number, -1, chain, gate), (number, 7, chain, gate[1:])):
        cases.do("signed", b"packed", 3, *wrong)
    right = (number, 7, chain, gate, signing.public)
    cases.do("read", payload, *right)
    for false in (
        (filled("other", 16), *right[1:]),
        (number, 8, *right[2:]),
        (number, 7, gate, *right[3:]),
        (number, 7, chain, chain, signing.public),
        (*right[:4], SigningKey(filled("other")).public),
    ):
        cases.do("read", payload, *false)
    for changed in (payload[:-1], payload[:67], b"", b"P" + payload[1:], payload[:9] + b"\4" + payload[10:]):
        cases.do("read", changed, *right)
    return cases


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {
    "room_state": room_state_cases,
    "envelope": envelope_cases,
    "slot_author": slot_author_cases,
}
