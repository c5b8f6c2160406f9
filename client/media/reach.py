"""Finds and keeps a working path to the media server: a pure core.

UDP is tried at all addresses at once; TCP (RFC 6544) follows if UDP does not answer within a moment. The path
that answers first carries all traffic. When nothing more is received (the network has changed, a NAT has
dropped the mapping), all paths are tried again from new sockets, beside the old one, until one answers. The
keys survive the change, and signaling is not involved. Times are seconds, monotonic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from snugroom.client.media import ice
from snugroom.client.media.ice import IceClient, IceEffect

#: Seconds in which only UDP is tried.
TCP_AFTER: Final = 1.5
#: The server sends something twice a second. After QUIET seconds without it, the client sends a check; after
#: SILENT seconds the path counts as broken.
QUIET: Final = 1.0
SILENT: Final = 1.5
#: A check unanswered for this long means that the server does not receive our packets.
UNHEARD: Final = 1.0
#: Seconds after which new sockets are replaced by newer ones.
ROUND: Final = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate of the server: IP address, port, and transport protocol."""

    address: str
    port: int
    tcp: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Open a socket for this candidate under this number. Report `opened` for TCP and `broken` for both."""

    number: int
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Send:
    """Send this datagram by the socket with this number."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Chosen:
    """Send all further packets by this socket. `first`: no socket was chosen before."""

    number: int
    first: bool


