"""By which way the media server is reached, and by which again: a pure core.

UDP is tried at all of its addresses at once, TCP (RFC 6544) where UDP hasn't answered in a moment; what is
checked first carries all. Once nothing is heard any more (the network has changed, a NAT has forgotten us)
the same is tried from new sockets, beside the old one, until something answers: the keys outlive it, and
signaling needn't hear of it. Times are seconds, monotonic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from client.media import ice
from client.media.ice import IceClient, IceEffect

#: UDP has so long for itself.
TCP_AFTER: Final = 1.5
#: The server says something twice a second: silent for so long it is asked, and for so long it is not there.
QUIET: Final = 1.0
SILENT: Final = 1.5
#: A check unanswered for so long means that we aren't heard, whatever we hear.
UNHEARD: Final = 1.0
#: New sockets are given up for newer ones after so long.
ROUND: Final = 2.0


@dataclass(frozen=True, slots=True)
class Way:
    """An address of the server's (an IP address), and how to speak to it."""

    address: str
    port: int
    tcp: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Open a socket to there, by this number. `opened` is to be told of TCP, `broken` of either."""

    number: int
    way: Way


@dataclass(frozen=True, slots=True)
class Send:
    """Send this datagram by that socket."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Chosen:
    """From now on all goes by this socket. `first`: there was none before."""

    number: int
    first: bool


@dataclass(frozen=True, slots=True)
class Shut:
    """That socket is of no use any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer by any way for `ice.CONSENT_TIMEOUT`: nothing more may be sent."""


ReachEffect = Open | Send | Chosen | Shut | Unreachable


@dataclass(frozen=True, slots=True)
class _Attempt:
    way: Way
    agent: IceClient


