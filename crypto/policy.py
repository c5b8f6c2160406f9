"""SNUG-1 to SNUG-22: what every member checks before it believes anything (protocol section 5).

One small function a number; all raise ValidationError with that number and nothing else. They see
facts only (`CommitView`), never a live group, so that both clients can be held to the same cases.

=======  ====================================================================================
SNUG-1   a commit's authenticated_data names our room, this slot, our chain, our ledger
SNUG-2   it is a PrivateMessage of a member
SNUG-3   its proposals are by value and the committer's; a by-reference Remove of oneself excepted
SNUG-4   only Add, Remove, PreSharedKey and GroupContextExtensions
SNUG-5   there is a path
SNUG-6   the path's leaf keeps signature key, credential, capabilities and extensions
SNUG-7   Add, Remove and GroupContextExtensions come from a host under the old policy;
         nobody is added while the room is locked
SNUG-8   ... except a rejoin: exactly {Remove, Add, PSK} of one leaf with a valid ticket
SNUG-9   ... and a host's return: exactly {PSK, Add, GCE}, and the Remove of its old leaf, signed by the
         host seed's key, for as long as nobody was a host who is none now
SNUG-10  an Add goes with exactly one PSK, external, the link's
SNUG-11  an added signature key is new; the name is allowed and looks like nobody's who is present
SNUG-12  an Add names an invite that is neither revoked nor a used single one
SNUG-13  GroupContextExtensions change `snug_policy` alone: version + 1, host_public and flags unchanged
SNUG-14  no external senders
SNUG-15  suite, version and sizes are the profile's
SNUG-16  all of RFC 9420 12.2 to 12.4 (crypto.mls checks them; `snug_16` gives them this name)
SNUG-17  a message's epoch is this or the last, its generation within 200, its sender not removed
SNUG-18  END and MOVE come from a host, on the current chain
SNUG-19  a member's beats don't contradict each other: one for a number, each after the one before,
         none of an earlier slot or epoch
SNUG-20  a media stream is announced by the leaf that its key id names
SNUG-21  SFrame: the full tag, and a replay window
SNUG-22  a media frame is in its sender's signed list, within 2 s
=======  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from crypto.beats import NO_BEAT
from crypto.errors import MalformedError, SnugCryptoError, ValidationError
from crypto.kdf import verify
from crypto.names import check_name, look_alike
from crypto.room_state import (
    ANY_HOST,
    LEDGER_KEYS_MAX,
    POLICY_EXTENSION,
    REJOIN_SLOTS,
    REJOINS_MAX,
    SINGLE_USE,
    CommitContext,
    Identity,
    Ledger,
    Mode,
    Policy,
    RejoinTicket,
    host_return_message,
)

#: PSK id of the link's secret.
LINK_PSK_ID: Final = b"snug 1 link"
REQUIRED_CAPABILITIES: Final = 0x0003
EXTERNAL_SENDERS: Final = 0x0005
SUITES: Final = frozenset({0x0001, 0x0003})
MLS10: Final = 1
MEMBERS_MAX: Final = 1000
GENERATION_GAP: Final = 200
#: Slots that may pass between the signature of a host's return and its commit.
RETURN_SLOTS: Final = 8
#: Bytes of the tag of the SFrame suite in use (0x0004).
SFRAME_TAG: Final = 16
#: Seconds of sound or pictures for which their sender's signature may be missing.
MEDIA_SIGNATURE_TIME: Final = 2.0

ProposalKind = Literal["add", "update", "remove", "psk", "reinit", "external_init", "gce", "other"]


@dataclass(frozen=True)
class LeafView:
    """What a leaf is known by."""

    signature_key: bytes
    identity: bytes  # the basic credential's bytes
    encryption_key: bytes
    capabilities: bytes  # encoded
    extensions: bytes  # encoded


@dataclass(frozen=True)
class ProposalView:
    """One proposal of a commit, and the fields that its kind has."""

    kind: ProposalKind
    sender: int | None  # leaf; None: not a member
    by_reference: bool = False
    added: LeafView | None = None
    package: bytes = b""  # of an Add: H(KeyPackage), 32 bytes
    ticket: bytes | None = None  # of an added KeyPackage: its rejoin extension
    suite: int = 0x0001  # of an added KeyPackage
    version: int = MLS10
    removed: int | None = None
    psk_external: bool = False
    psk_id: bytes = b""
    extensions: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True)
class CommitView:
    """A commit whose signature has verified, and all that it is judged by."""

    private: bool
    sender: int | None  # leaf; None: an external committer
    proposals: tuple[ProposalView, ...]
    path_leaf: LeafView | None
    authenticated_data: bytes
    # what this member knows, before the commit
    members: Mapping[int, LeafView]
    policy: Policy
    extensions: tuple[tuple[int, bytes], ...]  # of the GroupContext
    group_id: bytes
    suite: int
    room: bytes
    slot: int
    chain: bytes
    ledger: Ledger

    def of(self, kind: ProposalKind) -> tuple[ProposalView, ...]:
        """The proposals of one kind."""
        return tuple(p for p in self.proposals if p.kind == kind)

    @property
    def context(self) -> CommitContext:
        """Decoded authenticated_data; ValidationError("SNUG-1") if it is none."""
        try:
            return CommitContext.decode(self.authenticated_data)
        except MalformedError as error:
            raise ValidationError("SNUG-1", str(error)) from None

    @property
    def by_host(self) -> bool:
        """Whether the committer is a host under the old policy."""
        leaf = None if self.sender is None else self.members.get(self.sender)
        return leaf is not None and leaf.signature_key in self.policy.hosts

    @property
    def rejoin_leaf(self) -> int | None:
        """The leaf that rejoins, if the commit has the shape of a rejoin; not yet whether it may."""
        adds, removes = self.of("add"), self.of("remove")
        if len(adds) == 1 and len(removes) == 1 and adds[0].ticket is not None:
            return removes[0].removed
        return None


def _is_self_remove(p: ProposalView) -> bool:
    return p.kind == "remove" and p.by_reference and p.sender is not None and p.sender == p.removed


def snug_1(v: CommitView) -> None:
    """A commit belongs to one room, one slot, one history: replayed or moved ones do not fit."""
    c = v.context
    if c.room != v.room:
        raise ValidationError("SNUG-1", "the commit is of another room")
    if c.slot != v.slot:
        raise ValidationError("SNUG-1", f"the commit is for slot {c.slot}, this is slot {v.slot}")
    if c.chain != v.chain:
        raise ValidationError("SNUG-1", "the committer has seen another history than we have")
    if c.ledger != v.ledger.digest():
        raise ValidationError("SNUG-1", "the committer's ledger is not ours")


def snug_2(v: CommitView) -> None:
    """Only members commit, and only under encryption."""
    if not v.private:
        raise ValidationError("SNUG-2", "the commit is not a PrivateMessage")
    if v.sender not in v.members:
        raise ValidationError("SNUG-2", "the committer is not a member")


def snug_3(v: CommitView) -> None:
    """A stored proposal of a non-host must not be laundered through a host's ordinary commit."""
    for p in v.proposals:
        if not _is_self_remove(p) and (p.by_reference or p.sender != v.sender):
            raise ValidationError("SNUG-3", f"a proposal ({p.kind}) is not the committer's own, by value")


