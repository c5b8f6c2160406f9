"""The search of a process's memory finds what is there, in every form, and nothing else."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.lab.demo.memory import Copy, UnreadableError, copy, find, forms
from snugroom.lab.demo.search import Wanted, search

PIECE = 1 << 20


@given(st.binary(min_size=6, max_size=40), st.binary(max_size=7), st.binary(max_size=7))
def test_a_value_is_found_in_whatever_form(value: bytes, before: bytes, after: bytes) -> None:
    whole = before + value + after
    for text in (
        whole,
        value.hex().encode(),
        value.hex().upper().encode(),
        base64.b64encode(whole),
        base64.urlsafe_b64encode(whole),
    ):
        assert find([b"\x00" * 5 + text], forms(value))


@given(
    st.lists(st.binary(max_size=60), max_size=4),
    st.lists(st.binary(min_size=4, max_size=5), max_size=6),
    st.data(),
)
def test_the_search_of_many_agrees_with_one_by_one(
    regions: list[bytes], needles: list[bytes], data: st.DataObject
) -> None:
    if needles and regions:
        planted = data.draw(st.sampled_from(needles))
        regions.append(data.draw(st.binary(max_size=3)) + planted + data.draw(st.binary(max_size=3)))
    expected = {needle for needle in needles if any(needle in region for region in regions)}
    assert find(regions, needles) == expected


def test_the_seams_between_pieces_are_searched() -> None:
    needle = b"a needle"
    for at in range(PIECE - len(needle) - 1, PIECE + 2):
        region = bytes(at) + needle + bytes(5)
        assert find([region], [needle]) == {needle}, at
    assert find([bytes(PIECE) + needle], [needle])
    assert not find([bytes(PIECE) + needle[:-1]], [needle])


def test_too_short_a_needle_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        find([b""], [b"abc"])


PROGRAM = """
import sys
word = bytes(b ^ 1 for b in sys.stdin.buffer.read(16))
print("ready", flush=True)
sys.stdin.buffer.read()
"""


def test_another_process_is_read_and_only_what_it_holds_is_found() -> None:
    if not os.path.exists("/proc/self/mem"):
        pytest.skip("no /proc here")
    sent = os.urandom(16)
    held, not_held = bytes(b ^ 1 for b in sent), os.urandom(16)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sent)
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        memory = copy(process.pid)
        process.stdin.close()
        assert process.wait(10) == 0
    assert memory.read > 1_000_000
    assert memory.find([held, not_held]) == {held}


def test_a_process_that_is_not_there_is_said_to_be_unreadable() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(20)
    with pytest.raises(UnreadableError):
        copy(process.pid)


def frame(seed: int) -> bytes:
    return bytes((seed * 89 + i * 7) % 256 for i in range(120))


@pytest.mark.parametrize("form", [bytes, bytes.hex, base64.b64encode])
@pytest.mark.parametrize("where", ["memory", "log"])
def test_a_leak_is_named(form: object, where: str) -> None:
    assert callable(form)
    encoded = form(b"xx" + b"Bo Ekman" + b"y")
    leak = encoded.encode() if isinstance(encoded, str) else encoded
    wanted = Wanted({"name": [b"Ada Brandt", b"Bo Ekman"]}, [frame(1)], [frame(2)], [b"a handle"])
    held = b"...a handle..." + frame(2)
    clean = search(Copy((held,), 100), b"", wanted)
    assert (clean.found, clean.known_found, clean.sealed_found) == ((), 1, 1)
    assert clean.sought == {"name": 2, "frame before sealing": 1}
    memory, log = (held + leak, b"") if where == "memory" else (held, leak)
    assert search(Copy((memory,), 100), log, wanted).found == ("name",)


def test_a_frame_before_sealing_is_a_leak() -> None:
    wanted = Wanted({}, [frame(1), bytes(120), b"short"], [frame(2)], [b"a handle"])
    found = search(Copy((frame(1)[40:100] + bytes(500),), 100), b"", wanted)
    assert found.found == ("frame before sealing",)
    assert (found.known_found, found.sealed_found) == (0, 0)
    assert found.sought == {"frame before sealing": 1}  # silence and snippets can't be told from anything
