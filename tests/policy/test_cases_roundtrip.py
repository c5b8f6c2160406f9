"""The shared cases survive a round trip through JSON."""

from __future__ import annotations

import json

import pytest

from tests.policy.as_json import dumps, loads
from tests.policy.cases import Case, all_cases
from tests.policy.test_commits import verdict


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_a_case_survives_json_and_is_judged_the_same(case: Case) -> None:
    text = dumps(case)
    assert text.isascii()
    again = loads(text)
    assert again == case
    assert dumps(again) == text, "canonical"
    assert verdict(again.view) == case.rule


def test_a_changed_case_in_json_has_a_changed_verdict() -> None:
    """A changed byte in the text is a changed case: nothing is taken from elsewhere."""
    case = next(c for c in all_cases() if c.name == "valid: rejoin")
    value = json.loads(dumps(case))
    value["view"]["group_id"] = "00" * 16
    assert verdict(loads(json.dumps(value)).view) == "SNUG-8"
    value = json.loads(dumps(case))
    value["view"]["proposals"][1]["psk_id"] = "00"
    assert verdict(loads(json.dumps(value)).view) == "SNUG-10"
