"""One participant's session: the lobby, the room, and the transitions between them.

`handle(input, now) -> effects` is the whole interface. `now` is in Unix seconds and never goes back: the
shell anchors a monotonic clock to the wall clock once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.entry.guest import Entry, GuestLobby
from snugroom.client.session.entry.helper import ATTENDANTS_MAX, FIRST_NUMBER, MembersLobby, RejoinHelper
from snugroom.client.session.entry.invites import InviteBook, invite_name
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.entry.recovery import HostReturnLobby, RejoinLobby
from snugroom.client.session.features.build import build
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.features.roles import Roles
from snugroom.client.session.kernel.commands import carry_out
from snugroom.client.session.kernel.frames import Frames
from snugroom.client.session.kernel.intents import AddIntent, EntryIntent, RejoinIntent
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.client.session.options import Options
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.room_state import REPORTS, SINGLE_USE, Ledger, Mode, Policy, RejoinTicket
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import HostSeed, Invite, link_psk, room_number
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.kdf import H, Rng, SigningKey
from snugroom.server.wire.messages import ServerMessage

Admission = Literal["ask", "all"]


class Session:
    """One participant: create it by `host`, `join` or `rejoin_as_host`, feed inputs, perform the effects."""

    def __init__(self, me: Me, invite: Invite, options: Options, rng: Rng) -> None:
        self._me = me
        self._invite = invite
        self._book = InviteBook()
        #: Index of the open invite, for everybody without a personal one; None without one.
        self._open: int | None = None
        self._options = options
        self._rng = rng
        self._effects: list[ev.Effect] = []
        self._room: RoomSession | None = None
        self._host: HostLobby | None = None
        self._guest: GuestLobby | HostReturnLobby | None = None
        self._members: MembersLobby | None = None
        self._rejoin_helper: RejoinHelper | None = None
        self._helper: int | None = None  # the leaf of the member who let us rejoin last
        self._kept: HostRecoveryData | None = None
        self._ended: ev.Ended | None = None
        self._publish: ev.Publish | None = None
        self._policy: Policy | None = None  # as of the last check whether we are a host
        # The results of our commits for newcomers, answered at the end of the input that brought them.
        self._admitted: list[tuple[EntryIntent, bytes]] = []
        self._not_admitted: list[tuple[EntryIntent, str]] = []

    # -- constructors ----------------------------------------------------------------------------

    @classmethod
    def host(
        cls,
        *,
        origin: str,
        name: str,
        title: str = "",
        admission: Admission = "ask",
        invites: Sequence[ev.NewInvite] = (),
        open_invite: bool = True,
        options: Options = Options(),  # noqa: B008 - frozen
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Open a meeting at a server, with the open invite and the further invites in `invites`.

        ValidationError("SNUG-11") if the name is not allowed, ValueError if a label is not.
        """
        me = Me(name, rng)
        seed = HostSeed.from_random(rng)
        secret = rng(16)
        session = cls(me, seed.invite(origin, secret, 0), options, rng)
        mode = Mode.WAVE_IN if admission == "all" else Mode.ASK
        flags = REPORTS if options.reports else 0
        group = me.found(Policy(1, (me.public,), seed.host_public, mode, title, flags=flags), now)
        door_key = SigningKey.generate(rng)
        room_admin = seed.room_admin_key(group.group_id).public
        number = room_number(door_key.public, room_admin)
        membership = Membership(
            group,
            room=number,
            slot=0,
            chain=H(b"snug 1 chain", number),
            ledger=Ledger(keys=frozenset({me.public})),
            link_psk=link_psk(secret),
            now=now,
            rng=rng,
        )
        session._room = session._make_room(membership, door_key, room_admin, seed, now)
        session._room.start()
        session._host = session._host_lobby(seed, now)
        session._policy = membership.policy
        if open_invite:
            session._open = 0
            session._book.first()
            session._tell(ev.InviteMade(session._invite.link(), 0))
        for wanted in invites:
            session._new_invite(session._room, wanted)
        session._collect(now)
        return session

    @classmethod
    def join(
        cls,
        link: str,
        *,
        name: str,
        greeting: str = "",
        options: Options = Options(),  # noqa: B008 - frozen
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Knock with a link; MalformedError or UnsupportedError if the link is wrong, with the reason."""
        me = Me(name, rng)
        session = cls(me, Invite.parse(link), options, rng)
        book = options.contacts
        session._guest = GuestLobby(
            session._invite,
            name,
            greeting,
            me.package,
            session._psks(),
            identity=book.own if book is not None and options.show_identity else None,
            now=now,
            rng=rng,
        )
        session._collect(now)
        return session

    @classmethod
    def rejoin_as_host(
        cls,
        kept: HostRecoveryData,
        *,
        options: Options = Options(),  # noqa: B008 - frozen
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Return to a meeting as a host after a crash, with the data that `kept` gave before (SNUG-9)."""
        me = Me(kept.name, rng)
        session = cls(me, kept.host_seed.invite(kept.origin, kept.secret, 0), options, rng)
        session._kept = kept
        session._guest = HostReturnLobby(kept, me.package, session._psks(), now=now, rng=rng)
        session._collect(now)
        return session

    def kept(self) -> HostRecoveryData | None:
        """Return the data for a host to keep, sealed, for `rejoin_as_host`; None for others."""
        room = self._room
        if room is None or room.host_seed is None:
            return None
        return HostRecoveryData(
            room.host_seed,
            room.door_key.seed,
            self._invite.secret,
            room.m.group.group_id,
            self._invite.origin,
            self._me.name,
        )

    def _psks(self) -> dict[bytes, bytes]:
        return {policy.LINK_PSK_ID: link_psk(self._invite.secret)}

    # -- for the shell -----------------------------------------------------------------------------

    def start(self) -> list[ev.Effect]:
        """Return the first effects."""
        return self._drain()

    @property
    def origin(self) -> str:
        """The origin of the server that holds this meeting."""
        return self._invite.origin

    @property
    def ended(self) -> ev.Ended | None:
        """The reason that the session ended; None while it runs."""
        return self._ended

    @property
    def inside(self) -> bool:
        """Whether we are a member."""
        return self._room is not None

    @property
    def own_leaf(self) -> int | None:
        """Our leaf; None while we are not a member."""
        return None if self._room is None else self._room.m.own_leaf

    @property
    def names(self) -> dict[int, str]:
        """The members' names by leaf; empty while we are not a member."""
        return {} if self._room is None else {leaf: name for leaf, name, _ in self._room.m.members()}

    def name_of(self, leaf: int) -> str | None:
        """Return the name of the member at a leaf; None if there is no member."""
        if self._room is None or self._room.m.signature_key(leaf) is None:
            return None
        return self._room.m.name(leaf)

    @property
    def frames(self) -> Frames | None:
        """Seals and opens media frames under the room's current keys; None while we are not a member."""
        return None if self._room is None else self._room.frames

    # -- handle --------------------------------------------------------------------------------------

    def handle(self, what: ev.Input, now: float) -> list[ev.Effect]:
        """Process one input. ValueError, with a sentence, if a command cannot be carried out."""
        if self._ended is None:
            self._dispatch(what, now)
            self._collect(now)
        return self._drain()

    def _dispatch(self, what: ev.Input, now: float) -> None:
        match what:
            case ev.Received(endpoint, message):
                self._received(endpoint, message, now)
            case ev.Lost(endpoint, why, answered):
                if not endpoint.probe:
                    self._lost(endpoint, why, now)
                elif self._room is not None:
                    self._room.feature(Dropped).probe_lost(why, answered, now)
            case ev.Tick():
                host = None if self._guest is not None else self._host  # only one of them at a time
                for part in (self._room, host, self._guest):
                    if part is not None:
                        part.tick(now)
                if self._room is not None:
                    self._attend_lobby(self._room, now)
            case ev.Publish():
                self._publish = what
                if self._room is not None:
                    self._room.publish(what, now)
            case ev.Leave():
                self._leave(now)
            case ev.Admit(knock):
                self._admit(self._as_host(), self._in_room(), knock, now)
            case ev.Refuse(knock):
                self._as_host().refuse(knock, "The host did not let you in.", now)
            case ev.NewInvite():
                self._as_host()
                self._new_invite(self._in_room(), what)
            case ev.ListInvites():
                self._as_host()
                self._tell(ev.Invites(self._book.rows(self._in_room().m)))
            case ev.Revoke(index):
                self._revoke(self._as_host(), self._in_room(), index)
            case _:
                carry_out(self._in_room(), what, now)

    def _received(self, endpoint: ev.Endpoint, message: ServerMessage, now: float) -> None:
        if endpoint.probe:
            if self._room is not None:
                self._room.feature(Dropped).probe_received(message, now)
            return
        if endpoint.day is None:
            if self._room is not None:
                self._room.received(message, now)
            elif isinstance(self._guest, HostReturnLobby):
                self._guest.received_in_room(message)
        elif self._members is not None and self._room is not None:
            said = self._members.received(endpoint.day, message)
            if isinstance(said, lobby.RecoveryMessage):
                self._helping(self._room).message_posted(endpoint.day, said, self._room, self._room.rank, now)
        elif self._host is not None and self._room is not None and self._guest is None:
            self._in_lobby(self._host, self._room, endpoint.day, message, now)
        if endpoint.day is not None and self._guest is not None:
            self._guest.received(endpoint.day, message, now)

    def _in_lobby(
        self, host: HostLobby, room: RoomSession, day: int, message: ServerMessage, now: float
    ) -> None:
        """Process a message in a lobby where we are a host."""
        match host.received(day, message, room.m, now):
            case ev.Knocked() as knocked:
                self._tell(replace(knocked, label=self._book.label(knocked.invite)))
                if room.m.policy.mode is Mode.WAVE_IN and not room.feature(Roles).seed_exposed:
                    self._admit(host, room, knocked.knock, now)
            case RejoinIntent() as intent:
                room.queue(intent, now)
            case lobby.RecoveryMessage() as said:
                self._helping(room).message_posted(day, said, room, room.rank, now)

    def _admit(self, host: HostLobby, room: RoomSession, knock: int, now: float) -> None:
        """Let a newcomer in: the room commits it, and `admitted` or `not_admitted` has the result."""
        room.queue(host.admit(knock, now), now)

    def _lost(self, endpoint: ev.Endpoint, why: str, now: float) -> None:
        if endpoint.day is None:
            if self._room is not None:
                self._room.lost(why, now)
        else:
            if self._host is not None:
                self._host.lost(endpoint.day, now)
            if self._members is not None:
                self._members.lost(endpoint.day, now)
            if self._guest is not None:
                self._guest.lost(endpoint.day, why, now)

    def _in_room(self) -> RoomSession:
        if self._room is None:
            raise ValueError("you are not in the room yet")
        return self._room

    def _as_host(self) -> HostLobby:
        if self._host is None:
            raise ValueError("only a host can do that")
        return self._host

    def _leave(self, now: float) -> None:
        if self._room is not None:
            self._room.leave(now)
        else:
            self._end(ev.Ended("left", "You left."))
            self._tell(ev.Ended("left", "You left."))

    # -- between lobby and room --------------------------------------------------------------------------

    def _collect(self, now: float) -> None:
        """Pass results between lobby and room, and collect effects."""
        if self._room is not None:
            self._keep_book(self._room)
            self._answer_helped(self._room)
            if self._host is not None:
                self._serve(self._host, self._room, now)
        if self._guest is not None:
            self._check_guest(self._guest, now)
        room = self._room
        if room is not None:
            if self._policy is not room.m.policy:
                self._policy = room.m.policy
                if room.host_seed is not None and not room.m.is_host(room.m.own_leaf):
                    self._stop_hosting(room)
            if room.host_seed is not None and self._host is None:
                self._become_host(room.host_seed, now)
            if room.needs_rejoin and self._guest is None and room.ended is None:
                self._rejoin(room, now)
        for part in (self._room, self._host, self._guest, self._members):
            if part is not None:
                self._effects += part.effects
                part.effects.clear()
        if room is not None and room.ended is not None and self._ended is None:
            self._end(room.ended)

    def _serve(self, host: HostLobby, room: RoomSession, now: float) -> None:
        m = room.m
        admitted, self._admitted = self._admitted, []
        for done, welcome in admitted:
            identity = host.answer(done.knock, self._answer(room, done, welcome))
            if isinstance(done, AddIntent):
                host.used(done.invite)
            if identity is not None:
                key = done.key_package.leaf_node.signature_key
                room.feature(Vouching).record_identity(key, identity)
        failed, self._not_admitted = self._not_admitted, []
        for intent, why in failed:
            if isinstance(intent, AddIntent | RejoinIntent):
                host.not_added(intent, why, m)
        for index in m.ledger.revoked | self._book.taken_back:
            host.revoke(index)
        if m.policy.mode is Mode.LOCKED:
            host.lock(now)
        self._replace_open(room)

    def _keep_book(self, room: RoomSession) -> None:
        """Record who joined and left by which invite, and revocations by hosts; add our labels."""
        for i, effect in enumerate(room.effects):
            if isinstance(effect, ev.Tell) and isinstance(effect.event, ev.Roster):
                roster = effect.event
                self._book.changed(roster)
                if roster.invite is not None:
                    room.effects[i] = ev.Tell(replace(roster, label=self._book.label(roster.invite)))
        self._book.taken_back |= room.feature(Revocation).revoked

    # -- invites -----------------------------------------------------------------------------------------

    def _link(self, seed: HostSeed, index: int) -> Invite:
        return seed.invite(self._invite.origin, self._invite.secret, index, self._invite.servers)

    def _new_invite(self, room: RoomSession, wanted: ev.NewInvite) -> None:
        assert room.host_seed is not None
        known = room.m.ledger.used | room.m.ledger.revoked
        index = self._book.make(wanted.label, wanted.once, known, self._rng)
        link = self._link(room.host_seed, index).link()
        self._tell(ev.InviteMade(link, index, wanted.label, wanted.once))

    def _replace_open(self, room: RoomSession) -> None:
        """Replace the open link after a removal has revoked it: the removed member still holds it."""
        old = self._open
        if (
            old is None
            or old not in room.m.ledger.revoked
            or room.host_seed is None
            or room.ended is not None
        ):
            return
        self._open = None
        if old in self._book.taken_back:
            return
        try:
            self._open = self._book.make("", False, room.m.ledger.used | room.m.ledger.revoked, self._rng)
        except ValueError as error:
            self._tell(sentences.not_done(str(error)))
            return
        self._invite = self._link(room.host_seed, self._open)
        self._tell(ev.InviteMade(self._invite.link(), self._open, replaces=old))

    def _take_back(self, index: int) -> None:
        self._in_room().feature(Revocation).revoke(index)
        self._book.taken_back.add(index)

    def _revoke(self, host: HostLobby, room: RoomSession, index: int) -> None:
        if not self._book.known(index) and not host.knows(index):
            raise ValueError(f"no invite {index} is known here: /invites lists them")
        if index in self._book.taken_back or index in room.m.ledger.revoked:
            raise ValueError(f"invite {index} opens nothing any more")
        if index == self._open:
            self._open = None
        self._take_back(index)
        name = invite_name(index, self._book.label(index))
        self._tell(ev.Status("revoked", f"{name[:1].upper()}{name[1:]} opens nothing any more."))

    def _attend_lobby(self, room: RoomSession, now: float) -> None:
        """Let crashed hosts and members out of step back in, as a host or while no host is active."""
        if self._guest is not None or room.ended is not None:
            self._close_members()
            return
        helper = self._helping(room)
        attend = (
            self._host is None and room.sync.is_entered and room.rank < ATTENDANTS_MAX and room.hostless(now)
        )
        if attend and self._members is None:
            self._members = MembersLobby(self._invite, rng=self._rng)
        elif not attend:
            self._close_members()
        place = self._host or self._members
        if self._members is not None:
            self._members.tick(now)
        if place is not None:
            for wanted in helper.tick(room, room.rank, place.post, now):
                room.queue(wanted, now)

    def _helping(self, room: RoomSession) -> RejoinHelper:
        if self._rejoin_helper is None:
            self._rejoin_helper = RejoinHelper(room.door_key.seed, rng=self._rng)
        return self._rejoin_helper

    def _close_members(self) -> None:
        if self._members is not None:
            self._members.close()
            self._effects += self._members.effects
            self._members = None

    # -- for the room ----------------------------------------------------------------------------------------

    def admitted(self, intent: EntryIntent, welcome: bytes) -> None:
        """Answer the newcomer of `intent` at the end of this input: `_answer_helped` or `_serve` does."""
        self._admitted.append((intent, welcome))

    def not_admitted(self, intent: EntryIntent, why: str) -> None:
        """Refuse the newcomer of `intent` at the end of this input: `_serve` does."""
        self._not_admitted.append((intent, why))

    def _answer_helped(self, room: RoomSession) -> None:
        """Answer members and hosts whom we have let in again as a `RejoinHelper`."""
        place = self._host or self._members
        for done, welcome in self._admitted:
            if done.knock >= FIRST_NUMBER and place is not None:
                self._helping(room).answer(done.knock, self._answer(room, done, welcome), place.post)
        self._admitted = [each for each in self._admitted if each[0].knock < FIRST_NUMBER]
        # After a failure, the requester asks again, or asks another member.
        failed = [] if self._host is None else self._not_admitted
        self._not_admitted = [each for each in failed if each[0].knock < FIRST_NUMBER]

    def _answer(self, room: RoomSession, done: EntryIntent, welcome: bytes) -> lobby.Answer:
        key = done.key_package.leaf_node.signature_key
        return lobby.Answer(
            welcome=welcome,
            door_seed=room.door_key.seed,
            room_admin_public=room.room_admin_public,
            heartbeat_key=room.m.hand_heartbeat_key(),
            slot=room.m.journal.slot,
            chain=room.m.journal.chain,
            ledger=room.m.ledger.encode(),
            admission=room.feature(Reporting).admission_for(key),
        )

    def _check_guest(self, guest: GuestLobby | HostReturnLobby, now: float) -> None:
        if guest.refusal is not None:
            self._close_guest(guest)
            self._end(ev.Ended("refused", guest.refusal))
            self._tell(ev.Ended("refused", guest.refusal))
        elif guest.entry is not None:
            self._enter(guest, guest.entry, now)

    def _close_guest(self, guest: GuestLobby | HostReturnLobby) -> None:
        guest.close()
        self._effects += guest.effects
        guest.effects.clear()
        self._guest = None

    def _enter(self, guest: GuestLobby | HostReturnLobby, entry: Entry, now: float) -> None:
        answer = entry.answer
        door_key = SigningKey(answer.door_seed)
        try:
            membership = Membership(
                entry.group,
                room=room_number(door_key.public, answer.room_admin_public),
                slot=answer.slot,
                chain=answer.chain,
                ledger=Ledger.decode(answer.ledger),
                link_psk=link_psk(self._invite.secret),
                now=now,
                handed=answer.heartbeat_key,
                rng=self._rng,
            )
        except SnugCryptoError as error:
            if not isinstance(guest, GuestLobby) or isinstance(guest, RejoinLobby):
                guest.entry = None  # the answer may be from a former member: another may still come
                return
            guest.refusal = f"The host's answer can't be used: {error}"
            self._check_guest(guest, now)
            return
        old = self._room
        self._room = self._make_room(membership, door_key, answer.room_admin_public, self._seed(), now)
        self._policy = None
        self._admitted.clear()
        self._not_admitted.clear()
        if isinstance(guest, RejoinLobby) and guest.helped_by is not None:
            self._helper = guest.helped_by
        self._book.enter(membership)
        self._close_guest(guest)
        if old is not None:
            self._effects += old.effects
        if old is not None or self._kept is not None:
            self._effects.append(ev.Disconnect(ev.ROOM))
        if old is not None:
            self._room.carry_over(old)
        elif self._kept is not None:
            self._room.feature(Monitor).forget_confirmations()
        self._room.feature(Reporting).take(answer.admission)
        self._room.start()
        if self._kept is not None and self._host is None:
            self._become_host(self._kept.host_seed, now)
            self._tell(ev.InviteMade(self._invite.link(), self._invite.index))
        if self._publish is not None:
            self._room.publish(self._publish, now)

    def _make_room(
        self,
        membership: Membership,
        door_key: SigningKey,
        room_admin: bytes,
        seed: HostSeed | None,
        now: float,
    ) -> RoomSession:
        return RoomSession(
            membership,
            origin=self._invite.origin,
            door_key=door_key,
            room_admin_public=room_admin,
            host_seed=seed,
            owner=self,
            build_features=build,
            now=now,
            options=self._options,
            rng=self._rng,
        )

    def _seed(self) -> HostSeed | None:
        """The host seed, if we had it before this membership."""
        if self._room is not None:
            return self._room.host_seed
        return None if self._kept is None else self._kept.host_seed

    def _rejoin(self, room: RoomSession, now: float) -> None:
        ticket = RejoinTicket(
            group_id=room.m.group.group_id,
            slot=room.m.journal.slot,
            chain=room.m.journal.chain,
            nonce=b"",  # set for each KeyPackage
            stuck=room.stuck_at is not None,
        )

        def package(at: float, nonce: bytes, by: int) -> mls.KeyPackageBundle:
            return self._me.package(at, replace(ticket, nonce=nonce, by=by))

        if self._host is not None:
            self._host.close()  # until we are in again; guests there knock at our next card
        self._close_members()
        self._tell(ev.Alarm("rejoining", "This participant fell out of step, and asks to be let in again."))
        self._guest = RejoinLobby(
            self._invite,
            self._me.name,
            room,
            package,
            self._psks(),
            first=self._helper,
            now=now,
            rng=self._rng,
        )

    def _become_host(self, seed: HostSeed, now: float) -> None:
        self._invite = self._link(seed, self._invite.index)
        self._open = None if self._invite.index & SINGLE_USE else self._invite.index
        self._host = self._host_lobby(seed, now)
        self._tell(ev.Status("host", "You are a host of this meeting now."))

    def _host_lobby(self, seed: HostSeed, now: float) -> HostLobby:
        return HostLobby(
            seed,
            self._invite.secret,
            self._invite.origin,
            self._book,
            take_back=self._take_back,
            contacts=self._options.contacts,
            now=now,
            rng=self._rng,
        )

    def _stop_hosting(self, room: RoomSession) -> None:
        """Forget, as far as a program can, what only hosts have: we have lost or given up the host role."""
        room.drop_host_seed()
        self._admitted.clear()
        self._not_admitted.clear()
        self._open = None
        if self._host is not None:
            self._host.close()
            self._effects += self._host.effects
            self._host = None
        self._tell(ev.Status("no_host", "You are no host of this meeting any more."))

    def _end(self, ended: ev.Ended) -> None:
        self._ended = ended
        self._close_members()
        if self._host is not None:
            self._host.close()
            self._effects += self._host.effects
            self._host.effects.clear()

    def _tell(self, event: ev.Event) -> None:
        self._effects.append(ev.Tell(event))

    def _drain(self) -> list[ev.Effect]:
        effects, self._effects = self._effects, []
        return effects
