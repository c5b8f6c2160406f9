"""A member's keys and knowledge in a room: the MLS group, the policy, the ledger, the history, the veil.

No connection here: `room.RoomSession` has that. Everything that a blob can be is decided here, alike by
every member (protocol sections 5 and 6).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import Final, Literal

from client.session.intents import (
    AddIntent,
    FarewellIntent,
    Intent,
    PolicyIntent,
    RejoinIntent,
    RemoveIntent,
    ReturnIntent,
)
from client.session.journal import Journal
from client.session.views import Ground, leaf_view, names_of, proposal_view
from crypto import mls, policy, veil
from crypto.errors import (
    MalformedError,
    MissingKeyError,
    ReplayError,
    SnugCryptoError,
    StateError,
    ValidationError,
)
from crypto.kdf import H, Rng
from crypto.media_keys import EpochKeys, MediaKeys
from crypto.room_state import (
    POLICY_EXTENSION,
    CommitContext,
    Identity,
    Ledger,
    Policy,
    Rejoined,
    RejoinTicket,
)
from crypto.verification import long_code
from server.wire.limits import BUCKETS

SUITE: Final = mls.CipherSuite.X25519_AES128GCM_SHA256_ED25519
#: Epochs whose veil is kept: this one and the last.
_VEILS: Final = 2


@dataclass(frozen=True)
class Valid:
    """A commit that passed every check."""

    candidate: mls.CandidateCommit
    view: policy.CommitView
    removes_us: bool


@dataclass(frozen=True)
class Void:
    """A slot that holds nothing: the epoch stays. `author` is a leaf where it can be told."""

    author: int | None
    rule: str
    text: str


@dataclass(frozen=True)
class Stuck:
    """The commit passes every check, and this member alone can't read its path secret."""

    author: int | None
    text: str


@dataclass(frozen=True)
class Staged:
    """A commit of ours, made and not yet taken."""

    intent: Intent
    slot: int
    blob: bytes
    token: bytes  # the next epoch's pass
    stage: mls.Stage
    view: policy.CommitView


@dataclass(frozen=True)
class Change:
    """What an adopted commit changed."""

    by: int
    added: tuple[tuple[int, str], ...]  # (leaf, name)
    removed: tuple[tuple[int, str, bytes], ...]  # (leaf, name, signature key)
    rejoined: bool
    hosts_changed: bool
    policy_before: Policy
    policy_after: Policy
    invite: int | None  # by which the added one came in, now or (a rejoin) at first
    left: frozenset[int]  # those of the removed who had proposed it themselves
    returned: bool = False  # a host has come back by the host key (SNUG-9)
    stuck_slot: int | None = None  # a rejoin of one who could not read the commit of that slot


def exported(group: mls.Group, label: str) -> bytes:
    """X(label) of the protocol: 32 bytes of the MLS exporter."""
    return group.export("snug 1 " + label, b"", 32)


def room_pass(group: mls.Group, room: bytes) -> bytes:
    """The pass of the group's epoch for a room: 32 bytes."""
    return group.export("snug 1 pass", room, 32)


def policy_of(group: mls.Group) -> Policy:
    """The group's policy; ValidationError("SNUG-13") if it carries none that can be read."""
    for extension in group.extensions:
        if extension.extension_type == POLICY_EXTENSION:
            try:
                return Policy.decode(extension.data)
            except MalformedError as error:
                raise ValidationError("SNUG-13", str(error)) from None
    raise ValidationError("SNUG-13", "the group has no policy")


