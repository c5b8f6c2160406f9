"""The contact book: identity keys and the names that their owner gave them.

docs/reference/protocol.md, section 9.

Pure: `client.files.contact_book` keeps the book on disk, sealed. Contacts are indexed by the fingerprint of
their key, so that a contact can be added from a fingerprint read out on the phone, before its key is known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

import msgspec

from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.crypto.agreed.names import check_name, look_alike
from snugroom.crypto.errors import MalformedError, ValidationError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.proof.identity import DIGITS, IdentityKey, check_public, fingerprint

#: Maximum number of contacts in one book.
CONTACTS_MAX: Final = 2_000

#: none: no identity was shown. new: not in the book. known: in the book. verified: known and marked as
#: verified.
Standing = Literal["none", "new", "known", "verified"]


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact in the book. `first_seen` is in Unix seconds; `public` is None while the key is unknown."""

    fingerprint: str
    petname: str
    first_seen: int
    verified: bool = False
    public: bytes | None = None


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fingerprint: Annotated[str, msgspec.Meta(pattern=f"^[0-9]{{{DIGITS}}}$")]
    petname: str
    first_seen: Annotated[int, msgspec.Meta(ge=0)]
    verified: bool
    public: bytes | None


class _Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    private: bytes
    contacts: Annotated[list[_Entry], msgspec.Meta(max_length=CONTACTS_MAX)]


class Contacts:
    """The owner's identity and contacts."""

    def __init__(self, own: IdentityKey, contacts: Iterable[Contact] = ()) -> None:
        self.own = own
        self._by_print = {contact.fingerprint: contact for contact in contacts}

    @classmethod
    def new(cls, rng: Rng = os.urandom) -> Contacts:
        """Return a book with a new identity and without contacts."""
        return cls(IdentityKey.generate(rng))

    def __repr__(self) -> str:
        return f"Contacts({self.own!r}, {len(self._by_print)} contacts)"

    # -- as bytes ----------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """Return UTF-8 JSON with the private key in it: only for a sealed file."""
        entries = [
            _Entry(c.fingerprint, c.petname, c.first_seen, c.verified, c.public) for c in self.everybody()
        ]
        return msgspec.json.encode(_Book(1, self.own.private, entries))

    @classmethod
    def decode(cls, data: bytes) -> Contacts:
        """Read the output of `encode`; MalformedError for anything else."""
        try:
            book = msgspec.json.decode(data, type=_Book)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedError(f"a contact book that can't be read: {str(error)[:120]}") from None
        contacts = {}
        for entry in book.contacts:
            if entry.public is not None and fingerprint(entry.public) != entry.fingerprint:
                raise MalformedError("a contact whose key and fingerprint differ")
            try:
                check_name(entry.petname)
            except ValidationError as error:
                raise MalformedError(str(error)) from None
            contacts[entry.fingerprint] = Contact(
                entry.fingerprint, entry.petname, entry.first_seen, entry.verified, entry.public
            )
        if len(contacts) != len(book.contacts):
            raise MalformedError("a contact book that holds a contact twice")
        return cls(IdentityKey(book.private), contacts.values())

    # -- looking up ----------------------------------------------------------------------------------

    def everybody(self) -> list[Contact]:
        """Return all contacts, sorted by name."""
        return sorted(self._by_print.values(), key=lambda c: (c.petname.casefold(), c.fingerprint))

    def find(self, public: bytes | None) -> Contact | None:
        """Return the contact with this key (32 bytes), or None."""
        return None if public is None else self._by_print.get(fingerprint(public))

    def standing(self, public: bytes | None) -> Standing:
        """Return how well a key (32 bytes; None if no identity was shown) is known."""
        contact = self.find(public)
        if contact is None:
            return "none" if public is None else "new"
        return "verified" if contact.verified else "known"

    def alike(self, name: str) -> list[Contact]:
        """Return the contacts whose name equals this one or looks like it."""
        return [c for c in self.everybody() if look_alike(c.petname, name)]

    def named(self, what: str) -> Contact:
        """Return the contact with this petname or fingerprint; CommandError if there is no such contact."""
        digits = _digits(what)
        for contact in self._by_print.values():
            if what == contact.petname or digits == contact.fingerprint:
                return contact
        raise CommandError(sentence("cannot.no_contact", what=what))

    # -- changing ------------------------------------------------------------------------------------

    def add(self, key: str, petname: str, now: float) -> Contact:
        """Add a contact by its fingerprint, or by its public key in hex.

        CommandError if `key` is neither, is in the book already, or is the owner's key, or if the name is not
        allowed or looks like another contact's name.
        """
        text = "".join(key.split()).replace("-", "")
        public: bytes | None = None
        digits = _digits(key)
        try:
            if digits is None:
                public = check_public(bytes.fromhex(text))
                digits = fingerprint(public)
        except (ValueError, MalformedError):
            raise CommandError(sentence("cannot.no_key", digits=DIGITS)) from None
        if digits in self._by_print:
            raise CommandError(sentence("cannot.in_book", petname=self._by_print[digits].petname))
        return self._put(Contact(digits, petname, int(now), public=public))

    def learn(self, public: bytes, petname: str | None, now: float, *, verified: bool = False) -> Contact:
        """Add a key (32 bytes) that a member has shown; or rename its contact, or mark it as verified.

        A new contact needs a `petname`. CommandError as for `add`.
        """
        known = self.find(public)
        if known is None:
            if petname is None:
                raise CommandError(sentence("cannot.contact_name"))
            return self._put(Contact(fingerprint(public), petname, int(now), verified, public))
        return self._put(
            replace(
                known,
                petname=petname or known.petname,
                verified=known.verified or verified,
                public=public,
            )
        )

    def rename(self, contact: Contact, petname: str) -> Contact:
        """Rename a contact; CommandError if the name is not allowed or looks like another contact's name."""
        return self._put(replace(contact, petname=petname))

    def verify(self, contact: Contact) -> Contact:
        """Mark a contact as verified: the person has read out the same fingerprint."""
        return self._put(replace(contact, verified=True))

    def forget(self, contact: Contact) -> None:
        """Remove a contact from the book."""
        self._by_print.pop(contact.fingerprint, None)

    def _put(self, contact: Contact) -> Contact:
        try:
            check_name(contact.petname)
        except ValidationError as error:
            raise CommandError(sentence("cannot.petname", why=reasons.because(error))) from None
        if contact.fingerprint == fingerprint(self.own.public):
            raise CommandError(sentence("cannot.own_key"))
        for other in self.alike(contact.petname):
            if other.fingerprint != contact.fingerprint:
                raise CommandError(sentence("cannot.known_as", petname=other.petname))
        if contact.fingerprint not in self._by_print and len(self._by_print) >= CONTACTS_MAX:
            raise CommandError(sentence("cannot.book_full", most=CONTACTS_MAX))
        self._by_print[contact.fingerprint] = contact
        return contact


def _digits(text: str) -> str | None:
    """Return the digits of a fingerprint, which may contain spaces or hyphens; None for other text."""
    bare = re.sub(r"[\s-]", "", text)
    return bare if re.fullmatch(f"[0-9]{{{DIGITS}}}", bare) else None
