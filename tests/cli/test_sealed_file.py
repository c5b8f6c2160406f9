"""Sealed files open with the right passphrase only, and no write loses data."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from snugroom.client.files import sealed_file
from snugroom.client.files.passphrase import VARIABLE, PassphraseError, read_passphrase
from snugroom.client.files.sealed_file import (
    MODERATE,
    Cost,
    DamagedFileError,
    FileThereError,
    SealedFile,
    SealedFileError,
    WrongKindError,
    WrongPassphraseError,
    open_file,
    seal_file,
)
from snugroom.crypto.kdf import H

CHEAP = Cost(1, 8192)
PASS = "correct horse"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book"


def test_a_sealed_file_opens(path: Path) -> None:
    for payload in (b"", b"x", os.urandom(5000)):
        seal_file(path, PASS, "contacts", payload, cost=CHEAP)
        assert open_file(path, PASS, "contacts") == payload
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["book"], "nothing is left beside it"


def test_the_default_is_argon2id_with_moderate_limits(path: Path) -> None:
    assert (MODERATE.ops, MODERATE.memory) == (3, 256 * 2**20)
    seal_file(path, PASS, "contacts", b"payload")
    header = path.read_bytes()[:64]
    assert header.startswith(
        b"snug sealed 1\n\x08contacts\x00\x00\x00\x03" + (256 * 2**20).to_bytes(8, "big")
    )
    assert open_file(path, PASS, "contacts") == b"payload"


def test_neither_payload_nor_passphrase_nor_size_shows(path: Path) -> None:
    sizes = set()
    for payload in (b"a secret", b"a secret" * 100):
        path.unlink(missing_ok=True)
        seal_file(path, PASS, "contacts", payload, cost=CHEAP)
        whole = path.read_bytes()
        assert b"a secret" not in whole
        assert PASS.encode() not in whole
        sizes.add(len(whole))
    assert len(sizes) == 1
    opened = SealedFile.open(path, PASS, "contacts")
    assert "secret" not in repr(opened)


def test_a_wrong_passphrase_is_one_error_and_damage_another(path: Path) -> None:
    seal_file(path, PASS, "contacts", b"payload", cost=CHEAP)
    whole = path.read_bytes()
    with pytest.raises(WrongPassphraseError, match="does not open"):
        open_file(path, PASS + "!", "contacts")
    for at in (len(whole) // 2, 30, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        with pytest.raises(DamagedFileError):
            open_file(path, PASS, "contacts")
    for cut in (20, 60, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DamagedFileError):
            open_file(path, PASS, "contacts")


def test_a_mended_checksum_does_not_make_a_changed_file_open(path: Path) -> None:
    seal_file(path, PASS, "contacts", b"payload", cost=CHEAP)
    body = path.read_bytes()[:-32]
    for at in range(len(body)):
        if at % 97 and at > 60:
            continue
        changed = body[:at] + bytes((body[at] ^ 1,)) + body[at + 1 :]
        path.write_bytes(changed + H(changed))
        with pytest.raises(SealedFileError):
            open_file(path, PASS, "contacts")


def test_a_file_that_asks_for_too_much_is_refused_before_it_gets_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal_file(path, PASS, "contacts", b"payload", cost=CHEAP)
    body = bytearray(path.read_bytes()[:-32])
    at = len(b"snug sealed 1\n\x08contacts")
    monkeypatch.setattr(sealed_file, "_stretch", lambda *a: pytest.fail("it was given what it asked for"))
    for offset, size, value in ((0, 4, 17), (0, 4, 0), (4, 8, 2**40), (4, 8, 0)):
        changed = bytearray(body)
        changed[at + offset : at + offset + size] = value.to_bytes(size, "big")
        path.write_bytes(bytes(changed) + H(bytes(changed)))
        with pytest.raises(DamagedFileError):
            open_file(path, PASS, "contacts")


def test_kinds_are_told_apart(path: Path) -> None:
    seal_file(path, PASS, "contacts", b"payload", cost=CHEAP)
    with pytest.raises(WrongKindError, match="holds 'contacts'"):
        open_file(path, PASS, "host return")
    path.write_text("hello")
    with pytest.raises(WrongKindError, match="not a sealed file"):
        open_file(path, PASS, "contacts")


def test_an_unreadable_file_is_never_written_over(path: Path) -> None:
    seal_file(path, PASS, "contacts", b"payload", cost=CHEAP)
    whole = path.read_bytes()
    for content, passphrase, kind in (
        (whole, "another", "contacts"),
        (whole, PASS, "host return"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), PASS, "contacts"),
        (b"somebody's letter", PASS, "contacts"),
        (b"", PASS, "contacts"),
    ):
        path.write_bytes(content)
        with pytest.raises(SealedFileError):
            seal_file(path, passphrase, kind, b"new", cost=CHEAP)
        assert path.read_bytes() == content
    path.write_bytes(whole)
    with pytest.raises(FileThereError):
        SealedFile.create(path, PASS, "contacts", b"new", cost=CHEAP)
    assert path.read_bytes() == whole


def test_an_update_reads_what_is_there_now(path: Path) -> None:
    one = SealedFile.create(path, PASS, "contacts", b"a", cost=CHEAP)
    other = SealedFile.open(path, PASS, "contacts")
    one.update(lambda was: was + b"b")
    assert other.update(lambda was: was + b"c") == b"abc"
    assert open_file(path, PASS, "contacts") == b"abc"

    def fail(was: bytes) -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        one.update(fail)
    assert open_file(path, PASS, "contacts") == b"abc"
    seal_file(path, PASS, "contacts", b"anew", cost=CHEAP)
    with pytest.raises(WrongPassphraseError, match="sealed anew"):
        one.update(lambda was: b"lost")
    path.write_bytes(b"garbage")
    with pytest.raises(SealedFileError):
        one.update(lambda was: b"lost")
    assert path.read_bytes() == b"garbage"
    path.unlink()
    with pytest.raises(SealedFileError):
        one.update(lambda was: b"lost")


def _append(path: Path, letter: bytes) -> None:
    opened = SealedFile.open(path, PASS, "contacts")
    for _ in range(20):
        opened.update(lambda was: was + letter)


def test_programs_that_save_at_once_lose_nothing_of_each_other(path: Path) -> None:
    SealedFile.create(path, PASS, "contacts", b"", cost=CHEAP)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(path, letter)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert sorted(open_file(path, PASS, "contacts")) == sorted(b"a" * 20 + b"b" * 20)


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = SealedFile.create(path, PASS, "contacts", b"old", cost=CHEAP)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SealedFileError, match="No space left"):
        opened.update(lambda was: b"new")
    assert open_file(path, PASS, "contacts") == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["book"]


def test_a_lock_on_the_folder_stops_nobody_for_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = SealedFile.create(path, "secret", "contacts", b"old", cost=CHEAP)
    monkeypatch.setattr(sealed_file, "LOCK_TIME", 0.05)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_SH)
        with pytest.raises(SealedFileError, match="kept by another program"):
            book.update(lambda _: b"new")
    finally:
        os.close(folder)
    assert open_file(path, "secret", "contacts") == b"old"
    assert book.update(lambda _: b"new") == b"new"


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(WrongKindError):
        open_file(path, "secret", "contacts")


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    SealedFile.create(path, PASS, "contacts", b"a", cost=CHEAP)
    link = tmp_path / "link"
    link.symlink_to(path)
    SealedFile.open(link, PASS, "contacts").update(lambda was: b"b")
    assert link.is_symlink()
    assert open_file(path, PASS, "contacts") == b"b"


def test_there_must_be_a_file_a_folder_and_a_passphrase(path: Path) -> None:
    with pytest.raises(SealedFileError, match="can't be read"):
        open_file(path, PASS, "contacts")
    with pytest.raises(SealedFileError, match="can't be used"):
        seal_file(path / "nowhere" / "book", PASS, "contacts", b"", cost=CHEAP)
    for bad in ("", "\ud800"):
        with pytest.raises(SealedFileError):
            seal_file(path, bad, "contacts", b"", cost=CHEAP)
    with pytest.raises(ValueError, match="ASCII"):
        seal_file(path, PASS, "", b"", cost=CHEAP)
    with pytest.raises(SealedFileError, match="too many"):
        seal_file(path, PASS, "contacts", bytes(sealed_file.FILE_MAX), cost=CHEAP)
    assert not path.exists()


def test_one_passphrase_typed_in_two_ways_is_one(path: Path) -> None:
    seal_file(path, "caf\u00e9", "contacts", b"payload", cost=CHEAP)
    assert open_file(path, "cafe\u0301", "contacts") == b"payload"


# -- where it comes from -------------------------------------------------------------------------


def test_a_passphrase_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pass"
    file.write_text("correct horse\r\nand more\n")
    monkeypatch.setenv(VARIABLE, "from outside")
    assert read_passphrase(file, what="book") == "correct horse"
    assert read_passphrase(None, what="book") == "from outside"
    assert VARIABLE not in os.environ, "no program that we start inherits it"
    for content in (b"\n", b"", b"\xff\n"):
        file.write_bytes(content)
        with pytest.raises(PassphraseError):
            read_passphrase(file, what="book")
    with pytest.raises(PassphraseError, match="can't be read"):
        read_passphrase(tmp_path / "nothing", what="book")


def test_a_prompt_asks_twice_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("os.open", lambda *a: os.dup(0))
    answers = ["one", "one", "one", "two"]
    monkeypatch.setattr("getpass.getpass", lambda prompt: answers.pop(0))
    assert read_passphrase(None, what="book", twice=True) == "one"
    with pytest.raises(PassphraseError, match="differ"):
        read_passphrase(None, what="book", twice=True)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    def nothing(*args: object) -> int:
        raise OSError(6, "No such device")

    monkeypatch.setattr("os.open", nothing)
    with pytest.raises(PassphraseError, match="no terminal"):
        read_passphrase(None, what="book")
