"""The command line reads typed values in their units, and refuses malformed ones."""

from __future__ import annotations

import argparse

import pytest

from snugroom.client.cli.arguments import count, duration, numbers


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("1.5m", 90.0), ("2h", 7200.0), ("500ms", 0.5), ("12", 12.0)]
)
def test_a_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-3s", "3 s", "3d", "3s\n", "1e3"])
def test_another_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no duration: write 30s, 5m or 1h"):
        duration(text)


def test_a_count_is_ascii_digits() -> None:
    assert count("25") == 25
    for text in ("", "-1", "1.5", "\N{SUPERSCRIPT TWO}"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no number: write 0, 9 or 25"):
            count(text)


def test_a_list_with_one_wrong_number_is_empty() -> None:
    assert numbers("1,2,30", 1, 30) == (1, 2, 30)
    assert numbers("1,2,31", 1, 30) == numbers("1,,2", 1, 30) == numbers("0", 1, 30) == ()
