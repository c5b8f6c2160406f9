"""Redirects to another node of the same origin, until we are inside (protocol section 3).

Nobody has signed a redirect. It can therefore name nothing but a node of the origin that the link names. A
server that sends us on and on counts as away.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.wire import messages as wire
from snugroom.wire.limits import NODES_MAX, REDIRECTS_MAX

_PATH: Final = re.compile(r"/n/([1-9][0-9]?)")


class Redirects:
    """One session's redirects."""

    def __init__(self) -> None:
        self._count: dict[ev.Endpoint, int] = {}  # since the connection began; absent once inside
        self._room_path = ""
        #: Of each connection; empty for the server of the link.
        self.origins: dict[ev.Endpoint, str] = {}
        self._told = False

    def followed(self, what: ev.Input, effects: list[ev.Effect]) -> ev.Input:
        """Return the input to process: that of the shell, or the loss of a connection that leads nowhere."""
        match what:
            case ev.Received(endpoint, wire.Entered(node=node)):
                self._count.pop(endpoint, None)  # no redirect has any effect from now on
                if endpoint == ev.ROOM:
                    self._room_path = "" if node is None else f"/n/{node}"
            case ev.Received(endpoint, wire.MovedTo(path)) if endpoint in self._count:
                number = _PATH.fullmatch(path)
                if number is None or int(number[1]) > NODES_MAX:
                    if not self._told:
                        self._told = True
                        effects.append(ev.Tell(sentences.alarm("misdirected")))
                    return self._lost(endpoint, sentence("away.misdirects"), effects)
                if self._count[endpoint] >= REDIRECTS_MAX:
                    return self._lost(endpoint, sentence("away.sent_on"), effects)
                self._count[endpoint] += 1
                effects.append(ev.Connect(endpoint, path, self.origins.get(endpoint, "")))
        return what

    def _lost(self, endpoint: ev.Endpoint, why: str, effects: list[ev.Effect]) -> ev.Lost:
        del self._count[endpoint]
        effects.append(ev.Disconnect(endpoint))
        return ev.Lost(endpoint, why, answered=True)

    def begun(self, effect: ev.Effect) -> ev.Effect:
        """Note each new connection. A probe goes to the node that had the room: it has to answer for that."""
        if isinstance(effect, ev.Connect) and not effect.path:
            self._count[effect.endpoint] = 0
            self.origins[effect.endpoint] = effect.origin
            if effect.endpoint.probe and not effect.origin:
                return replace(effect, path=self._room_path)
        return effect
