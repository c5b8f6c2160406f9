"""A member's group (RFC 9420): create or join, send, receive, commit in stages, adopt.

`Group` is the only mutable object of this package. Each operation either succeeds or leaves it unchanged. A
commit of this member (`stage`) or of another (`process`) yields a candidate that has no effect until `adopt`.
`protect`, `propose` and `stage` consume keys when called; `process` consumes a key once the signature has
verified. A group cannot be copied or saved: a copy would reuse its keys.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from weakref import WeakSet

from snugroom.crypto.errors import StateError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls import messages, validate, welcome
from snugroom.crypto.mls import validate_commit as rules
from snugroom.crypto.mls.apply import attributed_to, selected, verify_proposal
from snugroom.crypto.mls.commit import ProcessedCommit, enter_epoch, process_commit, send, stage_commit
from snugroom.crypto.mls.errors import PathError
from snugroom.crypto.mls.framing import PadTo, VerifiedContent, sign_content
from snugroom.crypto.mls.keypackage import KeyPackageBundle
from snugroom.crypto.mls.labels import proposal_ref, sign_with_label
from snugroom.crypto.mls.nodes import Extension, LeafNode, LeafNodeSource
from snugroom.crypto.mls.outcomes import ApplicationMessage, CandidateCommit, ReceivedProposal, Stage
from snugroom.crypto.mls.proposals import (
    Commit,
    CommittedProposal,
    Proposal,
    ProposalIn,
    ProposalOrRef,
    Update,
)
from snugroom.crypto.mls.receive import open_message
from snugroom.crypto.mls.state import EpochState, Limits, PastEpoch
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.mls.view import GroupView
from snugroom.crypto.primitives import Buffer, hpke_generate, suite_of

_NO_PSKS: Mapping[bytes, Buffer] = {}


class Group(GroupView):
    """One member's view of a group. Construct it with `create` or `join`."""

    def __init__(self, state: EpochState, rng: Rng, *, adopted: bool = True) -> None:
        super().__init__(state)
        self._rng = rng
        self._adopted = adopted
        # to wipe forgotten candidates when the epoch ends
        self._candidates: WeakSet[Stage | CandidateCommit] = WeakSet()

    # --- entering ---

    @classmethod
    def create(
        cls,
        bundle: KeyPackageBundle,
        group_id: bytes,
        extensions: Sequence[Extension] = (),
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        rng: Rng = os.urandom,
    ) -> Group:
        """Create a group with one member, in epoch 0 (section 11). The bundle is consumed.

        Raises `ValidationError` if our leaf does not support the extensions, `StateError` for a used bundle.
        """
        suite = suite_of(bundle.suite)
        leaf = bundle.key_package.leaf_node
        validate.membership([leaf], suite.identifier, extensions)
        tree = RatchetTree(suite, [leaf])
        context = messages.GroupContext(
            suite.identifier, group_id, 0, tree.tree_hash(), b"", tuple(extensions)
        )
        state = enter_epoch(
            suite,
            limits,
            context,
            tree,
            0,
            signature_private=bundle.signature_private,
            private_keys={0: bundle.encryption_private},
            epoch_secret=rng(suite.nh),
        )
        bundle.wipe()
        return cls(state, rng)

    @classmethod
    def join(
        cls,
        welcome_message: bytes,
        bundle: KeyPackageBundle,
        *,
        psks: Mapping[bytes, Buffer] = _NO_PSKS,
        resumption_psks: welcome.ResumptionPsks = {},  # noqa: B006 - never changed
        ratchet_tree: bytes | None = None,
        now: int | None = None,
        known_groups: Collection[bytes] = (),
        limits: Limits = Limits(),  # noqa: B008 - frozen
        rng: Rng = os.urandom,
    ) -> Group:
        """Join with a Welcome (section 12.4.3.1). Success consumes the bundle, failure leaves it unchanged.

        `welcome_message` is an MLSMessage. `psks` are external PSKs by id. `ratchet_tree` is used if the
        Welcome does not contain the tree. `now` is in seconds since the Unix epoch; None: lifetimes are not
        checked. `known_groups` are the ids of the groups that this client is in. Raises `MalformedError`,
        `UnsupportedError`, `AuthenticationError`, `ValidationError`, `MissingKeyError` (no tree),
        `StateError` (a used bundle).
        """
        state = welcome.join(
            welcome_message,
            bundle,
            psks=psks,
            resumption=resumption_psks,
            ratchet_tree=ratchet_tree,
            now=now,
            known_groups=known_groups,
            limits=limits,
        )
        bundle.wipe()
        return cls(state, rng)

    # --- the present epoch ---

    @property
    def _active(self) -> EpochState:
        """The state, for operations that send or change something."""
        state = self._live
        if not self._adopted:
            raise StateError("this is a candidate: it can be read, and used after adoption only")
        return state

    @property
    def _sending(self) -> EpochState:
        state = self._active
        if state.reinit is not None:
            raise StateError("the group has been ended by a ReInit: nothing more is sent in it")
        return state

    def group_info(self, *, extensions: Sequence[Extension] = (), external_pub: bool = True) -> bytes:
        """Return an MLSMessage with a signed GroupInfo, the tree and, optionally, the external commit key."""
        state = self._sending
        tree = state.tree.encode()
        listed = welcome.info_extensions(state, tree, extensions, external_pub=external_pub, rng=self._rng)
        return messages.encode_message(welcome.make_group_info(state, listed))

    # --- sending ---

    def _framed(
        self, state: EpochState, authenticated_data: bytes, content: messages.Content
    ) -> messages.FramedContent:
        own = messages.Sender(messages.SenderType.MEMBER, state.own_leaf)
        return messages.FramedContent(state.group_id, state.context.epoch, own, authenticated_data, content)

    def protect(self, data: bytes, *, authenticated_data: bytes = b"", pad_to: PadTo | None = None) -> bytes:
        """Encrypt application data as an MLSMessage (a PrivateMessage). Each call consumes a key.

        `authenticated_data` is not encrypted. `pad_to` maps the size of the whole message in bytes to the
        size to pad it to. Raises `StateError`, `MissingKeyError` (2^32 messages in one epoch).
        """
        state = self._sending
        framed = self._framed(state, authenticated_data, bytes(data))
        signed = sign_content(
            messages.WireFormat.PRIVATE_MESSAGE, framed, state.context.encoded, state.signature_private
        )
        return send(state, signed, pad_to, self._rng)

    def sign(self, label: str, content: bytes) -> bytes:
        """Sign data other than MLS messages with our leaf's key: SignWithLabel (5.1.2), 64 bytes.

        `label` must begin with "snug 1 ", so that the signature is not valid as one of MLS itself; otherwise
        StateError. `verify_with_label` verifies the signature.
        """
        if not label.startswith("snug 1 "):
            raise StateError("a label of the application's own is needed")
        return sign_with_label(self._live.signature_private, label, content)

    def make_update(self) -> Update:
        """Create an Update of our leaf with a new key, to `propose` in this epoch (section 12.1.2)."""
        state = self._sending
        current = state.tree.leaf(state.own_leaf)
        assert current is not None
        private, public = hpke_generate(self._rng)
        leaf = LeafNode.sign(
            state.signature_private,
            encryption_key=public,
            signature_key=current.signature_key,
            credential=current.credential,
            capabilities=current.capabilities,
            source=LeafNodeSource.UPDATE,
            extensions=current.extensions,
            group_id=state.group_id,
            leaf=state.own_leaf,
        )
        state.update_keys[public] = private
        return Update(leaf)

    def propose(
        self,
        proposal: Proposal,
        *,
        authenticated_data: bytes = b"",
        private: bool = True,
        pad_to: PadTo | None = None,
    ) -> bytes:
        """Create and store a proposal for a commit by reference; return it as an MLSMessage.

        Raises `ValidationError` if it is not valid by itself or too many are stored, and `StateError`.
        """
        state = self._sending
        framed = self._framed(state, authenticated_data, proposal)
        verify_proposal(state, proposal, framed.sender, None)
        wire_format = messages.WireFormat.PRIVATE_MESSAGE if private else messages.WireFormat.PUBLIC_MESSAGE
        signed = sign_content(wire_format, framed, state.context.encoded, state.signature_private)
        self._store(state, signed, CommittedProposal(proposal, state.own_leaf, by_reference=True))
        return send(state, signed, pad_to, self._rng)

    @staticmethod
    def _store(state: EpochState, signed: messages.AuthenticatedContent, item: CommittedProposal) -> bytes:
        reference = proposal_ref(state.suite, signed.encode())
        if reference not in state.proposals:
            rules.room_for_proposal(len(state.proposals), state.limits.stored_proposals)
        state.proposals[reference] = item
        return reference

    def discard(self, reference: bytes) -> None:
        """Delete a stored proposal that policy rejects. Unknown references are ignored."""
        self._active.proposals.pop(reference, None)

    def stage(
        self,
        proposals: Sequence[Proposal] = (),
        *,
        include_stored: bool | Iterable[bytes] = False,
        authenticated_data: bytes = b"",
        force_path: bool = True,
        private: bool = True,
        pad_to: PadTo | None = None,
        psks: Mapping[bytes, Buffer] = _NO_PSKS,
        leaf_extensions: Sequence[Extension] | None = None,
        welcome_extensions: Sequence[Extension] = (),
        tree_inside_max: int | None = None,
        now: int | None = None,
    ) -> Stage:
        """Create a commit (section 12.4.1) that takes effect with `adopt`. Each call uses a handshake key.

        `include_stored` names stored proposals by reference; True selects all that can be committed together.
        Without `force_path` there is a path only if the proposals need one. `leaf_extensions` replace those
        of our leaf in the path (None: they stay). A Welcome has no tree of more than `tree_inside_max` bytes
        (None: no limit): see `Stage.tree`. `now` (seconds since the Unix epoch) enables the lifetime check of
        added KeyPackages. Raises `ValidationError` if the proposals are not valid together,
        `StateError`.
        """
        state = self._sending
        references = selected(state, include_stored)
        items: list[ProposalOrRef] = [*references, *proposals]
        staged = stage_commit(
            state,
            items,
            authenticated_data=authenticated_data,
            force_path=force_path,
            private=private,
            pad_to=pad_to,
            psks=psks,
            leaf_extensions=leaf_extensions,
            now=now,
            rng=self._rng,
        )
        welcome_message = tree_outside = None
        if staged.applied.added:
            tree = staged.next.state.tree.encode()
            outside = tree_inside_max is not None and len(tree) > tree_inside_max
            tree_inside, tree_outside = (None, tree) if outside else (tree, None)
            made = welcome.make_welcome(staged, tree_inside, welcome_extensions, self._rng)
            welcome_message = messages.encode_message(made)
        stage = Stage(
            state.token,
            Group(staged.next.state, self._rng, adopted=False),
            message=staged.message,
            welcome=welcome_message,
            tree=tree_outside,
            proposals=staged.proposals,
            added=tuple(staged.applied.added),
            removed=staged.applied.removed,
        )
        self._candidates.add(stage)
        return stage

    # --- epochs ---

    def adopt(self, candidate: Stage | CandidateCommit) -> None:
        """Enter the candidate's epoch, in place. All other candidates of the current epoch are dropped.

        Late application messages of the current epoch can still be opened afterwards, except those of members
        that the commit removes. Raises `StateError` for a candidate that was dropped, does not follow from
        the current epoch, or removes this member.
        """
        old = self._active
        following = candidate._take(old.token)._release()
        departed = set(candidate.removed)
        old.secret_tree.only_application(old.own_leaf)
        for past in old.past:
            past.departed |= departed
        latest = PastEpoch(old.context, old.tree, old.secrets.sender_data, old.secret_tree, departed)
        past_epochs = [latest, *old.past]
        following.past = past_epochs[: old.limits.past_epochs]
        for dropped in past_epochs[old.limits.past_epochs :]:
            dropped.secret_tree.wipe()
        kept = following.context.epoch - old.limits.resumption_epochs
        for epoch, psk in old.resumption_psks.items():
            if epoch >= kept:
                following.resumption_psks[epoch] = psk
        self._state = following
        for other in list(self._candidates):
            other.drop()
        self._candidates.clear()

    def wipe(self) -> None:
        super().wipe()
        for candidate in list(self._candidates):
            candidate.drop()

    # --- receiving ---

    def process(
        self,
        message: bytes,
        *,
        psks: Mapping[bytes, Buffer] = _NO_PSKS,
        now: int | None = None,
    ) -> ApplicationMessage | ReceivedProposal | CandidateCommit:
        """Open and verify an MLSMessage of this epoch, or application data of the previous epoch.

        A message that is not authentic consumes no key. Raises `MalformedError`, `UnsupportedError`,
        `AuthenticationError`, `ReplayError`, `MissingKeyError` (another group or epoch), `StateError` (our
        own message sent back), `ValidationError`. Once the signature has verified: `CommitError`, which names
        the sender, and `PathError` if a commit is valid but has no usable path secret for this member.
        """
        state = self._active
        opened = open_message(state, message)
        if isinstance(opened, ApplicationMessage):
            return opened
        content = opened.framed.content
        if isinstance(content, Commit):
            return self._candidate(state, opened, process_commit(state, opened, psks, now))
        assert not isinstance(content, bytes), "application data does not get here"
        return self._receive_proposal(state, opened, content, now)

    def _receive_proposal(
        self, state: EpochState, verified: VerifiedContent, proposal: ProposalIn, now: int | None
    ) -> ReceivedProposal:
        sender = verified.framed.sender
        with attributed_to(sender.leaf):
            checked = verify_proposal(state, proposal, sender, now)
            item = CommittedProposal(checked, sender.leaf, by_reference=True)
            reference = self._store(state, verified.content, item)
        return ReceivedProposal(sender.leaf, checked, reference, verified.framed.authenticated_data)

    def _candidate(
        self, state: EpochState, verified: VerifiedContent, done: ProcessedCommit
    ) -> CandidateCommit:
        group = None if done.state is None else Group(done.state, self._rng, adopted=False)
        candidate = CandidateCommit(
            state.token,
            group,
            sender=done.sender,
            epoch=state.context.epoch + 1,
            proposals=done.proposals,
            path_leaf=done.path_leaf,
            authenticated_data=verified.framed.authenticated_data,
            added=done.added,
            removed=done.removed,
            removes_us=done.removes_us,
            private=verified.content.wire_format == messages.WireFormat.PRIVATE_MESSAGE,
        )
        if done.path_failure is not None:
            failure = done.path_failure
            text = str(failure).removeprefix(f"{failure.rule}: ")
            raise PathError(failure.rule, text, done.sender, candidate)
        self._candidates.add(candidate)
        return candidate
