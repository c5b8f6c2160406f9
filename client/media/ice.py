"""The client's half of ICE, between one local socket and one socket of an ICE-lite server. A pure core.

RFC 8445, RFC 7675. The client is always the controlling agent. If there is only one pair, the first check
nominates it; otherwise `client.media.reach` chooses. The server sends checks to learn whether the client's
address is its own, and the client answers them. Checks are repeated until the first answer, then at the rate
that browsers use: later checks renew consent, keep NATs open, and reveal a NAT that assigned another port.
Times are seconds, monotonic.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from snugroom.wire import stun

#: Seconds between checks before the first answer, doubling up to CHECK_INTERVAL_MAX.
CHECK_INTERVAL: Final = 0.05
CHECK_INTERVAL_MAX: Final = 0.5
#: Consent: seconds between checks (half of RFC 7675 5.1), between retries, and until consent expires.
CONSENT_INTERVAL: Final = 2.5
CONSENT_RETRY: Final = 0.25
CONSENT_TIMEOUT: Final = 30.0
_OUTSTANDING_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Send:
    """Send this datagram to the server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The server has sent its first authentic answer."""


@dataclass(frozen=True, slots=True)
class ConsentLost:
    """No answer for CONSENT_TIMEOUT: sending must stop."""


IceEffect = Send | Connected | ConsentLost


def make_credentials(rng: Callable[[int], bytes]) -> tuple[str, str]:
    """Return a fresh ufrag (8 characters, 48 bits) and password (24 characters, 144 bits), RFC 8445 5.3."""
    return base64.b64encode(rng(6)).decode(), base64.b64encode(rng(18)).decode()


class IceClient:
    """One association. `connected` and `lost` never return to false.

    `local`: this client's ufrag and password. `nominate`: every check nominates its pair, from the first on.
    `hello`: a ClientHello that all checks carry until the first answer: the handshake begins with them.
    """

    def __init__(
        self,
        local: tuple[str, str],
        rng: Callable[[int], bytes],
        *,
        nominate: bool = True,
        hello: bytes = b"",
    ) -> None:
        self._local_ufrag, password = local
        self._password = password.encode()
        self._rng = rng
        self._server = ("", 0)
        self._tie_breaker = int.from_bytes(rng(8), "big")
        #: The user name of checks, and the server's password.
        self._remote: tuple[bytes, bytes] | None = None
        self._outstanding: dict[bytes, float] = {}  # transaction -> sending time
        #: Seconds between the last answered check and its answer.
        self.round_trip: float | None = None
        self._next_check = 0.0
        self._interval = CHECK_INTERVAL
        self._answered = 0.0
        self._nominate = nominate
        self._hello = hello if len(hello) <= stun.CLIENT_HELLO_MAX else b""
        self.connected = False
        self.lost = False

    def start(self, ufrag: str, password: str, server: tuple[str, int], now: float) -> list[IceEffect]:
        """Begin to check the server, which has these credentials, at this IP address and port."""
        self._server = server
        self._remote = f"{ufrag}:{self._local_ufrag}".encode(), password.encode()
        self._answered = now
        return self._check(now)

    def receive(self, data: bytes, now: float) -> list[IceEffect]:
        """Take a datagram whose first byte says STUN: an authentic check, or an answer to one.

        Anything else is ignored.
        """
        try:
            if not stun.is_success(data):
                return self._answer(stun.parse_request(data))
            reply = stun.parse_success(data)
        except stun.StunError:
            return []
        if self._remote is None or reply.transaction not in self._outstanding:
            return []
        if not stun.authentic(reply, self._remote[1]):
            return []
        self.round_trip = now - self._outstanding[reply.transaction]
        self._outstanding.clear()
        self._answered = now
        self._next_check = now + CONSENT_INTERVAL
        if self.connected:
            return []
        self.connected = True
        return [Connected()]

    def _answer(self, request: stun.Message) -> list[IceEffect]:
        """Answer a check of the server, which names itself second."""
        name = f"{self._local_ufrag}:".encode()
        if not request.username.startswith(name) or not stun.authentic(request, self._password):
            return []
        return [Send(stun.success(request.transaction, *self._server, self._password))]

    def nominate(self, now: float) -> list[IceEffect]:
        """Nominate this pair, at once and with every later check."""
        if self._nominate:
            return []
        self._nominate = True
        return self._check(now)

    def probe(self, now: float) -> list[IceEffect]:
        """Send a check now unless one is outstanding, to learn the state of the path early."""
        return [] if self._outstanding or self._remote is None or self.lost else self._check(now)

    @property
    def answered(self) -> float:
        """The time of the last answer, or of the first check before any answer."""
        return self._answered

    def unanswered(self, now: float) -> float:
        """Return the seconds since the first check after the last answer; 0 without such a check."""
        return now - next(iter(self._outstanding.values()), now)

    def tick(self, now: float) -> list[IceEffect]:
        """Let time pass."""
        if self._remote is None or self.lost:
            return []
        if now - self._answered >= CONSENT_TIMEOUT:
            self.lost = True
            return [ConsentLost()]
        return self._check(now) if now >= self._next_check else []

    def _check(self, now: float) -> list[IceEffect]:
        assert self._remote is not None
        username, password = self._remote
        transaction = self._rng(12)
        self._outstanding[transaction] = now
        while len(self._outstanding) > _OUTSTANDING_MAX:
            del self._outstanding[next(iter(self._outstanding))]
        self._next_check = now + (CONSENT_RETRY if self.connected else self._interval)
        self._interval = min(2 * self._interval, CHECK_INTERVAL_MAX)
        request = stun.request(
            transaction,
            username,
            password,
            tie_breaker=self._tie_breaker,
            nominate=self._nominate,
            hello=b"" if self.connected else self._hello,
        )
        return [Send(request)]
