"""RFC 9497 A.1.2, on the library that the server and the headless client use.

The library draws its own blinds and proofs, so the vectors check the keys, the evaluation and the outputs
here. The page's library checks blinded elements and proofs as well (permission.test.ts in tests/web/unit).
"""

from __future__ import annotations

import pytest
from voprf import ristretto

from snugroom.crypto.entry import permission, voucher
from snugroom.crypto.errors import AuthenticationError
from snugroom.wire import rights
from tests.permission import rfc9497

EVALUATOR = ristretto.Evaluator.from_seed(rfc9497.SEED, rfc9497.KEY_INFO)


def test_the_key_pair() -> None:
    assert EVALUATOR.public_key.serialize().hex() == rfc9497.PUBLIC_KEY


@pytest.mark.parametrize(("given", "blinded", "evaluated", "proof", "output"), rfc9497.ROWS)
def test_evaluations_and_outputs(given: str, blinded: str, evaluated: str, proof: str, output: str) -> None:
    element = ristretto.BlindedInput.deserialize(bytes.fromhex(blinded))
    assert EVALUATOR.evaluate(element).serialize()[64:].hex() == evaluated
    assert EVALUATOR.evaluate_known_input(bytes.fromhex(given)).hex() == output
    # the layout on the wire: a proof, then the element that it is about
    read = ristretto.VerifiableOutput.deserialize(bytes.fromhex(proof + evaluated))
    assert read.serialize().hex() == proof + evaluated


def test_the_batch() -> None:
    elements = [rfc9497.ROWS[0][1], rfc9497.BATCH_BLINDED]
    found = [EVALUATOR.evaluate(ristretto.BlindedInput.deserialize(bytes.fromhex(each))) for each in elements]
    assert [each.serialize()[64:].hex() for each in found] == [rfc9497.ROWS[0][2], rfc9497.BATCH_EVALUATED]


def exchange(count: int = 3) -> voucher.Exchange:
    public = EVALUATOR.public_key.serialize()
    return voucher.Exchange(voucher.Voucher(7, bytes(36), permission.token_key(7, public)), public, count)


def evaluated(exchange: voucher.Exchange, evaluator: ristretto.Evaluator = EVALUATOR) -> list[bytes]:
    return [evaluator.evaluate(ristretto.BlindedInput.deserialize(b)).serialize() for b in exchange.blinded]


def test_a_token_is_the_output_that_the_key_gives_for_its_input() -> None:
    asked = exchange()
    tokens = asked.finish(evaluated(asked))
    assert len({token.input for token in tokens}) == 3
    for token in tokens:
        assert EVALUATOR.evaluate_known_input(token.input) == token.output


def test_tokens_of_another_key_are_refused_whatever_part_is_wrong() -> None:
    asked = exchange()
    right = evaluated(asked)
    other = evaluated(asked, ristretto.Evaluator(bytes(31) + b"\1"))
    flipped = [right[0][:-40] + bytes([right[0][-40] ^ 1]) + right[0][-39:], *right[1:]]
    for wrong in (
        other,
        [right[0], other[1], right[2]],
        right[:2],
        [*right[:2], bytes(96)],
        right[::-1],
        flipped,
    ):
        with pytest.raises(AuthenticationError, match="with the key that it shows to all"):
            asked.finish(wrong)


def test_a_voucher_refuses_a_key_that_it_does_not_name() -> None:
    public = ristretto.Evaluator(bytes(31) + b"\1").public_key.serialize()
    with pytest.raises(AuthenticationError, match="another key"):
        voucher.Exchange(voucher.Voucher(7, bytes(36), permission.token_key(8, public)), public, 1)


def test_both_ends_have_the_same_text() -> None:
    origin, number, nonce = "https://meet.example", bytes(range(16)), bytes(range(32))
    assert rights.Opens(origin, number, nonce).encode() == permission.proof_message(origin, number, nonce)
    assert rights.week_of(4 * 86_400) == rights.week_of(4 * 86_400 - 1) + 1, "1970-01-05 was a Monday"
