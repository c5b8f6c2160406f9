"""Structures of proposals, PSK ids, update paths and commits (RFC 9420 7.6, 8.4, 12.1, 12.4).

`AddIn` and `UpdateIn` contain unverified signed data; in `Add` and `Update` it is verified.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from snugroom.crypto.errors import MalformedError, UnsupportedError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls.codec import Reader, opaque, optional, u8, u16, u32, u64, vector
from snugroom.crypto.mls.keypackage import KeyPackage, KeyPackageIn
from snugroom.crypto.mls.nodes import Extension, LeafNode, LeafNodeIn, encode_extensions, read_extensions


class ProposalType(IntEnum):
    """RFC 9420 section 17.4."""

    ADD = 1
    UPDATE = 2
    REMOVE = 3
    PSK = 4
    REINIT = 5
    EXTERNAL_INIT = 6
    GROUP_CONTEXT_EXTENSIONS = 7


class PskUsage(IntEnum):
    """ResumptionPSKUsage (RFC 9420 section 8.4)."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


_EXTERNAL, _RESUMPTION = 1, 2


@dataclass(frozen=True)
class ExternalPsk:
    """PreSharedKeyID of a key that the application provides under `psk_id`."""

    psk_id: bytes
    #: Random, Nh bytes: the same key used twice gives two different secrets.
    nonce: bytes

    @classmethod
    def fresh(cls, psk_id: bytes, rng: Rng = os.urandom, *, nonce_size: int = 32) -> ExternalPsk:
        """Create with a new nonce; 32 bytes is Nh of all supported suites."""
        return cls(psk_id, rng(nonce_size))

    def encode(self) -> bytes:
        return u8(_EXTERNAL) + opaque(self.psk_id) + opaque(self.nonce)


@dataclass(frozen=True)
class ResumptionPsk:
    """PreSharedKeyID of an earlier epoch's `resumption_psk`."""

    usage: PskUsage
    group_id: bytes
    epoch: int
    nonce: bytes

    def encode(self) -> bytes:
        head = u8(_RESUMPTION) + u8(self.usage) + opaque(self.group_id) + u64(self.epoch)
        return head + opaque(self.nonce)


PskId = ExternalPsk | ResumptionPsk


def read_psk_id(reader: Reader) -> PskId:
    kind = reader.u8()
    if kind == _EXTERNAL:
        return ExternalPsk(reader.opaque(), reader.opaque())
    if kind == _RESUMPTION:
        usage = reader.u8()
        if usage not in PskUsage._value2member_map_:
            raise MalformedError(f"resumption PSK usage {usage} does not exist")
        return ResumptionPsk(PskUsage(usage), reader.opaque(), reader.u64(), reader.opaque())
    raise MalformedError(f"PSK type {kind} does not exist")


@dataclass(frozen=True)
class AddIn:
    """A received, unverified Add."""

    key_package: KeyPackageIn
    proposal_type: ClassVar[ProposalType] = ProposalType.ADD

    def body(self) -> bytes:
        return self.key_package.encode()


@dataclass(frozen=True)
class Add(AddIn):
    """Adds a client with its verified KeyPackage (RFC 9420 section 12.1.1)."""

    key_package: KeyPackage


@dataclass(frozen=True)
class UpdateIn:
    """A received, unverified Update."""

    leaf_node: LeafNodeIn
    proposal_type: ClassVar[ProposalType] = ProposalType.UPDATE

    def body(self) -> bytes:
        return self.leaf_node.encode()


@dataclass(frozen=True)
class Update(UpdateIn):
    """Replaces the sender's leaf (section 12.1.2). `Group.make_update` creates one of ours."""

    leaf_node: LeafNode


@dataclass(frozen=True)
class Remove:
    """Removes the member at a leaf index (section 12.1.3)."""

    removed: int
    proposal_type: ClassVar[ProposalType] = ProposalType.REMOVE

    def body(self) -> bytes:
        return u32(self.removed)


@dataclass(frozen=True)
class PreSharedKey:
    """Mixes a pre-shared key into the next epoch (section 12.1.4)."""

    psk: PskId
    proposal_type: ClassVar[ProposalType] = ProposalType.PSK

    @classmethod
    def external(cls, psk_id: bytes, rng: Rng = os.urandom) -> PreSharedKey:
        """Refer to the application's key `psk_id`, with a new nonce."""
        return cls(ExternalPsk.fresh(psk_id, rng))

    def body(self) -> bytes:
        return self.psk.encode()


@dataclass(frozen=True)
class ReInit:
    """Ends this group in favour of a new one with these parameters (section 12.1.5)."""

    group_id: bytes
    version: int
    cipher_suite: int
    extensions: tuple[Extension, ...]
    proposal_type: ClassVar[ProposalType] = ProposalType.REINIT

    def body(self) -> bytes:
        head = opaque(self.group_id) + u16(self.version) + u16(self.cipher_suite)
        return head + encode_extensions(self.extensions)


