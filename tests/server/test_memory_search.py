"""The search of a process's own memory finds what is there, and never the question."""

from __future__ import annotations

import base64
import os

import pytest

from snugroom.server import memory_search
from snugroom.server.memory_search import Form, Found, Wanted, search

MASK = bytes(range(100, 132))


@pytest.fixture(autouse=True)
def all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has run thousands of tests can hold more than a server: it is searched to its end."""
    monkeypatch.setattr(memory_search, "READ_MAX", 1 << 40)


def _random_name(length: int = 14) -> bytes:
    """A text of letters that nothing else here contains."""
    return bytes(65 + byte % 26 for byte in os.urandom(length))


def _wanted(*forms: tuple[bytes, int]) -> Wanted:
    masked = [bytes(b ^ MASK[i % 32] for i, b in enumerate(text)) for text, _ in forms]
    widths = [width for _, width in forms]
    return Wanted(MASK, [Form(text, width) for text, width in zip(masked, widths, strict=True)])  # type: ignore[arg-type]


def _counts(found: Found) -> list[int]:
    return [hits.elsewhere for hits in found.hits]


def test_the_search_does_not_find_its_own_question() -> None:
    """Nobody ever held these texts: they are what random bytes stand for under the mask."""
    forms = [Form(os.urandom(12)) for _ in range(8)]
    for _ in range(2):
        found = search(Wanted(MASK, forms))
        assert _counts(found) == [0] * 8
        assert [hits.in_files for hits in found.hits] == [0] * 8
        assert found.complete
        assert found.read > 1 << 20


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_text_is_found_as_python_holds_it(width: int) -> None:
    codec = {1: "utf-8", 2: "utf-16-le", 4: "utf-32-le"}[width]
    wanted = _wanted((_random_name().decode().encode(codec), width))
    name = bytes(b ^ MASK[i % 32] for i, b in enumerate(wanted.forms[0].masked)).decode(codec)
    wide = {1: "", 2: "王", 4: "🦉"}[width]
    del codec
    held = f"{wide} said {name}, and no more"
    found = search(wanted)
    assert found.hits[0].elsewhere >= 1, held
    assert any(f"said {name}, and no more" in around for around in found.hits[0].around)


def test_encodings_are_found() -> None:
    name = _random_name()
    held = [name.hex(), base64.b64encode(b"x" + name).decode()]
    found = search(_wanted((held[0].encode(), 0), (held[1][2:-4].encode(), 0)))
    assert min(_counts(found)) >= 1


def test_each_occurrence_counts_once_at_any_place() -> None:
    name = _random_name()
    # so dense, and so long, that occurrences stand at the ends of several pieces
    stride, count = len(name) + 2, 400_000
    held = bytearray(b" " * stride * count)
    for i in range(count):
        held[i * stride : i * stride + len(name)] = name
    found = search(_wanted((name, 0)))
    assert len(held) > 6 << 20
    # the name itself, and perhaps a remainder of its making
    assert count < _counts(found)[0] <= count + 2
    assert len(found.hits[0].around) == 3


def test_a_word_is_no_part_of_a_longer_one() -> None:
    inside, alone = _random_name(9), _random_name(10)
    held = [
        bytearray(b" of X" + inside + b" and " + inside + b"s, " + inside + b"_x") * 50,
        bytearray(b" to " + alone + b"." + alone + b"\xc3\xa9") * 50,
    ]
    found = search(_wanted((inside, 1), (inside, 0), (alone, 1)))
    assert len(held) == 2
    word, anywhere, both = _counts(found)
    assert anywhere >= 150
    assert word < 50
    assert both >= 100


def test_what_stands_in_the_program_s_files_is_told_apart() -> None:
    """Every library begins so (ELF header, 64-bit, little-endian)."""
    found = search(_wanted((b"\x7fELF\x02\x01\x01", 0)))
    assert found.hits[0].in_files > 3


def test_several_processes_are_one_result() -> None:
    one = search(_wanted((_random_name(), 0)))
    one.hits[0].elsewhere, one.hits[0].around = 2, ["a", "b"]
    both = memory_search.merged([one, one])
    assert (both.read, both.complete, both.hits[0].elsewhere) == (2 * one.read, True, 4)
    assert both.hits[0].around == ["a", "b", "a"]


def test_a_search_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_search, "READ_MAX", 1 << 20)
    found = search(_wanted((_random_name(), 0)))
    assert not found.complete
    assert found.read < 4 << 20


def test_an_unreadable_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_search, "regions", list)
    with pytest.raises(memory_search.UnreadableError):
        search(_wanted((_random_name(), 0)))
