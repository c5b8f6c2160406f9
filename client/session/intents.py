"""What a member wants to commit, until it has: an intent is staged anew on every epoch until it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crypto.mls import KeyPackage
from crypto.room_state import HostReturn, Policy


@dataclass(frozen=True)
class AddIntent:
    """Admit who knocked by `invite`. `knock` is the host lobby's number for it."""

    knock: int
    key_package: KeyPackage
    invite: int
    name: str


@dataclass(frozen=True)
class RejoinIntent:
    """Put a member whose state is lost back in place of its old leaf."""

    knock: int
    key_package: KeyPackage
    ticket: bytes
    name: str


@dataclass(frozen=True)
class ReturnIntent:
    """Let a host that has crashed in again (SNUG-9). `knock` is the number under which it is answered."""

    knock: int
    key_package: KeyPackage
    host_return: HostReturn
    name: str


@dataclass(frozen=True)
class RemoveIntent:
    """Remove a member: the leaf, and the key that it had when that was decided."""

    leaf: int
    signature_key: bytes


@dataclass(frozen=True)
class PolicyIntent:
    """Change the policy; `change` gives the next version, or None where nothing is left to do."""

    change: Callable[[Policy], Policy | None]


@dataclass(frozen=True)
class FarewellIntent:
    """Commit the Remove that a leaving member has proposed of itself."""

    leaf: int
    reference: bytes
    proposal: bytes  # the MLSMessage, carried along with the commit


@dataclass(frozen=True)
class HealIntent:
    """An empty commit: fresh keys for its author."""

    epoch: int


Intent = AddIntent | RejoinIntent | ReturnIntent | RemoveIntent | PolicyIntent | FarewellIntent | HealIntent
