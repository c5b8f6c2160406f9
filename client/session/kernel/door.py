"""The room's door at the server, and what a server wants of whoever opens a room (protocol section 3).

A member shows the permit that the server gave it, which reopens a room that the server has lost. The password
or a token is for a room that we found, and for one that no permit reopens.
"""

from __future__ import annotations

from collections.abc import Mapping

from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.ports import Here, Room
from snugroom.crypto.entry import invite, permission
from snugroom.crypto.kdf import mac
from snugroom.wire import messages as wire
from snugroom.wire.permission import PermissionPolicy, TokenSpent


class Door:
    """One membership's door at the server where `here` says that its room is."""

    def __init__(self, room: Room, here: Here, *, founds: bool) -> None:
        """`founds`: nobody has opened this room before, and the meeting begins with it."""
        self._room = room
        self._here = here
        self._founding = founds
        self._proves = self._founding
        #: Why the last password or token did not do; empty if none was refused.
        self._why = ""
        self._permit: tuple[bytes, bytes] | None = None  # the room's number, and the permit
        self._password_key: tuple[bytes, bytes] | None = None  # salt and key
        #: The hash of each week's token key that the server has shown us, by week.
        self.token_keys: dict[int, bytes] = {}

    def carry_over(self, old: Door) -> None:
        """Take over from the membership before a rejoin."""
        self._permit, self._password_key = old._permit, old._password_key
        self.token_keys = old.token_keys

    def message(
        self, challenge: wire.Challenge, now: float, key: bytes | None = None
    ) -> wire.RoomDoor | None:
        """Return what opens the door of the room, under this room admin key if it isn't the current one.

        None if this membership has ended, for want of a password or token.
        """
        room, here = self._room, self._here
        key = here.room_admin_public if key is None else key
        number = here.number_under(key)
        nonce = room.rng(32)
        signature = here.door_key.sign(invite.door_message(here.origin, number, challenge.nonce, nonce))
        password, token = None, None
        policy = challenge.permission
        if policy is not None:
            shown = {key.week: key.key for key in policy.keys if permission.spendable(key.week, now)}
            self.token_keys |= {week: permission.token_key(week, key) for week, key in shown.items()}
            if self._proves:
                text = permission.proof_message(here.origin, number, challenge.nonce)
                password, token = self._password(policy, text), self._token(policy, shown, text)
                if self._founding and password is None and token is None:
                    lacks = "clock" if policy.keys and not shown else f"no_{policy.kind}"
                    room.finish("unopened", sentence(f"unopened.{self._why or lacks}"))
                    return None
        return wire.RoomDoor(
            here.door_key.public, key, nonce, signature, password, token, self.permit(number)
        )

    def permit(self, number: bytes) -> bytes | None:
        """Return the permit for the room `number`, None without one."""
        return self._permit[1] if self._permit is not None and self._permit[0] == number else None

    def _password(self, policy: PermissionPolicy, text: bytes) -> bytes | None:
        means = self._room.options.permission
        if means is None or means.password is None or self._why == "password":
            return None
        if policy.salt is None or policy.cost is None:
            return None
        if self._password_key is None or self._password_key[0] != policy.salt:
            key = permission.password_key(means.password, self._here.origin, policy.salt, policy.cost)
            self._password_key = policy.salt, key
        return mac(self._password_key[1], text)

    def _token(self, policy: PermissionPolicy, shown: Mapping[int, bytes], text: bytes) -> TokenSpent | None:
        means = self._room.options.permission
        if means is None or policy.kind != "tokens":
            return None
        token = means.take_token(shown)
        return None if token is None else TokenSpent(token.week, token.input, token.proof(text))

    def given(self, permit: bytes) -> None:
        """Keep the permit for the room as it is now."""
        here = self._here
        self._permit = here.number_under(here.room_admin_public), permit

    def entered(self) -> None:
        """The server has let us in."""
        self._founding = self._proves = False

    def refused(self, refused: wire.Refused) -> None:
        """The server has refused our door: show what we have, show another token, or give up a new room."""
        if refused.code == "permission":
            self._proves = self._room.options.permission is not None
        elif self._proves and refused.code in ("password", "token", "spent", "rate"):
            self._why = refused.code
            if self._founding and refused.code in ("password", "rate"):
                self._room.finish("unopened", sentence(f"unopened.{refused.code}"))
