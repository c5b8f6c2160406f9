"""Facts about a person's name and identity for a host to know before it admits them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.entry.contacts import Contacts, Standing
from snugroom.crypto.agreed.names import look_alike
from snugroom.crypto.proof.identity import fingerprint


@dataclass(frozen=True)
class IdentityCheck:
    """How well an identity is known, its contact name, and oddities, a sentence each."""

    standing: Standing
    contact: str | None
    fingerprint: str | None
    warnings: tuple[str, ...]


def check_identity(
    name: str,
    public: bytes | None,
    contacts: Contacts | None,
    *,
    waiting: Iterable[tuple[int, str]] = (),
    verb: Literal["knocks", "here"] = "knocks",
) -> IdentityCheck:
    """Judge a person named `name` with the proven identity `public` (32 bytes; None: none).

    `waiting`: (knock, name) of the others who wait. Without a contact book every identity is new.
    """
    standing: Standing = "none" if public is None else "new"
    contact = None if contacts is None else contacts.find(public)
    warnings: list[str] = []
    if contacts is not None:
        standing = contacts.standing(public)
        if contact is not None and not look_alike(contact.petname, name):
            warnings.append(sentence("warning.known_as", petname=contact.petname))
        # Contacts with another key only: of several similar contacts, the key identifies the right one.
        others = [] if contact is not None and look_alike(contact.petname, name) else contacts.alike(name)
        warnings += [_impostor(other.petname, name, public, verb) for other in others]
    for knock, other_name in waiting:
        if other_name == name:
            warnings.append(sentence("warning.same_waits", knock=knock, name=other_name))
        elif look_alike(other_name, name):
            warnings.append(sentence("warning.alike_waits", knock=knock, name=other_name))
    return IdentityCheck(
        standing,
        None if contact is None else contact.petname,
        None if public is None else fingerprint(public),
        tuple(warnings),
    )


def _impostor(petname: str, name: str, public: bytes | None, verb: str) -> str:
    which = "no_key" if public is None else "other_key"
    look = verb if petname == name else "alike"
    return sentence(f"warning.{look}.{which}", petname=petname)
