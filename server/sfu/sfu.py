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
from typing import Any

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core import Effect, Forget, Forwarding, SendRtcp, SendRtp
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccFeedback
from snugroom.server.sfu.facts import MediaFacts, StreamFacts
from snugroom.server.sfu.io import dtls, srtp
from snugroom.server.sfu.io.ice import Address, Credentials, IceLite
from snugroom.server.sfu.io.multi_transport import MultiTransport
from snugroom.server.sfu.io.packet_io import BatchPacketIo, PacketIo, PlainPacketIo
from snugroom.server.sfu.io.sockets import bind_addresses, open_sockets
from snugroom.server.sfu.io.tcp import Tcp
from snugroom.server.sfu.io.turn import TurnServer, with_credentials
from snugroom.server.sfu.limits import DATAGRAM_MAX, OWN_SSRC, MediaError, MediaLimits
from snugroom.server.sfu.link import Link
from snugroom.server.wire import rtcp, rtp, stun, twcc
from snugroom.server.wire.limits import RTCP_MAX
from snugroom.server.wire.messages import Media, Transport

log = logging.getLogger(__name__)

_SSRC = struct.Struct("!L")
#: The heartbeat: a receiver report without report blocks.
_HEARTBEAT = rtcp.receiver_report(OWN_SSRC, [])


#: The number of packets whose sizes `StreamFacts` lists.
_SIZES = 48


