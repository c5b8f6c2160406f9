"""SNUG-1 to SNUG-22: rules that every member checks on each message (docs/reference/protocol.md, section 5).

Each number has one small function; all raise ValidationError with that number and nothing else. The functions
see only facts (`CommitView`), never a live group, so that the same test cases apply to both clients.

=======  ====================================================================================
SNUG-1   a commit's authenticated_data names our room, this slot, our chain, our ledger
SNUG-2   it is a PrivateMessage from a member
SNUG-3   its proposals are by value and the committer's own; exception: a by-reference Remove of oneself
SNUG-4   only Add, Remove, PreSharedKey and GroupContextExtensions
SNUG-5   it has a path
SNUG-6   the path's leaf keeps signature key, credential, capabilities and extensions, and has another rejoin
         key than before; an added leaf has a rejoin key
SNUG-7   Add, Remove and policies come from a host under the old policy; a locked room adds nobody; a host
         ends absent members' ways back
SNUG-8   ... except a rejoin: exactly {Remove, Add, PSK} of one leaf, with a ticket that the leaf's current
         rejoin key has signed; without the Remove for a member that was removed for absence (`rejoins`)
SNUG-9   ... and a host's return: exactly {Remove, PSK, Add, GCE}, in place of a host's leaf of that name,
         signed by the current return key, while no former host has that key
SNUG-10  at most 64 Adds, which come with exactly one PSK, external, the link's
SNUG-11  an added signature key is new; the name is allowed and does not look like that of a present member,
         nor like another added one
SNUG-12  each Add names an invite that is neither revoked nor a single-use invite that is used, or named twice
SNUG-13  GroupContextExtensions change only `snug_policy`: version + 1, host_public and flags unchanged, and a
         title that shows what it is (`names.check_text`); the keys of the hosts stay, or all change at once
SNUG-14  no external senders
SNUG-15  suite, version and sizes conform to the profile
SNUG-16  all of RFC 9420 12.2 to 12.4 (crypto.mls checks them; `snug_16` gives them this name)
SNUG-17  a message's epoch is the current or the last, its sender not removed, and its generation at most 200
         ahead (`crypto.mls.secrets` checks this part, before it derives a key)
SNUG-18  END and MOVE come from a host, on the current chain
SNUG-19  a member's heartbeats do not contradict each other: one per number, each follows the previous one,
         none from an earlier slot or epoch
SNUG-20  a media stream is announced by the leaf that its key id names
SNUG-21  SFrame: the full tag (the suite in use has it), and a replay window (`crypto.media.sframe.Opener`)
SNUG-22  a media frame is in its sender's signed list, within 2 s
=======  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from snugroom.crypto.agreed import room_state
from snugroom.crypto.agreed.commit_view import MLS10, CommitView, LeafView, ProposalView
from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT
from snugroom.crypto.agreed.ledger import LEDGER_KEYS_MAX
from snugroom.crypto.agreed.names import check_name, skeletons
from snugroom.crypto.agreed.policy_change import keys_stay_or_change, sound_policy
from snugroom.crypto.agreed.rejoins import replacement, snug_8
from snugroom.crypto.errors import MalformedError, SnugError, ValidationError
from snugroom.crypto.kdf import verify

#: PSK id of the link's secret.
LINK_PSK_ID: Final = b"snug 1 link"
REQUIRED_CAPABILITIES: Final = 0x0003
EXTERNAL_SENDERS: Final = 0x0005
SUITES: Final = frozenset({0x0001, 0x0003})
MEMBERS_MAX: Final = 1000
#: Maximum number of members that one commit adds.
ADDS_MAX: Final = 64
#: Maximum number of slots between the signature of a host's return and its commit.
RETURN_SLOTS: Final = 16
#: Number of slots without a commit of a host after which any member may commit a host's return.
RETURN_QUIET: Final = 16
#: Maximum seconds of audio or video without a signature of the sender.
MEDIA_SIGNATURE_TIME: Final = 2.0


def _is_self_remove(p: ProposalView) -> bool:
    return p.kind == "remove" and p.by_reference and p.sender is not None and p.sender == p.removed


def snug_1(v: CommitView) -> None:
    """A commit belongs to one room, one slot, one history: replayed or relocated commits fail."""
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
    """Only members commit, and only in encrypted form."""
    if not v.private:
        raise ValidationError("SNUG-2", "the commit is not a PrivateMessage")
    if v.sender not in v.members:
        raise ValidationError("SNUG-2", "the committer is not a member")


def snug_3(v: CommitView) -> None:
    """A host's ordinary commit must not carry out a stored proposal of a non-host."""
    for p in v.proposals:
        if not _is_self_remove(p) and (p.by_reference or p.sender != v.sender):
            raise ValidationError("SNUG-3", f"a proposal ({p.kind}) is not the committer's own, by value")


