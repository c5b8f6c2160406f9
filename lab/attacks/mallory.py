"""A member who misbehaves or helps the operator: messages that no honest client makes, with real keys."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from snugroom.client.connection import SessionCrypto
from snugroom.client.media.receiving import Opened
from snugroom.client.session import Session
from snugroom.client.session.catalogue import content
from snugroom.client.session.entry.guest import GuestLobby
from snugroom.client.session.kernel import entering
from snugroom.client.session.kernel.me import CAPABILITIES
from snugroom.client.session.kernel.membership import SUITE, room_pass
from snugroom.client.session.kernel.views import rejoin_key_extension
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.agreed.room_state import CommitContext, Identity
from snugroom.crypto.entry.invite import gate
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import BASE_KEY_LABEL, BASE_KEY_SIZE, TAGS_SIZE, EpochKeys, Stream
from snugroom.crypto.media.keys import SUITE as SFRAME
from snugroom.crypto.media.sframe import FrameKey, extract
from snugroom.lab.attacks.newcomer import join_from_outside
from snugroom.wire.messages import MediaKind


@dataclass(frozen=True)
class ForgedCommit:
    """A commit with valid signatures that breaks a rule: its blob and the Welcome."""

    blob: bytes = field(repr=False)
    welcome: bytes | None = field(repr=False)


def _membership(session: Session) -> Any:
    room = session._room
    assert room is not None
    return room.membership


def asks_for_card(session: Session) -> bytes | None:
    """Return the nonce by which a newcomer asks for a card: everybody with the link reads it in the lobby."""
    guest = session._guest
    return guest._nonces[-1][0] if isinstance(guest, GuestLobby) and guest._nonces else None


def ghost(name: str, now: float) -> mls.KeyPackageBundle:
    """Return a KeyPackage for a ghost: somebody whom no host admitted."""
    private, _ = mls.generate_signature_key(SUITE, os.urandom)
    return mls.create_key_package(
        SUITE,
        signature_private=private,
        credential=mls.Credential.basic(Identity(name).encode()),
        capabilities=CAPABILITIES,
        lifetime=mls.Lifetime(int(now) - 3600, int(now) + 3600),
        leaf_extensions=(rejoin_key_extension(SigningKey.generate()),),
        rng=os.urandom,
    )


def forged_commit(
    session: Session, proposals: Sequence[mls.Proposal], invites: tuple[int, ...] = ()
) -> ForgedCommit:
    """Return a commit of this member with any proposals, without the checks of an honest client."""
    m = _membership(session)
    prior_state = m.prior_state()
    context = CommitContext(m.room, prior_state.slot, prior_state.chain, m.ledger.digest(), invites)
    stage = m.group.stage(
        list(proposals),
        authenticated_data=context.encode(),
        force_path=True,
        psks=m._psks,
        leaf_extensions=m._leaf_extensions(SigningKey.generate()),
    )
    blob = m.cover_commit([stage.message], gate(room_pass(stage.group, m.room)))
    stage.drop()
    return ForgedCommit(blob, stage.welcome)


def add_of(session: Session, bundle: mls.KeyPackageBundle) -> list[mls.Proposal]:
    """Return the proposals that a host would make to admit somebody."""
    link = mls.PreSharedKey.external(policy.LINK_PSK_ID, os.urandom)
    return [link, mls.Add(bundle.key_package)]


def join_by_welcome(session: Session, forged: ForgedCommit, bundle: mls.KeyPackageBundle) -> mls.Group:
    """Return the group that the ghost of a forged commit joins."""
    assert forged.welcome is not None
    return mls.Group.join(forged.welcome, bundle, psks=_membership(session)._psks, rng=os.urandom)


def external_commit(session: Session, bundle: mls.KeyPackageBundle) -> tuple[ForgedCommit, mls.Group]:
    """Let the ghost add itself (RFC 9420 section 12.4.3.2), with a member's GroupInfo and envelope key."""
    m = _membership(session)
    prior_state = m.prior_state()
    message, group = join_from_outside(
        m.group.group_info(external_pub=True),
        bundle,
        authenticated_data=CommitContext(
            m.room, prior_state.slot, prior_state.chain, m.ledger.digest()
        ).encode(),
    )
    blob = m.cover_commit([message], gate(room_pass(group, m.room)))
    return ForgedCommit(blob, None), group