class Sfu:
    """Forwards RTP between the members of each room without being able to read it.

    `address` is the address that clients are given; `also` are other addresses of this machine. `bind` is the
    address to listen on (default: `address`); `server.sfu.io.sockets.bind_addresses` derives from it the
    address to bind for `also`. `port` 0 takes a free port. `tcp`: the SFU accepts ICE over TCP too. `turn`
    are relays that clients are given, with credentials for `turn_time` seconds by `wall`, Unix time. All
    methods must be called on the event loop's thread.
    """

    def __init__(
        self,
        *,
        address: str,
        port: int = 0,
        bind: str | None = None,
        also: Sequence[str] = (),
        tcp: bool = False,
        turn: Sequence[TurnServer] = (),
        turn_time: float = 21_600.0,
        limits: MediaLimits = MediaLimits(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._advertised = address
        self._also = list(also)
        self._bind = bind if bind is not None else address
        self._tcp = tcp
        self._turn = list(turn)
        self._turn_time = turn_time
        self._wall = wall
        self.port = port
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._core: Forwarding[Link] = Forwarding(limits)
        self._subscriptions = self._core.subscriptions
        self._links: dict[tuple[bytes, bytes], Link] = {}
        self._by_ufrag: dict[bytes, Link] = {}
        self._by_address: dict[Address, Link] = {}
        self._handshaking: dict[Link, None] = {}
        #: Publishers with arrivals that have not been reported yet.
        self._arrived: dict[Link, None] = {}
        self._counts: collections.Counter[str] = collections.Counter()
        self._now = 0.0
        #: `_now` as abs-send-time.
        self._stamp = bytes(3)
        self._packet_io: PacketIo | None = None
        self._multi_transport: MultiTransport | None = None
        self._length = srtp.new_length()
        self._certificate = dtls.Certificate.generate()
        self._context = dtls.server_context(self._certificate)
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_sweep = self._next_heartbeat = float("-inf")

    # -- life cycle ------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the sockets; `BindError`, an OSError, if one fails. `port` is the real port afterwards."""
        limits = self._limits
        hosts = bind_addresses(self._bind, [self._advertised, *self._also])
        sockets = open_sockets(hosts, self.port, limits.socket_buffer, tcp=self._tcp)
        self.port = sockets.port
        self._loop = asyncio.get_running_loop()
        self._multi_transport = multi_transport = MultiTransport(
            sockets.udp, limits.drain if limits.batched else 0
        )
        if sockets.tcp:
            multi_transport.add_tcp(
                Tcp(
                    sockets.tcp,
                    limits,
                    self._clock,
                    handle=self._handle_now,
                    then=self._flush,
                    gone=self._gone,
                )
            )
        self._packet_io = multi_transport.packet_io
        self._socket = sockets.udp[0]
        for sock in sockets.udp:
            self._loop.add_reader(sock.fileno(), self._readable)
        self._timer = self._loop.call_later(limits.tick, self._tick)

    def close(self) -> None:
        """Close all sessions and sockets, and say goodbye to the peers. Another call does nothing."""
        if self._multi_transport is None or self._loop is None:
            return
        for room, handle in list(self._links):
            self.leave(room, handle)
        if self._timer is not None:
            self._timer.cancel()
        self._multi_transport.close(self._loop)
        self._socket = self._packet_io = self._multi_transport = None

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
            allowance = TokenBucket(self._limits.rtcp_rate, self._limits.rtcp_burst, now)
            link = Link(key, media, self._new_ice(media), allowance)
        effects = self._subscriptions.join(
            room, link, media.streams, now, feedback=media.feedback, rtx=media.rtx
        )
        self._changed()
        link.media = media
        if before is None:
            self._links[key] = link
            self._by_ufrag[link.ice.local.ufrag.encode()] = link
        elif (before.ufrag, before.password, before.fingerprint) != (
            media.ufrag,
            media.password,
            media.fingerprint,
        ):
            self._restart(link, rekey=before.fingerprint != media.fingerprint)
        self._perform(effects)
        local = link.ice.local
        return Transport(
            ufrag=local.ufrag,
            password=local.password,
            fingerprint=self._certificate.fingerprint,
            address=self._advertised,
            port=self.port,
            others=self._also,
            tcp=self._tcp,
            turn=with_credentials(self._turn, self._wall(), self._turn_time),
        )

    def subscribe(
        self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: Sequence[int] = ()
    ) -> None:
        """Set the streams to forward to this peer; None: all streams of others. Unknown peers are ignored."""
        link = self._links.get((room, handle))
        if link is not None:
            self._perform(self._subscriptions.subscribe(link, ssrcs, self._clock(), max_layers))
            self._changed()

    def leave(self, room: bytes, handle: bytes) -> None:
        """Remove the peer. Unknown peers are ignored."""
        link = self._links.pop((room, handle), None)
        if link is None:
            return
        self._perform(self._subscriptions.leave(link, self._clock()))
        self._drop_transport(link)
        del self._by_ufrag[link.ice.local.ufrag.encode()]

    def totals(self) -> dict[str, int]:
        """Return counters since the start and present totals, without data about any single peer."""
        ready = sum(1 for link in self._links.values() if link.outbound is not None)
        counts = {**self._counts, **self._core.counts, "forwarded": 0, "unsent": 0}
        if (packet_io := self._packet_io) is not None:
            counts |= {
                "forwarded": packet_io.sent,
                "unsent": packet_io.unsent,
                "bytes_forwarded": packet_io.octets,
            }
        if self._multi_transport is not None:
            counts |= self._multi_transport.counts
        return {**counts, "peers": len(self._links), "peers_ready": ready}

    def held(self) -> MediaFacts:
        """Return all state that the SFU holds, for the operator's view."""
        packets, size, ended = self._subscriptions.held()
        packet_io = (
            self._packet_io
            if isinstance(self._packet_io, PlainPacketIo | BatchPacketIo | MultiTransport)
            else None
        )
        return MediaFacts(
            packets=packets,
            packet_bytes=size,
            ended_streams=ended,
            sessions=sum(link.outbound is not None for link in self._links.values()),
            buffers=packet_io.buffers if packet_io is not None else 0,
            cached_addresses=packet_io.cached_addresses if packet_io is not None else 0,
            addresses={
                handle: [str(address[0]) for address in link.ice.addresses]
                for (_, handle), link in self._links.items()
            },
        )

    def streams(self) -> list[StreamFacts]:
        """Return the live streams, for the operator's window."""
        return [
            StreamFacts(
                room=track.owner.key[0],
                handle=track.owner.key[1],
                ssrc=track.ssrc,
                kind=track.kind,
                packets=track.received,
                receivers=len(track.receivers),
                sizes=tuple(len(packet) for packet in track.last_packets(_SIZES)),
            )
            for track in self._subscriptions.tracks()
        ]

    def last_frame(self, ssrc: int) -> list[bytes]:
        """Return the packets of a stream's last whole frame, as RTP with a sealed payload; may be empty."""
        track = next((track for track in self._subscriptions.tracks() if track.ssrc == ssrc), None)
        if track is None:
            return []
        frames: list[list[bytes]] = []
        for packet in track.last_packets(track.mask + 1):
            if not frames or frames[-1][0][4:8] != packet[4:8]:
                frames.append([])
            frames[-1].append(packet)
        # The last frame may still be incomplete.
        return frames[-2] if len(frames) > 1 else []

    def _changed(self) -> None:
        if self._packet_io is not None:
            self._packet_io.changed()

    def _new_ice(self, media: Media) -> IceLite:
        limits = self._limits
        while (local := Credentials.fresh(self._rng)).ufrag.encode() in self._by_ufrag:
            pass
        return IceLite(local, media.ufrag, limits.addresses_per_peer, limits.rebinding)

    def _restart(self, link: Link, *, rekey: bool) -> None:
        """Restart ICE (RFC 8445 9): new credentials at once, the old pair until a new one is selected."""
        old = link.ice
        if rekey:
            self._drop_transport(link)
        del self._by_ufrag[old.local.ufrag.encode()]
        link.ice = self._new_ice(link.media)
        link.ice.addresses, link.ice.consent_at = dict(old.addresses), old.consent_at
        link.tries = 0
        self._by_ufrag[link.ice.local.ufrag.encode()] = link

    def _drop_transport(self, link: Link) -> None:
        """Drop the peer's keys and address. It needs a whole new handshake to be accepted again."""
        if link.dtls is not None and link.address is not None:
            for datagram in link.dtls.close():
                self._send(datagram, link.address)
        self._perform(self._subscriptions.ready(link, False, self._clock()))
        self._changed()
        self._handshaking.pop(link, None)
        link.dtls = link.inbound = link.outbound = link.address = None
        if link.twcc_row >= 0 and self._packet_io is not None:
            self._packet_io.twcc_sequence.close(link.twcc_row)
            link.twcc_row = -1
        for address in link.ice.addresses:
            if self._by_address.get(address) is link:
                del self._by_address[address]
        link.ice.release()
        link.rtcp_sources.clear()

    # -- datagrams -------------------------------------------------------------------------

    def _readable(self) -> None:
        """Drain the socket, up to `drain` datagrams, and send the resulting packets."""
        packet_io = self._packet_io
        if packet_io is not None:
            self._now = packet_io.now = self._clock()
            self._stamp = rtp.abs_send_time(self._now)
            packet_io.drain(self._limits.drain, self._handle)
            packet_io.flush()

    def _handle_now(self, data: Any, view: memoryview, size: int, source: Address) -> None:
        """Handle a frame from TCP, for which the clock has not been read yet."""
        self._now = self._clock()
        self._handle(data, view, size, source)

    def _flush(self) -> None:
        if self._packet_io is not None:
            self._packet_io.flush()

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
            self._stun(bytes(view[:size]), source, now)
        elif 19 < first < 64 or 127 < first < 192:
            link = self._by_address.get(source)
            if link is None:
                self._counts["strangers"] += 1
            elif first < 64:
                self._dtls(link, bytes(view[:size]), source, now)
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
        fanouts, effects = self._core.on_rtp(track, packet, self._now)
        counts["received"] += 1
        counts["bytes_received"] += len(packet)
        if fanouts:
            assert self._packet_io is not None
            video = track.kind == "video"
            for fanout in fanouts:
                out = rtp.with_twcc(packet, self._stamp) if fanout.twcc else packet
                self._packet_io.fan_out(out, fanout, burst=video)
        if effects:
            self._perform(effects)

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
        self._perform(self._core.on_rtcp(link, [self._matched(link, item) for item in items], now))

    def _matched(self, link: Link, item: rtcp.Item) -> rtcp.Item | TwccFeedback:
        """Match the numbers of transport-wide feedback with the packets that were sent under them."""
        if not isinstance(item, twcc.Report):
            return item
        if link.twcc_row < 0 or self._packet_io is None:
            return TwccFeedback(())
        return TwccFeedback(tuple(self._packet_io.twcc_sequence.match_report(link.twcc_row, item)))

    def _stun(self, datagram: bytes, source: Address, now: float) -> None:
        try:
            request = stun.parse_request(datagram)
        except stun.StunError:
            self._counts["garbage"] += 1
            return
        link = self._by_ufrag.get(request.username.partition(b":")[0])
        if link is None:
            self._counts["strangers"] += 1
            return
        holder = self._by_address.get(source)
        if holder is not None and holder is not link and self._holds(holder, source, now):
            # A member can forge the source of a check; this must not give it another member's address.
            self._counts["contested"] += 1
            return
        refused = link.ice.refused
        answer = link.ice.check(request, source, now)
        if answer is None:
            self._counts["refused_checks" if link.ice.refused > refused else "strangers"] += 1
            return
        self._send(answer.reply, source)
        if not answer.good:
            return
        self._claim(link, source)
        if answer.selected:
            link.address = source
            self._changed()
            if link.outbound is not None:
                self._counts["moved"] += 1

    def _gone(self, address: Address) -> None:
        """Release the address of a closed TCP connection, so that the next checked address is selected."""
        link = self._by_address.pop(address, None)
        if link is not None:
            link.ice.forget(address)

    def _holds(self, holder: Link, address: Address, now: float) -> bool:
        return now - holder.ice.addresses.get(address, float("-inf")) < self._limits.address_hold

    def _claim(self, link: Link, source: Address) -> None:
        """Assign `source` to this peer, and release the addresses that its agent has dropped."""
        holder = self._by_address.get(source)
        if holder is link:
            return
        if holder is not None:
            holder.ice.addresses.pop(source, None)
            if holder.address == source:
                self._drop_transport(holder)
        self._by_address[source] = link
        for address, owner in list(self._by_address.items()):
            if owner is link and address not in link.ice.addresses:
                del self._by_address[address]

    # -- DTLS ------------------------------------------------------------------------------

    def _dtls(self, link: Link, datagram: bytes, source: Address, now: float) -> None:
        association = link.dtls
        if association is None:
            if not dtls.is_client_hello(datagram) or link.tries >= self._limits.handshake_tries:
                self._counts["garbage"] += 1
                return
            link.tries += 1
            fingerprint = link.media.fingerprint
            association = dtls.DtlsServer(self._context, fingerprint, self._limits.handshake_bytes)
            link.dtls, link.deadline = association, now + self._limits.handshake_time
            self._handshaking[link] = None
        for answer in association.receive(datagram):
            self._send(answer, link.address or source)
        self._settle(link, association, now)

    def _settle(self, link: Link, association: dtls.DtlsServer, now: float) -> None:
        """Act on the association's state."""
        state = association.state
        if state is dtls.State.ESTABLISHED:
            if link in self._handshaking:
                del self._handshaking[link]
                assert association.keys is not None
                self._secure(link, association.keys, now)
        elif state is dtls.State.FAILED:
            self._counts["handshakes_failed"] += 1
            log.info("a handshake failed")
            self._handshaking.pop(link, None)
            link.dtls = None
        elif state is dtls.State.CLOSED:
            self._drop_transport(link)

    def _secure(self, link: Link, keys: srtp.Keys, now: float) -> None:
        """Set up the SRTP sessions after the handshake: packets now flow in both directions."""
        link.inbound = srtp.SrtpSession(keys.profile, keys.client, outbound=False)
        link.outbound = srtp.SrtpSession(keys.profile, keys.server, outbound=True)
        link.rtcp_sources.clear()
        self._counts["handshakes"] += 1
        assert self._packet_io is not None
        link.twcc_row = self._packet_io.twcc_sequence.open()
        self._perform(self._subscriptions.ready(link, True, now, rekeyed=True))
        self._changed()

    # -- effects and timers ----------------------------------------------------------------

    def _perform(self, effects: Sequence[Effect[Link]]) -> None:
        for effect in effects:
            link = effect.to
            if link.outbound is None or link.address is None:
                continue
            if isinstance(effect, SendRtp):
                assert self._packet_io is not None
                packet = rtp.with_twcc(effect.packet, self._stamp) if effect.twcc else effect.packet
                self._packet_io.fan_out(packet, Fanout((link,), twcc=effect.twcc, once=True))
            elif isinstance(effect, Forget):
                link.outbound.forget(effect.ssrc)
                if link.inbound is not None:
                    link.inbound.forget(effect.ssrc)
            else:
                try:
                    sealed = link.outbound.protect_rtcp(effect.data)
                except srtp.SrtpError:
                    self._counts["unanswered"] += 1
                    continue
                self._send(sealed, link.address)

    def _send(self, datagram: bytes, address: Address) -> None:
        if self._multi_transport is None:
            return
        try:
            self._multi_transport.send(datagram, address)
        except OSError:
            self._counts["unanswered"] += 1

    def _tick(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(self._limits.tick, self._tick)
        now = self._clock()
        try:
            self._now = now
            self._stamp = rtp.abs_send_time(now)
            if self._packet_io is not None:
                self._packet_io.now = now
            self._perform(self._core.tick(now))
            self._report_arrivals(now)
            self._tick_handshakes(now)
            if now >= self._next_heartbeat:
                self._next_heartbeat = now + self._limits.beat
                # A client that receives nothing at all can tell a broken network from a quiet meeting.
                ready = [link for link in self._links.values() if link.outbound is not None]
                self._perform([SendRtcp(link, _HEARTBEAT) for link in ready])
            if now >= self._next_sweep:
                self._next_sweep = now + 1.0
                self._sweep(now)
                self._changed()  # don't keep addresses of former peers or of strangers
            if self._packet_io is not None:
                self._packet_io.flush()
        except Exception as error:  # the next tick must still come
            self._counts["errors"] += 1
            log.error("a tick raised %s", type(error).__name__)

    def _report_arrivals(self, now: float) -> None:
        """Send transport-wide feedback to publishers, which estimate their path's bandwidth from it."""
        for link in list(self._arrived):
            streams = link.media.streams
            reports = link.arrivals.due(streams[-1].ssrc, now) if streams else []
            if reports or link.outbound is None:
                del self._arrived[link]
            self._perform([SendRtcp(link, report) for report in reports])

    def _tick_handshakes(self, now: float) -> None:
        for link in list(self._handshaking):
            association = link.dtls
            assert association is not None
            if now >= link.deadline:
                association.state = dtls.State.FAILED
            elif link.address is not None:
                for datagram in association.timer():
                    self._send(datagram, link.address)
            self._settle(link, association, now)

    def _sweep(self, now: float) -> None:
        """Stop sending to peers that have not renewed consent in the last `idle` seconds (RFC 7675)."""
        if self._multi_transport is not None:
            self._multi_transport.sweep(now, self._by_address)
        for link in self._links.values():
            consent_at = link.ice.consent_at
            if consent_at is not None and now - consent_at > self._limits.idle:
                self._counts["silent"] += 1
                link.ice.consent_at = None
                link.tries = 0
                self._drop_transport(link)


__all__ = ["MediaError", "MediaLimits", "Sfu"]