def snug_4(v: CommitView) -> None:
    """Nothing but what a meeting needs."""
    for p in v.proposals:
        if p.kind not in ("add", "remove", "psk", "gce"):
            raise ValidationError("SNUG-4", f"a proposal of a kind that has no place here: {p.kind}")


def snug_5(v: CommitView) -> None:
    """Every commit heals its author."""
    if v.path_leaf is None:
        raise ValidationError("SNUG-5", "the commit has no path")


def snug_6(v: CommitView) -> None:
    """Nobody changes who they are in passing."""
    old, new = None if v.sender is None else v.members.get(v.sender), v.path_leaf
    if old is None or new is None:
        return  # SNUG-2 and SNUG-5 speak of that
    if (old.signature_key, old.identity, old.capabilities, old.extensions) != (
        new.signature_key,
        new.identity,
        new.capabilities,
        new.extensions,
    ):
        raise ValidationError("SNUG-6", "the committer's leaf changed its key, name or capabilities")


def snug_7(v: CommitView) -> None:
    """Powers are the hosts'."""
    if v.context.host_return is not None:
        return  # SNUG-9 has judged it
    if v.rejoin_leaf is not None:
        snug_8(v)
        return
    if v.policy.mode is Mode.LOCKED and v.of("add"):
        raise ValidationError("SNUG-7", "the room is locked: nobody new")
    if v.by_host:
        return
    for p in v.proposals:
        if p.kind in ("add", "gce") or (p.kind == "remove" and not _is_self_remove(p)):
            raise ValidationError("SNUG-7", f"only a host may do that ({p.kind})")


