"""The shared vectors of the policy checks have all cases but the heaviest."""

from __future__ import annotations

from tests.policy.cases import all_cases
from tests.web.vectors_policy import commits


def test_nothing_but_full_rooms_is_left_out() -> None:
    left_out = {case.name for case in all_cases()} - {case["name"] for case in commits()[1]}
    assert left_out == {
        "valid: add, the last key of the ledger",
        "valid: add, the last place",
        "valid: comeback, ledger full",
        "valid: comeback, the last place",
        "valid: rejoin, ledger full",
        "valid: rejoin, room full",
        "valid: add as many as a commit may",
        "valid: add two, the last keys of the ledger",
        "valid: add two, the last places",
        "SNUG-10: one more than a commit may add",
        "SNUG-15: two, and one key too many",
        "SNUG-15: two, and one member too many",
        "SNUG-15: one key too many",
        "SNUG-15: one member too many",
    }
