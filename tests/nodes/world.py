"""Sessions at several nodes: `snugroom.lab.simulation.world`, with hubs that share a bus in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import count

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Participant, World
from snugroom.server.nodes.leases import Leases
from snugroom.server.nodes.outcomes import Timing
from snugroom.server.nodes.records import Connected, Delete, Failed
from snugroom.server.rooms.effects import AskBus
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.placement import Placement
from tests.nodes.register import Register

TIMING = Timing(lease=10.0)
SECRET = b"shared by the nodes" * 2


class Nodes(World):
    """Several nodes of one origin. `/ws` goes to the living ones in turn, `/n/2/ws` to the second."""

    def __init__(self, seed: int = 1, nodes: int = 2) -> None:
        self.bus = Register()
        self.bus_up = True
        self.answers = True  # whether new connections reach a node
        self.hubs: dict[int, Hub] = {}
        self.stopped: set[int] = set()  # killed, or frozen
        self._turn = count()
        self._count = nodes
        super().__init__(seed)
        self.run(1.5 * TIMING.lease)

    def start_server(self) -> None:
        for number in range(1, self._count + 1):
            self.start(number)

    def start(self, number: int) -> None:
        """Start a process as this node."""
        placement = Placement(Leases(number, TIMING, self.rng), SECRET)
        hub = self.hubs[number] = self.new_hub(placement)
        self.stopped.discard(number)
        self._of(hub, hub.bus_connected(Connected(self.bus.era), self.now))

    def is_up(self, hub: Hub) -> bool:
        return any(each is hub and number not in self.stopped for number, each in self.hubs.items())

    def living(self) -> list[int]:
        return [number for number in self.hubs if number not in self.stopped]

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        if self.answers:
            super()._connect(who, endpoint)

    def route(self, path: str) -> Hub | None:
        living = self.living()
        number = int(path.removeprefix("/n/")) if path else living[next(self._turn) % len(living)]
        return self.hubs[number] if number in living else None

    def _server_tick(self) -> None:
        for number in self.living():
            self._of(self.hubs[number], self.hubs[number].tick(self.now))

    def _of(self, hub: Hub, effects: Sequence[object]) -> None:
        """Perform the effects of this hub. The bus answers at once."""
        todo = deque(effects)
        while todo:
            effect = todo.popleft()
            if not isinstance(effect, AskBus):
                self._server([effect])
                continue
            request = effect.request
            if self.bus_up:
                answer = self.bus.perform(request)
            else:
                answer = None if isinstance(request, Delete) else Failed(request.ticket)
            if answer is not None:
                todo.extend(hub.bus_answered(answer, self.now))

    # -- what happens to nodes --------------------------------------------------------------------

    def node_of(self, who: Participant) -> int:
        """The node of this participant's connection to the room; 0 without one."""
        link = who.links.get(ev.ROOM)
        return next((number for number, hub in self.hubs.items() if link is not None and link.hub is hub), 0)

    def stop(self, number: int) -> None:
        """SIGKILL, or SIGSTOP: connections to a frozen node break when people notice."""
        self.stopped.add(number)
        for link in list(self.handles.values()):
            if link.hub is self.hubs[number]:
                self.cut(link)

    def drain(self, number: int) -> None:
        """SIGTERM."""
        hub = self.hubs[number]
        self._of(hub, hub.drain(self.now))
        self.stop(number)

    def serving(self) -> dict[int, set[bytes]]:
        """The rooms' numbers that each node has connections in now."""
        return {
            number: {facts.number for facts in hub.rooms() if facts.handles}
            for number, hub in self.hubs.items()
            if number not in self.stopped
        }
