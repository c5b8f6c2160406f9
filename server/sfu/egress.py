"""Egress: packets and datagrams to peers, and the effects of the core."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from snugroom.server.sfu.core import Effect, Forget, SendRtcp, SendRtp
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccFeedback
from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.multi_transport import MultiTransport
from snugroom.server.sfu.io.packet_io import PacketIo
from snugroom.server.sfu.link import Bridge, Endpoint, Link
from snugroom.wire import rtcp, rtp, twcc


class Egress:
    """Sends to peers. `packet_io` and `multi_transport` are None while the SFU has no sockets."""

    def __init__(self, counts: collections.Counter[str]) -> None:
        self._counts = counts
        self.packet_io: PacketIo | None = None
        self.multi_transport: MultiTransport | None = None
        #: The present time as abs-send-time.
        self.stamp = bytes(3)

    def perform(self, effects: Sequence[Effect[Endpoint]]) -> None:
        """Perform the core's effects for bridges, and for the peers that have a transport."""
        packet_io = self.packet_io
        for effect in effects:
            link = effect.to
            if not isinstance(link, Link) or link.outbound is None or link.address is None:
                if isinstance(link, Bridge):
                    link.perform(effect)
                continue
            if isinstance(effect, SendRtp):
                assert packet_io is not None
                packet = rtp.with_twcc(effect.packet, self.stamp) if effect.twcc else effect.packet
                packet_io.fan_out(packet, Fanout((link,), twcc=effect.twcc, once=True))
            elif isinstance(effect, Forget):
                link.outbound.forget(effect.ssrc)
                if link.inbound is not None:
                    link.inbound.forget(effect.ssrc)
            elif isinstance(effect, SendRtcp):
                try:
                    sealed = link.outbound.protect_rtcp(effect.data)
                except srtp.SrtpError:
                    self._counts["unanswered"] += 1
                    continue
                self.send(sealed, link.address)

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram as it is."""
        if self.multi_transport is None:
            return
        try:
            self.multi_transport.send(datagram, address)
        except OSError:
            self._counts["unanswered"] += 1

    def matched(self, link: Link, item: rtcp.Item) -> rtcp.Item | TwccFeedback:
        """Match the numbers of transport-wide feedback with the packets that were sent under them."""
        if not isinstance(item, twcc.Report):
            return item
        if link.twcc_row < 0 or self.packet_io is None:
            return TwccFeedback(())
        return TwccFeedback(tuple(self.packet_io.twcc_sequence.match_report(link.twcc_row, item)))

    def flush(self) -> None:
        """Send all packets that wait for their batch."""
        if self.packet_io is not None:
            self.packet_io.flush()

    def changed(self) -> None:
        """Discard the cached send plans: an address or a session has changed, or is about to go."""
        if self.packet_io is not None:
            self.packet_io.changed()

    def wipe(self) -> None:
        """Overwrite the buffers of datagrams and addresses. Nothing may wait in them."""
        if self.packet_io is not None:
            self.packet_io.wipe()
