"""A participant's invites to its meeting: the one that it came by, and those that it makes as a host."""

from __future__ import annotations

from dataclasses import replace

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.entry.invites import InviteBook, invite_name
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.entry.invite import HostSeed, Invite, link_psk
from snugroom.crypto.kdf import Rng


class MeetingInvites:
    """Lives as long as the participant, through rejoins and changes of host."""

    def __init__(self, own: Invite, rng: Rng) -> None:
        #: The invite that we came by or opened; as a host, the open one.
        self.own = own
        self.book = InviteBook()
        #: Index of the open invite, for everybody without a personal one; None without one.
        self._open: int | None = None
        self._rng = rng

    @property
    def psks(self) -> dict[bytes, bytes]:
        """The PSK that every newcomer has from the link."""
        return {policy.LINK_PSK_ID: link_psk(self.own.secret)}

    def invite(self, seed: HostSeed, index: int) -> Invite:
        """Return the invite of that index to this meeting."""
        return seed.invite(self.own.origin, self.own.secret, index, self.own.servers)

    # -- the host role -----------------------------------------------------------------------------

    def opened(self) -> ev.InviteMade:
        """Record the open invite of a new meeting."""
        self._open = 0
        self.book.first()
        return ev.InviteMade(self.own.link(), 0)

    def become_host(self, seed: HostSeed) -> None:
        """Go on as a host, with the invite that we came by."""
        self.own = self.invite(seed, self.own.index)
        self._open = None if self.own.index & SINGLE_USE else self.own.index

    def stop_hosting(self) -> None:
        """Offer no open invite any more."""
        self._open = None

    # -- making and revoking -----------------------------------------------------------------------

    def make(self, room: RoomSession, wanted: ev.NewInvite) -> ev.InviteMade:
        """Make an invite; ValueError if that is impossible."""
        assert room.host_seed is not None
        known = room.membership.ledger.used | room.membership.ledger.revoked
        index = self.book.make(wanted.label, wanted.once, known, self._rng)
        link = self.invite(room.host_seed, index).link()
        return ev.InviteMade(link, index, wanted.label, wanted.once)

    def replace_open(self, room: RoomSession) -> ev.Event | None:
        """Replace the open link after a removal has revoked it: the removed member still holds it."""
        old = self._open
        if (
            old is None
            or old not in room.membership.ledger.revoked
            or room.host_seed is None
            or room.ended is not None
        ):
            return None
        self._open = None
        if old in self.book.taken_back:
            return None
        try:
            self._open = self.book.make(
                "", False, room.membership.ledger.used | room.membership.ledger.revoked, self._rng
            )
        except ValueError as error:
            return sentences.alarm("not_done", why=reasons.because(error))
        self.own = self.invite(room.host_seed, self._open)
        return ev.InviteMade(self.own.link(), self._open, replaces=old)

    def take_back(self, room: RoomSession, index: int) -> None:
        """Revoke an invite, here and with the other hosts."""
        room.feature(Revocation).revoke(index)
        self.book.taken_back.add(index)

    def revoke(self, room: RoomSession, index: int, *, in_lobby: bool) -> ev.Status:
        """Revoke an invite as a person asks; ValueError if it is unknown (`in_lobby`: not to us) or over."""
        if not self.book.known(index) and not in_lobby:
            raise ValueError(sentence("cannot.invite_unknown", index=index))
        if index in self.book.taken_back or index in room.membership.ledger.revoked:
            raise ValueError(sentence("cannot.invite_over", index=index))
        if index == self._open:
            self._open = None
        self.take_back(room, index)
        return sentences.status("revoked", invite=invite_name(index, self.book.label(index)))

    # -- recording ---------------------------------------------------------------------------------

    def record(self, room: RoomSession) -> None:
        """Record who joined and left by which invite, and revocations by hosts; add our labels."""
        for i, effect in enumerate(room.effects):
            if isinstance(effect, ev.Tell) and isinstance(effect.event, ev.Roster):
                roster = effect.event
                self.book.changed(roster)
                if roster.invite is not None:
                    room.effects[i] = ev.Tell(replace(roster, label=self.book.label(roster.invite)))
        self.book.taken_back |= room.feature(Revocation).revoked
