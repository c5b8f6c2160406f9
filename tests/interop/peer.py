"""The interface of a group member, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol


class PeerError(Exception):
    """The implementation behind a peer refused or failed; the text is its own.

    `sender`: whom it blames, where it tells that; `path`: whether a path secret for itself alone is bad.
    """

    def __init__(self, text: str, sender: int | None = None, path: bool = False) -> None:
        super().__init__(text)
        self.sender, self.path = sender, path


@dataclass(frozen=True)
class Staged:
    """A commit that is not in force yet, and the Welcome for those that it adds (MLSMessages)."""

    message: bytes
    welcome: bytes | None


@dataclass(frozen=True)
class Received:
    """A peer's reading of a message. `sender` is a leaf index, None where the peer does not tell it."""

    kind: Literal["application", "proposal", "commit", "removed"]
    sender: int | None
    data: bytes = b""
    authenticated_data: bytes | None = None
    proposals: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """The values on which all members of an epoch must agree. None: this implementation does not show it."""

    epoch: int | None
    exported: bytes
    tree: bytes
    authenticator: bytes | None = None
    transcript: bytes | None = None
    tree_hash: bytes | None = None
    extensions: tuple[tuple[int, bytes], ...] | None = None
    # leaf index -> (name, signature key)
    members: Mapping[int, tuple[bytes, bytes]] | None = None


@dataclass(frozen=True)
class Psk:
    """An external PSK to put into a commit."""

    id: bytes
    secret: bytes
    nonce: bytes


@dataclass(frozen=True)
class Changes:
    """The proposals of a commit, by value. Removed members are named by the peers that they are."""

    adds: Sequence[Peer] = ()
    removes: Sequence[Peer] = ()
    psks: Sequence[Psk] = ()
    extensions: Sequence[tuple[int, bytes]] | None = None


NOTHING = Changes()


@dataclass(frozen=True)
class Manner:
    """How a handshake is sent."""

    private: bool = True
    force_path: bool = True
    authenticated_data: bytes = field(default=b"")


USUAL = Manner()


class Peer(Protocol):
    """A member: one key package, and after `create` or `join` one group."""

    kind: str
    name: bytes
    signature_key: bytes
    key_package: bytes
    """an MLSMessage"""

    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None: ...

    def join(self, welcome: bytes, psks: Sequence[Psk] = ()) -> None: ...

    def know(self, psks: Sequence[Psk]) -> None:
        """Remember these secrets, for commits to come."""

    def propose_remove(self, peer: Peer, *, private: bool = True) -> bytes:
        """A by-reference Remove of a member, who may be the proposer."""

    def stage(self, changes: Changes = NOTHING, manner: Manner = USUAL) -> Staged:
        """Stage a commit of `changes` and of every stored proposal."""

    def adopt(self) -> None:
        """The staged commit is in force."""

    def process(self, message: bytes) -> Received:
        """Process a message of another member; a commit is in force at once."""

    def protect(self, data: bytes) -> bytes: ...

    def view(self, label: str = "interop", context: bytes = b"", length: int = 32) -> View: ...