def snug_8(v: CommitView) -> None:
    """A rejoin: exactly {Remove(i), Add, PSK}, same key and credential, a fresh ticket of this group.

    The ticket's chain is for the member who commits it to compare: who came later doesn't know it, and a
    verdict must not depend on that. Who is stuck on another's commit is never too often back: else whoever
    spoils three commits for one member would be rid of it. A ticket names who may commit it: else any member
    could use it up, and keep the Welcome.
    """
    adds, removes = v.of("add"), v.of("remove")
    if len(v.proposals) != 3 or len(v.of("psk")) != 1 or len(adds) != 1 or len(removes) != 1:
        raise ValidationError("SNUG-8", "a rejoin is one Remove, one Add and one PSK")
    added, raw, leaf = adds[0].added, adds[0].ticket, removes[0].removed
    old = None if leaf is None else v.members.get(leaf)
    if added is None or raw is None or old is None or removes[0].by_reference:
        raise ValidationError("SNUG-8", "a rejoin replaces a member's leaf, and carries a ticket")
    if added.signature_key != old.signature_key or added.identity != old.identity:
        raise ValidationError("SNUG-8", "who rejoins has another key or name than the leaf had")
    if added.encryption_key == old.encryption_key:
        raise ValidationError("SNUG-8", "who rejoins brings no fresh key")
    try:
        ticket = RejoinTicket.decode(raw)
    except MalformedError as error:
        raise ValidationError("SNUG-8", str(error)) from None
    if ticket.group_id != v.group_id:
        raise ValidationError("SNUG-8", "the ticket is of another group")
    if not v.by_host if ticket.by == ANY_HOST else ticket.by != v.sender:
        raise ValidationError("SNUG-8", "the ticket is for somebody else to commit")
    if not 0 <= v.slot - 1 - ticket.slot < REJOIN_SLOTS:
        raise ValidationError("SNUG-8", f"the ticket is of slot {ticket.slot}, too far from {v.slot}")
    recent = [r for r in v.ledger.rejoins if v.slot - r.slot < REJOIN_SLOTS]
    if any(r.nonce == ticket.nonce for r in recent):
        raise ValidationError("SNUG-8", "the ticket has been used")
    if ticket.stuck and ticket.slot + 1 < v.slot:
        return  # somebody else's commit brought that about, and could do so again and again
    if sum(r.signature_key == old.signature_key and not r.stuck for r in recent) >= REJOINS_MAX:
        raise ValidationError("SNUG-8", f"more than {REJOINS_MAX} rejoins in {REJOIN_SLOTS} slots")