def false_end(session: Session) -> None:
    """Send END although this member is not a host."""
    room = session._room
    assert room is not None
    room.relay(content.End(room.membership.journal.chain))


@contextmanager
def claims_ahead(session: Session, slots: int) -> Iterator[None]:
    """While this lasts, the member signs heartbeats that name a change so far ahead, which nobody has."""
    membership, real = _membership(session), Heartbeat.signed

    def signed(beat: Heartbeat, number: bytes, sign: Callable[[str, bytes], bytes]) -> Heartbeat:
        if getattr(sign, "__self__", None) is membership:
            beat = replace(beat, slot=beat.slot + slots, chain=os.urandom(32))
        return real(beat, number, sign)

    setattr(Heartbeat, "signed", signed)  # noqa: B010 - for all members of this process
    try:
        yield
    finally:
        setattr(Heartbeat, "signed", real)  # noqa: B010 - as above


def name_private_gates(session: Session) -> None:
    """From now on this member's commits name gates that no pass of the room fits."""
    m = _membership(session)
    cover = m.cover_commit
    m.cover_commit = lambda messages, real_gate: cover(messages, gate(os.urandom(32)))


def thief_of(session: Session, now: float, rng: Rng = os.urandom) -> Session:
    """Return a session that rejoins with all that a member's program holds now, whatever it does later."""
    room = session._room
    assert room is not None
    stolen = copy(room)
    membership = stolen.membership = copy(room.membership)
    keys = membership.rejoin_keys = copy(membership.rejoin_keys)
    keys._rng = rng
    keys._out = deque((replace(commit, ends=set(commit.ends)) for commit in keys._out), keys._out.maxlen)
    keys._requests = keys._requests.copy()
    keys.begin_request()
    thief = Session(session._me, session._invites.own, session._options, rng, now)
    thief._guest = entering.rejoin_lobby(
        session._me, stolen, session._invites.own, session._invites.psks, first=None, now=now, rng=rng
    )
    return thief


class AllMediaKeys:
    """The media keys of all members, which every member of an epoch can derive."""

    def __init__(self, session: Session) -> None:
        group = _membership(session).group
        base_key = group.export(BASE_KEY_LABEL, b"", BASE_KEY_SIZE)
        tags = group.export("snug 1 tags", b"", TAGS_SIZE)
        self._secret = extract(SFRAME, base_key)
        self._names = EpochKeys.derive(
            epoch=group.epoch, base_key=base_key, tags=tags, leaf_count=group.leaf_count
        )

    def seal(self, leaf: int, stream: int, kind: MediaKind, frame: bytes, counter: int) -> bytes:
        """Seal a frame with the keys of the member at `leaf`, with any counter."""
        header = clear_header.header_for(kind, frame)
        key = FrameKey(SFRAME, self._secret, self._names.kid(leaf, stream))
        return header + key.encrypt(counter, clear_header.metadata(kind, header), frame)


class ImpersonatingCrypto:
    """Seals this member's own streams with another member's keys while `forging` is set."""

    def __init__(self, session: Session, inner: SessionCrypto, leaf: int) -> None:
        self._session = session
        self._inner = inner
        self._leaf = leaf
        self.forging = False
        self.forged = 0

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        """Seal a frame as the other member, with a counter of 100,000 or more, far ahead of the real one."""
        sealed = self._inner.seal(kind, frame, layer)
        if sealed is None or not self.forging:
            return sealed
        self.forged += 1
        stream = Stream.AUDIO if kind == "audio" else Stream.VIDEO
        return AllMediaKeys(self._session).seal(self._leaf, stream, kind, frame, 100_000 + self.forged)

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        """Open a frame honestly."""
        return self._inner.open(ssrc, kind, data)
