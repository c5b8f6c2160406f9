"""The records of the bus, requests to it and its answers.

The bus is a register with compare-and-set. Each write names the revision that it replaces, 0 for none.
Revisions increase, over all keys and eras. An era is one life of the bus, which keeps nothing on disk. The
bus carries out no write of another era.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """One life of a node. Nobody brings an ended session back to life."""

    id: bytes
    alive: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A room or lobby is at `node`, as long as that node's session is this one."""

    node: int
    session: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """This era has lasted for longer than any lease of an era before."""


Record = Session | Place | Settled


@dataclass(frozen=True, slots=True)
class Read:
    """Ask for the record under `key`: the answer is a Found."""

    ticket: int
    era: int
    key: str


@dataclass(frozen=True, slots=True)
class Write:
    """Replace the record of that revision under `key`: the answer is Written, or Conflict."""

    ticket: int
    era: int
    key: str
    record: Record
    revision: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the record of that revision, if it is still under `key`. There is no answer."""

    era: int
    key: str
    revision: int


Request = Read | Write | Delete


@dataclass(frozen=True, slots=True)
class Connected:
    """The bus answers, and is in this era."""

    era: int


@dataclass(frozen=True, slots=True)
class Found:
    """The record under the key that `ticket` asked for; None and 0 without one."""

    ticket: int
    record: Record | None
    revision: int


@dataclass(frozen=True, slots=True)
class Written:
    """The write was done, and made this revision."""

    ticket: int
    revision: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The write was not done: another revision is there."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer came in time: a write may have been done, or may still be."""

    ticket: int


Answer = Found | Written | Conflict | Failed


def session_key(node: int) -> str:
    """Return the key of a node's session."""
    return f"session.{node}"


def place_key(lease: bytes) -> str:
    """Return the key of the place of a room or lobby."""
    return f"place.{lease.hex()}"


SETTLED_KEY = "settled"


def encode(record: Record) -> bytes:
    """Return a record's bytes on the bus."""
    match record:
        case Session(id, alive):
            return f"{id.hex()} {'alive' if alive else 'ended'}".encode()
        case Place(node, session):
            return f"{node} {session.hex()}".encode()
        case Settled():
            return b"settled"


def decode(key: str, data: bytes) -> Record:
    """Return the record that `data` encodes. Raises ValueError if `key` has no such records."""
    words = data.decode("ascii").split(" ")
    kind = key.partition(".")[0]
    if kind == "session" and len(words) == 2 and words[1] in ("alive", "ended"):
        return Session(bytes.fromhex(words[0]), words[1] == "alive")
    if kind == "place" and len(words) == 2 and words[0].isdigit():
        return Place(int(words[0]), bytes.fromhex(words[1]))
    if kind == SETTLED_KEY and words == ["settled"]:
        return Settled()
    raise ValueError("not a record of this bus")
