"""A membership of a meeting that we open, or that somebody lets us into; and the lobby to be let in again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from snugroom.client.session import events as ev
from snugroom.client.session.addresses import led, strange
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.entry.guest import Entry, GuestLobby
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel.known_servers import KnownServers
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.rejoin_keys import RejoinKeys
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.options import Options
from snugroom.crypto import mls
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.names import check_text
from snugroom.crypto.agreed.room_state import TITLE_MAX, Mode, Policy, RejoinTicket
from snugroom.crypto.agreed.unicode14 import normalized
from snugroom.crypto.entry.answers import AlreadyMember
from snugroom.crypto.entry.invite import HostSeed, Invite, link_psk, room_number
from snugroom.crypto.entry.member_recovery import MemberRecoveryData, Standing
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.kdf import H, Rng, SigningKey


@dataclass(frozen=True)
class Arrival:
    """A new membership, and the keys of its room at the server."""

    membership: Membership
    door_key: SigningKey
    room_admin_public: bytes


def found_meeting(
    me: Me,
    seed: HostSeed,
    link: Invite,
    *,
    title: str,
    mode: Mode,
    flags: int,
    now: float,
    rng: Rng,
) -> Arrival:
    """Open a meeting, to which `link` leads. MalformedError if the title is not allowed."""
    title = check_text(normalized(title, "NFC"), TITLE_MAX)
    rejoin_key = SigningKey.generate(rng)
    group_id = rng(16)
    room_admin = seed.room_admin_key(group_id).public
    policy = Policy(
        1,
        (me.public,),
        seed.host_public,
        mode=mode,
        title=title,
        servers=seed.servers(group_id, link.servers),
        flags=flags,
        return_public=seed.return_public,
        room_admin_public=room_admin,
    )
    group = me.found(group_id, policy, rejoin_key, now)
    door_key = SigningKey.generate(rng)
    number = room_number(door_key.public, room_admin)
    membership = Membership(
        group,
        room=number,
        slot=0,
        chain=H(b"snug 1 chain", number),
        ledger=Ledger(keys=frozenset({me.public})),
        link_psk=link_psk(link.secret),
        rejoin_key=rejoin_key,
        now=now,
        rng=rng,
    )
    return Arrival(membership, door_key, room_admin)


def enter_meeting(entry: Entry, secret: bytes, now: float, rng: Rng) -> Arrival:
    """Enter with the answer from a lobby; SnugError if the answer cannot be used."""
    answer = entry.answer
    door_key = SigningKey(answer.door_seed)
    membership = Membership(
        entry.group,
        room=answer.number,
        slot=answer.slot,
        chain=answer.chain,
        ledger=Ledger.decode(answer.ledger),
        link_psk=link_psk(secret),
        rejoin_key=entry.rejoin_key,
        now=now,
        before=answer.before,
        places=answer.places,
        handed=answer.handed_keys,
        rng=rng,
    )
    return Arrival(membership, door_key, answer.room_admin_public)


def guest_lobby(
    me: Me, link: Invite, greeting: str, psks: dict[bytes, bytes], options: Options, now: float, rng: Rng
) -> GuestLobby:
    """Knock with a link."""
    rejoin_key, make_package = me.new_leaf()

    def rejoin_package(at: float, known: AlreadyMember) -> mls.KeyPackageBundle:
        ticket = RejoinTicket(known.group_id, known.slot, known.chain, rng(16))
        return me.package(at, rejoin_key, ticket, [rejoin_key])

    lobby = GuestLobby(
        replace(link, servers=led(link.origin, link.servers, anywhere=options.private_servers)),
        me.name,
        greeting,
        make_package,
        psks,
        rejoin_key,
        rejoin_package=rejoin_package,
        identity=options.identity,
        slowness=options.slowness,
        now=now,
        rng=rng,
    )
    for origin, why in strange(link.origin, link.servers, anywhere=options.private_servers):
        lobby.effects.append(ev.Tell(sentences.strange_server(link.origin, origin, why)))
    return lobby


def rejoin_lobby(
    me: Me,
    room: RoomSession,
    link: Invite,
    psks: dict[bytes, bytes],
    *,
    first: int | None,
    now: float,
    rng: Rng,
) -> RejoinLobby:
    """Ask the members of `room` to let us in again: we are out of step with it. `first` is asked first.

    All tickets of one stay there bring the same new rejoin key, and are signed with it too: if the answer to
    one of them is withheld, the next one still counts.
    """
    return _rejoin_lobby(
        me,
        lambda: standing(room),
        room.membership.rejoin_keys,
        link,
        psks,
        is_stuck=lambda: room.stuck_at is not None,
        servers=room.servers,
        first=first,
        now=now,
        rng=rng,
    )


def comeback_lobby(
    me: Me,
    kept: MemberRecoveryData,
    keys: RejoinKeys,
    psks: dict[bytes, bytes],
    servers: KnownServers,
    *,
    now: float,
    rng: Rng,
) -> RejoinLobby:
    """Ask the members to let us in again, with what our device has kept."""
    return _rejoin_lobby(
        me,
        lambda: kept.standing,
        keys,
        kept.invite,
        psks,
        is_stuck=lambda: False,
        servers=servers,
        first=None,
        final=True,
        now=now,
        rng=rng,
    )


def _rejoin_lobby(
    me: Me,
    now_standing: Callable[[], Standing],
    keys: RejoinKeys,
    link: Invite,
    psks: dict[bytes, bytes],
    *,
    is_stuck: Callable[[], bool],
    servers: KnownServers,
    first: int | None,
    final: bool = False,
    now: float,
    rng: Rng,
) -> RejoinLobby:
    def package(at: float, nonce: bytes, by: int) -> mls.KeyPackageBundle:
        at_last = now_standing()
        ticket = RejoinTicket(
            group_id=at_last.group_id,
            slot=at_last.slot,
            chain=at_last.chain,
            nonce=nonce,
            stuck=is_stuck(),
            by=by,
        )
        return me.package(at, keys.request(), ticket, keys.ticket_signers())

    link = replace(link, servers=servers.led(now_standing().policy.origins))
    return RejoinLobby(
        link, me.name, now_standing, keys, package, psks, first=first, final=final, now=now, rng=rng
    )


def standing(room: RoomSession) -> Standing:
    """Return the membership as our requests to be let in again name it."""
    m = room.membership
    return Standing(
        group_id=m.group.group_id,
        epoch=m.group.epoch,
        slot=m.journal.slot,
        chain=m.journal.chain,
        number=room.number,
        door_seed=room.door_key.seed,
        policy=m.policy,
        ledger=m.ledger,
        own_leaf=m.own_leaf,
        members=tuple((each.leaf, each.leaf_node.signature_key) for each in m.group.members()),
        origin=room.here.origin,
    )


def member_recovery_data(me: Me, room: RoomSession, link: Invite) -> MemberRecoveryData:
    """Return what a device keeps for `comeback_lobby`."""
    keys = room.membership.rejoin_keys
    return MemberRecoveryData(
        me.name,
        me.private,
        tuple(keys.all()),
        keys.request_count,
        room.servers.kept(link),
        standing(room),
        room.host_keys,
    )


def recovery_data(me: Me, room: RoomSession, link: Invite) -> HostRecoveryData | None:
    """Return the data for a host to keep, sealed, to return by after a crash; None for others."""
    if room.host_keys is None:
        return None
    m = room.membership
    door, servers = room.door_key.seed, room.servers.led(m.policy.origins)
    return HostRecoveryData(
        room.host_keys, door, link.secret, m.group.group_id, link.origin, me.name, servers
    )
