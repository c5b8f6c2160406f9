"""A network between clients and a media server on loopback: a UDP proxy that loses, delays and doubles.

It stands on an address of its own with the server's port, so a server that tells clients this address
(`media_address`) while it binds another (`media_bind`) needs to know nothing of it.
"""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

#: Decides about a datagram; `up`: to the server. Returns the delay of each copy in seconds.
#: Without copies it is lost.
Fate = Callable[[bytes, bool], tuple[float, ...]]
Address = tuple[str, int]

PROXY = "127.0.0.2"
SERVER = "127.0.0.1"


def clean(datagram: bytes, up: bool) -> tuple[float, ...]:
    """A network that does no harm."""
    return (0.0,)


class Lossy:
    """Each datagram by itself: lost, or on its way for `delay` seconds, or so much longer that others
    overtake it (those of the next `late` seconds), or doubled. Probabilities are 0 to 1.

    `seen` and `lost` count, those to the server first. STUN and DTLS fare like all the rest.
    """

    def __init__(
        self,
        seed: int,
        *,
        loss: float,
        delay: float = 0.0,
        reorder: float = 0.0,
        double: float = 0.0,
        late: float = 0.025,
    ) -> None:
        self._random = [random.Random(f"{seed} {up}") for up in (True, False)]
        self._loss, self._reorder, self._double = loss, reorder, double
        self._delay, self._late = delay, late
        self.seen = [0, 0]
        self.lost = [0, 0]

    def __call__(self, datagram: bytes, up: bool) -> tuple[float, ...]:
        way = 0 if up else 1
        draw = self._random[way].random
        lost, overtaken, doubled = draw() < self._loss, draw() < self._reorder, draw() < self._double
        self.seen[way] += 1
        if lost:
            self.lost[way] += 1
            return ()
        delay = self._delay + (self._late if overtaken else 0.0)
        return (delay, delay + self._late) if doubled else (delay,)


class Narrow:
    """One client's line: `rate` bits a second each way, with a queue of `room` seconds, `delay` seconds long.

    `waited` has when each datagram came and how long it waited, those to the server first; `lost` counts.
    """

    def __init__(self, rate: float, *, room: float = 0.5, delay: float = 0.025) -> None:
        self._rate, self._room, self._delay = rate, room, delay
        self._free = [0.0, 0.0]
        self.waited: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
        self.lost = [0, 0]

    def __call__(self, datagram: bytes, up: bool) -> tuple[float, ...]:
        way, now = 0 if up else 1, time.monotonic()
        wait = max(0.0, self._free[way] - now)
        if wait > self._room:
            self.lost[way] += 1
            return ()
        self._free[way] = now + wait + 8 * (len(datagram) + 28) / self._rate  # with the headers of IP and UDP
        self.waited[way].append((now, wait))
        return (self._free[way] - now + self._delay,)


class _Client:
    """A client's address, and the socket that stands for it before the server."""

    def __init__(self, address: Address, target: Address) -> None:
        self.address = address
        self.fate: Fate | None = None
        #: Nothing of it passes any more, in either direction.
        self.cut = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, 1 << 21)
        self.socket.bind((SERVER, 0))
        self.socket.connect(target)


class Proxy:
    """Carries datagrams in a thread of its own while it is entered. `port` 0 takes a free one, for the server
    to take the same; `front` is where it stands; `each` makes a fate of its own for each client's address."""

    def __init__(
        self,
        fate: Fate = clean,
        port: int = 0,
        front: str = PROXY,
        *,
        each: Callable[[], Fate] | None = None,
    ) -> None:
        self.fate = fate
        self._each = each
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._front.setsockopt(socket.SOL_SOCKET, option, 1 << 21)
        self._front.bind((front, port))
        self.port: int = self._front.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._clients: dict[Address, _Client] = {}
        self._all: list[_Client] = []
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, bytes, _Client, bool]] = []
        self._order = itertools.count()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: The error that ended the proxy itself.
        self.error: Exception | None = None

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(5)
        self._selector.close()
        for sock in (self._front, *(client.socket for client in self._all)):
            sock.close()
        if kind is None and self.error is not None:
            raise self.error

    def cut(self) -> None:
        """The addresses that clients have now are theirs no more: who has another socket is let through."""
        for client in list(self._clients.values()):
            client.cut = True

    def rebind(self) -> None:
        """As a NAT that has forgotten everybody: clients keep their addresses, the server sees others."""
        with self._lock:
            for address, client in list(self._clients.items()):
                client.cut = True
                del self._clients[address]

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                wait = 0.05
                if self._waiting:
                    wait = min(wait, max(0.0, self._waiting[0][0] - time.monotonic()))
                for key, _ in self._selector.select(wait):
                    self._drain(key.data)
                self._deliver(time.monotonic())
        except Exception as error:
            self.error = error

    def _drain(self, client: _Client | None) -> None:
        for _ in range(64):
            try:
                if client is None:
                    datagram, source = self._front.recvfrom(4096)
                    self._receive(datagram, self._client(source), True)
                else:
                    self._receive(client.socket.recv(4096), client, False)
            except BlockingIOError:
                return
            except ConnectionError:  # an ICMP error: the other end isn't there, or is no more
                return

    def _client(self, address: Address) -> _Client:
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                client = self._clients[address] = _Client(address, (SERVER, self.port))
                client.fate = None if self._each is None else self._each()
                self._all.append(client)
                self._selector.register(client.socket, selectors.EVENT_READ, client)
        return client

    def _receive(self, datagram: bytes, client: _Client, up: bool) -> None:
        now = time.monotonic()
        for delay in () if client.cut else (client.fate or self.fate)(datagram, up):
            if delay:
                heapq.heappush(self._waiting, (now + delay, next(self._order), datagram, client, up))
            else:
                self._send(datagram, client, up)

    def _deliver(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, _, datagram, client, up = heapq.heappop(self._waiting)
            self._send(datagram, client, up)

    def _send(self, datagram: bytes, client: _Client, up: bool) -> None:
        try:
            if up:
                client.socket.send(datagram)
            else:
                self._front.sendto(datagram, client.address)
        except OSError:  # full, or nobody there: a network may lose packets
            return
