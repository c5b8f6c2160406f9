"""The common parts of all MLS vectors: entries in a list, hex strings, a cipher suite each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snugroom.crypto.primitives import SUITES, Suite
from tests.vectors.result import Result

Entry = Callable[[Any], None]
"""Runs one entry, and raises when anything about it is wrong."""


class MismatchError(Exception):
    """A computed value is not the vector's."""


def expect(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        shown = [value.hex() if isinstance(value, bytes) else repr(value) for value in (got, wanted)]
        raise MismatchError(f"{what} is {shown[0][:80]}, not {shown[1][:80]}")


def must_fail(what: str, kind: type[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except kind:
        return
    raise MismatchError(f"{what} was accepted")


def suite_of_entry(entry: dict[str, Any]) -> Suite:
    return SUITES[entry["cipher_suite"]]


def run_entries(entry: Entry, data: object) -> Result:
    """Run each entry of a file; those of suites that this code doesn't speak are skipped."""
    result = Result()
    if isinstance(data, dict):
        data = [data]  # one entry by itself
    if not isinstance(data, list) or not data:
        result.failed.append("the file is not a list of entries")
        return result
    for index, item in enumerate(data):
        if isinstance(item, dict) and item.get("cipher_suite", 1) not in SUITES:
            result.skipped.append(f"cipher suite {item['cipher_suite']}, which Snug does not speak")
            continue
        try:
            entry(item)
        except Exception as error:  # whatever happens is this entry's failure, and the others still run
            result.failed.append(f"{index}: {type(error).__name__}: {error}")
        else:
            result.passed += 1
    return result
