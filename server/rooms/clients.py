"""The core of quotas: what each client holds and does, known by a keyed hash that is soon forgotten.

A client is an IPv4 address, or an IPv6 network of 64 bits. An IPv6 network of 48 bits, which one customer may
have, has quotas of its own: `WIDER` times those of a client. The random key of the hashes changes every
`PERIOD` seconds, and the one before is kept for one period more. A client without a connection is therefore
forgotten, and its key with it, between one and two periods after it was last here. While it has connections,
its prefix is kept, to be hashed with the next key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms import addresses

#: Seconds between two keys. Two periods are below a minute, after which nothing may identify a client.
PERIOD: Final = 28.0
#: A network of 48 bits may have this many times what a client may have.
WIDER: Final = 4
#: Clients known at once. Beyond this the next period begins early.
KNOWN_MAX: Final = 50_000
_NETWORK: Final = 6
#: Requests of HTTP that one client may make without waiting: at once, the whole page for 90 people; and so
#: many a second.
REQUEST_BURST: Final = 4096.0
REQUESTS_PER_SECOND: Final = 200.0


class Client:
    """One client, or a network of 48 bits. `unlimited`: clients that nobody can tell apart."""

    __slots__ = (
        "arrivals",
        "handles",
        "handshakes",
        "lobbies",
        "network",
        "openings",
        "prefix",
        "requests",
        "rooms",
        "unlimited",
        "unread",
        "visits",
        "wider",
    )

    def __init__(
        self,
        settings: Settings,
        now: float,
        network: Client | None = None,
        *,
        wider: int = 1,
        unlimited: bool = False,
    ) -> None:
        self.network = network
        self.wider = wider
        self.unlimited = unlimited
        #: The first bytes of the address while there are connections, and empty otherwise.
        self.prefix = bytearray()
        #: The handles of its WebSockets, in order of arrival.
        self.handles: dict[bytes, None] = {}
        self.rooms = 0
        self.lobbies = 0
        #: Handshakes of the last periods. A client with fewer goes first.
        self.handshakes = 0.0
        #: Its TCP connections that are no WebSockets, and their unread bytes (`server.rooms.visits`).
        self.visits = 0
        self.unread = 0
        self.arrivals = TokenBucket(settings.arrivals_per_second * wider, settings.arrival_burst * wider, now)
        self.openings = TokenBucket(settings.openings_per_second * wider, settings.opening_burst * wider, now)
        self.requests = TokenBucket(REQUESTS_PER_SECOND * wider, REQUEST_BURST * wider, now)

    def both(self) -> Iterator[Client]:
        """Yield the client, and the network that it belongs to."""
        yield self
        if self.network is not None:
            yield self.network

    @property
    def connections(self) -> int:
        """The number of its WebSockets."""
        return len(self.handles)

    def arrive(self, now: float) -> bool:
        """Count a TCP connection. Return False if there are too many in too short a time."""
        return self.unlimited or all(each.arrivals.take(now) for each in self.both())

    def request(self, now: float) -> float:
        """Count a request of HTTP, and return the seconds for which it has to wait."""
        if self.unlimited:
            return 0.0
        waits = []
        for each in self.both():
            waits.append(each.requests.wait(now))
            each.requests.spend(now, 1.0)
        return max(waits)

    def may_have(self, held: Callable[[Client], int], most: int) -> bool:
        """Return whether one more of something is within the quota `most` of one client."""
        return self.unlimited or all(held(each) < most * each.wider for each in self.both())

    def may_open(self, held: Callable[[Client], int], most: int, now: float) -> bool:
        """Count a room or lobby to be opened. False: the client has too many, or opens them too fast."""
        within = self.may_have(held, most)
        return within and (self.unlimited or all(each.openings.take(now) for each in self.both()))

    def share(self, of: Callable[[Client], float]) -> float:
        """Return how much of something it has, or its share of its network's if that is more."""
        return max(of(each) / each.wider for each in self.both())


