"""A bus in memory, and nodes whose clocks run at different rates. Time is a number that the test adds to."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from snugroom.server.nodes.leases import Leases
from snugroom.server.nodes.outcomes import Lost, Outcome, Placed, Timing
from snugroom.server.nodes.records import (
    Answer,
    Conflict,
    Connected,
    Delete,
    Failed,
    Found,
    Record,
    Request,
    Written,
)
from snugroom.server.nodes.records import Read as Read
from snugroom.server.nodes.records import Write as Write

TIMING = Timing(lease=10.0)


@dataclass
class Register:
    """The bus: what JetStream does for `server.nodes.bus`."""

    era: int = 1_000_000
    revision: int = 1_000_000
    records: dict[tuple[int, str], tuple[Record, int]] = field(default_factory=dict)

    def restart(self) -> None:
        self.records.clear()
        self.era += 1_000_000
        self.revision = self.era

    def perform(self, request: Request) -> Answer | None:
        at = request.era, request.key
        record, revision = self.records.get(at, (None, 0))
        match request:
            case Read(ticket):
                return Found(ticket, record, revision)
            case Write(ticket) if request.era != self.era:
                return Failed(ticket)  # no stream has such subjects any more
            case Write(ticket, record=new, revision=expected):
                if expected != revision:
                    return Conflict(ticket)
                self.revision += 1
                self.records[at] = new, self.revision
                return Written(ticket, self.revision)
            case Delete(revision=expected):
                if revision and expected == revision:
                    del self.records[at]
        return None


class Node:
    """One node, its clock, and what is on the way between it and the bus."""

    def __init__(self, world: World, number: int, rate: float) -> None:
        self.world = world
        self.number = number
        self.rate = rate
        self.leases = Leases(number, TIMING, world.rng.randbytes)
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.placed: list[Placed] = []
        self.lost: list[bytes] = []

    @property
    def now(self) -> float:
        return 100.0 * self.number + self.rate * self.world.time

    def take(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Placed():
                    self.placed.append(outcome)
                case Lost(lease):
                    self.lost.append(lease)
                case request:
                    self.requests.append(request)

    def connect(self) -> None:
        self.take(self.leases.connected(Connected(self.world.bus.era), self.now))

    def tick(self) -> None:
        self.take(self.leases.tick(self.now))

    def find(self, lease: bytes) -> None:
        self.take(self.leases.find(lease, self.now))

    def release(self, lease: bytes) -> None:
        self.take(self.leases.release(lease))

    def send(self, index: int = 0) -> None:
        """Let the bus perform a request, perhaps another one than the first."""
        answer = self.world.bus.perform(self.requests.pop(index))
        if answer is not None:
            self.answers.append(answer)

    def hear(self, index: int = 0) -> None:
        self.take(self.leases.answered(self.answers.pop(index), self.now))

    def time_out(self, index: int, lost: bool) -> None:
        """Stop waiting for an answer. The request is lost, or is still on its way."""
        request = self.requests.pop(index) if lost else self.requests[index]
        if not isinstance(request, Delete):
            self.answers.append(Failed(request.ticket))

    def settle(self) -> None:
        """Exchange everything with the bus until nothing is on the way."""
        while self.requests or self.answers:
            if self.requests:
                self.send()
            else:
                self.hear()

    def where(self, lease: bytes) -> object:
        """The answer of this node at a door, on a bus that answers at once."""
        self.placed.clear()
        self.find(lease)
        self.settle()
        return self.placed[-1].where

    def serves(self, lease: bytes) -> bool:
        return self.leases.serves(lease, self.now)


class World:
    """Some nodes at one bus."""

    def __init__(self, rates: tuple[float, ...] = (1.0, 1.0), seed: int = 7) -> None:
        self.time = 0.0
        self.rng = random.Random(seed)
        self.bus = Register()
        self.nodes = [Node(self, number, rate) for number, rate in enumerate(rates, start=1)]

    def pass_time(self, seconds: float, *nodes: Node) -> None:
        """Let time pass in small steps for these nodes, or for all, with a bus that answers at once."""
        end = self.time + seconds
        while self.time < end:
            self.time = min(end, self.time + 0.25)
            for node in nodes or self.nodes:
                node.tick()
                node.settle()

    def begin(self) -> World:
        """Connect all nodes, and wait until they take leases."""
        for node in self.nodes:
            node.connect()
        self.pass_time(1.3 * TIMING.lease)
        return self

    def crash(self, node: Node) -> Node:
        """Start another process with that node's number; what was on the way still arrives."""
        again = Node(self, node.number, node.rate)
        again.requests = list(node.requests)
        self.nodes[node.number - 1] = again
        return again
