"""The core of the room-opening policy: who may open a room that the server does not hold.

docs/reference/protocol.md, section 3, "Opening a room"; decision 53. A room that the server holds asks for
nothing. There are three proofs: the operator's password, an anonymous token (RFC 9497), and the
permit of a room that was opened before.

No I/O: `now` is monotonic for rates, `wall` is Unix seconds for weeks and permits.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voprf import ristretto

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.wire import rights
from snugroom.wire.messages import Exchange, Exchanged, Refused, RoomDoor
from snugroom.wire.permission import PermissionPolicy, TokenKey

#: log2 of scrypt's N for the password: 64 MiB and some 0.2 s for each guess.
PASSWORD_COST: Final = 16
#: Seconds after its week for which a key's tokens may still be spent.
SPEND_GRACE: Final = 86_400
#: Tokens that may be spent, and vouchers that may be exchanged, under one key.
SPENT_MAX: Final = 100_000
#: Seconds for which a permit reopens a room; permits end at full hours.
PERMIT_TIME: Final = 7 * 86_400
_HOUR: Final = 3600
_NEEDS_PASSWORD: Final = "opening a room at this server needs its password"  # noqa: S105 - a sentence
_NEEDS_TOKEN: Final = "opening a room at this server needs a token"  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class RoomPermission:
    """How a room was opened: `id` is random, and stays with the room's permits.

    One proof opens one room at a time: the hub has no two rooms with one `id`. `rekeys` counts the changes of
    the room admin key before this server held the room; of two rooms with one `id` the later one stays. A
    `probe` has one place, and no permit: a member tests with it whether the server serves anybody.
    """

    id: bytes
    rekeys: int = 0
    probe: bool = False


class WeekKey:
    """The token key of one week, and what was exchanged and spent under it."""

    def __init__(self, secret: bytes, week: int) -> None:
        self.week = week
        self.evaluator = ristretto.Evaluator.from_seed(
            hmac.digest(secret, b"snug 1 token seed" + week.to_bytes(4, "big"), "sha256"), b""
        )
        self.public = self.evaluator.public_key.serialize()
        #: Week and id of each exchanged voucher, with a hash of its blinded elements.
        self.exchanged: dict[bytes, bytes] = {}
        #: Inputs of spent tokens: nothing connects them with the vouchers.
        self.spent: set[bytes] = set()


def voucher(secret: bytes, week: int, identifier: bytes) -> bytes:
    """Return the voucher with that random id (16 bytes): what a client sends, and a hash of the key."""
    mac = _voucher_mac(secret, week.to_bytes(4, "big") + identifier)
    key_hash = rights.token_key(week, WeekKey(secret, week).public)
    return rights.Voucher(week, identifier, mac, key_hash).encode()


def _voucher_mac(secret: bytes, head: bytes) -> bytes:
    return hmac.digest(secret, b"snug 1 voucher" + head, "sha256")[:16]


class Permission:
    """The policy of one server: `password` or `secret` (32 bytes, for tokens) is set, or both.

    With both, the password opens rooms, and permits outlast a restart of the server.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        origin: str,
        password: str | None,
        secret: bytes | None,
        rng: Callable[[int], bytes],
        wall: Callable[[], float],
    ) -> None:
        self._origin = origin
        self._rng = rng
        self._wall = wall
        self._salt = rng(16)
        self._password_key = None if password is None else self._derive(password)
        self._secret = secret
        self._permit_key = hmac.digest(secret or rng(32), b"snug 1 permit key", "sha256")
        self._guesses = TokenBucket(settings.open_guesses_per_second, settings.open_guess_burst, 0.0)
        self._weeks: dict[int, WeekKey] = {}

    def _derive(self, password: str) -> bytes:
        return hashlib.scrypt(
            password.encode(),
            salt=rights.password_salt(self._origin, self._salt),
            n=2**PASSWORD_COST,
            r=8,
            p=1,
            maxmem=2**PASSWORD_COST * 2048,
            dklen=32,
        )

    # -- keys of tokens ------------------------------------------------------------------------

    def _keys(self) -> list[WeekKey]:
        """Return the keys that count now, this week's first; the last week's counts for a day more."""
        if self._password_key is not None or self._secret is None:
            return []
        now = self._wall()
        weeks = list(dict.fromkeys((rights.week_of(now), rights.week_of(now - SPEND_GRACE))))
        if set(weeks) != set(self._weeks):
            self._weeks = {week: self._weeks.get(week) or WeekKey(self._secret, week) for week in weeks}
        return [self._weeks[week] for week in weeks]

    def policy(self) -> PermissionPolicy:
        """Return what a challenge says of it."""
        if self._password_key is not None:
            return PermissionPolicy("password", self._salt, PASSWORD_COST)
        return PermissionPolicy("tokens", keys=[TokenKey(key.week, key.public) for key in self._keys()])

    def counts(self) -> dict[str, int]:
        """Return how many vouchers were exchanged and tokens spent, under the keys that count now."""
        keys = self._keys()
        return {
            "vouchers_exchanged": sum(len(key.exchanged) for key in keys),
            "tokens_spent": sum(len(key.spent) for key in keys),
        }

    def identifiers(self) -> dict[str, list[str]]:
        """Return the ids of exchanged vouchers and the inputs of spent tokens, in no order of time."""
        keys = self._keys()
        return {
            "vouchers": sorted(each.hex() for key in keys for each in key.exchanged),
            "tokens": sorted(each.hex() for key in keys for each in key.spent),
        }

    # -- doors -----------------------------------------------------------------------------------

    def missing(self, door: RoomDoor, number: bytes) -> Refused | None:
        """Return the refusal of a door without any proof; None if there is one, right or wrong.

        Members who wait for somebody with a proof try again and again: they use up no quota of rooms.
        """
        wants_password = self._password_key is not None
        has = door.password is not None if wants_password else door.token is not None
        if has or self._by_permit(door, number) is not None:
            return None
        return _refused("permission", _NEEDS_PASSWORD if wants_password else _NEEDS_TOKEN)

    def admit(self, door: RoomDoor, number: bytes, nonce: bytes, now: float) -> RoomPermission | Refused:
        """Return how the room `number` is opened, or why it is not. A token that is taken is spent."""
        permission = self._by_permit(door, number)
        if permission is not None:
            return permission
        text = rights.Opens(self._origin, number, nonce).encode()
        if self._password_key is not None:
            if door.password is None:
                return _refused("permission", _NEEDS_PASSWORD)
            if (why := self._wrong_password(self._password_key, text, door.password, now)) is not None:
                return why
        else:
            if door.token is None:
                return _refused("permission", _NEEDS_TOKEN)
            key = next((key for key in self._keys() if key.week == door.token.week), None)
            if key is None:
                return _refused("token", "this server takes no tokens of that week any more")
            if (why := _spend(key, text, door.token.input, door.token.proof)) is not None:
                return why
        return RoomPermission(self._rng(8))

    def _wrong_password(self, key: bytes, text: bytes, proof: bytes, now: float) -> Refused | None:
        if self._guesses.wait(now) > 0:
            return _refused("rate", "too many wrong passwords were tried here: try again in a minute")
        if hmac.compare_digest(hmac.digest(key, text, "sha256"), proof):
            return None
        self._guesses.take(now)
        return _refused("password", "that is not this server's password for opening rooms")

    def exchange(self, message: Exchange) -> Exchanged | Refused:
        """Return the tokens for a voucher of this week, once.

        A client that lost its connection asks again with the same blinded elements, and gets the same tokens.
        """
        head, mac = message.voucher[:20], message.voucher[20:]
        keys = self._keys()
        if self._secret is None or not keys:
            return _refused("voucher", "this server takes no vouchers", "exchange")
        if not hmac.compare_digest(_voucher_mac(self._secret, head), mac):
            return _refused("voucher", "this voucher is not this server's", "exchange")
        key = keys[0]
        if int.from_bytes(head[:4], "big") != key.week:
            return _refused("week", "this voucher is for another week", "exchange")
        asked = hashlib.sha256(b"".join(message.blinded)).digest()
        if key.exchanged.get(head, asked) != asked:
            return _refused("spent", "this voucher was exchanged before", "exchange")
        if len(key.exchanged) >= SPENT_MAX and head not in key.exchanged:
            return _refused("full", "no more vouchers can be exchanged this week", "exchange")
        try:
            blinded = [ristretto.BlindedInput.deserialize(each) for each in message.blinded]
        except ValueError:
            return _refused("voucher", "a blinded element is not valid", "exchange")
        key.exchanged[head] = asked
        return Exchanged([key.evaluator.evaluate(each).serialize() for each in blinded])

    # -- permits -----------------------------------------------------------------------------------

    def permit(self, number: bytes, permission: RoomPermission) -> bytes:
        """Return a permit (40 bytes) that reopens the room under `number`: the same for all its members."""
        until = (int(self._wall()) // _HOUR + 1) * _HOUR + PERMIT_TIME
        head = permission.id + permission.rekeys.to_bytes(8, "big") + until.to_bytes(8, "big")
        return head + self._permit_mac(number, head)

    def _by_permit(self, door: RoomDoor, number: bytes) -> RoomPermission | None:
        if door.permit is None:
            return None
        head, mac = door.permit[:24], door.permit[24:]
        if not hmac.compare_digest(self._permit_mac(door.probe or number, head), mac):
            return None
        if int.from_bytes(head[16:], "big") < self._wall():
            return None
        if door.probe is not None:
            return RoomPermission(self._rng(8), probe=True)
        return RoomPermission(head[:8], int.from_bytes(head[8:16], "big"))

    def _permit_mac(self, number: bytes, head: bytes) -> bytes:
        return hmac.digest(self._permit_key, b"snug 1 permit" + number + head, "sha256")[:16]


def _spend(key: WeekKey, text: bytes, given: bytes, proof: bytes) -> Refused | None:
    if given in key.spent:
        return _refused("spent", "this token was spent before")
    output = key.evaluator.evaluate_known_input(given)
    if not hmac.compare_digest(hmac.digest(output, text, "sha256"), proof):
        return _refused("token", "this token is not this server's")
    if len(key.spent) >= SPENT_MAX:
        return _refused("full", "no more tokens can be spent this week")
    key.spent.add(given)
    return None


def _refused(code: str, text: str, about: str = "room_door") -> Refused:
    return Refused(code, text, about, fatal=True)
