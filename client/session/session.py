"""The whole of one participant: the lobby, the room, and the way from one to the other and back.

`handle(input, now) -> effects` is all there is to it. `now` is in Unix seconds and never goes back: the
shell anchors a monotonic clock to the wall clock once.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final, Literal

from client.session import events as ev
from client.session.intents import AddIntent, RejoinIntent
from client.session.lobby import Entry, GuestLobby, HostLobby
from client.session.membership import SUITE, Membership
from client.session.options import Options
from client.session.room import RoomSession
from crypto import lobby, mls, policy
from crypto.errors import SnugCryptoError
from crypto.invite import HostSeed, Invite, link_psk, room_number
from crypto.kdf import H, Rng, SigningKey
from crypto.media_keys import OpenedFrame
from crypto.names import check_name
from crypto.room_state import (
    POLICY_EXTENSION,
    REJOIN_EXTENSION,
    SINGLE_USE,
    Identity,
    Ledger,
    Mode,
    Policy,
    RejoinTicket,
)
from crypto.shim import Kind
from server.wire.messages import ServerMessage

#: Seconds for which a KeyPackage may be used; the admitting host judges it.
PACKAGE_LIFETIME: Final = 24 * 3600
_SKEW: Final = 3600

Admission = Literal["ask", "all"]


class _Me:
    """A participant's leaf: one signature key for one meeting."""

    def __init__(self, name: str, rng: Rng) -> None:
        self.name = check_name(name)
        self.rng = rng
        self.private, self.public = mls.generate_signature_key(SUITE, rng)

    def package(self, now: float, ticket: RejoinTicket | None = None) -> mls.KeyPackageBundle:
        """A fresh KeyPackage, with a rejoin ticket where one is given."""
        extensions = () if ticket is None else (mls.Extension(REJOIN_EXTENSION, ticket.encode()),)
        return mls.create_key_package(
            SUITE,
            signature_private=self.private,
            credential=mls.Credential.basic(Identity(self.name).encode()),
            capabilities=mls.Capabilities(extensions=(POLICY_EXTENSION, REJOIN_EXTENSION)),
            lifetime=mls.Lifetime(int(now) - _SKEW, int(now) + PACKAGE_LIFETIME),
            extensions=extensions,
            rng=self.rng,
        )