def snug_4(v: CommitView) -> None:
    """Only the proposal types that a meeting needs."""
    for p in v.proposals:
        if p.kind not in ("add", "remove", "psk", "gce"):
            raise ValidationError("SNUG-4", f"a proposal of a kind that has no place here: {p.kind}")


def snug_5(v: CommitView) -> None:
    """Every commit renews its author's keys."""
    if v.path_leaf is None:
        raise ValidationError("SNUG-5", "the commit has no path")


def snug_6(v: CommitView) -> None:
    """A commit must not change its author's identity, and renews its author's rejoin key.

    Whoever stole the keys of a leaf can therefore not rejoin in its place once the leaf has made a commit.
    """
    for p in v.of("add"):
        if p.added is not None:
            _has_rejoin_key(p.added)
    old, new = None if v.sender is None else v.members.get(v.sender), v.path_leaf
    if old is None or new is None:
        return  # SNUG-2 and SNUG-5 cover this
    if (old.signature_key, old.identity, old.capabilities, old.extensions) != (
        new.signature_key,
        new.identity,
        new.capabilities,
        new.extensions,
    ):
        raise ValidationError("SNUG-6", "the committer's leaf changed its key, name or capabilities")
    _has_rejoin_key(new)
    if new.rejoin_key == old.rejoin_key:
        raise ValidationError("SNUG-6", "the committer's leaf keeps its rejoin key")


def _has_rejoin_key(leaf: LeafView) -> None:
    if len(leaf.rejoin_key) != room_state.REJOIN_KEY_SIZE:
        raise ValidationError("SNUG-6", "a leaf has no rejoin key")


def snug_7(v: CommitView) -> None:
    """Only hosts add, remove, change policies, except SNUG-8, 9 and self-removal.

    A commit that says `absent` only removes, or puts a newcomer in the place of one member (`replacement`).
    """
    if v.context.withdrawn:
        _withdraws(v)
    others = (p for p in v.proposals if p.kind != "remove" or p.by_reference)
    if v.context.absent and any(others) and replacement(v) is None:
        raise ValidationError("SNUG-7", "with the removal of absent members comes something else")
    if v.context.host_return is not None:
        return  # SNUG-9 has checked it
    if v.rejoins:
        snug_8(v)
        return
    if v.policy.mode is room_state.Mode.LOCKED and v.of("add"):
        raise ValidationError("SNUG-7", "the room is locked: nobody new")
    if v.by_host:
        return
    for p in v.proposals:
        if p.kind in ("add", "gce") or (p.kind == "remove" and not _is_self_remove(p)):
            raise ValidationError("SNUG-7", f"only a host may do that ({p.kind})")


def _withdraws(v: CommitView) -> None:
    """A host ends the ways back of absent members, in a commit that does nothing else."""
    if not v.by_host:
        raise ValidationError("SNUG-7", "only a host ends an absent member's way back")
    if v.proposals:
        raise ValidationError("SNUG-7", "with the end of a way back comes something else")
    if any(v.ledger.away_member(key) is None for key in v.context.withdrawn):
        raise ValidationError("SNUG-7", "a way back ends that nobody has")


def snug_9(v: CommitView) -> None:
    """A crashed host returns: the current return key signs its KeyPackage, and a host commits it.

    Any member may commit it once no host has committed for `RETURN_QUIET` slots. Hosts' programs commit more
    often than that: a member that helps a thief of the key needs the server's help to get past them.

    The host is added and becomes a host in place of its old leaf, under the same name; nothing else changes.
    Once a host was removed, has left or has lost its role, a non-host has the return key too, and no return
    is accepted until the hosts' keys have changed.
    """
    returned = v.context.host_return
    if returned is None:
        return
    adds, removes, changes = v.of("add"), v.of("remove"), v.of("gce")
    if len(adds) != 1 or len(changes) != 1 or len(removes) != 1 or len(v.proposals) != 4:
        raise ValidationError(
            "SNUG-9", "a host's return is one Remove, one PSK, one Add, one change of the policy"
        )
    if any(p.by_reference for p in v.proposals) or adds[0].ticket is not None:
        raise ValidationError("SNUG-9", "a host's return stands by itself")
    if v.ledger.rotation_due:
        raise ValidationError("SNUG-9", "somebody holds the return key who is no host any more")
    if not v.ledger.returned <= returned.slot < v.slot or v.slot - returned.slot > RETURN_SLOTS:
        raise ValidationError("SNUG-9", f"the return was signed at slot {returned.slot}, this is {v.slot}")
    message = room_state.host_return_message(v.group_id, adds[0].package, returned.slot)
    try:
        verify(v.policy.return_public, message, returned.signature)
    except SnugError:
        raise ValidationError("SNUG-9", "the return is not signed by the hosts' current return key") from None
    if not v.by_host and v.slot - v.ledger.hosted <= RETURN_QUIET:
        raise ValidationError("SNUG-9", "a host lets hosts in again, while hosts are here")
    old = None if removes[0].removed is None else v.members.get(removes[0].removed)
    if old is None or old.signature_key not in v.policy.hosts:
        raise ValidationError("SNUG-9", "the leaf that is replaced is no host's")
    if adds[0].added is None or adds[0].added.identity != old.identity:
        raise ValidationError("SNUG-9", "who returns has another name than the leaf had")
    hosts = (set(v.policy.hosts) - {old.signature_key}) | {adds[0].added.signature_key}
    _changes_hosts_alone(v, changes[0], hosts)


