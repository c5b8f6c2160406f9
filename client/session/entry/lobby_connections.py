"""The connections to the lobbies of one or two UTC days: sign in, seal and post (protocol section 4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel import backoff
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import day_of, door_message, lobby_envelope_key, lobby_key
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.wire import messages as wire

#: Seconds around midnight in which a host is in both days' lobbies.
MIDNIGHT: Final = 600.0
#: Seconds for which a newcomer looks for the meeting at one server before it tries the next: in its lobby,
#: and without a connection. Where the meeting began, twice as long with each round, up to `ROUNDS` times.
SEEK_STAY: Final = 2.0
REACH_STAY: Final = 4.0
ROUNDS: Final = 4
#: Seconds for which it stays where somebody of the meeting has answered it.
HEARD_STAY: Final = 30.0
#: Seconds for which one request of another member shows that it is here, and how many are remembered:
#: a server or a former member can repeat them.
REQUEST_HOLDS: Final = 120.0
REQUESTS_MAX: Final = 256
#: Posts a second, and in a burst: below a server's default limits, so that none is refused and lost.
POST_RATE: Final = 40.0
POST_BURST: Final = 160.0
#: The same of posts to all in the lobby.
BROADCAST_RATE: Final = 3.0
BROADCAST_BURST: Final = 30.0
#: Bytes a second, and in a burst, of blobs: a server closes a connection that sends more than its default.
BYTE_RATE: Final = 524_288.0
BYTE_BURST: Final = 4_194_304.0
#: Waiting posts from which unsolicited posts (refusals without a host's decision) are not added.
CROWDED: Final = 32
#: Maximum waiting posts: somebody who floods the lobby makes us answer, and the oldest is dropped.
WAITING_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A lobby message, and the handle of the connection that has posted it, by the server's word."""

    message: lobby.LobbyMessage
    handle: bytes