def snug_9(v: CommitView) -> None:
    """A host that has crashed comes back, by whoever commits it: the host seed's key signs for it.

    It is added, made a host in place of its old leaf, if that is still there, and nothing else changes. Once
    a host was removed or lost its powers the seed is in other hands too, and nobody comes back by it.
    """
    returned = v.context.host_return
    if returned is None:
        return
    adds, removes, changes = v.of("add"), v.of("remove"), v.of("gce")
    if len(adds) != 1 or len(changes) != 1 or len(removes) > 1 or len(v.proposals) != 3 + len(removes):
        raise ValidationError("SNUG-9", "a host's return is one Add, one PSK, one change of the policy")
    if any(p.by_reference for p in v.proposals) or adds[0].ticket is not None:
        raise ValidationError("SNUG-9", "a host's return stands by itself")
    if v.ledger.returns_closed:
        raise ValidationError("SNUG-9", "somebody holds the host seed who is no host any more")
    if not v.ledger.returned <= returned.slot < v.slot or v.slot - returned.slot > RETURN_SLOTS:
        raise ValidationError("SNUG-9", f"the return was signed at slot {returned.slot}, this is {v.slot}")
    message = host_return_message(v.group_id, adds[0].package, returned.slot)
    try:
        verify(v.policy.host_public, message, returned.signature)
    except SnugCryptoError:
        raise ValidationError("SNUG-9", "the return is not signed by the host key") from None
    hosts = set(v.policy.hosts)
    if removes:
        old = None if removes[0].removed is None else v.members.get(removes[0].removed)
        if old is None or old.signature_key not in hosts:
            raise ValidationError("SNUG-9", "the leaf that is replaced is no host's")
        if adds[0].added is None or adds[0].added.identity != old.identity:
            raise ValidationError("SNUG-9", "who returns has another name than the leaf had")
        hosts.discard(old.signature_key)
    if adds[0].added is not None:
        hosts.add(adds[0].added.signature_key)
    _changes_hosts_alone(v, changes[0], hosts)


def _changes_hosts_alone(v: CommitView, change: ProposalView, hosts: set[bytes]) -> None:
    expected = replace(v.policy, version=v.policy.version + 1, hosts=tuple(sorted(hosts))).encode()
    if change.extensions[1:] != ((POLICY_EXTENSION, expected),):
        raise ValidationError("SNUG-9", "a return changes who is a host, and nothing else")


def snug_10(v: CommitView) -> None:
    """Who is added holds the link's secret: a server that swaps a KeyPackage gains nobody."""
    adds, psks = v.of("add"), v.of("psk")
    if len(adds) > 1:
        raise ValidationError("SNUG-10", "more than one member is added at once")
    if len(psks) != len(adds):
        raise ValidationError("SNUG-10", "an Add goes with one PSK, and a PSK with one Add")
    if any(not p.psk_external or p.psk_id != LINK_PSK_ID for p in psks):
        raise ValidationError("SNUG-10", "the PSK is not the link's")


def snug_11(v: CommitView) -> None:
    """Keys are never used again, and no two people in the room look alike by name."""
    removed = {p.removed for p in v.of("remove")}
    rejoining = v.rejoin_leaf is not None
    for p in v.of("add"):
        if p.added is None:
            raise ValidationError("SNUG-11", "an Add without a leaf")
        if p.added.signature_key in v.ledger.keys and not rejoining:
            raise ValidationError("SNUG-11", "that signature key has been in this meeting before")
        name = _allowed_name(p.added)
        for leaf, member in v.members.items():
            if leaf not in removed and _looks_like(member, name):
                raise ValidationError("SNUG-11", "that name looks like a member's who is present")


def _allowed_name(leaf: LeafView) -> str:
    try:
        identity = Identity.decode(leaf.identity)
    except MalformedError as error:
        raise ValidationError("SNUG-11", str(error)) from None
    if identity.flags:
        raise ValidationError("SNUG-11", "flags that are not defined")
    return check_name(identity.name)


def _looks_like(member: LeafView, name: str) -> bool:
    try:
        return look_alike(Identity.decode(member.identity).name, name)
    except MalformedError:
        return False  # whoever made the group let that in: a name that can't be shown misleads nobody