def _changes_hosts_alone(v: CommitView, change: ProposalView, hosts: set[bytes]) -> None:
    expected = replace(v.policy, version=v.policy.version + 1, hosts=tuple(sorted(hosts))).encode()
    if change.extensions[1:] != ((room_state.POLICY_EXTENSION, expected),):
        raise ValidationError("SNUG-9", "a return changes who is a host, and nothing else")


def snug_10(v: CommitView) -> None:
    """Added members hold the link's secret: a server that swaps a KeyPackage cannot add anybody.

    One PSK is part of the epoch's secrets for all added members alike.
    """
    adds, psks = v.of("add"), v.of("psk")
    if len(adds) > ADDS_MAX:
        raise ValidationError("SNUG-10", "too many members are added at once")
    if len(psks) != (1 if adds else 0):
        raise ValidationError("SNUG-10", "Adds go with one PSK, and a PSK with an Add")
    if any(not p.psk_external or p.psk_id != LINK_PSK_ID for p in psks):
        raise ValidationError("SNUG-10", "the PSK is not the link's")


def snug_11(v: CommitView) -> None:
    """Signature keys are never reused, and no two present members have names that look alike.

    Each added member is compared with those that the same commit adds before it, too.
    """
    if not v.of("add"):
        return
    removed = {p.removed for p in v.of("remove")}
    keys = set() if v.rejoins else set(v.ledger.keys)
    names = {name for leaf, member in v.members.items() if leaf not in removed for name in _looks(member)}
    for p in v.of("add"):
        if p.added is None:
            raise ValidationError("SNUG-11", "an Add without a leaf")
        if p.added.signature_key in keys:
            raise ValidationError("SNUG-11", "that signature key has been in this meeting before")
        _allowed_name(p.added)
        looks = _looks(p.added)
        if not names.isdisjoint(looks):
            raise ValidationError("SNUG-11", "that name looks like a member's who is present")
        keys.add(p.added.signature_key)
        names.update(looks)


def _allowed_name(leaf: LeafView) -> None:
    try:
        identity = room_state.Identity.decode(leaf.identity)
    except MalformedError as error:
        raise ValidationError("SNUG-11", str(error)) from None
    if identity.flags:
        raise ValidationError("SNUG-11", "flags that are not defined")
    check_name(identity.name)


def _looks(member: LeafView) -> Sequence[tuple[int, str]]:
    """Return the skeletons of a member's name, numbered: two names look alike if they share one."""
    try:
        return tuple(enumerate(skeletons(room_state.Identity.decode(member.identity).name)))
    except MalformedError:
        return ()  # the creator of the group accepted it: a name that cannot be displayed misleads nobody


def snug_12(v: CommitView) -> None:
    """Every new member names an invite that all members see; a single-use invite admits one person.

    A newcomer in place of an absent member may name the invite that admitted that member.
    """
    invites, used, replaced = v.context.invites, set(v.ledger.used), replacement(v)
    if replaced is not None:
        used.discard(v.ledger.invite_of(replaced))
    comes_back = v.rejoins or v.context.host_return is not None
    new = 0 if comes_back else len(v.of("add"))
    if len(invites) > new:
        raise ValidationError("SNUG-12", "an invite is named, and nobody new is added")
    if len(invites) < new:
        raise ValidationError("SNUG-12", "somebody is added without an invite")
    for invite in invites:
        if invite in v.ledger.revoked:
            raise ValidationError("SNUG-12", f"invite {invite} has been revoked")
        if invite & room_state.SINGLE_USE and invite in used:
            raise ValidationError("SNUG-12", f"invite {invite} was for a single use")
        used.add(invite)