@dataclass(frozen=True)
class ExternalInit:
    """The KEM output with which a newcomer starts the next epoch from outside (section 12.1.6)."""

    kem_output: bytes
    proposal_type: ClassVar[ProposalType] = ProposalType.EXTERNAL_INIT

    def body(self) -> bytes:
        return opaque(self.kem_output)


@dataclass(frozen=True)
class GroupContextExtensions:
    """Replaces all extensions of the GroupContext (section 12.1.7)."""

    extensions: tuple[Extension, ...]
    proposal_type: ClassVar[ProposalType] = ProposalType.GROUP_CONTEXT_EXTENSIONS

    def body(self) -> bytes:
        return encode_extensions(self.extensions)


_Neutral = Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions
ProposalIn = AddIn | UpdateIn | _Neutral
Proposal = Add | Update | _Neutral


def encode_proposal(proposal: ProposalIn) -> bytes:
    return u16(proposal.proposal_type) + proposal.body()


def read_proposal(reader: Reader) -> ProposalIn:
    """Decode a proposal. Raises `UnsupportedError` for unsupported types: their length is unknown."""
    kind = reader.u16()
    match kind:
        case ProposalType.ADD:
            return AddIn(KeyPackageIn.read(reader))
        case ProposalType.UPDATE:
            return UpdateIn(LeafNodeIn.read(reader))
        case ProposalType.REMOVE:
            return Remove(reader.u32())
        case ProposalType.PSK:
            return PreSharedKey(read_psk_id(reader))
        case ProposalType.REINIT:
            return ReInit(reader.opaque(), reader.u16(), reader.u16(), read_extensions(reader))
        case ProposalType.EXTERNAL_INIT:
            return ExternalInit(reader.opaque())
        case ProposalType.GROUP_CONTEXT_EXTENSIONS:
            return GroupContextExtensions(read_extensions(reader))
    raise UnsupportedError(f"proposal type 0x{kind:04x} can't be read")


@dataclass(frozen=True)
class HpkeCiphertext:
    """A ciphertext sealed to one HPKE key (RFC 9420 section 7.6)."""

    kem_output: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return opaque(self.kem_output) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> HpkeCiphertext:
        return cls(reader.opaque(), reader.opaque())


@dataclass(frozen=True)
class UpdatePathNode:
    """A node's new public key, and its path secret sealed to all members below the copath child."""

    encryption_key: bytes
    encrypted_path_secret: tuple[HpkeCiphertext, ...]

    def encode(self) -> bytes:
        return opaque(self.encryption_key) + vector(c.encode() for c in self.encrypted_path_secret)

    @classmethod
    def read(cls, reader: Reader) -> UpdatePathNode:
        return cls(reader.opaque(), reader.vector(HpkeCiphertext.read))


@dataclass(frozen=True)
class UpdatePath:
    """New keys along the sender's filtered direct path, from the leaf upwards (section 7.6)."""

    leaf_node: LeafNodeIn
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        return self.leaf_node.encode() + vector(node.encode() for node in self.nodes)

    @classmethod
    def read(cls, reader: Reader) -> UpdatePath:
        return cls(LeafNodeIn.read(reader), reader.vector(UpdatePathNode.read))


#: A proposal by value, or the ProposalRef of one that was sent before.
ProposalOrRef = ProposalIn | bytes

_BY_VALUE, _BY_REFERENCE = 1, 2


def _encode_item(item: ProposalOrRef) -> bytes:
    if isinstance(item, bytes):
        return u8(_BY_REFERENCE) + opaque(item)
    return u8(_BY_VALUE) + encode_proposal(item)


def _read_item(reader: Reader) -> ProposalOrRef:
    kind = reader.u8()
    if kind == _BY_VALUE:
        return read_proposal(reader)
    if kind == _BY_REFERENCE:
        return reader.opaque()
    raise MalformedError(f"a commit's item of type {kind} is neither a proposal nor a reference")


@dataclass(frozen=True)
class Commit:
    """The proposals that start the next epoch, and the committer's new path (section 12.4)."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None = None

    def encode(self) -> bytes:
        path = None if self.path is None else self.path.encode()
        return vector(map(_encode_item, self.proposals)) + optional(path)

    @classmethod
    def read(cls, reader: Reader) -> Commit:
        return cls(reader.vector(_read_item), reader.optional(UpdatePath.read))


@dataclass(frozen=True)
class CommittedProposal:
    """A verified proposal of a commit, with its sender and whether the commit includes it by reference.

    `sender` is a leaf index, or None for a proposal from outside the group. `reference` is the ProposalRef
    (section 5.2) by which a commit named it.
    """

    proposal: Proposal
    sender: int | None
    by_reference: bool = False
    reference: bytes | None = None


def of_type(proposals: Sequence[CommittedProposal], kind: ProposalType) -> list[CommittedProposal]:
    return [item for item in proposals if item.proposal.proposal_type == kind]