def snug_12(v: CommitView) -> None:
    """Nobody comes in without an invite that all can see, nor twice by one for a single use."""
    invite = v.context.invite
    if not v.of("add") or v.rejoin_leaf is not None or v.context.host_return is not None:
        if invite is not None:
            raise ValidationError("SNUG-12", "an invite is named, and nobody new is added")
        return
    if invite is None:
        raise ValidationError("SNUG-12", "somebody is added without an invite")
    if invite in v.ledger.revoked:
        raise ValidationError("SNUG-12", f"invite {invite} has been revoked")
    if invite & SINGLE_USE and invite in v.ledger.used:
        raise ValidationError("SNUG-12", f"invite {invite} was for a single use")


def snug_13(v: CommitView) -> None:
    """The policy changes step by step, and nothing else of the context does."""
    for p in v.of("gce"):
        _exactly_two(p.extensions)
        if p.extensions[0] not in v.extensions:
            raise ValidationError("SNUG-13", "the required capabilities changed")
        try:
            new = Policy.decode(p.extensions[1][1])
        except MalformedError as error:
            raise ValidationError("SNUG-13", str(error)) from None
        if new.version != v.policy.version + 1 or new.host_public != v.policy.host_public:
            raise ValidationError("SNUG-13", "the policy is not the next version of ours")
        if new.flags != v.policy.flags:
            # people have spoken under them: whether words can be proven later is settled at the beginning
            raise ValidationError("SNUG-13", "the meeting's flags changed")


def _exactly_two(extensions: Sequence[tuple[int, bytes]]) -> None:
    if tuple(kind for kind, _ in extensions) != (REQUIRED_CAPABILITIES, POLICY_EXTENSION):
        raise ValidationError("SNUG-13", "the context does not carry exactly its two extensions")


def snug_14(v: CommitView) -> None:
    """Nobody outside may propose."""
    for p in v.of("gce"):
        _no_external_senders(p.extensions)


def _no_external_senders(extensions: Sequence[tuple[int, bytes]]) -> None:
    if any(kind == EXTERNAL_SENDERS for kind, _ in extensions):
        raise ValidationError("SNUG-14", "external senders are not allowed")


def _known_suite(suite: int) -> None:
    if suite not in SUITES:
        raise ValidationError("SNUG-15", f"suite {suite:#06x} is not of this profile")


def snug_15(v: CommitView) -> None:
    """Suite, version and sizes."""
    _known_suite(v.suite)
    if len(v.members) + len(v.of("add")) - len(v.of("remove")) > MEMBERS_MAX:
        raise ValidationError("SNUG-15", f"more than {MEMBERS_MAX} members")
    people = v.ledger.keys | {p.added.signature_key for p in v.of("add") if p.added is not None}
    if len(people) > LEDGER_KEYS_MAX:
        raise ValidationError("SNUG-15", f"more than {LEDGER_KEYS_MAX} people in one meeting")
    for p in v.of("add"):
        if p.suite != v.suite or p.version != MLS10:
            raise ValidationError("SNUG-15", "an added member speaks another suite or version")


def snug_16(error: Exception) -> ValidationError:
    """What crypto.mls found wrong with a commit, as a verdict of this list."""
    return ValidationError("SNUG-16", str(error))


#: In this order: a commit that breaks several is told the same first one by everybody. SNUG-8 is
#: reached through SNUG-7. Kinds and shapes come before what is read out of them.
COMMIT_CHECKS: Final[tuple[Callable[[CommitView], None], ...]] = (
    snug_2,
    snug_1,
    snug_15,
    snug_3,
    snug_4,
    snug_5,
    snug_6,
    snug_14,
    snug_13,
    snug_9,
    snug_7,
    snug_10,
    snug_11,
    snug_12,
)


def judge_commit(view: CommitView) -> None:
    """All checks on a commit; ValidationError names the first that it breaks."""
    for check in COMMIT_CHECKS:
        check(view)


