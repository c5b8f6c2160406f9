"""`snug contacts`, and a contact book in a meeting of processes."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.files.contact_book import KIND, Book
from snugroom.client.files.sealed_file import Cost, DamagedFileError, SealedFile, seal_file
from snugroom.client.session.catalogue.sentence import CommandError
from snugroom.client.session.entry import contacts as contacts_module
from snugroom.client.session.entry.contacts import Contacts
from snugroom.command import main
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.proof.identity import IdentityKey, fingerprint
from snugroom.crypto.proof.verification import grouped
from tests.cli.processes import names, running, server

CHEAP = Cost(1, 8192)
WORD = "correct horse"
NOW = 1_790_000_000.0
ADA, BO = IdentityKey(b"\x11" * 32), IdentityKey(b"\x12" * 32)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(f"{WORD}\n")
    return file


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book"
    Book.create(path, WORD, cost=CHEAP)
    return path


class Snug:
    """`snug contacts` in this process."""

    def __init__(self, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._secret, self._capsys = secret, capsys

    def __call__(self, what: str, book: Path, *rest: str, status: int = 0) -> str:
        assert main(["contacts", what, str(book), *rest, "--passphrase-file", str(self._secret)]) == status
        out, err = self._capsys.readouterr()
        assert (not err) if status == 0 else (err.startswith("snug: ") and not out)
        return out or err

    def json(self, what: str, book: Path, *rest: str) -> dict[str, Any]:
        return dict(json.loads(self(what, book, *rest, "--json")))


@pytest.fixture
def snug(secret: Path, capsys: pytest.CaptureFixture[str]) -> Snug:
    return Snug(secret, capsys)


# -- the command ----------------------------------------------------------------------------------


def test_a_new_book_and_its_fingerprint(snug: Snug, tmp_path: Path) -> None:
    path = tmp_path / "new"
    told = snug("new", path)
    own = Book.open(path, WORD).contacts.own
    digits = grouped(fingerprint(own.public))
    assert f"Your fingerprint, to read out: {digits}" in told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert digits in snug("show", path)
    shown = snug.json("show", path)
    assert shown == {"fingerprint": fingerprint(own.public), "public": own.public.hex()}
    assert own.private.hex() not in told
    before = path.read_bytes()
    assert "is there already" in snug("new", path, status=2)
    assert path.read_bytes() == before


def test_contacts_are_added_named_verified_and_forgotten(snug: Snug, book: Path) -> None:
    assert "Nobody" in snug("list", book)
    snug("add", book, grouped(fingerprint(ADA.public)), "Ada")
    added = snug.json("add", book, BO.public.hex(), "Bo")
    assert [(c["name"], c["verified"], c["public"]) for c in added["contacts"]] == [
        ("Ada", False, None),
        ("Bo", False, BO.public.hex()),
    ]
    snug("rename", book, "Bo", "Bob")
    snug("verify", book, fingerprint(ADA.public))
    listed = snug("list", book)
    assert "Ada  (verified since " in listed
    assert f"    {grouped(fingerprint(BO.public))}" in listed
    snug("forget", book, "Bob")
    assert [c["name"] for c in snug.json("list", book)["contacts"]] == ["Ada"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("add", "123", "Cem"), "neither a fingerprint"),
        (("add", "00" * 32, "Cem"), "neither a fingerprint"),
        (("add", "ff" * 32, "Cem"), "neither a fingerprint"),
        (("add", "1" * 40, "\u0410da"), "somebody else as Ada"),
        (("add", "1" * 40, " Cem"), "no name for a contact"),
        (("add", fingerprint(ADA.public), "Cem"), "already in the book, as Ada"),
        (("rename", "Zoe", "Cem"), "no contact named 'Zoe'"),
        (("rename", "Bo", "ADA"), "somebody else as Ada"),
        (("verify", "Zoe"), "no contact named"),
        (("forget", "Zoe"), "no contact named"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_impossible_command_is_explained_and_changes_nothing(
    snug: Snug, book: Path, arguments: tuple[str, ...], why: str
) -> None:
    Book.open(book, WORD).update(lambda c: (c.learn(ADA.public, "Ada", NOW), c.learn(BO.public, "Bo", NOW)))
    before = book.read_bytes()
    assert why in snug(arguments[0], book, *arguments[1:], status=2)
    assert book.read_bytes() == before


def test_ones_own_key_is_nobodys_contact(snug: Snug, book: Path) -> None:
    own = snug.json("show", book)
    for key in (own["fingerprint"], own["public"]):
        assert "your own key" in snug("add", book, key, "Me", status=2)


def test_a_wrong_passphrase_and_a_damaged_book_are_told_apart(snug: Snug, book: Path, secret: Path) -> None:
    whole = book.read_bytes()
    secret.write_text("wrong\n")
    assert "does not open" in snug("add", book, "1" * 40, "Cem", status=2)
    secret.write_text(f"{WORD}\n")
    book.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert "damaged" in snug("add", book, "1" * 40, "Cem", status=2)
    book.write_bytes(b"")
    assert "is there already" in snug("new", book, status=2)
    assert "not a sealed file" in snug("list", book, status=2)
    assert book.read_bytes() == b""
    book.unlink()
    assert "can't be read" in snug("list", book, status=2)
    seal_file(book, WORD, "host return", b"{}", cost=CHEAP)
    assert "holds 'host return'" in snug("list", book, status=2)


def test_a_sealed_file_that_is_no_book_is_left_alone(book: Path) -> None:
    opened = Book.open(book, WORD)
    other = SealedFile.open(book, WORD, KIND)
    other.update(lambda was: b'{"version": 2}')
    with pytest.raises(DamagedFileError, match="no contact book of this version"):
        Book.open(book, WORD)
    before = book.read_bytes()
    with pytest.raises(DamagedFileError):
        opened.update(lambda c: c.learn(ADA.public, "Ada", NOW))
    assert book.read_bytes() == before


def test_a_change_keeps_what_another_program_has_written(book: Path) -> None:
    one, other = Book.open(book, WORD), Book.open(book, WORD)
    one.update(lambda c: c.learn(ADA.public, "Ada", NOW))
    other.update(lambda c: c.learn(BO.public, "Bo", NOW))
    assert [c.petname for c in Book.open(book, WORD).contacts.everybody()] == ["Ada", "Bo"]
    with pytest.raises(CommandError):
        one.update(lambda c: c.learn(IdentityKey.generate().public, "BO", NOW))
    assert [c.petname for c in Book.open(book, WORD).contacts.everybody()] == ["Ada", "Bo"]


# -- the book as data -------------------------------------------------------------------------------


def test_a_book_comes_back_as_it_was() -> None:
    book = Contacts.new()
    book.learn(ADA.public, "Ada", NOW, verified=True)
    book.add("2" * 40, "Zoë", NOW + 5)
    again = Contacts.decode(book.encode())
    assert again.everybody() == book.everybody()
    assert again.own.private == book.own.private
    assert again.encode() == book.encode()
    assert [again.standing(key) for key in (ADA.public, BO.public, None)] == ["verified", "new", "none"]


def test_a_contact_known_by_its_fingerprint_is_known_when_it_is_met() -> None:
    book = Contacts.new()
    book.add(fingerprint(ADA.public), "Ada", NOW)
    assert book.standing(ADA.public) == "known"
    met = book.learn(ADA.public, None, NOW + 9)
    assert (met.petname, met.first_seen, met.public) == ("Ada", int(NOW), ADA.public)
    with pytest.raises(CommandError, match="needs a name"):
        book.learn(BO.public, None, NOW)


def test_a_book_is_not_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts_module, "CONTACTS_MAX", 2)
    book = Contacts.new()
    book.add("1" * 40, "Ada", NOW)
    book.add("2" * 40, "Bo", NOW)
    with pytest.raises(CommandError, match="at most 2"):
        book.add("3" * 40, "Cem", NOW)
    book.rename(book.named("Bo"), "Bob")


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_a_file_that_is_no_book_is_an_error(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Contacts.decode(data)


def test_a_book_with_a_lie_in_it_is_an_error() -> None:
    book = Contacts.new()
    book.learn(ADA.public, "Ada", NOW)
    whole = json.loads(book.encode())
    for change in (
        {"fingerprint": "1" * 40},
        {"fingerprint": "x"},
        {"petname": ""},
        {"petname": "a\x1b[2J"},
        {"first_seen": -1},
        {"verified": 1},
        {"public": "AAAA"},
        {"more": 1},
    ):
        lie = whole | {"contacts": [whole["contacts"][0] | change]}
        with pytest.raises(MalformedError):
            Contacts.decode(json.dumps(lie).encode())
    for lie in (
        whole | {"version": 2},
        whole | {"private": "AAAA"},
        whole | {"contacts": whole["contacts"] * 2},
        {k: v for k, v in whole.items() if k != "private"},
    ):
        with pytest.raises(MalformedError):
            Contacts.decode(json.dumps(lie).encode())


# -- in a meeting --------------------------------------------------------------------------------------


def test_identities_in_a_meeting_of_processes(tmp_path: Path, secret: Path, snug: Snug) -> None:
    """Bo shows Ada who he is at the door, and Ada shows Bo in the room; both books know for the next time."""
    adas, bos = tmp_path / "adas", tmp_path / "bos"
    keys = {path: Book.create(path, WORD, cost=CHEAP).contacts.own.public for path in (adas, bos)}
    quiet = ("--no-audio", "--no-video", "--json", "--passphrase-file", str(secret))
    with (
        server() as (_, url),
        running("host", "--server", url, "--name", "Ada", "--contacts", str(adas), *quiet) as ada,
    ):
        link = ada.wait("invite")["link"]
        with running("join", link, "--name", "Bo", "--identity", str(bos), *quiet) as bo:
            knock = ada.wait("knock")
            assert (knock["standing"], knock["fingerprint"]) == ("new", fingerprint(keys[bos]))
            ada.send({"admit": knock["id"]})
            bo.wait("roster", lambda e: names(e) == ["Ada", "Bo"])
            assert ada.wait("vouched")["fingerprint"] == fingerprint(keys[bos])
            ada.send({"verified": 1})
            assert ada.wait("contact")["verified"] is True
            ada.send({"vouch": 1})
            assert ada.wait("status", lambda e: e["kind"] == "vouched")
            seen = bo.wait("vouched")
            assert (seen["leaf"], seen["fingerprint"]) == (0, fingerprint(keys[adas]))
            bo.send({"know": {"leaf": 0, "name": "Ada L."}})
            bo.wait("contact")
            bo.send({"leave": True})
            assert bo.status() == 0
        with running("join", link, "--name", "Bo", *quiet) as false_bo:
            knock = ada.wait("knock", lambda e: e["standing"] == "none")
            assert knock["warnings"] == [
                "A contact named Bo knocks without Bo's key: it may be somebody else."
            ]
            false_bo.send({"leave": True})
            assert false_bo.status() == 6
        with running("join", link, "--name", "Bo", "--identity", str(bos), *quiet):
            knock = ada.wait("knock", lambda e: e["standing"] == "verified")
            assert (knock["contact"], [w for w in knock["warnings"] if "contact" in w]) == ("Bo", [])
        bos.write_bytes(b"damaged")
        ada.send({"end": True})
        assert ada.status() == 0
    assert [(c["name"], c["verified"]) for c in snug.json("list", adas)["contacts"]] == [("Bo", True)]
    assert bos.read_bytes() == b"damaged"


def test_a_book_that_cannot_be_written_is_an_alarm(tmp_path: Path, secret: Path) -> None:
    adas, bos = tmp_path / "adas", tmp_path / "bos"
    for path in (adas, bos):
        Book.create(path, WORD, cost=CHEAP)
    quiet = ("--no-audio", "--no-video", "--json", "--passphrase-file", str(secret))
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--contacts", str(adas), *quiet) as ada,
        running("join", ada.wait("invite")["link"], "--name", "Bo", "--identity", str(bos), *quiet),
    ):
        ada.wait("vouched")
        adas.write_bytes(b"somebody's letter")
        ada.send({"know": {"leaf": 1}})
        alarm = ada.wait("alarm", lambda e: e["kind"] == "book")
        assert "not a sealed file" in alarm["text"]
        assert adas.read_bytes() == b"somebody's letter"
        assert not ada.events("contact")


def test_a_book_that_cannot_be_read_stops_before_the_meeting(book: Path, secret: Path) -> None:
    secret.write_text("wrong\n")
    with running(
        "host", "--server", "http://127.0.0.1:1", "--contacts", str(book), "--passphrase-file", str(secret)
    ) as ada:
        assert ada.status() == 2
        assert "does not open" in "\n".join(ada.errors)
