"""Shared vectors of opening rooms: proofs and vouchers; and those of RFC 9497."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from voprf import ristretto

from snugroom.crypto.entry import permission
from snugroom.crypto.entry.permission import Token
from snugroom.crypto.entry.voucher import PREFIX, Voucher
from snugroom.crypto.kdf import mac
from tests.permission import rfc9497 as vectors
from tests.web.cases import NOW, ORIGIN, OTHER, Cases, filled

EVALUATOR: Final = ristretto.Evaluator(filled("token key"))
WEEK: Final = 2971


def _parse(text: str) -> Any:
    return Voucher.parse(text)


def _text(week: int, key: bytes) -> str:
    raw = week.to_bytes(4, "big") + filled("voucher") + permission.token_key(week, key)
    return PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def cases() -> Cases:
    found = Cases(
        week=permission.week_of,
        spendable=permission.spendable,
        key_hash=permission.token_key,
        message=permission.proof_message,
        password=lambda password, origin, salt, cost, text: mac(
            permission.password_key(password, origin, salt, cost), text
        ),
        token=lambda week, key, given, output, text: Token(week, key, given, output).proof(text),
        parse=_parse,
        check=lambda text, key: Voucher.parse(text).check(key),
    )
    key = EVALUATOR.public_key.serialize()
    for at in (0, 4 * 86_400 - 1, 4 * 86_400, NOW, NOW + 0.5):
        found.do("week", at)
        week = permission.week_of(at)
        for each in (week - 1, week, week + 1):
            found.do("spendable", each, at)
    found.do("key_hash", WEEK, key)
    for origin in (ORIGIN, OTHER):
        text = found.do("message", origin, filled("number", 16), filled("nonce"))
        found.do("password", "pässword 123", origin, filled("salt", 16), 10, text)
        found.do("token", WEEK, key, filled("input"), filled("output", 64), text)
    good = _text(WEEK, key)
    for wrong in (
        good,
        f" {good}\n",
        good[:-1],
        good + "A",
        "https://meet.example/#2abc",
        PREFIX,
        good + "+",
    ):
        found.do("parse", wrong)
    found.do("check", good, key)
    found.do("check", good, filled("another key"))
    return found


def rfc9497() -> dict[str, Any]:
    """The RFC's vectors, for the page's library, which takes blinds."""
    values = {name: value for name, value in vars(vectors).items() if name.isupper()}
    return values | {"SEED": vectors.SEED.hex(), "KEY_INFO": vectors.KEY_INFO.hex()}


FILES: Final[dict[str, Callable[[], Any]]] = {"permission": cases, "rfc9497": rfc9497}
