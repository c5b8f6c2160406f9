"""A member's keys and state in a room: MLS group, policy, ledger, history and envelope keys.

`room.RoomSession` has the connection. This module alone decides the meaning of a blob, by rules that all
members share (protocol sections 5 and 6).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel import verdict
from snugroom.client.session.kernel.adoption import Adoption
from snugroom.client.session.kernel.intents import (
    HostReturnIntent,
    Intent,
    RemoveIntent,
    ReplaceIntent,
    SelfRemoveIntent,
    WithdrawIntent,
)
from snugroom.client.session.kernel.journal import Journal
from snugroom.client.session.kernel.leave_proposals import LeaveProposals
from snugroom.client.session.kernel.proposals import Built, proposals_for
from snugroom.client.session.kernel.rejoin_keys import RejoinKeys
from snugroom.client.session.kernel.views import (
    PriorState,
    names_of,
    proposal_view,
    rejoin_key_extension,
)
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope, policy, room_state
from snugroom.crypto.agreed.commit_view import CommitView
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.slot_author import Place, SlotPayload
from snugroom.crypto.entry.invite import gate
from snugroom.crypto.entry.pieces import TREE_INSIDE_MAX
from snugroom.crypto.entry.places import place_pass
from snugroom.crypto.errors import (
    MalformedError,
    MissingKeyError,
    SnugError,
    StateError,
    ValidationError,
)
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.crypto.media.keys import EpochKeys, MediaKeys
from snugroom.crypto.proof.verification import long_code
from snugroom.wire.limits import BUCKETS

SUITE: Final = mls.CipherSuite.X25519_AES128GCM_SHA256_ED25519
#: Epochs whose envelope key is kept: this one and the last.
_ENVELOPE_KEYS_MAX: Final = 2
#: Places that are remembered.
_PLACES_MAX: Final = 32


def exported(group: mls.Group, label: str) -> bytes:
    """Return X(label) of the protocol: 32 bytes from the MLS exporter."""
    return group.export("snug 1 " + label, b"", 32)


def room_pass(group: mls.GroupView, room: bytes) -> bytes:
    """Return the pass of the group's epoch for a room: 32 bytes."""
    return group.export("snug 1 pass", room, 32)


def policy_of(group: mls.Group) -> room_state.Policy:
    """Return the group's policy; ValidationError("SNUG-13") if it has no readable one."""
    for extension in group.extensions:
        if extension.extension_type == room_state.POLICY_EXTENSION:
            try:
                return room_state.Policy.decode(extension.data)
            except MalformedError as error:
                raise ValidationError("SNUG-13", str(error)) from None
    raise ValidationError("SNUG-13", "the group has no policy")


class Listed(NamedTuple):
    """A member, and whether it is a host."""

    leaf: int
    name: str
    host: bool


class _List(NamedTuple):
    """What the members of an epoch are, under a policy."""

    epoch: int
    policy: room_state.Policy
    members: tuple[Listed, ...]
    hosts: tuple[int, ...]
    rank: int


