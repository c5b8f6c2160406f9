"""A participant's invites to its meeting: the one that it came by, and those that it makes as a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.entry.invites import InviteBook, invite_name
from snugroom.client.session.features.host_key_transfer import holds_current
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.entry.invite import Invite, link_psk
from snugroom.crypto.kdf import Rng


class MeetingInvites:
    """Lives as long as the participant, through rejoins and changes of host."""

    def __init__(self, own: Invite, rng: Rng) -> None:
        #: The invite that we came by or opened; as a host, the open one.
        self.own = own
        self.book = InviteBook()
        #: The server whose address the open link has, as it was told at last.
        self.at = own.origin
        #: Index of the open invite, for everybody without a personal one; None without one.
        self.open: int | None = None
        #: Invites that were asked for while the hosts' keys were about to change.
        self._waiting: list[ev.NewInvite] = []
        self._rng = rng

    @property
    def psks(self) -> dict[bytes, bytes]:
        """The PSK that every newcomer has from the link."""
        return {policy.LINK_PSK_ID: link_psk(self.own.secret)}

    # -- the host role -----------------------------------------------------------------------------

    def opened(self) -> ev.InviteMade:
        """Record the open invite of a new meeting."""
        self.open = self.own.index
        self.book.first(self.own.host_public)
        return ev.InviteMade(self.own.link(), self.own.index)

    def become_host(self) -> None:
        """Go on as a host, with the invite that we came by."""
        self.open = None if self.own.index & SINGLE_USE else self.own.index

    def keys_changed(self, room: RoomSession) -> ev.Event | None:
        """Make another open link, because former hosts know the keys of the one before."""
        old, self.open = self.open, None
        if old is None or room.ended is not None:
            return None
        return self._open_anew(room, old if old in room.membership.ledger.revoked else None)

    def stop_hosting(self) -> None:
        """Offer no open invite any more."""
        self.open = None
        self._waiting.clear()

    # -- making and revoking -----------------------------------------------------------------------

    def make(self, room: RoomSession, wanted: ev.NewInvite) -> ev.InviteMade:
        """Make an invite; CommandError if that is impossible."""
        made = self._make(room, wanted.label, wanted.once)
        return ev.InviteMade(made.link(room.here.origin), made.index, wanted.label, wanted.once)

    def request(self, room: RoomSession, wanted: ev.NewInvite) -> ev.InviteMade | None:
        """Make an invite; None if the hosts' keys are about to change: `make_waiting` makes it then.

        Hosts are asked about every newcomer with an invite of earlier keys, so it would be outdated at once.
        """
        if _keys_change(room):
            self._waiting.append(wanted)
            return None
        return self.make(room, wanted)

    def make_waiting(self, room: RoomSession) -> list[ev.Event]:
        """Make the invites that have waited for the hosts' new keys."""
        if not self._waiting or _keys_change(room):
            return []
        waiting, self._waiting = self._waiting, []
        return [_or_why(lambda wanted=wanted: self.make(room, wanted)) for wanted in waiting]  # type: ignore[misc]

    def _make(self, room: RoomSession, label: str, once: bool) -> Invite:
        assert room.host_keys is not None
        known = room.membership.ledger.used | room.membership.ledger.revoked
        host_public = room.host_keys.current.host_public
        index = self.book.make(label, once, host_public, known, self._rng)
        origins = room.membership.policy.origins
        return room.host_keys.current.invite(self.own.origin, self.own.secret, index, origins)

    def replace_open(self, room: RoomSession) -> ev.Event | None:
        """Replace the open link after a removal has revoked it: the removed member still holds it."""
        old = self.open
        if (
            old is None
            or old not in room.membership.ledger.revoked
            or _keys_change(room)  # `keys_changed` makes one
            or room.ended is not None
        ):
            return None
        self.open = None
        return None if old in self.book.taken_back else self._open_anew(room, old)

    def _open_anew(self, room: RoomSession, replaces: int | None) -> ev.Event:
        def make() -> ev.Event:
            self.own = self._make(room, "", False)
            self.open = self.own.index
            self.at = room.here.origin
            return ev.InviteMade(self.own.link(self.at), self.open, replaces=replaces)

        return _or_why(make)

    def take_back(self, room: RoomSession, index: int) -> None:
        """Revoke an invite, here and with the other hosts."""
        room.feature(Revocation).revoke(index)
        self.book.taken_back.add(index)

    def revoke(self, room: RoomSession, index: int, *, in_lobby: bool) -> ev.Status:
        """Revoke an invite as a person asks; CommandError if over or unknown (`in_lobby`: not to us)."""
        if not self.book.known(index) and not in_lobby:
            raise CommandError(sentence("cannot.invite_unknown", index=index))
        if index in self.book.taken_back or index in room.membership.ledger.revoked:
            raise CommandError(sentence("cannot.invite_over", index=index))
        if index == self.open:
            self.open = None
        self.take_back(room, index)
        return sentences.status("revoked", invite=invite_name(index, self.book.label(index)))

    # -- recording ---------------------------------------------------------------------------------

    def record(self, room: RoomSession) -> None:
        """Record who joined and left by which invite, and revocations by hosts; add our labels."""
        for i, effect in enumerate(room.effects):
            if isinstance(effect, ev.Tell) and isinstance(effect.event, ev.Roster):
                roster = effect.event
                self.book.changed(roster)
                added = tuple(self._labelled(newcomer) for newcomer in roster.added)
                room.effects[i] = ev.Tell(replace(roster, added=added))
        self.book.taken_back |= room.feature(Revocation).revoked

    def _labelled(self, newcomer: ev.Newcomer) -> ev.Newcomer:
        label = None if newcomer.invite is None else self.book.label(newcomer.invite)
        return replace(newcomer, label=label)


def _keys_change(room: RoomSession) -> bool:
    """Return whether invites of the keys that we hold are about to be outdated, or are already."""
    return room.membership.ledger.rotation_due or not holds_current(room)


def _or_why(make: Callable[[], ev.Event]) -> ev.Event:
    """Return the invite that `make` makes, or an alarm with the reason that it can't be made."""
    try:
        return make()
    except CommandError as error:
        return sentences.alarm("not_done", why=reasons.because(error))
