"""Binary layouts: generated code against the reference, and how strict both are."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.tools.typescript_layouts import LAYOUTS
from snugroom.wire import layout
from snugroom.wire.errors import MalformedError, SnugError, UnsupportedError
from snugroom.wire.layout import (
    U1,
    U2,
    U4,
    U6,
    U8,
    Bits,
    Bool,
    Bytes,
    Bytes8,
    Bytes32,
    Enum,
    Items,
    Layout,
    Named,
    OneOf,
    Option,
    Rest,
    Span,
    Text,
    Uint,
    kinds,
    reference,
)
from snugroom.wire.layout.shape import EnumShape, ItemsShape, OptionShape, RecordShape, RestShape, Shape


class Colour(IntEnum):
    RED = 1
    BLUE = 4


class Pair(NamedTuple):
    leaf: U4
    counters: Annotated[
        tuple[Annotated[tuple[Annotated[int, Uint(1, most=7)], U6], Named("stream", "frames")], ...],
        Items(1, most=3, rising="stream"),
    ]


@dataclass(frozen=True)
class Inner(Layout, name="inner"):
    slot: U8
    name: Annotated[str, Text(1, most=10)] = ""

    def check(self) -> None:
        if self.slot == 13:
            raise MalformedError("inner: slot 13 is unlucky")


@dataclass(frozen=True, slots=True)
class Everything(Layout, name="everything", start=b"\1ab"):
    number: U2
    large: U8
    key: Bytes32
    short: Bytes8
    loud: Bool
    colour: Annotated[Colour, Enum()]
    bits: Annotated[int, Bits(0b101)]
    data: Annotated[bytes, Bytes(2, most=20)]
    digests: Annotated[bytes, Bytes(1, most=4, unit=3)]
    title: Annotated[str, Text(1)]
    inner: Inner
    maybe: Annotated[Inner | None, Option()]
    rows: Annotated[tuple[Pair, ...], Items(2, most=4, least=1, rising="leaf")]
    used: Annotated[frozenset[U2], Items(2, most=5, rising=True)]
    keys: Annotated[frozenset[Bytes8], Items(1, most=5, rising=True)]
    once: Annotated[tuple[Bytes8, ...], Items(1, most=5, unique=True)]
    plain: Annotated[tuple[U1, ...], Items(1, most=5)]
    pairs: Annotated[
        tuple[Annotated[tuple[U1, U4], Named("act", "leaf")], ...], Items(1, most=5, rising=True)
    ]
    rest: Annotated[bytes, Rest()]
    #: Without a kind: not encoded.
    noted: str = ""


SMALL = Everything(
    513, 2**53 - 1, b"k" * 32, b"s" * 8, True, Colour.BLUE, 5, b"data", b"sixsix", "Bücher", Inner(12),
    Inner(1, "x"),
    (Pair(1, ((0, 1), (7, 2**48 - 1))), Pair(9, ())), frozenset({256, 2, 65_535}),
    frozenset({b"b" * 8, b"a" * 8}),
    (b"z" * 8, b"a" * 8), (3, 1, 3), ((1, 9), (2, 1)), b"rest",
)  # fmt: skip

ALL: list[type[Layout]] = [Everything, *(each for each in LAYOUTS if issubclass(each, Layout))]


def values(shape: Shape, rng: random.Random) -> Any:
    """A random value of a shape; its integers are often at an edge."""
    match shape:
        case kinds.Uint(size, most):
            top = min(most, 256**size - 1)
            return rng.choice([0, 1, top, rng.randint(0, top)])
        case kinds.Fixed(size):
            return rng.randbytes(size)
        case kinds.Bytes(prefix, most, unit):
            return rng.randbytes(unit * rng.randint(0, min(most or 300, 300, 256**prefix - 1)))
        case kinds.Text(_, most):
            return "".join(
                rng.choice("aé\ufeff\U0001f98a ") for _ in range(rng.randint(0, (most or 40) // 4))
            )
        case kinds.Flag():
            return rng.random() < 0.5
        case kinds.Bits(mask):
            return rng.randint(0, 255) & mask
        case EnumShape(kind):
            return rng.choice(list(kind))
        case RestShape(text):
            return "rést" if text else rng.randbytes(rng.randint(0, 9))
        case OptionShape(item):
            return None if rng.random() < 0.5 else values(item, rng)
        case RecordShape(None, parts):
            return tuple(values(each.shape, rng) for each in parts)
        case RecordShape(kind, parts):
            assert kind is not None
            return kind(**{each.name: values(each.shape, rng) for each in parts})
        case ItemsShape(kind, item, frozen):
            count = rng.randint(kind.least, min(kind.most, 4))
            made = [values(item, rng) for _ in range(count)]
            if isinstance(kind.rising, str):
                made = sorted({_first(each): each for each in made}.values(), key=_first)
            elif kind.unique:
                made = list(dict.fromkeys(made))
            elif kind.rising:
                made = sorted(set(made))
            return frozenset(made) if frozen else tuple(made)


def _first(item: Any) -> Any:
    return item[0] if isinstance(item, tuple) else getattr(item, fields(item)[0].name)


def outcome(work: Any, *arguments: Any) -> Any:
    """The result of a call, or its error and the text."""
    try:
        return work(*arguments)
    except SnugError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_generated_decoder_and_the_reference_agree(kind: type[Layout]) -> None:
    shape, rng = layout.shape(kind), random.Random(kind.__name__)
    refused = 0
    for _ in range(150):
        made = values(shape, rng)
        data = outcome(reference.encode, shape, made)
        assert outcome(made.encode) == data
        if isinstance(data, str):
            continue
        try_all = [data, data + b"\0", data[: rng.randrange(len(data) + 1)]]
        for _ in range(6):
            changed = bytearray(data)
            if changed:
                changed[rng.randrange(len(changed))] = rng.choice([0, 1, 2, 0xFF, rng.randrange(256)])
            try_all.append(bytes(changed))
        for each in try_all:
            expected = outcome(reference.decode, shape, each)
            assert outcome(kind.decode, each) == expected
            if isinstance(expected, str):
                refused += 1
            else:
                assert expected.encode() == each, "a value has one encoding"
    assert refused > 30 or any(isinstance(each.shape, RestShape) for each in shape.fields[:1])


def test_valid_values_and_bytes_need_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    data = reference.encode(layout.shape(Everything), SMALL)

    def unexpected(*_: object) -> None:
        raise AssertionError("the generated code handed over")

    monkeypatch.setattr(reference, "encode", unexpected)
    monkeypatch.setattr(reference, "decode", unexpected)
    assert SMALL.encode() == data
    assert Everything.decode(data) == SMALL
    for wrong in (lambda: Everything.decode(data[:9]), replace(SMALL, number=-1).encode):
        with pytest.raises(AssertionError, match="handed over"):
            wrong()


def test_a_value_comes_back_as_it_was() -> None:
    data = SMALL.encode()
    assert Everything.decode(data) == SMALL
    assert data.startswith(b"\1ab\2\1\0\x1f\xff\xff\xff\xff\xff\xff" + b"k" * 32)
    assert SMALL.encode_before("large") == b"\1ab\2\1"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("number", 65_536, "everything.number: 65536 is not an unsigned integer of 2 bytes"),
        ("number", -1, "everything.number: -1 is not an unsigned integer of 2 bytes"),
        ("large", 2**53, "everything.large is above 9007199254740991"),
        ("key", b"k" * 31, "everything.key has 32 bytes, not 31"),
        ("bits", 8, "everything.bits has bits that are not defined: 0x8"),
        ("colour", 3, "everything.colour has the unknown value 3"),
        ("data", bytes(21), "everything.data has 21 bytes, and at most 20 are allowed"),
        ("digests", bytes(15), "everything.digests has 15 bytes, and at most 12 are allowed"),
        ("digests", bytes(11), "everything.digests has 11 bytes, which is no multiple of 3"),
        ("title", "\ud800", "everything.title has characters that UTF-8 lacks"),
        ("inner", Inner(1, "elevenbytes"), "everything.inner.name has 11 bytes, and at most 10 are allowed"),
        ("rows", (), "everything.rows has 1 to 4 entries, not 0"),
        ("rows", (Pair(2, ()), Pair(2, ())), "everything.rows is not in order"),
        ("rows", (Pair(2, ((8, 1),)),), "everything.rows[0].counters[0].stream is above 7"),
        ("used", frozenset(range(6)), "everything.used has 0 to 5 entries, not 6"),
        ("once", (b"z" * 8, b"z" * 8), "everything.once has an entry twice"),
        ("pairs", ((1, 2), (1, 2)), "everything.pairs is not in order"),
    ],
)
def test_a_value_without_encoding_is_refused(field: str, value: Any, told: str) -> None:
    wrong = Everything(**{each.name: getattr(SMALL, each.name) for each in fields(SMALL)} | {field: value})
    with pytest.raises(MalformedError) as caught:
        wrong.encode()
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("at", "put", "told"),
    [
        (0, b"\2", "everything begins with 026162, not 016162"),
        (5, b"\0\x20", "everything.large is above 9007199254740991"),
        (53, b"\2", "everything.loud is a flag, 0 or 1, not 2"),
        (54, b"\2", "everything.colour has the unknown value 2"),
        (55, b"\2", "everything.bits has bits that are not defined: 0x2"),
        (56, b"\0\x15", "everything.data has 21 bytes, and at most 20 are allowed"),
        (62, b"\5", "everything.digests has 15 bytes, and at most 12 are allowed"),
    ],
)
def test_bytes_that_encode_nothing_are_refused(at: int, put: bytes, told: str) -> None:
    data = SMALL.encode()
    wrong = data[:at] + put + data[at + len(put) :]
    if at == 5:
        wrong = data[:5] + (2**53).to_bytes(8, "big") + data[13:]
    with pytest.raises(MalformedError) as caught:
        Everything.decode(wrong)
    assert str(caught.value) == told


def test_a_check_across_fields_is_part_of_decoding() -> None:
    made = Inner(13).encode()
    for decode in (Inner.decode, lambda data: reference.decode(layout.shape(Inner), data)):
        with pytest.raises(MalformedError, match="unlucky"):
            decode(made)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_are_the_encoding(data: bytes) -> None:
    for kind in ALL:
        found = outcome(kind.decode, data)
        assert isinstance(found, str) or found.encode() == data


def test_spans_say_where_each_value_stands() -> None:
    spans = {span.path: span for span in Everything.spans(SMALL.encode())}
    data = SMALL.encode()
    assert spans["number"] == Span("number", 3, 5, 513)
    assert spans["rows[0].counters[1].frames"].value == 2**48 - 1
    assert data[spans["title"].start : spans["title"].end] == b"\7B\xc3\xbccher"
    assert spans["rest"].end == len(data)
    first = {name: span for name, span in spans.items() if name and "." not in name and "[" not in name}
    ends = [3, *(span.end for span in first.values())]
    assert [span.start for span in first.values()] == ends[:-1], "no byte belongs to nobody"


def test_the_number_in_front_tells_layouts_apart() -> None:
    @dataclass(frozen=True)
    class Nothing(Layout, name="nothing"):
        pass

    one_of = OneOf[Inner | Nothing]("reply", {1: Inner, 4: Nothing})
    for value, data in ((Inner(7), b"\1" + Inner(7).encode()), (Nothing(), b"\4")):
        assert one_of.encode(value) == data
        assert one_of.decode(data) == value
    for wrong, told in (
        (b"", "reply is cut short: 1 bytes expected, 0 are left"),
        (b"\4\0", "nothing: 1 bytes too many"),
        (b"\1" + Inner(13).encode(), "inner: slot 13 is unlucky"),
        (b"\1" + Inner(13).encode() + b"\0", "inner: 1 bytes too many"),
    ):
        with pytest.raises(MalformedError) as caught:
            one_of.decode(wrong)
        assert str(caught.value) == told
    with pytest.raises(UnsupportedError, match="a reply of the unknown kind 2"):
        one_of.decode(b"\2")


def test_a_declaration_that_cannot_be_is_refused() -> None:
    @dataclass(frozen=True)
    class Wrong(Layout, name="wrong"):
        key: Annotated[int, kinds.Fixed(4)]

    @dataclass(frozen=True)
    class Unordered(Layout, name="unordered"):
        keys: Annotated[frozenset[Bytes8], Items(1, most=3)]

    for kind, told in ((Wrong, "Wrong.key"), (Unordered, "Unordered.keys")):
        with pytest.raises(TypeError, match=told):
            layout.shape(kind)
