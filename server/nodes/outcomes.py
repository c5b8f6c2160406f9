"""The times and the results of `server.nodes.leases`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from snugroom.server.nodes.records import Request


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `lease`: after so long without a sign of life, a node's rooms begin elsewhere."""

    lease: float = 15.0

    @property
    def serve(self) -> float:
        """For how long a node serves after the last write of its session."""
        return 0.8 * self.lease

    @property
    def beat(self) -> float:
        """Between two writes of a session."""
        return self.lease / 5


@dataclass(frozen=True, slots=True)
class Here:
    """This node serves the lease. `fencing` is larger for every node that serves it later."""

    fencing: int


@dataclass(frozen=True, slots=True)
class At:
    """Another node serves the lease."""

    node: int


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No node can serve the lease now."""

    why: Literal["bus", "settling", "busy", "stopping"]


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to `Leases.find`."""

    lease: bytes
    where: Here | At | Nowhere


@dataclass(frozen=True, slots=True)
class Lost:
    """This node serves the lease no longer."""

    lease: bytes


Outcome = Request | Placed | Lost
