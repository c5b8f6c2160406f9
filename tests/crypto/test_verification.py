"""The long code and the short one.

``python -m tests.crypto.test_verification`` writes the known answers of the short code anew.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import itertools
import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.errors import MalformedError, StateError
from snugroom.crypto.proof.emoji import EMOJI
from snugroom.crypto.proof.verification import (
    CodeContext,
    CodeFailure,
    CodeRun,
    code_emoji,
    commitment,
    commitments_digest,
    grouped,
    long_code,
    short_code,
)

VECTORS = Path(__file__).with_name("short_code.json")


def test_the_code_is_the_hash_in_decimal() -> None:
    authenticator, transcript = bytes(range(32)), bytes(range(32, 64))
    number = int(hashlib.sha256(b"snug 1 code" + authenticator + transcript).hexdigest(), 16)
    code = long_code(authenticator, transcript)
    assert code == str(number)[-40:]
    assert code == "4419208580484135467759541127639676191281"
    assert grouped(code) == "44192 08580 48413 54677 59541 12763 96761 91281"


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


# -- the short code: known answers -----------------------------------------------------------------------


def make_vectors(seed: int = 20) -> dict[str, Any]:
    """Runs of 2, 3, 5 and 12 members, all fields in hex, as a page's client can check itself by."""
    source = random.Random(seed)
    runs = []
    for leaves in ([0, 1], [0, 2, 3], [1, 4, 5, 9, 300], list(range(12))):
        ground = CodeContext(*(source.randbytes(size) for size in (16, 16, 32, 32, 32)))
        members: list[dict[str, Any]] = [
            {"leaf": leaf, "signature_key": source.randbytes(32).hex(), "share": source.randbytes(32).hex()}
            for leaf in leaves
        ]
        for member in members:
            key, share = bytes.fromhex(member["signature_key"]), bytes.fromhex(member["share"])
            member["commitment"] = commitment(ground, member["leaf"], key, share).hex()
        digest = commitments_digest({m["leaf"]: bytes.fromhex(m["commitment"]) for m in members})
        shares = {m["leaf"]: bytes.fromhex(m["share"]) for m in members}
        code = short_code(digest, shares, ground.authenticator, ground.tree_hash)
        runs.append(
            {
                **{name: value.hex() for name, value in ground._asdict().items()},
                "members": members,
                "v": digest.hex(),
                "code": f"{code:06x}",
                "words": [word for _, word in code_emoji(code)],
            }
        )
    return {"emoji": [list(pair) for pair in EMOJI], "runs": runs}


def written(vectors: dict[str, Any]) -> str:
    return json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"


def test_the_known_answers_are_what_is_computed() -> None:
    assert VECTORS.read_text("utf-8") == written(make_vectors())


@pytest.mark.parametrize("run", json.loads(VECTORS.read_text("utf-8"))["runs"] if VECTORS.exists() else [])
def test_the_known_answers_follow_from_the_protocol_alone(run: dict[str, Any]) -> None:
    """The same with hashlib and hmac, written from docs/reference/protocol.md and nothing of ours."""
    names = ("sid", "group_id", "chain", "authenticator", "tree_hash")
    of = {name: bytes.fromhex(run[name]) for name in names}
    everything, material = b"", b""
    for member in sorted(run["members"], key=lambda m: int(m["leaf"])):
        c = hashlib.sha256(
            b"snug 1 sc"
            + of["sid"]
            + of["group_id"]
            + of["chain"]
            + of["authenticator"]
            + member["leaf"].to_bytes(4, "big")
            + bytes.fromhex(member["signature_key"])
            + bytes.fromhex(member["share"])
        ).digest()
        assert c.hex() == member["commitment"]
        everything += c
        material += bytes.fromhex(member["share"])
    v = hashlib.sha256(everything).digest()
    assert v.hex() == run["v"]
    extracted = hmac.digest(v, material, "sha256")
    info = b"snug 1 sc code" + of["authenticator"] + of["tree_hash"]
    code = hmac.digest(extracted, info + b"\x01", "sha256")[:3]
    assert code.hex() == run["code"]
    number = int.from_bytes(code, "big")
    assert [EMOJI[number >> shift & 63][1] for shift in (18, 12, 6, 0)] == run["words"]


@pytest.mark.parametrize("run", json.loads(VECTORS.read_text("utf-8"))["runs"] if VECTORS.exists() else [])
def test_members_who_play_a_known_run_come_to_its_code(run: dict[str, Any]) -> None:
    ground = CodeContext(*(bytes.fromhex(run[name]) for name in CodeContext._fields))
    keys = {m["leaf"]: bytes.fromhex(m["signature_key"]) for m in run["members"]}
    runs = [CodeRun(ground, keys, m["leaf"], bytes.fromhex(m["share"])) for m in run["members"]]
    play(runs)
    assert {f"{r.code:06x}" for r in runs} == {run["code"]}