def judge_group(*, suite: int, extensions: Sequence[tuple[int, bytes]], members: Iterable[LeafView]) -> None:
    """What a newcomer asks of the group that it is led into: what commits can't have brought about.

    ValidationError with SNUG-11, 13, 14 or 15. Whoever made the group was judged by nobody.
    """
    _known_suite(suite)
    _no_external_senders(extensions)
    _exactly_two(extensions)
    for member in members:
        _allowed_name(member)


def snug_17(*, epoch: int, current: int, generation_gap: int, sender_removed: bool) -> None:
    """On any member's message: fresh enough, and of somebody who is still here."""
    if not current - 1 <= epoch <= current:
        raise ValidationError("SNUG-17", f"a message of epoch {epoch}, in epoch {current}")
    if generation_gap > GENERATION_GAP:
        raise ValidationError("SNUG-17", f"a message {generation_gap} generations ahead")
    if sender_removed:
        raise ValidationError("SNUG-17", "a message of a member who has been removed")


def snug_18(*, by_host: bool, chain: bytes, current_chain: bytes) -> None:
    """END and MOVE: powers of hosts, and only about the meeting as it is now."""
    if not by_host:
        raise ValidationError("SNUG-18", "only a host ends or moves the meeting")
    if chain != current_chain:
        raise ValidationError("SNUG-18", "it speaks of another history than ours")


def snug_19(*, seq: int, prev: bytes, digest: bytes, known: Mapping[int, tuple[bytes, bytes]]) -> None:
    """A member beats in one line: what it has signed twice in different words, it has told to two audiences.

    `known` are (prev, digest) of the same membership's beats by their number. A gap breaks nothing, nor does
    a beat that comes late or again: a server can bring that about. Only two signatures of the member's own
    can contradict each other.
    """
    if (seq == 1) != (prev == NO_BEAT):
        raise ValidationError(
            "SNUG-19", "a first beat that follows another, or a later one that follows none"
        )
    if seq in known and known[seq][1] != digest:
        raise ValidationError("SNUG-19", f"two beats with the number {seq}")
    if seq - 1 in known and known[seq - 1][1] != prev:
        raise ValidationError("SNUG-19", f"beat {seq} does not follow the one before it")
    if seq + 1 in known and known[seq + 1][0] != digest:
        raise ValidationError("SNUG-19", f"beat {seq + 1} does not follow the one before it")


def snug_20(*, announcers: Mapping[int, int], key_leaf: int, stream: int) -> None:
    """A stream that nobody announced, or another than its key says, is nobody's picture.

    `announcers` are the leaves that announced this SSRC, and as which stream number.
    """
    if not announcers:
        raise ValidationError("SNUG-20", "a stream that nobody has announced")
    if key_leaf not in announcers:
        raise ValidationError("SNUG-20", "a stream sealed by another than who announced it")
    if announcers[key_leaf] != stream:
        raise ValidationError("SNUG-20", "a stream sealed as another than it was announced")


def snug_21(*, tag_size: int, replayed: bool) -> None:
    """Frames carry the whole tag, and are opened once."""
    if tag_size != SFRAME_TAG:
        raise ValidationError("SNUG-21", f"a tag of {tag_size} bytes")
    if replayed:
        raise ValidationError("SNUG-21", "a frame that has been seen")


def snug_22(*, forged: bool, unlisted: float) -> None:
    """All members share the media keys: only its own signature says that a frame is a member's.

    `forged`: the leaf's signed lists name another frame in its place, or pass it over. `unlisted` are seconds
    of sound or pictures, from the oldest frame on that no list has named yet.
    """
    if forged:
        raise ValidationError("SNUG-22", "a frame that its sender has not signed")
    if unlisted > MEDIA_SIGNATURE_TIME:
        raise ValidationError("SNUG-22", "sound or pictures that nobody has signed in time")
