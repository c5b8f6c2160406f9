"""A host's cards: one key for ten minutes, and an answer to the newcomers that have asked.

Protocol section 4. Somebody who floods the lobby with requests has one place in the queue for each
connection, and makes the host sign no more cards than it may post to all.
"""

from __future__ import annotations

import os
from math import inf
from typing import Final

from snugroom.client.session.entry.lobby_connections import LobbyConnections
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import HostKeys
from snugroom.crypto.kdf import Rng

#: Remaining seconds of a key below which new cards have another one.
CARD_RENEW: Final = 120.0
#: Minimum seconds between two moments at which cards are posted: one card answers all who asked meanwhile.
CARD_EVERY: Final = 0.25
#: Maximum connections whose requests wait. Others ask again.
REQUESTS_MAX: Final = 512


class Cards:
    """Requests for cards in one or two lobbies, and the keys of the cards that answer them."""

    def __init__(self, origin: str, connections: LobbyConnections, *, rng: Rng = os.urandom) -> None:
        self._origin = origin
        self._connections = connections
        self._rng = rng
        #: The keys that open knocks, the newest last.
        self.secrets: list[lobby.CardSecret] = []
        self._asked: dict[tuple[int, bytes], bytes] = {}  # day and connection -> nonce, oldest first
        self._posted_at = -inf

    def ask(self, day: int, handle: bytes, nonce: bytes) -> None:
        """Take a newcomer's request: the next card of `answer` names its nonce."""
        if len(self._asked) < REQUESTS_MAX or (day, handle) in self._asked:
            self._asked[day, handle] = nonce

    def answer(self, keys: HostKeys, now: float) -> None:
        """Post the cards that are due, and erase the keys that are old. Call it regularly."""
        for secret in self.secrets:
            if secret.expired(now):
                secret.erase()
        self.secrets = [secret for secret in self.secrets if not secret.expired(now)]
        if now - self._posted_at < CARD_EVERY:
            return
        while self._asked and self._connections.may_post_to_all:
            day = next(iter(self._asked))[0]
            waiting = [one for one in self._asked if one[0] == day][: lobby.CARD_ANSWERS_MAX]
            nonces = [self._asked.pop(one) for one in waiting]
            if day in self._connections.entered:
                self._posted_at = now
                card = lobby.make_card(keys, self._origin, self._secret(now), nonces)
                self._connections.post(day, card)

    def _secret(self, now: float) -> lobby.CardSecret:
        if not self.secrets or self.secrets[-1].expiry - now < CARD_RENEW:
            self.secrets.append(lobby.make_card_secret(now, rng=self._rng))
        return self.secrets[-1]

    def close(self) -> None:
        """Erase all keys."""
        for secret in self.secrets:
            secret.erase()
        self.secrets.clear()
