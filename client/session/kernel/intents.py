"""A member's pending commits: an intent is staged anew in every epoch until it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snugroom.crypto.agreed.heartbeat import PendingAct
from snugroom.crypto.agreed.room_state import HostReturn, Policy
from snugroom.crypto.mls import KeyPackage


@dataclass(frozen=True, slots=True)
class NewcomerKnock:
    """A newcomer's knock in our lobby as a host, under the number that the host is told."""

    number: int


@dataclass(frozen=True, slots=True)
class MemberKnock:
    """A knock of a member out of step in our lobby as a host; no person is told the number."""

    number: int


@dataclass(frozen=True, slots=True)
class MembersRequest:
    """A request under the key that members have, of a returning host or of a member out of step.

    A host is told the number of a returning host.
    """

    number: int


#: What an answer is for. Newcomers and returning hosts have numbers of one series.
Knock = NewcomerKnock | MemberKnock | MembersRequest


@dataclass(frozen=True)
class AddIntent:
    """Admit the newcomer who knocked by `invite`."""

    knock: NewcomerKnock
    key_package: KeyPackage
    invite: int
    name: str


@dataclass(frozen=True)
class ReplaceIntent(AddIntent):
    """Admit a newcomer in place of a silent member with its name, by that one's leaf and signature key."""

    leaf: int
    signature_key: bytes


@dataclass(frozen=True)
class RejoinIntent:
    """Put a member that has lost its state back in place of its old leaf."""

    knock: MemberKnock | MembersRequest
    key_package: KeyPackage
    ticket: bytes
    name: str


@dataclass(frozen=True)
class HostReturnIntent:
    """Let a crashed host in again (SNUG-9)."""

    knock: MembersRequest
    key_package: KeyPackage
    host_return: HostReturn
    name: str


@dataclass(frozen=True)
class RemoveIntent:
    """Remove a member, by its leaf and the signature key that the leaf had at the decision."""

    leaf: int
    signature_key: bytes
    absent: bool = False  # because the member is away: its invite stays valid, and its ticket lets it in


@dataclass(frozen=True)
class WithdrawIntent:
    """End the way back of a member that was removed for absence."""

    signature_key: bytes


@dataclass(frozen=True)
class PolicyIntent:
    """Change the policy; `change` returns the next version, or None if nothing is left to do."""

    change: Callable[[Policy], Policy | None]
    act: PendingAct | None = None  # as heartbeats name it while it waits


@dataclass(frozen=True)
class SelfRemoveIntent:
    """Commit a leaving member's Remove proposal of itself."""

    leaf: int
    reference: bytes
    proposal: bytes  # the MLSMessage, carried along with the commit


@dataclass(frozen=True)
class HealIntent:
    """Make an empty commit: fresh keys for its author."""

    epoch: int


#: Intents that admit somebody, and are answered in the lobby.
EntryIntent = AddIntent | RejoinIntent | HostReturnIntent
Intent = EntryIntent | RemoveIntent | WithdrawIntent | PolicyIntent | SelfRemoveIntent | HealIntent