class Membership:
    """State and judgement; every method either succeeds or changes nothing.

    Raises ValidationError if the group breaks SNUG-6, 11, 13, 14 or 15 (`policy.judge_group`).
    """

    def __init__(
        self,
        group: mls.Group,
        *,
        room: bytes,
        slot: int,
        chain: bytes,
        ledger: Ledger,
        link_psk: bytes,
        rejoin_key: SigningKey,
        now: float,
        before: bytes = b"",
        places: bytes = b"",
        handed: bytes | None = None,
        rng: Rng = os.urandom,
    ) -> None:
        """`rejoin_key`: that of our leaf. `before`: the history before that slot (`Journal.before`).
        `places`: further servers' chain values (`Journal.places`).

        `handed`: the result of `hand_keys` in the group's epoch; None: we created the group.
        """
        self.group = group
        self.rejoin_keys = RejoinKeys(rejoin_key, rng)
        own = exported(group, "beat") + exported(group, "move")
        keys = own if handed is None else self._masked(handed)
        #: X("beat") of the creation or the last eviction (protocol section 7), handed to newcomers.
        self.heartbeat_key = keys[:32]
        #: X("move") of the creation or the last departure (protocol section 12), handed to newcomers.
        self.move_key = keys[32:]
        self.room = room
        self.policy = policy_of(group)
        policy.judge_group(
            suite=int(group.suite),
            extensions=[(e.extension_type, e.data) for e in group.extensions],
            members=names_of(group.members()).values(),
        )
        self.ledger = ledger
        self.journal = Journal(slot, chain, room_pass(group, room), before, places)
        self.media = MediaKeys()
        self._psks = {policy.LINK_PSK_ID: link_psk}
        #: The number of the place where the room is now (protocol section 12); None: where it began.
        self.place: bytes | None = None
        #: Numbers of places where members may have made commits, the latest last.
        self.places: deque[bytes] = deque(maxlen=_PLACES_MAX)
        self.leave_proposals = LeaveProposals(group)
        self._rng = rng
        self.epoch_slot = slot
        self._listed: _List | None = None
        self._envelope_keys = {slot: exported(group, "veil")}
        self._install_media(frozenset(), False, now)

    # -- queries -------------------------------------------------------------------------------

    @property
    def own_leaf(self) -> int:
        return self.group.own_leaf

    def signature_key(self, leaf: int) -> bytes | None:
        """Return the signature key at a leaf; None if the leaf is empty."""
        node = self.group.member(leaf)
        return None if node is None else node.signature_key

    def leaves(self) -> list[mls.LeafNode]:
        """Return all leaf nodes, in leaf order."""
        return [m.leaf_node for m in self.group.members()]

    def name(self, leaf: int) -> str:
        """Return the name at a leaf; "somebody" if the leaf is empty."""
        return next((name for at, name, _ in self.members() if at == leaf), sentence("room.somebody"))

    def members(self) -> tuple[Listed, ...]:
        """Return all members, in leaf order."""
        return self._list().members

    def hosts(self) -> tuple[int, ...]:
        """Return the hosts' leaves, in leaf order."""
        return self._list().hosts

    def rank(self) -> int:
        """Return our index among the hosts if we are a host, else among the other members, by leaf."""
        return self._list().rank

    def _list(self) -> _List:
        # Cached: called at every tick and frame, and constant within an epoch.
        held = self._listed
        if held is None or held.epoch != self.group.epoch or held.policy is not self.policy:
            members = tuple(
                Listed(
                    m.leaf,
                    room_state.Identity.decode(m.leaf_node.credential.identity).name,
                    m.leaf_node.signature_key in self.policy.hosts,
                )
                for m in self.group.members()
            )
            hosts = tuple(leaf for leaf, _, host in members if host)
            alike = hosts if self.own_leaf in hosts else {leaf for leaf, _, host in members if not host}
            rank = sum(leaf < self.own_leaf for leaf in alike)
            self._listed = held = _List(self.group.epoch, self.policy, members, hosts, rank)
        return held

    def is_host(self, leaf: int) -> bool:
        """Return whether the member at that leaf is a host."""
        return self.signature_key(leaf) in self.policy.hosts

    @property
    def code(self) -> str:
        """The long code of this epoch, 40 digits (protocol section 8)."""
        return long_code(self.group.epoch_authenticator, self.group.confirmed_transcript_hash)

    def sign(self, label: str, data: bytes) -> bytes:
        """Sign data other than MLS messages with our leaf (64 bytes); `label` begins with "snug 1 "."""
        return self.group.sign(label, data)

    def hand_keys(self) -> bytes:
        """Return heartbeat key and move key, masked (64 bytes), for a newcomer of this epoch and nobody else.

        A former host can bring another person's KeyPackage in a knock of its own, and so read the answer. The
        Welcome in it is encrypted to the newcomer's keys alone, and the mask comes from that Welcome's epoch.
        """
        return self._masked(self.heartbeat_key + self.move_key)

    def _masked(self, keys: bytes) -> bytes:
        mask = self.group.export("snug 1 handed", b"", 64)
        return bytes(a ^ b for a, b in zip(keys, mask, strict=True))

    def prior_state(self) -> PriorState:
        """Return the state that the commit for the next slot is judged against."""
        return PriorState(
            members=names_of(self.group.members()),
            policy=self.policy,
            extensions=tuple((e.extension_type, e.data) for e in self.group.extensions),
            group_id=self.group.group_id,
            suite=int(self.group.suite),
            room=self.room,
            slot=self.journal.slot + 1,
            chain=self.journal.chain,
            ledger=self.ledger,
        )

    # -- committing ------------------------------------------------------------------------------

    def stage(self, *intents: Intent) -> verdict.Staged | None:
        """Make the commit for an intent, or for several newcomers; None if nothing is left to do.

        ValidationError if the commit breaks the policy: it is judged like any other before it is sent.
        """
        built = proposals_for(self, intents, self._rng)
        if built is None:
            return None
        out = self.rejoin_keys.for_commit()
        view = self._draft(built, out.rejoin_key)
        policy.judge_commit(view)
        stage = self.group.stage(
            built.proposals,
            include_stored=built.references,
            authenticated_data=view.authenticated_data,
            force_path=True,
            psks=self._psks,
            leaf_extensions=self._leaf_extensions(out.rejoin_key),
            tree_inside_max=TREE_INSIDE_MAX,
        )
        self.rejoin_keys.sent(out)
        blob = self.cover_commit([*built.carried, stage.message], gate(self.pass_here(stage.group)))
        return verdict.Staged(tuple(built.intents), view.slot, blob, stage, view)

    def check(self, *intents: Intent) -> None:
        """Raise ValidationError if the commit for these intents breaks the policy; change nothing."""
        built = proposals_for(self, intents, self._rng)
        if built is not None:
            policy.judge_commit(self._draft(built, self.rejoin_keys.for_commit().rejoin_key))

    def _draft(self, built: Built, rejoin_key: SigningKey) -> CommitView:
        """Return the facts of our commit with that content, as the others will see them."""
        prior_state, own = self.prior_state(), self.own_leaf
        (first, *_) = built.intents
        context = room_state.CommitContext(
            self.room,
            prior_state.slot,
            prior_state.chain,
            self.ledger.digest(),
            tuple(built.invites),
            first.host_return if isinstance(first, HostReturnIntent) else None,
            isinstance(first, ReplaceIntent) or (isinstance(first, RemoveIntent) and first.absent),
            (first.signature_key,) if isinstance(first, WithdrawIntent) else (),
        )
        facts = [proposal_view(p, own) for p in built.proposals]
        if isinstance(first, SelfRemoveIntent):
            facts.append(proposal_view(mls.Remove(first.leaf), first.leaf, by_reference=True))
        return prior_state.view(
            sender=own,
            proposals=facts,
            path_leaf=replace(prior_state.members[own], rejoin_key=rejoin_key.public),
            authenticated_data=context.encode(),
        )

    def pass_here(self, group: mls.GroupView) -> bytes:
        """Return what opens the gate of that epoch where the room is now."""
        own = room_pass(group, self.room)
        return own if self.place is None else place_pass(own, self.place)

    def cover_commit(self, messages: Sequence[bytes], gate: bytes) -> bytes:
        """Return the blob of a commit for the next slot, with the proposals that it carries before it."""
        packed = envelope.pack(messages)
        payload = SlotPayload.signed(packed, self.own_leaf, self._next_place(), gate, self.sign).encode()
        return self._cover("commit", payload, gate)

    def _next_place(self) -> Place:
        return Place(self.room, self.journal.slot + 1, self.journal.chain)

    def _leaf_extensions(self, rejoin_key: SigningKey) -> list[mls.Extension]:
        """Return our leaf's extensions, with another rejoin key."""
        leaf = self.group.member(self.own_leaf)
        assert leaf is not None
        others = (e for e in leaf.extensions if e.extension_type != room_state.REJOIN_KEY_EXTENSION)
        return [rejoin_key_extension(rejoin_key), *others]

    def judge(self, blob: bytes) -> verdict.Valid | verdict.Void | verdict.Stuck:
        """Judge a blob for the next slot. Changes nothing except consumed ratchet generations."""
        try:
            return self._judge(blob)
        finally:
            self.leave_proposals.tidy()

    def _judge(self, blob: bytes) -> verdict.Valid | verdict.Void | verdict.Stuck:
        try:
            author, messages = self._open_slot(blob)
        except SnugError:
            return verdict.Void(None, "SNUG-2", sentence("room.void_unreadable"))
        prior_state = self.prior_state()
        try:
            carried = {self.leave_proposals.store_carried(message) for message in messages[:-1]}
            received = self.group.process(messages[-1], psks=self._psks)
        except mls.PathError as error:
            # A commit that breaks the policy is void for everybody, readable here or not.
            view = prior_state.of_candidate(error.commit)
            return self._broken(error.commit, view, carried, author) or verdict.Stuck(author, str(error))
        except mls.CommitError as error:
            broken = policy.snug_16(error)
            return verdict.Void(author, broken.rule, reasons.in_full(broken))
        except (SnugError, StateError) as error:
            return verdict.Void(
                author, "SNUG-16", sentence("room.void_of_no_member", why=reasons.because(error))
            )
        if not isinstance(received, mls.CandidateCommit):
            return verdict.Void(author, "SNUG-2", sentence("room.void_no_commit"))
        view = prior_state.of_candidate(received)
        return self._broken(received, view, carried, author) or verdict.Valid(
            received, view, received.removes_us
        )

    def _open_slot(self, blob: bytes) -> tuple[int, list[bytes]]:
        """Return the leaf that signed a blob for the next slot, and its messages.

        SnugError if no member did.
        """
        began = envelope.epoch_slot(blob)
        payload = SlotPayload.decode(envelope.open(self._envelope_key(began), "commit", self.room, blob))
        key = self.signature_key(payload.leaf)
        if key is None:
            raise MissingKeyError("the blob's author is no member")
        payload.verify(self._next_place(), envelope.gate(blob), key)
        return payload.leaf, envelope.unpack(payload.packed)

    @staticmethod
    def _broken(
        commit: mls.CandidateCommit, view: CommitView, carried: set[bytes | None], author: int
    ) -> verdict.Void | None:
        """Return the verdict on a commit that breaks a rule; None if it breaks none."""
        try:
            verdict.self_contained(commit, carried)
            policy.judge_commit(view)
        except ValidationError as error:
            return verdict.Void(author, error.rule, reasons.in_full(error))
        if commit.sender != author:
            return verdict.Void(author, "SNUG-2", sentence("room.void_of_another"))
        return None

    def adopt(
        self,
        step: verdict.Valid | verdict.Staged,
        blob: bytes,
        now: float,
        opening: bytes | None = None,
    ) -> verdict.Change:
        """Apply the commit that has taken the next slot: group, ledger and all keys advance.

        `opening`: the room admin's signature for that slot, if a host took it.
        """
        self.group.adopt(step.candidate if isinstance(step, verdict.Valid) else step.stage)
        self.rejoin_keys.taken(_brought(step.view) if isinstance(step, verdict.Staged) else None)
        self.policy = policy_of(self.group)
        after = {m.leaf: m.leaf_node for m in self.group.members()}
        adoption = Adoption(step.view, after, self.policy)
        self.ledger = adoption.ledger()
        self.journal.append(blob, room_pass(self.group, self.room), opening, reversed(self.places))
        self.epoch_slot = self.journal.slot
        self.leave_proposals.clear()
        if adoption.evicted:
            self.heartbeat_key = exported(self.group, "beat")
        if adoption.evicted or adoption.left:
            self.move_key = exported(self.group, "move")
        self._envelope_keys[self.epoch_slot] = exported(self.group, "veil")
        for old in sorted(self._envelope_keys)[:-_ENVELOPE_KEYS_MAX]:
            del self._envelope_keys[old]
        self._install_media(frozenset(adoption.removed), bool(adoption.removed), now)
        return adoption.change(self.ledger)

    def void(self, blob: bytes, opening: bytes | None = None) -> None:
        """Record a void slot: the chain advances, epoch and pass stay.

        The keys of our commits are kept: a commit that we had given up is void for us alone.
        """
        self.journal.append(blob, self.journal.room_pass, opening, reversed(self.places))

    # -- messages ----------------------------------------------------------------------------------

    def protect(self, content: bytes) -> bytes:
        """Return a relay blob with an application message."""
        return self._cover("relay", envelope.pack([self.group.protect(content)]))

    def open_relay(self, blob: bytes) -> mls.ApplicationMessage:
        """Open a relay blob; SnugError or a subclass if it holds no message for us (SNUG-17)."""
        payload = envelope.open(self._envelope_key(envelope.epoch_slot(blob)), "relay", self.room, blob)
        messages = envelope.unpack(payload)
        if len(messages) != 1:
            raise MalformedError("a relay blob must carry one message")
        if mls.kind_of(messages[0]) != (mls.WireFormat.PRIVATE_MESSAGE, mls.ContentType.APPLICATION):
            # Checked before processing: see `LeaveProposals.propose`.
            raise MalformedError("a relay blob must carry an application message")
        received = self.group.process(messages[0])
        assert isinstance(received, mls.ApplicationMessage)
        gone = self.signature_key(received.sender) is None
        policy.snug_17(epoch=received.epoch, current=self.group.epoch, sender_removed=gone)
        return received

    def keeps_epoch(self, began: int) -> bool:
        """Return whether members can still read blobs of the epoch that began at that slot."""
        return began in self._envelope_keys

    # -- internals ---------------------------------------------------------------------------------

    def _envelope_key(self, began: int) -> bytes:
        key = self._envelope_keys.get(began)
        if key is None:
            raise MissingKeyError(f"a blob of an epoch that began at slot {began}")
        return key

    def _cover(self, kind: Literal["commit", "relay"], payload: bytes, gate: bytes = b"") -> bytes:
        key = self._envelope_keys[self.epoch_slot]
        return envelope.seal(
            key, kind, self.room, self.epoch_slot, payload, BUCKETS, gate=gate, rng=self._rng
        )

    def _install_media(self, removed: Iterable[int], is_removal: bool, now: float) -> None:
        keys = EpochKeys.derive(
            epoch=self.group.epoch,
            base_key=self.group.export("SFrame 1.0 Base Key", b"", 16),
            tags=exported(self.group, "tags"),
            leaf_count=self.group.leaf_count,
        )
        self.media.install(
            keys, own_leaf=self.own_leaf, removed=frozenset(removed), is_removal=is_removal, now=now
        )


def _brought(view: CommitView) -> bytes | None:
    return None if view.path_leaf is None else view.path_leaf.rejoin_key
