"""ICE for one peer (RFC 8445 6.1.1 and 7.3, RFC 7675): a core. Checks in; answers, checks and addresses out.

A member has the password of its own checks, and can send one with the source address of somebody else. So a
good check proves only who sent it. An address is proven when it answers a check of the server, which only its
owner receives. Until then at most `FACTOR` times the bytes that came from it go there (RFC 9000 8.1).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from snugroom.server.rate import TokenBucket
from snugroom.wire import stun

#: An address as the socket gives it: (host, port), and for IPv6 flow and scope after them. With a third item
#: alone it is a TCP connection and its number (`server.sfu.io.tcp`).
Address = tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]

_UNKNOWN_MAX: Final = 8
#: The length of the address of a TCP connection.
_TCP: Final = 3
#: Authentic checks of one peer that are answered, a second and at once. A browser with four addresses sends
#: about 80 in the first second, and one in a few seconds after that.
CHECK_RATE: Final = 40.0
CHECK_BURST: Final = 200.0
#: Checks that add an address or select another one, a second and at once: each costs the server a walk over
#: its tables by address. A phone that changes networks needs one or two.
MOVE_RATE: Final = 1.0
MOVE_BURST: Final = 16.0
#: Bytes to an unproven address for each byte from it.
FACTOR: Final = 3
#: Seconds between two checks of an unproven address, doubling up to `PROOF_INTERVAL_MAX`.
PROOF_INTERVAL: Final = 0.1
PROOF_INTERVAL_MAX: Final = 1.0
#: Maximum seconds until the address in use is checked again: an answer proves nothing about later owners.
CONSENT_INTERVAL: Final = 10.0
#: Seconds for which the first peer to claim an unproven address holds it: one has to be able to answer.
UNPROVEN_HOLD: Final = 2.0


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


@dataclass(slots=True)
class PeerAddress:
    """One address of a peer, since it passed its first check (`since`), last at `heard_at`.

    `received` and `sent` are bytes; `sent` counts only those that were sent while the address was unproven.
    `proven_at` is the time of its last answer to a check of the server. `transaction` names the check without
    an answer.
    """

    since: float
    heard_at: float
    received: int = 0
    sent: int = 0
    proven_at: float = float("-inf")
    transaction: bytes = b""
    ask_at: float = 0.0
    interval: float = PROOF_INTERVAL


class IceLite:
    """One peer's side of ICE at the server: always controlled, one candidate, no checks but proofs.

    `addresses` are those that have passed a check (at most `addresses_max`, the one silent for longest is
    dropped first). `selected` is the nominated address; while none is nominated, the first that passed; or,
    when the selected one has been silent for `rebinding` seconds, another one that passes a check (a NAT gave
    the client another port, and the client does not know). `active` is the address to send to: the last
    selected one that was proven. A proof holds until a check has had no answer for `proof_time` seconds; a
    TCP connection proves its address. `consent_at` is the time of the last good check (RFC 7675), None before
    the first. `refused` counts authentic checks beyond the rates above: they are not answered, and change
    nothing.
    """

    def __init__(
        self,
        local: Credentials,
        remote: Credentials,
        addresses_max: int,
        rebinding: float,
        proof_time: float,
        rng: Callable[[int], bytes],
    ) -> None:
        self.local = local
        self._remote = remote
        self._username = f"{local.ufrag}:{remote.ufrag}".encode()
        self._password = local.password.encode()
        self._addresses_max = max(3, addresses_max)
        self._rebinding = rebinding
        self._consent_interval = min(CONSENT_INTERVAL, proof_time / 3)
        # a client that is stopped for a while just after a check was due has `proof_time` from there
        self._proof_time = proof_time + self._consent_interval
        self._rng = rng
        # Strangers cannot exhaust these: only authenticated checks are counted.
        self._checks = TokenBucket(CHECK_RATE, CHECK_BURST, 0.0)
        self._moves = TokenBucket(MOVE_RATE, MOVE_BURST, 0.0)
        self.refused = 0
        self.addresses: dict[Address, PeerAddress] = {}
        self.selected: Address | None = None
        self.active: Address | None = None
        self.consent_at: float | None = None

    def continue_from(self, before: IceLite) -> None:
        """Take over the addresses of an agent with other credentials (RFC 8445 9)."""
        self.addresses = {a: replace(known, transaction=b"") for a, known in before.addresses.items()}
        self.active, self.consent_at = before.active, before.consent_at

    # -- the peer's checks -------------------------------------------------------------------

    def check(self, request: stun.Message, source: Address, size: int, now: float) -> Answer | None:
        """Judge a check of `size` bytes.

        None (no answer) if it is not this peer's, not authentic, or beyond the rates.
        """
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
            or now - self.addresses[before].heard_at > self._rebinding
        )
        if (chosen or source not in self.addresses) and not self._moves.take(now):
            self.refused += 1
            return None
        self.consent_at = now
        known = self.addresses.get(source)
        if known is None:
            known = self._add(source, now)
        known.heard_at = now
        known.received += size
        if chosen:
            self.selected = source
            self._activate(now)
        reply = stun.success(transaction, source[0], source[1], self._password)
        return Answer(reply, good=True, selected=chosen)

    def _add(self, source: Address, now: float) -> PeerAddress:
        if len(self.addresses) >= self._addresses_max:
            others = (a for a in self.addresses if a not in (self.selected, self.active))
            del self.addresses[min(others, key=lambda a: self.addresses[a].heard_at)]
        known = self.addresses[source] = PeerAddress(now, now)
        if len(source) == _TCP:  # the handshake has proven it, and the connection ends with its owner
            known.proven_at = float("inf")
        return known

    # -- proofs ------------------------------------------------------------------------------

    def proven(self, address: Address, now: float) -> bool:
        """Whether this address has answered a check of the server lately."""
        known = self.addresses.get(address)
        return known is not None and now - known.proven_at <= self._proof_time

    def holds(self, address: Address, seconds: float, now: float) -> bool:
        """Whether no other peer may claim `address`: it was heard in the last `seconds`, if it is proven."""
        known = self.addresses.get(address)
        if known is None:
            return False
        if self.proven(address, now):
            return now - known.heard_at < seconds
        return now - known.since < min(seconds, UNPROVEN_HOLD)

    def credit(self, address: Address, size: int) -> None:
        """Count `size` bytes that came from this address."""
        known = self.addresses.get(address)
        if known is not None:
            known.received += size

    def spend(self, address: Address, size: int, now: float) -> bool:
        """Whether `size` bytes may be sent to this address now; if so, they count as sent."""
        known = self.addresses.get(address)
        if known is None:
            return False
        if self.proven(address, now):
            return True
        if known.sent + size > FACTOR * known.received:
            return False
        known.sent += size
        return True

    def due_check(self, now: float) -> tuple[bytes, Address] | None:
        """Return a check of the server that is due, and its destination.

        It asks the selected address until that is proven, and then the active one from time to time.
        """
        address, unproven = self.selected, True
        if address is None or self.proven(address, now):
            address, unproven = self.active, False
        if address is None:
            return None
        known = self.addresses[address]
        if now < known.ask_at or (not unproven and now - known.proven_at < self._consent_interval):
            return None
        transaction = known.transaction or self._rng(12)
        request = stun.request(
            transaction,
            f"{self._remote.ufrag}:{self.local.ufrag}".encode(),
            self._remote.password.encode(),
            tie_breaker=int.from_bytes(self._rng(8), "big"),
            controlling=False,
        )
        if not self.spend(address, len(request), now):
            return None
        known.transaction = transaction
        known.ask_at = now + known.interval
        known.interval = min(2 * known.interval, PROOF_INTERVAL_MAX)
        return request, address

    def answered(self, response: stun.Message, source: Address, now: float) -> bool:
        """Take the answer to a check of the server. False if none was asked for, or it is not authentic."""
        known = self.addresses.get(source)
        if known is None or not known.transaction or response.transaction != known.transaction:
            return False
        if not stun.authentic(response, self._remote.password.encode()):
            return False
        known.proven_at = now
        known.transaction = b""
        known.ask_at, known.interval = 0.0, PROOF_INTERVAL
        self._activate(now)
        return True

    def _activate(self, now: float) -> None:
        if self.selected is not None and self.proven(self.selected, now):
            self.active = self.selected

    # -- ending ------------------------------------------------------------------------------

    def silent(self, seconds: float, now: float) -> bool:
        """Whether consent has ended: no check for `seconds`, or the address in use no longer answers."""
        if self.consent_at is None:
            return False
        return now - self.consent_at > seconds or (
            self.active is not None and not self.proven(self.active, now)
        )

    def forget(self, address: Address) -> None:
        """Remove an address. If it was selected, the next one that passes a check is selected."""
        self.addresses.pop(address, None)
        if self.selected == address:
            self.selected = None
        if self.active == address:
            self.active = None

    def release(self) -> None:
        """End consent: remove all addresses, until the next good check."""
        self.addresses = {}
        self.selected = self.active = None
