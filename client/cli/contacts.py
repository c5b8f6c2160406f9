"""`snug contacts`: the user's own identity, and the book of known contacts."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from snugroom.client.files import passphrase
from snugroom.client.files.contact_book import Book
from snugroom.client.files.sealed_file import FileThereError, SealedFileError
from snugroom.client.headless.text import plain
from snugroom.client.session.catalogue.sentence import CommandError
from snugroom.client.session.entry.contacts import Contact
from snugroom.crypto.proof.identity import fingerprint
from snugroom.crypto.proof.verification import grouped

_OK, _USAGE = 0, 2


def add_parser(commands: Any) -> None:
    """Add `contacts` to the commands (argparse's subparsers)."""
    parser = commands.add_parser("contacts")
    what = parser.add_subparsers(dest="contacts", required=True, metavar="WHAT")

    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("book", metavar="BOOK", type=Path, help="the file")
    passphrase.add_argument(every)
    every.add_argument("--json", action="store_true", help="one JSON object")
    who = argparse.ArgumentParser(add_help=False)
    who.add_argument("contact", metavar="CONTACT", help="its name in the book, or its fingerprint")

    what.add_parser("new", parents=[every], help="make a book with a new identity")
    what.add_parser("show", parents=[every], help="show your own fingerprint, to read out")
    what.add_parser("list", parents=[every], help="list the contacts")
    add = what.add_parser(
        "add", parents=[every], help="add a contact, by the fingerprint that they read out to you"
    )
    add.add_argument("key", metavar="FINGERPRINT", help="40 digits, or a public key of 64 hex digits")
    add.add_argument("name", metavar="NAME", help="your name for them")
    rename = what.add_parser("rename", parents=[every, who], help="rename a contact")
    rename.add_argument("name", metavar="NAME", help="your new name for them")
    what.add_parser(
        "verify", parents=[every, who], help="mark a contact as verified: they read out the same fingerprint"
    )
    what.add_parser("forget", parents=[every, who], help="remove a contact")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status: 0, or 2 with a sentence on standard error."""
    try:
        word = passphrase.read_passphrase(
            arguments.passphrase_file, what=str(arguments.book), twice=arguments.contacts == "new"
        )
        if arguments.contacts == "new":
            book = Book.create(arguments.book, word)
        else:
            book = Book.open(arguments.book, word)
            _change(book, arguments)
    except (SealedFileError, passphrase.PassphraseError, CommandError) as error:
        hint = " Use another name for a new book." if isinstance(error, FileThereError) else ""
        print(f"snug: {error}{hint}", file=sys.stderr)
        return _USAGE
    _tell(book, arguments)
    return _OK


def _change(book: Book, arguments: argparse.Namespace) -> None:
    match arguments.contacts:
        case "add":
            book.update(lambda c: c.add(arguments.key, arguments.name, time.time()))
        case "rename":
            book.update(lambda c: c.rename(c.named(arguments.contact), arguments.name))
        case "verify":
            book.update(lambda c: c.verify(c.named(arguments.contact)))
        case "forget":
            book.update(lambda c: c.forget(c.named(arguments.contact)))


def _tell(book: Book, arguments: argparse.Namespace) -> None:
    own, contacts = book.contacts.own.public, book.contacts.everybody()
    if arguments.json:
        value: dict[str, Any] = {"fingerprint": fingerprint(own), "public": own.hex()}
        if arguments.contacts not in ("new", "show"):
            value["contacts"] = [_row(contact) for contact in contacts]
        print(json.dumps(value))
        return
    if arguments.contacts == "new":
        print(f"{arguments.book} is your book now. Without its passphrase nobody can read it: you neither.")
    if arguments.contacts in ("new", "show"):
        print(f"Your fingerprint, to read out: {grouped(fingerprint(own))}")
    elif not contacts:
        print("Nobody is in the book yet.")
    else:
        for contact in contacts:
            known = "verified" if contact.verified else "known"
            day = time.strftime("%Y-%m-%d", time.gmtime(contact.first_seen))
            print(f"{plain(contact.petname)}  ({known} since {day})\n    {grouped(contact.fingerprint)}")


def _row(contact: Contact) -> dict[str, Any]:
    return {
        "name": contact.petname,
        "fingerprint": contact.fingerprint,
        "verified": contact.verified,
        "first_seen": contact.first_seen,
        "public": None if contact.public is None else contact.public.hex(),
    }
