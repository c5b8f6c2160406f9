"""This server as one of several nodes: the shell between its hub, its WebSockets and the nodes' bus."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from snugroom.server.nodes.leases import Leases
from snugroom.server.nodes.outcomes import Timing
from snugroom.server.nodes.records import Answer, Connected, Request
from snugroom.server.nodes.settings import NodeSettings
from snugroom.server.rooms.placement import Placement
from snugroom.server.rooms.signaling import Signaling

log = logging.getLogger(__name__)

#: Seconds between looks at whether this node may begin.
_LOOK = 0.02


class NodesError(Exception):
    """This node cannot be one of several. The text is one sentence with the reason."""


def clock() -> float:
    """Return seconds since the machine started, including those in which it was suspended.

    A lease would outlast a suspension on Python's monotonic clock.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class NodeService:
    """Connects this node with the others. Raises NodesError if the secret can't be read."""

    def __init__(self, settings: NodeSettings, rng: Callable[[int], bytes], now: Callable[[], float]) -> None:
        try:
            secret = settings.secret()
        except OSError as error:
            raise NodesError(f"nodes.secret_file can't be read: {error.strerror}") from None
        except ValueError as error:
            raise NodesError(str(error)) from None
        try:
            from snugroom.server.nodes import bus  # nats-py is needed with several nodes only
        except ImportError:
            text = "several nodes need the package nats-py: pip install 'snugroom[nodes]'"
            raise NodesError(text) from None
        self._settings = settings
        self._now = now
        self._leases = Leases(settings.node, Timing(settings.lease), rng)
        self.placement = Placement(self._leases, secret)
        self._signaling: Signaling | None = None
        self._fault = bus.BusError
        self._bus = bus.Bus(settings, self._connected, self._answered)

    @property
    def ready(self) -> bool:
        """Whether this node can open rooms that no node has."""
        return self._leases.ready(self._now())

    async def start(self, signaling: Signaling) -> None:
        """Connect, and wait until this node may serve rooms. Raises NodesError."""
        self._signaling = signaling
        signaling.ask_bus = self._ask
        number, lease = self._settings.node, self._settings.lease
        try:
            await self._bus.start()
            async with asyncio.timeout(3 * lease):
                while not self.ready:
                    if self._leases.rival:
                        raise NodesError(f"another running server is node {number} already: set nodes.node")
                    await asyncio.sleep(_LOOK)
        except self._fault as error:
            raise NodesError(str(error)) from None
        except TimeoutError:
            raise NodesError(f"the bus of the nodes does not let node {number} begin") from None
        log.info("node %d begins", number)

    async def stop(self) -> None:
        """Close everything that is served here, let the other nodes serve it, and disconnect."""
        if self._signaling is not None:
            self._signaling.perform(self._signaling.hub.drain(self._now()))
        await self._bus.close()

    def _ask(self, request: Request) -> None:
        self._bus.send(request)

    def _connected(self, what: Connected) -> None:
        assert self._signaling is not None
        self._signaling.perform(self._signaling.hub.bus_connected(what, self._now()))

    def _answered(self, answer: Answer) -> None:
        assert self._signaling is not None
        self._signaling.perform(self._signaling.hub.bus_answered(answer, self._now()))
