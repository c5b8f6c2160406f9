"""The wire protocol's fields about who may open a room (docs/reference/protocol.md, section 3)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from snugroom.wire import limits
from snugroom.wire.fields import Bytes16, Bytes32

Permit40 = Annotated[bytes, msgspec.Meta(min_length=limits.PERMIT_SIZE, max_length=limits.PERMIT_SIZE)]
#: What the server needs of a voucher: the week, the voucher's random id, and the operator's MAC.
VoucherBytes = Annotated[bytes, msgspec.Meta(min_length=36, max_length=36)]
#: A proof (64 bytes), and the evaluated element that it is about (32 bytes): RFC 9497 section 2.2.
Evaluated = Annotated[bytes, msgspec.Meta(min_length=96, max_length=96)]
#: Weeks since 1970, from Monday to Monday.
Week = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_each = msgspec.Meta(min_length=limits.VOUCHER_TOKENS, max_length=limits.VOUCHER_TOKENS)
#: For each token of a voucher: a blinded element, and what the server made of it.
Blinded = Annotated[list[Bytes32], _each]
AllEvaluated = Annotated[list[Evaluated], _each]


class TokenKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key of anonymous tokens (RFC 9497, ristretto255-SHA512), and the week that it is for."""

    week: Week
    key: Bytes32


class PermissionPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the server wants of a client that opens a room.

    A password: `salt` and `cost` of scrypt (N = 2**cost, r = 8, p = 1). Tokens: the keys that the server
    takes, this week's first.
    """

    kind: Literal["password", "tokens"]
    salt: Bytes16 | None = None
    cost: Annotated[int, msgspec.Meta(ge=limits.PASSWORD_COST_MIN, le=limits.PASSWORD_COST_MAX)] | None = None
    keys: Annotated[list[TokenKey], msgspec.Meta(max_length=2)] = []


class TokenSpent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An anonymous token at a door: its input, and a MAC by its output. The output is sent to nobody."""

    week: Week
    input: Bytes32
    proof: Bytes32
