"""One peer's transport."""

from __future__ import annotations

from dataclasses import dataclass, field

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.io.dtls import DtlsServer
from snugroom.server.sfu.io.ice import Address, IceLite
from snugroom.server.wire.messages import Media


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
