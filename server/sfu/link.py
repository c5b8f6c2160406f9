"""One peer's transport."""

from __future__ import annotations

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.io import dtls, srtp
from snugroom.server.sfu.io.ice import Address, IceLite
from snugroom.server.wire.messages import Media


class Link:
    """One peer's transport. `inbound` and `outbound` are None while there are no keys."""

    __slots__ = (
        "address", "arrivals", "deadline", "dtls", "ice", "inbound", "key", "media", "outbound",
        "rtcp_allowance", "rtcp_sources", "tries", "twcc_row",
    )  # fmt: skip

    def __init__(
        self, key: tuple[bytes, bytes], media: Media, ice: IceLite, rtcp_allowance: TokenBucket
    ) -> None:
        self.key = key
        self.media = media
        self.ice = ice
        self.dtls: dtls.DtlsServer | None = None
        self.deadline = float("inf")
        self.tries = 0
        self.inbound: srtp.SrtpSession | None = None
        self.outbound: srtp.SrtpSession | None = None
        self.address: Address | None = None
        self.rtcp_sources: set[bytes] = set()
        self.rtcp_allowance = rtcp_allowance
        #: Row of this peer in `PacketIo.twcc_sequence`; -1 while there are no keys.
        self.twcc_row = -1
        #: Arrivals of its own video packets, by their transport-wide numbers, until they have been reported.
        self.arrivals = Arrivals()
