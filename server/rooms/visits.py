"""The core of plain HTTP's budget: TCP connections that are no WebSockets, and their unread bytes.

An answer is written in pieces (`server.http.PIECE`). The next one waits until the connection has room for
it, so a reader that reads nothing costs a few pieces, and never a whole file. Those bytes count against
`memory_bytes`. A reader that takes no piece within `page_time` is cut. Where too many connections or too many
bytes come together, the client with the most gives up the connection that has stood still for longest. An
honest crowd behind one address stays below these limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from snugroom.server.config import Settings
from snugroom.server.rooms.clients import Client, Clients

#: HTTP connections of one client, for each of the WebSockets that it may have. A browser opens six
#: connections while it loads the page: for 50 people behind one address, that is 300 of 512.
PER_SOCKET: Final = 2
#: Parts of `memory_bytes`: unread bytes of all clients, and of one. Of the default, one client may leave
#: 32 MiB unread, which hold the page as a browser loads it (190 kB) for more than 150 people.
SHARE: Final = 4
CLIENT_SHARE: Final = 16
#: A client with this many connections more than another gives one up for it.
_FEWER: Final = 4


class Connection(Protocol):
    """A TCP connection. The core tells connections apart, and leaves it to the shell to cut them."""

    def abort(self) -> None:
        """Cut the connection."""


@dataclass(slots=True, eq=False)
class Visit:
    """One connection. `at`: the time of its last progress, an answer that began or a piece that was taken."""

    key: Connection
    client: Client
    at: float
    unread: int = 0


class Visits:
    """All TCP connections that are no WebSockets. Methods return the connections that are to be cut."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._clients = clients
        self._known: dict[Connection, Visit] = {}
        #: Connections without an answer, and those with one, each in the order of progress.
        self._new: dict[Visit, None] = {}
        self._readers: dict[Visit, None] = {}
        self._of: dict[Client, dict[Visit, None]] = {}
        #: Bytes that all readers together have not taken.
        self.unread = 0

    def __len__(self) -> int:
        return len(self._known)

    # -- connections ---------------------------------------------------------------------------

    def enter(
        self, key: Connection, client: Client, address: str | None, now: float
    ) -> list[Connection] | None:
        """Count a new connection. None: it has no place, and is not counted.

        `address` is kept for as long as the client has connections. None: nobody knows it, or not yet.
        """
        if not self._may_enter(client):
            return None
        cut = []
        if len(self._known) >= self._settings.max_connections:
            victim = self._victim(client, now)
            if victim is None:
                return None
            cut = [self._give_up(victim)]
        self._add(Visit(key, client, now), address)
        return cut

    def again(self, key: Connection, now: float) -> None:
        """Count a connection whose WebSocket has ended, until it is closed."""
        if key not in self._known:
            self._add(Visit(key, self._clients.unknown, now), None)

    def belongs(self, key: Connection, client: Client, address: str | None) -> bool:
        """Note whose connection it is, or whose request a proxy passes on. False: the client has too many."""
        visit = self._known.get(key)
        if visit is None or visit.client is client:
            return True
        if not self._may_enter(client):
            return False
        self._detach(visit)
        visit.client = client
        self._attach(visit, address)
        return True

    def leave(self, key: Connection) -> None:
        """Forget a connection: it is closed, or a WebSocket with limits of its own. Harmless if repeated."""
        if (visit := self._known.get(key)) is not None:
            self._give_up(visit)

    # -- answers -------------------------------------------------------------------------------

    def wait(self, key: Connection, now: float) -> float:
        """Count a request, and return the seconds for which it has to wait."""
        visit = self._known.get(key)
        return 0.0 if visit is None else visit.client.request(now)

    def progress(self, key: Connection, unread: int, now: float) -> None:
        """Note that an answer begins, or that a piece was taken. `unread`: bytes that still wait."""
        if (visit := self._known.get(key)) is None:
            return
        visit.at = now
        self._new.pop(visit, None)
        self._readers.pop(visit, None)
        self._readers[visit] = None
        for each in visit.client.both():
            order = self._of[each]
            del order[visit]
            order[visit] = None
        self._count(visit, unread)

    def wrote(self, key: Connection, unread: int) -> list[Connection]:
        """Note the bytes that wait for a reader after a piece was written."""
        if (visit := self._known.get(key)) is None:
            return []
        self._count(visit, unread)
        budget = self._settings.memory_bytes
        cut: list[Connection] = []
        for each in visit.client.both():
            while not each.unlimited and each.unread > budget // CLIENT_SHARE * each.wider:
                if not self._cut_reader(each, visit, cut):
                    break
        while self.unread > budget // SHARE:
            if not self._cut_reader(self._heaviest(lambda each: each.unread), visit, cut):
                break
        return cut

    def relieve(self, excess: int) -> list[Connection]:
        """Give up readers until `excess` bytes are free, or none is left: before any room has to give."""
        cut: list[Connection] = []
        wanted = self.unread - excess
        while excess > 0 and self.unread > max(0, wanted):
            if not self._cut_reader(self._heaviest(lambda each: each.unread), None, cut):
                break
        return cut

    def tick(self, now: float) -> list[Connection]:
        """Give up connections that had no answer in time, and readers that stand still."""
        cut = []
        for order, time in (
            (self._new, self._settings.handshake_time),
            (self._readers, self._settings.page_time),
        ):
            while order and now - (visit := next(iter(order))).at >= time:
                cut.append(self._give_up(visit))
        return cut

    # -- inside --------------------------------------------------------------------------------

    def _may_enter(self, client: Client) -> bool:
        most = PER_SOCKET * self._settings.connections_per_client
        return client.may_have(lambda each: each.visits, most)

    def _add(self, visit: Visit, address: str | None) -> None:
        self._known[visit.key] = visit
        self._new[visit] = None
        self._attach(visit, address)

    def _attach(self, visit: Visit, address: str | None) -> None:
        self._clients.enter(visit.client, address)
        for each in visit.client.both():
            self._of.setdefault(each, {})[visit] = None
            each.unread += visit.unread

    def _detach(self, visit: Visit) -> None:
        for each in visit.client.both():
            each.unread -= visit.unread
            order = self._of[each]
            del order[visit]
            if not order:
                del self._of[each]
        self._clients.leave(visit.client)

    def _count(self, visit: Visit, unread: int) -> None:
        more = unread - visit.unread
        visit.unread = unread
        self.unread += more
        for each in visit.client.both():
            each.unread += more

    def _give_up(self, visit: Visit) -> Connection:
        self._count(visit, 0)
        self._detach(visit)
        del self._known[visit.key]
        self._new.pop(visit, None)
        self._readers.pop(visit, None)
        return visit.key

    def _heaviest(self, of: Callable[[Client], float]) -> Client:
        return max((each for each in self._of if each.wider == 1), key=lambda each: each.share(of))

    def _victim(self, newcomer: Client, now: float) -> Visit | None:
        """Return the connection that makes place for one of `newcomer`; None if none has to.

        It has stood still for longer than a handshake may take, or its client has more than the newcomer.
        """
        heaviest = self._heaviest(lambda each: each.visits)
        visit = next(iter(self._of[heaviest]))
        if now - visit.at >= self._settings.handshake_time:
            return visit
        mine = 0.0 if newcomer.unlimited else newcomer.share(lambda each: each.visits)
        more = heaviest.share(lambda each: each.visits) >= mine + _FEWER
        return visit if more and not heaviest.unlimited else None

    def _cut_reader(self, client: Client, spared: Visit | None, cut: list[Connection]) -> bool:
        """Give up the reader of `client` that has stood still for longest; False: it has no other."""
        order = self._of.get(client, {})
        visit = next((each for each in order if each.unread and each is not spared), None)
        if visit is None:
            return False
        cut.append(self._give_up(visit))
        return True
