"""Code art: the same on every screen, and in the terminal."""

from __future__ import annotations

from dataclasses import fields, replace

from snugroom.client.cli import code_art

CODE = "1234567890" * 4


def test_another_code_has_other_code_art() -> None:
    codes = [f"{i:040d}" for i in range(500)]
    assert len({code_art.code_art_of(code) for code in codes}) == len(codes)


def test_every_choice_is_made_by_some_code() -> None:
    made = [code_art.code_art_of(f"{i:040d}") for i in range(500)]
    for field in fields(code_art.CodeArt):
        choices = {getattr(one, field.name) for one in made}
        assert len(choices) >= 2, field.name
    assert {one.petals for one in made} == set(code_art.PETALS)
    assert {one.mark for one in made} == set(code_art.MARKS)


def test_blocks_fill_their_square_and_no_more() -> None:
    for i in range(24):
        lines = code_art.blocks(code_art.code_art_of(f"{i:040d}"), rows=16)
        assert len(lines) == 16
        assert all(len(line) <= 32 and set(line) <= set(" ▀▄█") for line in lines)
        assert lines == [line.rstrip() for line in lines]


def test_block_characters_distinguish_code_art() -> None:
    first = code_art.code_art_of(CODE)
    first = replace(first, petals=8, fill="both", weave="left", eye="star", points=5)
    others = [
        replace(first, petals=9),
        replace(first, outline="spire" if first.outline != "spire" else "round"),
        replace(first, weave="right"),
        replace(first, depth="deep" if first.depth != "deep" else "shallow"),
        replace(first, turn="between" if first.turn == "upright" else "upright"),
        replace(first, mark=first.mark % 12 + 1),
        replace(first, edge="rays" if first.edge != "rays" else "line"),
        replace(first, eye="wheel"),
        replace(first, points=4),
        replace(first, fill="hollow"),
    ]
    drawn = {"\n".join(code_art.blocks(one)) for one in (first, *others)}
    assert len(drawn) == 1 + len(others)


def test_a_star_is_as_wide_as_it_says() -> None:
    shape = replace(code_art.code_art_of(CODE), eye="star", points=4, fill="eye", ring="none")
    lines = code_art.blocks(shape, rows=50)
    middle = lines[25]
    # a sign is 2 of 100 wide: the points of the star end 10 signs from the middle, thin as they are
    assert 14 <= len(middle[37:63].strip()) <= 18
    assert "█" in middle[30:37]  # the ring
