"""Facts about a person's name and identity for a host to know before it admits them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
    verb: str = "knocks",
) -> IdentityCheck:
    """Judge a person named `name` with the proven identity `public` (32 bytes; None: none).

    `waiting`: (knock, name) of the others who wait. Without a contact book every identity is new.
    """
    standing: Standing = "none" if public is None else "new"
    contact = None if contacts is None else contacts.find(public)
    warnings = []
    if contacts is not None:
        standing = contacts.standing(public)
        if contact is not None and not look_alike(contact.petname, name):
            warnings.append(f"You know this key as {contact.petname}.")
        # Contacts with another key only: of several similar contacts, the key identifies the right one.
        others = [] if contact is not None and look_alike(contact.petname, name) else contacts.alike(name)
        warnings += [_impostor(other.petname, name, public, verb) for other in others]
    for knock, other_name in waiting:
        if other_name == name:
            warnings.append(f"Somebody else who waits (knock {knock}) calls itself {other_name} too.")
        elif look_alike(other_name, name):
            warnings.append(f"This name looks like that of {other_name}, who waits too (knock {knock}).")
    return IdentityCheck(
        standing,
        None if contact is None else contact.petname,
        None if public is None else fingerprint(public),
        tuple(warnings),
    )


def _impostor(petname: str, name: str, public: bytes | None, verb: str) -> str:
    key = f"without {petname}'s key" if public is None else f"with another key than {petname}'s"
    if petname == name:
        return f"A contact named {petname} {verb} {key}: it may be somebody else."
    return f"This name looks like that of your contact {petname}, and comes {key}: it may be somebody else."