@dataclass(frozen=True, slots=True)
class Shut:
    """Close this socket: it is no longer needed."""

    number: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer on any path for `ice.CONSENT_TIMEOUT`: sending must stop."""


ReachEffect = Open | Send | Chosen | Shut | Unreachable


@dataclass(frozen=True, slots=True)
class _Attempt:
    candidate: Candidate
    agent: IceClient


class Reach:
    """One server, reached by one socket at a time. `tried`: all paths that sockets were opened for."""

    def __init__(self, local: tuple[str, str], rng: Callable[[int], bytes]) -> None:
        """`local`: this client's ufrag and password."""
        self._local = local
        self._rng = rng
        #: Waits are this many times as long.
        self.slowness = 1.0
        self._remote = ("", "")
        self._hello = b""
        self._candidates: list[Candidate] = []
        self._attempts: dict[int, _Attempt] = {}
        self._numbers = 0
        self._chosen: int | None = None
        self._heard = 0.0
        self._answered = 0.0
        self._tcp_at = float("inf")
        self._round_at = float("inf")
        self._lost = False
        #: The last measured round trip to the server, seconds.
        self.round_trip: float | None = None
        self.tried: list[Candidate] = []

    @property
    def connected(self) -> bool:
        """Whether any path has answered so far."""
        return self._chosen is not None

    @property
    def trying(self) -> bool:
        """Whether a path is in use, or being tried."""
        return bool(self._attempts)

    @property
    def steady(self) -> bool:
        """Whether a path is chosen and no other one is being tried."""
        return self._chosen is not None and len(self._attempts) == 1

    # -- inputs ------------------------------------------------------------------------------

    def start(
        self,
        ufrag: str,
        password: str,
        addresses: Sequence[str],
        port: int,
        *,
        udp: bool = True,
        tcp: bool,
        now: float,
        hello: bytes = b"",
    ) -> list[ReachEffect]:
        """Begin to check the server at these addresses, with its credentials, over `udp` and `tcp`.

        `hello`: the ClientHello for the first path, see `IceClient`.
        """
        self._remote, self._hello = (ufrag, password), hello
        self._candidates = [Candidate(address, port) for address in addresses if udp]
        if tcp:
            self._candidates += [Candidate(address, port, tcp=True) for address in addresses]
        self._heard = self._answered = now
        return self._try(now, tcp_too=not udp)

    def opened(self, number: int, now: float) -> list[ReachEffect]:
        """Take note that a TCP connection is established."""
        attempt = self._attempts.get(number)
        return [] if attempt is None else self._begin(number, attempt, now)

    def broken(self, number: int, now: float) -> list[ReachEffect]:
        """Take note that a socket could not be opened, or that its connection has ended."""
        if self._attempts.pop(number, None) is None:
            return []
        effects: list[ReachEffect] = [Shut(number)]
        if number == self._chosen:
            # the socket stays chosen until another one answers; packets sent on it are lost
            return effects + self._try(now, tcp_too=True)
        if self._tcp_at < float("inf") and not any(not a.candidate.tcp for n, a in self._attempts.items()):
            self._tcp_at = now  # no UDP socket is left to wait for
        return effects

    def receive(self, number: int, data: bytes, now: float) -> list[ReachEffect]:
        """Take a STUN datagram that arrived by this socket."""
        attempt = self._attempts.get(number)
        if attempt is None or self._lost:
            return []
        before = attempt.agent.answered
        effects = self._map(number, attempt.agent.receive(data, now), now)
        # a check of the server, which has no answer of ours in it yet, says nothing about our own
        if attempt.agent.answered > before or any(not isinstance(effect, Send) for effect in effects):
            self._answered = max(self._answered, now)
            if number == self._chosen:
                self.round_trip = attempt.agent.round_trip
                self.heard(now)
                effects += self._only(number)  # other attempts are no longer needed
        return effects

    def heard(self, now: float) -> None:
        """Take note of authentic data on the chosen socket. It does not prove the other direction."""
        self._heard = now

    def tick(self, now: float) -> list[ReachEffect]:
        """Let time pass."""
        if self._lost or not self._candidates:
            return []
        if now - self._answered >= ice.CONSENT_TIMEOUT:
            self._lost = True
            return [*self._only(None), Unreachable()]
        effects: list[ReachEffect] = []
        for number, attempt in list(self._attempts.items()):
            effects += self._map(number, attempt.agent.tick(now), now)
        chosen = self._attempts.get(self._chosen) if self._chosen is not None else None
        if self._chosen is not None:
            effects += self._watch(chosen, now)
        if now >= self._tcp_at:
            self._tcp_at = float("inf")
            effects += self._open([candidate for candidate in self._candidates if candidate.tcp], now)
        return effects

    # -- inside ------------------------------------------------------------------------------

    def _watch(self, chosen: _Attempt | None, now: float) -> list[ReachEffect]:
        """Send a check when the server is quiet, and try other paths when checks don't help."""
        effects: list[ReachEffect] = []
        silent = now - self._heard
        if chosen is not None and silent > QUIET:
            assert self._chosen is not None
            effects += self._map(self._chosen, chosen.agent.probe(now), now)
        slow = self.slowness
        unheard = chosen is None or silent > SILENT * slow or chosen.agent.unanswered(now) > UNHEARD * slow
        others = [number for number in self._attempts if number != self._chosen]
        if not unheard:
            self._tcp_at = float("inf")
            if not others:
                self._round_at = float("inf")
        elif self._round_at == float("inf") or now >= self._round_at:
            effects += [Shut(number) for number in others]
            for number in others:
                del self._attempts[number]
            # a client on TCP had a reason for it: UDP may fail again
            effects += self._try(now, tcp_too=chosen is None or chosen.candidate.tcp)
        return effects

    def _try(self, now: float, *, tcp_too: bool) -> list[ReachEffect]:
        """Open new sockets for all paths; TCP follows a little later, unless `tcp_too`."""
        self._round_at = now + ROUND * self.slowness
        candidates = [candidate for candidate in self._candidates if tcp_too or not candidate.tcp]
        if not tcp_too and any(candidate.tcp for candidate in self._candidates):
            self._tcp_at = now + TCP_AFTER
            self._round_at += TCP_AFTER
        return self._open(candidates, now)

    def _open(self, candidates: Sequence[Candidate], now: float) -> list[ReachEffect]:
        effects: list[ReachEffect] = []
        for candidate in candidates:
            number, self._numbers = self._numbers, self._numbers + 1
            # a single path is nominated at once
            agent = IceClient(
                self._local,
                self._rng,
                nominate=len(self._candidates) == 1,
                hello=self._hello if self._chosen is None else b"",
            )
            self._attempts[number] = _Attempt(candidate, agent)
            if candidate not in self.tried:
                self.tried.append(candidate)
            effects.append(Open(number, candidate))
            if not candidate.tcp:
                effects += self._begin(number, self._attempts[number], now)
        return effects

    def _begin(self, number: int, attempt: _Attempt, now: float) -> list[ReachEffect]:
        server = (attempt.candidate.address, attempt.candidate.port)
        return self._map(number, attempt.agent.start(*self._remote, server, now), now)

    def _map(self, number: int, effects: Sequence[IceEffect], now: float) -> list[ReachEffect]:
        out: list[ReachEffect] = []
        for effect in effects:
            match effect:
                case ice.Send(data):
                    out.append(Send(number, data))
                case ice.Connected():
                    out += self._choose(number, now)
                case ice.ConsentLost():
                    pass  # concerns this socket alone; `tick` looks at all of them
        return out

    def _choose(self, number: int, now: float) -> list[ReachEffect]:
        attempt = self._attempts[number]
        first, self._chosen = self._chosen is None, number
        self._heard = self._answered = now
        self._tcp_at = self._round_at = float("inf")
        self.round_trip = attempt.agent.round_trip
        nomination = self._map(number, attempt.agent.nominate(now), now)
        return [*self._only(number), *nomination, Chosen(number, first)]

    def _only(self, kept: int | None) -> list[ReachEffect]:
        """Shut all sockets but this one."""
        others = [number for number in self._attempts if number != kept]
        for number in others:
            del self._attempts[number]
        self._tcp_at = self._round_at = float("inf")
        return [Shut(number) for number in others]


def unreached(tried: Sequence[Candidate]) -> str:
    """Return an error message that names the paths tried and the probable cause."""
    hosts = ", ".join(dict.fromkeys(candidate.address for candidate in tried))
    port = tried[0].port if tried else 0
    if any(candidate.tcp for candidate in tried):
        return (
            f"neither UDP nor TCP port {port} of {hosts} answers: "
            "something between here and there lets neither through"
        )
    return f"UDP port {port} of {hosts} does not answer: something between here and there lets no UDP through"
