"""A hub with a room-opening policy, a clock for weeks, and clients that have keys and proofs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

from nacl.signing import SigningKey

from snugroom.crypto.entry import permission, voucher
from snugroom.crypto.kdf import mac
from snugroom.server import tokens
from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Effect, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.permission import Permission
from snugroom.wire import limits, rights, signed
from snugroom.wire.messages import Challenge, ClientMessage, Exchange, Exchanged, Message, RoomDoor
from snugroom.wire.permission import TokenSpent
from tests.server.people import CLIENT_NONCE, SERVER, sign

ORIGIN = "http://snug.test"
SECRET = sha256(b"the operator's key file").digest()
PASSWORD = "correct horse battery"
#: A Wednesday noon.
NOON = 20_789 * 86_400 + 43_200.0


@dataclass
class Server:
    """A server: `restart` makes a new hub with the same files and another incarnation."""

    password: str | None = None
    secret: bytes | None = SECRET
    settings: Settings = field(default_factory=Settings)
    now: float = 0.0
    wall: float = NOON
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.permission = Permission(
            self.settings,
            origin=ORIGIN,
            password=self.password,
            secret=self.secret,
            rng=self.rng.randbytes,
            wall=lambda: self.wall,
        )
        self.hub = Hub(
            self.settings,
            origin=ORIGIN,
            server_key=bytes(SERVER.verify_key),
            incarnation=self.rng.randbytes(8),
            sign=sign,
            rng=self.rng.randbytes,
            permission=self.permission,
        )

    def connect(self) -> tuple[bytes, Challenge]:
        return self.hub.connect()

    def say(self, handle: bytes, message: ClientMessage) -> list[Message]:
        """Return the answers on the connection itself."""
        return answers(self.hub.handle(handle, message, self.now), handle)

    def tokens(self, week: int | None = None) -> list[permission.Token]:
        """Exchange a new voucher."""
        week = rights.week_of(self.wall) if week is None else week
        text = tokens.vouchers(SECRET if self.secret is None else self.secret, 1, week)[0]
        handle, challenge = self.connect()
        message, asked = exchange(text, challenge)
        (answer,) = self.say(handle, message)
        assert isinstance(answer, Exchanged), answer
        return asked.finish(answer.evaluated)


def exchange(text: str, challenge: Challenge) -> tuple[Exchange, voucher.Exchange]:
    """Return a client's message for a voucher, and its reader of the answer."""
    paper = voucher.Voucher.parse(text)
    assert challenge.permission is not None
    key = next(each.key for each in challenge.permission.keys if each.week == paper.week)
    asked = voucher.Exchange(paper, key, limits.VOUCHER_TOKENS)
    return Exchange(paper.sent, asked.blinded), asked


def answers(effects: Sequence[Effect], handle: bytes) -> list[Message]:
    told: list[Message] = []
    for effect in effects:
        if isinstance(effect, Send) and effect.handle == handle:
            told.append(effect.message)
        elif isinstance(effect, Drop) and effect.handle == handle:
            told.append(effect.last)
    return told


@cache
def _password_key(password: str, salt: bytes, cost: int) -> bytes:
    return permission.password_key(password, ORIGIN, salt, cost)


@dataclass
class Room:
    """The keys of one room."""

    name: str
    admin: str = "first"

    @property
    def door(self) -> SigningKey:
        return SigningKey(sha256(f"{self.name} door".encode()).digest())

    @property
    def room_admin(self) -> SigningKey:
        return SigningKey(sha256(f"{self.name} {self.admin}".encode()).digest())

    @property
    def number(self) -> bytes:
        return signed.room_number(bytes(self.door.verify_key), bytes(self.room_admin.verify_key))

    def knock(
        self,
        challenge: Challenge,
        *,
        token: permission.Token | None = None,
        password: str | None = None,
        permit: bytes | None = None,
        probe: bytes | None = None,
    ) -> RoomDoor:
        """A door message with these proofs."""
        text = permission.proof_message(ORIGIN, self.number, challenge.nonce)
        spent = None if token is None else TokenSpent(token.week, token.input, token.proof(text))
        proof = None
        if password is not None and challenge.permission is not None:
            salt, cost = challenge.permission.salt, challenge.permission.cost
            assert salt is not None
            assert cost is not None
            proof = mac(_password_key(password, salt, cost), text)
        signature = self.door.sign(signed.door(ORIGIN, self.number, challenge.nonce, CLIENT_NONCE)).signature
        keys = bytes(self.door.verify_key), bytes(self.room_admin.verify_key)
        return RoomDoor(*keys, CLIENT_NONCE, signature, proof, spent, permit, probe)
