"""The long code."""

from __future__ import annotations

import hashlib

import pytest

from crypto.errors import MalformedError
from crypto.verification import long_code, spoken


def test_the_code_is_the_hash_in_decimal() -> None:
    authenticator, transcript = bytes(range(32)), bytes(range(32, 64))
    number = int(hashlib.sha256(b"snug 1 code" + authenticator + transcript).hexdigest(), 16)
    code = long_code(authenticator, transcript)
    assert code == str(number)[-40:]
    assert code == "4419208580484135467759541127639676191281"
    assert spoken(code) == "44192 08580 48413 54677 59541 12763 96761 91281"


def test_leading_zeros_stay() -> None:
    codes = [long_code(i.to_bytes(32, "big"), bytes(32)) for i in range(200)]
    assert {len(code) for code in codes} == {40}
    assert any(code.startswith("0") for code in codes)
    assert len(set(codes)) == 200


def test_both_values_count() -> None:
    one, other = bytes(32), b"\x01" + bytes(31)
    assert (
        len({long_code(one, one), long_code(one, other), long_code(other, one), long_code(other, other)}) == 4
    )


@pytest.mark.parametrize(("first", "second"), [(31, 32), (33, 31), (32, 33), (0, 64)])
def test_sizes(first: int, second: int) -> None:
    with pytest.raises(MalformedError):
        long_code(bytes(first), bytes(second))