class _Allowance:
    """The budget now: `rate` more each second, at most `burst`."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self.left = burst

    def pass_time(self, seconds: float) -> None:
        self.left = min(self._burst, self.left + self._rate * seconds)


@dataclass(frozen=True, slots=True)
class _Waiting:
    day: int
    message: lobby.LobbyMessage
    to: tuple[bytes, ...] | None

    @property
    def cost(self) -> int:
        """The posts for which it counts: one for each receiver that it names."""
        return 1 if self.to is None else len(self.to)


def days_around(now: float) -> set[int]:
    """Return the days whose lobbies a host with waiting knocks must be in: two near midnight."""
    return {day_of(now - MIDNIGHT), day_of(now), day_of(now + MIDNIGHT)}


class LobbyConnections:
    """Connections to the lobbies of some days at one server: connect, sign, post."""

    def __init__(
        self,
        secret: bytes,
        origins: Sequence[str],
        effects: list[ev.Effect],
        rng: Rng,
        slowness: float = 1.0,
    ) -> None:
        """`origins`: where the meeting began, and where it can go on. `slowness`: of the network."""
        self._slowness = slowness
        self._secret = secret
        self._origins = origins
        #: The origin of the server.
        self.at = origins[0]
        self._came_at: float | None = None
        self._heard_at = -inf
        self._requests: dict[bytes, float] = {}  # others' requests by their ids, and when each first came
        self._failed = False  # a connection to this server
        self._rounds = 0
        self._effects = effects
        self._rng = rng
        self._keys: dict[int, SigningKey] = {}
        self._envelope_keys: dict[int, bytes] = {}
        self._entered: set[int] = set()
        self._retry: dict[int, float] = {}
        self._failures = 0
        #: Whether we have ever entered a lobby.
        self.was_inside = False
        self._refusal = ""
        self._waiting: deque[_Waiting] = deque()
        self._posts = _Allowance(POST_RATE, POST_BURST)
        self._broadcasts = _Allowance(BROADCAST_RATE, BROADCAST_BURST)
        self._bytes = _Allowance(BYTE_RATE, BYTE_BURST)
        self._flushed_at: float | None = None

    @property
    def entered(self) -> frozenset[int]:
        """The days whose lobbies we have entered."""
        return frozenset(self._entered)

    def stay_in(self, days: set[int], now: float) -> None:
        """Be in the lobbies of these days only. Call it regularly: it also sends waiting posts."""
        since = 0.0 if self._flushed_at is None else now - self._flushed_at
        self._flushed_at = now
        for allowance in (self._posts, self._broadcasts, self._bytes):
            allowance.pass_time(since)
        self._flush()
        for day in days - self._keys.keys():
            self._take_keys(day)
            self._connect(day)
        for day in self._keys.keys() - days:
            self._forget(day)
            self._effects.append(ev.Disconnect(ev.Endpoint(day)))
        for day, at in list(self._retry.items()):
            if now >= at:
                del self._retry[day]
                self._connect(day)

    def _take_keys(self, day: int) -> None:
        self._keys[day] = lobby_key(self._secret, self.at, day)
        self._envelope_keys[day] = lobby_envelope_key(self._secret, self.at, day)

    def _connect(self, day: int) -> None:
        elsewhere = "" if self.at == self._origins[0] else self.at
        self._effects.append(ev.Connect(ev.Endpoint(day), origin=elsewhere))

    def go(self, origin: str) -> None:
        """Be in the lobbies at that server from now on."""
        if origin == self.at:
            return
        self.at = origin
        self._came_at, self._heard_at, self._failed = None, -inf, False
        for day in self._keys:
            self._entered.discard(day)
            self._take_keys(day)
            if day not in self._retry:
                self._effects.append(ev.Disconnect(ev.Endpoint(day)))
                self._connect(day)

    def seek(self, now: float) -> None:
        """Go from server to server, for as long as nobody of the meeting is heard."""
        if len(self._origins) == 1:
            return
        if self._came_at is None:
            self._came_at = now
        at = self._origins.index(self.at)
        stay = (SEEK_STAY if self._entered else REACH_STAY) * (1 if at else 2 ** min(self._rounds, ROUNDS))
        stay *= self._slowness
        elsewhere = now - self._came_at > stay and now - self._heard_at > HEARD_STAY
        if elsewhere or (self._failed and not self._entered):
            self._rounds += at == len(self._origins) - 1
            self.go(self._origins[(at + 1) % len(self._origins)])

    @property
    def seeks(self) -> bool:
        """Whether the meeting can be at more than one server."""
        return len(self._origins) > 1

    def heard(self, now: float) -> None:
        """Somebody of the meeting has answered us here."""
        self._heard_at = now

    def heard_request(self, number: bytes, now: float) -> None:
        """Another member's request came, with this id: somebody is here, unless it was repeated."""
        known = number in self._requests or len(self._requests) < REQUESTS_MAX
        if known and now - self._requests.setdefault(number, now) < REQUEST_HOLDS:
            self.heard(now)

    def _forget(self, day: int) -> None:
        del self._keys[day], self._envelope_keys[day]
        self._entered.discard(day)
        self._retry.pop(day, None)

    def lost(self, day: int, now: float) -> None:
        """Handle a lost connection: reconnect after a random time, longer after each failure."""
        self._entered.discard(day)
        self._failed = True
        if day in self._keys:
            self._retry[day] = now + backoff.delay(self._failures, self._rng)
            self._failures += 1

    def hurry(self, now: float) -> None:
        """Connect at once where we are about to: the network has changed."""
        self._retry = dict.fromkeys(self._retry, now)

    def received(self, day: int, message: wire.ServerMessage) -> PostedMessage | bool:
        """Return a posted lobby message; True if we have just entered; False for anything else."""
        key = self._keys.get(day)
        if key is None:
            return False
        if isinstance(message, wire.Challenge):
            nonce = self._rng(32)
            signed = key.sign(door_message(self.at, key.public, message.nonce, nonce))
            self._effects.append(ev.Transmit(ev.Endpoint(day), wire.LobbyDoor(key.public, nonce, signed)))
        elif isinstance(message, wire.Entered):
            self._entered.add(day)
            self._failures, self.was_inside = 0, True
            return True
        elif isinstance(message, wire.Refused) and message.text != self._refusal:
            self._refusal = message.text  # reported once, however often it recurs
            if message.code == "nodes":  # a moment's state of its machines
                self._effects.append(ev.Tell(sentences.status("closing", text=message.text)))
            else:
                self._effects.append(ev.Tell(sentences.alarm("refused.lobby", why=message.text)))
        elif isinstance(message, wire.Posted):
            try:
                return PostedMessage(lobby.read(self._envelope_keys[day], message.blob), message.handle)
            except SnugError:
                return False  # not from a holder of the link
        return False

    def post(self, day: int, message: lobby.LobbyMessage, *to: bytes) -> None:
        """Seal and post if we are in that lobby, at once or as soon as the server's limits allow.

        `to`: the handles of the receivers, at most 64; none: all in the lobby. A message that already waits
        is not added: repeated equal knocks would displace other replies.
        """
        if day in self._entered and not any(waiting.message is message for waiting in self._waiting):
            self._waiting.append(_Waiting(day, message, to or None))
            self._flush()
            if len(self._waiting) > WAITING_MAX:
                self._waiting.popleft()

    @property
    def waiting(self) -> int:
        """The number of posts that wait."""
        return len(self._waiting)

    @property
    def may_post_to_all(self) -> bool:
        """Whether another post to all in a lobby keeps to the rate of such posts, and none waits already."""
        return self._broadcasts.left >= 1 and all(waiting.to is not None for waiting in self._waiting)

    def _flush(self) -> None:
        later: deque[_Waiting] = deque()
        while self._waiting and self._posts.left >= self._waiting[0].cost and self._bytes.left > 0:
            waiting = self._waiting.popleft()
            if waiting.to is None and self._broadcasts.left < 1:
                later.append(waiting)
            elif waiting.day in self._entered:
                self._send(waiting)
        self._waiting.extendleft(reversed(later))

    def _send(self, waiting: _Waiting) -> None:
        try:
            blob = lobby.post(self._envelope_keys[waiting.day], waiting.message, rng=self._rng)
        except SnugError:
            return  # larger than a lobby allows
        self._posts.left -= waiting.cost
        self._bytes.left -= len(blob)
        if waiting.to is None:
            self._broadcasts.left -= 1
        to = None if waiting.to is None else list(waiting.to)
        self._effects.append(ev.Transmit(ev.Endpoint(waiting.day), wire.Post(to, blob)))

    def close(self) -> None:
        """Leave all lobbies."""
        for day in list(self._keys):
            self._forget(day)
            self._effects.append(ev.Disconnect(ev.Endpoint(day)))
