"""A host's invite, a card and a knock, for tests of the lobby."""

from __future__ import annotations

from hypothesis import strategies as st

from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.entry.invite import HostKeys, HostSeed
from snugroom.crypto.entry.lobby import (
    OpenedKnock,
    PendingKnock,
    knock,
    make_card,
    make_card_secret,
    open_knock,
)

ORIGIN, DAY = "https://meet.example", 20_000
NOW = DAY * 86_400.0
SEED = HostSeed(bytes(range(32)))
KEYS = HostKeys((SEED,))
SECRET = bytes(range(16))
ENVELOPE_KEY = bytes(32)
KEY_PACKAGE = b"a KeyPackage " * 20
NONCE = b"n" * 16
TEXTS = st.sampled_from(["", "hi", "ä" * 140, "x" * 280, "👋🏽 grüezi"])


def host_secret(now: float = NOW) -> lobby.CardSecret:
    return make_card_secret(now)


def card_of(secret: lobby.CardSecret, *answers: bytes) -> lobby.Card:
    return make_card(KEYS, ORIGIN, secret, answers or (NONCE,))


def knocked(
    key_package: bytes = KEY_PACKAGE, index: int = 5, now: float = NOW
) -> tuple[OpenedKnock, PendingKnock]:
    secret = host_secret(now)
    sent, pending = knock(SEED.invite(ORIGIN, SECRET, index), card_of(secret), key_package, "Ada", "hello")
    return open_knock(secret, sent, KEYS.tokens), pending


def an_answer(welcome: bytes = b"welcome") -> Answer:
    return Answer(welcome, b"n" * 16, b"d" * 32, b"s" * 32, b"b" * 64, 2**40, b"c" * 32, 2**31, b"ledger")
