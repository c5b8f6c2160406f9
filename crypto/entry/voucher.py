"""Vouchers of an operator, and their exchange for anonymous tokens (protocol section 3).

Tokens are RFC 9497 VOPRF outputs, suite ristretto255-SHA512. The server evaluates blinded inputs, so it
cannot recognise a token that is spent. It proves that it used the key that everybody gets
(`Voucher.key_hash`): a key for one person alone would recognise that person.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voprf import ristretto

from snugroom.crypto.entry.permission import Token, token_key
from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.kdf import Rng
from snugroom.wire import rights

#: The beginning of a voucher's text.
PREFIX: Final = "snug-voucher-"
#: Bytes of a voucher that the server gets: week, id and MAC.
_SENT: Final = 36


@dataclass(frozen=True)
class Voucher:
    """A voucher from an operator: `sent` (36 bytes) is for the server, `key_hash` for the client's check."""

    week: int
    sent: bytes
    key_hash: bytes

    @classmethod
    def parse(cls, text: str) -> Voucher:
        """Read a voucher's text; MalformedError for another text."""
        text = text.strip()
        if not text.startswith(PREFIX):
            raise MalformedError("that is no voucher: a voucher begins with snug-voucher-")
        body = text.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            found = rights.Voucher.decode(raw)
        except (binascii.Error, ValueError, MalformedError):
            raise MalformedError("the voucher is cut off or changed: please copy all of it") from None
        return cls(found.week, raw[:_SENT], found.key_hash)

    def check(self, key: bytes) -> None:
        """Check that the server's key of this week is the voucher's. AuthenticationError if not."""
        if token_key(self.week, key) != self.key_hash:
            raise AuthenticationError(
                "the server shows another key for tokens than the voucher names, so it could recognise your "
                "rooms: the voucher is for another server, or the server lies to you"
            )


class Exchange:
    """One exchange of a voucher. Send `blinded` with `voucher.sent`, and pass the answer to `finish`."""

    def __init__(self, voucher: Voucher, key: bytes, count: int, rng: Rng = os.urandom) -> None:
        """`key`: the server's for the voucher's week. AuthenticationError if the voucher names another."""
        voucher.check(key)
        self._week, self._key = voucher.week, key
        self._inputs = [rng(32) for _ in range(count)]
        blinds = [ristretto.Client.blind(each) for each in self._inputs]
        self._clients = [client for client, _ in blinds]
        self.blinded: list[bytes] = [blinded.serialize() for _, blinded in blinds]

    def finish(self, evaluated: Sequence[bytes]) -> list[Token]:
        """Return the tokens; AuthenticationError if any was not evaluated under the key."""
        try:
            if len(evaluated) != len(self._clients):
                raise ValueError
            key = ristretto.PublicKey.deserialize(self._key)
            outputs = [
                client.finalize(ristretto.VerifiableOutput.deserialize(each), key)
                for client, each in zip(self._clients, evaluated, strict=True)
            ]
        except ValueError:
            raise AuthenticationError(
                "the server did not make the tokens with the key that it shows to all: do not use it"
            ) from None
        return [
            Token(self._week, self._key, each, bytes(output))
            for each, output in zip(self._inputs, outputs, strict=True)
        ]
