"""The blind SFU: one UDP socket for all rooms (ICE-lite, DTLS, SRTP in place), around `server.sfu.core`.

The first byte of a datagram selects its protocol (RFC 7983). An unauthenticated datagram costs a lookup or a
MAC, gets no answer and allocates nothing. No log line carries an address, a handle or an SSRC.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from snugroom.server.sfu.core import Forwarding, SendRtcp, Track
from snugroom.server.sfu.egress import Egress
from snugroom.server.sfu.facts import MediaFacts, StreamFacts
from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.multi_transport import MultiTransport
from snugroom.server.sfu.io.packet_io import BatchPacketIo, PlainPacketIo
from snugroom.server.sfu.io.reader import Read, Reader
from snugroom.server.sfu.io.sockets import bind_addresses, open_sockets
from snugroom.server.sfu.io.tcp import Tcp
from snugroom.server.sfu.io.ticker import Ticker
from snugroom.server.sfu.io.worker_link import WorkerLink
from snugroom.server.sfu.limits import DATAGRAM_MAX, OWN_SSRC, MediaError, MediaLimits
from snugroom.server.sfu.link import Bridge, Endpoint, Link
from snugroom.server.sfu.siblings import Siblings
from snugroom.server.sfu.transports import Transports
from snugroom.wire import rtcp, rtp
from snugroom.wire.limits import RTCP_MAX
from snugroom.wire.messages import Media, Stream, Transport

log = logging.getLogger(__name__)

#: The part of `MediaLimits.drain` that is read at once while more waits.
_LATE_DRAIN: Final = 4
#: Seconds over which the share of time that the SFU is busy is smoothed.
_BUSY_TIME: Final = 0.25
_SSRC = struct.Struct("!L")
#: The heartbeat: a receiver report without report blocks.
_HEARTBEAT = rtcp.receiver_report(OWN_SSRC, [])


class Sfu:
    """Forwards RTP between the members of each room without being able to read it.

    `address` is the address that clients are given; `also` are other addresses of this machine. `bind` is the
    address to listen on (default: `address`); `server.sfu.io.sockets.bind_addresses` derives from it the
    address to bind for `also`. `beside` is an address of this machine for its own programs, beside loopback;
    clients are given it if it could be bound. `port` 0 takes a free port. `tcp`: the SFU accepts ICE over TCP
    too. All methods must be called on the event loop's thread.
    """

    def __init__(
        self,
        *,
        address: str,
        port: int = 0,
        bind: str | None = None,
        also: Sequence[str] = (),
        beside: str | None = None,
        tcp: bool = False,
        limits: MediaLimits = MediaLimits(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._advertised = address
        self._also = list(also)
        self._beside = beside
        self._bind = bind if bind is not None else address
        self._tcp = tcp
        self.port = port
        self._limits = limits
        self._clock = clock
        self._core: Forwarding[Endpoint] = Forwarding(limits)
        self._subscriptions = self._core.subscriptions
        #: Publishers with arrivals that have not been reported yet.
        self._arrived: dict[Link, None] = {}
        self._counts: collections.Counter[str] = collections.Counter()
        self._egress = Egress(self._counts)
        self._transports = Transports(limits, self._subscriptions, self._egress, self._counts, rng)
        self._siblings = Siblings(self._core, self._egress, self._counts, limits, self._forward, clock)
        self._links = self._transports.links
        self._by_address = self._transports.by_address
        self._now = 0.0
        #: The shortest lag since the last tick; infinity if nothing came.
        self._lag = float("inf")
        #: Seconds spent with reads since the last tick, the share of the time before that, and the last tick.
        self._spent = self._busy = self._ticked = 0.0
        #: The last drain found a lag that is too long.
        self._late = False
        self._length = srtp.new_length()
        self._socket: socket.socket | None = None
        self._reader: Reader | None = None
        self._ticker: Ticker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_sweep = self._next_heartbeat = float("-inf")

    # -- life cycle ------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the sockets; `BindError`, an OSError, if one fails. `port` is the real port afterwards."""
        limits = self._limits
        hosts = bind_addresses(self._bind, [self._advertised, *self._also])
        sockets = open_sockets(hosts, self.port, limits.socket_buffer, tcp=self._tcp, beside=self._beside)
        self.port = sockets.port
        if sockets.beside and self._beside is not None:
            self._also.append(self._beside)
        self._loop = asyncio.get_running_loop()
        multi_transport = MultiTransport(sockets.udp, limits.drain if limits.batched else 0)
        if sockets.tcp:
            multi_transport.add_tcp(
                Tcp(
                    sockets.tcp,
                    limits,
                    self._clock,
                    handle=self._handle_now,
                    then=self._flush,
                    gone=self._transports.gone,
                )
            )
        self._egress.multi_transport = multi_transport
        self._egress.packet_io = multi_transport.packet_io
        self._socket = sockets.udp[0]
        self._reader = Reader(self._loop, sockets.udp, self._readable)
        self._reader.start()
        self._ticker = Ticker(self._loop, limits.tick, self._tick)

    def close(self) -> None:
        """Close all sessions and sockets, and say goodbye to the peers. Another call does nothing."""
        multi_transport = self._egress.multi_transport
        if multi_transport is None or self._loop is None:
            return
        for room, handle in list(self._links):
            self.leave(room, handle)
        if self._ticker is not None:
            self._ticker.stop()
        if self._reader is not None:
            self._reader.stop()
        multi_transport.close()
        for sibling in self._siblings.links.values():
            sibling.close()
        self._socket = self._egress.packet_io = self._egress.multi_transport = None

    # -- signaling -------------------------------------------------------------------------

    def join(self, room: bytes, handle: bytes, media: Media) -> Transport:
        """Add a peer, or change a known one: other streams, or another transport (ICE restart).

        Another ufrag, password or fingerprint gives the answer fresh credentials too. The old path is used
        until a new one is checked, unless the fingerprint changed: then DTLS begins anew. A stream that
        continues under a new DTLS association must continue its sequence numbers. Raises MediaError (`code`:
        full, streams, ssrc); then nothing has changed.
        """
        assert self._socket is not None, "start the SFU first"
        now = self._clock()
        key = (room, handle)
        link = self._links.get(key)
        before = link.media if link is not None else None
        if link is None:
            link = self._transports.new_link(key, media, now)
        effects = self._subscriptions.join(
            room, link, media.streams, now, feedback=media.feedback, rtx=media.rtx
        )
        self._egress.changed()
        link.media = media
        if before is None:
            self._transports.add(link)
        elif (before.ufrag, before.password, before.fingerprint) != (
            media.ufrag,
            media.password,
            media.fingerprint,
        ):
            self._transports.restart(link, now, rekey=before.fingerprint != media.fingerprint)
        self._egress.perform(effects)
        local = link.ice.local
        return Transport(
            ufrag=local.ufrag,
            password=local.password,
            fingerprint=self._transports.certificate.fingerprint,
            address=self._advertised,
            port=self.port,
            others=self._also,
            tcp=self._tcp,
        )

    def subscribe(
        self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: Sequence[int] = ()
    ) -> None:
        """Set the streams to forward to this peer; None: all streams of others. Unknown peers are ignored."""
        link = self._links.get((room, handle))
        if link is not None:
            self._egress.perform(self._subscriptions.subscribe(link, ssrcs, self._clock(), max_layers))
            self._egress.changed()

    def leave(self, room: bytes, handle: bytes) -> None:
        """Remove the peer. Unknown peers are ignored."""
        now = self._clock()
        link = self._links.get((room, handle))
        if link is None:
            self._siblings.leave((room, handle), now)
            return
        self._egress.perform(self._subscriptions.leave(link, now))
        self._transports.remove(link, now)

    # -- other workers ---------------------------------------------------------------------

    def connect_worker(self, worker: int, link: WorkerLink) -> None:
        """Exchange packets of rooms that are on both workers over `link`."""
        assert self._reader is not None
        before = self._siblings.connect(worker, link)
        if before is not None:
            self._reader.remove(before.descriptors)
            before.close()
        self._reader.add(link.descriptors)

    def join_remote(
        self, room: bytes, handle: bytes, worker: int, number: int, streams: Sequence[Stream]
    ) -> None:
        """Add a member that is on another worker, or change its streams. `leave` removes it."""
        self._siblings.join((room, handle), worker, number, streams, self._clock())

    # -- facts -----------------------------------------------------------------------------

    def totals(self) -> dict[str, int]:
        """Return counters since the start and present totals, without data about any single peer."""
        ready = sum(1 for link in self._links.values() if link.outbound is not None)
        counts = {**self._counts, **self._core.counts, "forwarded": 0, "unsent": 0}
        if (packet_io := self._egress.packet_io) is not None:
            counts |= {
                "forwarded": packet_io.sent,
                "unsent": packet_io.unsent,
                "bytes_forwarded": packet_io.octets,
            }
        if self._egress.multi_transport is not None:
            counts |= self._egress.multi_transport.counts
        counts |= self._siblings.counts
        return {**counts, "peers": len(self._links), "peers_ready": ready}

    def held(self) -> MediaFacts:
        """Return all state that the SFU holds, for the operator's view."""
        packets, size, ended = self._subscriptions.held()
        used = self._egress.packet_io
        packet_io = used if isinstance(used, PlainPacketIo | BatchPacketIo | MultiTransport) else None
        return MediaFacts(
            packets=packets,
            packet_bytes=size,
            ended_streams=ended,
            sessions=sum(link.outbound is not None for link in self._links.values()),
            buffers=self._siblings.buffers + (packet_io.buffers if packet_io is not None else 0),
            cached_addresses=packet_io.cached_addresses if packet_io is not None else 0,
            addresses={
                handle: [str(address[0]) for address in link.ice.addresses]
                for (_, handle), link in self._links.items()
            },
        )

    def streams(self) -> list[StreamFacts]:
        """Return the live streams, for the operator's window."""
        return [StreamFacts.of(track) for track in self._subscriptions.tracks() if track.bridge is None]

    def last_frame(self, ssrc: int) -> list[bytes]:
        """Return the packets of a stream's last whole frame, as RTP with a sealed payload; may be empty."""
        track = next((t for t in self._subscriptions.tracks() if t.ssrc == ssrc and t.bridge is None), None)
        return [] if track is None else track.last_frame()

    # -- datagrams -------------------------------------------------------------------------

    def _readable(self, descriptor: int | None = None) -> Read:
        """Drain the socket with this descriptor, or all, up to `drain` datagrams each; send what results."""
        egress = self._egress
        packet_io = egress.packet_io
        count, lag = 0, 0.0
        if packet_io is not None and self._ticker is not None:
            self._ticker.came()
            began = self._now = packet_io.now = self._clock()
            egress.stamp = rtp.abs_send_time(self._now)
            limit = self._limits.drain
            if packet_io.lag > self._limits.lag_max / 2:  # decisions come sooner while the server is late
                limit = max(1, limit // _LATE_DRAIN)
            count = packet_io.drain(limit, self._handle, None if self._siblings.links else descriptor)
            lag = packet_io.lag
            if self._siblings.links:
                count += self._drain_links()
                lag = max(lag, self._siblings.lag)
            if lag < self._lag:
                self._lag = lag
            late = lag > self._limits.lag_max
            if late or self._late:
                self._late = late
                egress.perform(self._core.shedding.handle(lag, self._clock()))
            self._flush()
            self._spent += self._clock() - began
        return Read(count, lag > 0.0)

    def _drain_links(self) -> int:
        count = self._siblings.drain(self._now)
        for link in self._siblings.take_closed():
            if self._reader is not None:
                self._reader.remove(link.descriptors)
            link.close()
        return count

    def _flush(self) -> None:
        """Send all that waits, to other workers first."""
        self._siblings.flush()
        self._egress.flush()

    def _handle_now(self, data: Any, view: memoryview, size: int, source: Address) -> None:
        """Handle a frame from TCP, for which the clock has not been read yet."""
        self._now = self._clock()
        if self._ticker is not None:
            self._ticker.came()
        self._handle(data, view, size, source)

    def _handle(self, data: Any, view: memoryview, size: int, source: Address) -> None:
        """Handle a datagram. An error that it causes does not affect other peers."""
        try:
            if 127 < view[0] < 192 and not 191 < view[1] < 224 and rtp.HEADER < size < DATAGRAM_MAX:
                self._rtp(data, view, size, source)
            else:
                self._control(view, size, source, self._now)
        except Exception as error:  # no error may end other meetings
            self._counts["errors"] += 1
            log.error("handling a datagram raised %s", type(error).__name__)

    def _control(self, view: memoryview, size: int, source: Address, now: float) -> None:
        """All but RTP. RFC 7983: 0-3 STUN, 20-63 DTLS, 128-191 RTP or, by byte 1, RTCP (RFC 5761)."""
        first = view[0]
        if not 12 < size < DATAGRAM_MAX:
            self._counts["garbage"] += 1
        elif first < 4:
            self._transports.on_stun(bytes(view[:size]), source, now)
        elif 19 < first < 64 or 127 < first < 192:
            link = self._by_address.get(source)
            if link is None:
                self._counts["strangers"] += 1
            elif first < 64:
                self._transports.on_dtls(link, bytes(view[:size]), source, now)
            else:
                self._rtcp(link, bytes(view[:size]), now)
        else:
            self._counts["garbage"] += 1

    def _rtp(self, data: Any, view: memoryview, size: int, source: Address) -> None:
        length, counts = self._length, self._counts
        link = self._by_address.get(source)
        if link is None or (inbound := link.inbound) is None:
            counts["strangers"] += 1
            return
        # Check that the SSRC is the peer's own before any cryptography, and before libsrtp allocates a state
        # for it.
        subscriptions, ssrc = self._subscriptions, _SSRC.unpack_from(view, 8)[0]
        track, is_rtx = subscriptions.find(link, ssrc), False
        if track is None:
            track, is_rtx = subscriptions.find_rtx(link, ssrc), True
            if track is None:
                counts["unknown_ssrc"] += 1
                return
        length[0] = size
        if srtp.unprotect(inbound.pointer, data, length):
            counts["forged"] += 1
            return
        packet = view[: length[0]].tobytes()
        if track.kind == "video" and (number := rtp.twcc_number(packet)) is not None:
            link.arrivals.record(number, self._now)
            self._arrived[link] = None
        if is_rtx:
            before = rtp.unwrap_rtx(packet, track.ssrc)
            if before is None:
                counts["probes"] += 1
                return
            packet = before
        reason = rtp.check(packet, track.kind)
        if reason is not None:
            counts["refused"] += 1
            counts["refused: " + reason] += 1
            return
        counts["received"] += 1
        counts["bytes_received"] += len(packet)
        self._forward(track, packet)

    def _forward(self, track: Track[Endpoint], packet: bytes) -> None:
        """Send a checked packet of `track` to its receivers, here and behind bridges."""
        fanouts, effects = self._core.on_rtp(track, packet, self._now)
        if fanouts:
            egress = self._egress
            packet_io, video = egress.packet_io, track.kind == "video"
            assert packet_io is not None
            for fanout in fanouts:
                if fanout.crosses:
                    for bridge in fanout.receivers:
                        assert isinstance(bridge, Bridge)
                        bridge.push(packet, video=video)
                    continue
                out = rtp.with_twcc(packet, egress.stamp) if fanout.twcc else packet
                packet_io.fan_out(out, fanout, burst=video)
        if effects:
            self._egress.perform(effects)

    def _rtcp(self, link: Link, datagram: bytes, now: float) -> None:
        if link.inbound is None:
            self._counts["strangers"] += 1
            return
        source = datagram[4:8]
        if len(datagram) > RTCP_MAX + 32 or (
            source not in link.rtcp_sources and len(link.rtcp_sources) >= self._limits.rtcp_sources
        ):
            self._counts["refused_rtcp"] += 1
            return
        try:
            data = link.inbound.unprotect_rtcp(datagram)
        except srtp.SrtpError:
            self._counts["forged"] += 1
            return
        link.rtcp_sources.add(source)
        if not link.rtcp_allowance.take(now):
            self._counts["refused_rtcp"] += 1
            return
        try:
            items = rtcp.parse(data)
        except rtcp.RtcpError:
            self._counts["refused_rtcp"] += 1
            return
        matched = [self._egress.matched(link, item) for item in items]
        self._egress.perform(self._core.on_rtcp(link, matched, now))

    # -- timers ----------------------------------------------------------------------------

    def _tick(self) -> bool:
        """Check the timers; return whether something waits for the next time."""
        now = self._clock()
        try:
            self._now = now
            self._egress.stamp = rtp.abs_send_time(now)
            if self._egress.packet_io is not None:
                self._egress.packet_io.now = now
            self._egress.perform(self._core.tick(now))
            self._measure_lag(now)
            self._report_arrivals(now)
            self._transports.tick(now)
            if now >= self._next_heartbeat:
                self._next_heartbeat = now + self._limits.beat
                # A client that receives nothing at all can tell a broken network from a quiet meeting.
                ready = [link for link in self._links.values() if link.outbound is not None]
                self._egress.perform([SendRtcp(link, _HEARTBEAT) for link in ready])
            if sweeps := now >= self._next_sweep:
                self._next_sweep = now + 1.0
                self._transports.sweep(now)
                self._egress.changed()  # don't keep addresses of former peers or of strangers
            self._flush()
            if sweeps:
                self._egress.wipe()
                self._siblings.wipe()
        except Exception as error:
            self._counts["errors"] += 1
            log.error("a tick raised %s", type(error).__name__)
        busy = self._core.waits or self._transports.waits
        return busy or bool(self._arrived or self._siblings.links)

    def _measure_lag(self, now: float) -> None:
        """Report the shortest lag since the last tick, and how busy the server is; a longer lag is known."""
        spent, passed, self._spent, self._ticked = self._spent, now - self._ticked, 0.0, now
        if passed > 0:
            self._busy += (min(1.0, spent / passed) - self._busy) * min(1.0, passed / _BUSY_TIME)
        lag, self._lag = self._lag, float("inf")
        if lag == float("inf"):
            lag = 0.0
        if lag <= self._limits.lag_max:
            self._egress.perform(self._core.shedding.handle(lag, now, self._busy))

    def _report_arrivals(self, now: float) -> None:
        """Send transport-wide feedback to publishers, which estimate their path's bandwidth from it."""
        for link in list(self._arrived):
            streams = link.media.streams
            reports = link.arrivals.due(streams[-1].ssrc, now) if streams else []
            if reports or link.outbound is None:
                del self._arrived[link]
            self._egress.perform([SendRtcp(link, report) for report in reports])


__all__ = ["MediaError", "MediaLimits", "Sfu"]