class Session:
    """One participant. Make one with `host` or `join`; then feed inputs and perform effects."""

    def __init__(self, me: _Me, invite: Invite, admission: Admission, options: Options, rng: Rng) -> None:
        self._me = me
        self._invite = invite
        self._admission: Admission = admission
        self._options = options
        self._rng = rng
        self._effects: list[ev.Effect] = []
        self._room: RoomSession | None = None
        self._host: HostLobby | None = None
        self._guest: GuestLobby | None = None
        self._ended: ev.Ended | None = None
        self._publish: ev.Publish | None = None

    # -- beginnings ------------------------------------------------------------------------------

    @classmethod
    def host(
        cls,
        *,
        origin: str,
        name: str,
        title: str = "",
        admission: Admission = "ask",
        options: Options = Options(),  # noqa: B008 - frozen
        now: float,
        rng: Rng = os.urandom,
    ) -> Session:
        """Open a meeting at a server; ValidationError("SNUG-11") if the name is not allowed."""
        me = _Me(name, rng)
        seed = HostSeed.from_random(rng)
        secret = rng(16)
        session = cls(me, seed.invite(origin, secret, 0), admission, options, rng)
        bundle = me.package(now)
        mode = Mode.WAVE_IN if admission == "all" else Mode.ASK
        first = Policy(1, (me.public,), seed.host_public, mode, title)
        required = mls.Extension(
            mls.ExtensionType.REQUIRED_CAPABILITIES,
            mls.RequiredCapabilities(extensions=(POLICY_EXTENSION,)).encode(),
        )
        group = mls.Group.create(
            bundle,
            group_id=rng(16),
            extensions=(required, mls.Extension(POLICY_EXTENSION, first.encode())),
            rng=rng,
        )
        door_key = SigningKey.generate(rng)
        steward = seed.steward_key(group.group_id).public
        number = room_number(door_key.public, steward)
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
        session._room = RoomSession(
            membership,
            origin=origin,
            door_key=door_key,
            steward_public=steward,
            host_seed=seed,
            now=now,
            options=options,
            rng=rng,
        )
        session._room.start()
        session._host = HostLobby(seed, secret, origin, now=now, rng=rng)
        session._tell(ev.InviteMade(session._invite.link(), 0))
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
        """Knock with a link; MalformedError or UnsupportedError say what is wrong with it."""
        me = _Me(name, rng)
        session = cls(me, Invite.parse(link), "ask", options, rng)
        session._guest = GuestLobby(
            session._invite, name, greeting, me.package, session._psks(), now=now, rng=rng
        )
        session._collect(now)
        return session

    def _psks(self) -> dict[bytes, bytes]:
        return {policy.LINK_PSK_ID: link_psk(self._invite.secret)}

    # -- what the shell asks -----------------------------------------------------------------------

    def start(self) -> list[ev.Effect]:
        """The first effects."""
        return self._drain()

    @property
    def origin(self) -> str:
        """The server that this meeting is at."""
        return self._invite.origin

    @property
    def ended(self) -> ev.Ended | None:
        """How it ended, once it has."""
        return self._ended

    @property
    def inside(self) -> bool:
        """Whether we are a member."""
        return self._room is not None

    @property
    def own_leaf(self) -> int | None:
        """Our leaf, while we are a member."""
        return None if self._room is None else self._room.m.own_leaf

    def name_of(self, leaf: int) -> str | None:
        """The name of the member at a leaf; None where nobody is."""
        if self._room is None or self._room.m.signature_key(leaf) is None:
            return None
        return self._room.m.name(leaf)

    def seal(self, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
        """A media frame, sealed; None while nothing may leave."""
        return None if self._room is None else self._room.seal(kind, stream, frame, now)

    def open(self, ssrc: int, kind: Kind, data: bytes, now: float) -> OpenedFrame:
        """A media frame, authenticated; SnugCryptoError of some kind otherwise."""
        if self._room is None:
            raise SnugCryptoError("not in a room")
        return self._room.open(ssrc, kind, data, now)

    # -- handle --------------------------------------------------------------------------------------

    def handle(self, what: ev.Input, now: float) -> list[ev.Effect]:
        """One input. ValueError, with a sentence, for a command that can't be done."""
        if self._ended is None:
            self._dispatch(what, now)
            self._collect(now)
        return self._drain()

    def _dispatch(self, what: ev.Input, now: float) -> None:
        match what:
            case ev.Received(door, message):
                self._received(door, message, now)
            case ev.Lost(door, why):
                self._lost(door, why, now)
            case ev.Tick():
                for part in (self._room, self._host, self._guest):
                    if part is not None:
                        part.tick(now)
            case ev.Publish():
                self._publish = what
                if self._room is not None:
                    self._room.publish(what, now)
            case ev.Leave():
                self._leave(now)
            case ev.Say(text):
                self._in_room().say(text, now)
            case ev.Admit(knock):
                self._as_host().admit(knock, now)
            case ev.Refuse(knock):
                self._as_host().refuse(knock, "The host did not let you in.", now)
            case ev.Remove(leaf):
                self._in_room().remove(leaf, now)
            case ev.Deputise(leaf):
                self._in_room().deputise(leaf, now)
            case ev.EndMeeting():
                self._in_room().end(now)

    def _received(self, door: ev.Door, message: ServerMessage, now: float) -> None:
        if door.day is None:
            if self._room is not None:
                self._room.received(message, now)
        elif self._host is not None and self._room is not None:
            for knocked in self._host.received(door.day, message, self._room.m, now):
                self._tell(knocked)
                if self._admission == "all" or self._room.m.policy.mode is Mode.WAVE_IN:
                    self._host.admit(knocked.knock, now)
        if door.day is not None and self._guest is not None:
            self._guest.received(door.day, message, now)

    def _lost(self, door: ev.Door, why: str, now: float) -> None:
        if door.day is None:
            if self._room is not None:
                self._room.lost(why, now)
        else:
            if self._host is not None:
                self._host.lost(door.day, now)
            if self._guest is not None:
                self._guest.lost(door.day, why, now)

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

    # -- the way between lobby and room ------------------------------------------------------------------

    def _collect(self, now: float) -> None:
        """Carry what one part has come to over to the others, and gather effects."""
        if self._host is not None and self._room is not None:
            self._serve(self._host, self._room, now)
        if self._guest is not None:
            self._guided(self._guest, now)
        room = self._room
        if room is not None:
            if room.granted is not None and self._host is None:
                self._become_host(room.granted, now)
            if room.needs_rejoin and self._guest is None and room.ended is None:
                self._rejoin(room, now)
        for part in (self._room, self._host, self._guest):
            if part is not None:
                self._effects += part.effects
                part.effects.clear()
        if room is not None and room.ended is not None and self._ended is None:
            self._end(room.ended)

    def _serve(self, host: HostLobby, room: RoomSession, now: float) -> None:
        for wanted in host.wanted:
            room.want(wanted, now)
        host.wanted.clear()
        m = room.m
        for done in room.admitted:
            host.answer(done.knock, self._answer(room))
            if isinstance(done, AddIntent):
                host.used(done.invite)
        room.admitted.clear()
        for intent, why in room.failed:
            if isinstance(intent, AddIntent | RejoinIntent):
                host.fail(
                    intent.knock,
                    f"You could not be let in: {why}. Knock again with another name, or ask the host.",
                )
                self._tell(ev.Alarm("not_admitted", f"{intent.name} could not be let in: {why}"))
        room.failed.clear()
        for index in m.ledger.revoked:
            host.revoke(index)
        if self._invite.index in m.ledger.revoked and room.host_seed is not None and room.ended is None:
            # whoever was removed still holds that link: another one for everybody else
            taken = [i for i in m.ledger.used | m.ledger.revoked if not i & SINGLE_USE]
            index = max(taken) + 1
            self._invite = room.host_seed.invite(
                self._invite.origin, self._invite.secret, index, self._invite.servers
            )
            self._tell(ev.InviteMade(self._invite.link(), self._invite.index))

    def _answer(self, room: RoomSession) -> lobby.Answer:
        assert room.last_welcome is not None
        return lobby.Answer(
            welcome=room.last_welcome,
            door_seed=room.door_key.seed,
            steward_public=room.steward_public,
            beat_key=room.m.beat_key,
            slot=room.m.journal.slot,
            chain=room.m.journal.chain,
            ledger=room.m.ledger.encode(),
        )

    def _guided(self, guest: GuestLobby, now: float) -> None:
        if guest.refusal is not None:
            self._close_guest(guest)
            self._end(ev.Ended("refused", guest.refusal))
            self._tell(ev.Ended("refused", guest.refusal))
        elif guest.entry is not None:
            self._enter(guest, guest.entry, now)

    def _close_guest(self, guest: GuestLobby) -> None:
        guest.close()
        self._effects += guest.effects
        guest.effects.clear()
        self._guest = None

    def _enter(self, guest: GuestLobby, entry: Entry, now: float) -> None:
        answer = entry.answer
        door_key = SigningKey(answer.door_seed)
        try:
            membership = Membership(
                entry.group,
                room=room_number(door_key.public, answer.steward_public),
                slot=answer.slot,
                chain=answer.chain,
                ledger=Ledger.decode(answer.ledger),
                link_psk=link_psk(self._invite.secret),
                now=now,
                beat_key=answer.beat_key,
                rng=self._rng,
            )
        except SnugCryptoError as error:
            guest.refusal = f"The host's answer can't be used: {error}"
            self._guided(guest, now)
            return
        old, self._room = (
            self._room,
            RoomSession(
                membership,
                origin=self._invite.origin,
                door_key=door_key,
                steward_public=answer.steward_public,
                host_seed=None if self._room is None else self._room.host_seed,
                now=now,
                options=self._options,
                rng=self._rng,
            ),
        )
        self._close_guest(guest)
        if old is not None:
            self._effects += old.effects
            self._effects.append(ev.Disconnect(ev.ROOM))
            self._room.carry_over(old)
        self._room.start()
        if self._publish is not None:
            self._room.publish(self._publish, now)

    def _rejoin(self, room: RoomSession, now: float) -> None:
        ticket = RejoinTicket(
            group_id=room.m.group.group_id,
            slot=room.m.journal.slot,
            chain=room.m.journal.chain,
            nonce=b"",
            stuck=room.stuck_at is not None,
        )

        def package(at: float) -> mls.KeyPackageBundle:
            return self._me.package(at, replace(ticket, nonce=self._rng(16)))

        self._tell(ev.Alarm("rejoining", "This participant fell out of step, and asks to be let in again."))
        self._guest = GuestLobby(
            self._invite, self._me.name, "", package, self._psks(), now=now, rng=self._rng
        )

    def _become_host(self, seed: HostSeed, now: float) -> None:
        self._invite = seed.invite(
            self._invite.origin, self._invite.secret, self._invite.index, self._invite.servers
        )
        self._host = HostLobby(seed, self._invite.secret, self._invite.origin, now=now, rng=self._rng)
        self._tell(ev.Status("host", "You are a host of this meeting now."))

    def _end(self, ended: ev.Ended) -> None:
        self._ended = ended
        if self._host is not None:
            self._host.close()
            self._effects += self._host.effects
            self._host.effects.clear()

    def _tell(self, event: ev.Event) -> None:
        self._effects.append(ev.Tell(event))

    def _drain(self) -> list[ev.Effect]:
        effects, self._effects = self._effects, []
        return effects
