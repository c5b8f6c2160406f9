"""The data that a member's device keeps, to come back as the same member after its program has ended.

docs/reference/protocol.md, section 6 (SNUG-8). With it, a member asks to be let in again as after it fell out
of step. It has no key that opens a message, and none of the group's secrets: a program that went on with
those would use nonces twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.agreed.room_state import TICKET_SIGNATURES_MAX, Policy
from snugroom.crypto.entry.invite import HostKeys, Invite, canonical_origin
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import Reader, exactly, prefixed, uint
from snugroom.crypto.kdf import SigningKey

_FORMAT: Final = 1
_MEMBERS_MAX: Final = 1024


@dataclass(frozen=True)
class Standing:
    """A membership as its requests to be let in again name it, and as the answers have to continue it."""

    group_id: bytes
    epoch: int
    slot: int
    chain: bytes  # after that slot, 32 bytes
    number: bytes  # of the room where the meeting began, 16 bytes
    door_seed: bytes = field(repr=False)  # 32 bytes
    policy: Policy
    ledger: Ledger
    own_leaf: int
    #: Leaf and signature key (32 bytes) of all members, in order.
    members: tuple[tuple[int, bytes], ...]
    #: The origin of the server that has the room.
    origin: str

    @property
    def others(self) -> list[tuple[int, bytes]]:
        """Leaf and signature key (32 bytes) of all members but us, in order."""
        return [(leaf, key) for leaf, key in self.members if leaf != self.own_leaf]

    @property
    def helpers(self) -> list[int]:
        """The leaves that may be asked in the lobby: those of all others that are no hosts, else of hosts.

        Hosts read knocks.
        """
        others = self.others
        return [leaf for leaf, key in others if key not in self.policy.hosts] or [leaf for leaf, _ in others]

    def encode(self) -> bytes:
        """Encode canonically."""
        return b"".join(
            (
                prefixed(self.group_id, 1),
                uint(self.epoch, 8),
                uint(self.slot, 8),
                exactly(self.chain, 32, "a chain value"),
                exactly(self.number, 16, "a room's number"),
                exactly(self.door_seed, 32, "a door seed"),
                prefixed(self.policy.encode(), 4),
                prefixed(self.ledger.encode(), 4),
                uint(self.own_leaf, 4),
                uint(len(self.members), 2),
                *(uint(leaf, 4) + exactly(key, 32, "a signature key") for leaf, key in self.members),
                prefixed(self.origin.encode("ascii"), 2),
            )
        )

    @classmethod
    def read(cls, r: Reader) -> Standing:
        """Read the result of `encode`. MalformedError on other input."""
        group_id, epoch, slot = r.prefixed(1), r.uint(8), r.uint(8)
        chain, number, door = r.take(32), r.take(16), r.take(32)
        policy, ledger = Policy.decode(r.prefixed(4)), Ledger.decode(r.prefixed(4))
        own, count = r.uint(4), r.uint(2)
        if count > _MEMBERS_MAX:
            raise MalformedError("member recovery data: more members than a meeting can have")
        members = tuple((r.uint(4), r.take(32)) for _ in range(count))
        origin = r.text(2)
        if canonical_origin(origin) != origin:
            raise MalformedError("member recovery data: a server's address is not in canonical form")
        return cls(group_id, epoch, slot, chain, number, door, policy, ledger, own, members, origin)


@dataclass(frozen=True)
class MemberRecoveryData:
    """All that a device keeps of a meeting. It changes with each commit, and serves until the next one."""

    name: str
    #: The seed of the leaf's signature key, 32 bytes.
    signature_seed: bytes = field(repr=False)
    #: The rejoin keys that the leaf may have in the others' tree, our own one first: 1 to 8. The last
    #: `requests` of them are those that tickets ask for.
    rejoin_keys: tuple[SigningKey, ...] = field(repr=False)
    requests: int
    #: The invite that we came by; as a host, the open one.
    invite: Invite = field(repr=False)
    standing: Standing
    #: Of a host: the keys of all hosts. None for others.
    host_keys: HostKeys | None = field(repr=False)

    def encode(self) -> bytes:
        """Encode canonically."""
        return b"".join(
            (
                uint(_FORMAT, 1),
                exactly(self.signature_seed, 32, "a signature key's seed"),
                uint(len(self.rejoin_keys), 1),
                *(key.seed for key in self.rejoin_keys),
                uint(self.requests, 1),
                prefixed(self.name.encode(), 1),
                prefixed(self.invite.link().encode("ascii"), 2),
                self.standing.encode(),
                prefixed(b"" if self.host_keys is None else self.host_keys.encode(), 2),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> MemberRecoveryData:
        """Decode. MalformedError; UnsupportedError if the link is of another version.

        ValidationError("SNUG-11") if the name is not allowed.
        """
        r = Reader(data)
        if r.uint(1) != _FORMAT:
            raise MalformedError(f"member recovery data: the format must be {_FORMAT}")
        signature, count = r.take(32), r.uint(1)
        if not 0 < count <= TICKET_SIGNATURES_MAX:
            raise MalformedError(f"member recovery data: 1 to {TICKET_SIGNATURES_MAX} rejoin keys")
        keys = tuple(SigningKey(r.take(32)) for _ in range(count))
        requests = r.uint(1)
        if requests >= count:
            raise MalformedError("member recovery data: the leaf's own rejoin key is missing")
        name, invite, standing = check_name(r.text(1)), Invite.parse(r.text(2)), Standing.read(r)
        of_host = r.prefixed(2)
        r.end()
        host_keys = HostKeys.decode(of_host) if of_host else None
        return cls(name, signature, keys, requests, invite, standing, host_keys)
