"""ICE-lite for one peer (RFC 8445 6.1.1 and 7.3, RFC 7675): a core. Checks in; answers and addresses out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from snugroom.server.rate import TokenBucket
from snugroom.server.wire import stun

#: An address as the socket gives it: (host, port), and for IPv6 flow and scope after them. With a third item
#: alone it is a TCP connection and its number (`server.sfu.io.tcp`).
Address = tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]

_UNKNOWN_MAX: Final = 8
#: Authentic checks of one peer that are answered, a second and at once. A browser with four addresses sends
#: about 80 in the first second, and one in a few seconds after that.
CHECK_RATE: Final = 40.0
CHECK_BURST: Final = 200.0
#: Checks that add an address or select another one, a second and at once: each costs the server a walk over
#: its tables by address. A phone that changes networks needs one or two.
MOVE_RATE: Final = 1.0
MOVE_BURST: Final = 16.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name fragment and its password, ice-char only."""

    ufrag: str
    password: str

    @classmethod
    def fresh(cls, rng: Callable[[int], bytes]) -> Credentials:
        """Generate 48 bits of name and 144 bits of password (RFC 8445 5.3 requires 24 and 128)."""
        return cls(base64.b64encode(rng(6)).decode(), base64.b64encode(rng(18)).decode())


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a check. `good`: consent is fresh; `selected`: its address is now the selected one."""

    reply: bytes
    good: bool = False
    selected: bool = False


class IceLite:
    """One peer's side of ICE at the server: always controlled, one candidate, sends no checks itself.

    `addresses` are those that have passed a check, each with the time of the last one (at most
    `addresses_max`, the one silent for longest is dropped first). `selected` is the address to send to: the
    nominated one; while none is nominated, the first that passed; or, when the selected one has been silent
    for `rebinding` seconds, another one that passes a check (a NAT gave the client another port, and the
    client does not know). `consent_at` is the time of the last good check (RFC 7675), None before the first.
    `refused` counts authentic checks beyond the rates above: they are not answered, and change nothing.
    """

    def __init__(self, local: Credentials, remote_ufrag: str, addresses_max: int, rebinding: float) -> None:
        self.local = local
        self._username = f"{local.ufrag}:{remote_ufrag}".encode()
        self._password = local.password.encode()
        self._addresses_max = max(2, addresses_max)
        self._rebinding = rebinding
        # Strangers cannot exhaust these: only authenticated checks are counted.
        self._checks = TokenBucket(CHECK_RATE, CHECK_BURST, 0.0)
        self._moves = TokenBucket(MOVE_RATE, MOVE_BURST, 0.0)
        self.refused = 0
        self.addresses: dict[Address, float] = {}
        self.selected: Address | None = None
        self.consent_at: float | None = None

    def check(self, request: stun.Message, source: Address, now: float) -> Answer | None:
        """Judge a check; None (no answer) if it is not this peer's, not authentic, or beyond the rates."""
        if request.username != self._username or not stun.authentic(request, self._password):
            return None
        if not self._checks.take(now):
            self.refused += 1
            return None
        transaction = request.transaction
        if request.unknown:
            unknown = request.unknown[:_UNKNOWN_MAX]
            return Answer(stun.error(transaction, 420, "Unknown Attribute", self._password, unknown))
        if stun.ICE_CONTROLLED in request.attributes:
            return Answer(stun.error(transaction, 487, "Role Conflict", self._password))
        if stun.ICE_CONTROLLING not in request.attributes:
            return Answer(stun.error(transaction, 400, "Bad Request", self._password))
        before = self.selected
        chosen = source != before and (
            stun.USE_CANDIDATE in request.attributes
            or before is None
            or now - self.addresses[before] > self._rebinding
        )
        if (chosen or source not in self.addresses) and not self._moves.take(now):
            self.refused += 1
            return None
        self.consent_at = now
        if source not in self.addresses and len(self.addresses) >= self._addresses_max:
            others = (a for a in self.addresses if a != before)
            del self.addresses[min(others, key=self.addresses.__getitem__)]
        self.addresses[source] = now
        if chosen:
            self.selected = source
        reply = stun.success(transaction, source[0], source[1], self._password)
        return Answer(reply, good=True, selected=chosen)

    def forget(self, address: Address) -> None:
        """Remove an address. If it was selected, the next one that passes a check is selected."""
        self.addresses.pop(address, None)
        if self.selected == address:
            self.selected = None

    def release(self) -> None:
        """End consent: remove all addresses, until the next good check."""
        self.addresses = {}
        self.selected = None
