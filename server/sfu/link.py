"""The ends that the core knows: a peer's transport, a member of another worker, and a bridge to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core.effects import Effect, SendRates, SendRtcp, SendRtp, SendWants
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.io import srtp, worker_link
from snugroom.server.sfu.io.dtls import DtlsServer
from snugroom.server.sfu.io.ice import Address, IceLite
from snugroom.server.sfu.io.worker_link import WorkerLink
from snugroom.wire.limits import VIDEO_PAYLOAD_TYPE
from snugroom.wire.messages import Media


@dataclass(eq=False, repr=False, slots=True)
class Link:
    """One peer's transport. `inbound` and `outbound` are None while there are no keys."""

    key: tuple[bytes, bytes]
    media: Media
    ice: IceLite
    rtcp_allowance: TokenBucket
    dtls: DtlsServer | None = None
    deadline: float = float("inf")
    tries: int = 0
    inbound: srtp.SrtpSession | None = None
    outbound: srtp.SrtpSession | None = None
    #: The address to send to, which has answered a check of the server.
    address: Address | None = None
    #: Datagrams of a handshake that came before the address was proven.
    held: list[bytes] = field(default_factory=list)
    rtcp_sources: set[bytes] = field(default_factory=set)
    #: Row of this peer in `PacketIo.twcc_sequence`; -1 while there are no keys.
    twcc_row: int = -1
    #: Arrivals of its own video packets, by their transport-wide numbers, until they have been reported.
    arrivals: Arrivals = field(default_factory=Arrivals)


@dataclass(eq=False, repr=False, slots=True)
class Bridge:
    """A room's path to another worker. `number` names the room on the link."""

    number: int
    #: None while there is no link: packets are dropped.
    link: WorkerLink | None
    outbound: Final[None] = None
    address: Final[None] = None

    def push(self, packet: bytes, *, video: bool) -> None:
        """Send a packet in the clear: header and sealed payload."""
        if self.link is not None:
            self.link.add(self.number, worker_link.RTP, packet, video=video)

    def perform(self, effect: Effect[Endpoint]) -> None:
        """Perform an effect of the core for the other worker."""
        if self.link is None:
            return
        if isinstance(effect, SendRtp):
            self.push(effect.packet, video=effect.packet[1] & 0x7F == VIDEO_PAYLOAD_TYPE)
        elif isinstance(effect, SendRtcp):
            self.link.add(self.number, worker_link.RTCP, effect.data)
        elif isinstance(effect, SendWants):
            self.link.add(self.number, worker_link.WANTS, worker_link.pack_wants(effect.wants))
        elif isinstance(effect, SendRates):
            for at in range(0, len(effect.rates), worker_link.ENTRIES_MAX):
                part = effect.rates[at : at + worker_link.ENTRIES_MAX]
                self.link.add(self.number, worker_link.RATES, worker_link.pack_rates(part))


@dataclass(eq=False, repr=False, slots=True)
class RemoteMember:
    """A member that has its transport on another worker. `place`: that worker, and the room's number."""

    key: tuple[bytes, bytes]
    place: tuple[int, int]
    outbound: Final[None] = None
    address: Final[None] = None


Endpoint = Link | Bridge | RemoteMember
