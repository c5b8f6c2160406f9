"""Messaging Layer Security, RFC 9420: one module per chapter; this module exports the public names.

`codec` 2.1; `labels` 5.1, 5.2; `nodes` 5.3, 7.1, 7.2; `keypackage` 10; `proposals` 12.1; `messages` 6;
`treemath`, `tree` 4, 7; `treekem` 7.4 to 7.6; `schedule` 8; `secrets` 9; `framing` 6; `validate` and
`validate_commit` the numbered rules; `apply` 12.2, 12.3; `commit`, `welcome` 12.4; `receive` 6; `state`,
`view`, `outcomes`, `group` a member.
"""

from snugroom.crypto.mls.errors import CommitError, PathError
from snugroom.crypto.mls.group import Group
from snugroom.crypto.mls.keypackage import KeyPackage, KeyPackageBundle, KeyPackageIn, create_key_package
from snugroom.crypto.mls.messages import ContentType, WireFormat, kind_of
from snugroom.crypto.mls.nodes import (
    Capabilities,
    Credential,
    CredentialType,
    Extension,
    ExtensionType,
    ExternalSender,
    LeafNode,
    LeafNodeSource,
    Lifetime,
    RequiredCapabilities,
    find_extension,
    required_capabilities,
)
from snugroom.crypto.mls.outcomes import ApplicationMessage, CandidateCommit, ReceivedProposal, Stage
from snugroom.crypto.mls.proposals import (
    Add,
    ExternalInit,
    ExternalPsk,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    PskUsage,
    ReInit,
    Remove,
    ResumptionPsk,
    Update,
)
from snugroom.crypto.mls.state import Limits
from snugroom.crypto.mls.view import GroupView, Member, TreeNode
from snugroom.crypto.mls.welcome import welcome_for
from snugroom.crypto.primitives import CipherSuite, generate_signature_key

__all__ = [
    "Add",
    "ApplicationMessage",
    "CandidateCommit",
    "Capabilities",
    "CipherSuite",
    "CommitError",
    "ContentType",
    "Credential",
    "CredentialType",
    "Extension",
    "ExtensionType",
    "ExternalInit",
    "ExternalPsk",
    "ExternalSender",
    "Group",
    "GroupContextExtensions",
    "GroupView",
    "KeyPackage",
    "KeyPackageBundle",
    "KeyPackageIn",
    "LeafNode",
    "LeafNodeSource",
    "Lifetime",
    "Limits",
    "Member",
    "PathError",
    "PreSharedKey",
    "Proposal",
    "PskUsage",
    "ReInit",
    "ReceivedProposal",
    "Remove",
    "RequiredCapabilities",
    "ResumptionPsk",
    "Stage",
    "TreeNode",
    "Update",
    "WireFormat",
    "create_key_package",
    "find_extension",
    "generate_signature_key",
    "kind_of",
    "required_capabilities",
    "welcome_for",
]
