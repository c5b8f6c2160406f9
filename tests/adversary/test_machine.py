"""A short search, the same in every run: `make adversary` searches for hours."""

from __future__ import annotations

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.adversary.machine import Adversary
from tests.adversary.search import only_new_examples, searching


@pytest.mark.parametrize("number", [1, 2])
def test_a_short_search_finds_nothing_new(number: int) -> None:
    with only_new_examples():
        run_state_machine_as_test(
            seed(number)(type("Adversary", (Adversary,), {})), settings=searching(12, 30)
        )
