"""ICE-lite for one peer (RFC 8445 6.1.1 and 7.3, RFC 7675): a core. Checks in; answers and addresses out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from server.media import stun
from server.rate import TokenBucket

#: As the socket gives it: (host, port), and for IPv6 flow and scope after them. With a third item alone it is
#: a TCP connection, by its number (`server.media.tcp`).
Address = tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]

_UNKNOWN_MAX: Final = 8
#: Authentic checks of one peer that are answered, a second and at once. A browser with four addresses sends
#: about 80 in the first second, and one in a few seconds after that.
CHECK_RATE: Final = 40.0
CHECK_BURST: Final = 200.0
#: Addresses that are new, or become the one to send to: each costs the server a walk over what it knows by
#: address. A phone that goes from one network to another needs one or two.
MOVE_RATE: Final = 1.0
MOVE_BURST: Final = 16.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name fragment and its password, ice-char only."""

    ufrag: str
    password: str

    @classmethod
    def fresh(cls, rng: Callable[[int], bytes]) -> Credentials:
        """48 bits of name, 144 bits of password (RFC 8445 5.3 wants 24 and 128)."""
        return cls(base64.b64encode(rng(6)).decode(), base64.b64encode(rng(18)).decode())


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. `good`: consent is fresh; `selected`: its address is now the one to send to."""

    reply: bytes
    good: bool = False
    selected: bool = False


class IceLite:
    """One peer's side of ICE at the server: always controlled, one candidate, checks nothing itself.

    `addresses` are those that have passed a check, each with the time of the last one (at most
    `addresses_max`, the longest silent goes first). `selected` is the one to send to: nominated; or the first
    that passed, while none is; or the one that is heard when a nominated one has been silent for `rebinding`
    seconds (a NAT gave the client another port, and the client doesn't know). `heard` is the time of the
    last good check, None before the first. `refused` counts authentic checks beyond the rates above: they
    are not answered, and change nothing.
    """

    def __init__(self, local: Credentials, remote_ufrag: str, addresses_max: int, rebinding: float) -> None:
        self.local = local
        self._username = f"{local.ufrag}:{remote_ufrag}".encode()
        self._password = local.password.encode()
        self._addresses_max = max(2, addresses_max)
        self._rebinding = rebinding
        # strangers can't empty these: only what is authenticated is counted
        self._checks = TokenBucket(CHECK_RATE, CHECK_BURST, 0.0)
        self._moves = TokenBucket(MOVE_RATE, MOVE_BURST, 0.0)
        self.refused = 0
        self.addresses: dict[Address, float] = {}
        self.selected: Address | None = None
        self.heard: float | None = None

    def check(self, request: stun.Request, source: Address, now: float) -> Answer | None:
        """Judge a request; None (say nothing) if it isn't this peer's, authenticated."""
        if request.username != self._username or not stun.authentic(request, self._password):
            return None
        if not self._checks.take(now):
            self.refused += 1
            return None
        transaction = request.transaction
        if request.unknown:
            unknown = request.unknown[:_UNKNOWN_MAX]
            return Answer(stun.error(transaction, 420, "Unknown Attribute", self._password, unknown))
        if request.controlled:
            return Answer(stun.error(transaction, 487, "Role Conflict", self._password))
        if not request.controlling:
            return Answer(stun.error(transaction, 400, "Bad Request", self._password))
        before = self.selected
        chosen = source != before and (
            request.use_candidate or before is None or now - self.addresses[before] > self._rebinding
        )
        if (chosen or source not in self.addresses) and not self._moves.take(now):
            self.refused += 1
            return None
        self.heard = now
        if source not in self.addresses and len(self.addresses) >= self._addresses_max:
            others = (a for a in self.addresses if a != before)
            del self.addresses[min(others, key=self.addresses.__getitem__)]
        self.addresses[source] = now
        if chosen:
            self.selected = source
        reply = stun.success(transaction, source[0], source[1], self._password)
        return Answer(reply, good=True, selected=chosen)

    def forget(self, address: Address) -> None:
        """There is no such address any more: if it was selected, the next that passes a check is."""
        self.addresses.pop(address, None)
        if self.selected == address:
            self.selected = None

    def release(self) -> None:
        """Consent is over: no address any more, until the next good check."""
        self.addresses = {}
        self.selected = None