class Membership:
    """State and judgement; every method either succeeds whole or leaves everything as it was.

    To make one of a group that is none of ours raises ValidationError (`policy.judge_group`).
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
        now: float,
        handed: bytes | None = None,
        rng: Rng = os.urandom,
    ) -> None:
        """`handed`: what `hand_beat_key` gave in the epoch that this group begins in; None: it is new."""
        self.group = group
        #: X("beat") of the creation or the last eviction (protocol section 7), handed to newcomers.
        self.beat_key = exported(group, "beat") if handed is None else self._masked(handed)
        self.room = room
        self.policy = policy_of(group)
        policy.judge_group(
            suite=int(group.suite),
            extensions=[(e.extension_type, e.data) for e in group.extensions],
            members=names_of(group.members()).values(),
        )
        self.ledger = ledger
        self.journal = Journal(slot, chain, room_pass(group, room))
        self.media = MediaKeys()
        self._psks = {policy.LINK_PSK_ID: link_psk}
        self._references: dict[bytes, bytes] = {}  # H(proposal message) -> ProposalRef, of this epoch
        self._rng = rng
        self.epoch_slot = slot
        self._members: tuple[int, Policy, tuple[tuple[int, str, bool], ...]] | None = None
        self._veils = {slot: exported(group, "veil")}
        self._install_media(frozenset(), False, now)

    # -- what is so ----------------------------------------------------------------------------

    @property
    def own_leaf(self) -> int:
        return self.group.own_leaf

    def signature_key(self, leaf: int) -> bytes | None:
        """The signature key at a leaf, None if nobody is there."""
        node = self.group.member(leaf)
        return None if node is None else node.signature_key

    def leaves(self) -> list[mls.LeafNode]:
        """All leaves, by their place."""
        return [m.leaf_node for m in self.group.members()]

    def name(self, leaf: int) -> str:
        """The name at a leaf; "somebody" where nobody is."""
        return next((name for at, name, _ in self.members() if at == leaf), "somebody")

    def members(self) -> tuple[tuple[int, str, bool], ...]:
        """(leaf, name, whether a host) of all, by leaf."""
        # asked for at every tick and frame, and the same throughout an epoch
        held = self._members
        if held is None or held[0] != self.group.epoch or held[1] is not self.policy:
            listed = tuple(
                (
                    m.leaf,
                    Identity.decode(m.leaf_node.credential.identity).name,
                    m.leaf_node.signature_key in self.policy.hosts,
                )
                for m in self.group.members()
            )
            self._members = held = (self.group.epoch, self.policy, listed)
        return held[2]

    def is_host(self, leaf: int) -> bool:
        """Whether a host sits at that leaf."""
        return self.signature_key(leaf) in self.policy.hosts

    @property
    def code(self) -> str:
        """The 40 digits of this epoch (protocol section 8)."""
        return long_code(self.group.epoch_authenticator, self.group.confirmed_transcript_hash)

    def sign(self, label: str, data: bytes) -> bytes:
        """Our leaf's signature (64 bytes) over what is no MLS message; `label` begins with "snug 1 "."""
        return self.group.sign(label, data)

    def hand_beat_key(self) -> bytes:
        """The beat key for who comes in with this epoch, and for nobody else who reads the answer (32 bytes).

        Who was a host can bring somebody else's KeyPackage in a knock of its own, and so read the answer; the
        Welcome in it is for the newcomer's keys alone, and so is this.
        """
        return self._masked(self.beat_key)

    def _masked(self, key: bytes) -> bytes:
        mask = exported(self.group, "handed")
        return bytes(a ^ b for a, b in zip(key, mask, strict=True))

    def ground(self) -> Ground:
        """What the commit for the next slot is judged on."""
        return Ground(
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

    def stage(self, intent: Intent) -> Staged | None:
        """Make the commit that an intent wants; None where there is nothing left to do.

        ValidationError if it would break the policy: it is judged like anybody's before it leaves.
        """
        built = self._proposals(intent)
        if built is None:
            return None
        proposals, references, carried, invite = built
        ground = self.ground()
        returned = intent.host_return if isinstance(intent, ReturnIntent) else None
        context = CommitContext(self.room, ground.slot, ground.chain, self.ledger.digest(), invite, returned)
        own = self.own_leaf
        facts = [proposal_view(p, own) for p in proposals]
        if isinstance(intent, FarewellIntent):
            facts.append(proposal_view(mls.Remove(intent.leaf), intent.leaf, by_reference=True))
        view = ground.view(
            sender=own, proposals=facts, path_leaf=ground.members[own], authenticated_data=context.encode()
        )
        policy.judge_commit(view)
        stage = self.group.stage(
            proposals,
            include_stored=references,
            authenticated_data=context.encode(),
            force_path=True,
            psks=self._psks,
        )
        blob = self._cover("commit", veil.pack([*carried, stage.message]))
        return Staged(intent, ground.slot, blob, room_pass(stage.group, self.room), stage, view)

    def _proposals(
        self, intent: Intent
    ) -> tuple[list[mls.Proposal], list[bytes], list[bytes], int | None] | None:
        link = mls.PreSharedKey.external(policy.LINK_PSK_ID, self._rng)
        members = {m.leaf: m.leaf_node.signature_key for m in self.group.members()}
        if isinstance(intent, AddIntent):
            if intent.key_package.leaf_node.signature_key in members.values():
                return None
            return [link, mls.Add(intent.key_package)], [], [], intent.invite
        if isinstance(intent, RejoinIntent):
            key = intent.key_package.leaf_node.signature_key
            leaf = next((leaf for leaf, k in members.items() if k == key), None)
            ticket = RejoinTicket.decode(intent.ticket)
            if leaf is None or any(r.nonce == ticket.nonce for r in self.ledger.rejoins):
                return None
            if self.journal.chains.get(ticket.slot, ticket.chain) != ticket.chain:
                raise ValidationError("SNUG-8", "the ticket is of another history")
            return [mls.Remove(leaf), link, mls.Add(intent.key_package)], [], [], None
        if isinstance(intent, ReturnIntent):
            known = intent.key_package.leaf_node.signature_key in members.values()
            return None if known else (self._returning(intent, link), [], [], None)
        if isinstance(intent, RemoveIntent):
            if members.get(intent.leaf) != intent.signature_key:
                return None
            return [mls.Remove(intent.leaf)], [], [], None
        if isinstance(intent, PolicyIntent):
            changed = intent.change(self.policy)
            if changed is None:
                return None
            return [self._with_policy(changed)], [], [], None
        if isinstance(intent, FarewellIntent):
            if intent.leaf not in members or intent.reference not in self.group.stored_proposals:
                return None
            return [], [intent.reference], [intent.proposal], None
        return ([], [], [], None) if intent.epoch == self.group.epoch else None

    def _with_policy(self, changed: Policy) -> mls.Proposal:
        kept = self.group.extensions[0]
        return mls.GroupContextExtensions((kept, mls.Extension(POLICY_EXTENSION, changed.encode())))

    def _returning(self, intent: ReturnIntent, link: mls.Proposal) -> list[mls.Proposal]:
        """The old leaf of the host who returns, if it is still there, gives way to the new one."""
        leaf = intent.key_package.leaf_node
        old = next(
            (
                m
                for m in self.group.members()
                if m.leaf_node.signature_key in self.policy.hosts
                and m.leaf_node.credential.identity == leaf.credential.identity
            ),
            None,
        )
        hosts = set(self.policy.hosts) | {leaf.signature_key}
        if old is not None:
            hosts.discard(old.leaf_node.signature_key)
        changed = replace(self.policy, version=self.policy.version + 1, hosts=tuple(sorted(hosts)))
        gone: list[mls.Proposal] = [] if old is None else [mls.Remove(old.leaf)]
        return [*gone, link, mls.Add(intent.key_package), self._with_policy(changed)]

    def judge(self, blob: bytes) -> Valid | Void | Stuck:
        """What a blob in the next slot is. Changes nothing but used-up ratchet generations."""
        try:
            return self._judge(blob)
        finally:
            self._tidy()

    def _judge(self, blob: bytes) -> Valid | Void | Stuck:
        try:
            began = veil.epoch_slot(blob)
            messages = veil.unpack(veil.uncover(self._veil(began), "commit", self.room, blob))
        except SnugCryptoError:
            return Void(None, "SNUG-2", "a commit that nobody can read: by a member or the server")
        ground = self.ground()
        try:
            carried = {self._store(message) for message in messages[:-1]}
            received = self.group.process(messages[-1], psks=self._psks)
        except mls.PathError as error:
            return self._judge_unreadable(error, ground, carried)
        except mls.CommitError as error:
            verdict = policy.snug_16(error)
            return Void(error.sender, verdict.rule, str(verdict))
        except (SnugCryptoError, StateError) as error:
            return Void(None, "SNUG-16", f"a commit that is not a member's: {error}")
        if not isinstance(received, mls.CandidateCommit):
            return Void(received.sender, "SNUG-2", "a message that is no commit took a slot")
        view = ground.of_candidate(received)
        try:
            _self_contained(received, carried)
            policy.judge_commit(view)
        except ValidationError as error:
            return Void(_to_blame(view, error), error.rule, str(error))
        return Valid(received, view, received.removes_us)

    def _judge_unreadable(
        self, error: mls.PathError, ground: Ground, carried: set[bytes | None]
    ) -> Void | Stuck:
        # a commit that breaks the policy is void for everybody, readable to us or not
        view = ground.of_candidate(error.commit)
        try:
            _self_contained(error.commit, carried)
            policy.judge_commit(view)
        except ValidationError as broken:
            return Void(_to_blame(view, broken), broken.rule, str(broken))
        return Stuck(error.commit.sender, str(error))

    def _store(self, message: bytes) -> bytes | None:
        """Take in a proposal that a commit carries; its reference, None where that can't be told."""
        # it may have come through the relay as well, or be our own: then it is stored, and known by its hash
        with contextlib.suppress(ReplayError, StateError):
            self._take_in(message)
        return self._references.get(H(message))

    def adopt(self, step: Valid | Staged, blob: bytes, now: float) -> Change:
        """The commit has taken its slot: the group, the ledger and all keys move on."""
        view = step.view
        slot = self.journal.slot + 1
        before = {m.leaf: m.leaf_node for m in self.group.members()}
        old_policy = self.policy
        self.group.adopt(step.candidate if isinstance(step, Valid) else step.stage)
        after = {m.leaf: m.leaf_node for m in self.group.members()}
        rejoin_leaf = view.rejoin_leaf
        removed = [p.removed for p in view.of("remove") if p.removed is not None]
        returned = view.context.host_return is not None
        evicts = rejoin_leaf is None and not returned
        revoke = {p.removed: not p.by_reference and evicts for p in view.of("remove")}
        added_keys = {p.added.signature_key for p in view.of("add") if p.added is not None}
        added = [leaf for leaf, node in after.items() if node.signature_key in added_keys]
        invite = view.context.invite
        rejoined = stuck_slot = None
        if rejoin_leaf is not None:
            ticket = RejoinTicket.decode(view.of("add")[0].ticket or b"")
            stuck_slot = ticket.slot + 1 if ticket.stuck else None
            rejoined = Rejoined(slot, before[rejoin_leaf].signature_key, ticket.nonce, ticket.stuck)
        self.policy = policy_of(self.group)
        evicted = {before[leaf].signature_key for leaf, gone in revoke.items() if gone and leaf in before}
        hosts = set(old_policy.hosts)
        self.ledger = self.ledger.after(
            slot,
            removed={leaf: revoke[leaf] for leaf in removed},
            added={leaf: (after[leaf].signature_key, invite) for leaf in added},
            rejoined=rejoined,
            host_returned=returned,
            host_lost=not returned and bool(hosts & evicted or hosts - set(self.policy.hosts)),
        )
        self.journal.append(blob, room_pass(self.group, self.room))
        self.epoch_slot = slot
        self._references.clear()  # proposals end with their epoch
        if any(revoke.values()):
            self.beat_key = exported(self.group, "beat")
        self._veils[slot] = exported(self.group, "veil")
        for old in sorted(self._veils)[:-_VEILS]:
            del self._veils[old]
        self._install_media(frozenset(removed), bool(removed), now)
        return Change(
            by=view.sender if view.sender is not None else -1,
            added=tuple((leaf, _name(after[leaf])) for leaf in added),
            removed=tuple((leaf, _name(before[leaf]), before[leaf].signature_key) for leaf in removed),
            rejoined=rejoin_leaf is not None,
            hosts_changed=old_policy.hosts != self.policy.hosts,
            policy_before=old_policy,
            policy_after=self.policy,
            invite=self.ledger.invite_of(added[0]) if added else None,
            left=frozenset(p.removed for p in view.of("remove") if p.by_reference and p.removed is not None),
            returned=returned,
            stuck_slot=stuck_slot,
        )

    def void(self, blob: bytes) -> None:
        """The slot is taken by nothing: the chain goes on, the epoch stays, its pass too."""
        self.journal.append(blob, self.journal.token)

    # -- messages ----------------------------------------------------------------------------------

    def protect(self, content: bytes) -> bytes:
        """A relay blob with an application message."""
        return self._cover("relay", veil.pack([self.group.protect(content)]))

    def propose_own_removal(self) -> bytes:
        """A proposal that removes ourselves, as an MLSMessage.

        A PublicMessage (under the veil it is as hidden as anything): what comes through the relay must use up
        no handshake generation, for not everybody gets it, and a commit with that generation would then be
        readable to some and a replay to others.
        """
        before = self.group.stored_proposals.keys()
        message = self.group.propose(mls.Remove(self.own_leaf), private=False)
        (self._references[H(message)],) = self.group.stored_proposals.keys() - before
        return message

    def store_proposal(self, message: bytes) -> mls.ReceivedProposal:
        """Take in what somebody sent along to leave; errors as of `Group.process`, MalformedError for others.

        Nothing else has its place in a commit by reference (SNUG-3). Of each member the last is kept.
        """
        received = self._take_in(message)
        self._tidy()
        if received.reference not in self.group.stored_proposals:
            raise MalformedError("a proposal that is not somebody's own leaving")
        return received

    def _take_in(self, message: bytes) -> mls.ReceivedProposal:
        if mls.kind_of(message) != (mls.WireFormat.PUBLIC_MESSAGE, mls.ContentType.PROPOSAL):
            raise MalformedError("a message that is no public proposal stands in the place of one")
        received = self.group.process(message)
        assert isinstance(received, mls.ReceivedProposal)
        self._references[H(message)] = received.reference
        return received

    def _tidy(self) -> None:
        """Keep of each member the last proposal to leave, and nothing else: what is kept is bounded."""
        kept: dict[int | None, bytes] = {}
        stored = self.group.stored_proposals
        for reference, item in stored.items():
            if isinstance(item.proposal, mls.Remove) and item.proposal.removed == item.sender:
                kept[item.sender] = reference
        for reference in stored.keys() - set(kept.values()):
            self.group.discard(reference)
        self._references = {h: r for h, r in self._references.items() if r in kept.values()}

    def open_relay(self, blob: bytes) -> mls.ApplicationMessage:
        """The message in a relay blob. SnugCryptoError of some kind if it is none for us (SNUG-17)."""
        payload = veil.uncover(self._veil(veil.epoch_slot(blob)), "relay", self.room, blob)
        messages = veil.unpack(payload)
        if len(messages) != 1:
            raise MalformedError("a relay blob carries one message")
        if mls.kind_of(messages[0]) != (mls.WireFormat.PRIVATE_MESSAGE, mls.ContentType.APPLICATION):
            # before it is processed: see `propose_own_removal`
            raise MalformedError("a relay blob carries an application message and nothing else")
        received = self.group.process(messages[0])
        assert isinstance(received, mls.ApplicationMessage)
        gone = self.signature_key(received.sender) is None
        policy.snug_17(epoch=received.epoch, current=self.group.epoch, generation_gap=0, sender_removed=gone)
        return received

    def keeps_epoch(self, began: int) -> bool:
        """Whether members can still read what was sealed in the epoch that began at that slot."""
        return began in self._veils

    # -- inside ------------------------------------------------------------------------------------

    def _veil(self, began: int) -> bytes:
        key = self._veils.get(began)
        if key is None:
            raise MissingKeyError(f"a blob of an epoch that began at slot {began}")
        return key

    def _cover(self, kind: Literal["commit", "relay"], payload: bytes) -> bytes:
        key = self._veils[self.epoch_slot]
        return veil.cover(key, kind, self.room, self.epoch_slot, payload, BUCKETS, rng=self._rng)

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


def _self_contained(commit: mls.CandidateCommit, carried: Set[bytes | None]) -> None:
    """ValidationError("SNUG-3") if a commit names a proposal that its blob does not carry.

    Who got that proposal elsewhere could read the commit and others could not: the room would split.
    """
    for item in commit.proposals:
        if item.by_reference and item.reference not in carried:
            raise ValidationError("SNUG-3", "the commit names a proposal that it does not carry")


def _to_blame(view: policy.CommitView, broken: ValidationError) -> int | None:
    """Whose fault a bad commit is: where it stands, and behind what, is the server's choice."""
    if broken.rule == "SNUG-1":
        with contextlib.suppress(ValidationError):
            if (view.context.slot, view.context.chain) != (view.slot, view.chain):
                return None
    return view.sender


def _name(leaf: mls.LeafNode) -> str:
    return Identity.decode(leaf.credential.identity).name


__all__ = [
    "Change",
    "Membership",
    "Staged",
    "Stuck",
    "Valid",
    "Void",
    "exported",
    "leaf_view",
    "policy_of",
    "room_pass",
]