class Reach:
    """One server, reached by one socket at a time. `tried`: ways that sockets were opened for."""

    def __init__(self, local_ufrag: str, rng: Callable[[int], bytes]) -> None:
        self._local_ufrag = local_ufrag
        self._rng = rng
        self._remote = ("", "")
        self._ways: list[Way] = []
        self._attempts: dict[int, _Attempt] = {}
        self._numbers = 0
        self._chosen: int | None = None
        self._heard = 0.0
        self._answered = 0.0
        self._tcp_at = float("inf")
        self._round_at = float("inf")
        self._lost = False
        #: Seconds to the server and back, as last measured.
        self.round_trip: float | None = None
        self.tried: list[Way] = []

    @property
    def connected(self) -> bool:
        """Whether any way has been checked so far."""
        return self._chosen is not None

    @property
    def steady(self) -> bool:
        """Whether there is a way, and nothing else is tried beside it."""
        return self._chosen is not None and len(self._attempts) == 1

    # -- inputs ------------------------------------------------------------------------------

    def start(
        self, ufrag: str, password: str, addresses: Sequence[str], port: int, *, tcp: bool, now: float
    ) -> list[ReachEffect]:
        """Begin to check the server, with these credentials of its, at these addresses."""
        self._remote = (ufrag, password)
        self._ways = [Way(address, port) for address in addresses]
        if tcp:
            self._ways += [Way(address, port, tcp=True) for address in addresses]
        self._heard = self._answered = now
        return self._try(now, tcp_too=False)

    def opened(self, number: int, now: float) -> list[ReachEffect]:
        """A TCP connection stands."""
        attempt = self._attempts.get(number)
        return [] if attempt is None else self._map(number, attempt.agent.start(*self._remote, now), now)

    def broken(self, number: int, now: float) -> list[ReachEffect]:
        """A socket couldn't be opened, or its connection has ended."""
        if self._attempts.pop(number, None) is None:
            return []
        effects: list[ReachEffect] = [Shut(number)]
        if number == self._chosen:
            # it stays the chosen one until another answers; what is sent by it goes nowhere
            return effects + self._try(now, tcp_too=True)
        if self._tcp_at < float("inf") and not any(not a.way.tcp for n, a in self._attempts.items()):
            self._tcp_at = now  # nothing to wait for: UDP can't be
        return effects

    def receive(self, number: int, data: bytes, now: float) -> list[ReachEffect]:
        """STUN has come by that socket."""
        attempt = self._attempts.get(number)
        if attempt is None or self._lost:
            return []
        before = attempt.agent.answered
        effects = self._map(number, attempt.agent.receive(data, now), now)
        if attempt.agent.answered > before or effects:
            self._answered = max(self._answered, now)
            if number == self._chosen:
                self.round_trip = attempt.agent.round_trip
                self.heard(now)
                effects += self._only(number)  # whatever is tried beside it isn't needed
        return effects

    def heard(self, now: float) -> None:
        """Something authentic has come by the chosen socket. That we are heard too, answers to checks say."""
        self._heard = now

    def tick(self, now: float) -> list[ReachEffect]:
        """Let time pass."""
        if self._lost or not self._ways:
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
            effects += self._open([way for way in self._ways if way.tcp], now)
        return effects

    # -- inside ------------------------------------------------------------------------------

    def _watch(self, chosen: _Attempt | None, now: float) -> list[ReachEffect]:
        """Ask where it is quiet, and look for another way where asking didn't help."""
        effects: list[ReachEffect] = []
        silent = now - self._heard
        if chosen is not None and silent > QUIET:
            assert self._chosen is not None
            effects += self._map(self._chosen, chosen.agent.probe(now), now)
        unheard = chosen is None or silent > SILENT or chosen.agent.unanswered(now) > UNHEARD
        others = [number for number in self._attempts if number != self._chosen]
        if not unheard:
            self._tcp_at = float("inf")
            if not others:
                self._round_at = float("inf")
        elif self._round_at == float("inf") or now >= self._round_at:
            effects += [Shut(number) for number in others]
            for number in others:
                del self._attempts[number]
            # who is on TCP is so for a reason
            effects += self._try(now, tcp_too=chosen is None or chosen.way.tcp)
        return effects

    def _try(self, now: float, *, tcp_too: bool) -> list[ReachEffect]:
        """New sockets for all ways, those of TCP a little later unless `tcp_too`."""
        self._round_at = now + ROUND
        ways = [way for way in self._ways if tcp_too or not way.tcp]
        if not tcp_too and any(way.tcp for way in self._ways):
            self._tcp_at = now + TCP_AFTER
            self._round_at += TCP_AFTER
        return self._open(ways, now)

    def _open(self, ways: Sequence[Way], now: float) -> list[ReachEffect]:
        effects: list[ReachEffect] = []
        for way in ways:
            number, self._numbers = self._numbers, self._numbers + 1
            # with one way there is nothing to choose from
            agent = IceClient(self._local_ufrag, self._rng, nominate=len(self._ways) == 1)
            self._attempts[number] = _Attempt(way, agent)
            if way not in self.tried:
                self.tried.append(way)
            effects.append(Open(number, way))
            if not way.tcp:
                effects += self._map(number, agent.start(*self._remote, now), now)
        return effects

    def _map(self, number: int, effects: Sequence[IceEffect], now: float) -> list[ReachEffect]:
        out: list[ReachEffect] = []
        for effect in effects:
            match effect:
                case ice.Send(data):
                    out.append(Send(number, data))
                case ice.Connected():
                    out += self._choose(number, now)
                case ice.ConsentLost():
                    pass  # of this socket; `tick` looks at all of them
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
        """All other sockets are of no use any more."""
        others = [number for number in self._attempts if number != kept]
        for number in others:
            del self._attempts[number]
        self._tcp_at = self._round_at = float("inf")
        return [Shut(number) for number in others]


def unreached(tried: Sequence[Way]) -> str:
    """What was tried in vain, as a sentence that somebody can act on."""
    hosts = ", ".join(dict.fromkeys(way.address for way in tried))
    port = tried[0].port if tried else 0
    if any(way.tcp for way in tried):
        return (
            f"neither UDP nor TCP port {port} of {hosts} answers: "
            "something between here and there lets neither through"
        )
    return f"UDP port {port} of {hosts} does not answer: something between here and there lets no UDP through"