def snug_13(v: CommitView) -> None:
    """The policy changes one version at a time, and no other part of the context changes."""
    for p in v.of("gce"):
        _exactly_two(p.extensions)
        if p.extensions[0] not in v.extensions:
            raise ValidationError("SNUG-13", "the required capabilities changed")
        new = sound_policy(p.extensions[1][1])
        if new.version != v.policy.version + 1 or new.host_public != v.policy.host_public:
            raise ValidationError("SNUG-13", "the policy is not the next version of ours")
        if new.flags != v.policy.flags:
            # members have written under these flags: provability of messages is fixed at creation
            raise ValidationError("SNUG-13", "the meeting's flags changed")
        keys_stay_or_change(v.policy, new)


def _exactly_two(extensions: Sequence[tuple[int, bytes]]) -> None:
    if tuple(kind for kind, _ in extensions) != (REQUIRED_CAPABILITIES, room_state.POLICY_EXTENSION):
        raise ValidationError("SNUG-13", "the context does not carry exactly its two extensions")


def snug_14(v: CommitView) -> None:
    """Outsiders must not propose."""
    for p in v.of("gce"):
        _no_external_senders(p.extensions)


def _no_external_senders(extensions: Sequence[tuple[int, bytes]]) -> None:
    if any(kind == EXTERNAL_SENDERS for kind, _ in extensions):
        raise ValidationError("SNUG-14", "external senders are not allowed")


def _known_suite(suite: int) -> None:
    if suite not in SUITES:
        raise ValidationError("SNUG-15", f"suite {suite:#06x} is not of this profile")


def snug_15(v: CommitView) -> None:
    """Suite, version and sizes are those of the profile."""
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
    """Convert an error of crypto.mls about a commit to a verdict under this rule number."""
    return ValidationError("SNUG-16", str(error))


#: In fixed order, so that every member reports the same first violation. `snug_7` calls `snug_8`. Checks of
#: kind and shape come before checks of their contents.
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
    """Apply all checks to a commit. ValidationError names the first rule that it breaks."""
    for check in COMMIT_CHECKS:
        check(view)


def judge_group(*, suite: int, extensions: Sequence[tuple[int, bytes]], members: Iterable[LeafView]) -> None:
    """Check a newcomer's group for properties that no valid commit could have introduced.

    ValidationError with SNUG-6, 11, 13, 14 or 15. No member has validated the creation of the group.
    """
    _known_suite(suite)
    _no_external_senders(extensions)
    _exactly_two(extensions)
    sound_policy(extensions[1][1])
    for member in members:
        _allowed_name(member)
        _has_rejoin_key(member)


def snug_17(*, epoch: int, current: int, sender_removed: bool) -> None:
    """A member's message is recent, and its sender is still a member."""
    if not current - 1 <= epoch <= current:
        raise ValidationError("SNUG-17", f"a message of epoch {epoch}, in epoch {current}")
    if sender_removed:
        raise ValidationError("SNUG-17", "a message of a member who has been removed")


def snug_18(*, by_host: bool, chain: bytes, current_chain: bytes) -> None:
    """END and MOVE are reserved to hosts, and refer to the meeting's current state."""
    if not by_host:
        raise ValidationError("SNUG-18", "only a host ends or moves the meeting")
    if chain != current_chain:
        raise ValidationError("SNUG-18", "it speaks of another history than ours")


def snug_19(*, seq: int, prev: bytes, digest: bytes, known: Mapping[int, tuple[bytes, bytes]]) -> None:
    """A member's heartbeats form one chain: two signatures that contradict each other prove equivocation.

    `known` maps the numbers of heartbeats of the same membership to (prev, digest). A gap, a late or a
    repeated heartbeat breaks nothing: a server can cause these. Only two signatures of the member itself can
    contradict each other.
    """
    if (seq == 1) != (prev == NO_HEARTBEAT):
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
    """A stream needs an announcement by the leaf in its key id, with the stream number in its key id.

    `announcers` maps the leaves that announced this SSRC to the announced stream number.
    """
    if not announcers:
        raise ValidationError("SNUG-20", "a stream that nobody has announced")
    if key_leaf not in announcers:
        raise ValidationError("SNUG-20", "a stream sealed by another than who announced it")
    if announcers[key_leaf] != stream:
        raise ValidationError("SNUG-20", "a stream sealed as another than it was announced")


def snug_22(*, forged: bool, unlisted: float) -> None:
    """All members share the media keys: only the sender's signature proves the author of a frame.

    `forged`: the leaf's signed lists name another frame in this place, or skip it. `unlisted`: seconds of
    audio or video, from the oldest frame that no list has named yet.
    """
    if forged:
        raise ValidationError("SNUG-22", "a frame that its sender has not signed")
    if unlisted > MEDIA_SIGNATURE_TIME:
        raise ValidationError("SNUG-22", "sound or pictures that nobody has signed in time")