# -- the short code: the table ---------------------------------------------------------------------------


def steps(one: str, other: str) -> int:
    """Letters to change, add or drop from one word to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row[0] = row[:], i
        for j, b in enumerate(other, 1):
            row[j] = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
    return row[-1]


def soundex(word: str) -> str:
    """The code of the US census for what a word sounds like."""
    groups = ("bfpv", "cgjkqsxz", "dt", "l", "mn", "r")
    digits = {letter: str(i) for i, group in enumerate(groups, 1) for letter in group}
    out, last = word[0], digits.get(word[0])
    for letter in word[1:]:
        digit = digits.get(letter)
        if digit is not None and digit != last:
            out += digit
        if letter not in "hw":
            last = digit
    return (out + "000")[:4]


def test_there_are_64_signs_and_each_has_a_word_of_its_own() -> None:
    assert len(EMOJI) == len({emoji for emoji, _ in EMOJI}) == len({word for _, word in EMOJI}) == 64
    for emoji, word in EMOJI:
        assert word.isascii()
        assert word.isalpha()
        assert word == word.lower()
        assert 3 <= len(word) <= 10
        assert len(emoji) == 1 or (len(emoji) == 2 and emoji[1] == "\ufe0f"), "one code point, or with VS16"
        name = unicodedata.name(emoji[0])
        assert unicodedata.category(emoji[0]) == "So"
        assert not {"HAND", "FLAG", "HEART", "GRINNING", "SMILING"} & set(name.split())
        assert not 0x1F1E6 <= ord(emoji[0]) <= 0x1F1FF
        assert not 0x1F600 <= ord(emoji[0]) <= 0x1F64F, "smileys look alike"


def test_no_two_words_sound_alike() -> None:
    words = [word for _, word in EMOJI]
    assert {(a, b) for a, b in itertools.combinations(words, 2) if soundex(a) == soundex(b)} == set()
    close = {(a, b) for a, b in itertools.combinations(words, 2) if steps(a, b) < 3}
    assert close == set()


def test_a_code_is_four_signs_of_six_bits() -> None:
    assert [word for _, word in code_emoji(0)] == ["dog"] * 4
    assert [word for _, word in code_emoji(2**24 - 1)] == ["tractor"] * 4
    assert [word for _, word in code_emoji(1 << 18 | 2 << 12 | 3 << 6 | 4)] == [
        EMOJI[i][1] for i in (1, 2, 3, 4)
    ]


# -- the short code: runs --------------------------------------------------------------------------------


def a_run(count: int, seed: int = 1) -> list[CodeRun]:
    source = random.Random(seed)
    ground = CodeContext(*(source.randbytes(size) for size in (16, 16, 32, 32, 32)))
    keys = {leaf: source.randbytes(32) for leaf in range(count)}
    return [CodeRun(ground, keys, leaf, source.randbytes(32)) for leaf in range(count)]


def play(runs: list[CodeRun], order: random.Random | None = None) -> None:
    """Everybody tells everybody, each hearing the others in an order of its own."""
    for tell in ("commit", "reveal"):
        said = [(r.own_leaf, r.own_commitment() if tell == "commit" else r.own_reveal()) for r in runs]
        for hearer in runs:
            if order is not None:
                order.shuffle(said)
            for leaf, what in said:
                if isinstance(what, bytes):
                    hearer.committed(leaf, what)
                else:
                    hearer.revealed(leaf, *what)
    assert [r.judge() for r in runs] == [None] * len(runs)


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_all_members_come_to_one_code_in_whatever_order_they_hear(count: int, seed: int) -> None:
    runs = a_run(count, seed)
    play(runs, random.Random(seed))
    assert len({r.code for r in runs}) == 1
    assert runs[0].code is not None


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.data())
def test_one_other_bit_anywhere_is_a_finding_or_another_code(
    count: int, seed: int, data: st.DataObject
) -> None:
    ground_bit = data.draw(st.sampled_from(CodeContext._fields))
    source = random.Random(seed)
    ground = CodeContext(*(source.randbytes(size) for size in (16, 16, 32, 32, 32)))
    old = getattr(ground, ground_bit)
    other = ground._replace(**{ground_bit: bytes([old[0] ^ 1]) + old[1:]})
    keys = {leaf: source.randbytes(32) for leaf in range(count)}
    shares = {leaf: source.randbytes(32) for leaf in keys}
    runs = [CodeRun(other if leaf == 0 else ground, keys, leaf, shares[leaf]) for leaf in keys]
    for r in runs:
        for sender in runs:
            r.committed(sender.own_leaf, sender.own_commitment())
    for r in runs:
        for sender in runs:
            r.revealed(sender.own_leaf, *sender.own_reveal())
    if ground_bit == "tree_hash":  # not in the commitments: then the codes tell
        assert [r.judge() for r in runs] == [None] * count
        assert runs[0].code != runs[1].code
    else:
        assert runs[1].judge() == CodeFailure("cheat", 0)
        assert runs[1].code is None


def test_a_share_that_was_not_committed_to_is_named() -> None:
    runs = a_run(3)
    ada, bo, cem = runs
    for sender in runs:
        for hearer in runs:
            hearer.committed(sender.own_leaf, sender.own_commitment())
    ada.revealed(1, *bo.own_reveal())
    assert ada.judge() is None
    ada.revealed(2, cem.digest, bytes(32))
    assert ada.judge() == CodeFailure("cheat", 2)
    assert ada.code is None


def test_another_v_is_a_fork_and_not_a_cheat() -> None:
    """A member can know another commitment of its own than we do: its share is honest, and misfits."""
    ada, bo, other_bo = a_run(2)[0], *a_run(2)[1:], a_run(2, 2)[1]
    ada.committed(0, ada.own_commitment())
    ada.committed(1, other_bo.own_commitment())
    bo.committed(0, ada.own_commitment())
    bo.committed(1, bo.own_commitment())
    ada.revealed(1, *bo.own_reveal())
    assert ada.judge() == CodeFailure("fork", 1)


def test_a_share_revealed_before_all_have_committed_waits() -> None:
    ada, bo = a_run(2)
    for r in (ada, bo):
        bo.committed(r.own_leaf, r.own_commitment())
    ada.revealed(1, *bo.own_reveal())
    assert (ada.shown, ada.complete) == (True, False)
    assert ada.judge() is None
    assert ada.waiting_for() == [0, 1]
    for r in (ada, bo):
        ada.committed(r.own_leaf, r.own_commitment())
    assert ada.complete
    assert ada.judge() is None
    assert ada.waiting_for() == [0]
    assert ada.code is None
    ada.revealed(0, *ada.own_reveal())
    assert ada.judge() is None
    assert ada.code is not None


def test_the_first_word_of_a_leaf_counts_and_strangers_count_for_nothing() -> None:
    runs = a_run(2)
    ada, bo = runs
    for r in runs:
        ada.committed(r.own_leaf, r.own_commitment())
        bo.committed(r.own_leaf, r.own_commitment())
    v = ada.digest
    ada.committed(1, bytes(32))
    ada.committed(7, bytes(32))
    assert ada.digest == v
    ada.revealed(7, v, bytes(32))
    ada.revealed(1, *bo.own_reveal())
    ada.revealed(1, v, bytes(32))
    assert ada.judge() is None
    assert ada.waiting_for() == [0]


def test_a_commitment_is_nobody_elses() -> None:
    """To repeat what another has committed to, and later shown, gets nobody through."""
    runs = a_run(2)
    ada, bo = runs
    ada.committed(0, ada.own_commitment())
    ada.committed(1, ada.own_commitment())
    ada.revealed(0, *ada.own_reveal())
    ada.revealed(1, *ada.own_reveal())
    assert ada.judge() == CodeFailure("cheat", 1)
    assert bo.own_commitment() != ada.own_commitment()


def test_a_run_shows_nothing_and_is_never_copied() -> None:
    ada, _ = a_run(2)
    share = ada._share
    assert share.hex() not in repr(ada)
    assert repr(share) not in repr(ada)
    with pytest.raises(StateError):
        copy.copy(ada)


@pytest.mark.parametrize("field", ["sid", "chain", "authenticator"])
@pytest.mark.parametrize("size", [0, 15, 31, 33])
def test_sizes_of_a_run(field: str, size: int) -> None:
    ground = CodeContext(bytes(16), bytes(16), bytes(32), bytes(32), bytes(32))._replace(
        **{field: bytes(size)}
    )
    with pytest.raises(MalformedError):
        CodeRun(ground, {0: bytes(32)}, 0, bytes(32))


def test_sizes_of_what_is_heard() -> None:
    ada, _ = a_run(2)
    with pytest.raises(MalformedError):
        ada.committed(1, bytes(31))
    with pytest.raises(MalformedError):
        ada.revealed(1, bytes(32), bytes(33))
    with pytest.raises(MalformedError):
        ada.revealed(1, bytes(31), bytes(32))
    with pytest.raises(MalformedError):
        CodeRun(CodeContext(*(bytes(n) for n in (16, 16, 32, 32, 32))), {0: bytes(32)}, 0, bytes(31))


if __name__ == "__main__":
    VECTORS.write_text(written(make_vectors()), "utf-8")
