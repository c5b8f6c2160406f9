"""One participant's session: the lobby, the room, and the transitions between them.

`handle(input, now) -> effects` is the whole interface. `now` is in Unix seconds and never goes back: the
shell anchors a monotonic clock to the wall clock once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from typing import Final, Literal

from snugroom.client.session import addresses
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.entry.guest import Entry, GuestLobby
from snugroom.client.session.entry.helper import MembersLobby
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.entry.recovery import HostReturnLobby, RejoinLobby
from snugroom.client.session.features.build import build
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.kernel import entering, hosting
from snugroom.client.session.kernel.admissions import Admissions
from snugroom.client.session.kernel.alarms import RepeatedAlarms
from snugroom.client.session.kernel.commands import carry_out
from snugroom.client.session.kernel.frames import Frames
from snugroom.client.session.kernel.keeping import Comeback, Keeping
from snugroom.client.session.kernel.known_servers import KnownServers
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.meeting_invites import MeetingInvites
from snugroom.client.session.kernel.readmission import Readmission
from snugroom.client.session.kernel.reentry import Reentry
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.kernel.server_link import ServerLink
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.client.session.options import Options
from snugroom.crypto.agreed.room_state import Mode, Policy
from snugroom.crypto.entry.invite import HostKeys, HostSeed, Invite
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import Rng
from snugroom.wire.messages import ServerMessage

Admission = Literal["ask", "all"]
_USUAL: Final = Options()
_Guest = GuestLobby | HostReturnLobby


class Session:
    """One participant: create it by `host`, `join` or `rejoin_as_host`, feed inputs, perform the effects."""

    def __init__(self, me: Me, invite: Invite, options: Options, rng: Rng, now: float) -> None:
        self._me = me
        self._invites = MeetingInvites(invite, rng)
        self._admissions = Admissions(rng)
        self._numbers = count(1)  # of newcomers and returning hosts, as our person is told them
        self._readmission = Readmission(self._numbers, rng)
        self._options = options
        self._servers = KnownServers(invite, options)
        self._rng = rng
        self._effects: list[ev.Effect] = []
        self._room: RoomSession | None = None
        self._host: HostLobby | None = None
        self._guest: _Guest | None = None
        self._reentry = Reentry(rng)
        self._kept: HostRecoveryData | None = None
        self._comeback: Comeback | None = None
        self._keeping = Keeping(options.keep)
        self._ended: ev.Ended | None = None
        self._publish: ev.Publish | None = None
        self._repeated = RepeatedAlarms()
        self._link = ServerLink(invite.origin, now, founds=False, slowness=options.slowness)
        self._policy: Policy | None = None  # as of the last check whether we are a host

    # -- constructors ----------------------------------------------------------------------------

    @classmethod
    def host(
        cls,
        *,
        origin: str,
        servers: Sequence[str] = (),
        name: str,
        title: str = "",
        admission: Admission = "ask",
        invites: Sequence[ev.NewInvite] = (),
        open_invite: bool = True,
        again: MemberRecoveryData | None = None,
        options: Options = _USUAL,
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Open a meeting at a server, with the open invite and `invites`. `servers`: where it can go on.

        `again`: what a host's device has kept of a meeting that nobody is in. Its links lead here then.
        CommandError for a label and a strange server, ValidationError("SNUG-11") for the name.
        """
        me = Me(name, rng)
        addresses.check_all(origin, servers, anywhere=options.private_servers)
        if again is None or again.host_keys is None:
            seed, secret, index = HostSeed.from_random(rng), rng(16), 0
        else:
            seed, secret, index = again.host_keys.current, again.invite.secret, again.invite.index
        link = seed.invite(origin, secret, index, tuple(servers))
        session = cls(me, link, options, rng, now)
        session._link = ServerLink(origin, now, founds=True, slowness=options.slowness)
        mode = Mode.WAVE_IN if admission == "all" else Mode.ASK
        founded = entering.found_meeting(
            me, seed, link, title=title, mode=mode, flags=options.flags, now=now, rng=rng
        )
        keys = HostKeys((seed,))
        session._room = session._make_room(founded, keys, now)
        session._room.start()
        session._host = session._host_lobby(keys, now)
        session._policy = founded.membership.policy
        if open_invite:
            session._tell(session._invites.opened())
        for wanted in invites:
            session._tell(session._invites.make(session._room, wanted))
        session._collect(now)
        return session

    @classmethod
    def join(
        cls,
        link: str,
        *,
        name: str,
        greeting: str = "",
        options: Options = _USUAL,
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Knock with a link; MalformedError or UnsupportedError if the link is wrong, with the reason."""
        me = Me(name, rng)
        session = cls(me, Invite.parse(link), options, rng, now)
        invites = session._invites
        session._guest = entering.guest_lobby(me, invites.own, greeting, invites.psks, options, now, rng)
        session._collect(now)
        return session

    @classmethod
    def rejoin_as_host(
        cls,
        kept: HostRecoveryData,
        *,
        options: Options = _USUAL,
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Return to a meeting as a host after a crash, with the data that `kept` gave before (SNUG-9)."""
        me = Me(kept.name, rng)
        link = kept.host_keys.seeds[0].invite(kept.origin, kept.secret, 0, kept.servers)
        session = cls(me, link, options, rng, now)
        session._kept = kept
        rejoin_key, make_package = me.new_leaf()
        session._guest = HostReturnLobby(
            kept, make_package, session._invites.psks, rejoin_key, options, now=now, rng=rng
        )
        session._collect(now)
        return session

    @classmethod
    def come_back(
        cls,
        kept: MemberRecoveryData,
        *,
        options: Options = _USUAL,
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Come back as the same member, with what the device has kept (`events.Keep`, SNUG-8)."""
        me = Me(kept.name, rng, kept.signature_seed)
        session = cls(me, kept.invite, options, rng, now)
        session._comeback = comeback = Comeback.begin(kept, rng)
        session._guest = entering.comeback_lobby(
            me, kept, comeback.keys, session._invites.psks, session._servers, now=now, rng=rng
        )
        session._collect(now)
        return session

    def kept(self) -> HostRecoveryData | None:
        """Return the data for a host to keep, sealed, for `rejoin_as_host`; None for others."""
        return None if self._room is None else entering.recovery_data(self._me, self._room, self._invites.own)

    # -- for the shell -----------------------------------------------------------------------------

    def start(self) -> list[ev.Effect]:
        """Return the first effects."""
        return self._drain()

    @property
    def origin(self) -> str:
        """The origin of the server that holds this meeting."""
        return self._invites.own.origin

    @property
    def options(self) -> Options:
        """A participant's choices."""
        return self._options

    @property
    def ended(self) -> ev.Ended | None:
        """The reason that the session ended; None while it runs."""
        return self._ended

    @property
    def inside(self) -> bool:
        """Whether we are a member of a room that the server has opened, or let us into."""
        return self._room is not None and self._link.contacted

    @property
    def entered(self) -> bool:
        """Whether we are connected to the room: before that, nobody hears that we leave."""
        return self._room is not None and self._room.sync.is_entered

    @property
    def contacted(self) -> bool:
        """Whether the server has ever let us in: into a lobby, or into an open room."""
        return self._link.contacted

    @property
    def own_leaf(self) -> int | None:
        """Our leaf; None while we are not a member."""
        return None if self._room is None else self._room.membership.own_leaf

    @property
    def names(self) -> dict[int, str]:
        """The members' names by leaf; empty while we are not a member."""
        members = () if self._room is None else self._room.membership.members()
        return {leaf: name for leaf, name, _ in members}

    @property
    def frames(self) -> Frames | None:
        """Seals and opens media frames under the room's current keys; None while we are not a member."""
        return None if self._room is None else self._room.frames

    # -- handle --------------------------------------------------------------------------------------

    def handle(self, what: ev.Input, now: float) -> list[ev.Effect]:
        """Process one input. CommandError if a command cannot be carried out."""
        if self._ended is None:
            outcome = self._link.check(what, now)
            self._effects += outcome.effects
            for each in outcome.inputs:
                self._dispatch(each, now)
            if outcome.ended is not None:
                self._end(outcome.ended)
            self._collect(now)
        return self._repeated.merged(self._drain(), now)

    def _dispatch(self, what: ev.Input, now: float) -> None:
        match what:
            case ev.Received(endpoint) | ev.Lost(endpoint) if endpoint.further is not None:
                if self._room is not None:
                    self._room.further(what, now)
            case ev.Received(endpoint, message):
                self._received(endpoint, message, now)
            case ev.Lost():
                self._lost(what, now)
            case ev.NetworkChanged():
                for each in (self._room, self._host, self._guest, self._readmission.members):
                    if each is not None:
                        each.hurry(now)
            case ev.Tick():
                for part in (self._room, self._guest or self._host):  # only one of these at a time
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
            case ev.Admit() | ev.Refuse() | ev.Replace():
                hosting.decide(self._as_host(), self._in_room(), self._readmission, what, now)
            case ev.AdmitAll() | ev.RefuseAll():
                admit = isinstance(what, ev.AdmitAll)
                self._tell(hosting.decide_all(self._as_host(), self._in_room(), admit, now))
            case ev.NewInvite() | ev.ListInvites() | ev.Revoke():
                result = hosting.about_invites(what, self._as_host(), self._in_room(), self._invites)
                if result is not None:
                    self._tell(result)
            case _:
                carry_out(self._in_room(), what, now)

    def _received(self, endpoint: ev.Endpoint, message: ServerMessage, now: float) -> None:
        if endpoint.day is None:
            if self._room is not None:
                self._room.received(message, now)
        elif self._readmission.members is not None and self._room is not None:
            said = self._readmission.members.received(endpoint.day, message)
            if not isinstance(said, bool):
                self._readmission.message_posted(endpoint.day, said, self._room, now)
        elif self._host is not None and self._room is not None and self._guest is None:
            told = hosting.in_lobby(self._host, self._room, self._readmission, endpoint.day, message, now)
            if told is not None:
                self._tell(told)
        if endpoint.day is not None and self._guest is not None:
            self._guest.received(endpoint.day, message, now)

    def _lost(self, lost: ev.Lost, now: float) -> None:
        endpoint, why = lost.endpoint, lost.why
        if endpoint.day is None and self._room is not None:
            self._room.lost(why, now, by_server=lost.by_server)
        elif endpoint.day is not None:
            for each in (self._host, self._readmission.members):
                if each is not None:
                    each.lost(endpoint.day, now)
            if self._guest is not None:
                self._guest.lost(endpoint.day, why, now)

    def _in_room(self) -> RoomSession:
        if self._room is None:
            raise CommandError(sentence("cannot.not_inside"))
        return self._room

    def _as_host(self) -> HostLobby:
        if self._host is None:
            raise CommandError(sentence("room.host_only"))
        return self._host

    def _leave(self, now: float) -> None:
        if not self._link.contacted:
            self._end(self._link.left())
        elif self._room is not None:
            self._room.leave(now)
        else:
            self._end(ev.Ended("left", sentence("room.you_left")))

    # -- between lobby and room --------------------------------------------------------------------------

    def _collect(self, now: float) -> None:
        """Pass results between lobby and room, and collect effects."""
        if self._room is not None:
            self._invites.record(self._room)
            self._admissions.answer_readmitted(self._room, self._readmission, self._host, now)
            if self._host is not None:
                for event in hosting.serve(self._host, self._room, self._invites, self._admissions, now):
                    self._tell(event)
        if self._guest is not None:
            self._check_guest(self._guest, now)
        room = self._room
        if room is not None:
            if self._policy is not room.membership.policy:
                self._policy = room.membership.policy
                if room.host_keys is not None and not room.membership.is_host(room.membership.own_leaf):
                    self._stop_hosting(room)
            if room.host_keys is not None and self._host is None:
                self._become_host(room.host_keys, now)
            self._consider_rejoin(room, now)
        for part in (self._room, self._host, self._guest, self._readmission.members):
            self._gather(part)
        if room is not None and room.ended is not None and self._ended is None:
            self._close(room.ended)  # the room has told it

    def _gather(self, part: RoomSession | HostLobby | _Guest | MembersLobby | None) -> None:
        if part is not None:
            self._effects += part.effects
            part.effects.clear()

    def _attend_lobby(self, room: RoomSession, now: float) -> None:
        """Let crashed hosts and members out of step back in, as a host or while no host is active."""
        if self._guest is not None or room.ended is not None:
            self._effects += self._readmission.close()
        else:
            self._effects += self._readmission.attend(room, self._host, self._invites.own, now)

    # -- entering, again too -----------------------------------------------------------------------------

    def _check_guest(self, guest: _Guest, now: float) -> None:
        if guest.refusal is not None:
            self._close_guest(guest)
            if self._room is not None:
                self._room.finish("refused", guest.refusal)
            else:
                self._end(ev.Ended("refused", guest.refusal))
        elif guest.entry is not None:
            self._enter(guest, guest.entry, now)

    def _close_guest(self, guest: _Guest) -> None:
        guest.close()
        self._gather(guest)
        self._guest = None

    def _enter(self, guest: _Guest, entry: Entry, now: float) -> None:
        try:
            arrival = entering.enter_meeting(entry, self._invites.own.secret, now, self._rng)
        except SnugError as error:
            if not isinstance(guest, GuestLobby) or isinstance(guest, RejoinLobby):
                guest.entry = None  # the answer may be from a former member: another may still come
                return
            guest.refusal = sentence("refusal.unusable", why=reasons.in_full(error))
            self._check_guest(guest, now)
            return
        old = self._room
        kept = self._kept or self._comeback
        before = None if kept is None else kept.host_keys  # our program's, before it ended
        self._room = self._make_room(arrival, before if old is None else old.host_keys, now)
        self._policy = None
        self._admissions.clear()
        self._reentry.entered(guest)
        self._invites.book.enter(arrival.membership)
        self._close_guest(guest)
        self._gather(old)
        if old is not None or self._kept is not None:
            self._effects.append(ev.Disconnect(ev.ROOM))
        if old is not None:
            self._room.carry_over(old)
        elif self._comeback is not None:
            self._room.membership.rejoin_keys.carry_over(self._comeback.keys)
        by_member = old is None and self._kept is not None
        self._room.feature(Monitor).let_in(now - entry.answer.at, by_member=by_member)
        self._room.feature(Reporting).take(entry.answer.admission)
        self._room.start(guest.origin)
        m = arrival.membership
        if before is not None and self._host is None and m.is_host(m.own_leaf):
            self._become_host(before, now)
            opened = None if len(before.seeds) == 1 else self._invites.keys_changed(self._room)
            self._tell(opened or ev.InviteMade(self._invites.own.link(), self._invites.own.index))
        if self._publish is not None:
            self._room.publish(self._publish, now)

    def _make_room(self, arrival: entering.Arrival, keys: HostKeys | None, now: float) -> RoomSession:
        return RoomSession(
            arrival.membership,
            servers=self._servers,
            door_key=arrival.door_key,
            room_admin_public=arrival.room_admin_public,
            host_keys=keys,
            owner=self._admissions,
            build_features=build,
            now=now,
            options=self._options,
            rng=self._rng,
        )

    def _consider_rejoin(self, room: RoomSession, now: float) -> None:
        """Ask to be let in again while the room needs it, and stop if it goes on without."""
        guest = self._guest
        if guest is None and room.seeks_readmission and room.ended is None:
            if self._host is not None:
                self._host.close()  # until we are in again; guests there knock at our next card
            self._effects += self._readmission.close()
            self._tell(self._reentry.reason(room, now))
            self._guest = self._reentry.ask(self._me, room, self._invites, now)
        elif isinstance(guest, RejoinLobby) and self._reentry.goes_on(guest, room, now):
            self._close_guest(guest)

    def _become_host(self, keys: HostKeys, now: float) -> None:
        self._invites.become_host()
        self._host = self._host_lobby(keys, now)
        self._tell(sentences.status("host"))

    def _host_lobby(self, keys: HostKeys, now: float) -> HostLobby:
        return HostLobby(
            keys,
            self._invites.own.secret,
            self._invites.own.origin,
            self._invites.book,
            take_back=lambda index: self._invites.take_back(self._in_room(), index),
            numbers=self._numbers,
            contacts=self._options.contacts,
            now=now,
            rng=self._rng,
        )

    def _stop_hosting(self, room: RoomSession) -> None:
        """Forget, as far as a program can, what only hosts have: we have lost or given up the host role."""
        room.drop_host_keys()
        self._admissions.clear()
        self._invites.stop_hosting()
        if self._host is not None:
            self._host.close()
            self._gather(self._host)
            self._host = None
        self._tell(sentences.status("no_host"))

    def _end(self, ended: ev.Ended) -> None:
        self._close(ended)
        self._tell(ended)

    def _close(self, ended: ev.Ended) -> None:
        self._ended = ended
        self._effects += self._keeping.over(ended)
        self._effects += self._readmission.close()
        if self._host is not None:
            self._host.close()
            self._gather(self._host)

    def _tell(self, event: ev.Event) -> None:
        self._effects.append(ev.Tell(event))

    def _drain(self) -> list[ev.Effect]:
        if self._ended is None:
            self._effects[:0] = self._keeping.due(self._me, self._room, self._invites.own, self._comeback)
        effects, self._effects = self._effects, []
        return self._link.performed(effects)
