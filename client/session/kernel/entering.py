"""A membership of a meeting that we open, or that somebody lets us into; and the lobby to be let in again."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

from snugroom.client.session.entry.guest import Entry
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto import mls
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.names import check_text
from snugroom.crypto.agreed.room_state import TITLE_MAX, Mode, Policy, RejoinTicket
from snugroom.crypto.entry.invite import HostSeed, Invite, link_psk, room_number
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
    title = check_text(unicodedata.normalize("NFC", title), TITLE_MAX)
    rejoin_key = SigningKey.generate(rng)
    group_id = rng(16)
    room_admin = seed.room_admin_key(group_id).public
    policy = Policy(
        1,
        (me.public,),
        seed.host_public,
        mode,
        title,
        seed.servers(group_id, link.servers),
        flags,
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
    """Enter with the answer from a lobby; SnugCryptoError if the answer cannot be used."""
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
    m = room.membership

    def package(at: float, nonce: bytes, by: int) -> mls.KeyPackageBundle:
        ticket = RejoinTicket(
            group_id=m.group.group_id,
            slot=m.journal.slot,
            chain=m.journal.chain,
            nonce=nonce,
            stuck=room.stuck_at is not None,
            by=by,
        )
        return me.package(at, m.rejoin_keys.request, ticket, m.rejoin_keys.ticket_signers())

    return RejoinLobby(
        replace(link, servers=m.policy.origins), me.name, room, package, psks, first=first, now=now, rng=rng
    )


def recovery_data(me: Me, room: RoomSession, link: Invite) -> HostRecoveryData | None:
    """Return the data for a host to keep, sealed, to return by after a crash; None for others."""
    if room.host_keys is None:
        return None
    m = room.membership
    door = room.door_key.seed
    return HostRecoveryData(
        room.host_keys, door, link.secret, m.group.group_id, link.origin, me.name, m.policy.origins
    )