class Clients:
    """All clients of the last two periods. `rng` makes the keys of the hashes."""

    def __init__(self, settings: Settings, rng: Callable[[int], bytes], now: float) -> None:
        self._settings = settings
        self._rng = rng
        self._keys = rng(16), rng(16)
        self._known: dict[bytes, Client] = {}
        self._before: dict[bytes, Client] = {}
        self._until = now + PERIOD
        #: Clients whose address nobody says: all are one, and no quota of a client applies.
        self.unknown = Client(settings, now, unlimited=True)

    def __len__(self) -> int:
        return len(self._known) + len(self._before)

    def find(self, address: str | None, now: float) -> Client:
        """Return the client at `address` (text). None, or text that is no address: `unknown`."""
        prefix = None if address is None else addresses.prefix(address)
        if prefix is None:
            return self.unknown
        self.tick(now)
        network = None
        if len(prefix) > _NETWORK:
            network = self._entry(prefix[:_NETWORK], None, WIDER, now)
        return self._entry(prefix, network, 1, now)

    def _entry(self, prefix: bytes, network: Client | None, wider: int, now: float) -> Client:
        name = _hash(self._keys[0], prefix)
        client = self._known.get(name)
        if client is None:
            client = self._before.pop(_hash(self._keys[1], prefix), None)
            if client is None:
                client = Client(self._settings, now, network, wider=wider)
            client.network = network
            self._known[name] = client
            if len(self._known) > KNOWN_MAX:
                self._until = now
        return client

    def tick(self, now: float) -> None:
        """Change the key if it is time to. Forget clients that have had no connection for a whole period."""
        if now < self._until:
            return
        stale = now >= self._until + PERIOD  # nobody came for so long that the period before is over, too
        known = {} if stale else self._known
        present = [client for client in self._present() if client.prefix]
        self._keys = self._rng(16), self._keys[0]
        self._known = {_hash(self._keys[0], bytes(client.prefix)): client for client in present}
        self._before = {name: client for name, client in known.items() if not client.prefix}
        for client in (*self._known.values(), *self._before.values(), self.unknown):
            client.handshakes /= 2
        self._until = now + PERIOD

    def _present(self) -> Iterator[Client]:
        yield from self._known.values()
        yield from self._before.values()

    def connect(self, client: Client, handle: bytes, address: str | None) -> None:
        """Note a WebSocket. `address` is kept for as long as the client has one."""
        for each in client.both():
            each.handles[handle] = None
            _keep_prefix(each, address)

    def disconnect(self, client: Client, handle: bytes) -> None:
        """Forget a WebSocket, and with the last connection the prefix."""
        for each in client.both():
            each.handles.pop(handle, None)
            _drop_prefix(each)

    def enter(self, client: Client, address: str | None) -> None:
        """Note a TCP connection that is no WebSocket. `address` is kept for as long as the client has one."""
        for each in client.both():
            each.visits += 1
            _keep_prefix(each, address)

    def leave(self, client: Client) -> None:
        """Forget a connection that `enter` noted, and with the last one the prefix."""
        for each in client.both():
            each.visits -= 1
            _drop_prefix(each)

    def present(self) -> list[Client]:
        """Return the clients that have WebSockets now, without the unknown one."""
        return [client for client in self._present() if client.handles and client.wider == 1]


def _keep_prefix(client: Client, address: str | None) -> None:
    prefix = None if address is None else addresses.prefix(address)
    if prefix is not None and not client.prefix and not client.unlimited:
        client.prefix += prefix[: _NETWORK if client.wider > 1 else None]


def _drop_prefix(client: Client) -> None:
    if not client.handles and not client.visits:
        client.prefix[:] = bytes(len(client.prefix))  # a bytearray that shrinks keeps what was in it
        client.prefix.clear()


def _hash(key: bytes, prefix: bytes) -> bytes:
    return blake2b(prefix, digest_size=16, key=key).digest()
